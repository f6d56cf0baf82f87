-- Misuse raises at once, at the line of the caller, and says what would be
-- right; what an error hints at is so.
local misused = require "spec.support.misuse"
local mock = require("spec.support.mock").start
local smtp = require "smtp"

local MESSAGE = { from = "ada@code.energy", to = "bob@example.org", text = "x" }

local function take(_, message)
  message:skip()
  return true
end

local function serve(options)
  options.listen, options.on_message = "127.0.0.1:0", options.on_message or take
  return assert(smtp.server(options))
end

local function at(server)
  return "127.0.0.1:" .. server.port
end

describe("misuse", function()
  it("of a server names the line and the option", function()
    local function wrong(pattern, options)
      misused(pattern, function() smtp.server(options) end)
    end
    wrong("on_message is required", {})
    wrong("listen is required", { on_message = take })
    wrong("a host and a port", { on_message = take, listen = { host = "::1" } })
    wrong("needs on_rcpt", { on_message = take, listen = "*:0" })
    wrong("hostname must be", { on_message = take, listen = "*:0", hostname = "a b" })
    wrong("NOOP cannot be", { on_message = take, listen = "*:0", on_command = { NOOP = take } })
    wrong("XADA must be", { on_message = take, listen = "*:0", on_command = { XADA = 1 } })
    wrong("port 25", { on_message = take, listen = "127.0.0.1:25", lmtp = true })
    wrong("limits: unknown option", { on_message = take, listen = "*:0", limits = { size = 1 } })
    local server <close> = serve {}
    misused("grace must be", function() server:shutdown("5") end)
    assert.is_nil(server.closed)
  end)

  it("of a target names the line and the option", function()
    misused("a url, a host or a path", function() smtp.connect {} end)
    misused("port must be", function() smtp.connect { host = "localhost", port = 0 } end)
    misused("dane goes by TLS", function()
      smtp.connect { host = "localhost", dane = "required", tls = "none" }
    end)
    misused("disable has keywords", function()
      smtp.connect { host = "localhost", disable = { "PIPELINING" } }
    end)
    misused("a message stands where", function() smtp.send(MESSAGE, "localhost") end)
    misused("a message stands where", function()
      smtp.send(assert(smtp.message(MESSAGE)), "localhost")
    end)
    misused("concurrency must be", function() smtp.deliver(MESSAGE, { concurrency = 0 }) end)
  end)

  it("of a pool is told before a connection is made", function()
    local pool <close> = assert(smtp.pool("localhost"))
    misused("a message is a table", function() pool:send() end)
    assert.equal(0, pool:stats().connected)
  end)

  it("of a dialogue is told before anything is sent or awaited", function()
    local mx <close> = mock()
    local d <close> = assert(smtp.dialogue(mx.url))
    assert(d:expect("2XX"))
    misused("expect: a code", function() d:expect(true) end)
    misused("expect: a code", function() d:cmd("NOOP", { 250, true }) end)
    misused("has a hole", function() d:expect { nil, 250 } end)
    misused("cmd: a string", function() d:cmd() end)
    misused("raw: a string", function() d:raw() end)
    misused("pipeline: %[1%] must be", function() d:pipeline { "NOOP" } end)
    misused("expect: a code", function() d:pipeline { { "NOOP", {} }, { "NOOP", true } } end)
    misused("a number of seconds", function() d:pause("1") end)
    assert(d:cmd("NOOP", 250))
    assert.is_nil(mx:transcript():find("NOOP.*NOOP"))
  end)

  it("of the loop is told when it happens", function()
    misused("a number of seconds", function() smtp.sleep("1") end)
    misused("spawn: a function", function() smtp.loop.spawn(5) end)
    misused("unknown option \"trn\"", function() smtp.loop.host { trn = take } end)
    misused("inside is required", function() smtp.loop.host {} end)
  end)

  it("of a message in a handler cannot pass for reading it", function()
    local told = {}
    local server <close> = serve { on_message = function(_, message)
      misused("chunks: size must be", function() message:chunks(0) end)
      misused("chunks: size must be", function() message:chunks("9") end)
      misused("read: max must be", function() message:read(0.5) end)
      told.content = message:read()
      misused("read already", function() message:save("nowhere") end)
      told.done = true
      return true
    end }
    assert(smtp.send(at(server), MESSAGE))
    assert.is_true(told.done)
    assert.truthy(told.content:find("\r\n\r\nx", 1, true))
  end)
end)

