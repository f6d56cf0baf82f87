-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- Signals that no longer act, but make this readable, until it is closed.
---@class smtp.signals: smtp.pollable
local signals = {}

---@param names ("CHLD"|"HUP"|"INT"|"QUIT"|"TERM"|"USR1"|"USR2")[]
---@return smtp.signals? signals
---@return string? text
---@return smtp.errno? word
function core.signals(names) end

--- The next signal that came.
---@return string? name nil: none
function signals:take() end

--- Gives the signals their old effect.
function signals:close() end
