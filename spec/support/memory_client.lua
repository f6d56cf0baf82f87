-- SPDX-License-Identifier: MIT
-- A client in a process of its own: memory_client.lua PORT BYTES sends one
-- message from a function; then prints the bytes that the function gave and the
-- kilobytes of resident memory before and at the most.
local smtp = require "smtp"
local memory = require "spec.support.memory"

local port, size = arg[1], math.tointeger(tonumber(arg[2]))
local line = ("0123456789abcdef"):rep(4):sub(1, 62) .. "\r\n"
local chunk = line:rep(1024)
local given = 0

local client <close> = assert(smtp.connect("smtp://127.0.0.1:" .. port))
memory.begin()
assert(client:send {
  envelope = { from = "ada@example.org", to = { "bob@example.com" } },
  raw = function()
    if given >= size then return nil end
    given = given + #chunk
    return chunk
  end,
})
memory.report(given)
client:quit()
