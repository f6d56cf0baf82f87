-- SPDX-License-Identifier: MIT
-- A server with a process for each processor: every message goes to a Maildir.
local smtp = require "smtp"

local USAGE = [[
usage: lua workers.lua HOST:PORT MAILDIR [WORKERS]

  WORKERS  how many processes; default: as many as there are processors

SIGTERM and ctrl-C end it when transactions are done, SIGHUP reads certificates anew; a
worker that dies is replaced.

  lua workers.lua 127.0.0.1:2525 mail
]]

local listen, maildir, workers = arg[1], arg[2], arg[3]
if listen == "--help" then
  io.write(USAGE)
  os.exit(0)
elseif not maildir or workers and not math.tointeger(tonumber(workers)) then
  io.stderr:write(USAGE)
  os.exit(2)
end

local number -- of this worker

io.stdout:setvbuf("line")

local server = assert(smtp.server {
  listen = listen,
  on_message = function(_, message)
    local stored, why = message:maildir(maildir)
    if not stored then return nil, why end -- the client is told to try again later
    print(("worker %d stored %s"):format(number, message.id))
    return "stored as " .. message.id
  end,
  on_event = function(event)
    if event.type == "worker" then
      print(("worker %d ended with status %d"):format(event.n, event.status))
    elseif event.type == "error" then
      print("error at " .. event.stage)
    end
  end,
})
print(("listening on %s:%s"):format(server.address, server.port))

local clean, err = server:run {
  workers = workers and math.tointeger(tonumber(workers)) or "auto",
  grace = 10,
  on_worker = function(n) number = n end,
}
if err then error(tostring(err), 0) end
os.exit(clean) -- false: sessions were cut off
