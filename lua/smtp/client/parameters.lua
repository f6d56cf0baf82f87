-- SPDX-License-Identifier: MIT
--- The parameters of MAIL and RCPT (RFC 5321 section 4.1.1.11), of fields as users give
-- them: each is of an extension that the server has to offer.
local extensions = require "smtp.base.extensions"
local core = require "smtp.core"
local options = require "smtp.base.options"

local M = {}

local MAIL = {
  size = "size", body = { "7BIT", "8BITMIME", "BINARYMIME" }, smtputf8 = "boolean",
  prdr = "boolean", ret = { "FULL", "HDRS" },
  envid = "string", requiretls = "boolean", by = "table", priority = "number",
  hold_for = "count", hold_until = "string", params = "table",
}

local RCPT = { notify = "string table", orcpt = "string", rrvs = "string", params = "table" }

local BY = { seconds = "number", mode = { "return", "notify" }, trace = "boolean" }

-- The keyword that a field needs, in the order in which parameters go out. Of those that are
-- `optional` a server that does not offer them may still have the mail; of those of `relay`
-- it may have mail that only passes here (RFC 3461 section 5.2.2).
local ORDER = {
  { "size", "SIZE", optional = true }, { "body", "8BITMIME", optional = true },
  { "smtputf8", "SMTPUTF8" }, { "prdr", "PRDR", optional = true },
  { "requiretls", "REQUIRETLS", enhanced = "5.7.30" },
  { "ret", "DSN", relay = true }, { "envid", "DSN", relay = true },
  { "by", "DELIVERBY", relay = true }, { "priority", "MT-PRIORITY", optional = true },
  { "hold_for", "FUTURERELEASE" }, { "hold_until", "FUTURERELEASE" },
  { "notify", "DSN", relay = true }, { "orcpt", "DSN", relay = true },
  { "rrvs", "RRVS", enhanced = "5.7.19" },
}

-- The longest values, as they are written (RFC 3461 section 4).
local ENVID_MAX, ORCPT_MAX = 100, 500

-- Digits of a time are 9 at most (RFC 2852 section 4, RFC 4865 section 5).
local SECONDS_MAX = 999999999

local format = {}

function format.size(value) return "SIZE", tostring(options.size(value)) end

function format.body(value) return "BODY", value end

function format.smtputf8() return "SMTPUTF8", true end

function format.prdr() return "PRDR", true end

function format.requiretls() return "REQUIRETLS", true end

function format.ret(value) return "RET", value end

function format.envid(value)
  local text = core.xtext(value)
  return "ENVID", text and text ~= "" and #text <= ENVID_MAX and text or nil
end

function format.by(value, offered)
  options.check("mail: by", value, BY)
  local seconds = math.tointeger(value.seconds)
  if not seconds or math.abs(seconds) > SECONDS_MAX then
    options.misuse("mail: by needs seconds, a whole number of 9 digits at most")
  end
  if extensions.is_too_soon(extensions.read(offered), value) then -- it would come too late
    return nil, nil, "5.4.7"
  end
  return "BY", ("%d;%s%s"):format(seconds, value.mode == "return" and "R" or "N",
    value.trace and "T" or "")
end

function format.priority(value)
  local n = math.tointeger(value)
  if not n or n < -9 or n > 9 then options.misuse("mail: priority must be -9 to 9") end
  return "MT-PRIORITY", tostring(n)
end

function format.hold_for(value, offered)
  local most = extensions.read(offered).hold_for or SECONDS_MAX
  return "HOLDFOR", value > 0 and value <= most and tostring(value) or nil
end

function format.hold_until(value, offered)
  return "HOLDUNTIL", not extensions.is_beyond(extensions.read(offered), value) and value or nil
end

local NOTIFY = { SUCCESS = true, FAILURE = true, DELAY = true }

function format.notify(value)
  local text = type(value) == "table" and table.concat(value, ",") or value
  if text:upper() == "NEVER" then return "NOTIFY", text end
  local seen = {}
  for word in (text:upper() .. ","):gmatch("([^,]*),") do
    if not NOTIFY[word] or seen[word] then return "NOTIFY", nil end
    seen[word] = true
  end
  return "NOTIFY", text
end

-- "ada@code.energy" is "rfc822;ada@code.energy"; UTF-8 has a type and a form of its own
-- (RFC 6533 section 3), which is ASCII for any server.
function format.orcpt(value)
  local kind, text = value:match("^([%w-]+);(.*)$")
  kind, text = kind or value:find("[\x80-\xff]") and "utf-8" or "rfc822", text or value
  text = (kind:lower() == "utf-8" and core.uxtext or core.xtext)(text)
  if not text or text == "" then return "ORCPT", nil end
  text = kind .. ";" .. text
  return "ORCPT", #text <= ORCPT_MAX and text or nil
end

function format.rrvs(value)
  return "RRVS", core.date_time((value:gsub(";[CcRr]$", ""))) and value or nil
end

-- { key, value, key, value ... } must be made of `params`: a value is text, or true for none.
local function check_params(verb, params)
  for key, value in pairs(params or {}) do
    if type(key) ~= "string" or type(value) ~= "string" and value ~= true then
      options.misuse(("%s: params must be names, each with a string or true"):format(verb))
    end
  end
