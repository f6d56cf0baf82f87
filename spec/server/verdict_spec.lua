-- Results of a next hop as results of a handler (smtp.verdict, smtp.refusals), and the replies for
-- the client: C172.
local scripted = require "spec.support.scripted"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local CONTENT = "Subject: x\r\n\r\nbody\r\n"
local OURS = "451 4.3.0 Local error, please try again later"

local function url(server, scheme)
  if type(server) == "string" then return server end
  return (scheme or "smtp") .. "://127.0.0.1:" .. server.port
end

-- The envelope, up to where the content is due, and its reply.
local function hand_over(server, recipients, content)
  local client <close> = serve.connect(server)
  client:reply()
  for _, line in ipairs { (server.lmtp and "LHLO" or "EHLO") .. " client.code.energy",
    "MAIL FROM:<ada@code.energy>" } do
    assert.matches("^250", client:cmd(line))
  end
  for _, recipient in ipairs(recipients or { "bob@example.com" }) do
    local reply = client:cmd("RCPT TO:<" .. recipient .. ">")
    if reply:sub(1, 1) ~= "2" then return reply end
  end
  assert.matches("^354", client:cmd("DATA"))
  local replies = { client:content(content or CONTENT) }
  for i = 2, server.lmtp and #recipients or 1 do replies[i] = client:reply() end
  return table.unpack(replies)
end

-- A server whose messages go to another one, whose handlers are `options`.
local function gateway(next, handler, options)
  local events = {}
  local all = { on_rcpt = true, on_event = serve.record(events), on_message = handler
    or function(_, message) return smtp.send(url(next), message) end }
  for key, value in pairs(options or {}) do all[key] = value end
  local server = serve.start(all)
  server.lmtp = all.lmtp
  return server, events
end

-- The next hop says these at a stage.
local function refusing(stage, code, text)
  local options = { on_rcpt = true }
  options["on_" .. stage] = function(_, message)
    if stage == "message" then message:skip() end
    return code, text
  end
  return serve.start(options)
end

