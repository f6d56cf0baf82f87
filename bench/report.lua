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

-- All lines from now on are the section of that row.
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

-- The order of the sections; C2 is of bench/round_trips, S4 of bench/idle_sessions.
local ORDER = { "S1", "S2", "S3", "S4", "S5a", "S5b", "C1", "C2", "M1", "M2", "K1", "K2" }

-- Writes the file: what was measured, and the other sections as they are. `whole`: the head
-- is new as well.
function M.save(whole)
  local old_head, old = read()
  local all = { table.concat(whole and head or old_head, "\n") }
  for _, id in ipairs(ORDER) do
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
