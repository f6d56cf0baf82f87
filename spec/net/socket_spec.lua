local core = require "smtp.core"
local net = require "spec.support.net"

local loopback = { host = "127.0.0.1", port = 0 }

local function has_ipv6()
  local listener <close> = core.listen { host = "::1", port = 0 }
  return listener ~= nil
end

-- Everything that comes until the end of the stream.
local function read_all(socket)
  local parts = {}
  while true do
    local bytes = assert(net.retry(socket, "recv", 65536))
    if bytes == "" then return table.concat(parts) end
    parts[#parts + 1] = bytes
  end
end

describe("smtp.core sockets", function()
  local folder
  setup(function() folder = net.folder() end)
  teardown(function() net.remove(folder) end)

  -- One conversation, for every address family.
  local function converse(options)
    local listener <close> = assert(core.listen(options))
    local name, port = listener:name()
    assert.is_false(listener:accept())
    local client <close> = assert(core.connect(port and { host = name, port = port }
      or { path = name }))
    local server <close> = assert(net.retry(listener, "accept"))
    assert.is_true(net.retry(client, "connected"))
    assert.same({ name, port }, { client:peer() })
    assert.same({ client:name() }, { server:peer() })
    assert.same({ name, port }, { server:name() })
    assert.is_true(client:loopback())
    assert.is_true(server:loopback())

    assert.is_false(server:recv(10))
    assert.equal(5, client:send("hello"))
    assert.equal("hel", net.retry(server, "recv", 3))
    assert.equal("lo", server:recv(100))
    assert.is_true(client:shutdown())
    assert.equal("", net.retry(server, "recv", 100))
    assert.equal("", server:recv(100))
    assert.equal(3, server:send("--bye", 3))
    assert.equal("bye", net.retry(client, "recv", 100))
    return name, port
  end

  it("converse over IPv4", function()
    local name, port = converse(loopback)
    assert.equal("127.0.0.1", name)
    assert.equal("integer", math.type(port))
    assert.is_true(port > 0)
  end)

  it("converse over IPv6", function()
    if not has_ipv6() then return pending("no IPv6 here") end
    assert.equal("::1", (converse { host = "::1", port = 0 }))
  end)

  it("converse over a unix socket", function()
    local path = folder .. "/s1"
    local name, port = converse { path = path }
    assert.equal(path, name)
    assert.is_nil(port)
  end)

  it("leave IPv4 to another listener at the same port", function()
    if not has_ipv6() then return pending("no IPv6 here") end
    local six <close> = assert(core.listen { host = "::", port = 0 })
    local _, port = six:name()
    local four <close> = assert(core.listen { host = "0.0.0.0", port = port })
    assert.equal(port, select(2, four:name()))
  end)

  it("give names of a listener, which has no peer", function()
    local listener <close> = assert(core.listen(loopback))
    assert.equal("127.0.0.1", (listener:name()))
    local peer, message, name = listener:peer()
    assert.is_nil(peer)
    assert.is_string(message)
    assert.equal("ENOTCONN", name)
    assert.is_false(listener:loopback())
  end)

  it("take only full numeric addresses", function()
    for _, host in ipairs { "localhost", "", "127.1", "0x7f.0.0.1", "127.0.0.1 ", "[::1]",
      "::1%nowhere", "127.0.0.1\0", "1.2.3.4.5", ("1"):rep(300), "::g" } do
      local socket, message, name = core.connect { host = host, port = 25 }
      assert.is_nil(socket, host)
      assert.is_string(message)
      assert.equal("EINVAL", name)
      assert.equal("EINVAL", select(3, core.listen { host = host, port = 0 }))
    end
  end)

  it("refuse unix paths that do not fit or hold a NUL", function()
    local long = "/" .. ("x"):rep(200)
    assert.equal("ENAMETOOLONG", select(3, core.listen { path = long }))
    assert.equal("ENAMETOOLONG", select(3, core.connect { path = long }))
    assert.equal("EINVAL", select(3, core.listen { path = folder .. "/a\0b" }))
    assert.equal("EINVAL", select(3, core.listen { path = "" }))
  end)

  it("replace a stale unix socket but neither a live one nor a file", function()
    local path = folder .. "/s2"
    local first = assert(core.listen { path = path })
    local second, message, name = core.listen { path = path }
    assert.is_nil(second)
    assert.is_string(message)
    assert.equal("EADDRINUSE", name)
    assert.is_truthy(net.retry(first, "accept"):close() == nil) -- its question
    first:close()
    assert.equal("ECONNREFUSED", select(3, core.connect { path = path }))
    second = assert(core.listen { path = path })
    local client <close> = assert(core.connect { path = path })
    assert.is_true(net.retry(client, "connected"))
    second:close()

    local file = folder .. "/file"
    net.dump(file, "precious")
    assert.equal("EADDRINUSE", select(3, core.listen { path = file }))
    assert.equal("precious", net.slurp(file))
  end)

  it("tell a refused connection, each time they are asked", function()
    local socket, message, name = core.connect { host = "127.0.0.1", port = net.closed_port() }
    if socket then
      assert.equal("w", socket:events())
      local result
      result, message, name = net.retry(socket, "connected")
      assert.is_nil(result)
      assert.same({ nil, message, name }, { socket:connected() })
      socket:close()
    end
    assert.equal("Connection refused", message)
    assert.equal("ECONNREFUSED", name)
    assert.equal("ENOENT", select(3, core.connect { path = folder .. "/none" }))
  end)

  it("refuse a port or path in use", function()
    local first <close> = assert(core.listen(loopback))
    local _, port = first:name()
    local second, message, name = core.listen { host = "127.0.0.1", port = port }
    assert.is_nil(second)
    assert.is_string(message)
    assert.equal("EADDRINUSE", name)
  end)

  it("share a port when all listeners ask for it", function()
    local first <close> = assert(core.listen { host = "127.0.0.1", port = 0, reuseport = true })
    local _, port = first:name()
    local second <close> = assert(core.listen { host = "127.0.0.1", port = port, reuseport = true })
    assert.equal(port, select(2, second:name()))
    assert.equal("EADDRINUSE", select(3, core.listen { host = "127.0.0.1", port = port }))
  end)

  it("listen again at once where connections were closed", function()
    local listener = assert(core.listen(loopback))
    local _, port = listener:name()
    local client <close> = assert(core.connect { host = "127.0.0.1", port = port })
    net.retry(listener, "accept"):close()
    assert.equal("", net.retry(client, "recv", 10))
    listener:close()
    local again <close> = assert(core.listen { host = "127.0.0.1", port = port })
    assert.equal(port, select(2, again:name()))
  end)

  it("connect from a given address", function()
    local listener <close> = assert(core.listen(loopback))
    local _, port = listener:name()
    local client <close>, _, name = core.connect {
      host = "127.0.0.1", port = port, local_address = "127.0.0.2" }
    if name == "EADDRNOTAVAIL" then return pending("127.0.0.2 is not an address here") end
    local server <close> = assert(net.retry(listener, "accept"))
    assert.equal("127.0.0.2", (server:peer()))
    assert.equal("127.0.0.2", (client:name()))
    assert.is_true(server:loopback())
    assert.equal("EINVAL", select(3, core.connect {
      host = "127.0.0.1", port = port, local_address = "localhost" }))
    assert.equal("EADDRNOTAVAIL", select(3, core.connect {
      host = "127.0.0.1", port = port, local_address = "192.0.2.1" }))
  end)

  it("send what fits, and the rest from its first byte on", function()
    local client, server, _ <close> = net.pair()
    local bytes = ("0123456789abcdef"):rep(65536) .. "end\0"
    local first, blocked, parts = 1, false, {}
    while first <= #bytes or not blocked do
      local n = assert(client:send(bytes, first))
      first = first + n
      if n == 0 then
        blocked = true
        if first > #bytes then break end
        net.wait(server:pollfd(), net.READ)
        parts[#parts + 1] = assert(net.retry(server, "recv", 1 << 20))
      elseif first > #bytes and not blocked then
        bytes = bytes .. bytes -- the system has room for all of it: send more
      end
    end
    client:close()
    assert.is_true(blocked)
    assert.is_true(table.concat(parts) .. read_all(server) == bytes)
  end)

  it("check where to send from", function()
    local client, server, _ <close> = net.pair()
    assert.equal(0, client:send(""))
    assert.equal(0, client:send("abc", 4))
    assert.error_matches(function() client:send("abc", 5) end, "outside of the string")
    assert.error_matches(function() client:send("abc", 0) end, "outside of the string")
    assert.error_matches(function() server:recv(0) end, "at least one byte")
    assert.error_matches(function() server:recv() end, "number expected")
  end)

  it("make a write to a dead peer an error, not a signal", function()
    local client, server, _ <close> = net.pair()
    server:abort()
    net.wait(client:pollfd(), net.READ)
    local n, message, name = client:send("x")
    assert.is_nil(n)
    assert.is_string(message)
    assert.is_true(name == "ECONNRESET" or name == "EPIPE")
    n, message, name = client:send("x")
    assert.is_nil(n)
    assert.equal("Broken pipe", message)
    assert.equal("EPIPE", name)
  end)

  it("reset the connection on abort, and remember a peer that is gone", function()
    local client, server <close> = net.pair()
    local address, port = client:name()
    client:abort()
    net.wait(server:pollfd(), net.READ)
    local bytes, _, name = server:recv(10)
    assert.is_nil(bytes)
    assert.equal("ECONNRESET", name)
    assert.same({ address, port }, { server:peer() })
    assert.is_true(server:loopback())
    assert.equal("ENOTCONN", select(3, server:shutdown()))
  end)

  it("accept all that wait, then nothing", function()
    local listener <close> = assert(core.listen(loopback))
    local _, port = listener:name()
    local clients, accepted = {}, 0
    for i = 1, 20 do clients[i] = assert(core.connect { host = "127.0.0.1", port = port }) end
    while accepted < 20 do
      local server = assert(net.retry(listener, "accept"))
      server:close()
      accepted = accepted + 1
    end
    assert.is_false(listener:accept())
    for _, client in ipairs(clients) do client:close() end
  end)

  it("accept a connection whose peer left again, or tell that there is none", function()
    local listener <close> = assert(core.listen(loopback))
    local _, port = listener:name()
    local client = assert(core.connect { host = "127.0.0.1", port = port })
    net.wait(listener:pollfd(), net.READ)
    client:abort()
    local server, message = listener:accept()
    assert.is_nil(message)
    if server then server:close() end
  end)

  it("tell EMFILE, and accept when there is room again", function()
    local status, output = net.run([[
      local core = require "smtp.core"
      local net = require "spec.support.net"
      local listener = assert(core.listen { host = "127.0.0.1", port = 0 })
      local _, port = listener:name()
      local client = assert(core.connect { host = "127.0.0.1", port = port })
      net.wait(listener:pollfd(), net.READ)
      local fillers = {}
      repeat
        local file, _, code = io.open("/dev/null")
        fillers[#fillers + 1] = file
      until not file
      local socket, _, name = listener:accept()
      print(socket, name, (select(3, core.connect { host = "127.0.0.1", port = port })))
      print((select(3, core.listen { host = "127.0.0.1", port = 0 })))
      print((select(3, core.resolve("127.0.0.1", 25))))
      fillers[1]:close()
      print(io.type(fillers[1]), assert(listener:accept()):loopback())
    ]], "ulimit -n 20;")
    assert.equal("nil\tEMFILE\tEMFILE\nEMFILE\nEMFILE\nclosed file\ttrue\n", output)
    assert.equal(0, status)
  end)

  it("may have the descriptor 0, where standard input is closed", function()
    local status, output = net.run([[
      local core = require "smtp.core"
      local net = require "spec.support.net"
      local listener = assert(core.listen { host = "127.0.0.1", port = 0 })
      local _, port = listener:name()
      local client = assert(core.connect { host = "127.0.0.1", port = port })
      local server = assert(net.retry(listener, "accept"))
      print(listener:pollfd(), net.retry(client, "connected"), server:send("hi"),
        net.retry(client, "recv", 9))
      local fd = listener:detach()
      local adopted = core.listen { fd = fd }
      print(adopted:pollfd())
      client:close()
      server:close()
      adopted:close()
      print(core.connect({ host = "127.0.0.1", port = net.closed_port() }):pollfd())
    ]], "exec <&-;")
    assert.equal("0\ttrue\t2\thi\n0\n0\n", output)
    assert.equal(0, status)
  end)

  it("do not reach programs that are started", function()
    if not io.open("/proc/self/fd") then return pending("no /proc here") end
    local listener <close> = assert(core.listen(loopback))
    local client, server, _ <close> = net.pair()
    local poller <close> = assert(core.poller())
    local job <close> = assert(core.resolve("127.0.0.1", 25))
    for _, fd in ipairs { listener:pollfd(), client:pollfd(), server:pollfd(),
      poller:pollfd() or client:pollfd(), job:pollfd() } do
      assert.is_nil((os.execute("test -e /proc/self/fd/" .. fd)))
    end
  end)

  it("take over a listening or connected descriptor", function()
    local listener = assert(core.listen(loopback))
    local name, port = listener:name()
    local fd = listener:detach()
    assert.error_matches(function() listener:name() end, "closed")
    listener:close() -- nothing any more
    local adopted <close> = assert(core.listen { fd = fd })
    assert.equal(fd, adopted:pollfd())
    assert.same({ name, port }, { adopted:name() })
    local client = assert(core.connect { host = name, port = port })
    local server <close> = assert(net.retry(adopted, "accept"))
    assert.is_true(net.retry(client, "connected"))
    local connection <close> = assert(core.listen { fd = client:detach() })
    assert.same({ name, port }, { connection:peer() })
    assert.is_true(connection:loopback())
    assert.equal(2, connection:send("ok"))
    assert.equal("ok", net.retry(server, "recv", 10))
  end)

  it("take over nothing else, and leave it open", function()
    local status, output = net.run([[ -- its process ends with a descriptor of nobody
      local core = require "smtp.core"
      local net = require "spec.support.net"
      local socket = assert(core.connect { host = "127.0.0.1", port = net.closed_port() })
      assert(not net.retry(socket, "connected"))
      local fd = socket:detach()
      print((select(3, core.listen { fd = fd })), (select(3, core.listen { fd = fd })))
      print((select(3, core.listen { fd = 0 })), (select(3, core.listen { fd = 100000 })))
    ]])
    assert.equal("ENOTCONN\tENOTCONN\nENOTSOCK\tEBADF\n", output)
    assert.equal(0, status)
  end)

  it("say what to wait for", function()
    local listener <close> = assert(core.listen(loopback))
    local _, port = listener:name()
    local client <close> = assert(core.connect { host = "127.0.0.1", port = port })
    assert.equal("w", client:events())
    assert.is_true(net.retry(client, "connected"))
    assert.equal("r", client:events())
    assert.equal("r", listener:events())
    assert.is_nil(client:timeout())
    assert.equal("integer", math.type(client:pollfd()))
    assert.is_true(client:connected())
  end)

  it("raise on misuse", function()
    for why, wrong in pairs {
      ["one of host and path is needed"] = { {}, { host = "::1", port = 25, path = "/x" } },
      ["a host and a port go together"] = { { host = "127.0.0.1" }, { path = "/x", port = 25 } },
      ["'port' must be an integer in its range"] = { { host = "::1", port = 65536 },
        { host = "::1", port = -1 }, { host = "::1", port = "smtp" } },
      ["'host' must be a string"] = { { host = 1, port = 25 } },
      ["'path' must be a string"] = { { path = {} } },
      ["unknown option 'unknown'"] = { { path = "/x", unknown = 1 } },
      ["an option has a name"] = { { path = "/x", [1] = 1 } } } do
      for _, options in ipairs(wrong) do
        assert.error_matches(function() core.listen(options) end, why)
        assert.error_matches(function() core.connect(options) end, why)
      end
    end
    assert.error_matches(function() core.connect { port = 25 } end, "one of host and path")
    assert.error_matches(function() core.listen { hots = "::1" } end, "unknown option 'hots'")
    assert.error_matches(function() core.listen { fd = 1, path = "/x" } end, "fd and path")
    assert.error_matches(function() core.listen { path = "/x", backlog = 0 } end, "'backlog'")
    assert.error_matches(function() core.listen { path = "/x", reuseport = 1 } end, "'reuseport'")
    assert.error_matches(function() core.connect { path = "/x", fd = 1 } end, "unknown option 'fd'")
    assert.error_matches(function() core.listen() end, "table expected, got no value")
    assert.error_matches(function() core.connect("127.0.0.1", 25) end, "table expected, got string")
  end)

  it("are closed once, and then raise", function()
    local closed = assert(core.listen(loopback))
    closed:close()
    closed:close()
    for _, method in ipairs { "connected", "accept", "shutdown", "abort", "name",
      "peer", "loopback", "pollfd", "events", "timeout", "detach" } do
      assert.error_matches(function() closed[method](closed) end, "the socket is closed")
    end
    assert.error_matches(function() closed:recv(1) end, "the socket is closed")
    assert.error_matches(function() closed:send("x") end, "the socket is closed")
    assert.error_matches(function() closed.name(io.stdout) end, "smtp.socket expected")
    local aborted = assert(core.listen(loopback))
    aborted:abort()
    assert.error_matches(function() aborted:abort() end, "the socket is closed")
    aborted:close()
    assert.matches("^smtp%.socket: ", tostring(closed))
  end)

  it("are closed when a scope is left, and when they are collected", function()
    local client, server, _ <close> = net.pair()
    do
      local scoped <close> = client
      assert.is_string((scoped:name()))
    end
    assert.error_matches(function() client:name() end, "closed")
    assert.equal("", net.retry(server, "recv", 1))
    local other <close> = select(2, net.pair()) -- the client is garbage
    collectgarbage()
    collectgarbage()
    assert.equal("", net.retry(other, "recv", 1))
  end)
end)
