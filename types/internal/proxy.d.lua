-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- A PROXY header. An end with a port is TCP; without one it is a unix socket.
---@class smtp.core_proxy_header
---@field version 1|2
---@field command "PROXY"|"LOCAL"
---@field source? { address: string, port?: integer }
---@field destination? { address: string, port?: integer }
---@field tlvs? { type: integer, value: string }[]

--- The bytes of a PROXY header.
---@param header smtp.core_proxy_header
---@return string? bytes nil: the version cannot express it
function core.proxy_header(header) end
