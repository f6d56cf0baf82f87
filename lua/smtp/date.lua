-- SPDX-License-Identifier: MIT
--- Dates of header fields (RFC 5322 section 3.3), in UTC and whatever the locale.
-- Internal.
local M = {}

local DAYS = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local MONTHS = {
  "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
}

--- The text for a time as `os.time` gives it.
function M.format(time)
  local t = os.date("!*t", time)
  return ("%s, %d %s %04d %02d:%02d:%02d +0000"):format(
    DAYS[t.wday], t.day, MONTHS[t.month], t.year, t.hour, t.min, t.sec)
end

return M
