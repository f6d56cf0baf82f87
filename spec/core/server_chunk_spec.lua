-- BDAT in the core server (RFC 3030), and what security.md says of it.
local server_player = require "spec.support.server_player"

local BEGIN = server_player.ehlo("CHUNKING", "BINARYMIME")
local MAIL = BEGIN .. "C: MAIL FROM:<a@b.example>\nS: 250 2.1.0 Sender OK\n"
local RCPT = MAIL .. "C: RCPT TO:<c@d.example>\nS: 250 2.1.5 Recipient OK\n"
local CHUNK = "S: 250 2.0.0 Chunk received\n"
local TAKEN = "S: 250 2.0.0 Message accepted\n"
local BAD = "S: 503 5.5.1 Bad sequence of commands\n"
local NOOP = "C: NOOP\nS: 250 2.0.0 OK\n"
local OVER = "C: RCPT TO:<a@b.example>\n" .. BAD .. "C: DATA\n" .. BAD
  .. "C: BDAT 0 LAST\n" .. BAD .. NOOP

local function configured(config)
  local all = { extensions = { "CHUNKING", "BINARYMIME" } }
  for key, value in pairs(config or {}) do all[key] = value end
  return all
end

local function play(script, options)
  local all = {}
  for key, value in pairs(options or {}) do all[key] = value end
  all.config = configured(all.config)
  return server_player.play(script, all)
end

local function contents(player)
  local list = {}
  for i, entry in ipairs(player:events("body")) do list[i] = entry[2] end
  return table.concat(list, "|")
end

