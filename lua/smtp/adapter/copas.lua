-- SPDX-License-Identifier: MIT
--- Runs the loop beside what else copas does.
-- Internal: what users see of it is in types/smtp/adapter.d.lua.
--
-- All that the versions of copas have in common to wait for is a socket that LuaSocket's
-- `select` finds readable. So what waits here looks like one. A thread (the pump) waits
-- for one that has the loop's descriptor, and gives the loop a turn. Each task is a thread
-- too, so that a handler may also wait for what is copas's; the object that it waits for
-- has a descriptor which is never readable, and is "dirty", which `select` takes for
-- readable, once the loop has woken it. The next deadline bounds the step of copas.
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
    close = nothing, -- copas closes what a thread waited for last
    settimeout = nothing,
  }
end

local watch = object(assert(loop.pollfd()), function()
  return changed or loop.timeout() == 0 or not loop.busy()
end)

-- Readable is enough: there is something after each time that `select` was asked.
function watch:receive()
  self.asked = not self.asked
  if self.asked then return nil, "timeout" end
  return ""
end

local hooks = { inside = coroutine.isyieldable }

-- What a turn raises ends the thread, as copas has it, and another one takes over.
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

-- A thread that was ended has nothing more to say to copas.
function hooks.wake(task)
  if task.cancelled and copas.removethread then copas.removethread(task.co) end
end

function hooks.spawn(task, main)
  task.woken = false
  local co = copas.addthread(function()
    if not copas.removethread then -- the first ones of copas cannot be told
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
