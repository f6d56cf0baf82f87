-- SPDX-License-Identifier: MIT
-- A worker of `make mutants`: lua worker.lua FOLDER NUMBER WITHIN. Has a copy of the tree, and
-- takes one faulty file after the other. A line of output is a result: words between tabs.
package.path = "scripts/?.lua;" .. package.path
local copies = require("mutants.copy")
local queues = require("mutants.queue")
local source = require("source")
local specs = require("mutants.specs")

local FIRST = 150 -- seconds for a spec whose time is not known yet
local NEAR = 40 -- the score from which a spec's slow tests are worth their time

local folder, number, within = arg[1], arg[2], tonumber(arg[3])
local whole = copies.at(folder .. "/base")
local mine = copies.at(folder .. "/" .. number)

local function tell(...)
  io.write(table.concat({ ... }, "\t"), "\n")
  io.flush()
end

local function now()
  local file <close> = io.open("/proc/uptime")
  return file and file:read("n") or os.time()
end

local QUICK, SLOW = "--exclude-tags=slow", "--tags=slow"

-- The specs that may notice; `seconds` is what the quick tests of one took last, 1 as long as
-- they did not run.
local function all_specs()
  local list = {}
  for _, name in ipairs(source.find("spec", "_spec%.lua$")) do
    if not name:find("^spec/interop/") then
      list[#list + 1] = { name = name, text = source.read(name), seconds = 1 }
    end
  end
  return list
end

-- Runs a spec within ten times its time.
local function run(spec, tags)
  if tags == SLOW then return mine:spec(spec.name, 2 * FIRST, SLOW) end
  local before = now()
  local result = mine:spec(spec.name, spec.known and 30 + math.ceil(10 * spec.seconds) or FIRST,
    QUICK)
  if result == "passed" then spec.seconds, spec.known = now() - before, true end
  return result
end

-- ---- a fault ---------------------------------------------------------------

-- Whether a spec notices: it fails twice, or does not come to its end; and without the fault
-- it passes right behind, so it was not the load of the machine. A spec that fails without
-- a fault is left out from then on.
local function notices(spec, item, tags)
  local result = run(spec, tags)
  if result == "failed" then result = run(spec, tags) end
  if result ~= "failed" and result ~= "late" then return false end
  mine:heal(item.name, whole)
  local healed = run(spec, tags)
  if healed == "passed" then return result end
  if tags == QUICK then
    spec.broken = true
    tell("left out", spec.name, healed)
  end
  mine:plant(item.name, item.text, item.object)
  return false
end

local killers = {} -- file -> the specs that have noticed a fault of it

local function try(item, all)
  if not mine:plant(item.name, item.text, item.object) then return "failed", "the linker" end
  local users = {}
  for user in item.users:gmatch("%S+") do users[#users + 1] = user end
  killers[item.name] = killers[item.name] or {}
  local order, over = specs.order(item.name, all, users, killers[item.name]), now() + within
  for _, spec in ipairs(order) do
    if now() > over then return "passed", "" end
    local result = not spec.broken and notices(spec, item, QUICK)
    if result then
      killers[item.name][spec.name] = true
      return result, spec.name
    end
  end
  for _, spec in ipairs(order) do
    if now() > over then break end
    local near = specs.score(item.name, spec.name, spec.text) >= NEAR
    local result = near and spec.text:find("#slow", 1, true) and notices(spec, item, SLOW)
    if result then return result, spec.name end
  end
  return "passed", ""
end

local all = all_specs()
local queue = queues.at(folder .. "/faults")
for item in function() return queue:take() end do
  local before = now()
  local result, by = try(item, all)
  mine:heal(item.name, whole)
  tell("fault", item.id, result, by, ("%.1f"):format(now() - before))
end
