-- smtp.server: its options, its places, its limits over all sessions, its facts
-- and its end.
local core = require "smtp.core"
local loop = require "smtp.loop"
local net = require "spec.support.net"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local GREETING = "220 mx.example Service ready"
local BUSY = "421 4.7.0 Too many connections"
local DOWN = "421 4.3.2 Shutting down, try again soon"

local function take(_, message) message:read() end

-- Asserts that smtp.server raises for these options.
local function misuse(options, pattern)
  local ok, why = pcall(function()
    local server = smtp.server(options)
    server:close()
  end)
  assert.is_false(ok)
  assert.matches(pattern, why)
  assert.matches("listen_spec", why) -- it names the caller
end

local function with(fields)
  local options = { listen = "127.0.0.1:0", on_message = take }
  for key, value in pairs(fields) do options[key] = value end
  return options
end

local function greets(target)
  local client <close> = serve.connect(target)
  assert.equal(GREETING, client:reply())
end

describe("the options of smtp.server", function()
  it("that are unknown raise", function()
    misuse(with { on_messages = take }, "unknown option \"on_messages\"")
    misuse(with { limits = { size = 1 } }, "unknown option \"size\"")
    misuse(with { listen = { { host = "127.0.0.1", port = 0, hots = 1 } } },
      "unknown option \"hots\"")
  end)

  it("of a wrong type or value raise", function()
    misuse(with { on_mail = true }, "on_mail must be a function")
    misuse(with { tls = { cert = 1 } }, "cert must be a string")
    misuse(with { tls = { crt = "x" } }, "unknown option \"crt\"")
    misuse(with { tls = { cert = "x", sni = { x = { crt = 1 } } } }, "unknown option \"crt\"")
    misuse(with { tls = { cert = "x", sni = { 1 } } }, "sni needs names")
    misuse(with { tls = { cert = "x", sni = { ["xn--a.example"] = false } } }, "broken")
    misuse(with { auth = { lookup = 1 } }, "lookup must be a function")
    misuse(with { hostname = 1 }, "hostname must be a string")
    misuse(with { hostname = "a b" }, "hostname must be a domain name")
    misuse(with { hostname = "" }, "hostname must be a domain name")
    misuse(with { syntax = "loose" }, 'syntax must be "lenient" or "strict"')
    misuse(with { bare_newline = "accept" }, "bare_newline must be")
    misuse(with { limits = { errors = -1 } }, "errors must be")
    misuse(with { limits = { errors = 1.5 } }, "errors must be")
    misuse(with { limits = { message_size = "large" } }, "message_size must be")
    misuse(with { limits = { idle_timeout = -1 } }, "idle_timeout must be")
    misuse(with { on_command = { DATA = take } }, "on_command.DATA cannot be an own verb")
    misuse(with { on_command = { ["X Y"] = take } }, "on_command.X Y cannot be an own verb")
    misuse(with { on_command = { X = 1 } }, "on_command.X must be a function")
  end)

  it("of each place are checked before the first one listens", function()
    local folder = net.folder()
    local first = { path = folder .. "/first" }
    local function wrong(pattern, fields, second)
      second.host, second.port = "127.0.0.1", 0
      fields.listen = { first, second }
      misuse(with(fields), pattern)
      assert.same({}, net.names(folder))
    end
    wrong("proxy: \"mx\" is no network", {}, { proxy = { "mx" } })
    wrong("proxy: \"mx\" is no network", { proxy = { "mx" } }, {})
    wrong("proxy: \"mx\" is no network", { proxy = { "mx" } }, { proxy = { "::1" } })
    wrong("needs a cert", {}, { tls = { key = "x" } })
    wrong("unknown option \"crt\"", {}, { tls = { crt = "x" } })
    wrong("unknown option \"hots\"", {}, { hots = "x" })
    net.remove(folder)
  end)

  it("that are missing raise", function()
    misuse({ listen = "127.0.0.1:0" }, "on_message is required")
    misuse({ on_message = take }, "listen is required")
    misuse(with { listen = {} }, "listen needs")
  end)

  it("that are no address to listen at are an error", function()
    for _, place in ipairs { "127.0.0.1", "127.0.0.1:65536", "unix:relative", "", ":x" } do
      local server, err = smtp.server(with { listen = { "127.0.0.1:0", place } })
      assert.is_nil(server)
      assert.equal("invalid", err.kind)
      assert.equal("listen", err.stage)
      assert.equal(place, err.peer)
    end
  end)

  it("need on_rcpt off this machine", function()
    misuse(with { listen = "0.0.0.0:0" }, "needs on_rcpt")
    misuse(with { listen = { "127.0.0.1:0", "[::]:0" } }, "needs on_rcpt")
    misuse(with { listen = "*:0" }, "needs on_rcpt")
    misuse(with { listen = { { host = "*", port = 0 } } }, "needs on_rcpt")
    local server <close> = assert(smtp.server(with { listen = "0.0.0.0:0", on_rcpt = true }))
    assert.equal("0.0.0.0", server.address)
  end)

  it("take sizes with a unit", function()
    local server <close> = serve.start { limits = { message_size = "1M" } }
    local client <close> = serve.connect(server)
    client:reply()
    assert.matches("SIZE 1048576\r\n", client:cmd("EHLO x.example"))
  end)

  it("on_rcpt = true accepts every recipient, false none", function()
    for value, expected in pairs { [true] = "250 2.1.5 Recipient OK",
      [false] = "550 5.1.1 No such recipient here" } do
      local server <close> = serve.start { on_rcpt = value }
      local client <close> = serve.connect(server)
      client:reply()
      client:cmd("EHLO x.example")
      client:cmd("MAIL FROM:<>")
      assert.equal(expected, client:cmd("RCPT TO:<a@b.example>"))
    end
  end)

  it("syntax and bare_newline reach the sessions", function()
    local server <close> = serve.start { syntax = "strict", bare_newline = "normalize" }
    local client <close> = serve.connect(server)
    client:begin()
    assert.equal("250 2.0.0 Message accepted", client:content("a\nb\r\n"))
    assert.equal("501 5.1.7 Bad sender address", client:cmd("MAIL FROM: <a@b.example>"))
  end)

  it("limits reach the sessions", function()
    local server <close> = serve.start { limits = { junk = 1, line = 100, idle_timeout = 0.02 } }
    local client <close> = serve.connect(server)
    client:reply()
    assert.equal("500 5.5.6 Line too long", client:cmd(("x"):rep(99)))
    assert.matches("^250", client:cmd("NOOP"))
    assert.equal("421 4.7.0 Too many commands without mail", client:cmd("NOOP"))
    local idle <close> = serve.connect(server)
    assert.equal(GREETING .. "\r\n421 4.4.2 Timeout, closing connection\r\n", idle:rest())
  end)
end)

