-- A mock against hostile clients, odd rules and odd moments.
local core = require "smtp.core"
local loop = require "smtp.loop"
local mock = require "smtp.mock"
local net = require "spec.support.net"
local serve = require "spec.support.serve"
local smtp = require "smtp"
local support = require "spec.support.mock"

local open, start, transaction = support.open, support.start, support.transaction

-- Processor time of this process, all threads, while seconds go by.
local function cost(seconds)
  local before = os.clock()
  smtp.sleep(seconds)
  return os.clock() - before
end

describe("a mock at rest", function()
  it("costs nothing, whatever its clients and rules do", function()
    for name, set in pairs {
      half_closed = function(mx)
        local client = assert(core.connect { host = mx.host, port = mx.port })
        smtp.sleep(0.02)
        client:shutdown()
        return client
      end,
      idle_and_delay = function(mx)
        mx:on("idle"):after(0.01):raw("")
        mx:on("NOOP"):delay(5)
        local d = open(mx)
        d:raw("NOOP\r\n")
        return d
      end,
      handshake = function(mx)
        mx:on("handshake"):raw("slow"):drip(5)
        mx:on("idle"):after(0.01):raw("")
        return assert(core.connect { host = mx.host, port = mx.port })
      end,
      unread = function(mx)
        mx:on("NOOP"):raw(("x"):rep(8000000))
        local d = open(mx)
        d:raw("NOOP\r\n")
        return d
      end,
      hangs = function(mx)
        mx:on("NOOP"):hang()
        local d = open(mx)
        d:raw("NOOP\r\nmore\r\n")
        return d
      end,
    } do
      local mx <close> = start { tls = name == "handshake" and "implicit" or nil }
      local _ <close> = set(mx)
      smtp.sleep(0.05)
      assert.is_true(cost(0.3) < 0.15, name)
    end
  end)

  it("is asked while others are collected", function()
    for _ = 1, 30 do
      local mx <close> = start()
      for _ = 1, 3 do mock.start() end
      for _ = 1, 200 do mx:sessions() end
      collectgarbage()
    end
  end)

  it("lets the loop end when the last one is stopped", function()
    local status, output = net.run([[
      local mock, smtp = require "smtp.mock", require "smtp"
      local mx = assert(mock.start { driver = "loop" })
      smtp.loop.spawn(function() smtp.sleep(0.05) mx:stop() end)
      local since = require "smtp.core".now()
      smtp.loop.run()
      assert(require "smtp.core".now() - since < 5)
    ]])
    assert.same({ 0, "" }, { status, output })
  end)

  it("is idle only when all is said", function()
    local mx <close> = start()
    mx:on("NOOP"):reply("250 a long one"):drip(0.01):hang()
    local d <close> = open(mx)
    d:raw("NOOP\r\n")
    smtp.sleep(0.03)
    assert(mx:wait_idle())
    assert.matches("S: 250 a long one\n$", mx:transcript())
  end)
end)

describe("a mock counts", function()
  it("what matches, whichever rule is taken", function()
    for _, order in ipairs { { 1, 2 }, { 2, 1 } } do
      local mx <close> = start()
      for _, n in ipairs(order) do mx:on("NOOP"):nth(n):reply("45" .. n .. " 4.0.0 x") end
      local d <close> = open(mx)
      local codes = {}
      for i = 1, 4 do codes[i] = d:cmd("NOOP").code end
      assert.same({ 451, 452, 250, 250 }, codes)
    end
  end)

  it("bytes of a body, however they come", function()
    for _, pieces in ipairs { { "0123456789", "0123456789", "012345" }, {
      "01234567890123456789012345" } } do
      local mx <close> = start()
      mx:on("BODY"):after_bytes(10):raw("250 ten\r\n")
      mx:on("BODY"):after_bytes(20):raw("250 twenty\r\n")
      local d <close> = open(mx)
      transaction(d)
      for _, piece in ipairs(pieces) do
        d:raw(piece)
        smtp.sleep(0.01)
      end
      d:raw("\r\n.\r\n")
      for _, text in ipairs { "ten", "twenty", "2.0.0 Message accepted" } do
        assert.equal(text, table.concat(assert(d:expect(250)).lines))
      end
      assert.equal(1, mx:count("BODY"))
    end
  end)

  it("a greylist's senders on, when its rule is changed", function()
    local mx <close> = start()
    local rule = mx:greylist()
    local d <close> = open(mx)
    assert(d:cmd("MAIL FROM:<a@b>", 250))
    assert(d:cmd("RCPT TO:<a@b>", 450))
    rule:delay(0.001)
    assert(d:cmd("RCPT TO:<a@b>", 250))
  end)
end)

