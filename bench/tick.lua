-- SPDX-License-Identifier: MIT
-- bench/tick.lua: returns a function that a program calls for each message it is through with.
--
-- It does nothing, unless the environment has TICK = "CYCLES STEP MOST FILE". Then the program
-- ends, at once and with the count of its messages in FILE, when that many cycles of garbage
-- collection have ended since the first call, or after MOST messages. It goes on to a multiple of
-- STEP, without a collector. Two runs so differ by whole cycles: the cost of one, which is that of
-- some hundred messages, is never in a difference by chance.

local TICK = os.getenv("TICK")
if not TICK then return function() end end

local cycles, step, most, name = TICK:match("^(%d+) (%d+) (%d+) (.+)$")
cycles, step, most = math.tointeger(cycles), math.tointeger(step), math.tointeger(most)

local messages, ended = 0, nil

-- Garbage that the next cycle finds.
local function leave()
  setmetatable({}, { __gc = function()
    ended = ended + 1
    leave()
  end })
end

return function()
  if not ended then
    ended = 0
    leave()
  end
  messages = messages + 1
  if ended < cycles and messages < most then return end
  collectgarbage("stop")
  if messages % step ~= 0 then return end
  local file <close> = assert(io.open(name, "w"))
  assert(file:write(messages, "\n"))
  file:close()
  os.exit(true, false)
end
