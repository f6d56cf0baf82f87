-- AUTH on the server's side (RFC 4954): who may say it, the exchange, and what
-- each outcome is answered with. The mechanisms themselves are sasl_spec.lua.
local core = require "smtp.core"
local server_player = require "spec.support.server_player"
local play = server_player.play
local GREETING, HELO = server_player.GREETING, server_player.HELO

local function b64(text) return core.base64((text:gsub("|", "\0"))) end

-- A session of EHLO with these mechanisms, without TLS.
local function config(mechanisms, more)
  local all = { auth = mechanisms, auth_cleartext = true }
  for key, value in pairs(more or {}) do all[key] = value end
  return all
end

local function ehlo(mechanisms) return server_player.ehlo("AUTH " .. mechanisms) end

local OK = "S: 235 2.7.0 Authentication succeeded\n"
local NO = "S: 535 5.7.8 Authentication credentials invalid\n"
local BAD = "S: 501 5.5.2 Cannot decode the response\n"
local SEQUENCE = "S: 503 5.5.1 Bad sequence of commands\n"
local ADA = b64("|ada|secret")

describe("AUTH of the core server", function()
  it("takes PLAIN with an initial response, and after a challenge", function()
    local player = play(ehlo("PLAIN") .. "C: AUTH PLAIN " .. ADA .. "\n" .. OK,
      { config = config { "PLAIN" } })
    assert.same({ mechanism = "PLAIN", user = "ada", password = "secret", verified = false },
      player:events("auth")[1][2])
    player = play(ehlo("PLAIN") .. "C: auth plain\nS: 334 \nC: " .. b64("eve|ada|secret") .. "\n"
      .. OK, { config = config { "PLAIN" } })
    assert.equal("eve", player:events("auth")[1][2].authzid)
  end)

  it("takes LOGIN by its two prompts, or with the name at once", function()
    for _, first in ipairs { "C: AUTH LOGIN\nS: 334 " .. b64("Username:") .. "\nC: " .. b64("ada"),
      "C: AUTH LOGIN " .. b64("ada") } do
      local player = play(ehlo("LOGIN") .. first .. "\nS: 334 " .. b64("Password:") .. "\nC: "
        .. b64("secret") .. "\n" .. OK, { config = config { "LOGIN" } })
      assert.same({ mechanism = "LOGIN", user = "ada", password = "secret", verified = false },
        player:events("auth")[1][2])
    end
  end)

  it("C080 takes = for an empty initial response", function()
    local name = "ada@code.energy"
    local player = play(ehlo("EXTERNAL") .. "C: AUTH EXTERNAL =\n" .. OK,
      { config = { auth = { "EXTERNAL" } }, implicit = { name } })
    assert.same({ mechanism = "EXTERNAL", user = name, verified = true },
      player:events("auth")[1][2])
    play(ehlo("PLAIN") .. "C: AUTH PLAIN =\n" .. BAD, { config = config { "PLAIN" } })
  end)

  it("C081 answers 501 to what is not base64, and the session goes on", function()
    for _, response in ipairs { "AGFk=YQ==", "AGFkYQ", "?", "A GFk", "A\tGFk", "AB==", "====",
      "=" .. ADA } do
      play(ehlo("PLAIN") .. "C: AUTH PLAIN " .. response .. "\n" .. BAD .. "C: AUTH PLAIN " .. ADA
        .. "\n" .. OK, { config = config { "PLAIN" } })
      play(ehlo("PLAIN") .. "C: AUTH PLAIN\nS: 334 \nC: " .. response .. "\n" .. BAD
        .. "C: NOOP\nS: 250 2.0.0 OK\n", { config = config { "PLAIN" } })
    end
  end)

  it("C005 C081 blanks around a response are lenient's", function()
    for _, response in ipairs { ADA .. " ", ADA .. "\\t", " " .. ADA, "\\t " .. ADA .. " \\t" } do
      local text = ehlo("PLAIN") .. "C: AUTH PLAIN\nS: 334 \nC: " .. response .. "\n"
      play(text .. OK, { config = config { "PLAIN" } })
      play(text .. BAD, { config = config({ "PLAIN" }, { strict = true }) })
    end
    for _, line in ipairs { "AUTH\\tPLAIN\\t", "AUTH PLAIN  ", "auth  plain \\t" } do
      play(ehlo("PLAIN") .. "C: " .. line .. ADA .. " \n" .. OK, { config = config { "PLAIN" } })
    end
    play(ehlo("LOGIN") .. "C: AUTH LOGIN\nS: 334 " .. b64("Username:") .. "\nC: " .. b64("ada")
      .. " \nS: 334 " .. b64("Password:") .. "\nC: " .. b64("secret") .. "\\t\n" .. OK,
      { config = config { "LOGIN" } })
    play(ehlo("PLAIN") .. "C: AUTH PLAIN\nS: 334 \nC: * \nS: 501 5.7.0 Authentication cancelled\n",
      { config = config { "PLAIN" } })
  end)

  it("tells of wrong credentials, if it is asked to", function()
    local function failures(mechanism, lines, options)
      options.config = config({ mechanism }, { failures = true })
      return #play(ehlo(mechanism) .. lines, options):events("auth_failed")
    end
    local no = { verdicts = { auth = "refuse" } }
    assert.equal(1, failures("PLAIN", "C: AUTH PLAIN " .. ADA .. "\n" .. NO, no))
    assert.equal(3, failures("PLAIN", ("C: AUTH PLAIN " .. ADA .. "\n" .. NO):rep(2)
      .. "C: AUTH PLAIN " .. ADA .. "\nS: 421 ...\nS: (closed)", no))
    assert.equal(0, failures("PLAIN", "C: AUTH PLAIN " .. ADA .. "\n" .. OK, {}))
    assert.equal(0, failures("PLAIN", "C: AUTH PLAIN " .. ADA .. "\nS: 454 ...",
      { verdicts = { auth = "fail" } }))
    assert.equal(0, failures("PLAIN", "C: AUTH PLAIN ?\n" .. BAD, {}))
    assert.equal(1, failures("CRAM-MD5", "C: AUTH CRAM-MD5\nS: 334 ...\nC: "
      .. b64("ada " .. ("0"):rep(32)) .. "\n" .. NO, { keys = { ada = "secret" } }))
  end)

  it("C089 wants exactly two NULs and a user in PLAIN", function()
    for _, message in ipairs { "ada", "|ada", "|ada|secret|", "||secret", "|ada|", "a|b|c|d" } do
      play(ehlo("PLAIN") .. "C: AUTH PLAIN " .. b64(message) .. "\n" .. BAD,
        { config = config { "PLAIN" } })
    end
  end)

  it("C082 comes neither in a transaction nor twice nor before EHLO", function()
    play(ehlo("PLAIN") .. [[
      C: MAIL FROM:<ada@code.energy>
      S: 250 2.1.0 Sender OK
      C: AUTH PLAIN
    ]] .. SEQUENCE .. [[
      C: RSET
      S: 250 2.0.0 Reset
      C: AUTH PLAIN ]] .. ADA .. "\n" .. OK .. "C: AUTH PLAIN " .. ADA .. "\n" .. SEQUENCE,
      { config = config { "PLAIN" } })
    play(GREETING .. "C: AUTH PLAIN\n" .. SEQUENCE, { config = config { "PLAIN" } })
    play(HELO .. "C: AUTH PLAIN\n" .. SEQUENCE, { config = config { "PLAIN" } })
  end)

  it("C083 is cancelled by *, with 501", function()
    play(ehlo("LOGIN") .. "C: AUTH LOGIN\nS: 334 " .. b64("Username:") .. [[

      C: *
      S: 501 5.7.0 Authentication cancelled
      C: AUTH LOGIN ]] .. b64("ada") .. "\nS: 334 " .. b64("Password:") .. [[

      C: *
      S: 501 5.7.0 Authentication cancelled
      C: MAIL FROM:<ada@code.energy>
      S: 250 2.1.0 Sender OK
    ]], { config = config { "LOGIN" } })
  end)

  it("C084 answers a verdict by the codes of RFC 4954", function()
    for verdict, reply in pairs {
      refuse = "535 5.7.8 Authentication credentials invalid",
      nothing = "535 5.7.8 Authentication credentials invalid",
      fail = "454 4.7.0 Temporary authentication failure",
    } do
      play(ehlo("PLAIN") .. "C: AUTH PLAIN " .. ADA .. "\nS: " .. reply .. "\n",
        { config = config { "PLAIN" }, verdicts = { auth = verdict } })
    end
    for reply, expected in pairs {
      [{ "reply", 534, "5.7.9 too weak" }] = "534 5.7.9 too weak",
      [{ "reply", 432, "4.7.12 change it first" }] = "432 4.7.12 change it first",
      [{ "reply", 535, "no" }] = "535 5.7.8 no",
      [{ "reply", 454, "later" }] = "454 4.7.0 later",
      [{ "accept", 0, "hello ada" }] = "235 2.7.0 hello ada",
      [{ "reply", 250, "fine" }] = "235 2.7.0 fine",
      [{ "reply", 535, "a\rb" }] = "454 4.7.0 Temporary authentication failure",
      [{ "reply", 999, "x" }] = "454 4.7.0 Temporary authentication failure",
    } do
      play(ehlo("PLAIN") .. "C: AUTH PLAIN " .. ADA .. "\nS: " .. expected .. "\n",
        { config = config { "PLAIN" }, verdicts = { auth = function()
          return table.unpack(reply)
        end } })
    end
  end)

  it("C084 is 538 without TLS, 504 for what is not offered, 502 where there is none", function()
    play(server_player.EHLO .. "C: AUTH PLAIN " .. ADA .. [[

      S: 538 5.7.11 Encryption required to authenticate
    ]], { config = { auth = { "PLAIN" } } })
    play(ehlo("PLAIN") .. "C: auth Plain " .. ADA .. "\n" .. OK, { config = config { "PLAIN" } })
    play(ehlo("PLAIN") .. [[
      C: AUTH CRAM-MD5
      S: 504 5.5.4 Authentication mechanism not offered
      C: AUTH NOVEL dGVzdA==
      S: 504 5.5.4 Authentication mechanism not offered
      C: AUTH
      S: 501 5.5.4 Syntax error in arguments
    ]], { config = config { "PLAIN" } })
    play(server_player.EHLO .. "C: AUTH PLAIN\nS: 502 5.5.1 Command not implemented\n")
  end)

  it("C084 takes a line of 12288 bytes and no more, 500 5.5.6 beyond", function()
    local function line(n, before)
      return ("A"):rep(n - 2 - #before)
    end
    for n, reply in pairs { [12288] = BAD, [12289] = "S: 500 5.5.6 ...\n" } do
      play(ehlo("PLAIN") .. "C: AUTH PLAIN " .. line(n, "AUTH PLAIN ") .. "\n" .. reply
        .. "C: NOOP\nS: 250 2.0.0 OK\n", { config = config { "PLAIN" }, step = 997 })
      play(ehlo("PLAIN") .. "C: AUTH PLAIN\nS: 334 \nC: " .. line(n, "") .. "\n" .. reply
        .. "C: NOOP\nS: 250 2.0.0 OK\n", { config = config { "PLAIN" }, step = 997 })
    end
    -- Without AUTH the line is as long as any other.
    play(server_player.EHLO .. "C: AUTH PLAIN " .. line(2049, "AUTH PLAIN ") .. [[

      S: 500 5.5.6 Line too long
    ]], { step = 97 })
  end)

  it("ends after three failures with 421", function()
    for _, script in ipairs {
      "C: AUTH PLAIN " .. ADA .. "\n", "C: AUTH PLAIN\nS: 334 \nC: " .. ADA .. "\n",
    } do
      play(ehlo("PLAIN") .. script .. NO .. script .. NO .. script .. [[
        S: 421 4.7.0 Too many failed authentications
        S: (closed)
      ]], { config = config { "PLAIN" }, verdicts = { auth = "refuse" } })
    end
  end)

  it("C093 C168 tells why a token is refused, and then 535", function()
    local bearer = b64("n,a=ada,\1auth=Bearer tok\1\1")
    local player = play(ehlo("OAUTHBEARER") .. "C: AUTH OAUTHBEARER " .. bearer .. "\nS: 334 "
      .. b64('{"status":"invalid_token"}') .. "\nC: AQ==\n" .. NO
      .. "C: AUTH OAUTHBEARER " .. bearer .. "\nS: 334 ...\nC: *\n" .. NO,
      { config = config { "OAUTHBEARER" }, verdicts = { auth = "refuse" } })
    assert.equal("tok", player:events("auth")[1][2].token)
    play(ehlo("XOAUTH2") .. "C: AUTH XOAUTH2 " .. b64("user=ada\1auth=Bearer tok\1\1")
      .. "\nS: 334 ...\nC: \nS: 534 5.7.9 use another one\n",
      { config = config { "XOAUTH2" },
        verdicts = { auth = { "reply", 534, "5.7.9 use another one" } } })
    play(ehlo("OAUTHBEARER") .. "C: AUTH OAUTHBEARER " .. bearer .. "\n" .. OK,
      { config = config { "OAUTHBEARER" } })
  end)

  it("tells only the mechanism, never a response, to who traces", function()
    local function lines(script, mechanism)
      local player = play(ehlo(mechanism) .. script,
        { config = config({ mechanism }, { trace = true }) })
      local list = {}
      for _, entry in ipairs(player:events("line")) do list[#list + 1] = entry[2] end
      return list
    end
    assert.same({ "EHLO client.code.energy\r\n", "AUTH PLAIN" },
      lines("C: AUTH PLAIN " .. ADA .. "\n" .. OK, "PLAIN"))
    assert.same({ "EHLO client.code.energy\r\n", "AUTH PLAIN\r\n", "***" },
      lines("C: AUTH PLAIN\nS: 334 \nC: " .. ADA .. "\n" .. OK, "PLAIN"))
    assert.same({ "EHLO client.code.energy\r\n", "AUTH   NOVEL" },
      lines("C: AUTH   NOVEL " .. ADA .. "\nS: 504 ...\n", "PLAIN"))
  end)

  describe("of an AUTH that is written oddly", function()
    local function told(line, limits)
      local session = core.server_config(config({ "PLAIN" }, { trace = true, limits = limits }))
        :session()
      assert.equal("connect", (session:next()))
      session:decide("accept")
      session:sent(#session:peek())
      session:feed(line .. "\r\n")
      local event, text
      repeat event, text = session:next() until event ~= "reply"
      assert.equal("line", event)
      return text
    end

    it("tells no response", function()
      for line, shown in pairs {
        ["AUTH\tPLAIN\t"] = "AUTH\tPLAIN", ["AUTH PLAIN\t"] = "AUTH PLAIN",
        [" AUTH PLAIN "] = " AUTH PLAIN", ["AUTH "] = "AUTH",
        ["AUTH\0PLAIN "] = "AUTH\0PLAIN", ["AUTHPLAIN "] = "AUTH",
      } do
        assert.equal(shown, told(line .. ADA))
      end
    end)

    it("tells no response that was cut to what may be a mechanism", function()
      local limits = { line = 512, auth_line = 512 }
      local long = ("SECRET"):rep(100)
      assert.equal("AUTH", told("AUTH" .. (" "):rep(54) .. long, limits))
      assert.equal("AUTH", told("AUTH PLAIN" .. (" "):rep(53) .. long, limits))
      assert.equal("AUTH PLAIN", told("AUTH PLAIN " .. ADA, limits))
    end)
  end)

  it("counts a refused token, whatever answers the challenge", function()
    local token = b64("user=ada\1auth=Bearer tok\1\1")
    local once = "C: AUTH XOAUTH2 " .. token .. "\nS: 334 ...\nC: " .. ("A"):rep(600) .. "\n"
    play(ehlo("XOAUTH2") .. once .. NO .. once .. NO .. once
      .. "S: 421 4.7.0 Too many failed authentications\nS: (closed)\n",
      { config = config({ "XOAUTH2" }, { limits = { line = 512, auth_line = 512 } }),
        verdicts = { auth = "refuse" } })
  end)

  it("takes no command within an exchange", function()
    play(ehlo("PLAIN") .. "C: AUTH PLAIN\nS: 334 \nC: RSET\n" .. BAD .. "C: AUTH PLAIN\nS: 334 \n"
      .. "C: QUIT\n" .. BAD .. "C: QUIT\nS: 221 2.0.0 Goodbye\nS: (closed)\n",
      { config = config { "PLAIN" } })
  end)

  it("C101 is 530 where it is required, for all but the commands that lead to it", function()
    local MUST = "S: 530 5.7.0 Authentication required\n"
    play(ehlo("PLAIN") .. "C: MAIL FROM:<a@b>\n" .. MUST .. "C: VRFY ada\n" .. MUST
      .. "C: NOOP\nS: 250 2.0.0 OK\nC: RSET\nS: 250 2.0.0 Reset\n"
      .. "C: AUTH PLAIN " .. ADA .. "\n" .. OK
      .. "C: MAIL FROM:<a@b>\nS: 250 2.1.0 Sender OK\n",
      { config = config({ "PLAIN" }, { auth_required = true }) })
  end)

  it("C085 takes AUTH= of MAIL, and believes it of those who are authenticated only", function()
    local player = play(ehlo("PLAIN") .. [[
      C: MAIL FROM:<a@b> AUTH=e+3Dmc2@example.com
      S: 250 2.1.0 Sender OK
      C: RSET
      S: 250 2.0.0 Reset
      C: AUTH PLAIN ]] .. ADA .. "\n" .. OK .. [[
      C: MAIL FROM:<a@b> AUTH=e+3Dmc2@example.com
      S: 250 2.1.0 Sender OK
      C: RSET
      S: 250 2.0.0 Reset
      C: MAIL FROM:<a@b> AUTH=<>
      S: 250 2.1.0 Sender OK
      C: RSET
      S: 250 2.0.0 Reset
      C: MAIL FROM:<a@b> AUTH=+3d
      S: 501 5.5.4 Syntax error in arguments
    ]], { config = config { "PLAIN" } })
    local mails = player:events("mail")
    assert.same({ "", "e=mc2@example.com", "" },
      { mails[1][2].auth, mails[2][2].auth, mails[3][2].auth })
    play(server_player.EHLO ..
      "C: MAIL FROM:<a@b> AUTH=<>\nS: 555 5.5.4 Parameter not recognized\n")
  end)

  it("offers the strongest first, and -PLUS and EXTERNAL only where they can be", function()
    local all = { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS",
      "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "XOAUTH2", "OAUTHBEARER", "EXTERNAL" }
    local function offered(options)
      local player = server_player.session(options)
      player:output()
      return player:cmd("EHLO x"):match("AUTH ([^\r]+)")
    end
    local rest = "OAUTHBEARER XOAUTH2 PLAIN LOGIN CRAM-MD5"
    assert.equal("SCRAM-SHA-256 SCRAM-SHA-1 " .. rest, offered { config = config(all) })
    assert.equal("SCRAM-SHA-256 SCRAM-SHA-1 " .. rest, offered { config = config(all),
      implicit = {} })
    local bound = "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 "
    assert.equal(bound .. rest, offered { config = { auth = all }, implicit = { "", "", "end" } })
    assert.equal(bound .. "EXTERNAL " .. rest, offered { config = { auth = all },
      implicit = { "ada", ("x"):rep(32) } })
    assert.is_nil(offered { config = { auth = all } })
  end)
end)

describe("keys that are looked up", function()
  local function response(challenge, user, password)
    local sasl = core.sasl_client("CRAM-MD5", { user = user, password = password })
    sasl:first()
    local _, bytes = sasl:next(core.unbase64(challenge))
    return core.base64(bytes)
  end

  local function cram(user, password, options)
    options.config = config { "CRAM-MD5" }
    local player = server_player.session(options)
    player:output()
    player:cmd("EHLO x")
    local challenge = player:cmd("AUTH CRAM-MD5"):match("^334 (%S+)\r\n$")
    return player:cmd(response(challenge, user, password)), player
  end

  it("of CRAM-MD5 are a password; without one it is as a wrong one", function()
    local reply, player = cram("ada", "secret", { keys = { ada = "secret" } })
    assert.equal("235 2.7.0 Authentication succeeded\r\n", reply)
    assert.same({ "connect", "helo", "lookup", "auth" }, player:names())
    assert.is_true(player:events("auth")[1][2].verified)
    for _, keys in ipairs { { ada = "other" }, {}, { ada = core.scram_keys("secret") } } do
      reply, player = cram("ada", "secret", { keys = keys })
      assert.equal("535 5.7.8 Authentication credentials invalid\r\n", reply)
      assert.same({ "connect", "helo", "lookup" }, player:names())
    end
  end)

  it("may be refused by the verdict all the same", function()
    local reply = cram("ada", "secret", { keys = { ada = "secret" },
      verdicts = { auth = { "reply", 535, "5.7.8 not now" } } })
    assert.equal("535 5.7.8 not now\r\n", reply)
  end)

  it("are 454 where nobody could tell", function()
    local player = server_player.session { config = config { "CRAM-MD5" } }
    player:output()
    player:cmd("EHLO x")
    local challenge = player:cmd("AUTH CRAM-MD5"):match("^334 (%S+)\r\n$")
    player.core:feed(response(challenge, "ada", "x") .. "\r\n")
    assert.equal("lookup", (player.core:next()))
    assert.is_nil(player.core:deadline()) -- the handler's own clock
    assert.error_matches(function() player.core:decide("accept") end, "no verdict is due")
    player.core:lookup_failed()
    assert.equal("454 4.7.0 Temporary authentication failure\r\n", player:output())
  end)

  it("C094 answer a challenge that nobody can know beforehand", function()
    local seen = {}
    for _ = 1, 50 do
      local player = server_player.session { config = config { "CRAM-MD5" } }
      player:output()
      player:cmd("EHLO x")
      local challenge = core.unbase64(player:cmd("AUTH CRAM-MD5"):match("^334 (%S+)"))
      assert.matches("^<%w+%.%w+@mx%.example>$", challenge)
      assert.is_nil(seen[challenge])
      seen[challenge] = true
    end
    play(ehlo("CRAM-MD5") .. "C: AUTH CRAM-MD5 " .. b64("ada x") .. "\n" .. BAD,
      { config = config { "CRAM-MD5" } })
  end)
end)