describe("a listener", function()
  it("is at a free port, which the server names", function()
    local server <close> = serve.start()
    assert.equal("127.0.0.1", server.address)
    assert.is_true(server.port > 0)
    greets(server)
  end)

  it("may be IPv6", function()
    local server = smtp.server(with { listen = "[::1]:0", hostname = "mx.example" })
    if not server then return pending("there is no IPv6 here") end
    local _ <close> = server
    assert.equal("::1", server.address)
    greets(server)
  end)

  it("may be a Unix socket", function()
    local folder = net.folder()
    local path = folder .. "/socket"
    local seen
    for _, listen in ipairs { "unix:" .. path, { path = path } } do
      local server = serve.start { listen = listen,
        on_connect = function(session) seen = session.peer end }
      assert.equal(path, server.address)
      assert.is_nil(server.port)
      greets { path = path }
      assert.is_nil(seen.port)
      server:close() -- what it leaves does not stand in the way of the next
    end
    net.remove(folder)
  end)

  it("may be a descriptor", function()
    local listener = assert(core.listen { host = "127.0.0.1", port = 0 })
    local _, port = listener:name()
    local server <close> = serve.start { listen = { fd = listener:detach() } }
    assert.equal(port, server.port)
    greets(server)
  end)

  it("may be one of several", function()
    local folder = net.folder()
    local server = serve.start { listen = { "127.0.0.1:0", { host = "127.0.0.1", port = 0 },
      "unix:" .. folder .. "/socket" } }
    local ports = {}
    for i, one in ipairs(server.listeners) do ports[i] = select(2, one:name()) or false end
    assert.equal(3, #ports)
    assert.equal(ports[1], server.port)
    for _, port in ipairs { ports[1], ports[2] } do greets { host = "127.0.0.1", port = port } end
    greets { path = folder .. "/socket" }
    server:close()
    net.remove(folder)
  end)

  it("may have a name", function()
    local server <close> = serve.start { listen = "localhost:0" }
    greets(server)
  end)

  it("that cannot be opened is an error, and nothing stays open", function()
    local first <close> = serve.start()
    local place = "127.0.0.1:" .. first.port
    local server, err = smtp.server(with { listen = { "127.0.0.1:0", place } })
    assert.is_nil(server)
    assert.equal("system", err.kind)
    assert.equal("listen", err.stage)
    assert.equal("EADDRINUSE", err.cause)
    assert.matches(place, tostring(err))
    err = select(2, smtp.server(with { listen = "unix:/no/such/folder/x" }))
    assert.equal("ENOENT", err.cause)
    err = select(2, smtp.server(with { listen = "no-such-name.invalid:0" }))
    assert.equal("system", err.kind)
    err = select(2, smtp.server(with { listen = { fd = 999999 } }))
    assert.equal("EBADF", err.cause)
    greets(first)
  end)
end)

describe("limits over all sessions", function()
  it("connections: 421 beyond", function()
    local server <close> = serve.start { limits = { connections = 2 } }
    local one <close> = serve.connect(server)
    local two <close> = serve.connect(server)
    assert.equal(GREETING, one:reply())
    assert.equal(GREETING, two:reply())
    local three <close> = serve.connect(server)
    assert.equal(BUSY .. "\r\n", three:rest())
    three:close()
    one:cmd("QUIT")
    one:close()
    serve.wait(function() return server:stats().connections == 1 end)
    greets(server)
    assert.equal(4, server:stats().accepted)
  end)

  it("per_ip does not hold on loopback", function()
    local server <close> = serve.start { limits = { per_ip = 1 } }
    local one <close> = serve.connect(server)
    assert.equal(GREETING, one:reply())
    greets(server)
  end)

  -- Addresses of its own that are no loopback, in a network of its own.
  local setup = "unshare -rn sh -c 'ip link set lo up && ip addr add 192.0.2.1/24 dev lo && " ..
    "ip addr add 192.0.2.2/24 dev lo && ip -6 addr add 2001:db8:1:1::1/64 dev lo nodad && " ..
    "ip -6 addr add 2001:db8:1:1::2/64 dev lo nodad && " ..
    "ip -6 addr add 2001:db8:1:2::1/64 dev lo nodad && exec \"$0\" \"$@\"'"

  local function elsewhere(script)
    if not os.execute(setup .. " true 2>/dev/null") then return nil end
    return net.run([[
      local serve = require "spec.support.serve"
      local function try(server, from, kept)
        local peer = serve.connect { host = server.address, port = server.port,
          local_address = from }
        kept[#kept + 1] = peer
        local reply = peer:reply():sub(1, 3)
        if reply == "421" then peer:close() end
        return reply
      end
    ]] .. script, setup)
  end

  it("per_ip: 421 beyond, for one address", function()
    local status, output = elsewhere [[
      local server = serve.start { listen = "192.0.2.1:0", on_rcpt = true, limits = { per_ip = 2 } }
      local kept = {}
      for _ = 1, 3 do io.write(try(server, "192.0.2.1", kept), " ") end
      io.write(try(server, "192.0.2.2", kept), " ")
      kept[1]:cmd("QUIT")
      kept[1]:close()
      serve.wait(function() return server:stats().connections == 2 end)
      print(try(server, "192.0.2.1", kept), try(server, "192.0.2.1", kept))
    ]]
    if not status then return pending("a network of its own cannot be made here") end
    assert.equal("220 220 421 220 220\t421\n", output)
    assert.equal(0, status)
  end)

  it("per_ip: a /64 of IPv6 is one host", function()
    local status, output = elsewhere [[
      local server = serve.start { listen = "[2001:db8:1:1::1]:0", on_rcpt = true,
        limits = { per_ip = 1 } }
      local kept = {}
      for _, from in ipairs { "2001:db8:1:1::1", "2001:db8:1:1::2", "2001:db8:1:2::1" } do
        io.write(try(server, from, kept), " ")
      end
    ]]
    if not status then return pending("a network of its own cannot be made here") end
    assert.equal("220 421 220 ", output)
    assert.equal(0, status)
  end)

  it("both at once: the server lives on", function()
    local status, output = elsewhere [[
      local server = serve.start { listen = "192.0.2.1:0", on_rcpt = true,
        limits = { connections = 1, per_ip = 1 } }
      local kept = {}
      for _, from in ipairs { "192.0.2.1", "192.0.2.2", "192.0.2.1" } do
        io.write(try(server, from, kept), " ")
      end
      kept[1]:close()
      serve.idle(server)
      print(try(server, "192.0.2.2", kept), next(server.hosts))
    ]]
    if not status then return pending("a network of its own cannot be made here") end
    assert.equal("220 421 421 220\t192.0.2.2\t1\n", output)
    assert.equal(0, status)
  end)
end)

describe("a session of smtp.server", function()
  it("with a peer that talks too early is 554, and ends", function()
    local server <close> = serve.start { on_connect = function() smtp.sleep(0.05) end }
    local client <close> = serve.connect(server)
    client:send("EHLO x.example\r\n")
    assert.equal("554 5.5.0 Please wait for the greeting\r\n", client:rest())
  end)

  it("does not read ahead while an error is slowed down", function()
    local server <close> = serve.start { limits = { errors = 7 } }
    local client <close> = serve.connect(server)
    client:reply()
    client:cmd("BAD") -- the first quarter of the limit is free
    -- The replies to these come seconds later. More than a session may hold is
    -- sent meanwhile: it must neither be taken in nor end the server.
    client:send("BAD\r\nBAD\r\n")
    local junk = ("RSET\r\n"):rep(10000)
    local at, since = 1, loop.now()
    local before = collectgarbage("count")
    while at <= 64 * #junk and loop.now() - since < 0.3 do
      local n = assert(client.socket:send(junk))
      at = at + n
      if n == 0 then loop.step(0.05) end
    end
    assert.is_true(collectgarbage("count") - before < 4096)
    local other <close> = serve.connect(server)
    assert.equal(GREETING, other:reply())
    assert.equal(2, server:stats().connections)
  end)

  it("that is slowed down does not spin when its peer has gone", function()
    local server <close> = serve.start { limits = { errors = 3 } }
    local client <close> = serve.connect(server)
    client:reply()
    client:send("BAD\r\n")
    client.socket:shutdown()
    local turns, since = 0, loop.now()
    while server:stats().connections > 0 and loop.now() - since < 0.3 do
      loop.step(0.3)
      turns = turns + 1
    end
    assert.is_true(turns < 20, turns)
  end)

  it("that fails within does not end the server", function()
    local events = {}
    local server <close> = serve.start { on_event = serve.record(events),
      on_rcpt = function(session) -- it must not, but it can
        session.recipients = nil
        return true
      end }
    local client <close> = serve.connect(server)
    client:reply()
    client:cmd("HELO x.example")
    client:cmd("MAIL FROM:<>")
    client:send("RCPT TO:<a@b.example>\r\n")
    assert.equal("", client:rest())
    assert.equal("session", serve.of_type(events, "error")[1].stage)
    greets(server)
  end)

  it("tells its facts to on_event, whose errors are its own", function()
    local list = {}
    local server <close> = serve.start { on_event = function(event)
      list[#list + 1] = event
      error("ignored")
    end }
    local client <close> = serve.connect(server)
    client:begin()
    client:content("x\r\n")
    client:cmd("QUIT")
    serve.idle(server)
    local kinds = {}
    for i, event in ipairs(list) do
      kinds[i] = event.type
      assert.equal("table", type(event.session))
    end
    assert.equal("connect reply command reply command reply command reply command reply " ..
      "message reply command reply close", table.concat(kinds, " "))
    assert.equal("127.0.0.1", list[1].peer.address)
    assert.equal("220 mx.example Service ready\r\n", list[2].text)
    assert.equal("EHLO client.code.energy\r\n", list[3].text)
    local message = serve.of_type(list, "message")[1]
    assert.equal(250, message.code)
    assert.equal(3, message.size)
    assert.is_nil(message.refused)
    assert.is_nil(message.session.waiting) -- a name that is free for users
    assert.equal("ada@code.energy", message.sender.address)
    assert.equal("charles@example.com", message.recipients[1].address)
    assert.equal("quit", list[#list].reason)
    assert.equal(1, list[#list].messages)
  end)
end)

describe("the end of smtp.server", function()
  it("shutdown tells idle sessions 421 and waits for transactions", function()
    local server = serve.start()
    local idle <close> = serve.connect(server)
    local busy <close> = serve.connect(server)
    assert.equal(GREETING, idle:reply())
    busy:begin()
    local port = server.port
    local clean
    loop.spawn(function() clean = server:shutdown(10) end)
    assert.equal(DOWN .. "\r\n", idle:rest())
    idle:close()
    assert.is_nil(clean)
    local socket = assert(core.connect { host = "127.0.0.1", port = port })
    loop.wait(socket, "w", 5)
    assert.equal("ECONNREFUSED", select(3, socket:connected()))
    loop.forget(socket)
    assert.equal("250 2.0.0 Message accepted", busy:content("x\r\n"))
    assert.equal(DOWN .. "\r\n", busy:rest())
    busy:close()
    serve.wait(function() return clean ~= nil end)
    assert.is_true(clean)
    assert.equal(0, server:stats().connections)
    assert.equal(1, server:stats().messages)
  end)

  it("shutdown cuts off longer sessions", function()
    local server = serve.start()
    local busy <close> = serve.connect(server)
    busy:begin()
    assert.is_false(server:shutdown(0.01))
    assert.equal("", busy:rest())
    assert.is_true(serve.start():shutdown())
  end)

  it("close ends sessions at once, and once", function()
    local reasons = {}
    local server = serve.start { on_close = function(_, summary)
      reasons[#reasons + 1] = summary.reason
    end }
    local clients = {}
    for i = 1, 5 do
      clients[i] = serve.connect(server)
      assert.equal(GREETING, clients[i]:reply())
    end
    server:close()
    server:close()
    assert.same({ "cancelled", "cancelled", "cancelled", "cancelled", "cancelled" }, reasons)
    assert.equal(0, server:stats().connections)
    for _, client in ipairs(clients) do
      assert.equal("", client:rest())
      client:close()
    end
  end)

  it("run returns after close and after shutdown", function()
    for _, way in ipairs { "close", "shutdown" } do
      local server = serve.start()
      loop.spawn(function() server[way](server) end)
      server:run()
      assert.equal(0, server:stats().connections)
    end
  end)

  it("a handler may close its own server", function()
    local server
    server = serve.start { on_mail = function() server:close() end }
    local client <close> = serve.connect(server)
    client:reply()
    client:cmd("HELO x.example")
    client:send("MAIL FROM:<>\r\n")
    assert.equal("250 2.1.0 Sender OK\r\n" .. DOWN .. "\r\n", client:rest())
    server:run()
    assert.equal(0, server:stats().connections)
  end)
end)
