-- SPDX-License-Identifier: MIT
-- The part of malloc's memory that a function leaves, without Lua's own: bytes of a round, the
-- least of some tries; nothing where malloc does not tell.
local probe = require "probe"

local ROUNDS, TRIES = 500, 5

local function held()
  collectgarbage()
  collectgarbage()
  return probe.in_use() - math.floor(collectgarbage("count") * 1024)
end

return function(round)
  if not probe.in_use() then return end
  for _ = 1, ROUNDS do round() end
  local least = math.huge
  for _ = 1, TRIES do
    local before = held()
    for _ = 1, ROUNDS do round() end
    least = math.min(least, (held() - before) / ROUNDS)
  end
  return least
end
