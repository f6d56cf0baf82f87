-- SPDX-License-Identifier: MIT
---@meta smtp.authority
---
--- Certificates for tests (`smtp.authority`): an authority of your own, and of it as
--- many certificates as a test wants, good ones and those that a peer must refuse. All
--- are made in memory with fresh keys on P-256, in less than a millisecond each, and
--- signed with SHA-256 (RFC 5280). Nothing is meant to outlive the test.
---
--- ```lua
--- local authority = require "smtp.authority"
--- local ca = assert(authority.new())
--- local good = assert(ca:issue { names = { "mx.example.com" } })
--- local expired = assert(ca:issue { not_before = -7200, not_after = -3600 })
--- ```

---@class smtp.authority
---@field certificate string PEM: what a client has to trust
---@field key string PEM
---@field chain string PEM, added behind what it issues: empty, but of an intermediate its own certificate and those up to the root, without that
local authority = {}

--- Makes an authority that signs itself.
---@param options? smtp.authority_options
---@return smtp.authority? ca
---@return smtp.error? err `kind = "invalid"` for what no certificate can hold, `"system"` if OpenSSL fails
function authority.new(options) end

--- Makes a certificate that signs itself. It is for this machine unless the options say
--- otherwise.
---@param options? smtp.certificate_options
---@return smtp.certificate? certificate
---@return smtp.error? err as of `authority.new`
function authority.self_signed(options) end

--- Makes a certificate of this authority. It is for this machine unless the options say
--- otherwise.
---@param options? smtp.certificate_options
---@return smtp.certificate? certificate
---@return smtp.error? err as of `authority.new`
function authority:issue(options) end

--- Makes an authority below this one. What it issues has its `chain` behind it, so that
--- a client which trusts the root can verify it.
---@param options? smtp.authority_options
---@return smtp.authority? ca
---@return smtp.error? err as of `authority.new`
function authority:intermediate(options) end

---@class smtp.authority_options
---@field name? string its common name, of 1 to 64 characters
---@field not_before? integer seconds from now, by default -86400
---@field not_after? integer seconds from now, by default 30 days; both within a hundred years

--- A certificate without `names`, `addresses` and `emails` is for `"localhost"`,
--- `"127.0.0.1"` and `"::1"`. Give `names = {}` for one that is for nobody.
---@class smtp.certificate_options
---@field names? string[] DNS names, `"*.example.com"` too; written as they are, a NUL inside included
---@field addresses? string[] of IPv4 or IPv6
---@field emails? string[] mailboxes, for certificates of clients
---@field common_name? string of the subject, which is empty without; 1 to 64 characters
---@field not_before? integer seconds from now, by default -86400
---@field not_after? integer seconds from now, by default 30 days; both within a hundred years
---@field purpose? "server"|"client"|"both" its extended key usage, by default `"both"`

--- A certificate and its key, for the fields of the same names in options for TLS.
---@class smtp.certificate
---@field cert string PEM: the certificate, and behind it those of intermediate authorities
---@field key string PEM, not encrypted

return authority
