-- SPDX-License-Identifier: MIT
--- The MTA-STS policy in force for a domain (RFC 8461). A function of the user fetches its text,
-- since there is no HTTPS here. A policy is kept for its own max_age.
local core = require "smtp.core"
local dns = require "smtp.net.dns"
local loop = require "smtp.loop"
local mta_sts = require "smtp.delivery.mta_sts"

local M = {}

local RECORD_MAX = 1024 -- bytes of a TXT record
local KEPT_MAX = 1000 -- domains

--- Whether the policy names a host (RFC 8461 section 4.1).
function M.matches(policy, host)
  host = host:lower()
  local above = host:match("^[^.]+%.(.+)$")
  for _, pattern in ipairs(policy.mx) do
    if pattern == host or above and pattern == "*." .. above then return true end
  end
  return false
end

-- The id of the only record (RFC 8461 section 3.1), or nil.
local function id_of(records)
  local id, count = nil, 0
  for _, record in ipairs(records) do
    local text = record.text or ""
    local rest = #text <= RECORD_MAX and text:match("^v=STSv1[ \t]*;(.*)$")
    if rest then
      count = count + 1
      id = nil
      for key, value in rest:gmatch("[ \t]*([%w][%w_.-]*)[ \t]*=[ \t]*([^ \t;]*)[ \t]*;?") do
        if key == "id" and not id then id = value end
      end
    end
  end
  return count == 1 and id and #id <= 32 and id:match("^%w+$") or nil
end

local kept, n_kept = {}, 0 -- domain -> { policy, id, till }

local function keep(domain, policy, id)
  if not kept[domain] then
    if n_kept >= KEPT_MAX then
      kept, n_kept = {}, 0
    end
    n_kept = n_kept + 1
  end
  kept[domain] = { policy = policy, id = id, till = core.now() + policy.max_age }
end

--- The policy in force for a domain, or nil. `fetch(domain)` gives its text. If that or the DNS
-- fails, a kept policy stays in force (RFC 8461 section 5.1).
function M.of(domain, fetch, query)
  local old = kept[domain]
  if old and old.till <= core.now() then old = nil end
  local records = dns.query("_mta-sts." .. domain, "TXT", query)
  local id = records and id_of(records)
  if not id or old and old.id == id then return old and old.policy end
  local ok, text = pcall(fetch, domain)
  if text == loop.EXPIRED then error(text, 0) end -- the handler's time is over
  local policy = ok and type(text) == "string" and mta_sts.parse(text)
  if not policy then return old and old.policy end
  keep(domain, policy, id)
  return policy
end

return M
