-- SPDX-License-Identifier: MIT
-- bench/mock.lua [mail] FOLDER COUNT: starts and stops a mock that often, or lets LuaSocket send
-- as many mails to one.

local mock = require "smtp.mock"

local count = math.tointeger(arg[#arg])

if arg[1] ~= "mail" then
  for _ = 1, count do assert(mock.start()):stop() end
  return
end

local smtp = require "socket.smtp"
local mx <close> = assert(mock.start())
for _ = 1, count do
  assert(smtp.send {
    from = "<ada@code.energy>", rcpt = "<bob@example.org>", server = mx.host, port = mx.port,
    source = smtp.message { headers = { subject = "Welcome" }, body = "It works." },
  })
end
assert(#mx:mails() == count)
