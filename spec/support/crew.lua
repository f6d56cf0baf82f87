-- SPDX-License-Identifier: MIT
-- A server with workers in a process of its own, which forks. Its greeting names the worker, and
-- it writes its facts to files.
local core = require "smtp.core"
local loop = require "smtp.loop"
local net = require "spec.support.net"
local process = require "spec.support.process"
local serve = require "spec.support.serve"

local M = {}

local PATIENCE = 10 -- seconds to wait for an event

local SCRIPT = [[
local FOLDER = %q
local core, loop, smtp = require "smtp.core", require "smtp.loop", require "smtp"
local function note(name, ...)
  local file <close> = assert(io.open(FOLDER .. "/" .. name, "a"))
  assert(file:write(table.concat({ ... }, " "), "\n"))
end
local worker = 0
local options = {
  listen = "127.0.0.1:0", hostname = "mx.example",
  on_connect = function() return ("%%d %%d"):format(worker, core.pid()) end,
  on_message = function(_, message) return message:save(FOLDER .. "/" .. message.id) end,
  on_event = function(event)
    if event.type == "worker" then note("deaths", event.n, event.pid, event.status) end
    if event.type == "error" then note("errors", event.stage, tostring(event.error)) end
  end,
}
local given = { workers = 2, grace = 5, on_worker = function(n) worker = n end }
local function before() end
local function after() end
%s
local server = assert(smtp.server(options))
before(server)
note("port", server.port)
print("run", server:run(given))
after()
]]

local Crew = {}
Crew.__index = Crew

--- Why there can be no workers here, or nil.
function M.missing()
  local signals <close>, why = core.signals { "USR1" }
  if not signals then return "no signals can be watched here: " .. why end
  if not io.open("/proc/self/stat") then return "there is no /proc" end
  return process.missing()
end

--- Starts it. `change`: Lua that may change `options` of smtp.server, `given` of run,
-- `before(server)` and `after()`, which are called around run.
function M.start(change)
  local self = setmetatable({ folder = net.folder() }, Crew)
  self.process = process.lua({ "-e", SCRIPT:format(self.folder, change or "") },
    { time = 30, alone = true })
  self.port = self:note("port", 1)
  return self
end

--- Runs the loop until `ready()` gives something, which it gives.
function M.await(ready, what)
  local limit = core.now() + PATIENCE
  while true do
    local result = ready()
    if result then return result end
    if core.now() > limit then error((what or "it") .. " did not happen", 2) end
    loop.sleep(0.01)
  end
end

--- The lines of a file that it wrote.
function Crew:notes(name)
  local lines, file <close> = {}, io.open(self.folder .. "/" .. name)
  for line in (file and file:read("a") or ""):gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  return lines
end

--- Its nth line, once it is there.
function Crew:note(name, n)
  return M.await(function()
    local over, line = self.process:status(), self:notes(name)[n]
    if over and not line then error(self.process:errors(), 2) end
    return line
  end, ("line %d of %s"):format(n, name))
end

--- The process ids of its workers, by what the system knows.
function Crew:workers()
  self.pid = self.pid or self.process:pid()
  local file <close> = io.open(("/proc/%d/task/%d/children"):format(self.pid, self.pid))
  local pids = {}
  for pid in (file and file:read("a") or ""):gmatch("%d+") do
    pids[#pids + 1] = math.tointeger(tonumber(pid))
  end
  return pids
end

--- Waits until there are so many of them, and gives them.
function Crew:await_workers(count)
  return M.await(function()
    local pids = self:workers()
    return #pids == count and pids
  end, ("%d workers"):format(count))
end

--- Whether a process, which need not be a child, is there and no zombie.
function M.lives(pid)
  local file <close> = io.open(("/proc/%d/stat"):format(pid))
  local text = file and file:read("a")
  return text ~= nil and text:match("%) (%a)") ~= "Z"
end

function M.signal(name, pid)
  assert(os.execute(("kill -%s %d"):format(name, pid)))
end

--- A plain client behind the greeting, with the worker's number and its process.
function Crew:client()
  local client = serve.connect { host = "127.0.0.1", port = tonumber(self.port) }
  local n, pid = client:reply():match("^220 mx.example (%d+) (%d+)$")
  client.worker, client.pid = tonumber(n), tonumber(pid)
  return client
end

--- Closes a client, so that nobody waits for it.
function M.leave(client)
  local last = client:rest()
  client:close()
  return last
end

--- Signals the supervisor alone, and waits for its end: what `run` gave.
function Crew:stop(name)
  self.process:signal(name or "TERM")
  return self:result()
end

function Crew:result()
  local _, output, errors = self.process:wait()
  assert(errors == "", errors)
  return output:match("run\t([^\n]*)\n")
end

function Crew:close()
  self.process:close()
  net.remove(self.folder)
end

Crew.__close = Crew.close

return M
