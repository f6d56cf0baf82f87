-- SPDX-License-Identifier: MIT
-- The queue of items for the workers: a file each in a folder, taken by a rename, so that
-- each item goes to one worker. A file is a table of Lua; a special file ends the queue.
local copy = require("mutants.copy")

local M = {}

local Queue = {}
Queue.__index = Queue

function M.at(folder)
  return setmetatable({ folder = folder, last = 0, next = 1 }, Queue)
end

local function exists(name)
  local file <close> = io.open(name, "rb")
  return file ~= nil
end

local function written(item)
  local fields = {}
  for key, value in pairs(item) do fields[#fields + 1] = ("[%q] = %q"):format(key, value) end
  return "return {" .. table.concat(fields, ",\n") .. "}\n"
end

--- A table of strings and numbers.
function Queue:put(item)
  self.last = self.last + 1
  local name = ("%s/%d"):format(self.folder, self.last)
  copy.write(name .. ".new", written(item))
  assert(os.rename(name .. ".new", name))
end

function Queue:finish()
  copy.write(self.folder .. "/end", tostring(self.last))
end

--- The next item that nobody has taken, nil at the end; waits for it.
function Queue:take()
  while true do
    local name = ("%s/%d"):format(self.folder, self.next)
    if os.rename(name, name .. ".taken") then
      self.next = self.next + 1
      return assert(loadfile(name .. ".taken"))()
    elseif exists(name .. ".taken") then
      self.next = self.next + 1
    elseif exists(self.folder .. "/end") then
      local file <close> = assert(io.open(self.folder .. "/end"))
      if self.next > file:read("n") then return nil end
    else
      copy.sh("sleep 0.2")
    end
  end
end

return M
