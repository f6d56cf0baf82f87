-- The dialogue of RFC 5321 and what its extensions add, as transcripts.
local server_player = require "spec.support.server_player"
local play = server_player.play
local GREETING, HELO, EHLO = server_player.GREETING, server_player.HELO, server_player.EHLO
local MAIL, RCPT, DATA = server_player.MAIL, server_player.RCPT, server_player.DATA

-- After DATA: a short message, taken.
local TAKEN = "C: Subject: hi\nC: \nC: .\nS: 250 2.0.0 Message accepted\n"

-- Each line with its reply, after a beginning.
local function exchange(beginning, list, options)
  local text = { beginning }
  for i = 1, #list, 2 do
    text[#text + 1] = "C: " .. list[i]
    text[#text + 1] = "S: " .. list[i + 1]
  end
  return play(table.concat(text, "\n"), options)
end

local function addresses(player, name)
  local list = {}
  for i, event in ipairs(player:events(name)) do list[i] = event[2].address end
  return list
end

describe("server", function()
  it("plays a whole dialogue in every cut", function()
    local player = play(DATA .. [[
      C: Subject: hi
      C:
      C: ..a dot
      C: .
      S: 250 2.0.0 Message accepted
      C: QUIT
      S: 221 2.0.0 Goodbye
      S: (closed)]])
    assert.same({ "connect", "helo", "mail", "rcpt", "data", "body", "message", "close" },
      player:names())
    assert.same({ "body", "Subject: hi\r\n\r\n.a dot\r\n" }, player:events("body")[1])
    assert.equal(23, player:events("message")[1][2])
    assert.equal("quit", player.closed)
  end)

  it("C001 greets with 220 or 554 and nothing else, then 503 until QUIT", function()
    play(GREETING .. "C: QUIT\nS: 221 ...\nS: (closed)")
    for _, verdict in ipairs { "refuse", { "reply", 554 }, { "reply", 550, "x" },
      { "reply", 500, "5.7.1 x" }, { "reply", 559 } } do
      local player = play([[
        S: 554 ...
        C: EHLO client.code.energy
        S: 503 5.5.1 Bad sequence of commands
        C: MAIL FROM:<ada@code.energy>
        C: RCPT TO:<charles@example.com>
        S: 503 5.5.1 Bad sequence of commands
        S: 503 5.5.1 Bad sequence of commands
        C: NOOP
        S: 503 5.5.1 Bad sequence of commands
        C: nonsense
        S: 503 5.5.1 Bad sequence of commands
        C: QUIT
        S: 221 2.0.0 Goodbye
        S: (closed)]], { verdicts = { connect = verdict } })
      assert.same({ "connect", "close" }, player:names())
    end
    for _, verdict in ipairs { "fail", { "reply", 421, "busy" }, { "reply", 450, "x" },
      { "reply", 400 }, { "reply", 459 } } do
      play("S: 421 ...\nS: (closed)", { verdicts = { connect = verdict } })
    end
    play("S: 220 mx.example welcome", { verdicts = { connect = { "reply", 250, "welcome" } } })
  end)

  it("C003 EHLO and HELO within a transaction reset it", function()
    for _, greeting in ipairs { "EHLO other.example\nS: 250-mx.example\nS: 250-PIPELINING\n" ..
      "S: 250-SIZE 36700160\nS: 250-8BITMIME\nS: 250 ENHANCEDSTATUSCODES",
      "HELO other.example\nS: 250 mx.example" } do
      local player = exchange(RCPT .. "C: " .. greeting, {
        "DATA", "503 5.5.1 Bad sequence of commands",
        "RCPT TO:<a@b.example>", "503 5.5.1 Bad sequence of commands",
        "MAIL FROM:<a@b.example>", "250 2.1.0 Sender OK",
        "DATA", "503 5.5.1 No valid recipients" })
      assert.same({ "connect", "helo", "mail", "rcpt", "helo", "reset", "mail" }, player:names())
    end
  end)

  it("C003 EHLO that is refused changes nothing", function()
    exchange(RCPT, { "EHLO", "501 ...", "DATA", "354 ..." })
    exchange(RCPT, { "EHLO other.example", "550 Not accepted under this name", "DATA", "354 ..." },
      { verdicts = { helo = { "accept", "refuse" } } })
  end)

  it("C004 keeps the order of MAIL, RCPT and DATA", function()
    local bad = "503 5.5.1 Bad sequence of commands"
    exchange(GREETING, { "MAIL FROM:<>", bad, "RCPT TO:<a@b.example>", bad, "DATA", bad })
    exchange(EHLO, { "RCPT TO:<a@b.example>", bad, "DATA", bad })
    exchange(MAIL, { "MAIL FROM:<a@b.example>", bad, "DATA", "503 5.5.1 No valid recipients" })
    exchange(RCPT, { "MAIL FROM:<a@b.example>", bad, "DATA", "354 ..." })
  end)

  it("C004 answers DATA with 503 when every recipient was refused", function()
    local player = exchange(MAIL, { "RCPT TO:<a@b.example>", "550 5.1.1 No such recipient here",
      "DATA", "503 5.5.1 No valid recipients" }, { verdicts = { rcpt = "refuse" } })
    assert.same({}, player:events("data"))
  end)

  it("C005 a space behind the colon is strict's 501", function()
    local spaced = { "MAIL FROM: <ada@code.energy>", "501 5.1.7 Bad sender address",
      "MAIL FROM:<ada@code.energy>", "250 2.1.0 Sender OK",
      "RCPT TO: <charles@example.com>", "501 5.1.3 Bad recipient address",
      "RCPT TO:<charles@example.com>", "250 2.1.5 Recipient OK" }
    exchange(EHLO, spaced, { config = { strict = true } })
    local player = exchange(EHLO, { "MAIL FROM: <ada@code.energy>", "250 2.1.0 Sender OK",
      "RCPT TO:   <charles@example.com>", "250 2.1.5 Recipient OK" })
    assert.same({ "ada@code.energy" }, addresses(player, "mail"))
    assert.same({ "charles@example.com" }, addresses(player, "rcpt"))
  end)

  it("C006 takes the null path from senders only", function()
    local player = exchange(EHLO, { "MAIL FROM:<>", "250 2.1.0 Sender OK",
      "RCPT TO:<>", "501 5.1.3 Bad recipient address" })
    assert.same({ "" }, addresses(player, "mail"))
    assert.same({}, player:events("rcpt"))
  end)

  it("C007 takes Postmaster without a domain, in any case", function()
    local player = exchange(MAIL, { "RCPT TO:<Postmaster>", "250 2.1.5 Recipient OK",
      "RCPT TO:<postmaster>", "250 2.1.5 Recipient OK",
      "RCPT TO:<POSTMASTER>", "250 2.1.5 Recipient OK",
      "RCPT TO:<webmaster>", "501 5.1.3 Bad recipient address" },
      { config = { strict = true } })
    assert.same({ "Postmaster", "postmaster", "POSTMASTER" }, addresses(player, "rcpt"))
    exchange(EHLO, { "MAIL FROM:<Postmaster>", "501 5.1.7 Bad sender address" })
  end)

  it("C008 strips a source route", function()
    for _, strict in ipairs { true, false } do
      local player = exchange(EHLO, {
        "MAIL FROM:<@one.example,@two.example:ada@code.energy>", "250 2.1.0 Sender OK",
        "RCPT TO:<@one.example:charles@example.com>", "250 2.1.5 Recipient OK",
        "RCPT TO:<@one.example:>", "501 5.1.3 Bad recipient address",
        "RCPT TO:<@one.example charles@example.com>", "501 5.1.3 Bad recipient address" },
        { config = { strict = strict } })
      assert.same({ "ada@code.energy" }, addresses(player, "mail"))
      assert.same({ "charles@example.com" }, addresses(player, "rcpt"))
    end
  end)

  it("C009 verbs and keys in any case, the local part as it is", function()
    local player = exchange(GREETING, { "hElO client.code.energy", "250 mx.example",
      "rSeT", "250 2.0.0 Reset", "mail from:<Ada.L@Code.Energy>", "250 2.1.0 Sender OK",
      "rCpT tO:<CharLes@example.com>", "250 2.1.5 Recipient OK", "data", "354 ..." })
    assert.same({ "Ada.L@Code.Energy" }, addresses(player, "mail"))
    assert.same({ "CharLes@example.com" }, addresses(player, "rcpt"))
    player = exchange(EHLO, { "MAIL FROM:<a@b.example> sIzE=10 body=8bitMime",
      "250 2.1.0 Sender OK" })
    local sender = player:events("mail")[1][2]
    assert.equal(10, sender.size)
    assert.equal("8BITMIME", sender.body)
    assert.same({ SIZE = "10", BODY = "8bitMime" }, sender.params)
  end)

  it("C010 no argument to DATA, RSET and QUIT, any to NOOP", function()
    local refused = "501 5.5.4 This command takes no argument"
    exchange(RCPT, { "DATA now", refused, "RSET now", refused, "QUIT now", refused,
      "NOOP now", "250 2.0.0 OK", "NOOP \"quoted string\"", "250 2.0.0 OK",
      "DATA", "354 ..." })
    exchange(RCPT, { "NOOP \t ", "250 2.0.0 OK", "DATA  ", "354 ..." }) -- blanks are none
  end)

  it("C014 clears the transaction after the end of data, taken or not", function()
    for verdict, reply in pairs {
      accept = "250 2.0.0 Message accepted", refuse = "554 5.7.1 Message refused",
      fail = "451 4.3.0 Local error, please try again later",
      nothing = "451 4.3.0 Message was not stored, please try again later" } do
      local player = exchange(DATA .. "C: .\nS: " .. reply, {
        "DATA", "503 5.5.1 Bad sequence of commands",
        "RCPT TO:<a@b.example>", "503 5.5.1 Bad sequence of commands",
        "MAIL FROM:<a@b.example>", "250 2.1.0 Sender OK",
        "DATA", "503 5.5.1 No valid recipients" }, { verdicts = { message = verdict } })
      assert.equal(1, #player:events("data"))
      assert.equal(1, #player:events("message"))
    end
  end)

  it("C014 a refused DATA leaves the transaction open", function()
    exchange(RCPT, { "DATA", "554 5.7.1 Transaction refused", "DATA", "354 ..." },
      { verdicts = { data = { "refuse", "accept" } } })
  end)

  it("C015 RSET keeps what EHLO said", function()
    local player = exchange(RCPT, { "RSET", "250 2.0.0 Reset",
      "DATA", "503 5.5.1 Bad sequence of commands",
      "MAIL FROM:<a@b.example> SIZE=1 BODY=8BITMIME", "250 2.1.0 Sender OK" })
    assert.same({ "connect", "helo", "mail", "rcpt", "reset", "mail" }, player:names())
    exchange(HELO, { "RSET", "250 2.0.0 Reset",
      "MAIL FROM:<a@b.example> SIZE=1", "555 5.5.4 Parameter not recognized" })
    player = exchange(GREETING, { "RSET", "250 2.0.0 Reset" }) -- nothing to reset: no event
    assert.same({ "connect" }, player:names())
  end)

  it("C016 QUIT is answered, then the connection is closed", function()
    for _, beginning in ipairs { GREETING, HELO, EHLO, MAIL, RCPT, DATA .. TAKEN } do
      local player = play(beginning .. "C: QUIT\nS: 221 2.0.0 Goodbye\nS: (closed)")
      assert.equal("quit", player.closed)
      assert.equal("", player:cmd("NOOP")) -- nobody listens any more
    end
  end)

  it("C016 nothing but QUIT and 421 closes", function()
    local player = exchange(GREETING, { "MAIL", "503 ...", "XYZ", "500 ...", "EXPN x", "502 ...",
      "HELO", "501 ...", "", "500 ...", "QUIT please", "501 ..." },
      { config = { limits = { errors = 100 } } })
    assert.is_nil(player.closed)
    player = play(RCPT .. "C! eof\nS: (closed)") -- the peer closed, nothing is said
    assert.equal("closed", player.closed)
  end)

  it("C020 421 at any stage is the last word", function()
    local stages = { connect = "", helo = GREETING .. "C: EHLO client.code.energy\n",
      mail = EHLO .. "C: MAIL FROM:<ada@code.energy>\n",
      rcpt = MAIL .. "C: RCPT TO:<charles@example.com>\n", data = RCPT .. "C: DATA\n",
      message = DATA .. "C: hi\nC: .\n", vrfy = EHLO .. "C: VRFY ada\n",
      command = EHLO .. "C: XOWN\n" }
    for stage, text in pairs(stages) do
      local status = (stage == "connect" or stage == "helo") and "" or "4.3.2 "
      local player = play(text .. ("S: 421 %sgoing down\nS: (closed)"):format(status), {
        verdicts = { [stage] = { "reply", 421, "4.3.2 going down" } },
        config = { verbs = "XOWN" } })
      assert.equal("", player:cmd("NOOP"))
    end
  end)

  it("C020 what was pipelined behind a 421 is not answered", function()
    local player = play(MAIL .. [[
      C: RCPT TO:<a@b.example>
      C: RCPT TO:<c@b.example>
      C: RCPT TO:<d@b.example>
      S: 250 2.1.5 Recipient OK
      S: 421 4.2.1 enough
      S: (closed)]], { verdicts = { rcpt = { "accept", { "reply", 421, "4.2.1 enough" } } } })
    assert.equal(2, #player:events("rcpt"))
  end)

  it("C021 takes any name that is one, whoever comes with it", function()
    for _, name in ipairs { "localhost", "mx.example", "no-such-domain.invalid", "x",
      "a.b.c.d.e.f", "[127.0.0.1]", "[IPv6:::1]", "8.8.8.8" } do
      local player = play(GREETING .. "C: HELO " .. name .. "\nS: 250 mx.example",
        { config = { strict = true } })
      assert.same({ "helo", name, false }, player:events("helo")[1])
    end
    for _, name in ipairs { "under_score.example", "ends.example.", "[::1]", "a..b" } do
      play(GREETING .. "C: HELO " .. name .. "\nS: 250 mx.example")
    end
  end)

  it("C024 has the verbs that a server must have", function()
    exchange(HELO, { "NOOP", "250 2.0.0 OK", "RSET", "250 2.0.0 Reset", "VRFY ada",
      "252 2.5.0 ...", "HELP", "214 2.0.0 ...", "MAIL FROM:<a@b.example>", "250 ...",
      "RCPT TO:<a@b.example>", "250 ...", "DATA", "354 ..." })
    exchange(EHLO, { "EXPN list", "502 5.5.1 Command not implemented",
      "STARTTLS", "502 5.5.1 Command not implemented", "AUTH PLAIN", "502 5.5.1 ...",
      "BDAT 0 LAST", "502 5.5.1 ...", "LHLO x", "500 5.5.1 Command not recognized",
      "FOO", "500 5.5.1 Command not recognized" }, { config = { limits = { errors = 100 } } })
  end)

  it("C024 NOOP, RSET, HELP and VRFY need no HELO", function()
    exchange(GREETING, { "NOOP", "250 2.0.0 OK", "RSET", "250 2.0.0 Reset", "HELP", "214 ...",
      "VRFY ada", "252 ..." })
  end)

  it("C025 VRFY says 252 when unsure, and what a handler knows", function()
    local unsure = "252 2.5.0 Cannot VRFY, but will take mail and attempt delivery"
    for _, verdict in ipairs { "none", "nothing", "accept" } do
      local player = exchange(EHLO, { "VRFY <ada@code.energy>", unsure, "vrfy  Ada Lovelace",
        unsure }, { verdicts = { vrfy = verdict } })
      assert.same({ "vrfy", "<ada@code.energy>" }, player:events("vrfy")[1])
      assert.same({ "vrfy", "Ada Lovelace" }, player:events("vrfy")[2])
    end
    exchange(EHLO, { "VRFY x", "550 5.1.1 No such user here", "VRFY", "501 5.5.4 ..." },
      { verdicts = { vrfy = "refuse" } })
    exchange(EHLO, { "VRFY ada", "250 2.5.0 <ada@code.energy>" },
      { verdicts = { vrfy = { "reply", 250, "<ada@code.energy>" } } })
  end)

  it("C026 address literals, the malformed ones 501", function()
    for _, literal in ipairs { "[1.2.3.4]", "[IPv6:::1]", "[IPv6:2001:db8::1]",
      "[ipv6:1:2:3:4:5:6:7:8]", "[IPv6:::ffff:1.2.3.4]", "[x-tag:anything]" } do
      local player = exchange(GREETING, { "HELO " .. literal, "250 mx.example",
        "MAIL FROM:<a@" .. literal .. ">", "250 2.1.0 Sender OK",
        "RCPT TO:<b@" .. literal .. ">", "250 2.1.5 Recipient OK" }, { config = { strict = true } })
      assert.same({ "b@" .. literal }, addresses(player, "rcpt"))
      assert.equal(literal, player:events("rcpt")[1][2].domain)
    end
    for _, literal in ipairs { "[1.2.3]", "[256.1.1.1]", "[1.2.3.4.5]", "[1.2.3.4", "1.2.3.4]",
      "[IPv6:1:2]", "[IPv6:::1::2]", "[IPv6:12345::]", "[]", "[IPv6:]", "[ 1.2.3.4]", "[x:]" } do
      for _, strict in ipairs { true, false } do
        exchange(EHLO, { "MAIL FROM:<a@" .. literal .. ">", "501 5.1.7 Bad sender address",
          "MAIL FROM:<>", "250 ...",
          "RCPT TO:<a@" .. literal .. ">", "501 5.1.3 Bad recipient address" },
          { config = { strict = strict } })
      end
      play(GREETING .. "C: EHLO " .. literal ..
        "\nS: 501 A domain name or an address literal is needed", { config = { strict = true } })
    end
  end)

  it("C031 refuses a message with 100 Received fields, and takes 99", function()
    local function send(n, name)
      local hops = ("C: " .. name .. ": from a by b\nC:  ; today\n"):rep(n)
      return play(DATA .. hops .. "C:\nC: Received: in the body\nC: .\n" .. (n >= 100
        and "S: 554 5.4.6 Too many hops, mail loop" or "S: 250 2.0.0 Message accepted"),
        { step = 301 })
    end
    send(99, "Received")
    send(100, "Received")
    send(101, "rEcEiVeD")
    assert.equal("Too many hops, mail loop", send(100, "Received"):events("message")[1][3])
  end)

  it("C035 random lines for NOOP", function()
    math.randomseed(35)
    local seen = {}
    for _ = 1, 300 do
      local player = server_player.session { config = { limits = { junk = 1000, errors = 1000 } } }
      player:output()
      local parts = { "NOOP" }
      for i = 1, 8 do
        local bytes = {}
        for k = 1, math.random(0, 12) do bytes[k] = string.char(math.random(0, 255)) end
        parts[i + 1] = table.concat(bytes)
      end
      player:feed(table.concat(parts, "\n") .. "\r\n")
      local replies = player:output()
      assert.matches("^%d%d%d ", replies)
      assert.matches("\r\n$", replies)
      seen[replies:sub(1, 3)] = true
    end
    assert.is_true(seen["500"])
    local player = server_player.session()
    player:output()
    for _ = 1, 8 do assert.equal("250 2.0.0 OK\r\n", player:cmd("NOOP " .. ("x\ty"):rep(99))) end
  end)
end)
