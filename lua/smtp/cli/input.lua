-- SPDX-License-Identifier: MIT
--- Standard input, read so that the loop goes on meanwhile: nothing is taken before there
-- is something, and no byte of it hides in a buffer.
local core = require "smtp.core"
local loop = require "smtp.loop"

local M = {}

local stdin = { pollfd = function() return 0 end }

local pollable -- a file, or /dev/null, is not: it is always ready

local function prepare()
  if pollable ~= nil then return end
  io.stdin:setvbuf("no")
  local poller <close> = assert(core.poller(loop.backend()))
  pollable = poller:set(0, 1) and true or false
end

local function read(what)
  prepare()
  if pollable then loop.wait(stdin, "r") end
  return io.stdin:read(what)
end

--- The next line without its end, nil at the end.
function M.line()
  local line = read("l")
  return line and line:gsub("\r$", "") or nil
end

--- Waits for the end; what comes before it is dropped.
function M.drain()
  while read(1) do end -- luacheck: ignore
end

return M
