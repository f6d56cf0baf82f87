local core = require "smtp.core"
local leaves = require "spec.support.held"
local net = require "spec.support.net"

describe("smtp.core.resolve", function()
  it("answers for a numeric address at once", function()
    local job <close> = assert(core.resolve("192.0.2.7", 587))
    assert.same({ { host = "192.0.2.7", port = 587, family = "inet" } }, job:result())
    local six <close> = assert(core.resolve("2001:DB8::0:1", 0))
    assert.same({ { host = "2001:db8::1", port = 0, family = "inet6" } }, six:result())
    assert.equal(net.READ, net.await(job))
    assert.equal(net.READ, net.await(job)) -- and stays so
    for _, port in ipairs { 1, 65535 } do
      local one <close> = assert(core.resolve("127.0.0.1", port))
      assert.equal(port, one:result()[1].port)
    end
  end)

  it("finds localhost by a job", function()
    local job <close> = assert(core.resolve("localhost", 2525))
    local list = assert(net.finish(job))
    assert.is_true(#list >= 1)
    for _, entry in ipairs(list) do
      assert.equal(2525, entry.port)
      assert.is_true(entry.host == "127.0.0.1" and entry.family == "inet"
        or entry.host == "::1" and entry.family == "inet6", entry.host)
    end
    assert.same(list, job:result())
    assert.equal(net.READ, net.await(job))
  end)

  it("gives what can be listened at and connected to", function()
    local job <close> = assert(core.resolve("localhost", 0))
    local entry = assert(net.finish(job))[1]
    local client, _, guard <close> = net.pair { host = entry.host, port = entry.port }
    assert.equal(entry.host, (client:peer()))
    assert.equal(2, #guard)
  end)

  it("fails for good where there is no such name", function()
    for _, name in ipairs { "", "a\0b", ("x"):rep(256), ("x."):rep(200),
      ("x"):rep(64) .. ".test" } do
      local job <close> = assert(core.resolve(name, 25))
      local list, message, word = net.finish(job)
      assert.is_nil(list)
      assert.is_string(message)
      assert.equal("permanent", word)
      assert.same({ nil, message, "permanent" }, { job:result() })
    end
  end)

  it("leaves nothing of what it found", function()
    local function round()
      for _, host in ipairs { "192.0.2.7", "" } do core.resolve(host, 25):close() end
    end
    local bytes = leaves(round)
    assert.is_true(not bytes or bytes < 16, bytes)
  end)

  it("says that there is no thread for it, and keeps no descriptor", function()
    -- No room for the stack of a thread.
    local limit = "ulimit -n 20 && ulimit -s 1000000 && ulimit -v 500000 &&"
    if net.run("", limit) ~= 0 then return pending("no limit can be set to the memory") end
    local status, output = net.run([[
      local core = require "smtp.core"
      for _ = 1, 20 do
        print(core.resolve("localhost", 25))
        print(core.dns("a.example", "MX"))
      end
    ]], limit)
    local refused = "nil\tResource temporarily unavailable\tEAGAIN\n"
    assert.same({ 0, refused:rep(40) }, { status, output })
  end)

  it("raises on misuse", function()
    assert.error_matches(function() core.resolve() end, "string expected")
    assert.error_matches(function() core.resolve("localhost") end, "number expected, got no value")
    assert.error_matches(function() core.resolve("localhost", 65536) end, "not a port")
    assert.error_matches(function() core.resolve("localhost", -1) end, "not a port")
    assert.error_matches(function()
      core.resolve("localhost", "smtp")
    end, "number expected, got string")
  end)
end)
