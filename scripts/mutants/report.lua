-- SPDX-License-Identifier: MIT
-- The output of `make mutants`: a line a fault as it is decided, a table by folder, and
-- each
-- survivor with its place, its change and the entry that would set it aside.
local M = {}

local WORDS = { failed = "noticed", late = "noticed, late", passed = "SURVIVED" }

local function place(fault)
  return ("%s:%d"):format(fault.name, fault.line)
end

--- Reads what the workers tell until they end.
function M.follow(pipe, faults)
  local decided = 0
  for line in pipe:lines() do
    local words = {}
    for word in (line .. "\t"):gmatch("(.-)\t") do words[#words + 1] = word end
    if words[1] == "left out" then
      print(("%s does not pass without a fault (%s): left out"):format(words[2], words[3]))
    elseif words[1] == "fault" then
      local fault = faults[tonumber(words[2])]
      fault.result = words[3]
      decided = decided + 1
      print(("%d/%d %-13s %-42s %-10s %5s s  %s"):format(decided, #faults, WORDS[words[3]],
        place(fault), fault.kind, words[5], words[4]))
    end
  end
end

local function row(name, count)
  local share = count.planted > 0 and ("%.1f %%"):format(100 * count.noticed / count.planted)
  print(("%-10s %8d %8d %9d %9s"):format(name, count.planted, count.noticed,
    count.planted - count.noticed, share or ""))
end

local function table_of(faults, folders)
  local total, by = { planted = 0, noticed = 0 }, {}
  for _, name in ipairs(folders) do by[name] = { planted = 0, noticed = 0 } end
  for _, fault in ipairs(faults) do
    for _, count in ipairs({ total, by[fault.folder] }) do
      count.planted = count.planted + 1
      if fault.result ~= "passed" then count.noticed = count.noticed + 1 end
    end
  end
  print(("\n%-10s %8s %8s %9s"):format("folder", "planted", "noticed", "survived"))
  for _, name in ipairs(folders) do
    if by[name].planted > 0 then row(name, by[name]) end
  end
  row("all", total)
end

--- The table and the survivors.
function M.finish(faults, counts, folders)
  local undecided = 0
  for i = #faults, 1, -1 do
    if not faults[i].result then
      undecided = undecided + 1
      table.remove(faults, i)
    end
  end
  for _, fault in ipairs(faults) do
    if fault.result == "passed" then
      print(("\nsurvived: %s in %s (%s)\n- %s\n+ %s"):format(place(fault),
        fault.scope == "" and "the file" or fault.scope, fault.kind, fault.was, fault.is))
    end
  end
  table_of(faults, folders)
  print(("not counted: %d that do not build, %d that make the same code, %d set aside")
    :format(counts.broken, counts.same, counts.aside))
  if undecided > 0 then
    print(("undecided: %d; a worker ended early"):format(undecided))
    os.exit(1)
  end
end

return M
