-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- Makes a folder that only its owner may read.
---@param path string
---@return boolean? made false: it was there
---@return string? text
---@return smtp.errno? word
function core.mkdir(path) end

--- The size of a regular file, and a string that changes with its content.
---@param path string
---@return integer? size
---@return string? mark of a failure the text
---@return smtp.errno? word
function core.file_mark(path) end
