-- Where a line and a message end, and what a peer may not send: the rows
-- "Framing" and "State" of what the server promises about security.
local server_player = require "spec.support.server_player"
local play = server_player.play
local GREETING, EHLO, MAIL, RCPT, DATA = server_player.GREETING, server_player.EHLO,
  server_player.MAIL, server_player.RCPT, server_player.DATA

local BARE = "550 5.5.2 Bare CR, LF or NUL in message"
local TAKEN = "250 2.0.0 Message accepted"
local OVER = [[

C: DATA
S: 503 5.5.1 Bad sequence of commands
C: RCPT TO:<a@b.example>
S: 503 5.5.1 Bad sequence of commands]]

-- Plays content (transcript lines) in DATA up to its end, with what follows.
local function send(lines, reply, options)
  return play(DATA .. lines .. "\nC: .\nS: " .. reply .. OVER, options)
end

local function content(player)
  local body = player:events("body")[1]
  return body and body[2]
end

-- A player in the middle of DATA.
local function in_data(options)
  local player = server_player.session(options)
  player:output()
  for _, line in ipairs { "EHLO x.example", "MAIL FROM:<a@b.example>", "RCPT TO:<a@b.example>",
    "DATA" } do
    player:cmd(line)
  end
  return player
end

describe("server: the end of data", function()
  local lookalikes = { "\\n.\\n", "\\n.\\r\\n", "\\r\\n.\\n", "\\r.\\r", "\\r\\n.\\r", "\\r.\\r\\n",
    "\\n.\\r", "\\r\\n\\0.\\r\\n", "\\r\\n.\\0\\r\\n",
    "\\r\\n.\\r\\r\\n" }

  it("C011 is CRLF . CRLF and nothing else", function()
    for _, ending in ipairs(lookalikes) do
      -- a smuggler's second message behind it stays content
      send("C> x" .. ending .. "MAIL FROM:<evil@b.example>\\r\\nRCPT TO:<a@b.example>\\r\\n", BARE)
      local player = send("C> x" .. ending .. "RSET\\r\\n", TAKEN,
        { config = { bare_newline = "raw" } })
      assert.is_truthy(content(player):find("RSET", 1, true), ending)
      assert.equal(1, #player:events("mail"))
    end
  end)

  it("C011 keeps what looks like the end as it is, when raw", function()
    local player = send("C> a\\n.\\nb\\r.\\rc\\r\\n.\\nd\\0e\\r\\n", TAKEN,
      { config = { bare_newline = "raw" } })
    -- the dot of CRLF . LF stands at the start of a line, so it is stuffing
    assert.equal("a\n.\nb\r.\rc\r\n\nd\0e\r\n", content(player))
  end)

  it("C011 reads a bare LF, CR and NUL to the true end, and refuses then", function()
    for _, bare in ipairs { "\\n", "\\r", "\\0", "a\\nb", "\\r\\r\\n", "\\r\\0\\n" } do
      local player = send("C> a\\r\\n" .. bare .. "b\\r\\n", BARE)
      assert.equal("Bare CR, LF or NUL in message", player:events("message")[1][3])
    end
    for _, verdict in ipairs { "accept", "fail", { "reply", 250, "x" }, { "reply", 421, "x" } } do
      send("C: a\\nb", BARE, { verdicts = { message = verdict } })
    end
  end)

  it("C011 mends bare newlines behind the end, when told to normalize", function()
    local options = { config = { bare_newline = "normalize" } }
    for given, expected in pairs { ["a\\nb\\r\\n"] = "a\r\nb\r\n",
      ["a\\rb\\r\\n"] = "a\r\nb\r\n",
      ["a\\0b\\r\\n"] = "ab\r\n", ["a\\n.\\nb\\r\\n"] = "a\r\n.\r\nb\r\n",
      ["a\\r\\r\\nb\\r\\n"] = "a\r\n\r\nb\r\n", ["\\r\\0\\n\\r\\n"] = "\r\n\r\n",
      ["..\\r\\n"] = ".\r\n" } do
      assert.equal(expected, content(send("C> " .. given, TAKEN, options)), given)
    end
  end)

  it("C011 a line of a command ends with CRLF, or it was the last one", function()
    for _, line in ipairs { "NOOP\\n", "\\n", "NOOP\\0\\n", "MAIL FROM:<>\\nRSET\\r\\n" } do
      play(EHLO .. "C> " .. line .. "\nS: 500 5.5.2 Lines must end with CRLF\nS: (closed)")
    end
    local player = play(EHLO .. "C: NOOP a\\rb\nS: 250 2.0.0 OK") -- a CR alone is no end
    assert.is_nil(player.closed)
  end)

  it("C012 takes one dot off the start of a line", function()
    for given, expected in pairs { ["..\\r\\n"] = ".\r\n", ["...\\r\\n"] = "..\r\n",
      [".a\\r\\n"] = "a\r\n", ["a.\\r\\n"] = "a.\r\n", ["a\\r\\n..b\\r\\n"] = "a\r\n.b\r\n",
      ["..\\r\\n..\\r\\n"] = ".\r\n.\r\n", [" .\\r\\n"] = " .\r\n" } do
      assert.equal(expected, content(send("C> " .. given, TAKEN)), given)
    end
  end)

  it("takes an empty message", function()
    local player = play(DATA .. "C: .\nS: " .. TAKEN .. OVER)
    assert.equal(0, player:events("message")[1][2])
    assert.is_nil(content(player))
    player = send("C:", TAKEN)
    assert.equal("\r\n", content(player))
  end)

  it("takes commands that wait behind the end", function()
    local player = play(DATA .. [[
      C: body
      C: .
      C: MAIL FROM:<b@b.example>
      C: RCPT TO:<c@b.example>
      C: DATA
      S: 250 2.0.0 Message accepted
      S: 250 2.1.0 Sender OK
      S: 250 2.1.5 Recipient OK
      S: 354 ...
      C: other
      C: .
      C: QUIT
      S: 250 2.0.0 Message accepted
      S: 221 2.0.0 Goodbye
      S: (closed)]])
    assert.equal(2, #player:events("message"))
  end)

  it("gives no message when the stream ends before", function()
    for _, bytes in ipairs { "", "C> half\n", "C: whole\n", "C> x\\r\\n.\n", "C> x\\r\\n.\\r\n" } do
      local player = play(DATA .. bytes .. "C! eof\nS: (closed)")
      assert.same({}, player:events("message"))
      assert.equal("closed", player.closed)
    end
  end)

  it("holds no more than one read of a body", function()
    local player = in_data()
    local line = ("x"):rep(998) .. "\r\n"
    local chunk = line:rep(64)
    player.core:feed(chunk)
    player.core:next()
    collectgarbage()
    player:turn()
    for _ = 1, 200 do player:feed(chunk) end
    assert.equal("", player:output())
    assert.equal(TAKEN .. "\r\n", player:feed(".\r\n"):output())
    assert.equal(#chunk * 201, player:events("message")[1][2])
  end)
end)

describe("server: lines", function()
  it("C013 takes the sizes that a server must take", function()
    local labels = (("x"):rep(62) .. "."):rep(4)
    local domain = labels .. "abc" -- 255
    assert.equal(255, #domain)
    for _, strict in ipairs { true, false } do
      local options = { config = { strict = strict }, step = 7 }
      play(GREETING .. "C: HELO " .. domain .. "\nS: 250 mx.example", options)
      play(EHLO .. "C: MAIL FROM:<" .. ("l"):rep(64) .. "@b.example>\nS: 250 ...", options)
      local path = ("l"):rep(64) .. "@" .. domain:sub(-189, -1)
      assert.equal(256, #path + 2)
      play(EHLO .. "C: MAIL FROM:<" .. path .. ">\nS: 250 ...", options)
      play(MAIL .. "C: RCPT TO:<" .. path .. ">\nS: 250 ...", options)
    end
    play(EHLO .. "C: NOOP " .. ("x"):rep(512 - 7) .. "\nS: 250 ...", { step = 11 })
    local player = play(DATA .. "C: " .. ("x"):rep(998) .. "\nC: .\nS: " .. TAKEN, { step = 29 })
    assert.equal(1000, #content(player))
    local text = MAIL .. ("C: RCPT TO:<a@b.example>\nS: 250 2.1.5 Recipient OK\n"):rep(100)
    assert.equal(100, #play(text, { step = 499 }):events("rcpt"))
    player = in_data()
    local line = ("x"):rep(62) .. "\r\n"
    for _ = 1, 64 * 1024 // #line do player:feed(line) end
    assert.equal(TAKEN .. "\r\n", player:cmd("."))
  end)

  it("paths beyond their sizes are 501", function()
    local domain = (("x"):rep(62) .. "."):rep(4) .. "abc"
    local long = "501 5.5.4 Address too long"
    local strict = { config = { strict = true }, step = 13 }
    play(EHLO .. "C: MAIL FROM:<" .. ("l"):rep(65) .. "@b.example>\nS: " .. long, strict)
    play(EHLO .. "C: MAIL FROM:<" .. ("l"):rep(255) .. "@b.example>\nS: 250 ...", { step = 13 })
    play(MAIL .. "C: RCPT TO:<" .. ("l"):rep(256) .. "@b.example>\nS: " .. long, { step = 13 })
    play(MAIL .. "C: RCPT TO:<" .. ("l"):rep(64) .. "@" .. domain:sub(-190, -1) .. ">\nS: " .. long,
      strict)
    play(EHLO .. "C: MAIL FROM:<a@x" .. domain .. ">\nS: " .. long, strict)
    play(GREETING .. "C: HELO x" .. domain .. "\nS: 501 ...", strict)
  end)

  it("a line beyond the limit is dropped to its CRLF, 500 5.5.6", function()
    local function noop(n) return "C: NOOP " .. ("x"):rep(n - 7) .. "\n" end
    local refused = "S: 500 5.5.6 Line too long\n"
    local after = "C: NOOP\nS: 250 2.0.0 OK"
    play(EHLO .. noop(2047) .. "S: 250 ...\n" .. after, { step = 97 })
    play(EHLO .. noop(2048) .. "S: 250 ...\n" .. after, { step = 97 })
    play(EHLO .. noop(2049) .. refused .. after, { step = 97 })
    play(EHLO .. noop(9000) .. refused .. after, { step = 997 })
    play(EHLO .. "C: " .. ("MAIL FROM:<a@b.example>\\n"):rep(100) .. "\n" ..
      "S: 500 5.5.2 Lines must end with CRLF\nS: (closed)", { cut = false })
    for limit = 99, 101 do
      play(EHLO .. noop(100) .. (limit < 100 and refused or "S: 250 2.0.0 OK\n") .. after,
        { config = { limits = { line = limit } } })
    end
  end)

  it("C011 a line beyond the limit that ends in a bare LF is the last one, at once", function()
    local bare = "S: 500 5.5.2 Lines must end with CRLF\nS: (closed)"
    for _, n in ipairs { 2047, 2048, 2049, 2500, 9000 } do
      play(EHLO .. "C> NOOP " .. ("x"):rep(n - 6) .. "\\n\n" .. bare, { step = 997 })
    end
    play(EHLO .. "C> NOOP \\r" .. ("x"):rep(3000) .. "\\n\n" .. bare, { step = 997 })
    play(EHLO .. "C: NOOP " .. ("x\\ry"):rep(1000) .. "\nS: 500 5.5.6 Line too long\n",
      { step = 997 })
    for limit = 29, 31 do -- the line has 30
      play(EHLO .. "C> NOOP " .. ("x"):rep(24) .. "\\n\n" .. bare,
        { config = { limits = { line = limit } } })
    end
  end)

  it("a line without end costs no memory", function()
    local player = server_player.session()
    player:output()
    player:cmd("EHLO x.example")
    local part = ("x"):rep(65536)
    for _ = 1, 100 do assert.equal("", player:feed(part):output()) end
    assert.equal("500 5.5.6 Line too long\r\n", player:cmd(""))
    assert.equal("250 2.0.0 OK\r\n", player:cmd("NOOP"))
  end)

  it("NUL, bytes that are no UTF-8, and UTF-8 have their replies", function()
    local after = "\nC: NOOP\nS: 250 2.0.0 OK"
    for _, line in ipairs { "NOOP \\0", "\\0", "MAIL FROM:<a\\0@b.example>", "X\\0Y" } do
      play(EHLO .. "C: " .. line .. "\nS: 501 5.5.2 NUL in a command" .. after)
    end
    for _, line in ipairs { "NOOP \\xff", "\\x80", "MAIL FROM:<a\\xc3@b.example>",
      "MAIL FROM:<\\xc0\\xaf@b.example>", "VRFY \\xed\\xa0\\x80", "NOOP \\xf4\\x90\\x80\\x80" } do
      play(EHLO .. "C: " .. line .. "\nS: 500 5.5.2 Command is not valid UTF-8" .. after)
    end
    local utf8 = "553 5.6.7 Non-ASCII address needs SMTPUTF8"
    play(EHLO .. "C: MAIL FROM:<j\\xc3\\xbcrgen@b.example>\nS: " .. utf8 .. after)
    play(EHLO .. "C: MAIL FROM:<a@b\\xc3\\xbccher.example>\nS: " .. utf8 .. after)
    play(MAIL .. "C: RCPT TO:<\"\\xe2\\x82\\xac\"@b.example>\nS: " .. utf8 .. after)
    play(EHLO .. "C: VRFY j\\xc3\\xbcrgen\nS: " .. utf8 .. after)
    play(GREETING .. "C: EHLO b\\xc3\\xbccher.example\nS: 501 ..." .. after)
  end)

  it("reads leniently or strictly, as it is told", function()
    for line, address in pairs { ["MAIL FROM:ada@code.energy"] = "ada@code.energy",
      ["MAIL FROM: <ada@code.energy>"] = "ada@code.energy",
      ["MAIL FROM :<ada@code.energy>"] = "ada@code.energy",
      ["MAIL FROM:\\t<ada@code.energy>"] = "ada@code.energy",
      ["MAIL FROM: \\t <ada@code.energy>"] = "ada@code.energy",
      ["MAIL FROM:< ada@code.energy>"] = "ada@code.energy",
      ["MAIL FROM:<ada@code.energy\\t>"] = "ada@code.energy",
      ["MAIL FROM:\\tada@code.energy"] = "ada@code.energy",
      ["MAIL FROM:< \\t >"] = "",
      ["MAIL FROM:<ada@code.energy>\\tBODY=8BITMIME"] = "ada@code.energy",
      ["MAIL FROM:<.a..b.@code.energy>"] = "\".a..b.\"@code.energy" } do
      local player = play(EHLO .. "C: " .. line .. "\nS: 250 2.1.0 Sender OK")
      assert.equal(address, player:events("mail")[1][2].address)
      play(EHLO .. "C: " .. line .. "\nS: 501 5.1.7 Bad sender address",
        { config = { strict = true } })
    end
  end)

  it("takes an @ in a local part only in quotes", function()
    for _, strict in ipairs { true, false } do
      for _, path in ipairs { "<eve@evil.example@code.energy>", "<@r.example:eve@evil@code.energy>",
        "<eve@[192.0.2.1]@code.energy>" } do
        local config = { config = { strict = strict } }
        play(EHLO .. "C: MAIL FROM:" .. path .. "\nS: 501 5.1.7 Bad sender address", config)
        play(EHLO .. "C: MAIL FROM:<a@b.example>\nS: 250 ...\nC: RCPT TO:" .. path ..
          "\nS: 501 5.1.3 Bad recipient address", config)
      end
      local player = play(EHLO .. "C: MAIL FROM:<\"a@evil.example\"@code.energy>\nS: 250 ...",
        { config = { strict = strict } })
      local sender = player:events("mail")[1][2]
      assert.equal("code.energy", sender.domain)
      assert.equal("a@evil.example", sender.user)
    end
  end)
end)

describe("server: what comes too early", function()
  it("bytes before the greeting are 554 and the end", function()
    for _, early in ipairs { "x", "EHLO x.example\r\n", "\0" } do
      local player = server_player.session()
      player:feed(early)
      assert.equal("554 5.5.0 Please wait for the greeting\r\n", player:output())
      assert.equal("Please wait for the greeting", player.closed)
      assert.equal("", player:cmd("QUIT"))
      assert.same({ "connect", "close" }, player:names())
    end
  end)

  it("bytes before the verdict on the connection are early too", function()
    local config = require("smtp.core").server_config { hostname = "mx.example" }
    local session = config:session(nil, 0)
    assert.equal("connect", session:next())
    session:feed("EHLO x.example\r\n")
    assert.error_matches(function() session:decide("accept") end, "no verdict is due")
    assert.equal("554 5.5.0 Please wait for the greeting\r\n", session:peek())
    assert.equal("close", session:next())
  end)

  it("what ends a group stands last in it, or it is 554 and the end", function()
    local early = "S: 554 5.5.0 Please wait for replies\nS: (closed)"
    for _, line in ipairs { "EHLO x.example", "HELO x.example", "NOOP", "VRFY x", "QUIT", "DATA",
      "STARTTLS", "AUTH PLAIN AGEAYg==", "EXPN x", "HELP" } do
      local player = play(RCPT .. "C: " .. line .. "\nC: RSET\n" .. early, { cut = false })
      assert.equal("Please wait for replies", player.closed)
      assert.same({}, player:events("data"))
      play(RCPT .. "C: " .. line .. "\nC> x\n" .. early, { cut = false })
    end
    play(MAIL .. "C: RCPT TO:<a@b.example>\nC: DATA\nC: body\nC: .\nS: 250 2.1.5 Recipient OK\n" ..
      early, { cut = false })
    play(EHLO .. "C: RSET\nC: RSET\nC: MAIL FROM:<>\nC: RCPT TO:<a@b.example>\nC: RSET\n" ..
      "C: NOOP\nS: 250 ...\nS: 250 ...\nS: 250 ...\nS: 250 ...\nS: 250 ...\nS: 250 ...")
  end)

  it("another protocol is 421 and the end", function()
    for _, line in ipairs { "GET / HTTP/1.1", "POST /x HTTP/1.0", "CONNECT a.example:25 HTTP/1.1",
      "PUT / HTTP/1.1", "OPTIONS * HTTP/1.1", "Host: mx.example", "User-Agent: x",
      "Content-Length: 3" } do
      for _, beginning in ipairs { GREETING, EHLO, MAIL } do
        local player = play(beginning .. "C: " .. line ..
          "\nS: 421 4.7.0 This is an SMTP server\nS: (closed)")
        assert.equal("This is an SMTP server", player.closed)
      end
    end
    play(GREETING .. "C: GET / HTTP/1.1\nC: Host: mx.example\nC:\n" ..
      "S: 421 4.7.0 This is an SMTP server\nS: (closed)")
    local player = play(DATA .. "C: GET / HTTP/1.1\nC: Host: x\nC: .\nS: " .. TAKEN)
    assert.is_nil(player.closed)
    for _, line in ipairs { "MAILFROM:<a@b.example>", "mailfrom:<a@b.example>",
      "RCPTTO:<a@b.example>",
      "Rcpt-To:<a@b.example>", "EHLO:x.example", "ehlo: x.example", "MAIL:<a@b.example>", "QUIT:",
      "XADA:1" } do
      player = play(EHLO .. "C: " .. line .. "\nS: 500 5.5.1 Command not recognized\n" ..
        "C: NOOP\nS: 250 2.0.0 OK", { config = { verbs = "XADA" } })
      assert.is_nil(player.closed)
    end
  end)
end)

describe("server: one transaction", function()
  it("is over after any end of data, RSET, EHLO and HELO", function()
    for _, reset in ipairs { "C: RSET\nS: 250 ...", "C: HELO x.example\nS: 250 mx.example",
      "C: EHLO x.example\nS: 250-mx.example\nS: 250-PIPELINING\nS: 250-SIZE 36700160\n" ..
      "S: 250-8BITMIME\nS: 250 ENHANCEDSTATUSCODES" } do
      for _, beginning in ipairs { EHLO, MAIL, RCPT } do
        local player = play(beginning .. reset .. OVER)
        assert.same({}, player:events("data"))
        assert.equal(beginning == EHLO and 0 or 1, #player:events("reset"))
      end
    end
    for _, body in ipairs { "C: x", "C: a\\nb", "C: a\\0", "C: \\xff" } do
      local player = play(DATA .. body .. "\nC: .\nS: 550 ..." .. OVER,
        { verdicts = { message = { "reply", 550, "5.5.2 no" } } })
      assert.equal(1, #player:events("message"))
      assert.equal(1, #player:events("rcpt"))
    end
  end)

  it("a refused MAIL opens none", function()
    local player = play(EHLO .. "C: MAIL FROM:<a@b.example>\nS: 550 5.7.1 Sender refused" .. OVER,
      { verdicts = { mail = "refuse" } })
    assert.same({}, player:events("rcpt"))
  end)

  it("parameters need EHLO, and must be known", function()
    local unknown = "\nS: 555 5.5.4 Parameter not recognized"
    local syntax = "\nS: 501 5.5.4 Syntax error in arguments"
    play(EHLO .. "C: MAIL FROM:<a@b.example> FOO=1" .. unknown)
    play(EHLO .. "C: MAIL FROM:<a@b.example> SMTPUTF8" .. unknown)
    play(EHLO .. "C: MAIL FROM:<a@b.example> =1" .. syntax)
    play(EHLO .. "C: MAIL FROM:<a@b.example>SIZE=1\nS: 501 5.1.7 ...")
    play(MAIL .. "C: RCPT TO:<a@b.example> NOTIFY=NEVER" .. unknown)
    play(MAIL .. "C: RCPT TO:<a@b.example> =" .. syntax)
    play(server_player.HELO .. "C: MAIL FROM:<a@b.example> SIZE=1" .. unknown)
    play(server_player.HELO .. "C: MAIL FROM:<a@b.example> \nS: 250 ...")
  end)

  it("own verbs ask; they stand beside the protocol's own", function()
    local options = { config = { verbs = "XONE HELP" }, verdicts = {
      command = { { "reply", 250, "2.0.0 one" }, "nothing", "refuse", "none" } } }
    local player = play(EHLO .. [[
      C: xone  a b
      S: 250 2.0.0 one
      C: XONE
      S: 451 4.3.0 Local error, please try again later
      C: HELP x
      S: 502 5.5.1 Command refused
      C: XONE
      S: 250 2.0.0 OK
      C: XTWO
      S: 500 5.5.1 Command not recognized
      C: XON
      S: 500 5.5.1 Command not recognized]], options)
    assert.same({ "command", "xone", "a b" }, player:events("command")[1])
    assert.same({ "command", "HELP", "x" }, player:events("command")[3])
  end)
end)
