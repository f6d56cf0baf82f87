-- The client and TLS: policy, verification, and what a hostile server or somebody
-- in between may try. Whatever goes wrong, no credential and no mail is written.
local smtp = require "smtp"
local authority = require "smtp.authority"
local core = require "smtp.core"
local loop = require "smtp.loop"
local net = require "spec.support.net"
local scripted = require "spec.support.scripted"

local ca = assert(authority.new())
local good = assert(ca:issue { names = { "localhost" }, addresses = { "127.0.0.1" } })

local MESSAGE = { envelope = { from = "ada@code.energy", to = "bob@example.com" }, raw = "hi\r\n" }

-- A target that must be encrypted, with a secret that must not be seen.
local function target(server, options)
  local all = { host = "127.0.0.1", port = server.port, tls = "required", ca = ca.certificate,
    auth = { user = "ada", password = "TheSecret", cleartext = false },
    timeout = { connect = 5, greeting = 5, command = 5, quit = 0.1 } }
  for key, value in pairs(options or {}) do all[key] = value end
  return all
end

local SECRETS = { "TheSecret", core.base64("\0ada\0TheSecret"), core.base64("TheSecret"), "AUTH",
  "MAIL" }

-- Connects to a script: no client, an error of this kind and stage, and of all
-- the bytes that the server saw none that matters.
local function fails(script, kind, stage, pattern, options)
  local server <close> = scripted.server(script)
  local client, err = smtp.connect(target(server, options))
  assert.is_nil(client)
  assert.same({ kind, stage }, { err.kind, err.stage }, tostring(err))
  assert.equal("not_sent", err.outcome)
  if pattern then assert.matches(pattern, tostring(err)) end
  local seen = table.concat(server.segments)
  for _, secret in ipairs(SECRETS) do
    assert.is_nil(seen:find(secret, 1, true), secret)
    assert.is_nil(tostring(err.transcript):find("TheSecret", 1, true))
  end
  return err, server
end

local PLAIN = scripted.hello("STARTTLS", "AUTH PLAIN")

