-- SPDX-License-Identifier: MIT
--- Queries for mails and sessions of a mock: a table whose values are texts, globs, other
-- plain values, functions, or matchers of luassert. `to` is any recipient; a text in
-- `text`, `html` or `raw` is looked for within.
-- Internal.
local core = require "smtp.core"
local options = require "smtp.options"

local M = {}

local MAIL = {}
for name in ([[from to cc subject text html raw header attachment session user secure helo code
  number parameters]]):gmatch("%S+") do MAIL[name] = "any" end

local SESSION = {}
for name in ([[number address helo esmtp user mechanism authenticated tls reason commands mails
  closed]]):gmatch("%S+") do SESSION[name] = "any" end

local WITHIN = { text = true, html = true, raw = true }

local function is_callable(value)
  if type(value) == "function" then return true end
  local meta = type(value) == "table" and getmetatable(value)
  return meta and meta.__call ~= nil
end

local function equal(wanted, actual, within)
  if is_callable(wanted) then return wanted(actual) and true or false end
  if type(wanted) == "string" and type(actual) == "string" then
    if within and actual:find(wanted, 1, true) then return true end
    if within and not wanted:find("[*?]") then return false end
    return core.mock_glob(wanted, actual)
  end
  if type(wanted) == "table" and type(actual) == "table" then
    for key, value in pairs(wanted) do
      if not equal(value, actual[key]) then return false end
    end
    return true
  end
  if type(wanted) == "boolean" and type(actual) ~= "boolean" then
    return wanted == (actual ~= nil) -- there is one, or none
  end
  return wanted == actual
end

-- Of a list, each of what is wanted is there (one, or a table of several).
local function has(list, wanted)
  if type(wanted) == "table" and not is_callable(wanted) then
    for _, one in ipairs(wanted) do
      if not has(list, one) then return false end
    end
    return true
  end
  for _, one in ipairs(list) do
    if equal(wanted, one) then return true end
  end
  return false
end

local function names_of(attachments)
  local names = {}
  for i, one in ipairs(attachments) do names[i] = one.name or "" end
  return names
end

local function addresses_of(list)
  local addresses = {}
  for i, one in ipairs(list) do addresses[i] = one.address or "" end
  return addresses
end

local SPECIAL = {
  to = function(mail, wanted) return has(mail.recipients, wanted) end,
  cc = function(mail, wanted) return has(addresses_of(mail.cc), wanted) end,
  attachment = function(mail, wanted) return has(names_of(mail.attachments), wanted) end,
  session = function(mail, wanted)
    if type(wanted) == "table" and not is_callable(wanted) then
      return equal(wanted, mail.session)
    end
    return equal(wanted, mail.session.number)
  end,
  header = function(mail, wanted)
    if type(wanted) ~= "table" then
      options.misuse('mock: a query: header must be a table, such as { ["X-Tag"] = "a" }')
    end
    for name, value in pairs(wanted) do
      if not has(mail.headers:all(name), value) then return false end
    end
    return true
  end,
}

-- What of a query does not hold, as a sorted list of keys.
local function misses(query, object, special)
  local list = {}
  for key, wanted in pairs(query) do
    local test = special and special[key]
    local good
    if test then good = test(object, wanted) else
      good = equal(wanted, object[key], WITHIN[key])
    end
    if not good then list[#list + 1] = key end
  end
  table.sort(list)
  return list
end

local function prepared(what, query, spec)
  if type(query) == "string" then query = { to = query } end
  if is_callable(query) then return { [1] = query }, true end
  return options.check(what, query or {}, spec), false
end

--- A function that tells of a mail what of the query it misses; none is a match.
function M.mail(query)
  local given, whole = prepared("mock: a query", query, MAIL)
  return function(mail)
    if whole then return given[1](mail) and {} or { "it" } end
    return misses(given, mail, SPECIAL)
  end
end

--- The same of a session.
function M.session(query)
  local given, whole = prepared("mock: a query of sessions", query, SESSION)
  return function(session)
    if whole then return given[1](session) and {} or { "it" } end
    return misses(given, session)
  end
end

local function shown(value)
  if type(value) == "string" then
    return #value > 60 and ("%q..."):format(value:sub(1, 60)) or ("%q"):format(value)
  end
  if type(value) == "table" and not is_callable(value) then
    local out = {}
    for key, one in pairs(value) do
      out[#out + 1] = (type(key) == "string" and key .. " = " or "") .. shown(one)
    end
    table.sort(out)
    return "{ " .. table.concat(out, ", ") .. " }"
  end
  return tostring(value)
end
M.shown = shown

local function actual(mail, key)
  if key == "to" then return mail.recipients end
  if key == "cc" then return addresses_of(mail.cc) end
  if key == "attachment" then return names_of(mail.attachments) end
  if key == "header" then return "(other fields)" end
  if key == "session" then return mail.session.number end
  return mail[key]
end

--- A sentence about the mail that comes closest to a query, and why it is not it.
function M.closest(query, mails)
  if type(query) == "string" then query = { to = query } end
  local missed, best, least = M.mail(query), nil, nil
  for _, mail in ipairs(mails) do
    local list = missed(mail)
    if not least or #list < #least then best, least = mail, list end
  end
  if not best then return "no mail came" end
  local out = { ("the closest of %d is %s"):format(#mails, tostring(best)) }
  for _, key in ipairs(least) do
    out[#out + 1] = ("  %s is %s"):format(key, shown(actual(best, key)))
  end
  return table.concat(out, "\n")
end

return M
