-- LMTP of the server, message:reply in LMTP, in SMTP and with PRDR: over sockets.
local authority = require "smtp.authority"
local misused = require "spec.support.misuse"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local TAKEN = "250 2.0.0 Message accepted"
local FAILED = "451 4.3.0 Local error, please try again later"
local MIXED = "451 4.3.0 Not the same for all recipients, please try again later"
local EACH = "353 A reply for each recipient follows"

-- Sends the commands from MAIL to DATA.
local function envelope(client, names, params)
  assert.equal("250 2.1.0 Sender OK", client:cmd("MAIL FROM:<ada@code.energy>" .. (params or "")))
  for _, name in ipairs(names) do
    assert.equal("250 2.1.5 Recipient OK", client:cmd("RCPT TO:<" .. name .. "@example.com>"))
  end
  assert.equal("354", client:cmd("DATA"):sub(1, 3))
end

local function hello(server, verb)
  local client = serve.connect(server)
  assert.equal("220", client:reply():sub(1, 3))
  assert.equal("250", client:cmd(verb .. " client.code.energy"):sub(1, 3))
  return client
end

-- The replies to content; so many are expected, and then nothing but that of NOOP.
local function replies(client, content, n)
  local list = { client:content(content) }
  for i = 2, n do list[i] = client:reply() end
  assert.equal("250 2.0.0 OK", client:cmd("NOOP"))
  return list
end

-- Sends one message for these names to a handler; gives the replies and the facts.
local function send(options, names, handler, n)
  local facts = {}
  local all = { on_message = handler, on_event = serve.record(facts) }
  for key, value in pairs(options) do all[key] = value end
  all.params, all.content = nil, nil
  local server <close> = serve.start(all)
  local client <close> = hello(server, all.lmtp and "LHLO" or "EHLO")
  envelope(client, names, options.params)
  return replies(client, options.content or "x\r\n", n), serve.of_type(facts, "message")[1],
    serve.of_type(facts, "error")
end

local LMTP = { lmtp = true }

-- The codes and texts of a fact, by the user of the recipient.
local function told(fact)
  local list = {}
  for i, one in ipairs(fact.replies) do
    list[i] = ("%s %d %s"):format(one.recipient.user, one.code, one.text or "-")
  end
  return table.concat(list, "|")
end

