-- SPDX-License-Identifier: MIT
---@meta smtp.loop
---
--- Tasks and the one place to wait (`smtp.loop`). A task is a coroutine that `spawn`
--- began. Anything of the library that waits calls `loop.wait`: in a task it yields;
--- elsewhere it runs the loop until the thing is ready. With an adapter (`smtp.adapter`)
--- another library's loop runs this one, and its coroutines wait in its own way.

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
---@return boolean ended false for the task that runs now; with luv also for one that waits for something of luv
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

--- Tells whether anything waits, listens or is to be done.
---@return boolean
function loop.busy() end

--- Makes another loop the host of this one, once and for good: for those who write an
--- adapter. It gives the loop a turn (`step(0)`) when `pollfd` is readable, after
--- `timeout` seconds, and when it is told to.
---@param hooks smtp.loop_host
function loop.host(hooks) end

--- A guest is a table: of a coroutine `co` that waits in the host's way until `woken` is
--- true. `park`, `wake` and `spawn` may be left out where a coroutine of the host can
--- just yield and be resumed by anybody.
---@class smtp.loop_host
---@field inside fun(): boolean whether the coroutine that runs can wait in the host's way
---@field turn fun() runs the host's loop once, for those who are in no coroutine of it
---@field attend fun() something waits now: turns are needed
---@field kick fun() something has changed: a turn, or at least a look at `timeout` and `busy`
---@field park? fun(guest: table) waits until `guest.woken`
---@field wake? fun(guest: table) it was woken; or its task was ended (`guest.cancelled`)
---@field spawn? fun(guest: table, main: function): thread runs `main` in a coroutine of the host, not before the next turn

---@package
function loop.nudge(task) end

return loop
