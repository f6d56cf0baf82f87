-- SPDX-License-Identifier: MIT
--- A bar on a terminal for what takes longer than half a second.
local core = require "smtp.core"
local shell = require "smtp.cli.shell"

local M = {}

local QUIET, EVERY = 0.5, 0.1 -- seconds: before the first bar, and between two
local WIDTH = 30

--- The text of a bar.
function M.text(sent, size)
  local mega = ("%.1f MB"):format(sent / 1e6)
  if not size or size == 0 then return mega end
  local part = math.min(sent / size, 1)
  local full = part * WIDTH // 1
  return ("[%s%s] %3d%% %s"):format(("#"):rep(full), ("."):rep(WIDTH - full), part * 100 // 1, mega)
end

--- A function for `progress` and one that wipes the bar away; without a terminal they do
-- nothing.
function M.new()
  if not shell.is_terminal(2) then return nil, function() end end
  local since, last, shown = core.now(), 0, false
  local function show(sent, size)
    local now = core.now()
    if now - since < QUIET or now - last < EVERY and sent ~= size then return end
    last, shown = now, true
    io.stderr:write("\r", M.text(sent, size))
  end
  return show, function()
    if shown then io.stderr:write("\r\27[K") end
  end
end

return M
