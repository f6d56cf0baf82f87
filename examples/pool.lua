-- SPDX-License-Identifier: MIT
-- Sends messages that are files, several at a time, over a few connections.
local smtp = require "smtp"

local USAGE = [[
usage: lua pool.lua TARGET CONNECTIONS FILE...

  FILE  a message; it goes to those in its fields To, Cc and Bcc

  lua pool.lua localhost:2525 4 outbox/*.eml

Status: 0 accepted all, 1 not accepted all, 2 wrong usage.
]]

if arg[1] == "--help" then
  io.write(USAGE)
  os.exit(0)
end
local target, size, files = arg[1], math.tointeger(tonumber(arg[2])), { table.unpack(arg, 3) }
if not size or size < 1 or #files == 0 then
  io.stderr:write(USAGE)
  os.exit(2)
end

local pool <close> = assert(smtp.pool { url = target, size = size })

local function read(name)
  local file <close>, why = io.open(name, "rb")
  if not file then return nil, why end
  return smtp.parse(file)
end

local function send(name)
  local message, err = read(name)
  local receipt
  if message then receipt, err = pool:send(message) end
  if not receipt then print(("%s: %s"):format(name, tostring(err))) end
end

-- As many workers as connections: no more messages than that are in memory.
local next_file = 0
local function work()
  while next_file < #files do
    next_file = next_file + 1
    send(files[next_file])
  end
end

for _ = 1, size do smtp.loop.spawn(work) end
smtp.loop.run()

local stats = pool:stats()
print(("%d sent, %d failed, %d connections"):format(stats.sent, #files - stats.sent,
  stats.connected))
os.exit(stats.sent == #files, true)
