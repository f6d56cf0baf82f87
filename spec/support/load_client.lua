-- SPDX-License-Identifier: MIT
-- A load in a process of its own: load_client.lua PORT NAME FILE sends messages one
-- after the other, as fast as they are answered, and writes the subject of each that
-- got its 250 to FILE. A connection that is lost is made anew; a message whose reply
-- did not come is not sent again. SIGTERM ends it, with status 0; so does a server
-- that does not answer for PATIENCE seconds, with status 1.
local core = require "smtp.core"
local loop = require "smtp.loop"
local smtp = require "smtp"

local port, name, path = arg[1], arg[2], arg[3]

local PATIENCE = 10
local EACH = 20 -- messages of a connection

local taken <close> = assert(io.open(path, "a"))
taken:setvbuf("line")

local stop = false
local signals = assert(core.signals { "TERM" })
loop.spawn(function()
  loop.wait(signals, "r")
  signals:take()
  stop = true
end)

local sent, last = 0, core.now()

local function send(client)
  sent = sent + 1
  local subject = ("%s-%d"):format(name, sent)
  if not client:send { from = "ada@code.energy", to = "charles@example.com",
    subject = subject, text = ("It works.\n"):rep(40) } then return false end
  taken:write(subject, "\n")
  last = core.now()
  return true
end

while not stop do
  local client <close> = smtp.connect { url = "smtp://127.0.0.1:" .. port, tls = "none",
    timeout = PATIENCE }
  for _ = 1, client and EACH or 0 do
    if stop or not send(client) then break end
  end
  if client and client:usable() then client:quit() end
  if core.now() - last > PATIENCE then os.exit(1) end
  if not client then loop.sleep(0.01) end
end
