-- The client against a broken or lying server: it never reports that a refused message was
-- accepted, nor that a message was not sent if it may have been.
local loop = require "smtp.loop"
local scripted = require "spec.support.scripted"
local pieces = require "spec.support.pieces"
local smtp = require "smtp"

local script, hello = scripted.script, scripted.hello

local function message(raw, to)
  return { envelope = { from = "ada@a.example", to = to or "bob@b.example" }, raw = raw }
end

-- A step that reads a chunk, command and content, into a list.
local function chunk(into)
  return function(connection)
    local line = connection:line() or ""
    local n = math.tointeger(line:match("^BDAT (%d+)")) or error(line)
    while #connection.buffer < n do
      if not connection:fill() then return end
    end
    into[#into + 1] = connection.buffer:sub(1, n)
    connection.buffer = connection.buffer:sub(n + 1)
  end
end

local function results(client, messages, options)
  local all = {}
  for i, receipt, err in client:send_all(messages, options) do
    all[i] = { receipt = receipt, err = err }
  end
  return all
end

describe("content that goes several times", function()
  it("is the same in another session", function()
    local got = {}
    local one = script(hello("PIPELINING", "CHUNKING", "LIMITS RCPTMAX=1 MAILMAX=1"), "C MAIL",
      "C RCPT", chunk(got), { raw = "250 a\r\n250 b\r\n250 c\r\n" }, "C QUIT", "S 221 bye")
    local server <close> = scripted.server { one, one, one }
    local receipt = assert(smtp.send(server.url, message(pieces("one\r\n", "two\r\n"),
      { "b@b.example", "c@b.example", "d@b.example" })))
    assert.equal(3, #receipt.accepted)
    assert.same({ "one\r\ntwo\r\n", "one\r\ntwo\r\n", "one\r\ntwo\r\n" }, got)
    assert.is_nil(server:done())
  end)

  it("is the same where only the second server takes chunks", function()
    local got = {}
    local server <close> = scripted.server {
      script(hello("8BITMIME", "LIMITS RCPTMAX=1 MAILMAX=1"), "* MAIL", "* RCPT", "C DATA",
        "S 354 go", "BODY", "S 250 ok", "C QUIT", "S 221 bye"),
      script(hello("PIPELINING", "CHUNKING", "8BITMIME"), "C MAIL", "C RCPT", chunk(got),
        { raw = "250 a\r\n250 b\r\n250 c\r\n" }, "C QUIT", "S 221 bye") }
    local file <close> = assert(io.tmpfile())
    file:write("xxone\r\n")
    file:seek("set", 2)
    assert(smtp.send(server.url, message(file, { "b@b.example", "c@b.example" })))
    assert.same({ "one\r\n", "one\r\n" }, { server.body, got[1] })
    assert.is_nil(server:done())
  end)

  it("is the same where an attachment comes of a function", function()
    local got = {}
    local server <close> = scripted.server(script(hello("PIPELINING", "CHUNKING",
      "LIMITS RCPTMAX=1"), "C MAIL", "C RCPT", chunk(got), { raw = "250 a\r\n250 b\r\n250 c\r\n" },
      "C MAIL", "C RCPT", chunk(got), { raw = "250 a\r\n250 b\r\n250 c\r\n" }, "C QUIT", "S 221 x"))
    assert(smtp.send(server.url, { from = "a@a.example", to = { "b@b.example", "c@b.example" },
      text = "x", attachments = { { name = "x.bin", source = pieces("one", "two") } } }))
    assert.is_truthy(got[1]:find("b25ldHdv", 1, true))
    assert.equal(got[1], got[2])
  end)

  it("is not given to a session that lacks what the message needs", function()
    local server <close> = scripted.server {
      script(hello("SMTPUTF8", "8BITMIME", "LIMITS MAILMAX=1"), "* MAIL", "* RCPT", "C RCPT",
        "S 452 no more", "C DATA", "S 354 go", "BODY", "S 250 ok", "C QUIT", "S 221 bye"),
      script(hello(), "* MAIL", "* RCPT", "C DATA", "S 354 go", "BODY", "S 250 ok", "EOF") }
    local client <close> = assert(smtp.connect(server.url))
    local all = results(client, { message("x\r\n", { "ä@b.example", "ö@b.example" }),
      message("y\r\n") })
    assert.same({ "unsupported", "partial" }, { all[1].err.kind, all[1].err.outcome })
    assert.same({ "ä@b.example" }, all[1].err.accepted)
    assert.equal(250, all[2].receipt.code)
  end)

  it("is told of where the connection is lost in between", function()
    local server <close> = scripted.server(script(hello("PIPELINING"), "C MAIL", "C RCPT", "C RCPT",
      "C DATA", { raw = "250 a\r\n250 b\r\n452 c\r\n354 go\r\n" }, "BODY", "C MAIL", "C RCPT",
      "C DATA", { raw = "250 ok\r\n421 bye\r\n" }, "CLOSE"))
    local client <close> = assert(smtp.connect(server.url))
    local all = results(client, { message("x\r\n", { "b@b.example", "c@b.example" }),
      message("y\r\n"), message("z\r\n") })
    assert.same({ "closed", "partial" }, { all[1].err.kind, all[1].err.outcome })
    assert.same({ "b@b.example" }, all[1].err.accepted)
    assert.same({ 421, "not_sent" }, { all[2].err.code, all[2].err.outcome })
    assert.same({ "closed", "not_sent" }, { all[3].err.kind, all[3].err.outcome })
  end)

  it("leaves each message its own error", function()
    local server <close> = scripted.server(script(hello("PIPELINING", "LIMITS MAILMAX=1"), "C MAIL",
      "C RCPT", "C DATA", { raw = "250 a\r\n250 b\r\n354 go\r\n" }, "BODY", "CLOSE"))
    local client <close> = assert(smtp.connect(server.url))
    local all = results(client, { message("x\r\n"), message("y\r\n") })
    assert.same({ "unknown", "not_sent" }, { all[1].err.outcome, all[2].err.outcome })
  end)
end)

describe("replies for each recipient", function()
  local TO = { "b@b.example", "c@b.example", "d@b.example" }

  -- Sends to three by LMTP or with PRDR, and the server says this of the content.
  local function send(kind, replies, after)
    local lmtp = kind == "lmtp"
    local steps = script(hello("PIPELINING", "PRDR"), "C MAIL", "C RCPT", "C RCPT", "C RCPT",
      "C DATA", { raw = "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 go\r\n" }, "BODY",
      { raw = replies }, after or "CLOSE")
    if lmtp then steps[2] = "C LHLO" end
    local server <close> = scripted.server(steps)
    local target = { url = server.url:gsub("^smtp", kind), disable = { PRDR = lmtp } }
    return smtp.send(target, message("x\r\n", TO))
  end

  it("have no 3xx among them", function()
    for kind, replies in pairs { lmtp = "250 1\r\n353 2\r\n250 3\r\n",
      smtp = "353 each\r\n353 1\r\n250 2\r\n250 3\r\n250 all\r\n" } do
      local receipt, err = send(kind, replies)
      assert.is_nil(receipt)
      assert.equal("protocol", err.kind)
    end
  end)

  it("are each for its own, after a 421 as well", function()
    local receipt = assert(send("lmtp", "421 1\r\n250 2\r\n550 3\r\n"))
    assert.same({ "c@b.example" }, receipt.accepted)
    assert.same({ 421, 550 }, { receipt.rejected[1].code, receipt.rejected[2].code })
    local _, err = send("lmtp", "550 1\r\n250 2\r\n421 3\r\n", "EOF")
    assert.is_nil(err)
  end)

  it("are not asked for again, as a refusal of RCPT is", function()
    local receipt = assert(send("lmtp", "250 1\r\n452 2\r\n552 3\r\n"))
    assert.same({ "b@b.example" }, receipt.accepted)
    assert.same({ true, false }, { receipt.rejected[1].temporary, receipt.rejected[2].temporary })
  end)

  it("tell of a message when the rest of them does not come", function()
    local cases = {
      lmtp = { ["421 1\r\n"] = "not_sent", ["550 1\r\n"] = "unknown",
        ["250 1\r\n421 2\r\n"] = "partial", [""] = "unknown" },
      smtp = { ["353 each\r\n250 1\r\n250 2\r\n250 3\r\n"] = "unknown",
        ["353 each\r\n"] = "unknown", [""] = "unknown" },
    }
    for kind, of in pairs(cases) do
      for replies, outcome in pairs(of) do
        local _, err = send(kind, replies)
        assert.same({ replies, "closed", outcome }, { replies, err.kind, err.outcome })
        assert.equal(outcome == "partial", err.accepted ~= nil)
      end
    end
    local _, err = send("lmtp", "552 1\r\n250 2\r\n")
    assert.same({ "c@b.example" }, err.accepted)
    assert.same({ "b@b.example", 552 }, { err.rejected[1].address, err.rejected[1].code })
    assert.equal(1, #err.rejected)
  end)

  it("of PRDR come before one for all, for single commands too", function()
    local function data(replies)
      local server <close> = scripted.server(script(hello("PRDR"), "* MAIL", "* RCPT", "* RCPT",
        "C DATA", "S 354 go", "BODY", { raw = replies }, "EOF"))
      local client <close> = assert(smtp.connect(server.url))
      assert(client:mail("a@b.example", { prdr = true }))
      assert(client:rcpt("b@b.example"))
      assert(client:rcpt("c@b.example"))
      return client:data("x\r\n")
    end
    local reply = assert(data("353 each\r\n550 1\r\n250 2\r\n250 all\r\n"))
    assert.same({ "all", "2" }, { reply.text, reply.replies[2].text })
    for replies, code in pairs { ["353 e\r\n250 1\r\n250 2\r\n554 all\r\n"] = 554,
      ["353 e\r\n550 1\r\n551 2\r\n250 all\r\n"] = 550 } do
      local none, err = data(replies)
      assert.is_nil(none)
      assert.equal(code, err.code)
    end
  end)
end)

describe("lists of recipients", function()
  local function lists(receipt)
    local refused = {}
    for i, one in ipairs(receipt.rejected) do refused[i] = one.address .. " " .. one.code end
    return table.concat(receipt.accepted or {}, ","), table.concat(refused, ",")
  end

  it("have each, where a mailbox is there twice", function()
    local server <close> = scripted.server(script(hello("DSN"), "* MAIL", "* RCPT TO:<b@b.example>",
      "C RCPT", "S 452 more", "C RCPT", "S 452 more", "C RCPT", "S 550 no", "C DATA", "S 354 go",
      "BODY", "S 250 ok", "* MAIL", "* RCPT TO:<b@b.example> NOTIFY=NEVER",
      "* RCPT TO:<c@b.example>", "C DATA", "S 354 go", "BODY", "S 250 ok", "C QUIT", "S 221 bye"))
    local receipt = assert(smtp.send(server.url, message("x\r\n", { "b@b.example",
      { address = "b@b.example", notify = "NEVER" }, "c@b.example", "c@b.example" })))
    assert.is_nil(server:done())
    assert.same({ "b@b.example,b@b.example,c@b.example", "c@b.example 550" },
      { lists(receipt) })
  end)

  it("tell each what was said of it, where the content is refused behind that", function()
    local server <close> = scripted.server(script(hello("LIMITS RCPTMAX=2"), "* MAIL", "* RCPT",
      "* RCPT", "C DATA", "S 354 go", "BODY", "S 250 ok", "* MAIL", "C RCPT", "S 550 no",
      "* RCPT", "C DATA", "S 354 go", "BODY", "S 451 later", "C QUIT", "S 221 bye"))
    local receipt = assert(smtp.send(server.url, message("x\r\n", { "a@b.example",
      "b@b.example", "c@b.example", "d@b.example" })))
    assert.is_nil(server:done())
    assert.same({ "a@b.example,b@b.example", "c@b.example 550,d@b.example 451" },
      { lists(receipt) })
  end)

  it("have all that were refused, in whatever transaction", function()
    local server <close> = scripted.server(script(hello("PIPELINING", "LIMITS RCPTMAX=1"), "C MAIL",
      "C RCPT", "C DATA", { raw = "250 a\r\n550 no\r\n503 c\r\n" }, "C RSET", "C MAIL", "C RCPT",
      "C DATA", { raw = "250 r\r\n451 later\r\n503 b\r\n503 c\r\n" }, "C QUIT", "S 221 bye"))
    local _, err = smtp.send(server.url, message("x\r\n", { "a@b.example", "b@b.example" }))
    assert.same({ "", "a@b.example 550,b@b.example 451" }, { lists(err) })
  end)
end)

describe("a window of messages", function()
  -- Replies for k messages before they were read, the k-th refused; the rest as it should
  -- be. `stored` is true for which of ten were read whole and answered by a 250.
  local function answers(k, stored)
    return function(connection)
      loop.wait(connection.socket, "r") -- all that fits has been written
      local early = {}
      for i = 1, k do
        early[i] = (i > 1 and "250 r\r\n" or "") .. "250 a\r\n250 b\r\n"
          .. (i < k and "250 " .. i or "552 big") .. "\r\n"
      end
      connection:say(table.concat(early))
      for i = 1, 10 do
        local got = {}
        for _ = i > 1 and 1 or 2, 3 do connection:line() end -- RSET, MAIL, RCPT
        if not pcall(chunk(got), connection) or not got[1] then break end
        stored[i] = i ~= k
        if i > k then connection:say("250 r\r\n250 a\r\n250 b\r\n250 " .. i .. "\r\n") end
      end
    end
  end

  it("C175 ends where replies come before their commands were written", function()
    local out_of_step = 0
    for k = 1, 9 do
      local path, stored = os.tmpname(), {}
      os.remove(path)
      local server <close> = scripted.server(script(hello("PIPELINING", "CHUNKING"),
        answers(k, stored), "EOF"), { path = path })
      local client <close> = assert(smtp.connect { url = server.url, timeout = 5 })
      local list = {}
      for i = 1, 10 do list[i] = message(("x"):rep(60000)) end
      local all = results(client, list, { window_bytes = "64M" })
      client:close()
      server:done()
      os.remove(path)
      assert.equal(10, #all)
      for i, one in ipairs(all) do
        if one.receipt then
          assert.equal(tostring(i), one.receipt.text)
          assert.is_not_false(stored[i])
        elseif one.err.outcome == "not_sent" then
          assert.is_not_true(stored[i])
        end
        if one.err and one.err.kind == "protocol" then out_of_step = out_of_step + 1 end
      end
    end
    assert.is_true(out_of_step > 0)
  end)

  it("ends where RSET is refused, for what follows would go to others", function()
    local function run(window)
      local got = {}
      local server <close> = scripted.server(script(hello("PIPELINING", "CHUNKING"), "C MAIL",
        "C RCPT", chunk(got), { raw = "250 a\r\n250 b\r\n452 no\r\n" }, "C RSET", "C MAIL",
        "C RCPT", chunk(got), { raw = "500 r\r\n503 a\r\n250 b\r\n250 kept\r\n" }, "EOF"))
      local client <close> = assert(smtp.connect(server.url))
      local all = results(client, { message("x\r\n"), message("y\r\n", "c@b.example"),
        message("z\r\n") }, { window = window })
      assert.same({ 452, "not_sent" }, { all[1].err.code, all[1].err.outcome })
      assert.same({ "protocol", "rset", "unknown" },
        { all[2].err.kind, all[2].err.stage, all[2].err.outcome })
      assert.is_false(client:usable())
      return all[3].err
    end
    assert.equal("not_sent", run(1).outcome)
    assert.equal("unknown", run(3).outcome)
  end)
end)

describe("functions of the caller's that raise", function()
  local function closed(client)
    assert.is_false(client:usable())
    assert.error_matches(function() client:noop() end, "client is closed")
  end

  for name, offers in pairs { chunks = { "PIPELINING", "CHUNKING" }, content = { "PIPELINING" } } do
    it("close a client that has a message under way: progress, " .. name, function()
      local server <close> = scripted.server(script(hello(table.unpack(offers)), "C MAIL", "C RCPT",
        { raw = "250 a\r\n250 b\r\n354 c\r\n" }, "EOF"))
      local client <close> = assert(smtp.connect(server.url))
      assert.error_matches(function()
        client:send(message("x\r\n"), { progress = function() error("mine", 0) end })
      end, "mine")
      closed(client)
    end)
  end

  it("close a client that has a reply due: trace", function()
    for _, word in ipairs { "RCPT", "NOOP" } do
      local server <close> = scripted.server(script(hello("PIPELINING"), "EOF"))
      local client <close> = assert(smtp.connect { url = server.url, trace = function(_, line)
        if line:find(word, 1, true) then error("mine", 0) end
      end })
      assert.error_matches(function()
        if word == "NOOP" then client:noop() else client:send(message("x\r\n")) end
      end, "mine")
      closed(client)
    end
  end)

  it("may not use a client that has a message under way", function()
    local kept = {}
    local server <close> = assert(smtp.server { listen = "127.0.0.1:0", on_message = function(_, m)
      kept[#kept + 1] = m:read()
      return true
    end })
    local client <close> = assert(smtp.connect("smtp://127.0.0.1:" .. server.port))
    local whys, n = {}, 0
    local function misuse()
      whys[#whys + 1] = select(2, pcall(client.noop, client))
    end
    for _, receipt in client:send_all(function()
      n = n + 1
      if n == 2 then misuse() end
      return n < 3 and message(function() misuse() return nil end) or nil
    end, { progress = misuse }) do assert.truthy(receipt) end
    assert(client:send(message("x\r\n"), { progress = misuse }))
    assert.equal(4, #whys)
    for _, why in ipairs(whys) do assert.equal("client is within another call", why) end
    assert.equal(3, #kept)
    assert(client:noop())
  end)

  it("leave a client alone that has nothing under way", function()
    local server <close> = scripted.server(script(hello("MT-PRIORITY"), "* NOOP"))
    local client <close> = assert(smtp.connect(server.url))
    local bad = message("x\r\n")
    bad.mail = { priority = 99 }
    assert.error_matches(function() client:send(bad) end, "priority must be %-9 to 9")
    assert(client:noop())
  end)
end)

describe("send_all", function()
  local function one_reply()
    return scripted.server(script(hello("PIPELINING", "CHUNKING"), "C MAIL", "C RCPT", chunk {},
      { raw = "250 a\r\n250 b\r\n250 ok\r\n" }, "EOF"))
  end

  it("tells of the rest when the client is closed in its loop", function()
    local server <close> = one_reply()
    local client <close> = assert(smtp.connect(server.url))
    local outcomes = {}
    for i, receipt, err in client:send_all { message("x\r\n"), message("y\r\n") } do
      outcomes[i] = receipt and "accepted" or err.kind .. " " .. err.outcome
      client:close()
    end
    assert.same({ "accepted", "closed unknown" }, outcomes)
  end)

  it("ends with its task, wherever that waits", function()
    for _, inside in ipairs { true, false } do
      local server <close> = one_reply()
      local client, here = nil, loop.gate()
      local task = loop.spawn(function()
        client = assert(smtp.connect(server.url))
        for _ in client:send_all { message("x\r\n"), message("y\r\n") } do
          loop.wake(here)
          if inside then loop.pass(loop.gate()) end
        end
      end)
      loop.pass(here)
      assert.is_true(loop.cancel(task))
      server:done() -- raises if the loop has a failure to tell
      assert.is_false(client:usable())
      assert.error_matches(function() client:noop() end, "client is closed")
    end
  end)
end)
