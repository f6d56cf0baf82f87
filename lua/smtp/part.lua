-- SPDX-License-Identifier: MIT
--- The parts of a message on their way out: leaves with their encoding, and
-- multiparts. A part is flattened into segments, each a string or something that
-- gives chunks, so that a file is never in memory whole.
-- Internal: users call `smtp.part` and give tables.
local core = require "smtp.core"
local errors = require "smtp.error"
local media = require "smtp.media"
local options = require "smtp.options"

local M = {}

local Part = { __name = "smtp.part" }
Part.__index = Part

local CHUNK = 57 * 1024 -- of whole lines of base64

local SPEC = {
  type = "string", content = "string", path = "string", source = "function", parts = "table",
  name = "string", cid = "string", inline = "boolean", params = "table", description = "string",
  size = "count",
}

--- Ends the composing with an error that names the field.
function M.fail(field, why)
  error({ field = field, why = why }, 0)
end

--- What `make` gives; or nil and an error where `fail` ended it. `what` is the call.
function M.guard(what, make, ...)
  local ok, result, err = pcall(make, ...)
  if ok then return result, err end
  if type(result) ~= "table" or not result.field then error(result, 0) end
  return nil, errors.new { kind = "invalid", outcome = "not_sent",
    message = ("%s: %s %s"):format(what, result.field, result.why) }
end

--- A header field of pieces (core.field); what may not be in it ends the composing.
function M.field(what, name, pieces)
  return core.field(name, pieces)
    or M.fail(what, "has a control, is not UTF-8, or is too long")
end

-- ---- leaves ----------------------------------------------------------------

-- Text with CRLF at the end of every line.
local function canonical(text)
  text = text:gsub("\r\n", "\n"):gsub("\r", "\n")
  if text ~= "" and text:sub(-1) ~= "\n" then text = text .. "\n" end
  return (text:gsub("\n", "\r\n"))
end

local function base64(text)
  return core.base64_encoder():finish(text)
end

-- The encoded text, and the name of the encoding.
local function encode_text(text)
  local encoding = core.encoding(text)
  if encoding == "7bit" then return canonical(text), encoding end
  if encoding == "quoted-printable" then return core.qp(text), encoding end
  return base64(canonical(text)), encoding
end

-- A segment that streams: `chunks()` gives an iterator of what goes on the wire.
local function stream(open, size)
  return { size = size and core.base64_size(size), chunks = function()
    local read, encoder, ended = open(), core.base64_encoder(), false
    return function()
      while not ended do
        local chunk = read()
        ended = chunk == nil
        local out = ended and encoder:finish() or encoder:feed(chunk)
        if out ~= "" then return out end
      end
    end
  end }
end

local function of_path(part)
  local file, why = io.open(part.path, "rb")
  if not file then M.fail("attachments", why) end
  local _, unreadable = file:read(0) -- a folder can be opened, but not read
  local size = file:seek("end")
  file:close()
  if unreadable then M.fail("attachments", part.path .. ": " .. unreadable) end
  if not size then M.fail("attachments", part.path .. " cannot be measured") end
  return stream(function()
    local from, gone = io.open(part.path, "rb")
    if not from then error(gone, 0) end
    local left = size
    return function()
      local chunk, problem = from:read(CHUNK)
      if problem then error(problem, 0) end
      left = left - #(chunk or "")
      if left < 0 or not chunk and left > 0 then
        from:close()
        error(part.path .. " has changed while it was sent", 0)
      end
      if not chunk then from:close() end
      return chunk
    end
  end, size)
end

local function of_source(part)
  local opened = false
  return stream(function()
    if opened then error("a source can be read once", 0) end
    opened = true
    return function()
      local chunk = part.source()
      if chunk ~= nil and type(chunk) ~= "string" then
        error("the source of a part must give strings", 0)
      end
      return chunk
    end
  end, part.size)
end

local function is_text(kind) return kind:find("^text/") ~= nil end

-- The segment and the encoding of a leaf.
local function encode(part, kind)
  if part.path then return of_path(part), "base64" end
  if part.source then return of_source(part), "base64" end
  local content = part.content or ""
  if kind == "message/rfc822" or kind == "message/delivery-status" then
    return canonical(content), core.eightbit(content) and "8bit" or "7bit"
  end
  -- An attachment is a file: its bytes come as they are, the ends of lines too.
  if is_text(kind) and not part.attached and utf8.len(content) then return encode_text(content) end
  return base64(content), "base64"
end

-- ---- fields of a part ------------------------------------------------------

local function check_type(kind)
  if not kind:find("^[%w!#$&^_.+-]+/[%w!#$&^_.+-]+$") then
    M.fail("type", ("%q is no media type"):format(kind))
  end
  return kind
end