describe("a hint", function()
  it("tells of the other protocol", function()
    local server <close> = serve {}
    local store <close> = serve { lmtp = true }
    local _, err = smtp.send("lmtp://" .. at(server), MESSAGE)
    assert.equal("ehlo", err.stage)
    assert.truthy(err.hint:find("smtp:", 1, true))
    _, err = smtp.send(at(store), MESSAGE)
    assert.equal("ehlo", err.stage)
    assert.truthy(err.hint:find("lmtp:", 1, true))
    local refuses <close> = serve { on_helo = function() return 554, "not you" end }
    _, err = smtp.send(at(refuses), MESSAGE)
    assert.same({ 554 }, { err.code, err.hint })
  end)

  it("tells how to sign in, or to come by TLS, after a 530", function()
    local function refusal(text, options)
      local mx <close> = mock { users = { ada = "secret" } }
      mx:on("MAIL"):reply(text)
      local given = { url = mx.url }
      for key, value in pairs(options or {}) do given[key] = value end
      local receipt, err = smtp.send(given, MESSAGE)
      assert.is_nil(receipt)
      if err.hint then assert.truthy(tostring(err):find(err.hint, 1, true)) end
      return err.hint
    end
    for _, text in ipairs { "530 5.7.0 Authentication required", "530 5.7.1 who are you?",
      "550 5.7.1 Client was not authenticated", "554 5.7.1 please authenticate first" } do
      assert.matches("^auth = {", refusal(text))
      assert.is_nil(refusal(text, { auth = { user = "ada", password = "secret" } }))
    end
    assert.matches("tls = ", refusal("530 5.7.0 Must issue a STARTTLS command first"))
    assert.matches("tls = ", refusal("530 5.7.10 Encryption required"))
    for _, text in ipairs { "550 5.7.1 no", "450 authentication is slow", "552 too big" } do
      assert.is_nil(refusal(text))
    end
  end)

  it("names the mechanism after a 535", function()
    local mx <close> = mock { users = { ada = "secret" } }
    for _, name in ipairs { "PLAIN", "LOGIN", "SCRAM-SHA-256", "CRAM-MD5" } do
      local client, err = smtp.connect { url = mx.url,
        auth = { user = "ada", password = "wrong", mechanisms = { name } } }
      assert.is_nil(client)
      assert.equal(535, err.code)
      assert.truthy(err.hint:find("by " .. name .. ";", 1, true))
      assert.truthy(err.hint:find("app password", 1, true))
      assert.truthy(tostring(err):find(err.hint, 1, true))
    end
  end)

  it("tells of a host and a URL that have more than a name", function()
    for _, host in ipairs { '"mx.example"', "'mx.example'", " mx.example", "mx.example\n",
      "<mx.example>", "`mx.example`" } do
      for _, given in ipairs { { host = host }, { url = host }, { url = "smtp://" .. host } } do
        local client, err = smtp.connect(given)
        assert.is_nil(client)
        assert.equal("invalid", err.kind)
        assert.truthy(err.hint:find("write mx.example without", 1, true), tostring(err))
      end
    end
    local _, err = smtp.connect('"smtp://ada:hunter2@mx.example"')
    assert.truthy(err.hint:find("without quotes", 1, true))
    assert.is_nil(tostring(err):find("hunter2", 1, true))
    _, err = smtp.connect { host = "smtp://ada:hunter2@mx.example" }
    assert.truthy(tostring(err):find("`url`", 1, true))
    assert.is_nil(tostring(err):find("hunter2", 1, true))
  end)

  it("has sizes for people", function()
    local size = require("smtp.client.advice").size
    for n, text in pairs { [0] = "0 bytes", [99999] = "99999 bytes",
      [104857] = "104857 bytes (0.1 MB)",
      [36700160] = "36700160 bytes (35 MB)", [27487790] = "27487790 bytes (26.2 MB)",
      [3 << 30] = "3221225472 bytes (3072 MB)" } do
      assert.equal(text, size(n))
    end
    local mx <close> = mock { limits = { size = "1M" } }
    local _, err = smtp.send(mx.url, { envelope = { from = "a@b.example", to = "c@d.example" },
      raw = ("x"):rep(60) .. "\r\n" .. ("y"):rep(1500000) .. "\r\n" })
    assert.equal("too_big", err.kind)
    assert.truthy(tostring(err):find("bytes (1.4 MB), the server takes 1048576 bytes (1 MB)", 1,
      true), tostring(err))
  end)

  it("tells who does what command() leaves alone", function()
    local server <close> = serve {}
    local client <close> = assert(smtp.connect(at(server)))
    for verb, who in pairs { DATA = "client:data", BDAT = "client:send", STARTTLS = "`tls`",
      AUTH = "`auth`" } do
      local reply, err = client:command(verb .. " x")
      assert.is_nil(reply)
      assert.same({ "invalid", true }, { err.kind, err.hint:find(who, 1, true) ~= nil })
    end
    assert.is_true(client:usable())
  end)
end)

