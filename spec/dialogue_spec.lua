-- Dialogues: the protocol by hand, rules broken on purpose.
local smtp = require "smtp"
local errors = require "smtp.error"
local loop = require "smtp.loop"
local net = require "spec.support.net"
local scripted = require "spec.support.scripted"

local servers = {} -- of one spec

local function dialogue(script, options)
  local server = scripted.server(script)
  servers[#servers + 1] = server
  local d = assert(smtp.dialogue(server.url, options))
  return d, server
end

describe("dialogue", function()
  after_each(function()
    for _, server in ipairs(servers) do server:close() end
    servers = {}
  end)

  it("speaks line by line with a server", function()
    local server <close> = assert(smtp.server { listen = "127.0.0.1:0", hostname = "mx.example",
      on_message = function(_, m) m:read() return true end })
    local d <close> = assert(smtp.dialogue("127.0.0.1:" .. server.port, { timeout = 5 }))
    assert.equal(220, assert(d:expect(220)).code)
    assert(d:cmd("HELO client.code.energy", 250))
    local replies = assert(d:pipeline { { "MAIL FROM:<a@b>", 250 }, { "RCPT TO:<c@d>", "2xx" },
      { "DATA", { 354, 250 } } })
    assert.same({ 250, 250, 354 }, { replies[1].code, replies[2].code, replies[3].code })
    assert(d:raw("Subject: x\r\n\r\nhi\r\n.\r\n"))
    assert(d:expect("2xx"))
    assert(d:cmd("QUIT", 221))
    assert.is_true(d:closed())
    local text = d:transcript()
    assert.truthy(text:find("C: HELO client.code.energy\nS: 250 ", 1, true))
    assert.truthy(text:find("S: 221 ", 1, true))
    assert.equal(1, server:stats().messages)
  end)

  it("takes a code, a class, a pattern, a list or a function", function()
    for _, case in ipairs {
      { 250, true }, { 251, false }, { "2xx", true }, { "5xx", false }, { "^250 ", true },
      { "queued as %d+", true }, { "nothing", false }, { "second", true },
      { { 220, "2xx" }, true }, { { 550, "5xx" }, false }, { {}, false },
      { function(reply) return reply.text:find("second") end, true },
      { function() return false end, false },
    } do
      local d <close>, server = dialogue { "S 250-2.0.0 queued as 42", "S 250 2.0.0 second",
        "EOF" }
      local reply, err = d:expect(case[1])
      if case[2] then
        assert.same({ 250, "2.0.0" }, { reply.code, reply.enhanced })
        assert.same({ "2.0.0 queued as 42", "2.0.0 second" }, reply.lines)
      else
        assert.is_nil(reply)
        assert.is_true(errors.is(err))
        assert.same({ "rejected", "command", 250, false },
          { err.kind, err.stage, err.code, err.temporary })
        assert.equal("127.0.0.1:" .. server.port, err.peer)
        assert.truthy(tostring(err):find("expected", 1, true))
        assert.truthy(err.transcript:find("queued as 42", 1, true))
      end
    end
  end)

  it("raises for an expectation that is none", function()
    local d <close>, server = dialogue { "S 220 x", "EOF" }
    assert.error_matches(function() d:expect(true) end, "a code, a class")
    assert.is_nil(server.wrong)
  end)

  it("writes any bytes", function()
    local bytes = {}
    for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
    bytes = table.concat(bytes)
    local d <close>, server = dialogue { "EOF" }
    assert.is_true(d:raw(bytes))
    assert.is_true(d:raw(""))
    d:finish()
    server:done()
    assert.equal(bytes, table.concat(server.segments))
    assert.is_nil(d:transcript():find("[%z\1-\9\11-\31\127]"))
  end)

  it("writes a command as it is, line ends and all", function()
    local d <close>, server = dialogue { "C NOOP", "C RSET", "S 250 a", "S 250 b", "EOF" }
    assert.equal("a", assert(d:cmd("NOOP\r\nRSET")).text)
    assert.equal("b", assert(d:expect()).text)
    assert.same({ "NOOP", "RSET" }, server.lines)
  end)

  it("tells the first thing that is wrong in a pipeline, and gives all replies", function()
    local d <close>, server = dialogue { "C A", "C B", "C C", "S 250 a", "S 550 b", "S 250 c",
      "EOF" }
    local replies, err, all = d:pipeline { { "A", 250 }, { "B", "2xx" }, { "C", 250 } }
    assert.is_nil(replies)
    assert.same({ "rejected", 550 }, { err.kind, err.code })
    assert.equal("a", all[1].text)
    assert.equal("c", all[3].text)
    assert.equal(1, #server.segments)
  end)

  it("tells an end, a reset, a silence and nonsense", function()
    for _, case in ipairs { { "CLOSE", "closed" }, { "ABORT", "closed" }, { "STOP", "timeout" },
      { "S hello", "protocol" } } do
      local d <close>, server = dialogue({ "C NOOP", case[1], "EOF" }, { timeout = 0.05 })
      local reply, err = d:cmd("NOOP", 250)
      assert.is_nil(reply)
      assert.equal(case[2], err.kind)
      assert.equal("127.0.0.1:" .. server.port, err.peer)
    end
  end)

  it("knows when it was closed, and when it was not", function()
    for _, case in ipairs { { "CLOSE", true }, { "ABORT", true }, { "S 250 ok", nil, "protocol" },
      { "STOP", nil, "timeout" } } do
      local d <close> = dialogue({ "C NOOP", case[1], "EOF" }, { timeout = 0.05 })
      assert(d:raw("NOOP\r\n"))
      local ok, err = d:closed()
      assert.equal(case[2], ok)
      assert.equal(case[3], err and err.kind)
      end
  end)

  it("has a limit for replies that never end", function()
    for _, step in ipairs { { raw = ("x"):rep(10000) }, { raw = ("220-x\r\n"):rep(1000) } } do
      local d <close> = dialogue { step, "EOF" }
      local reply, err = d:expect(220)
      assert.is_nil(reply)
      assert.equal("protocol", err.kind)
      end
  end)

  it("does not wait for one line after the other for ever", function()
    local function drip(c)
      for _ = 1, 2000 do
        c:say("220-x\r\n")
        loop.sleep(0.01)
      end
    end
    local d <close> = dialogue({ drip }, { timeout = 0.1 })
    local since = loop.now()
    assert.equal("timeout", select(2, d:expect(220)).kind)
    assert.is_true(loop.now() - since < 10)
  end)

  it("pauses while others run", function()
    local d <close> = dialogue { "S 220 x", "EOF" }
    local since = loop.now()
    d:pause(0.02)
    assert.is_true(loop.now() - since >= 0.02)
    assert(d:expect(220))
  end)

  it("ends with a reset, or quietly", function()
    local seen = {}
    local function look(c)
      local bytes, _, name = c.socket:recv(10)
      while bytes == false do
        loop.wait(c.socket, "r")
        bytes, _, name = c.socket:recv(10)
      end
      seen[#seen + 1] = bytes or name
    end
    local one, server = dialogue { look }
    one:abort()
    server:done()
    local two, other = dialogue { look }
    two:close()
    other:done()
    assert.same({ "ECONNRESET", "" }, seen)
    for _, d in ipairs { one, two } do
      d:close()
      d:abort()
      for _, name in ipairs { "expect", "cmd", "raw", "pipeline", "closed", "pause", "finish" } do
        assert.error_matches(function() d[name](d, "x") end, "dialogue is closed")
      end
      assert.is_string(d:transcript())
    end
  end)

  it("closes itself at the end of a block", function()
    local server <close> = scripted.server { "EOF" }
    do local _ <close> = assert(smtp.dialogue(server.url)) end
    assert.is_nil(server:done())
  end)

  it("tells a connection that fails, and raises for misuse", function()
    local d, err = smtp.dialogue("127.0.0.1:" .. net.closed_port())
    assert.is_nil(d)
    assert.same({ "connect", "connect" }, { err.kind, err.stage })
    assert.error_matches(function() smtp.dialogue("x:1", { tiemout = 1 }) end, "tiemout")
    d, err = smtp.dialogue("http://x")
    assert.is_nil(d)
    assert.equal("invalid", err.kind)
    assert.matches("unknown scheme", tostring(err))
    assert.error_matches(function() smtp.dialogue(5) end, "must be a table")
    local one <close> = dialogue { "EOF" }
    assert.error_matches(function() one:starttls { verfy = false } end, "verfy")
    assert.error_matches(function() one:auth("SECRET", "a", "b") end, "unknown mechanism SECRET")
  end)

  it("shows its lines to trace", function()
    local seen = {}
    local d <close> = dialogue({ "S 220-a", "S 220 b", "C NOOP", "S 250 ok", "EOF" },
      { trace = function(side, line) seen[#seen + 1] = side .. line end })
    assert(d:expect(220))
    assert(d:cmd("NOOP", 250))
    assert.same({ "S220-a", "S220 b", "CNOOP", "S250 ok" }, seen)
  end)

  it("writes more than the peer reads at once, and gives up in time", function()
    local d <close> = dialogue({ "STOP" }, { timeout = 0.1 })
    local ok, err = d:raw(("x"):rep(16000000))
    assert.is_nil(ok)
    assert.equal("timeout", err.kind)
  end)
end)
-- ---- TLS and AUTH ------------------------------------------------------------

local authority = require "smtp.authority"
local core = require "smtp.core"

local ca = assert(authority.new())
local identity = assert(ca:issue { names = { "localhost" } })

-- A server with TLS, and a dialogue with it behind EHLO.
local function secured(options)
  local all = { listen = "127.0.0.1:0", hostname = "mx.example",
    tls = { cert = identity.cert, key = identity.key },
    auth = { mechanisms = { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS",
      "OAUTHBEARER" }, lookup = function() return "secret" end },
    on_auth = function(_, c) return c.verified or c.token == "t" or c:check("secret") end,
    on_message = function(_, m) m:read() return true end }
  for key, value in pairs(options or {}) do all[key] = value end
  return assert(smtp.server(all))
end

describe("dialogue under TLS", function()
  it("writes 8 MB to a server that reads late, and every byte of it", function()
    local lines, size = {}, 0
    while size < 8000000 do -- no two are the same, so that none can take another's place
      local line = ("%d "):format(#lines):rep(9) .. "\r\n"
      lines[#lines + 1] = line
      size = size + #line
    end
    local body, got, began = table.concat(lines), nil, false
    local server <close> = secured { on_message = function(_, m)
      began = true
      for _ = 1, 500 do loop.sleep(0) end -- turns of the loop, in which all buffers fill
      got = m:read()
      return true
    end }
    local d <close> = assert(smtp.dialogue("localhost:" .. server.port, { timeout = 60 }))
    assert(d:expect(220))
    assert(d:cmd("EHLO x", 250))
    assert(d:starttls { ca = ca.certificate })
    assert(d:cmd("EHLO x", 250))
    assert(d:pipeline { { "MAIL FROM:<a@b>", 250 }, { "RCPT TO:<c@d>", 250 }, { "DATA", 354 } })
    assert(d:raw(body))
    assert.is_true(began)
    assert(d:raw(".\r\n"))
    assert(d:expect(250))
    assert.equal(#body, #got)
    assert.is_true(body == got)
  end)

  it("starts it by STARTTLS, when it is told to", function()
    local server <close> = secured()
    local d <close> = assert(smtp.dialogue("localhost:" .. server.port, { timeout = 5 }))
    assert(d:expect(220))
    assert(d:cmd("EHLO x", 250))
    assert.is_nil(d.tls)
    local info = assert(d:starttls { ca = ca.certificate })
    assert.same({ "TLSv1.3", true }, { info.version, info.verified })
    assert.equal(info, d.tls)
    assert(d:cmd("EHLO x", "AUTH SCRAM%-SHA%-256%-PLUS"))
    local replies = assert(d:pipeline { { "MAIL FROM:<a@b>", 250 }, { "RCPT TO:<c@d>", 250 },
      { "DATA", 354 } })
    assert.equal(3, #replies)
    assert(d:raw((("y"):rep(70) .. "\r\n"):rep(5000)))
    assert(d:raw(".\r\n"))
    assert(d:expect(250))
    assert(d:cmd("QUIT", 221))
    assert.is_true(d:closed())
    assert.equal(1, server:stats().messages)
  end)

  it("verifies unless it is told not to", function()
    local server <close> = secured()
    for options, pattern in pairs { [{}] = "local issuer", [{ ca = ca.certificate,
      sni = "mx.example" }] = "hostname mismatch", [{ ca = "/nowhere" }] = "/nowhere" } do
      local d <close> = assert(smtp.dialogue("localhost:" .. server.port, { timeout = 5 }))
      d:expect(220)
      d:cmd("EHLO x")
      local info, err = d:starttls(options)
      assert.is_nil(info)
      assert.same({ "tls", "starttls" }, { err.kind, err.stage })
      assert.matches(pattern, tostring(err))
      assert.equal(options.ca ~= "/nowhere", err.hint ~= nil)
    end
    local d <close> = assert(smtp.dialogue("127.0.0.1:" .. server.port, { timeout = 5 }))
    d:expect(220)
    d:cmd("EHLO x")
    assert.is_false(assert(d:starttls { verify = false }).verified)
    assert(d:cmd("NOOP", 250))
    local other <close> = assert(smtp.dialogue({ host = "localhost", port = server.port,
      ca = ca.certificate }, { timeout = 5 })) -- the target says whom to trust
    other:expect(220)
    other:cmd("EHLO x")
    assert.is_true(assert(other:starttls()).verified)
  end)

  it("tells a refusal, and a server that speaks on in clear text", function()
    local d <close> = dialogue { "S 220 mx", "C STARTTLS", "S 454 later", "EOF" }
    d:expect(220)
    local info, err = d:starttls { verify = false }
    assert.is_nil(info)
    assert.same({ "rejected", 454 }, { err.kind, err.code })
    local together <close> = dialogue { "S 220 mx", "C STARTTLS",
      { raw = "220 go\r\n250 ok\r\n" }, "EOF" }
    together:expect(220)
    info, err = together:starttls { verify = false }
    assert.is_nil(info)
    assert.equal("protocol", err.kind)
    local later <close> = dialogue { "S 220 mx", "C STARTTLS", "S 220 go", function(connection)
      smtp.sleep(0.05) -- it is not there when TLS begins
      connection:say("250 ok\r\n")
    end }
    later:expect(220)
    info, err = later:starttls { verify = false }
    assert.is_nil(info)
    assert.same({ "tls", "the server speaks in clear text" }, { err.kind, err.hint })
  end)

  it("waits for a handshake no longer than for a reply", function()
    local d <close> = dialogue({ "STOP" }, { timeout = 0.05 })
    local info, err = d:secure { verify = false }
    assert.is_nil(info)
    assert.same({ "timeout", "starttls" }, { err.kind, err.stage })
  end)

  it("begins with it on a port that wants that", function()
    local server <close> = secured { tls = { cert = identity.cert, key = identity.key,
      implicit = true } }
    local d <close> = assert(smtp.dialogue("localhost:" .. server.port, { timeout = 5 }))
    assert(d:secure { ca = ca.certificate })
    assert(d:expect(220))
    assert(d:cmd("EHLO x", 250))
    d:abort()
  end)

  it("authenticates by each mechanism, and shows no secret", function()
    local server <close> = secured()
    for _, name in ipairs { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS",
      "OAUTHBEARER" } do
      local d <close> = assert(smtp.dialogue("localhost:" .. server.port, { timeout = 5 }))
      d:expect(220)
      d:cmd("EHLO x")
      assert(d:starttls { ca = ca.certificate })
      d:cmd("EHLO x")
      local secret = name == "OAUTHBEARER" and "t" or "secret"
      local reply, err = d:auth(name, "ada", "wrong")
      assert.is_nil(reply)
      assert.same({ "auth", 535 }, { err.kind, err.code })
      assert.equal(235, assert(d:auth(name, "ada", secret, { initial = name == "PLAIN" })).code)
      for _, text in ipairs { "wrong", "secret", core.base64("\0ada\0secret"),
        core.base64("\0ada\0wrong"), core.base64("wrong") } do
        assert.is_nil(d:transcript():find(text, 1, true), name)
      end
      assert.truthy(d:transcript():find("AUTH " .. name, 1, true))
    end
  end)

  it("shows no secret of an AUTH that was written by hand", function()
    local server <close> = assert(smtp.server { listen = "127.0.0.1:0",
      on_message = function() end })
    local d <close> = assert(smtp.dialogue("127.0.0.1:" .. server.port, { timeout = 5 }))
    d:expect(220)
    d:cmd("AUTH PLAIN AGFkYQBzZWNyZXQ=")
    d:raw("auth\tplain AGFkYQBzZWNyZXQ=\r\n")
    assert.falsy(d:transcript():find("AGFk"))
    assert.matches("AUTH PLAIN %*%*%*", d:transcript())
  end)

  it("believes no server that does not prove itself", function()
    local d <close> = dialogue { "S 220 mx", "C AUTH SCRAM-SHA-256", "S 235 welcome", "EOF" }
    d:expect(220)
    local reply, err = d:auth("SCRAM-SHA-256", "ada", "secret")
    assert.is_nil(reply)
    assert.matches("did not prove", tostring(err))
  end)
end)
