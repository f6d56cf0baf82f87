-- SPDX-License-Identifier: MIT
-- swaks against our server, with each of its options of the protocol.
local inbox = require "spec.support.inbox"
local net = require "spec.support.net"
local process = require "spec.support.process"
local secure = require "spec.support.secure"
local serve = require "spec.support.serve"

local missing = process.missing("swaks")

-- The protocols: the greeting, and the word after "with" in Received.
local PROTOCOLS = {
  SMTP = { "HELO", "SMTP" }, SMTPS = { "HELO", "SMTP" },
  ESMTP = { "EHLO", "ESMTP" }, ESMTPA = { "EHLO", "ESMTPA" },
  ESMTPS = { "EHLO", "ESMTPS" }, ESMTPSA = { "EHLO", "ESMTPSA" },
  SSMTP = { "EHLO", "ESMTPS" }, SSMTPA = { "EHLO", "ESMTPSA" },
  LMTP = { "LHLO", "LMTP" }, LMTPA = { "LHLO", "LMTPA" },
  LMTPS = { "LHLO", "LMTPS" }, LMTPSA = { "LHLO", "LMTPSA" },
}
local NO_PRDR = 30 -- the exit status
local AT_ONCE = { SMTPS = true, SSMTP = true, SSMTPA = true } -- TLS from the first byte

