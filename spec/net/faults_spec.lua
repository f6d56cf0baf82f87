-- csrc/net under failures of the system, and its ways for other systems:
-- spec/support/net_faults.c.
local net = require "spec.support.net"
local net_program = require "spec.support.net_program"

local CHECKS = { "threads", "longest-name", "naming", "poller-memory", "poller-errors",
  "poller-turns", "reaped", "resolver", "no-resolver", "finish" }

local replaced = ""
for _, name in ipairs { "realloc", "calloc", "poll", "pthread_create", "renameat2" } do
  replaced = replaced .. ("-D%s=check_%s "):format(name, name)
end

-- As this system has it, and as a system with nothing but POSIX.
for flags, where in pairs { [""] = "here", ["-DSMTP_PORTABLE "] = "with POSIX alone" } do
  describe("csrc/net " .. where, function()
    local run, folder
    setup(function()
      run, folder = net_program("net_faults", replaced .. flags
        .. "csrc/net/resolve.c csrc/net/socket.c -lresolv")
    end)
    teardown(function() return folder and net.remove(folder) end)

    for _, check in ipairs(CHECKS) do
      it("passes the check " .. check, function()
        if not run then return pending("no C compiler") end
        assert.equal("0\n", run(check))
      end)
    end
  end)
end
