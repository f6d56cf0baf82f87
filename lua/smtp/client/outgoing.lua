-- SPDX-License-Identifier: MIT
--- Envelope and content of a message for `send`, which takes a record to compose, a table
-- with `raw`, and anything with `.envelope` and `:chunks()`.
local address = require "smtp.base.address"
local compose = require "smtp.message.compose"
local composed = require "smtp.message.composed"
local core = require "smtp.core"
local dkim = require "smtp.message.dkim"
local downgrade = require "smtp.message.downgrade"
local errors = require "smtp.error"
local names = require "smtp.base.names"
local options = require "smtp.base.options"
local parameters = require "smtp.client.parameters"
local parse = require "smtp.message.parse"
local reader = require "smtp.base.reader"
local trace_fields = require "smtp.message.trace_fields"

local M = {}

local RAW = { envelope = "table", raw = "any", size = "size", dkim = "table", mail = "table" }
local ENVELOPE = { from = "any", to = "any" }

local NONE = {} -- the parameters of recipients that have none

local function invalid(text, field, kind, hint)
  return nil, errors.new { kind = kind or "invalid", stage = "mail", message = text,
    address = field, outcome = "not_sent", hint = hint }
end

-- A recipient's parameters of RCPT, or nil. A server's recipient has them in `params` too, as
-- they were written.
local function fields_of(one)
  local fields
  for key in pairs(one) do -- others may stand there; a parameter that is not sent is a loss
    local meant = type(key) == "string" and key:lower()
    if meant ~= key and meant ~= "params" and parameters.RCPT[meant] then
      options.misuse(("envelope.to: unknown option %q; did you mean %q?"):format(key, meant))
    end
  end
  for key in pairs(parameters.RCPT) do
    if key ~= "params" and one[key] ~= nil then
      fields = fields or {}
      fields[key] = one[key]
    end
  end
  return fields
end

-- The mailboxes, and a table for each that has parameters of RCPT.
local function recipients(to)
  if type(to) == "string" or type(to) == "table" and to.address then to = { to } end
  if type(to) ~= "table" or #options.list("envelope.to", to) == 0 then
    return invalid("the envelope has no recipients")
  end
  local list, given, ascii = {}, {}, true
  for i, one in ipairs(to) do
    local mailbox = address.mailbox(one)
    if not mailbox then return invalid(("recipient %d is no address"):format(i)) end
    local ok, why, kind = names.wire(mailbox, true)
    if not ok or mailbox == "" then
      return invalid("recipient: " .. (ok and "empty" or why), mailbox, kind,
        mailbox:find("[,;]") and 'several are a list: to = { "a@b.example", "c@d.example" }' or nil)
    end
    list[i] = mailbox
    if why then ascii = false end -- it needs UTF-8
    if type(one) == "table" then given[i] = fields_of(one) end
  end
  return list, given, ascii
end

-- Whether all parameters may be sent, before a server is asked what it offers.
local function check_fields(out)
  local ok, why, kind = true, nil, nil
  if out.mail then ok, why, kind = parameters.check("mail", out.mail) end
  if not ok then return invalid(why, out.from, kind) end
  for i, fields in pairs(out.given) do
    ok, why, kind = parameters.check("rcpt", fields)
    if not ok then return invalid(why, out.to[i], kind) end
  end
  return true
end

-- The content, which `from` reads, behind its signatures.
local function signed(raw, given, from)
  local signer, err = dkim.new(given)
  if not signer then return nil, err end
  local fields, content = signer:sign(raw, from)
  if not fields then return nil, content end
  return reader.behind(fields, reader.of(content, from.size))
end

-- The size from the user. A server's message only knows the number of bytes that were read.
local function size_of(message)
  if message.streamed or message.size == nil then return nil end
  return options.size(message.size) or options.misuse("send: size must be a size in bytes")
end

-- The content of a composed message without 8-bit bytes, signed as it was.
local function downgraded(message, signer)
  local whole, problem = reader.all(reader.of(composed.unsigned(message)))
  if not whole then return nil, errors.new(problem) end
  local text, why = downgrade.seven_bit(whole)
  if not text then return invalid(why, nil, "unsupported") end
  signer = message.dkim or signer
  if not signer then return reader.of(text) end
  return signed(text, signer, reader.of(text))
end

-- The field `raw` of a message; for a server's message, which has no `raw`, the message.
local function raw_of(message)
  return not message.streamed and message.raw or message
end

