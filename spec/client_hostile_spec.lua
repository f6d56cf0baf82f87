-- What a client tells of a message when the server is broken, or lies: never that it was
-- accepted where it was not, nor that it was not sent where it may have been.
local loop = require "smtp.loop"
local peer = require "spec.support.peer"
local smtp = require "smtp"

local script, hello = peer.script, peer.hello

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

-- A function that gives the pieces of a content, once.
local function pieces(...)
  local all, i = { ... }, 0
  return function()
    i = i + 1
    return all[i]
  end
end

local function results(client, messages)
  local all = {}
  for i, receipt, err in client:send_all(messages) do
    all[i] = { receipt = receipt, err = err }
  end
  return all
end

describe("content that goes several times", function()
  it("is the same in another session", function()
    local got = {}
    local one = script(hello("PIPELINING", "CHUNKING", "LIMITS RCPTMAX=1 MAILMAX=1"), "C MAIL",
      "C RCPT", chunk(got), { raw = "250 a\r\n250 b\r\n250 c\r\n" }, "C QUIT", "S 221 bye")
    local server <close> = peer.start { one, one, one }
    local receipt = assert(smtp.send(server.url, message(pieces("one\r\n", "two\r\n"),
      { "b@b.example", "c@b.example", "d@b.example" })))
    assert.equal(3, #receipt.accepted)
    assert.same({ "one\r\ntwo\r\n", "one\r\ntwo\r\n", "one\r\ntwo\r\n" }, got)
    assert.is_nil(server:done())
  end)

  it("is the same where only the second server takes chunks", function()
    local got = {}
    local server <close> = peer.start {
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

  it("is not given to a session that lacks what the message needs", function()
    local server <close> = peer.start {
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
    local server <close> = peer.start(script(hello("PIPELINING"), "C MAIL", "C RCPT", "C RCPT",
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
    local server <close> = peer.start(script(hello("PIPELINING", "LIMITS MAILMAX=1"), "C MAIL",
      "C RCPT", "C DATA", { raw = "250 a\r\n250 b\r\n354 go\r\n" }, "BODY", "CLOSE"))
    local client <close> = assert(smtp.connect(server.url))
    local all = results(client, { message("x\r\n"), message("y\r\n") })
    assert.same({ "unknown", "not_sent" }, { all[1].err.outcome, all[2].err.outcome })
  end)
end)
