-- SPDX-License-Identifier: MIT
---@meta smtp.loop
---
--- Tasks and the one place to wait (`smtp.loop`). A task is a coroutine that `spawn`
--- began. Anything of the library that waits calls `loop.wait`: in a task it yields;
--- elsewhere it runs the loop until the thing is ready. An adapter to another loop
--- replaces `wait` and `spawn` in this table.

---@class smtp.loop
---@field time number monotonic seconds, at the last look at the clock
---@field EXPIRED table what a wait raises in a handler whose time is over
local loop = {}

--- Starts `fn(...)` as a task, at the next turn. What it raises is raised by the turn
--- in which it happened.
---@param fn function
---@param ... any
---@return table task for `cancel`
function loop.spawn(fn, ...) end

--- Runs the loop until no task is left. A server's listener is a task.
function loop.run() end

--- Waits; the same as `smtp.sleep`.
---@param seconds number
function loop.sleep(seconds) end

--- Waits until a descriptor is ready. Raises when another task waits for the same: a
--- client, say, is for one task at a time.
---@param pollable? table|userdata anything with a method `pollfd` that gives a descriptor; nil just waits
---@param events? "r"|"w"|"rw"
---@param timeout? number seconds; nil: for ever
---@return boolean ready false: the time is over
function loop.wait(pollable, events, timeout) end

--- Runs one turn: waits until something is to be done, and does it. For those who
--- run the loop within another.
---@param timeout? number seconds it may wait; nil: as long as it takes
function loop.step(timeout) end

--- A descriptor that is readable when the loop has work, for another loop to watch.
---@return integer? fd nil where the system has none (the `poll` back-end)
---@return string? why
function loop.pollfd() end

--- Seconds until the loop has work of its own accord; 0: it has; nil: never.
---@return number?
function loop.timeout() end

--- Monotonic seconds, asked of the system.
---@return number
function loop.now() end

--- Ends a task where it waits, and closes its `<close>` variables.
---@param task table
---@return boolean ended false for the task that runs now
function loop.cancel(task) end

--- The task that runs now; nil outside of tasks.
---@return table? task
function loop.current() end

--- Lets go of a pollable. Call it before its descriptor is closed.
---@param pollable table|userdata
function loop.forget(pollable) end

--- Makes a gate, which one task can wait at until it is opened.
---@return table gate
function loop.gate() end

--- Waits at a gate.
---@param gate table
---@param timeout? number seconds
---@return boolean open
function loop.pass(gate, timeout) end

--- Opens a gate for good.
---@param gate table
function loop.wake(gate) end

--- The back-end in use: `"epoll"`, `"kqueue"` or `"poll"`. With a name, chooses one,
--- before anything has waited; the environment variable `SMTP_POLLER` does so too.
---@param name? string
---@return string name
function loop.backend(name) end

---@package
function loop.nudge(task) end

return loop