-- A Return-Path at the top is from an earlier delivery, and is not sent.
local function content_of(message, signer)
  local is_composed, raw, why = composed.is(message), raw_of(message), nil
  local text = is_composed and composed.text(message)
  if text and (message.dkim or not signer) then return reader.of_text(text) end
  if parse.is(message) then raw, why = parse.sendable(message) end
  if not raw then return invalid(why) end
  local content, err = reader.without_head(raw, size_of(message), trace_fields.return_path_size)
  if err then return nil, err end
  if not content then return invalid("raw must be a string, a function or a file") end
  if is_composed and message.dkim then return content end -- it was signed at once
  signer = message.dkim or signer
  if not signer then return content end
  return signed(content.text or raw, signer, content)
end

-- The content, with its trace and `opts.prepend` in front.
local function add_front(out, message, opts)
  local front, err = trace_fields.to_send(message, opts)
  if not front then return nil, err end
  if front == "" then return out end
  out.source = reader.behind(front, out.source)
  local downgrade_content = out.downgrade
  if not downgrade_content then return out end
  if core.eightbit(front) then out.eightbit, out.utf8 = true, true end
  function out.downgrade()
    local content, why = downgrade_content()
    if not content then return nil, why end
    return reader.behind(front, content)
  end
  return out
end

--- The source of content that goes without an envelope, behind what stands in front of it;
-- nil if it is none; nil and an error.
function M.content(content, opts)
  local front, err = trace_fields.to_send(content, opts)
  if not front then return nil, err end
  local from
  from, err = reader.without_head(content, nil, trace_fields.return_path_size)
  if not from or front == "" then return from, err end
  return reader.behind(front, from)
end

-- The sender, the recipients, the parameters of each, and whether no mailbox needs UTF-8;
-- or nil and an error.
local function addressed(envelope)
  local from = address.mailbox(envelope.from)
  if not from then
    return invalid('the envelope has no sender, or one that is no address; "" is the null sender')
  end
  local ok, why, kind = names.wire(from, true)
  if not ok then return invalid("sender: " .. why, from, kind) end
  local to, given, ascii = recipients(envelope.to)
  if not to then return nil, given end
  return from, to, given, ascii and not why -- of the sender
end

local function read(message, signer, opts)
  local is_table = type(message) == "table"
  if not is_table and type(message) ~= "userdata" then
    options.misuse("send: a message is a table, not " .. type(message))
  end
  if is_table and raw_of(message) == message and not message.chunks then
    local made, why = compose.message(message)
    if not made then return nil, why end
    message = made
  end
  local raw, envelope, given, ascii = raw_of(message), message.envelope, NONE, true
  local from, to = core.plain_envelope(envelope)
  if is_table and raw ~= message and not getmetatable(message) then
    options.check("send: a message with raw", message, RAW)
    if not from and type(envelope) == "table" then
      options.check("send: envelope", envelope, ENVELOPE)
    end
  end
  if type(envelope) ~= "table" then
    options.misuse("send: raw needs an envelope, { from = ..., to = ... }")
  end
  if not from then from, to, given, ascii = addressed(envelope) end
  if not from then return nil, to end
  local content, err = content_of(message, signer)
  if not content then return nil, err end
  local relayed = is_table and message.streamed -- of a server
  local mail = is_table and (relayed and message.mail or rawget(message, "mail"))
  local out = { from = from, to = to, given = given, ascii = ascii, mail = mail or nil,
    relayed = relayed, source = content }
  if not relayed then
    local ok
    ok, err = check_fields(out)
    if not ok then return nil, err end
  end
  if composed.is(message) then
    out.eightbit, out.utf8 = message.eightbit or message.utf8, message.utf8
    out.downgrade = function() return downgraded(message, signer) end
  end
  return add_front(out, parse.is(message) and message or raw, opts)
end

-- A table of a plain envelope and a text, as most programs give; nil of anything else.
local function read_plain(message, signer, opts)
  if signer or opts.prepend then return nil end
  local from, to, text = core.plain_message(message)
  return from and { from = from, to = to, given = NONE, ascii = true,
    source = reader.of_text(text) }
end

--- Gives `{ from, to, given, ascii, mail, relayed, source }` (`ascii`: no mailbox needs
-- UTF-8; `relayed`: it came to a server), of what was composed also `eightbit`, `utf8` (its
-- header) and `downgrade()`, which gives a source without 8-bit bytes; or nil and an error
-- before a byte is sent. `signer` is what signs, unless the message says so itself; `opts`
-- has `received` and `prepend` of the call.
function M.outgoing(message, signer, opts)
  opts = opts or NONE
  local plain = read_plain(message, signer, opts)
  if plain then return plain end
  local out, err = read(message, signer, opts)
  if err then err.outcome = "not_sent" end
  return out, err
end

return M
