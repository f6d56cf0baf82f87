-- SPDX-License-Identifier: MIT
--- Waits for a change that a mock's thread reports.
local core = require "smtp.core"
local errors = require "smtp.error"
local loop = require "smtp.loop"
local options = require "smtp.base.options"

--- Waits until `look` gives a value, at most for a time; default: the mock's own time.
return function(mock, seconds, look)
  seconds = seconds or mock._timeout
  if type(seconds) ~= "number" or seconds ~= seconds then
    options.misuse(("mock: the time to wait must be a number of seconds, not %s"):format(
      type(seconds) == "number" and tostring(seconds) or "a " .. type(seconds)))
  end
  local limit = core.now() + seconds
  local watch <close>, why, cause = mock._core:watch()
  if not watch then
    return nil, errors.new { kind = "system", peer = mock.url, message = why, cause = cause }
  end
  while true do
    watch:drain()
    local value = look()
    local left = limit - core.now()
    if value or left <= 0 or mock._stopped then
      loop.forget(watch)
      return value
    end
    loop.wait(watch, "r", left)
  end
end
