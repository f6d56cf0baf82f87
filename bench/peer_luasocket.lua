-- SPDX-License-Identifier: MIT
-- bench/peer_luasocket.lua PORT MESSAGES: LuaSocket's smtp as a client.
-- smtp.send opens a connection for each message; the lower level, used here, keeps one.

local smtp = require "socket.smtp"
local ltn12 = require "ltn12"

local port, messages = tonumber(arg[1]), tonumber(arg[2])
local header = "Subject: bench\r\n\r\n"
local body = header .. (("x"):rep(62) .. "\r\n"):rep(16):sub(#header + 1)
assert(#body == 1024)

local connection = smtp.open("127.0.0.1", port)
connection:greet("client.code.energy")
for _ = 1, messages do
  connection:mail("<ada@code.energy>")
  connection:rcpt("<charles@example.com>")
  connection:data(ltn12.source.string(body), ltn12.pump.step)
end
connection:quit()
connection:close()
