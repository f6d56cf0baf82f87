-- SPDX-License-Identifier: MIT
--- Lists of addresses in records: `"Ada <ada@code.energy>, bob@x"`, `{ name =, address = }`,
-- `{ group =, members = }`, or arrays of these. They are parsed once, for header and envelope.
local core = require "smtp.core"
local names = require "smtp.base.names"
local options = require "smtp.base.options"

-- A parsed address has `group`; a new list ignores it.
local ADDRESS = { address = "any", name = "any", group = "any" }
local GROUP = { group = "any", members = "any" }

local M = {}

local function checked(one)
  local mailbox, problem = names.mailbox(one.address)
  if not mailbox then return nil, ('"%s" is no address: %s'):format(one.address, problem) end
  one.address = mailbox
  if one.address == "" then
    return nil, ('"%s" is no address'):format(one.name or "")
  end
  local ok, why = names.wire(one.address, true)
  if not ok then
    local hint = one.address:find("@", 1, true) and "" or ": it has no @"
    return nil, ('"%s" is %s%s'):format(one.address, why, hint)
  end
  return one
end

local add

local function add_table(out, value, inside)
  if value.group and not value.address then
    if inside then return nil, "has a group within a group" end
    options.check("a group", value, GROUP)
    if type(value.group) ~= "string" or value.members and type(value.members) ~= "table" then
      return nil, "has a group that is none"
    end
    options.list("members of a group", value.members or {})
    local members = {}
    for _, member in ipairs(value.members or {}) do
      local ok, why = add(members, member, true)
      if not ok then return nil, why end
    end
    out[#out + 1] = { group = value.group, members = members }
    return true
  end
  if value.address then
    options.check("an address", value, ADDRESS)
    if type(value.address) ~= "string" or value.name and type(value.name) ~= "string" then
      return nil, "has a name or an address that is no text"
    end
    local one, why = checked { name = value.name, address = value.address }
    if not one then return nil, why end
    out[#out + 1] = one
    return true
  end
  options.list("a list of addresses", value)
  for _, inner in ipairs(value) do
    local ok, why = add(out, inner, inside)
    if not ok then return nil, why end
  end
  return true
end

-- The mailboxes of a text, from number `first` to number `last`; unless they are
-- `sendable`, they are checked.
local function add_mailboxes(out, list, first, last, sendable)
  for i = first, last do
    local mailbox, why = list[i], nil
    mailbox.group = nil
    if not sendable then mailbox, why = checked(mailbox) end
    if not mailbox then
      local hint = #list > 1 and "; a comma ends an address, and a name with one needs quotes"
      return nil, why .. (hint or "")
    end
    out[#out + 1] = mailbox
  end
  return true
end

-- The reader is patient with received addresses. A recipient must be plain, so that no
-- other address gets the mail. The addresses of a group in the text become one group.
local function add_text(out, text, inside)
  if not utf8.len(text) then return nil, "is not UTF-8" end
  if text:find("%c") then return nil, ('"%s" has a control character'):format(text) end
  local list, groups, fault, sendable = core.addresses(text, math.maxinteger)
  local at = 1
  if fault or #list == 0 and #groups == 0 then
    return nil, ('"%s" is no address: it %s'):format(text, fault or "is empty")
  end
  if inside and #groups > 0 then return nil, "has a group within a group" end
  for i = 1, #groups do
    local group, members = groups[i], {}
    local ok, why = add_mailboxes(out, list, at, group.first - 1, sendable)
    if ok then
      ok, why = add_mailboxes(members, list, group.first, group.last, sendable)
    end
    if not ok then return nil, why end
    out[#out + 1] = { group = group.name, members = members }
    at = group.last + 1
  end
  return add_mailboxes(out, list, at, #list, sendable)
end

-- `inside`: within a group, which contains no groups (RFC 5322 section 3.4).
function add(out, value, inside)
  if type(value) == "table" then return add_table(out, value, inside) end
  if type(value) ~= "string" then return nil, "must be addresses" end
  return add_text(out, value, inside)
end

--- Gives an array of `{ name, address }` and `{ group, members }`; or nil and the reason.
function M.list(value)
  local out = {}
  if value == nil then return out end
  local ok, why = add(out, value)
  if not ok then return nil, why end
  return out
end

--- Adds the mailboxes of a list, those of groups too, to `out`.
function M.flatten(list, out)
  for i = 1, #list do
    local one = list[i]
    if one.group then M.flatten(one.members, out) else out[#out + 1] = one.address end
  end
end

local function put(pieces, list, last)
  for i = 1, #list do
    local one = list[i]
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
      pieces[#pieces + 1] = "mailbox"
      pieces[#pieces + 1] = "<" .. one.address .. ">" .. comma
    else
      pieces[#pieces + 1] = "mailbox"
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
