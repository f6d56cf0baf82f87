-- SPDX-License-Identifier: MIT
-- bench/server.lua PORTFILE [CERTIFICATE]: the server under test, with a Lua handler on mail, rcpt
-- and message. The message handler reads every chunk. With a certificate (PEM, with its key) it
-- speaks TLS from the first byte. The port is written to PORTFILE by rename, so that whoever waits
-- for the file never reads half of it. SIGTERM ends it.

package.path = "bench/?.lua;" .. package.path
local smtp = require "smtp"
local tick = require "tick"

local portfile, certificate = arg[1], arg[2]

local server = assert(smtp.server {
  listen = "127.0.0.1:0",
  hostname = "bench.example.org",
  tls = certificate and { cert = certificate, implicit = true },
  -- S4 has 10,000 connections; a session of S1 sends 800 messages, but not in equal shares.
  limits = { connections = 100000, messages = 1000000 },
  on_mail = function(_, sender)
    if sender.domain == "spammer.example" then return false end
  end,
  on_rcpt = function(_, recipient) return recipient.user ~= "nobody" end,
  on_message = function(_, message)
    local size = 0
    for chunk in message:chunks() do size = size + #chunk end
    tick()
    return size > 0
  end,
})

local file = assert(io.open(portfile .. ".new", "w"))
file:write(server.port, "\n")
file:close()
assert(os.rename(portfile .. ".new", portfile))
assert(server:run())
