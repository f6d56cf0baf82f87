-- SPDX-License-Identifier: MIT
---@meta smtp.loop
---
--- Tasks, and the one place to wait (`smtp.loop`). A task is a coroutine started by `spawn`.
--- Every function of the library that waits calls `loop.wait`: in a task it yields; elsewhere it
--- runs the loop until the descriptor is ready. With an adapter (`smtp.adapter`) the loop of
--- another library runs this one, and its coroutines wait in the way of that library.

---@class smtp.loop
---@field time number monotonic seconds, at the last look at the clock
---@field EXPIRED table the error that a wait raises in a handler after `handler_timeout`
local loop = {}

--- Starts `fn(...)` as a task, at the next turn. An error in the task is raised by the turn of
--- the loop in which it happens.
---@param fn function
---@param ... any
---@return table task for `cancel`
function loop.spawn(fn, ...) end

--- Runs the loop until no task is left. A server's listener is a task.
function loop.run() end

--- Waits; `smtp.sleep` is this function.
---@param seconds number
function loop.sleep(seconds) end

--- Waits until a descriptor is ready. Raises if another task waits for that descriptor: a client,
--- for example, is for one task at a time.
---@param pollable? table|userdata anything with a method `pollfd` that returns a descriptor; nil just waits
---@param events? "r"|"w"|"rw"
---@param timeout? number seconds; nil: for ever
---@return boolean ready false: the time is over
function loop.wait(pollable, events, timeout) end

--- Runs one turn: waits for work, and does it. Use it to run the loop within another one.
---@param timeout? number seconds to wait at most; nil: no limit
function loop.step(timeout) end

--- A descriptor that is readable when the loop has work, for another loop to watch.
---@return integer? fd nil where the system has none (the `poll` back-end)
---@return string? why
function loop.pollfd() end

--- Seconds until the next timer; 0: there is work now; nil: there is no timer.
---@return number?
function loop.timeout() end

--- Monotonic seconds, read from the system's clock.
---@return number
function loop.now() end

--- Ends a task where it waits, and closes its `<close>` variables.
---@param task table
---@return boolean ended false for the running task; with luv also for a task that waits for something of luv
function loop.cancel(task) end

--- The running task; nil outside of tasks.
---@return table? task
function loop.current() end

--- Forgets a pollable. Call it before the descriptor is closed.
---@param pollable table|userdata
function loop.forget(pollable) end

--- Makes a gate. One task can wait at it until it is opened.
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

--- The back-end in use: `"epoll"`, `"kqueue"` or `"poll"`. With a name it chooses one; call it
--- before anything has waited. The environment variable `SMTP_POLLER` chooses one, too.
---@param name? string
---@return string name
function loop.backend(name) end

--- True if anything waits or listens, or if there is work.
---@return boolean
function loop.busy() end

--- Makes another loop the host of this one, once and for good. Adapters call it. The host gives
--- the loop a turn (`step(0)`) when `pollfd` is readable, after `timeout` seconds, and after
--- `kick`.
---@param hooks smtp.loop_host
function loop.host(hooks) end

--- Functions of a host. A guest is a table of a coroutine `co` that waits in the host's way until
--- `woken` is true. If a coroutine of the host can just yield and be resumed by anybody, leave
--- out `park`, `wake` and `spawn`.
---@class smtp.loop_host
---@field inside fun(): boolean true if the running coroutine can wait in the host's way
---@field turn fun() runs the host's loop once, for callers outside of its coroutines
---@field attend fun() something waits now: turns are needed
---@field kick fun() something has changed: a turn, or at least a look at `timeout` and `busy`
---@field park? fun(guest: table) waits until `guest.woken`
---@field wake? fun(guest: table) the guest was woken, or its task was ended (`guest.cancelled`)
---@field spawn? fun(guest: table, main: function): thread runs `main` in a coroutine of the host, not before the next turn

---@package
function loop.nudge(task) end

return loop
