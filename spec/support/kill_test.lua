-- SPDX-License-Identifier: MIT
-- Workers that store in a Maildir are killed at random, by SIGKILL, while clients
-- send. Every message that was answered 250 must be there, once and whole.
local assert = require "luassert"
local core = require "smtp.core"
local crew = require "spec.support.crew"
local loop = require "smtp.loop"
local net = require "spec.support.net"
local process = require "spec.support.process"

local M = { missing = crew.missing() }

local CLIENTS, KILLS = 3, 20
local BETWEEN = 15 -- messages that are taken from one kill to the next, on average
local LONGEST = 10 -- seconds for all of it

-- The subjects of all messages that were answered 250.
local function taken(folder)
  local subjects = {}
  for n = 1, CLIENTS do
    local file <close> = io.open(("%s/taken%d"):format(folder, n))
    for line in (file and file:read("a") or ""):gmatch("([^\n]*)\n") do
      subjects[#subjects + 1] = line
    end
  end
  return subjects
end

-- How many messages were sent before one that was taken, and not answered: the clients
-- number theirs.
local function cut_off(subjects)
  local last = {}
  for _, subject in ipairs(subjects) do
    local name, n = subject:match("^(.*)%-(%d+)$")
    last[name] = math.max(last[name] or 0, tonumber(n))
  end
  local all = 0
  for _, n in pairs(last) do all = all + n end
  return all - #subjects
end

-- How often each subject is in the Maildir, in a file that is whole.
local function stored(folder)
  local times, path = {}, folder .. "/mail/new"
  for _, name in ipairs(net.names(path)) do
    local text = net.slurp(path .. "/" .. name)
    local subject = text:match("\r\nSubject: ([^\r]*)\r\n")
    local _, lines = text:gsub("It works%.\r\n", "")
    if subject and lines == 40 then times[subject] = (times[subject] or 0) + 1 end
  end
  return times
end

-- Kills a worker, if there is one, and waits until messages were taken since.
local function kill_one(one, killed, limit)
  local pids = one:workers()
  local before = #taken(one.folder)
  if #pids > 0 then
    local pid = pids[math.random(#pids)]
    os.execute(("kill -KILL %d 2>/dev/null"):format(pid))
    if not killed[pid] then killed.n = killed.n + 1 end
    killed[pid] = true
  end
  local wanted = before + math.random(2 * BETWEEN - 1)
  while #taken(one.folder) < wanted and core.now() < limit do loop.sleep(0.01) end
end

--- Runs it, with what `more(port)` starts besides.
function M.run(more)
  local one <close> = crew.start([[
    given.workers = 3
    options.on_message = function(_, message) return message:maildir(FOLDER .. "/mail") end]])
  local clients = {}
  for n = 1, CLIENTS do
    clients[n] = process.lua({ "spec/support/load_client.lua", one.port, "load" .. n,
      ("%s/taken%d"):format(one.folder, n) }, { time = 30, alone = true })
  end
  local other = more and more(one.port)
  local killed, limit = { n = 0 }, core.now() + LONGEST
  while killed.n < KILLS and core.now() < limit do kill_one(one, killed, limit) end
  for _, client in ipairs(clients) do client:signal("TERM") end
  for _, client in ipairs(clients) do
    assert.equal(0, (client:wait()), client:errors()) -- it was answered to its end
    client:close()
  end
  if other then other:close() end
  local client = one:client() -- and so are others
  assert.matches("^221", client:cmd("QUIT"))
  crew.leave(client)
  one:stop()
  local subjects, times = taken(one.folder), stored(one.folder)
  for _, subject in ipairs(subjects) do assert.equal(1, times[subject], subject) end
  local told = ("%d kills, %d messages, %d cut off"):format(killed.n, #subjects,
    cut_off(subjects))
  assert.is_true(killed.n >= KILLS // 2 and #subjects >= killed.n and cut_off(subjects) > 0, told)
  for _, line in ipairs(one:notes("deaths")) do
    local pid = line:match(" (%d+) 137$")
    if pid then killed[tonumber(pid)] = nil end
  end
  assert.same({ n = killed.n }, killed)
  assert.same({}, one:notes("errors"))
end

return M
