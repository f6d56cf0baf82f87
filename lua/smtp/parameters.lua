-- SPDX-License-Identifier: MIT
--- The parameters of MAIL and RCPT (RFC 5321 section 4.1.1.11), of fields as users give
-- them: each is of an extension that the server has to offer.
-- Internal.
local core = require "smtp.core"
local options = require "smtp.options"

local M = {}

local MAIL = {
  size = "size", body = { "7BIT", "8BITMIME" }, smtputf8 = "boolean", ret = { "FULL", "HDRS" },
  envid = "string", requiretls = "boolean", by = "table", priority = "number",
  hold_for = "count", hold_until = "string", params = "table",
}

local RCPT = { notify = "string table", orcpt = "string", rrvs = "string", params = "table" }

local BY = { seconds = "number", mode = { "return", "notify" }, trace = "boolean" }

-- What a field needs, in the order in which parameters go out. Of those that are
-- `optional` a server that does not offer them may still have the mail.
local ORDER = {
  { "size", "SIZE", optional = true }, { "body", "8BITMIME", optional = true },
  { "smtputf8", "SMTPUTF8" }, { "requiretls", "REQUIRETLS" }, { "ret", "DSN" },
  { "envid", "DSN" }, { "by", "DELIVERBY" }, { "priority", "MT-PRIORITY", optional = true },
  { "hold_for", "FUTURERELEASE" }, { "hold_until", "FUTURERELEASE" }, { "notify", "DSN" },
  { "orcpt", "DSN" }, { "rrvs", "RRVS" },
}

local format = {}

function format.size(value) return "SIZE", tostring(options.size(value)) end

function format.body(value) return "BODY", value end

function format.smtputf8() return "SMTPUTF8", true end

function format.requiretls() return "REQUIRETLS", true end

function format.ret(value) return "RET", value end

function format.envid(value) return "ENVID", core.xtext(value) end

function format.by(value)
  options.check("mail: by", value, BY)
  local seconds = math.tointeger(value.seconds)
  if not seconds then options.misuse("mail: by needs seconds, a whole number") end
  return "BY", ("%d;%s%s"):format(seconds, value.mode == "return" and "R" or "N",
    value.trace and "T" or "")
end

function format.priority(value)
  local n = math.tointeger(value)
  if not n or n < -9 or n > 9 then options.misuse("mail: priority must be -9 to 9") end
  return "MT-PRIORITY", tostring(n)
end

function format.hold_for(value) return "HOLDFOR", tostring(value) end

function format.hold_until(value) return "HOLDUNTIL", value end

function format.notify(value)
  return "NOTIFY", type(value) == "table" and table.concat(value, ",") or value
end

-- "ada@code.energy" is "rfc822;ada@code.energy".
function format.orcpt(value)
  local kind, text = value:match("^([%w-]+);(.*)$")
  return "ORCPT", (kind or "rfc822") .. ";" .. (core.xtext(text or value) or "\0")
end

function format.rrvs(value) return "RRVS", value end

-- { key, value, key, value ... }; or nil, why, and the kind of error.
local function list(capabilities, given, own)
  local all = {}
  for _, one in ipairs(ORDER) do
    local field, keyword = one[1], one[2]
    local value = given[field]
    local wanted = value ~= nil and value ~= false
    if wanted and not capabilities[keyword] and not one.optional then
      return nil, ("%s needs %s, which the server does not offer"):format(field, keyword),
        "unsupported"
    end
    if wanted and capabilities[keyword] then
      local key, text = format[field](value)
      if not text then return nil, field .. " cannot be sent", "invalid" end
      all[#all + 1], all[#all + 2] = key, text
    end
  end
  for key, value in pairs(own or {}) do
    all[#all + 1], all[#all + 2] = key, value
  end
  return all
end

--- Of MAIL, for content of this size (or nil), 8-bit or not, where nothing else is wished.
function M.content(client, size, eightbit)
  local offered = client.capabilities
  local all = {}
  if size and offered.SIZE then all[1], all[2] = "SIZE", tostring(size) end
  if eightbit and offered["8BITMIME"] then
    all[#all + 1], all[#all + 2] = "BODY", "8BITMIME"
  end
  return all
end

--- Of MAIL; `given` is checked.
function M.mail(client, given)
  options.check("mail", given, MAIL)
  if given.requiretls and not (client.tls and client.tls.verified) then
    return nil, "requiretls needs verified TLS", "unsupported"
  end
  return list(client.capabilities, given, given.params)
end

--- Of RCPT.
function M.rcpt(client, given)
  options.check("rcpt", given, RCPT)
  return list(client.capabilities, given, given.params)
end

M.RCPT = RCPT
M.MAIL = MAIL

return M