-- A player behind RCPT.
local function in_rcpt(config)
  local player = server_player.session { config = configured(config) }
  player:output()
  for _, line in ipairs { "EHLO x", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>" } do
    player:cmd(line)
  end
  return player
end

describe("BDAT of the core server", function()
  it("C065 takes a message in one chunk, whatever its bytes look like", function()
    local player = play(RCPT .. "C: BDAT 15 LAST\nC> a\\r\\n.\\r\\nQUIT\\r\\nb\\r\\n\n"
      .. TAKEN .. OVER)
    assert.equal("a\r\n.\r\nQUIT\r\nb\r\n", contents(player))
  end)

  it("C063 answers each chunk, and asks about DATA once", function()
    local player = play(RCPT .. "C: BDAT 3\nC> a\\r\\n\n" .. CHUNK .. "C: bdat 2\nC> bc\n" .. CHUNK
      .. NOOP .. "C: BDAT 2 last\nC> \\r\\n\n" .. TAKEN .. OVER)
    assert.equal("a\r\nbc\r\n", contents(player):gsub("|", ""))
    assert.equal(1, #player:events("data"))
    assert.same({ { "message", 7, nil, false } }, player:events("message"))
  end)

  it("C062 takes an empty last chunk, and content without a CRLF at its end", function()
    local player = play(RCPT .. "C: BDAT 2\nC> ab\n" .. CHUNK .. "C: BDAT 0 LAST\n" .. TAKEN
      .. OVER)
    assert.equal("ab", contents(player))
    player = play(RCPT .. "C: BDAT 0 LAST\n" .. TAKEN)
    assert.equal("", contents(player))
  end)

  it("C060 reads what it refuses, and answers then", function()
    for _, script in ipairs {
      BEGIN .. "C: BDAT 6\nC> QUIT\\r\\n\n" .. BAD .. NOOP,
      BEGIN .. "C: BDAT 0\n" .. BAD .. NOOP,
      MAIL .. "C: BDAT 6 LAST\nC> QUIT\\r\\n\nS: 503 5.5.1 No valid recipients\n" .. OVER,
      RCPT .. "C: BDAT 3 LAST\nC> a\\r\\n\n" .. TAKEN
        .. "C: BDAT 6\nC> QUIT\\r\\n\n" .. BAD .. NOOP,
    } do play(script) end
    play(RCPT .. "C: BDAT 6\nC> QUIT\\r\\n\nS: 550 5.7.1 not so\n" .. OVER,
      { verdicts = { data = { "reply", 550, "5.7.1 not so" } } })
    play(server_player.RCPT ..
      "C: BDAT 6 LAST\nC> QUIT\\r\\n\nS: 502 5.5.1 Command not implemented\n"
      .. "C: MAIL FROM:<a@b.example>\nS: 250 2.1.0 Sender OK\n", { config = { extensions = {} } })
  end)

  it("holds the reply to a refused chunk back until it was read", function()
    local player = server_player.session { config = configured() }
    player:output()
    player:cmd("EHLO x")
    player:feed("MAIL FROM:<a@b.example>\r\nBDAT 4\r\nab")
    assert.equal("250 2.1.0 Sender OK\r\n", player:output())
    player:feed("c")
    assert.equal("", player:output())
    player:feed("dNOOP\r\n")
    assert.equal("503 5.5.1 No valid recipients\r\n250 2.0.0 OK\r\n", player:output())
  end)

  it("C061 does not mix with DATA", function()
    local player = play(RCPT .. "C: BDAT 1\nC> a\n" .. CHUNK .. "C: DATA\n" .. BAD
      .. "C: MAIL FROM:<x@y.example>\n" .. BAD .. "C: RCPT TO:<x@y.example>\n" .. BAD
      .. "C: VRFY x\n" .. BAD .. "C: BDAT 1 LAST\nC> b\n" .. TAKEN)
    assert.equal("ab", contents(player):gsub("|", ""))
  end)

  it("C148 is flagged or refused for 8-bit bytes without 8BITMIME, in any chunk", function()
    for _, at in ipairs { 1, 2 } do
      local text = RCPT .. "C: BDAT 3\nC> a" .. (at == 1 and "\\xe4" or "b") .. "c\n"
      local last = "C: BDAT 3 LAST\nC> d" .. (at == 2 and "\\xe4" or "e") .. "f\n"
      local player = play(text .. CHUNK .. last .. TAKEN)
      assert.is_true(player:events("message")[1][4])
    end
    play(RCPT .. "C: BDAT 3 LAST\nC> a\\xe4b\nS: 550 5.6.3 8-bit content needs BODY=8BITMIME\n"
      .. OVER, { config = { refuse_eightbit = true } })
    local player = play(RCPT .. "C: BDAT 3 LAST\nC> abc\n" .. TAKEN,
      { config = { refuse_eightbit = true } })
    assert.is_false(player:events("message")[1][4])
  end)

  it("C064 has binary content alone", function()
    local binary = BEGIN .. "C: MAIL FROM:<a@b.example> BODY=BINARYMIME\nS: 250 2.1.0 Sender OK\n"
      .. "C: RCPT TO:<c@d.example>\nS: 250 2.1.5 Recipient OK\n"
    for _, mode in ipairs { "reject", "normalize" } do
      local player = play(binary .. "C: DATA\n" .. BAD
        .. "C: BDAT 6 LAST\nC> a\\nb\\r\\0c\n" .. TAKEN,
        { config = { bare_newline = mode } })
      assert.equal("a\nb\r\0c", contents(player))
    end
    play(RCPT .. "C: BDAT 3 LAST\nC> a\\nb\nS: 550 5.5.2 Bare CR, LF or NUL in message\n" .. OVER)
    play(RCPT .. "C: BDAT 2 LAST\nC> a\\r\nS: 550 5.5.2 Bare CR, LF or NUL in message\n" .. OVER)
    play(RCPT .. "C: BDAT 3 LAST\nC> a\\0b\nS: 550 5.5.2 Bare CR, LF or NUL in message\n" .. OVER)
    local player = play(RCPT .. "C: BDAT 3\nC> a\\nb\n" .. CHUNK
      .. "C: BDAT 1 LAST\nC> \\r\n" .. TAKEN,
      { config = { bare_newline = "normalize" } })
    assert.equal("a\r\nb\r\n", contents(player):gsub("|", ""))
  end)

  it("C067 is given up by RSET, EHLO and QUIT between two chunks", function()
    local begun = RCPT .. "C: BDAT 1\nC> a\n" .. CHUNK
    local player = play(begun .. "C: RSET\nS: 250 2.0.0 Reset\n" .. OVER)
    assert.same({ "reset" }, player:events("reset")[1])
    assert.same({}, player:events("message"))
    player = play(begun .. "C: EHLO y\nS: 550 no\n" .. OVER,
      { verdicts = { helo = { { "accept" }, { "reply", 550, "no" } } } })
    assert.same({ "connect", "helo", "mail", "rcpt", "data", "body", "reset", "helo" },
      player:names())
    player = play(begun .. "C: QUIT\nS: 221 2.0.0 Goodbye\nS: (closed)\n")
    assert.same({}, player:events("message"))
  end)

  it("closes where nobody knows how much follows", function()
    for _, args in ipairs { "", " ", " x", " -1", " +1", " 1x", " 0x10", " 12345678901234567890",
      " 00000000000000000001", " 1 LASTS", " 1 LAST x", " 1 2", " LAST", " 1\\0", " 1,5", " 1\\xff",
      " 9223372036854775808999", "\t1", ":1", "\\0", "\\xff 1", " " .. ("9"):rep(3000) } do
      play(RCPT .. "C: BDAT" .. args .. "\nS: 501 5.5.4 BDAT needs a size, and LAST or nothing\n"
        .. "S: (closed)\n", { step = #args > 100 and 97 or nil })
    end
    play(RCPT .. "C> BDAT 1\\n\nS: 500 5.5.2 Lines must end with CRLF\nS: (closed)\n")
  end)

  it("takes a size of 19 digits, and leaves who goes on far beyond the limit", function()
    local player = in_rcpt { limits = { message_size = 1000 } }
    player:feed("BDAT 9999999999999999999\r\n" .. ("x"):rep(1400))
    assert.equal("", player:output())
    player:feed(("x"):rep(101))
    assert.equal("552 5.3.4 Message too big\r\n", player:output())
    assert.truthy(player.closed)
    player = server_player.session { config = configured { limits = { message_size = 1000 } } }
    player:output()
    player:cmd("EHLO x")
    player:feed("BDAT 9999999999999999999\r\n" .. ("x"):rep(1501))
    assert.equal("503 5.5.1 Bad sequence of commands\r\n", player:output())
    assert.truthy(player.closed)
  end)

  it("refuses the chunk by which a message is too big, and the rest of it", function()
    local player = in_rcpt { limits = { message_size = 10 } }
    assert.equal("250 2.0.0 Chunk received\r\n", player:feed("BDAT 8\r\n12345678"):output())
    assert.equal("552 5.3.4 Message too big\r\n", player:feed("BDAT 4\r\n1234"):output())
    assert.equal("503 5.5.1 Bad sequence of commands\r\n",
      player:feed("BDAT 2 LAST\r\n12"):output())
    assert.equal("Message too big", player:events("message")[1][3])
  end)

  it("caps chunks that bring nothing", function()
    local player = in_rcpt()
    local replies = {}
    for _ = 1, 100 do
      player:feed(("BDAT 0\r\n"):rep(10000))
      for line in player:output():gmatch("[^\r]+\r\n") do replies[#replies + 1] = line end
    end
    assert.equal(101, #replies)
    assert.equal("421 4.7.0 Too many commands without mail\r\n", replies[101])
    assert.truthy(player.closed)
  end)

  it("delivers nothing of a stream that ends within a chunk", function()
    local player = in_rcpt()
    player:feed("BDAT 10 LAST\r\n12345")
    player.core:eof()
    player:turn()
    assert.same({}, player:events("message"))
    assert.equal("closed", player.closed)
  end)

  it("answers a refused chunk that never comes whole at the end", function()
    local player = in_rcpt()
    player:cmd("RSET")
    player:feed("BDAT 10\r\n12345")
    assert.equal("", player:output())
    assert.equal("503 5.5.1 Bad sequence of commands\r\n"
      .. "421 4.4.2 Timeout, closing connection\r\n", player:at(1000))
    player = in_rcpt()
    player:cmd("RSET")
    player:feed("BDAT 10\r\n12345")
    player.core:eof()
    assert.equal("503 5.5.1 Bad sequence of commands\r\n", player:turn():output())
  end)

  it("has no more time than DATA", function()
    local player = in_rcpt { limits = { data_rate = 10 } }
    player:feed("BDAT 1000 LAST\r\n" .. ("x"):rep(100))
    player:output()
    assert.equal("", player:at(39))
    assert.equal("421 4.4.2 Timeout, closing connection\r\n", player:at(41))
  end)
end)
