-- SPDX-License-Identifier: MIT
--- Runs the loop beside the other work of copas. See types/smtp/adapter.d.lua.
--
-- All versions of copas can wait for a socket that LuaSocket's `select` finds readable, and for
-- nothing else. So each wait looks like such a socket. A thread (the pump) waits for an object
-- with the loop's descriptor, and gives the loop a turn. Each task is a thread, too, so that a
-- handler may also wait for objects of copas. The object of a waiting task has a descriptor that
-- is never readable. When the loop wakes the task, the object becomes "dirty", and `select` takes
-- it for readable. The next deadline bounds the step of copas.
require "smtp.base.version"
local copas = require "copas"
local core = require "smtp.core"
local loop = require "smtp.loop"

local never = assert(core.poller(loop.backend())) -- it watches nothing
local pumping = false
local changed = false -- there may be an earlier deadline than `select` knows of

local function nothing() end

local function object(fd, is_ready)
  return {
    getfd = function() return fd end,
    dirty = is_ready,
    receive = function()
      if is_ready() then return "" end
      return nil, "timeout"
    end,
    close = nothing, -- copas closes the last object of a thread
    settimeout = nothing,
  }
end

local watch = object(assert(loop.pollfd()), function()
  return changed or loop.timeout() == 0 or not loop.busy()
end)

-- `select` has found the object readable already; there is nothing to receive.
function watch:receive()
  self.asked = not self.asked
  if self.asked then return nil, "timeout" end
  return ""
end

local hooks = { inside = coroutine.isyieldable }

-- An error in a turn ends the thread, as copas requires, and another thread takes over.
local function pump()
  local ok, why = true, nil
  while ok and loop.busy() do
    copas.receive(watch)
    changed = false
    ok, why = pcall(loop.step, 0)
  end
  pumping = false
  if ok then return end
  hooks.attend()
  error(why, 0)
end

function hooks.attend()
  if pumping or not loop.busy() then return end
  pumping = true
  copas.addthread(pump)
end

function hooks.kick()
  changed = true
  hooks.attend()
end

function hooks.turn()
  copas.step()
end

function hooks.park(task)
  task.object = task.object or object(never:pollfd(), function() return task.woken end)
  while not task.woken do copas.receive(task.object) end
end

-- Copas forgets a thread that was ended.
function hooks.wake(task)
  if task.cancelled and copas.removethread then copas.removethread(task.co) end
end

function hooks.spawn(task, main)
  task.woken = false
  local co = copas.addthread(function()
    if not copas.removethread then -- the first versions of copas
      copas.setErrorHandler(function(...)
        if not task.cancelled then print(...) end
      end)
    end
    hooks.park(task)
    main()
  end)
  task.woken = true
  return co
end

local step = copas.step

function copas.step(timeout)
  local left = loop.timeout()
  if left and (not timeout or left < timeout) then timeout = left end
  return step(timeout)
end

loop.host(hooks)

return true
