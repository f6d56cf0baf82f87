-- SPDX-License-Identifier: MIT
--- Runs the loop beside the other work of luv. See types/smtp/adapter.d.lua.
--
-- A poll handle watches the loop's one descriptor, a timer the loop's next deadline, and both
-- give the loop a turn. So deadlines, gates, limits and the ending of tasks stay in the loop.
-- luv has no coroutines of its own: code for it yields, and a callback resumes it. So tasks are
-- the loop's own, a coroutine of the user waits by a yield, and both may wait for callbacks of
-- luv as well.
require "smtp.base.version"
local uv = require "luv"
local loop = require "smtp.loop"

local watch = assert(uv.new_poll(assert(loop.pollfd())))
local timer = assert(uv.new_timer())
local turning = false
local turn

-- The handles are active, and keep luv's loop running, as long as something waits.
local function arm()
  if not loop.busy() then
    watch:stop()
    timer:stop()
    return
  end
  watch:start("r", turn)
  local left = loop.timeout()
  if left then
    uv.update_time() -- the timer counts from luv's last look at the clock
    timer:start(math.ceil(left * 1000), 0, turn)
  else
    timer:stop()
  end
end

function turn()
  turning = true
  local ok, why = pcall(loop.step, 0)
  turning = false
  arm()
  if not ok then error(why, 0) end
end

local hooks = {}

-- A turn arms at its end.
function hooks.attend()
  if not turning then arm() end
end

hooks.kick = hooks.attend

-- The main chunk and callbacks are not coroutines.
hooks.inside = coroutine.isyieldable

function hooks.turn()
  if uv.loop_mode() then
    error("a callback of luv must not wait: use a coroutine, or smtp.loop.spawn", 0)
  end
  uv.run("once")
end

loop.host(hooks)

return true
