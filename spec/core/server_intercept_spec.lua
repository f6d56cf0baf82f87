-- Command lines with an answer from outside of the core.
local server_player = require "spec.support.server_player"
local play = server_player.play

-- Passes all lines on, but for those that a table has a reply for.
local function verdicts(replies)
  return { verb = function(name)
    local reply = replies[name:upper()]
    if reply then return "reply", reply[1], reply[2] end
    return "none"
  end }
end

local config = { intercept = true, verbs = "XHOW" }

describe("server with intercept", function()
  it("is the same where all lines are passed on", function()
    local player = play(server_player.DATA .. [[
      C: Subject: hi
      C:
      C: QUIT
      C: .
      S: 250 2.0.0 Message accepted
      C: RSET
      S: 250 2.0.0 Reset
      C: nonsense words
      S: 500 5.5.1 Command not recognized
      C: ?
      S: 500 5.5.1 Command not recognized
      C: XHOW far
      S: 250 2.0.0 OK
      C: QUIT
      S: 221 2.0.0 Goodbye
      S: (closed)]], { config = config, verdicts = verdicts {} })
    local names = {}
    for i, event in ipairs(player:events("verb")) do names[i] = event[2] end
    assert.same({ "EHLO", "MAIL", "RCPT", "DATA", "RSET", "nonsense", "XHOW", "QUIT" }, names)
    assert.same({ "verb", "XHOW", "far", false }, player:events("verb")[7])
  end)

  it("answers lines by verdicts, and does not read them", function()
    local player = play(server_player.GREETING .. [[
      C: EHLO client.code.energy
      S: 502 5.5.1 no
      C: HELO client.code.energy
      S: 250 mx.example
      C: MAIL FROM:<ada@code.energy>
      S: 250 2.1.0 Sender OK
      C: RSET
      S: 452 4.3.1 not now
      C: RCPT TO:<charles@example.com>
      S: 250 2.1.5 Recipient OK
      C: STARTTLS
      S: 454 4.0.0 no TLS
      C: QUIT
      S: 250 2.0.0 stay
      C: NOOP
      S: 421 4.3.2 go
      S: (closed)]], { config = config, verdicts = verdicts { EHLO = { 502, "5.5.1 no" },
        RSET = { 452, "4.3.1 not now" }, STARTTLS = { 454, "no TLS" }, QUIT = { 250, "stay" },
        NOOP = { 421, "4.3.2 go" } } })
    assert.same({}, player:events("reset"))
    assert.same({}, player:events("starttls"))
  end)

  it("tells whether more came behind a line", function()
    local player = server_player.session { config = config, verdicts = verdicts {} }
    player:output()
    player:cmd("EHLO x")
    player:feed("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRSET\r\n")
    local more = {}
    for i, event in ipairs(player:events("verb")) do more[i] = event[4] end
    assert.same({ false, true, true, false }, more)
  end)

  it("keeps lines that are part of an exchange", function()
    local options = { config = { intercept = true, auth = { "LOGIN" }, auth_cleartext = true },
      verdicts = verdicts {} }
    local player = play(server_player.ehlo("AUTH LOGIN") .. [[
      C: AUTH LOGIN
      S: 334 VXNlcm5hbWU6
      C: YQ==
      S: 334 UGFzc3dvcmQ6
      C: QUIT
      S: 235 2.7.0 Authentication succeeded]], options)
    assert.equal(2, #player:events("verb"))
  end)
end)
