-- SPDX-License-Identifier: MIT
-- bench/harness.lua: starts programs, drives them, and says what they cost.
--
-- Everything is run by way of build/bench/measure, which writes CPU seconds, wall seconds and
-- peak RSS to a file when its command ends, and of timeout(1), so that nothing outlives a run
-- that was broken off. Servers report the port they chose in a file; one that cannot is given a
-- free port. A usage is { cpu = s, wall = s, rss = KiB }.

local M = {}

M.build = "build/bench/"
M.material = M.build .. "material" -- of bench/material.lua
M.lua = os.getenv("LUA") or "lua5.4"

local SERVER_LIMIT = 300 -- seconds until a server is ended whatever happens
local DRIVER_LIMIT = 120
local START_LIMIT, STOP_LIMIT = 30, 30
local PATH = "PATH=$PATH:/usr/sbin; " -- where Debian has smtp-source
local ENVIRONMENT = "LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='build/?.so;;' "

-- The output of a command, without the last line end; nil when it fails.
function M.output(command)
  local pipe = assert(io.popen(PATH .. command .. " 2>/dev/null"))
  local text = pipe:read("a")
  if not pipe:close() then return nil end
  return (text:gsub("%s+$", ""))
end

function M.succeeds(command)
  return os.execute(PATH .. "{ " .. command .. "; } >/dev/null 2>&1") == true
end

function M.installed(program)
  return M.succeeds("command -v " .. program)
end

-- Whether compile made that program.
function M.built(program)
  return M.succeeds("test -x " .. M.build .. program)
end

local CFLAGS = "-std=c99 -D_POSIX_C_SOURCE=200809L -O2 -Wall -Wextra "
local PROGRAMS = { -- and the libraries that each needs
  crowd = "", floor_server = "", floor_client = "", floor_sink = "", measure = "", port = "",
  floor_tls = "-lssl -lcrypto", shake = "-lssl -lcrypto", source = "-lssl -lcrypto",
  idle = "-lssl -lcrypto",
}

local compiler = (os.getenv("CC") or "cc") .. " " .. CFLAGS

-- Builds these programs of PROGRAMS.
function M.compile(names)
  assert(os.execute("mkdir -p " .. M.build))
  for _, name in ipairs(names) do
    assert(os.execute(("%s -o %s%s bench/%s.c %s"):format(compiler, M.build, name, name,
      PROGRAMS[name])))
  end
end

-- Builds all of them, and the peers whose libraries are here.
function M.compile_all()
  local names = {}
  for name in pairs(PROGRAMS) do names[#names + 1] = name end
  M.compile(names)
  os.remove(M.build .. "peer_curl")
  M.succeeds(("%s -o %speer_curl bench/peer_curl.c -lcurl"):format(compiler, M.build))
  os.remove(M.build .. "peer_gosmtp")
  -- Debian's Go libraries lie in a GOPATH; nothing is fetched.
  M.succeeds("GO111MODULE=off GOPROXY=off GOPATH=/usr/share/gocode GOCACHE=$PWD/" .. M.build
    .. "go go build -o " .. M.build .. "peer_gosmtp bench/peer_gosmtp.go")
end

-- Makes what is composed, parsed and shown as a certificate, by our own module: false without it.
function M.prepare()
  return M.succeeds(("mkdir -p %s && %s%s bench/material.lua %s"):format(M.material, ENVIRONMENT,
    M.lua, M.material))
end

local function contents(path)
  local file = io.open(path)
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

-- Waits for a file that is put in place by rename; nil after so many seconds, or once the file
-- `instead` is there.
local function await(path, seconds, instead)
  for _ = 1, seconds * 50 do
    local text = contents(path)
    if text then return text end
    if instead and contents(instead) then return nil end
    os.execute("sleep 0.02")
  end
end

local serial = 0
local function scratch(suffix)
  serial = serial + 1
  local path = M.build .. "run." .. serial .. suffix
  os.remove(path)
  return path
end

local function parse(text)
  local user, system, wall, rss, status = text:match("(%S+) (%S+) (%S+) (%d+) (%d+)")
  local usage = { cpu = user + system, wall = wall + 0, rss = rss + 0 }
  return usage, math.tointeger(status)
end

local function wrapped(seconds, result, command)
  return ("%stimeout %d %smeasure %s %s"):format(ENVIRONMENT, seconds, M.build, result, command)
end

-- Starts a server. command(where) makes its command line of a port file, or of a port where
-- fixed_port is true. Returns { port, ... } for stop, or nil and a reason. It has START_LIMIT
-- seconds to be there: under valgrind, on a busy machine, it needs some.
function M.start(command, fixed_port)
  local server = { result = scratch(".server"), log = scratch(".log") }
  local portfile = scratch(".port")
  if fixed_port then server.port = M.output(M.build .. "port free") end
  local line = wrapped(SERVER_LIMIT, server.result, command(server.port or portfile))
  server.pid = M.output(line .. " >" .. server.log .. " 2>&1 & echo $!")
  if fixed_port then
    if M.succeeds(M.build .. "port wait " .. server.port) then return server end
  else
    local text = await(portfile, START_LIMIT, server.result)
    os.remove(portfile)
    if text then
      server.port = text:match("%d+")
      return server
    end
  end
  local log = contents(server.log)
  M.stop(server)
  return nil, "it does not start: " .. (log or "")
end

-- Ends a server and returns its usage.
function M.stop(server)
  os.execute("kill " .. server.pid .. " 2>/dev/null")
  local text = await(server.result, STOP_LIMIT)
  os.remove(server.result)
  os.remove(server.log)
  if not text then return nil, "it does not end" end
  return (parse(text))
end

-- Runs a command to its end and returns its usage, or nil and a reason.
function M.run(command)
  local result, log = scratch(".client"), scratch(".log")
  os.execute(PATH .. wrapped(DRIVER_LIMIT, result, command) .. " >" .. log .. " 2>&1")
  local text, said = await(result, 1), contents(log) or ""
  os.remove(result)
  os.remove(log)
  if not text then return nil, "no result: " .. said end
  local usage, status = parse(text)
  if status ~= 0 then return nil, ("status %d: %s"):format(status, said) end
  return usage
end

function M.median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local middle = #sorted // 2
  if #sorted % 2 == 1 then return sorted[middle + 1] end
  return (sorted[middle] + sorted[middle + 1]) / 2
end

return M
