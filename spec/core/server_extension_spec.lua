-- SIZE (RFC 1870), 8BITMIME (RFC 6152), PIPELINING (RFC 2920) and enhanced
-- status codes (RFC 2034, 3463, 5248), on the server's side.
local server_player = require "spec.support.server_player"
local play = server_player.play
local HELO, EHLO, MAIL, RCPT, DATA = server_player.HELO, server_player.EHLO, server_player.MAIL,
  server_player.RCPT, server_player.DATA

local SYNTAX = "501 5.5.4 Syntax error in arguments"
local OK = "250 2.1.0 Sender OK"
local BIG = "552 5.3.4 Message too big"

-- The reply to one MAIL with these parameters, and the event if there was one.
local function mail(params, options, beginning)
  local player = server_player.session(options)
  player:output()
  player:cmd(beginning or "EHLO client.code.energy")
  local reply = player:cmd("MAIL FROM:<ada@code.energy> " .. params)
  local event = player:events("mail")[1]
  return reply:match("^(.-)\r\n$"), event and event[2]
end

local function greeting_with(options)
  local player = server_player.session(options)
  player:output()
  return player:cmd("EHLO client.code.energy")
end

describe("server: SIZE", function()
  it("C046 advertises the limit", function()
    assert.matches("\r\n250%-SIZE 36700160\r\n", greeting_with())
    assert.matches("\r\n250%-SIZE 1000\r\n",
      greeting_with { config = { limits = { message_size = 1000 } } })
  end)

  it("C047 0 and leading zeros are sizes; the rest of what is no number is 501", function()
    for value, size in pairs { ["0"] = 0, ["000"] = 0, ["0012"] = 12, ["1000"] = 1000,
      ["00000000000000000012"] = 12 } do
      local reply, sender = mail("SIZE=" .. value)
      assert.equal(OK, reply)
      assert.equal(size, sender.size)
    end
    for _, params in ipairs { "SIZE=-1", "SIZE=", "SIZE", "SIZE=1k", "SIZE=+1", "SIZE=1.5",
      "SIZE=" .. ("1"):rep(21), "SIZE=" .. ("0"):rep(21), "SIZE=1 SIZE=1", "SIZE=1 size=2" } do
      assert.equal(SYNTAX, (mail(params)), params)
    end
    assert.is_nil(select(2, mail("")).size)
  end)

  it("C048 552 at MAIL for one that is too big, 452 if the handler says so", function()
    local options = { config = { limits = { message_size = 1000 } } }
    assert.equal(OK, (mail("SIZE=999", options)))
    assert.equal(OK, (mail("SIZE=1000", options)))
    local reply, event = mail("SIZE=1001", options)
    assert.equal(BIG, reply)
    assert.is_nil(event)
    assert.equal(BIG, (mail("SIZE=18446744073709551615")))
    assert.equal("452 4.3.1 disk is full", (mail("SIZE=10",
      { verdicts = { mail = { "reply", 452, "4.3.1 disk is full" } } })))
  end)

  it("C049 counts CRLF, neither stuffed dots nor the end", function()
    -- 4 + 3 + 2 bytes of content
    for limit, reply in pairs { [8] = BIG, [9] = "250 2.0.0 Message accepted",
      [10] = "250 2.0.0 Message accepted" } do
      local text = DATA:gsub("36700160", limit) .. "C: ..a\nC: ..\nC:\nC: .\nS: " .. reply
      local player = play(text, { config = { limits = { message_size = limit } } })
      assert.equal(9, player:events("message")[1][2])
    end
  end)

  it("C050 552 after the end of data, and the transaction is over", function()
    local options = { config = { limits = { message_size = 20 } }, verdicts = { mail = "accept" } }
    local player = play(DATA:gsub("36700160", "20") .. [[
      C: 0123456789
      C: 0123456789
      C: .
      S: 552 5.3.4 Message too big
      C: RCPT TO:<a@b.example>
      S: 503 5.5.1 Bad sequence of commands
      C: DATA
      S: 503 5.5.1 Bad sequence of commands
      C: MAIL FROM:<ada@code.energy> SIZE=20
      S: 250 2.1.0 Sender OK]], options)
    assert.same({ "message", 24, "Message too big", false }, player:events("message")[1])
    assert.is_nil(player.closed)
  end)

  it("C050 whoever sends half as much again is left", function()
    local options = { config = { limits = { message_size = 20 } } }
    local function send(n)
      local player = server_player.session(options)
      player:output()
      for _, line in ipairs { "EHLO x.example", "MAIL FROM:<a@b.example>",
        "RCPT TO:<a@b.example>", "DATA" } do
        player:cmd(line)
      end
      for _ = 1, n do player:feed("x") end
      local now = player:output()
      if player.closed then return now, player end
      return player:cmd("\r\n."), player
    end
    local reply, player = send(20)
    assert.equal(BIG .. "\r\n", reply) -- with its CRLF 22
    assert.is_nil(player.closed)
    assert.is_nil(select(2, send(28)).closed)
    assert.is_nil(select(2, send(30)).closed)
    reply, player = send(31)
    assert.equal(BIG .. "\r\n", reply)
    assert.equal("Message too big", player.closed)
    assert.same({}, player:events("message"))
  end)
end)

