-- A process that ends in the middle of TLS: with os.exit, with lua_close, in a
-- child, with a thousand connections that live; and no crash.
local net = require "spec.support.net"

local SETUP = [[
local smtp = require "smtp"
local core = require "smtp.core"
local authority = require "smtp.authority"
local ca = assert(authority.new())
local one = assert(ca:issue())
local server = assert(smtp.server { listen = "127.0.0.1:0", hostname = "localhost",
  tls = { cert = one.cert, key = one.key, implicit = true },
  on_message = function(_, m) m:read() return true end })
local clients = {}
local function connect(n)
  for _ = 1, n do
    clients[#clients + 1] = assert(smtp.connect { host = "127.0.0.1", port = server.port,
      tls = "implicit", ca = ca.certificate })
  end
end
]]

local function status_of(script, before)
  local status, output = net.run(SETUP .. script, before)
  return status, output
end

describe("the end of a process within TLS", function()
  for name, ending in pairs { ["os.exit"] = "os.exit(7)", ["os.exit with a close"] =
    "os.exit(7, true)" } do
    it("by " .. name .. " is clean, 1,000 connections alive", function()
      local status, output = status_of([[
        connect(1000)
        assert(server:stats().connections == 1000)
      ]] .. ending, "ulimit -n 4096 &&")
      if output:find("Too many open files") then return pending("too few descriptors") end
      assert.equal("", output)
      assert.equal(7, status)
    end)
  end

  it("is clean many times over", function()
    for _ = 1, 10 do
      local status, output = status_of("connect(3) os.exit(7)")
      assert.equal("", output)
      assert.equal(7, status)
    end
  end)

  it("by the end of the script closes all of it", function()
    local status, output = status_of("connect(20)")
    assert.equal("", output)
    assert.equal(0, status)
  end)

  it("in a child drops what waits to be sent: that is its parent's to send", function()
    local status, output = status_of([[
      local engine = assert(core.tls_context { ca = ca.certificate }):engine("localhost")
      assert(engine:handshake() == false)
      local waits = engine:peek()
      assert(#waits > 0)
      local child = core.fork()
      if not child then
        engine:shutdown()
        core.exit(#engine:peek())
      end
      local status
      repeat status = child:ended() until status
      assert(engine:peek() == waits)
      os.exit(status == 0 and 7 or 1)
    ]])
    assert.equal("", output)
    assert.equal(7, status)
  end)

  it("in a child sends nothing in the name of its parent", function()
    local status, output = status_of([[
      local probe = require "probe"
      connect(2)
      local child = probe.fork()
      if child == 0 then -- a close_notify here would end the parent's connections
        for i = 1, 2 do clients[i]:close() end
        os.exit(3)
      end
      assert(probe.wait(child) == 3)
      assert(clients[1]:noop())
      assert(clients[2]:noop())
      os.exit(7)
    ]])
    assert.equal("", output)
    assert.equal(7, status)
  end)
end)
