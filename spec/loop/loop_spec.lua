-- The loop, with each poller: tasks, time, and the one place to wait.
local core = require "smtp.core"
local net = require "spec.support.net"

-- A loop of its own, so that the back-end can be chosen.
local function fresh(backend)
  local loaded = package.loaded
  local before, watchers = loaded["smtp.loop"], loaded["smtp.loop.watchers"]
  loaded["smtp.loop"], loaded["smtp.loop.watchers"] = nil, nil
  local loop = require "smtp.loop"
  loaded["smtp.loop"], loaded["smtp.loop.watchers"] = before, watchers
  assert(not backend or loop.backend(backend) == backend)
  return loop
end

-- Two ends of a connection.
local function pair()
  local listener <close> = assert(core.listen { host = "127.0.0.1", port = 0 })
  local _, port = listener:name()
  local client = assert(core.connect { host = "127.0.0.1", port = port })
  local server = assert(net.retry(listener, "accept"))
  assert(net.retry(client, "connected"))
  return client, server
end

describe("a wait of a program without tasks", function()
  local before = core.poller
  before_each(function() core.poller = function() error("a poller is asked for", 0) end end)
  after_each(function() core.poller = before end)

  it("needs no poller", function()
    local loop, client, server = fresh(), pair()
    assert.is_false(loop.wait(server, "r", 0))
    assert.is_false(loop.wait(server, "r", 0.01))
    assert.is_true(loop.wait(server, "w"))
    client:send("x")
    assert.is_true(loop.wait(server, "rw", 5))
    assert.is_true(loop.wait(server, "r"))
    assert.is_true(coroutine.wrap(loop.wait)(server, "r", 5))
    client:close()
    server:close()
  end)
end)

