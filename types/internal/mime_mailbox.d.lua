-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- Reads a list of addresses, folded or not.
---@param text string
---@param most? integer ends at a fault, and beyond that number of mailboxes
---@return { name?: string, address: string, group?: string }[] mailboxes
---@return { name: string, first: integer, last: integer }[] groups
---@return string? fault
---@return boolean sendable with `most`: whether MAIL and RCPT may carry each as it stands, in ASCII
function core.addresses(text, most) end
