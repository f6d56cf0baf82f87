-- STARTTLS on the server's side (RFC 3207): the server pauses, forgets, and
-- takes nothing that came in clear text for something that came through TLS.
local server_player = require "spec.support.server_player"
local play = server_player.play
local GREETING, HELO = server_player.GREETING, server_player.HELO

-- EHLO of a listener with TLS, before and after.
local BEFORE = server_player.offers("STARTTLS", "ENHANCEDSTATUSCODES")
local AFTER = server_player.offers("ENHANCEDSTATUSCODES")
local STARTTLS = "C: STARTTLS\nS: 220 2.0.0 Ready to start TLS\n"

local TLS = { config = { tls = true }, tls = {} }

local function with(config, options)
  local all = { config = { tls = true }, tls = {} }
  for key, value in pairs(config) do all.config[key] = value end
  for key, value in pairs(options or {}) do all[key] = value end
  return all
end

describe("STARTTLS of the core server", function()
  it("is offered, answered, and not offered again (C071)", function()
    local player = play(GREETING .. BEFORE .. STARTTLS .. AFTER .. [[
      C: STARTTLS
      S: 503 5.5.1 Bad sequence of commands
      C: QUIT
      S: 221 2.0.0 Goodbye
      S: (closed)
    ]], TLS)
    assert.same({ "connect", "helo", "starttls", "helo", "close" }, player:names())
  end)

  it("C068 takes no argument", function()
    play(GREETING .. BEFORE .. [[
      C: STARTTLS now
      S: 501 5.5.4 This command takes no argument
      C: starttls
      S: 220 2.0.0 Ready to start TLS
    ]], TLS)
  end)

  it("is no command where there is no TLS", function()
    play(GREETING .. server_player.EHLO:sub(#GREETING + 1) .. [[
      C: STARTTLS
      S: 502 5.5.1 Command not implemented
    ]])
  end)

  it("C069 makes all be forgotten", function()
    local player = play(GREETING .. BEFORE .. [[
      C: MAIL FROM:<ada@code.energy>
      S: 250 2.1.0 Sender OK
      C: RCPT TO:<charles@example.com>
      S: 250 2.1.5 Recipient OK
    ]] .. STARTTLS .. [[
      C: RCPT TO:<charles@example.com>
      S: 503 5.5.1 Bad sequence of commands
      C: MAIL FROM:<ada@code.energy>
      S: 503 5.5.1 Bad sequence of commands
      C: DATA
      S: 503 5.5.1 Bad sequence of commands
    ]] .. AFTER .. [[
      C: DATA
      S: 503 5.5.1 Bad sequence of commands
      C: MAIL FROM:<ada@code.energy>
      S: 250 2.1.0 Sender OK
    ]], TLS)
    assert.equal(1, #player:events("rcpt"))
  end)

  it("C069 makes AUTH be forgotten", function()
    play(GREETING .. server_player.offers("STARTTLS", "ENHANCEDSTATUSCODES", "AUTH PLAIN") .. [[
      C: AUTH PLAIN AGFkYQBzZWNyZXQ=
      S: 235 2.7.0 Authentication succeeded
    ]] .. STARTTLS .. server_player.offers("ENHANCEDSTATUSCODES", "AUTH PLAIN") .. [[
      C: MAIL FROM:<ada@code.energy>
      S: 530 5.7.0 Authentication required
      C: AUTH PLAIN AGFkYQBzZWNyZXQ=
      S: 235 2.7.0 Authentication succeeded
      C: MAIL FROM:<ada@code.energy>
      S: 250 2.1.0 Sender OK
    ]], with { auth = { "PLAIN" }, auth_cleartext = true, auth_required = true })
  end)

  it("C070 ends a group: whatever stands behind it closes, without a 220", function()
    for _, behind in ipairs { "C: MAIL FROM:<eve@x.example>", "C> E", "C> EHLO", "C: " } do
      local player = play(GREETING .. BEFORE .. "C: STARTTLS\n" .. behind .. [[

        S: 554 5.5.0 Please wait for replies
        S: (closed)
      ]], with({}, { cut = false }))
      assert.same({ "connect", "helo", "close" }, player:names())
    end
  end)

  it("takes the 220 back if bytes come before it was written", function()
    for _, bytes in ipairs { "EHLO x\r\n", "M", "\x16\x03\x01" } do
      local player = server_player.session(TLS)
      player:output()
      player:cmd("EHLO client.code.energy")
      player.core:feed("STARTTLS\r\n")
      assert.is_nil(player.core:next())
      assert.equal("220 2.0.0 Ready to start TLS\r\n", player.core:peek())
      player.core:feed(bytes)
      player:turn()
      assert.equal("554 5.5.0 Please wait for replies\r\n", player:output())
      assert.equal("close", player:names()[3])
    end
  end)

  it("keeps replies that stand before the 220 which is taken back", function()
    local player = server_player.session(TLS)
    player:output()
    player:cmd("EHLO client.code.energy")
    player.core:feed("RSET\r\nSTARTTLS\r\n")
    assert.is_nil(player.core:next())
    player.core:sent(4) -- of the reply to RSET
    player.core:feed("x")
    player:turn()
    assert.equal("2.0.0 Reset\r\n554 5.5.0 Please wait for replies\r\n",
      player:output())
  end)

  it("never follows a 220 that is partly written by anything", function()
    local player = server_player.session(TLS)
    player:output()
    player:cmd("EHLO client.code.energy")
    player.core:feed("STARTTLS\r\n")
    assert.is_nil(player.core:next())
    player.core:sent(4)
    player.core:feed("EHLO x\r\n")
    player:turn()
    assert.equal("2.0.0 Ready to start TLS\r\n", player:output())
    assert.same({ "connect", "helo", "close" }, player:names())
  end)

  it("takes no bytes of clear text for those of TLS where the driver errs", function()
    local player = server_player.session { config = { tls = true } } -- no `secured`
    player:output()
    player:cmd("EHLO client.code.energy")
    player:cmd("STARTTLS")
    player:turn()
    assert.equal("starttls", player:names()[3])
    assert.equal("", player:cmd("EHLO client.code.energy"))
    assert.same({ "connect", "helo", "starttls", "close" }, player:names())
  end)

  it("raises for a driver that says there is TLS where none was asked for", function()
    local player = server_player.session(TLS)
    assert.error_matches(function() player.core:secured() end, "TLS is not due")
    player:output()
    player:cmd("EHLO client.code.energy")
    assert.error_matches(function() player.core:secured() end, "TLS is not due")
  end)

  it("C073 before it, where it is required, only NOOP EHLO STARTTLS QUIT are possible", function()
    local MUST = "530 5.7.0 Must issue a STARTTLS command first"
    local player = server_player.session(with { tls_required = true, auth = { "PLAIN" },
      limits = { errors = 100 } })
    player:output()
    for _, line in ipairs { "HELO x", "MAIL FROM:<a@b>", "RCPT TO:<a@b>", "DATA", "RSET", "VRFY a",
      "HELP", "AUTH PLAIN AGFkYQBzZWNyZXQ=", "BDAT 0 LAST", "EXPN a" } do
      assert.equal(MUST .. "\r\n", player:cmd(line), line)
    end
    assert.matches("^250 ", player:cmd("NOOP"))
    assert.matches("^250%-", player:cmd("EHLO x"))
    assert.equal(MUST .. "\r\n", player:cmd("MAIL FROM:<a@b>"))
    assert.matches("^220 ", player:cmd("STARTTLS"))
    player:turn()
    assert.matches("^250%-", player:cmd("EHLO x"))
    assert.matches("^250 ", player:cmd("MAIL FROM:<a@b>"))
  end)

  it("C103 is absent where TLS was there from the first byte", function()
    play(GREETING .. AFTER .. [[
      C: STARTTLS
      S: 502 5.5.1 Command not implemented
    ]], { implicit = {} })
    play(GREETING .. AFTER .. [[
      C: STARTTLS
      S: 503 5.5.1 Bad sequence of commands
    ]], { config = { tls = true }, implicit = {} })
  end)

  it("may stand after HELO, as some do", function()
    play(HELO .. STARTTLS .. AFTER, TLS)
  end)

  it("has no deadline of its own while the handshake is made", function()
    local player = server_player.session { config = { tls = true } }
    player:output()
    player:cmd("EHLO client.code.energy")
    player:cmd("STARTTLS")
    player:turn()
    assert.is_nil(player.core:deadline())
    player.core:finish("shutdown", true)
    player:turn()
    assert.equal("", player:output()) -- nothing in clear text
    assert.equal("close", player:names()[4])
  end)
end)
