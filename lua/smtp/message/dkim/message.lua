-- SPDX-License-Identifier: MIT
--- The common half of signing and verifying DKIM: reads a message once, its header into fields
-- and its body into hashes. Fields are picked in the order of RFC 6376 section 5.4.2.
local core = require "smtp.core"

local M = {}

--- Bytes of a header at most.
M.HEADER_MAX = 1048576

-- Reads the header from `read`: its lines with CRLF (they may end in CRLF, LF or CR), and the
-- first bytes of the body. nil: the header is too long. The time is linear, however the chunks
-- are cut.
local function read_header(read)
  local parts, size = {}, 0
  local length, skip = 0, false -- of the line so far; an LF now belongs to the CR before
  while true do
    local chunk = read()
    if chunk == nil then
      if length > 0 then parts[#parts + 1] = "\r\n" end
      return table.concat(parts), "", false
    end
    local from = 1
    if skip and chunk ~= "" then
      if chunk:byte() == 10 then from = 2 end
      skip = false
    end
    while true do
      local at = chunk:find("[\r\n]", from)
      local piece = chunk:sub(from, (at or 0) - 1)
      size, length = size + #piece + 2, length + #piece
      if size > M.HEADER_MAX then return nil end
      parts[#parts + 1] = piece
      if not at then break end
      skip = at == #chunk and chunk:byte(at) == 13
      from = at + (chunk:sub(at, at + 1) == "\r\n" and 2 or 1)
      if length == 0 then return table.concat(parts), chunk:sub(from), skip end
      parts[#parts + 1], length = "\r\n", 0
    end
  end
end

-- The fields of a header: { name = in small letters, text = with CRLF }. `broken` is set if there
-- are other lines, except the first line of an mbox file.
local function fields_of(text)
  local fields, at = {}, text:match("^>?From [ \t]*[^: \t][^\n]*\n()") or 1
  for name, first, last in core.fields(text) do
    fields[#fields + 1] = { name = name, text = text:sub(first, last) }
    if first ~= at then fields.broken = true end
    at = last + 1
  end
  if at <= #text then fields.broken = true end
  return fields
end

local function checked(read)
  return function()
    local chunk = read()
    if chunk ~= nil and type(chunk) ~= "string" then
      error("a chunk must be a string, not " .. type(chunk), 0)
    end
    return chunk
  end
end

--- Reads a header: its fields, and a function that gives the chunks of the body and
-- then nil. nil: the header is longer than HEADER_MAX.
function M.read(given)
  local read = checked(given)
  local header, first, skip = read_header(read)
  if not header then return nil end
  return fields_of(header), function()
    local chunk = first or read()
    first = nil
    if chunk and chunk ~= "" and skip then
      if chunk:byte() == 10 then chunk = chunk:sub(2) end
      skip = false
    end
    return chunk
  end
end

--- The fields of each small name, in their order.
function M.by_name(fields)
  local named = {}
  for _, field in ipairs(fields) do
    local list = named[field.name] or {}
    named[field.name] = list
    list[#list + 1] = field
  end
  return named
end

--- Hashes of one body in several forms; each of `wanted` has `body` ("simple" or
-- "relaxed") and maybe `limit`, and gets `hash` and `count`.
function M.hash(next_chunk, wanted)
  local shared, all = {}, {}
  for _, one in ipairs(wanted) do
    local key = one.body .. (one.limit or "")
    if not shared[key] then
      shared[key] = { digest = core.dkim_body(one.body, one.limit) }
      all[#all + 1] = shared[key]
    end
    one.shared = shared[key]
  end
  for chunk in next_chunk do
    for _, each in ipairs(all) do each.digest:feed(chunk) end
  end
  for _, each in ipairs(all) do each.hash, each.count = each.digest:finish() end
  for _, one in ipairs(wanted) do one.hash, one.count = one.shared.hash, one.shared.count end
end

--- The bytes that are signed: the fields that `names` picks from the last to the
-- first of each name, none for a name too many, and the signature's own field, `own`,
-- in which b= is empty. RFC 6376 sections 3.7 and 5.4.2.
function M.input(canon, named, names, own)
  local taken, out = {}, {}
  for _, name in ipairs(names) do
    local lower = name:lower()
    local list = named[lower]
    if list then
      local left = taken[lower] or #list
      if left > 0 then
        out[#out + 1] = core.dkim_header(canon, list[left].text)
        taken[lower] = left - 1
      end
    end
  end
  out[#out + 1] = core.dkim_header(canon, own):sub(1, -3)
  return table.concat(out)
end

return M
