-- SPDX-License-Identifier: MIT
--- Checks of option tables: an unknown key or a wrong type is misuse and raises.
local names = require "smtp.base.option_names"

local M = {}

-- The folder of the library, as its functions tell it: "@/usr/share/lua/5.4/smtp/".
local HERE = debug.getinfo(1, "S").source:match("^(@.*[/\\])base[/\\][^/\\]*$") or "\0"

--- Raises an error about misuse at the place of the user's call: the first function outside of
-- the library.
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

-- Short values are shown; a long one may be anything.
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

--- Gives the integer of a whole number, which JSON libraries may give as 550.0; or nil.
function M.integer(value)
  return type(value) == "number" and math.tointeger(value) or nil
end

local function port(value)
  local n = M.integer(value)
  return n and n >= 0 and n <= 65535 and n or nil
end

-- A port may be digits, which a split of "host:port" gives.
local function digits(value)
  return type(value) == "string" and value:find("^%d%d?%d?%d?%d?$") and port(tonumber(value))
end

local function count(value)
  local n = M.integer(value)
  return n and n >= 0 and n or nil
end

local function is_seconds(value)
  return type(value) == "number" and value >= 0 and value == value
end

-- For each type its words and its test; a third function gives the integer for a number.
local CHECKS = {
  any = { "anything", function() return true end },
  boolean = { "a boolean", function(v) return type(v) == "boolean" end },
  string = { "a string", function(v) return type(v) == "string" end },
  number = { "a number", function(v) return type(v) == "number" end },
  table = { "a table", function(v) return type(v) == "table" end },
  ["function"] = { "a function", function(v) return type(v) == "function" end },
  seconds = { "a number of seconds", is_seconds },
  size = { 'a size as 1024 or "25M"', function(v) return M.size(v) ~= nil end },
  port = { "a port, 0 to 65535", function(v) return port(v) ~= nil end, port },
  digits = { "its digits", function(v) return digits(v) and true or false end, digits },
  rate = { "a number from 0 to 1", function(v)
    return type(v) == "number" and v >= 0 and v <= 1
  end },
  count = { "a whole number", function(v) return count(v) ~= nil end, count },
}

local parsed = {} -- rules of words -> their checks
local types = {} -- rules of words -> types of Lua whose values need no other check

local TYPES = { boolean = true, string = true, number = true, table = true, ["function"] = true }
local ANY = { userdata = true, thread = true }
for name in pairs(TYPES) do ANY[name] = true end

local function checks_of(rule)
  local checks, plain = {}, {}
  for name in rule:gmatch("%S+") do
    checks[#checks + 1] = CHECKS[name]
    if TYPES[name] then plain[name] = true end
  end
  for _, check in ipairs(checks) do
    if check == CHECKS.any then plain = ANY end
    if check[3] then plain = {} end -- it may change the value
  end
  parsed[rule], types[rule] = checks, plain
  return checks
end

-- Gives the value, or the integer in its place.
local function check_value(what, key, rule, value)
  if type(rule) == "table" then -- a list of words
    for _, word in ipairs(rule) do
      if value == word then return value end
    end
    fail(what, key, '"' .. table.concat(rule, '" or "') .. '"', value)
  end
  local checks = parsed[rule] or checks_of(rule)
  for i = 1, #checks do
    local of = checks[i]
    if of[2](value) then return of[3] and of[3](value) or value end
  end
  local named = {}
  for i = 1, #checks do named[i] = checks[i][1] end
  fail(what, key, table.concat(named, " or "), value)
end

--- Gives the end of a sentence about a word that is no key of `spec`: its likely meanings, and
-- all keys.
function M.others(word, spec)
  local keys, meant = {}, names.meant(word, spec)
  for name in pairs(spec) do keys[#keys + 1] = name end
  table.sort(keys)
  local question = #meant > 0 and ('; did you mean "%s"?'):format(table.concat(meant, '" or "'))
  return (" (there are %s)%s"):format(table.concat(keys, ", "), question or "")
end

--- Checks the keys and values of `given` against `spec`: key -> names of checks, separated by
-- spaces, or a list of words. Gives `given`, or a copy of it with integers in place of whole
-- floats and of ports in digits.
function M.check(what, given, spec)
  if type(given) ~= "table" then
    M.misuse(("%s must be a table, not %s"):format(what, type(given)))
  end
  local changed
  for key, value in pairs(given) do
    local rule = spec[key]
    if rule == nil then
      M.misuse(("%s: unknown option %q%s"):format(what, tostring(key), M.others(key, spec)))
    end
    local plain = types[rule]
    if not (plain and plain[type(value)]) then
      local used = check_value(what, key, rule, value)
      if math.type(used) ~= math.type(value) then
        changed = changed or {}
        changed[key] = used
      end
    end
  end
  if not changed then return given end
  for key, value in pairs(given) do
    if changed[key] == nil then changed[key] = value end
  end
  return changed
end

--- Raises if a list has a hole, or a key that is not an index: `ipairs` would skip the entries
-- behind it. Gives `list`.
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