describe("a mock keeps", function()
  it("each byte over the limit", function()
    local mx <close> = start { limits = { size = 1000 } }
    mx:on("EOM", { session = 2 }):reply("250 fine")
    local line = ("x"):rep(198) .. "\r\n"
    for session = 1, 2 do
      local d <close> = open(mx)
      transaction(d)
      for _ = 1, 6 do
        d:raw(line)
        smtp.sleep(0.005)
      end
      d:raw(".\r\n")
      assert(d:expect(session == 1 and 552 or 250))
      assert(d:cmd("QUIT", 221))
    end
    assert.equal(line:rep(6), mx:refused()[1].raw)
    assert.equal(line:rep(6), mx:mails()[1].raw)
  end)

  it("a message whose session ends before its verdict", function()
    local mx <close> = start()
    mx:on("EOM"):delay(30)
    local d <close> = open(mx)
    transaction(d)
    d:raw("Subject: x\r\n\r\n.\r\n")
    while mx:count("EOM") == 0 do smtp.sleep(0.005) end
    mx:stop()
    assert.same({ 0, "Subject: x\r\n\r\n" }, { #mx:mails(), mx:refused()[1].raw })
  end)

  it("the file of its authority for its own process", function()
    local mx <close> = start { tls = true }
    local status = net.run(([[
      local probe, mock = require "probe", require "smtp.mock"
      local mx = assert(mock.start { tls = true })
      assert(mx:wait_idle()) -- the thread is still: a sanitizer's locks do not survive a fork
      local child = probe.fork()
      if child == 0 then os.exit(0, true) end
      probe.wait(child)
      assert(io.open(mx.ca_file)):close()
      mx:stop()
      assert(not io.open(mx.ca_file))
    ]]))
    assert.equal(0, status)
    assert.truthy(io.open(mx.ca_file))
  end)
end)

describe("a rule of a mock", function()
  it("has its actions done in their order", function()
    local mx <close> = start()
    mx:on("RSET"):reply("250 first"):delay(2):raw("250 second\r\n")
    mx:on("QUIT"):reply("221 bye"):raw("221 more\r\n")
    local d <close> = open(mx)
    local since = core.now()
    assert(d:cmd("RSET", 250))
    assert.is_true(core.now() - since < 1.9)
    assert.equal("second", table.concat(assert(d:expect(250)).lines))
    assert.is_true(core.now() - since >= 2)
    assert.equal("bye", table.concat(assert(d:cmd("QUIT", 221)).lines))
    assert.equal("more", table.concat(assert(d:expect(221)).lines))
  end)

  it("moves the session as its code says", function()
    local mx <close> = start { users = { ada = "secret" }, auth = { required = true } }
    mx:on("AUTH"):reply("235 2.7.0 welcome")
    mx:on("DATA"):reply("250 what")
    mx:on("MAIL", { from = "odd@b" }):reply("354 go on")
    local d <close> = open(mx)
    assert(d:cmd("MAIL FROM:<x@b>", 530))
    assert.equal("welcome", assert(d:cmd("AUTH PLAIN AGFkYQBzZWNyZXQ=", 235)).text)
    assert(d:cmd("MAIL FROM:<odd@b>", 354))
    assert(d:cmd("RCPT TO:<a@b>", 503))
    assert(d:cmd("MAIL FROM:<a@b>", 250))
    assert(d:cmd("RCPT TO:<a@b>", 250))
    assert(d:cmd("DATA", 250))
    assert(d:cmd("RSET", 250)) -- which is no content
  end)

  it("knows no user whose password was wrong", function()
    local mx <close> = start { users = { ada = "secret" } }
    mx:on("MAIL", { user = "ada" }):reply("550 5.7.1 you")
    local d <close> = open(mx)
    assert.is_nil(d:auth("PLAIN", "ada", "wrong"))
    assert(d:cmd("MAIL FROM:<a@b>", 250))
  end)
end)

describe("a client of a mock", function()
  local function rules(mx)
    local list = {}
    for i, one in ipairs(mx:violations()) do list[i] = one.rule .. " " .. one.text end
    return table.concat(list, "; ")
  end

  it("is blamed for 503 unless a step that it pipelined had failed: from code 300 on", function()
    local function blamed(verb, code, lines, codes)
      local mx <close> = start { extensions = { "CHUNKING" } }
      mx:on(verb):reply(("%d odd"):format(code))
      local client <close> = serve.connect { host = mx.host, port = mx.port }
      assert.matches("^220", client:reply())
      assert.matches("^250", client:cmd("EHLO x"))
      client:send(lines) -- 299 is no code of SMTP, but one that a rule may give
      for _, expected in ipairs(codes) do
        assert.equal(expected, tonumber(client:reply():sub(1, 3)), verb)
      end
      return rules(mx) ~= ""
    end
    local mail, chunk = "MAIL FROM:<a@b>\r\n", "BDAT 3\r\na\r\n"
    local rcpt = mail .. "RCPT TO:<a@b>\r\n"
    assert.is_true(blamed("MAIL", 299, mail .. mail, { 299, 503 }))
    assert.is_false(blamed("MAIL", 300, rcpt, { 300, 503 }))
    assert.is_true(blamed("RCPT", 299, rcpt .. mail, { 250, 299, 503 }))
    assert.is_false(blamed("RCPT", 300, rcpt .. "DATA\r\n", { 250, 300, 503 }))
    assert.is_true(blamed("BDAT", 299, rcpt .. chunk .. mail, { 250, 250, 299, 503 }))
    assert.is_false(blamed("BDAT", 300, rcpt .. chunk .. chunk, { 250, 250, 300, 503 }))
  end)

  it("is reported for its own lines", function()
    local mx <close> = start { users = "any", without = "PIPELINING" }
    local d <close> = open(mx)
    assert(d:cmd("MAIL FROM:<a@b>", 250))
    d:raw("RCPT TO:<" .. ("x"):rep(5000) .. ">\r\n")
    assert(d:expect(500))
    assert(d:cmd("AUTH PLAIN =", 503))
    assert.equal("long_command RCPT TO:<" .. ("x"):rep(55)
      .. "; auth_in_clear AUTH PLAIN ***; refused_command AUTH PLAIN ***", rules(mx))
    assert.matches("C: RCPT TO:<xxx", mx:transcript())
  end)

  it("is not blamed for commands pipelined behind a failed step, nor for a lost QUIT", function()
    local mx <close> = start()
    mx:on("RCPT"):reply("550 5.1.1 no")
    mx:on("QUIT"):reply("554 5.0.0 no")
    do
      local d <close> = open(mx)
      d:raw("MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n")
      for _, code in ipairs { 250, 550, 503 } do assert(d:expect(code)) end
      assert.equal("", rules(mx))
      assert(d:cmd("DATA", 503)) -- by itself it is wrong
      assert.equal("refused_command DATA", rules(mx))
      assert(d:cmd("QUIT", 554))
    end
    assert(mx:wait_idle())
    assert.equal("refused_command DATA", rules(mx))
  end)

  it("is reported for an extension that a rule's EHLO did not offer", function()
    local mx <close> = start()
    mx:on("EHLO"):reply("250 x\nSIZE")
    local d <close> = open(mx)
    assert(d:cmd("MAIL FROM:<a@b> SIZE=5", 250))
    assert(d:cmd("RSET", 250))
    assert(d:cmd("MAIL FROM:<a@b> BODY=8BITMIME", 250))
    assert.equal("parameter BODY", rules(mx))
  end)

  it("is reported for each parameter without its keyword in EHLO, and for no other", function()
    local mx <close> = start { extensions = { "DSN", "DELIVERBY", "FUTURERELEASE 100 "
      .. "2999-01-01T00:00:00Z", "CHUNKING", "BINARYMIME", "MT-PRIORITY", "SMTPUTF8" },
      users = "any" }
    local keywords = { ["SIZE=5"] = "SIZE", ["BODY=8BITMIME"] = "8BITMIME",
      ["BODY=7BIT"] = "8BITMIME", ["BODY=BINARYMIME"] = "BINARYMIME", ["RET=HDRS"] = "DSN",
      ["ENVID=x"] = "DSN", ["BY=600;R"] = "DELIVERBY", ["HOLDFOR=1"] = "FUTURERELEASE",
      ["HOLDUNTIL=2998-01-01T00:00:00Z"] = "FUTURERELEASE", SMTPUTF8 = "SMTPUTF8",
      ["MT-PRIORITY=1"] = "MT-PRIORITY", ["AUTH=<>"] = "AUTH" }
    local d <close> = open(mx)
    local function mail(param, line)
      mx:on("EHLO"):first(1):reply("250 " .. param .. "\n" .. line) -- the last line of it
      assert(d:cmd("EHLO x", 250))
      assert(d:cmd("MAIL FROM:<a@b> " .. param, 250), param)
      local said = rules(mx)
      mx:clear()
      return said
    end
    for param, keyword in pairs(keywords) do
      assert.equal("", mail(param, keyword), param)
      assert.equal("", mail(param, keyword:lower() .. " more"), param)
      local key = param:match("^[^=]+")
      for _, line in ipairs { "X" .. keyword, keyword .. "X", keyword:sub(1, -2),
        "HELP " .. keyword, key ~= keyword and key or nil } do
        assert.equal("parameter " .. key, mail(param, line), param)
      end
    end
  end)

  it("that resets within content is left", function()
    for _, words in ipairs { "BDAT 1000", "DATA" } do
      for _, mode in ipairs { "plain", "starttls" } do
        local mx <close> = start { tls = mode ~= "plain" and { mode = mode } or nil }
        mx:on("EOM"):delay(0.05)
        local client = serve.connect { host = mx.host, port = mx.port }
        if mode == "plain" then
          client:reply()
          client:cmd("EHLO x")
        else
          client:starttls()
        end
        client:cmd("MAIL FROM:<a@b.example>")
        client:cmd("RCPT TO:<c@d.example>")
        client:send(words .. "\r\n" .. ("x"):rep(500))
        client:abort()
        assert.is_true((mx:wait_idle(5)), words .. " " .. mode)
        assert.is_number(mx:sessions()[1].closed)
      end
    end
  end)

  it("that resets under TLS while a reply waits is left", function()
    for _ = 1, 5 do -- the socket may fail at the read, or at the write
      local mx <close> = start { tls = { mode = "starttls" } }
      mx:on("RSET"):delay(0.05)
      local client = serve.connect { host = mx.host, port = mx.port }
      client:starttls()
      client:send("RSET\r\nRSET\r\n")
      client:abort()
      assert.is_true((mx:wait_idle(5)))
      assert.equal("closed", mx:sessions()[1].reason)
      assert(smtp.send({ url = mx.url, ca = mx.ca_file },
        { from = "a@b.example", to = "c@d.example", subject = "x", text = "x" }))
    end
  end)

  it("is not blamed for delays, hangs and slow reading of the rules", function()
    local mx <close> = start { watchdog = 0.1 }
    mx:on("NOOP"):delay(0.3)
    mx:on("VRFY"):hang()
    mx:on("BODY"):throttle(100)
    local d <close> = open(mx)
    assert(d:cmd("NOOP", 250))
    transaction(d)
    d:raw("Subject: 0123456789012345678\r\n\r\n.\r\n")
    assert(d:expect(250))
    d:raw("VRFY x\r\n")
    assert.is_true(d:closed())
    assert.same({ "watchdog", false }, { mx:sessions()[1].reason,
      rules(mx):find("watchdog", 1, true) ~= nil })
  end)

  it("that sends more than there is memory for is reported", function()
    local limit = "ulimit -v 300000 &&"
    if net.run("", limit) ~= 0 then return pending("no limit can be set to the memory") end
    local status, output = net.run([[
      local mock, smtp = require "smtp.mock", require "smtp"
      local mx <close> = assert(mock.start { limits = { size = "1G" } })
      local d <close> = assert(smtp.dialogue(mx.url, { timeout = 20 }))
      assert(d:expect(220) and d:cmd("EHLO x", 250) and d:cmd("MAIL FROM:<a@b>", 250)
        and d:cmd("RCPT TO:<c@d>", 250) and d:cmd("DATA", 354))
      local piece = (("x"):rep(998) .. "\r\n"):rep(1000)
      for _ = 1, 400 do assert(d:raw(piece)) end
      assert(d:raw(".\r\n"))
      assert(d:expect("2xx"))
      local list = mx._core:violations() -- those of the messages would need memory
      print(list[#list].rule, list[#list].section)
      mx:clear()
      print(#mx:violations())
    ]], limit)
    assert.same({ 0, "lost\tthe mock\n0\n" }, { status, output })
  end)

  it("that does not read is held back, not cut off", function()
    local mx <close> = start()
    local d <close> = open(mx)
    loop.spawn(function() d:raw(("RSET\r\n"):rep(200000)) end)
    smtp.sleep(0.1)
    for _ = 1, 200000 do assert(d:expect(250)) end
    assert(d:cmd("NOOP", 250))
  end)
end)