describe("the verdict of a next hop", function()
  local STAGES = { "mail", "rcpt", "message" }

  it("C172 keeps code, enhanced code and text, from every call", function()
    for _, stage in ipairs(STAGES) do
      for _, case in ipairs { { 550, "5.1.1 no such user" }, { 452, "4.2.2 mailbox full" },
        { 554, "5.7.1 no" }, { 451, "4.7.1 greylisted\nsee https://x.example" },
        { 550, "5.7.999 odd" } } do
        local next <close> = refusing(stage, case[1], case[2])
        local server <close> = gateway(next)
        local heard = hand_over(server)
        local first, second = case[2]:match("^(.-)\n(.*)$")
        local enhanced = case[2]:match("^%S+")
        local expected = not first and ("%d %s"):format(case[1], case[2])
          or ("%d-%s\r\n%d %s %s"):format(case[1], first, case[1], enhanced, second)
        assert.equal(expected, heard)
      end
    end
  end)

  it("accepts with the text, once", function()
    local copies = 0
    local next <close> = serve.start { on_rcpt = true, on_message = function(_, message)
      message:skip()
      copies = copies + 1
      return "queued as 42"
    end }
    local server <close> = gateway(next)
    assert.equal("250 2.0.0 queued as 42", hand_over(server))
    assert.equal(1, copies)
  end)

  it("works for each call that passes a message on", function()
    local next <close> = refusing("message", 550, "5.1.1 no such user")
    local good <close> = serve.start { on_rcpt = true }
    for _, case in ipairs { { next, "550 5.1.1 no such user" },
      { good, "250 2.0.0 Message accepted" } } do
      local at, expected = case[1], case[2]
      for _, handler in ipairs {
        function(_, message) return smtp.send(url(at), assert(smtp.parse(message))) end,
        function(_, message)
          local client <close> = assert(smtp.connect(url(at)))
          return client:send(message)
        end,
        function(_, message)
          local client <close> = assert(smtp.connect(url(at)))
          local receipt, err
          for _, its, why in client:send_all { message } do receipt, err = its, why end
          return receipt, err
        end,
        function(_, message)
          local pool <close> = smtp.pool { url = url(at) }
          return pool:send(message)
        end,
        function(_, message)
          local client <close> = assert(smtp.connect(url(at)))
          assert(client:mail(message.sender))
          assert(client:rcpt(message.recipients[1]))
          return client:data(message)
        end,
        function(_, message)
          local _, err = smtp.send(url(at), message)
          return err or true
        end,
      } do
        local server <close> = gateway(nil, handler)
        assert.equal(expected, hand_over(server))
      end
    end
  end)

  it("is passed on by single commands, too", function()
    local next <close> = serve.start {
      on_mail = function(_, sender) if sender.user == "eve" then return 550, "5.7.27 no" end end,
      on_rcpt = function(_, to)
        if to.user == "full" then return 452, "4.2.2 full" end
        if to.user == "away" then return 251, "2.1.5 will forward" end
        return to.user == "bob"
      end,
    }
    local server <close> = serve.start {
      on_helo = function(session) session.client = assert(smtp.connect(url(next))) end,
      on_mail = function(session, sender) return session.client:mail(sender) end,
      on_rcpt = function(session, to) return session.client:rcpt(to) end,
      on_message = function(session, message) return session.client:data(message) end,
      on_close = function(session) session.client:close() end,
    }
    local client <close> = serve.connect(server)
    client:reply()
    client:cmd("EHLO a.example")
    assert.equal("550 5.7.27 no", client:cmd("MAIL FROM:<eve@x.example>"))
    assert.equal("250 2.1.0 Sender OK", client:cmd("MAIL FROM:<ada@code.energy>"))
    assert.equal("452 4.2.2 full", client:cmd("RCPT TO:<full@example.com>"))
    assert.equal("550 5.1.1 No such recipient here", client:cmd("RCPT TO:<no@example.com>"))
    assert.equal("250 2.1.5 will forward", client:cmd("RCPT TO:<away@example.com>"))
    assert.equal("250 2.1.5 Recipient OK", client:cmd("RCPT TO:<bob@example.com>"))
    client:cmd("DATA")
    assert.equal("250 2.0.0 Message accepted", client:content(CONTENT))
    client:cmd("QUIT")
  end)

  it("is 451 if it is not about the mail", function()
    local open = { "S 220 ok", "C EHLO", "S 250 ok", "C MAIL" }
    local rcpt = { "S 250 ok", "C RCPT", "S 250 ok", "C DATA", "S 354 go", "BODY" }
    local scripts = {
      { "S 554 5.7.1 go away" }, { "S 421 4.3.2 busy" },
      { "S 220 ok", "C EHLO", "S 550 5.7.1 not you", "C HELO", "S 550 5.7.1 not you" },
      scripted.script(open, "S 421 4.7.0 later"),
      scripted.script(open, "S 250 ok", "C RCPT", "S 421 4.7.0 later"),
      scripted.script(open, rcpt, "S 421 4.3.2 shutting down"),
      scripted.script(open, rcpt, "CLOSE"),
      scripted.script(open, rcpt, { raw = "550-5.1.1 no\r\n250 yes\r\n" }), -- nobody knows
    }
    for i, script in ipairs(scripts) do
      local next <close> = scripted.server(script)
      local server <close>, events = gateway(next.url)
      assert.equal(OURS, hand_over(server), i)
      assert.equal(1, #serve.of_type(events, "error"))
    end
    local closed <close> = serve.start {}
    local at = url(closed)
    closed:close()
    local server <close> = gateway(nil, function(_, message) return smtp.send(at, message) end)
    assert.equal(OURS, hand_over(server))
  end)

  it("replaces a text that cannot be sent, and keeps class and enhanced code", function()
    for _, case in ipairs { { "550 5.1.1 a\27[2Jb", "550 5.1.1 Refused by the next server" },
      { "452 4.2.2 \127", "452 4.2.2 Deferred by the next server" },
      { "550 5.1.1 \xff\xfe", "550 5.1.1 Refused by the next server" },
      { "550 \1", "550 5.0.0 Refused by the next server" },
      { "550 no such user", "550 5.0.0 no such user" },
      { "550 ", "550 5.0.0 Refused by the next server" },
      { "550-5.1.1 no such\r\n550 5.1.1 user", "550-5.1.1 no such\r\n550 5.1.1 user" },
      { "550-5.1.1 a\r\n550-\r\n550 b", "550-5.1.1 a\r\n550-5.1.1\r\n550 5.1.1 b" },
      { "550 4.2.2 odd", "550 5.0.0 4.2.2 odd" } } do
      local next <close> = scripted.server(scripted.script("S 220 ok", "C EHLO", "S 250 ok",
        "C MAIL", "S 250 ok", "C RCPT", "S " .. case[1], "C QUIT", "S 221 bye"))
      local server <close> = gateway(next.url)
      assert.equal(case[2], (hand_over(server)))
    end
    -- an acceptance stays one
    local next <close> = scripted.server(scripted.script("S 220 ok", "C EHLO", "S 250 ok", "C MAIL",
      "S 250 ok", "C RCPT", "S 250 ok", "C DATA", "S 354 go", "BODY", "S 250 2.6.0 a\1b", "C QUIT",
      "S 221 bye"))
    local server <close> = gateway(next.url)
    assert.equal("250 2.6.0 Accepted by the next server", (hand_over(server)))
  end)

  it("code and text of a refusal keep its enhanced code", function()
    local next <close> = refusing("rcpt", 550, "5.1.1 no such user")
    local later <close> = refusing("message", 452, "4.2.2 full\nreally")
    for _, case in ipairs { { next, "550 5.1.1 no such user" },
      { later, "452-4.2.2 full\r\n452 4.2.2 really" } } do
      for _, handler in ipairs {
        function(_, message)
          local receipt, err = smtp.send(url(case[1]), message)
          if not receipt then return err.code, err.text end
        end,
        function(_, message)
          local receipt, err = smtp.send(url(case[1]), message)
          if not receipt then return err.code, err.enhanced, err.text end
        end,
        function(_, message)
          local _, err = smtp.send(url(case[1]), message)
          local one = err.rejected[1] or err
          return one.code, one.text
        end,
        function(_, message)
          local _, err = smtp.send(url(case[1]), message)
          message:reply(message.recipients[1], err.code, err.text)
          return true
        end,
      } do
        local server <close> = gateway(nil, handler)
        assert.equal(case[2], (hand_over(server)))
      end
    end
    local server <close> = gateway(nil, function(_, message)
      message:skip()
      return 550, "a text of its own"
    end)
    assert.equal("550 5.7.1 a text of its own", (hand_over(server)))
  end)

  it("takes codes that are whole floats, and tables that are replies", function()
    for value, heard in pairs { [{ 550.0, "5.1.1 no" }] = "550 5.1.1 no", [{ 550.5, "x" }] = OURS,
      [{ { code = 452, text = "4.2.2 full" } }] = "452 4.2.2 full", [{ {} }] = OURS,
      [{ { code = 354, text = "go" } }] = OURS, [{ { code = "550" } }] = OURS,
      [{ { code = 250.0, text = "queued" } }] = "250 2.0.0 queued", [{ io.stdout }] = OURS,
      [{ setmetatable({ code = 250 }, {}) }] = OURS } do
      local server <close> = gateway(nil, function(_, message)
        message:skip()
        return table.unpack(value)
      end)
      assert.equal(heard, (hand_over(server)))
    end
  end)
end)

describe("a message that some have", function()
  local function picky(options)
    local all = { on_rcpt = function(_, to)
      if to.user == "full" then return 452, "4.2.2 full" end
      if to.user == "eve" then return 550, "5.1.1 no eve" end
      if to.user == "slow" then return 451, "4.7.1 later" end
      if to.user == "odd" then return 500, "5.5.1 odd" end
      return true
    end }
    for key, value in pairs(options or {}) do all[key] = value end
    return serve.start(all)
  end

  local BOTH = { "bob@example.com", "eve@example.com" }

  it("is 250 if on_undelivered takes the rest", function()
    local next <close> = picky()
    local seen, bounce
    local server <close>, events = gateway(next, nil, {
      on_undelivered = function(_, message, failures)
        seen = failures
        smtp.sleep(0)
        bounce = assert(smtp.bounce(message, failures))
        return true
      end })
    assert.equal("250 2.0.0 Message accepted", hand_over(server, BOTH))
    assert.same({ "eve@example.com", 550, "5.1.1" },
      { seen[1].address, seen[1].code, seen[1].enhanced })
    assert.equal(1, #seen)
    assert.same({ "ada@code.energy" }, bounce.envelope.to)
    assert.equal(0, #serve.of_type(events, "error"))
  end)

  it("is 451 and an event if nobody does", function()
    local next <close> = picky()
    for i, handler in ipairs { false, function() return false end, function() end,
      function() return nil, "no disk" end, function() error("no disk") end,
      function() return 250, "yes" end } do
      local server <close>, events = gateway(next, nil, { on_undelivered = handler or nil })
      assert.equal(OURS, hand_over(server, BOTH))
      local told = serve.of_type(events, "error")
      assert.equal(1, #told)
      assert.matches("<eve@example.com> 550 5.1.1 no eve", tostring(told[1].error), 1, true)
      if i == 4 or i == 5 then assert.matches("no disk", tostring(told[1].error)) end
    end
  end)

  it("is refused with its reply if no recipient has the message", function()
    local next <close> = picky()
    local called = false
    local options = { on_undelivered = function() called = true end }
    local server <close> = gateway(next, nil, options)
    assert.equal("550 5.1.1 no eve", hand_over(server, { "eve@example.com", "eve@x.example" }))
    assert.equal("452 4.2.2 full", hand_over(server, { "eve@example.com", "full@example.com" }))
    assert.equal("452 4.2.2 full", hand_over(server, { "full@example.com", "eve@example.com" }))
    assert.equal("452 4.2.2 full", hand_over(server, { "full@example.com", "slow@example.com" }))
    assert.equal("452 4.2.2 full", hand_over(server, { "odd@example.com", "full@example.com",
      "eve@example.com" }))
    assert.is_false(called)
  end)

  it("is a matter of the rest where the connection ended between replies by LMTP", function()
    local seen
    for done, heard in pairs { [true] = "250 2.0.0 Message accepted", [false] = OURS } do
      local next <close> = scripted.server { "S 220 mx", "C LHLO", "S 250 mx", "* MAIL", "* RCPT",
        "* RCPT", "* RCPT", "C DATA", "S 354 go", "BODY", "S 250 2.0.0 bob has it",
        "S 550 5.1.1 no eve", "CLOSE" }
      local server <close> = gateway(nil, function(_, message)
        return smtp.send((next.url:gsub("^smtp", "lmtp")), message)
      end, { on_undelivered = function(_, _, failures)
        seen = failures
        return done
      end })
      assert.equal(heard, hand_over(server, { "bob@example.com", "eve@example.com",
        "zoe@example.com" }))
      assert.same({ "eve@example.com", 550, "zoe@example.com", 2 },
        { seen[1].address, seen[1].code, seen[2].address, #seen })
    end
  end)

  it("is 451 for a recipient without a reply to pass on", function()
    local server <close> = gateway(nil, function(_, message)
      message:skip()
      return { code = 250, text = "2.0.0 bob has it", accepted = { "bob@example.com" },
        rejected = { { address = "eve@example.com", code = 421, text = "busy" },
          { address = "zoe@example.com", code = 554, text = "go", stage = "greeting" } } }
    end, { lmtp = true })
    local later = "451 4.3.0 Deferred by the next server"
    assert.same({ "250 2.0.0 bob has it", later, later },
      { hand_over(server, { "bob@example.com", "eve@example.com", "zoe@example.com" }) })
  end)

  it("is sent for each recipient by LMTP and PRDR", function()
    local next <close> = picky()
    local called = false
    local three = { "bob@example.com", "eve@example.com", "full@example.com" }
    local server <close> = gateway(next, nil, { lmtp = true,
      on_undelivered = function() called = true end })
    assert.same({ "250 2.0.0 Message accepted", "550 5.1.1 no eve", "452 4.2.2 full" },
      { hand_over(server, three) })
    assert.same({ "550 5.1.1 no eve", "452 4.2.2 full" },
      { hand_over(server, { "eve@example.com", "full@example.com" }) })
    assert.is_false(called)
    -- from one LMTP server to the other
    local last <close> = serve.start { lmtp = true, on_message = function(_, message)
      message:skip()
      message:reply("bob@example.com", 250, "2.0.0 bob has it")
      message:reply("eve@example.com", 550, "5.2.2 eve is full")
      return true, "others have it"
    end }
    local lmtp <close> = gateway(nil, function(_, message)
      return smtp.send(url(last, "lmtp"), message)
    end, { lmtp = true })
    assert.same({ "250 2.0.0 bob has it", "550 5.2.2 eve is full", "250 2.0.0 others have it" },
      { hand_over(lmtp, three) })
    local by_hand <close> = gateway(nil, function(_, message)
      local client <close> = assert(smtp.connect(url(last, "lmtp")))
      assert(client:mail(message.sender))
      for _, one in ipairs(message.recipients) do assert(client:rcpt(one)) end
      return client:data(message)
    end, { on_undelivered = function(_, _, failures)
      called = failures
      return true
    end })
    assert.equal("250 2.0.0 bob has it", hand_over(by_hand, three))
    assert.same({ "eve@example.com", 1 }, { called[1].address, #called })
  end)

  it("is sent for each recipient by PRDR", function()
    local next <close> = picky()
    local server <close> = gateway(next, nil, { extensions = { PRDR = true } })
    local receipt = assert(smtp.send(url(server), { text = "x", from = "ada@code.energy",
      to = { "bob@example.com", "eve@example.com", "full@example.com" } }))
    assert.same({ "bob@example.com" }, receipt.accepted)
    local told = {}
    for i, one in ipairs(receipt.rejected) do
      told[i] = ("%s %d %s %s"):format(one.address, one.code, one.enhanced, one.text)
    end
    assert.same({ "eve@example.com 550 5.1.1 no eve", "full@example.com 452 4.2.2 full" }, told)
    local _, err = smtp.send(url(server), { text = "x", from = "ada@code.energy",
      to = { "eve@example.com", "full@example.com" } })
    assert.equal("rejected", err.kind)
  end)

  it("is not sent for an address that is no recipient", function()
    local next <close> = picky()
    local function expand(_, message)
      return smtp.send(url(next), { envelope = { from = "a@b.example", to = BOTH }, raw = message })
    end
    local server <close> = gateway(nil, expand, { lmtp = true })
    assert.equal(OURS, hand_over(server, { "list@example.com" }))
    local kind <close> = gateway(nil, expand, { lmtp = true,
      on_undelivered = function() return true end })
    assert.equal("250 2.0.0 Message accepted", hand_over(kind, { "list@example.com" }))
    local last <close> = serve.start { lmtp = true }
    local lists <close> = gateway(nil, function(_, message)
      return smtp.send(url(last, "lmtp"), { envelope = { from = "a@b.example", to = BOTH },
        raw = message })
    end, { lmtp = true })
    assert.equal("250 2.0.0 Message accepted", hand_over(lists, { "list@example.com" }))
  end)
end)
