-- A client and a dialogue through SOCKS5 and HTTP CONNECT.
local authority = require "smtp.authority"
local core = require "smtp.core"
local loop = require "smtp.loop"
local net = require "spec.support.net"
local serve = require "spec.support.serve"
local smtp = require "smtp"
local tunnel = require "spec.support.tunnel"

local HOST = "mx.nowhere.invalid" -- which only the proxy could look up

local SCHEMES = { socks5 = tunnel.socks5, http = tunnel.http }

local function target(scheme, port, fields)
  local all = { host = HOST, port = 2525, tls = "none", helo = "client.code.energy", timeout = 10,
    proxy = ("%s://127.0.0.1:%d"):format(scheme, port) }
  for key, value in pairs(fields or {}) do all[key] = value end
  return all
end

-- The error of a connection through a proxy that does as `handler` says.
local function failure(scheme, handler, fields)
  local server <close> = serve.start()
  local one <close> = tunnel.start(handler, server.port)
  local client, err = smtp.connect(target(scheme, one.port, fields))
  assert.is_nil(client)
  assert.equal("proxy", err.stage)
  assert.equal("not_sent", err.outcome)
  assert.equal(0, server:stats().accepted)
  return err, one
end

for scheme, handler in pairs(SCHEMES) do
  describe("a client through " .. scheme, function()
    it("sends, and the proxy looks up the name", function()
      local got
      local server <close> = serve.start { on_message = function(_, message)
        got = message:read()
      end }
      local one <close> = tunnel.start(handler(), server.port)
      local receipt = assert(smtp.send(target(scheme, one.port), {
        envelope = { from = "ada@code.energy", to = { "bob@example.com" } },
        raw = "Subject: hi\r\n\r\nhi\r\n" }))
      assert.equal(250, receipt.code)
      assert.equal("Subject: hi\r\n\r\nhi\r\n", got)
      if scheme == "socks5" then
        assert.same({ { kind = 3, host = HOST, port = 2525 } }, one.asked)
      else
        assert.same({ ("CONNECT %s:2525 HTTP/1.1\r\nHost: %s:2525\r\n\r\n"):format(HOST, HOST) },
          one.asked)
      end
    end)

    it("gives addresses as they are", function()
      local server <close> = serve.start()
      for address, bytes in pairs { ["192.0.2.1"] = "\192\0\2\1",
        ["2001:db8::1"] = core.ip("2001:db8::1") } do
        local one <close> = tunnel.start(handler(), server.port)
        local client <close> = assert(smtp.connect(target(scheme, one.port, { host = address })))
        assert.equal(250, client:noop().code)
        if scheme == "socks5" then
          assert.same({ kind = #bytes == 4 and 1 or 4, host = bytes, port = 2525 }, one.asked[1])
        else
          local shown = #bytes == 4 and address or "[" .. address .. "]"
          assert.matches("^CONNECT " .. shown:gsub("%p", "%%%0") .. ":2525 ", one.asked[1])
        end
      end
    end)

    it("logs in, and tells nobody the password", function()
      local server <close> = serve.start()
      local one <close> = tunnel.start(handler { user = "a@b", password = "s:c/r" }, server.port)
      local function connect(login)
        return smtp.connect(target(scheme, one.port, {
          proxy = ("%s://%s@127.0.0.1:%d"):format(scheme, login, one.port) }))
      end
      local client <close> = assert(connect("a%40b:s%3Ac%2Fr"))
      assert.equal(250, client:noop().code)
      for _, login in ipairs { "a%40b:hunter2", "eve:hunter2" } do
        local no, err = connect(login)
        assert.is_nil(no)
        assert.same({ "auth", "proxy" }, { err.kind, err.stage })
        assert.is_nil((tostring(err) .. (err.transcript or "")):find("hunter2"))
        assert.is_nil(err.peer:find("hunter2"))
      end
      local no, err = smtp.connect(target(scheme, one.port))
      assert.is_nil(no)
      assert.equal("auth", err.kind)
    end)

    it("is not on this machine, wherever the proxy is", function()
      local server <close> = serve.start() -- without TLS
      for _, host in ipairs { HOST, "127.0.0.1", "localhost" } do
        local one <close> = tunnel.start(handler(), server.port)
        local all = target(scheme, one.port, { host = host })
        all.tls = nil
        local client, err = smtp.connect(all)
        assert.is_nil(client)
        assert.same({ "tls", "starttls" }, { err.kind, err.stage })
      end
    end)

    it("sends no password in clear text", function()
      local tried
      local server <close> = serve.start { auth = { cleartext = true },
        on_auth = function() tried = true end }
      local one <close> = tunnel.start(handler(), server.port)
      local client, err = smtp.connect(target(scheme, one.port,
        { auth = { user = "ada", password = "secret" } }))
      assert.is_nil(client)
      assert.equal("auth", err.kind)
      assert.is_nil(tried)
    end)

    it("makes TLS, for the name of the server", function()
      local ca = assert(authority.new())
      local identity = assert(ca:issue { names = { HOST } })
      for _, implicit in ipairs { true, false } do
        local server <close> = serve.start { tls = { cert = identity.cert, key = identity.key,
          implicit = implicit } }
        local one <close> = tunnel.start(handler(), server.port)
        local client <close> = assert(smtp.connect(target(scheme, one.port,
          { tls = implicit and "implicit" or "required", ca = ca.certificate })))
        assert.is_true(client.tls.verified)
      end
    end)

    it("serves a dialogue, which hears every word of the server", function()
      local server <close> = serve.start()
      local one <close> = tunnel.start(handler(), server.port)
      local d <close> = assert(smtp.dialogue(target(scheme, one.port), { timeout = 5 }))
      assert.equal("mx.example Service ready", assert(d:expect(220)).text)
      assert(d:cmd("QUIT", 221))
    end)

    it("takes nothing that is behind the proxy's answer", function()
      local answer = scheme == "http" and "HTTP/1.0 200 OK\r\n\r\n" or nil
      local one <close> = tunnel.start(function(_, client)
        if scheme == "socks5" then
          client:read(3)
          client:send("\5\0")
          client:read(4 + 1 + #HOST + 2)
          answer = "\5\0\0\3\3abc\0\0"
        else
          repeat local line = client:read(1) until not line or client.socket:peek(1) == false
        end
        for byte in answer:gmatch(".") do client:send(byte) end
        client:send("220 first\r\n220 second\r\n") -- in one piece, maybe with the answer
        client:read(1)
      end)
      local d <close> = assert(smtp.dialogue(target(scheme, one.port), { timeout = 5 }))
      assert.equal("first", assert(d:expect(220)).text)
      assert.equal("second", assert(d:expect(220)).text)
    end)

    it("waits no longer than to connect", function()
      local since = loop.now()
      local err = failure(scheme, tunnel.says(""), { timeout = { connect = 0.1 } })
      assert.equal("timeout", err.kind)
      err = failure(scheme, tunnel.says(""), { deadline = 0.1 })
      assert.equal("timeout", err.kind)
      assert.is_true(loop.now() - since < 5)
    end)

    it("tells that there is no proxy", function()
      local client, err = smtp.connect(target(scheme, net.closed_port()))
      assert.is_nil(client)
      assert.same({ "connect", "proxy" }, { err.kind, err.stage })
      client, err = smtp.connect(target(scheme, 1, { proxy = scheme .. "://no.invalid:1" }))
      assert.is_nil(client)
      assert.same({ "dns", "proxy" }, { err.kind, err.stage })
    end)

    it("tells that the proxy goes away", function()
      local err = failure(scheme, function() end)
      assert.equal("connect", err.kind)
      assert.is_true(err.temporary)
    end)

    it("is no match for what is no proxy", function()
      local bytes = { "220 mx ESMTP\r\n", "\0\0\0\0", "HTTP/2 200\r\n\r\n", "HTTP/1.1 99 x\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "\5\9", "\4\0" }
      for _, text in ipairs(bytes) do
        assert.equal("protocol", failure(scheme, tunnel.says(text)).kind, text)
      end
    end)

    it("leaves nothing open when it is ended within", function()
      local one <close> = tunnel.start(tunnel.says(""))
      collectgarbage()
      local lowest = net.lowest()
      local task = loop.spawn(smtp.connect, target(scheme, one.port))
      serve.wait(function() return #one.tasks == 2 end)
      assert.is_true(loop.cancel(task))
      serve.wait(function() return coroutine.status(one.tasks[2].co) == "dead" end)
      assert.equal(lowest, net.lowest())
    end)
  end)
end

describe("SOCKS5", function()
  it("tells why it refuses", function()
    local err = failure("socks5", tunnel.socks5 { code = 5 })
    assert.same({ "connect", "the proxy says: the server refused the connection" },
      { err.kind, err.message })
    err = failure("socks5", tunnel.socks5 { code = 200 })
    assert.equal("the proxy says: error 200", err.message)
  end)

  it("may answer with any kind of address, and no other", function()
    for _, bound in ipairs { "\3\5mx.ex", "\4" .. ("\0"):rep(16), "\3\0" } do
      local server <close> = serve.start()
      local one <close> = tunnel.start(tunnel.socks5 { bound = bound }, server.port)
      local client <close> = assert(smtp.connect(target("socks5", one.port)))
      assert.equal(250, client:noop().code)
    end
    local server <close> = serve.start()
    local one <close> = tunnel.start(tunnel.socks5 { bound = "\2" }, server.port)
    local client, err = smtp.connect(target("socks5", one.port))
    assert.is_nil(client)
    assert.equal("protocol", err.kind)
  end)
end)

describe("HTTP CONNECT", function()
  it("tells why it refuses, escaped", function()
    local err = failure("http", tunnel.http { reply = "HTTP/1.1 503 No\27[2J Way\r\nA: b\r\n\r\n" })
    assert.equal("connect", err.kind)
    assert.truthy(tostring(err):find("the proxy says 503 No\\x1b[2J Way", 1, true), tostring(err))
    assert.equal("auth", failure("http", tunnel.http { reply = "HTTP/1.1 407 Who?\r\n\r\n" }).kind)
  end)

  it("has a header of 16 KiB at most", function()
    local function reply(n)
      local text = "HTTP/1.1 200 OK\r\nX: "
      return text .. ("x"):rep(n - #text - 4) .. "\r\n\r\n"
    end
    for n, kind in pairs { [16384] = "closed", [16385] = "protocol" } do
      local one <close> = tunnel.start(tunnel.http { reply = reply(n) })
      local client, err = smtp.connect(target("http", one.port))
      assert.is_nil(client)
      assert.equal(kind, err.kind) -- the tunnel stands, and the server is gone
    end
    local err = failure("http", tunnel.http { reply = reply(100000) })
    assert.equal("the header of the proxy is too long", err.message)
  end)
end)

describe("the key proxy of a target", function()
  local function connect(proxy, host)
    return smtp.connect { host = host or "mx", proxy = proxy }
  end

  it("is an error for a URL that is none, without its password", function()
    for _, url in ipairs { "", "x", "socks4://p:hunter2@h:1", "socks5://u:hunter2@", "http://h",
      "socks5://h:0", "socks5://h:65536", "socks5://h:1/x", "socks5://u:hunter2@h:p",
      "socks5://:hunter2@h:1", "http://a%3Ab:hunter2@h:1", "https://h:1",
      "socks5://u:" .. ("hunter2"):rep(40) .. "@h:1" } do
      local client, err = connect(url)
      assert.is_nil(client)
      assert.equal("invalid", err.kind)
      assert.is_nil(tostring(err):find("hunter2"))
    end
    for _, host in ipairs { "a b", "a\r\nX: y", "a/b", "a@b", ("a"):rep(256), "a\0b", "1:2" } do
      local client, err = connect("http://h:1", host)
      assert.is_nil(client)
      assert.equal("invalid", err.kind, host)
    end
  end)

  it("raises for a table that is none, and says why", function()
    local big = { { type = 5, value = ("x"):rep(518) } }
    local here, long = "192.0.2.1:25", { { type = 5, value = "x" } }
    for why, proxies in pairs {
      ["proxy cannot be told"] = { { version = 3 }, { source = "192.0.2.1:1",
        destination = "[::1]:25" }, { version = 1, crc32c = true }, { version = 1, tlvs = long },
        { ["local"] = true, tlvs = long }, { tlvs = { { type = 256, value = "x" } } },
        { tlvs = big } },
      ["proxy.source and proxy.destination go together"] = { { source = here },
        { destination = here } },
      ["proxy.source must be an address and a port"] = {
        { source = "192.0.2.1", destination = here }, { source = "mx:25", destination = here },
        { source = "192.0.2.1:65536", destination = here } },
      ["proxy.destination must be an address and a port"] = { { source = here,
        destination = "192.0.2.1" } },
      ["proxy.tlvs are tables of a type and a value"] = { { tlvs = { { type = 5 } } },
        { tlvs = { { value = "x" } } } },
      ["proxy.tlvs"] = { { tlvs = { 5 } } },
      ["proxy: unknown option \"foo\""] = { { foo = 1 } },
      ["version must be"] = { { version = "2" } },
    } do
      for _, proxy in ipairs(proxies) do
        local ok, err = pcall(connect, proxy)
        assert.is_false(ok)
        assert.truthy(tostring(err):find("connect: ", 1, true), err)
        assert.truthy(tostring(err):find(why, 1, true), err)
      end
    end
    assert.error_matches(function() connect(5) end, "proxy must be a string or a table, not 5")
    assert.error_matches(function()
      smtp.connect { path = "/run/x", proxy = "socks5://h:1" }
    end, "a Unix socket is not behind a proxy")
  end)
end)

-- Only a proxy is at port 465 here.
describe("port 465 without a word about TLS", function()
  local ca = assert(authority.new())
  local identity = assert(ca:issue { names = { HOST } })
  local implicit = { cert = identity.cert, key = identity.key, implicit = true }

  it("is TLS from the first byte", function()
    for _, how in ipairs { { port = 465 }, { port = "465" }, { url = "smtp://" .. HOST .. ":465" },
      { url = HOST .. ":465" } } do
      local server <close> = serve.start { tls = implicit }
      local one <close> = tunnel.start(tunnel.socks5(), server.port)
      local given = { host = not how.url and HOST or nil, ca = ca.certificate, timeout = 10,
        proxy = "socks5://127.0.0.1:" .. one.port }
      for key, value in pairs(how) do given[key] = value end
      local receipt = assert(smtp.send(given, { envelope = { from = "a@b.example",
        to = "c@d.example" }, raw = "x\r\n" }))
      assert.equal("TLSv1.3", receipt.used.tls)
      assert.equal(465, one.asked[1].port)
      local pool <close> = assert(smtp.pool(given))
      assert.equal("TLSv1.3", assert(pool:send { from = "a@b.example", to = "c@d.example",
        text = "x" }).used.tls)
    end
  end)

  it("is STARTTLS where that is asked for, and clear text in a dialogue", function()
    local server <close> = serve.start { tls = { cert = identity.cert, key = identity.key } }
    local one <close> = tunnel.start(tunnel.socks5(), server.port)
    for _, word in ipairs { "required", "starttls" } do
      local client <close> = assert(smtp.connect { host = HOST, port = 465, tls = word,
        ca = ca.certificate, proxy = "socks5://127.0.0.1:" .. one.port, timeout = 10 })
      assert.equal("TLSv1.3", client.tls.version)
      assert.equal(220, client.greeting.code)
    end
    local d <close> = assert(smtp.dialogue({ host = HOST, port = 465,
      proxy = "socks5://127.0.0.1:" .. one.port }, { timeout = 10 }))
    assert(d:expect(220))
  end)
end)
