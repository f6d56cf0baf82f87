-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- A process that was forked here.
---@class smtp.child
local child = {}

--- A pipe that ends when the process that made it ends.
---@class smtp.lifeline: smtp.pollable
local lifeline = {}

---@return smtp.child|false|nil child false in the child
---@return string? text
---@return smtp.errno? word
function core.fork() end

---@return integer pid of this process
function core.pid() end

---@return integer n processors that this process may use
function core.cpus() end

--- How many descriptors this process may have.
---@return integer? n nil: no limit
function core.descriptors() end

--- Gives memory that was freed back to the system, where the C library keeps it.
---@return nil
function core.trim() end

---@return smtp.lifeline? lifeline
---@return string? text
---@return smtp.errno? word
function core.lifeline() end

--- Ends a forked child at once. It does not return.
---@param status integer
function core.exit(status) end

---@return integer pid also after its end
function child:pid() end

--- Whether it has ended.
---@return integer|false status false: it runs. After a status the next call raises
function child:ended() end

---@param name "HUP"|"KILL"|"TERM"
---@return true? ok
---@return string? text
---@return smtp.errno? word
function child:signal(name) end

--- In the child: keeps only the reading end.
function lifeline:follow() end

--- Closes it. A second call does nothing.
function lifeline:close() end
