-- SPDX-License-Identifier: MIT
--- The limits that a server tells in EHLO (RFC 9422): `LIMITS RCPTMAX=100 MAILMAX=5`.
-- Internal.
local M = {}

local KNOWN = { RCPTMAX = true, MAILMAX = true, RCPTDOMAINMAX = true }

--- The numbers of those that are known and well formed; others are as if they were not
-- there. Of one that is told twice the lower holds. `text` is what stood behind the
-- keyword, or true where nothing did.
function M.parse(text)
  local limits = {}
  if type(text) ~= "string" then return limits end
  for word in text:gmatch("%S+") do
    local name, digits = word:match("^([%w_-]+)=([1-9]%d*)$")
    name = name and name:upper()
    if KNOWN[name] and #digits <= 6 then
      limits[name] = math.min(limits[name] or math.huge, math.tointeger(digits))
    end
  end
  return limits
end

return M
