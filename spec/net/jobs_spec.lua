local core = require "smtp.core"
local net = require "spec.support.net"
local net_program = require "spec.support.net_program"

describe("smtp.core jobs", function()
  it("are pollable", function()
    local job <close> = assert(core.resolve("localhost", 25))
    assert.equal("integer", math.type(job:pollfd()))
    assert.equal("r", job:events())
    assert.is_nil(job:timeout())
    assert.equal(net.READ, net.await(job))
    assert.is_table(job:result())
  end)

  it("are closed once, and then raise", function()
    local job = assert(core.resolve("localhost", 25))
    job:close()
    job:close()
    for _, method in ipairs { "result", "pollfd", "events", "timeout" } do
      assert.error_matches(function() job[method](job) end, "the job is closed")
    end
    assert.matches("^smtp%.job: ", tostring(job))
  end)

  it("are done, a thousand of them, under any poller", function()
    for _, backend in ipairs { "epoll", "kqueue", "poll" } do
      local poller <close> = core.poller(backend)
      for _ = 1, poller and 5 or 0 do
        local jobs, left, ready = {}, 0, {}
        for _ = 1, 200 do
          local job = assert(core.resolve("localhost", 25))
          jobs[job:pollfd()] = job
          left = left + 1
          poller:set(job:pollfd(), net.READ)
        end
        while left > 0 do
          local n = poller:wait(10, ready)
          assert.is_true(n > 0)
          for i = 1, 2 * n, 2 do
            local job = jobs[ready[i]]
            assert.is_table(job:result())
            poller:set(ready[i], 0)
            job:close()
            left = left - 1
          end
        end
      end
    end
  end)

  it("may be let go of before they are done, and leak nothing", function()
    collectgarbage() -- what other specs left has descriptors too, and
    collectgarbage() -- finalizers of its own
    local before = net.lowest()
    for i = 1, 1000 do
      local job = assert(core.resolve("localhost", 25))
      if i % 2 == 0 then job:close() end
      if i % 100 == 0 then collectgarbage() end
    end
    collectgarbage()
    local limit = core.now() + 20
    repeat -- a helper may still have an abandoned one in its hands
      local job <close> = assert(core.resolve("localhost", 25))
      net.finish(job)
      job:close()
    until net.lowest() <= before or core.now() > limit
    assert.equal(before, net.lowest())
  end)

  it("do not hinder the end of the process", function()
    for _, ending in ipairs { "", "os.exit(true, true)", "os.exit(true, false)", "jobs = nil",
      "for _, j in ipairs(jobs) do j:close() end" } do
      for _ = 1, 5 do
        local status, output = net.run([[
          local core, jobs = require "smtp.core", {}
          for i = 1, 40 do jobs[i] = assert(core.resolve("localhost", 25)) end
        ]] .. ending)
        assert.equal("", output)
        assert.equal(0, status)
      end
    end
  end)

  -- No sanitizer is preloaded: its allocator does not survive a fork among threads.
  -- What Lua cannot do: fork, block a helper, look at its signals.
  describe("and their kin in C", function()
    local checks = { "exit-while-blocked", "lanes", "signals", "many", "release-first", "fork-job",
      "fork-lookup", "fork-poller", "fork-spool", "folders", "wake", "milliseconds",
      "names", "lifeline" }

    -- As this system has it, and as one with nothing but POSIX would.
    for flags, where in pairs { [""] = "here", ["-DSMTP_PORTABLE "] = "with POSIX alone" } do
      describe(where, function()
        local run, folder
        setup(function()
          run, folder = net_program("net_check",
            flags .. "csrc/net/resolve.c csrc/net/socket.c")
        end)
        teardown(function() return folder and net.remove(folder) end)

        for _, check in ipairs(checks) do
          it("pass the check " .. check, function()
            if not run then return pending("no C compiler") end
            assert.equal("0\n", run(check))
          end)
        end
      end)
    end
  end)
end)
