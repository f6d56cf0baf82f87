local core = require "smtp.core"
local net = require "spec.support.net"

local R, W = net.READ, net.WRITE

-- The events of one wait, as { [fd] = bits }; kqueue may split them.
local function events(poller, timeout)
  local ready, found = {}, {}
  local n = assert(poller:wait(timeout, ready))
  for i = 1, 2 * n, 2 do found[ready[i]] = (found[ready[i]] or 0) | ready[i + 1] end
  return found, n
end

local function raise_limit()
  local pipe <close> = assert(io.popen("ulimit -n"))
  return tonumber(pipe:read("l")) or math.huge
end

for _, backend in ipairs { "epoll", "kqueue", "poll" } do
  describe("smtp.core poller with " .. backend, function()
    local poller
    local probe, _, missing = core.poller(backend)
    if not probe then
      it("says that it is not on this system", function() assert.equal("ENOTSUP", missing) end)
      return
    end
    probe:close()

    before_each(function() poller = assert(core.poller(backend)) end)
    after_each(function() poller:close() end)

    it("names its back-end and its descriptor", function()
      assert.equal(backend, poller:backend())
      local fd, message = poller:pollfd()
      if backend == "poll" then
        assert.is_nil(fd)
        assert.is_string(message)
      else
        assert.equal("integer", math.type(fd))
      end
    end)

    it("waits as long as it is told when nothing is watched", function()
      local before = core.now()
      assert.equal(0, poller:wait(0, {}))
      assert.equal(0, poller:wait(0.0125, {}))
      local passed = core.now() - before
      assert.is_true(passed >= 0.0125)
      assert.is_true(passed < 5)
    end)

    it("has no wait that is too long for it", function()
      local client, server, _ <close> = net.pair()
      poller:set(server:pollfd(), R)
      client:send("x")
      for _, seconds in ipairs { 2147483, 2147484, 4294967.3, 1e10, 1e300, math.huge } do
        assert.same({ [server:pollfd()] = R }, (events(poller, seconds)))
      end
      for _, seconds in ipairs { 2147483.7, 1e300, math.huge } do -- and none that ends at once
        local status, output = net.run(([[
          local core = require "smtp.core"
          local poller = core.poller(%q)
          os.execute("p=$PPID; (sleep 0.1; kill -INT $p) > /dev/null 2>&1 &")
          poller:wait(%s, {})
          print("it did not wait")
        ]]):format(backend, seconds == math.huge and "math.huge" or seconds))
        assert.matches("interrupted!", output, 1, true)
        assert.equal(1, status)
      end
    end)

    it("gives what is ready, as often as it is asked, until it is not", function()
      local client, server, _ <close> = net.pair()
      local fd = server:pollfd()
      assert.is_true(poller:set(fd, R))
      assert.same({}, (events(poller, 0)))
      client:send("xy")
      assert.same({ [fd] = R }, (events(poller, 5)))
      assert.same({ [fd] = R }, (events(poller, 0)))
      assert.equal("x", server:recv(1))
      assert.same({ [fd] = R }, (events(poller, nil)))
      assert.equal("y", server:recv(1))
      assert.same({}, (events(poller, 0)))
      client:shutdown()
      assert.equal(R, events(poller, 5)[fd] & R)
    end)

    it("changes its interest and forgets it", function()
      local client, server, _ <close> = net.pair()
      local fd = server:pollfd()
      client:send("x")
      net.wait(fd, R)
      for _, step in ipairs { { R, R }, { R, R }, { R | W, R | W }, { W, W }, { R, R }, { 0 },
        { 0 }, { W, W }, { R | W, R | W }, { 0 } } do
        assert.is_true(poller:set(fd, step[1]))
        assert.equal(step[2], events(poller, 0)[fd])
      end
    end)

    it("changes its interest in what other processes have too", function()
      local client, server, _ <close> = net.pair()
      local fd = server:pollfd()
      client:send("x")
      net.wait(fd, R)
      for _, step in ipairs { { R | 4, R }, { R | W | 4, R | W }, { R, R }, { W | 4, W }, { 4 },
        { R | 4, R }, { 0 } } do
        assert.is_true(poller:set(fd, step[1]))
        assert.equal(step[2], events(poller, 0)[fd])
      end
    end)

    it("gives both bits for a connection that failed", function()
      local port = net.closed_port()
      local socket <close> = core.connect { host = "127.0.0.1", port = port }
      if not socket then return pending("refused at once") end
      poller:set(socket:pollfd(), R)
      assert.same({ [socket:pollfd()] = R | W }, (events(poller, 5)))
    end)

    it("gives both bits for a connection that was reset", function()
      local client, server, _ <close> = net.pair()
      poller:set(server:pollfd(), W)
      client:abort()
      net.wait(server:pollfd(), R)
      assert.same({ [server:pollfd()] = R | W }, (events(poller, 5)))
    end)

    it("has no stale events for a number that is used again", function()
      local client, server = net.pair()
      local fd = server:pollfd()
      client:send("x")
      net.wait(fd, R)
      poller:set(fd, R | W)
      assert.is_true(poller:set(fd, 0))
      server:close()
      local fillers, listener = {}, nil
      repeat -- numbers are given out from the lowest
        fillers[#fillers + 1] = listener
        listener = assert(core.listen { host = "127.0.0.1", port = 0 })
      until listener:pollfd() >= fd
      assert.equal(fd, listener:pollfd())
      assert.same({}, (events(poller, 0)))
      poller:set(fd, R)
      assert.same({}, (events(poller, 0)))
      local _, port = listener:name()
      local other <close> = assert(core.connect { host = "127.0.0.1", port = port })
      assert.same({ [fd] = R }, (events(poller, 5)))
      other:close()
      client:close()
      poller:set(fd, 0)
      listener:close()
      for _, filler in ipairs(fillers) do filler:close() end
    end)

    it("is not broken by a descriptor that was closed too early", function()
      local client, server = net.pair()
      local fd = server:pollfd()
      poller:set(fd, R)
      server:close()
      client:close()
      assert.is_true(poller:set(fd, 0))
      assert.same({}, (events(poller, 0)))
    end)

    it("reaches every one of 600 that are ready", function()
      if raise_limit() < 1000 then return pending("too few descriptors allowed") end
      local sockets, seen, count = {}, {}, 0
      for i = 1, 300 do
        local client, server = net.pair { path = os.tmpname() .. i }
        os.remove((client:peer()))
        sockets[#sockets + 1] = client
        sockets[#sockets + 1] = server
      end
      for _, socket in ipairs(sockets) do poller:set(socket:pollfd(), W) end
      for _ = 1, 4 do
        local found, n = events(poller, 5)
        assert.is_true(n <= 256)
        for fd in pairs(found) do
          count = count + (seen[fd] and 0 or 1)
          seen[fd] = true
        end
      end
      assert.equal(600, count)
      for _, socket in ipairs(sockets) do
        poller:set(socket:pollfd(), 0)
        socket:close()
      end
      assert.same({}, (events(poller, 0)))
    end)

    it("can be waited for itself, if it has a descriptor", function()
      local fd = poller:pollfd()
      if not fd then return pending("poll has none") end
      local client, server, _ <close> = net.pair()
      poller:set(server:pollfd(), R)
      local outer <close> = assert(core.poller("poll"))
      outer:set(fd, R)
      assert.same({}, (events(outer, 0)))
      client:send("x")
      assert.same({ [fd] = R }, (events(outer, 5)))
      assert.same({ [server:pollfd()] = R }, (events(poller, 0)))
    end)

    it("comes back when a signal comes", function()
      local status, output = net.run(([[
        local core = require "smtp.core"
        local poller = core.poller(%q)
        local limit = core.now() + 20
        os.execute("p=$PPID; (sleep 0.1; kill -INT $p) > /dev/null 2>&1 &")
        poller:wait(20, {})
        while core.now() < limit do poller:wait(20, {}) end
        print("not interrupted")
      ]]):format(backend))
      assert.matches("interrupted!", output, 1, true)
      assert.equal(1, status)
    end)

    it("raises on misuse, and when it is closed", function()
      assert.error_matches(function() poller:set(-1, R) end, "not a descriptor")
      assert.error_matches(function() poller:set(1 << 40, R) end, "not a descriptor")
      assert.error_matches(function() poller:set(0, 8) end, "0 to 7")
      assert.error_matches(function() poller:wait(0 / 0, {}) end, "not a number")
      assert.error_matches(function() poller:wait(0) end, "table expected")
      assert.error_matches(function() poller:set(0) end, "number expected")
      poller:close()
      poller:close()
      for _, method in ipairs { "set", "wait", "pollfd", "backend" } do
        assert.error_matches(function() poller[method](poller, 0, 0) end, "the poller is closed")
      end
    end)
  end)
end

describe("smtp.core poller", function()
  it("takes the best back-end", function()
    local poller <close> = assert(core.poller())
    local first = core.poller("epoll") or core.poller("kqueue") or core.poller("poll")
    assert.equal(first:backend(), poller:backend())
    first:close()
  end)

  it("has a wait for one descriptor, which needs no poller", function()
    local client, server, _ <close> = net.pair()
    local fd = server:pollfd()
    assert.is_false(core.wait(fd, R, 0))
    local before = core.now()
    assert.is_false(core.wait(fd, R, 0.0125))
    assert.is_true(core.now() - before >= 0.0125)
    assert.is_true(core.wait(fd, W))
    assert.is_true(core.wait(fd, R | W, 1e300))
    client:send("x")
    assert.is_true(core.wait(fd, R))
    assert.is_true(core.wait(fd, R, -1))
    assert.error_matches(function() core.wait(-1, R) end, "#1 .*not a descriptor")
    assert.error_matches(function() core.wait(fd, 0) end, "#2 .*1 to 3")
    assert.error_matches(function() core.wait(fd, 4) end, "#2 .*1 to 3")
    assert.error_matches(function() core.wait(fd, R, 0 / 0) end, "#3 .*not a number")
  end)

  it("knows no other back-end", function()
    local poller, message, name = core.poller("select")
    assert.is_nil(poller)
    assert.is_string(message)
    assert.equal("ENOTSUP", name)
  end)

  it("tells what epoll cannot watch", function()
    local poller <close> = core.poller("epoll")
    if not poller then return pending("no epoll here") end
    local result, message, name = poller:set(100000, R)
    assert.is_nil(result)
    assert.is_string(message)
    assert.equal("EBADF", name)
    assert.is_true(poller:set(100000, 0))
  end)

  it("compiles for kqueue, where there is none", function()
    local compiler = (os.getenv("CC") or "cc") .. " -std=c99 -D_POSIX_C_SOURCE=200809L -Wall "
      .. "-Wextra -Wpedantic -Werror -fsyntax-only -DSMTP_HAVE_KQUEUE -Ispec/support/kqueue "
    if not os.execute(compiler .. "csrc/net/clock.c 2>/dev/null") then
      return pending("no C compiler")
    end
    assert.is_true(os.execute(compiler .. "csrc/net/poller.c csrc/net/poller_kqueue.c"))
  end)

  it("has a clock that does not go back", function()
    local last = core.now()
    assert.equal("float", math.type(last))
    for _ = 1, 1000 do
      local now = core.now()
      assert.is_true(now >= last)
      last = now
    end
  end)
end)
