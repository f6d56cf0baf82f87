-- SPDX-License-Identifier: MIT
--- The parts of a message for sending: leaves with their encoding, and multiparts. A part is
-- flattened into segments (encode_leaf.lua). A user's tables are copied, so no part can contain
-- itself.
local encode_leaf = require "smtp.message.encode_leaf"
local core = require "smtp.core"
local media_types = require "smtp.message.media_types"
local options = require "smtp.base.options"
local parse_part = require "smtp.message.parse.part"
local raise = require "smtp.message.record_error"

local M = {}

local Part = { __name = "smtp.part", __metatable = false }

function Part.__newindex()
  options.misuse("part: a part cannot be changed, make another one")
end

-- The limit of our parser, too; few readers go deeper. Each level reads all levels within.
local DEPTH_MAX = 50

-- By part: its options, `attached`, and `depth`, the nesting of the multiparts within.
local made = setmetatable({}, { __mode = "k" })

local ATTACHMENT = {
  type = "string", content = "string", path = "string", source = "function",
  name = "string", cid = "string", inline = "boolean", params = "table", description = "string",
  size = "count",
}

local PART = { parts = "table" }
for key, rule in pairs(ATTACHMENT) do PART[key] = rule end

local function field(what, name, pieces)
  local text, why = core.field(name, pieces)
  return text or raise.fail(what, why)
end
M.field = field

-- ---- fields of a part ------------------------------------------------------

-- Types that are made here and need no check. Each has the field for UTF-8.
local PLAIN = { ["text/plain"] = true, ["text/html"] = true, ["multipart/mixed"] = true,
  ["multipart/alternative"] = true, ["multipart/related"] = true }
local utf8_fields, encoding_fields = {}, {}

-- The media type in small letters, and the parameters that stand behind it.
local function type_of(text)
  if PLAIN[text] then return text, {} end
  local main, params = text:lower(), {}
  if text:find(";", 1, true) and not text:find("%c") then
    local flat
    main, flat = core.mime_value(text)
    for i = 1, #flat, 2 do params[#params + 1] = { flat[i], flat[i + 1] } end
  end
  if not main:find("^[%w!#$&^_.+-]+/[%w!#$&^_.+-]+$") then
    raise.fail("type", ('"%s" is no media type'):format(text))
  end
  return main, params
end

