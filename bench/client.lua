-- SPDX-License-Identifier: MIT
-- bench/client.lua PORT MESSAGES [DISABLE...]: the client under test, messages of 1 KiB over one
-- connection; as if the server lacked the extensions that are named.

package.path = "bench/?.lua;" .. package.path
local smtp = require "smtp"
local tick = require "tick"

local port, messages = math.tointeger(arg[1]), math.tointeger(arg[2])
local header = "From: ada@code.energy\r\nSubject: bench\r\n\r\n"
local body = (("x"):rep(62) .. "\r\n"):rep(16):sub(#header + 1)
local message = {
  envelope = { from = "ada@code.energy", to = { "charles@example.com" } },
  raw = header .. body,
}
assert(#message.raw == 1024)

local disable = {}
for i = 3, #arg do disable[arg[i]] = true end

local all = {}
for i = 1, messages do all[i] = message end

local client <close> = assert(smtp.connect { url = "smtp://127.0.0.1:" .. port, tls = "none",
  disable = disable })
for _, receipt, err in client:send_all(all) do
  assert(receipt, err)
  tick()
end
assert(client:quit())
