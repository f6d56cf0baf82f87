-- SPDX-License-Identifier: MIT
-- bench/relay.lua PORTFILE PORT SECONDS: a relay to a port of this machine that lets every byte
-- wait for half of that many seconds in either direction, as a long line does. What is written
-- at once arrives at once; nothing else is slowed down. SIGTERM ends it.

local core = require "smtp.core"
local loop = require "smtp.loop"

local portfile, port, seconds = arg[1], math.tointeger(arg[2]), tonumber(arg[3])

local function connect()
  local socket = assert(core.connect { host = "127.0.0.1", port = port })
  while not assert(socket:connected() ~= nil) do loop.wait(socket, "w") end
  while not socket:connected() do loop.wait(socket, "w") end
  return socket
end

-- The bytes on the line: { due, bytes } in order; "" is the end of the stream.
local function receive(from, line)
  while true do
    local bytes = from:recv(65536)
    if bytes == false then
      loop.wait(from, "r")
    else
      line[#line + 1] = { loop.now() + seconds / 2, bytes or "" }
      if not line.gate.open then loop.wake(line.gate) end
      if not bytes or bytes == "" then return end
    end
  end
end

local function send_all(to, bytes)
  local first = 1
  while first <= #bytes do
    local n = to:send(bytes, first)
    if not n then return false end
    first = first + n
    if n == 0 then loop.wait(to, "w") end
  end
  return true
end

local function deliver(to, line)
  while true do
    local one = table.remove(line, 1)
    if not one then
      line.gate = loop.gate()
      loop.pass(line.gate)
    else
      local left = one[1] - loop.now()
      if left > 0 then loop.sleep(left) end
      if one[2] == "" or not send_all(to, one[2]) then break end
    end
  end
  to:shutdown()
end

local function relay(client)
  local server = connect()
  local there, back = { gate = loop.gate() }, { gate = loop.gate() }
  loop.spawn(receive, client, there)
  loop.spawn(deliver, server, there)
  loop.spawn(receive, server, back)
  loop.spawn(deliver, client, back)
end

local listener = assert(core.listen { host = "127.0.0.1", port = 0 })
local _, own = listener:name()
local file = assert(io.open(portfile .. ".new", "w"))
file:write(own, "\n")
file:close()
assert(os.rename(portfile .. ".new", portfile))
while true do
  local client = listener:accept()
  if client then loop.spawn(relay, client) else loop.wait(listener, "r") end
end
