-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- Waits for many descriptors at once: epoll, kqueue or poll.
---@class smtp.poller
local poller = {}

---@param backend? string a specific one; default: the best of this system
---@return smtp.poller? poller
---@return string? text
---@return smtp.errno? word
function core.poller(backend) end

--- Waits for one descriptor, without a poller.
---@param fd integer
---@param bits integer sum of 1 reading and 2 writing
---@param seconds? number nil or below 0: no limit
---@return boolean? ready false after the time, and when a signal came
---@return string? text
---@return smtp.errno? word
function core.wait(fd, bits, seconds) end

--- Seconds of the clock that never goes back.
---@return number seconds
function core.now() end

--- Begins, changes or ends the wait for a descriptor. It must end before the descriptor is closed.
---@param fd integer
---@param bits integer sum of 1 reading, 2 writing, and 4 one of the waiting processes wakes, not all; 0 ends the wait
---@return true? ok
---@return string? text
---@return smtp.errno? word
function poller:set(fd, bits) end

--- Waits, and fills `ready` with fd, bits, fd, bits ...; older entries behind them stay.
---@param seconds? number nil or below 0: no limit
---@param ready integer[]
---@return integer? n how many descriptors are ready
---@return string? text
---@return smtp.errno? word
function poller:wait(seconds, ready) end

--- Its own descriptor, which is readable when one of the others is ready.
---@return integer? descriptor
---@return string? text poll has none
function poller:pollfd() end

---@return string backend the name of the backend
function poller:backend() end

--- Closes it. A second call does nothing.
function poller:close() end
