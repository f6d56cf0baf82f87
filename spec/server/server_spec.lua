-- smtp.server over loopback: the dialogue, and what each verdict of each handler
-- makes of it.
local misused = require "spec.support.misuse"
local net = require "spec.support.net"
local serve = require "spec.support.serve"
local smtp = require "smtp"

-- The reply of one stage to a handler: a session up to there, over TCP.
local STAGES = {
  { name = "on_connect", ok = "220 mx.example Service ready", plain = true,
    refusal = "554 No SMTP service here for you", text = "220 mx.example hello",
    unsure = "220 mx.example Service ready" },
  { name = "on_helo", line = "HELO client.code.energy", ok = "250 mx.example", plain = true,
    refusal = "550 Not accepted under this name", text = "250 mx.example hello",
    unsure = "250 mx.example" },
  { name = "on_mail", line = "MAIL FROM:<ada@code.energy>", ok = "250 2.1.0 Sender OK",
    refusal = "550 5.7.1 Sender refused", text = "250 2.1.0 hello",
    unsure = "250 2.1.0 Sender OK" },
  { name = "on_rcpt", line = "RCPT TO:<charles@example.com>", ok = "250 2.1.5 Recipient OK",
    refusal = "550 5.1.1 No such recipient here", text = "250 2.1.5 hello",
    unsure = "550 5.1.1 No such recipient here" },
  { name = "on_data", line = "DATA", ok = "354 Send the message, end with <CRLF>.<CRLF>",
    refusal = "554 5.7.1 Transaction refused", text = "354 hello",
    unsure = "354 Send the message, end with <CRLF>.<CRLF>" },
  { name = "on_message", line = "hi\r\n.", ok = "250 2.0.0 Message accepted",
    refusal = "554 5.7.1 Message refused", text = "250 2.0.0 hello",
    unsure = "451 4.3.0 Message was not stored, please try again later" },
}

local VRFY = { name = "on_vrfy", line = "VRFY ada", refusal = "550 5.1.1 No such user here",
  ok = "252 2.5.0 Cannot VRFY, but will take mail and attempt delivery", text = "252 2.5.0 hello" }
VRFY.unsure = VRFY.ok

-- Plays a session up to the stage, and gives the reply there, and the peer.
local function reach(stage, handler, events)
  local options = { [stage.name] = handler, on_event = events and serve.record(events) }
  if stage.name ~= "on_message" then
    options.on_message = function(_, message) message:read() end
  end
  local server = serve.start(options)
  local client = serve.connect(server)
  for _, other in ipairs(STAGES) do
    local at = stage == other or (stage == VRFY and other.name == "on_mail")
    if at then break end
    local reply = other.line and client:cmd(other.line) or client:reply()
    assert.equal(other.ok, reply)
  end
  return stage.line and client:cmd(stage.line) or client:reply(), client, server
end

local function each_stage(check)
  for _, stage in ipairs(STAGES) do check(stage) end
  check(VRFY)
end

-- The beginning of a reply: its code, and the enhanced code if there is one.
local function begins(stage, code, enhanced)
  return stage.plain and tostring(code) or ("%d %s"):format(code, enhanced)
end