-- All parameters that the user gave, each once, in order; and by their names.
local function params_of(part, params)
  for _, pair in ipairs(part.params or {}) do
    if type(pair) ~= "table" or type(pair[1]) ~= "string" or type(pair[2]) ~= "string" then
      raise.fail("params", "must be pairs of name and value")
    end
    params[#params + 1] = pair
  end
  if part.name then params[#params + 1] = { "name", part.name } end
  local named = {}
  for _, pair in ipairs(params) do
    local name = pair[1]:lower()
    if named[name] then raise.fail("params", ("have %q twice"):format(name)) end
    named[name] = pair[2]
  end
  return params, named
end

local function content_type(kind, first, params)
  local is_common = PLAIN[kind] and first[2] == "utf-8" and #params == 0
  if is_common and utf8_fields[kind] then return utf8_fields[kind] end
  local pieces = { "type", kind }
  local function add(name, value) -- old readers know a name in encoded words only
    local how = name:lower() == "name" and "words" or "param"
    table.move({ how, name, value }, 1, 3, #pieces + 1, pieces)
  end
  if first[2] then add(first[1], first[2]) end
  for _, pair in ipairs(params) do add(pair[1], pair[2]) end
  local text = field("name", "Content-Type", pieces)
  if is_common then utf8_fields[kind] = text end
  return text
end

local function disposition(part)
  local pieces = { "token", part.inline and "inline" or "attachment" }
  if part.name then
    pieces[3], pieces[4], pieces[5] = "param", "filename", part.name
  end
  return field("name", "Content-Disposition", pieces)
end

local function is_cid(text) return text:find("^[^%s<>%c\x80-\xff]+$") ~= nil end

-- The fields behind Content-Type; `encoding` is nil for a multipart of 7-bit parts.
local function rest_of_header(part, encoding)
  local fields = {}
  if encoding then
    encoding_fields[encoding] = encoding_fields[encoding]
      or field("encoding", "Content-Transfer-Encoding", { "token", encoding })
    fields[1] = encoding_fields[encoding]
  end
  if part.attached then fields[#fields + 1] = disposition(part) end
  if part.cid then
    if not is_cid(part.cid) then
      raise.fail("cid", ('"%s" is no content id; it has no brackets'):format(part.cid))
    end
    fields[#fields + 1] = field("cid", "Content-ID", { "token", "<" .. part.cid .. ">" })
  end
  if part.description then
    fields[#fields + 1] = field("description", "Content-Description",
      { "text", part.description })
  end
  return table.concat(fields) .. "\r\n"
end

-- ---- flattening ------------------------------------------------------------

-- Encoded content cannot contain "=_"; plain text is searched for it.
local function boundary_of(segments, random)
  while true do
    local boundary = "=_" .. random(24)
    local found = false
    for _, segment in ipairs(segments) do
      local text = type(segment) == "string" and segment or segment.text
      found = found or text and text:find(boundary, 1, true) ~= nil
    end
    if not found then return boundary end
  end
end

local flatten

-- Gives whether there are 8-bit bytes, which a multipart must declare (RFC 2045 section
-- 6.4).
local function flatten_multipart(part, kind, params, random, out)
  local segments, starts, eightbit = {}, {}, false
  for i, child in ipairs(part.parts) do
    starts[i] = #segments + 1
    eightbit = flatten(child, random, segments) or eightbit
  end
  local boundary = boundary_of(segments, random)
  out[#out + 1] = content_type(kind, { "boundary", boundary }, params)
    .. rest_of_header(part, eightbit and "8bit" or nil)
  local next_part = 1
  for i, segment in ipairs(segments) do
    if starts[next_part] == i then
      out[#out + 1] = (next_part > 1 and "\r\n--" or "--") .. boundary .. "\r\n"
      next_part = next_part + 1
    end
    out[#out + 1] = segment
  end
  out[#out + 1] = "\r\n--" .. boundary .. "--\r\n"
  return eightbit
end

--- Adds the segments of a part, its header first, to `out`. `random(n)` gives n
-- characters for a boundary.
function flatten(given, random, out)
  local part = made[given]
  local kind, params = type_of(part.type or (part.parts and "multipart/mixed")
    or (part.content and not part.attached and "text/plain") or media_types(part.name or part.path))
  local named
  params, named = params_of(part, params)
  local is_multipart = kind:find("^multipart/") ~= nil
  if part.parts then
    if not is_multipart then raise.fail("type", "of what has parts must be a multipart") end
    if #part.parts == 0 then raise.fail("parts", "is empty") end
    if part.depth > DEPTH_MAX then
      raise.fail("parts", ("are more than %d deep in each other"):format(DEPTH_MAX))
    end
    if named.boundary then raise.fail("params", "may not have a boundary, which is made here") end
    return flatten_multipart(part, kind, params, random, out)
  end
  if is_multipart then raise.fail("type", "of a multipart needs parts") end
  local body, encoding, charset = encode_leaf.encode(part, kind, named.charset)
  out[#out + 1] = content_type(kind, { "charset", not named.charset and charset or nil }, params)
    .. rest_of_header(part, encoding)
  out[#out + 1] = body
  return encoding == "8bit"
end

M.flatten = flatten

-- ---- what users give -------------------------------------------------------

-- A copy of an array of { name, value }, or of a table by name, which is sorted.
local function pairs_of(params)
  local list, names = {}, {}
  for key in pairs(params) do
    if type(key) == "string" then names[#names + 1] = key end
  end
  table.sort(names)
  for i, name in ipairs(names) do list[i] = { name, params[name] } end
  if #list == 0 then
    return table.move(options.list("part: params", params), 1, #params, 1, list)
  end
  if #params > 0 then options.misuse("part: params are a list or by name, not both") end
  return list
end

local function sealed(part)
  local object = setmetatable({}, Part)
  part.depth = part.depth or 0
  made[object] = part
  return object
end

-- A copy, so that later changes to the user's tables have no effect.
local function make(given, attached)
  local part, n = {}, 0
  for key, value in pairs(given) do part[key] = value end
  for _, key in ipairs { "content", "path", "source", "parts" } do
    if part[key] ~= nil then n = n + 1 end
  end
  if n ~= 1 then options.misuse("part: one of content, path, source and parts is needed") end
  if part.size and not part.source then options.misuse("part: size is for a source") end
  if part.parts then
    part.parts = table.move(options.list("part: parts", part.parts), 1, #part.parts, 1, {})
  end
  part.depth = part.parts and 1 or nil
  for i, child in ipairs(part.parts or {}) do
    if not made[child] then
      options.misuse(("part: parts[%d] must be made by smtp.part"):format(i))
    end
    part.depth = math.max(part.depth, made[child].depth + 1)
  end
  if part.params then part.params = pairs_of(part.params) end
  part.attached = attached
  return sealed(part)
end

--- Makes a part of `{ type, content | path | source | parts, ... }`.
function M.new(given)
  given = options.check("part", given, PART)
  return make(given, (given.name ~= nil or given.inline ~= nil) and not given.parts)
end

--- Makes a part of text from a record.
function M.text(kind, text, params)
  return sealed { type = "text/" .. kind, content = text, params = params }
end

local CID_MAX = 900 -- so that it fits in a line

-- The options of a part from a part of a parsed message. Content that its type forbids is
-- sent as a file (RFC 2046 section 4.5.1).
local function of_parsed(part)
  local kind, cid, params = part.type, part.cid, {}
  local plain = encode_leaf.goes_plain(kind) and not encode_leaf.may_go_plain(part.content)
  if plain or kind:find("^multipart/") then kind = "application/octet-stream" end
  if part.params.charset then params[1] = { "charset", part.params.charset } end
  if cid and (#cid > CID_MAX or not is_cid(cid)) then cid = nil end
  -- An inline text would be the text of the message.
  local inline = part.inline and kind ~= "text/plain" and kind ~= "text/html"
  return { content = part.content, type = kind, name = part.name, cid = cid,
    inline = inline, params = params }
end

--- Makes the part of an attachment: a path, a table, a part, or a part of a parsed message.
-- `what` is its name in errors.
function M.attachment(given, what)
  if type(given) == "string" then given = { path = given } end
  if parse_part.is(given) then given = of_parsed(given) end
  if made[given] then
    if made[given].parts then return given end
    given = made[given]
  else
    given = options.check(what, given, ATTACHMENT)
  end
  local part = {}
  for key, value in pairs(given) do part[key] = value end
  if not part.name and part.path then part.name = part.path:match("[^/\\]+$") end
  if part.inline == nil then part.inline = part.cid ~= nil end
  part.type = part.type or media_types(part.name)
  return make(part, true)
end

--- The Content-ID of a part.
function M.cid(part) return made[part].cid end

function M.is(value) return made[value] ~= nil end

return M
