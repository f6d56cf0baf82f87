-- SPDX-License-Identifier: MIT
-- Takes a message that could not be delivered, on standard input, and sends a delivery
-- status notification to whoever sent it.
local smtp = require "smtp"

local USAGE = [[
usage: lua bounce.lua TARGET RECIPIENT CODE TEXT < message

  TARGET     where the bounce goes: localhost:2525, smtp://host ...
  RECIPIENT  whom the message did not reach
  CODE TEXT  what was said: 550 'no such user'

The return path is that of the message's Return-Path, else of its From.

  lua bounce.lua localhost:2525 bob@example.com 550 'no such user' < undelivered.eml
]]

if arg[1] == "--help" then
  io.write(USAGE)
  os.exit(0)
end
local code = math.tointeger(tonumber(arg[3]))
if #arg ~= 4 or not code then
  io.stderr:write("four words are needed, and the third is a number\n\n", USAGE)
  os.exit(2)
end

local message = assert(smtp.parse(io.stdin))
local bounce, err = smtp.bounce(message, { address = arg[2], code = code, text = arg[4] },
  { ret = "FULL" })
if not bounce then
  io.stderr:write("bounce: ", tostring(err), "\n")
  os.exit(err.kind == "unsupported" and 0 or 1)
end
local receipt
receipt, err = smtp.send(arg[1], bounce)
if not receipt then
  io.stderr:write("bounce: ", tostring(err), "\n")
  os.exit(1)
end
print(("told %s: %d %s"):format(bounce.envelope.to[1], receipt.code, receipt.text))
