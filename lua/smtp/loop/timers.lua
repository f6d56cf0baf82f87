-- SPDX-License-Identifier: MIT
--- A binary heap of deadlines that is lazy: a task that waits again with a later
-- deadline leaves its entry where it is, and the entry moves only when its time
-- comes. So the usual wait, whose deadline never arrives, costs no heap work.
--
-- A task is a table; `task.deadline` is when it must be woken (false: never), and
-- `task.entry` belongs to the heap: the time of its entry.
local M = {}
M.__index = M

-- Dead entries, of tasks that ended or have an earlier one by now, are swept out
-- when there are more of them than of live ones.
local SWEEP = 64

function M.new()
  return setmetatable({ n = 0, dead = 0, times = {}, tasks = {} }, M)
end

local function up(h, i)
  local times, tasks = h.times, h.tasks
  local time, task = times[i], tasks[i]
  while i > 1 do
    local parent = i // 2
    if times[parent] <= time then break end
    times[i], tasks[i] = times[parent], tasks[parent]
    i = parent
  end
  times[i], tasks[i] = time, task
end

local function down(h, i)
  local times, tasks, n = h.times, h.tasks, h.n
  local time, task = times[i], tasks[i]
  while true do
    local child = 2 * i
    if child > n then break end
    if child < n and times[child + 1] < times[child] then child = child + 1 end
    if time <= times[child] then break end
    times[i], tasks[i] = times[child], tasks[child]
    i = child
  end
  times[i], tasks[i] = time, task
end

local function push(h, time, task)
  local n = h.n + 1
  h.n, h.times[n], h.tasks[n] = n, time, task
  task.entry = time
  up(h, n)
end

local function pop(h)
  local n = h.n
  h.times[1], h.tasks[1] = h.times[n], h.tasks[n]
  h.times[n], h.tasks[n] = nil, nil
  h.n = n - 1
  if n > 2 then down(h, 1) end
end

local function sweep(h)
  local times, tasks, kept = {}, {}, 0
  for i = 1, h.n do
    local task = h.tasks[i]
    if not task.dead and task.entry == h.times[i] then
      kept = kept + 1
      times[kept], tasks[kept] = h.times[i], task
    end
  end
  h.times, h.tasks, h.n, h.dead = times, tasks, kept, 0
  for i = kept // 2, 1, -1 do down(h, i) end
end

local function bury(h)
  h.dead = h.dead + 1
  if h.dead > SWEEP and h.dead > h.n // 2 then sweep(h) end
end

--- Sees to it that `task`, whose deadline was just set, is woken in time.
function M:arm(task)
  local entry = task.entry
  if entry and task.deadline >= entry then return end
  push(self, task.deadline, task)
  if entry then bury(self) end
end

--- The task has ended: its entries are dead.
function M:drop(task)
  task.dead, task.deadline = true, false
  if task.entry then bury(self) end
end

--- The task waits for nothing now, and perhaps never again: nobody tells of its end.
function M:leave(task)
  if not task.entry then return end
  task.entry = false
  bury(self)
end

--- Gives the next task whose deadline is at or before `now`, or nil.
function M:due(now)
  while self.n > 0 and self.times[1] <= now do
    local time, task = self.times[1], self.tasks[1]
    pop(self)
    if task.dead or task.entry ~= time then
      self.dead = self.dead - 1
    else
      task.entry = false
      local deadline = task.deadline
      if deadline and deadline <= now then return task end
      if deadline then push(self, deadline, task) end
    end
  end
  return nil
end

--- When `due` should be asked again, or nil. May be too early, never too late.
function M:next()
  return self.times[1]
end

return M
