-- SPDX-License-Identifier: MIT
local probe = require "probe"

describe("charsets", function()
  it("become UTF-8 by their names in any form", function()
    for _, row in ipairs {
      { "ISO-8859-1", "\xe9", "\u{e9}" }, { "iso_8859-1", "\x80", "\u{20ac}" },
      { "latin1", "\xff", "\u{ff}" }, { "Windows-1252", "\x93\x81", "\u{201c}\u{fffd}" },
      { "iso-8859-2", "\xb1", "\u{105}" }, { "iso-8859-15", "\xa4", "\u{20ac}" },
      { "KOI8-R", "\xc1", "\u{430}" }, { "windows-1251", "\xe0", "\u{430}" },
      { "GB2312", "\xd6\xd0", "\u{4e2d}" }, { "big5", "\xa4\xa4", "\u{4e2d}" },
      { "Shift_JIS", "\x93\xfa", "\u{65e5}" }, { "EUC-JP", "\xc6\xfc", "\u{65e5}" },
      { "ks_c_5601-1987", "\xb0\xa1", "\u{ac00}" }, { "iso-2022-jp", "\27$BF|\27(B", "\u{65e5}" },
      { "utf-7", "a+AOk-b", "a\u{e9}b" }, { "utf-16le", "a\0\xe9\0", "a\u{e9}" },
      { "utf-16", "\xfe\xff\0a", "a" }, { "UTF8", "\u{1f600}", "\u{1f600}" },
    } do
      local text, known = probe.charset_utf8(row[2], row[1])
      assert.equal(row[3], text, row[1])
      assert.is_true(known, row[1])
    end
  end)

  it("that nobody knows are UTF-8 or else windows-1252", function()
    for _, name in ipairs { "", "us-ascii", "x-nonsense", "../../etc/passwd", "utf-8//translit",
      ("x"):rep(1000), "\0", "IBM1364" } do
      assert.equal("\u{e9}", probe.charset_utf8("\u{e9}", name))
      assert.equal("\u{e9}a\u{2013}", probe.charset_utf8("\xe9a\x96", name))
    end
    local _, known = probe.charset_utf8("", "x-nonsense")
    assert.is_false(known)
  end)

  it("have U+FFFD for each piece that is broken", function()
    for given, wanted in pairs {
      ["a\xffb"] = "a\u{fffd}b", ["\xe2\x82"] = "\u{fffd}", ["\xe2\x82a"] = "\u{fffd}a",
      ["\xed\xa0\x80"] = "\u{fffd}\u{fffd}\u{fffd}", ["\xc0\xaf"] = "\u{fffd}\u{fffd}",
      ["\xf4\x90\x80\x80"] = ("\u{fffd}"):rep(4), ["\xf0\x9f\x98"] = "\u{fffd}",
      ["\x80"] = "\u{fffd}",
    } do
      assert.equal(wanted, probe.charset_utf8(given, "utf-8"))
    end
    assert.equal("a\u{fffd}", probe.charset_utf8("a\xd6", "gb2312"))
    assert.equal("\u{fffd}a", probe.charset_utf8("\xffa", "euc-jp"))
    assert.equal("a\u{fffd}", probe.charset_utf8("a\0\xe9", "utf-16le"))
  end)

  it("take long text, and tell when there is no memory", function()
    local text = ("\xc1"):rep(100000)
    assert.is_true(probe.charset_utf8(text, "koi8-r") == ("\u{430}"):rep(100000))
    for _, name in ipairs { "koi8-r", "utf-8", "latin1", "" } do
      probe.fail_at(1)
      local out, err = probe.charset_utf8("\xc1", name)
      probe.fail_at()
      assert.same({ nil, "ENOMEM" }, { out, err })
    end
  end)
end)