end

-- The fields, as they are meant; raises on misuse.
local function checked(verb, given)
  given = options.check(verb, given, verb == "mail" and MAIL or RCPT)
  check_params(verb, given.params)
  if given.hold_for and given.hold_until then
    options.misuse("mail: hold_for and hold_until exclude each other")
  end
  return given
end

-- Values that may be sent, where the name of the field does not say so.
local VALUES = {
  notify = '"NEVER", or some of SUCCESS, FAILURE and DELAY',
  envid = ("1 to %d characters without controls"):format(ENVID_MAX),
  orcpt = "an address, or its type and the address: rfc822;ada@code.energy",
  rrvs = "a date-time of RFC 3339, such as 2027-01-01T00:00:00Z",
  hold_until = "a date-time of RFC 3339, such as 2027-01-01T00:00:00Z, as far as the server allows",
  hold_for = "above 0, and as long as the server allows",
}

local function unsendable(field)
  local value = VALUES[field]
  return field .. " cannot be sent" .. (value and "; it must be " .. value or "")
end

--- Checks the values of fields, whatever a server offers: true; or nil, why, the kind of error,
-- and an enhanced code. Misuse raises.
function M.check(verb, given)
  given = checked(verb, given)
  for _, one in ipairs(ORDER) do
    local field = one[1]
    if given[field] then
      local _, text, enhanced = format[field](given[field], {})
      if not text then return nil, unsendable(field), "invalid", enhanced end
    end
  end
  return true
end

-- A keyword that is not offered, as an error.
local function missing(field, keyword, enhanced)
  return nil, ("%s needs %s, which the server does not offer"):format(field, keyword),
    "unsupported", enhanced
end

-- Whether mail may go without it. Who passes it on may drop what must not come back in time;
-- RRVS says itself whether it may be lost (RFC 7293 section 5.1).
local function may_lack(one, value, relayed)
  if one[1] == "rrvs" then return value:find(";[Cc]$") ~= nil end
  return one.optional or relayed and one.relay and not (one[1] == "by" and value.mode == "return")
end

-- { key, value, key, value ... }; or nil, why, the kind of error, and an enhanced code.
local function list(offered, given, own, relayed)
  local all = {}
  for _, one in ipairs(ORDER) do
    local field, keyword = one[1], one[2]
    local value = given[field]
    if value == "BINARYMIME" then keyword = value end
    local wanted = value ~= nil and value ~= false
    if wanted and not offered[keyword] then
      if keyword == "BINARYMIME" or not may_lack(one, value, relayed) then
        return missing(field, keyword, one.enhanced)
      end
    elseif wanted then
      local key, text, enhanced = format[field](value, offered)
      if not text then return nil, unsendable(field), "invalid", enhanced end
      all[#all + 1], all[#all + 2] = key, text
    end
  end
  for key, value in pairs(given.params or {}) do
    local keyword = own[key:upper()]
    if keyword and not offered[keyword] then return missing(key, keyword) end
    all[#all + 1], all[#all + 2] = key, value
  end
  return all
end

local OWN = { mail = "table", rcpt = "table" }

--- The `extensions` of a target, checked: for MAIL and RCPT, parameter -> keyword.
function M.own(what, given)
  local own = { mail = {}, rcpt = {} }
  for keyword, of in pairs(given or {}) do
    if type(keyword) ~= "string" or not keyword:find("^%w[%w-]*$") then
      options.misuse(("%s: extensions: %s is no keyword"):format(what, tostring(keyword)))
    end
    options.check(what .. ": extensions." .. keyword, of, OWN)
    for verb, names in pairs(of) do
      for _, name in ipairs(options.list(what .. ": extensions", names)) do
        if type(name) ~= "string" or not name:find("^%w[%w-]*$") then
          options.misuse(("%s: extensions: %s is no parameter"):format(what, tostring(name)))
        end
        own[verb][name:upper()] = keyword:upper()
      end
    end
  end
  return own
end

--- Of MAIL, for content of this size (or nil), 8-bit or not, where nothing else is wished.
function M.content(connection, size, eightbit)
  local offered = connection.capabilities
  local all = {}
  if size and offered.SIZE then all[1], all[2] = "SIZE", tostring(size) end
  if eightbit and offered["8BITMIME"] then
    all[#all + 1], all[#all + 2] = "BODY", "8BITMIME"
  end
  return all
end

--- Of MAIL; `given` is checked.
function M.mail(connection, given, relayed)
  given = checked("mail", given)
  if given.requiretls and not (connection.tls and connection.tls.verified) then
    return nil, "requiretls needs verified TLS", "unsupported", "5.7.30"
  end
  if given.body == "BINARYMIME" and not connection.capabilities.CHUNKING then
    return missing("body", "CHUNKING")
  end
  return list(connection.capabilities, given, connection.target.own.mail, relayed)
end

--- Of RCPT.
function M.rcpt(connection, given, relayed)
  return list(connection.capabilities, checked("rcpt", given), connection.target.own.rcpt, relayed)
end

M.RCPT = RCPT

return M
