-- client:send_all: many messages in few flights, each reply with the message it is for; and
-- what the client does about LIMITS (RFC 9422).
local loop = require "smtp.loop"
local scripted = require "spec.support.scripted"
local smtp = require "smtp"

local script, hello = scripted.script, scripted.hello

local function message(raw, to)
  return { envelope = { from = "ada@a.example", to = to or "bob@b.example" }, raw = raw }
end

local function numbered(n, size)
  local list = {}
  for i = 1, n do list[i] = message(("%d %s\r\n"):format(i, ("x"):rep(size or 0))) end
  return list
end

-- A step that reads n bytes.
local function bytes(n)
  return function(connection)
    while #connection.buffer < n do
      if not connection:fill() then return end
    end
    connection.buffer = connection.buffer:sub(n + 1)
  end
end

-- All results: receipts and errors, by number.
local function results(client, messages, options)
  local all, n = {}, 0
  for i, receipt, err, sent in client:send_all(messages, options) do
    n = n + 1
    assert.equal(n, i)
    all[i] = { receipt = receipt, err = err, message = sent }
  end
  return all
end

local function keeper(options)
  local kept = {}
  local all = { listen = "127.0.0.1:0", on_message = function(session, m)
    kept[#kept + 1] = { from = session.sender.address, content = m:read(), n = #m.recipients }
    return true
  end }
  for key, value in pairs(options or {}) do all[key] = value end
  local server = assert(smtp.server(all))
  return server, kept
end

local function connect(server, target)
  target = target or {}
  target.url = server.url or "smtp://127.0.0.1:" .. server.port
  return assert(smtp.connect(target))
end

describe("send_all", function()
  for name, disable in pairs { ["chunks"] = {}, ["PIPELINING alone"] = { CHUNKING = true },
    ["one command at a time"] = { CHUNKING = true, PIPELINING = true } } do
    it("sends all in order with " .. name, function()
      local server <close>, kept = keeper()
      local client <close> = connect(server, { disable = disable })
      local all = results(client, numbered(300))
      assert.equal(300, #all)
      for i, one in ipairs(all) do
        assert.is_nil(one.err)
        assert.same({ "bob@b.example" }, one.receipt.accepted)
        assert.equal(i .. " \r\n", kept[i].content)
      end
      assert.is_true(client:usable())
      assert(client:send(message("after\r\n")))
      assert.equal(301, #kept)
    end)
  end

  it("puts the next envelope behind the final dot", function()
    local server <close> = scripted.server(script(hello("PIPELINING"), "C MAIL", "C RCPT", "C DATA",
      "S 250 a", "S 250 b", "S 354 c", "BODY", "C MAIL", "C RCPT", "C DATA",
      { raw = "250 one\r\n250 a\r\n250 b\r\n354 c\r\n" }, "BODY", "S 452 two"))
    local client <close> = connect(server)
    local all = results(client, numbered(2))
    assert.is_nil(server:done())
    assert.equal("one", all[1].receipt.text)
    local err = all[2].err
    assert.same({ "rejected", "final", 452 }, { err.kind, err.stage, err.code })
    assert.equal("1 \r\n.\r\nMAIL FROM:<ada@a.example>\r\nRCPT TO:<bob@b.example>\r\nDATA\r\n",
      server.segments[3])
  end)

  it("puts whole messages behind each other, with RSET between them", function()
    local server <close> = scripted.server(script(hello("PIPELINING", "CHUNKING"), "C MAIL",
      "C RCPT", "C BDAT 4 LAST", bytes(4), "C RSET", "C MAIL", "C RCPT", "C BDAT 4 LAST", bytes(4),
      "C RSET", "C MAIL", "C RCPT", "C BDAT 4 LAST", bytes(4),
      { raw = "250 a\r\n550 b\r\n503 c\r\n250 r\r\n250 a\r\n250 b\r\n250 two\r\n250 r\r\n"
        .. "452 a\r\n503 b\r\n503 c\r\n" }))
    local client <close> = connect(server)
    local all = results(client, numbered(3))
    assert.is_nil(server:done())
    assert.same({ "rcpt", 550 }, { all[1].err.stage, all[1].err.code })
    assert.equal("two", all[2].receipt.text)
    assert.same({ "mail", 452 }, { all[3].err.stage, all[3].err.code })
    assert.is_true(client:usable())
  end)

  it("keeps to its windows of messages and bytes", function()
    for _, case in ipairs { { { window = 3 }, 0, 3 }, { { window_bytes = 2500 }, 1000, 3 },
      { { window_bytes = "2K", window = 50 }, 3000, 1 } } do
      local most, begun, done = 0, 0, 0
      local server <close> = keeper()
      local client <close> = connect(server)
      local list = numbered(20, case[2])
      for _ in client:send_all(function()
        begun = begun + 1
        most = math.max(most, begun - done)
        return list[begun]
      end, case[1]) do done = done + 1 end
      assert.equal(20, done)
      assert.equal(case[3], most)
    end
  end)

  it("sends what it has before it waits for the next message", function()
    local server <close>, kept = keeper()
    local client <close> = connect(server)
    local n = 0
    for i, receipt in client:send_all(function()
      n = n + 1
      if n == 2 then
        local limit = smtp.loop.now() + 5
        while #kept == 0 and smtp.loop.now() < limit do loop.sleep(0.001) end
        assert.equal(1, #kept)
      end
      return n < 3 and message(n .. "\r\n") or nil
    end) do assert(receipt, i) end
    assert.equal(2, #kept)
  end)

  it("goes on after messages that cannot be sent", function()
    local server <close>, kept = keeper { limits = { message_size = 1000 } }
    local client <close> = connect(server)
    local list = { message("1\r\n"), message(("x"):rep(2000)), message("3\r\n", "no address"),
      message(function() error("broken") end), { from = "a@b.example", text = "x" },
      message("6\r\n") }
    local all = results(client, list)
    assert.is_nil(all[1].err)
    assert.equal("too_big", all[2].err.kind)
    assert.equal("invalid", all[3].err.kind)
    assert.same({ "source", "not_sent" }, { all[4].err.kind, all[4].err.outcome })
    assert.equal("invalid", all[5].err.kind)
    assert.same({ "bob@b.example" }, all[6].receipt.accepted)
    assert.equal(2, #kept)
    assert.equal(list[6], all[6].message)
  end)

  it("tells of each message what is known when the connection dies", function()
    local server <close> = scripted.server(script(hello("PIPELINING", "CHUNKING"), "C MAIL",
      "C RCPT", "C BDAT", bytes(4), "C RSET", "C MAIL", "C RCPT", "C BDAT", bytes(4), "C RSET",
      { raw = "250 a\r\n250 b\r\n250 one\r\n" }, "CLOSE"))
    local client <close> = connect(server)
    local all = results(client, numbered(6), { window = 3 })
    assert.equal(6, #all)
    assert.equal("one", all[1].receipt.text)
    assert.same({ "closed", "unknown" }, { all[2].err.kind, all[2].err.outcome })
    assert.same({ "closed", "unknown" }, { all[3].err.kind, all[3].err.outcome })
    assert.same({ "closed", "not_sent" }, { all[6].err.kind, all[6].err.outcome })
    assert.is_false(client:usable())
  end)

  it("knows that nothing behind a 421 was taken", function()
    for _, replies in ipairs { "250 a\r\n421 no more\r\n", "250 a\r\n250 b\r\n421 no more\r\n" } do
      local server <close> = scripted.server(script(hello("PIPELINING", "CHUNKING"), "C MAIL",
        { raw = replies }, "CLOSE"))
      local client <close> = connect(server)
      for i, one in ipairs(results(client, numbered(3))) do
        assert.is_nil(one.receipt)
        assert.equal("not_sent", one.err.outcome, i)
      end
    end
  end)

  it("has what was sent answered when the loop is left", function()
    local server <close>, kept = keeper()
    local client <close> = connect(server)
    for i in client:send_all(numbered(50)) do
      if i == 2 then break end
    end
    assert.equal(50, #kept)
    assert(client:send(message("after\r\n")))
  end)

  it("lets nothing else be said in its loop", function()
    local server <close> = keeper()
    local client <close> = connect(server)
    assert.error_matches(function()
      for _ in client:send_all(numbered(3)) do client:noop() end
    end, "within another call")
    assert.is_false(client:usable()) -- the error left its loop
    assert.error_matches(function() client:send_all(numbered(1)) end, "closed")
    local other <close> = connect(server)
    assert.error_matches(function() other:send_all(5) end, "a list of messages")
    assert.error_matches(function() other:send_all({}, { ahead = 1 }) end, "unknown option")
    assert.same({}, results(other, {}))
  end)

  it("lets nothing be said in the last turn of its loop either, and all behind it", function()
    local server <close> = keeper()
    for n = 1, 3 do
      local client <close> = connect(server)
      assert.error_matches(function()
        for i in client:send_all(numbered(n)) do
          if i == n then client:noop() end
        end
      end, "within another call")
      local other <close> = connect(server)
      assert.equal(n, #results(other, numbered(n)))
      assert.is_true(other:usable())
      assert(other:noop())
    end
  end)

  it("ends at its deadline", function()
    local server <close> = scripted.server(script(hello("PIPELINING", "CHUNKING"), "C MAIL",
      "STOP"))
    local client <close> = connect(server)
    local all = results(client, numbered(2), { deadline = 0.05 })
    assert.same({ "timeout", "timeout" }, { all[1].err.kind, all[2].err.kind })
  end)

  it("sends large messages among small ones", function()
    local server <close>, kept = keeper()
    local client <close> = connect(server)
    local list = numbered(9)
    list[4] = message(("y"):rep(62) .. "\r\n")
    list[4].raw = list[4].raw:rep(5000)
    for i, one in ipairs(results(client, list)) do
      assert.is_nil(one.err, i)
      assert.is_true(kept[i].content == list[i].raw)
    end
  end)
end)

describe("LIMITS", function()
  local function hundred(n)
    local to = {}
    for i = 1, n do to[i] = ("r%d@d%d.example"):format(i, i % 3) end
    return to
  end

  it("C119 RCPTMAX parts the recipients among transactions", function()
    local server <close>, kept = keeper { limits = { recipients = 40 } }
    local client <close> = connect(server)
    local receipt = assert(client:send(message("x\r\n", hundred(100))))
    assert.equal(100, #receipt.accepted)
    assert.same({}, receipt.rejected)
    assert.same({ 40, 40, 20 }, { kept[1].n, kept[2].n, kept[3].n })
    local n = 0
    receipt = assert(client:send(message(function()
      n = n + 1
      return n == 1 and "once\r\n" or nil
    end, hundred(50))))
    assert.equal(50, #receipt.accepted)
    assert.same({ "once\r\n", "once\r\n" }, { kept[4].content, kept[5].content })
  end)

  it("C119 parts recipients of what can be read once, however it is told", function()
    local server <close>, kept = keeper { limits = { recipients = 40 } }
    local client <close> = connect(server)
    local function once(text)
      local given = false
      return function()
        if given then return nil end
        given = true
        return text
      end
    end
    local read = once("once\r\n")
    local record = { from = "ada@a.example", to = hundred(50), text = "x",
      attachments = { { name = "a.bin", source = once("1234") } } }
    for _, content in ipairs { { envelope = message("", hundred(50)).envelope,
      chunks = function() return read end }, record } do
      assert.equal(50, #assert(client:send(content)).accepted)
      assert.equal(kept[#kept - 1].content, kept[#kept].content)
      assert.is_true(#kept[#kept].content > 0)
    end
    assert.matches("MTIzNA==", kept[#kept].content)
  end)

  it("C119 MAILMAX makes another session", function()
    local server <close>, kept = keeper { limits = { messages = 4 } }
    for _, disable in ipairs { {}, { CHUNKING = true } } do
      local client <close> = connect(server, { disable = disable })
      local before = server:stats().accepted
      for i, one in ipairs(results(client, numbered(10))) do assert.is_nil(one.err, i) end
      assert.equal(before + 2, server:stats().accepted)
      client:quit()
    end
    assert.equal(20, #kept)
  end)

  it("C119 RCPTDOMAINMAX counts domains of the session", function()
    local function session(domain, more)
      return script(hello("LIMITS RCPTDOMAINMAX=1"), "* MAIL", "* RCPT TO:<a@" .. domain,
        "C DATA", "S 354 go", "BODY", "S 250 kept", more or {}, "C QUIT", "S 221 bye")
    end
    local again = script("* MAIL", "* RCPT TO:<b@ONE.example", "C DATA", "S 354 go", "BODY",
      "S 250 kept")
    local server <close> = scripted.server { session("one.example"), session("two.example"),
      session("one.example", again) }
    local client <close> = connect(server)
    local receipt = assert(client:send(message("x\r\n", { "a@one.example", "a@two.example" })))
    assert.equal(2, #receipt.accepted)
    assert(client:send(message("y\r\n", "a@one.example")))
    assert(client:send(message("y\r\n", "b@ONE.example")))
    client:quit()
    assert.is_nil(server:done())
  end)

  it("C120 ignores what is unknown or malformed", function()
    local parse = require("smtp.client.limits").parse
    assert.same({ RCPTMAX = 5 }, parse("FOO=1 RCPTMAX=5 BAR MAILMAX=0 RCPTDOMAINMAX=-1"))
    assert.same({ MAILMAX = 999999 }, parse("mailmax=999999 RCPTMAX=1000000 RCPTMAX="))
    assert.same({}, parse("RCPTMAX=5x RCPTMAX=0x10 MAILMAX"))
    assert.same({}, parse(true))
    local server <close> = scripted.server(script(hello("LIMITS RCPTMAX=none MAILMAX"), "* MAIL",
      "* RCPT", "* RCPT", "C DATA", "S 354 go", "BODY", "S 250 kept", "C QUIT", "S 221 bye"))
    assert(smtp.send(server.url, message("x\r\n", hundred(2))))
    assert.is_nil(server:done())
  end)

  it("C121 are those of the last EHLO, not of one before STARTTLS", function()
    local identity = require("smtp.authority").self_signed()
    local server <close> = scripted.server(script("S 220 mx", "C EHLO", "S 250-mx",
      "S 250-STARTTLS", "S 250 LIMITS RCPTMAX=1", "C STARTTLS", "S 220 go", scripted.tls(identity),
      "C EHLO", "S 250 mx", "* MAIL", "* RCPT", "* RCPT", "C DATA", "S 354 go", "BODY",
      "S 250 kept", "C QUIT", "S 221 bye"))
    local receipt = assert(smtp.send(server.url, message("x\r\n", hundred(2))))
    assert.equal("kept", receipt.text)
    assert.is_nil(server:done())
  end)

  it("lost between two transactions, tells who has it", function()
    local server <close> = scripted.server(script(hello("LIMITS RCPTMAX=1"), "* MAIL", "* RCPT",
      "C DATA", "S 354 go", "BODY", "S 250 kept", "C MAIL", "CLOSE"))
    local receipt, err = smtp.send(server.url, message("x\r\n", hundred(2)))
    assert.is_nil(receipt)
    assert.same({ "closed", "partial" }, { err.kind, err.outcome })
    assert.same({ "r1@d1.example" }, err.accepted)
  end)

  it("refused in one of the transactions, is a result", function()
    local server <close> = scripted.server(script(hello("LIMITS RCPTMAX=1"), "* MAIL", "* RCPT",
      "C DATA", "S 354 go", "BODY", "S 554 no", "* MAIL", "* RCPT", "C DATA", "S 354 go", "BODY",
      "S 250 kept", "C QUIT", "S 221 bye"))
    local receipt = assert(smtp.send(server.url, message("x\r\n", hundred(2))))
    assert.is_nil(server:done())
    assert.same({ "r2@d2.example" }, receipt.accepted)
    assert.same({ "r1@d1.example", 554 }, { receipt.rejected[1].address, receipt.rejected[1].code })
  end)
end)
