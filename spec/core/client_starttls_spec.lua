-- STARTTLS and AUTH on the client's side of the protocol, in memory: what may be
-- said when, what is forgotten, and what is never taken for an answer.
local core = require "smtp.core"
local client_player = require "spec.support.client_player"

local each_cut = client_player.each_cut

local function plain(secret)
  return core.sasl_client("PLAIN", { user = "ada", password = secret or "secret" })
end

-- Greeting and EHLO, which is answered with `offer`.
local function greeted(m, offer)
  m:feed("220 mx\r\n")
  m:next()
  m:submit("EHLO", "x")
  m:sent(#m:peek())
  m:feed(offer or "250 mx\r\n")
  m:next()
end

describe("STARTTLS of the core client", function()
  it("pauses at its 220 and forgets what it knew (C069)", function()
    each_cut({}, function(player)
      player:begin("STARTTLS", "PIPELINING", "ENHANCEDSTATUSCODES")
      player:say("STARTTLS")
      assert.equal("starttls 220 2.0.0 go", player:hear("220 2.0.0 go\r\n"))
      for _, line in ipairs { "EHLO x", "NOOP", "QUIT", "STARTTLS", "MAIL FROM:<a@b>" } do
        assert.equal("state", (select(3, player:submit(line))), line)
      end
      player.client:secured()
      assert.equal("state", (select(3, player:submit("STARTTLS"))))
      assert.equal("state", (select(3, player.client:submit_path("MAIL", "a@b"))))
      player:say("EHLO x")
      assert.equal("ehlo 250 mx", player:hear("250 mx\r\n"))
      player:say("MAIL FROM:<a@b>")
      assert.equal("busy", (select(3, player.client:submit_path("RCPT", "c@d")))) -- no PIPELINING
      assert.equal("mail 250 2.1.0 ok", player:hear("250 2.1.0 ok\r\n")) -- nor status codes
    end)
  end)

  it("takes whatever stands behind the 220 for a breach", function()
    for _, bytes in ipairs { "2", "\r\n", "250 fine\r\n", "\x16\3\1" } do
      local m = core.client()
      greeted(m, "250-mx\r\n250 STARTTLS\r\n")
      m:submit("STARTTLS")
      m:sent(#m:peek())
      m:feed("220 go\r\n" .. bytes)
      assert.same({ nil, "bytes behind the reply to STARTTLS", "protocol" }, { m:next() })
      assert.error_matches(function() m:secured() end, "TLS is not due")
      m:close()
      -- Bytes on their own before the handshake.
      m = core.client()
      greeted(m, "250-mx\r\n250 STARTTLS\r\n")
      m:submit("STARTTLS")
      m:sent(#m:peek())
      m:feed("220 go\r\n")
      assert.equal("starttls", (m:next()))
      m:feed(bytes)
      assert.same({ nil, "bytes behind the reply to STARTTLS", "protocol" }, { m:next() })
    end
  end)

  it("C068 is said without an argument, and alone", function()
    each_cut({}, function(player)
      player:begin("STARTTLS", "PIPELINING")
      assert.equal("invalid", (select(3, player:submit("STARTTLS now"))))
      player:say("RSET")
      assert.equal("busy", (select(3, player:submit("STARTTLS"))))
      assert.equal("rset 250", player:hear("250\r\n"))
      player:say("MAIL FROM:<a@b>")
      assert.equal("mail 250", player:hear("250\r\n"))
      assert.equal("state", (select(3, player:submit("STARTTLS"))))
    end)
  end)

  it("C072 leaves the session as it was after a refusal", function()
    each_cut({}, function(player)
      player:begin("STARTTLS")
      for _, reply in ipairs { "454 4.7.0 no", "501 no", "354 what" } do
        player:say("STARTTLS")
        assert.equal("starttls " .. reply, player:hear(reply .. "\r\n"))
        assert.error_matches(function() player.client:secured() end, "TLS is not due")
      end
      player:say("MAIL FROM:<a@b>")
      assert.equal("mail 250", player:hear("250\r\n"))
    end)
  end)

  it("holds all else back until it stands, where it must be", function()
    local m = core.client(nil, nil, false, true)
    greeted(m, "250-mx\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n")
    for _, line in ipairs { "HELO x", "RSET", "VRFY x", "EXPN x", "HELP", "XADA", "DATA" } do
      assert.equal("state", (select(3, m:submit(line:match("^(%S+) ?(.*)$")))), line)
    end
    assert.equal("state", (select(3, m:submit_path("MAIL", "a@b"))))
    assert.equal("state", (select(3, m:auth(plain()))))
    assert.equal("", m:peek())
    for _, line in ipairs { "NOOP", "EHLO x" } do
      assert(m:submit(line:match("^(%S+) ?(.*)$")))
      m:sent(#m:peek())
      m:feed("250 ok\r\n")
      m:next()
    end
    assert(m:submit("STARTTLS"))
    m:sent(#m:peek())
    m:feed("220 go\r\n")
    m:next()
    m:secured()
    assert(m:submit("HELO", "x"))
  end)

  it("may stand before the greeting, and then there is no STARTTLS", function()
    local m = core.client(nil, nil, false, true)
    m:secured()
    assert.error_matches(function() m:secured() end, "TLS is not due")
    m:feed("220 mx\r\n")
    assert.equal("greeting", (m:next()))
    m:submit("EHLO", "x")
    m:sent(#m:peek())
    m:feed("250-mx\r\n250 STARTTLS\r\n")
    m:next()
    assert.equal("state", (select(3, m:submit("STARTTLS"))))
    assert(m:submit_path("MAIL", "a@b"))
  end)
end)

describe("AUTH of the core client", function()
  it("answers challenges by itself, and gives each reply", function()
    each_cut({}, function(player)
      player:begin("AUTH LOGIN PLAIN")
      assert(player.client:auth(core.sasl_client("LOGIN", { user = "ada", password = "secret" })))
      assert.equal("AUTH LOGIN\r\n", player:wrote())
      assert.equal("auth 334 VXNlcm5hbWU6", player:hear("334 VXNlcm5hbWU6\r\n"))
      assert.equal("YWRh\r\n", player:wrote())
      assert.equal("auth 334", player:hear("334\r\n")) -- C086
      assert.equal("c2VjcmV0\r\n", player:wrote())
      assert.equal("auth 235 ok", player:hear("235 ok\r\n"))
      assert.equal("", player.client:auth_reason())
      player:say("MAIL FROM:<a@b>")
    end)
  end)

  it("sends an initial response, = where it is empty (C080)", function()
    for mechanism, line in pairs { PLAIN = "AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n",
      EXTERNAL = "AUTH EXTERNAL =\r\n" } do
      each_cut({}, function(player)
        player:begin("AUTH PLAIN EXTERNAL")
        assert(player.client:auth(core.sasl_client(mechanism,
          { user = "ada", password = "secret" })))
        assert.equal(line, player:wrote())
        assert.equal("auth 535 no", player:hear("535 no\r\n"))
        assert(player.client:usable())
      end)
    end
  end)

  it("is said alone, out of a transaction, and never by submit", function()
    each_cut({}, function(player)
      player:begin("AUTH PLAIN", "PIPELINING")
      assert.equal("state", (select(3, player:submit("AUTH PLAIN AGFkYQBzZWNyZXQ="))))
      player:say("RSET")
      assert.equal("busy", (select(3, player.client:auth(plain()))))
      player:hear("250\r\n")
      assert(player.client:auth(plain()))
      assert.equal("busy", (select(3, player:submit("NOOP"))))
      assert.equal("busy", (select(3, player.client:auth(plain()))))
      player:wrote()
      player:hear("535 no\r\n")
      player:say("MAIL FROM:<a@b>")
      player:hear("250\r\n")
      assert.equal("state", (select(3, player.client:auth(plain()))))
    end)
  end)

  it("cancels what it cannot answer, and believes no success after that (C083)", function()
    for reply, usable in pairs { ["501 cancelled"] = true, ["235 welcome"] = false } do
      each_cut({}, function(player)
        player:begin("AUTH PLAIN")
        assert(player.client:auth(plain()))
        player:wrote()
        assert.equal("auth 334 YQ==", player:hear("334 YQ==\r\n"))
        assert.equal("AGFkYQBzZWNyZXQ=\r\n", player:wrote())
        assert.equal("auth 334 YQ==", player:hear("334 YQ==\r\n"))
        assert.equal("*\r\n", player:wrote())
        assert.equal("auth " .. reply, player:hear(reply .. "\r\n"))
        assert.equal("a challenge after the response", player.client:auth_reason())
        assert.is_true(player.client:auth_broken())
        assert.equal(usable, player.client:usable())
      end)
    end
  end)

  it("takes a challenge after its cancel for a breach", function()
    each_cut({}, function(player)
      player:begin("AUTH PLAIN")
      assert(player.client:auth(plain()))
      player:wrote()
      for _, answer in ipairs { "AGFkYQBzZWNyZXQ=", "*" } do
        player:hear("334 ?\r\n")
        assert.equal(answer .. "\r\n", player:wrote())
      end
      assert.equal("protocol: a challenge after AUTH was cancelled", player:hear("334 \r\n"))
    end)
  end)

  it("owns its exchange: whoever closes the handle of it harms nobody", function()
    local m = core.client()
    greeted(m)
    local sasl = core.sasl_client("LOGIN", { user = "ada", password = "secret" })
    assert(m:auth(sasl))
    sasl:close()
    assert.error_matches(function() m:auth(sasl) end, "closed")
    m:sent(#m:peek())
    m:feed("334 \r\n")
    assert.equal("auth", (m:next()))
    assert.equal("YWRh\r\n", m:peek())
    m:close()
  end)

  it("takes an answer before the question was written for a breach", function()
    local m = core.client()
    greeted(m)
    assert(m:auth(plain()))
    m:feed("235 welcome\r\n")
    local step, _, word = m:next()
    assert.same({ nil, "protocol" }, { step, word })
  end)
end)
