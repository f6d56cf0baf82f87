-- SPDX-License-Identifier: MIT
-- bench/record.lua compose|send|once MESSAGES [PORT]: so many records with the fields that most
-- mail has. compose makes messages of them and the text of these; send gives them to a client
-- that keeps its connection; once gives each to smtp.send, which connects and quits.

package.path = "bench/?.lua;" .. package.path
local smtp = require "smtp"
local tick = require "tick"

local what, messages, port = arg[1], math.tointeger(arg[2]), arg[3]
local target = { url = ("smtp://127.0.0.1:%s"):format(port), tls = "none" }

local function record()
  return { from = "Ada <ada@code.energy>", to = "charles@example.com", subject = "The engine",
    text = "It works." }
end

local client = what == "send" and assert(smtp.connect(target))
for _ = 1, messages do
  if what == "compose" then
    assert(#tostring(assert(smtp.message(record()))) > 0)
  elseif client then
    assert(client:send(record()))
  else
    assert(smtp.send(target, record()))
  end
  tick()
end
if client then assert(client:quit()) end
