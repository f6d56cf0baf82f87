-- SPDX-License-Identifier: MIT
--- Lists of addresses as users write them: `"Ada <ada@code.energy>, bob@x"`,
-- `{ name =, address = }`, `{ group =, members = }`, or arrays of these; parsed once
-- and used for header and envelope.
-- Internal.
local address = require "smtp.address"
local core = require "smtp.core"

local M = {}

-- Splits at commas outside of quotes, brackets and comments.
local function split(text)
  local out, from, depth, quoted, angle = {}, 1, 0, false, false
  local i = 1
  while i <= #text do
    local c = text:sub(i, i)
    if c == "\\" and (quoted or depth > 0) then
      i = i + 1
    elseif quoted then
      quoted = c ~= '"'
    elseif c == '"' then
      quoted = true
    elseif c == "(" then
      depth = depth + 1
    elseif c == ")" then
      depth = depth - 1
    elseif c == "<" then
      angle = true
    elseif c == ">" then
      angle = false
    elseif c == "," and depth == 0 and not angle then
      out[#out + 1] = text:sub(from, i - 1)
      from = i + 1
    end
    i = i + 1
  end
  out[#out + 1] = text:sub(from)
  return out
end

-- The mailbox with its domain in A-labels.
local function to_ascii(mailbox)
  local user, domain = mailbox:match("^(.*)@([^@]*)$")
  if not user or not domain:find("[\x80-\xff]") then return mailbox end
  local ascii = core.idna(domain)
  return ascii and user .. "@" .. ascii or mailbox
end

local function one_of(text)
  text = text:match("^%s*(.-)%s*$")
  local parsed = address.parse(text)
  if not parsed then return nil, ("%q is no address"):format(text) end
  return { name = parsed.name, address = parsed.address }
end

local function checked(one)
  one.address = to_ascii(one.address)
  local ok, why = address.check(one.address)
  if not ok or one.address == "" then
    return nil, ("%q: %s"):format(one.address, why or "empty")
  end
  return one
end

local add

local function add_table(out, value)
  if value.group then
    local members = {}
    for _, member in ipairs(value.members or {}) do
      local ok, why = add(members, member)
      if not ok then return nil, why end
    end
    out[#out + 1] = { group = value.group, members = members }
    return true
  end
  if value.address then
    if type(value.address) ~= "string" then return nil, "has an address that is no text" end
    local one, why = checked { name = value.name, address = value.address }
    if not one then return nil, why end
    out[#out + 1] = one
    return true
  end
  for _, inner in ipairs(value) do
    local ok, why = add(out, inner)
    if not ok then return nil, why end
  end
  return true
end

function add(out, value)
  if type(value) == "table" then return add_table(out, value) end
  if type(value) ~= "string" then return nil, "must be addresses" end
  for _, text in ipairs(split(value)) do
    local one, why = one_of(text)
    if one then one, why = checked(one) end
    if not one then return nil, why end
    out[#out + 1] = one
  end
  return true
end

--- Gives an array of `{ name, address }` and `{ group, members }`; or nil and why.
function M.list(value)
  local out = {}
  if value == nil then return out end
  local ok, why = add(out, value)
  if not ok then return nil, why end
  return out
end

--- The mailboxes of a list, those of groups too.
function M.flat(list)
  local out = {}
  for _, one in ipairs(list) do
    if one.group then
      for _, member in ipairs(M.flat(one.members)) do out[#out + 1] = member end
    else
      out[#out + 1] = one.address
    end
  end
  return out
end

local function put(pieces, list, last)
  for i, one in ipairs(list) do
    local comma = (i < #list or not last) and "," or ""
    if one.group then
      pieces[#pieces + 1] = "phrase"
      pieces[#pieces + 1] = one.group
      pieces[#pieces + 1] = "glue"
      pieces[#pieces + 1] = ":"
      put(pieces, one.members, true)
      pieces[#pieces + 1] = "glue"
      pieces[#pieces + 1] = ";" .. comma
    elseif one.name and one.name ~= "" then
      pieces[#pieces + 1] = "phrase"
      pieces[#pieces + 1] = one.name
      pieces[#pieces + 1] = "token"
      pieces[#pieces + 1] = "<" .. one.address .. ">" .. comma
    else
      pieces[#pieces + 1] = "token"
      pieces[#pieces + 1] = one.address .. comma
    end
  end
end

--- The list for `core.field`.
function M.pieces(list)
  local pieces = {}
  put(pieces, list, true)
  return pieces
end

return M
