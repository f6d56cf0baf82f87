-- SPDX-License-Identifier: MIT
-- bench/report.lua: what is printed, and bench/results.md.
--
-- A report is a head, the facts of the machine, and a section for each row, which begins with
-- "## ID:". A run of all rows makes the file anew. A run of some puts their sections in the place
-- of the old ones and keeps the head and all else, so it has to be on the same machine.

local M = {}

local FILE = "bench/results.md"

local head, sections = {}, {} -- lines; id -> lines
local current = head

function M.say(format, ...)
  local line = format:format(...)
  current[#current + 1] = line
  print(line)
  io.stdout:flush()
end

-- What is said from now on is the section of that row.
function M.begin(id, title)
  print()
  current = {}
  sections[id] = current
  M.say("## %s: %s", id, title)
  M.say("")
end

-- The head and the sections of the file.
local function read()
  local old_head, old = {}, {}
  local into = old_head
  for line in io.lines(FILE) do
    local id = line:match("^## (%w+):")
    if id then
      into = {}
      old[id] = into
    end
    into[#into + 1] = line
  end
  return old_head, old
end

-- Writes the file: the sections of `ids` in that order, those that were not measured as they are.
function M.save(ids)
  local old_head, old = head, {}
  for _, id in ipairs(ids) do
    if not sections[id] then old_head, old = read() end
  end
  local all = { table.concat(old_head, "\n") }
  for _, id in ipairs(ids) do
    local section = sections[id] or old[id]
    if section then all[#all + 1] = table.concat(section, "\n") end
  end
  local file = assert(io.open(FILE, "w"))
  for i, text in ipairs(all) do
    file:write(i > 1 and "\n" or "", (text:gsub("%s+$", "")), "\n")
  end
  file:close()
end

return M
