-- SPDX-License-Identifier: MIT
-- make mutants N=60 SEED=1 DIR=csrc/mime J=2 WITHIN=300: plants small faults in the source,
-- one at a time, and runs the specs to see which of them notice. Nothing is changed in the
-- work tree: each of J workers has a copy of it in build/mutants. A fault that does not
-- build, or that makes the very same code, is drawn again; one that cannot be seen stands
-- in scripts/mutants/aside.lua with its reason. A fault that no spec notices within so many
-- seconds survives: a gap in the specs.
package.path = "scripts/?.lua;" .. package.path
local aside = require("mutants.aside")
local copies = require("mutants.copy")
local draw = require("mutants.draw")
local lexer = require("lexer")
local operators = require("mutants.operators")
local queues = require("mutants.queue")
local report = require("mutants.report")
local source = require("source")
local specs = require("mutants.specs")

local FOLDERS = { "csrc/core", "csrc/mime", "csrc/net", "csrc/lua", "csrc/mock", "lua" }
local ROOT = "build/mutants"

local function fail(...)
  io.stderr:write("mutants: ", string.format(...), "\n")
  os.exit(2)
end

-- ---- options ---------------------------------------------------------------

local function cores()
  local pipe <close> = io.popen("nproc 2>/dev/null")
  return pipe:read("n") or 2
end

local function options()
  local given = {}
  for _, word in ipairs(arg) do
    local key, value = word:match("^(%u+)=(.*)$")
    if not key then fail("what is %q? N=60 SEED=1 DIR=csrc/mime J=2 WITHIN=300", word) end
    if value ~= "" then given[key] = value end
  end
  local function whole(key, default)
    local n = math.tointeger(tonumber(given[key] or default))
    return n and n >= (key == "SEED" and 0 or 1) and n or fail("%s is a whole number", key)
  end
  return { count = whole("N", 60), seed = whole("SEED", os.time()),
    workers = whole("J", cores()),
    within = whole("WITHIN", 300), folder = given.DIR and given.DIR:gsub("/$", "") }
end

-- The files of a folder, or of what is asked for in it.
local function files_of(folder, asked)
  local files = {}
  for _, name in ipairs(source.find(folder, "%.c$")) do files[#files + 1] = name end
  for _, name in ipairs(source.find(folder, "%.lua$")) do files[#files + 1] = name end
  local list = {}
  for _, name in ipairs(files) do
    if not asked or name == asked or name:sub(1, #asked + 1) == asked .. "/" then
      list[#list + 1] = { name = name, text = source.read(name) }
    end
  end
  return list
end

local function folders_of(asked)
  local list, all = {}, {}
  for _, name in ipairs(FOLDERS) do
    local files = files_of(name, asked)
    if #files > 0 then list[#list + 1] = { name = name, files = files } end
    for _, file in ipairs(files_of(name)) do all[#all + 1] = file end
  end
  if #list == 0 then fail("nothing of the source is in %s", asked) end
  return list, all
end

-- ---- drawing ---------------------------------------------------------------

local function lua_code(text)
  local chunk = load(text, "=x")
  return chunk and string.dump(chunk, true)
end

-- "same" or "broken", or nil and the object for what is worth a run.
local function look(fault, text, scratch, base)
  local name = fault.file.name
  if not name:find("%.c$") then
    local code = lua_code(text)
    return not code and "broken" or code == lua_code(fault.file.text) and "same" or nil
  end
  local object = "build/obj/" .. name:gsub("%.c$", ".o")
  copies.write(scratch.folder .. "/" .. name, text)
  os.remove(scratch.folder .. "/" .. object)
  if not scratch:make(object) then return "broken" end
  local made = scratch.folder .. "/" .. object
  if source.read(made) == source.read(base.folder .. "/" .. object) then return "same" end
  return nil, made
end

-- Puts the faults into the queue as they are drawn, and gives them.
local function draw_all(given, folders, all, scratch, base, queue)
  local counts = { broken = 0, same = 0, aside = 0 }
  local faults, known = {}, aside.index()
  for fault in draw.draw(folders, given.seed) do
    local file = fault.file
    local was, is = operators.change(file.text, fault)
    local text = operators.plant(file.text, fault)
    local why, made = known(file.name, fault.scope, was, is) and "aside", nil
    if not why then why, made = look(fault, text, scratch, base) end
    if why then
      counts[why] = counts[why] + 1
    else
      faults[#faults + 1] = { name = file.name, folder = fault.folder, kind = fault.kind,
        scope = fault.scope, was = was, is = is, line = lexer.line(file.text, fault.from) }
      local item = { id = #faults, name = file.name, text = text,
        users = table.concat(specs.users(file.name, all), " ") }
      if made then
        item.object = ("%s/faults/%d.o"):format(ROOT, #faults)
        assert(os.rename(made, item.object))
      end
      queue:put(item)
    end
    if #faults == given.count then break end
  end
  queue:finish()
  return faults, counts
end

-- ---- running ---------------------------------------------------------------

local function prepare(given)
  copies.must("rm -rf %s && mkdir -p %s/faults", ROOT, ROOT)
  local base = copies.at(ROOT .. "/base")
  base:fill()
  if not base:make("all") then fail("the copy does not build; see %s", base.log) end
  for i = 1, given.workers do copies.at(ROOT .. "/" .. i):twin(base) end
  local scratch = copies.at(ROOT .. "/scratch")
  scratch:twin(base)
  return base, scratch
end

-- All workers in one pipe; they end with the shell that waits for them.
local function start(given)
  local lines = {}
  for i = 1, given.workers do
    lines[i] = ("%s scripts/mutants/worker.lua %s %d %d &"):format(
      os.getenv("LUA") or "lua5.4", ROOT, i, given.within)
  end
  return assert(io.popen(table.concat(lines, " ") .. " wait"))
end

io.stdout:setvbuf("line") -- each result as it comes, in a file as well
local given = options()
local folders, all = folders_of(given.folder)
print(("mutants: N=%d SEED=%d J=%d in %s"):format(given.count, given.seed, given.workers,
  given.folder or table.concat(FOLDERS, " ")))
local base, scratch = prepare(given)
local pipe <close> = start(given)
local faults, counts = draw_all(given, folders, all, scratch, base,
  queues.at(ROOT .. "/faults"))
report.follow(pipe, faults)
report.finish(faults, counts, FOLDERS)
