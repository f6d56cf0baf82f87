-- A mock that speaks LMTP, or PRDR: several replies to one message.
local mock = require "smtp.mock"
local smtp = require "smtp"

-- A dialogue behind LHLO or EHLO.
local function open(mx, verb)
  local d = assert(smtp.dialogue(("%s:%d"):format(mx.host, mx.port), { timeout = 5 }))
  assert(d:expect(220))
  assert(d:cmd(verb .. " client.example", 250))
  return d
end

-- Up to where content may come, for two recipients.
local function envelope(d, params)
  assert(d:cmd("MAIL FROM:<ada@code.energy>" .. (params or ""), 250))
  assert(d:cmd("RCPT TO:<bob@example.org>", 250))
  assert(d:cmd("RCPT TO:<eve@example.org>", 250))
  assert(d:cmd("DATA", 354))
end

-- The replies to content; behind them there is that of NOOP.
local function replies(d, content, n)
  local list = {}
  d:raw(content .. ".\r\n")
  for i = 1, n do
    local reply = assert(d:expect(function() return true end))
    list[i] = ("%d %s"):format(reply.code, reply.text)
  end
  assert.equal("OK", assert(d:cmd("NOOP", 250)).text)
  return list
end

describe("a mock of LMTP", function()
  it("C122 knows LHLO, and answers each recipient", function()
    local mx <close> = mock.start { lmtp = true, strict = true }
    assert.equal(("lmtp://127.0.0.1:%d"):format(mx.port), mx.url)
    local d <close> = open(mx, "LHLO")
    assert(d:cmd("NOOP", 250))
    envelope(d)
    local content = "Date: Thu, 26 Nov 2026 00:00:00 +0000\r\nFrom: ada@code.energy\r\n"
      .. "Message-ID: <1@code.energy>\r\n\r\nx\r\n"
    assert.same({ "250 Message accepted", "250 Message accepted" }, replies(d, content, 2))
    assert(d:cmd("QUIT", 221))
    local mail = assert(mx:wait({ to = "bob@example.org" }, 5))
    assert.same({ "bob@example.org", "eve@example.org" }, mail.recipients)
    assert.equal(content, mail.raw)
    assert.same({}, mx:violations())
  end)

  it("C122 does not know EHLO, and notes who says it", function()
    local mx <close> = mock.start { lmtp = true }
    local d <close> = assert(smtp.dialogue("127.0.0.1:" .. mx.port, { timeout = 5 }))
    assert(d:expect(220))
    assert(d:cmd("EHLO x", 500))
    assert(d:cmd("HELO x", 500))
    local one = mx:violations()[1]
    assert.same({ "refused_command", "RFC 2033 section 4.1" }, { one.rule, one.section })
  end)

  it("has rules for LHLO, and says the same to each recipient", function()
    local mx <close> = mock.start { lmtp = true }
    mx:on("EHLO"):first(1):reply("450 4.3.2 not yet")
    mx:on("EOM"):sequence { { reply = "452 4.2.2 one\ntwo" }, { reject = true },
      { raw = "250 2.1.5 kept\r\n550 5.1.1 gone\r\n" } }
    local d <close> = assert(smtp.dialogue("127.0.0.1:" .. mx.port, { timeout = 5 }))
    assert(d:expect(220))
    assert(d:cmd("LHLO x", 450))
    assert(d:cmd("LHLO x", 250))
    for _, expected in ipairs { { "452 one\ntwo", "452 one\ntwo" },
      { "554 Message refused", "554 Message refused" }, { "250 kept", "550 gone" } } do
      envelope(d)
      assert.same(expected, replies(d, "x\r\n", 2))
    end
  end)
end)

describe("a mock with PRDR", function()
  it("answers each recipient of whoever asked for it", function()
    local mx <close> = mock.start { extensions = { "PRDR" } }
    local d <close> = open(mx, "EHLO")
    envelope(d)
    assert.same({ "250 Message accepted" }, replies(d, "x\r\n", 1))
    envelope(d, " PRDR")
    local all = replies(d, "x\r\n", 4)
    assert.equal("353", all[1]:sub(1, 3))
    assert.same({ "250 Message accepted", "250 Message accepted", "250 Message accepted" },
      { table.unpack(all, 2) })
    mx:on("EOM"):reply("550 5.7.1 no")
    envelope(d, " PRDR")
    all = replies(d, "x\r\n", 4)
    assert.equal("353", all[1]:sub(1, 3))
    assert.same({ "550 no", "550 no", "550 no" }, { table.unpack(all, 2) })
  end)
end)
