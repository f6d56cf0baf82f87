-- SPDX-License-Identifier: MIT
--- Runs the loop beside the other work of a cqueues controller. See types/smtp/adapter.d.lua.
--
-- A thread of the controller (the pump) polls the loop's one descriptor, and gives the loop a
-- turn when it has work. So deadlines, gates and limits stay in the loop, and a connection costs
-- cqueues one condition variable. A turn only signals; the code of a task runs in a thread of its
-- own, so that a handler may also poll objects of cqueues. The task is a coroutine within that
-- thread: the loop can end it where it waits; a controller cannot end its threads.
require "smtp.base.version"
local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local auxlib = require "cqueues.auxlib"
local loop = require "smtp.loop"

local M = {}

local home -- the controller for calls from outside of all
local pumps = setmetatable({}, { __mode = "k" }) -- controller -> true
local bell = condition.new() -- the pumps look again
local source = { pollfd = assert(loop.pollfd()), events = "r" }

local attend

-- Several pumps do no harm; each lives as long as something waits. An error in a turn ends the
-- thread, as cqueues requires, and another thread takes over.
local function pump(controller)
  local ok, why = true, nil
  while ok and loop.busy() do
    cqueues.poll(source, bell, loop.timeout())
    ok, why = pcall(loop.step, 0)
  end
  pumps[controller] = nil
  if ok then return end
  attend()
  error(why, 0)
end

function attend()
  local controller = cqueues.running() or home
  if not controller or pumps[controller] or not loop.busy() then return end
  pumps[controller] = true
  controller:wrap(pump, controller)
end

local hooks = { attend = attend }

function hooks.kick()
  attend()
  bell:signal()
end

function hooks.inside()
  return cqueues.running() ~= nil
end

function hooks.turn()
  if not home then return loop.step() end
  local ok, why = home:step()
  if not ok then error(why, 0) end
end

function hooks.park(task)
  task.condition = task.condition or condition.new()
  while not task.woken do cqueues.poll(task.condition) end
end

function hooks.wake(task)
  if task.condition then task.condition:signal() end
end

function hooks.spawn(task, main)
  local controller = cqueues.running() or home
  if not controller then
    error("smtp.adapter.cqueues: outside of a controller, say first which: host(controller)", 0)
  end
  local co = coroutine.create(main)
  controller:wrap(function()
    local ok, why = auxlib.resume(co)
    if not ok and not task.cancelled then error(why, 0) end
  end)
  return co
end

--- Sets the controller for calls from outside of all controllers.
function M.host(controller)
  home = controller
  attend()
end

loop.host(hooks)

return M
