-- SPDX-License-Identifier: MIT
-- Draws faults by a seed: the folders take turns, and in each the kinds take turns, so that the
-- many constants do not push out the few results. A fault's rank in its kind is a hash of the
-- seed, the file and the lines around the fault: a change elsewhere in the source leaves the
-- other faults of a seed in their order. A fault comes once.
local operators = require("mutants.operators")

local M = {}

--- A hash of a text (FNV-1a, its bits mixed as splitmix64 does): equal under any Lua.
function M.hash(text)
  local z = 0xcbf29ce484222325
  for i = 1, #text do z = (z ~ text:byte(i)) * 0x100000001b3 end
  z = (z ~ (z >> 30)) * 0xbf58476d1ce4e5b9
  z = (z ~ (z >> 27)) * 0x94d049bb133111eb
  return z ~ (z >> 31)
end

-- The faults of a folder: a list for each kind that has some, the first in rank at its end.
local function kinds_of(folder, seed)
  local kinds, by_kind, ordinals = {}, {}, {}
  for _, kind in ipairs(operators.KINDS) do by_kind[kind] = {} end
  for _, file in ipairs(folder.files) do
    for _, fault in ipairs(operators.list(file.name, file.text)) do
      local _, is = operators.change(file.text, fault, 1)
      local key = table.concat({ seed, file.name, fault.kind, is }, "\n")
      ordinals[key] = (ordinals[key] or 0) + 1
      fault.rank = M.hash(key .. "\n" .. ordinals[key])
      fault.file, fault.folder = file, folder.name
      table.insert(by_kind[fault.kind], fault)
    end
  end
  for _, kind in ipairs(operators.KINDS) do
    local list = by_kind[kind]
    table.sort(list, function(a, b) return a.rank > b.rank end)
    if #list > 0 then kinds[#kinds + 1] = list end
  end
  return kinds
end

-- Calls take(list[1]), take(list[2]) ... in turn, and drops what gives nothing any more.
local function in_turn(list, take)
  local turn = 0
  return function()
    while #list > 0 do
      turn = turn % #list + 1
      local one = take(list[turn])
      if one then return one end
      table.remove(list, turn)
      turn = turn - 1
    end
  end
end

--- folders: { { name, files = { { name, text } } } }. Gives a function that gives the next
--- fault, with its file and folder, and nil when there is none left.
function M.draw(folders, seed)
  local draws = {}
  for i, folder in ipairs(folders) do draws[i] = in_turn(kinds_of(folder, seed), table.remove) end
  return in_turn(draws, function(draw) return draw() end)
end

return M
