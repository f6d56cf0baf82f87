-- The client's calls, against our server and against scripted peers.
local smtp = require "smtp"
local loop = require "smtp.loop"
local scripted = require "spec.support.scripted"

-- A server that keeps what it is given.
local function start(options)
  local mails = {}
  options = options or {}
  options.listen = options.listen or "127.0.0.1:0"
  options.hostname = "mx.example"
  options.on_message = options.on_message or function(_, message)
    mails[#mails + 1] = { from = message.sender.address, to = message.envelope.to,
      raw = message:read(), size = message.sender.size, body = message.sender.body }
    return true, "kept as " .. #mails
  end
  local server = assert(smtp.server(options))
  return server, mails, server.port and "smtp://127.0.0.1:" .. server.port
end

local function message(raw, to)
  return { envelope = { from = "ada@a.example", to = to or "bob@b.example" }, raw = raw }
end

describe("client", function()
  it("greets and tells what the server said and can", function()
    local server <close>, _, url = start()
    local client <close> = assert(smtp.connect(url))
    assert.equal(220, client.greeting.code)
    assert.truthy(client.greeting.text:find("mx.example", 1, true))
    assert.is_true(client.esmtp)
    assert.equal(35 * 1024 * 1024, client.capabilities.SIZE)
    assert.is_true(client.capabilities.PIPELINING)
    assert.is_true(client.capabilities["8BITMIME"])
    assert.is_nil(client.capabilities.STARTTLS)
    assert.is_nil(client.tls)
    assert.is_true(client:usable())
    assert.equal(1, server:stats().connections)
  end)

  it("sends a message in one line", function()
    local server <close>, mails, url = start()
    local receipt = assert(smtp.send(url, message("Subject: hi\r\n\r\nhi\r\n")))
    assert.equal(250, receipt.code)
    assert.equal("2.0.0", receipt.enhanced)
    assert.equal("kept as 1", receipt.text)
    assert.same({ "bob@b.example" }, receipt.accepted)
    assert.same({}, receipt.rejected)
    assert.same({ pipelining = true, chunking = true }, receipt.used)
    assert.same({ { from = "ada@a.example", to = { "bob@b.example" },
      raw = "Subject: hi\r\n\r\nhi\r\n", size = 19 } }, mails)
    assert.equal(1, server:stats().messages)
  end)

  it("sends many messages on one connection", function()
    local server <close>, mails, url = start()
    local client <close> = assert(smtp.connect(url))
    for i = 1, 5 do
      assert.equal("kept as " .. i, assert(client:send(message("n: " .. i .. "\r\n"))).text)
    end
    assert.equal("n: 5\r\n", mails[5].raw)
    assert.equal(1, server:stats().accepted)
    assert.equal(221, assert(client:quit()).code)
  end)

  it("talks command by command", function()
    local server <close>, mails, url = start {
      on_vrfy = function(_, text) return 250, "2.1.5 <" .. text .. "@b.example>" end,
    }
    local client <close> = assert(smtp.connect(url))
    assert.equal(250, assert(client:noop()).code)
    local reply = assert(client:vrfy("ada"))
    assert.same({ 250, "2.1.5", "<ada@b.example>", { "2.1.5 <ada@b.example>" } },
      { reply.code, reply.enhanced, reply.text, reply.lines })
    assert.equal(250, assert(client:mail("ada@code.energy", { size = 1024 })).code)
    assert.equal(250, assert(client:rcpt("charles@example.com")).code)
    local final = assert(client:data("Subject: hi\r\n\r\nhi\r\n"))
    assert.equal("kept as 1", final.text)
    assert.equal(1024, mails[1].size)
    assert(client:mail("Ada <ada@code.energy>"))
    assert.equal(250, assert(client:reset()).code)
    local none, err = client:rcpt("charles@example.com")
    assert.is_nil(none)
    assert.equal("protocol", err.kind)
    assert.equal(500, assert(client:command("FROB x")).code)
    assert.equal(250, assert(client:command("VRFY x")).code)
    assert.equal(221, assert(client:quit()).code)
    assert.equal(1, server:stats().messages)
  end)

  it("stays usable after commands out of their order, and says which comes first", function()
    local server <close>, mails, url = start()
    local client <close> = assert(smtp.connect(url))
    local function misplaced(hint, verb, ...)
      local none, err = client[verb](client, ...)
      assert.is_nil(none)
      assert.same({ "protocol", verb, "not_sent" }, { err.kind, err.stage, err.outcome })
      assert.truthy(tostring(err):find(hint, 1, true), tostring(err))
      assert.is_true(client:usable())
      assert(client:noop())
    end
    misplaced("client:mail and client:rcpt come first", "data", "x")
    misplaced("client:mail comes first", "rcpt", "bob@b.example")
    assert(client:mail("ada@a.example"))
    misplaced("a transaction is open", "mail", "ada@a.example")
    misplaced("client:rcpt come first", "data", "x")
    assert(client:rcpt("bob@b.example"))
    assert(client:data("Subject: 1\r\n\r\nx\r\n"))
    assert(client:send(message "Subject: 2\r\n\r\nx\r\n"))
    assert.equal(2, #mails)
    assert(client:quit())
    server:close()
  end)

  it("gives command's reply whatever its code, and asks for 2xx elsewhere", function()
    local server <close> = scripted.server(scripted.script(scripted.hello(), "C VRFY", "S 550 no",
      "C NOOP", "S 451 4.0.0 later", "C RSET", "S 500 what", "C VRFY", "S 252 perhaps", "C QUIT",
        "S 221 bye"))
    local client <close> = assert(smtp.connect(server.url))
    assert.equal(550, assert(client:command("VRFY x")).code)
    local reply, err = client:noop()
    assert.is_nil(reply)
    assert.same({ "rejected", "command", 451, true }, { err.kind, err.stage, err.code,
      err.temporary })
    reply, err = client:reset()
    assert.is_nil(reply)
    assert.same({ "rejected", "rset", 500, false }, { err.kind, err.stage, err.code,
      err.temporary })
    assert.equal(252, assert(client:vrfy("x")).code)
    assert(client:quit())
    assert.is_nil(server:done())
  end)

  it("keeps DATA, BDAT, STARTTLS and AUTH out of command()", function()
    local server <close> = scripted.server(scripted.script(scripted.hello(), "C QUIT", "S 221 bye"))
    local client <close> = assert(smtp.connect(server.url))
    for _, line in ipairs { "DATA", "data", "BDAT 1 LAST", "StartTLS", "AUTH PLAIN x",
      "DATA\r\n" } do
      local reply, err = client:command(line)
      assert.is_nil(reply)
      assert.same({ "invalid", "command" }, { err.kind, err.stage })
    end
    assert.equal(221, assert(client:command("QUIT")).code)
    assert.is_nil(server:done())
    assert.error_matches(function() client:noop() end, "client is closed")
  end)

  it("tells recipients that were refused in the receipt", function()
    local server <close>, mails, url = start {
      on_rcpt = function(_, recipient)
        if recipient.user == "gone" then return 550, "5.1.1 gone" end
        if recipient.user == "full" then return 452, "4.2.2 full" end
        return true
      end,
    }
    local client <close> = assert(smtp.connect(url))
    local to = { "gone@b.example", "bob@b.example", { address = "full@b.example" },
      "Eve <eve@b.example>" }
    local receipt = assert(client:send(message("x\r\n", to)))
    assert.same({ "bob@b.example", "eve@b.example" }, receipt.accepted)
    assert.same({ "bob@b.example", "eve@b.example" }, mails[1].to)
    assert.equal(2, #receipt.rejected)
    local one, two = table.unpack(receipt.rejected)
    assert.same({ "gone@b.example", 550, "5.1.1", "gone", false },
      { one.address, one.code, one.enhanced, one.text, one.temporary })
    assert.same({ "full@b.example", 452, "4.2.2", "full", true },
      { two.address, two.code, two.enhanced, two.text, two.temporary })

    local none, err = client:send(message("x\r\n", { "gone@b.example", "full@b.example" }))
    assert.is_nil(none)
    assert.same({ "rejected", "rcpt", 550, "gone@b.example", "not_sent" },
      { err.kind, err.stage, err.code, err.address, err.outcome })
    assert.equal(2, #err.rejected)
    assert.truthy(client:usable())
    assert(client:send(message("y\r\n")))
    assert.equal(2, server:stats().messages)
  end)

  for _, mode in ipairs { "pipelined", "one by one" } do
    local disable = { PIPELINING = mode == "one by one", CHUNKING = true }

    it("stays usable after 4xx and 5xx at each step, " .. mode, function()
      local verdict = {}
      local server <close>, mails, url = start {
        on_mail = function() return table.unpack(verdict.mail or { true }) end,
        on_rcpt = function() return table.unpack(verdict.rcpt or { true }) end,
        on_data = function() return table.unpack(verdict.data or { true }) end,
        on_message = function(_, m)
          m:read()
          return table.unpack(verdict.final or { true })
        end,
      }
      local client <close> = assert(smtp.connect { url = url, disable = disable })
      for _, stage in ipairs { "mail", "rcpt", "data", "final" } do
        for _, reply in ipairs { { 451, "4.3.0 later" }, { 550, "5.7.1 never" } } do
          verdict = { [stage] = reply }
          local receipt, err = client:send(message("x\r\n"))
          assert.is_nil(receipt)
          assert.same({ "rejected", stage, reply[1], reply[2]:sub(1, 5), reply[1] == 451,
            "not_sent" },
            { err.kind, err.stage, err.code, err.enhanced, err.temporary, err.outcome })
          assert.same({ reply[2] }, err.lines)
          assert.truthy(client:usable())
          verdict = {}
          assert(client:send(message("x\r\n")))
        end
      end
      assert.equal(0, #mails)
      assert.equal(8, server:stats().messages)
      assert.equal(1, server:stats().accepted)
    end)
  end

  it("resets by itself before a MAIL by hand", function()
    local server <close> = scripted.server(scripted.script(scripted.hello("PIPELINING"), "C MAIL",
      "C RCPT", "C DATA",
      "S 250 ok", "S 550 no", "S 503 no", "C RSET", "S 250 ok", "C MAIL", "S 250 ok"))
    local client <close> = assert(smtp.connect(server.url))
    local _, err = client:send(message("x\r\n"))
    assert.same({ 550, "rcpt", "not_sent" }, { err.code, err.stage, err.outcome })
    assert.equal(250, assert(client:mail("a@b.example")).code)
    assert.is_nil(server:done())
  end)

  it("speaks over a unix socket", function()
    local path = os.tmpname()
    os.remove(path)
    local server <close>, mails = start { listen = "unix:" .. path }
    assert(smtp.send("smtp+unix://" .. path, message("x\r\n")))
    assert(smtp.send({ path = path }, message("y\r\n")))
    assert.equal(2, #mails)
    assert.equal(path, server.address)
  end)

  it("names itself by its address, or as it is told", function()
    local names = {}
    local server <close>, _, url = start {
      on_helo = function(_, name) names[#names + 1] = name end,
    }
    smtp.connect(url):close()
    smtp.connect({ url = url, helo = "client.code.energy" }):close()
    smtp.connect({ url = url, helo = "[IPv6:::1]" }):close()
    assert.same({ "[127.0.0.1]", "client.code.energy", "[IPv6:::1]" }, names)
    assert.equal(3, server:stats().accepted)
  end)

  it("C002 falls back to HELO when EHLO is not known", function()
    for _, refusal in ipairs { "500 what", "502 5.5.1 what", "554 no" } do
      local server <close> = scripted.server(scripted.script("S 220 old", "C EHLO", "S " .. refusal,
        "C HELO",
        "S 250 old", "C MAIL FROM:<ada@a.example>", "S 250 ok", "* RCPT", "C DATA", "S 354 go",
          "BODY",
        "S 250 ok", "C QUIT", "S 221 bye"))
      local receipt = assert(smtp.send(server.url, message("x\r\n")))
      assert.is_false(receipt.used.pipelining)
      assert.is_nil(server:done())
      assert.equal("MAIL FROM:<ada@a.example>", server.lines[3])
    end
  end)

  it("C002 does not fall back after a 4xx, and tells a refused HELO", function()
    local server <close> = scripted.server(scripted.script("S 220 mx", "C EHLO", "S 451 later",
      "C QUIT", "S 221 bye"))
    local client, err = smtp.connect(server.url)
    assert.is_nil(client)
    assert.same({ "rejected", "ehlo", 451, true }, { err.kind, err.stage, err.code, err.temporary })
    assert.is_nil(server:done())
    local other <close> = scripted.server(scripted.script("S 220 mx", "C EHLO", "S 500 what",
      "C HELO", "S 550 no",
      "C QUIT", "S 221 bye"))
    client, err = smtp.connect(other.url)
    assert.is_nil(client)
    assert.same({ "rejected", "ehlo", 550, false }, { err.kind, err.stage, err.code,
      err.temporary })
    assert.is_nil(other:done())
  end)

  it("C017 does not mind how QUIT ends", function()
    for _, steps in ipairs { { "S 500 what" }, { "CLOSE" }, { "ABORT" }, { "S 421 bye" },
      { "S garbage" } } do
      local server <close> = scripted.server(scripted.script(scripted.hello(), "* MAIL", "* RCPT",
        "C DATA", "S 354 go",
        "BODY", "S 250 kept", "C QUIT", steps))
      assert.equal("kept", assert(smtp.send(server.url, message("x\r\n"))).text)
    end
  end)

  it("waits for QUIT's reply a short time only", function()
    local server <close> = scripted.server(scripted.script(scripted.hello(), "C QUIT", "STOP"))
    local client = assert(smtp.connect { url = server.url, timeout = { quit = 0.05 } })
    local target = require "smtp.client.target"
    assert.equal(2, target.parse("t", "x").timeout.quit)
    assert.equal(2, target.parse("t", { url = "x", timeout = 60 }).timeout.quit)
    local since = loop.now()
    local reply, err = client:quit()
    assert.is_nil(reply)
    assert.same({ "timeout", "quit" }, { err.kind, err.stage })
    assert.is_true(loop.now() - since < 1)
    assert.error_matches(function() client:noop() end, "client is closed")
  end)

  it("raises on a closed handle, and closes twice in peace", function()
    local server <close>, _, url = start()
    local client = assert(smtp.connect(url))
    client:close()
    client:close()
    for _, name in ipairs { "noop", "vrfy", "reset", "mail", "rcpt", "data", "send", "quit",
      "command" } do
      assert.error_matches(function() client[name](client, "x", {}) end, "client is closed")
    end
    assert.is_false(client:usable())
    assert.is_string(client:transcript())
    assert.equal(1, server:stats().accepted)
  end)

  it("shows the last 32 commands and replies of a long dialogue", function()
    local server <close>, _, url = start()
    local client <close> = assert(smtp.connect(url))
    for i = 1, 20 do assert(client:command("VRFY user" .. i)) end
    local commands, replies = {}, 0
    for line in client:transcript():gmatch("[^\n]+") do
      if line:find("^C") then commands[#commands + 1] = line else replies = replies + 1 end
    end
    assert.same({ 16, 16, "C: VRFY user5", "C: VRFY user20", 1 }, { #commands, replies,
      commands[1], commands[16], server:stats().accepted })
  end)

  it("closes itself at the end of a block, without a word", function()
    local server <close> = scripted.server(scripted.script(scripted.hello(), "EOF"))
    do
      local client <close> = assert(smtp.connect(server.url))
      assert.truthy(client:usable())
    end
    assert.is_nil(server:done())
    assert.equal("EHLO [127.0.0.1]", server:said())
  end)

  it("shows the dialogue, to trace as it happens", function()
    local server <close>, _, url = start()
    local seen = {}
    local client <close> = assert(smtp.connect { url = url, helo = "me.example",
      disable = { CHUNKING = true },
      trace = function(side, line) seen[#seen + 1] = side .. " " .. line end })
    assert(client:send(message("secret\r\n")))
    local text = client:transcript()
    assert.matches("^S: 220 [^\n]+\nC: EHLO me.example\n", text) -- from its beginning
    assert.truthy(text:find("C: EHLO me.example\n", 1, true))
    assert.truthy(text:find("C: MAIL FROM:<ada@a.example>", 1, true))
    assert.truthy(text:find("S: 354 ", 1, true))
    assert.is_nil(text:find("secret", 1, true))
    assert.equal("C EHLO me.example", seen[2])
    assert.equal(1, server:stats().messages)
  end)

  it("is for one task at a time", function()
    local server <close> = assert(smtp.server { listen = "127.0.0.1:0",
      on_vrfy = function() loop.sleep(0.02) end, on_message = function() return true end })
    local client <close> = assert(smtp.connect("127.0.0.1:" .. server.port))
    local reply, why
    local function ask() reply, why = client:vrfy("ada") end
    loop.spawn(ask)
    loop.step(0)
    assert.is_false(client:usable())
    assert.error_matches(function() client:noop() end, "within another call")
    while not reply do loop.step() end
    assert.equal(252, reply.code)
    assert.equal(250, client:noop().code)
    loop.spawn(ask)
    loop.step(0)
    client:close()
    while not why do loop.step() end
    assert.same({ "closed", "command" }, { why.kind, why.stage })
    assert.matches("the client was closed", tostring(why))
  end)
end)
