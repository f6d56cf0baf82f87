-- The errors of the client: kind, stage and outcome.
local smtp = require "smtp"
local errors = require "smtp.error"
local loop = require "smtp.loop"
local scripted = require "spec.support.scripted"

local function message(raw, to)
  return { envelope = { from = "ada@a.example", to = to or "bob@b.example" }, raw = raw }
end

-- Connects to a peer with this script and sends; gives the error and the client.
local function fail(script, raw, options)
  local server <close> = scripted.server(script)
  local target = { url = server.url }
  for key, value in pairs(options or {}) do target[key] = value end
  local client, err = smtp.connect(target)
  local receipt
  if client then receipt, err = client:send(message(raw or "x\r\n")) end
  assert.is_nil(receipt)
  assert.is_true(errors.is(err), tostring(err))
  assert.equal("127.0.0.1:" .. server.port, err.peer)
  return err, client
end

local hello = scripted.hello
local script = scripted.script

-- The way of one mail, command by command and in one flight.
local STEPS = {
  { "greeting" }, { "ehlo", "S 220 mx", "C EHLO" }, { "mail", "S 250 mx", "C MAIL" },
  { "rcpt", "S 250 ok", "C RCPT" }, { "data", "S 250 ok", "C DATA" },
  { "final", "S 354 go", "BODY" },
}

-- The script up to where `stage` waits for its reply.
local function until_stage(stage)
  local steps = {}
  for _, part in ipairs(STEPS) do
    for i = 2, #part do steps[#steps + 1] = part[i] end
    if part[1] == stage then return steps end
  end
end

describe("client whose server goes away", function()
  for _, how in ipairs { "CLOSE", "ABORT" } do
    for _, part in ipairs(STEPS) do
      local stage = part[1]
      it(("tells a %s at %s"):format(how, stage), function()
        local err, client = fail(script(until_stage(stage), how))
        if err.stage == "connect" then -- so fast that it never was a connection
          assert.same({ "connect", "ABORT", "greeting" }, { err.kind, how, stage })
          return
        end
        assert.is_string(err.transcript)
        assert.same({ "closed", stage, true }, { err.kind, err.stage, err.temporary })
        assert.equal(stage == "final" and "unknown" or "not_sent", err.outcome)
        if how == "CLOSE" then
          assert.truthy(tostring(err):find("closed the connection", 1, true))
        end
        if client then
          assert.is_false(client:usable())
          assert.error_matches(function() client:noop() end, "client is closed")
        end
      end)
    end

    it(("tells a %s in a flight, at the first reply that is missing"):format(how), function()
      local offered = hello("PIPELINING")
      local flight = { "C MAIL", "C RCPT", "C DATA" }
      for i, stage in ipairs { "mail", "rcpt", "data" } do
        local replies = { table.unpack({ "S 250 ok", "S 250 ok" }, 1, i - 1) }
        local err = fail(script(offered, flight, replies, how))
        assert.same({ "closed", stage, "not_sent" }, { err.kind, err.stage, err.outcome })
      end
    end)

    it(("tells a %s in the middle of the content"):format(how), function()
      local err = fail(script(hello(), "* MAIL", "* RCPT", "C DATA", "S 354 go",
        function(c) c:fill() end, how), ("x\r\n"):rep(3000000))
      assert.same({ "closed", "body", "not_sent" }, { err.kind, err.stage, err.outcome })
    end)
  end

  it("tells an end inside a reply", function()
    local err = fail(script("S 220 mx", "C EHLO", { raw = "250-mx\r\n250" }, "CLOSE"))
    assert.same({ "closed", "ehlo" }, { err.kind, err.stage })
  end)

  it("gives a reply that explains the end first", function()
    local err = fail(script(hello(), "* MAIL", "* RCPT", "C DATA", "S 354 go",
      function(c) c:fill() end, "S 552 5.3.4 too big", "CLOSE"), ("x\r\n"):rep(3000000))
    assert.same({ "rejected", "final", 552, "not_sent", false },
      { err.kind, err.stage, err.code, err.outcome, err.temporary })
  end)

  it("C020 tells a 421 at each stage, and is not usable then", function()
    for _, part in ipairs(STEPS) do
      local err, client = fail(script(until_stage(part[1]), "S 421 down", "EOF"))
      assert.same({ "rejected", part[1], 421, true, "not_sent" },
        { err.kind, err.stage, err.code, err.temporary, err.outcome })
      if client then
        assert.is_false(client:usable())
        client:close()
      end
    end
  end)

  it("C020 tells a 421 that nothing asked for", function()
    local server <close> = scripted.server(script(hello(), "S 421 idle", "EOF"))
    local client <close> = assert(smtp.connect(server.url))
    local reply, err = client:noop()
    assert.is_nil(reply)
    assert.same({ "rejected", 421 }, { err.kind, err.code })
    assert.is_false(client:usable())
  end)

  it("tells a greeting that refuses, and says QUIT", function()
    local server <close> = scripted.server { "S 554 5.7.1 not you", "C QUIT", "S 221 bye" }
    local client, err = smtp.connect(server.url)
    assert.is_nil(client)
    assert.same({ "rejected", "greeting", 554, false }, { err.kind, err.stage, err.code,
      err.temporary })
    assert.same({ "5.7.1 not you" }, err.lines)
    assert.is_nil(server:done())
  end)
end)

