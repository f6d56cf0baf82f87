-- How the client fills its flights, and where content comes from.
local smtp = require "smtp"
local core = require "smtp.core"
local loop = require "smtp.loop"
local scripted = require "spec.support.scripted"

local script, hello = scripted.script, scripted.hello

local function message(raw, to)
  return { envelope = { from = "ada@a.example", to = to or "bob@b.example" }, raw = raw }
end

local function recipients(n)
  local list = {}
  for i = 1, n do list[i] = ("r%04d@b.example"):format(i) end
  return list
end

local TAIL = { "C DATA", "S 354 go", "BODY", "S 250 kept", "C QUIT", "S 221 bye" }

describe("client's flights", function()
  it("carry MAIL, RCPT and DATA in one segment where PIPELINING is offered", function()
    local server <close> = scripted.server(script(hello("PIPELINING"), "C MAIL", "C RCPT", "C RCPT",
      "C DATA", { raw = "250 a\r\n250 b\r\n550 c\r\n354 d\r\n" }, "BODY", "S 250 kept", "C QUIT",
      "S 221 bye"))
    local receipt = assert(smtp.send(server.url, message("x\r\n", recipients(2))))
    assert.is_nil(server:done())
    assert.is_true(receipt.used.pipelining)
    assert.same({ "r0001@b.example" }, receipt.accepted)
    assert.equal("r0002@b.example", receipt.rejected[1].address)
    assert.same({ "EHLO [127.0.0.1]\r\n",
      "MAIL FROM:<ada@a.example>\r\nRCPT TO:<r0001@b.example>\r\n"
      .. "RCPT TO:<r0002@b.example>\r\nDATA\r\n", "x\r\n.\r\n", "QUIT\r\n" }, server.segments)
  end)

  for _, case in ipairs { { "is not offered", hello() },
    { "is disabled", hello("PIPELINING"), { PIPELINING = true } },
    { "is disabled in lower case", hello("PIPELINING"), { pipelining = true } } } do
    it("carry one command each where PIPELINING " .. case[1], function()
      local server <close> = scripted.server(script(case[2], "* MAIL", "* RCPT", "* RCPT", TAIL))
      local receipt = assert(smtp.send({ url = server.url, disable = case[3] },
        message("x\r\n", recipients(2))))
      assert.is_nil(server:done())
      assert.is_false(receipt.used.pipelining)
      assert.same({ "EHLO [127.0.0.1]\r\n", "MAIL FROM:<ada@a.example>\r\n",
        "RCPT TO:<r0001@b.example>\r\n", "RCPT TO:<r0002@b.example>\r\n", "DATA\r\n", "x\r\n.\r\n",
        "QUIT\r\n" }, server.segments)
    end)
  end

  it("C032 hold no DATA where all recipients are refused, one by one", function()
    local server <close> = scripted.server(script(hello(), "* MAIL", "C RCPT", "S 550 no", "C RCPT",
      "S 451 later", "C QUIT", "S 221 bye"))
    local receipt, err = smtp.send(server.url, message("x\r\n", recipients(2)))
    assert.is_nil(receipt)
    assert.same({ "rejected", "rcpt", 550 }, { err.kind, err.stage, err.code })
    assert.same({ 550, 451 }, { err.rejected[1].code, err.rejected[2].code })
    assert.is_nil(server:done())
  end)

  it("C056 end with a lone dot where content is asked for and nobody was accepted", function()
    for _, final in ipairs { "S 250 kept", "S 554 nobody" } do
      local server <close> = scripted.server(script(hello("PIPELINING"), "C MAIL", "C RCPT",
        "C DATA", "S 250 ok", "S 550 no", "S 354 go", "BODY", final, "C RSET", "C MAIL", "C RCPT",
        "C DATA", "S 250 ok", "S 250 ok", "S 250 ok", "S 354 go", "BODY", "S 250 kept"))
      local client <close> = assert(smtp.connect(server.url))
      local receipt, err = client:send(message("secret\r\n"))
      assert.is_nil(receipt)
      assert.same({ "rejected", "rcpt", 550, "not_sent" },
        { err.kind, err.stage, err.code, err.outcome })
      assert.equal("", server.body)
      assert(client:send(message("x\r\n")))
      assert.is_nil(server:done())
    end
  end)

  it("C029 give those that were too many to another transaction", function()
    local server <close> = scripted.server(script(hello("PIPELINING", "ENHANCEDSTATUSCODES"),
      "C MAIL", "C RCPT", "C RCPT", "C RCPT", "C RCPT", "C DATA", "S 250 ok", "S 250 ok",
      "S 452 4.5.3 enough", "S 552 enough", "S 452 4.2.2 full", "S 354 go", "BODY", "S 250 one",
      "C MAIL", "C RCPT TO:<r0002@b.example>", "C RCPT TO:<r0003@b.example>", "C DATA",
      "S 250 ok", "S 250 ok", "S 550 no", "S 354 go", "BODY", "S 250 two", "C QUIT", "S 221 bye"))
    local receipt = assert(smtp.send(server.url, message("x\r\n", recipients(4))))
    assert.is_nil(server:done())
    assert.same({ "r0001@b.example", "r0002@b.example" }, receipt.accepted)
    assert.same({ 452, 550 }, { receipt.rejected[1].code, receipt.rejected[2].code })
    assert.equal("two", receipt.text)
  end)

  it("C029 leave those that were too many to who cannot read the content again", function()
    local server <close> = scripted.server(script(hello("PIPELINING"), "C MAIL", "C RCPT", "C RCPT",
      "C DATA", "S 250 ok", "S 250 ok", "S 552 enough", "S 354 go", "BODY", "S 250 one", "C QUIT",
      "S 221 bye"))
    local receipt = assert(smtp.send(server.url, message(function() return nil end, recipients(2))))
    assert.is_nil(server:done())
    assert.same({ "r0001@b.example" }, receipt.accepted)
    assert.same({ 552, true }, { receipt.rejected[1].code, receipt.rejected[1].temporary })
  end)

  it("C057 C059 carry 1000 recipients to a server", function()
    local n = 0
    local server <close> = assert(smtp.server { listen = "127.0.0.1:0",
      on_message = function(_, m) n = #m.recipients return m:read() ~= nil end })
    local receipt = assert(smtp.send("127.0.0.1:" .. server.port, message("x\r\n",
      recipients(1000))))
    assert.equal(1000, #receipt.accepted)
    assert.equal("r1000@b.example", receipt.accepted[1000])
    assert.equal(1000, n)
  end)

  -- The clock moves on by most of the time-out before each reply.
  it("C033 C057 wait for each reply as long as the time-out says", function()
    local now, later, patience, heard = core.now, 0, 300, nil
    local _ <close> = setmetatable({}, { __close = function() core.now = now end })
    core.now = function() return now() + later end
    local function rcpts(c)
      for _ = 1, 10 do
        if not c:line() then return false end
        later, heard = later + 0.9 * patience, loop.gate()
        c:say("250 recipient\r\n")
        loop.pass(heard)
      end
    end
    local server <close> = scripted.server(script(hello("PIPELINING"), "* MAIL", rcpts, TAIL))
    local receipt = assert(smtp.send({ url = server.url, timeout = patience,
      trace = function(_, line) if line == "250 recipient" then loop.wake(heard) end end },
      message("x\r\n", recipients(10))))
    assert.is_nil(server:done())
    assert.equal(10, #receipt.accepted)
  end)

  -- Its replies are long, and while it cannot write them it does not read: so
  -- a client that wrote all before it read would wait for ever.
  it("C057 never wait for a peer that waits for them", function()
    local reply = {}
    for i = 1, 100 do reply[i] = "250-" .. ("x"):rep(500) .. "\r\n" end
    reply = table.concat(reply) .. "250 ok\r\n"
    local function rcpts(c)
      for _ = 1, 1000 do
        local line = c:line()
        if not line then return false end
        c:say(reply)
      end
    end
    local long = {}
    for i = 1, 1000 do long[i] = ("%064d@%s.example"):format(i, ("d"):rep(60)) end
    local server <close> = scripted.server(script(hello("PIPELINING"), "* MAIL", rcpts, TAIL))
    local receipt = assert(smtp.send({ url = server.url, timeout = 20 }, message("x\r\n", long)))
    assert.is_nil(server:done())
    assert.equal(1000, #receipt.accepted)
  end)
end)

describe("client's content", function()
  local function sends(raw, expected, options)
    local server <close> = scripted.server(script(hello("8BITMIME", "SIZE"), "* MAIL", "* RCPT",
      TAIL))
    assert(smtp.send(server.url, message(raw), options))
    assert.is_nil(server:done())
    assert.is_true(server.body == expected, "other content came")
    return server
  end

  it("C012 is dot-stuffed and ends its last line", function()
    sends(".\r\n..\r\na.\r\n.b", "..\r\n...\r\na.\r\n..b\r\n")
    sends("", "")
    sends("a\nb\n.\n", "a\r\nb\r\n..\r\n")
  end)

  it("comes from a function, chunk by chunk", function()
    local chunks = { "Subject: a\r", "", "\n\r", "\n.", "b\r\n.", "\r\n" }
    local server = sends(function() return table.remove(chunks, 1) end,
      "Subject: a\r\n\r\n..b\r\n..\r\n")
    assert.equal("MAIL FROM:<ada@a.example> BODY=8BITMIME", server.lines[2])
  end)

  it("comes from a file, from where it stands", function()
    local file <close> = assert(io.tmpfile())
    file:write("skipped", ("line\r\n"):rep(50000))
    file:seek("set", 7)
    local server = sends(file, ("line\r\n"):rep(50000))
    assert.equal("MAIL FROM:<ada@a.example> SIZE=300000 BODY=8BITMIME", server.lines[2])
  end)

  it("comes from anything with envelope and chunks", function()
    local one = { envelope = { from = "", to = "b@c.example" } }
    function one.chunks()
      local n = 0
      return function()
        n = n + 1
        return n < 4 and n .. "\r\n" or nil
      end
    end
    local server <close> = scripted.server(script(hello(), "C MAIL FROM:<>", "S 250 ok", "* RCPT",
      TAIL))
    assert(smtp.send(server.url, one))
    assert.equal("1\r\n2\r\n3\r\n", server.body)
  end)

  it("comes from a function that waits", function()
    local n = 0
    sends(function()
      loop.sleep(0)
      n = n + 1
      return n < 5 and "x\r\n" or nil
    end, ("x\r\n"):rep(4))
  end)

  it("tells how far it is", function()
    local seen = {}
    local n = 0
    sends(function() n = n + 1 return n <= 3 and ("x"):rep(10) or nil end, ("x"):rep(30) .. "\r\n",
      { progress = function(sent, size) seen[#seen + 1] = sent .. "/" .. tostring(size) end })
    assert.same({ "10/nil", "20/nil", "30/nil" }, seen)
    seen = {}
    sends("abc\r\n", "abc\r\n", { progress = function(a, b) seen = { a, b } end })
    assert.same({ 5, 5 }, seen)
  end)

  for name, raw in pairs {
    ["a function that raises"] = function() error("disk on fire") end,
    ["a function that gives a number"] = function() return 5 end,
    ["a function that gives a table"] = function() return {} end,
  } do
    it("ends the connection for " .. name .. ", without a final dot", function()
      local server <close> = scripted.server(script(hello(), "* MAIL", "* RCPT", "C DATA",
        "S 354 go", "BODY"))
      local client = assert(smtp.connect(server.url))
      local receipt, err = client:send(message(raw))
      assert.is_nil(receipt)
      assert.same({ "source", "body", "not_sent", false },
        { err.kind, err.stage, err.outcome, err.temporary })
      if err.cause then assert.truthy(tostring(err.cause):find("disk on fire", 1, true)) end
      assert.is_false(client:usable())
      assert.is_nil(server:done())
      assert.equal("", server.body)
    end)
  end

  it("is refused before MAIL where it is none", function()
    local server <close> = scripted.server(script(hello(), "EOF"))
    local client <close> = assert(smtp.connect(server.url))
    local file = assert(io.tmpfile())
    file:close()
    for _, raw in ipairs { 5, true, file, {} } do
      local receipt, err = client:send(message(raw))
      assert.is_nil(receipt)
      assert.same({ "invalid", "not_sent" }, { err.kind, err.outcome })
    end
    assert.error_matches(function() client:send("text") end, "a message is a table, not string")
    assert.error_matches(function() client:send(5) end, "a message is a table, not number")
    assert.error_matches(function() client:send { form = "x" } end, 'unknown option "form"')
    local receipt, err = client:send {} -- a record without a sender
    assert.is_nil(receipt)
    assert.same({ "invalid", "not_sent" }, { err.kind, err.outcome })
    assert.error_matches(function() client:data(5) end, "a string, a function or a file")
    assert.error_matches(function() client:send(message("x"), { wrong = 1 }) end, "unknown option")
    assert.error_matches(function() client:send(message("x"), { deadline = "1" }) end, "deadline")
    assert.error_matches(function() client:mail("a@b", { wrong = 1 }) end, "unknown option")
    client:close()
    assert.is_nil(server:done())
  end)

  it("goes on while other tasks run", function()
    local server <close> = scripted.server(script(hello(), "* MAIL", "* RCPT", TAIL))
    local ticks, done = 0, false
    local task = loop.spawn(function()
      while not done do
        ticks = ticks + 1
        loop.sleep(0)
      end
    end)
    assert(smtp.send(server.url, message("x\r\n")))
    done = true
    loop.step(0.01)
    assert.is_true(ticks > 3)
    loop.cancel(task)
  end)

  it("sends from many tasks at once, each with its own connection", function()
    local count = 0
    local server <close> = assert(smtp.server { listen = "127.0.0.1:0",
      on_message = function(_, m) count = count + #m:read() return true end })
    local receipts = {}
    local since = core.now()
    for i = 1, 30 do
      loop.spawn(function()
        receipts[i] = assert(smtp.send("127.0.0.1:" .. server.port,
          message(("x"):rep(i) .. "\r\n")))
      end)
    end
    while #receipts < 30 and core.now() < since + 10 do loop.step(1) end
    assert.equal(30, #receipts)
    assert.equal(30 * 31 // 2 + 60, count)
  end)
end)
