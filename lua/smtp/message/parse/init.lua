-- SPDX-License-Identifier: MIT
--- `smtp.parse`: received messages. The bytes are kept unchanged; a walk in C finds the parts.
-- Fields are read at their first use. Any bytes give an object.
local core = require "smtp.core"
local date = require "smtp.base.date"
local errors = require "smtp.error"
local options = require "smtp.base.options"
local parts = require "smtp.message.parse.part"
local report = require "smtp.message.parse.report"
local reader = require "smtp.base.reader"
local trace_fields = require "smtp.message.trace_fields"

local M = {}

local CHUNK = 65536

local Message = { __name = "smtp.parsed" }
local lazy = {} -- field of a message -> function that makes it, or nil

-- Fields that are not kept: of messages in messages there would be a copy for each level.
local UNKEPT = { raw = true, content = true }

function Message.__index(message, key)
  local make = lazy[key]
  if not make then return Message[key] end
  local value = make(message)
  if not UNKEPT[key] then rawset(message, key, value) end
  return value
end

-- ---- header ------------------------------------------------------------

local function addresses(name)
  return function(message)
    local list = {}
    for _, field in ipairs(message.headers) do
      if field.name:lower() == name then
        local more = core.addresses(field.raw)
        table.move(more, 1, #more, #list + 1, list)
      end
    end
    return list
  end
end

lazy.from = addresses("from")
lazy.sender = addresses("sender")
lazy.to = addresses("to")
lazy.cc = addresses("cc")
lazy.bcc = addresses("bcc")
lazy.reply_to = addresses("reply-to")

function lazy.subject(message) return message.headers:get("Subject") end
function lazy.date(message) return message.headers:get("Date") end
function lazy.time(message) return message.date and date.parse(message.date) end

local ID_MAX = 990 -- a longer one fits in no line (RFC 5322 section 2.1.1)

-- The ids in a field, without their brackets.
local function ids(message, name)
  local list = {}
  local text = message.headers:get(name) or ""
  local function add(id)
    if id and id ~= "" and #id <= ID_MAX then list[#list + 1] = id end
  end
  for id in text:gmatch("<([^<>]*)>") do add((id:gsub("%s", ""))) end
  if #list == 0 then
    for word in text:gmatch("[^%s<>,;]+") do
      if word:find("@", 1, true) then add(word) end
    end
  end
  if #list == 0 then -- more than one word is a phrase (RFC 5322 section 4.5.4)
    add(text:match("^[%s<>]*([^%s<>]+)[%s<>]*$"))
  end
  return list
end

-- Several words without brackets are the id as a whole: nothing else may be there.
function lazy.message_id(message)
  local id = ids(message, "Message-ID")[1]
  if id then return id end
  local words = {}
  for word in (message.headers:get("Message-ID") or ""):gmatch("[^%s<>]+") do
    words[#words + 1] = word
  end
  id = table.concat(words, " ")
  return id ~= "" and #id <= ID_MAX and id or nil
end
function lazy.in_reply_to(message) return ids(message, "In-Reply-To")[1] end
function lazy.references(message) return ids(message, "References") end

-- The sender is empty for a report about a message, which nobody may answer (RFC 5321 section
-- 6.1).
function lazy.envelope(message)
  local from
  local _, path = message.headers:get("Return-Path")
  if path then
    from = core.addresses(path)[1] or { address = "" }
  else
    local is_report = message.report and message.report.type ~= "feedback"
    from = not is_report and message.from[1] or { address = "" }
  end
  local to, seen = {}, {}
  for _, list in ipairs { message.to, message.cc, message.bcc } do
    for _, one in ipairs(list) do
      if one.address ~= "" and not seen[one.address] then
        seen[one.address] = true
        to[#to + 1] = one.address
      end
    end
  end
  return { from = from.address, to = to }
end

-- ---- body --------------------------------------------------------------

for _, key in ipairs { "headers", "type", "params", "parts", "content", "encoding" } do
  lazy[key] = function(message) return message._root[key] end
end

-- Finds the parts that are shown as text and HTML, and adds all other leaves to
-- `rest`. In multipart/related only the root is shown (RFC 2387 section 3.2).
local function sort(part, shown, rest, hidden)
  local kind = part.type
  if not parts.is_multipart(part) then
    local which = kind == "text/plain" and "text" or kind == "text/html" and "html"
    if which and not hidden and not shown[which] and part.disposition ~= "attachment" then
      shown[which] = part
    else
      rest[#rest + 1] = part
    end
    return
  end
  local root
  if kind == "multipart/related" then
    local start = (part.params.start or ""):match("<([^<>]*)>")
    root = part.parts[1]
    for _, inner in ipairs(part.parts) do
      if start and inner.cid == start then root = inner end
    end
  end
  for _, inner in ipairs(part.parts) do
    sort(inner, shown, rest, hidden or root and inner ~= root)
  end
end

-- The parts that are shown, and the rest.
function lazy._sorted(message)
  local sorted = { shown = {}, rest = {} }
  sort(message._root, sorted.shown, sorted.rest, false)
  return sorted
end

function lazy.text(message)
  local part = message._sorted.shown.text
  return part and part.text
end

function lazy.html(message)
  local part = message._sorted.shown.html
  return part and part.text
end

function lazy.attachments(message) return message._sorted.rest end

-- ---- the whole ---------------------------------------------------------

function lazy.raw(message) return parts.whole(message._root) end
function lazy.size(message) return parts.whole_size(message._root) end

Message.__tostring = lazy.raw

--- Iterates over the original bytes in pieces.
function Message:chunks(size)
  local bytes, at = self.raw, 1
  size = size or CHUNK
  if (options.integer(size) or 0) < 1 then
    options.misuse("chunks: size must be a whole number above 0")
  end
  return function()
    if at > #bytes then return nil end
    local chunk = bytes:sub(at, at + size - 1)
    at = at + size
    return chunk
  end
end

local function of_root(root)
  return setmetatable({ _root = root }, Message)
end

local function of_string(bytes, level)
  return of_root(parts.tree(bytes, level or 0))
end

function lazy.report(message) return report.of(message._root, of_string) end

-- Levels of encoded messages at most. Each costs a copy; RFC 2046 forbids them.
local ENCODED_MAX = 8

-- The message in a part.
function parts.lazy.message(part)
  local inner = parts.inner(part)
  if inner then return of_root(inner) end
  local level = parts.encoded_level(part)
  if level and level < ENCODED_MAX then return of_string(part.content, level + 1) end
end

local LIMITS = { "parts", "depth", "boundary", "fields", "parameters" }

-- The limits that cut a part, those in it, and a message in it.
local function limits_of(part, found)
  local limit = parts.limit(part)
  if limit then found[limit] = true end
  if (parts.encoded_level(part) or 0) >= ENCODED_MAX then found.depth = true end
  for _, each in ipairs(part.parts) do limits_of(each, found) end
  local inner = parts.inner(part)
  return inner and limits_of(inner, found) or found
end

function lazy.truncated(message)
  local found = limits_of(message._root, {})
  for _, name in ipairs(LIMITS) do
    if found[name] then return name end
  end
end

--- The whole of a parsed message as a part.
function M.root(message) return message._root end

--- Whether a value is a parsed message.
function M.is(value) return getmetatable(value) == Message end

-- The bytes of a message without its Bcc fields and the lines behind them that are no fields.
local function without_bcc(bytes)
  local out, from, is_bcc = {}, 1, false
  for name, first in core.fields(bytes) do
    if not is_bcc then out[#out + 1] = bytes:sub(from, first - 1) end
    from, is_bcc = first, name == "bcc"
  end
  if is_bcc then from = bytes:match("\n()\r?\n", from) or #bytes + 1 end
  return table.concat(out) .. bytes:sub(from)
end

--- The bytes of a parsed message that may be sent, or nil and the reason. Bcc is left out,
-- unless the message came by SMTP with it. A bare CR is refused, since another reader
-- might take it for a line end.
function M.sendable(message)
  local bytes = message.raw
  if bytes:find("\r[^\n]") or bytes:sub(-1) == "\r" then
    return nil, "the message has a bare CR, which others may take for the end of a line"
  end
  if message._came_by_smtp or not message.headers:get("Bcc") then return bytes end
  return without_bcc(bytes)
end

local function read_all(read)
  local chunks = {}
  for chunk in read do
    if type(chunk) ~= "string" then error("a chunk is a " .. type(chunk), 0) end
    chunks[#chunks + 1] = chunk
  end
  return table.concat(chunks)
end

--- Reads a message; see types/smtp/init.d.lua.
function M.parse(content, why)
  local from, err = reader.of(content)
  if err then return nil, err end
  if not from then -- io.open gave the reason
    options.misuse(("parse: a string, a function, a file or a message is needed, not %s%s"):format(
      type(content), content == nil and type(why) == "string" and ": " .. why or ""))
  end
  if from.text then return of_string(from.text) end
  local ok, bytes = pcall(read_all, from.read)
  if not ok then
    if errors.is(bytes) then return nil, bytes end
    return nil, errors.new { kind = "source", message = "parse: " .. tostring(bytes),
      cause = bytes }
  end
  local message = of_string(bytes)
  trace_fields.follow(message, content)
  if type(content) == "table" and content.envelope then -- one that came by SMTP has its own
    message.envelope = content.envelope
    message._came_by_smtp = not M.is(content) or content._came_by_smtp
  end
  return message
end

return M
