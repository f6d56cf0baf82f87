-- XCLIENT and XFORWARD: what a session is after them, over sockets.
local authority = require "smtp.authority"
local core = require "smtp.core"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local GREETING = "220 mx.example Service ready"
local OFFER = "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"

-- A server that keeps what its handlers saw, and a peer that was greeted.
local function start(options)
  local all = { xclient = { "127.0.0.1" }, xforward = { "127.0.0.1" }, on_rcpt = true }
  for key, value in pairs(options or {}) do all[key] = value end
  return serve.start(all)
end

local function greeted(server)
  local client = serve.connect(server)
  assert.equal(GREETING, client:reply())
  return client
end

-- MAIL, RCPT, DATA and content; gives the last reply.
local function deliver(client)
  for _, line in ipairs { "MAIL FROM:<ada@code.energy>", "RCPT TO:<bob@example.com>", "DATA" } do
    local reply = client:cmd(line)
    assert.matches("^[23]", reply)
  end
  return client:content("Subject: hi\r\n\r\nhi\r\n")
end

describe("XCLIENT at a server", function()
  it("C139 is offered to the listed networks only, and 550 from others", function()
    local server <close> = start()
    local client <close> = greeted(server)
    assert.truthy(client:cmd("EHLO a"):find(OFFER, 1, true))
    local other <close> = start { xclient = { "192.0.2.0/24", "unix" }, xforward = {} }
    local stranger <close> = greeted(other)
    assert.is_nil(stranger:cmd("EHLO a"):find("\nX"))
    assert.equal("550", stranger:cmd("XCLIENT ADDR=192.0.2.1"):sub(1, 3))
    assert.equal("550", stranger:cmd("XFORWARD ADDR=192.0.2.1"):sub(1, 3))
    local off <close> = serve.start()
    local third <close> = greeted(off)
    assert.equal("500", third:cmd("XCLIENT ADDR=192.0.2.1"):sub(1, 3))
  end)

  it("C139 is offered at a Unix socket that is listed", function()
    local path = os.tmpname()
    os.remove(path)
    for list, is in pairs { unix = true, ["127.0.0.1"] = false } do
      local server <close> = start { listen = "unix:" .. path, xclient = { list } }
      local client <close> = greeted(server)
      assert.equal(is, client:cmd("EHLO a"):find(OFFER, 1, true) ~= nil)
    end
    os.remove(path)
  end)

  it("C139 makes the session that of another client, of which nothing is left", function()
    local connects, facts, kept, message = {}, {}, nil, nil
    local server <close> = start { on_event = serve.record(facts),
      on_connect = function(session)
        kept = session
        connects[#connects + 1] = session.peer
        if session.peer.address == "192.0.2.66" then return 554, "not you" end
      end,
      on_message = function(session, content)
        message = { helo = session.helo, user = session.user, received = content:received() }
        content:read()
      end }
    local client <close> = greeted(server)
    client:cmd("EHLO proxy.example")
    client:cmd("MAIL FROM:<ada@code.energy>")
    assert.equal("503", client:cmd("XCLIENT ADDR=192.0.2.7"):sub(1, 3))
    client:cmd("RSET")
    assert.equal(GREETING, client:cmd("XCLIENT NAME=spike.example ADDR=IPV6:2001:DB8::7 PORT=99 " ..
      "PROTO=ESMTP HELO=told LOGIN=ada DESTADDR=192.0.2.25 DESTPORT=26"))
    assert.same({ name = "spike.example", address = "2001:db8::7", port = 99 }, kept.peer)
    assert.same({ connects[2], "told", true, "ada", "XCLIENT" },
      { kept.peer, kept.helo, kept.esmtp, kept.user, kept.mechanism })
    assert.same({ "192.0.2.25", 26 }, { kept.xclient.destaddr, kept.xclient.destport })
    assert.is_nil(kept.sender)
    assert.equal("503", client:cmd("RCPT TO:<bob@example.com>"):sub(1, 3))
    client:cmd("EHLO spike.example")
    assert.equal("250", deliver(client):sub(1, 3))
    assert.same({ "spike.example", "ada" }, { message.helo, message.user })
    assert.truthy(message.received:find("from spike.example ([IPv6:2001:db8::7])", 1, true))
    assert.truthy(message.received:find("with ESMTPA", 1, true))

    assert.equal(GREETING, client:cmd("XCLIENT ADDR=[UNAVAILABLE] NAME=[TEMPUNAVAIL]"))
    assert.same({ address = "unknown", port = 99 }, kept.peer)
    assert.is_nil(kept.helo or kept.user or kept.mechanism)
    assert.is_false(kept.esmtp)
    assert.is_true(kept.xclient.temporary)
    assert.equal("501", client:cmd("XCLIENT ADDR=300.0.0.1"):sub(1, 3))
    assert.equal("501", client:cmd("XCLIENT FOO=1"):sub(1, 3))
    assert.equal("554 not you", client:cmd("XCLIENT ADDR=192.0.2.66"))
    assert.equal("503", client:cmd("EHLO a"):sub(1, 3))
    assert.equal(4, #serve.of_type(facts, "connect"))
  end)

  it("C139 does not change the trusted peers", function()
    local server <close> = start { xclient = { "127.0.0.1" } }
    local client <close> = greeted(server)
    for i = 1, 3 do
      assert.equal(GREETING, client:cmd("XCLIENT ADDR=192.0.2." .. i))
      assert.truthy(client:cmd("EHLO a"):find(OFFER, 1, true))
    end
    local other <close> = start { xclient = { "192.0.2.1" } }
    local stranger <close> = greeted(other)
    assert.equal("550", stranger:cmd("XCLIENT ADDR=192.0.2.1"):sub(1, 3))
  end)

  it("is not for the proxy, but for listed clients behind it", function()
    local options = { proxy = { "127.0.0.1" }, xclient = { "127.0.0.1", "192.0.2.9" } }
    local server <close> = start(options)
    for address, is in pairs { ["192.0.2.7"] = false, ["192.0.2.9"] = true } do
      local client <close> = serve.connect(server)
      client:send(("PROXY TCP4 %s 198.51.100.1 1 25\r\n"):format(address))
      client:reply()
      assert.equal(is, client:cmd("EHLO a"):find(OFFER, 1, true) ~= nil)
    end
    local unspec = assert(core.proxy_header { version = 2, command = "PROXY" })
    local health = assert(core.proxy_header { version = 2, command = "LOCAL" })
    for header, is in pairs { ["PROXY UNKNOWN\r\n"] = false, [unspec] = false, [health] = true } do
      local client <close> = serve.connect(server)
      client:send(header)
      client:reply()
      assert.equal(is, client:cmd("EHLO a"):find(OFFER, 1, true) ~= nil)
      local code = is and "220" or "550"
      assert.equal(code, client:cmd("XCLIENT ADDR=192.0.2.1"):sub(1, 3))
    end
  end)

  it("leaves to the other client neither the certificate nor the channel of the proxy", function()
    local ca = assert(authority.new())
    local mine, proxy = assert(ca:issue()), assert(ca:issue { emails = { "proxy@code.energy" } })
    local kept
    local server <close> = start { on_auth = function() return true end,
      on_connect = function(session) kept = session end,
      tls = { cert = mine.cert, key = mine.key, ca = ca.certificate, client = "optional" },
      auth = { mechanisms = { "EXTERNAL", "SCRAM-SHA-256-PLUS", "PLAIN" },
        lookup = function() return "secret" end } }
    local client <close> = serve.connect(server)
    local offered = client:starttls { verify = false, cert = proxy.cert, key = proxy.key }
    assert.truthy(offered:find("AUTH SCRAM-SHA-256-PLUS EXTERNAL PLAIN", 1, true))
    assert.is_true(kept.tls.certificate.verified)
    assert.equal(GREETING, client:cmd("XCLIENT ADDR=192.0.2.7"))
    assert.truthy(client:cmd("EHLO a"):find("AUTH PLAIN", 1, true))
    assert.equal("504", client:cmd("AUTH EXTERNAL ="):sub(1, 3))
    assert.is_nil(kept.tls.certificate)
    assert.truthy(kept.tls.version)
  end)

  it("counts the client in the header for per_ip", function()
    local server <close> = start { limits = { per_ip = 1 } }
    local one <close> = greeted(server)
    local two <close> = greeted(server)
    assert.equal(GREETING, one:cmd("XCLIENT ADDR=192.0.2.7"))
    two:send("XCLIENT ADDR=192.0.2.7\r\n")
    assert.equal("421 4.7.0 Too many connections\r\n", two:rest())
    two:close()
    serve.wait(function() return server:stats().connections == 1 end)
    local three <close> = greeted(server)
    assert.equal(GREETING, one:cmd("XCLIENT ADDR=192.0.2.8"))
    assert.equal(GREETING, three:cmd("XCLIENT ADDR=192.0.2.7"))
    one:close()
    three:close()
    serve.idle(server)
    assert.same({}, server.hosts)
  end)

  it("is under way while the server shuts down", function()
    local server <close> = start { on_connect = function(session)
      if session.xclient then session.server:shutdown(0) end
    end }
    local client <close> = greeted(server)
    client:send("XCLIENT ADDR=192.0.2.7\r\n")
    assert.matches("^[24]2", client:rest())
  end)
end)

describe("XFORWARD at a server", function()
  it("C139 names the origin of one message, not of the next", function()
    local seen, kept = {}, nil
    local server <close> = start { on_message = function(session, message)
      kept = session
      seen[#seen + 1] = session.xforward or false
      message:read()
    end }
    local client <close> = greeted(server)
    client:cmd("EHLO filter.example")
    local function tell()
      assert.equal("250 2.0.0 OK", client:cmd("XFORWARD NAME=spike.example ADDR=IPV6:::7 PORT=99"))
      assert.equal("250 2.0.0 OK", client:cmd("XFORWARD PROTO=ESMTP HELO=a+20b " ..
        "IDENT=[UNAVAILABLE] SOURCE=REMOTE"))
    end
    tell()
    deliver(client)
    assert.same({ name = "spike.example", addr = "::7", port = 99, proto = "ESMTP", helo = "a b",
      ident = false, source = "REMOTE" }, seen[1])
    assert.equal("127.0.0.1", kept.peer.address) -- it is about the message, not the peer
    deliver(client)
    assert.is_false(seen[2])
    for _, line in ipairs { "RSET", "EHLO filter.example" } do
      tell()
      client:cmd(line)
      deliver(client)
      assert.is_false(seen[#seen])
    end
    tell()
    client:cmd("XCLIENT NAME=x.example")
    client:cmd("EHLO filter.example")
    deliver(client)
    assert.is_false(seen[5])
  end)
end)

describe("a client of such a server", function()
  local function client_of(server)
    return assert(smtp.connect { host = "127.0.0.1", port = server.port, tls = "none",
      helo = "proxy.example" })
  end

  it("sends XCLIENT, and EHLO again", function()
    local kept
    local server <close> = start { on_connect = function(session) kept = session end }
    local client <close> = client_of(server)
    client.capabilities.XCLIENT = client.capabilities.XCLIENT .. " TOO"
    local reply = assert(client:xclient { name = "spike.example", addr = "2001:db8::7", port = 99,
      proto = "ESMTP", helo = "a =+b", login = "jürgen", destaddr = "192.0.2.25", destport = 25 })
    assert.equal(220, reply.code)
    assert.equal(OFFER:sub(9), client.capabilities.XCLIENT)
    assert.same({ address = "2001:db8::7", port = 99, name = "spike.example" }, kept.peer)
    assert.same({ "a =+b", "jürgen", "proxy.example" },
      { kept.xclient.helo, kept.user, kept.helo })
    assert(client:xclient { addr = false, name = false })
    assert.equal("unknown", kept.peer.address)
    assert(client:send { envelope = { from = "ada@code.energy", to = { "bob@example.com" } },
      raw = "Subject: hi\r\n\r\nhi\r\n" })
    assert(client:mail("ada@code.energy"))
    local ok, err = client:xclient { addr = "192.0.2.1" }
    assert.is_nil(ok)
    assert.same({ "rejected", 503 }, { err.kind, err.code })
    assert.is_true(client:usable())
  end)

  it("sends XFORWARD for the next message", function()
    local seen
    local server <close> = start { on_message = function(session, message)
      seen = session.xforward
      message:read()
    end }
    local client <close> = client_of(server)
    assert.equal(250, assert(client:xforward { name = "spike.example", addr = "192.0.2.7",
      ident = "4f", source = "LOCAL", helo = false }).code)
    assert(client:send { envelope = { from = "ada@code.energy", to = { "bob@example.com" } },
      raw = "Subject: hi\r\n\r\nhi\r\n" })
    assert.same({ name = "spike.example", addr = "192.0.2.7", ident = "4f", source = "LOCAL",
      helo = false }, seen)
  end)

  it("sends nothing that was not offered", function()
    local server <close> = serve.start()
    local client <close> = client_of(server)
    for _, verb in ipairs { "xclient", "xforward" } do
      local ok, err = client[verb](client, { addr = "192.0.2.7" })
      assert.is_nil(ok)
      assert.equal("unsupported", err.kind)
    end
    local trusting <close> = start()
    local other <close> = client_of(trusting)
    other.capabilities.XCLIENT = "NAME ADDR"
    local ok, err = other:xclient { addr = "192.0.2.7", login = "ada" }
    assert.is_nil(ok)
    assert.same({ "unsupported", "the server does not offer LOGIN of XCLIENT" },
      { err.kind, err.message })
    assert.is_true(other:usable())
    other.capabilities.XFORWARD = true
    ok, err = other:xforward { name = "x" }
    assert.is_nil(ok)
    assert.equal("unsupported", err.kind)
  end)

  it("refuses attributes that may not be sent", function()
    local server <close> = start()
    local client <close> = client_of(server)
    for _, told in ipairs { { name = "a\r\nb" }, { helo = "a\0" }, { login = ("x"):rep(256) },
      { addr = "mx" }, { addr = "300.1.1.1" }, { name = "" }, { helo = "\127" } } do
      local ok, err = client:xclient(told)
      assert.is_nil(ok)
      assert.equal("invalid", err.kind)
    end
    assert.error_matches(function() client:xclient {} end, "nothing is told")
    assert.error_matches(function() client:xclient { ident = "x" } end, 'unknown option "ident"')
    assert.error_matches(function() client:xforward { login = "x" } end, 'unknown option "login"')
    assert.error_matches(function() client:xclient { port = "25" } end, 'port must be .* not "25"')
    assert.error_matches(function()
      client:xclient { port = 65536 }
    end, "port must be .* not 65536")
    assert.error_matches(function() client:xclient { proto = "LMTP" } end, "proto must be")
    assert.error_matches(function() client:xclient("ADDR=1") end, "must be a table")
    assert.error_matches(function() client:xclient { name = true } end, "name must not be true")
  end)

  it("speaks so in a dialogue, whatever is offered", function()
    local server <close> = start { on_rcpt = true }
    local d <close> = assert(smtp.dialogue("127.0.0.1:" .. server.port, { timeout = 5 }))
    d:expect(220)
    assert.equal(220, assert(d:xclient { addr = "::7", helo = "a b" }).code)
    assert.equal(250, assert(d:xforward { addr = "192.0.2.7", ident = false }).code)
    assert.truthy(d:transcript():find("C: XCLIENT ADDR=IPV6:::7 HELO=a+20b", 1, true))
    assert.truthy(d:transcript():find("C: XFORWARD ADDR=192.0.2.7 IDENT=[UNAVAILABLE]", 1, true))
    local off <close> = serve.start()
    local other <close> = assert(smtp.dialogue("127.0.0.1:" .. off.port, { timeout = 5 }))
    other:expect(220)
    local ok, err = other:xclient { addr = "::7" }
    assert.is_nil(ok)
    assert.equal(500, err.code)
    ok, err = other:xclient { name = "a\nb" }
    assert.is_nil(ok)
    assert.equal("invalid", err.kind)
  end)

  it("sends a PROXY header first", function()
    local seen
    local server <close> = start { proxy = { "127.0.0.1" },
      on_connect = function(session) seen = session end }
    local place = { host = "127.0.0.1", port = server.port, tls = "none" }
    local function connect(proxy)
      place.proxy = proxy
      local client <close> = assert(smtp.connect(place))
      return seen.proxy, seen.peer, client
    end
    local told, client = connect { version = 1, source = "192.0.2.1:1234",
      destination = "192.0.2.2:25" }
    assert.same({ 1, { address = "192.0.2.1", port = 1234 }, { address = "192.0.2.2", port = 25 } },
      { told.version, client, told.destination })
    told, client = connect { version = 2, source = "[2001:db8::1]:1234", destination = "[::1]:25",
      tlvs = { { type = 2, value = "mx" } }, crc32c = true }
    assert.same({ { address = "2001:db8::1", port = 1234 }, { type = 2, value = "mx" }, 3 },
      { client, told.tlvs[1], told.tlvs[2].type })
    told, client = connect { version = 2, ["local"] = true }
    assert.same({ "LOCAL", "127.0.0.1" }, { told.command, client.address })
    told, client = connect { version = 1 } -- of itself
    assert.same({ told.address, told.port }, { client.address, client.port })
    assert.equal(server.port, told.destination.port)
    place.proxy = { version = 2 }
    local d <close> = assert(smtp.dialogue(place, { timeout = 5 }))
    assert(d:expect(220))
    assert.equal(core.ip("127.0.0.1"), core.ip(seen.peer.address))
  end)
end)
