-- Who is let in, and what a refused connection costs: no session, no task, and a
-- descriptor for no longer than its 421 needs.
local net = require "spec.support.net"
local serve = require "spec.support.serve"

describe("a connection beyond the limits", function()
  it("is told so and closed, though its peer stays", function()
    local events, closed = {}, 0
    local server <close> = serve.start { limits = { connections = 10 },
      on_event = serve.record(events), on_close = function() closed = closed + 1 end }
    local kept, refused = {}, 0
    for i = 1, 60 do
      kept[i] = serve.connect(server)
      if kept[i]:reply():match("^421") then
        refused = refused + 1
        assert.equal("", kept[i]:rest())
      end
    end
    assert.equal(50, refused)
    assert.same({ 10, 60 }, { server:stats().connections, server:stats().accepted })
    assert.equal(50, #serve.of_type(events, "refused"))
    assert.equal("127.0.0.1", serve.of_type(events, "refused")[1].peer.address)
    assert.equal("connections", serve.of_type(events, "refused")[1].reason)
    assert.equal(0, closed)
    kept[1]:cmd("QUIT")
    serve.wait(function() return server:stats().connections == 9 end)
    local next_one <close> = serve.connect(server)
    assert.matches("^220", next_one:reply())
    for _, client in ipairs(kept) do client:close() end
  end)

  it("does not linger after a refused connection", function()
    for _, refused in ipairs { "on_connect", "proxy" } do
      local server <close> = serve.start { limits = { per_ip = 1 }, on_rcpt = true,
        proxy = refused == "proxy" and { "127.0.0.1" } or nil,
        on_connect = function() if refused == "on_connect" then return 421, "no" end end }
      local kept = {}
      for i = 1, 5 do
        kept[i] = serve.connect(server)
        if refused == "proxy" then
          kept[i]:send("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
          assert.matches(i == 1 and "^220" or "^421", kept[i]:reply())
        else
          assert.matches("^421", kept[i]:reply())
        end
      end
      local left = refused == "proxy" and 1 or 0
      serve.wait(function() return server:stats().connections == left end)
      for _, client in ipairs(kept) do client:close() end
    end
  end)

  it("has few that linger beside it", function()
    local server <close> = serve.start { limits = { connections = 30 } }
    local kept = {}
    for i = 1, 20 do
      kept[i] = serve.connect(server)
      assert.matches("^220", kept[i]:reply())
      kept[i]:send("GET / HTTP/1.0\r\n") -- 421, and the peer stays
      assert.matches("^421", kept[i]:reply())
    end
    serve.wait(function() return server:stats().connections <= 4 end)
    assert.is_true(server.lingering >= 1 and server.lingering <= 4)
    for _, client in ipairs(kept) do client:close() end
    serve.idle(server)
    assert.equal(0, server.lingering)
  end)

  it("does not hold others: a flood within per_ip", function()
    local status, output = net.run([[
      local core = require "smtp.core"
      local serve = require "spec.support.serve"
      local server = serve.start { listen = "192.0.2.1:0", on_rcpt = true, limits = { per_ip = 5 } }
      local function from(address)
        return serve.connect { host = server.address, port = server.port, local_address = address }
      end
      local kept = {}
      for i = 1, 300 do kept[i] = from "192.0.2.1" end
      for i = 1, 10 do
        local peer = from "192.0.2.2"
        assert(peer:begin():content("hi\r\n"):match("^250"))
        peer:cmd("QUIT")
        peer:close()
      end
      serve.wait(function() return server:stats().connections == 5 end)
      print(server:stats().accepted, server:stats().messages)
    ]], "unshare -rn sh -c 'ip link set lo up && ip addr add 192.0.2.1/24 dev lo && " ..
      "ip addr add 192.0.2.2/24 dev lo && exec \"$0\" \"$@\"'")
    if output:find("unshare:") then return pending("a network of its own cannot be made here") end
    assert.equal("310\t10\n", output)
    assert.equal(0, status)
  end)
end)

describe("descriptors", function()
  local function limited(n, script)
    return net.run(script, "sh -c 'ulimit -n " .. n .. "; exec \"$0\" \"$@\"'")
  end

  it("bound limits.connections, which is said at the start", function()
    local start = [[
      local serve = require "spec.support.serve"
      local events = {}
      local server = serve.start { %s }
      print(server.limits.connections)
      for _, event in ipairs(events) do
        print(event.type, event.limit, event.wanted, event.value, event.descriptors)
      end
    ]]
    local _, output = limited(256, start:format("on_event = serve.record(events)"))
    assert.equal("64\nlimit\tconnections\t1000\t64\t256\n", output)
    _, output = limited(256, start:format("limits = { connections = 65 }"))
    assert.equal("smtp.server: limits.connections is 64 in place of 65: this process may have " ..
      "256 descriptors (ulimit -n), and a session may need 3\n64\n", output)
    _, output = limited(256, start:format("limits = { connections = 64 }"))
    assert.equal("64\n", output)
    _, output = limited(66, start:format("limits = { connections = 2 }"))
    assert.matches("\n1\n$", output)
  end)

  it("that are used up stop nobody for good, and are reported once", function()
    local status, output = limited(90, [[
      local core = require "smtp.core"
      local loop = require "smtp.loop"
      local serve = require "spec.support.serve"
      local events = {}
      local server = serve.start { on_event = serve.record(events) }
      local served = serve.connect(server)
      served:reply()
      local files = {}
      for file in function() return io.open("/dev/null") end do files[#files + 1] = file end
      files[#files]:close()
      files[#files] = nil -- for the client
      local waiting = serve.connect(server)
      local turns, limit = 0, core.now() + 0.5
      while core.now() < limit do
        loop.step(limit - core.now())
        turns = turns + 1
      end
      local seen = 0
      for _, event in ipairs(events) do
        if event.stage == "accept" and event.cause == "EMFILE" then seen = seen + 1 end
      end
      print(seen, turns < 100, served:cmd("NOOP"))
      for _, file in ipairs(files) do file:close() end
      print(waiting:reply():sub(1, 3))
    ]])
    assert.equal("1\ttrue\t250 2.0.0 OK\n220\n", output)
    assert.equal(0, status)
  end)
end)

describe("the memory of many sessions", function()
  -- A collection of the server's own ends what this holds; nothing else here makes one.
  local function is_collected(connections)
    local server <close> = serve.start { limits = { connections = 200 } }
    collectgarbage()
    collectgarbage("stop")
    local clients = {}
    for i = 1, connections do
      clients[i] = serve.connect(server)
      assert.matches("^220", clients[i]:reply())
    end
    local held = setmetatable({ {} }, { __mode = "v" })
    for _, client in ipairs(clients) do client:close() end
    serve.idle(server)
    collectgarbage("restart")
    return held[1] == nil
  end

  it("is given back when most of them are gone", function()
    assert.is_true(is_collected(100))
  end)

  it("is left to the collector if there are few sessions", function()
    assert.is_false(is_collected(20))
  end)
end)
