-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- The hash of a body in its canonical form.
---@class smtp.dkim_body
local body = {}

--- A private key.
---@class smtp.dkim_key
local key = {}

---@param canon "simple"|"relaxed"
---@param limit? integer bytes of the canonical form that are hashed; default: all
---@return smtp.dkim_body body
function core.dkim_body(canon, limit) end

--- The canonical form of a header field.
---@param canon "simple"|"relaxed"
---@param field string with its name and CRLF
---@return string? bytes nil: it is no field
function core.dkim_header(canon, field) end

---@param pem string
---@return smtp.dkim_key? key
---@return string? text
function core.dkim_key(pem) end

--- Whether the signature fits the bytes.
---@param algorithm "rsa-sha256"|"ed25519-sha256"
---@param public string the key of the DNS
---@param signature string
---@param bytes string
---@return boolean? fits nil: the key may not be used
---@return string? text
function core.dkim_verify(algorithm, public, signature, bytes) end

--- Hashes bytes of the body.
---@param bytes string
function body:feed(bytes) end

--- Ends it.
---@return string hash
---@return integer count bytes of the canonical form, also behind the limit
function body:finish() end

---@return "rsa-sha256"|"ed25519-sha256" algorithm
function key:algorithm() end

---@param bytes string
---@return string signature
function key:sign(bytes) end

--- Wipes the key. A second call does nothing.
function key:close() end
