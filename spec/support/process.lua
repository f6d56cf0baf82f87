-- SPDX-License-Identifier: MIT
--- Other programs as children, while the loop of this process goes on: a shell in
-- the background writes what they print, and at last their exit status, to files
-- of a folder of their own. `timeout` bounds the time of each and passes on the
-- signal that ends it, so that only what was started here is ever ended.
local core = require "smtp.core"
local loop = require "smtp.loop"
local net = require "spec.support.net"

local M = {}

-- Daemons are often outside of the path of a user.
local PATH = "PATH=$PATH:/usr/sbin:/sbin"

local TIME = 60 -- seconds that a program may take, unless it says otherwise

local Process = {}
Process.__index = Process

local function quote(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

local function command_line(words)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = quote(word) end
  return table.concat(quoted, " ")
end

local function succeeds(command)
  return (os.execute(PATH .. "; " .. command .. " >/dev/null 2>&1 </dev/null"))
end

--- Why the specs of these programs cannot run, or nil if all are there.
function M.missing(...)
  for _, program in ipairs { "timeout", ... } do
    if not succeeds("command -v " .. quote(program)) then
      return program .. " is not here (`make test` and `make interop` install what they need)"
    end
  end
  return nil
end

--- A Python 3 that has `module`: apt installs for the system's own. Or nil and
-- why the specs cannot run.
function M.python(module)
  local missing = M.missing()
  if missing then return nil, missing end
  for _, python in ipairs { "python3", "/usr/bin/python3" } do
    if succeeds(("%s -c 'import %s'"):format(python, module)) then return python end
  end
  return nil, ("no python3 with %s is here (`make interop` installs it)"):format(module)
end

local function slurp(path)
  local file <close> = io.open(path, "rb")
  return file and file:read("a")
end

--- Starts a list of words as a command. `options`: `input` (bytes for its
-- standard input), `time` (seconds it may take), `env` (a table), `alone` (a signal
-- reaches it once, and not its children as well). It is ended
-- when the variable goes out of scope: local one <close> = process.start { ... }
function M.start(words, options)
  options = options or {}
  local folder = net.folder()
  net.dump(folder .. "/in", options.input or "")
  local env = { "env" }
  for key, value in pairs(options.env or {}) do env[#env + 1] = key .. "=" .. value end
  local script = ([[%s; export PATH; D=%s
( timeout %s -k 2 %d %s %s <"$D/in" >"$D/out" 2>"$D/err" & pid=$!
  echo $pid >"$D/pid.new"; mv "$D/pid.new" "$D/pid"
  wait $pid; echo $? >"$D/status.new"; mv "$D/status.new" "$D/status"
) </dev/null >/dev/null 2>&1 &]]):format(
    PATH, quote(folder), options.alone and "--foreground" or "", options.time or TIME,
    command_line(env), command_line(words))
  assert(os.execute(script))
  return setmetatable({ folder = folder, name = words[1], time = options.time or TIME }, Process)
end

--- Its standard output so far.
function Process:output() return slurp(self.folder .. "/out") or "" end

--- Its standard error so far.
function Process:errors() return slurp(self.folder .. "/err") or "" end

--- Its exit status, or nil while it runs.
function Process:status()
  return math.tointeger(tonumber(slurp(self.folder .. "/status")))
end

--- Runs the loop until `ready()` gives something, which it gives; fails when the
-- program ends before, or after `seconds`.
function Process:await(ready, seconds)
  local limit = core.now() + (seconds or 10)
  while true do
    local result = ready()
    if result then return result end
    if self:status() or core.now() > limit then
      error(("%s did not get ready: status %s\n%s%s"):format(
        self.name, self:status(), self:output(), self:errors()), 2)
    end
    loop.sleep(0.02)
  end
end

--- Runs the loop until it has ended: its exit status, and what it printed.
function Process:wait()
  local limit = core.now() + self.time + 5
  while not self:status() do
    if core.now() > limit then error(self.name .. " did not end", 2) end
    loop.sleep(0.01)
  end
  return self:status(), self:output(), self:errors()
end

-- The number of the `timeout` that started the program.
local function pid_of(self)
  return math.tointeger(tonumber(self:await(function() return slurp(self.folder .. "/pid") end)))
end

--- The number of the program itself, which `timeout` has started.
function Process:pid()
  return tonumber(net.slurp(("/proc/%d/task/%d/children"):format(pid_of(self), pid_of(self)))
    :match("%d+"))
end

--- Sends a signal, by its name.
function Process:signal(name)
  assert(os.execute(("kill -%s %d"):format(name, self:pid())))
end

--- Ends it, if it still runs, and removes its folder.
function Process:close()
  if self.closed then return end
  self.closed = true
  if not self:status() then
    os.execute(("kill %d 2>/dev/null"):format(pid_of(self)))
    self:wait()
  end
  net.remove(self.folder)
end

Process.__close = Process.close

--- Runs a command to its end: exit status, output, errors.
function M.run(words, options)
  local one <close> = M.start(words, options)
  return one:wait()
end

--- Runs a script of this Lua, which finds the modules that are found here.
function M.lua(words, options)
  options = options or {}
  local path, cpath = "./?.lua;" .. package.path, package.cpath
  local env = { LUA_PATH = path, LUA_CPATH = cpath, LUA_PATH_5_4 = path, LUA_CPATH_5_4 = cpath }
  for key, value in pairs(options.env or {}) do env[key] = value end
  options.env = env
  return M.start({ net.interpreter(), table.unpack(words) }, options)
end

--- Runs the loop until something listens at a target of the client.
function Process:listening(target)
  self:await(function()
    local socket <close> = core.connect(target)
    if not socket then return false end
    local state = socket:connected()
    local limit = core.now() + 1
    while state == false and core.now() < limit do
      loop.wait(socket, "w", 0.1)
      state = socket:connected()
    end
    loop.forget(socket)
    return state
  end)
end

return M