local function asks(name, call)
  local ok, why = pcall(call)
  assert.is_false(ok, "nothing was raised for " .. name)
  assert.truthy(tostring(why):find('did you mean "' .. name .. '"', 1, true), tostring(why))
end

describe("another library's word", function()
  it("is known in a target, a pool, a dialogue and a delivery", function()
    for key, name in pairs { secure = "tls", ssl = "tls", requireTLS = "tls", prot = "port",
      username = "auth.user", user = "auth.user", pass = "auth.password", mailserv = "host",
      server = "host", local_hostname = "helo", cafile = "ca", cert_file = "cert",
      keyfile = "key", rejectUnauthorized = "verify", servername = "sni", debug = "trace",
      source_address = "local_address", greetingTimeout = "timeout" } do
      asks(name, function() smtp.connect { host = "mx", [key] = "x" } end)
      asks(name, function() smtp.pool { host = "mx", [key] = "x" } end)
      asks(name, function() smtp.dialogue { host = "mx", [key] = "x" } end)
    end
    asks('helo" or "host', function() smtp.connect { port = 25, hostname = "mx" } end)
    asks("size", function() smtp.pool { host = "mx", maxConnections = 5 } end)
    asks("max_messages", function() smtp.pool { host = "mx", maxMessages = 5 } end)
    asks("helo", function() smtp.deliver(MESSAGE, { hostname = "mx" }) end)
    asks("nameserver", function() smtp.deliver(MESSAGE, { dns = "::1" }) end)
    for key, name in pairs { pass = "password", username = "user", accessToken = "token",
      mechanism = "mechanisms" } do
      asks(name, function() smtp.connect { host = "mx", auth = { [key] = "x" } } end)
    end
    asks("connect", function() smtp.connect { host = "mx", timeout = { conect = 5 } } end)
  end)

  it("is known in a record, an attachment, a part and DKIM", function()
    local function record(key, value)
      smtp.message { from = "a@b.example", to = "c@d.example", text = "x", [key] = value }
    end
    for key, name in pairs { replyTo = "reply_to", inReplyTo = "in_reply_to", rcpt = "to",
      messageId = "message_id", body = "text", html_body = "html", attachment = "attachments",
      title = "subject", icalEvent = "calendar", source = "text", subjetc = "subject" } do
      asks(name, function() record(key, "x") end)
    end
    for key, name in pairs { filename = "name", contentType = "type", mime_type = "type",
      data = "content", file = "path", content_id = "cid", contentDisposition = "inline" } do
      asks(name, function() record("attachments", { { content = "x", [key] = "y" } }) end)
      if name ~= "path" then
        asks(name, function() smtp.part { content = "x", [key] = "y" } end)
      end
    end
    asks("key", function() smtp.dkim { domain = "a", selector = "b", privateKey = "x" } end)
    asks("selector", function() smtp.dkim { domain = "a", keySelector = "b" } end)
    asks("domain", function() smtp.dkim { domainName = "a" } end)
    asks("envid", function()
      local server <close> = serve {}
      local client <close> = assert(smtp.connect(at(server)))
      client:mail("a@b.example", { envelope_id = "x" })
    end)
  end)

  it("is known in a server and a mock", function()
    local function server(key, value)
      smtp.server { listen = "127.0.0.1:0", on_message = take, [key] = value }
    end
    for key, name in pairs { onRcptTo = "on_rcpt", onMailFrom = "on_mail", banner = "greeting",
      key = "tls.key", users = "auth.lookup", timeout = "limits.idle_timeout", secure = "tls",
      maxClients = "limits.connections", size = "limits.message_size",
      port = "listen", authenticator = "on_auth", useProxy = "proxy", handler = "on_message" } do
      asks(name, function() server(key, "x") end)
    end
    asks("message_size", function() server("limits", { size = 1 }) end)
    asks("connections", function() server("limits", { max_clients = 1 }) end)
    asks("cert", function() server("tls", { certfile = "x" }) end)
    asks("mechanisms", function() server("auth", { authMethods = {} }) end)
    asks("port", function() server("listen", { host = "127.0.0.1", prt = 5 }) end)
    asks("users", function() mock { user = "ada" } end)
    asks("without", function() mock { disabledCommands = {} } end)
    local mx <close> = mock()
    asks("reply", function() mx:rule { on = "RCPT", rply = "550 x" } end)
    asks("reply", function() mx:on("RCPT"):sequence { { replay = "x" } } end)
  end)
end)

