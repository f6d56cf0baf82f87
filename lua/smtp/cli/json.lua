-- SPDX-License-Identifier: MIT
--- JSON by lua-cjson, as this library likes it: numbers that are whole are integers, null
-- is absence, and what goes out is UTF-8 in any case.
local packages = require "smtp.cli.packages"

local M = {}

local function tidy(value, null)
  if value == null then return nil end
  if type(value) == "number" then return math.tointeger(value) or value end
  if type(value) ~= "table" then return value end
  local out = {}
  for key, one in pairs(value) do out[key] = tidy(one, null) end
  return out
end

--- Reads a text; nil and why not.
function M.decode(text)
  local cjson = packages.cjson()
  local ok, value = pcall(cjson.decode, text)
  if not ok then return nil, tostring(value) end
  return tidy(value, cjson.null)
end

--- The text with U+FFFD for each byte that is no part of UTF-8.
function M.safe(text)
  local out, at = {}, 1
  while true do
    local ok, bad = utf8.len(text, at)
    if ok then break end
    out[#out + 1] = text:sub(at, bad - 1)
    out[#out + 1] = "\u{fffd}"
    at = bad + 1
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out)
end

local function safe_all(value)
  if type(value) == "string" then return M.safe(value) end
  if type(value) ~= "table" then return value end
  local out = {}
  for key, one in pairs(value) do out[key] = safe_all(one) end
  return out
end

--- A value as one line.
function M.encode(value)
  return packages.cjson().encode(safe_all(value))
end

return M
