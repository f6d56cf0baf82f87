-- SPDX-License-Identifier: MIT
--- The resident memory of this process, as Linux counts it.
local M = {}

local before

-- A field of /proc/self/status, in KiB; nil where there is none.
local function field(name)
  local file <close> = io.open("/proc/self/status")
  return file and math.tointeger(file:read("a"):match(name .. ":%s*(%d+) kB"))
end

--- Whether it can be told here.
function M.known() return field("VmRSS") ~= nil and field("VmHWM") ~= nil end

--- Notes what it is now.
function M.begin() before = field("VmRSS") end

--- Prints `bytes`, what it was at `begin`, and the most that it ever was.
function M.report(bytes)
  print(("%d %d %d"):format(bytes, before, field("VmHWM")))
  io.flush()
end

return M
