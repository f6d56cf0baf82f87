-- SPDX-License-Identifier: MIT
--- The hosts for the mail of a domain (RFC 5321 section 5.1, RFC 7505).
local core = require "smtp.core"
local dns = require "smtp.net.dns"
local errors = require "smtp.error"
local names = require "smtp.base.names"
local options = require "smtp.base.options"

local M = {}

local OPTIONS = { nameserver = "string", timeout = "seconds" }

local function refused(domain, code, enhanced, text)
  return nil, errors.new { kind = "dns", stage = "resolve", code = code, enhanced = enhanced,
    text = ("%s %s"):format(domain, text), outcome = "not_sent" }
end

-- The address in "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 section 4.1.3).
local function literal(domain)
  local six = domain:match("^%[[Ii][Pp][Vv]6:(.*)%]$")
  local address = six or domain:match("^%[(.*)%]$")
  local bytes = address and core.ip(address)
  return bytes and #bytes == (six and 16 or 4) and address or nil
end

--- The name of a domain in the DNS: A-labels in lower case; or nil and the reason.
function M.ascii(domain)
  local name, why = names.key(domain)
  if not name then return nil, why end
  name = name:gsub("%.$", "")
  if core.is_name(name) then return name end
end

-- The hosts in the order in which to try them: by preference, and shuffled within a preference
-- to spread the load (RFC 5321 section 5.1).
local function ordered(list)
  for i = #list, 2, -1 do
    local j = math.random(i)
    list[i], list[j] = list[j], list[i]
  end
  for i, one in ipairs(list) do one.place = i end
  table.sort(list, function(a, b)
    if a.preference ~= b.preference then return a.preference < b.preference end
    return a.place < b.place
  end)
  for _, one in ipairs(list) do one.place = nil end
  return list
end

local function implicit(host, secure)
  return { { host = host, preference = 0, implicit = true, secure = secure } }
end

--- `M.mx` with checked options and `limit`.
function M.look_up(domain, given)
  local address = literal(domain)
  if address then return implicit(address, false) end
  local name, why = M.ascii(domain)
  if not name then
    return refused(domain, 550, "5.1.2", "is no domain" .. (why and ": " .. why or ""))
  end
  local found, err = dns.query(name, "MX", given)
  if not found then return nil, err end
  if found.no_name then return refused(domain, 550, "5.1.2", "does not exist") end
  -- RFC 5321 section 5.1: only without any MX the domain is its own host.
  if #found == 0 then return implicit(name, found.secure) end
  local hosts, null = {}, false
  for _, record in ipairs(found) do
    if record.host == "" then
      null = true
    elseif record.host and not core.is_address(record.host) then
      hosts[#hosts + 1] = { host = record.host, preference = record.preference,
        secure = found.secure }
    end
  end
  if #hosts > 0 then return ordered(hosts) end
  -- RFC 7505 section 3: a single MX "." means that the domain accepts no mail.
  if null then return refused(domain, 556, "5.1.10", "takes no mail (null MX)") end
  return refused(domain, 550, "5.4.4", "has no MX that names a host")
end

--- See `smtp.mx`.
function M.mx(domain, given)
  if type(domain) ~= "string" then error("mx: a domain is needed", 2) end
  given = options.check("mx: options", given or {}, OPTIONS)
  dns.check_server("mx", given.nameserver)
  return M.look_up(domain, given)
end

return M
