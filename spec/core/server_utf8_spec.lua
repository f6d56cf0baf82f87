-- SMTPUTF8 in the core server (RFC 6531).
local server_player = require "spec.support.server_player"

local EHLO = server_player.ehlo("SMTPUTF8")
local NEEDS = "S: 553 5.6.7 Non-ASCII address needs SMTPUTF8\n"
local OK = "S: 250 2.1.0 Sender OK\n"

local STRICT = { extensions = { "SMTPUTF8" }, strict = true }

local function play(script, options)
  local all = { config = { extensions = { "SMTPUTF8" } } }
  for key, value in pairs(options or {}) do all[key] = value end
  return server_player.play(script, all)
end

describe("SMTPUTF8 of the core server", function()
  it("C096 C097 comes with 8BITMIME, and lets UTF-8 into addresses", function()
    local player = play(EHLO .. "C: MAIL FROM:<\\xc3\\xa9@\\xc3\\xa9.example> SMTPUTF8\n" .. OK
      .. "C: RCPT TO:<\\xc3\\xbc@example.org>\nS: 250 2.1.5 Recipient OK\n")
    local sender = player:events("mail")[1][2]
    assert.same({ "\u{e9}@\u{e9}.example", true }, { sender.address, sender.smtputf8 })
    assert.equal("\u{fc}@example.org", player:events("rcpt")[1][2].address)
  end)

  local BAD = "S: 501 5.1.7 Bad sender address\n"

  local function mail(address) return "C: MAIL FROM:<" .. address .. "> SMTPUTF8\n" end

  -- RFC 5890 section 2.3.2.1, RFC 5892 section 2
  it("C097 strict takes no domain with what a U-label cannot have", function()
    local refused = { "ex\\xe2\\x80\\x8bample.com", "a.ex\\xe2\\x81\\xa0b",
      "\\xef\\xbb\\xbfx.com", "x\\xc2\\xad.com", "\\xc2\\xa0x.com", "a\\xe3\\x80\\x80b",
      "\\xc3\\x89.example", "a\\xe3\\x80\\x82b", "\\xef\\xbd\\x81.example" }
    for _, domain in ipairs(refused) do
      play(EHLO .. mail("a@" .. domain) .. BAD, { config = STRICT })
      play(EHLO .. mail("a@" .. domain) .. OK)
    end
    for _, domain in ipairs { "\\xc3\\xa9.example",
      "\\xe0\\xa4\\x95\\xe0\\xa5\\x8d\\xe2\\x80\\x8d.in", "\\xe4\\xbe\\x8b.\\xe8\\xaf\\x95",
      "\\xd9\\x85\\xe2\\x80\\x8c.example", "e\\xcc\\xa9.example" } do
      play(EHLO .. mail("a@" .. domain) .. OK, { config = STRICT })
    end
    play(EHLO .. mail("x\\xe2\\x80\\x8b@example.com") .. OK, { config = STRICT })
  end)

  it("C097 takes no control of Unicode and no end of a line", function()
    for _, char in ipairs { "\\xc2\\x80", "\\xc2\\x85", "\\xc2\\x9b", "\\xc2\\x9f",
      "\\xe2\\x80\\xa8", "\\xe2\\x80\\xa9" } do
      for _, address in ipairs { "a%sb@c.example", "%s@c.example", '"a%sb"@c.example', "a@b%sc" } do
        local line = mail((address:gsub("%%s", char)))
        play(EHLO .. line .. BAD)
        play(EHLO .. line .. BAD, { config = STRICT })
      end
    end
    play(EHLO .. mail("a\\xc2\\xa0\\xe2\\x80\\xa7\\xe2\\x80\\xaa@c.example") .. OK)
  end)

  it("C098 is asked for by 5.6.7", function()
    play(EHLO .. "C: MAIL FROM:<\\xc3\\xa9@x.example>\n" .. NEEDS
      .. "C: MAIL FROM:<a@x.example>\n" .. OK .. "C: RCPT TO:<\\xc3\\xa9@x.example>\n" .. NEEDS
      .. "C: RSET\nS: 250 2.0.0 Reset\nC: MAIL FROM:<a@x.example> SMTPUTF8\n" .. OK
      .. "C: RSET\nS: 250 2.0.0 Reset\nC: MAIL FROM:<a@x.example>\n" .. OK
      .. "C: RCPT TO:<\\xc3\\xa9@x.example>\n" .. NEEDS)
    server_player.play(server_player.EHLO .. "C: MAIL FROM:<a@x.example> SMTPUTF8\n"
      .. "S: 555 5.5.4 Parameter not recognized\n")
  end)

  it("C097 is a parameter of VRFY", function()
    local player = play(EHLO .. "C: VRFY \\xc3\\xa9\n" .. NEEDS
      .. "C: VRFY \\xc3\\xa9 smtputf8\nS: 252 ...\n"
      .. "C: VRFY SMTPUTF8\nS: 252 ...\n")
    assert.same({ { "vrfy", "\u{e9}" }, { "vrfy", "SMTPUTF8" } }, player:events("vrfy"))
  end)

  it("C100 lets UTF-8 into replies", function()
    local verdicts = { mail = { "reply", 250, "2.1.0 d'accord, Andr\u{e9}" },
      rcpt = { "reply", 550, "5.1.1 bo\u{ee}te \u{1f4ed}" } }
    play(EHLO .. "C: MAIL FROM:<a@x.example>\nS: 250 2.1.0 d'accord, Andr?\n"
      .. "C: RCPT TO:<c@d.example>\nS: 550 5.1.1 bo?te ?\n", { verdicts = verdicts })
    verdicts.mail[3] = "2.1.0 ok"
    play(EHLO .. "C: MAIL FROM:<a@x.example> SMTPUTF8\nS: 250 2.1.0 ok\n"
      .. "C: RCPT TO:<c@d.example>\nS: 550 5.1.1 bo\\xc3\\xaete \\xf0\\x9f\\x93\\xad\n",
      { verdicts = verdicts })
  end)

  it("C100 does so for a transaction, and for the VRFY that asks", function()
    local verdicts = { vrfy = { "reply", 252, "2.5.0 Andr\u{e9}" },
      mail = { { "reply", 550, "5.7.1 non, Andr\u{e9}" }, { "accept" } } }
    local ascii, utf8 = "S: 252 2.5.0 Andr?\n", "S: 252 2.5.0 Andr\\xc3\\xa9\n"
    play(EHLO .. "C: VRFY x\n" .. ascii .. "C: VRFY x SMTPUTF8\n" .. utf8 .. "C: VRFY x\n" .. ascii
      .. "C: MAIL FROM:<a@x.example> SMTPUTF8\nS: 550 5.7.1 non, Andr\\xc3\\xa9\n"
      .. "C: VRFY x\n" .. ascii .. "C: MAIL FROM:<a@x.example> SMTPUTF8\n" .. OK
      .. "C: VRFY x\n" .. utf8 .. "C: RSET\nS: 250 2.0.0 Reset\nC: VRFY x\n" .. ascii,
      { verdicts = verdicts })
  end)
end)
