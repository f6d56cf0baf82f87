-- LMTP (RFC 2033) and PRDR (draft-hall-prdr-00) in the core server: many replies
-- to one message.
local server_player = require "spec.support.server_player"

local LHLO = server_player.ehlo("CHUNKING"):gsub("EHLO", "LHLO"):gsub("SIZE %d+", "SIZE ...")
local MAIL = "C: MAIL FROM:<a@b.example>\nS: 250 2.1.0 Sender OK\n"
local PRDR = server_player.ehlo("CHUNKING", "PRDR"):gsub("SIZE %d+", "SIZE ...")
local PRDR_MAIL = "C: MAIL FROM:<a@b.example> PRDR\nS: 250 2.1.0 Sender OK\n"
local GO = "C: DATA\nS: 354 ...\n"
local TAKEN = "S: 250 2.0.0 Message accepted\n"
local EACH = "S: 353 A reply for each recipient follows\n"
local BAD = "S: 503 5.5.1 Bad sequence of commands\n"
local NONE = "S: 503 5.5.1 No valid recipients\n"
local UNKNOWN = "S: 500 5.5.1 Command not recognized\n"
local END = "C: QUIT\nS: 221 2.0.0 ...\nS: (closed)\n"

local function rcpt(n)
  return ("C: RCPT TO:<c@d.example>\nS: 250 2.1.5 Recipient OK\n"):rep(n)
end

-- The extensions of `config` are added; in LMTP unless it says otherwise.
local function play(script, verdicts, config, cut)
  local all = { extensions = { "CHUNKING", "PRDR" }, lmtp = true }
  for key, value in pairs(config or {}) do all[key] = value end
  return server_player.play(script, { config = all, verdicts = verdicts, cut = cut })
end

local function play_smtp(script, verdicts, config, cut)
  config = config or {}
  config.lmtp = false
  return play(script, verdicts, config, cut)
end

-- A player in LMTP behind so many recipients.
local function in_rcpt(n, verdicts)
  local player = server_player.session { verdicts = verdicts,
    config = { lmtp = true, trace = true, limits = { recipients = 5000 } } }
  player:output()
  player:cmd("LHLO x")
  player:cmd("MAIL FROM:<a@b.example>")
  player:feed(("RCPT TO:<c@d.example>\r\n"):rep(n)):output()
  return player
end

