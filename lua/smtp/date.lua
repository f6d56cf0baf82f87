-- SPDX-License-Identifier: MIT
--- Dates of header fields (RFC 5322 sections 3.3 and 4.3) and seconds since 1970,
-- whatever the locale.
-- Internal.
local M = {}

local DAY_NAMES = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local MONTH_NAMES = {
  "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
}

local MONTHS = { jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6, jul = 7, aug = 8, sep = 9,
  oct = 10, nov = 11, dec = 12 }

-- Hours of the zones that have names; any other name says nothing.
local ZONES = { EST = -5, EDT = -4, CST = -6, CDT = -5, MST = -7, MDT = -6, PST = -8, PDT = -7 }

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

--- Gives seconds, or nil if `text` is no date.
function M.parse(text)
  if #text > 200 then return nil end
  text = text:gsub("%b()", " "):gsub("^%s*%a+%s*,", "")
  local day, name, year, rest = text:match("^%s*(%d%d?)[%s-]+(%a%a%a)%a*[%s-]+(%d%d%d?%d?)(%s.*)$")
  local month = name and MONTHS[name:lower()]
  if not month then return nil end
  local hour, minute, tail = rest:match("^%s+(%d%d?)%s*:%s*(%d%d)(.*)$")
  if not hour then return nil end
  local second, zone = tail:match("^%s*:%s*(%d%d)(.*)$")
  zone = (zone or tail):match("^%s*(%S*)")
  day, hour, minute, second = tonumber(day), tonumber(hour), tonumber(minute), tonumber(second or 0)
  if day < 1 or day > 31 or hour > 23 or minute > 59 or second > 60 then return nil end
  local time = days(full_year(year), month, day) * 86400 + hour * 3600 + minute * 60 + second
  local sign, hours, minutes = zone:match("^([+-])(%d%d)(%d%d)$")
  if sign then
    local offset = hours * 3600 + minutes * 60
    return math.tointeger(time - (sign == "-" and -offset or offset))
  end
  return time - (ZONES[zone:upper()] or 0) * 3600
end

local LAST = 253402300799 -- the end of the year 9999

--- The whole number of seconds of a time that a field may show, or nil.
function M.whole(time)
  time = type(time) == "number" and time == time and math.tointeger(time // 1)
  return time and time >= 0 and time <= LAST and time or nil
end

--- The text for a time as `os.time` gives it, in UTC.
function M.format(time)
  local t = os.date("!*t", time)
  return ("%s, %d %s %04d %02d:%02d:%02d +0000"):format(
    DAY_NAMES[t.wday], t.day, MONTH_NAMES[t.month], t.year, t.hour, t.min, t.sec)
end

return M
