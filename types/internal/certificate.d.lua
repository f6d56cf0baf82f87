-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- Makes a key and a certificate, signed by `issuer` or by itself.
---@param options { common_name?: string, names?: string[], addresses?: string[], emails?: string[], ca?: boolean, issuer?: string, issuer_key?: string, not_before?: integer, not_after?: integer, purpose?: "server"|"client"|"both" }
---@return string? certificate in PEM
---@return string? key in PEM; of a failure the text
---@return "EINVAL"|"ECRYPTO"|nil word EINVAL: the options
function core.certificate(options) end
