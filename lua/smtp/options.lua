-- SPDX-License-Identifier: MIT
--- Checks of option tables: an unknown key or a wrong type is misuse and raises.
-- Internal.
local M = {}

-- The folder of the library, as its functions tell it: "@/usr/share/lua/5.4/smtp/".
local HERE = debug.getinfo(1, "S").source:match("^(@.*[/\\])[^/\\]*$") or "\0"

--- Raises what a user did wrong, at the place of the call: that of the first function
-- that is none of the library, however deep the value lay that is wrong.
function M.misuse(text)
  local level = 2
  while true do
    local info = debug.getinfo(level, "S")
    if not info then error(text, 0) end
    local ours = info.source:sub(1, #HERE) == HERE or info.source:find("[/\\]luassert[/\\]")
    if info.what ~= "C" and not ours then error(text, level) end
    level = level + 1
  end
end

-- A value that is short is shown; a longer one may be anything.
local function shown(value)
  local text = type(value) == "string" and ("%q"):format(value) or tostring(value)
  local plain = type(value) ~= "table" and type(value) ~= "function" and #text <= 40
  return plain and text or "a " .. type(value)
end

local function fail(what, key, expected, value)
  M.misuse(("%s: %s must be %s, not %s"):format(what, key, expected, shown(value)))
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
  port = { "a port, 0 to 65535", function(v)
    return math.type(v) == "integer" and v >= 0 and v <= 65535
  end },
  rate = { "a number from 0 to 1", function(v)
    return type(v) == "number" and v >= 0 and v <= 1
  end },
  count = { "a whole number", function(v) return math.type(v) == "integer" and v >= 0 end },
}

local parsed = {} -- rules of words -> their checks

local function check_value(what, key, rule, value)
  if type(rule) == "table" then -- a list of words
    for _, word in ipairs(rule) do
      if value == word then return end
    end
    fail(what, key, '"' .. table.concat(rule, '" or "') .. '"', value)
  end
  local checks = parsed[rule]
  if not checks then
    checks = {}
    for name in rule:gmatch("%S+") do checks[#checks + 1] = CHECKS[name] end
    parsed[rule] = checks
  end
  for i = 1, #checks do
    if checks[i][2](value) then return end
  end
  local named = {}
  for i = 1, #checks do named[i] = checks[i][1] end
  fail(what, key, table.concat(named, " or "), value)
end

local function known(spec)
  local keys = {}
  for key in pairs(spec) do keys[#keys + 1] = key end
  table.sort(keys)
  return table.concat(keys, ", ")
end

--- Checks the keys and values of `given` against `spec`: key -> names of checks
-- parted by spaces, or a list of words. Gives `given`.
function M.check(what, given, spec)
  if type(given) ~= "table" then
    M.misuse(("%s must be a table, not %s"):format(what, type(given)))
  end
  for key, value in pairs(given) do
    local rule = spec[key]
    if rule == nil then
      M.misuse(("%s: unknown option %q (there are %s)"):format(what, tostring(key), known(spec)))
    end
    check_value(what, key, rule, value)
  end
  return given
end

--- Raises where a list has a hole, or a key that is no place in it: `ipairs` would
-- pass over what stands behind. Gives `list`.
function M.list(what, list)
  local n = 0
  for key in pairs(list) do
    if math.type(key) ~= "integer" then
      M.misuse(("%s is a list, and has no key %s"):format(what, shown(key)))
    end
    n = n + 1
  end
  for i = 1, n do
    if list[i] == nil then M.misuse(("%s has a hole: [%d] is nil"):format(what, i)) end
  end
  return list
end

return M
