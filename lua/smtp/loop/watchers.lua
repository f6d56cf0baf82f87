-- SPDX-License-Identifier: MIT
--- The tasks that watch descriptors, and the poller that watches for them. A waiting task has
-- `waiting`: the descriptor, or true without one. It stays registered for its last pollable
-- (`pollable`, `events`), so that the usual turn (wait for that pollable again) changes no table
-- and asks no poller.
local core = require "smtp.core"

local M = {}

local READ, WRITE, ALONE = 1, 2, 4
local BITS = { r = READ, w = WRITE, rw = READ | WRITE }

M.BITS = BITS

local poller -- made at the first wait
local readers, writers = {}, {} -- descriptor -> task that watches it
local armed = {} -- descriptor -> bits the poller watches
local owners = setmetatable({}, { __mode = "v" }) -- descriptor -> its pollable
local shared = setmetatable({}, { __mode = "k" }) -- pollables of several processes

--- The poller; a new one has the back-end `name`, or that of SMTP_POLLER.
function M.poller(name)
  if not poller then poller = assert(core.poller(name or os.getenv("SMTP_POLLER"))) end
  return poller
end

-- Lets the poller watch for the events of the tasks at `fd`. A number that was
-- closed and given to another object must be watched again.
local function arm(fd, pollable)
  local bits = (readers[fd] and READ or 0) | (writers[fd] and WRITE or 0)
  if shared[pollable] and bits ~= 0 then bits = bits | ALONE end
  if owners[fd] ~= pollable then
    if armed[fd] then poller:set(fd, 0) end
    armed[fd], owners[fd] = nil, pollable
  end
  if armed[fd] ~= bits then
    poller:set(fd, bits)
    armed[fd] = bits ~= 0 and bits or nil
  end
end

--- Ends the registration of a task; the poller learns it at the next unwanted event.
function M.drop(task)
  local fd = task.fd
  if not fd then return end
  if readers[fd] == task then readers[fd] = nil end
  if writers[fd] == task then writers[fd] = nil end
  task.fd, task.pollable = false, false
end

local function is_taken(watcher, task, fd)
  return watcher and watcher ~= task and watcher.waiting == fd
end

--- Registers the task for a pollable.
function M.set(task, pollable, events)
  M.drop(task)
  local fd, bits = pollable:pollfd(), BITS[events]
  if bits & READ ~= 0 and is_taken(readers[fd], task, fd) or
    bits & WRITE ~= 0 and is_taken(writers[fd], task, fd) then
    task.deadline = false
    error("another task waits for this already: each needs a connection of its own", 0)
  end
  if bits & READ ~= 0 then
    if readers[fd] then M.drop(readers[fd]) end
    readers[fd] = task
  end
  if bits & WRITE ~= 0 then
    if writers[fd] then M.drop(writers[fd]) end
    writers[fd] = task
  end
  task.fd, task.pollable, task.events = fd, pollable, events
  arm(fd, pollable)
end

-- Disarms a descriptor after an event without a waiting task, so that the loop does not spin. A
-- later wait asks the poller again.
local function disarm(fd)
  local reader, writer = readers[fd], writers[fd]
  if reader then M.drop(reader) end
  if writer then M.drop(writer) end
  poller:set(fd, 0)
  armed[fd] = nil
end

--- Resumes the tasks that wait for these events, by `resume(task, true)`.
function M.dispatch(fd, bits, resume)
  local reader, writer = readers[fd], writers[fd]
  if bits == READ and reader and reader.waiting == fd then return resume(reader, true) end
  local wanted = false
  if reader and bits & READ ~= 0 and reader.waiting == fd then
    wanted = true
    resume(reader, true)
  end
  if writer and bits & WRITE ~= 0 and writer.waiting == fd and writers[fd] == writer and
    (writer ~= reader or not wanted) then
    wanted = true
    resume(writer, true)
  end
  if wanted then return end
  -- One side may have an event that only the other side watches for.
  if reader and reader.waiting == fd or writer and writer.waiting == fd then
    if reader and reader.waiting ~= fd then M.drop(reader) end
    if writer and writer.waiting ~= fd then M.drop(writer) end
    arm(fd, owners[fd])
  else
    disarm(fd)
  end
end

--- Forgets a handle; `release(task)` is called for each task that is registered for it.
function M.forget(pollable, release)
  local fd = pollable:pollfd()
  if owners[fd] ~= pollable then return end
  if armed[fd] then poller:set(fd, 0) end
  if readers[fd] then release(readers[fd]) end
  if writers[fd] then release(writers[fd]) end
  armed[fd], owners[fd] = nil, nil
end

--- Makes an event of this pollable wake one of the waiting processes, not all.
function M.share(pollable)
  shared[pollable] = true
end

--- Begins again in a forked process: the poller is its parent's.
function M.forked()
  if poller then
    local name = poller:backend()
    poller:close()
    poller = assert(core.poller(name))
  end
  readers, writers, armed = {}, {}, {}
  owners = setmetatable({}, getmetatable(owners))
end

return M