-- Every reply of a dialogue, each with what asked for it.
local function replies(options, lines)
  local player = server_player.session(options)
  local list = { { "", player:output() } }
  for i, line in ipairs(lines) do
    player.now = player.now + 2 -- beyond what an error is delayed
    player.core:clock(player.now)
    player:feed(line .. "\r\n")
    player.now = player.now + 2
    list[i + 1] = { line, player:at(player.now) }
  end
  return list
end

-- All that a server says by itself in one session.
local MANY = { "EXPN x", "BLA", "MAIL FROM:<a@b.example>", "HELO", "EHLO x.example", "DATA",
  "RSET x", "MAIL FROM:<a@b.example> X=1", "MAIL FROM:<a@b.example> SIZE=1 SIZE=1", "MAIL FROM:<a>",
  "MAIL FROM:<a@b.example> SIZE=99999999999", "MAIL FROM:<\xc3\xa4@b.example>", "NOOP \0",
  "NOOP \xff", "NOOP", "HELP", "VRFY x", "VRFY", ("x"):rep(3000), "MAIL FROM:<a@b.example>",
  "RCPT TO:<>", "RCPT TO:<a@b.example>", "RCPT TO:<" .. ("x"):rep(300) .. "@b.example>", "DATA",
  "\0\r\n.", "MAIL FROM:<a@b.example>", "RCPT TO:<a@b.example>", "DATA", "x\r\n.",
  "QUIT x", "QUIT" }