describe("swaks, with options of the protocol,", function()
  if missing then
    pending(missing)
    return
  end
  local _, support, more = process.run { "swaks", "--support" }
  local has_tls = (support .. more):find("TLS supported", 1, true)

  local function swaks(port, ...)
    return process.run { "swaks", "--server", "127.0.0.1", "--port", port,
      "--helo", "client.example.org", "--from", "ada@example.org", "--to", "bob@example.com", ... }
  end

  -- A server whose sessions' ends are kept besides.
  local function open(options)
    local ends = {}
    options = options or {}
    options.on_close = function(_, summary) ends[#ends + 1] = summary end
    local server, mails = inbox.open(options)
    return server, mails, ends
  end

  -- The verbs that the server heard.
  local function verbs(mails)
    local list = {}
    for i, command in ipairs(mails.commands) do list[i] = command:match("^%a+") end
    return table.concat(list, " ")
  end

  for protocol, how in pairs(PROTOCOLS) do
    local tls = AT_ONCE[protocol] or how[2]:find("PSA?$") ~= nil
    local try = (has_tls or not tls) and it or pending

    try("C079 speaks " .. protocol, function()
      local place <close> = secure.open { lmtp = how[1] == "LHLO",
        auth = { mechanisms = { "PLAIN" }, cleartext = true } }
      local user = protocol:find("A$") and secure.USER or nil
      local status, out, err = swaks(AT_ONCE[protocol] and place.implicit or place.port,
        "--protocol", protocol,
        table.unpack(user and { "--auth-user", user, "--auth-password", secure.PASSWORD } or {}))
      assert.equal(0, status, out .. err)
      assert.equal(1, #place.mails)
      local mail = place.mails[1]
      assert.equal(how[1], place.mails.commands[1]:match("^%a+"))
      assert.equal("client.example.org", mail.helo)
      assert.truthy(mail.received:find((" with %s id "):format(how[2]), 1, true), mail.received)
      assert.equal(user, mail.user)
      assert.equal(tls, mail.tls ~= nil)
    end)
  end

  it("C122 does not speak SMTP to LMTP, nor LMTP to SMTP", function()
    for _, case in ipairs { { true, "ESMTP" }, { false, "LMTP" } } do
      local server <close>, mails = open { lmtp = case[1] }
      local status, out = swaks(server.port, "--protocol", case[2])
      assert.equal(22, status, out)
      assert.truthy(out:find("<** 50[02] "), out)
      assert.equal(0, #mails)
    end
  end)

  for protocol, option in pairs { SMTP = "--helo", ESMTP = "--ehlo", LMTP = "--lhlo" } do
    it("names itself by " .. option, function()
      local server <close>, mails = open { lmtp = protocol == "LMTP" }
      for _, name in ipairs { "other.example.net", "[127.0.0.1]", "[IPv6:::1]" } do
        local status, out = swaks(server.port, "--protocol", protocol, option, name)
        assert.equal(0, status, out)
        assert.equal(name, mails[#mails].helo)
      end
      local status, out = swaks(server.port, "--protocol", protocol, option, "no name")
      assert.equal(22, status, out)
      assert.truthy(out:find("<** 501 ", 1, true), out)
    end)
  end

  for _, lmtp in ipairs { false, true } do
    local protocol = lmtp and "LMTP" or "ESMTP"

    it("speaks " .. protocol .. " over a Unix socket", function()
      local folder = net.folder()
      local _ <close>, mails = open { lmtp = lmtp, listen = "unix:" .. folder .. "/sock" }
      local status, out = process.run { "swaks", "--socket", folder .. "/sock", "--protocol",
        protocol, "--helo", "client.example.org", "--from", "ada@example.org",
        "--to", "bob@example.com" }
      assert.equal(0, status, out)
      assert.equal(1, #mails)
      net.remove(folder)
    end)
  end

  it("C122 pipelines LMTP, and hears of each recipient", function()
    local server <close>, mails = open { lmtp = true, on_rcpt = function(_, recipient)
      return recipient.user ~= "eve"
    end, on_message = function(_, message)
      message:read()
      for i, recipient in ipairs(message.recipients) do
        message:reply(recipient, i == 1 and 250 or 452, i == 1 and "2.0.0 kept" or "4.2.2 full")
      end
      return true
    end }
    local status, out = swaks(server.port, "--protocol", "LMTP", "--pipeline", "--to",
      "bob@example.com,eve@example.com,charles@example.com")
    assert.equal(0, status, out)
    assert.truthy(out:find("<-  250 2.0.0 kept\n<** 452 4.2.2 full\n", 1, true), out)
    assert.equal("LHLO MAIL RCPT RCPT RCPT DATA QUIT", verbs(mails))
  end)

  for _, pipeline in ipairs { false, true } do
    local function prdr(server, ...)
      return swaks(server.port, "--prdr", "--to", ..., table.unpack(
        pipeline and { "--pipeline" } or {}))
    end

    it("hears of each recipient by PRDR" .. (pipeline and ", pipelined" or ""), function()
      local server <close>, mails = open { extensions = { PRDR = true },
        on_message = function(session, message)
          message:read()
          assert.is_true(session.sender.prdr)
          for _, recipient in ipairs(message.recipients) do
            if recipient.user == "eve" then message:reply(recipient, 550, "5.7.1 not for eve") end
          end
          return true
        end }
      local status, out = prdr(server, "bob@example.com,eve@example.com,charles@example.com")
      assert.equal(0, status, out)
      assert.truthy(out:find("<-  353 ", 1, true), out)
      assert.truthy(out:find("<-  250 2.0.0 [^\n]*\n<%*%* 550 5.7.1 not for eve\n<%-  250 2.0.0 "
        .. "[^\n]*\n<%-  250 2.0.0 [^\n]*\n"), out)
      assert.truthy(mails.commands[2]:find(" PRDR$"), mails.commands[2])
      assert.equal(1, server:stats().messages)
      assert.is_nil(mails.error)
    end)
  end

  it("needs PRDR to be offered, and gets no more replies for one recipient", function()
    local server <close>, mails = open {}
    local without = swaks(server.port, "--prdr", "--to", "bob@example.com,eve@example.com")
    assert.equal(NO_PRDR, without)
    assert.equal("EHLO QUIT", verbs(mails))
    local other <close>, kept = open { extensions = { PRDR = true } }
    local status, out = swaks(other.port, "--prdr")
    assert.equal(0, status, out)
    assert.is_nil(out:find(" 353 ", 1, true), out)
    assert.equal(1, #kept)
  end)

  -- Where it stops, and what was said until then.
  local STOPS = {
    { "CONNECT", "" }, { "BANNER", "" }, { "FIRST-EHLO", "EHLO" }, { "EHLO", "EHLO" },
    { "STARTTLS", "EHLO" }, { "TLS", "EHLO" }, { "AUTH", "EHLO" }, { "MAIL", "EHLO MAIL" },
    { "FROM", "EHLO MAIL" }, { "RCPT", "EHLO MAIL RCPT" }, { "TO", "EHLO MAIL RCPT" },
  }

  -- It knows more of them where it hears the reply before it goes.
  local DROPS = { ["--drop-after"] = table.move(STOPS, 1, #STOPS, 1, {}),
    ["--drop-after-send"] = { { "EHLO" }, { "MAIL" }, { "FROM" }, { "RCPT" }, { "TO" } } }

  for _, stop in ipairs(STOPS) do
    it("quits after " .. stop[1], function()
      local server <close>, mails, ends = open()
      local status, out = swaks(server.port, "--quit-after", stop[1])
      assert.equal(0, status, out)
      serve.wait(function() return ends[1] end, "the end of the session")
      assert.equal((stop[2] .. " QUIT"):match("^ ?(.*)$"), verbs(mails))
      assert.same({ "quit", 0 }, { ends[1].reason, ends[1].messages })
      assert.truthy(out:find("<-  221 ", 1, true), out)
    end)
  end

  for option, stops in pairs(DROPS) do
    stops[#stops + 1] = { "DATA" }

    for _, stop in ipairs(stops) do
      it(("goes by %s %s"):format(option, stop[1]), function()
        local server <close>, mails, ends = open()
        local _, out = swaks(server.port, option, stop[1])
        serve.wait(function() return ends[1] end, "the end of the session")
        assert.equal("closed", ends[1].reason, out)
        assert.equal(0, #mails)
        assert.is_nil(out:find("QUIT", 1, true), out)
        assert.equal(0, server:stats().connections)
      end)
    end

    it(("has sent the message when it goes by %s DOT"):format(option), function()
      local server <close>, mails, ends = open()
      swaks(server.port, option, "DOT")
      serve.wait(function() return ends[1] end, "the end of the session")
      assert.equal(1, #mails)
      assert.equal(1, ends[1].messages)
      assert.equal("EHLO MAIL RCPT DATA", verbs(mails))
    end)
  end

  it("quits and goes after XCLIENT", function()
    for option, reason in pairs { ["--quit-after"] = "quit", ["--drop-after"] = "closed",
      ["--drop-after-send"] = "closed" } do
      local server <close>, mails, ends = open { on_rcpt = true, xclient = { "127.0.0.1" } }
      swaks(server.port, "--xclient-addr", "192.0.2.7", option, "XCLIENT")
      serve.wait(function() return ends[1] end, "the end of the session")
      assert.equal(reason, ends[1].reason)
      assert.equal("EHLO XCLIENT" .. (reason == "quit" and " QUIT" or ""), verbs(mails))
    end
  end)

  it("quits in the middle of STARTTLS and AUTH", function()
    for stop, said in pairs { ["FIRST-EHLO"] = "EHLO QUIT", STARTTLS = "EHLO STARTTLS QUIT",
      EHLO = "EHLO STARTTLS EHLO QUIT", AUTH = "EHLO STARTTLS EHLO AUTH QUIT" } do
      local place <close> = secure.open()
      local status, out, err = swaks(place.port, "-tls", "--auth", "PLAIN", "--auth-user",
        secure.USER, "--auth-password", secure.PASSWORD, "--quit-after", stop)
      assert.equal(0, status, out .. err)
      serve.idle(place.server)
      assert.equal(said, verbs(place.mails), stop)
    end
  end)

  it("C147 sends 8-bit data, declared or not, and it is kept", function()
    local server <close>, mails = open()
    local data = "Subject: Gr\u{fc}\u{df}e\n\n\u{65e5}\u{672c}\u{8a9e} \xff\xfe\x80\n.\n..\n"
    local one <close> = process.start({ "swaks", "--server", "127.0.0.1", "--port", server.port,
      "--from", "ada@example.org", "--to", "bob@example.com", "--data", "-" }, { input = data })
    local status, out = one:wait()
    assert.equal(0, status, out)
    assert.equal(data, (mails[1].content:gsub("\r\n", "\n"):gsub("\n+$", "\n")))
    local strict <close>, none = open { refuse_eightbit = true }
    status, out = swaks(strict.port, "--body", "Gr\u{fc}\u{df}e")
    assert.equal(26, status, out)
    assert.truthy(out:find("<** 550 5.6.3 ", 1, true), out)
    assert.equal(0, #none)
  end)
end)
