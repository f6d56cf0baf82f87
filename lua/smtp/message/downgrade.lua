-- SPDX-License-Identifier: MIT
--- A composed message for a server without 8BITMIME (RFC 6152 section 3). Only messages within
-- messages have 8-bit bytes: each of their leaves gets an encoding without such bytes (RFC
-- 2045 section 6).
local core = require "smtp.core"

local M = {}

local DEPTH_MAX = 50 -- as the parser of messages has it

-- The fields of a header, each with the lines that continue it, and the body.
local function split(text)
  local fields, at = {}, 1
  while true do
    local line, after = text:match("^([^\n]*\n)()", at)
    if not line or line == "\r\n" or line == "\n" then
      return fields, line and text:sub(after) or text:sub(at)
    end
    if line:find("^[ \t]") and #fields > 0 then
      fields[#fields] = fields[#fields] .. line
    else
      fields[#fields + 1] = line
    end
    at = after
  end
end

-- The value of the first field of a name, in one line; and where it stands.
local function find(fields, name)
  for i, field in ipairs(fields) do
    local own, value = field:match("^([^:%s]+)[ \t]*:(.*)$")
    if own and own:lower() == name then return (value:gsub("\r?\n", "")), i end
  end
end

-- A header with this encoding in place of its own.
local function with_encoding(fields, encoding)
  local _, at = find(fields, "content-transfer-encoding")
  local field = "Content-Transfer-Encoding: " .. encoding .. "\r\n"
  if at then fields[at] = field else fields[#fields + 1] = field end
  return table.concat(fields) .. "\r\n"
end

local rewrite

-- A multipart with each part rewritten. `default`: the type of a part without Content-Type
-- (RFC 2046 section 5.1.5).
local function multipart(body, boundary, depth, default)
  local out, at, from = {}, 1, nil
  local delimiter = "--" .. boundary
  body = "\r\n" .. body
  while true do
    local first, last = body:find("\r\n" .. delimiter, at, true)
    local piece = body:sub(from or 1, first and first - 1 or -1)
    local ok, text = true, piece
    if from then text, ok = rewrite(piece, depth + 1, default) end
    if not text then return nil, ok end
    out[#out + 1] = text
    if not first then break end
    local line_end = select(2, body:find("\r\n", last + 1, true)) or #body
    out[#out + 1] = body:sub(first, line_end)
    at, from = line_end - 1, line_end + 1 -- its CRLF may begin the next delimiter
    if body:sub(last + 1, last + 2) == "--" then
      out[#out + 1] = body:sub(from)
      break
    end
  end
  return table.concat(out):sub(3)
end

local function leaf(kind, body)
  if kind:find("^text/") then
    local text = core.qp(body) -- which ends in CRLF, whatever the body does
    return body:find("\r\n$") and text or text:sub(1, -3), "quoted-printable"
  end
  return core.base64_encoder():finish(body), "base64"
end

-- The entity without 8-bit bytes; or nil and why that cannot be.
function rewrite(text, depth, default)
  if not core.eightbit(text) then return text end
  if depth > DEPTH_MAX then return nil, "a message within it is too deep" end
  local fields, body = split(text)
  if core.eightbit(table.concat(fields)) then
    return nil, "a header within it has 8-bit bytes"
  end
  local kind, params = core.mime_value(find(fields, "content-type") or default or "text/plain")
  kind = kind:lower()
  local encoding = (find(fields, "content-transfer-encoding") or "8bit"):match("[%w-]+")
  encoding = encoding and encoding:lower()
  local boundary
  for i = 1, #params, 2 do
    if params[i]:lower() == "boundary" then boundary = params[i + 1] end
  end
  local why
  if kind == "multipart/signed" then return nil, "a part within it is signed" end
  if kind:find("^multipart/") and boundary then
    body, why = multipart(body, boundary, depth, kind == "multipart/digest" and "message/rfc822")
    encoding = "7bit"
  elseif kind:find("^message/") then
    body, why = rewrite(body, depth + 1)
    encoding = "7bit"
  elseif encoding == "8bit" or encoding == "binary" or encoding == "7bit" then
    body, encoding = leaf(kind, body)
  else
    return nil, "a part within it is not of its encoding"
  end
  if not body then return nil, why end
  return with_encoding(fields, encoding) .. body
end

--- The bytes of a message without 8-bit ones; or nil and why that cannot be.
function M.seven_bit(text)
  local out, why = rewrite(core.canonical(text), 1)
  if out and core.eightbit(out) then return nil, "8-bit bytes are between the parts within it" end
  return out, why
end

return M
