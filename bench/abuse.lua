-- SPDX-License-Identifier: MIT
-- bench/abuse.lua flood|guesses: what one address does to a server, and what is left for
-- others. On loopback, with every limit at its default.
--
--   flood    300 connections a second for 8 s from one address, which keeps them; the server
--            may have 1,024 descriptors. Prints how many of the messages that others send
--            meanwhile got through. Needs a network of its own, in which addresses are no
--            loopback: unshare -rn sh -c '... exec lua5.4 bench/abuse.lua flood'; see below
--   guesses  session after session with 3 AUTH PLAIN each, 20 at a time, for 5 s from one
--            address. Prints guesses a second, and how long another address logs in.
--
-- unshare -rn sh -c 'ip link set lo up; for i in 1 2 3; do ip addr add 192.0.2.$i/24 dev lo;
--   done; ulimit -n 8192; exec lua5.4 bench/abuse.lua flood'
local core = require "smtp.core"
local loop = require "smtp.loop"
local smtp = require "smtp"

local RATE, SECONDS, SESSIONS, PATIENCE = 300, 8, 20, 10

local what, role, argument = arg[1], arg[2], arg[3]

-- ---- the server, in a process of its own ------------------------------------------

local guesses = 0

local function serve(address)
  local server = assert(smtp.server { listen = address .. ":0", hostname = "mx.example",
    on_rcpt = true, on_message = function(_, message) message:read() return true end,
    auth = what == "guesses" and { cleartext = true, mechanisms = { "PLAIN" } } or nil,
    on_auth = what == "guesses" and function(_, credentials)
      if credentials.user ~= "honest" then guesses = guesses + 1 end
      return credentials:check("right")
    end or nil,
    on_command = { XCOUNT = function() return tostring(guesses) end } })
  print(server.port)
  io.stdout:flush()
  server:run()
end

-- ---- clients ---------------------------------------------------------------------

local function connect(target, from)
  local socket, why = core.connect { host = target.host, port = target.port, local_address = from }
  if not socket then return nil, why end
  while true do
    local done = socket:connected()
    if done then return socket end
    if done == nil or not loop.wait(socket, "w", PATIENCE) then return nil, "no connection" end
  end
end

-- A line and its reply; nil at the end.
local function say(socket, line)
  if line then socket:send(line .. "\r\n") end
  local held = ""
  while true do
    local bytes = socket:recv(4096)
    if bytes == false then
      if not loop.wait(socket, "r", PATIENCE) then return nil end
    elseif not bytes or bytes == "" then
      return nil
    else
      held = held .. bytes
      if held:find("^%d%d%d [^\r]*\r\n$") or held:find("\n%d%d%d [^\r]*\r\n$") then return held end
    end
  end
end

local function with(target, from, ...)
  local socket = connect(target, from)
  if not socket then return nil end
  local last = say(socket)
  for _, line in ipairs { ... } do
    if not last or not last:find("^[23]") then break end
    last = say(socket, line)
  end
  loop.forget(socket)
  socket:close()
  return last
end

local function b64(user, password)
  return core.base64("\0" .. user .. "\0" .. password)
end

local function flood(target)
  local kept, sent, good = {}, 0, 0
  local since = core.now()
  local attacker = loop.spawn(function()
    while core.now() - since < SECONDS do
      while #kept < (core.now() - since) * RATE do
        kept[#kept + 1] = core.connect { host = target.host, port = target.port,
          local_address = "192.0.2.2" } or false
      end
      loop.sleep(0.005)
    end
  end)
  local honest = {}
  for i = 1, SECONDS * 5 do
    honest[i] = loop.spawn(function()
      loop.sleep(i / 5)
      sent = sent + 1
      local last = with(target, "192.0.2.3", "EHLO x", "MAIL FROM:<a@b.example>",
        "RCPT TO:<c@b.example>", "DATA", "Subject: x\r\n\r\nx\r\n.")
      if last and last:find("^250") then good = good + 1 end
    end)
  end
  while not attacker.dead do loop.step(0.1) end
  for _, task in ipairs(honest) do
    while not task.dead do loop.step(0.1) end
  end
  print(("flood: %d connections kept; %d of %d messages of others got through"):format(#kept, good,
    sent))
end

local function guess(target)
  local seconds, since, tasks, at = 5, core.now(), {}, nil
  for i = 1, SESSIONS do
    tasks[i] = loop.spawn(function()
      while core.now() - since < seconds do
        local auth = "AUTH PLAIN " .. b64("ada", "wrong")
        local socket = connect(target, "127.0.0.2")
        say(socket)
        say(socket, "EHLO x")
        for _ = 1, 3 do
          if core.now() - since < seconds then say(socket, auth) end
        end
        loop.forget(socket)
        socket:close()
      end
    end)
  end
  loop.spawn(function()
    loop.sleep(1)
    local before = core.now()
    local last = with(target, "127.0.0.3", "EHLO x", "AUTH PLAIN " .. b64("honest", "right"))
    at = last and last:find("^235") and core.now() - before
  end)
  while core.now() - since < seconds do loop.step(0.1) end
  local count = tonumber(with(target, "127.0.0.4", "EHLO x", "XCOUNT"):match("(%d+)\r\n$"))
  print(("guesses: %.1f a second; another address logged in after %s s"):format(count / seconds,
    at and ("%.3f"):format(at) or "never"))
  for _, task in ipairs(tasks) do loop.cancel(task) end
end

if role == "serve" then return serve(argument) end
local host = what == "flood" and "192.0.2.1" or "127.0.0.1"
local pipe = assert(io.popen(("echo $$; ulimit -n 1024; exec %s %s %s serve %s"):format(arg[-1],
  arg[0], what, host)))
local pid, port = pipe:read("n", "n")
local ok, why = pcall(what == "flood" and flood or guess, { host = host, port = port })
os.execute("kill " .. math.tointeger(pid))
if not ok then error(why, 0) end
