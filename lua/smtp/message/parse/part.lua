-- SPDX-License-Identifier: MIT
--- Headers and parts of a parsed message. Costly fields are made at their first use. Names from
-- the sender are values of arrays, or keys of tables without a metatable.
local core = require "smtp.core"
local flowed = require "smtp.message.parse.flowed"

local M = {}

-- ---- headers -----------------------------------------------------------

local Headers = { __name = "smtp.headers" }
Headers.__index = Headers

local function lower(method, name)
  if type(name) ~= "string" then error(("headers:%s: a name is needed"):format(method), 3) end
  return name:lower()
end

--- Decoded value of the first field of that name, in any case, or nil.
function Headers:get(name)
  name = lower("get", name)
  for _, field in ipairs(self) do
    if field.name:lower() == name then return field.value, field.raw end
  end
  return nil
end

--- Decoded values of all fields of that name, in order.
function Headers:all(name)
  local list = {}
  name = lower("all", name)
  for _, field in ipairs(self) do
    if field.name:lower() == name then list[#list + 1] = field.value end
  end
  return list
end

-- Headers with too many fields, so that some were left out.
local cut = setmetatable({}, { __mode = "k" })

--- Reads the header that is in the bytes first to last.
function M.headers(bytes, first, last)
  local flat, is_more = core.mime_fields(bytes, first, last)
  local list = {}
  for i = 1, #flat, 3 do
    list[#list + 1] = { name = flat[i], value = flat[i + 1], raw = flat[i + 2] }
  end
  cut[list] = is_more or nil
  return setmetatable(list, Headers)
end

-- Splits a value with parameters: the value, a table of them by lower-case name, and
-- whether some were left out.
local function value_of(raw)
  local main, flat, is_more = core.mime_value(raw)
  local params = {}
  for i = 1, #flat, 2 do
    if params[flat[i]] == nil then params[flat[i]] = flat[i + 1] end
  end
  return main, params, is_more
end

-- ---- parts -------------------------------------------------------------

local Part = { __name = "smtp.part" }
local lazy = {} -- field of a part -> function that makes it, or nil
M.lazy = lazy

-- Fields that are not kept: of messages in messages there would be a copy for each level.
local UNKEPT = { raw = true, content = true }

function Part.__index(part, key)
  local make = lazy[key]
  if not make then return Part[key] end
  local value = make(part)
  -- nil is not kept, so it is looked for again
  if part._is_leaf or not UNKEPT[key] then rawset(part, key, value) end
  return value
end

function lazy.headers(part)
  local first, body = part._first, part._body
  return M.headers(part._bytes, first, math.max(body, first) - 1)
end

-- A media type, each of its names at most 127 long (RFC 6838 section 4.2), or nil.
local function media_type(text)
  if #text < 256 and text:find("^[%w!#$&^_.+-]+/[%w!#$&^_.+-]+$") then return text end
end

local function read_type(part)
  local _, raw = part.headers:get("Content-Type")
  local main, params, is_more = "", {}, false
  if raw then main, params, is_more = value_of(raw) end
  if part._kind == "M" then
    main = media_type(main) or "multipart/mixed" -- RFC 2046 section 5.1.3
  elseif not media_type(main) then
    -- RFC 2045 section 5.2, RFC 2046 section 5.1.5
    local digest = part._parent and part._parent.type == "multipart/digest"
    main = digest and not raw and "message/rfc822" or "text/plain"
  end
  rawset(part, "type", main)
  rawset(part, "params", params)
  rawset(part, "_has_more_params", is_more)
end

function lazy.type(part)
  read_type(part)
  return rawget(part, "type")
end

function lazy.params(part)
  read_type(part)
  return rawget(part, "params")
end

-- Content-Disposition: its value, "" if there is none, and its parameters.
function lazy._disposition(part)
  local _, raw = part.headers:get("Content-Disposition")
  local main, params, is_more = value_of(raw or "")
  return { main = main, params = params, has_more = is_more }
end

function lazy.disposition(part)
  local main = part._disposition.main
  return main ~= "" and main or nil
end

function lazy.name(part)
  return part._disposition.params.filename or part.params.name
end

function lazy.cid(part)
  local id = part.headers:get("Content-ID")
  return id and (id:match("<([^<>]*)>") or id:match("%S+"))
end

-- Shown in the text; for a part with an id that means in the HTML.
function lazy.inline(part)
  if part.disposition == "attachment" then return false end
  return part.disposition == "inline" or part.cid ~= nil
end

function lazy.encoding(part)
  local text = part.headers:get("Content-Transfer-Encoding") or "7bit"
  return (text:match("^%s*([%w-]+)") or "7bit"):lower()
end

function lazy.raw(part)
  return part._bytes:sub(part._body, part._last)
end

function lazy.content(part)
  if not part._is_leaf then return part.raw end
  return core.decode_body(part._bytes, part.encoding, part._body, part._last)
end

function lazy.size(part)
  return part._is_leaf and #part.content or part._last - part._body + 1
end

local function is_set(part, name, value)
  local given = part.params[name]
  return given ~= nil and given:lower() == value
end

-- Text in UTF-8 with LF as line end and without NUL; nil for other content.
function lazy.text(part)
  if part.type:sub(1, 5) ~= "text/" then return nil end
  local text = core.to_utf8(part.content, part.params.charset or "")
  text = text:gsub("\r\n", "\n"):gsub("\0", "\u{fffd}")
  if part.type == "text/plain" and is_set(part, "format", "flowed") then
    return flowed.unwrap(text, is_set(part, "delsp", "yes"))
  end
  return text
end

--- Whether a part is a multipart whose parts were found.
function M.is_multipart(part) return part._kind == "M" end

--- The root part of an unencoded message in a part; else nil.
function M.inner(part) return part._inner end

--- The number of bytes of a part with its header.
function M.whole_size(part) return part._last - part._first + 1 end

--- The bytes of a part with its header.
function M.whole(part)
  if M.whole_size(part) == #part._bytes then return part._bytes end -- no copy
  return part._bytes:sub(part._first, part._last)
end

--- Whether a value is a part of a parsed message.
function M.is(value) return getmetatable(value) == Part end

--- The name of the first limit that cut a part, or nil. The limits of inner parts do not
-- count.
function M.limit(part)
  if part._kind == "C" then return "parts" end
  if part._limit then return part._limit end
  if cut[part.headers] then return "fields" end
  local _ = part.type
  if part._has_more_params or part._disposition.has_more then return "parameters" end
end

local MESSAGES = { ["message/rfc822"] = true, ["message/global"] = true }

--- The number of encoded messages around the encoded message in a part; nil if the part has
-- no encoded message.
function M.encoded_level(part)
  return part._kind == "L" and not part._limit and MESSAGES[part.type] and part._level or nil
end

-- Makes a part of one row of `core.mime_entities`.
local function new(bytes, level, kind, first, body, last, limit)
  return setmetatable({
    parts = {}, _kind = kind, _bytes = bytes, _first = first, _body = body, _last = last,
    _limit = limit or nil, _level = level, _is_leaf = kind == "L" or kind == "C",
  }, Part)
end

--- The whole message as a part, with its parts in it. A message in a message is `_inner` of the
-- part around it. `level` is the number of encoded messages around this one.
function M.tree(bytes, level)
  local flat = core.mime_entities(bytes)
  local all = {}
  for i = 1, #flat, 6 do
    local part = new(bytes, level, flat[i], table.unpack(flat, i + 2, i + 5))
    local parent = all[flat[i + 1]]
    all[#all + 1] = part
    if parent and parent._kind == "R" then
      parent._inner = part
    elseif parent then
      part._parent = parent
      parent.parts[#parent.parts + 1] = part
    end
  end
  return all[1]
end

return M
