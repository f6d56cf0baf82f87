-- Processes that end, or fork, while the mock's thread is at work.
local net = require "spec.support.net"

local SETUP = [[
local mock, smtp = require "smtp.mock", require "smtp"
local mx = assert(mock.start { tls = "implicit" })
local client = assert(smtp.connect { url = mx.url, ca = mx.ca_file })
]]

describe("a process with a mock", function()
  for name, ending in pairs { ["os.exit"] = "os.exit(7)", ["os.exit with a close"] =
    "os.exit(7, true)", ["an error"] = "error('x', 0)" } do
    it("ends by " .. name .. " within a live TLS session, and leaves no file", function()
      local status, output = net.run(SETUP .. "print(mx.ca_file) io.stdout:flush() " .. ending)
      assert.equal(ending:find("exit") and 7 or 1, status)
      assert.is_nil(io.open(assert(output:match("^[^\n]+"))))
    end)
  end

  it("ends by os.exit a thousand times without a crash #slow", function()
    local script = net.folder() .. "/exit.lua"
    net.dump(script, SETUP .. "os.exit(7)")
    local status, output = net.run(([[
      local bad = 0
      for _ = 1, 1000 do
        local _, _, code = os.execute(%q)
        if code ~= 7 then bad = bad + 1 end
      end
      print(bad)
    ]]):format(("LUA_PATH='%s' LUA_CPATH='%s' %s %s 2>/dev/null"):format(package.path,
      package.cpath, net.interpreter(), script)))
    assert.same({ 0, "0\n" }, { status, output })
  end)

  it("forks: the child has none of its parent's, and may have its own", function()
    local status, output = net.run(SETUP .. [[
      local probe = require "probe"
      local child = probe.fork()
      if child == 0 then
        mx:stop() -- closes what is the child's, and says nothing
        local own = assert(mock.start())
        os.execute(("env -u LD_PRELOAD timeout 30 python3 -c 'import smtplib; "
          .. "smtplib.SMTP(\"127.0.0.1\", %d).sendmail(\"a@b\", [\"c@d\"], \"x\")'")
          :format(own.port))
        os.exit(#own:mails() == 1 and 3 or 4, true)
      end
      assert(probe.wait(child) == 3)
      assert(client:noop())
      assert(client:send { from = "a@b.example", to = "c@d.example", text = "x" })
      os.exit(#mx:mails() == 1 and 7 or 8)
    ]])
    assert.same({ 7, "" }, { status, output })
  end)

  it("says what the system refuses: a thread, a descriptor", function()
    -- No room for the stack of a thread.
    local limit = "ulimit -n 20 && ulimit -s 1000000 && ulimit -v 500000 &&"
    if net.run("", limit) == 0 then
      local status, output = net.run([[
        for _ = 1, 20 do
          local mx, err = require("smtp.mock").start()
          print(mx, err.kind, err.cause)
        end
      ]], limit)
      assert.same({ 0, ("nil\tsystem\tEAGAIN\n"):rep(20) }, { status, output })
    end
    local status, output = net.run([[
      local mock = require "smtp.mock"
      local mx <close> = assert(mock.start { driver = "thread" })
      local files = {}
      repeat files[#files + 1] = io.open("/dev/null") until not io.open("/dev/null")
      local done, err = mx:wait({}, 5)
      print(done, err.kind, err.cause)
    ]], "ulimit -n 20;")
    assert.same({ 0, "nil\tsystem\tEMFILE\n" }, { status, output })
  end)

  it("takes signals itself: the thread has them blocked", function()
    if not io.open("/proc/self/stat") then return pending("there is no /proc") end
    local status, output = net.run([[
      local mock = require "smtp.mock"
      local mx = assert(mock.start())
      local pid = io.open("/proc/self/stat"):read("n")
      for task in io.popen("ls /proc/" .. pid .. "/task"):lines() do
        local text = io.open("/proc/self/task/" .. task .. "/status"):read("a")
        print(text:match("SigBlk:%s*(%x+)"))
      end
    ]])
    assert.equal(0, status, output)
    local masks = {}
    for mask in output:gmatch("%x+") do masks[#masks + 1] = mask end
    assert.equal(2, #masks)
    assert.matches("^0+$", masks[1])
    assert.matches("^f", masks[2])
  end)
end)
