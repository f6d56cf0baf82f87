-- SPDX-License-Identifier: MIT
--- Waits for a change that a mock's thread reports.
local core = require "smtp.core"
local errors = require "smtp.error"
local loop = require "smtp.loop"
local options = require "smtp.base.options"

--- Waits until `look` gives a value, or a second one that is true, at most for `seconds`;
-- `peer` is for the error.
return function(machine, peer, seconds, look)
  if type(seconds) ~= "number" or seconds ~= seconds then
    options.misuse(("mock: the time to wait must be a number of seconds, not %s"):format(
      type(seconds) == "number" and tostring(seconds) or "a " .. type(seconds)))
  end
  local limit = core.now() + seconds
  local watch <close>, why, cause = machine:watch()
  if not watch then
    return nil, errors.new { kind = "system", peer = peer, message = why, cause = cause }
  end
  while true do
    watch:drain()
    local value, over = look()
    local left = limit - core.now()
    if value or over or left <= 0 then
      loop.forget(watch)
      return value
    end
    loop.wait(watch, "r", left)
  end
end
