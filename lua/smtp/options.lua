-- SPDX-License-Identifier: MIT
--- Checks of option tables: an unknown key or a wrong type is misuse and raises.
-- Internal.
local M = {}

-- The level of `error` at which the caller of the public function stands.
local LEVEL = 4

-- A value that is short is shown; a longer one may be anything.
local function shown(value)
  local text = type(value) == "string" and ("%q"):format(value) or tostring(value)
  local plain = type(value) ~= "table" and type(value) ~= "function" and #text <= 40
  return plain and text or "a " .. type(value)
end

local function fail(what, key, expected, value, level)
  error(("%s: %s must be %s, not %s"):format(what, key, expected, shown(value)), level + 2)
end

local UNITS = { [""] = 1, K = 1024, M = 1024 ^ 2, G = 1024 ^ 3 }

--- Gives a size in bytes of a number or of text like "25M" (25 MiB), or nil.
function M.size(value)
  if type(value) == "number" then
    return value >= 0 and value == value // 1 and math.tointeger(value) or nil
  end
  if type(value) ~= "string" then return nil end
  local digits, unit = value:upper():match("^(%d+)%s*([KMG]?)I?B?$")
  return digits and math.tointeger(tonumber(digits) * UNITS[unit])
end

local function is_seconds(value)
  return type(value) == "number" and value >= 0 and value == value
end

local CHECKS = {
  any = { "anything", function() return true end },
  boolean = { "a boolean", function(v) return type(v) == "boolean" end },
  string = { "a string", function(v) return type(v) == "string" end },
  number = { "a number", function(v) return type(v) == "number" end },
  table = { "a table", function(v) return type(v) == "table" end },
  ["function"] = { "a function", function(v) return type(v) == "function" end },
  seconds = { "a number of seconds", is_seconds },
  size = { 'a size as 1024 or "25M"', function(v) return M.size(v) ~= nil end },
  count = { "a whole number", function(v) return math.type(v) == "integer" and v >= 0 end },
}

local function check_value(what, key, rule, value, level)
  if type(rule) == "table" then -- a list of words
    for _, word in ipairs(rule) do
      if value == word then return end
    end
    fail(what, key, '"' .. table.concat(rule, '" or "') .. '"', value, level)
  end
  local named = {}
  for name in rule:gmatch("%S+") do
    local check = CHECKS[name]
    if check[2](value) then return end
    named[#named + 1] = check[1]
  end
  fail(what, key, table.concat(named, " or "), value, level)
end

--- Checks the keys and values of `given` against `spec`: key -> names of checks
-- parted by spaces, or a list of words. `deeper`: so many calls more are between
-- it and the user. Gives `given`.
function M.check(what, given, spec, deeper)
  local level = LEVEL + (deeper or 0)
  if type(given) ~= "table" then
    error(("%s must be a table, not %s"):format(what, type(given)), level)
  end
  for key, value in pairs(given) do
    local rule = spec[key]
    if rule == nil then
      error(("%s: unknown option %q"):format(what, tostring(key)), level)
    end
    check_value(what, key, rule, value, level)
  end
  return given
end

return M
