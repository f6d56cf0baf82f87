-- SPDX-License-Identifier: MIT
--- The loop: tasks are coroutines, and `loop.wait` is the one place to wait. In a task it yields;
-- elsewhere it runs the loop until the descriptor is ready, so that a blocking script and a
-- server work in one process.
--
-- An adapter (`smtp.adapter`) makes another library's loop the host of this one. The host gives
-- this loop a turn when it has work, and coroutines of the library wait in the library's own
-- way, as guests. The descriptors and deadlines of all of them are kept here.
local core = require "smtp.core"
local options = require "smtp.base.options"
local timers = require "smtp.loop.timers"
local watchers = require "smtp.loop.watchers"

local M = {}

local heap = timers.new()
local host -- the functions of an adapter: see M.host
local tasks = setmetatable({}, { __mode = "k" }) -- coroutine -> its task
local queue, first, last = {}, 1, 0 -- tasks to be resumed in the next turn
local live = 0 -- tasks that have not ended
local parked = 0 -- waiting guests that are no tasks
local depth = 0 -- turns within turns: a coroutine that is no task may wait
local ready_lists = {}
local get_poller, dispatch, BITS = watchers.poller, watchers.dispatch, watchers.BITS
local wait_one = core.wait
local running, co_resume, yield = coroutine.running, coroutine.resume, coroutine.yield
local isyieldable = coroutine.isyieldable

--- The time (monotonic seconds) of the last look at the clock: cheap, and exact enough for
-- deadlines within a turn.
M.time = core.now()

--- The time (monotonic seconds), read from the system's clock.
M.now = core.now

--- Raised in a task that waits beyond its `limit`.
M.EXPIRED = setmetatable({}, { __tostring = function() return "handler timeout" end })

--- Uses another back-end ("epoll", "kqueue", "poll"); before anything waits.
function M.backend(name)
  return get_poller(name):backend()
end

-- ---- waiting -------------------------------------------------------------

-- The state of a task that is in the queue. Else `waiting` is the descriptor, true where there
-- is none, and false for a task that runs.
local TURN = "turn"

-- A task has all of its fields from the beginning, false in place of nil: a table whose fields
-- come and go is laid out again at nearly every wait.
local function new_task(guest, foreign)
  return {
    co = false, start = false, guest = guest, foreign = foreign, waiting = false, deadline = false,
    limit = false, entry = false, fd = false, pollable = false, events = false, owner = false,
    dead = false, parked = false, woken = false, value = false,
  }
end

-- Registers the wait of a task until `at`; it does not wait itself.
local function enter(task, pollable, events, at)
  local limit = task.limit
  if limit and (not at or limit < at) then at = limit end
  if at then
    task.deadline = at
    local entry = task.entry
    if not entry or at < entry then
      heap:arm(task)
      if host and heap:next() == at then host.kick() end
    end
  end
  if not pollable then
    task.waiting = true
    return
  end
  if task.pollable ~= pollable or task.events ~= events then
    watchers.set(task, pollable, events)
  end
  task.waiting = task.fd
end

--- Seconds that the `<close>` variables of an ended task may wait.
M._CLOSING = 5

local failures = {} -- errors of tasks, raised by the present turn

