-- SPDX-License-Identifier: MIT
-- A server in a process of its own: prints its port; takes one message whose
-- handler reads it in chunks; then prints the bytes it read and the kilobytes of
-- resident memory before and at the most.
local smtp = require "smtp"
local memory = require "spec.support.memory"

local server
server = assert(smtp.server {
  listen = "127.0.0.1:0", limits = { message_size = "2G" },
  on_mail = function() memory.begin() end,
  on_message = function(session, message)
    for _ in message:chunks() do end
    session.bytes = message.size
    return true
  end,
  on_close = function(session)
    if not session.bytes then return end
    memory.report(session.bytes)
    server:close()
  end,
})
print(server.port)
io.flush()
server:run()
