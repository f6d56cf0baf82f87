-- Builds a program in C with checks of csrc/net: spec/support/`name`.c. `more` has further
-- sources, flags and libraries. Gives a function that runs a check and gives its output and
-- status, and the folder of the program; nil if there is no C compiler.
local net = require "spec.support.net"

local SOURCES = "csrc/core/ascii.c csrc/core/ip.c csrc/net/address.c csrc/net/clock.c "
  .. "csrc/net/job.c csrc/net/pin.c csrc/net/poller.c csrc/net/poller_epoll.c "
  .. "csrc/net/poller_kqueue.c csrc/net/poller_poll.c csrc/net/process.c csrc/net/spool.c "
  .. "csrc/net/wake.c"

return function(name, more)
  local compiler = (os.getenv("CC") or "cc") .. " -std=c99 -D_POSIX_C_SOURCE=200809L "
  if not os.execute(compiler .. "-fsyntax-only csrc/core/ascii.c 2>/dev/null") then return nil end
  local folder = net.folder()
  assert(os.execute(("%s -g -pthread -o %s/%s spec/support/%s.c %s %s -ldl"):format(
    compiler, folder, name, name, SOURCES, more)))
  return function(check)
    local pipe <close> = assert(io.popen(("cd %s && LD_PRELOAD= ./%s %s 2>&1; echo $?"):format(
      folder, name, check)))
    return pipe:read("a")
  end, folder
end