describe("client with STARTTLS", function()
  it("forgets what was offered before, and asks anew (C069)", function()
    local server <close> = scripted.server(scripted.script(
      scripted.hello("STARTTLS", "PIPELINING", "SIZE 1", "XBEFORE"), "C STARTTLS", "S 220 go",
      scripted.tls(good), "C EHLO", "S 250-mx", "S 250-SIZE 99", "S 250 8BITMIME", "* MAIL",
      "* RCPT", "C DATA", "S 354 go", "BODY", "S 250 queued", "C QUIT", "S 221 bye"))
    local client <close> = assert(smtp.connect { host = "localhost", port = server.port,
      tls = "required", ca = ca.certificate })
    assert.same({ SIZE = 99, ["8BITMIME"] = true }, client.capabilities)
    assert.is_true(client.tls.verified)
    assert.equal("TLSv1.3", client.tls.version)
    assert.equal("localhost", server.tls.sni)
    local receipt = assert(client:send(MESSAGE))
    assert.same({ pipelining = false, chunking = false, tls = "TLSv1.3" }, receipt.used)
    assert(client:quit())
    assert.is_nil(server:done())
  end)

  it("takes bytes behind the 220 for an attack: a line, half a line, a whole reply", function()
    for _, bytes in ipairs { "250 fine\r\n", "2", "250-mx\r\n250 AUTH PLAIN\r\n", "\r\n",
      "\x16\x03\x01" } do
      fails(scripted.script(PLAIN, "C STARTTLS", { raw = "220 go\r\n" .. bytes }, "EOF"),
        "protocol", "starttls", "bytes behind the reply to STARTTLS")
    end
  end)

  it("takes bytes that come a little later for TLS, and fails", function()
    for _, bytes in ipairs { "250 fine\r\n", "250 AUTH PLAIN\r\n", "x" } do
      fails(scripted.script(PLAIN, "C STARTTLS", "S 220 go", function() loop.sleep(0.004) end,
        { raw = bytes }, "EOF"), "tls", "starttls", "does not speak TLS")
    end
  end)

  it("does not go on where STARTTLS is not offered, or was taken out", function()
    local err, server = fails(scripted.script(scripted.hello("AUTH PLAIN", "PIPELINING"), "C QUIT",
      "S 221 bye"), "tls", "starttls", "does not offer STARTTLS")
    assert.matches('tls = "none"', err.hint)
    assert.is_nil(server:done())
    fails(scripted.script(PLAIN, "C QUIT", "S 221 bye"), "tls", "starttls", nil,
      { disable = { STARTTLS = true } })
  end)

  it("C072 does not go on after a 454 or any other refusal", function()
    for _, reply in ipairs { "454 4.7.0 TLS not available", "501 5.5.4 no", "502 no", "421 bye" } do
      local err = fails(scripted.script(PLAIN, "C STARTTLS", "S " .. reply, "EOF"), "tls",
        "starttls", nil)
      assert.equal(math.tointeger(tonumber(reply:sub(1, 3))), err.code)
      assert.equal(reply:sub(1, 1) == "4", err.temporary)
    end
    fails(scripted.script(PLAIN, "C STARTTLS", "S 354 go", "EOF"), "tls", "starttls", nil)
  end)

  it("C002 does not fall back to HELO", function()
    local _, server = fails(scripted.script("S 220 mx", "C EHLO", "S 502 what?", "EOF"), "tls",
      "ehlo", "no EHLO")
    assert.falsy(server:said():find("HELO"))
  end)

  it("C002 does not fall back to HELO under TLS and lose AUTH for it", function()
    local server <close> = scripted.server(scripted.script(PLAIN, "C STARTTLS", "S 220 go",
      scripted.tls(good), "C EHLO", "S 502 what?", "C HELO", "S 250 mx", "C QUIT", "S 221 bye"))
    local client, err = smtp.connect(target(server))
    assert.is_nil(client)
    assert.equal("auth", err.kind)
    assert.is_nil(server:done())
    assert.falsy(server:said():find("AUTH"))
  end)

  it("ends where the server goes away in the handshake, or is silent", function()
    for how, cause in pairs { CLOSE = "the connection ended without close_notify",
      ABORT = "ECONNRESET" } do
      local err = fails(scripted.script(PLAIN, "C STARTTLS", "S 220 go",
        function(connection) connection:fill() end, how), "closed",
        "starttls", how == "CLOSE" and "ended" or "reset")
      assert.same({ cause, true }, { err.cause, err.temporary })
    end
    fails(scripted.script(PLAIN, "C STARTTLS", "S 220 go", "STOP"), "timeout", "starttls", nil,
      { timeout = { connect = 0.1 } })
    fails(scripted.script(PLAIN, "C STARTTLS", "S 220 go", "STOP"), "timeout", "starttls",
      "deadline", { deadline = 0.2 })
  end)

  it("is content without it on this machine, unless it is offered", function()
    local server <close> = scripted.server(scripted.script(scripted.hello(), "C QUIT", "S 221 bye"))
    local client = assert(smtp.connect { url = server.url })
    assert.is_nil(client.tls)
    client:quit()
    -- Nobody is trusted then, and a 454 is no error.
    local other <close> = scripted.server(scripted.script(PLAIN, "C STARTTLS", "S 220 go",
      scripted.tls(authority.self_signed()), "C EHLO", "S 250 mx", "C QUIT", "S 221 bye"))
    client = assert(smtp.connect { url = other.url })
    assert.is_false(client.tls.verified)
    assert.equal("self-signed certificate", client.tls.distrust)
    client:quit()
    local third <close> = scripted.server(scripted.script(PLAIN, "C STARTTLS", "S 454 no", "C QUIT",
      "S 221 bye"))
    client = assert(smtp.connect { url = third.url })
    assert.is_nil(client.tls)
    client:quit()
    assert.is_nil(third:done())
    -- a 421 is the end of the session, not of TLS
    local fourth <close> = scripted.server(scripted.script(PLAIN, "C STARTTLS", "S 421 4.3.2 busy",
      "EOF"))
    local none, err = smtp.connect { url = fourth.url }
    assert.is_nil(none)
    assert.same({ "rejected", "starttls", 421, true }, { err.kind, err.stage, err.code,
      err.temporary })
    assert.is_nil(fourth:done())
  end)

  it("never reads clear text again, close_notify or not", function()
    for _, ending in ipairs { "notify", "cut" } do
      local server <close> = scripted.server(scripted.script(scripted.hello("STARTTLS"),
        "C STARTTLS", "S 220 go",
        scripted.tls(good), "C EHLO", "S 250 mx", "* MAIL", "* RCPT", "C DATA", "S 354 go", "BODY",
        function(connection)
          local stream = connection.socket
          if ending == "notify" then
            stream.engine:shutdown()
            stream:flush()
          end
          connection.socket = stream.socket
          connection:say("250 queued as a lie\r\n")
          stream.engine:close()
        end, "EOF"))
      local receipt, err = smtp.send({ host = "localhost", port = server.port, tls = "required",
        ca = ca.certificate, timeout = 5 }, MESSAGE)
      assert.is_nil(receipt)
      assert.equal("unknown", err.outcome)
      assert.same({ ending == "notify" and "closed" or "tls", true }, { err.kind, err.temporary })
    end
  end)
end)

