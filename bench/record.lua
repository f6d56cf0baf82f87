-- SPDX-License-Identifier: MIT
-- bench/record.lua compose|send|once MESSAGES [PORT]: so many records with the fields that most
-- mail has. compose makes messages of them and the text of these; send gives them to a client
-- that keeps its connection; once gives each to smtp.send, which connects and quits.

local smtp = require "smtp"

local what, messages, port = arg[1], math.tointeger(arg[2]), arg[3]
local target = { url = ("smtp://127.0.0.1:%s"):format(port), tls = "none" }

local function record()
  return { from = "Ada <ada@code.energy>", to = "charles@example.com", subject = "The engine",
    text = "It works." }
end

if what == "compose" then
  for _ = 1, messages do assert(#tostring(assert(smtp.message(record()))) > 0) end
elseif what == "once" then
  for _ = 1, messages do assert(smtp.send(target, record())) end
else
  local client <close> = assert(smtp.connect(target))
  for _ = 1, messages do assert(client:send(record())) end
  assert(client:quit())
end
