-- SPDX-License-Identifier: MIT
--- DANE for SMTP (RFC 7672): the TLSA records of a host. They count only if the name server has
-- validated them. If it cannot tell whether there are any, there is no connection (section 2.1).
-- csrc/net/tls_dane.h checks the certificate against them.
local core = require "smtp.core"
local dns = require "smtp.net.dns"
local errors = require "smtp.error"
local options = require "smtp.base.options"

local M = {}

local MODES = { "required", "opportunistic" }
local SPEC = { mode = MODES, nameserver = "string", records = "table" }
local RECORD = { usage = "count", selector = "count", matching = "count", data = "string" }

--- Checks the user's option, and gives it as a table.
function M.check(what, given)
  if type(given) ~= "table" then
    options.check(what, { dane = given }, { dane = MODES })
    return { mode = given }
  end
  what = what .. ": dane"
  given = options.check(what, given, SPEC)
  dns.check_server(what, given.nameserver)
  for _, record in ipairs(options.list(what .. ": records", given.records or {})) do
    options.check(what .. ": a record", record, RECORD)
  end
  return { mode = given.mode or "required", nameserver = given.nameserver,
    records = given.records }
end

-- The names that may have records, the better one first (RFC 7672 section 2.2.2): the target of
-- the host's alias, and the host.
local function bases(host, addresses, query)
  local name = addresses.name or host
  if addresses.secure then return name ~= host and { name, host } or { host } end
  if name == host then return {} end
  -- A secure alias may lead to a name without records.
  local alias, err = dns.query(host, "CNAME", query)
  if not alias then return nil, err end
  return alias.secure and #alias > 0 and { host } or {}
end

local function look_up(target, query)
  local addresses, err = dns.addresses(target.host, target.port, query)
  if not addresses then return nil, err end
  target.addresses = addresses
  local names
  names, err = bases(target.host, addresses, query)
  if not names then return nil, err end
  for _, base in ipairs(names) do
    local name = ("_%d._tcp.%s"):format(target.port, base)
    if core.is_name(name) then
      local records, why = dns.query(name, "TLSA", query)
      if not records then return nil, why end
      if records.secure and #records > 0 then
        -- RFC 7672 section 3.2.2: other names for a certificate of usage 2.
        return { base = base, records = records, names = { target.host, target.domain } }
      end
    end
  end
  return {}
end

local function find(target, limit)
  local dane, host = target.dane, target.host
  if dane.records then
    return { base = target.sni or host or "", records = dane.records, names = {} }
  end
  if not host or core.is_address(host) then return {} end
  return look_up(target, { nameserver = dane.nameserver, limit = limit })
end

--- Fills `target.tlsa` with `{ base, names, records }` if there are records, and
-- `target.addresses` where they had to be known; true, or nil and an error.
function M.find(target, limit)
  target.tlsa = nil
  local found, err = find(target, limit)
  if not found then
    err.peer = target.name
    return nil, err
  end
  if found.records and #found.records > 0 then
    target.tlsa = found
    return true
  end
  if target.dane.mode == "opportunistic" then return true end
  return M.fail(target, "no TLSA records of it are there, and secure")
end

--- The error of a host without usable records, for `dane = "required"`.
function M.fail(target, message)
  return nil, errors.new { kind = "tls", stage = "resolve", peer = target.name,
    message = message, temporary = true, outcome = "not_sent",
    hint = "DANE needs a name server that validates, at `nameserver` or on this machine" }
end

return M