describe("client whose server is silent", function()
  local function times_out(stage, key, steps, raw)
    it("gives up at " .. stage, function()
      local since = loop.now()
      local timeout = { [key] = 0.03, quit = 0.01 }
      local err = fail(script(steps, "STOP"), raw, { timeout = timeout })
      assert.same({ "timeout", stage, true }, { err.kind, err.stage, err.temporary })
      assert.equal(stage == "final" and "unknown" or "not_sent", err.outcome)
      assert.is_true(loop.now() - since < 20) -- by default it is minutes

      since = loop.now()
      err = fail(script(steps, "STOP"), raw, { deadline = 0.03, timeout = timeout })
      assert.equal("timeout", err.kind)
      assert.is_true(loop.now() - since < 20) -- by default it is minutes
    end)
  end

  times_out("greeting", "greeting", until_stage("greeting"))
  times_out("ehlo", "ehlo", until_stage("ehlo"))
  times_out("mail", "command", until_stage("mail"))
  times_out("rcpt", "command", until_stage("rcpt"))
  times_out("data", "data", until_stage("data"))
  times_out("body", "block", script(hello(), "* MAIL", "* RCPT", "C DATA", "S 354 go"),
    ("x\r\n"):rep(5000000))
  times_out("final", "final", until_stage("final"))

  it("has one deadline for a whole call", function()
    local function slow(c)
      loop.sleep(0.05)
      c:say("250 ok\r\n")
    end
    local steps = hello()
    steps[#steps + 1] = "C MAIL"
    steps[#steps + 1] = slow
    for _ = 1, 60 do
      steps[#steps + 1] = "C RCPT"
      steps[#steps + 1] = slow
    end
    local to = {}
    for i = 1, 60 do to[i] = ("r%d@b.example"):format(i) end
    for _, call in ipairs { "smtp.send", "client:send" } do
      local server <close> = scripted.server(steps)
      local since = loop.now()
      local receipt, err
      if call == "smtp.send" then
        receipt, err = smtp.send(server.url, message("x\r\n", to), { deadline = 0.1 })
      else
        local client <close> = assert(smtp.connect(server.url))
        receipt, err = client:send(message("x\r\n", to), { deadline = 0.1 })
      end
      assert.is_nil(receipt)
      assert.same({ "timeout", "rcpt", "not_sent" }, { err.kind, err.stage, err.outcome })
      assert.truthy(tostring(err):find("the deadline has passed", 1, true))
      assert.is_true(loop.now() - since < 2.9) -- 3 for all replies
    end
  end)

  it("does not keep the deadline of a call that raised", function()
    local server <close> = scripted.server(script(hello(), "C NOOP", function(c)
      loop.sleep(0.1)
      c:say("250 ok\r\n")
    end))
    local client <close> = assert(smtp.connect(server.url))
    assert.error_matches(function()
      client:send("no message", { deadline = 0.01 })
    end, "a message is a table, not string")
    assert.equal(250, assert(client:noop()).code)
  end)

  it("does not take one line after the other for an answer", function()
    local function drip(c)
      for _ = 1, 2000 do
        c:say("220-x\r\n")
        loop.sleep(0.01)
      end
    end
    local since = loop.now()
    local err = fail({ drip }, nil, { timeout = { greeting = 0.1 } })
    assert.same({ "timeout", "greeting" }, { err.kind, err.stage })
    assert.is_true(loop.now() - since < 10)
  end)
end)

describe("client whose server breaks the protocol", function()
  local function breaks(name, stage, steps, why)
    it("tells " .. name, function()
      local err, client = fail(steps)
      assert.same({ "protocol", stage, false }, { err.kind, err.stage, err.temporary })
      assert.equal("not_sent", err.outcome)
      assert.truthy(tostring(err):find(why, 1, true), tostring(err))
      assert.is_true(not client or not client:usable())
    end)
  end

  breaks("a reply of too many lines", "greeting", { { raw = ("220-x\r\n"):rep(1000) }, "EOF" },
    "too many lines in reply")
  breaks("a reply line that does not end", "greeting", { { raw = ("x"):rep(100000) }, "EOF" },
    "reply line too long")
  breaks("a reply of too many bytes", "ehlo",
    { "S 220 x", "C EHLO", { raw = ("250-" .. ("x"):rep(1000) .. "\r\n"):rep(100) }, "EOF" },
    "reply too long")
  breaks("what is no SMTP", "greeting", { "S HTTP/1.1 400 Bad Request", "EOF" },
    "not an SMTP reply")
  breaks("codes that differ", "ehlo", { "S 220 x", "C EHLO", { raw = "250-a\r\n550 b\r\n" },
    "EOF" },
    "reply code differs between lines")
  breaks("a NUL in a reply", "mail", script(hello(), "C MAIL", { raw = "250 \0\r\n" }, "EOF"),
    "NUL in reply")
  breaks("a reply nobody asked for", "mail",
    script(hello(), "C MAIL", { raw = "250 ok\r\n250 ok\r\n" }, "EOF"), "")
  breaks("a 2xx for DATA", "data",
    script(hello(), "* MAIL", "* RCPT", "C DATA", "S 250 ok", "EOF"), "a 2xx reply to DATA")

  it("tells the stage of the reply that breaks it, where it came with others", function()
    for stage, case in pairs {
      data = { { "PIPELINING" }, { raw = "250 a\r\n250 b\r\n250 c\r\n" }, "not_sent" },
      final = { { "PIPELINING", "CHUNKING" }, { raw = "250 a\r\n250 b\r\n354 c\r\n" }, "unknown" },
    } do
      local err = fail(script(hello(table.unpack(case[1])), "C MAIL", "C RCPT",
        function(c) c:line() c.buffer = "" end, case[2], "EOF"), "x: y\r\n")
      assert.same({ "protocol", stage, case[3] }, { err.kind, err.stage, err.outcome })
    end
  end)

  it("takes no 2xx in the middle of the content for success", function()
    local err = fail(script(hello(), "* MAIL", "* RCPT", "C DATA", "S 354 go",
      function(c) c:fill(1000) end, "S 250 queued", "EOF"), ("x\r\n"):rep(3000000))
    assert.same({ "protocol", "body", "not_sent" }, { err.kind, err.stage, err.outcome })
  end)

  it("gives a hint where a port may be the wrong one", function()
    local err = fail { "CLOSE" }
    assert.truthy(err.hint:find("465", 1, true))
    assert.truthy(tostring(err):find(err.hint, 1, true))
  end)
end)

describe("client that may not say what it is given", function()
  local bad = { "\r", "\n", "\0", "\r\nRSET\r\n" }

  local function refused(kind, stage, result, err)
    assert.is_nil(result)
    assert.is_true(errors.is(err), tostring(err))
    assert.same({ kind, stage, "not_sent", false }, { err.kind, err.stage, err.outcome,
      err.temporary })
  end

  it("refuses CR, LF and NUL everywhere, and writes nothing", function()
    local server <close> = scripted.server(script(hello(), "* NOOP", "C QUIT", "S 221 bye"))
    local client <close> = assert(smtp.connect(server.url))
    for _, c in ipairs(bad) do
      local address = "a" .. c .. "b@c.example"
      for _, one in ipairs { address, "a@c" .. c .. ".example", "Ada" .. c .. "<" .. address .. ">",
        "a@b.example>" .. c, '"a' .. c .. 'b"@c.example' } do
        refused("invalid", "mail", client:mail(one))
        refused("invalid", "mail", client:send { envelope = { from = one, to = "b@c" }, raw = "x" })
        refused("invalid", "rcpt", client:rcpt(one))
        refused("invalid", "mail", client:send { envelope = { from = "b@c", to = one }, raw = "x" })
        refused("invalid", "mail",
          client:send { envelope = { from = "b@c", to = { "d@e", { address = one } } }, raw = "x" })
      end
      refused("invalid", "command", client:command("NOOP" .. c))
      refused("invalid", "command", client:command("VRFY a" .. c .. "b"))
      refused("invalid", "command", client:vrfy("a" .. c))
      refused("invalid", "command", client:command(c))
      local none, err = smtp.connect { url = server.url, helo = "me" .. c }
      refused("invalid", "ehlo", none, err)
    end
    refused("invalid", "command", client:command(""))
    assert.equal(250, assert(client:noop()).code)
    assert(client:quit())
    assert.is_nil(server:done())
    assert.equal("EHLO [127.0.0.1] | NOOP | QUIT", server:said())
  end)

  it("refuses addresses that are none", function()
    local server <close> = scripted.server(script(hello(), "EOF"))
    local client <close> = assert(smtp.connect(server.url))
    for _, one in ipairs { "a", "a b@c", "a@b>c", "@b", "a@", "a@b@c", "x@[999.1.1.1]" } do
      refused("invalid", "mail", client:mail(one))
      local none, err = client:send(message("x", { "ok@b.example", one }))
      refused("invalid", "mail", none, err)
      assert.equal(one, err.address)
    end
    refused("invalid", "rcpt", client:rcpt(""))
    refused("invalid", "mail", client:send { envelope = { from = "a@b", to = {} }, raw = "x" })
    refused("invalid", "mail", client:send { envelope = { from = "a@b" }, raw = "x" })
    refused("invalid", "mail", client:send { envelope = { from = "a@b", to = { 5 } }, raw = "x" })
    refused("invalid", "mail", client:send { envelope = { from = "a@b", to = "c@d" }, raw = 5 })
    refused("unsupported", "mail", client:mail("grüße@b.example"))
    refused("unsupported", "rcpt", client:send(message("x", "grüße@bücher.example")))
    client:close()
    assert.is_nil(server:done())
    assert.equal("EHLO [127.0.0.1]", server:said())
  end)

  it("C046 refuses what is larger than the server takes", function()
    local server <close> = scripted.server(script(hello("SIZE 10"),
      "C MAIL FROM:<ada@a.example> SIZE=10",
      "S 250 ok", "* RCPT", "C DATA", "S 354 go", "BODY", "S 250 ok"))
    local client <close> = assert(smtp.connect(server.url))
    refused("too_big", "mail", client:send(message("12345678\r\nx")))
    refused("too_big", "mail", client:send { envelope = { from = "", to = "b@c" }, size = 11,
      raw = function() error("never asked") end })
    assert(client:send(message("12345678\r\n")))
    assert.is_nil(server:done())
  end)

  it("C046 takes SIZE without a number, or 0, for no limit", function()
    for _, keyword in ipairs { "SIZE", "SIZE 0" } do
      local server <close> = scripted.server(script(hello(keyword),
        "C MAIL FROM:<ada@a.example> SIZE=3", "S 550 no"))
      local receipt, err = smtp.send(server.url, message("x\r\n"))
      assert.is_nil(receipt)
      assert.equal("rejected", err.kind)
      assert.is_nil(server.wrong)
    end
  end)

  it("C095 refuses 8-bit content where 8BITMIME is not offered", function()
    local server <close> = scripted.server(script(hello(), "* MAIL", "* RCPT"))
    local client <close> = assert(smtp.connect(server.url))
    refused("unsupported", "mail", client:send(message("ä\r\n")))
    refused("unsupported", "mail", client:mail("a@b.example", { body = "8BITMIME" }))
    assert(client:mail("a@b.example", { body = "7BIT" }))
    assert(client:rcpt("c@d.example"))
    refused("unsupported", "data", client:data("ä\r\n"))
    assert.is_nil(server:done())
    assert.equal("EHLO [127.0.0.1] | MAIL FROM:<a@b.example> | RCPT TO:<c@d.example>",
      server:said())
  end)

  it("C095 never sends an 8-bit byte of a stream there either", function()
    local server <close> = scripted.server(script(hello(), "* MAIL", "* RCPT", "C DATA", "S 354 go",
      "BODY"))
    local chunks = { "plain\r\n", "\xe4\r\n" }
    local receipt, err = smtp.send(server.url, message(function() return table.remove(chunks,
      1) end))
    refused("unsupported", "body", receipt, err)
    assert.is_nil(server:done())
    assert.is_nil(server.body:find("[\x80-\xff]"))
    assert.is_nil(server.body:find("\r\n.\r\n", 1, true))
  end)

  it("C095 announces 8-bit content where 8BITMIME is offered", function()
    for raw, params in pairs { ["ä\r\n"] = " BODY=8BITMIME", ["a\r\n"] = "" } do
      local server <close> = scripted.server(script(hello("8BITMIME"),
        "C MAIL FROM:<ada@a.example>" .. params, "S 250 ok", "* RCPT", "C DATA", "S 354 go", "BODY",
        "S 250 ok"))
      assert(smtp.send({ url = server.url, timeout = { quit = 0.01 } }, message(raw)))
      assert.is_nil(server.wrong)
      assert.equal("MAIL FROM:<ada@a.example>" .. params, server.lines[2])
      assert.equal(raw, server.body)
    end
  end)
end)

describe("client whose content is cut", function()
  -- A server on a socket with small buffers, which reads no content: its end is in the machine,
  -- and is not written.
  local function cut(offers, how, options)
    local path = os.tmpname()
    os.remove(path)
    local replies = { raw = "250 a\r\n250 b\r\n" .. (offers[2] and "" or "354 c\r\n") }
    local server <close> = scripted.server(script(hello(table.unpack(offers)), "C MAIL", "C RCPT",
      offers[2] and "C BDAT" or "C DATA", replies, how), { path = path })
    local target = { url = server.url, timeout = 5 }
    for key, value in pairs(options or {}) do target[key] = value end
    local receipt, err = smtp.send(target, message(("x"):rep(998) .. ("\r\n" .. ("x"):rep(998))
      :rep(300)))
    os.remove(path)
    assert.is_nil(receipt)
    return err
  end

  it("fails at the stage body", function()
    for _, offers in ipairs { { "PIPELINING" }, { "PIPELINING", "CHUNKING" } } do
      for _, how in ipairs { "CLOSE", "ABORT" } do
        local err = cut(offers, how)
        assert.same({ "closed", "body", "not_sent", true },
          { err.kind, err.stage, err.outcome, err.temporary })
      end
      local err = cut(offers, "STOP", { timeout = { block = 0.1 } })
      assert.same({ "timeout", "body", "not_sent" }, { err.kind, err.stage, err.outcome })
    end
  end)

  it("says what is not known, in the sentence", function()
    local server <close> = scripted.server(script(hello(), "* MAIL", "* RCPT", "C DATA", "S 354 go",
      "BODY", "CLOSE"))
    local _, err = smtp.send(server.url, message("x\r\n"))
    assert.same({ "final", "unknown" }, { err.stage, err.outcome })
    assert.matches("; the message may have been accepted", tostring(err))
    local steps = script(hello(), "* MAIL", "* RCPT", "* RCPT", "C DATA", "S 354 go", "BODY",
      "S 250 a has it", "CLOSE")
    steps[2] = "C LHLO"
    local lmtp <close> = scripted.server(steps)
    _, err = smtp.send(lmtp.url:gsub("^smtp", "lmtp"), message("x\r\n", { "a@b.c", "b@b.c" }))
    assert.equal("partial", err.outcome)
    assert.matches("accepted for some recipients, and may have been for others", tostring(err))
    local none <close> = scripted.server(script(hello(), "C MAIL", "CLOSE"))
    _, err = smtp.send(none.url, message("x\r\n"))
    assert.is_nil(tostring(err):find("accepted", 1, true))
  end)

  it("gives no receipt for a message behind a 421 to one recipient of another", function()
    -- By LMTP the others of that message still have their replies. What follows is not begun.
    for _, last in ipairs { "354 go", "250 ok", "554 no" } do
      local steps = script(hello("PIPELINING"), "C MAIL", "C RCPT", "C RCPT", "C DATA",
        "S 250 ok", "S 250 ok", "S 250 ok", "S 354 go", "BODY", "C MAIL", "C RCPT", "C DATA",
        "S 421 4.3.2 bye", "S 250 b has it", "S 250 ok", "S 250 ok", "S " .. last, "CLOSE")
      steps[2] = "C LHLO"
      local lmtp <close> = scripted.server(steps)
      local client <close> = assert(smtp.connect { url = lmtp.url:gsub("^smtp", "lmtp"),
        timeout = 5 })
      local results = {}
      for i, receipt, err in client:send_all { message("x\r\n", { "a@b.c", "b@b.c" }),
        message("y\r\n") } do
        results[i] = { receipt, err }
      end
      assert.same({ "b@b.c" }, results[1][1].accepted, last)
      assert.is_nil(results[2][1], last)
      assert.equal("not_sent", results[2][2].outcome, last)
    end
  end)
end)
