-- SPDX-License-Identifier: MIT
--- Queries for mails and sessions of a mock: a table whose values are texts, globs, other
-- plain values, functions, or matchers of luassert. `to` is any recipient; a text in
-- `text`, `html` or `raw` is looked for within.
local core = require "smtp.core"
local options = require "smtp.base.options"

local M = {}

-- The types of a value, besides a function (or a matcher): a text, a number, a boolean (whether
-- there is a value), a list of texts, or a table of its own.
local KINDS = {
  text = { "string", "boolean" }, number = { "number", "boolean" }, flag = { "boolean" },
  texts = { "string", "boolean", "table" }, fields = { "table" },
  any = { "string", "boolean", "number", "table" },
}

local TLS = { version = "text", cipher = "text", name = "text" }

local SESSION = {
  number = "number", address = "text", port = "number", helo = "text", esmtp = "flag",
  user = "text", mechanism = "text", authenticated = "flag", tls = TLS, tls_error = "text",
  alert = "text", reason = "text", commands = "number", mails = "number", closed = "number",
}

local MAIL = {
  from = "text", to = "texts", cc = "texts", subject = "text", text = "text", html = "text",
  raw = "text", header = "fields", attachment = "texts", session = SESSION, user = "text",
  secure = "flag", helo = "text", code = "number", number = "number", parameters = "any",
}

local WITHIN = { text = true, html = true, raw = true }

local function is_callable(value)
  if type(value) == "function" then return true end
  local meta = type(value) == "table" and getmetatable(value)
  return meta and meta.__call ~= nil
end

-- Raises for a value of a wrong type for its key.
local function check_value(what, key, value, kind)
  if is_callable(value) then return end
  local names = KINDS[kind] or { "table", "boolean", kind == SESSION and "number" or nil }
  for _, name in ipairs(names) do
    if type(value) == name then return end
  end
  options.misuse(("%s: %s must be a %s or a function, not a %s"):format(what, key,
    table.concat(names, ", a "), type(value)))
end

-- Raises for an unknown key or a wrong value, also in inner tables.
local function check(what, query, spec)
  local known = {}
  for key in pairs(spec) do known[key] = "any" end
  for key, value in pairs(options.check(what, query, known)) do
    local kind = spec[key]
    check_value(what, key, value, kind)
    if type(kind) == "table" and type(value) == "table" and not is_callable(value) then
      check(what .. ": " .. key, value, kind)
    end
  end
  for name in pairs(type(query.header) == "table" and spec.header and query.header or {}) do
    if type(name) ~= "string" or name == "" then
      options.misuse(what .. ': header must be a table, such as { ["X-Tag"] = "a" }')
    end
  end
  return query
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
    return wanted == (actual ~= nil)
  end
  return wanted == actual
end

-- Whether a list has the wanted value, or each of a table of wanted values.
local function has(list, wanted)
  if type(wanted) == "boolean" then return wanted == (#list > 0) end
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
    if type(wanted) == "number" then return mail.session.number == wanted end
    return equal(wanted, mail.session)
  end,
  header = function(mail, wanted)
    if is_callable(wanted) then return wanted(mail.headers) and true or false end
    for name, value in pairs(wanted) do
      if not has(mail.headers:all(name), value) then return false end
    end
    return true
  end,
}

-- The keys of a query that do not match, sorted.
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
  if type(query) == "string" and spec.to then query = { to = query } end
  if is_callable(query) then return { [1] = query }, true end
  return check(what, query or {}, spec), false
end

--- A function that gives the keys of the query that a mail misses; none is a match.
function M.mail(query)
  local given, whole = prepared("mock: a query", query, MAIL)
  return function(mail)
    if whole then return given[1](mail) and {} or { "it" } end
    return misses(given, mail, SPECIAL)
  end
end

--- The function for a query of sessions, as `mail` gives one for mails.
function M.session(query)
  local given, whole = prepared("mock: a query of sessions", query, SESSION)
  return function(session)
    if whole then return given[1](session) and {} or { "it" } end
    return misses(given, session)
  end
end

local function shown(value)
  if is_callable(value) then
    local info = type(value) == "function" and debug.getinfo(value, "S")
    return info and ("a function (%s:%d)"):format(info.short_src, info.linedefined)
      or "a matcher"
  end
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

local REFUSED = {} -- among the keys that a mail misses

-- The wanted fields of a table.
local function fields_of(object, wanted)
  local all = {}
  for name in pairs(is_callable(wanted) and {} or wanted) do
    all[name] = object[name] == nil and "(none)" or object[name]
  end
  return all
end

local function headers_of(mail, wanted)
  local all = {}
  for name in pairs(is_callable(wanted) and {} or wanted) do all[name] = mail.headers:all(name) end
  return all
end

local function actual(mail, key, wanted)
  if key == "to" then return mail.recipients end
  if key == "cc" then return addresses_of(mail.cc) end
  if key == "attachment" then return names_of(mail.attachments) end
  if key == "header" then return headers_of(mail, wanted) end
  if key == "session" and type(wanted) == "table" then return fields_of(mail.session, wanted) end
  if key == "session" then return mail.session.number end
  return mail[key]
end

--- A sentence about the closest mail to a query, refused mails included, and the differences.
function M.closest(query, mails)
  query = type(query) == "string" and { to = query } or query or {}
  local missed, best, least = M.mail(query), nil, nil
  for _, mail in ipairs(mails) do
    local list = missed(mail)
    if not mail.stored then table.insert(list, 1, REFUSED) end
    if not least or #list < #least then best, least = mail, list end
  end
  if not best then return "no mail came" end
  local out = { ("the closest of %d is %s"):format(#mails, tostring(best)) }
  for _, key in ipairs(least) do
    if key == REFUSED then
      out[#out + 1] = best.code > 0 and ("  it was refused with %d"):format(best.code)
        or "  it was not answered"
    elseif not is_callable(query) then
      out[#out + 1] = ("  %s is %s"):format(key, shown(actual(best, key, query[key])))
    end
  end
  return table.concat(out, "\n")
end

return M