describe("what stands in a wrong place", function()
  it("is told: a colon for a dot", function()
    for _, name in ipairs { "send", "connect", "message", "parse", "server", "pool", "deliver",
      "bounce", "dkim", "dkim_verify", "mx", "sleep", "lint", "dialogue", "part" } do
      misused("smtp." .. name .. " is called with a dot, not as smtp:" .. name, function()
        smtp[name](smtp, "localhost", MESSAGE)
      end)
    end
  end)

  it("is told: dkim_verify without who asks the DNS", function()
    misused("dkim_verify: lookup must be", function() smtp.dkim_verify("Subject: x\r\n\r\nx") end)
    misused("dkim_verify: lookup must be", function() smtp.dkim_verify("x", {}) end)
    misused("unknown option", function() smtp.dkim_verify("x", { lookp = take }) end)
  end)

  it("is told: a port behind the host, two places, what raw has besides", function()
    misused("one target is needed", function() smtp.connect("127.0.0.1", 1) end)
    misused("one table is needed", function() smtp.pool("127.0.0.1", 4) end)
    for _, key in ipairs { "host", "path" } do
      misused("a url and a " .. key .. ": give one", function()
        smtp.connect { url = "smtp://127.0.0.1:1", [key] = "/x" }
      end)
    end
    asks("deadline", function() smtp.send("127.0.0.1:1", MESSAGE, { timeout = 1 }) end)
    misused("raw needs an envelope, {", function() smtp.send("127.0.0.1:1", { raw = "x" }) end)
    misused('a message with raw: unknown option "subject"', function()
      smtp.send("127.0.0.1:1", { envelope = { from = "", to = "a@b" }, raw = "x", subject = "y" })
    end)
    local _, err = smtp.send("127.0.0.1:1", { envelope = { from = "a@b", to = "c@d" } })
    assert.matches("from is missing, as is raw", tostring(err))
  end)

  it("is told: why io.open gave no file", function()
    misused("not nil: none.eml: No such file", function() smtp.parse(io.open("none.eml", "rb")) end)
    misused("is needed, not nil$", function() smtp.parse(nil) end)
    misused("is needed, not number$", function() smtp.parse(42) end)
  end)

  it("is told: failures of a bounce", function()
    local message = smtp.parse("From: a@b.example\r\n\r\nx")
    misused("not a string", function() smtp.bounce(message, "c@d.example") end)
    misused('unknown option "adress".*did you mean "address"', function()
      smtp.bounce(message, { adress = "c@d.example" })
    end)
    misused("there is no failure", function() smtp.bounce(message, {}) end)
  end)

  it("is told: addresses in a text that are parted otherwise than by commas", function()
    for to, hint in pairs { ["a@b.example c@d.example"] = "two addresses a comma",
      ["Ann Lee a@b.example"] = "a name needs <>",
      ["a@b.example; c@d.example"] = "a comma stands between addresses",
      ["Lee, Ann <a@b.example>"] = "it has no @; a comma ends an address, and a name with one",
      ["ann"] = 'to "ann" is not a mailbox that may be sent: it has no @$' } do
      local none, err = smtp.message { from = "a@b.example", to = to, text = "x" }
      assert.is_nil(none)
      assert.matches(hint, tostring(err))
    end
  end)

  it("is told: several recipients of an envelope in one text", function()
    for to, several in pairs { ["a@b.example, c@d.example"] = true, ["a@b.example;c@d"] = true,
      ["a b@c.example"] = false } do
      local _, err = smtp.send("127.0.0.1:1", { raw = "x", envelope = { from = "", to = to } })
      assert.equal("invalid", err.kind)
      assert.equal(several, tostring(err):find("several are a list", 1, true) ~= nil)
    end
  end)

  it("is told: a path for the content", function()
    for _, path in ipairs { "mail.eml", "/var/mail/ada", "./ada", "../in/1", "~/a.mbox",
      "in/My Mail.EML", "report.txt", "ada.msg" } do
      for _, call in ipairs { smtp.parse, smtp.lint, function(raw)
        return smtp.dkim_verify(raw, { lookup = take })
      end, function(raw)
        return smtp.send("127.0.0.1:1", { envelope = { from = "a@b", to = "c@d" }, raw = raw })
      end } do
        local none, err = call(path)
        assert.is_nil(none, path)
        assert.equal("invalid", err.kind)
        assert.truthy(err.message:find("is a path", 1, true), tostring(err))
        assert.truthy(err.hint:find("io.open", 1, true))
      end
    end
    for _, content in ipairs { "", "x", "mail.eml\r\n", "Subject: mail.eml", "A: b\n\n/var/mail",
      "hello world.", "a.b", "see mail.eml now", "/", ("x"):rep(5000) .. ".eml" } do
      assert.truthy(smtp.parse(content), content)
    end
  end)
end)

