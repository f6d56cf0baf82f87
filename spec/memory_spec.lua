-- SPDX-License-Identifier: MIT
-- A gigabyte goes through a client and a server, each in a process of its own,
-- and neither needs more than a few megabytes for it.
local memory = require "spec.support.memory"
local net = require "spec.support.net"
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

  -- The figures in the last line of the output: bytes, and the growth.
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

  it("stays bounded while a file of 1 GiB is an attachment, which comes as it was", function()
    local folder = net.folder()
    local _ <close> = setmetatable({}, { __close = function() net.remove(folder) end })
    local space <close> = assert(io.popen("df -Pk " .. folder .. " | tail -n 1"))
    local free = tonumber(space:read("a"):match("%d+%s+%d+%s+(%d+)"))
    if not free or free < 4 << 20 then return pending("this needs 4 GiB of disk") end
    assert(os.execute(("cd %s && head -c %d /dev/urandom > block && for i in %s; do cat block; "
      .. "done > file && rm block"):format(folder, SIZE // 16, ("x "):rep(16))))
    local server <close> = process.lua({ "spec/support/memory_server.lua",
      folder .. "/mail" }, { time = 300 })
    local port = server:await(function() return server:output():match("^(%d+)\n") end)
    local client <close> = process.lua({ "spec/support/attachment_client.lua", port,
      folder .. "/file" }, { time = 300 })
    local sent, client_growth = told(client:wait())
    local taken, server_growth = told(server:wait())
    assert.equal(sent, taken)
    assert.is_true(client_growth < GROWTH, "the client grew by KiB: " .. client_growth)
    assert.is_true(server_growth < GROWTH, "the server grew by KiB: " .. server_growth)
    -- The attachment stands between the last blank line and the last boundary.
    local status = os.execute(([[cd %s && grep -n '^Content-Transfer-Encoding: base64' mail |
      head -n 1 | cut -d: -f1 > line && tail -n +$(($(cat line) + 3)) mail | grep -v '^--' |
      tr -d '\r' | base64 -d -i | cmp - file]]):format(folder))
    assert.is_true(status)
  end)
end)
