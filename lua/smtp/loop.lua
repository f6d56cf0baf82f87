-- SPDX-License-Identifier: MIT
--- The loop: tasks are coroutines, and `loop.wait` is the one place to wait. In
-- a task it yields; elsewhere it runs the loop until the thing is ready, so that
-- a blocking script and a server live in one process. An adapter replaces
-- `loop.wait` (and `loop.spawn`), so call them through this table.
local core = require "smtp.core"
local timers = require "smtp.timers"

local M = {}

local READ, WRITE = 1, 2
local BITS = { r = READ, w = WRITE, rw = READ | WRITE }

local poller -- made at the first wait, so that a child process has its own
local heap = timers.new()
local tasks = setmetatable({}, { __mode = "k" }) -- coroutine -> task
local readers, writers = {}, {} -- descriptor -> task that waits
local armed = {} -- descriptor -> bits the poller watches
local owners = setmetatable({}, { __mode = "v" }) -- descriptor -> its pollable
local queue, queued = {}, 0 -- tasks to be resumed in the next turn
local live = 0 -- tasks that have not ended
local depth = 0 -- turns within turns: a coroutine that is no task may wait
local ready_lists = {}

--- The time (monotonic seconds) of the last look at the clock: cheap, and right
-- enough for deadlines within a turn.
M.time = core.now()

--- The time (monotonic seconds), asked of the system.
M.now = core.now

--- Raised in a task that waits beyond its `limit`.
M.EXPIRED = setmetatable({}, { __tostring = function() return "handler timeout" end })

local function get_poller()
  if not poller then poller = assert(core.poller(os.getenv("SMTP_POLLER"))) end
  return poller
end

--- Uses another back-end ("epoll", "kqueue", "poll"); before anything waits.
function M.backend(name)
  if name and not poller then poller = assert(core.poller(name)) end
  return get_poller():backend()
end

-- ---- waiting -------------------------------------------------------------

-- Lets the poller watch for what the tasks at `fd` wait for. A number that was
-- closed and given to another object must be watched anew.
local function arm(fd, pollable)
  local bits = (readers[fd] and READ or 0) | (writers[fd] and WRITE or 0)
  if owners[fd] ~= pollable then
    if armed[fd] then poller:set(fd, 0) end
    armed[fd], owners[fd] = nil, pollable
  end
  if armed[fd] ~= bits then
    poller:set(fd, bits)
    armed[fd] = bits ~= 0 and bits or nil
  end
end

local function enter(task, pollable, events, timeout)
  if timeout then
    task.deadline = M.time + timeout
    if task.limit and task.limit < task.deadline then task.deadline = task.limit end
    heap:arm(task)
  elseif task.limit then
    task.deadline = task.limit
    heap:arm(task)
  end
  if not pollable then return end
  local fd, bits = pollable:pollfd(), BITS[events]
  task.fd = fd
  if bits & READ ~= 0 then readers[fd] = task end
  if bits & WRITE ~= 0 then writers[fd] = task end
  if armed[fd] ~= bits or owners[fd] ~= pollable then arm(fd, pollable) end
end

local function leave(task)
  local fd = task.fd
  if fd then
    if readers[fd] == task then readers[fd] = nil end
    if writers[fd] == task then writers[fd] = nil end
    task.fd = nil
  end
  task.deadline = nil
end

local failures = {} -- errors of tasks, raised by the turn in which they came

