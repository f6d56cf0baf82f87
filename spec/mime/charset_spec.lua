-- SPDX-License-Identifier: MIT
local probe = require "probe"
local smtp = require "smtp"

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

  -- Rows: charset, bytes, text. A black circle stands for U+FFFD.
  for _, row in ipairs {
    -- row 13 of NEC, the kanji of IBM as NEC and as IBM wrote them
    { "iso-2022-jp", "\27$B-\"F|\27(B", "②日" }, { "euc-jp", "\xad\xa2\xc6\xfc", "②日" },
    { "shift_jis", "\x87\x41\x93\xfa", "②日" }, { "iso-2022-jp", "\27$B|q|r-j\27(B", "ⅰⅱ㈱" },
    { "euc-jp", "\xfc\xf1\xad\xea\xf9\xa1", "ⅰ㈱纊" },
    { "shift_jis", "\xfa\x40\xee\xef\xed\x40", "ⅰⅰ纊" },
    { "iso-2022-jp", "\27$B|b\27(B", "髙" }, { "euc-jp", "\xfc\xe2", "髙" },
    { "iso-2022-jp", "\27$(D\"C\27(B", "¦" }, { "euc-jp", "\x8f\xb0\xa1\x8e\xb1", "丂ｱ" },
    { "iso-2022-jp", "\27(J\\~\27(I1\27$@F|\27(B\\", "¥‾ｱ日\\" },
    { "iso-2022-jp", "\27$BF|\r\n F|\27(B", "日\r\n 日" },
    { "iso-2022-jp", "\27$BF|\27(B\27$BK\\\27(B", "日本" },
    { "iso-2022-kr", "\27$)C\14GQ\15 a\14GQ\n", "한 a한\n" },
    -- unknown characters, each alone
    { "euc-jp", "\xa9\xa1\xc6\xfc", "●日" }, { "euc-jp", "\x8f\xa9\xfe\xc6\xfc", "●日" },
    { "euc-jp", "\xc6a", "●a" }, { "euc-jp", "\x8f\xb0a", "●a" },
    { "euc-jp", "\x8e\xe0\xc6\xfc", "●日" },
    { "euc-jp", "\x80\xc6\xfc", "●日" }, { "euc-jp", "\xc6", "●" }, { "euc-jp", "\x8f\xb0", "●" },
    { "iso-2022-jp", "\27$B)!F|\27(B", "●日" }, { "iso-2022-jp", "\27$B)!)!F|", "●●日" },
    { "iso-2022-jp", "\27$BF\27(Bab", "●ab" }, { "iso-2022-jp", "\27[a", "●[a" },
    { "iso-2022-jp", "\xc6a", "●a" }, { "iso-2022-jp", "\27(I`1", "●ｱ" },
    { "iso-2022-kr", "\27$)C\14I!GQ\15a", "●한a" },
    { "shift_jis", "\x85\xa0\x93\xfa", "●日" }, { "shift_jis", "\x85a\x93\xfa", "●a日" },
    { "shift_jis", "\xa0\xfd\xb1", "●●ｱ" }, { "shift_jis", "\x93", "●" },
    { "gbk", "\xff\xd6\xd0", "●中" }, { "gbk", "\x80\xd6\xd0", "€中" }, { "gbk", "\xd6\"a", "●\"a" },
    { "gb2312", "\xd6\xff\xd6\xd0", "●中" },
    { "gb18030", "\x81\x30\x81\x30\xfe\x39\xfe\x39", "\u{80}●" },
    { "gb18030", "\xfe\x39\xfe\x39\xd6\xd0", "●中" }, { "gb18030", "\x81\x30a", "●0a" },
    { "gb18030", "\x81\x30\x81", "●" }, { "gb18030", "\x81\x30\x81a", "●0乤" },
    { "big5", "\xfe\xff\xa4\xa4", "●中" }, { "big5", "\xa4!\xa4\xa4", "●!中" },
    { "big5", "\xff\xa4\xa4", "●中" },
    { "big5", "\xa3\xe1\xa2\xcc\x87\x40", "€十䏰" }, { "big5", "\x88\x62\xa4\xa4", "\u{ca}\u{304}中" },
    { "euc-kr", "\xa2\xe8\xc7\xd1", "㉾한" }, { "euc-kr", "\xc9\xa1\xc7\xd1", "●한" },
    { "euc-kr", "\xc7!\xc7\xd1", "●!한" }, { "euc-kr", "\xa2\xe9\xa2\xe9", "●●" },
    -- Unicode
    { "utf-16le", "\x00\xd8a\0", "●a" }, { "utf-16be", "\xdc\x00\0a", "●a" },
    { "utf-16", "a\0\xe9\0", "aé" }, { "utf-16be", "\xff\xfea\0", "a" },
    { "utf-16le", "\xfe\xff\0a", "a" }, { "utf-16", "\xff\xfe\x3d\xd8\x00\xde", "😀" },
    { "utf-32", "a\0\0\0\xff\xff\xff\xffb\0\0\0", "a●b" },
    { "utf-32be", "\0\0\xfe\xff\0\0\0a", "a" },
    { "utf-8", "\xef\xbb\xbf\u{e9}", "é" }, { "", "\xef\xbb\xbf\u{e9}", "é" },
  } do
    it(("lose no neighbour: %s, %q"):format(row[1], row[2]), function()
      local wanted = row[3]:gsub("●", "\u{fffd}")
      assert.equal(wanted, (probe.charset_utf8(row[2], row[1])))
      local word = row[2]:gsub(".", function(c) return ("=%02X"):format(c:byte()) end)
      local subject = smtp.parse(("Subject: =?%s?q?%s?="):format(row[1], word)).subject
      if row[1] ~= "" then assert.equal(wanted:gsub("[\r\n]", " "), subject) end
    end)
  end

  it("lose no neighbour wherever they are cut", function()
    local text = ("日本語②"):rep(50)
    for name, bytes in pairs { ["shift_jis"] = "\x93\xfa\x96\x7b\x8c\xea\x87\x41",
      ["euc-jp"] = "\xc6\xfc\xcb\xdc\xb8\xec\xad\xa2" } do
      bytes = bytes:rep(50)
      for n = 0, #bytes do
        local whole = text:sub(1, utf8.offset(text, n // 2 + 1) - 1)
        local rest = n % 2 == 1 and "\u{fffd}" or ""
        assert.equal(whole .. rest, (probe.charset_utf8(bytes:sub(1, n), name)))
      end
    end
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

  it("need memory at every step", function()
    for name, text in pairs { ["koi8-r"] = "\xc1", ["euc-jp"] = "\xc6\xfc\x8f\xb0\xa1a",
      ["iso-2022-jp"] = "\27$BF|\27(B", ["iso-2022-kr"] = "\27$)C\14GQ",
      ["big5"] = "\xa3\xe1\xff", ["utf-16"] = "a\0" } do
      local whole, n = probe.charset_utf8(text:rep(2000), name), 0
      collectgarbage()
      local live = probe.live()
      local out, err
      repeat
        n = n + 1
        probe.fail_at(n)
        out, err = probe.charset_utf8(text:rep(2000), name)
        probe.fail_at()
        if not out then assert.equal("ENOMEM", err) end
        collectgarbage()
        assert.equal(live, probe.live())
      until out
      assert.is_true(n > 1, name)
      assert.equal(whole, out)
    end
  end)
end)