local function content_type(part, kind, extra)
  local pieces = { "token", kind }
  local function param(name, value)
    pieces[#pieces + 1] = "param"
    pieces[#pieces + 1] = name
    pieces[#pieces + 1] = value
  end
  for _, pair in ipairs(extra) do param(pair[1], pair[2]) end
  for _, pair in ipairs(part.params or {}) do
    if type(pair) ~= "table" or type(pair[1]) ~= "string" or type(pair[2]) ~= "string" then
      M.fail("params", "must be pairs of name and value")
    end
    param(pair[1], pair[2])
  end
  if part.name then param("name", part.name) end
  return M.field("name", "Content-Type", pieces)
end

local function disposition(part)
  if not part.attached then return "" end
  local pieces = { "token", part.inline and "inline" or "attachment" }
  if part.name then
    pieces[3], pieces[4], pieces[5] = "param", "filename", part.name
  end
  return M.field("name", "Content-Disposition", pieces)
end

local function leaf_header(part, kind, encoding)
  local fields = {
    content_type(part, kind, is_text(kind) and { { "charset", "utf-8" } } or {}),
    M.field("encoding", "Content-Transfer-Encoding", { "token", encoding }),
    disposition(part),
  }
  if part.cid then
    if not part.cid:find("^[^%s<>%c\x80-\xff]+$") then M.fail("cid", "is no content id") end
    fields[#fields + 1] = M.field("cid", "Content-ID", { "token", "<" .. part.cid .. ">" })
  end
  if part.description then
    fields[#fields + 1] = M.field("description", "Content-Description",
      { "text", part.description })
  end
  return table.concat(fields)
end

-- ---- flattening ------------------------------------------------------------

-- Nothing that is encoded can hold "=_", and of plain text it is looked for.
local function boundary_of(segments, random)
  while true do
    local boundary = "=_" .. random(24)
    local found = false
    for _, segment in ipairs(segments) do
      found = found or type(segment) == "string" and segment:find(boundary, 1, true) ~= nil
    end
    if not found then return boundary end
  end
end

local flatten

local function flatten_multipart(part, kind, random, out)
  local segments, starts = {}, {}
  for i, child in ipairs(part.parts) do
    starts[i] = #segments + 1
    flatten(child, random, segments)
  end
  local boundary = boundary_of(segments, random)
  out[#out + 1] = content_type(part, kind, { { "boundary", boundary } }) .. "\r\n"
  local next_part = 1
  for i, segment in ipairs(segments) do
    if starts[next_part] == i then
      out[#out + 1] = (next_part > 1 and "\r\n--" or "--") .. boundary .. "\r\n"
      next_part = next_part + 1
    end
    out[#out + 1] = segment
  end
  out[#out + 1] = "\r\n--" .. boundary .. "--\r\n"
end

--- Adds the segments of a part, its header first, to `out`. `random(n)` gives n
-- characters for a boundary.
function flatten(part, random, out)
  local kind = check_type(part.type or (part.parts and "multipart/mixed")
    or (part.content and not part.attached and "text/plain") or media(part.name or part.path))
  if part.parts then
    if #part.parts == 0 then M.fail("parts", "is empty") end
    return flatten_multipart(part, kind, random, out)
  end
  if kind:find("^multipart/") then M.fail("type", "of a multipart needs parts") end
  local body, encoding = encode(part, kind)
  out[#out + 1] = leaf_header(part, kind, encoding) .. "\r\n"
  out[#out + 1] = body
end

M.flatten = flatten

-- ---- what users give -------------------------------------------------------

--- Makes a part of `{ type, content | path | source | parts, ... }`.
function M.new(given)
  options.check("part", given, SPEC)
  local part = setmetatable({}, Part)
  for key, value in pairs(given) do part[key] = value end
  local n = 0
  for _, key in ipairs { "content", "path", "source", "parts" } do
    if part[key] ~= nil then n = n + 1 end
  end
  if n ~= 1 then error("part: one of content, path, source and parts is needed", 0) end
  for i, child in ipairs(part.parts or {}) do
    if getmetatable(child) ~= Part then
      error(("part: parts[%d] must be made by smtp.part"):format(i), 2)
    end
  end
  part.attached = (part.name ~= nil or part.inline ~= nil) and not part.parts
  return part
end

--- Makes the part of an attachment: a path, or a table.
function M.attachment(given)
  if type(given) == "string" then given = { path = given } end
  if type(given) ~= "table" then error("message: an attachment is a path or a table", 0) end
  options.check("attachment", given, SPEC)
  local part = M.new(given)
  part.attached = true
  if not part.name and part.path then part.name = part.path:match("[^/\\]+$") end
  part.type = part.type or media(part.name)
  if part.inline == nil then part.inline = part.cid ~= nil end
  return part
end

function M.is(value) return getmetatable(value) == Part end

return M