for _, backend in ipairs { "epoll", "kqueue", "poll" } do
  local probe = core.poller(backend)
  if probe then
    probe:close()
    describe("loop with " .. backend, function()
      local loop
      before_each(function() loop = fresh(backend) end)

      it("runs tasks, with their arguments, until none is left", function()
        local seen = {}
        for i = 1, 3 do
          loop.spawn(function(...)
            seen[#seen + 1] = table.concat({ ... }, ",")
            loop.sleep(0)
            seen[#seen + 1] = "end"
          end, i, i * 2)
        end
        assert.same({}, seen)
        loop.run()
        assert.same({ "1,2", "2,4", "3,6", "end", "end", "end" }, seen)
        loop.run()
      end)

      it("sleeps in the order of time, in tasks and outside", function()
        local order = {}
        for _, ms in ipairs { 30, 10, 20 } do
          loop.spawn(function()
            loop.sleep(ms / 1000)
            order[#order + 1] = ms
          end)
        end
        local since = loop.now()
        loop.sleep(0.04)
        assert.is_true(loop.now() - since >= 0.04)
        assert.same({ 10, 20, 30 }, order)
        assert.error_matches(function() loop.sleep() end, "a number of seconds")
        assert.error_matches(function() loop.sleep("1") end, "a number of seconds")
      end)

      it("goes on with others while a task sleeps for no time, again and again", function()
        local n, over = 0, false
        loop.spawn(function()
          while not over do
            n = n + 1
            loop.sleep(0)
          end
        end)
        loop.sleep(0.01)
        over = true
        loop.run()
        assert.is_true(n > 1)
      end)

      it("waits for a descriptor, in a task and outside", function()
        local a <close>, b = pair()
        local seen = {}
        loop.spawn(function()
          seen[1] = loop.wait(b, "r", 5)
          seen[2] = b:recv(10)
        end)
        assert.is_true(loop.wait(a, "w", 5))
        a:send("hi")
        loop.run()
        assert.same({ true, "hi" }, seen)
        assert.is_false(loop.wait(a, "r", 0.01))
        b:send("ho")
        assert.is_true(loop.wait(a, "r", 5))
        assert.is_true(loop.wait(a, "r"))
        assert.is_true(loop.wait(a, "rw", 5))
        loop.forget(a)
        loop.forget(b)
        b:close()
      end)

      it("waits for both sides of a descriptor in two tasks", function()
        local a <close>, b = pair()
        local seen = {}
        loop.spawn(function() seen.r = loop.wait(a, "r", 5) end)
        loop.spawn(function() seen.w = loop.wait(a, "w", 5) end)
        loop.step(1)
        loop.step(1)
        assert.same({ w = true }, seen)
        b:send("x")
        loop.run()
        assert.same({ r = true, w = true }, seen)
        loop.forget(a)
        b:close()
      end)

      it("tells a time that ran out, and then still waits well", function()
        local a <close>, b = pair()
        local seen = {}
        loop.spawn(function()
          seen[1] = loop.wait(a, "r", 0.01)
          seen[2] = loop.wait(a, "r", 5)
        end)
        loop.sleep(0.03)
        assert.same({ false }, seen)
        b:send("x")
        loop.run()
        assert.same({ false, true }, seen)
        loop.forget(a)
        b:close()
      end)

      it("does not spin on what nobody waits for any more", function()
        local a <close>, b = pair()
        loop.spawn(function() loop.wait(a, "r", 5) end)
        loop.step(0)
        b:send("x")
        loop.run()
        local turns, since = 0, loop.now()
        while loop.now() - since < 0.05 do
          loop.step(0.05)
          turns = turns + 1
        end
        assert.is_true(turns < 5, turns)
        loop.forget(a)
        b:close()
      end)

      it("is not misled by a number that was closed and given anew", function()
        for _ = 1, 20 do
          local a, b = pair()
          loop.spawn(function() loop.wait(a, "r", 0.001) end)
          loop.run()
          loop.forget(a)
          a:close()
          b:close()
          local c, d = pair()
          local got
          loop.spawn(function() got = loop.wait(c, "r", 5) end)
          loop.step(0)
          d:send("x")
          loop.run()
          assert.is_true(got)
          c:close() -- without a word to the loop
          d:close()
        end
      end)

      it("lets a coroutine that is no task wait, in a task as well", function()
        local ticks, got = 0, {}
        local over = false
        loop.spawn(function()
          while not over do
            ticks = ticks + 1
            loop.sleep(0.001)
          end
        end)
        local function inner() loop.sleep(0.02) return "done" end
        got[1] = coroutine.wrap(inner)()
        assert.is_true(ticks > 1)
        local before = ticks
        local task = loop.spawn(function() got[2] = coroutine.wrap(inner)() end)
        while not task.dead do loop.step(1) end
        assert.same({ "done", "done" }, got)
        assert.is_true(ticks > before)
        over = true
        loop.run()
      end)

      it("waits within waits", function()
        local order = {}
        loop.spawn(function()
          coroutine.wrap(function()
            loop.sleep(0.02)
            order[#order + 1] = "inner"
          end)()
          order[#order + 1] = "outer"
        end)
        loop.spawn(function()
          loop.sleep(0.01)
          order[#order + 1] = "other"
        end)
        loop.run()
        assert.same({ "other", "inner", "outer" }, order)
      end)

      it("raises the error of a task where the turn is run, and goes on", function()
        local done = false
        loop.spawn(function() loop.sleep(0.001) error("first fault") end)
        loop.spawn(function() loop.sleep(0.005) done = true end)
        assert.error_matches(loop.run, "first fault")
        loop.run()
        assert.is_true(done)
        loop.spawn(function() error({}) end)
        loop.spawn(function() error("second fault") end)
        assert.error_matches(loop.run, "in function 'xpcall'")
        assert.error_matches(loop.run, "second fault")
        loop.run()
        loop.spawn(function() error("third fault") end)
        assert.error_matches(function() loop.sleep(1) end, "third fault")
        loop.sleep(0)
      end)

      it("cancels a task where it waits, and closes what it holds", function()
        local closed = 0
        local function work()
          local _ <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
          loop.sleep(60)
        end
        local task = loop.spawn(work)
        local unborn = loop.spawn(work)
        loop.cancel(unborn)
        loop.step(0)
        assert.equal(0, closed)
        assert.is_true(loop.cancel(task))
        assert.equal(1, closed)
        assert.is_true(loop.cancel(task))
        assert.equal(1, closed)
        loop.run()
        local own
        own = loop.spawn(function() assert.is_false(loop.cancel(own)) end)
        loop.run()
      end)

      it("cancels a task that waits for a descriptor, which others may then watch", function()
        local a <close>, b = pair()
        local task = loop.spawn(function() loop.wait(a, "r") end)
        loop.step(0)
        loop.cancel(task)
        local got
        loop.spawn(function() got = loop.wait(a, "r", 5) end)
        b:send("x")
        loop.run()
        assert.is_true(got)
        loop.forget(a)
        b:close()
      end)

      it("lets one task cancel another that is ready in the same turn", function()
        local a, b = pair()
        local c, d = pair()
        local woken, second = 0, nil
        local first
        first = loop.spawn(function()
          loop.wait(a, "r")
          woken = woken + 1
          loop.cancel(second)
        end)
        second = loop.spawn(function()
          loop.wait(c, "r")
          woken = woken + 1
          loop.cancel(first)
        end)
        loop.step(0)
        b:send("x")
        d:send("x")
        loop.run()
        assert.equal(1, woken)
        for _, socket in ipairs { a, b, c, d } do
          loop.forget(socket)
          socket:close()
        end
      end)

      it("opens a gate for all who wait, and for who comes later", function()
        local gate, seen = loop.gate(), 0
        for _ = 1, 3 do
          loop.spawn(function()
            assert(loop.pass(gate))
            seen = seen + 1
          end)
        end
        assert.is_false(loop.pass(gate, 0.005))
        loop.spawn(function() loop.wake(gate) end)
        assert.is_true(loop.pass(gate, 5))
        loop.run()
        assert.equal(3, seen)
        assert.is_true(loop.pass(gate, 0))
      end)

      it("lets a task give up at a gate, or be cancelled there", function()
        local gate, seen = loop.gate(), {}
        loop.spawn(function()
          seen[1] = loop.pass(gate, 0.005)
          loop.sleep(0.02)
          seen[2] = "slept"
        end)
        local task = loop.spawn(function() loop.pass(gate) end)
        loop.sleep(0.01)
        assert.same({ false }, seen)
        loop.cancel(task)
        local since = loop.now()
        loop.wake(gate)
        loop.run()
        assert.same({ false, "slept" }, seen)
        assert.is_true(loop.now() - since > 0.005)
      end)

      it("lets a pollable go from one to another and back", function()
        local a <close>, b = pair()
        local function byte()
          b:send("x")
          assert.is_true(loop.wait(a, "r", 5))
          assert.equal("x", a:recv(10))
        end
        byte()
        loop.spawn(byte)
        loop.run()
        byte()
        loop.forget(a)
        b:close()
      end)

      it("lets one read and another write", function()
        local a <close>, b = pair()
        local read
        loop.spawn(function()
          for _ = 1, 2 do
            assert.is_true(loop.wait(a, "r", 5))
            read = a:recv(10)
            loop.sleep(0.002)
          end
        end)
        loop.step(0)
        for i = 1, 2 do
          assert.is_true(loop.wait(a, "w", 5))
          b:send(tostring(i))
          assert.is_true(loop.wait(a, "w", 5))
          loop.sleep(0.01)
        end
        loop.run()
        assert.equal("2", read)
        loop.forget(a)
        b:close()
      end)

      it("lets only one wait for the same", function()
        local a <close>, b = pair()
        local got
        loop.spawn(function() got = loop.wait(a, "r", 5) end)
        loop.step(0)
        assert.error_matches(function() loop.wait(a, "rw", 5) end, "another task waits")
        loop.spawn(function() loop.wait(a, "r", 5) end)
        local _, why = pcall(loop.run)
        assert.truthy(tostring(why):find("another task waits", 1, true), why)
        b:send("x")
        loop.run()
        assert.is_true(got)
        loop.spawn(function() got = loop.wait(a, "r", 5) and "again" end)
        loop.step(0)
        loop.forget(a) -- and the waiting task looks again
        loop.run()
        assert.equal("again", got)
        b:close()
      end)

      it("makes a task look again", function()
        local a <close>, b = pair()
        local got
        local task = loop.spawn(function() got = loop.wait(a, "r", 5) end)
        loop.step(0)
        loop.nudge(task, b) -- it waits for another one
        loop.step(0)
        assert.is_nil(got)
        loop.nudge(task, a)
        loop.nudge(task, a)
        loop.run()
        assert.is_true(got)
        loop.nudge(task, a)
        loop.forget(a)
        b:close()
      end)

      it("tells when it has work", function()
        assert.is_nil(loop.timeout())
        local task = loop.spawn(function() loop.sleep(5) end)
        assert.equal(0, loop.timeout())
        loop.step(0)
        local left = loop.timeout()
        assert.is_true(left > 4 and left <= 5)
        loop.cancel(task)
        local since = loop.now()
        loop.step(0.01)
        assert.is_true(loop.now() - since < 1)
      end)

      it("can be hosted by another loop, if its back-end can", function()
        local fd, why = loop.pollfd()
        if backend == "poll" then
          assert.is_nil(fd)
          assert.is_string(why)
          return
        end
        local a <close>, b = pair()
        local got
        loop.spawn(function() got = loop.wait(a, "r", 60) end)
        loop.step(0)
        local host <close> = assert(core.poller())
        local ready = {}
        host:set(fd, 1)
        assert.equal(0, host:wait(0, ready))
        b:send("x")
        assert.equal(1, host:wait(5, ready))
        assert.equal(fd, ready[1])
        loop.step(0)
        assert.is_true(got)
        loop.forget(a)
        b:close()
      end)

      it("does many tasks and timers", function()
        local n = 0
        for i = 1, 2000 do
          loop.spawn(function()
            loop.sleep((i * 7919 % 20) / 1000)
            n = n + 1
          end)
        end
        loop.run()
        assert.equal(2000, n)
      end)

      it("keeps nothing of tasks that have ended", function()
        local kept = setmetatable({}, { __mode = "k" })
        for _ = 1, 200 do kept[loop.spawn(function() loop.sleep(0.001) end)] = true end
        loop.run()
        loop.sleep(0.01)
        collectgarbage()
        collectgarbage()
        local n = 0
        for _ in pairs(kept) do n = n + 1 end
        assert.is_true(n < 100, n)
      end)
    end)
  end
end

describe("loop", function()
  it("takes its back-end from SMTP_POLLER", function()
    local script = "io.write(require('smtp.loop').backend())"
    for _, backend in ipairs { "epoll", "kqueue", "poll" } do
      local probe = core.poller(backend)
      if probe then
        probe:close()
        assert.same({ 0, backend }, { net.run(script, "SMTP_POLLER=" .. backend) })
      end
    end
    assert.not_equal(0, (net.run(script, "SMTP_POLLER=nonsense")))
  end)

  it("ends with its process, whatever still waits", function()
    local status, output = net.run [[
      local loop = require "smtp.loop"
      for _ = 1, 10 do loop.spawn(function() loop.sleep(60) end) end
      loop.step(0)
      print "over"
    ]]
    assert.same({ 0, "over\n" }, { status, output })
  end)
end)