describe("LMTP of the core server", function()
  it("C122 knows LHLO alone", function()
    play(server_player.GREETING .. "C: HELO x\n" .. UNKNOWN .. "C: EHLO x\n" .. UNKNOWN
      .. "C: MAIL FROM:<a@b.example>\n" .. BAD .. "C: LHLO\nS: 501 ...\n")
    play_smtp(server_player.GREETING .. "C: LHLO x\n" .. UNKNOWN)
    local player = play(LHLO .. "C: lhlo [127.0.0.1]\nS: 250-mx.example\n"
      .. "S: 250-PIPELINING\nS: 250-SIZE ...\nS: 250-8BITMIME\nS: 250-ENHANCEDSTATUSCODES\n"
      .. "S: 250 CHUNKING\n" .. END)
    assert.same({ "helo", "client.code.energy", true }, player:events("helo")[1])
  end)

  it("C122 does so before TLS and AUTH too, and in a transaction", function()
    local config = { tls = true, tls_required = true, auth = { "PLAIN" }, auth_required = true }
    play(server_player.GREETING .. "C: HELO x\n" .. UNKNOWN .. "C: EHLO x\n" .. UNKNOWN
      .. "C: LHLO x\nS: 250-mx.example\nS: 250-PIPELINING\nS: 250-SIZE ...\nS: 250-8BITMIME\n"
      .. "S: 250-STARTTLS\nS: 250-ENHANCEDSTATUSCODES\nS: 250 CHUNKING\n"
      .. "C: MAIL FROM:<a@b.example>\nS: 530 ...\n", nil, config)
    local player = play(LHLO .. MAIL .. rcpt(1) .. "C: EHLO x\n" .. UNKNOWN .. GO
      .. "C: .\n" .. TAKEN)
    assert.same({}, player:events("reset"))
    player = play(LHLO .. MAIL .. rcpt(1) .. "C: BDAT 1\nC> x\nS: 250 2.0.0 Chunk received\n"
      .. "C: LHLO x\nS: 250-...\nS: 250-...\nS: 250-...\nS: 250-...\nS: 250-...\nS: 250 CHUNKING\n"
      .. "C: BDAT 0 LAST\n" .. BAD)
    assert.equal(1, #player:events("reset"))
  end)

  it("C125 offers PIPELINING and ENHANCEDSTATUSCODES", function()
    play(LHLO .. END)
  end)

  it("C124 has no content without a recipient", function()
    local refused = "C: RCPT TO:<c@d.example>\nS: 550 5.1.1 No such recipient here\n"
    play(LHLO .. MAIL .. "C: DATA\n" .. NONE .. refused .. "C: DATA\n" .. NONE
      .. "C: BDAT 3 LAST\nC> x\\r\\n\n" .. NONE .. END, { rcpt = "refuse" })
  end)

  it("C122 answers each recipient in the order of their RCPTs", function()
    local refused = "C: RCPT TO:<no@d.example>\nS: 550 5.1.1 No such recipient here\n"
    local verdicts = { message = { "accept", { "reply", 452, "4.2.2 full" }, "refuse",
      { "accept", nil, "queued as 42" } }, rcpt = { "accept", "refuse", "accept" } }
    local player = play(LHLO .. MAIL .. rcpt(1) .. refused .. rcpt(3) .. GO .. "C: x\nC: .\n"
      .. TAKEN .. "S: 452 4.2.2 full\nS: 554 5.7.1 Message refused\nS: 250 2.0.0 queued as 42\n"
      .. "C: DATA\n" .. BAD .. "C: NOOP\nS: 250 2.0.0 OK\n" .. END, verdicts)
    assert.same({ { "message", 3, nil, false, 4 } }, player:events("message"))
  end)

  it("C122 has one reply for one recipient, and as many for a second message", function()
    local player = play(LHLO .. (MAIL .. rcpt(1) .. GO .. "C: .\n" .. TAKEN):rep(2)
      .. MAIL .. rcpt(2) .. GO .. "C: .\n" .. TAKEN .. TAKEN .. END)
    assert.same({ { "message", 0, nil, false }, { "message", 0, nil, false },
      { "message", 0, nil, false, 2 } }, player:events("message"))
  end)

  it("C063 answers a chunk once, and each recipient at the last", function()
    play(LHLO .. MAIL .. rcpt(2) .. "C: BDAT 1\nC> a\nS: 250 2.0.0 Chunk received\n"
      .. "C: BDAT 0\nS: 250 2.0.0 Chunk received\nC: BDAT 2 LAST\nC> bc\n" .. TAKEN .. TAKEN
      .. "C: BDAT 2 LAST\nC> bc\n" .. BAD .. MAIL .. rcpt(2) .. "C: BDAT 2 LAST\nC> bc\n"
      .. TAKEN .. TAKEN .. END)
  end)

  it("C063 answers a chunk that is refused once", function()
    play(LHLO .. MAIL .. rcpt(3) .. "C: BDAT 2 LAST\nC> bc\nS: 554 5.7.1 Transaction refused\n"
      .. "C: BDAT 1 LAST\nC> x\n" .. BAD, { data = "refuse" })
    local bare = "S: 550 5.5.2 Bare CR, LF or NUL in message\n"
    local player = play(LHLO .. MAIL .. rcpt(3) .. "C: BDAT 3\nC> a\\nb\n" .. bare
      .. "C: BDAT 1 LAST\nC> x\n" .. BAD .. MAIL .. rcpt(3) .. "C: BDAT 3 LAST\nC> a\\nb\n"
      .. bare:rep(3) .. END)
    assert.equal(nil, player:events("message")[1][5])
    assert.equal(3, player:events("message")[2][5])
  end)

  it("C122 refuses for each recipient what it refuses by itself, whatever is said", function()
    local start = LHLO .. MAIL .. rcpt(2) .. GO
    for _, case in ipairs {
      { "C> a\\nb\\r\\n.\\r\\n\n", "S: 550 5.5.2 ...\n" },
      { "C> \\xc3\\xa9\\r\\n.\\r\\n\n", "S: 550 5.6.3 ...\n" },
      { "C: Received: x\nC: Received: y\nC: .\n", "S: 554 5.4.6 ...\n" },
      { "C: " .. ("x"):rep(40) .. "\nC: .\n", "S: 552 5.3.4 Message too big\n" },
    } do
      play(start .. case[1] .. case[2]:rep(2) .. MAIL .. END, nil, { refuse_eightbit = true,
        limits = { hops = 2, message_size = 36 } })
    end
  end)

  it("C122 tells each recipient that far too much came, and leaves", function()
    local much = "C> " .. ("x"):rep(60) .. "\n"
    local big = "S: 552 5.3.4 Message too big\n"
    local config = { limits = { message_size = 36 } }
    play(LHLO .. MAIL .. rcpt(2) .. GO .. much .. big:rep(2) .. "S: (closed)\n", nil, config, false)
    play(LHLO .. MAIL .. rcpt(2) .. "C: BDAT 99 LAST\n" .. much .. big:rep(2) .. "S: (closed)\n",
      nil, config, false)
    play(LHLO .. MAIL .. rcpt(2) .. "C: BDAT 99\n" .. much .. big .. "S: (closed)\n", nil,
      config, false)
    play_smtp(PRDR .. PRDR_MAIL .. rcpt(2) .. GO .. much .. big .. "S: (closed)\n", nil,
      config, false)
  end)

  it("sends 451 for a text that cannot be sent, and the others as they are", function()
    local failed = "S: 451 4.3.0 Local error, please try again later\n"
    play(LHLO .. MAIL .. rcpt(4) .. GO .. "C: .\n" .. failed .. TAKEN .. failed .. failed .. END,
      { message = { { "reply", 250, "a\rb" }, "accept", { "reply", 354, "x" },
        { "reply", 250, ("long "):rep(900) } } })
    play(LHLO .. MAIL .. rcpt(1) .. GO .. "C: .\nS: 250 2.0.0 caf?\n" .. MAIL, { message = {
      { "reply", 250, "caf\u{e9}" } } })
  end)

  it("says 421 where it is told to, and all the rest, and closes", function()
    play(LHLO .. MAIL .. rcpt(3) .. GO .. "C: .\n" .. TAKEN .. "S: 421 4.3.2 later\n" .. TAKEN
      .. "S: (closed)\n", { message = { "accept", { "reply", 421, "4.3.2 later" }, "accept" } })
  end)

  it("has room for all replies, and asks for no more than there are", function()
    local player = in_rcpt(5000, { message = { "reply", 250, ("y"):rep(480) } })
    player:cmd("DATA")
    local replies = player:cmd(".")
    assert.equal(5000, select(2, replies:gsub("250 2%.0%.0 y+\r\n", "")))
    assert.equal("250 2.0.0 OK\r\n", player:cmd("NOOP"))
    assert.error_matches(function() player.core:decide("accept") end, "no verdict is due")
  end)

  it("counts a message of which one recipient was accepted", function()
    play(LHLO .. MAIL .. rcpt(2) .. GO .. "C: .\nS: 250 ...\nS: 554 ...\n"
      .. "C: MAIL FROM:<a@b.example>\nS: 421 4.7.0 ...\nS: (closed)\n",
      { message = { "accept", "refuse" } }, { limits = { messages = 1 } })
  end)

  it("tries out a reply without saying it", function()
    local player = in_rcpt(1)
    for _, case in ipairs { { true, 250, "" }, { true, 452, "4.2.2 full" }, { true, 550, "a\nb" },
      { true, 421, "later" }, { true, 250, "caf\u{e9}" }, { false, 250, "a\rb" },
      { false, 250, "\0" }, { false, 354, "go" }, { false, 199, "x" }, { false, 560, "x" },
      { false, -1, "x" }, { false, 250, ("x "):rep(2048) }, { true, 250, ("x "):rep(1900) } } do
      assert.equal(case[1], player.core:sayable(case[2], case[3]), case[3]:sub(1, 9))
    end
    assert.equal("", player.core:peek())
    assert.equal("354", player:cmd("DATA"):sub(1, 3))
    assert.equal("250 2.0.0 Message accepted\r\n", player:cmd("."))
  end)
end)

describe("PRDR of the core server", function()
  it("answers each recipient behind a 353, and then for all", function()
    local player = play_smtp(PRDR .. PRDR_MAIL .. rcpt(3) .. GO .. "C: x\nC: .\n" .. EACH
      .. TAKEN .. "S: 550 5.7.1 spam\nS: 452 4.2.2 full\nS: 250 2.0.0 for some\n"
      .. "C: RCPT TO:<c@d.example>\n" .. BAD .. END, { message = { "accept",
        { "reply", 550, "spam" }, { "reply", 452, "4.2.2 full" }, { "accept", nil, "for some" } } })
    assert.same({ { "message", 3, nil, false, 4 } }, player:events("message"))
    assert.is_true(player:events("mail")[1][2].prdr)
  end)

  it("does the same with chunks, of which each has one reply", function()
    play_smtp(PRDR .. PRDR_MAIL .. rcpt(2) .. "C: BDAT 1\nC> a\nS: 250 2.0.0 Chunk received\n"
      .. "C: BDAT 1 LAST\nC> b\n" .. EACH .. TAKEN:rep(3) .. END)
  end)

  it("is SMTP for one recipient, or where it was not asked for", function()
    local refused = "C: RCPT TO:<no@d.example>\nS: 550 5.1.1 No such recipient here\n"
    play_smtp(PRDR .. PRDR_MAIL .. rcpt(1) .. refused .. GO .. "C: .\n" .. TAKEN .. END,
      { rcpt = { "accept", "refuse" } })
    play_smtp(PRDR .. MAIL .. rcpt(2) .. GO .. "C: .\n" .. TAKEN
      .. PRDR_MAIL .. "C: RSET\nS: 250 2.0.0 Reset\n" .. MAIL .. rcpt(2) .. GO .. "C: .\n" .. TAKEN)
  end)

  it("refuses for each recipient and for all what it refuses by itself", function()
    play_smtp(PRDR .. PRDR_MAIL .. rcpt(2) .. GO .. "C> a\\nb\\r\\n.\\r\\n\n" .. EACH
      .. ("S: 550 5.5.2 Bare CR, LF or NUL in message\n"):rep(3) .. END)
  end)

  it("has no value, and is not there where it is not offered, nor in LMTP", function()
    play_smtp(PRDR .. "C: MAIL FROM:<a@b.example> PRDR=1\nS: 501 5.5.4 ...\n"
      .. "C: MAIL FROM:<a@b.example> PRDR PRDR\nS: 501 5.5.4 ...\n" .. PRDR_MAIL)
    local unknown = "C: MAIL FROM:<a@b.example> PRDR\nS: 555 5.5.4 ...\n"
    server_player.play(server_player.EHLO .. unknown)
    play(LHLO .. unknown)
  end)
end)
