-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- Asks a name server. The result is a list of records, possibly empty, with `secure` (the
--- server has validated it), `no_name` (nothing has that name) and `name` (without aliases).
--- A record has `address`, `host`, `preference`, `text`, or the four fields of TLSA; if it is
--- malformed it has none. The failure of the job is `nil, text, "temporary"|"unsupported"`.
---@param name string
---@param type "A"|"AAAA"|"MX"|"CNAME"|"TXT"|"TLSA"
---@param seconds? integer default 5
---@param host? string address of the name server; default: those of the system
---@param port? integer of `host`
---@return smtp.job? job
---@return string? text
---@return smtp.errno? word
function core.dns(name, type, seconds, host, port) end

--- Whether the text is a numeric address, without brackets.
---@param text string
---@return boolean
function core.is_address(text) end

--- Whether the DNS can be asked for the name.
---@param text string
---@return boolean
function core.is_name(text) end
