-- SPDX-License-Identifier: MIT
--- Many processes: workers that inherit the listeners of a server, and the supervisor
-- that forks them, replaces those that die, and passes signals on. See `server:run` in
-- types/smtp/server.d.lua.
--
-- The supervisor takes signals by signalfd, and serves no sessions. A worker takes these signals
-- in this way, too, since a terminal or an init system sends them to all processes at once, and
-- that must not cut a session off. If the supervisor dies, workers see the end of a pipe, and end
-- as at SIGTERM.
local core = require "smtp.core"
local errors = require "smtp.error"
local facts = require "smtp.server.facts"
local loop = require "smtp.loop"
local options = require "smtp.base.options"

local Crew = {}
Crew.__index = Crew

local M = {}

local SPEC = { workers = "string count", grace = "seconds", on_worker = "function" }

local GRACE = 30
-- Seconds beyond `grace` until a worker that does not end is killed.
local EXTRA = 2

-- A worker that lived for less than SOON died during its start: the next one waits, FIRST at
-- first, then twice as long each time, LONGEST at most.
local SOON, FIRST, LONGEST = 1, 0.05, 5

-- Signals belong to a process, so only one server of a process can take them.
local busy = false

--- Checks the options of `run`; gives whether workers are wanted.
function M.check(given)
  options.check("server:run", given, SPEC)
  local n = given.workers
  if n == nil then
    if next(given) ~= nil then options.misuse("server:run: this needs workers") end
    return false
  end
  if n == 0 or type(n) == "string" and n ~= "auto" then
    options.misuse('server:run: workers must be 1 or more, or "auto"')
  end
  return true
end

local function reload(server)
  local ok, err = server:reload_tls()
  if not ok then facts.fail(server, "tls", err) end
end

-- ---- a worker ---------------------------------------------------------------

-- Ends gracefully, once; `state.over` opens when that is done.
local function finish(server, state, grace)
  if state.over then return end
  state.over = loop.gate()
  state.clean = server:shutdown(grace)
  loop.wake(state.over)
end

local function obey(server, signals, state, grace)
  while true do
    loop.wait(signals, "r")
    local name = signals:take()
    if name == "HUP" then reload(server) elseif name then finish(server, state, grace) end
  end
end

local function follow(server, line, state, grace)
  loop.wait(line, "r")
  finish(server, state, grace)
end

-- Serves in the forked process; gives whether no session was cut off.
local function serve(crew, n)
  local server, state = crew.server, {}
  loop._forked()
  crew.deaths:close() -- restores SIGCHLD
  crew.line:follow()
  crew.calls.become(server, n, crew.size)
  math.randomseed(math.random(0), core.pid()) -- workers need different random numbers
  loop.spawn(obey, server, crew.signals, state, crew.grace)
  loop.spawn(follow, server, crew.line, state, crew.grace)
  if crew.on_worker then crew.on_worker(n) end
  if not server.closing then crew.calls.accept(server) end
  loop.pass(server.drained)
  if state.over then loop.pass(state.over) end
  server:close()
  return state.clean ~= false
end

-- The life of a worker. The parent's script does not go on here; its to-be-closed variables and
-- its finalizers do not run.
local function work(crew, n)
  local ok, clean = pcall(serve, crew, n)
  if not ok then facts.fail(crew.server, "worker", clean) end
  core.exit(ok and clean and 0 or 1)
end

-- ---- the supervisor ---------------------------------------------------------

-- Forks worker n; or nil and the reason.
function Crew:start(n, delay)
  local child, why, errname = core.fork()
  if child == false then work(self, n) end
  if not child then return nil, why, errname end
  self.members[n] = { child = child, since = core.now(), delay = delay }
  return true
end

-- Starts a worker in place of a dead one, or after a failed fork, with a delay.
local function replace(crew, n, delay)
  while true do
    loop.sleep(delay)
    if crew.granted then return end
    delay = math.min(math.max(2 * delay, FIRST), LONGEST)
    local ok, why = crew:start(n, delay)
    if ok then break end
    facts.fail(crew.server, "worker", why)
  end
  crew.restarts = crew.restarts + 1
end

function Crew:check()
  if self.granted and next(self.members) == nil then loop.wake(self.gone) end
end

function Crew:ended(n, member, status)
  self.members[n] = nil
  local stopping = self.granted ~= nil
  if stopping then self.clean = self.clean and status == 0 end
  if not stopping or status ~= 0 then
    local pid = member.child:pid()
    facts.notice(self.server,
      ("worker %d (process %d) ended with status %d"):format(n, pid, status),
      { type = "worker", n = n, pid = pid, status = status })
  end
  if stopping then return self:check() end
  local soon = core.now() - member.since < SOON
  self.tasks[n] = loop.spawn(replace, self, n, soon and member.delay or 0)
