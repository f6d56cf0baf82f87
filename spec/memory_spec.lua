-- SPDX-License-Identifier: MIT
-- A gigabyte goes through a client and a server, each in a process of its own,
-- and neither needs more than a few megabytes for it.
local memory = require "spec.support.memory"
local process = require "spec.support.process"

local SIZE = 1 << 30
local GROWTH = 8 * 1024 -- KiB

local missing = process.missing()
if not memory.known() then missing = "the memory of a process is told by Linux only" end

if (os.getenv("LD_PRELOAD") or ""):find("asan", 1, true) then
  missing = "AddressSanitizer keeps for a while what is freed"
end

describe("memory #slow", function()
  if missing then
    pending(missing)
    return
  end

  -- What the last line of its output says: bytes, and by how much it grew.
  local function told(status, out, err)
    assert.equal(0, status, out .. err)
    local bytes, before, most = out:match("(%d+) (%d+) (%d+)\n$")
    assert.truthy(bytes, out .. err)
    return tonumber(bytes), most - before
  end

  it("stays bounded while a message of 1 GiB is sent and taken", function()
    local server <close> = process.lua({ "spec/support/memory_server.lua" }, { time = 300 })
    local port = server:await(function() return server:output():match("^(%d+)\n") end)
    local client <close> = process.lua({ "spec/support/memory_client.lua", port, SIZE },
      { time = 300 })
    local sent, client_growth = told(client:wait())
    local taken, server_growth = told(server:wait())
    assert.equal(SIZE, sent)
    assert.equal(SIZE, taken)
    assert.is_true(client_growth < GROWTH, "the client grew by KiB: " .. client_growth)
    assert.is_true(server_growth < GROWTH, "the server grew by KiB: " .. server_growth)
  end)
end)
