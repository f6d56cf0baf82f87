-- The settings of a mock: extensions, tables of rules, limits, quirks and chaos.
local mock = require "smtp.mock"
local smtp = require "smtp"
local support = require "spec.support.mock"

local open, start = support.open, support.start

local function lines(reply) return table.concat(reply.lines, "|") end

describe("the offers of EHLO", function()
  it("leaves out what is named, offered or not; the last word holds", function()
    local mx <close> = start { without = { "SMTPUTF8", "X-NONE" } }
    local d <close> = open(mx, false)
    local function offered() return lines(assert(d:cmd("EHLO x", 250))) end
    local plain = "localhost|PIPELINING|SIZE 36700160|8BITMIME|ENHANCEDSTATUSCODES"
    assert.equal(plain, offered())
    mx:without("CHUNKING"):without("PIPELINIG"):without("starttls")
    assert.equal(plain, offered())
    mx:with "XFOO 2"
    assert.equal(plain .. "|XFOO 2", offered())
    mx:without("xfoo"):without("CHUNKING"):with "CHUNKING"
    assert.equal(plain .. "|CHUNKING", offered())
    mx:without("chunking"):without("CHUNKING"):without("SIZE")
    assert.equal("localhost|PIPELINING|8BITMIME|ENHANCEDSTATUSCODES", offered())
    assert.equal(502, d:cmd("BDAT 0 LAST").code)
    mx:with "SIZE 5"
    assert.equal("localhost|PIPELINING|8BITMIME|ENHANCEDSTATUSCODES|SIZE 5", offered())
  end)
end)

describe("rules as tables", function()
  it("do what the methods do", function()
    local mx <close> = start { rules = {
      { on = "RCPT", to = "*@gone.test", reply = "550 5.1.1 gone" },
      { on = "NOOP", nth = 2, reply = "450 4.0.0 x", close = true },
      { on = "VRFY", sequence = { "450 a", "550 b" } },
      { on = "RSET", from_nth = 2, reject = true },
    }, without = { "SIZE", "8BITMIME" }, extensions = { "XFOO bar" } }
    local d <close> = open(mx, false)
    assert.equal("localhost|PIPELINING|ENHANCEDSTATUSCODES|XFOO bar",
      lines(assert(d:cmd("EHLO x", 250))))
    assert(d:cmd("MAIL FROM:<a@b>", 250))
    assert(d:cmd("RCPT TO:<a@gone.test>", 550))
    assert(d:cmd("VRFY x", 450))
    assert(d:cmd("VRFY x", 550))
    assert(d:cmd("RSET", 250))
    assert(d:cmd("RSET", 502))
    assert(d:cmd("NOOP", 250))
    assert(d:cmd("NOOP", 450))
    assert.is_true(d:closed())
  end)
end)

describe("limits, quirks and chaos", function()
  it("are in force", function()
    local mx <close> = start { limits = { size = 100, recipients = 1 } }
    local function send(text)
      return smtp.send(mx.url, { envelope = { from = "a@b.example", to = { "c@d.example",
        "e@f.example" } }, raw = text })
    end
    local _, err = send(("x"):rep(200))
    assert.equal("too_big", err.kind)
    mx:limit { size = "1M" }
    local receipt = assert(send(("x"):rep(200)))
    assert.equal(2, #receipt.accepted) -- after a 452, in a transaction each
    assert.same({ 1, 1 }, { #mx:mails()[1].recipients, #mx:mails()[2].recipients })
    assert.matches("S: 452 4.5.3 Too many recipients", mx:transcript(), nil, true)
  end)

  it("our client stands every quirk", function()
    for name in pairs(mock.quirks) do
      local mx <close> = start()
      mx:quirk(name)
      local record = { from = "a@b.example", to = "c@d.example", text = "hi" }
      local receipt, err = smtp.send({ url = mx.url, timeout = { quit = 0.1 } }, record)
      if not receipt and err.temporary then receipt, err = smtp.send(mx.url, record) end
      assert.truthy(receipt, name .. ": " .. tostring(err))
      assert.equal(1, #mx:mails(), name)
    end
  end)

  it("chance is the same for the same seed", function()
    local function run(seed)
      local mx <close> = start()
      local used = mx:chaos { seed = seed, rate = 0.3, faults = { "later", "no", "close" } }
      local out = {}
      for _ = 1, 15 do
        local receipt, err = smtp.send(mx.url, { from = "a@b.example", to = "c@d.example",
          text = "hi" })
        out[#out + 1] = receipt and "ok" or err.kind .. tostring(err.code)
      end
      return table.concat(out, " "), used
    end
    local one, seed = run(7)
    assert.equal(7, seed)
    assert.equal(one, (run(7)))
    assert.not_equal(one, (run(8)))
    assert.matches("ok", one)
    assert.matches("rejected", one)
  end)
end)
