-- SPDX-License-Identifier: MIT
--- Dates of header fields (RFC 5322 sections 3.3 and 4.3) and seconds since 1970,
-- whatever the locale.
local core = require "smtp.core"

local M = {}

local MONTHS = { jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6, jul = 7, aug = 8, sep = 9,
  oct = 10, nov = 11, dec = 12 }

-- Hours of the named zones (RFC 5322 section 4.3); any other name is ignored.
local ZONES = { AST = -4, ADT = -3, EST = -5, EDT = -4, CST = -6, CDT = -5, MST = -7, MDT = -6,
  PST = -8, PDT = -7 }

-- Days from 1970-01-01 to a day of the Gregorian calendar.
local function days(year, month, day)
  if month <= 2 then year = year - 1 end
  local era = year // 400
  local of_era = year - era * 400
  local of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
  return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
end

local function full_year(digits)
  local year = tonumber(digits)
  if #digits == 2 then return year < 50 and year + 2000 or year + 1900 end
  if #digits == 3 then return year + 1900 end
  return year
end

-- Each reader takes a word of a date into `found`, or gives nothing. Words may stand in
-- any order, for programs write the month before the day and the year after the time.
local readers = {}

-- 8:09, 8:9:1, 08:09:10, 08.09.10, 08:09:10.5, and a zone or AM and PM directly behind.
function readers.time(found, word)
  local hour, mark, minute, rest = word:match("^(%d%d?)([:.])(%d%d?)(.*)$")
  if not hour or found.hour or mark == "." and not found.month then return nil end
  local second, behind = rest:match("^[:.](%d%d?)(.*)$")
  rest = (behind or rest):gsub("^[.,]%d+", "")
  if rest:find("^%d") then return nil end
  found.hour, found.minute, found.second = hour, minute, second or 0
  return rest
end

-- 2026-03-18, without a time or with "T" and a time (RFC 3339).
function readers.iso(found, word)
  local year, month, day, rest = word:match("^(%d%d%d%d)[-/](%d%d?)[-/](%d%d?)(.*)$")
  if not year or found.year or found.month then return nil end
  if rest ~= "" and not rest:find("^[Tt]%d") then return nil end
  found.year, found.month, found.day = year, tonumber(month), day
  return rest:sub(2)
end

-- Mar, March, and 18-Mar-2026, 18Mar2026 or Mar-18-2026, which are split.
function readers.month(found, word)
  local before, name, behind = word:match("^(%d?%d?)%-?(%a%a%a)%a*[.-]?([%d-]*)$")
  local month = name and MONTHS[name:lower()]
  if not month or found.month then return nil end
  found.month = month
  if before ~= "" then found.day = before end
  return behind:gsub("-", " ")
end

function readers.number(found, word)
  local digits, rest = word:match("^(%d%d?%d?%d?)(%a*)$")
  if not digits then return nil end
  if #digits <= 2 and not found.day and (rest == "" or rest:lower():find("^[snrt][tdh]$")) then
    found.day = digits
  elseif rest == "" and #digits > 1 and not found.year then
    found.year = digits
  else
    return nil
  end
  return ""
end

function readers.half(found, word)
  local half = word:upper():match("^([AP])%.?M%.?$")
  if not half or found.half or not found.hour then return nil end
  found.half = half
  return ""
end

-- +0200, -500, +02:00, +02, GMT+2, Z, EST. Directly after the time no sign means "+".
function readers.zone(found, word)
  if found.zone or not found.hour then return nil end
  local name, sign, digits = word:match("^(%a*)([+-]?)([%d:]*)$")
  if not name or name ~= "" and sign == "" and digits ~= "" then return nil end
  local zone = (ZONES[name:upper()] or 0) * 3600
  if digits ~= "" then
    local hours, minutes = digits:match("^(%d%d?):?(%d%d)$")
    if not hours then hours, minutes = digits:match("^(%d%d?)$"), 0 end
    if not hours then return nil end
    local offset = hours * 3600 + minutes * 60
    zone = zone + (sign == "-" and -offset or offset)
  end
  found.zone = zone
  return ""
end

local ORDER = { "iso", "time", "month", "half", "number", "zone" }

-- Takes a word; the rest of a word is taken in the same way.
local function take(found, word)
  for _, name in ipairs(ORDER) do
    local rest = readers[name](found, word)
    if rest then
      for more in rest:gmatch("%S+") do take(found, more) end
      return
    end
  end
end

--- Gives seconds, or nil if `text` is no date. A date outside RFC 5322 is read if it has
-- only one meaning.
function M.parse(text)
  if #text > 200 then return nil end
  text = text:gsub("%b()", " "):gsub("%s*:%s*", ":"):gsub("(%d%s*)%-(%s*%a)", "%1 %2")
  local found = {}
  for word in text:gmatch("[^%s,;]+") do take(found, word) end
  if not (found.day and found.month and found.year and found.hour) then return nil end
  local day, hour, minute, second = tonumber(found.day), tonumber(found.hour),
    tonumber(found.minute), tonumber(found.second)
  if day < 1 or day > 31 or found.month < 1 or found.month > 12 then return nil end
  if found.half and hour >= 1 and hour <= 12 then
    hour = hour % 12 + (found.half == "P" and 12 or 0)
  end
  if hour > 23 or minute > 59 or second > 60 then return nil end
  local time = days(full_year(found.year), found.month, day) * 86400 + hour * 3600
    + minute * 60 + second
  return math.tointeger(time - (found.zone or 0))
end

local LAST = 253402300799 -- the end of the year 9999

--- The whole number of seconds of a time that a field may show, or nil.
function M.whole(time)
  time = type(time) == "number" and time == time and math.tointeger(time // 1)
  return time and time >= 0 and time <= LAST and time or nil
end

--- The text for a time that `whole` gave, in UTC.
function M.format(time)
  return core.date(time)
end

return M
