-- SPDX-License-Identifier: MIT
---@meta smtp.authority
---
--- Certificates for tests (`smtp.authority`): an authority of your own, and certificates of it,
--- valid ones and invalid ones. All are made in memory with fresh keys on P-256, in less than a
--- millisecond each, and signed with SHA-256 (RFC 5280). Do not use them outside of tests.
---
--- ```lua
--- local authority = require "smtp.authority"
--- local ca = assert(authority.new())
--- local good = assert(ca:issue { names = { "mx.example.com" } })
--- local expired = assert(ca:issue { not_before = -7200, not_after = -3600 })
--- ```

---@class smtp.authority
---@field certificate string PEM: a client has to trust it
---@field key string PEM
---@field chain string PEM, appended to each issued certificate: empty for a root; for an intermediate its own certificate and those up to the root, without the root
local authority = {}

--- Makes an authority that signs itself.
---@param options? smtp.authority_options
---@return smtp.authority? ca
---@return smtp.error? err `kind = "invalid"` for a value that no certificate can hold, `"system"` if OpenSSL fails
function authority.new(options) end

--- Makes a certificate that signs itself. By default it is for this machine.
---@param options? smtp.certificate_options
---@return smtp.certificate? certificate
---@return smtp.error? err as of `authority.new`
function authority.self_signed(options) end

--- Makes a certificate of this authority. By default it is for this machine.
---@param options? smtp.certificate_options
---@return smtp.certificate? certificate
---@return smtp.error? err as of `authority.new`
function authority:issue(options) end

--- Makes an authority below this one. Its certificates carry its `chain`, so that a client that
--- trusts the root can verify them.
---@param options? smtp.authority_options
---@return smtp.authority? ca
---@return smtp.error? err as of `authority.new`
function authority:intermediate(options) end

---@class smtp.authority_options
---@field name? string its common name, of 1 to 64 characters
---@field not_before? integer seconds from now, by default -86400
---@field not_after? integer seconds from now, by default 30 days; both within a hundred years

--- Without `names`, `addresses` and `emails` a certificate is for `"localhost"`, `"127.0.0.1"`
--- and `"::1"`. With `names = {}` it is for no host.
---@class smtp.certificate_options
---@field names? string[] DNS names, `"*.example.com"` too; written as they are, a NUL inside included
---@field addresses? string[] IPv4 or IPv6 addresses
---@field emails? string[] mailboxes, for certificates of clients
---@field common_name? string of the subject, 1 to 64 characters; default: an empty subject
---@field not_before? integer seconds from now, by default -86400
---@field not_after? integer seconds from now, by default 30 days; both within a hundred years
---@field purpose? "server"|"client"|"both" its extended key usage, by default `"both"`

--- A certificate and its key, for the fields `cert` and `key` in options for TLS.
---@class smtp.certificate
---@field cert string PEM: the certificate, then those of the intermediate authorities
---@field key string PEM, not encrypted

return authority
