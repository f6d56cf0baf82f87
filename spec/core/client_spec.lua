-- The core client, driven in memory.
local core = require "smtp.core"
local client_player = require "spec.support.client_player"

-- An `it` whose transcript is played in every cut.
local function plays(name, script, config)
  it(name, function() client_player.each_cut(config or {}, script) end)
end

local function busy(t, line)
  assert.equal("busy", (select(3, t:submit(line))))
end

local function state(t, line)
  assert.equal("state", (select(3, t:submit(line))))
end

describe("the core client", function()
  plays("takes a mail through, one command at a time", function(t)
    assert.equal("greeting", t.client:awaits())
    t:begin()
    assert.is_true(t.client:usable())
    t:say("MAIL FROM:<ada@a.example>")
    assert.equal("mail", t.client:awaits())
    assert.equal("mail 250 ok", t:hear("250 ok\r\n"))
    t:say("RCPT TO:<bob@b.example>")
    assert.equal("rcpt 250 ok", t:hear("250 ok\r\n"))
    t:say("RCPT TO:<eve@b.example>")
    assert.equal("rcpt 550 who", t:hear("550 who\r\n"))
    t:say("DATA")
    assert.equal("data 354 go", t:hear("354 go\r\n"))
    assert.is_false(t.client:usable())
    assert.equal(2, t.client:body("hi"))
    assert.is_true(t.client:finish())
    assert.equal("hi\r\n.\r\n", t:wrote())
    assert.equal("final", t.client:awaits())
    assert.equal("final 250 queued", t:hear("250 queued\r\n"))
    assert.is_true(t.client:usable())
    t:say("QUIT")
    assert.equal("quit 221 bye", t:hear("221 bye\r\n"))
    assert.is_false(t.client:usable())
    assert.equal("closed: the server closed the connection", t:eof())
  end)

  plays("says nothing before the greeting", function(t)
    state(t, "EHLO me")
    assert.equal("", t:wrote())
    assert.equal("greeting 220 mx", t:hear("220 mx\r\n"))
    assert.is_true(t.client:usable())
  end)

  plays("wants EHLO before MAIL", function(t)
    t:hear("220 mx\r\n")
    assert.equal("state", (select(3, t.client:submit_path("MAIL", "a@b"))))
    t:say("NOOP")
    assert.equal("command 250", t:hear("250\r\n"))
    assert.equal("state", (select(3, t.client:submit_path("MAIL", "a@b"))))
  end)

  plays("C002 stays able to say HELO after a refused EHLO, and learns nothing of it", function(t)
    t:hear("220 mx\r\n")
    t:say("EHLO me")
    assert.equal("ehlo 502 what", t:hear("502 what\r\n"))
    t:say("HELO me")
    assert.equal("ehlo 250 mx\nPIPELINING", t:hear("250-mx\r\n250 PIPELINING\r\n"))
    t:say("MAIL FROM:<a@b>")
    assert.equal("busy", (select(3, t.client:submit_path("RCPT", "c@d"))))
  end)

  plays("forgets what was offered at a new EHLO, and drops the transaction", function(t)
    t:begin("PIPELINING", "ENHANCEDSTATUSCODES")
    t:say("MAIL FROM:<a@b>", "RCPT TO:<c@d>")
    assert.equal("mail 250 2.1.0 ok | rcpt 250 2.1.5 ok",
      t:hear("250 2.1.0 ok\r\n250 2.1.5 ok\r\n"))
    t:say("EHLO me")
    assert.equal("ehlo 250 mx", t:hear("250 mx\r\n"))
    state(t, "DATA")
    t:say("MAIL FROM:<a@b>")
    busy(t, "RSET")
    assert.equal("mail 250 2.1.0 ok", t:hear("250 2.1.0 ok\r\n"))
    assert.equal("rset", (function() t:say("RSET") return t.client:awaits() end)())
  end)

  plays("C017 says QUIT only when nothing is outstanding", function(t)
    t:begin("PIPELINING")
    t:say("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA")
    busy(t, "QUIT")
    t:hear("250\r\n250\r\n354\r\n")
    state(t, "QUIT")
    t.client:finish()
    busy(t, "QUIT")
    assert.equal("\r\n.\r\n", "\r\n" .. t:wrote())
    busy(t, "QUIT")
    assert.equal("final 250", t:hear("250\r\n"))
    t:say("QUIT")
  end)

  plays("C018 decides by the first digit and needs no text", function(t)
    t:begin()
    t:say("MAIL FROM:<a@b>")
    assert.equal("mail 259", t:hear("259\r\n"))
    t:say("RCPT TO:<c@d>")
    assert.equal("rcpt 259", t:hear("259\r\n"))
    t:say("RCPT TO:<c@e>")
    assert.equal("rcpt 231 Straße", t:hear("231 Straße\r\n"))
    t:say("DATA")
    assert.equal("data 359", t:hear("359 \r\n"))
    t.client:finish()
    t:wrote()
    assert.equal("final 200 x", t:hear("200 x\r\n"))
    assert.is_true(t.client:usable())
  end)

  plays("C019 wants one code on all lines", function(t)
    t:hear("220 mx\r\n")
    t:say("EHLO me")
    assert.equal("protocol: reply code differs between lines",
      t:hear("250-mx\r\n251 PIPELINING\r\n"))
    local _, why, kind, _, said = t.client:next()
    assert.same({ "protocol", "reply code differs between lines" }, { kind, why })
    assert.same({ code = 250, text = "mx\nPIPELINING", lines = { "mx", "PIPELINING" } }, said)
  end)

  for _, wire in ipairs { "421 bye\r\n", "421\r\n" } do
    plays("C020 takes a 421 to any command: " .. #wire, function(t)
      local text = wire:gsub("\r\n", "")
      for _, line in ipairs { "EHLO me", "NOOP", "RSET", "VRFY x", "MAIL FROM:<a@b>" } do
        local one = core.client()
        one:feed("220 x\r\n")
        one:next()
        if line:find("^MAIL") then
          one:submit("HELO", "me")
          one:sent(#one:peek())
          one:feed("250 x\r\n")
          one:next()
          assert(one:submit_path("MAIL", "a@b"))
        else
          assert(one:submit(line:match("^(%S+) ?(.*)$")))
        end
        one:sent(#one:peek())
        one:feed(wire)
        local step, reply = one:next()
        assert.not_equal("unasked", step)
        assert.equal(421, reply.code)
        assert.is_false(one:usable())
        one:close()
      end
      assert.equal("greeting " .. text, t:hear(wire))
      assert.is_false(t.client:usable())
      state(t, "QUIT")
    end)
  end

  plays("C020 takes one 421 that nothing asked for, and no second one", function(t)
    t:begin()
    assert.equal("unasked 421 idle", t:hear("421 idle\r\n"))
    assert.is_false(t.client:usable())
    state(t, "NOOP")
    assert.equal("protocol: a reply that no command asked for", t:hear("421 idle\r\n"))
  end)

  plays("has no use for any other reply that nothing asked for", function(t)
    t:begin()
    assert.equal("protocol: a reply that no command asked for", t:hear("250 ok\r\n"))
    assert.is_false(t.client:usable())
    assert.is_falsy(t:submit("NOOP"))
  end)

  plays("sees a reply behind the asked one", function(t)
    t:begin()
    t:say("NOOP")
    t:stray("250 ok\r\n250 more\r\n", { "command 250 ok" }, "that no command asked for")
  end)

  plays("sees a reply that comes before its command was written", function(t)
    t:begin("PIPELINING")
    t.client:submit_path("MAIL", "a@b")
    t.client:submit_path("RCPT", "c@d")
    t.client:sent(#"MAIL FROM:<a@b>\r\n")
    t:stray("250\r\n250\r\n", { "mail 250" }, "to a command that was not sent yet")
  end)

  plays("does not mind a 421 then", function(t)
    t:begin("PIPELINING")
    t.client:submit_path("MAIL", "a@b")
    t.client:sent(3)
    assert.equal("unasked 421 down", t:hear("421 down\r\n"))
    assert.is_false(t.client:usable())
  end)

  plays("C032 gives DATA only after a RCPT", function(t)
    t:begin("PIPELINING")
    state(t, "DATA")
    t:say("MAIL FROM:<a@b>")
    busy(t, "DATA")
    t:hear("250\r\n")
    state(t, "DATA")
    t:say("RCPT TO:<c@d>", "DATA")
  end)

  plays("C053 reads enhanced codes only where they were offered", function(t)
    t:begin()
    t:say("MAIL FROM:<a@b>")
    assert.equal("mail 550 5.7.1 no", t:hear("550 5.7.1 no\r\n"))
    t:say("NOOP")
    t.client:feed("250 2.0.0 ok\r\n")
    local _, reply = t.client:next()
    assert.is_nil(reply.enhanced)
    assert.equal("2.0.0 ok", reply.text)
  end)

  it("C053 keeps odd enhanced codes raw", function()
    local cases = {
      { "550 5.7.1 no", "5.7.1", "no" }, { "550 5.7.2", "5.7.2", "" },
      { "550 5.7.2.1 no", nil, "5.7.2.1 no" }, { "550 5.1000.1 no", nil, "5.1000.1 no" },
      { "550 4.7.1 no", nil, "4.7.1 no" }, { "450 4.7.1 no", "4.7.1", "no" },
      { "550 no", nil, "no" },
    }
    for _, case in ipairs(cases) do
      client_player.each_cut({}, function(t)
        t:begin("ENHANCEDSTATUSCODES")
        t:say("NOOP")
        t.client:feed(case[1] .. "\r\n")
        local _, reply = t.client:next()
        assert.same({ case[2] or false, case[3] }, { reply.enhanced or false, reply.text })
        assert.same({ case[1]:sub(5) }, reply.lines)
      end)
    end
  end)
end)

describe("the core client and broken replies", function()
  local function breaks(name, wire, sentence)
    plays(name, function(t)
      t:hear("220 mx\r\n")
      t:say("EHLO me")
      assert.equal("protocol: " .. sentence, t:hear(wire))
      assert.is_false(t.client:usable())
      assert.is_falsy(t:submit("NOOP"))
      assert.same({ nil, sentence, "protocol" }, { t.client:next() })
    end)
  end

  breaks("end at a NUL", "250 a\0b\r\n", "NUL in reply")
  breaks("end at a bad fourth byte", "250+ok\r\n", "no space or hyphen behind the reply code")
  breaks("end at a code below 200", "199 ok\r\n", "not an SMTP reply")
  breaks("end at a code above 559", "560 ok\r\n", "not an SMTP reply")
  breaks("end at a code of two digits", "25 ok\r\n", "not an SMTP reply")
  breaks("end at a line that is no reply", "HTTP/1.1 400 Bad Request\r\n", "not an SMTP reply")
  breaks("end at a bare LF", "250 ok\n", "reply line does not end with CRLF")
  breaks("end at a bare CR", "250 o\rk\r\n", "bare CR in reply")
  breaks("end at an empty line", "\r\n", "not an SMTP reply")

  it("take a line of 2048 bytes and not of 2049", function()
    local function line(n) return "250 " .. ("x"):rep(n - 6) .. "\r\n" end
    client_player.each_cut({}, function(t)
      t:hear("220 mx\r\n")
      t:say("EHLO me")
      assert.equal("ehlo 250 " .. ("x"):rep(2042), t:hear(line(2048)))
      t:say("NOOP")
      assert.equal("protocol: reply line too long", t:hear(line(2049)))
    end)
  end)

  it("are waited for alone where nothing is to be written", function()
    local one = core.client()
    assert.equal("r", one:events())
    one:feed("220 mx\r\n")
    one:next()
    assert.equal("r", one:events())
    one:submit("EHLO", "me")
    assert.equal("rw", one:events())
    one:sent(#one:peek() - 1)
    assert.equal("rw", one:events())
    one:sent(1)
    assert.equal("r", one:events())
  end)

  it("end at a line that never ends", function()
    local one = core.client()
    one:feed(("x"):rep(2047))
    assert.is_nil((one:next()))
    one:feed("x")
    assert.same({ nil, "reply line too long", "protocol" }, { one:next() })
  end)

  it("take 128 lines and not 129", function()
    for _, case in ipairs { { 127, true }, { 128, true }, { 129, false } } do
      local one = core.client()
      one:feed(("220-x\r\n"):rep(case[1] - 1) .. "220 x\r\n")
      local step, _, word = one:next()
      assert.equal(case[2] and "greeting" or nil, step)
      if not step then assert.equal("protocol", word) end
    end
  end)

  it("take 64 KiB and no more", function()
    local line = "220-" .. ("x"):rep(1018) .. "\r\n" -- 1024 bytes
    for extra, ok in pairs { [0] = true, [1] = false } do
      local one = core.client()
      one:feed(line:rep(63) .. "220 " .. ("x"):rep(1018 + extra) .. "\r\n")
      assert.equal(ok and "greeting" or nil, (one:next()))
    end
  end)

  plays("tell an end of stream inside a reply", function(t)
    assert.equal("", t:hear("220-mx\r\n220"))
    assert.equal("closed: the server closed the connection", t:eof())
    assert.is_false(t.client:usable())
  end)

  plays("give what came before the end of the stream first", function(t)
    t.client:feed("421 bye\r\n")
    t.client:eof()
    t.events = {}
    t:drain()
    assert.same({ "greeting 421 bye", "closed: the server closed the connection" }, t.events)
  end)
end)

describe("the core client's writer", function()
  local function ready()
    local one = core.client()
    one:feed("220 x\r\n")
    one:next()
    one:submit("HELO", "me")
    one:sent(#one:peek())
    one:feed("250 x\r\n")
    one:next()
    return one
  end

  it("refuses each byte that may not be in a command, and queues nothing", function()
    for c = 0, 255 do
      local one, char = ready(), string.char(c)
      local bad = c < 0x20 or c >= 0x7f
      local ok, _, word = one:submit("VRFY", "a" .. char .. "b")
      assert.equal(bad and "invalid" or true, ok or word)
      assert.equal(bad and "" or "VRFY a" .. char .. "b\r\n", one:peek())
      assert.equal(bad and 0 or 1, one:outstanding())
      if bad then
        assert.equal("invalid", (select(3, one:submit("NOOP" .. char))))
        assert.equal("invalid", (select(3, one:submit_path("MAIL", "a" .. char .. "b@c.example"))))
        assert.equal("invalid", (select(3, one:submit_path("MAIL", "a@c.example",
          { "SIZE", "1" .. char }))))
        assert.equal("invalid", (select(3, one:submit_path("MAIL", "a@c.example",
          { "BO" .. char, "1" }))))
        assert.equal("", one:peek())
      end
      one:close()
    end
  end)

  it("refuses verbs that are none", function()
    for _, name in ipairs { "", " ", "NOOP ", "MA:IL", "A\tB", "ÄÖ" } do
      local one = ready()
      assert.equal("invalid", (select(3, one:submit(name))))
    end
  end)

  it("refuses a command beyond 2048 bytes", function()
    for n = 2040, 2044 do -- "VRFY ", the text and CRLF
      local one, ok = ready(), n + 7 <= 2048
      assert.equal(ok or nil, (one:submit("VRFY", ("x"):rep(n))))
      assert.equal(ok and n + 7 or 0, one:pending())
    end
    assert.equal("invalid", (select(3, ready():submit(("X"):rep(5000)))))
    assert.equal("invalid", (select(3, ready():submit("VRFY", ("x"):rep(600000)))))
  end)

  it("C005 writes strict paths: no space, always quoted where needed", function()
    local cases = {
      { "MAIL", "", "MAIL FROM:<>" }, { "MAIL", "a@b.example", "MAIL FROM:<a@b.example>" },
      { "RCPT", "postmaster", "RCPT TO:<postmaster>" },
      { "RCPT", '"a b"@c.example', 'RCPT TO:<"a b"@c.example>' },
      { "RCPT", '"ab"@c.example', "RCPT TO:<ab@c.example>" },
      { "RCPT", "a@[127.0.0.1]", "RCPT TO:<a@[127.0.0.1]>" },
    }
    for _, case in ipairs(cases) do
      local one = ready()
      if case[1] == "RCPT" then
        one:submit_path("MAIL", "")
        one:sent(#one:peek())
        one:feed("250 x\r\n")
        one:next()
      end
      assert.is_true(one:submit_path(case[1], case[2]))
      assert.equal(case[3] .. "\r\n", one:peek())
    end
  end)

  it("refuses a null forward-path and a bare postmaster as sender", function()
    local one = ready()
    assert.equal("invalid", (select(3, one:submit_path("MAIL", "postmaster"))))
    assert.equal("invalid", (select(3, one:submit_path("RCPT", ""))))
    assert.is_true(one:submit_path("MAIL", ""))
  end)

  it("refuses mailboxes that are none", function()
    for _, text in ipairs { "a", "a@", "@b", "a b@c", "a@b c", "<a@b>", "a@b>", "a@b> SIZE=1",
      "a@-b", ("x"):rep(65) .. "@b", "a..b@c", ".a@b", "a@[1.2.3]" } do
      local one = ready()
      assert.equal("invalid", (select(3, one:submit_path("MAIL", text))), text)
      assert.equal("", one:peek())
    end
  end)

  it("writes parameters in order, and keys without a value", function()
    local one = ready()
    assert.is_true(one:submit_path("MAIL", "a@b", { "SIZE", "10", "SMTPUTF8", true }))
    assert.equal("MAIL FROM:<a@b> SIZE=10 SMTPUTF8\r\n", one:peek())
  end)

  it("is closed for good once closed", function()
    local one = ready()
    one:close()
    one:close()
    assert.is_false(one:usable())
    for _, method in ipairs { "next", "peek", "submit", "outstanding", "finish", "step" } do
      assert.error_matches(function() one[method](one, "NOOP") end, "connection is closed")
    end
  end)
end)
