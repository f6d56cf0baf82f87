-- SPDX-License-Identifier: MIT
-- A server in a process of its own: attachment_server.lua PATH prints its port and saves
-- one message at the path; then prints its bytes and the kilobytes of resident memory
-- before and at the most.
local smtp = require "smtp"
local memory = require "spec.support.memory"

local server
server = assert(smtp.server {
  listen = "127.0.0.1:0", limits = { message_size = "2G" },
  on_mail = function() memory.begin() end,
  on_message = function(session, message)
    local ok, err = message:save(arg[1])
    session.bytes = message.size
    return ok, err
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
