-- SPDX-License-Identifier: MIT
--- The replies for the recipients of a message: one for each in LMTP (RFC 2033) and with PRDR
-- (draft-hall-prdr-00), folded into one reply in SMTP.
local refusals = require "smtp.base.refusals"

local M = {}

-- The codes of verdicts without a code of their own.
local CODES = { accept = 250, refuse = 554, fail = 451, nothing = 451 }

local MIXED = "4.3.0 Not the same for all recipients, please try again later"

-- The answer in place of one that cannot be sent.
local FAILED = { name = "fail", code = CODES.fail }

-- The answer, or FAILED and an event if it cannot be sent.
local function sendable(message, answer)
  if not answer.text or message.session:sayable(answer.code, answer.text) then
    return answer
  end
  message.session:fail("message", ("a handler's reply cannot be sent: %d %q"):format(answer.code,
    answer.text:sub(1, 80)))
  return FAILED
end

-- The places of recipients in the order of their RCPTs, by recipient and by address.
local function places_of(recipients)
  local places = {}
  for i, recipient in ipairs(recipients) do
    local same = places[recipient.address] or {}
    same[#same + 1] = i
    places[recipient.address], places[recipient] = same, { i }
  end
  return places
end

--- Sets the reply for a recipient, or for all recipients of an address, whatever the verdict. False
-- if the message has no such recipient.
function M.answer(message, recipient, code, text)
  message._places = message._places or places_of(message.recipients)
  local places = recipient ~= nil and message._places[recipient]
  if not places then return false end
  text = refusals.complete(code, text) or ""
  local answer = sendable(message, { name = "reply", code = code, text = text })
  message.answers = message.answers or {}
  for _, i in ipairs(places) do message.answers[i] = answer end
  return true
end

-- One answer for all. Answers of one class give the worst; else it is the verdict, if that accepts
-- explicitly: the handler knows of the refusals and will bounce.
local function fold(answers, n, verdict, accepted)
  local worst, mixed = answers[1] or verdict, false
  for i = 2, n do
    local answer = answers[i] or verdict
    mixed = mixed or answer.code // 100 ~= worst.code // 100
    if answer.code > worst.code then worst = answer end
  end
  if not mixed then return worst end
  return accepted and verdict or { name = "reply", code = 451, text = MIXED }
end

-- With PRDR a last reply is for the whole message: its refusal would undo single acceptances.
local function overall(answers, told, verdict, accepted)
  for _, one in ipairs(told) do
    if one.code < 300 then return accepted and verdict or { name = "accept", code = 250 } end
  end
  return fold(answers, #told, verdict, false)
end

--- Sends all replies to a message: the answers, and for other recipients the verdict. `accepted`:
-- the handler accepted explicitly. Gives the code and the text for the whole, in LMTP the best,
-- and the reply for each recipient.
function M.conclude(message, accepted, name, code, text)
  local session, recipients = message.session, message.recipients
  local answers, told = message.answers or {}, {}
  local verdict = sendable(message, { name = name, code = code or CODES[name], text = text })
  accepted = accepted and verdict ~= FAILED
  local function send(answer)
    if not message.why then session:check_text("message", answer.text) end
    local sent = session:decide(answer.name, answer.code, answer.text)
    return sent, sent == answer.code and not message.why and answer.text or nil
  end
  if message.due == 1 then
    local one = fold(answers, #recipients, verdict, accepted)
    local sent, said = send(one)
    for i, recipient in ipairs(recipients) do
      local answer = message.why and { code = sent } or answers[i] or verdict
      told[i] = { recipient = recipient, code = answer.code, text = answer.text }
    end
    return sent, said, told
  end
  local best, best_text
  for i, recipient in ipairs(recipients) do
    local sent, said = send(answers[i] or verdict)
    told[i] = { recipient = recipient, code = sent, text = said }
    if not best or sent < best then best, best_text = sent, said end
  end
  if message.due > #recipients then
    best, best_text = send(overall(answers, told, verdict, accepted))
  end
  return best, best_text, told
end

return M
