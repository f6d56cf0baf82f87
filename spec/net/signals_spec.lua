local core = require "smtp.core"
local net = require "spec.support.net"
local process = require "spec.support.process"

local function raise(name)
  local file <close> = assert(io.popen(("kill -%s $PPID"):format(name)))
  file:read("a")
end

describe("smtp.core signals", function()
  it("are pollable, and told one by one by their names", function()
    local signals <close> = assert(core.signals { "USR1", "USR2" })
    assert.equal("integer", math.type(signals:pollfd()))
    assert.equal("r", signals:events())
    assert.is_nil(signals:timeout())
    assert.is_nil(signals:take())
    raise "USR1"
    raise "USR2"
    assert.equal(net.READ, net.await(signals))
    assert.same({ "USR1", "USR2" }, { signals:take(), signals:take() })
    assert.is_nil(signals:take())
  end)

  it("are watched by one at a time", function()
    local signals = assert(core.signals { "USR1" })
    local none, why, errname = core.signals { "USR2" }
    assert.same({ nil, "EBUSY" }, { none, errname })
    assert.is_string(why)
    signals:close()
    signals:close()
    for _, method in ipairs { "take", "pollfd", "events", "timeout" } do
      assert.error_matches(function() signals[method](signals) end, "it is closed")
    end
    assert(core.signals { "USR2" }):close()
    assert.error_matches(function() core.signals { "KILL" } end, "invalid option 'KILL'")
    assert.error_matches(function()
      core.signals { "HUP", "HUP", "HUP", "HUP", "HUP", "HUP", "HUP", "HUP", "HUP" }
    end, "too many")
  end)

  it("do what they did before when it is closed", function()
    local one <close> = process.lua({ "-e", [[local core = require "smtp.core"
      local signals = assert(core.signals { "TERM" })
      io.popen("kill -TERM $PPID"):close()
      print(signals:take())
      signals:close()
      io.popen("kill -TERM $PPID"):close()
      print "still here"]] }, { alone = true })
    local status, out = one:wait()
    assert.equal(143, status)
    assert.not_matches("still", out)
  end)
end)