describe("client with implicit TLS", function()
  it("C103 speaks TLS from the first byte", function()
    local server <close> = scripted.server(scripted.script(scripted.tls(good),
      scripted.hello("STARTTLS"), "C QUIT", "S 221 bye"))
    local client = assert(smtp.connect { url = "smtps://localhost:" .. server.port,
      ca = ca.certificate })
    assert.is_true(client.tls.verified)
    client:quit()
    assert.is_nil(server:done())
  end)

  it("says so where the server speaks first, and the reverse", function()
    local err = fails(scripted.script("S 220 mx", "EOF"), "tls", "connect", "clear text",
      { tls = "implicit" })
    assert.matches("use smtp:// and STARTTLS", err.hint)
    local server <close> = scripted.server(scripted.script(scripted.tls(good)))
    local client
    client, err = smtp.connect { host = "127.0.0.1", port = server.port, tls = "none",
      timeout = { greeting = 0.1 } }
    assert.is_nil(client)
    assert.same({ "timeout", "greeting" }, { err.kind, err.stage })
    assert.matches("expects TLS from the first byte", err.hint)
  end)
end)

describe("client's verification", function()
  local function script(identity, options)
    return scripted.script(scripted.tls(identity, options), scripted.hello("AUTH PLAIN"), "EOF")
  end

  local function refused(identity, pattern, options)
    options = options or {}
    options.tls = "implicit"
    local err = fails(script(identity), "tls", "connect", pattern, options)
    assert.matches("verify = false", err.hint)
    assert.is_false(err.temporary)
  end

  it("refuses what is not for the host or not to be trusted, before a byte is said", function()
    refused(ca:issue { names = { "mx.example" } }, "IP address mismatch, for 127.0.0.1")
    refused(ca:issue { names = { "mx.example" } }, "hostname mismatch, for localhost",
      { host = "localhost" })
    refused(ca:issue { common_name = "localhost", names = { "x.example" } }, "hostname mismatch",
      { host = "localhost" })
    refused(ca:issue { names = { "l*host" } }, "hostname mismatch", { host = "localhost" })
    refused(ca:issue { names = { "localhost\0.evil.example" } }, "certificate",
      { host = "localhost" })
    for identity, advice in pairs { [ca:issue()] = "sni = ", [authority.self_signed()] = "ca = ",
      [ca:issue { names = { "mx.example" }, not_after = -1 }] = "clock" } do
      local err = fails(script(identity), "tls", "connect", "for mx.example",
        { tls = "implicit", sni = "mx.example" })
      assert.matches(advice, err.hint)
    end
    refused(ca:issue { addresses = { "127.0.0.1" }, not_after = -1 }, "expired")
    refused(ca:issue { addresses = { "127.0.0.1" }, not_before = 9999 }, "not yet valid")
    refused(authority.self_signed(), "self%-signed")
    refused(authority.new():issue(), "unable to get local issuer")
    refused(good, "unable to get local issuer", { ca = authority.new().certificate })
  end)

  it("tells for whom a certificate is", function()
    for _, case in ipairs {
      { { names = { "mx.example", "*.mx.example" }, addresses = { "192.0.2.1" } },
        'is for mx.example, *.mx.example, 192.0.2.1; sni = "mx.example" asks' },
      { { names = { "*.mx.example" } }, "is for *.mx.example; verify" },
      { { addresses = { "192.0.2.1", "2001:db8::1" } }, "is for 192.0.2.1, 2001:db8::1; verify" },
      { { names = { "a.x", "b.x", "c.x", "d.x", "e.x", "f.x" } }, "a.x, b.x, c.x, d.x and 2 more" },
      { { emails = { "ada@b.example" } }, "is for no name; verify" },
      { { names = { "mx\27[2J\xc2\x9b.example" } }, "is for mx\\x1b[2J\\xc2\\x9b.example; sni" },
    } do
      for _, host in ipairs { "localhost", "127.0.0.1" } do
        local err = fails(script(ca:issue(case[1])), "tls", "connect", "mismatch", {
          tls = "implicit", host = host })
        assert.truthy(err.hint:find(case[2], 1, true), tostring(err))
        assert.truthy(tostring(err):find(err.hint, 1, true))
      end
    end
    -- Of STARTTLS, and in a dialogue.
    local identity = ca:issue { names = { "mx.example" } }
    local context = assert(core.tls_context { server = true, cert = identity.cert,
      key = identity.key })
    local starttls = scripted.script(scripted.hello("STARTTLS"), "C STARTTLS", "S 220 go",
      function(connection) connection:tls(context) end, "EOF")
    local server <close> = scripted.server({ starttls, starttls })
    local client, err = smtp.connect { host = "localhost", port = server.port, tls = "required",
      ca = ca.certificate }
    assert.is_nil(client)
    assert.truthy(err.hint:find("is for mx.example;", 1, true), tostring(err))
    local d <close> = assert(smtp.dialogue("localhost:" .. server.port, { timeout = 5 }))
    assert(d:expect(220))
    assert(d:cmd("EHLO x", 250))
    local info
    info, err = d:starttls { ca = ca.certificate }
    assert.is_nil(info)
    assert.truthy(err.hint:find("is for mx.example;", 1, true), tostring(err))
  end)

  it("tells what a handshake may mean that ends without a word", function()
    local function ended(tls, said, text)
      local server <close> = scripted.server(said)
      local client, err = smtp.connect { host = "127.0.0.1", port = server.port, tls = tls,
        timeout = 5 }
      assert.is_nil(client)
      assert.truthy(err.hint and err.hint:find(text, 1, true), tostring(err))
      assert.truthy(tostring(err):find(err.hint, 1, true))
    end
    local function hear(connection) connection:fill() end
    for _, last in ipairs { "CLOSE", "ABORT" } do
      ended("implicit", { hear, last }, "smtp:// and STARTTLS")
      ended("required", scripted.script(scripted.hello("STARTTLS"), "C STARTTLS", "S 220 go", hear,
        last), "smtps://")
    end
    ended("none", { "CLOSE" }, "465") -- the reverse
  end)

  it("takes the name of the host, or of sni", function()
    local server <close> = scripted.server(script(ca:issue { names = { "mx.example" } }))
    local client = assert(smtp.connect { host = "127.0.0.1", port = server.port, tls = "implicit",
      ca = ca.certificate, sni = "mx.example" })
    assert.is_true(client.tls.verified)
    assert.equal("mx.example", server.tls.sni)
    client:close()
  end)

  it("wants a name for a unix socket", function()
    local folder = net.folder()
    local one = script(ca:issue { names = { "mx.example" } })
    local server <close> = scripted.server({ one, one }, { path = folder .. "/s" })
    local client, err = smtp.connect { path = folder .. "/s", tls = "implicit",
      ca = ca.certificate }
    assert.is_nil(client)
    assert.matches("sni", err.hint)
    client = assert(smtp.connect { path = folder .. "/s", tls = "implicit", verify = false })
    client:close()
    assert.truthy(server)
    net.remove(folder)
  end)

  it("knows IDN by A-labels, and refuses what it cannot write", function()
    local client, err = smtp.connect { host = "xn--a.example" }
    assert.is_nil(client)
    assert.equal("invalid", err.kind)
    assert.matches("host xn%-%-a%.example has no name in ASCII", err.message)
    local server <close> = scripted.server(script(ca:issue { names = { "xn--bcher-kva.example" } }))
    client = assert(smtp.connect { host = "127.0.0.1", port = server.port, tls = "implicit",
      ca = ca.certificate, sni = "BÜCHER．example" })
    assert.is_true(client.tls.verified)
    client:close()
    assert.equal("xn--bcher-kva.example",
      require("smtp.client.target").parse("x", { host = "bücher.example" }).host)
  end)

  it("trusts a file, and tells one that it cannot read", function()
    local folder = net.folder()
    net.dump(folder .. "/ca.pem", ca.certificate)
    local server <close> = scripted.server(script(good))
    local client = assert(smtp.connect { host = "127.0.0.1", port = server.port, tls = "implicit",
      ca = folder .. "/ca.pem" })
    client:close()
    local other <close> = scripted.server(script(good))
    local err
    client, err = smtp.connect { host = "127.0.0.1", port = other.port, tls = "implicit",
      ca = folder .. "/other.pem" }
    assert.is_nil(client)
    assert.equal("tls", err.kind)
    assert.matches("other.pem: [Nn]o such file", tostring(err))
    net.remove(folder)
  end)

  it("shows its own certificate where it is asked", function()
    local mine = ca:issue { emails = { "ada@code.energy" } }
    local server <close> = scripted.server(script(good, { ca = ca.certificate,
      client = "required" }))
    local client = assert(smtp.connect { host = "127.0.0.1", port = server.port, tls = "implicit",
      ca = ca.certificate, cert = mine.cert, key = mine.key })
    assert.same({ "ada@code.energy" }, server.tls.certificate.emails)
    client:close()
    local other <close> = scripted.server(script(good, { ca = ca.certificate,
      client = "required" }))
    local err
    client, err = smtp.connect { host = "127.0.0.1", port = other.port, tls = "implicit",
      ca = ca.certificate, timeout = 5 }
    assert.is_nil(client)
    assert.matches("certificate required", tostring(err))
    client, err = smtp.connect { host = "127.0.0.1", port = other.port, tls = "implicit",
      cert = mine.cert, key = ca.key }
    assert.is_nil(client)
    assert.matches("private key", tostring(err))
  end)

  it("resumes the session of an earlier connection to the same place", function()
    local one = scripted.script(scripted.hello("STARTTLS"), "C STARTTLS", "S 220 go",
      scripted.tls(good), "C EHLO", "S 250 mx", "C QUIT", "S 221 bye")
    local context = assert(core.tls_context { server = true, cert = good.cert, key = good.key })
    for i, step in ipairs(one) do -- all with one context, as of one server
      if type(step) == "function" then
        one[i] = function(connection) connection:tls(context) end
      end
    end
    local server <close> = scripted.server { one, one }
    for i = 1, 2 do
      local client = assert(smtp.connect { host = "localhost", port = server.port,
        tls = "required", ca = ca.certificate })
      assert.equal(i == 2, client.tls.resumed)
      assert.is_true(client.tls.verified)
      assert(client:quit())
    end
    assert.is_nil(server:done())
  end)
end)
