-- SPDX-License-Identifier: MIT
-- Draws faults by a seed: the folders take turns, and in each a kind is drawn first and a
-- fault of it then, so that the many constants do not push out the few results. A fault
-- comes once.
local operators = require("mutants.operators")

local M = {}

-- A generator of our own (splitmix64): a seed means the same faults under any Lua.
function M.random(seed)
  local state = seed
  return function(n) -- 1..n
    state = state + 0x9e3779b97f4a7c15
    local z = state
    z = (z ~ (z >> 30)) * 0xbf58476d1ce4e5b9
    z = (z ~ (z >> 27)) * 0x94d049bb133111eb
    return ((z ~ (z >> 31)) >> 1) % n + 1
  end
end

local function take(list, i)
  local one = list[i]
  list[i] = list[#list]
  list[#list] = nil
  return one
end

-- The faults of a folder by kind; a kind that has none is left out.
local function kinds_of(files)
  local kinds = {}
  for _, kind in ipairs(operators.KINDS) do kinds[#kinds + 1] = { kind = kind } end
  for _, file in ipairs(files) do
    for _, fault in ipairs(operators.list(file.name, file.text)) do
      fault.file = file
      for _, list in ipairs(kinds) do
        if list.kind == fault.kind then list[#list + 1] = fault end
      end
    end
  end
  for i = #kinds, 1, -1 do
    if #kinds[i] == 0 then table.remove(kinds, i) end
  end
  return kinds
end

--- folders: { { name, files = { { name, text } } } }. Gives a function that gives the next
--- fault, with its file and folder, and nil when there is none left.
function M.draw(folders, seed)
  local random = M.random(seed)
  local left = {}
  for _, folder in ipairs(folders) do
    left[#left + 1] = { name = folder.name, kinds = kinds_of(folder.files) }
  end
  local turn = 0
  return function()
    while #left > 0 do
      turn = turn % #left + 1
      local folder = left[turn]
      local kinds = folder.kinds
      if #kinds == 0 then
        table.remove(left, turn)
        turn = turn - 1
      else
        local i = random(#kinds)
        local fault = take(kinds[i], random(#kinds[i]))
        if #kinds[i] == 0 then table.remove(kinds, i) end
        fault.folder = folder.name
        return fault
      end
    end
  end
end

return M
