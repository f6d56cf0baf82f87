-- SPDX-License-Identifier: MIT
-- A server in a process of its own: memory_server.lua [PATH] prints its port; takes one
-- message, saved at the path or else read in chunks; then prints its bytes and the
-- kilobytes of resident memory before and at the most.
local smtp = require "smtp"
local memory = require "spec.support.memory"

local server
server = assert(smtp.server {
  listen = "127.0.0.1:0", limits = { message_size = "2G" },
  on_mail = function() memory.begin() end,
  on_message = function(session, message)
    if arg[1] then
      assert(message:save(arg[1]))
    else
      for _ in message:chunks() do end
    end
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
