-- The rules of a mock: every event, matcher, count and action, over real sockets.
local core = require "smtp.core"
local misused = require "spec.support.misuse"
local smtp = require "smtp"
local support = require "spec.support.mock"

local open, start, transaction = support.open, support.start, support.transaction

local function lines(reply) return table.concat(reply.lines, "|") end

local CONTENT = "Subject: x\r\n\r\n..dot\r\n"

describe("an event of a mock", function()
  it("may be answered in place of the server", function()
    for event, prepare in pairs {
      EHLO = function() end, HELO = function() end,
      NOOP = function() end, VRFY = function() end, RSET = function() end,
      XFOO = function() end,
      MAIL = function(d) assert(d:cmd("EHLO x", 250)) end,
      AUTH = function(d) assert(d:cmd("EHLO x", 250)) end,
      RCPT = function(d)
        assert(d:cmd("EHLO x", 250))
        assert(d:cmd("MAIL FROM:<a@b>", 250))
      end,
      DATA = function(d)
        assert(d:cmd("EHLO x", 250))
        assert(d:cmd("MAIL FROM:<a@b>", 250))
        assert(d:cmd("RCPT TO:<a@b>", 250))
      end,
      QUIT = function() end,
      STARTTLS = function() end,
    } do
      local mx <close> = start { users = "any" }
      mx:on(event):reply("452 4.9.9 one\ntwo")
      local d <close> = open(mx, false)
      prepare(d)
      local args = { EHLO = " x", HELO = " x", MAIL = " FROM:<a@b>", RCPT = " TO:<a@b>",
        AUTH = " PLAIN =", VRFY = " x" }
      local reply = assert(d:cmd(event .. (args[event] or ""), 452))
      assert.same({ "4.9.9", "one\ntwo" }, { reply.enhanced, reply.text }, event)
      assert(d:cmd("NOOP", event == "NOOP" and 452 or 250)) -- and it goes on
    end
  end)

  it("is the connection: from 500 on it stays, for QUIT alone", function()
    for code, stays in pairs { [400] = false, [459] = false, [500] = true, [559] = true } do
      local mx <close> = start()
      mx:on("connect"):reply(code .. " no")
      local d <close> = assert(smtp.dialogue(mx.url, { timeout = 5 }))
      assert(d:expect(code))
      if stays then
        assert(d:cmd("EHLO x", 503))
        assert(d:cmd("QUIT", 221))
      end
      assert.is_true(d:closed(), code)
    end
  end)

  it("is the connection, the end of the content, silence", function()
    local mx <close> = start()
    mx:on("connect", { session = 1 }):reply("554 5.3.2 not today")
    mx:on("EOM"):reply("554 5.6.0 I do not like it")
    mx:on("idle"):after(0.05):raw("421 4.4.2 asleep?\r\n"):close()
    local first <close> = assert(smtp.dialogue(mx.url, { timeout = 5 }))
    assert.equal("5.3.2 not today", lines(assert(first:expect(554))))
    local d <close> = open(mx)
    transaction(d)
    d:raw(CONTENT .. ".\r\n")
    assert(d:expect(554))
    assert.equal("4.4.2 asleep?", lines(assert(d:expect(421))))
    assert.is_true(d:closed())
    assert.equal(0, #mx:mails())
    assert.equal(CONTENT:gsub("%.%.", "."), mx:refused()[1].raw)
    assert.same({ 2, 1, 1, 1 }, { mx:count("connect"), mx:count("EOM"), mx:count("mail"),
      mx:count("RCPT") })
    misused("count needs an event", function() mx:count("") end)
  end)

  it("is told of replies that the machine still acts on", function()
    local mx <close> = start()
    mx:on("RSET"):reply("250 2.9.9 forgotten")
    mx:on("QUIT"):reply("221 2.9.9 so long")
    mx:on("MAIL"):reply("250 2.9.9 fine")
    mx:on("EHLO"):reply("250 hello\nSIZE 5")
    local d <close> = open(mx, false)
    assert.equal("hello|SIZE 5", lines(assert(d:cmd("EHLO x", 250))))
    assert.equal("2.9.9 fine", lines(assert(d:cmd("MAIL FROM:<a@b>", 250))))
    assert.equal("2.9.9 forgotten", lines(assert(d:cmd("RSET", 250))))
    assert(d:cmd("RCPT TO:<a@b>", 503)) -- so it was
    assert.equal("2.9.9 so long", lines(assert(d:cmd("QUIT", 221))))
    assert.is_true(d:closed())
  end)
end)

describe("a matcher of a mock", function()
  it("looks at sender, recipient, text, session, user and TLS", function()
    local mx <close> = start { users = { ada = "secret" }, tls = true }
    mx:on("RCPT", { to = "*@GONE.test" }):reply("550 1.1.1 to")
    mx:on("RCPT", { from = "spam*" }):reply("550 5.1.2 from")
    mx:on("MAIL", { text = "SIZE=9" }):reply("550 1.1.3 text")
    mx:on("EOM", { text = "badword" }):reply("550 1.1.4 content")
    mx:on("NOOP", { session = 2 }):reply("550 1.1.5 session")
    mx:on("VRFY", { auth = true, user = "a?a" }):reply("550 1.1.6 auth")
    mx:on("RSET", { tls = true }):reply("550 1.1.7 tls")
    mx:on("DATA", { to = "eve@*" }):reply("550 1.1.8 recipients")
    local d <close> = open(mx)
    assert(d:cmd("MAIL FROM:<a@b> SIZE=9", 550))
    assert(d:cmd("MAIL FROM:<spammer@b>", 250))
    assert(d:cmd("RCPT TO:<x@gone.test>", 550))
    assert.equal("5.1.2", assert(d:cmd("RCPT TO:<x@y>", 550)).enhanced)
    assert(d:cmd("RSET", 250))
    assert(d:cmd("MAIL FROM:<a@b>", 250))
    assert(d:cmd("RCPT TO:<x@y>", 250))
    assert(d:cmd("RCPT TO:<Eve@y>", 250))
    assert(d:cmd("DATA", 550))
    assert(d:cmd("RSET", 250))
    assert(d:cmd("NOOP", 250))
    assert(d:cmd("VRFY x", 252))
    local other <close> = open(mx)
    assert(other:cmd("NOOP", 550))
    assert(other:starttls { verify = false })
    assert(other:cmd("EHLO x", 250))
    assert(other:cmd("RSET", 550))
    assert(other:auth("PLAIN", "ada", "secret"))
    assert(other:cmd("VRFY x", 550))
    transaction(other)
    other:raw("Subject: badword\r\n\r\n.\r\n")
    assert(other:expect(550))
  end)

  it("of several rules takes the last that applies", function()
    local mx <close> = start()
    mx:on("NOOP"):reply("250 first")
    mx:on("NOOP"):reply("250 second")
    mx:on("NOOP"):nth(2):reply("250 third")
    local d <close> = open(mx)
    for _, text in ipairs { "second", "third", "second" } do
      assert.equal(text, lines(assert(d:cmd("NOOP", 250))))
    end
  end)
end)

describe("a count of a mock", function()
  local function noops(mx, n)
    local d <close> = open(mx)
    local codes = {}
    for i = 1, n do codes[i] = d:cmd("NOOP").code end
    return table.concat(codes, " ")
  end

  it("is first, nth, from, every, sequence or new", function()
    for want, set in pairs {
      ["450 450 250 250 250"] = function(rule) return rule:first(2) end,
      ["250 450 250 250 250"] = function(rule) return rule:nth(2) end,
      ["250 250 450 450 450"] = function(rule) return rule:from(3) end,
      ["250 450 250 450 250"] = function(rule) return rule:every(2) end,
    } do
      local mx <close> = start()
      set(mx:on("NOOP")):reply("450 4.0.0 no")
      assert.equal(want, noops(mx, 5))
    end
    local mx <close> = start()
    mx:on("NOOP"):sequence { "450 a", { reply = "550 b", delay = 0.001 }, "252 c" }
    assert.equal("450 550 252 252 252", noops(mx, 5))
  end)

  it("of a greylist is once for each sender and recipient", function()
    local mx <close> = start()
    mx:greylist()
    local d <close> = open(mx)
    local codes = {}
    for pair in ("ax ax ay bx ax"):gmatch("%a%a") do
      assert(d:cmd("MAIL FROM:<" .. pair:sub(1, 1) .. "@b>", 250))
      codes[#codes + 1] = d:cmd("RCPT TO:<" .. pair:sub(2) .. "@b>").code
      assert(d:cmd("RSET", 250))
    end
    assert.equal("450 250 450 450 250", table.concat(codes, " "))
  end)
end)

describe("an action of a mock", function()
  -- Seconds and pieces in which a reply comes, read without buffering.
  local function pieces(mx, line)
    local socket = require "socket"
    local tcp = assert(socket.connect(mx.host, mx.port))
    tcp:settimeout(0.2)
    tcp:receive("*l")
    local since, got = core.now(), {}
    tcp:send(line .. "\r\n")
    tcp:settimeout(0)
    local limit = since + 3
    local text = ""
    while core.now() < limit and not text:find("\n") do
      local ready = socket.select({ tcp }, nil, 1)
      if #ready == 0 then break end
      local data, why, part = tcp:receive(100)
      data = data or part
      if data ~= "" then
        got[#got + 1] = data
        text = text .. data
      end
      if why == "closed" then break end
    end
    tcp:close()
    return text, got, core.now() - since
  end

  it("delays, drips, splits and throttles a reply", function()
    if not pcall(require, "socket") then return pending("LuaSocket is not here") end
    local mx <close> = start()
    mx:on("NOOP"):delay(0.1)
    local text, got, seconds = pieces(mx, "NOOP")
    assert.same({ "250 2.0.0 OK\r\n", 1 }, { text, #got })
    assert.is_true(seconds >= 0.1)
    mx:on("NOOP"):drip(0.005)
    text, got, seconds = pieces(mx, "NOOP")
    assert.equal("250 2.0.0 OK\r\n", text)
    assert.is_true(#got >= 1 and seconds >= 0.06)
    mx:on("NOOP"):split(2, 0.05)
    text, got, seconds = pieces(mx, "NOOP")
    assert.equal("250 2.0.0 OK\r\n", text)
    assert.is_true(#got >= 1 and seconds >= 0.05)
    mx:on("NOOP"):throttle(100)
    text, got, seconds = pieces(mx, "NOOP")
    assert.same({ "250 2.0.0 OK\r\n", true }, { text, #got > 1 })
    assert.is_true(seconds >= 0.12)
  end)

  it("hangs, closes and resets", function()
    local mx <close> = start()
    mx:on("NOOP"):reply("250 bye"):close()
    mx:on("VRFY"):close()
    mx:on("RSET"):reset()
    mx:on("XHANG"):hang()
    local d <close> = open(mx)
    assert.equal("bye", lines(assert(d:cmd("NOOP", 250))))
    assert.is_true(d:closed())
    for verb in pairs { VRFY = 1, RSET = 1 } do
      local one <close> = open(mx)
      local reply, err = one:cmd(verb .. " x")
      if verb == "RSET" then reply, err = one:cmd("RSET") end
      assert.is_nil(reply and reply.code)
      assert.equal("closed", err.kind)
    end
    local hung <close> = assert(smtp.dialogue(mx.url, { timeout = 0.1 }))
    assert(hung:expect(220))
    local _, err = hung:cmd("XHANG")
    assert.equal("timeout", err.kind)
    assert(mx:wait_idle(1)) -- what hangs on purpose is at no work
    local reasons = {}
    for _, session in ipairs(mx:sessions()) do
      reasons[#reasons + 1] = tostring(session.reason)
    end
    table.sort(reasons)
    assert.matches("reset", table.concat(reasons, " "))
  end)

  it("sends raw bytes in place of a reply, and besides all replies", function()
    local mx <close> = start()
    mx:on("NOOP"):raw("250-one\r\n250 two\r\n250 three\r\n")
    mx:on("BODY"):after_bytes(5):raw("250 2.0.0 early\r\n")
    local d <close> = open(mx)
    assert(d:cmd("NOOP", 250))
    assert.equal("three", lines(assert(d:expect(250))))
    transaction(d)
    d:raw("Sub")
    d:raw("ject: x\r\n\r\n")
    assert.equal("2.0.0 early", lines(assert(d:expect(250))))
    d:raw("body\r\n.\r\n")
    assert(d:expect(250))
    assert.equal("Subject: x\r\n\r\nbody\r\n", assert(mx:wait()).raw)
  end)

  it("answers a message before its end, and not again", function()
    local mx <close> = start()
    mx:on("BODY"):first(1):reply("552 5.3.4 enough")
    mx:on("BODY"):nth(2):reply("250 2.0.0 I know it")
    local d <close> = open(mx)
    for _, code in ipairs { 552, 250, 250 } do
      transaction(d)
      if code == 552 or #mx:mails() == 0 then
        d:raw("Sub")
        assert(d:expect(code))
        d:raw("ject: x\r\n\r\n.\r\n")
      else
        d:raw("Subject: y\r\n\r\n.\r\n")
        assert(d:expect(250))
      end
    end
    assert(d:cmd("NOOP", 250))
    assert.equal("Subject: x\r\n\r\n", mx:mails()[1].raw)
    assert.equal(250, mx:mails()[1].code)
    assert.equal("y", mx:mails()[2].subject)
    assert.equal(552, mx:refused()[1].code)
    assert.equal(3, mx:count("EOM"))
  end)

  it("has its other actions where the message was answered before its end", function()
    local mx <close> = start()
    mx:on("BODY"):reply("554 5.7.1 no")
    mx:on("BODY"):after_bytes(12):reply("250 2.0.0 or yes")
    mx:on("EOM"):store():reply("450 4.0.0 never said"):close()
    local d <close> = open(mx)
    transaction(d)
    d:raw("Sub")
    assert(d:expect(554))
    d:raw("ject: x\r\n\r\n.\r\n")
    assert(d:expect(250)) -- out of step, as it was told to be
    assert.is_true(d:closed())
    local mail = assert(mx:wait())
    assert.same({ 554, true }, { mail.code, mail.stored })
  end)

  it("takes as long under TLS", function()
    local mx <close> = start { tls = true }
    mx:on("NOOP"):drip(0.002)
    mx:on("VRFY"):split(4, 0.05)
    mx:on("HELP"):throttle(1000)
    local d <close> = open(mx)
    assert(d:starttls { verify = false })
    assert(d:cmd("EHLO x", 250))
    for _, line in ipairs { "NOOP", "VRFY x", "HELP" } do assert(d:cmd(line, "2xx")) end
  end)

  it("stores and rejects", function()
    local mx <close> = start()
    mx:on("EOM"):sequence { { store = true, close = true },
      { store = true, reply = "451 4.0.0 x" }, { reject = true }, { hang = true } }
    local codes = {}
    for i = 1, 4 do
      local d <close> = open(mx)
      transaction(d)
      d:raw("Subject: " .. i .. "\r\n\r\n.\r\n")
      if i < 4 then
        local reply = d:expect { 250, 451, 554 }
        codes[i] = reply and reply.code or "none"
      end
    end
    assert(mx:wait_idle())
    assert.same({ "none", 451, 554 }, codes)
    local kept = {}
    for i, mail in ipairs(mx:mails()) do kept[i] = mail.subject end
    assert.same({ "1", "2" }, kept)
    assert.equal("3", mx:refused()[1].subject)
    mx:on("RCPT"):reject()
    local d <close> = open(mx)
    assert(d:cmd("MAIL FROM:<a@b>", 250))
    assert(d:cmd("RCPT TO:<a@b>", 550))
  end)

  it("slows the reading of a body", function()
    local mx <close> = start()
    mx:on("BODY"):throttle(2000000)
    local since = core.now()
    assert(smtp.send(mx.url, { from = "a@b.example", to = "c@d.example",
      attachments = { { content = ("x"):rep(400000) } } }))
    assert.is_true(core.now() - since > 0.2)
  end)

  it("is of a chunk, too", function()
    local mx <close> = start { extensions = { "CHUNKING", "DSN" } }
    mx:on("BDAT"):nth(2):reply("452 4.3.1 full")
    local d <close> = open(mx)
    local function begin()
      assert(d:cmd("MAIL FROM:<a@b> RET=HDRS", 250))
      assert(d:cmd("RCPT TO:<c@d>", 250))
    end
    begin()
    d:raw("BDAT 3\r\na\r\n")
    assert(d:expect(250))
    d:raw("BDAT 3 LAST\r\n.\r\n")
    assert(d:expect(250))
    begin()
    d:raw("BDAT 3\r\na\r\nBDAT 3\r\na\r\n")
    assert(d:expect(452))
    assert(d:expect(503)) -- it was under way already
    assert(d:cmd("NOOP", 250))
    mx:on("DATA"):reply("554 5.7.1 no")
    begin()
    d:raw("BDAT 6 LAST\r\nQUIT\r\n")
    assert(d:expect(554))
    assert(d:cmd("NOOP", 250))
    assert.equal("a\r\n.\r\n", mx:mails()[1].raw)
    assert.same({ 1, 2 }, { #mx:mails(), mx:count("BDAT") })
    for _, one in ipairs(mx:violations()) do assert.matches("^missing", one.rule) end
  end)

  it("speaks in place of a handshake, whatever the client has said", function()
    local mx <close> = start { tls = "implicit" }
    mx:on("handshake"):delay(0.05):raw("220 noise\r\n"):close()
    local d <close> = assert(smtp.dialogue("127.0.0.1:" .. mx.port, { timeout = 5 }))
    d:raw("\22\3\1\0\5hello")
    assert.equal("noise", lines(assert(d:expect(220))))
    assert.is_true(d:closed())
  end)

  it("holds for a session that is there already", function()
    local mx <close> = start()
    local d <close> = open(mx)
    mx:on("idle"):after(0.02):raw("421 4.4.2 idle\r\n"):close()
    assert(d:expect(421))
    assert.is_true(d:closed())
  end)

  it("sees of AUTH with a response that there is one", function()
    local mx <close> = start { users = "any" }
    mx:on("AUTH", { text = "PLAIN ***" }):reply("235 2.7.0 well\ncome in")
    local d <close> = open(mx)
    assert.equal("2.7.0 well|come in",
      lines(assert(d:cmd("AUTH PLAIN AGFkYQBzZWNyZXQ=", 235))):gsub("|2.7.0 ", "|"))
    assert.matches("C: AUTH PLAIN %*%*%*\n", mx:transcript())
    assert.not_matches("AGFk", mx:transcript())
    assert.equal("ada", mx:sessions()[1].user)
  end)

  it("is a function where the loop drives", function()
    local mx <close> = start { driver = "loop" }
    local seen
    mx:on("RCPT"):reply(function(facts)
      seen = facts
      if facts.to[1] == "no@example.org" then return "550 5.1.1 not " .. facts.from end
    end)
    mx:on("VRFY"):reply(function() error("broken") end)
    local d <close> = open(mx)
    assert(d:cmd("MAIL FROM:<ada@code.energy>", 250))
    assert(d:cmd("RCPT TO:<yes@example.org>", 250))
    assert.equal("not ada@code.energy", assert(d:cmd("RCPT TO:<no@example.org>", 550)).text)
    assert.equal("RCPT", seen.event)
    assert(d:cmd("VRFY x", 451))
    mx:on("NOOP"):reply(function() return 450, "4.0.0 not now" end)
    assert.equal("not now", assert(d:cmd("NOOP", 450)).text)
    mx:on("HELP"):reply(function() return false end)
    assert(d:cmd("HELP", 451))
    local failures = {}
    for _, one in ipairs(mx:violations()) do failures[#failures + 1] = tostring(one) end
    assert.matches("the function of a rule failed %(the test%): VRFY: .*broken\n"
      .. ".*HELP: it gave a boolean, which is no reply$", table.concat(failures, "\n"))
    local threaded <close> = start()
    misused("the thread has no Lua", function() threaded:on("RCPT"):reply(print) end)
  end)
end)
