-- SPDX-License-Identifier: MIT
---@meta smtp.authority
---
--- `local authority = require "smtp.authority"`: certificates for tests, made in
--- process in less than a millisecond each (P-256), so that none is ever stored.
---
--- ```lua
--- local ca = assert(authority.new())
--- local server = assert(smtp.server { listen = "127.0.0.1:0", tls = ca:issue(), ... })
--- local client = assert(smtp.connect { host = "localhost", port = server.port,
---   tls = "required", ca = ca.certificate })
--- ```

---@class smtp.authority
---@field certificate string PEM: what `ca` of a target takes
---@field key string PEM
---@field chain string PEM: what stands behind each certificate that it issues
local authority = {}

--- A new authority that signs itself.
---@param options? smtp.certificate_options
---@return smtp.authority? authority
---@return smtp.error? err
function authority.new(options) end

--- A certificate and its key, as `tls` of a server and a target take them.
---@param options? smtp.certificate_options default: for localhost, 127.0.0.1 and ::1
---@return smtp.identity? identity
---@return smtp.error? err
function authority:issue(options) end

--- An authority below this one: its certificate stands in the chain of what it issues.
---@param options? smtp.certificate_options
---@return smtp.authority? authority
---@return smtp.error? err
function authority:intermediate(options) end

--- A certificate that only itself has signed.
---@param options? smtp.certificate_options
---@return smtp.identity? identity
---@return smtp.error? err
function authority.self_signed(options) end

---@class smtp.identity
---@field cert string PEM, the chain behind it
---@field key string PEM

--- An unknown key raises.
---@class smtp.certificate_options
---@field common_name? string
---@field names? string[] host names in subjectAltName; any byte may be in them
---@field addresses? string[] IP addresses there
---@field emails? string[] mail addresses there
---@field not_before? integer seconds from now; default a day ago
---@field not_after? integer seconds from now; default in 30 days; negative: it has expired
---@field purpose? "both"|"server"|"client" default both

return authority
