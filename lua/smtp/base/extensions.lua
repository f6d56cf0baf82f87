-- SPDX-License-Identifier: MIT
--- The extensions of ESMTP that the core speaks, and the bounds that a server tells behind
-- their keywords: the least time of BY (RFC 2852 section 2), the longest time of HOLDFOR and
-- the last of HOLDUNTIL (RFC 4865 section 4).
local core = require "smtp.core"

local M = {}

--- Keyword -> whether a server offers it by default. The other keywords make promises that only
-- handlers can keep.
M.KNOWN = {
  CHUNKING = true, SMTPUTF8 = true, BINARYMIME = false, DSN = false, REQUIRETLS = false,
  DELIVERBY = false, ["MT-PRIORITY"] = false, FUTURERELEASE = false, RRVS = false, PRDR = false,
}

local function number(digits)
  return digits and #digits <= 9 and math.tointeger(tonumber(digits)) or nil
end

--- The bounds `{ by, hold_for, hold_until }` of `offered`, keyword -> words; nil where there
-- is none, or its words are not of the grammar.
function M.read(offered)
  local by, future = offered.DELIVERBY, offered.FUTURERELEASE
  local longest, last = (type(future) == "string" and future or ""):match("^(%d+) +(%S+)$")
  return {
    by = number(type(by) == "string" and by:match("^%d+%f[,\0]") or nil),
    hold_for = number(longest), hold_until = last and core.date_time(last) or nil,
  }
end

--- Whether BY, `{ seconds, mode }`, asks for less time than the minimum. In mode N there is no
-- minimum.
function M.is_too_soon(bounds, by)
  return by.mode == "return" and by.seconds < (bounds.by or 1)
end

--- Whether to hold a message until this date-time is too long, or no date-time at all.
function M.is_beyond(bounds, hold_until)
  local time = core.date_time(hold_until)
  return not time or time > (bounds.hold_until or math.huge)
end

--- The refusal (code and text) of parameters of `sender` beyond the offered bounds, or nil.
function M.refusal(bounds, sender)
  if sender.by and M.is_too_soon(bounds, sender.by) then
    return 555, ("5.5.4 BY must be %d seconds or more"):format(bounds.by)
  elseif sender.hold_for and sender.hold_for > bounds.hold_for then
    return 501, ("5.5.4 HOLDFOR must be %d seconds or less"):format(bounds.hold_for)
  elseif sender.hold_until and M.is_beyond(bounds, sender.hold_until) then
    return 501, "5.5.4 HOLDUNTIL is too late"
  elseif sender.hold_until and core.date_time(sender.hold_until) < os.time() then
    return 501, "5.5.4 HOLDUNTIL is over"
  end
end

return M
