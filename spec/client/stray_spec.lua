-- A server that says more than it was asked: which reply is for what is not known any
-- more, so no receipt is given that another reply at hand contradicts (C175).
local loop = require "smtp.loop"
local scripted = require "spec.support.scripted"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local script, hello = scripted.script, scripted.hello

local function message(to)
  return { envelope = { from = "ada@a.example", to = to or "bob@b.example" }, raw = "x: y\r\n" }
end

-- A step that reads the only chunk of a message.
local function chunk(connection)
  local line = connection:line() or ""
  local n = math.tointeger(line:match("^BDAT (%d+) LAST")) or error(line)
  while #connection.buffer < n do assert(connection:fill()) end
  connection.buffer = connection.buffer:sub(n + 1)
end

-- The replies as one packet with one more before the place-th of them.
local function with_stray(replies, place, stray)
  local all = table.move(replies, 1, #replies, 1, {})
  table.insert(all, place, stray)
  return { raw = table.concat(all, "\r\n") .. "\r\n" }
end

local STRAYS = { "250 stray", "250-stray\r\n250 of two lines", "550 5.7.1 stray", "354 stray" }

-- Plays each stray reply at each place of the replies to one flight of content.
local function each_stray(replies, play)
  for place = 1, #replies + 1 do
    for _, stray in ipairs(STRAYS) do play(with_stray(replies, place, stray), place) end
  end
end

local function assert_unknown(client, receipt, err)
  assert.is_nil(receipt)
  assert.same({ "protocol", "unknown", false }, { err.kind, err.outcome, err.temporary })
  assert.matches("the message may have been accepted", tostring(err))
  assert.same({}, { err.accepted, err.rejected })
  assert.is_false(client:usable())
end

-- Sends one message to a server with these replies to its flight.
local function sends(steps, replies, options, to)
  local server <close> = scripted.server(script(steps, replies, "EOF"))
  local target = { url = server.url, timeout = 5 }
  for key, value in pairs(options or {}) do target[key] = value end
  local client <close> = assert(smtp.connect(target))
  assert_unknown(client, client:send(message(to)))
  client:close()
  assert.is_nil(server:done())
end

describe("C175 a reply that nobody asked for", function()
  it("is seen at each place of a flight in chunks", function()
    local steps = script(hello("PIPELINING", "CHUNKING"), "C MAIL", "C RCPT", chunk)
    for _, final in ipairs { "550 5.7.1 refused", "250 queued", "452 later" } do
      each_stray({ "250 mail", "250 rcpt", final }, function(replies) sends(steps, replies) end)
    end
  end)

  it("is seen beside the reply to the content, and where only its first byte came", function()
    local steps = script(hello("PIPELINING"), "C MAIL", "C RCPT", "C DATA",
      { raw = "250 a\r\n250 b\r\n354 c\r\n" }, "BODY")
    each_stray({ "550 refused" }, function(replies) sends(steps, replies) end)
    sends(steps, { raw = "250 queued\r\n5" })
    sends(steps, { raw = "250 queued\r\n\r\n" })
  end)

  it("is seen among the replies of LMTP", function()
    local steps = script(hello("PIPELINING", "CHUNKING"), "C MAIL", "C RCPT", "C RCPT", chunk)
    steps[2] = "C LHLO"
    local function send_both(replies)
      sends(steps, replies, { lmtp = true }, { "a@b.example", "b@b.example" })
    end
    each_stray({ "250 mail", "250 a", "250 b", "250 a has it", "550 b has not" }, send_both)
    steps = script(hello("PIPELINING"), "C MAIL", "C RCPT", "C RCPT", "C DATA",
      { raw = "250 m\r\n250 a\r\n250 b\r\n354 go\r\n" }, "BODY")
    steps[2] = "C LHLO"
    each_stray({ "250 a has it", "550 b has not" }, send_both)
  end)

  it("takes back what LMTP said of a recipient in an earlier packet", function()
    local gate = loop.gate()
    local steps = script(hello("PIPELINING"), "C MAIL", "C RCPT", "C RCPT", "C DATA",
      { raw = "250 m\r\n250 a\r\n250 b\r\n354 go\r\n" }, "BODY", "S 250 stray",
      function() loop.pass(gate) end, { raw = "550 a has it not\r\n550 b neither\r\n" }, "EOF")
    steps[2] = "C LHLO"
    local server <close> = scripted.server(steps)
    local client <close> = assert(smtp.connect { url = server.url:gsub("^smtp", "lmtp"),
      timeout = 5, trace = function(_, line) if line == "250 stray" then loop.wake(gate) end end })
    assert_unknown(client, client:send(message { "a@b.example", "b@b.example" }))
  end)

  it("is seen among the replies of PRDR", function()
    local steps = script(hello("PIPELINING", "PRDR"), "C MAIL", "C RCPT", "C RCPT", "C DATA",
      { raw = "250 m\r\n250 a\r\n250 b\r\n354 go\r\n" }, "BODY")
    local replies = { "353 each", "250 a", "550 b", "250 done" }
    for place = 2, 5 do
      for _, stray in ipairs { "250 stray", "550 stray" } do
        sends(steps, with_stray(replies, place, stray), nil, { "a@b.example", "b@b.example" })
      end
    end
  end)

  it("leaves no receipt to any message of its window", function()
    local steps = script(hello("PIPELINING", "CHUNKING"), "C MAIL", "C RCPT", chunk, "C RSET",
      "C MAIL", "C RCPT", chunk)
    each_stray({ "250 m", "250 r", "550 first", "250 rset", "250 m", "250 r", "250 second" },
      function(replies)
        local server <close> = scripted.server(script(steps, replies, "EOF"))
        local client <close> = assert(smtp.connect { url = server.url, timeout = 5 })
        local n = 0
        for _, receipt, err in client:send_all { message(), message() } do
          n = n + 1
          assert.is_nil(receipt)
          assert.equal("unknown", err.outcome)
        end
        assert.equal(2, n)
        assert.is_false(client:usable())
      end)
  end)

  it("is seen behind single replies, in place of which nothing counts", function()
    for _, call in ipairs {
      function(client) return client:command("NOOP") end,
      function(client) return client:mail("ada@a.example") end,
      function(client) return client:vrfy("ada") end,
      function(client) return client:reset() end,
    } do
      local server <close> = scripted.server(script(hello(),
        function(connection) connection:line() end, { raw = "250 ok\r\n250 stray\r\n" }, "EOF"))
      local client <close> = assert(smtp.connect { url = server.url, timeout = 5 })
      local reply, err = call(client)
      assert.is_nil(reply)
      assert.same({ "protocol", "not_sent" }, { err.kind, err.outcome })
      assert.is_false(client:usable())
    end
    for stage, steps in pairs { greeting = { { raw = "220 mx\r\n250 stray\r\n" }, "EOF" },
      ehlo = { "S 220 mx", "C EHLO", { raw = "250 mx\r\n250 stray\r\n" }, "EOF" } } do
      local server <close> = scripted.server(steps)
      local _, err = smtp.connect { url = server.url, timeout = 5 }
      assert.same({ "protocol", stage }, { err.kind, err.stage })
    end
  end)

  -- Postfix reads the chunk of a BDAT that it refuses as commands. No reply is a yes, so the
  -- first one counts, and the connection ends.
  it("leaves a refusal as it is where all replies refuse one message", function()
    local refusal = "530 5.7.0 Must issue a STARTTLS command first\r\n"
    for _, more in ipairs { refusal, refusal:rep(5), "221 2.7.0 Goodbye\r\n" } do
      local replies = refusal:rep(3) .. more
      local server <close> = scripted.server(script(hello("PIPELINING", "CHUNKING"), "C MAIL",
        "C RCPT", chunk, { raw = replies }, "EOF"))
      local client <close> = assert(smtp.connect { url = server.url, timeout = 5 })
      local _, err = client:send(message())
      assert.same({ "rejected", "mail", 530, "not_sent" },
        { err.kind, err.stage, err.code, err.outcome })
      assert.is_false(client:usable())
      client:close()
      assert.is_nil(server:done())
    end
  end)

  it("is no refusal where another message is under way, or one reply is a yes", function()
    local steps = script(hello("PIPELINING", "CHUNKING"), "C MAIL", "C RCPT", chunk)
    sends(steps, { raw = "530 a\r\n530 b\r\n530 c\r\n250 d\r\n" })
    local server <close> = scripted.server(script(hello("PIPELINING", "CHUNKING"), "C MAIL",
      "C RCPT", chunk, "C RSET", "C MAIL", "C RCPT", chunk, { raw = ("530 no\r\n"):rep(8) }, "EOF"))
    local client <close> = assert(smtp.connect { url = server.url, timeout = 5 })
    for _, receipt, err in client:send_all { message(), message() } do
      assert.is_nil(receipt)
      assert.same({ "protocol", "unknown" }, { err.kind, err.outcome })
    end
  end)

  -- A client that has said NOOP, and whose server has then said more; `fn` gets it.
  local function afterwards(bytes, fn)
    local gate, said = loop.gate(), nil
    local server <close> = scripted.server(script(hello("PIPELINING", "CHUNKING"), "* NOOP",
      function() loop.pass(gate) end, { raw = bytes }, function() said = true end, "EOF"))
    local client <close> = assert(smtp.connect { url = server.url, timeout = 5 })
    assert(client:noop())
    loop.wake(gate)
    serve.wait(function() return said end, "the stray reply")
    fn(client, server)
  end

  it("is seen before the next flight goes out", function()
    for _, bytes in ipairs { "250 stray\r\n", "2", "550-a\r\n550 b\r\n", "\r\n" } do
      afterwards(bytes, function(client, server)
        local receipt, err = client:send(message())
        assert.is_nil(receipt)
        assert.same({ "protocol", "not_sent" }, { err.kind, err.outcome })
        assert.is_false(client:usable())
        client:close()
        server:done()
        assert.is_nil(server:said():find("MAIL", 1, true))
      end)
    end
  end)

  it("is none if it is a 421", function()
    afterwards("421 4.3.0 bye\r\n", function(client)
      local _, err = client:send(message())
      assert.same({ "rejected", 421, "not_sent", true },
        { err.kind, err.code, err.outcome, err.temporary })
    end)
    for _, tail in ipairs { "421 4.3.0 bye\r\n", "4", "42", "421-4.3.0 so\r\n421 bye\r\n" } do
      local server <close> = scripted.server(script(hello("PIPELINING", "CHUNKING"), "C MAIL",
        "C RCPT", chunk, { raw = "250 m\r\n250 r\r\n250 queued\r\n" .. tail }, "EOF"))
      local client <close> = assert(smtp.connect { url = server.url, timeout = 5 })
      assert.equal("queued", assert(client:send(message())).text)
    end
  end)

  it("lets a pool open another connection", function()
    local once = script(hello("PIPELINING", "CHUNKING"), "C MAIL", "C RCPT", chunk)
    local server <close> = scripted.server { script(once, { raw = ("250 a\r\n"):rep(4) }, "EOF"),
      script(once, { raw = ("250 a\r\n"):rep(3) }, "EOF") }
    local pool <close> = assert(smtp.pool { url = server.url, backoff = 0, timeout = 5 })
    local _, err = pool:send(message())
    assert.equal("unknown", err.outcome)
    assert.same({ 0, 0 }, { pool:stats().idle, pool:stats().retried })
    assert(pool:send(message()))
    assert.equal(2, pool:stats().connected)
  end)
end)

describe("a reply whose codes differ", function()
  it("tells what was said, at the greeting", function()
    for _, case in ipairs {
      { "220-\r\n521 5.7.1 blocked\r\n", 521, "5.7.1 blocked", false },
      { "220-mx\r\n220-hi\r\n521-5.7.1 blocked\r\n521 see http://mx\r\n", 521,
        "5.7.1 blocked\nsee http://mx", false },
      { "554-no\r\n220 mx\r\n", 554, "no", false },
      { "220-mx\r\n421 4.7.0 too many\r\n", 421, "4.7.0 too many", true },
      { "220-mx\r\n250 x\r\n", 220, "mx\nx", false },
    } do
      local server <close> = scripted.server { { raw = case[1] }, "EOF" }
      local _, err = smtp.connect { url = server.url, timeout = 5 }
      assert.same({ "protocol", "greeting", case[2], case[3], case[4] },
        { err.kind, err.stage, err.code, err.text, err.temporary })
      local text = tostring(err)
      assert.truthy(text:find(case[3]:gsub("\n", " "), 1, true), text)
      assert.matches("differs between lines", text)
      assert.is_nil(err.hint) -- it is an SMTP port
    end
    local server <close> = scripted.server { { raw = "220-mx\r\n521-blocked\r\n" }, "CLOSE" }
    local _, err = smtp.connect { url = server.url, timeout = 5 }
    assert.same({ "protocol", 521, "blocked" }, { err.kind, err.code, err.text })
  end)

  it("tells what was said, at any other stage", function()
    local differing = { raw = "250-fine\r\n552 5.2.2 full\r\n" }
    for stage, steps in pairs {
      mail = { "C MAIL", differing }, rcpt = { "* MAIL", "C RCPT", differing },
      data = { "* MAIL", "* RCPT", "C DATA", differing },
      final = { "* MAIL", "* RCPT", "C DATA", "S 354 go", "BODY", differing },
    } do
      local server <close> = scripted.server(script(hello("ENHANCEDSTATUSCODES"), steps, "EOF"))
      local receipt, err = smtp.send({ url = server.url, timeout = 5 }, message())
      assert.is_nil(receipt)
      assert.same({ "protocol", stage, 552, "5.2.2", "full",
        stage == "final" and "unknown" or "not_sent" },
        { err.kind, err.stage, err.code, err.enhanced, err.text, err.outcome })
      assert.matches("S: 552 5.2.2 full", err.transcript)
    end
  end)
end)
