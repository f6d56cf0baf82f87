-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- A file that becomes durable by its commit. Without one it is removed.
---@class smtp.spool
local spool = {}

--- Creates the temporary file.
---@param path string
---@return smtp.spool? spool
---@return string? text
---@return smtp.errno? word
function core.spool(path) end

--- Appends bytes. A failure stays.
---@param bytes string
---@return true? ok
---@return string? text
---@return smtp.errno? word
function spool:write(bytes) end

--- Syncs the file and moves it to `target`. The result of the job is true, or nil, text, errno.
---@param target string
---@param overwrite? boolean false: an existing target is EEXIST
---@param above? integer folders above that of the target that are synced too; default 0
---@return smtp.job? job
---@return string? text
---@return smtp.errno? word
function spool:commit(target, overwrite, above) end

---@return string path of the temporary file
function spool:path() end

--- Removes the file, unless it was committed. A second call does nothing.
function spool:close() end
