-- SPDX-License-Identifier: MIT
-- Whole sessions in which each allocation fails once: nothing crashes, nothing
-- is lost, a failed session stays failed, and nothing that was refused for
-- want of memory is done by half.
local probe = require "probe"

local function crlf(text) return (text:gsub("\n", "\r\n")) end

-- Runs a session with its n-th allocation failing, n = 1, 2, ... until none
-- does. check(n, reference, outcome, wire, log) judges each that failed.
local function each_failure(session, check, once)
  probe.fail_at()
  collectgarbage() -- what other specs left
  local before = probe.live()
  local reference = table.pack(session())
  assert.equal(0, reference[4])
  assert.equal(before, probe.live())
  local n = 0
  repeat
    n = n + 1
    assert.is_true(n < 1000)
    probe.fail_at(n, once)
    local outcome, wire, log, failures = session()
    probe.fail_at()
    assert.equal(before, probe.live(), "allocation " .. n)
    if failures > 0 then
      check(n, reference, outcome, wire, log)
    else
      assert.same({ reference[1], reference[2], reference[3] }, { outcome, wire, log })
    end
  until failures == 0
  assert.is_true(n > 3) -- it did fail
  return reference[1], reference[2], reference[3]
end

-- Asserts that the output before the failure is that of a run without one.
local function is_prefix(n, whole, part)
  assert.equal(whole:sub(1, #part), part, "allocation " .. n)
end

local function server(flags, verdicts, ...)
  local chunks = { ... }
  local function session() return probe.server_session(flags, verdicts, table.unpack(chunks)) end
  local function check(n, reference, outcome, wire, log)
    assert.equal("ENOMEM", outcome, "allocation " .. n)
    is_prefix(n, reference[2], wire)
    is_prefix(n, reference[3], log)
  end
  each_failure(session, check, true) -- a failure that is behind us counts as well
  return each_failure(session, check)
end

-- A client's failure sticks when it reads; what it could not queue is queued
-- at the next try, and the session goes on as if nothing had happened.
local function client(strict, ...)
  local steps, retried, stuck = { ... }, 0, 0
  local outcome, wire, log = each_failure(
    function() return probe.client_session(strict, table.unpack(steps)) end,
    function(n, reference, got, wire, log)
      if got == "ENOMEM" then
        stuck = stuck + 1
        is_prefix(n, reference[2], wire)
        is_prefix(n, reference[3], log)
      else
        retried = retried + 1
        assert.same({ reference[1], reference[2], reference[3] }, { got, wire, log })
      end
    end)
  assert.is_true(stuck > 0)
  return outcome, wire, log, retried
end

local ENVELOPE = "EHLO client.example\r\nMAIL FROM:<ada@code.energy> SIZE=20\r\n" ..
  "RCPT TO:<charles@example.com>\r\nRCPT TO:<bob@example.com>\r\n"
local CONTENT = "Subject: hi\r\n\r\nIt works.\r\n..two\r\n...\r\n.\r\n"

describe("memory of a server session", function()
  local function one_by_one(text)
    local lines = {}
    for line in text:gmatch("[^\n]*\n") do lines[#lines + 1] = line end
    return table.unpack(lines)
  end

  it("is given back whatever fails in a message and QUIT", function()
    local outcome, wire, log = server("", "n", "EHLO client.example\r\n",
      ENVELOPE:match("MAIL.*"), "DATA\r\n", CONTENT, "QUIT\r\n")
    assert.equal("closed", outcome)
    assert.match("\r\n354 [^\n]+\r\n250 2.0.0 [^\n]+\r\n221 2.0.0 [^\n]+\r\n$", wire)
    assert.match("body Subject: hi\r\n\r\nIt works.\r\n.two\r\n..\r\n\nmessage", log)
  end)

  it("is given back with a trace, a line at a time", function()
    local _, wire, log = server("t", "n", one_by_one(ENVELOPE .. "DATA\r\n" .. CONTENT ..
      "RSET\r\nMAIL FROM:<>\r\nRSET\r\nXADA one\r\nVRFY ada\r\nHELP\r\nQUIT\r\n"))
    assert.match("line MAIL FROM:<>", log)
    assert.match("reply 221 2.0.0", log)
    assert.match("\r\n221 ", wire)
  end)

  it("is given back where many replies wait at once", function()
    local outcome, wire = server("", "n", "EHLO client.example\r\n",
      ("RSET\r\n"):rep(90) .. "QUIT\r\n")
    assert.equal("closed", outcome)
    assert.equal(90, select(2, wire:gsub("250 2.0.0 Reset\r\n", "")))
    assert.match("\r\n221 ", wire)
  end)

  it("is given back with chunks, taken and refused", function()
    local outcome, wire, log = server("ct", "n", ENVELOPE:match("^[^\n]*\n"),
      ENVELOPE:match("MAIL.*"), "BDAT 3\r\na\r\nBDAT 2 LAST\r\nbc",
      ENVELOPE:match("MAIL.*"), "BDAT 1\r\nxRSET\r\nBDAT 4\r\nQU", "IT",
      "MAIL FROM:<a@b> SMTPUTF8 RET=HDRS\r\nVRFY \u{e9} SMTPUTF8\r\nQUIT\r\n")
    assert.equal("closed", outcome)
    assert.match("\r\n250 2.0.0 Chunk received\r\n250 2.0.0 Message accepted\r\n", wire)
    assert.match("body a\r\n\nreply[^\n]*\n", log)
  end)

  it("is given back in LMTP and with PRDR, however many replies there are", function()
    local envelope = "MAIL FROM:<a@b>%s\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n"
    local _, wire, log = server("ltc", "nnnnnnmb", "LHLO c\r\n", envelope:format(""), CONTENT,
      "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 3\r\na\r\nBDAT 2 LAST\r\nbc", "QUIT\r\n")
    assert.match("\n250 2.0.0 ?\r\n451 4.3.0 [^\n]+\n250 2.1.0 ", wire)
    assert.match("message", log)
    _, wire = server("pt", "nnnnnnrnm", "EHLO c\r\n", envelope:format(" PRDR"), CONTENT, "QUIT\r\n")
    assert.match("\n353 [^\n]+\n554 [^\n]+\n250 2.0.0 Message accepted\r\n250%-2.0.0 one", wire)
  end)

  it("is given back when content is mended", function()
    local _, _, log = server("n", "n", "HELO c\r\n", "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n",
      "DATA\r\n", "a\nb\rc\0d", ("e"):rep(3000) .. "\n", "\r", "\n.\r", "\n", "QUIT\r\n")
    assert.match("body a\r\nb\r\ncd", log)
    assert.match("message", log)
  end)

  it("is given back when there are replies of many lines", function()
    local _, wire = server("t", "mmmma", ENVELOPE:match("^[^\n]*\n"),
      ENVELOPE:match("MAIL.*"), "DATA\r\n", CONTENT)
    local _, lines = wire:gsub("\r\n", "")
    assert.is_true(lines > 90)
  end)

  it("is given back when a text may not be sent, or a step is refused or fails", function()
    local _, wire = server("", "nnbrf0", "EHLO c\r\n",
      ("MAIL FROM:<a@b>\r\n"):rep(4) .. "RCPT TO:<a@b>\r\n", ("RCPT TO:<a@b>\r\n"):rep(5))
    assert.match("\r\n451 4.3.0 [^\n]+\r\n550 ", wire)
  end)

  it("is given back after long lines and errors", function()
    local _, wire = server("xs", "n", "EHLO c\r\n", "NOOP " .. ("x"):rep(100) .. "\r\n",
      ("y"):rep(3000), ("y"):rep(5000) .. "\r\n", "BLAH\r\nMAIL\r\n", "DATA\r\n", "NOOP\r\n")
    assert.match("\r\n500 5.5.6 ", wire)
    assert.match("\r\n421 4.7.0 ", wire)
  end)

  it("is given back when a message is too big", function()
    local _, wire = server("x", "n", "EHLO c\r\n", crlf "MAIL FROM:<a@b>\nRCPT TO:<c@d>\n",
      "DATA\r\n", ("z"):rep(120) .. "\r\n.\r\n", crlf "MAIL FROM:<a@b>\nRCPT TO:<c@d>\n",
      "DATA\r\n", ("z"):rep(9000))
    assert.match("\r\n552 5.3.4 .*\r\n552 5.3.4 [^\n]*\r\n$", wire)
  end)

  it("is given back in AUTH and STARTTLS", function()
    local _, wire, log = server("at", "n", "EHLO c\r\n", "AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n",
      "STARTTLS\r\n", "EHLO c\r\n", "AUTH PLAIN\r\n", "AGFkYQBzZWNyZXQ=\r\n",
      "MAIL FROM:<a@b> AUTH=a+3Db@c\r\n", "QUIT\r\n")
    local _, times = wire:gsub("235 2.7.0", "")
    assert.equal(2, times)
    assert.match("starttls", log)
    for _, line in ipairs { "AUTH PLAIN x\r\n", "AUTH CRAM-MD5\r\nx", "AUTH SCRAM-SHA-256-PLUS\r\n",
      "STARTTLS\r\nx", "AUTH PLAIN " .. ("A"):rep(13000) .. "\r\n" } do
      server("a", "n", "EHLO c\r\n", line)
    end
    _, wire = server("a", "nnr", "EHLO c\r\n",
      "AUTH OAUTHBEARER bixhPWFkYSwBYXV0aD1CZWFyZXIgdAEB\r\n", "AQ==\r\n", "AUTH CRAM-MD5\r\n",
      "YWRhIDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw\r\n", "AUTH PLAIN =\r\n")
    assert.match("\r\n334 ", wire)
  end)

  it("is given back when the peer talks early, pipelines or is no mailer", function()
    server("t", "r", "QUIT\r\n")
    local _, wire = server("", "n", "EHLO c\r\nNOOP\r\n")
    assert.match("\r\n554 5.5.0 ", wire)
    _, wire = server("", "n", "GET / HTTP/1.1\r\n")
    assert.match("\r\n421 4.7.0 ", wire)
  end)
end)

describe("memory of a client session", function()
  local function hello(extensions)
    return "<220 mx.example.org\r\n", ">EHLO client.example", "*",
      "<250-mx.example.org\r\n250-" .. extensions .. "\r\n250 ENHANCEDSTATUSCODES\r\n"
  end

  -- A session: the steps of hello(), then the given ones.
  local function session(strict, extensions, ...)
    local steps = table.pack(hello(extensions))
    table.move({ ... }, 1, select("#", ...), #steps + 1, steps)
    return client(strict, table.unpack(steps))
  end

  local REPLIES = "<250 2.1.0 ok\r\n550 5.1.1 no\r\n250 2.1.5 ok\r\n354 go on\r\n"

  it("is given back whatever fails in a pipelined message", function()
    local outcome, wire, log, retried = session(false, "PIPELINING", "Mada@code.energy",
      "Rbob@example.com", "Rcharles@example.com", ">DATA", "*", REPLIES,
      "BSubject: hi\r\n\r\n.dot\r\n", "B" .. (("line\n"):rep(500)), "Bno end", ".", "*",
      "<250-2.0.0 queued\r\n250 2.0.0 as 42\r\n", ">QUIT", "*", "<221 2.0.0 bye\r\n", "!")
    assert.equal("closed", outcome)
    assert.match("DATA\r\nSubject: hi\r\n\r\n%.%.dot\r\nline\r\n", wire)
    assert.match("no end\r\n%.\r\nQUIT\r\n$", wire)
    assert.match("final 2.0.0 queued\n2.0.0 as 42\n", log)
    assert.is_true(retried > 0)
  end)

  it("is given back whatever fails in a message of one chunk", function()
    local outcome, wire, log = session(false, "PIPELINING\r\n250-CHUNKING", "Mada@code.energy",
      "Rbob@example.com", "C", "Babc\n", ".", "*",
      "<250 2.1.0 ok\r\n250 2.1.5 ok\r\n250 2.0.0 queued\r\n", ">QUIT", "*", "<221 bye\r\n", "!")
    assert.equal("closed", outcome)
    assert.match("BDAT 5 LAST\r\nabc\r\nQUIT\r\n$", wire)
    assert.match("final 2.0.0 queued\n", log)
  end)

  it("is given back whatever fails in a message of many chunks", function()
    local piece = ("x"):rep(998) .. "\r\n"
    local outcome, wire, log = session(false, "PIPELINING\r\n250-CHUNKING", "Mada@code.energy",
      "Rbob@example.com", "C", "B" .. piece:rep(60), "B" .. piece:rep(5) .. ("y"):rep(536),
      "B" .. piece, ".", "*",
      "<250 a\r\n250 b\r\n250 c\r\n250 2.0.0 queued\r\n", ">QUIT", "*", "<221 bye\r\n", "!")
    assert.equal("closed", outcome)
    assert.truthy(wire:find("\r\nBDAT 65536\r\n.*yBDAT 1000 LAST\r\n"))
    assert.match("chunk c\nfinal 2.0.0 queued\n", log)
  end)

  it("is given back whatever fails in whole messages", function()
    -- A failure behind the beginning of a message is told by the next reading.
    local REFUSED = "<250 ok\r\n550 5.1.1 no\r\n250 ok\r\n"
    local outcome, wire, log = session(false, "PIPELINING", "Tone\r\n", "*", REFUSED,
      "<354 go on\r\n", "*", "T.two\r\n", "*", "<250 2.0.0 queued\r\n", REFUSED,
      "<354 go on\r\n", "*", "<554 5.6.0 no\r\n", ">QUIT", "*", "<221 bye\r\n", "!")
    assert.equal("closed", outcome)
    assert.match("DATA\r\none\r\n%.\r\nMAIL .*DATA\r\n%.%.two\r\n%.\r\nQUIT\r\n$", wire)
    assert.match("message 2.0.0 queued\nmessage 5.6.0 no\n", log)
    outcome, wire, log = session(false, "PIPELINING\r\n250-CHUNKING", "tone\r\n",
      "t" .. (("x"):rep(998) .. "\r\n"):rep(70), "*", REFUSED, "<250 2.0.0 queued\r\n",
      "<250 reset\r\n", REFUSED, "<250 a chunk\r\n", "*", "<250 2.0.0 both\r\n", ">QUIT", "*",
      "<221 bye\r\n", "!")
    assert.equal("closed", outcome)
    assert.match("BDAT 5 LAST\r\none\r\nRSET\r\n.*BDAT 65536\r\n.*BDAT 4464 LAST\r\n", wire)
    assert.match("message 2.0.0 queued\nmessage 2.0.0 both\n", log)
  end)

  it("is given back when there are many commands in one flight", function()
    local steps = {}
    for i = 1, 40 do steps[i] = ("Ru%d@example.com"):format(i) end
    steps[#steps + 1] = ">DATA"
    steps[#steps + 1] = "*"
    steps[#steps + 1] = "<250 ok\r\n" .. ("250 ok\r\n"):rep(40) .. "354 go on\r\n"
    local _, wire, log = session(false, "PIPELINING", "Mada@code.energy", table.unpack(steps))
    assert.match("RCPT TO:<u40@example.com>\r\nDATA\r\n$", wire)
    assert.match("data go on\n$", log)
  end)

  it("is given back when nobody was accepted and a lone dot ends it", function()
    local _, wire, log = session(false, "PIPELINING", "M", "Ra@b", ">DATA", "*",
      "<250 ok\r\n", "<550 no\r\n354 go on\r\n", "*", "<554 no recipients\r\n", ">RSET", "*",
      "<250 ok\r\n")
    assert.match("DATA\r\n%.\r\nRSET\r\n$", wire)
    assert.match("final no recipients\nrset ok\n$", log)
  end)

  it("is given back after long replies, in pieces", function()
    local text = {}
    for i = 1, 100 do text[i] = ("250-%s\r\n"):format(("x"):rep(500)) end
    local outcome, _, log = session(true, "SIZE", ">VRFY ada", "*", "<" .. table.concat(text),
      "<250 ", "<done\r", "<\n", "!")
    assert.equal("closed", outcome)
    assert.match("x\ndone\n$", log)
  end)

  it("is given back in AUTH and STARTTLS", function()
    local _, wire = session(false, "STARTTLS\r\n250-AUTH PLAIN LOGIN", "APLAIN", "*",
      "<535 5.7.8 no\r\n", ">STARTTLS", "*", "<220 go\r\n", "<x")
    assert.match("AUTH PLAIN AGFkYQBzZWNyZXQ=\r\nSTARTTLS\r\n$", wire)
    _, wire = session(false, "AUTH LOGIN", "ALOGIN", "*", "<334 \r\n", "*", "<334 \r\n", "*",
      "<235 ok\r\n", ">QUIT", "*")
    assert.match("AUTH LOGIN\r\nYWRh\r\nc2VjcmV0\r\nQUIT\r\n$", wire)
    _, wire = session(false, "AUTH PLAIN", "APLAIN", "*", "<334 ?\r\n", "*", "<334 ?\r\n", "*",
      "<501 ok\r\n")
    assert.match("AUTH PLAIN (%S+)\r\n%1\r\n%*\r\n$", wire)
  end)

  it("is given back after what it refuses, and after a breach", function()
    local outcome, _, log = session(true, "SIZE", "M" .. ("a"):rep(64) .. "@b", "*", ">A B",
      ">NOOP a\rb", "<250 ok\r\n", "Rc@d", "*", "<250 ok\r\n", ">DATA", "*", "<354 go on\r\n",
      "Bbare\nLF", "<250 too early\r\n")
    assert.equal("EPROTOCOL", outcome)
    assert.match("refused >NOOP a\rb\n", log)
    assert.match("refused Bbare\nLF\n", log)
  end)
end)
