-- The limits of a session, each just below, at and beyond it, and its times.
local core = require "smtp.core"
local server_player = require "spec.support.server_player"
local play = server_player.play

local OK = "250 2.0.0 OK\r\n"
local TIMEOUT = "421 4.4.2 Timeout, closing connection\r\n"

-- A player that said its EHLO, over these limits.
local function start(limits, options)
  options = options or {}
  options.config = options.config or {}
  options.config.limits = limits
  local player = server_player.session(options)
  player:output()
  player:cmd("EHLO x.example")
  return player
end

-- And one in the middle of DATA.
local function in_data(limits, options)
  local player = start(limits, options)
  for _, line in ipairs { "MAIL FROM:<a@b.example>", "RCPT TO:<a@b.example>", "DATA" } do
    player:cmd(line)
  end
  return player
end

local function message(player, text)
  for _, line in ipairs { "MAIL FROM:<a@b.example>", "RCPT TO:<a@b.example>", "DATA" } do
    player:cmd(line)
  end
  return player:cmd((text or "x") .. "\r\n.")
end

describe("server limits:", function()
  it("recipients: 452 beyond, and 421 after 200 more", function()
    local player = start { recipients = 3 }
    player:cmd("MAIL FROM:<a@b.example>")
    for _ = 1, 3 do assert.matches("^250 2.1.5 ", player:cmd("RCPT TO:<a@b.example>")) end
    for _ = 1, 200 do
      assert.equal("452 4.5.3 Too many recipients\r\n", player:cmd("RCPT TO:<a@b.example>"))
    end
    assert.equal(3, #player:events("rcpt"))
    assert.equal("421 4.5.3 Far too many recipients\r\n", player:cmd("RCPT TO:<a@b.example>"))
    assert.equal("Far too many recipients", player.closed)
  end)

  it("recipients: those of the next message count anew, refused ones do not", function()
    local verdicts = { rcpt = { "refuse", "refuse", "accept" } }
    local player = start({ recipients = 1 }, { verdicts = verdicts })
    player:cmd("MAIL FROM:<a@b.example>")
    assert.matches("^550", player:cmd("RCPT TO:<a@b.example>"))
    assert.matches("^550", player:cmd("RCPT TO:<a@b.example>"))
    assert.matches("^250", player:cmd("RCPT TO:<a@b.example>"))
    assert.matches("^452", player:cmd("RCPT TO:<a@b.example>"))
    assert.matches("^354", player:cmd("DATA"))
    assert.matches("^250", player:cmd("x\r\n."))
    assert.matches("^250", message(player))
  end)

  it("recipients: 1000 is the default", function()
    local player = start()
    player:cmd("MAIL FROM:<a@b.example>")
    local line = "RCPT TO:<a@b.example>\r\n"
    player:feed(line:rep(1000))
    assert.is_nil(player:output():find("452", 1, true))
    assert.matches("^452 4.5.3", player:feed(line):output())
  end)

  it("messages: 421 at MAIL beyond", function()
    local player = start({ messages = 2 }, { verdicts = { message = { "refuse", "accept" } } })
    assert.matches("^554", message(player)) -- a refused one does not count
    assert.matches("^250", message(player))
    assert.matches("^250", message(player))
    assert.equal("421 4.7.0 Too many messages in this session\r\n",
      player:cmd("MAIL FROM:<a@b.example>"))
    assert.equal("Too many messages in this session", player.closed)
  end)

  it("errors: 20, then 421", function()
    for given, limit in pairs { [0] = 20, [3] = 3 } do
      local player = start(given > 0 and { errors = given } or nil)
      for i = 1, limit do
        player:feed("BAD\r\n")
        player.now = player.now + 2
        assert.equal("500 5.5.1 Command not recognized\r\n", player:at(player.now), i)
      end
      assert.is_nil(player.closed)
      assert.equal("421 4.7.0 Too many errors\r\n", player:cmd("BAD"))
      assert.equal("Too many errors", player.closed)
    end
  end)

  it("errors: every kind counts, good replies do not help", function()
    local player = start { errors = 4 }
    for i, line in ipairs { "BAD", "EXPN x", "DATA", "MAIL x" } do
      player:feed(line .. "\r\n")
      assert.matches("^50", player:at(2 * i))
      assert.equal(OK, player:cmd("NOOP"))
    end
    assert.matches("^421", player:cmd("EHLO"))
  end)

  it("errors: beyond 5 each waits a second", function()
    local player = start()
    for _ = 1, 5 do assert.matches("^500", player:cmd("BAD")) end
    assert.equal("", player:cmd("BAD"))
    assert.equal(1, player.core:deadline())
    assert.equal("", player:at(0.99))
    assert.equal("500 5.5.1 Command not recognized\r\n", player:at(1))
    assert.equal(OK, player:cmd("NOOP")) -- a command that is right does not wait
    assert.equal("", player:cmd("BAD"))
    assert.equal(2, player.core:deadline())
  end)

  it("errors: what is pipelined behind one waits with it", function()
    local player = start()
    for _ = 1, 5 do player:cmd("BAD") end
    assert.equal("", player:feed("RSET\r\nBAD\r\nBAD\r\nMAIL FROM:<a@b.example>\r\n"):output())
    assert.same({}, player:events("mail"))
    assert.equal("", player:at(1)) -- now the second one waits
    assert.same({}, player:events("mail"))
    assert.equal("", player:at(1.9))
    assert.matches("^250 2.0.0 Reset\r\n500 [^\n]+\n500 [^\n]+\n250 2.1.0 Sender OK\r\n$",
      player:at(2))
  end)

  it("errors: the delay ends in its time though the peer has gone", function()
    local player = start()
    for _ = 1, 6 do player:cmd("BAD") end
    player.core:eof()
    assert.is_nil(player:turn().closed)
    player:at(1)
    assert.equal("closed", player.closed)
  end)

  it("junk: 100 between messages, then 421", function()
    for given, limit in pairs { [0] = 100, [4] = 4 } do
      for _, line in ipairs { "NOOP", "RSET", "VRFY x", "HELP" } do
        local player = start(given > 0 and { junk = given } or nil)
        for _ = 1, limit do assert.matches("^2", player:cmd(line)) end
        assert.equal("421 4.7.0 Too many commands without mail\r\n", player:cmd(line))
        assert.equal("Too many commands without mail", player.closed)
      end
    end
    local player = start { junk = 2 }
    for _ = 1, 3 do
      assert.equal(OK, player:cmd("NOOP"))
      assert.matches("^250", player:cmd("RSET"))
      assert.matches("^250", message(player))
    end
    assert.equal(OK, player:cmd("NOOP"))
    assert.matches("^214", player:cmd("HELP"))
    assert.matches("^421", player:cmd("VRFY x"))
  end)

  it("header: its bytes, the empty line among them", function()
    local text = "A: b\r\nC: d\r\n\r\n" -- 14
    for limit, reply in pairs { [13] = "552 5.3.4 Message header too big\r\n",
      [14] = "250 2.0.0 Message accepted\r\n", [15] = "250 2.0.0 Message accepted\r\n" } do
      local player = start { header = limit }
      assert.equal(reply, message(player, text .. ("body\r\n"):rep(9)))
      assert.equal(reply, message(player, text)) -- and anew in the next
      assert.is_nil(player.closed)
    end
    play(server_player.DATA .. "C: A: b\nC:\nC: x\nC: .\nS: 552 5.3.4 Message header too big",
      { config = { limits = { header = 7 } } })
    local player = in_data()
    for _ = 1, 256 do player:feed("X: " .. ("y"):rep(1019) .. "\r\n") end
    assert.equal("552 5.3.4 Message header too big\r\n", player:cmd("\r\n."))
  end)

  it("a limit of 0 lets nothing through", function()
    assert.matches("^421", start({ messages = 0 }):cmd("MAIL FROM:<a@b.example>"))
    assert.matches("^421", start({ errors = 0 }):cmd("BAD"))
    assert.matches("^421", start({ junk = 0 }):cmd("NOOP"))
    local player = start { recipients = 0 }
    player:cmd("MAIL FROM:<a@b.example>")
    assert.matches("^452", player:cmd("RCPT TO:<a@b.example>"))
    assert.matches("^552", message(start { message_size = 0 }))
    assert.matches("^554", message(start { hops = 0 }))
  end)
end)

describe("server times:", function()
  it("idle: 300 s without a byte, then 421", function()
    local player = start()
    assert.equal(300, player.core:deadline())
    assert.equal("", player:at(299.9))
    assert.equal(OK, player:cmd("NOOP"))
    assert.equal(599.9, player.core:deadline())
    assert.equal("", player:at(599.8))
    assert.equal(TIMEOUT, player:at(599.9))
    assert.equal("timeout", player.closed)
    for given = 9, 11 do
      assert.equal(given == 11 and "" or TIMEOUT, (start { idle_timeout = given }):at(10))
    end
  end)

  it("idle: within DATA too, and a peer that takes no reply is left", function()
    local player = in_data { idle_timeout = 10 }
    assert.equal(TIMEOUT, player:at(10))
    player = start { idle_timeout = 10 }
    player.core:tick(10)
    assert.equal("close", player.core:next())
    assert.equal(TIMEOUT, player.core:peek())
  end)

  it("command: 300 s from its first byte to its last", function()
    local player = start()
    player:at(50)
    for i = 0, 2 do
      player:feed("N")
      assert.equal("", player:at(50 + 100 * i))
    end
    assert.equal("", player:at(349.9))
    assert.equal(350, player.core:deadline())
    assert.equal(TIMEOUT, player:at(350))
    player = start { command_timeout = 10 }
    player:feed("NOO")
    player:at(9)
    assert.equal(OK, player:feed("P\r\n"):output())
    assert.equal(309, player.core:deadline()) -- the next line has not begun
    player:feed("RS")
    assert.equal(19, player.core:deadline())
  end)

  it("command: a line that is too long has no more time than others", function()
    local player = start { command_timeout = 10 }
    for i = 0, 9 do
      player:feed(("x"):rep(500))
      assert.equal("", player:at(i))
    end
    assert.equal(TIMEOUT, player:at(10))
  end)

  it("data: 500 bytes a second, after 30 s", function()
    local player = in_data()
    assert.equal(30, player.core:deadline())
    player:at(20)
    player:feed(("x"):rep(998) .. "\r\n")
    assert.equal(32, player.core:deadline())
    assert.equal("", player:at(31.9))
    assert.equal(TIMEOUT, player:at(32))
    assert.equal("timeout", player.closed)
    for _, rate in ipairs { 999, 1000, 1001 } do
      player = in_data { data_rate = rate }
      player:feed(("x"):rep(998) .. "\r\n")
      assert.near(30 + 1000 / rate, player.core:deadline(), 1e-9)
    end
    assert.equal(300, in_data({ data_rate = 0 }).core:deadline()) -- any rate will do
  end)

  -- A session by hand, whose content waits for its handler.
  local function waiting()
    local session = core.server_config({ hostname = "mx.example" }):session(nil, 0)
    local function upto(last, verdict)
      repeat
        local name = session:next()
        if name ~= "body" and name ~= last then session:decide("accept") end
      until name == last or name == nil
      if verdict then session:decide(verdict) end
      session:sent(#session:peek())
    end
    upto("connect", "accept")
    for _, line in ipairs { "EHLO x.example", "MAIL FROM:<>", "RCPT TO:<a@b.example>" } do
      session:feed(line .. "\r\n")
      upto()
    end
    session:feed("DATA\r\n")
    upto("data", "accept")
    return session
  end

  it("data: what a handler takes is not the peer's", function()
    local session = waiting()
    session:clock(1000) -- the handler begins to read only now
    assert.is_nil(session:next())
    assert.equal(1030, session:deadline())
    session:feed(("x"):rep(98) .. "\r\n")
    assert.equal("body", session:next())
    session:clock(3000)
    session:tick(3000)
    assert.is_nil(session:next())
    assert.equal(3030 + 100 / 500, session:deadline())
  end)

  it("an answer that is due has no deadline but the handler's own", function()
    local session = core.server_config({}):session(nil, 0)
    assert.equal("connect", session:next())
    assert.is_nil(session:deadline())
    session:clock(1000)
    session:decide("accept")
    assert.equal(1300, session:deadline())
  end)

  it("end: between commands, or at once", function()
    local down = "421 4.3.2 Shutting down, try again soon\r\n"
    local player = start()
    player.core:finish("shutdown", false)
    assert.equal(down, player:turn():output())
    assert.equal("shutdown", player.closed)
    player = start()
    player:cmd("MAIL FROM:<a@b.example>")
    player.core:finish("shutdown", false)
    assert.equal("", player:turn():output())
    assert.matches("^250", player:cmd("RCPT TO:<a@b.example>"))
    assert.matches("^354", player:cmd("DATA"))
    assert.equal("250 2.0.0 Message accepted\r\n" .. down, player:cmd("x\r\n."))
    player = in_data()
    player.core:finish("shutdown", true)
    assert.equal(down, player:turn():output())
    assert.same({}, player:events("message"))
  end)
end)
