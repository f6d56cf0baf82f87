-- The error object: what it says, and what it keeps.
local errors = require "smtp.error"
local printable = require "smtp.base.printable"

describe("error", function()
  it("is a sentence with its context", function()
    for expected, fields in pairs {
      ["closed"] = { kind = "closed" },
      ["rcpt <a@b> at mx:25: 550 5.1.1 gone"] = { kind = "rejected", stage = "rcpt", address =
        "a@b",
        peer = "mx:25", code = 550, enhanced = "5.1.1", text = "gone" },
      ["greeting at mx:25: what: 554 no (try 587)"] = { kind = "rejected", stage = "greeting",
        peer = "mx:25", message = "what", code = 554, text = "no", hint = "try 587" },
      ["at mx:25: cannot"] = { kind = "connect", peer = "mx:25", message = "cannot" },
      ["data: 451 a b"] = { kind = "rejected", stage = "data", code = 451, text = "a\nb" },
      ["data: 451 "] = { kind = "rejected", stage = "data", code = 451 },
    } do
      assert.equal(expected, tostring(errors.new(fields)))
    end
  end)

  it("joins with text on either side", function()
    local err = errors.new { kind = "closed", message = "gone" }
    assert.equal("failed: gone", "failed: " .. err)
    assert.equal("gone!", err .. "!")
    assert.equal("gonegone", err .. err)
  end)

  it("knows what may go away by itself", function()
    for kind, temporary in pairs { timeout = true, closed = true, connect = true, system = true,
      protocol = false, invalid = false, too_big = false, unsupported = false, source = false,
      tls = false, auth = false, cancelled = false } do
      assert.equal(temporary, errors.new({ kind = kind }).temporary, kind)
    end
    for code, temporary in pairs { [250] = false, [354] = false, [421] = true, [450] = true,
      [550] = false } do
      assert.equal(temporary, errors.new({ kind = "rejected", code = code }).temporary)
    end
    assert.is_true(errors.new({ kind = "dns", temporary = true }).temporary)
    assert.is_false(errors.new({ kind = "closed", temporary = false }).temporary)
  end)

  it("keeps the reply that refused", function()
    local reply = { code = 550, enhanced = "5.1.1", text = "no", lines = { "5.1.1 no" } }
    local err = errors.rejected(reply, "rcpt", { address = "a@b" })
    assert.same({ "rejected", "rcpt", 550, "5.1.1", "no", "a@b" },
      { err.kind, err.stage, err.code, err.enhanced, err.text, err.address })
    assert.equal(reply.lines, err.lines)
    assert.equal("data", errors.rejected(reply, "data").stage)
  end)

  it("tells itself from other values", function()
    assert.is_true(errors.is(errors.new { kind = "closed" }))
    for _, value in ipairs { "closed", 5, true, {}, setmetatable({}, {}), print } do
      assert.is_false(errors.is(value))
    end
    assert.is_false(errors.is(nil))
  end)

  it("shows nothing that a terminal would obey", function()
    local err = errors.new { kind = "rejected", code = 550, text = "\27[2J\r\n\7x" }
    assert.equal("550 \\x1b[2J\\x0d \\x07x", tostring(err))
    assert.equal("\27[2J\r\n\7x", err.text)
    assert.equal("a\\x0ab", printable("a\nb"))
    assert.equal("Grüße €", printable("Grüße €"))
    assert.equal("\\x7f", printable("\127"))
    assert.equal("a\\xc2\\x9bb", printable("a\u{9b}b"))
    assert.equal("\\xe2\\x80\\xaeevil", printable("\u{202e}evil"))
    assert.equal("\\xe2\\x81\\xa6\\xe2\\x80\\xa8", printable("\u{2066}\u{2028}"))
    assert.equal("\\xfc\\xc3\\xbc", printable("\xfcü"))
    assert.equal("", printable(""))
  end)
end)
