-- SPDX-License-Identifier: MIT
--- The failures of a connection, as methods of its class (connection.lua): each makes an
-- error with the facts of the connection, and leaves it open or closed. Each gives nil and
-- the error.
local advice = require "smtp.client.advice"
local errors = require "smtp.error"

local M = {}

-- The time-out for the reply to each step.
local PHASE = {
  greeting = "greeting", ehlo = "ehlo", mail = "command", rcpt = "command", rset = "command",
  command = "command", unasked = "command", data = "data", final = "final",
  chunk = "final", recipient = "final", quit = "quit",
  starttls = "command", auth = "command",
}

-- The stages of errors by step. No stage is called a chunk (types/smtp/error.d.lua);
-- between two commands the stage is "command".
local STAGE = { chunk = "body", recipient = "final", unasked = "command" }

--- An error with the facts of this connection.
function M:fail(fields)
  fields.peer = fields.peer or self.target.name
  fields.outcome = fields.outcome or "not_sent"
  fields.transcript = self:transcript()
  return nil, errors.new(fields)
end

-- The connection cannot be used any more.
function M:broken(fields)
  local result, err = self:fail(fields)
  self:close()
  return result, err
end

-- The hint if no greeting came, or another text in its place.
local function greeting_hint(self)
  if self.tls then return "is that an SMTP port?" end
  if self.target.port == 465 then
    return 'port 465 expects TLS from the first byte: tls = "implicit"'
  end
  return "is that an SMTP port? a port 465 expects TLS from the first byte"
end

--- The current stage, and its time-out. While content is incomplete the stage is "body",
-- whatever reply is due.
function M:stage()
  if self.machine:writes_content() then return "body", "block" end
  local due = self.machine:awaits()
  return STAGE[due] or due, PHASE[due]
end

--- A failure of the machine: sentence, kind, cause, and a reply with several codes.
function M:failed(sentence, kind, cause, reply)
  local stage = self:stage()
  if kind == "system" then kind = "closed" end
  local fields = { kind = kind, stage = stage, message = sentence, cause = cause,
    outcome = self:outcome(),
    hint = stage == "greeting" and not reply and greeting_hint(self) or nil }
  -- A stream that was secure and is damaged may be sound the next time; an alert refuses us.
  if kind == "tls" then fields.temporary = cause ~= "alert" end
  if reply then
    fields.code, fields.enhanced, fields.text = reply.code, reply.enhanced, reply.text
    fields.lines = reply.lines
  end
  return self:broken(fields)
end

--- A time-out.
function M:timed_out(stage, is_deadline)
  return self:broken {
    kind = "timeout", stage = stage, outcome = self:outcome(),
    message = is_deadline and "the deadline has passed" or "the server did not answer in time",
    hint = stage == "greeting" and greeting_hint(self) or nil,
  }
end

--- A reply that refuses something at `stage`.
function M:rejected(reply, stage, fields)
  fields = fields or {}
  fields.peer, fields.outcome = self.target.name, fields.outcome or "not_sent"
  fields.transcript = self:transcript()
  fields.hint = fields.hint or advice.reply(self, reply)
  return nil, errors.rejected(reply, stage, fields)
end

-- A 421 without a command, or another end of the session.
function M:over(reply, stage)
  local result, err = self:rejected(reply, STAGE[stage] or stage)
  self:close()
  return result, err
end

-- Commands that come before one; MAIL comes once.
local FIRST = { mail = "a transaction is open, which client:reset drops",
  rcpt = "client:mail comes first", data = "client:mail and client:rcpt come first" }

-- The machine refuses the command in its state.
function M:misplaced(stage, mailbox)
  return self:fail { kind = "protocol", stage = stage, address = mailbox, hint = FIRST[stage],
    message = "not possible at this point of the session" }
end

return M