describe("a server of LMTP", function()
  it("C122 sends the handler's reply for each recipient", function()
    local seen
    local got, fact = send(LMTP, { "ada", "bob", "eve", "bob" }, function(session, message)
      seen = { session.lmtp, session.esmtp, session.helo, #session.recipients }
      message:read()
      message:reply(message.recipients[1], 452, "4.2.2 mailbox full")
      message:reply("bob@example.com", 550, "no")
      message:reply(message.recipients[4], 250, "2.1.5 for bob")
      return "queued as 42"
    end, 4)
    assert.same({ true, true, "client.code.energy", 4 }, seen)
    assert.same({ "452 4.2.2 mailbox full", "550 5.7.1 no", "250 2.0.0 queued as 42",
      "250 2.1.5 for bob" }, got)
    assert.equal("ada 452 4.2.2 mailbox full|bob 550 no|eve 250 queued as 42|"
      .. "bob 250 2.1.5 for bob", told(fact))
    assert.equal(250, fact.code)
    assert.equal("queued as 42", fact.text)
    assert.same({ "ada@code.energy", 4 }, { fact.sender.address, #fact.recipients })
  end)

  it("C122 sends the verdict for recipients without an answer", function()
    local function answers(handler)
      return table.concat(send(LMTP, { "ada", "bob" }, function(session, message)
        message:reply("bob@example.com", 451, "later")
        return handler(session, message)
      end, 2), "|")
    end
    local later = "|451 4.3.0 later"
    assert.equal(TAKEN .. later, answers(function() return true end))
    assert.equal(TAKEN .. later, answers(function(_, message) message:read() end))
    assert.equal("451 4.3.0 Message was not stored, please try again later" .. later,
      answers(function() end))
    assert.equal("554 5.7.1 Message refused" .. later, answers(function() return false end))
    assert.equal("550 5.7.1 spam" .. later, answers(function() return 550, "spam" end))
    assert.equal(FAILED .. later, answers(function() return nil, "an error" end))
    assert.equal(FAILED .. later, answers(function() error("an error") end))
  end)

  it("C122 has one reply for one recipient, and its fact", function()
    local got, fact = send(LMTP, { "ada" }, function(_, message)
      message:reply(message.recipients[1], 550, "5.1.1 gone")
      return true
    end, 1)
    assert.same({ "550 5.1.1 gone" }, got)
    assert.equal("ada 550 5.1.1 gone", told(fact))
    got, fact = send(LMTP, { "ada" }, function() return true end, 1)
    assert.same({ TAKEN }, got)
    assert.equal("ada 250 -", told(fact))
  end)

  it("C122 refuses for all a message that broke a rule, whatever the answers", function()
    local bare = "550 5.5.2 Bare CR, LF or NUL in message"
    local got, fact = send({ lmtp = true, content = "a\nb\r\n" }, { "ada", "bob" },
      function(_, message)
        message:reply("ada@example.com", 250, "2.0.0 fine")
        pcall(message.read, message)
        message:reply("bob@example.com", 250, "2.0.0 fine")
        return true
      end, 2)
    assert.same({ bare, bare }, got)
    assert.equal("ada 550 -|bob 550 -", told(fact))
    assert.equal("Bare CR, LF or NUL in message", fact.refused)
  end)

  it("sends 451 in place of a text that cannot be sent, with an event", function()
    for text, code in pairs { ["a\rb"] = 250, ["a\0b"] = 550, ["go on"] = 354, ["odd"] = 199,
      [("long "):rep(1000)] = 250 } do
      local got, fact, errors = send(LMTP, { "ada", "bob" }, function(_, message)
        message:reply("ada@example.com", code, text)
        return true
      end, 2)
      assert.same({ FAILED, TAKEN }, got)
      assert.equal("ada 451 -|bob 250 -", told(fact))
      assert.same({ 1, "message" }, { #errors, errors[1].stage })
      assert.truthy(errors[1].error:find(("a handler's reply cannot be sent: %d %q"):format(code,
        text:sub(1, 80)), 1, true), errors[1].error)
    end
    local got, _, errors = send(LMTP, { "ada", "bob" }, function() return 250, "a\rb" end, 2)
    assert.same({ FAILED, FAILED }, got)
    assert.equal(1, #errors)
  end)

  it("C097 sends a text in ASCII to a client without SMTPUTF8", function()
    local function handler(_, message)
      message:reply("ada@example.com", 250, "caf\u{e9}")
      return 452, "na\u{ef}ve"
    end
    assert.same({ "250 2.0.0 caf?", "452 4.3.0 na?ve" },
      (send(LMTP, { "ada", "bob" }, handler, 2)))
    assert.same({ "250 2.0.0 caf\u{e9}", "452 4.3.0 na\u{ef}ve" },
      (send({ lmtp = true, params = " SMTPUTF8" }, { "ada", "bob" }, handler, 2)))
  end)

  it("raises for a wrong recipient or reply, and after the message", function()
    local kept
    local got = send(LMTP, { "ada", "bob" }, function(_, message)
      kept = message
      for _, args in ipairs { { "eve@example.com", 250 }, { {}, 250 }, { nil, 250 }, { 1, 250 } } do
        assert.error_matches(function() message:reply(args[1], args[2]) end, "this is no recipient")
      end
      for _, args in ipairs { { "ada@example.com", "250" }, { "ada@example.com", 250.5 },
        { "ada@example.com" }, { "ada@example.com", 250, 1 }, { message.recipients[1], true } } do
        assert.error_matches(function() message:reply(args[1], args[2], args[3]) end,
          "a code and perhaps a text")
      end
      return true
    end, 2)
    assert.same({ TAKEN, TAKEN }, got)
    assert.error_matches(function() kept:reply("ada@example.com", 250) end, "the message is over")
  end)

  it("the last answer counts", function()
    assert.same({ "250 2.0.0 after all" }, (send(LMTP, { "ada" }, function(_, message)
      message:reply("ada@example.com", 550, "no")
      message:reply(message.recipients[1], 250, "after all")
    end, 1)))
  end)

  it("sends 421 to a session, tells the others, and closes", function()
    local server <close> = serve.start { lmtp = true, on_message = function(_, message)
      message:reply("bob@example.com", 421, "4.3.2 later")
      return true
    end }
    local client <close> = hello(server, "LHLO")
    envelope(client, { "ada", "bob", "eve" })
    client:send(".\r\n")
    assert.equal(TAKEN .. "\r\n421 4.3.2 later\r\n" .. TAKEN .. "\r\n", client:rest())
  end)

  it("C122 knows only LHLO, and C124 no content without a recipient", function()
    local server <close> = serve.start { lmtp = true, on_rcpt = function() return false end }
    local client <close> = serve.connect(server)
    client:reply()
    assert.equal("500 5.5.1 Command not recognized", client:cmd("EHLO x"))
    assert.equal("500 5.5.1 Command not recognized", client:cmd("HELO x"))
    local offered = client:cmd("LHLO x")
    for _, keyword in ipairs { "PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "CHUNKING" } do
      assert.truthy(offered:find(keyword, 1, true)) -- C125
    end
    client:cmd("MAIL FROM:<>")
    assert.equal("550 5.1.1 No such recipient here", client:cmd("RCPT TO:<a@b.example>"))
    assert.equal("503 5.5.1 No valid recipients", client:cmd("DATA"))
  end)

  it("C063 answers chunks as in RFC 3030", function()
    local server <close> = serve.start { lmtp = true, on_message = function(_, message)
      message:reply("bob@example.com", 550, message:read())
      return true
    end }
    local client <close> = hello(server, "LHLO")
    client:cmd("MAIL FROM:<>")
    client:cmd("RCPT TO:<ada@example.com>")
    client:cmd("RCPT TO:<bob@example.com>")
    client:send("BDAT 3\r\nit ")
    assert.equal("250 2.0.0 Chunk received", client:reply())
    client:send("BDAT 5 LAST\r\nworks")
    assert.same({ TAKEN, "550 5.7.1 it works" }, { client:reply(), client:reply() })
    assert.equal("250 2.0.0 OK", client:cmd("NOOP"))
  end)

  it("a place speaks LMTP or not, whatever the others do", function()
    local server <close> = serve.start { lmtp = true, listen = { "127.0.0.1:0",
      { host = "127.0.0.1", port = 0, lmtp = false }, { host = "127.0.0.1", port = 0 } } }
    for i, verb in ipairs { "LHLO", "EHLO", "LHLO" } do
      local client <close> = serve.connect({ host = "127.0.0.1", port = server.listening[i].port })
      client:reply()
      assert.equal("250", client:cmd(verb .. " x"):sub(1, 3))
      assert.equal("500", client:cmd(verb == "LHLO" and "EHLO x" or "LHLO x"):sub(1, 3))
    end
  end)

  it("C123 is not at port 25", function()
    local function start(options)
      return function()
        options.on_message = print
        smtp.server(options)
      end
    end
    for _, options in ipairs { { listen = "127.0.0.1:25", lmtp = true },
      { listen = { "127.0.0.1:0", { host = "127.0.0.1", port = 25, lmtp = true } } },
      { listen = { { host = "127.0.0.1", port = 25 } }, lmtp = true } } do
      misused("LMTP must not be spoken at port 25", start(options))
    end
  end)

  local function received(options, prepare, params)
    local field
    options.lmtp = true
    options.on_message = function(_, message)
      field = message:received()
      return true
    end
    local server <close> = serve.start(options)
    local client <close> = hello(server, "LHLO")
    if prepare then prepare(client) end
    envelope(client, { "ada" }, params)
    assert.equal(TAKEN, client:content(""))
    return field:match(" with (%S+) id ")
  end

  it("C142 C079 names its protocol in Received", function()
    local root = assert(authority.new())
    local leaf = assert(root:issue { names = { "localhost" } })
    local tls, accept = { cert = leaf.cert, key = leaf.key }, function() return true end
    local function secure(client)
      assert.equal("220", client:cmd("STARTTLS"):sub(1, 3))
      assert(client:tls { verify = false })
      assert.equal("250", client:cmd("LHLO x"):sub(1, 3))
    end
    local function login(client)
      assert.equal("235", client:cmd("AUTH PLAIN AGFkYQBzZWNyZXQ="):sub(1, 3))
    end
    local function both(client)
      secure(client)
      login(client)
    end
    local clear = { cleartext = true }
    assert.equal("LMTP", received {})
    assert.equal("UTF8LMTP", received({}, nil, " SMTPUTF8"))
    assert.equal("LMTPS", received({ tls = tls }, secure))
    assert.equal("LMTPA", received({ auth = clear, on_auth = accept }, login))
    assert.equal("LMTPSA", received({ tls = tls, on_auth = accept }, both))
    assert.equal("UTF8LMTPSA", received({ tls = tls, on_auth = accept }, both, " SMTPUTF8"))
  end)
end)

describe("message:reply in SMTP", function()
  -- Answers for a recipient, and their replies.
  local ANSWERS = {
    false, { 250, "2.1.5 kept", "250 2.1.5 kept" }, { 251, "2.1.5 sent on", "251 2.1.5 sent on" },
    { 450, "4.2.1 busy", "450 4.2.1 busy" }, { 452, "full", "452 4.3.0 full" },
    { 550, "5.1.1 gone", "550 5.1.1 gone" }, { 552, "5.2.2 full", "552 5.2.2 full" },
  }
  -- Results of the handler, their replies, and whether they accept explicitly.
  local VERDICTS = {
    { { true }, TAKEN, true }, { { "queued as 42" }, "250 2.0.0 queued as 42", true },
    { { 250, "2.6.0 mine" }, "250 2.6.0 mine", true }, { {}, TAKEN, false },
    { { false }, "554 5.7.1 Message refused" }, { { 550, "spam" }, "550 5.7.1 spam" },
    { { 451, "4.7.1 wait" }, "451 4.7.1 wait" }, { { nil, "an error" }, FAILED },
  }

  local function expected(one, other, verdict)
    local a, b = one and one[3] or verdict[2], other and other[3] or verdict[2]
    if a:sub(1, 1) == b:sub(1, 1) then return a:sub(1, 3) >= b:sub(1, 3) and a or b end
    return verdict[3] and verdict[2] or MIXED
  end

  it("folds two answers and a verdict in every combination", function()
    local case
    local server <close> = serve.start { limits = { messages = 1000 }, on_event = function() end,
      on_message = function(_, message)
        for i = 1, 2 do
          local answer = case[i]
          if answer then message:reply(message.recipients[i], answer[1], answer[2]) end
        end
        message:read()
        return table.unpack(case[3][1], 1, #case[3][1] + (case[3][2] == FAILED and 2 or 0))
      end }
    local client <close> = hello(server, "EHLO")
    local n = 0
    for _, one in ipairs(ANSWERS) do
      for _, other in ipairs(ANSWERS) do
        for _, verdict in ipairs(VERDICTS) do
          case, n = { one, other, verdict }, n + 1
          envelope(client, { "ada", "bob" })
          assert.equal(expected(one, other, verdict), client:content("x\r\n"),
            ("%s %s %s"):format(one and one[3], other and other[3], verdict[2]))
        end
      end
    end
    assert.equal(392, n)
  end)

  it("says what was said of all, and the worst of one class", function()
    local function fold(codes, ...)
      local verdict = table.pack(...)
      return send({}, { "ada", "bob", "eve" }, function(_, message)
        for i, code in pairs(codes) do message:reply(message.recipients[i], code, "text " .. i) end
        return table.unpack(verdict, 1, verdict.n)
      end, 1)[1]
    end
    assert.equal("452 4.3.0 text 2", fold({ 450, 452, 451 }, true))
    assert.equal("552 5.7.1 text 3", fold({ 550, 551, 552 }, true))
    assert.equal("550 5.7.1 text 1", fold({ 550, 550, 550 }, false))
    assert.equal("251 2.0.0 text 1", fold({ 251, 250, 250 }))
    assert.equal(TAKEN, fold({ 250, 550, 450 }, true))
    assert.equal(MIXED, fold({ 250, 550, 250 }))
    assert.equal(MIXED, fold({ 450, 550, 450 }, false))
    assert.equal(TAKEN, fold({ nil, 550, nil }, true))
    assert.equal(MIXED, fold({ nil, 250, nil }, false))
  end)

  it("refuses a message that broke a rule, and sends 451 for a text that cannot be sent", function()
    local got, fact = send({ content = "a\nb\r\n" }, { "ada", "bob" }, function(_, message)
      message:reply("ada@example.com", 250)
      message:reply("bob@example.com", 250)
      return true
    end, 1)
    assert.same({ "550 5.5.2 Bare CR, LF or NUL in message" }, got)
    assert.equal("ada 550 -|bob 550 -", told(fact))
    local errors
    got, fact, errors = send({}, { "ada", "bob" }, function(_, message)
      message:reply("ada@example.com", 550, "a\nb\rc")
      message:reply("bob@example.com", 452, "4.2.2 full")
    end, 1)
    assert.same({ "452 4.2.2 full" }, got)
    assert.equal("ada 451 -|bob 452 4.2.2 full", told(fact))
    assert.equal(1, #errors)
  end)

  it("is in the fact, which has none where it was not used", function()
    local _, fact = send({}, { "ada", "bob" }, function(_, message)
      message:reply("ada@example.com", 550, "5.1.1 gone")
      return "queued"
    end, 1)
    assert.equal("ada 550 5.1.1 gone|bob 250 queued", told(fact))
    assert.same({ 250, "queued" }, { fact.code, fact.text })
    _, fact = send({}, { "ada", "bob" }, function() return "queued" end, 1)
    assert.is_nil(fact.replies)
  end)
end)

describe("PRDR of a server", function()
  local OFFERED = { extensions = { PRDR = true }, params = " PRDR" }

  local function answer(codes, ...)
    local verdict = table.pack(...)
    return function(_, message)
      for i, code in pairs(codes) do message:reply(message.recipients[i], code, "text " .. i) end
      return table.unpack(verdict, 1, verdict.n)
    end
  end

  it("sends a reply for each recipient, and then one for the message", function()
    local got, fact = send(OFFERED, { "ada", "bob", "eve" }, answer({ [2] = 550, [3] = 452 },
      "queued as 42"), 5)
    assert.same({ EACH, "250 2.0.0 queued as 42", "550 5.7.1 text 2", "452 4.3.0 text 3",
      "250 2.0.0 queued as 42" }, got)
    assert.equal("ada 250 queued as 42|bob 550 text 2|eve 452 text 3", told(fact))
    assert.same({ 250, "queued as 42" }, { fact.code, fact.text })
  end)

  it("undoes nothing that was said by its last reply", function()
    local function last(codes, ...)
      local got = send(OFFERED, { "ada", "bob" }, answer(codes, ...), 4)
      return got[4]
    end
    assert.equal(TAKEN, last({ 250, 550 }, false)) -- one has it: the whole is not refused
    assert.equal(TAKEN, last({ 250 }, 550, "no"))
    assert.equal("552 5.7.1 text 2", last({ 550, 552 }, true))
    assert.equal("450 4.3.0 text 1", last({ 450, 450 }, true))
    assert.equal(MIXED, last({ 450, 550 }, true)) -- a 5xx would be for both
    assert.equal(FAILED, last({}, nil, "an error"))
    assert.equal("554 5.7.1 Message refused", last({}, false))
  end)

  it("is SMTP if it was not asked for, or for one recipient", function()
    assert.same({ TAKEN }, (send({ extensions = { PRDR = true } }, { "ada", "bob" },
      answer({ 550 }, true), 1)))
    local got, fact = send(OFFERED, { "ada" }, answer({ 550 }, true), 1)
    assert.same({ "550 5.7.1 text 1" }, got)
    assert.equal("ada 550 text 1", told(fact))
  end)

  it("refuses for all a message that broke a rule", function()
    local bare = "550 5.5.2 Bare CR, LF or NUL in message"
    assert.same({ EACH, bare, bare, bare }, (send({ extensions = { PRDR = true },
      params = " PRDR", content = "a\nb\r\n" }, { "ada", "bob" }, answer({ 250, 250 }, true), 4)))
  end)

  it("is told of in MAIL, and refused where it is not offered or has a value", function()
    local seen = {}
    local server <close> = serve.start { extensions = { PRDR = true },
      on_mail = function(_, sender) table.insert(seen, sender.prdr or false) end }
    local client <close> = hello(server, "EHLO")
    assert.equal("501", client:cmd("MAIL FROM:<> PRDR=x"):sub(1, 3))
    assert.equal("250", client:cmd("MAIL FROM:<> prdr"):sub(1, 3))
    client:cmd("RSET")
    assert.equal("250", client:cmd("MAIL FROM:<>"):sub(1, 3))
    assert.same({ true, false }, seen)
    local plain <close> = serve.start()
    local other <close> = hello(plain, "EHLO")
    assert.equal("555", other:cmd("MAIL FROM:<> PRDR"):sub(1, 3))
    local lmtp <close> = serve.start { lmtp = true, extensions = { PRDR = true } }
    local third <close> = hello(lmtp, "LHLO")
    assert.equal("555", third:cmd("MAIL FROM:<> PRDR"):sub(1, 3))
  end)
end)
