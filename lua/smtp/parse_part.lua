-- SPDX-License-Identifier: MIT
--- Headers and parts of a parsed message. What costs time is made when it is first
-- asked for. Names that the sender chose are values of arrays, or keys of tables
-- that have no metatable.
-- Internal.
local core = require "smtp.core"

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

--- Reads the header that is in the bytes first to last.
function M.headers(bytes, first, last)
  local flat = core.mime_fields(bytes, first, last)
  local list = {}
  for i = 1, #flat, 3 do
    list[#list + 1] = { name = flat[i], value = flat[i + 1], raw = flat[i + 2] }
  end
  return setmetatable(list, Headers)
end

--- Splits a value with parameters: the value, and a table of them by lower-case name.
function M.value(raw)
  local main, flat = core.mime_value(raw)
  local params = {}
  for i = 1, #flat, 2 do
    if params[flat[i]] == nil then params[flat[i]] = flat[i + 1] end
  end
  return main, params
end

-- ---- parts -------------------------------------------------------------

local Part = { __name = "smtp.part" }
local lazy = {} -- field of a part -> function that makes it, or nil
M.lazy = lazy

function Part.__index(part, key)
  local make = lazy[key]
  if not make then return Part[key] end
  local value = make(part)
  rawset(part, key, value) -- what is nil is looked for again
  return value
end

function lazy.headers(part)
  local first, body = part._first, part._body
  return M.headers(part._bytes, first, math.max(body, first) - 1)
end

local function read_type(part)
  local _, raw = part.headers:get("Content-Type")
  local main, params = "", {}
  if raw then main, params = M.value(raw) end
  if not main:find("^[^/]+/[^/]+$") then
    -- RFC 2045 section 5.2, RFC 2046 section 5.1.5
    local digest = part._parent and part._parent.type == "multipart/digest"
    main = digest and not raw and "message/rfc822" or "text/plain"
  end
  rawset(part, "type", main)
  rawset(part, "params", params)
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
  local main, params = M.value(raw or "")
  return { main = main, params = params }
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

-- Meant to be shown in the text, which for a part with an id means by the HTML.
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

local DECODE = { base64 = core.decode_base64, ["quoted-printable"] = core.decode_qp }

function lazy.content(part)
  local decode = DECODE[part.encoding]
  if decode then return decode(part._bytes, part._body, part._last) end
  return part.raw
end

function lazy.size(part)
  return #part.content
end

-- Text in UTF-8 with LF as line end; nil for what is no text.
function lazy.text(part)
  if part.type:sub(1, 5) ~= "text/" then return nil end
  local text = core.to_utf8(part.content, part.params.charset or "")
  return (text:gsub("\r\n", "\n"))
end

--- Whether a value is a part of a parsed message.
function M.is(value) return getmetatable(value) == Part end

-- Makes a part of one row of `core.mime_entities`.
local function new(bytes, kind, first, body, last)
  return setmetatable({
    parts = {}, _kind = kind, _bytes = bytes, _first = first, _body = body, _last = last,
  }, Part)
end

--- The whole message as a part, with its parts in it. That of a message in a message
-- is `_inner` of the part that it is in.
function M.tree(bytes)
  local flat = core.mime_entities(bytes)
  local all = {}
  for i = 1, #flat, 5 do
    local part = new(bytes, flat[i], flat[i + 2], flat[i + 3], flat[i + 4])
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
