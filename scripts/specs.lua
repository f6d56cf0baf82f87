-- SPDX-License-Identifier: MIT
-- Two halves of scripts/test.sh, which runs the specs side by side.
--
-- order: spec files are read, a name a line, and come into the lists $RESULTS/together and
-- $RESULTS/alone, the longest first. A file that cannot share the machine has a line
-- "-- Alone: reason" before its first code.
--
-- report ARGUMENTS: lines "status seconds file" are read, each when a file has ended. Prints a
-- line for a file that passed, and all that it said for another; repeats, at the end, what
-- failed; and writes the counts of all. A file that crashed or came to no end counts as a failure.
package.path = "scripts/?.lua;" .. package.path
local source = require("source")

local RESULTS, SUMMARY = os.getenv("RESULTS"), os.getenv("SUMMARY")
local TIMES = "build/spec_times" -- "seconds file" of the last runs of each

-- Where none is known, those of the longest files; all others by their size.
local SECONDS = {}
for name, seconds in ([[
  spec/interop/testssl 170  spec/interop/dkim 58  spec/core/joined_auth 51  spec/memory 47
  spec/mock/exit 45  spec/interop/postfix_client 45  spec/message/parse_again 37
  spec/message/compose_parse 34  spec/interop/python_email_fields 34  spec/interop/xclient 23
  spec/interop/swaks_protocol 22  spec/interop/postfix 22  spec/mock/gauntlet 20
  spec/growth 20  spec/linear 20  spec/cli/cli 20  spec/interop/aiosmtpd 18
  spec/interop/postfix_tls 18  spec/interop/postfix_esmtp 18  spec/mime/field_writer 17]])
    :gmatch("(%S+) (%d+)") do
  SECONDS[name .. "_spec.lua"] = tonumber(seconds)
end

local function read(name)
  local file <close> = io.open(name, "rb")
  return file and file:read("a")
end

local function write(name, lines)
  local file <close> = assert(io.open(name, "w"))
  assert(file:write(table.concat(lines, "\n"), #lines > 0 and "\n" or ""))
end

local function times()
  local known = {}
  for seconds, name in (read(TIMES) or ""):gmatch("(%S+) (%S+)") do
    known[name] = tonumber(seconds)
  end
  return known
end

local function is_alone(name)
  for line in io.lines(name) do
    if line:find("^%-%- Alone: %S") then return true end
    if line ~= "" and not line:find("^%-%-") then return false end
  end
end

local function order()
  local known, names = times(), {}
  for name in io.lines() do
    names[#names + 1] = name
    known[name] = known[name] or SECONDS[name] or #source.read(name) / 1e5
  end
  table.sort(names, function(a, b)
    if known[a] ~= known[b] then return known[a] > known[b] end
    return a < b
  end)
  local together, alone = {}, {}
  for _, name in ipairs(names) do table.insert(is_alone(name) and alone or together, name) end
  write(RESULTS .. "/together", together)
  write(RESULTS .. "/alone", alone)
end

local function say(format, ...)
  io.write(format:format(...), "\n")
  io.flush()
end

local function listed()
  local all = {}
  for _, list in ipairs({ "together", "alone" }) do
    for name in io.lines(RESULTS .. "/" .. list) do all[#all + 1] = name end
  end
  return all
end

local function trim(text)
  return (text:gsub("^%s+", ""):gsub("%s+$", ""))
end

-- The report of a file on its failures; all that it said if there is no such report.
local function failures(log)
  local at = log:find("\nfailure: ", 1, true) or log:find("\nerror: ", 1, true)
  return at and log:sub(at):gsub("\n[%d.]+ s\n[^\n]+%s*$", "") or log
end

-- Why a file that has not written its counts ended.
local function reason(status)
  if status == 124 or status == 137 then return "it took too long (FILE_TIMEOUT)" end
  return ("it ended early, status %d; `busted -v` shows where"):format(status)
end

-- The counts of a file that has ended, and what else is wrong with it.
local function judge(name, status, some)
  local results = RESULTS .. "/" .. name:gsub("/", ".")
  local log = read(results .. ".log") or ""
  local counts = read(results .. ".summary")
  if not counts then return 0, 1, 0, log, reason(status) end
  if some and log:find("\nerror: no test was run", 1, true) then return 0, 0, 0, "" end
  local passed, failed = counts:match("^(%d+) passed, (%d+) failed")
  local skipped = math.tointeger(counts:match("(%d+) skipped") or 0)
  passed, failed = math.tointeger(passed), math.tointeger(failed)
  if status ~= 0 and failed == 0 then
    return passed, 1, skipped, log, ("its status is %d"):format(status)
  end
  return passed, failed, skipped, log
end

local function report(arguments)
  local known, names = times(), listed()
  local some, verbose = false, #names == 1
  for _, word in ipairs(arguments) do
    some = some or word:find("^%-%-.*tags") ~= nil or word:find("^%-%-.*filter") ~= nil
    verbose = verbose or word == "-v" or word == "--verbose"
  end
  some = some or (os.getenv("SPEC_RUN") or ""):find("tags", 1, true) ~= nil
  local sums, ended, failed = { 0, 0, 0 }, {}, {}
  local since = os.time()

  local function file(status, seconds, name)
    ended[name] = true
    local passed, wrong, skipped, log, why = judge(name, status, some)
    for i, count in ipairs({ passed, wrong, skipped }) do sums[i] = sums[i] + count end
    local exact = tonumber(log:match("\n([%d.]+) s\n[^\n]*%s*$")) or seconds
    known[name] = exact
    if wrong > 0 then failed[#failed + 1] = { name = name, log = log, why = why } end
    if wrong > 0 or skipped > 0 or verbose then
      say("%s", trim(log))
      if why then say("%s: %s", name, why) end
    else
      say("%s: %d passed, %.1f s", name, passed, exact)
    end
  end

  local function lines()
    for line in io.lines() do
      local status, seconds, name = line:match("^(%d+) (%d+) (.+)$")
      file(math.tointeger(status), math.tointeger(seconds), name)
    end
  end
  -- ctrl-C is for the files, which end now; their last lines still count.
  while not pcall(lines) do end

  for _, name in ipairs(names) do
    if not ended[name] then
      sums[2] = sums[2] + 1
      failed[#failed + 1] = { name = name, log = "", why = "it had no time left (TEST_TIMEOUT)" }
    end
  end
  if sums[1] + sums[2] + sums[3] == 0 then
    sums[2] = 1
    say("\nerror: no test was run")
  end
  if not verbose then
    for _, one in ipairs(failed) do
      say("\n== %s%s\n%s", one.name, one.why and ": " .. one.why or "", trim(failures(one.log)))
    end
  end
  local rows = {}
  for name, seconds in pairs(known) do rows[#rows + 1] = ("%.1f %s"):format(seconds, name) end
  table.sort(rows)
  write(TIMES, rows)
  local line = ("%d passed, %d failed"):format(sums[1], sums[2])
  if sums[3] > 0 then line = line .. (", %d skipped"):format(sums[3]) end
  write(SUMMARY, { line })
  say("\n%d s\n%s", os.time() - since, line)
  return sums[2] == 0
end

if arg[1] == "order" then return order() end
os.exit(report(table.move(arg, 2, #arg, 1, {})))
