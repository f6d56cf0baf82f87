-- SPDX-License-Identifier: MIT
--- The reader of the text of an MTA-STS policy (RFC 8461). With it a domain names its hosts, and
-- says that they have TLS with a verifiable certificate.
local core = require "smtp.core"
local errors = require "smtp.error"
local names = require "smtp.base.names"

local M = {}

local TEXT_MAX = 65536
local AGE_MAX = 31557600 -- RFC 8461 section 3.2: a year

local MODES = { enforce = true, testing = true, none = true }

local function invalid(text)
  return nil, errors.new { kind = "invalid", message = "MTA-STS policy: " .. text }
end

-- A host, or all hosts with one more label: "*.example.com".
local function is_pattern(text)
  return core.is_name((text:gsub("^%*%.", "")))
end

-- The first field of each key, and all fields of mx (RFC 8461 section 3.2). Lines end in LF or
-- CRLF (erratum 6253).
local function fields_of(text)
  local fields, hosts = {}, {}
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    local key, value = line:match("^[ \t]*([%w][%w_.-]*)[ \t]*:[ \t]*(.*)$")
    if not key and line:find("[^ \t]") then return nil end
    if key then value = value:sub(1, -(value:reverse():find("[^ \t]") or #value + 1)) end
    if key == "mx" then
      hosts[#hosts + 1] = names.key(value) or ""
    elseif key and fields[key] == nil then
      fields[key] = value
    end
  end
  return fields, hosts
end

--- See types/smtp/mta_sts.d.lua.
function M.parse(text)
  if type(text) ~= "string" then error("mta_sts.parse: a string is needed", 2) end
  if #text > TEXT_MAX then return invalid("it is too long") end
  local fields, hosts = fields_of(text)
  if not fields then return invalid("a line is no field") end
  if fields.version ~= "STSv1" then return invalid("its version is not STSv1") end
  if not MODES[fields.mode or ""] then return invalid("it has no mode that is known") end
  local age = (fields.max_age or ""):match("^%d%d?%d?%d?%d?%d?%d?%d?%d?%d?$")
  if not age then return invalid("max_age is no number of seconds") end
  if #hosts == 0 and fields.mode ~= "none" then return invalid("it names no mx") end
  for _, pattern in ipairs(hosts) do
    if not is_pattern(pattern) then return invalid("an mx is no name") end
  end
  return { version = "STSv1", mode = fields.mode, mx = hosts,
    max_age = math.min(math.tointeger(tonumber(age)), AGE_MAX) }
end

return M
