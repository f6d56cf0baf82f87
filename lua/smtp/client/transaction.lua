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

--- Makes it for an owner, to whom it is told: `owner:settle(transaction, receipt | nil, err)`.
-- `to` are the recipients, `sent` these as they go out, `given` their parameters. The owner has
-- `connection`, `from`, `sender` as it goes out, `params`, `source`, `eightbit` (8-bit bytes may
-- go out), `chunks`, `binary` and `progress`; without a sender the content goes alone.
function M.new(owner, to, sent, given)
  return setmetatable({ owner = owner, to = to, sent = sent, given = given }, Transaction)
end

--- The record of a recipient who was refused by a reply, or an error of one.
function M.rejection(mailbox, reply)
  return { address = mailbox, code = reply.code, enhanced = reply.enhanced, text = reply.text,
    lines = reply.lines, temporary = reply.code < 500 }
end

-- ---- its end ---------------------------------------------------------------

-- The error of a message that a reply has refused.
local function refused(self, result)
  local owner, stage, fields = self.owner, result.stage, { address = result.address }
  if stage == "mail" then
    fields.address = owner.from
  elseif owner.sender then
    fields.rejected = result.rejected
  end
  return select(2, owner.connection:rejected(result, stage, fields))
end

-- Takes the refusals of recipients in, if the machine knows of some.
local function take(self, result, places, too_many)
  if not places then return end
  self.places, self.too_many = places, too_many
  for _, one in ipairs(result.rejected) do refusals.note(one.code, one.text, one.enhanced) end
end

--- The machine knows what became of it.
function Transaction:done(verdict, result, places, too_many)
  take(self, result, places, too_many)
  local err = self.err
  if not err and verdict == "refused" then err = refused(self, result) end
  if not err and verdict == "open" then -- without a verdict there is no receipt
    err = select(2, self.owner.connection:fail { kind = "protocol", stage = "final",
      message = "it is not known what became of the message", outcome = "unknown" })
  end
  self.owner:settle(self, not err and result or nil, err)
end

--- Nothing more will be heard: `lost` has what is known. What the server has refused already
-- stays refused, however the session ends: a 421 for many refused chunks is no reason to try
-- again.
function Transaction:fail(err, lost)
  local result = lost.result
  take(self, result, lost.places)
  if not self.err and lost.verdict == "refused" then err = refused(self, result) end
  if errors.is(err) then
    if result.rejected and result.rejected[1] then err.rejected = result.rejected end
    if err.outcome == "partial" then
      err.accepted, err.rejected = result.accepted, result.rejected
    end
  end
  self.owner:settle(self, nil, self.err or err)
end

-- ---- the content -----------------------------------------------------------

-- The content cannot be read or sent. Between two chunks the server can be told, else only
-- by a close.
local function broken(self, fields)
  local connection = self.owner.connection
  fields.stage, fields.outcome = "body", "not_sent"
  if connection.machine:give_up() then
    self.err = select(2, connection:fail(fields))
    return true
  end
  return connection:lose(select(2, connection:broken(fields)))
end

-- The next bytes of the content; nil at its end; or nil and what is wrong with it.
local function read(owner)
  local bytes, problem = owner.connection:call(reader.next, owner.source)
  if bytes and not owner.source.text and not owner.eightbit and core.eightbit(bytes) then
    return nil, { kind = "unsupported", message = mail_rcpt.NOT_8BIT }
  end
  return bytes, problem
end

-- Streams the content as the machine wants it, up to its last byte, unless the server has no
-- use for it. True, or nil and an error.
local function stream(self)
  local owner = self.owner
  local connection = owner.connection
  local bytes, first, sent, problem = nil, 1, 0, nil
  while true do
    local step, err = connection:hear(true)
    if not step then return nil, err end
    if step == "sent" then return true end
    if step == "content" then
      if not bytes then
        bytes, problem = read(owner)
        first = 1
      end
      if problem then return broken(self, problem) end
      local taken, text, word = connection.machine:content(bytes, first)
      if word == "invalid" then
        return broken(self, { kind = "invalid", message = "content: " .. text })
      end
      first = first + (bytes and taken or 0)
      if bytes and first > #bytes then
        sent, bytes = sent + #bytes, nil
        if owner.progress then connection:call(owner.progress, sent, owner.source.size) end
      end
    end
  end
end

-- ---- sending ---------------------------------------------------------------

-- The error of what may not go out, which is not under way then.
local function refused_here(self, word, place)
  local owner = self.owner
  if not owner.sender then return owner.connection:misplaced("data") end
  local stage = place and place > 0 and "rcpt" or "mail"
  local mailbox = place and self.sent[place] or owner.sender
  return mail_rcpt.refused(owner.connection, word, stage, mailbox)
end

--- Sends it, up to the last byte; the final reply may still be due. True; or nil and an
-- error, which the owner was told: the session is over, or it may not go out.
function Transaction:run()
  local owner = self.owner
  local connection = owner.connection
  self.text = not owner.progress and owner.source.text or nil
  local queued, _, word, place = connection.machine:message(self, self.text, owner.chunks,
    owner.binary, owner.sender, owner.params, self.sent, self.given)
  if queued == nil then
    local _, err = refused_here(self, word, place)
    owner:settle(self, nil, err)
    return nil, err
  end
  if owner.sender then connection.used:note_message(self.sent) end
  if queued then return true end
  return stream(self)
end

-- ---- the content alone -----------------------------------------------------

local Content = {}
Content.__index = Content

function Content:settle(_, reply, err)
  self.is_over, self.reply, self.err = true, reply, err
end

--- DATA and content for an envelope that was given by single commands. Gives the final
-- reply; by LMTP the first that is a success. Its `replies` are those of all recipients.
function M.data(connection, source)
  local eightbit = connection.capabilities["8BITMIME"]
  if source.text and not eightbit and core.eightbit(source.text) then
    return mail_rcpt.not_8bit(connection, "data")
  end
  local self = setmetatable({ connection = connection, source = source, eightbit = eightbit },
    Content)
  local ok, err = M.new(self, {}):run()
  while ok and not self.is_over do ok, err = connection:hear() end
  if not self.is_over then return nil, err end
  return self.reply, self.err
end

return M
