-- SPDX-License-Identifier: MIT
--- One transaction of a message, from its envelope to what became of it. The machine sends
-- and hears it (csrc/core/client_message.c); here its content is read, where it is not text,
-- and its result becomes a receipt or an error.
local core = require "smtp.core"
local errors = require "smtp.error"
local mail_rcpt = require "smtp.client.mail_rcpt"
local reader = require "smtp.base.reader"
local refusals = require "smtp.base.refusals"

local M = {}

local Transaction = {}
Transaction.__index = Transaction

--- Makes it of `{ from, sender, params, to, sent, given, source, chunks, binary, progress }`:
-- `sender` and `sent` are mailboxes as they go out, `params` and `given` their parameters.
function M.new(connection, plan)
  plan.connection, plan.finished = connection, false
  return setmetatable(plan, Transaction)
end

--- The record of a recipient who was refused by a reply, or an error of one.
function M.rejection(mailbox, reply)
  return { address = mailbox, code = reply.code, enhanced = reply.enhanced, text = reply.text,
    lines = reply.lines, temporary = reply.code < 500 }
end

-- ---- the content -----------------------------------------------------------

-- The content cannot be read or sent. Between two chunks the server can be told, else only
-- by a close.
local function broken(self, fields)
  local connection = self.connection
  fields.stage, fields.outcome = "body", "not_sent"
  if connection.machine:give_up() then
    self.err = select(2, connection:fail(fields))
    return true
  end
  return connection:lose(select(2, connection:broken(fields)))
end

-- The next bytes of the content; nil at its end; or nil and what is wrong with it.
local function read(self)
  local bytes, problem = self.connection:call(reader.next, self.source)
  if bytes and not self.source.text and not self.eightbit and core.eightbit(bytes) then
    return nil, { kind = "unsupported", message = mail_rcpt.NOT_8BIT }
  end
  return bytes, problem
end

-- Streams the content as the machine wants it, up to its last byte, unless the server has no
-- use for it. True, or nil and an error.
local function stream(self)
  local connection = self.connection
  local bytes, first, sent, problem = nil, 1, 0, nil
  while true do
    local step, err = connection:hear(true)
    if not step then return nil, err end
    if step == "sent" then return true end
    if step == "content" then
      if not bytes then
        bytes, problem = read(self)
        first = 1
      end
      if problem then return broken(self, problem) end
      local taken, why = connection.machine:content(bytes, first)
      if why == "invalid" then
        return broken(self, { kind = "invalid", message = "content: " .. why })
      end
      first = first + (bytes and taken or 0)
      if bytes and first > #bytes then
        sent, bytes = sent + #bytes, nil
        if self.progress then connection:call(self.progress, sent, self.source.size) end
      end
    end
  end
end

-- ---- sending ---------------------------------------------------------------

-- The error of what may not go out, which is not under way then.
local function refused_here(self, why, place)
  self.finished = true
  if self.open then return self.connection:misplaced("data") end
  local stage = place and place > 0 and "rcpt" or "mail"
  return mail_rcpt.refused(self.connection, why, stage, place and self.sent[place] or self.sender)
end

--- Sends it, up to the last byte; the final reply may still be due. True; or nil and an
-- error: the session is over, or it may not go out.
function Transaction:run()
  local connection = self.connection
  if not self.progress then self.text = self.source.text end
  local queued, why, place = connection.machine:message(self)
  if queued == nil then
    self.err = select(2, refused_here(self, why, place))
    return nil, self.err
  end
  if not self.open then connection.used:note_message(self.sent) end
  if queued then return true end
  return stream(self)
end

-- ---- what came of it -------------------------------------------------------

-- The error of a message that a reply has refused.
local function refused(self)
  local result = self.reply
  local stage, fields = result.stage, { address = result.address }
  if stage == "mail" then
    fields.address = self.from
  elseif not self.open then
    fields.rejected = result.rejected
  end
  return select(2, self.connection:rejected(result, stage, fields))
end

-- Notes what the machine knows of it.
local function take(self, verdict, result, places, too_many)
  self.finished, self.verdict, self.reply = true, verdict, result
  self.places, self.too_many = places, too_many
  for _, one in ipairs(result.rejected or {}) do
    refusals.note(one.code, one.text, one.enhanced)
  end
end

--- The machine knows what became of it.
function Transaction:done(verdict, result, places, too_many)
  take(self, verdict, result, places, too_many)
  if verdict == "refused" then self.err = self.err or refused(self) end
  if verdict == "open" and not self.err then -- without a verdict there is no receipt
    self.err = select(2, self.connection:fail { kind = "protocol", stage = "final",
      message = "it is not known what became of the message", outcome = "unknown" })
  end
end

--- Nothing more will be heard: `lost` has what is known. What the server has refused already
-- stays refused, however the session ends: a 421 for many refused chunks is no reason to try
-- again.
function Transaction:fail(err, lost)
  local result = lost.result
  take(self, lost.verdict, result, lost.places)
  if not self.err and lost.verdict == "refused" then err = refused(self) end
  self.err = self.err or err
  if not errors.is(err) then return end
  if result.rejected and result.rejected[1] then err.rejected = result.rejected end
  if err.outcome == "partial" then err.accepted, err.rejected = result.accepted, result.rejected end
end

--- The receipt, or nil and an error, once it is finished.
function Transaction:result()
  if self.err then return nil, self.err end
  return self.reply
end

-- ---- the content alone -----------------------------------------------------

--- DATA and content for an envelope that was given by single commands. Gives the final
-- reply; by LMTP the first that is a success. Its `replies` are those of all recipients.
function M.data(connection, source)
  local eightbit = connection.capabilities["8BITMIME"]
  if source.text and not eightbit and core.eightbit(source.text) then
    return mail_rcpt.not_8bit(connection, "data")
  end
  local self = M.new(connection, { open = true, to = {}, source = source, eightbit = eightbit })
  local ok, err = self:run()
  while ok and not self.finished do ok, err = connection:hear() end
  if not self.finished then return nil, err end
  return self:result()
end

return M