-- Reports an error of a task to its `owner`; without one the turn raises it.
local function tell(task, message)
  if task.owner then return task.owner:task_failed(message) end
  failures[#failures + 1] = message
end

local function fail(task, message)
  tell(task, debug.traceback(task.co, tostring(message)))
end

-- Reports the error of a coroutine. The error of a task already names its place.
local function failed(task, message)
  if task.dead then tell(task, message) else fail(task, message) end
end

-- Runs a coroutine until it waits again.
local function run(task, ...)
  local ok, message = co_resume(task.co, ...)
  if not ok then failed(task, message) end
end

-- A guest that is no task counts as long as it waits.
local function unpark(task)
  if task.parked then parked = parked - 1 end
  task.parked = false
end

local function resume(task, value)
  task.waiting, task.deadline = false, false
  if not task.guest then
    local ok, message = co_resume(task.co, value)
    if not ok then failed(task, message) end
    return
  end
  task.woken, task.value = true, value
  unpark(task)
  if task.co then host.wake(task) end -- else somebody runs turns for it
end

local function enqueue(task)
  task.waiting, task.deadline = TURN, false
  last = last + 1
  queue[last] = task
  if host then host.kick() end
end

-- Resumes the tasks that are in the queue now. Each is taken out before it runs: it may run turns
-- itself, and these go on with the rest.
local function run_queue()
  local stop = last
  while first <= stop do
    local task = queue[first]
    queue[first] = nil
    first = first + 1
    if not task.dead and task.start then
      local start = task.start
      task.start, task.waiting = false, false
      run(task, table.unpack(start, 1, start.n))
    elseif task.waiting == TURN then -- the task may have been ended meanwhile
      resume(task, true)
    end
  end
end

-- Resumes the tasks whose time has come, at most as many as there were at the start: a task that
-- always waits for no time must not stop the others.
local function expire()
  for _ = 1, heap.n do
    local task = heap:due(M.time)
    if not task then return end
    resume(task, false)
  end
end

-- One turn; errors of tasks are left in `failures`.
local function step(timeout)
  if first <= last then
    run_queue()
    timeout = 0 -- it may have ended the wait of the caller
  end
  local left = M.timeout()
  if left and (not timeout or left < timeout) then timeout = left end
  depth = depth + 1
  local ready = ready_lists[depth] or {}
  ready_lists[depth] = ready
  local n = get_poller():wait(timeout, ready)
  M.time = core.now()
  for i = 1, 2 * n, 2 do dispatch(ready[i], ready[i + 1], resume) end
  depth = depth - 1
  expire()
  run_queue()
end

--- Runs one turn: waits for work at most `timeout` seconds (nil: no limit), and resumes the ready
-- tasks. An error of a task is raised here.
function M.step(timeout)
  step(timeout)
  if #failures > 0 then error(table.remove(failures, 1), 0) end
end

--- Seconds until the next timer; 0 if there is work now, nil if there is no timer.
function M.timeout()
  if first <= last or #failures > 0 then return 0 end
  local at = heap:next()
  if not at then return nil end
  local left = at - core.now()
  return left > 0 and left or 0
end

--- A descriptor that is readable when there is work, or nil and the reason.
function M.pollfd()
  return get_poller():pollfd()
end

-- A turn for callers outside of coroutines: the host's, if there is a host.
local function turn()
  if not host then return M.step() end
  host.attend()
  host.turn()
end

-- The waiter of a guest that is no task is used again; a nested wait makes its own.
local idle_waiter = new_task(true, true)

-- The guest: the waiting party outside a task of ours, which is a coroutine of the host or
-- the caller of turns. Within a C function, such as the one that closes a coroutine and its
-- variables, a yield is impossible: there turns run for as long as `owner`, the task of the
-- coroutine, may wait.
local function guest(owner)
  get_poller()
  if owner and not isyieldable() then
    local task = new_task(true, true)
    task.within, task.limit = true, owner.limit
    return task
  end
  if host and host.inside() then
    local task = new_task(true, true)
    task.co = running()
    tasks[task.co] = task
    return task
  end
  local task = idle_waiter or new_task(true, true)
  idle_waiter = nil
  return task
end

-- Ends the wait of a guest, also if its coroutine is closed there.
local STAY = { __close = function(stay)
  local task = stay.task
  task.waiting, task.deadline = false, false
  if task.within then
    heap:leave(task)
    watchers.drop(task)
  elseif not task.co then
    idle_waiter = task
  elseif task.foreign then
    heap:leave(task)
  end
  unpark(task)
  if host and not M.busy() then host.kick() end
end }

-- A guest waits; gives whether it is ready.
local function wait_as_guest(task, pollable, events, at)
  local stay <close> = setmetatable({ task = task }, STAY)
  if task.foreign then parked = parked + 1 end
  task.parked, task.woken = task.foreign, false
  enter(task, pollable, events, at)
  if task.co then
    host.attend()
    host.park(task)
  else
    local wait = task.within and step or turn -- a task does not raise errors of other tasks
    while not task.woken do wait() end
  end
  return stay.task.value
end

local function check_limit(task)
  if task.limit and M.time >= task.limit then
    task.limit = false
    error(M.EXPIRED, 0)
  end
end

-- The task that can wait here.
local function current()
  local task = tasks[running()]
  return task and isyieldable() and task or guest(task)
end

-- Lets the running task or guest wait.
local function hold(task, pollable, events, at)
  if task.guest then return wait_as_guest(task, pollable, events, at) end
  enter(task, pollable, events, at)
  return yield()
end

--- As `wait`, until the time `at` (of `loop.time`; nil: for ever).
function M._wait_until(pollable, events, at)
  local task = tasks[running()] -- `current` and `hold` without the calls: each wait comes here
  if not task or not isyieldable() then task = guest(task) end
  local ready
  if task.guest then
    ready = wait_as_guest(task, pollable, events, at)
  else
    enter(task, pollable, events, at)
    ready = yield()
  end
  if ready then return true end
  check_limit(task)
  return false
end

-- Waits without a poller, since there is no other wait and no other work.
local function wait_alone(pollable, events, timeout)
  local now, fd, bits = core.now, pollable:pollfd(), BITS[events]
  local at = timeout and now() + timeout
  while true do
    local ready, why = wait_one(fd, bits, timeout)
    M.time = now()
    if ready ~= false then return ready or error(why, 0) end -- false: a signal may have come
    timeout = at and at - M.time
    if at and timeout <= 0 then return false end
  end
end

-- The start time of a new wait. Outside of tasks the clock has not been read in this turn.
local function beginning()
  local task = tasks[running()]
  if not task or task.guest then M.time = core.now() end
  return M.time
end

--- Waits until `pollable` is ready for `events` ("r", "w", "rw"), at most
-- `timeout` seconds (nil: for ever); `pollable` nil just waits. Gives true when
-- it is ready, false after the time.
function M.wait(pollable, events, timeout)
  if pollable and live == 0 and parked == 0 and first > last and not host and #failures == 0 then
    return wait_alone(pollable, events, timeout)
  end
  return M._wait_until(pollable, events, timeout and beginning() + timeout)
end

-- Wakes a task that waits at a closing handle, so that it finds the handle closed.
local function release(task)
  if task.waiting == task.fd then enqueue(task) end
  watchers.drop(task)
end

--- Forgets a handle: call it before the handle is closed.
function M.forget(pollable)
  watchers.forget(pollable, release)
end

--- Waits `seconds`.
function M.sleep(seconds)
  if type(seconds) ~= "number" then options.misuse("sleep: a number of seconds is needed") end
  M.wait(nil, nil, seconds)
end

-- ---- tasks ---------------------------------------------------------------

local function finish(task)
  live = live - 1
  watchers.drop(task)
  heap:drop(task)
  if host and not M.busy() then host.kick() end
end

local function trace(message)
  return debug.traceback(tostring(message), 2)
end

-- The body of a task. Its error goes to the resumer of the coroutine: this loop, or a host.
local function body(task, fn, ...)
  local ok, message = xpcall(fn, trace, ...)
  finish(task)
  if not ok then error(message, 0) end
end

--- Starts `fn(...)` as a task at the next turn and gives its handle.
function M.spawn(fn, ...)
  if type(fn) ~= "function" then options.misuse("spawn: a function is needed") end
  get_poller()
  local task = new_task(host and host.spawn and true or false, false)
  if task.guest then
    local given = table.pack(task, fn, ...)
    task.co = host.spawn(task, function() body(table.unpack(given, 1, given.n)) end)
    live = live + 1
    host.attend()
  else
    live = live + 1
    task.co, task.start = coroutine.create(body), table.pack(task, fn, ...)
    enqueue(task)
  end
  tasks[task.co] = task
  return task
end

--- The handle of the running task, or nil outside of tasks. At the time `limit` its waits raise
-- `EXPIRED`.
function M.current()
  local task = tasks[running()]
  return task and not task.foreign and task or nil
end

--- Ends a task where it waits. Its to-be-closed variables are closed, and may wait until `limit`,
-- by default for _CLOSING seconds. Gives false for the running task, which cannot be ended from
-- within, and for a task that waits for something outside of this loop, which would resume it.
function M.cancel(task, limit)
  if task.dead then return true end
  if coroutine.status(task.co) ~= "suspended" then return false end
  if host and not task.guest and not task.waiting then return false end
  task.waiting, task.deadline, task.cancelled = false, false, true
  task.limit = limit or core.now() + M._CLOSING
  local ok, message = coroutine.close(task.co)
  finish(task)
  if not ok then fail(task, message) end
  if task.guest then
    task.woken = true
    host.wake(task)
  end
  return true
end

--- Makes a task that waits for `pollable` look again, as if it were ready.
function M.nudge(task, pollable)
  if task.dead or task.pollable ~= pollable or task.waiting ~= task.fd then return end
  enqueue(task)
end

--- A gate: tasks wait at it (`pass`) until somebody opens it (`wake`).
function M.gate()
  return { open = false }
end

local function leave_gate(gate, task)
  for i = #gate, 1, -1 do
    if gate[i] == task then table.remove(gate, i) end
  end
end

--- Waits until the gate is open, at most `timeout` seconds; gives whether it is.
function M.pass(gate, timeout)
  if gate.open then return true end
  local task = current()
  gate[#gate + 1] = task
  local ok, value = pcall(hold, task, nil, nil, timeout and beginning() + timeout)
  if ok and value then return gate.open end
  leave_gate(gate, task)
  if not ok then error(value, 0) end
  check_limit(task)
  return gate.open
end

--- Opens the gate for good.
function M.wake(gate)
  gate.open = true
  for i = #gate, 1, -1 do
    local task = gate[i]
    gate[i] = nil
    -- Its time has not come.
    if task.waiting and task.waiting ~= TURN then enqueue(task) end
  end
end

--- Begins again in a forked process: the poller, the tasks and the waits are its parent's.
function M._forked()
  watchers.forked()
  host, idle_waiter = nil, nil
  heap, queue, first, last, live, parked, depth = timers.new(), {}, 1, 0, 0, 0, 0
  failures, ready_lists = {}, {}
  tasks = setmetatable({}, getmetatable(tasks))
end

--- Runs the loop until no task is left.
function M.run()
  if host and host.inside() then error("run: a loop runs already", 2) end
  while live > 0 or #failures > 0 do turn() end
end

--- True if anything waits, or there is work.
function M.busy()
  return live > 0 or parked > 0 or first <= last or #failures > 0
end

-- Waits of guests in plain coroutines, which anybody may resume.
local PLAIN = {
  park = function(task)
    repeat yield() until task.woken
  end,
  wake = run,
}

local HOOKS = {
  inside = "function", turn = "function", attend = "function", kick = "function",
  park = "function", wake = "function", spawn = "function",
}

--- Makes another loop the host of this one, for good; see types/smtp/loop.d.lua.
function M.host(hooks)
  if host then error("loop: it has a host already", 2) end
  options.check("loop.host", hooks, HOOKS)
  for _, key in ipairs { "inside", "turn", "attend", "kick" } do
    if not hooks[key] then options.misuse("loop.host: " .. key .. " is required") end
  end
  local made = { park = PLAIN.park, wake = PLAIN.wake }
  for key, hook in pairs(hooks) do made[key] = hook end
  host = made
end

return M
