local probe = require "probe"

local ALPHA, DIGIT, HEX, ATEXT, QTEXT, XCHAR, ESMTP, CONTROL = 1, 2, 4, 8, 16, 32, 64, 128

-- The bytes of a class, as the RFC's words make them.
local function set(pattern, first, last)
  local bytes = {}
  for byte = first or 0, last or 127 do
    bytes[byte] = string.char(byte):find(pattern) ~= nil
  end
  return bytes
end

local function assert_class(class, expected)
  for byte = 0, 255 do
    assert.are.equal(expected[byte] or false, probe.ascii_is(byte, class), "byte " .. byte)
  end
end

describe("ascii classes", function()
  it("ALPHA", function() assert_class(ALPHA, set("^[A-Za-z]$")) end)
  it("DIGIT", function() assert_class(DIGIT, set("^[0-9]$")) end)
  it("HEX", function() assert_class(HEX, set("^[0-9A-Fa-f]$")) end)
  it("ATEXT", function() assert_class(ATEXT, set("^[A-Za-z0-9!#$%%&'*+/=?^_`{|}~-]$")) end)
  it("QTEXT", function() assert_class(QTEXT, set('^[^"\\]$', 32, 126)) end)
  it("XCHAR", function() assert_class(XCHAR, set("^[^+=]$", 33, 126)) end)
  it("ESMTP", function() assert_class(ESMTP, set("^[^=]$", 33, 126)) end)
  it("CONTROL", function() assert_class(CONTROL, set("^[\0-\31\127]$")) end)

  it("may be joined", function()
    assert.is_true(probe.ascii_is(("7"):byte(), ALPHA | DIGIT))
    assert.is_true(probe.ascii_is(("z"):byte(), ALPHA | DIGIT))
    assert.is_false(probe.ascii_is(("-"):byte(), ALPHA | DIGIT))
  end)
end)

describe("ascii comparison", function()
  it("lowers A-Z and nothing else", function()
    for byte = 0, 255 do
      local upper = byte >= 65 and byte <= 90
      assert.are.equal(upper and byte + 32 or byte, probe.ascii_lower(byte))
    end
  end)

  it("takes no account of the case of letters", function()
    assert.is_true(probe.ascii_equal("", ""))
    assert.is_true(probe.ascii_equal("StartTLS", "STARTTLS"))
    assert.is_false(probe.ascii_equal("STARTTL", "STARTTLS"))
    assert.is_false(probe.ascii_equal("@[`{", "`{@["))
    assert.is_false(probe.ascii_equal("\xc4", "\xe4"))
    assert.is_false(probe.ascii_equal("a\0b", "a\0c"))
  end)
end)

describe("ascii number", function()
  it("is 1 to 20 digits up to 2^64-1", function()
    assert.are.equal(0, probe.ascii_number("0"))
    assert.are.equal(7, probe.ascii_number("00000000000000000007"))
    assert.are.equal(math.maxinteger, probe.ascii_number("9223372036854775807"))
    assert.are.equal(-1, probe.ascii_number("18446744073709551615"))
  end)

  it("is too big beyond", function()
    for _, text in ipairs { "18446744073709551616", "99999999999999999999",
      "000000000000000000001", ("9"):rep(400) } do
      assert.are.same({ nil, "ETOOBIG" }, { probe.ascii_number(text) }, text)
    end
  end)

  it("is nothing else", function()
    for _, text in ipairs { "", "-1", "+1", " 1", "1 ", "0x1", "1e3", "1\0", "\xb2",
      ("9"):rep(30) .. "x" } do
      assert.are.same({ nil, "ESYNTAX" }, { probe.ascii_number(text) }, text)
    end
  end)
end)

describe("a text", function()
  it("loses the blanks at both ends", function()
    for text, kept in pairs { [""] = "", [" "] = "", ["a"] = "a", ["  a b "] = "a b" } do
      assert.equal(kept, (probe.ascii_trim(text, false)))
      assert.equal(kept, (probe.ascii_trim(text, true)))
    end
    assert.equal("\ta\t", (probe.ascii_trim(" \ta\t ", false)))
    assert.equal("a", (probe.ascii_trim(" \ta\t ", true)))
  end)

  it("is taken apart line by line", function()
    for text, want in pairs { [""] = { "", "", false }, ["a"] = { "a", "", false },
      ["a\n"] = { "a", "", true }, ["\nb"] = { "", "b", true },
      ["a\r\nb\nc"] = { "a\r", "b\nc", true } } do
      assert.same(want, { probe.ascii_line(text) })
    end
  end)
end)

describe("ascii UTF-8", function()
  it("tells bytes above 0x7f", function()
    assert.is_false(probe.ascii_eightbit(""))
    assert.is_false(probe.ascii_eightbit("\0 \127"))
    assert.is_true(probe.ascii_eightbit("a\x80"))
    assert.is_true(probe.ascii_eightbit("\xffa"))
  end)

  it("takes each code point but the surrogates", function()
    for first = 0, 0x10ff00, 256 do
      local points = {}
      for i = 1, 256 do points[i] = utf8.char(first + i - 1) end
      local surrogates = first >= 0xd800 and first <= 0xdfff
      assert.are.equal(not surrogates, probe.utf8_valid(table.concat(points)), first)
    end
    for point = 0xd800, 0xdfff do
      assert.is_false(probe.utf8_valid(utf8.char(point)), point)
    end
  end)

  it("agrees with Lua on every two and three bytes", function()
    local function agree(text)
      assert.are.equal(utf8.len(text) ~= nil, probe.utf8_valid(text),
        (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end)))
    end
    for a = 0x70, 0xff do
      for b = 0x78, 0xc8, 8 do
        agree(string.char(a, b))
        agree(string.char(a, b - 1, 0xbf))
        agree(string.char(a, b, 0x80))
        agree(string.char(a, b, 0xbf, 0x80))
        agree(string.char(a, b, 0xbf, 0x41))
      end
    end
  end)

  it("refuses overlong forms, surrogates and what is cut short", function()
    for _, text in ipairs { "\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80",
      "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xc3", "\xe2\x82",
      "\xf0\x9f\x98", "\xc3\xa9\xa9" } do
      assert.is_false(probe.utf8_valid(text))
    end
  end)
end)
