local core = require "smtp.core"
local net = require "spec.support.net"

describe("smtp.core.spool", function()
  local folder
  before_each(function() folder = net.folder() end)
  after_each(function() net.remove(folder) end)

  local function commit(spool, ...)
    local job <close> = assert(spool:commit(...))
    return net.finish(job)
  end

  it("makes a file that only its owner reads, and then gives it its name", function()
    local spool <close> = assert(core.spool(folder .. "/a.tmp"))
    assert.equal(folder .. "/a.tmp", spool:path())
    assert.same({ "a.tmp" }, net.names(folder))
    local pipe <close> = assert(io.popen("ls -l " .. folder .. "/a.tmp"))
    assert.equal("-rw-------", pipe:read("a"):sub(1, 10))
    assert.is_true(spool:write("one\0two"))
    assert.is_true(spool:write(""))
    assert.is_true(spool:write("\r\n"))
    assert.is_true(commit(spool, folder .. "/a"))
    assert.same({ "a" }, net.names(folder))
    assert.equal("one\0two\r\n", net.slurp(folder .. "/a"))
  end)

  it("gives a commit as a job", function()
    local spool <close> = assert(core.spool(folder .. "/a.tmp"))
    local job <close> = assert(spool:commit(folder .. "/a"))
    assert.equal("r", job:events())
    assert.equal(net.READ, net.await(job))
    assert.is_true(job:result())
    assert.is_true(job:result())
    assert.equal("", net.slurp(folder .. "/a"))
  end)

  it("keeps every byte of pieces of all sizes", function()
    local spool <close> = assert(core.spool(folder .. "/a.tmp"))
    local parts, n = {}, 0
    for _, size in ipairs { 1, 8191, 1, 8192, 8193, 3, 8188, 2, 100000, 7, 8185, 1, 1 } do
      n = n + 1
      parts[n] = string.char(64 + n):rep(size)
      assert.is_true(spool:write(parts[n]))
    end
    for i = 1, 20000 do
      parts[n + i] = i .. "\n"
      spool:write(parts[n + i])
    end
    assert.is_true(commit(spool, folder .. "/a"))
    assert.is_true(net.slurp(folder .. "/a") == table.concat(parts))
  end)

  it("does not touch an existing target unless it is told to", function()
    net.dump(folder .. "/a", "old")
    local spool = assert(core.spool(folder .. "/a.tmp"))
    spool:write("new")
    local done, message, name = commit(spool, folder .. "/a")
    assert.is_nil(done)
    assert.equal(folder .. "/a: File exists", message)
    assert.equal("EEXIST", name)
    assert.same({ "a" }, net.names(folder))
    assert.equal("old", net.slurp(folder .. "/a"))

    spool = assert(core.spool(folder .. "/a.tmp"))
    spool:write("new")
    assert.is_true(commit(spool, folder .. "/a", true))
    assert.same({ "a" }, net.names(folder))
    assert.equal("new", net.slurp(folder .. "/a"))
  end)

  it("holds no descriptor once it is committed, or has failed", function()
    local lowest = net.lowest()
    for _, overwrite in ipairs { false, true, false } do -- the last one finds the name taken
      local spool <close> = assert(core.spool(folder .. "/a.tmp"))
      spool:write("x")
      commit(spool, folder .. "/a", overwrite)
      assert.equal(lowest, net.lowest())
    end
    local spool <close> = assert(core.spool(folder .. "/b.tmp"))
    assert.is_nil((commit(spool, folder .. "/none/b")))
    assert.equal(lowest, net.lowest())
  end)

  it("may have the descriptor 0, and gives it back", function()
    local status, output = net.run(([[
      local core, net = require "smtp.core", require "spec.support.net"
      for _, ending in ipairs { "commit", "close" } do
        local spool = assert(core.spool(%q .. "/0.tmp"))
        print(net.lowest() > 0, spool:write(("x"):rep(20000)))
        if ending == "commit" then
          local job <close> = assert(spool:commit(%q .. "/0"))
          print(net.finish(job))
        else
          spool:close()
        end
        print(net.lowest())
      end
    ]]):format(folder, folder), "exec <&-;")
    assert.same({ 0, "true\ttrue\ntrue\n0\ntrue\ttrue\n0\n" }, { status, output })
  end)

  it("moves from tmp to new of a maildir", function()
    os.execute(("mkdir %s/tmp %s/new"):format(folder, folder))
    local spool <close> = assert(core.spool(folder .. "/tmp/1.host"))
    spool:write("mail")
    assert.is_true(commit(spool, folder .. "/new/1.host"))
    assert.same({}, net.names(folder .. "/tmp"))
    assert.equal("mail", net.slurp(folder .. "/new/1.host"))
  end)

  it("leaves nothing when it is not committed", function()
    local spool = assert(core.spool(folder .. "/a"))
    spool:write(("x"):rep(10000))
    spool:close()
    assert.same({}, net.names(folder))
    assert.error_matches(function()
      local scoped <close> = assert(core.spool(folder .. "/b"))
      scoped:write("x")
      error("unwound")
    end, "unwound")
    assert.same({}, net.names(folder))
    assert.is_userdata(core.spool(folder .. "/c"))
    collectgarbage()
    collectgarbage()
    assert.same({}, net.names(folder))
    local status = net.run(("kept = require('smtp.core').spool(%q)"):format(folder .. "/d"))
    assert.equal(0, status)
    assert.same({}, net.names(folder))
  end)

  it("does not remove what it did not make", function()
    net.dump(folder .. "/a", "precious")
    local spool, message, name = core.spool(folder .. "/a")
    assert.is_nil(spool)
    assert.equal(folder .. "/a: File exists", message)
    assert.equal("EEXIST", name)
    os.execute(("ln -s %s/target %s/link"):format(folder, folder))
    assert.equal("EEXIST", select(3, core.spool(folder .. "/link")))
    collectgarbage()
    assert.equal("precious", net.slurp(folder .. "/a"))
    assert.same({ "a", "link" }, net.names(folder))
  end)

  it("finds a new name for a path that ends in XXXXXX", function()
    local first <close> = assert(core.spool(folder .. "/mail.XXXXXX"))
    local second <close> = assert(core.spool(folder .. "/mail.XXXXXX"))
    assert.not_equal(first:path(), second:path())
    assert.matches("/mail%.%w%w%w%w%w%w$", first:path())
    assert.equal(2, #net.names(folder))
    assert.is_true(commit(first, folder .. "/a"))
    second:close()
    assert.same({ "a" }, net.names(folder))
  end)

  it("tells what is wrong with a path", function()
    assert.equal("ENOENT", select(3, core.spool(folder .. "/none/a")))
    assert.equal("EINVAL", select(3, core.spool("")))
    assert.equal("EINVAL", select(3, core.spool(folder .. "/a\0b")))
    assert.equal("ENAMETOOLONG", select(3, core.spool(folder .. "/" .. ("x"):rep(300))))
    assert.same({}, net.names(folder))
  end)

  it("removes the temporary file when the target cannot be", function()
    net.dump(folder .. "/file", "")
    for target, expected in pairs {
      ["/none/a"] = "ENOENT", ["/file/a"] = "ENOTDIR", ["/" .. ("x"):rep(300)] = "ENAMETOOLONG" } do
      for _, overwrite in ipairs { false, true } do
        local spool = assert(core.spool(folder .. "/a.tmp"))
        spool:write("x")
        local done, message, name = commit(spool, folder .. target, overwrite)
        assert.is_nil(done)
        assert.is_truthy(message:find(folder .. target .. ": ", 1, true), message)
        assert.equal(expected, name)
        assert.same({ "file" }, net.names(folder))
      end
    end
  end)

  it("stays open when a commit cannot begin", function()
    local spool <close> = assert(core.spool(folder .. "/a.tmp"))
    spool:write("x")
    assert.equal("EINVAL", select(3, spool:commit("")))
    assert.equal("EINVAL", select(3, spool:commit("a\0b")))
    assert.is_true(commit(spool, folder .. "/a"))
    assert.equal("x", net.slurp(folder .. "/a"))
  end)

  it("does not cross file systems", function()
    local other = "/dev/shm/" .. folder:match("[^/]+$")
    local file = io.open(other, "wb")
    if not file then return pending("no second file system here") end
    file:close()
    os.remove(other)
    for _, overwrite in ipairs { false, true } do
      local spool = assert(core.spool(folder .. "/a.tmp"))
      local done, _, name = commit(spool, other, overwrite)
      if done then
        os.remove(other)
        return pending("no second file system here")
      end
      assert.equal("EXDEV", name)
      assert.same({}, net.names(folder))
    end
  end)

  it("takes names without a folder", function()
    local status, output = net.run([[
      local core = require "smtp.core"
      local net = require "spec.support.net"
      local spool = assert(core.spool("a.tmp"))
      spool:write("x")
      print(net.finish(assert(spool:commit("a"))))
      print((select(3, net.finish(assert(core.spool("a.tmp"):commit("/dev/none/x"))))))
      print(assert(core.spool("b.tmp")):commit("/") ~= nil)
    ]], ("cd %s;"):format(folder))
    assert.equal("true\nENOENT\ntrue\n", output)
    assert.equal(0, status)
    assert.equal("x", net.slurp(folder .. "/a"))
  end)

  -- Writes until it fails; all must say the same, and nothing may remain.
  local overflow = [[
    local core = require "smtp.core"
    local net = require "spec.support.net"
    local folder = %q
    local spool, written, ok, message, name = core.spool(folder .. "/a.tmp"), 0
    assert(spool, folder)
    repeat
      ok, message, name = spool:write(("x"):rep(4096))
      written = written + 4096
    until not ok or written > 1 << 24
    print(ok, message == folder .. "/a.tmp: " .. %q, name)
    print((select(3, spool:write(""))), (select(3, spool:commit(folder .. "/a"))))
    spool:close()
    print(#net.names(folder))
  ]]

  it("fails at a limit for the size of files, and goes on failing", function()
    local status, output = net.run(overflow:format(folder, "File too large"),
      "trap '' XFSZ; ulimit -f 128;")
    assert.equal("nil\ttrue\tEFBIG\nEFBIG\tEFBIG\n0\n", output)
    assert.equal(0, status)
  end)

  it("fails in the commit when the last bytes do not fit", function()
    local status, output = net.run(([[
      local core = require "smtp.core"
      local net = require "spec.support.net"
      local folder = %q
      local spool = assert(core.spool(folder .. "/a.tmp"))
      assert(spool:write(("x"):rep(128 * 512)))
      assert(spool:write("y"))
      print(net.finish(assert(spool:commit(folder .. "/a"))))
      print(#net.names(folder))
    ]]):format(folder), "trap '' XFSZ; ulimit -f 128;")
    local n = tonumber(output:match("(%d+)\n$"))
    if output:match("^true") then return pending("the unit of ulimit -f is not 512 here") end
    assert.equal(("nil\t%s/a.tmp: File too large\tEFBIG\n"):format(folder), output:match("^.-\n"))
    assert.equal(0, n)
    assert.equal(0, status)
  end)

  it("fails on a full disk, and goes on failing", function()
    local mount = "mount -t tmpfs -o size=256k none " .. folder
    if not os.execute(("unshare -rm sh -c '%s' 2>/dev/null"):format(mount)) then
      return pending("a file system cannot be mounted here")
    end
    local status, output = net.run(overflow:format(folder, "No space left on device"),
      ("unshare -rm sh -c '%s && exec \"$0\" \"$@\"'"):format(mount))
    assert.equal("nil\ttrue\tENOSPC\nENOSPC\tENOSPC\n0\n", output)
    assert.equal(0, status)
  end)

  it("commits many at once", function()
    local jobs = {}
    for i = 1, 100 do
      local spool = assert(core.spool(("%s/%d.tmp"):format(folder, i)))
      spool:write(("line %d\n"):format(i))
      jobs[i] = assert(spool:commit(("%s/%d"):format(folder, i)))
    end
    for i, job in ipairs(jobs) do
      assert.is_true(net.finish(job))
      job:close()
      assert.equal(("line %d\n"):format(i), net.slurp(("%s/%d"):format(folder, i)))
    end
    assert.equal(100, #net.names(folder))
  end)

  it("goes on with a commit whose job was closed", function()
    local spool = assert(core.spool(folder .. "/a.tmp"))
    spool:write("x")
    spool:commit(folder .. "/a"):close()
    local limit, file = core.now() + 20
    repeat
      local job <close> = assert(core.resolve("localhost", 25))
      net.finish(job)
      file = io.open(folder .. "/a")
    until file or core.now() > limit
    assert.equal("x", file:read("a"))
    file:close()
  end)

  it("raises when it is closed", function()
    local spool = assert(core.spool(folder .. "/a.tmp"))
    assert.error_matches(function() spool:write() end, "string expected")
    assert.error_matches(function() spool:write({}) end, "string expected")
    assert.error_matches(function() spool:commit() end, "string expected")
    local job <close> = spool:commit(folder .. "/a")
    for _, method in ipairs { "write", "commit", "path" } do
      assert.error_matches(function() spool[method](spool, "x") end, "the spool is closed")
    end
    spool:close()
    spool:close()
    assert.is_true(net.finish(job))
    assert.same({ "a" }, net.names(folder))
    assert.matches("^smtp%.spool: ", tostring(spool))
  end)
end)
