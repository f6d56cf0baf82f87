-- XCLIENT and XFORWARD on the server's side, as Postfix has them.
local server_player = require "spec.support.server_player"
local probe = require "probe"
local play = server_player.play

local BOTH = { config = { xclient = true, xforward = true }, trust = { true, true } }

local XCLIENT = "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
local XFORWARD = "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"

local EHLO = server_player.EHLO:gsub("250 ENHANCED", "250-ENHANCED") ..
  "S: 250-" .. XCLIENT .. "\nS: 250 " .. XFORWARD .. "\n"
local AGAIN = EHLO:gsub("^S: 220[^\n]*\n", "")

local SYNTAX = "S: 501 5.5.4 Syntax error in arguments\n"
local SEQUENCE = "S: 503 5.5.1 Bad sequence of commands\n"
local GREETING = "S: 220 mx.example Service ready\n"

local function with(options)
  local all = {}
  for key, value in pairs(BOTH) do all[key] = value end
  for key, value in pairs(options) do all[key] = value end
  return all
end

-- The attributes of one command, or its reply.
local function told(line, verb)
  local player = server_player.session(BOTH)
  player:output()
  local reply = player:cmd(line)
  local event = player:events(verb or "xclient")[1]
  return event and event[2], reply
end

describe("server: XCLIENT", function()
  it("C139 is offered to whom is trusted, and to nobody else", function()
    play(EHLO, BOTH)
    play(server_player.EHLO, { config = BOTH.config })
    play(server_player.EHLO:gsub("250 ENHANCED", "250-ENHANCED") .. "S: 250 " .. XFORWARD .. "\n",
      with { trust = { false, true } })
    play(server_player.EHLO, { trust = { true, true } })
  end)

  it("C139 is 550 from anybody else", function()
    play(server_player.EHLO .. [[
      C: XCLIENT ADDR=192.0.2.1
      S: 550 5.7.0 Not authorized to say this
      C: XFORWARD ADDR=192.0.2.1
      S: 550 5.7.0 Not authorized to say this
    ]], { config = BOTH.config })
  end)

  it("C139 is unknown where it is not switched on, or an own verb", function()
    play(server_player.EHLO .. [[
      C: XCLIENT ADDR=192.0.2.1
      S: 500 5.5.1 Command not recognized
      C: XFORWARD ADDR=192.0.2.1
      S: 500 5.5.1 Command not recognized
    ]], { trust = { true, true } })
    local player = play(server_player.EHLO .. [[
      C: XCLIENT anything
      S: 250 2.0.0 OK
    ]], { config = { verbs = "XCLIENT" } })
    assert.same({ { "command", "XCLIENT", "anything" } }, player:events("command"))
  end)

  it("C139 tells attributes, in xtext, and their names in any case", function()
    assert.same({ name = "spike.example", addr = "192.0.2.7", port = 2525, proto = "ESMTP",
      helo = "a +=b", login = "ada@code.energy", destaddr = "2001:db8::1", destport = 25 },
      (told("XCLIENT NAME=spike.example addr=192.0.2.7 Port=2525 PROTO=ESMTP HELO=a+20+2B+3Db " ..
        "LOGIN=ada@code.energy DESTADDR=IPV6:2001:DB8:0::1 DESTPORT=25")))
    for _, tag in ipairs { "IPV6:", "IPv6:", "ipv6:" } do
      assert.same({ addr = "::1" }, (told("XCLIENT ADDR=" .. tag .. "::1")))
    end
    assert.same({ login = "jürgen" }, (told("XCLIENT LOGIN=j+C3+BCrgen")))
  end)

  it("C139 knows what is not available, and for how long", function()
    assert.same({ name = false, addr = false, port = false, helo = false, login = false },
      (told("XCLIENT NAME=[UNAVAILABLE] ADDR=[unavailable] PORT=[UNAVAILABLE] " ..
        "HELO=[UNAVAILABLE] LOGIN=[UNAVAILABLE]")))
    assert.same({ name = false, temporary = true }, (told("XCLIENT NAME=[TEMPUNAVAIL]")))
    assert.is_nil((told("XCLIENT ADDR=[TEMPUNAVAIL]")))
  end)

  it("C139 refuses what is no attribute, and values that are none", function()
    for _, args in ipairs { "", "ADDR", "ADDR=", "=x", "ADDR=192.0.2", "ADDR=192.0.2.256",
      "ADDR=192.0.2.01", "ADDR=2001:db8::1", "ADDR=IPV6:192.0.2.1", "ADDR=IPV6:", "ADDR=unix",
      "ADDR=192.0.2.1 ADDR=192.0.2.2", "PORT=65536", "PORT=-1", "PORT=123456", "PORT=+2B1",
      "PROTO=LMTP", "NAME=a+20b", "NAME=[1.2.3.4]", "NAME=a+0D+0Ab", "NAME=a+00b", "NAME=a+2bb",
      "HELO=+0Ax", "HELO=+7F", "LOGIN=a+1Fb", "HELO=+FF", "LOGIN=a=b", "LOGIN=+", "IDENT=1",
      "SOURCE=LOCAL", "FOO=1",
      "DESTADDR=x", "DESTPORT=x", "NAME=" .. ("a"):rep(256),
      "ADDR=192.0.2.1 \xc3\xa9=1", "HELO=" .. ("+41"):rep(256) } do
      local event, reply = told("XCLIENT " .. args)
      assert.is_nil(event, args)
      assert.equal("501 5.5.4 Syntax error in arguments\r\n", reply, args)
    end
    assert.equal(255, #told("XCLIENT HELO=" .. ("+41"):rep(255)).helo)
    assert.equal(65535, told("XCLIENT PORT=65535  ADDR=192.0.2.1 ").port)
  end)

  it("C139 is 503 within a transaction, which goes on", function()
    local open = EHLO .. "C: MAIL FROM:<ada@code.energy>\nS: 250 2.1.0 Sender OK\n"
    local refused = "C: XCLIENT ADDR=192.0.2.1\n" .. SEQUENCE ..
      "C: XFORWARD ADDR=192.0.2.1\n" .. SEQUENCE
    local rcpt = "C: RCPT TO:<bob@example.com>\nS: 250 2.1.5 Recipient OK\n"
    play(open .. refused .. rcpt .. refused .. rcpt, with { step = 7 })
    play(EHLO:gsub("S: 250%-XCLIENT", "S: 250-CHUNKING\n%0") ..
      "C: MAIL FROM:<ada@code.energy>\nS: 250 2.1.0 Sender OK\n" .. rcpt ..
      "C: BDAT 2\nC> hi\nS: 250 2.0.0 Chunk received\n" .. refused,
      with { step = 7, config = { xclient = true, xforward = true,
        extensions = { "CHUNKING" } } })
  end)

  it("C139 begins the session anew: a greeting, and MAIL only after EHLO", function()
    local player = play(EHLO:gsub("S: 250%-XCLIENT", "S: 250-CHUNKING\n%0") ..
      "C: XCLIENT ADDR=192.0.2.1\n" .. GREETING .. "C: MAIL FROM:<ada@code.energy>\n" .. SEQUENCE ..
      "C: RCPT TO:<bob@example.com>\n" .. SEQUENCE ..
      "C: DATA\n" .. SEQUENCE ..
      "C: BDAT 2 LAST\nC> hi\n" .. SEQUENCE ..
      AGAIN:gsub("S: 250%-XCLIENT", "S: 250-CHUNKING\n%0") ..
      "C: MAIL FROM:<ada@code.energy>\nS: 250 2.1.0 Sender OK\n", with { step = 7,
        config = { xclient = true, xforward = true, extensions = { "CHUNKING" } } })
    assert.same({ "connect", "helo", "xclient", "connect", "helo", "mail" }, player:names())
  end)

  it("C139 asks for the new peer, which may be refused", function()
    play(EHLO .. "C: XCLIENT ADDR=192.0.2.1\nS: 554 no\n" ..
      "C: EHLO client.code.energy\n" .. SEQUENCE ..
      "C: XCLIENT ADDR=192.0.2.2\n" .. SEQUENCE ..
      "C: QUIT\nS: 221 2.0.0 Goodbye\nS: (closed)",
      with { step = 5, verdicts = { connect = { "accept", { "reply", 554, "no" } } } })
    play(EHLO .. "C: XCLIENT ADDR=192.0.2.1\nS: 421 later\nS: (closed)",
      with { step = 5, verdicts = { connect = { "accept", { "reply", 450, "4.7.0 later" } } } })
  end)

  it("may come again, before EHLO too, and ends a group", function()
    play(GREETING .. "C: XCLIENT ADDR=192.0.2.1\n" .. GREETING ..
      "C: XCLIENT ADDR=192.0.2.2\n" .. GREETING .. AGAIN, BOTH)
    play(EHLO .. "C: XCLIENT ADDR=192.0.2.1\nC: EHLO x\n" ..
      "S: 554 5.5.0 Please wait for replies\nS: (closed)", with { cut = false })
  end)

  it("LOGIN is who has logged in, and without it nobody has", function()
    local auth = with { step = 11, config = { xclient = true, auth = { "PLAIN" },
      auth_cleartext = true, auth_required = true } }
    local offers = EHLO:gsub("S: 250%-XCLIENT", "S: 250-AUTH PLAIN\n%0")
      :gsub("250%-XCLIENT", "250 XCLIENT"):gsub("S: 250 XFORWARD[^\n]*\n", "")
    local again = offers:gsub("^S: 220[^\n]*\n", "")
    play(offers .. "C: XCLIENT LOGIN=ada\n" .. GREETING .. again ..
      "C: AUTH PLAIN AGFkYQBi\n" .. SEQUENCE ..
      "C: MAIL FROM:<ada@code.energy>\nS: 250 2.1.0 Sender OK\n" ..
      "C: RSET\nS: 250 2.0.0 Reset\nC: XCLIENT ADDR=192.0.2.1\n" .. GREETING .. again ..
      "C: MAIL FROM:<ada@code.energy>\nS: 530 5.7.0 Authentication required\n" ..
      "C: AUTH PLAIN AGFkYQBi\nS: 235 2.7.0 Authentication succeeded\n" ..
      "C: XCLIENT LOGIN=[UNAVAILABLE]\n" .. GREETING .. again ..
      "C: MAIL FROM:<ada@code.energy>\nS: 530 5.7.0 Authentication required\n", auth)
  end)

  it("waits for TLS where that is required", function()
    play(GREETING .. "C: XCLIENT ADDR=192.0.2.1\nS: 530 5.7.0 Must issue a STARTTLS command " ..
      "first\n", with { config = { xclient = true, tls = true, tls_required = true } })
  end)
end)

describe("server: XFORWARD", function()
  it("C139 tells of whom the next message is, in as many commands as it likes", function()
    local player = play(EHLO .. [[
      C: XFORWARD NAME=spike.example ADDR=192.0.2.7 PORT=2525
      S: 250 2.0.0 OK
      C: XFORWARD PROTO=QMQP HELO=spike IDENT=4f+3D1 SOURCE=REMOTE
      S: 250 2.0.0 OK
      C: MAIL FROM:<ada@code.energy>
      S: 250 2.1.0 Sender OK
    ]], with { step = 3 })
    assert.same({ { "xforward", { name = "spike.example", addr = "192.0.2.7", port = 2525 } },
      { "xforward", { proto = "QMQP", helo = "spike", ident = "4f=1", source = "REMOTE" } } },
      player:events("xforward"))
    assert.same({}, player:events("reset"))
  end)

  it("C139 may be pipelined with MAIL", function()
    play(EHLO .. [[
      C: XFORWARD ADDR=192.0.2.7
      C: MAIL FROM:<ada@code.energy>
      S: 250 2.0.0 OK
      S: 250 2.1.0 Sender OK
    ]], BOTH)
  end)

  it("is forgotten at RSET, EHLO and STARTTLS, and told so once", function()
    local tell = "C: XFORWARD ADDR=192.0.2.7\nS: 250 2.0.0 OK\n"
    local player = play(EHLO .. tell .. "C: RSET\nS: 250 2.0.0 Reset\n" ..
      "C: RSET\nS: 250 2.0.0 Reset\n" .. tell .. AGAIN, with { step = 5 })
    assert.same({ "connect", "helo", "xforward", "reset", "xforward", "helo", "reset" },
      player:names())
    player = play(GREETING .. tell .. "C: RSET\nS: 250 2.0.0 Reset\n" .. tell ..
      "C: STARTTLS\nS: 220 2.0.0 Ready to start TLS\n",
      with { tls = {}, config = { xforward = true, tls = true } })
    assert.same({ "connect", "xforward", "reset", "xforward", "reset", "starttls" },
      player:names())
  end)

  it("is forgotten where a chunk is refused, and told so", function()
    local player = play(EHLO .. [[
      C: XFORWARD ADDR=192.0.2.7
      S: 250 2.0.0 OK
      C: BDAT 0
      S: 502 5.5.1 Command not implemented
      C: NOOP
      S: 250 2.0.0 OK
    ]], with { step = 5 })
    assert.same({ "connect", "helo", "xforward", "reset" }, player:names())
  end)

  it("does not live longer than a message", function()
    local player = play(EHLO .. [[
      C: XFORWARD ADDR=192.0.2.7
      S: 250 2.0.0 OK
      C: MAIL FROM:<ada@code.energy>
      S: 250 2.1.0 Sender OK
      C: RCPT TO:<bob@example.com>
      S: 250 2.1.5 Recipient OK
      C: DATA
      S: 354 Send the message, end with <CRLF>.<CRLF>
      C: hi
      C: .
      S: 250 2.0.0 Message accepted
      C: RSET
      S: 250 2.0.0 Reset
    ]], with { step = 5 })
    assert.same({}, player:events("reset")) -- there was nothing any more
  end)

  it("refuses what is no attribute of it", function()
    for _, args in ipairs { "", "LOGIN=ada", "DESTADDR=192.0.2.1", "SOURCE=THERE", "IDENT=",
      "IDENT=a+0D",
      "HELO=+7F", "NAME=a+09b", "PROTO=" .. ("a"):rep(65), "ADDR=::1" } do
      local event, reply = told("XFORWARD " .. args, "xforward")
      assert.is_nil(event, args)
      assert.equal("501 5.5.4 Syntax error in arguments\r\n", reply, args)
    end
    play(EHLO .. "C: XFORWARD FOO=1\n" .. SYNTAX, BOTH)
  end)
end)

describe("server: XCLIENT and memory", function()
  local SAID = { "EHLO x\r\n", "XFORWARD HELO=a+20b ADDR=192.0.2.7\r\nRSET\r\n",
    "XCLIENT NAME=a.b ADDR=IPV6:::1 LOGIN=ada\r\n" }

  it("reads no byte that it was not given", function()
    local outcome, wire, log = probe.server_session("f", "a", table.unpack(SAID))
    assert.equal("closed", outcome)
    assert.truthy(wire:find("250 2.0.0 OK\r\n250 2.0.0 Reset\r\n220 localhost", 1, true), wire)
    for _, line in ipairs { "told a b\n", "told ::1\ntold ada\n" } do
      assert.truthy(log:find(line, 1, true), log)
    end
  end)

  it("ends when an allocation fails, and frees all", function()
    local n = 0
    repeat
      n = n + 1
      probe.fail_at(n)
      local outcome = probe.server_session("f", "a", table.unpack(SAID))
      probe.fail_at()
      assert.is_true(outcome == "ENOMEM" or outcome == "closed", outcome)
      assert.equal(0, probe.live())
    until outcome == "closed"
    assert.is_true(n > 5)
  end)
end)
