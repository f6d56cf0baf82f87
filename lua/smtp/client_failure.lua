-- SPDX-License-Identifier: MIT
--- Failures of a client: the errors it gives, with what it knows of its connection, and what
-- each leaves of that. They are its methods; see client.lua.
-- Internal.
local advice = require "smtp.advice"
local errors = require "smtp.error"

local M = {}

-- Which time-out rules the wait for the reply to each step.
local PHASE = {
  greeting = "greeting", ehlo = "ehlo", mail = "command", rcpt = "command", rset = "command",
  command = "command", unasked = "command", data = "data", final = "final",
  chunk = "final", recipient = "final", quit = "quit",
  starttls = "command", auth = "command",
}

-- The stages of errors have no chunks (types/smtp/error.d.lua); between two commands an
-- error is of any command.
local STAGE = { chunk = "body", recipient = "final", unasked = "command" }

--- Gives nil and an error with what this connection knows.
function M:error(fields)
  fields.peer = fields.peer or self.target.name
  fields.outcome = fields.outcome or "not_sent"
  fields.transcript = tostring(self._transcript)
  return nil, errors.new(fields)
end

-- The connection cannot be used any more.
function M:broken(fields)
  local result, err = self:_error(fields)
  self:close()
  return result, err
end

-- Why a server may say nothing, or nonsense, in place of a greeting.
local function greeting_hint(self)
  if self.tls then return "is that an SMTP port?" end
  if self.target.port == 465 then
    return 'port 465 expects TLS from the first byte: tls = "implicit"'
  end
  return "is that an SMTP port? a port 465 expects TLS from the first byte"
end

-- What is known of the message under way if nothing more is heard.
function M:outcome_now()
  return self._flight:outcome(self._core and self._core:written() or self._written)
end

--- The stage of what is under way, and the time-out that rules the wait for it. Content
-- that is not written whole is the body, whatever its reply is called.
function M:stage()
  if self._core:writes_content() then return "body", "block" end
  local due = self._core:awaits()
  return STAGE[due] or due, PHASE[due]
end

--- A failure that the machine told: kind, sentence, cause, and a reply whose lines differ.
function M:failed(kind, sentence, cause, reply)
  local stage = self:_stage()
  self._flight.astray = not self._core:in_step()
  if kind == "system" then kind = "closed" end
  local fields = { kind = kind, stage = stage, message = sentence, cause = cause,
    outcome = self:_outcome_now(),
    hint = stage == "greeting" and not reply and greeting_hint(self) or nil }
  -- A stream that was secure and is damaged may be sound the next time; an alert refuses us.
  if kind == "tls" then fields.temporary = cause ~= "alert" end
  if reply then
    self._transcript:reply(reply)
    fields.code, fields.enhanced, fields.text = reply.code, reply.enhanced, reply.text
    fields.lines = reply.lines
  end
  return self:_broken(fields)
end

--- A wait was in vain.
function M:timed_out(stage, is_deadline)
  return self:_broken {
    kind = "timeout", stage = stage, outcome = self:_outcome_now(),
    message = is_deadline and "the deadline has passed" or "the server did not answer in time",
    hint = stage == "greeting" and greeting_hint(self) or nil,
  }
end

--- The client was closed by a function of the user's, or by another task: nil, and the
-- error of all that was under way.
function M:gone()
  local _, err = self:_error { kind = "closed", stage = self._closed_at,
    message = "the client was closed", outcome = self:_outcome_now() }
  return self._flight:fail(err)
end

function M:rejected(reply, stage, fields)
  fields = fields or {}
  fields.peer, fields.outcome = self.target.name, fields.outcome or "not_sent"
  fields.transcript = tostring(self._transcript)
  fields.hint = fields.hint or advice.reply(self, reply)
  return nil, errors.rejected(reply, stage, fields)
end

-- A 421 that nothing asked for, or whatever else ends the session.
function M:over(reply, stage)
  local result, err = self:_rejected(reply, STAGE[stage] or stage)
  self:close()
  return result, err
end

-- Commands that come before one; MAIL comes once.
local FIRST = { mail = "a transaction is open, which client:reset drops",
  rcpt = "client:mail comes first", data = "client:mail and client:rcpt come first" }

-- The machine does not have the command here.
function M:misplaced(stage, mailbox)
  return self:_error { kind = "protocol", stage = stage, address = mailbox, hint = FIRST[stage],
    message = "not possible at this point of the session" }
end

return M