describe("a whole float", function()
  it("is the integer, wherever a number is wanted", function()
    local server <close> = serve { listen = { host = "127.0.0.1", port = "0" },
      limits = { recipients = 1.0, message_size = 5000.0, hops = 10.0 },
      on_mail = function(_, sender) if sender.user == "eve" then return 550.0, "5.7.1 no" end end,
      on_message = function(_, message)
        while message:read(64.0) do end
        return true
      end }
    local client <close> = assert(smtp.connect { host = "127.0.0.1", port = server.port + 0.0,
      timeout = 10.0 })
    assert.equal("5000", tostring(client.capabilities.SIZE))
    local _, err = client:mail("eve@b.example", { size = 100.0 })
    assert.equal(550, err.code)
    assert.same("integer", math.type(err.code))
    assert(client:send { envelope = { from = "a@b.example", to = "c@d.example" }, raw = "x",
      size = 1.0 })
    local n = 10.0
    assert(client:send { from = "a@b.example", to = "c@d.example", attachments = { { name = "a.txt",
      size = n, source = function()
        if n == 0 then return nil end
        n = 0
        return "0123456789"
      end } } })
    assert.truthy(client:transcript():find(" SIZE=%d+\n"), client:transcript())
    local mx <close> = mock { port = "0", limits = { recipients = 2.0 } }
    mx:on("RCPT"):first(1.0):reply(550.0, "5.1.1 no")
    _, err = smtp.send(mx.url, MESSAGE)
    assert.same({ 550, "5.1.1" }, { err.code, err.enhanced })
    local bounce = assert(smtp.bounce({ envelope = { from = "a@b.example", to = "c@d.example" },
      raw = "Subject: x\r\n\r\nx" }, { { address = "c@d.example", code = 550.0, text = "no" } },
      { hostname = "mx.example" }))
    assert.truthy(tostring(bounce):find("Status: 5.0.0", 1, true))
  end)
end)
