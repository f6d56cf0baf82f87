-- What csrc/net does where the system fails it, and on ways that this system does not
-- take: spec/support/net_faults.c.
local net = require "spec.support.net"

local SOURCES = "spec/support/net_faults.c csrc/core/ascii.c csrc/core/ip.c csrc/net/address.c "
  .. "csrc/net/clock.c csrc/net/job.c csrc/net/pin.c csrc/net/poller.c csrc/net/poller_epoll.c "
  .. "csrc/net/poller_kqueue.c csrc/net/poller_poll.c csrc/net/process.c csrc/net/spool.c "
  .. "csrc/net/wake.c"
local CHECKS = { "threads", "naming", "poller-memory", "poller-errors", "poller-turns", "reaped",
  "resolver", "no-resolver" }

local compiler = (os.getenv("CC") or "cc") .. " -std=c99 -D_POSIX_C_SOURCE=200809L "
for _, name in ipairs { "realloc", "calloc", "poll", "pthread_create", "renameat2" } do
  compiler = compiler .. ("-D%s=check_%s "):format(name, name)
end

-- As this system has it, and as a system with nothing but POSIX.
for flags, where in pairs { [""] = "here", ["-DSMTP_PORTABLE "] = "with POSIX alone" } do
  describe("csrc/net " .. where, function()
    local folder, program

    setup(function()
      folder = net.folder()
      if not os.execute(compiler .. "-fsyntax-only csrc/core/ascii.c 2>/dev/null") then return end
      program = folder .. "/net_faults"
      assert(os.execute(("%s %s -g -pthread -o %s %s -ldl -lresolv"):format(compiler, flags,
        program, SOURCES)))
    end)
    teardown(function() net.remove(folder) end)

    for _, check in ipairs(CHECKS) do
      it("passes the check " .. check, function()
        if not program then return pending("no C compiler") end
        local pipe <close> = assert(io.popen(("cd %s && LD_PRELOAD= ./net_faults %s 2>&1; echo $?")
          :format(folder, check)))
        assert.equal("0\n", pipe:read("a"))
      end)
    end
  end)
end
