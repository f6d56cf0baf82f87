-- SPDX-License-Identifier: MIT
--- A composed message for a server without 8BITMIME (RFC 6152 section 3). Only messages within
-- messages have 8-bit bytes: each of their leaves gets an encoding without such bytes (RFC
-- 2045 section 6).
local core = require "smtp.core"

local M = {}

local LIMITS = { depth = "a message within it is too deep",
  boundary = "a boundary within it is too long" }

local BY_NATURE = { ["7bit"] = true, ["8bit"] = true, binary = true }

-- The first field of each name in a header: its text, and where it stands.
local function fields_of(header)
  local fields = {}
  for name, first, last in core.fields(header) do
    fields[name] = fields[name]
      or { value = header:sub(first, last):match(":(.*)$"), first = first, last = last }
  end
  return fields
end

-- A header with this encoding in place of its own, and the empty line behind it.
local function with_encoding(header, own, encoding)
  header = header:gsub("^\r\n$", ""):gsub("\n\r\n$", "\n")
  local first = own and own.first or #header + 1
  local last = own and own.last or #header
  return header:sub(1, first - 1) .. "Content-Transfer-Encoding: " .. encoding .. "\r\n"
    .. header:sub(last + 1) .. "\r\n"
end

-- A body in an encoding that its type allows, and the encoding; or nil and the reason.
local function leaf(kind, encoding, body)
  if not BY_NATURE[encoding] then return nil, "a part within it is not of its encoding" end
  if kind:find("^text/") or kind:find("^message/global") then
    local text = core.qp(body) -- which ends in CRLF, whatever the body does
    return body:find("\r\n$") and text or text:sub(1, -3), "quoted-printable"
  end
  if kind:find("^message/") then return nil, "a part within it may have no encoding" end
  return core.base64_encoder():finish(body), "base64"
end

-- The header of an entity that has 8-bit bytes, and the body of a leaf, without them; or
-- nil and the reason.
local function rewrite(sort, header, body)
  if core.eightbit(header) then return nil, "a header within it has 8-bit bytes" end
  local fields = fields_of(header)
  local own = fields["content-transfer-encoding"]
  local kind = fields["content-type"] and core.mime_value(fields["content-type"].value) or ""
  kind = kind:lower()
  if kind == "multipart/signed" then return nil, "a part within it is signed" end
  if sort ~= "L" then return with_encoding(header, own, "7bit"), "" end
  local encoding = own and (own.value:match("[%w-]+") or ""):lower() or "8bit"
  local text, made = leaf(kind ~= "" and kind or "text/plain", encoding, body)
  if not text then return nil, made end
  return with_encoding(header, own, made), text
end

--- The bytes of a message without 8-bit ones; or nil and why that cannot be.
function M.seven_bit(text)
  text = core.canonical(text)
  local out, from = {}, 1
  local flat = core.mime_entities(text, #text)
  for i = 1, #flat, 6 do
    local sort, _, first, body, last, limit = table.unpack(flat, i, i + 5)
    if core.eightbit(text:sub(first, last)) then
      if limit then return nil, LIMITS[limit] end
      local header, made = rewrite(sort, text:sub(first, body - 1), text:sub(body, last))
      if not header then return nil, made end
      out[#out + 1] = text:sub(from, first - 1)
      out[#out + 1] = header
      out[#out + 1] = made
      from = sort == "L" and last + 1 or body
    end
  end
  out = table.concat(out) .. text:sub(from)
  if core.eightbit(out) then return nil, "8-bit bytes are between the parts within it" end
  return out
end

return M