local function finish(task, ok, message)
  if coroutine.status(task.co) ~= "dead" then return end
  live = live - 1
  tasks[task.co] = nil
  heap:drop(task)
  if not ok then failures[#failures + 1] = debug.traceback(task.co, tostring(message)) end
end

local function resume(task, value)
  leave(task)
  if not task.co then -- not a task of the loop: somebody runs turns for it
    task.woken, task.value = true, value
    return
  end
  finish(task, coroutine.resume(task.co, value))
end

local function enqueue(task)
  queued = queued + 1
  queue[queued] = task
end

local function run_queue()
  if queued == 0 then return end
  local list, n = queue, queued
  queue, queued = {}, 0
  for i = 1, n do
    local task = list[i]
    if not task.dead and task.start then
      local start = task.start
      task.start = nil
      finish(task, coroutine.resume(task.co, table.unpack(start, 1, start.n)))
    elseif not task.dead then
      resume(task, true)
    end
  end
end

local function dispatch(fd, bits)
  local reader = bits & READ ~= 0 and readers[fd]
  local writer = bits & WRITE ~= 0 and writers[fd]
  if reader then resume(reader, true) end
  if writer and writer ~= reader and writers[fd] == writer then resume(writer, true) end
  if not reader and not writer then -- nobody is interested: do not spin
    local wanted = (readers[fd] and READ or 0) | (writers[fd] and WRITE or 0)
    poller:set(fd, wanted)
    armed[fd] = wanted ~= 0 and wanted or nil
  end
end

--- Runs one turn: waits at most `timeout` seconds (nil: until something is to be
-- done) and resumes what is ready. An error of a task is raised here.
function M.step(timeout)
  get_poller()
  run_queue()
  local left = M.timeout()
  if left and (not timeout or left < timeout) then timeout = left end
  depth = depth + 1
  local ready = ready_lists[depth] or {}
  ready_lists[depth] = ready
  local n = poller:wait(timeout, ready)
  M.time = core.now()
  for i = 1, 2 * n, 2 do dispatch(ready[i], ready[i + 1]) end
  depth = depth - 1
  while true do
    local task = heap:due(M.time)
    if not task then break end
    resume(task, false)
  end
  run_queue()
  if #failures > 0 then error(table.remove(failures, 1), 0) end
end

--- Seconds until the loop has work of its own, 0 if it has, nil for never.
function M.timeout()
  if queued > 0 then return 0 end
  local at = heap:next()
  if not at then return nil end
  local left = at - core.now()
  return left > 0 and left or 0
end

--- A descriptor that is readable when there is work, or nil and why not.
function M.pollfd()
  return get_poller():pollfd()
end

-- Runs turns until `task`, which has no coroutine, was resumed.
local function drive(task)
  task.woken = false
  while not task.woken do M.step() end
  return task.value
end

-- Waiters of those who are no task are used again; a nested one makes its own.
local idle_waiter = {}

local function check_limit(task)
  if task.limit and M.time >= task.limit then
    task.limit = nil
    error(M.EXPIRED, 0)
  end
end

--- Waits until `pollable` is ready for `events` ("r", "w", "rw"), at most
-- `timeout` seconds (nil: for ever); `pollable` nil just waits. Gives true when
-- it is ready, false after the time.
function M.wait(pollable, events, timeout)
  local task = tasks[coroutine.running()]
  get_poller()
  if task then
    enter(task, pollable, events, timeout)
    local value = coroutine.yield()
    if not value then check_limit(task) end
    return value
  end
  M.time = core.now()
  task = idle_waiter or {}
  idle_waiter = nil
  enter(task, pollable, events, timeout)
  local ok, value = pcall(drive, task)
  leave(task)
  idle_waiter = task
  if not ok then error(value, 0) end
  return value
end

--- Lets go of a handle that is about to be closed: call it before the close.
function M.forget(pollable)
  local fd = pollable:pollfd()
  if owners[fd] ~= pollable then return end
  if armed[fd] then poller:set(fd, 0) end
  armed[fd], owners[fd], readers[fd], writers[fd] = nil, nil, nil, nil
end

--- Waits `seconds`.
function M.sleep(seconds)
  if type(seconds) ~= "number" then error("sleep: a number of seconds is needed", 2) end
  M.wait(nil, nil, seconds)
end

-- ---- tasks ---------------------------------------------------------------

--- Starts `fn(...)` as a task at the next turn and gives its handle.
function M.spawn(fn, ...)
  local task = { co = coroutine.create(fn), start = table.pack(...) }
  tasks[task.co] = task
  live = live + 1
  enqueue(task)
  return task
end

--- Ends a task where it waits; its to-be-closed variables are closed. A task
-- that runs now cannot be ended by itself.
function M.cancel(task)
  if task.dead or coroutine.status(task.co) ~= "suspended" then return end
  leave(task)
  local ok, message = coroutine.close(task.co)
  finish(task, ok, message)
end

--- Makes a task that waits for a pollable look again, as if it were ready.
function M.nudge(task)
  if task.dead or not task.fd then return end
  leave(task)
  enqueue(task)
end

--- Waits until `wake` is called with the gate that was made by `gate`.
function M.gate()
  return { open = false }
end

function M.pass(gate, timeout)
  if gate.open then return true end
  local task = tasks[coroutine.running()]
  if not task then
    local limit = timeout and core.now() + timeout
    while not gate.open and (not limit or core.now() < limit) do
      M.step(limit and math.max(limit - core.now(), 0))
    end
    return gate.open
  end
  gate.task = task
  enter(task, nil, nil, timeout)
  local value = coroutine.yield()
  gate.task = nil
  if not value then check_limit(task) end
  return gate.open
end

function M.wake(gate)
  gate.open = true
  if gate.task then
    enqueue(gate.task)
    gate.task = nil
  end
end

--- Sets the time at which the running task's waits raise `EXPIRED`; nil for
-- never. Gives the one before.
function M.limit(at)
  local task = tasks[coroutine.running()]
  if not task then return nil end
  local before = task.limit
  task.limit = at
  return before
end

--- Runs the loop until no task is left.
function M.run()
  while live > 0 do M.step() end
end

return M
