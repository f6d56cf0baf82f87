-- SPDX-License-Identifier: MIT
--- A certificate authority for tests: fresh keys and certificates, made in memory in
-- less than a millisecond each, valid ones and invalid ones.
require "smtp.base.version"
local core = require "smtp.core"
local errors = require "smtp.error"
local options = require "smtp.base.options"

local M = {}

local Authority = { __name = "smtp.authority" }
Authority.__index = Authority

local AUTHORITY = { name = "string", not_before = "number", not_after = "number" }

local CERTIFICATE = {
  names = "table",
  addresses = "table",
  emails = "table",
  common_name = "string",
  not_before = "number",
  not_after = "number",
  purpose = { "server", "client", "both" },
}

local HERE = { names = { "localhost" }, addresses = { "127.0.0.1", "::1" } }

-- Like core.certificate, but its failure is an error object.
local function make(request)
  local certificate, key, kind = core.certificate(request)
  if certificate then return certificate, key end
  return nil, errors.new {
    kind = kind == "EINVALID" and "invalid" or "system",
    message = "no certificate: " .. key,
    cause = kind,
    temporary = false,
  }
end

-- Helpers between the public functions and options.check.
local function authority(what, given, parent)
  given = options.check(what, given or {}, AUTHORITY)
  local certificate, key = make {
    common_name = given.name or (parent and "Intermediate" or "Root") .. " of a test",
    ca = true,
    issuer = parent and parent.certificate,
    issuer_key = parent and parent.key,
    not_before = given.not_before,
    not_after = given.not_after,
  }
  if not certificate then return nil, key end
  return setmetatable({
    certificate = certificate,
    key = key,
    chain = parent and certificate .. parent.chain or "",
  }, Authority)
end

local function leaf(what, given, parent)
  local request = {}
  for name, value in pairs(options.check(what, given or {}, CERTIFICATE)) do
    request[name] = value
  end
  if not (request.names or request.addresses or request.emails) then
    request.names, request.addresses = HERE.names, HERE.addresses
  end
  if parent then request.issuer, request.issuer_key = parent.certificate, parent.key end
  local certificate, key = make(request)
  if not certificate then return nil, key end
  return { cert = certificate .. (parent and parent.chain or ""), key = key }
end

--- Makes an authority that signs itself.
function M.new(given)
  local made, err = authority("authority.new", given)
  return made, err
end

--- Makes a certificate that signs itself, and its key.
function M.self_signed(given)
  local made, err = leaf("authority.self_signed", given)
  return made, err
end

--- Makes a certificate of this authority, and its key.
function Authority:issue(given)
  local made, err = leaf("issue", given, self)
  return made, err
end

--- Makes an authority below this one.
function Authority:intermediate(given)
  local made, err = authority("intermediate", given, self)
  return made, err
end

return M
