-- SPDX-License-Identifier: MIT
-- Envelopes that need no second look, and those that do.
local core = require "smtp.core"
local outgoing = require "smtp.client.outgoing"

local function plain(from, to) return { core.plain_envelope { from = from, to = to } } end

describe("an envelope of plain mailboxes", function()
  it("is taken as it stands", function()
    assert.same({ "a@b.example", { "c@d.example" } }, plain("a@b.example", "c@d.example"))
    local to = { "c@d.example", '"x y"@[192.0.2.1]', "Postmaster" }
    local given = plain("a@b.example", to)
    assert.same({ "a@b.example", to }, given)
    assert.not_equal(to, given[2]) -- a copy
  end)

  it("is nothing else", function()
    local good = "a@b.example"
    for _, bad in ipairs { "", "Ada <a@b.example>", "<a@b.example>", "a@b.example (Ada)",
      "a@b_c.example", "a..b@c.example", ("a"):rep(65) .. "@b.example", "\u{fc}@b.example",
      "a@b\u{fc}.example", "a@xn--bcher-kva.example", "a@b.XN--x", "a@b.example\0", "a b@c.example",
      " a@b.example",
      "a@b.example, c@d.example", '"a<b"@c.example', 1, true, { address = good } } do
      assert.same({}, plain(bad, good), tostring(bad))
      assert.same({}, plain(good, bad), tostring(bad))
      assert.same({}, plain(good, { good, bad }), tostring(bad))
    end
    assert.same({}, plain(good, {}))
    assert.same({}, plain(good, { good, nil, good }))
    assert.same({}, plain(good, { good, x = good }))
    assert.same({}, plain(good, setmetatable({ good }, {})))
    assert.same({}, plain(nil, good))
    assert.same({}, plain(good, nil))
    assert.same({}, { core.plain_envelope { from = good, to = good, x = 1 } })
    assert.same({}, { core.plain_envelope(setmetatable({ from = good, to = good }, {})) })
    assert.same({}, { core.plain_envelope() })
  end)

  it("goes out as one with names does", function()
    local function sent(from, to)
      return assert(outgoing.outgoing({ envelope = { from = from, to = to }, raw = "\r\nx" }))
    end
    local whole = sent("a@b.example", { "c@d.example", "e@f.example" })
    assert.same({ "a@b.example", { "c@d.example", "e@f.example" }, {}, true },
      { whole.from, whole.to, whole.given, whole.ascii })
    local named = sent("Ada <a@b.example>", { "c@d.example (C)", { address = "e@f.example" } })
    assert.same({ whole.from, whole.to, whole.ascii }, { named.from, named.to, named.ascii })
    assert.error_matches(function()
      sent("a@b.example", { "c@d.example", [3] = "e@f.example" })
    end, "envelope.to has a hole: %[2%] is nil")
  end)
end)

describe("a plain message", function()
  local ENVELOPE = { from = "a@b.example", to = "c@d.example" }

  local function whole(message) return { core.plain_message(message) } end

  it("is its envelope and content that goes as it stands", function()
    assert.same({ "a@b.example", { "c@d.example" }, "\r\nx" },
      whole { envelope = ENVELOPE, raw = "\r\nx" })
  end)

  it("has nothing else, and no content that must be looked at", function()
    for _, raw in ipairs { "", "x", "letter.eml", "Return-Path: <a@b.example>\r\n\r\nx",
      "return-path:\n\n", 1, io.stdout, { "\n" } } do
      assert.same({}, whole { envelope = ENVELOPE, raw = raw })
    end
    local raw = "\r\nx"
    assert.same({}, whole { envelope = ENVELOPE, raw = raw, size = 3 })
    assert.same({}, whole { envelope = { from = "a@b.example" }, raw = raw })
    assert.same({}, whole { envelope = "a@b.example", raw = raw })
    assert.same({}, whole { raw = raw, dkim = {} })
    assert.same({}, whole(setmetatable({ envelope = ENVELOPE, raw = raw }, {})))
    for _, other in ipairs { raw, 1, io.stdout } do assert.same({}, whole(other)) end
    assert.same({}, whole(nil))
  end)

  it("goes behind a text as any other does", function()
    local message = { envelope = ENVELOPE, raw = "\r\nx" }
    assert.equal("X-A: 1\r\n\r\nx",
      assert(outgoing.outgoing(message, nil, { prepend = "X-A: 1\r\n" })).source.text)
  end)
end)

describe("a source of a string", function()
  it("is read once, and again anew", function()
    local source = assert(outgoing.content("\r\nx", {}))
    assert.same({ 3, "\r\nx" }, { source.size, source.text })
    assert.is_nil(source.front)
    local again = source.again()
    for _, one in ipairs { source, again } do
      assert.same({ "\r\nx" }, { one.read() })
      assert.is_nil(one.read())
    end
  end)
end)
