-- Forks, and what a supervisor needs of them; each script is a process of its own.
local core = require "smtp.core"
local net = require "spec.support.net"

local function run(script)
  return net.run('local core = require "smtp.core"\n' .. script)
end

describe("smtp.core processes", function()
  it("are forked, and seen to end with their status", function()
    local status, output = run [[
      local signals = assert(core.signals { "CHLD" })
      local poller, before = assert(core.poller()), core.pid()
      assert(poller:set(signals:pollfd(), 1))
      local child = core.fork()
      if not child then core.exit(core.pid() ~= before and 7 or 8) end
      assert(core.pid() == before and child:pid() ~= before)
      local result = child:ended()
      while not result do
        poller:wait(10, {})
        result = child:ended()
      end
      print(result, pcall(child.ended, child))
      print(pcall(child.signal, child, "TERM"))
    ]]
    assert.equal(0, status, output)
    assert.matches("^7\tfalse\t.*it has ended.*\nfalse\t.*it has ended", output)
  end)

  it("take signals of their parent alone", function()
    local status, output = run [[
      local line = assert(core.lifeline())
      local child = core.fork()
      if not child then -- until it is killed
        local poller = assert(core.poller())
        line:follow()
        assert(poller:set(line:pollfd(), 1))
        poller:wait(20, {})
        core.exit(1)
      end
      local other = core.fork()
      if not other then
        local ok, why = pcall(child.signal, child, "KILL")
        core.exit(not ok and why:find("child of another process") and 3 or 4)
      end
      local function status_of(one)
        local status
        repeat status = one:ended() until status
        return status
      end
      print(status_of(other), child:ended())
      print(pcall(child.signal, child, "STOP"))
      assert(child:signal("KILL"))
      print(status_of(child))
    ]]
    assert.equal(0, status, output)
    assert.matches("^3\tfalse\nfalse\t.*invalid option 'STOP'.*\n137\n$", output)
  end)

  it("see the end of their parent, however it comes", function()
    local status, output = run [[
      local line = assert(core.lifeline())
      local news = assert(core.lifeline()) -- of the child, which outlives its parent
      local parent = core.fork()
      if not parent then
        local child = core.fork()
        if child then core.exit(0) end
        line:follow()
        local poller = assert(core.poller())
        assert(poller:set(line:pollfd(), 1))
        core.exit(poller:wait(20, {}))
      end
      line:close()
      line:close()
      print(pcall(line.pollfd, line))
      news:follow() -- its end is now that of the grandchild
      local poller = assert(core.poller())
      assert(poller:set(news:pollfd(), 1))
      print(poller:wait(20, {}))
    ]]
    assert.equal(0, status, output)
    assert.matches("^false\t.*it is closed.*\n1\n$", output)
  end)

  it("write what their parent held once, and run nothing of its end", function()
    local status, output = run [[
      io.stdout:setvbuf("full")
      io.write("held\n")
      local guard = setmetatable({}, { __gc = function() print "collected" end })
      local child = core.fork()
      if not child then
        io.write("of the child\n")
        core.exit(0)
      end
      repeat until child:ended()
      guard = nil
    ]]
    assert.equal(0, status)
    assert.equal("held\nof the child\ncollected\n", output)
  end)

  it("are seen to end where SIGCHLD was ignored from the start", function()
    local path = os.tmpname()
    net.dump(path, ([[package.cpath = %q
      local core = require "smtp.core"
      local child = core.fork()
      if not child then core.exit(9) end
      local status
      repeat status = child:ended() until status
      print(status)]]):format(package.cpath))
    local pipe <close> = assert(io.popen(("trap '' CHLD; exec %s %s 2>&1"):format(
      net.interpreter(), path)))
    assert.equal("9\n", pipe:read("a"))
    os.remove(path)
  end)

  it("have at least one processor, and no more than they may run on", function()
    assert.is_true(core.cpus() >= 1)
    if not os.execute("command -v taskset >/dev/null 2>&1") then return end
    local _, output = net.run('print(require("smtp.core").cpus())', "taskset 1")
    assert.equal("1\n", output)
  end)
end)
