-- SPDX-License-Identifier: MIT
-- A worker of `make mutants`: lua worker.lua FOLDER NUMBER WITHIN. Has a copy of the tree; takes
-- its share of the specs first, to see which of them pass without a fault and how long they
-- take, and then one faulty file after the other. A line of output is a result: words
-- between tabs.
package.path = "scripts/?.lua;" .. package.path
local copies = require("mutants.copy")
local queues = require("mutants.queue")
local source = require("source")
local specs = require("mutants.specs")

local FIRST = 300 -- seconds that a spec may take without a fault
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

-- ---- without a fault -------------------------------------------------------

local QUICK, SLOW = "--exclude-tags=slow", "--tags=slow"

local function check(name)
  local before = now()
  local result = mine:spec(name, FIRST, QUICK)
  if result == "failed" or result == "late" then result = mine:spec(name, FIRST, QUICK) end
  return result, now() - before
end

local function check_share()
  local queue = queues.at(folder .. "/specs")
  for item in function() return queue:take() end do
    local result, seconds = check(item.name)
    copies.write(("%s/specs/%d.done"):format(folder, item.id),
      ("return { name = %q, result = %q, seconds = %s }\n"):format(item.name, result, seconds))
    if result == "failed" or result == "late" then tell("left out", item.name, result) end
  end
  queue:await(queue.next - 1, ".done")
  local list = {}
  for i = 1, queue.next - 1 do
    local spec = dofile(("%s/specs/%d.done"):format(folder, i))
    spec.text = source.read(spec.name)
    if spec.result == "passed" or spec.result == "none" then list[#list + 1] = spec end
  end
  return list
end

-- ---- a fault ---------------------------------------------------------------

-- Whether a spec notices: it fails twice, or does not come to its end in ten times its time;
-- and without the fault it passes right behind, so it was not the load of the machine.
local function notices(spec, item, limit, tags)
  local result = mine:spec(spec.name, limit, tags)
  if result == "failed" then result = mine:spec(spec.name, limit, tags) end
  if result ~= "failed" and result ~= "late" then return false end
  mine:heal(item.name, whole)
  if mine:spec(spec.name, limit, tags) == "passed" then return result end
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
    local limit = math.ceil(30 + 10 * spec.seconds)
    local result = spec.result == "passed" and notices(spec, item, limit, QUICK)
    if result then
      killers[item.name][spec.name] = true
      return result, spec.name
    end
  end
  for _, spec in ipairs(order) do
    if now() > over then break end
    local near = specs.score(item.name, spec.name, spec.text) >= NEAR
    local result = near and spec.text:find("#slow", 1, true)
      and notices(spec, item, FIRST, SLOW)
    if result then return result, spec.name end
  end
  return "passed", ""
end

local all = check_share()
tell("ready", number, #all)
local queue = queues.at(folder .. "/faults")
for item in function() return queue:take() end do
  local before = now()
  local result, by = try(item, all)
  mine:heal(item.name, whole)
  tell("fault", item.id, result, by, ("%.1f"):format(now() - before))
end
