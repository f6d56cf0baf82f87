-- SPDX-License-Identifier: MIT
--- A certificate authority of a test's own: certificates and keys that are made
-- when they are needed, and of which none needs to be stored. What is wrong with
-- them can be asked for.
local core = require "smtp.core"
local errors = require "smtp.error"
local options = require "smtp.options"

local M = {}

local Authority = { __name = "smtp.authority" }
Authority.__index = Authority

local SPEC = {
  common_name = "string", names = "table", addresses = "table", emails = "table",
  not_before = "number", not_after = "number", purpose = { "both", "server", "client" },
}

local function make(what, given, extra)
  given = options.check(what, given or {}, SPEC)
  local all = {}
  for key, value in pairs(given) do all[key] = value end
  for key, value in pairs(extra) do
    if all[key] == nil then all[key] = value end
  end
  local certificate, key = core.certificate(all)
  if certificate then return certificate, key end
  return nil, errors.new { kind = "invalid", message = what .. ": " .. key }
end

--- A new authority that signs itself.
function M.new(given)
  local certificate, key = make("authority", given, { common_name = "Test authority", ca = true })
  if not certificate then return nil, key end
  return setmetatable({ certificate = certificate, key = key, chain = "" }, Authority)
end

-- Names that fit a server on this machine, unless something else is asked for.
local function usual(given)
  local named = given and (given.names or given.addresses or given.emails or given.common_name)
  if named then return {} end
  return { names = { "localhost" }, addresses = { "127.0.0.1", "::1" } }
end

local function signed(self, extra)
  extra.issuer, extra.issuer_key = self.certificate, self.key
  return extra
end

--- Signs a certificate: `{ cert, key }`, the chain in `cert`, as `tls` of a server
-- and a target take it.
function Authority:issue(given)
  local certificate, key = make("issue", given, signed(self, usual(given)))
  if not certificate then return nil, key end
  return { cert = certificate .. self.chain, key = key }
end

--- An authority under this one: what it issues has its certificate in the chain.
function Authority:intermediate(given)
  local certificate, key = make("intermediate", given,
    signed(self, { common_name = "Test intermediate", ca = true }))
  if not certificate then return nil, key end
  return setmetatable({ certificate = certificate, key = key, chain = certificate .. self.chain },
    Authority)
end

--- A certificate that nobody signed but itself: `{ cert, key }`.
function M.self_signed(given)
  local certificate, key = make("self_signed", given, usual(given))
  if not certificate then return nil, key end
  return { cert = certificate, key = key }
end

return M