local function try(stage, expected, handler, events)
  local reply, client, server = reach(stage, handler, events)
  assert.equal(expected, reply:sub(1, #expected), stage.name)
  client:close()
  server:close()
end

describe("smtp.server", function()
  it("plays the classic dialogue, byte for byte", function()
    local server <close> = assert(smtp.server {
      listen = "127.0.0.1:0", hostname = "mail-server.example.com",
      on_helo = function(_, name) if name == "spammer.example" then return 554, "not you" end end,
      on_mail = function(_, sender) if sender.domain ~= "code.energy" then return false end end,
      on_rcpt = function(_, recipient)
        if recipient.address == "full@example.com" then return 452, "4.2.2 mailbox full" end
        return recipient.address == "charles@example.com"
      end,
      on_message = function(_, message)
        assert(message:read() == "Subject: hi\r\n\r\n.dot\r\n")
        return "queued as 42"
      end,
    })
    local client <close> = serve.connect(server)
    assert.equal("220 mail-server.example.com Service ready", client:reply())
    for _, pair in ipairs {
      { "HELO spammer.example", "554 not you" },
      { "HELO client.code.energy", "250 mail-server.example.com" },
      { "MAIL FROM:<eve@evil.example>", "550 5.7.1 Sender refused" },
      { "MAIL FROM: <ada@code.energy>", "250 2.1.0 Sender OK" },
      { "RCPT TO:<nobody@example.com>", "550 5.1.1 No such recipient here" },
      { "RCPT TO:<full@example.com>", "452 4.2.2 mailbox full" },
      { "RCPT TO: <charles@example.com>", "250 2.1.5 Recipient OK" },
      { "DATA", "354 Send the message, end with <CRLF>.<CRLF>" },
      { "Subject: hi\r\n\r\n..dot\r\n.", "250 2.0.0 queued as 42" },
      { "QUIT", "221 2.0.0 Goodbye" },
    } do
      assert.equal(pair[2], client:cmd(pair[1]))
    end
    assert.equal("", client:rest())
    local again <close> = serve.connect(server)
    again:reply()
    again:cmd("EHLO client.code.energy")
    again:send("MAIL FROM:<ada@code.energy>\r\nRCPT TO:<charles@example.com>\r\nQUIT\r\n")
    assert.equal("250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n221 2.0.0 Goodbye\r\n",
      again:rest())
  end)

  it("accepts each step for which there is no handler", function()
    local server <close> = serve.start()
    local client <close> = serve.connect(server)
    for _, stage in ipairs(STAGES) do
      assert.equal(stage.ok, stage.line and client:cmd(stage.line) or client:reply())
    end
    assert.equal(VRFY.ok, client:cmd("VRFY x"))
  end)
end)

describe("a verdict", function()
  it("of nothing has the meaning of the stage", function()
    each_stage(function(stage) try(stage, stage.unsure, function() end) end)
  end)

  it("of true is the default, of a text that text", function()
    each_stage(function(stage)
      try(stage, stage.ok, function() return true end)
      try(stage, stage.text, function() return "hello" end)
      try(stage, stage.text, function() return true, "hello" end)
    end)
  end)

  it("of false or an explicit nil is the refusal of the stage", function()
    each_stage(function(stage)
      try(stage, stage.refusal, function() return false end)
      try(stage, stage.refusal, function() return nil end)
    end)
  end)

  it("of false and a text is the refusal with that text", function()
    each_stage(function(stage)
      local head = stage.refusal:match("^%d+ %d%.%d+%.%d+ ") or stage.refusal:match("^%d+ ")
      try(stage, head .. "spam", function() return false, "spam" end)
    end)
  end)

  it("of code, enhanced code and text is all three", function()
    try(STAGES[4], "550 5.7.2 no spam", function() return 550, "5.7.2", "no spam" end)
  end)

  it("of a reply that is all text is a mistake, and accepts nothing", function()
    for _, text in ipairs { "550 no", "451-later" } do
      local events = {}
      try(STAGES[4], begins(STAGES[4], 451, "4.3.0"), function() return text end, events)
      assert.matches("return its code as a number", serve.of_type(events, "error")[1].error)
    end
  end)

  it("of nil and an error is 451 4.3.0, the cause an event", function()
    each_stage(function(stage)
      local events = {}
      -- at the greeting a 4xx closes, and 421 is the code that says so
      local code = stage.name == "on_connect" and 421 or 451
      try(stage, begins(stage, code, "4.3.0"), function() return nil, "disk on fire" end, events)
      local errors = serve.of_type(events, "error")
      assert.equal("disk on fire", errors[1].error)
      assert.equal(stage.name, "on_" .. errors[1].stage)
      for _, event in ipairs(serve.of_type(events, "reply")) do
        assert.is_nil(event.text:find("fire"))
      end
    end)
  end)

  it("of a code and a text is exactly that", function()
    each_stage(function(stage)
      local first = stage.name == "on_connect"
      try(stage, first and "421 later" or begins(stage, 452, "4.2.2") .. " later",
        function() return 452, "4.2.2 later" end)
      try(stage, first and "554 no" or begins(stage, 553, "5.1.8") .. " no",
        function() return 553, "5.1.8 no" end)
    end)
  end)

  it("moves the state by the class of its code", function()
    local reply, client, server = reach(STAGES[3], function() return 250, "2.1.0 fine" end)
    assert.equal("250 2.1.0 fine", reply)
    assert.equal("250 2.1.5 Recipient OK", client:cmd("RCPT TO:<a@b.example>"))
    client:close()
    server:close()
    reply, client, server = reach(STAGES[4], function() return 551, "5.1.6 moved" end)
    assert.equal("551 5.1.6 moved", reply)
    assert.equal("503 5.5.1 No valid recipients", client:cmd("DATA"))
    client:close()
    server:close()
    reply, client, server = reach(STAGES[1], function() return 550, "no" end)
    assert.equal("554 no", reply)
    assert.equal("503 5.5.1 Bad sequence of commands", client:cmd("EHLO x.example"))
    assert.equal("221 2.0.0 Goodbye", client:cmd("QUIT"))
    client:close()
    server:close()
  end)

  it("of 421 is the last word", function()
    each_stage(function(stage)
      local reply, client, server = reach(stage, function() return 421, "4.3.2 going down" end)
      assert.equal(begins(stage, 421, "4.3.2") .. " going down", reply)
      assert.equal("", client:rest())
      client:close()
      server:close()
    end)
  end)

  it("by an error is 451 4.3.0, and its text stays here", function()
    each_stage(function(stage)
      local events = {}
      local code = stage.name == "on_connect" and 421 or 451
      try(stage, begins(stage, code, "4.3.0"), function() error("secret at line 7") end, events)
      assert.is_truthy(tostring(serve.of_type(events, "error")[1].error):find("secret"))
      for _, event in ipairs(serve.of_type(events, "reply")) do
        assert.is_nil(event.text:find("secret"))
      end
    end)
  end)

  it("that cannot be sent is 451 4.3.0 and an event", function()
    for _, values in ipairs { { 199 }, { 99, "x" }, { 600 }, { 354, "x" }, { 266 }, { 571, "x" },
      { 250.5 }, { {} }, { print }, { 550, "bare\rcr" }, { "nul\0" }, { 250, "esc\27[2J" } } do
      local events = {}
      try(STAGES[3], "451 4.3.0 Local error", function() return table.unpack(values) end, events)
      assert.equal(1, #serve.of_type(events, "error"), values[1])
    end
  end)

  it("may come late, while other sessions go on", function()
    local order = {}
    local server <close> = serve.start {
      on_mail = function(_, sender)
        if sender.user == "slow" then
          while #order == 0 do smtp.sleep(0.001) end
        end
        order[#order + 1] = sender.user
      end,
    }
    local slow <close> = serve.connect(server)
    local quick <close> = serve.connect(server)
    slow:reply()
    quick:reply()
    slow:cmd("HELO x.example")
    quick:cmd("HELO x.example")
    slow:send("MAIL FROM:<slow@b.example>\r\n")
    assert.equal("250 2.1.0 Sender OK", quick:cmd("MAIL FROM:<quick@b.example>"))
    assert.equal("250 2.1.0 Sender OK", slow:reply())
    assert.same({ "quick", "slow" }, order)
  end)

  it("that takes longer than handler_timeout is 451, and the handler is unwound", function()
    each_stage(function(stage)
      local unwound, passed = false, false
      local events = {}
      local server = serve.start {
        limits = { handler_timeout = 0.02 }, on_event = serve.record(events),
        [stage.name] = function()
          local _ <close> = setmetatable({}, { __close = function() unwound = true end })
          smtp.sleep(60)
          passed = true
        end,
      }
      local client = serve.connect(server)
      local reply
      for _, other in ipairs(STAGES) do
        if stage == VRFY and other.name == "on_mail" then other = VRFY end
        reply = other.line and client:cmd(other.line) or client:reply()
        if other == stage then break end
      end
      local code = stage.name == "on_connect" and 421 or 451
      assert.equal(begins(stage, code, "4.3.0"), reply:match(stage.plain and "^%d+" or "^%S+ %S+"))
      assert.is_true(unwound)
      assert.is_false(passed)
      assert.equal("handler timeout", serve.of_type(events, "error")[1].error)
      client:close()
      server:close()
    end)
  end)
end)

describe("handlers", function()
  it("get the arguments of the command", function()
    local seen = {}
    local server <close> = serve.start {
      on_connect = function(session) seen.peer = session.peer.address end,
      on_helo = function(session, name) seen.helo, seen.esmtp = name, session.esmtp end,
      on_mail = function(session, sender)
        seen.sender = sender
        session.mine = "kept"
      end,
      on_rcpt = function(session, recipient)
        seen.recipient, seen.mine = recipient, session.mine
        return recipient.user ~= "gone"
      end,
      on_data = function(session)
        seen.data = { session.sender.address, session.recipients[1].address, #session.recipients }
      end,
      on_message = function(session, message)
        seen.content = message:read()
        seen.same = message.sender == session.sender and message.recipients == session.recipients
        seen.size, seen.id = message.size, message.id
      end,
    }
    local client <close> = serve.connect(server)
    client:reply()
    client:cmd("EHLO client.code.energy")
    client:cmd("MAIL FROM:<ada@code.energy> SIZE=7 BODY=8BITMIME")
    assert.matches("^550", client:cmd("RCPT TO:<gone@example.com>"))
    client:cmd("RCPT TO:<charles@example.com>")
    client:cmd("DATA")
    assert.equal("250 2.0.0 Message accepted", client:content("hi\r\n"))
    assert.equal("127.0.0.1", seen.peer)
    assert.equal("client.code.energy", seen.helo)
    assert.is_true(seen.esmtp)
    assert.same({ address = "ada@code.energy", user = "ada", domain = "code.energy", size = 7,
      body = "8BITMIME", params = { SIZE = "7", BODY = "8BITMIME" } }, seen.sender)
    assert.same({ address = "charles@example.com", user = "charles", domain = "example.com",
      params = {} }, seen.recipient)
    assert.equal("kept", seen.mine)
    assert.same({ "ada@code.energy", "charles@example.com", 1 }, seen.data)
    assert.equal("hi\r\n", seen.content)
    assert.is_true(seen.same)
    assert.equal(4, seen.size)
    assert.matches("^%x+$", seen.id)
  end)

  it("get the null sender as an empty address", function()
    local address
    local server <close> = serve.start {
      on_mail = function(_, sender) address = sender.address end,
    }
    local client <close> = serve.connect(server)
    client:reply()
    client:cmd("EHLO x.example")
    assert.equal("250 2.1.0 Sender OK", client:cmd("MAIL FROM:<>"))
    assert.equal("", address)
  end)

  it("on_vrfy and own verbs answer", function()
    local server <close> = serve.start {
      on_vrfy = function(_, text) if text == "ada" then return 250, "<ada@code.energy>" end end,
      on_command = {
        xping = function(session, args) return 250, "pong " .. args .. " " .. session.helo end,
        XNONE = function() end,
        HELP = function() return 214, "read\nthe manual" end,
      },
    }
    local client <close> = serve.connect(server)
    client:reply()
    client:cmd("HELO x.example")
    assert.equal("250 2.5.0 <ada@code.energy>", client:cmd("VRFY ada"))
    assert.equal(VRFY.ok, client:cmd("VRFY charles"))
    assert.equal("250 2.0.0 pong 1 2 x.example", client:cmd("XPing 1 2"))
    assert.equal("451 4.3.0 Local error, please try again later", client:cmd("XNONE"))
    assert.equal("214-2.0.0 read\r\n214 2.0.0 the manual", client:cmd("help"))
    assert.equal("500 5.5.1 Command not recognized", client:cmd("XPONG"))
  end)

  it("reports an error of any callback, by an event or on standard error", function()
    local script = [[
      local serve = require "spec.support.serve"
      local loop = require "smtp.loop"
      local list = {}
      local core = require "smtp.core"
      local server = serve.start { %s
        on_reset = function() error("oops reset", 0) end,
        on_close = function() error("oops close", 0) end,
        on_rcpt = function() error("oops rcpt", 0) end,
        auth = { cleartext = true, lookup = function() error("oops lookup", 0) end } }
      local peer = serve.connect(server)
      peer:reply()
      peer:cmd("EHLO x")
      peer:cmd("AUTH SCRAM-SHA-256 " .. core.base64("n,,n=ada,r=abcdefghijklmnopqrstuvwx"))
      for _, line in ipairs { "MAIL FROM:<>", "RCPT TO:<a@b.example>", "RSET", "QUIT" } do
        peer:cmd(line)
      end
      serve.idle(server)
      for _, event in ipairs(list) do
        if event.type == "error" then print("event", event.stage, event.error) end
      end
    ]]
    local _, output = net.run(script:format "")
    for _, stage in ipairs { "reset", "close", "rcpt" } do
      assert.truthy(output:find("smtp.server: error at " .. stage .. ": oops " .. stage, 1, true),
        output)
    end
    assert.truthy(output:find("smtp.server: error at auth: oops lookup", 1, true), output)
    _, output = net.run(script:format "on_mail = function() return 250, 'a\\rb' end,")
    assert.truthy(output:find([[smtp.server: error at mail: a handler's text cannot be sent: ]]
      .. [["a\13b"]], 1, true), output)
    _, output = net.run(script:format "on_event = serve.record(list),")
    assert.equal("event\tauth\toops lookup\nevent\trcpt\toops rcpt\nevent\treset\toops reset\n" ..
      "event\tclose\toops close\n", output)
    _, output = net.run(script:format "on_event = function() error('oops event', 0) end,")
    assert.equal("smtp.server: error at on_event: oops event\n", output)
  end)

  it("greets with the text of the option", function()
    local function greeting(options)
      local server <close> = serve.start(options)
      local client <close> = serve.connect(server)
      return client:reply()
    end
    assert.equal("220 mx.example Service ready", greeting {})
    assert.equal("220 mx.example", greeting { greeting = "" })
    assert.equal("220 mx.example ESMTP ready", greeting { greeting = "ESMTP ready" })
    assert.equal("220 mx.example hello", greeting { greeting = "",
      on_connect = function() return "hello" end })
    assert.equal("220 mx.example", greeting { greeting = "", lmtp = true,
      on_connect = function() return true end })
    for _, text in ipairs { "a\r\nb", "a\nb", "caf\u{e9}", "a\0", "\t", ("x"):rep(201) } do
      misused("greeting must be one line of ASCII", function()
        smtp.server { listen = "127.0.0.1:0", on_message = print, greeting = text }
      end)
    end
  end)

  it("reports a text that cannot be sent to the client unchanged", function()
    local events = {}
    local server <close> = serve.start { on_event = serve.record(events),
      on_mail = function() return 250, "2.1.0 gr\u{fc}\u{df} dich" end,
      on_rcpt = function() return 550, "5.1.1 kein Empf\u{e4}nger" end,
      on_vrfy = function() return 252, "\u{e9}" end }
    local client <close> = serve.connect(server)
    client:reply()
    client:cmd("EHLO x")
    assert.equal("250 2.1.0 gr?? dich", client:cmd("MAIL FROM:<>"))
    assert.equal("550 5.1.1 kein Empf?nger", client:cmd("RCPT TO:<a@b.example>"))
    client:cmd("RSET")
    assert.equal(2, #serve.of_type(events, "error"))
    for i, stage in ipairs { "mail", "rcpt" } do
      local event = serve.of_type(events, "error")[i]
      assert.equal(stage, event.stage)
      assert.truthy(event.error:find(stage == "mail" and "gr\u{fc}\u{df} dich" or "Empf\u{e4}nger",
        1, true), event.error)
      assert.truthy(event.error:find(stage == "mail" and '"2.1.0 gr?? dich"' or "Empf?nger", 1,
        true), event.error)
    end
    client:cmd("MAIL FROM:<> SMTPUTF8")
    assert.equal("550 5.1.1 kein Empf\u{e4}nger", client:cmd("RCPT TO:<a@b.example>"))
    assert.equal(2, #serve.of_type(events, "error"))
  end)

  it("on_reset and on_close tell facts", function()
    local facts = {}
    local server <close> = serve.start { on_event = function() end,
      on_reset = function() facts[#facts + 1] = "reset" error("ignored") end,
      on_close = function(session, summary)
        local reason, messages = summary.reason, summary.messages
        facts[#facts + 1] = ("close %s %d %s"):format(reason, messages, session.helo)
        error("ignored")
      end,
    }
    local client = serve.connect(server)
    client:reply()
    client:cmd("EHLO x.example")
    client:cmd("RSET") -- nothing to reset
    client:cmd("MAIL FROM:<a@b.example>")
    client:cmd("RSET")
    client:cmd("MAIL FROM:<a@b.example>")
    client:cmd("EHLO y.example")
    client:cmd("MAIL FROM:<a@b.example>")
    client:cmd("RCPT TO:<a@b.example>")
    client:cmd("DATA")
    client:content("x\r\n")
    client:cmd("QUIT")
    client:close()
    serve.idle(server)
    assert.same({ "reset", "reset", "close quit 1 y.example" }, facts)
    client = serve.connect(server)
    client:reply()
    client:cmd("HELO z.example")
    client:close()
    serve.idle(server)
    assert.equal("close closed 0 z.example", facts[4])
  end)
end)
