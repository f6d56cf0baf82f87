-- SPDX-License-Identifier: MIT
--- The trust in an MX host: by DANE (RFC 7672) if the DNS has validated TLSA records, else by the
-- domain's MTA-STS policy (RFC 8461), else by the user's options. A message may ask for less
-- (TLS-Required, RFC 8689 section 5) or for more (REQUIRETLS).
local core = require "smtp.core"
local dane = require "smtp.net.dane"
local dkim_message = require "smtp.message.dkim.message"
local errors = require "smtp.error"
local sts_policy = require "smtp.delivery.sts_policy"
local target_of = require "smtp.client.target"

local M = {}

--- The options that a target takes over.
M.KEYS = { "helo", "timeout", "verify", "ca", "cert", "key", "local_address", "trace",
  "disable" }

local FIELD_MAX = 1000 -- bytes; TLS-Required is shorter

local function parse(given, fields)
  for _, key in ipairs(M.KEYS) do fields[key] = given[key] end
  fields.port = given.port or 25
  return target_of.parse("deliver", fields)
end

--- Checks the options before any look-up.
function M.check(given)
  return parse(given, { host = "localhost", tls = given.tls, dane = given.dane })
end

local function requires_tls(delivery)
  return delivery.out.mail and delivery.out.mail.requiretls
end

--- Whether the message has one field `TLS-Required: No`, and no REQUIRETLS.
function M.is_relaxed(delivery)
  local given = delivery.options
  if requires_tls(delivery) or not (given.mta_sts or given.dane == "opportunistic") then
    return false
  end
  local ok, fields = pcall(dkim_message.read, delivery.content:open().read)
  local list = ok and fields and dkim_message.by_name(fields)["tls-required"] or {}
  if #list ~= 1 or #list[1].text > FIELD_MAX then return false end
  local value = list[1].text:match("^[^:]*:(.*)$"):gsub("%b()", ""):gsub("%s", "")
  return value:lower() == "no"
end

--- The policy of a domain that applies to this message, or nil.
function M.sts(delivery, group)
  local fetch = delivery.options.mta_sts
  if not fetch or delivery.relaxed or not core.is_name(group.domain) then return nil end
  return sts_policy.of(group.domain, fetch, delivery.query)
end

--- The deadline of looking up a host, as for any target: a time of `core.now`.
function M.limit(delivery, target)
  return math.min(delivery.limit, core.now() + target.timeout.connect)
end

local function distrust(host, message, fields)
  fields = fields or {}
  fields.kind, fields.stage, fields.peer = fields.kind or "tls", "resolve", host
  fields.message, fields.outcome = message, "not_sent"
  return nil, errors.new(fields)
end

-- Requires TLS with a certificate for the host.
local function strict(target)
  target.tls, target.verify = "required", true
  return target
end

-- Whether to ask DANE about a host: its name came from a secure MX, or is the domain itself.
local function wants_dane(delivery, host)
  local mode = delivery.options.dane
  return mode and host.secure and not (delivery.relaxed and mode == "opportunistic")
end

--- The target for an MX host, or nil and the reason why this message cannot use it.
function M.target(delivery, group, host, sts)
  local given = delivery.options
  local with_dane = wants_dane(delivery, host)
  local target, err = parse(given, { host = host.host, tls = given.tls or "opportunistic",
    dane = with_dane and { mode = given.dane, nameserver = given.nameserver } or nil })
  if not target then return nil, err end
  if given.dane == "required" and not with_dane then
    return dane.fail(target, "the MX of " .. group.domain .. " is not secure")
  end
  if with_dane then
    target.domain = group.domain
    local ok
    ok, err = dane.find(target, M.limit(delivery, target))
    if not ok then return nil, err end
    if target.tlsa then return target end
  end
  local named = sts and sts_policy.matches(sts, host.host)
  if sts and sts.mode == "enforce" then
    if named then return strict(target) end
    return distrust(host.host, "it is not in the MTA-STS policy of " .. group.domain,
      { temporary = true })
  end
  if not requires_tls(delivery) then return target end
  -- RFC 8689 section 4.2.1: DNSSEC or a policy must confirm the name.
  if host.secure or named then return strict(target) end
  return distrust(host.host, "REQUIRETLS, and nothing vouches for the MX",
    { kind = "unsupported", enhanced = "5.7.30" })
end

return M
