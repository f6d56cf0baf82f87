-- SPDX-License-Identifier: MIT
-- The child of spec/linear_spec.lua: counts the work that each case takes at n, 2n and 4n,
-- and prints "name <TAB> measure <TAB> work at n, 2n, 4n". Work is counted, not timed, so
-- a loaded machine changes nothing:
--   instructions of Lua's machine, where the functions of `string` with patterns, and
--   those of `table` that move, are written in Lua (spec/support/patterns.lua);
--   basic blocks of csrc/core and csrc/mime (spec/support/steps.c);
--   bytes that were allocated, which tells of copies.
local library, filter = ...
local patterns = require "spec.support.patterns"

local blocks = assert(package.loadlib(library, "smtp_steps"))
local cases = require "spec.support.work_cases"

local function load_all() -- before anything is counted
  for _, case in ipairs(cases) do pcall(case.run(4)) end
end
load_all()

for name, fn in pairs(patterns) do string[name] = fn end -- luacheck: ignore 122

local append = table.insert
function table.insert(list, at, ...) -- luacheck: ignore 122
  if select("#", ...) == 0 then return append(list, at) end
  for i = #list, at, -1 do list[i + 1] = list[i] end
  list[at] = (...)
end

local native_remove = table.remove
function table.remove(list, at) -- luacheck: ignore 122
  if not at or at >= #list then return native_remove(list, at) end
  local value = list[at]
  for i = at, #list do list[i] = list[i + 1] end
  return value
end

local native_len = utf8.len
local extra = 0 -- work that is told by length
function utf8.len(text, ...) -- luacheck: ignore 122
  extra = extra + #text
  return native_len(text, ...)
end

local EACH = 100
local MOST = 100000000 // EACH

-- Instructions, blocks and bytes of fn.
local function measure(fn)
  local ticks = 0
  local before, bytes = blocks(), collectgarbage("count")
  extra = 0
  debug.sethook(function()
    ticks = ticks + 1
    if ticks > MOST then
      debug.sethook()
      error("too much work", 0)
    end
  end, "", EACH)
  local ok, why = pcall(fn)
  debug.sethook()
  bytes = (collectgarbage("count") - bytes) * 1024
  if ticks > MOST then return nil end
  if not ok then error(why, 0) end
  return { instructions = ticks * EACH + extra, blocks = blocks() - before, bytes = bytes // 1 }
end

collectgarbage("stop") -- so that bytes only grow
for i, case in ipairs(cases) do
  if i % 200 == 0 then
    collectgarbage()
    collectgarbage("stop")
  end
  if not filter or case.name:find(filter, 1, true) then
    pcall(case.run(8)) -- patterns are compiled once
    local works = {}
    for k, n in ipairs { case.n, 2 * case.n, 4 * case.n } do
      works[k] = measure(case.run(n))
      if not works[k] then break end
    end
    for _, kind in ipairs { "instructions", "blocks", "bytes" } do
      local row = {}
      for k = 1, 3 do row[k] = works[k] and ("%d"):format(works[k][kind]) or "inf" end
      print(("%s\t%s\t%s"):format(case.name, kind, table.concat(row, "\t")))
    end
  end
end
