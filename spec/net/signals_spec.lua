local core = require "smtp.core"
local net = require "spec.support.net"
local process = require "spec.support.process"

local function raise(name)
  local file <close> = assert(io.popen(("kill -%s $PPID"):format(name)))
  file:read("a")
end

local missing
do
  local signals <close>, why = core.signals { "USR1" }
  if not signals then missing = "no signals can be watched here: " .. why end
end

describe("smtp.core signals", function()
  it("are pollable, and told one by one by their names", function()
    if missing then return pending(missing) end
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

  it("are closed once, and then raise", function()
    if missing then return pending(missing) end
    local signals = assert(core.signals { "USR1" })
    signals:close()
    signals:close()
    for _, method in ipairs { "take", "pollfd", "events", "timeout" } do
      assert.error_matches(function() signals[method](signals) end, "it is closed")
    end
    assert.error_matches(function() core.signals { "KILL" } end, "invalid option 'KILL'")
    assert.error_matches(function()
      core.signals { "HUP", "HUP", "HUP", "HUP", "HUP", "HUP", "HUP", "HUP", "HUP" }
    end, "too many")
  end)

  it("do what they did before when it is closed", function()
    if missing then return pending(missing) end
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