describe("server: enhanced status codes", function()
  local registry = {}
  for code in ("2.0.0 2.1.0 2.1.5 2.5.0 4.3.0 4.2.0 4.5.3 5.1.0 5.1.1 5.1.3 5.1.7 5.3.4 5.4.6 " ..
    "5.5.0 5.5.1 5.5.2 5.5.4 5.5.6 5.6.3 5.6.7 5.7.1 4.7.0 4.4.2 4.3.2"):gmatch("%S+") do
    registry[code] = true
  end

  local function check(list)
    local seen = {}
    for _, pair in ipairs(list) do
      local asked, reply = pair[1], pair[2]
      local greets = asked == "" or asked:match("^[HE][EH]LO")
      assert.is_true(#reply > 0, asked)
      for code, rest in reply:gmatch("(%d%d%d)[ -](.-)\r\n") do
        local class, subject, detail = rest:match("^(%d)%.(%d+)%.(%d+) %S")
        seen[code] = true
        if greets or code:sub(1, 1) == "3" then
          assert.is_nil(class, reply)
        else
          assert.equal(code:sub(1, 1), class, reply)
          assert.is_true(registry[("%s.%s.%s"):format(class, subject, detail)], reply)
        end
      end
    end
    return seen
  end

  it("C051 C052 C145 stand in every reply but greetings and 3xx", function()
    local seen = check(replies({ config = { limits = { errors = 100 } } }, MANY))
    for _, code in ipairs { "220", "221", "250", "252", "214", "354", "500", "501", "502", "503",
      "550", "552", "553", "555" } do
      assert.is_true(seen[code], code)
    end
    for _, verdict in ipairs { "refuse", "fail", "nothing", "none" } do
      for stage in ("mail rcpt data message vrfy command"):gmatch("%a+") do
        check(replies({ verdicts = { [stage] = verdict }, config = { verbs = "XOWN" } },
          { "EHLO x.example", "XOWN", "VRFY x", "MAIL FROM:<a@b.example>",
            "RCPT TO:<a@b.example>", "NOOP" }))
      end
    end
  end)

  it("C051 stand on every line of a handler's reply, with the class of its code", function()
    local player = server_player.session { verdicts = {
      rcpt = { { "reply", 550, "first\nsecond\nthird" }, { "reply", 450, "5.1.1 class of another" },
        { "reply", 550, "5.7.1 policy\nsee there" }, { "reply", 553, "" },
        { "reply", 250, "2.1.5 yes" }, { "reply", 251, "will forward" } } } }
    player:output()
    for _, line in ipairs { "EHLO x.example", "MAIL FROM:<a@b.example>" } do player:cmd(line) end
    for _, expected in ipairs { "550-5.1.0 first\r\n550-5.1.0 second\r\n550 5.1.0 third\r\n",
      "450 4.2.0 5.1.1 class of another\r\n", "550-5.7.1 policy\r\n550 5.7.1 see there\r\n",
      "553 5.1.0 No such recipient here\r\n", "250 2.1.5 yes\r\n", "251 2.1.5 will forward\r\n" } do
      assert.equal(expected, player:cmd("RCPT TO:<a@b.example>"))
    end
  end)

  it("C051 none at the greeting and HELO, even if a handler gives one", function()
    play("S: 554 go away", { verdicts = { connect = { "reply", 554, "5.7.1 go away" } } })
    play(server_player.GREETING .. "C: HELO x.example\nS: 554 not you",
      { verdicts = { helo = { "reply", 554, "5.7.1 not you" } } })
    play(server_player.GREETING .. "C: EHLO x.example\nS: 451 Local error, please try again later",
      { verdicts = { helo = "fail" } })
  end)

  it("C052 none on 354, whatever its text", function()
    play(RCPT .. "C: DATA\nS: 354 go ahead", { verdicts = { data = { "reply", 354, "go ahead" } } })
    play(RCPT .. "C: DATA\nS: 354 go ahead",
      { verdicts = { data = { "reply", 250, "2.0.0 go ahead" } } })
  end)

  it("C054 are those of the registry", function()
    play(MAIL .. "C: RCPT TO:<x@b.example>\nS: 550 5.1.1 No such recipient here",
      { verdicts = { rcpt = "refuse" } })
    play(EHLO .. "C: MAIL FROM:<\\xc3\\xa4@b.example>\nS: 553 5.6.7 ...")
    play(MAIL .. "C: RCPT TO:<a@\\xc3\\xa4.example>\nS: 553 5.6.7 ...")
    play(EHLO .. "C: MAIL FROM:<@@>\nS: 501 5.1.7 ...")
    play(EHLO .. "C: MAIL FROM:<a@b.example> SIZE=999999999\nS: 552 5.3.4 ...")
  end)

  it("C145 a verdict that cannot be sent is 451 4.3.0", function()
    for _, verdict in ipairs { { "reply", 354, "no" }, { "reply", 199 }, { "reply", 0 },
      { "reply", 600 }, { "reply", 300 }, { "reply", 260 }, { "reply", 475 }, { "reply", 599 },
      { "reply", 250, "bare\rcr" }, { "reply", 550, "nul\0" }, { "reply", 550, "esc\27[0m" },
      { "accept", 0, "del\127" } } do
      play(EHLO .. "C: MAIL FROM:<a@b.example>\nS: 451 4.3.0 Local error, please try again later",
        { verdicts = { mail = function() return table.unpack(verdict) end } })
    end
  end)
end)

describe("server: PIPELINING", function()
  it("C058 answers a group in its order", function()
    play(EHLO .. [[
      C: MAIL FROM:<ada@code.energy>
      C: RCPT TO:<a@b.example>
      C: RCPT TO:<nonsense
      C: RCPT TO:<b@b.example>
      C: DATA
      S: 250 2.1.0 Sender OK
      S: 250 2.1.5 Recipient OK
      S: 501 5.1.3 Bad recipient address
      S: 550 5.1.1 No such recipient here
      S: 354 ...
      C: body
      C: .
      C: RSET
      C: MAIL FROM:<b@code.energy>
      C: QUIT
      S: 250 2.0.0 Message accepted
      S: 250 2.0.0 Reset
      S: 250 2.1.0 Sender OK
      S: 221 2.0.0 Goodbye
      S: (closed)]], { verdicts = { rcpt = { "accept", "refuse" } } })
  end)

  it("C058 keeps the replies of a group for one write", function()
    local player = server_player.session()
    player:output()
    player:feed("EHLO x.example\r\n"):output()
    player.core:feed("MAIL FROM:<a@b.example>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<")
    player:turn()
    assert.equal("250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n", player.core:peek())
    player:feed("c@b.example>\r\n")
    assert.equal("250 2.1.0 Sender OK\r\n" .. ("250 2.1.5 Recipient OK\r\n"):rep(2),
      player:output())
  end)

  it("C059 500 RCPT in one segment, cut anywhere", function()
    local lines, expected = {}, {}
    for i = 1, 500 do
      local good = i % 7 ~= 0
      lines[i] = ("C: RCPT TO:<%s%d@example.com>\n"):format(good and "user" or "gone", i)
      expected[i] = good and "S: 250 2.1.5 Recipient OK\n" or "S: 550 5.1.1 ...\n"
    end
    local function rcpt(path)
      return path.user:match("^gone") and "refuse" or "accept"
    end
    local text = table.concat(lines) .. "C: DATA\n" .. table.concat(expected) .. "S: 354 ..."
    local player = play(MAIL .. text, { verdicts = { rcpt = rcpt }, step = 127 })
    local all = player:events("rcpt")
    assert.equal(500, #all)
    for i, event in ipairs(all) do
      assert.equal(("%s%d"):format(i % 7 ~= 0 and "user" or "gone", i), event[2].user)
    end
  end)

  it("C059 a few RCPT cut at every byte", function()
    play(MAIL .. ("C: RCPT TO:<user@example.com>\n"):rep(20) .. "C: DATA\n" ..
      ("S: 250 2.1.5 Recipient OK\n"):rep(20) .. "S: 354 ...")
  end)
end)

describe("server: 8BITMIME", function()
  it("C095 BODY is 7BIT or 8BITMIME", function()
    for _, value in ipairs { "7BIT", "8BITMIME", "7bit", "8bitmime" } do
      local reply, sender = mail("BODY=" .. value)
      assert.equal(OK, reply)
      assert.equal(value:upper(), sender.body)
    end
    for _, params in ipairs { "BODY=9BIT", "BODY=", "BODY", "BODY=BINARYMIME", "BODY=8BITMIMEX" } do
      assert.equal(SYNTAX, (mail(params)), params)
    end
    assert.is_nil(select(2, mail("")).body)
  end)

  it("C146 not twice, not before EHLO", function()
    assert.equal(SYNTAX, (mail("BODY=7BIT BODY=7BIT")))
    assert.equal(SYNTAX, (mail("BODY=7BIT SIZE=1 body=8BITMIME")))
    play(HELO .. "C: MAIL FROM:<a@b.example> BODY=8BITMIME\nS: 555 5.5.4 Parameter not recognized")
    play(HELO .. "C: MAIL FROM:<a@b.example> BODY=8BITMIME BODY=7BIT\nS: 555 ...")
    play(server_player.GREETING .. "C: MAIL FROM:<a@b.example> BODY=8BITMIME\nS: 503 ...")
  end)

  it("C147 keeps every byte above 127", function()
    local bytes = {}
    for i = 128, 255 do bytes[#bytes + 1] = ("\\x%02x"):format(i) end
    local text = DATA:gsub("<ada@code.energy>", "%0 BODY=8BITMIME") .. "C: " ..
      table.concat(bytes) .. "\nC: .\nS: 250 2.0.0 Message accepted"
    local player = play(text)
    local expected = {}
    for i = 128, 255 do expected[#expected + 1] = string.char(i) end
    assert.equal(table.concat(expected) .. "\r\n", player:events("body")[1][2])
    assert.is_true(player:events("message")[1][4])
  end)

  it("C148 8-bit without 8BITMIME is taken and flagged, or refused on request", function()
    for _, params in ipairs { "", " BODY=7BIT" } do
      local text = DATA:gsub("<ada@code.energy>", "%0" .. params) .. "C: a\\xe4b\nC: .\n"
      local player = play(text .. "S: 250 2.0.0 Message accepted")
      assert.equal("a\xe4b\r\n", player:events("body")[1][2])
      assert.same({ "message", 5, nil, true }, player:events("message")[1])
      play(text .. "S: 550 5.6.3 8-bit content needs BODY=8BITMIME",
        { config = { refuse_eightbit = true } })
    end
    play(DATA:gsub("<ada@code.energy>", "%0 BODY=8BITMIME") ..
      "C: a\\xe4b\nC: .\nS: 250 2.0.0 Message accepted", { config = { refuse_eightbit = true } })
    local player = play(DATA .. "C: ab\nC: .\nS: 250 2.0.0 Message accepted",
      { config = { refuse_eightbit = true } })
    assert.is_false(player:events("message")[1][4])
  end)
end)
