-- The server and TLS: STARTTLS and implicit, what a hostile client or somebody in
-- between may try, certificates by name and of clients.
local smtp = require "smtp"
local authority = require "smtp.authority"
local core = require "smtp.core"
local loop = require "smtp.loop"
local net = require "spec.support.net"
local serve = require "spec.support.serve"
local server_auth = require "smtp.server.auth"
local server_tls = require "smtp.server.tls"

local ca = assert(authority.new())
local good = assert(ca:issue { names = { "mx.example" } })
local TRUST = { ca = ca.certificate, verify = true, name = "mx.example" }

local function tls_options(more)
  local all = { cert = good.cert, key = good.key }
  for key, value in pairs(more or {}) do all[key] = value end
  return all
end

local function start(options, tls)
  local all = { tls = tls_options(tls) }
  for key, value in pairs(options or {}) do all[key] = value end
  return serve.start(all)
end

local function count(server)
  return server:stats().messages
end

describe("server with STARTTLS", function()
  it("secures a session, and tells the handlers", function()
    local seen
    local server <close> = start { on_message = function(session, message)
      message:read()
      seen = session.tls
      return (message:received():match("with (%S+)"))
    end }
    local client <close> = serve.connect(server)
    local ehlo = client:starttls(TRUST)
    assert.falsy(ehlo:find("STARTTLS")) -- C071
    for _, line in ipairs { "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA" } do client:cmd(line) end
    assert.equal("250 2.0.0 ESMTPS", client:content("hi\r\n"))
    assert.same({ "TLSv1.3", "mx.example", "smtp", false },
      { seen.version, seen.sni, seen.alpn, seen.verified })
    assert.equal("221 2.0.0 Goodbye", client:cmd("QUIT"))
    assert.equal("", client:rest()) -- close_notify, not a stream that was cut off
  end)

  it("C070 closes if anything follows it: a line, half a line", function()
    for _, bytes in ipairs { "MAIL FROM:<eve@x.example>\r\n", "M", "\r\n", "\x16\x03\x01\x02" } do
      local server <close> = start()
      local client <close> = serve.connect(server)
      client:reply()
      client:cmd("EHLO client.code.energy")
      client:send("STARTTLS\r\n" .. bytes)
      assert.equal("554 5.5.0 Please wait for replies\r\n", client:rest())
      client:close()
      serve.idle(server)
    end
  end)

  it("reads bytes within 5 ms as TLS, never as a command", function()
    local events = {}
    local server <close> = start { on_event = serve.record(events) }
    for _, bytes in ipairs { "MAIL FROM:<eve@x.example>\r\n", "EHLO x\r\n", "X" } do
      local client <close> = serve.connect(server)
      client:reply()
      client:cmd("EHLO client.code.energy")
      client:send("STARTTLS\r\n")
      loop.sleep(0.004)
      client:send(bytes)
      assert.equal("220 2.0.0 Ready to start TLS", client:reply())
      assert.falsy(client:rest():find("^[0-9]"))
      serve.idle(server)
    end
    assert.equal(6, #serve.of_type(events, "command"))
    for _, event in ipairs(serve.of_type(events, "command")) do
      assert.truthy(event.text:find("^EHLO client") or event.text:find("^STARTTLS"), event.text)
    end
    assert.equal(3, #serve.of_type(events, "error"))
    assert.equal("tls", serve.of_type(events, "close")[1].reason)
  end)

  it("drops a message whose TLS ends in its middle, though clear text goes on", function()
    for _, ending in ipairs { "notify", "cut" } do
      local outcome = {}
      local server <close> = start { on_message = function(_, message)
        local ok, err = pcall(message.read, message)
        outcome[1], outcome[2] = ok, err
        error(err, 0)
      end }
      local client <close> = serve.connect(server)
      client:starttls(TRUST)
      for _, line in ipairs { "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA" } do client:cmd(line) end
      client:send("Subject: half\r\n\r\nof it")
      local stream = client.socket
      if ending == "notify" then
        stream.engine:shutdown()
        assert(stream:flush())
      end
      client.socket = stream.socket -- clear text from here on
      client:send("\r\n.\r\nMAIL FROM:<eve@x.example>\r\n")
      serve.idle(server)
      assert.is_false(outcome[1])
      assert.equal("closed", outcome[2].kind)
      assert.equal(0, count(server))
      client:rest()
      stream.engine:close()
    end
  end)

  it("takes commands cut into records of a byte", function()
    local server <close> = start()
    local client <close> = serve.connect(server)
    client:starttls(TRUST)
    for byte in ("RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"):gmatch(".") do
      client:send(byte)
    end
    assert.equal("250 2.0.0 Reset", client:reply())
    assert.equal("250 2.1.0 Sender OK", client:reply())
    assert.equal("250 2.1.5 Recipient OK", client:reply())
  end)

  it("C104 has no TLS 1.1, and closes on one that wants it", function()
    local server <close> = start()
    local client <close> = serve.connect(server)
    client:reply()
    client:cmd("EHLO client.code.energy")
    client:cmd("STARTTLS")
    local body = "\3\2" .. ("r"):rep(32) .. "\0\0\2\xc0\x13\1\0"
    client:send("\x16\3\1" .. string.pack(">s2", "\1" .. string.pack(">s3", body)))
    assert.equal("\x15\3", client:rest():sub(1, 2)) -- an alert
    serve.idle(server)
  end)

  it("has a time for the handshake", function()
    for _, implicit in ipairs { false, true } do
      local server <close> = start({ limits = { handshake_timeout = 0.05 } },
        { implicit = implicit })
      local client <close> = serve.connect(server)
      if not implicit then
        client:reply()
        client:cmd("EHLO x")
        client:cmd("STARTTLS")
      end
      client:send("\x16\3\1\2\0\1\0") -- the beginning of a hello
      assert.equal("", client:rest())
      serve.idle(server)
    end
  end)

  it("asks for TLS where it must be (C073), also of AUTH", function()
    local server <close> = start({ on_auth = function() return true end }, { required = true })
    local client <close> = serve.connect(server)
    client:reply()
    local ehlo = client:cmd("EHLO x")
    assert.falsy(ehlo:find("AUTH"))
    assert.equal("530 5.7.0 Must issue a STARTTLS command first", client:cmd("MAIL FROM:<a@b>"))
    assert.equal("530 5.7.0 Must issue a STARTTLS command first", client:cmd("AUTH PLAIN x"))
    assert.equal("250 2.0.0 OK", client:cmd("NOOP"))
    client:cmd("STARTTLS")
    assert(client:tls(TRUST))
    assert.truthy(client:cmd("EHLO x"):find("AUTH PLAIN LOGIN", 1, true))
    assert.equal("250 2.1.0 Sender OK", client:cmd("MAIL FROM:<a@b>"))
  end)

  it("forgets who it was (C069, C079, C141, C142, C143)", function()
    local with = {}
    local server <close> = start {
      auth = { cleartext = true }, on_auth = function(_, c) return c:check("secret") end,
      on_message = function(session, message)
        message:read()
        with[#with + 1] = ("%s %s %s"):format(message:received():match("with (%S+)"),
          session.user, session.mechanism)
        return true
      end,
    }
    local function mail(client)
      for _, line in ipairs { "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA" } do
        local reply = client:cmd(line)
        assert.matches("^[23]", reply)
      end
      client:content("hi\r\n")
    end
    local ada, wrong = core.base64("\0ada\0secret"), core.base64("\0ada\0x")
    local client <close> = serve.connect(server)
    client:reply()
    client:cmd("HELO x")
    mail(client)
    client:cmd("EHLO x")
    mail(client)
    assert.matches("^535", client:cmd("AUTH PLAIN " .. wrong))
    mail(client)
    assert.matches("^235", client:cmd("AUTH PLAIN " .. ada))
    mail(client)
    client:cmd("HELO x")
    mail(client)
    client:cmd("STARTTLS")
    assert(client:tls(TRUST))
    client:cmd("HELO x")
    mail(client)
    client:cmd("EHLO x")
    mail(client)
    assert.matches("^235", client:cmd("AUTH PLAIN " .. ada))
    mail(client)
    assert.same({ "SMTP nil nil", "ESMTP nil nil", "ESMTP nil nil", "ESMTPA ada PLAIN",
      "SMTP ada PLAIN", "SMTP nil nil", "ESMTPS nil nil", "ESMTPSA ada PLAIN" }, with)
  end)
end)

describe("server with implicit TLS", function()
  it("C101 C103 greets under TLS and offers no STARTTLS", function()
    local server <close> = start({}, { implicit = true })
    local client <close> = serve.connect(server)
    assert(client:tls(TRUST))
    assert.equal("220 mx.example Service ready", client:reply())
    assert.falsy(client:cmd("EHLO x"):find("STARTTLS"))
    assert.equal("221 2.0.0 Goodbye", client:cmd("QUIT"))
  end)

  it("drops a client in clear text", function()
    local events = {}
    local server <close> = start({ on_event = serve.record(events) }, { implicit = true })
    local client <close> = serve.connect(server)
    client:send("EHLO x\r\nMAIL FROM:<a@b>\r\n")
    assert.equal("", client:rest())
    serve.idle(server)
    assert.matches("does not speak TLS", serve.of_type(events, "error")[1].error)
    assert.equal(0, #serve.of_type(events, "command"))
  end)

  it("has listeners of both kinds, with one certificate", function()
    local server <close> = serve.start {
      listen = { "127.0.0.1:0", { host = "127.0.0.1", port = 0, tls = { implicit = true } } },
      tls = tls_options(),
    }
    assert.equal(server.port, server.listening[1].port)
    local port = server.listening[2].port
    local first <close> = serve.connect(server)
    assert.truthy(first:starttls(TRUST))
    local second <close> = serve.connect { host = "127.0.0.1", port = port }
    assert(second:tls(TRUST))
    assert.matches("^220", second:reply())
  end)

  it("does no handshake with a refused client", function()
    local server <close> = start({ limits = { connections = 0 } }, { implicit = true })
    local client <close> = serve.connect(server)
    assert.equal("", client:rest())
    serve.idle(server)
  end)
end)

describe("the name of a certificate", function()
  it("is a common name, never the text of another attribute", function()
    local function name(subject)
      return server_auth.name_of { verified = true, emails = {}, names = {}, subject = subject }
    end
    assert.equal("user", name("OU=CN=admin,CN=user"))
    assert.equal("user", name("OU=x\\,CN=admin,CN=user,O=CN=eve"))
    assert.equal("user", name("OU=x\\+CN=admin+CN=user"))
    assert.equal("a,b\\c", name("CN=a\\,b\\\\c,O=x"))
    assert.equal("\u{e9}", name("CN=\\C3\\A9"))
    assert.is_nil(name("OU=CN=admin"))
  end)
end)

describe("patience of a server", function()
  it("ends a function for names that waits longer than a handshake may", function()
    local events = {}
    local server <close> = start({ limits = { handshake_timeout = 0.1 },
      on_event = serve.record(events) }, { implicit = true, sni = function() smtp.sleep(5) end })
    local client <close> = serve.connect(server)
    local since = core.now()
    assert.matches("unrecognized name", tostring(select(2, client:tls(TRUST))))
    assert.is_true(core.now() - since < 2)
    serve.idle(server)
  end)

  it("is for all: a line without end has its turns", function()
    local client, socket, _ <close> = net.pair()
    local session <close> = core.server_config({}):session(socket)
    assert.equal("connect", session:turn(core.now()))
    session:decide("accept")
    assert.equal("r", (select(2, session:turn(core.now()))))
    local sent, bytes = 0, ("A"):rep(65536)
    while sent < 524288 do -- of which a step reads less
      local n = assert(client:send(bytes))
      if n == 0 then break end
      sent = sent + n
    end
    assert.is_true(sent > 200000)
    local now = core.now()
    assert.same({ nil, false, now }, { session:turn(now) })
  end)
end)

describe("certificates of a server", function()
  local other = assert(ca:issue { names = { "other.example" } })
  local wild = assert(ca:issue { names = { "*.wild.example" } })

  local function names(server, name)
    local client <close> = serve.connect(server)
    local ok, why = client:tls { ca = ca.certificate, verify = true, name = name }
    if not ok then return nil, why end
    return client.socket:info().certificate.names[1]
  end

  it("are kept once they are made, a thousand of them at most", function()
    local made, choose = 0, core.tls_context
    local tls = assert(server_tls.new { cert = other.cert, key = other.key, sni = function(name)
      return { cert = other.cert, key = other.key .. ("\n"):rep(tonumber(name)) }
    end })
    core.tls_context = function() -- one for all: a thousand take their time
      made = made + 1
      return {}
    end
    local restore <close> = setmetatable({}, { __close = function() core.tls_context = choose end })
    for _ = 1, 2 do
      for name = 1, 1000 do assert.is_table(tls:choose(tostring(name))) end
    end
    assert.equal(1000, made)
    assert.is_table(tls:choose("1001")) -- and all others are forgotten
    assert.is_table(tls:choose("1"))
    assert.is_table(tls:choose("1"))
    assert.same({ 1002, true }, { made, restore ~= nil })
  end)

  it("are chosen by name, from a table", function()
    local server <close> = start({}, { implicit = true,
      sni = { ["other.example"] = other, ["*.wild.example"] = wild, ["no.wild.example"] = false } })
    assert.equal("mx.example", names(server, "mx.example"))
    assert.equal("other.example", names(server, "other.example"))
    assert.equal("other.example", names(server, "OTHER.example"))
    assert.equal("*.wild.example", names(server, "a.wild.example"))
    local _, why = names(server, "a.b.wild.example")
    assert.matches("hostname mismatch", why)
    _, why = names(server, "no.wild.example")
    assert.matches("unrecognized name", why)
  end)

  it("are chosen by a function, which may wait, fail or refuse", function()
    local events = {}
    local server <close> = start({ on_event = serve.record(events) }, { implicit = true,
      sni = function(name)
        smtp.sleep(0.001)
        if name == "other.example" then return other end
        if name == "no.example" then return false end
        if name == "bad.example" then error("oops") end
        if name == "file.example" then return { cert = "/nowhere/cert.pem" } end
      end })
    assert.equal("other.example", names(server, "other.example"))
    assert.equal("mx.example", names(server, "mx.example"))
    local _, why = names(server, "no.example")
    assert.matches("unrecognized name", why)
    _, why = names(server, "bad.example")
    assert.matches("hostname mismatch", why)
    _, why = names(server, "file.example")
    assert.matches("hostname mismatch", why)
    serve.idle(server)
    local errors = serve.of_type(events, "error")
    local text = {}
    for i, event in ipairs(errors) do text[i] = tostring(event.error) end
    text = table.concat(text, "\n")
    assert.matches("oops", text)
    assert.matches("/nowhere/cert.pem", text)
  end)

  it("are read again by reload_tls, and a wrong one changes nothing", function()
    local folder = net.folder()
    net.dump(folder .. "/cert.pem", good.cert)
    net.dump(folder .. "/key.pem", good.key)
    local server <close> = serve.start { tls = { cert = folder .. "/cert.pem",
      key = folder .. "/key.pem", implicit = true } }
    assert.equal("mx.example", names(server, "mx.example"))
    net.dump(folder .. "/cert.pem", other.cert)
    local ok, err = server:reload_tls()
    assert.is_nil(ok)
    assert.equal("tls", err.kind)
    assert.matches("key.pem: .*mismatch", tostring(err))
    assert.equal("mx.example", names(server, "mx.example"))
    net.dump(folder .. "/key.pem", other.key)
    assert.is_true(server:reload_tls())
    assert.equal("other.example", names(server, "other.example"))
    net.remove(folder)
  end)

  it("of a table of names are read again too, all of them or none", function()
    local folder = net.folder()
    local path = folder .. "/both.pem"
    net.dump(path, other.cert .. other.key)
    local server <close> = serve.start { tls = tls_options { implicit = true,
      sni = { ["other.example"] = { cert = path } } } }
    net.dump(path, "junk")
    local ok, err = server:reload_tls()
    assert.is_nil(ok)
    assert.matches("sni other.example: .*both.pem", tostring(err))
    assert.equal("other.example", names(server, "other.example"))
    net.dump(path, wild.cert .. wild.key)
    assert.is_true(server:reload_tls())
    assert.is_nil(names(server, "other.example"))
    net.remove(folder)
  end)

  it("that cannot be used are an error of smtp.server", function()
    local server, err = smtp.server { listen = "127.0.0.1:0", on_message = function() end,
      tls = { cert = "/nowhere/cert.pem" } }
    assert.is_nil(server)
    assert.same({ "tls", "listen" }, { err.kind, err.stage })
    assert.matches("/nowhere/cert.pem", tostring(err))
    for options, pattern in pairs {
      [{ tls = {} }] = "needs a cert", [{ tls = { crt = "x" } }] = "crt",
      [{ tls = tls_options { client = "required" } }] = "needs ca",
      [{ tls = tls_options { min_version = "1.1" } }] = "min_version",
      [{ tls = tls_options { sni = { "mx.example" } } }] = "sni needs names",
      [{ tls = tls_options { sni = { x = {} } } }] = "sni x needs a cert",
      [{ tls = tls_options { sni = { x = { crt = "x" } } } }] = "crt",
      [{ auth = {} }] = "needs on_auth", [{ on_auth = print }] = "needs tls",
      [{ auth = { mechanisms = { "PLAIN" }, lookup = print, cleartext = true } }] = "needs on_auth",
      [{ auth = { mechanisms = { "CRAM-MD5" }, cleartext = true }, on_auth = print }] = "lookup",
      [{ auth = { mechanisms = { "NOVEL" }, cleartext = true }, on_auth = print }] = "NOVEL",
      [{ auth = { mechanisms = {}, cleartext = true }, on_auth = print }] = "empty",
      [{ auth = { looup = print } }] = "looup",
    } do
      options.listen, options.on_message = "127.0.0.1:0", print
      assert.error_matches(function() smtp.server(options) end, pattern)
    end
  end)

  it("of clients are known to the handlers, verified or not", function()
    local seen
    local server <close> = start({ on_helo = function(session)
      seen = session.tls and session.tls.certificate
    end }, { client = "optional", ca = ca.certificate })
    local mine = assert(ca:issue { names = { "ada.example" } })
    local stranger = authority.self_signed { names = { "eve.example" } }
    for i, made in ipairs { mine, stranger, false } do
      local client <close> = serve.connect(server)
      client:starttls { ca = ca.certificate, verify = true, name = "mx.example",
        cert = made and made.cert or nil, key = made and made.key or nil }
      if i == 3 then
        assert.is_nil(seen)
      else
        assert.equal(i == 1, seen.verified)
        assert.equal(i == 1 and "ada.example" or "eve.example", seen.names[1])
      end
      seen = nil
    end
    local strict <close> = start({}, { client = "required", ca = ca.certificate, implicit = true })
    for _, made in ipairs { stranger, {} } do
      local client <close> = serve.connect(strict)
      client:tls { cert = made.cert, key = made.key }
      assert.falsy(client:rest():find("^220"))
    end
    local client <close> = serve.connect(strict)
    assert(client:tls { cert = mine.cert, key = mine.key })
    assert.matches("^220", client:reply())
  end)
end)