end

-- One signal may report several deaths.
local function reap(crew)
  while true do
    loop.wait(crew.deaths, "r")
    crew.deaths:take()
    for n = 1, crew.size do -- not by pairs: `on_event` may wait
      local member = crew.members[n]
      local status = member and member.child:ended()
      if status then crew:ended(n, member, status) end
    end
  end
end

-- The first order is graceful; a second one ends at once.
local function command(crew)
  while true do
    loop.wait(crew.signals, "r")
    local name = crew.signals:take()
    if name == "HUP" then
      reload(crew.server) -- for future workers
      crew:signal("HUP")
    elseif name and crew.granted then
      crew.server:close()
    elseif name then
      crew:stop(crew.grace)
    end
  end
end

function Crew:signal(name)
  for _, member in pairs(self.members) do member.child:signal(name) end
end

-- Orders the end of the workers; `run` waits for it.
local function stop(crew, grace, name)
  crew.granted = crew.granted or grace
  crew:signal(name)
  loop.wake(crew.ending)
  crew:check()
end

--- Ends workers gracefully.
function Crew:stop(grace)
  if not self.granted then stop(self, grace, "TERM") end
end

--- Ends workers at once.
function Crew:kill()
  stop(self, 0, "KILL")
end

--- `server:shutdown` in the supervisor. The task that reports a worker's death also sees the ends
-- of the others, so it must not wait for them here.
function Crew:shutdown(grace)
  self:stop(grace)
  if loop.current() ~= self.tasks.reap then loop.pass(self.done) end
  return self.clean
end

--- Process ids of the workers, and the number of replacements.
function Crew:count()
  local pids = {}
  for n = 1, self.size do
    local member = self.members[n]
    if member then pids[#pids + 1] = member.child:pid() end
  end
  return pids, self.restarts
end

local function system_error(why, errname)
  return nil, errors.new { kind = "system", stage = "listen", cause = errname, temporary = false,
    message = "workers: " .. why }
end

-- Supervises until the last worker has ended.
local function supervise(crew)
  loop.pass(crew.ending)
  local grace = crew.granted
  local limit = core.now() + grace + EXTRA
  local clean = crew.calls.finish(crew.server, grace) -- sessions from before there were workers
  if not loop.pass(crew.gone, math.max(limit - core.now(), 0)) then
    crew:signal("KILL")
    loop.pass(crew.gone)
  end
  crew.clean = crew.clean and clean
end

-- Opens the signals and the pipe for the supervisor; or nil and an error.
function Crew:open()
  local why, errname
  self.signals, why, errname = core.signals { "HUP", "INT", "TERM" }
  if self.signals then self.deaths, why, errname = core.signals { "CHLD" } end
  if self.deaths then self.line, why, errname = core.lifeline() end
  if not self.line then return system_error(why, errname) end
  return true
end

-- Also after an error of another task in `run`: workers then see the end of the pipe.
function Crew:__close()
  busy = false
  for _, task in pairs(self.tasks) do loop.cancel(task) end
  for _, name in ipairs { "line", "deaths", "signals" } do
    local pollable = self[name]
    if pollable then
      loop.forget(pollable)
      pollable:close()
    end
  end
  if self.server.crew ~= self then return end
  self.server.crew = nil
  self.server:close()
  loop.wake(self.done)
end

--- Serves with workers until a signal or `shutdown`. Gives true; false if sessions had
-- to be cut off; nil and an error if workers are not possible. `calls`: functions of the server.
function M.run(server, given, calls)
  if busy then options.misuse("server:run: one server with workers at a time") end
  busy = true
  local crew <close> = setmetatable({
    server = server, calls = calls, size = given.workers == "auto" and core.cpus() or given.workers,
    grace = given.grace or GRACE, on_worker = given.on_worker, members = {}, tasks = {},
    restarts = 0, clean = true, ending = loop.gate(), gone = loop.gate(), done = loop.gate(),
  }, Crew)
  local ok, err = crew:open()
  if not ok then return nil, err end
  calls.pause(server)
  server.crew = crew
  crew.tasks.reap, crew.tasks.command = loop.spawn(reap, crew), loop.spawn(command, crew)
  for n = 1, crew.size do
    local why, errname
    ok, why, errname = crew:start(n, FIRST)
    if not ok then
      crew:kill()
      supervise(crew)
      return system_error(why, errname)
    end
  end
  supervise(crew)
  return crew.clean
end

return M
