-- SPDX-License-Identifier: MIT
--- MTA-STS (RFC 8461): a domain says which hosts are its own, and that they have TLS with
-- a certificate that can be verified. The text of the policy comes from a function of
-- the user's, since there is no HTTPS here; what it said is kept for as long as it says.
local core = require "smtp.core"
local dns = require "smtp.net.dns"
local errors = require "smtp.error"
local loop = require "smtp.loop"
local names = require "smtp.base.names"

local M = {}

local TEXT_MAX = 65536
local AGE_MAX = 31557600 -- RFC 8461 section 3.2: a year
local RECORD_MAX = 1024 -- bytes of a TXT that may be one
local KEPT_MAX = 1000 -- domains

local MODES = { enforce = true, testing = true, none = true }

-- ---- policies --------------------------------------------------------------

local function invalid(text)
  return nil, errors.new { kind = "invalid", message = "MTA-STS policy: " .. text }
end

-- A host, or all that have one label more: "*.example.com".
local function is_pattern(text)
  return core.is_name((text:gsub("^%*%.", "")))
end

-- Each field by its key: the first one, but of mx all (RFC 8461 section 3.2). Lines end
-- in LF or CRLF (erratum 6253).
local function fields_of(text)
  local fields, hosts = {}, {}
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    local key, value = line:match("^[ \t]*([%w][%w_.-]*)[ \t]*:[ \t]*(.*)$")
    if not key and line:find("[^ \t]") then return nil end
    if key then value = value:sub(1, -(value:reverse():find("[^ \t]") or #value + 1)) end
    if key == "mx" then
      hosts[#hosts + 1] = names.key(value) or ""
    elseif key and fields[key] == nil then
      fields[key] = value
    end
  end
  return fields, hosts
end

--- See types/smtp/mta_sts.d.lua.
function M.parse(text)
  if type(text) ~= "string" then error("mta_sts.parse: a string is needed", 2) end
  if #text > TEXT_MAX then return invalid("it is too long") end
  local fields, hosts = fields_of(text)
  if not fields then return invalid("a line is no field") end
  if fields.version ~= "STSv1" then return invalid("its version is not STSv1") end
  if not MODES[fields.mode or ""] then return invalid("it has no mode that is known") end
  local age = (fields.max_age or ""):match("^%d%d?%d?%d?%d?%d?%d?%d?%d?%d?$")
  if not age then return invalid("max_age is no number of seconds") end
  if #hosts == 0 and fields.mode ~= "none" then return invalid("it names no mx") end
  for _, pattern in ipairs(hosts) do
    if not is_pattern(pattern) then return invalid("an mx is no name") end
  end
  return { version = "STSv1", mode = fields.mode, mx = hosts,
    max_age = math.min(math.tointeger(tonumber(age)), AGE_MAX) }
end

--- Tells whether a host is of those that the policy has (RFC 8461 section 4.1).
function M._matches(policy, host)
  host = host:lower()
  local above = host:match("^[^.]+%.(.+)$")
  for _, pattern in ipairs(policy.mx) do
    if pattern == host or above and pattern == "*." .. above then return true end
  end
  return false
end

-- ---- which one is in force -------------------------------------------------

-- The id of the one record that there may be (RFC 8461 section 3.1); nil: none.
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

--- The policy of a domain that is to be followed now; nil: none. `fetch(domain)` gives
-- its text; where it fails, and where the DNS does, what is kept goes on being in force
-- (RFC 8461 section 5.1).
function M._policy(domain, fetch, query)
  local old = kept[domain]
  if old and old.till <= core.now() then old = nil end
  local records = dns.query("_mta-sts." .. domain, "TXT", query)
  local id = records and id_of(records)
  if not id or old and old.id == id then return old and old.policy end
  local ok, text = pcall(fetch, domain)
  if text == loop.EXPIRED then error(text, 0) end -- the time of the handler that is served
  local policy = ok and type(text) == "string" and M.parse(text)
  if not policy then return old and old.policy end
  keep(domain, policy, id)
  return policy
end

return M
