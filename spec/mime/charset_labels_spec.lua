-- SPDX-License-Identifier: MIT
-- The labels of the WHATWG Encoding Standard, section 4.2, but those of "replacement" and of
-- x-user-defined: bytes, what they are, and the names of that charset.
local probe = require "probe"
local smtp = require "smtp"

local ENCODINGS = {
  { "\xc3\xa9\xe2\x82\xac", "\u{e9}\u{20ac}",
    [[unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8]] },
  { "\xb1\xe4\xfa\xd7", "\u{2592}\u{444}\u{b7}\u{256b}",
    [[866 cp866 csibm866 ibm866]] },
  { "\xb1\xe4\xfa\xd7", "\u{105}\u{e4}\u{fa}\u{d7}",
    [[csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2
      latin2]] },
  { "\xb1\xe4\xfa\xd7", "\u{127}\u{e4}\u{fa}\u{d7}",
    [[csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3
      latin3]] },
  { "\xb1\xe4\xfa\xd7", "\u{105}\u{e4}\u{fa}\u{d7}",
    [[csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4
      latin4]] },
  { "\xb1\xe4\xfa\xd7", "\u{411}\u{444}\u{45a}\u{437}",
    [[csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5
      iso_8859-5:1988]] },
  { "\xe4\xd7", "\u{644}\u{637}",
    [[arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6
      iso-8859-6-e iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987]] },
  { "\xb1\xe4\xfa\xd7", "\u{b1}\u{3b4}\u{3ca}\u{3a7}",
    [[csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7
      iso88597 iso_8859-7 iso_8859-7:1987 sun_eu_greek]] },
  { "\xb1\xe4\xfa", "\u{b1}\u{5d4}\u{5ea}",
    [[csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8
      iso88598 iso_8859-8 iso_8859-8:1988 visual]] },
  { "\xb1\xe4\xfa", "\u{b1}\u{5d4}\u{5ea}",
    [[csiso88598i iso-8859-8-i logical]] },
  { "\xb1\xe4\xfa\xd7", "\u{105}\u{e4}\u{fa}\u{168}",
    [[csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6]] },
  { "\xb1\xe4\xfa\xd7", "\u{b1}\u{e4}\u{15b}\u{d7}",
    [[iso-8859-13 iso8859-13 iso885913]] },
  { "\xb1\xe4\xfa\xd7", "\u{1e1f}\u{e4}\u{fa}\u{1e6a}",
    [[iso-8859-14 iso8859-14 iso885914]] },
  { "\xb1\xe4\xfa\xd7", "\u{b1}\u{e4}\u{fa}\u{d7}",
    [[csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9]] },
  { "\xb1\xe4\xfa\xd7", "\u{b1}\u{e4}\u{fa}\u{15a}",
    [[iso-8859-16]] },
  { "\xb1\xe4\xfa\xd7", "\u{2560}\u{414}\u{417}\u{432}",
    [[cskoi8r koi koi8 koi8-r koi8_r]] },
  { "\xb1\xe4\xfa\xd7", "\u{2560}\u{414}\u{417}\u{432}",
    [[koi8-ru koi8-u]] },
  { "\xb1\xe4\xfa\xd7", "\u{b1}\u{2030}\u{2d9}\u{25ca}",
    [[csmacintosh mac macintosh x-mac-roman]] },
  { "\xb1\xe4\xfa\xd7", "\u{e11}\u{e44}\u{e5a}\u{e37}",
    [[dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874]] },
  { "\xb1\xe4\xfa\xd7", "\u{b1}\u{e4}\u{fa}\u{d7}",
    [[cp1250 windows-1250 x-cp1250]] },
  { "\xb1\xe4\xfa\xd7", "\u{b1}\u{434}\u{44a}\u{427}",
    [[cp1251 windows-1251 x-cp1251]] },
  { "\xe9\x80t\x96", "\u{e9}\u{20ac}t\u{2013}",
    [[ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1
      iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252]] },
  { "\xb1\xe4\xfa\xd7", "\u{b1}\u{3b4}\u{3ca}\u{3a7}",
    [[cp1253 windows-1253 x-cp1253]] },
  { "\xb1\xe4\xfa\xd7", "\u{b1}\u{e4}\u{fa}\u{d7}",
    [[cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9
      iso_8859-9:1989 l5 latin5 windows-1254 x-cp1254]] },
  { "\xb1\xe4\xfa\xd7", "\u{b1}\u{5d4}\u{5ea}\u{5f3}",
    [[cp1255 windows-1255 x-cp1255]] },
  { "\xb1\xe4\xfa\xd7", "\u{b1}\u{646}\u{652}\u{d7}",
    [[cp1256 windows-1256 x-cp1256]] },
  { "\xb1\xe4\xfa\xd7", "\u{b1}\u{e4}\u{15b}\u{d7}",
    [[cp1257 windows-1257 x-cp1257]] },
  { "\xb1\xe4\xfa\xd7", "\u{b1}\u{e4}\u{fa}\u{d7}",
    [[cp1258 windows-1258 x-cp1258]] },
  { "\xb1\xe4\xfa\xd7", "\u{b1}\u{434}\u{44a}\u{201e}",
    [[x-mac-cyrillic x-mac-ukrainian]] },
  { "\xd6\xd0\xce\xc4\xa2\xe3", "\u{4e2d}\u{6587}\u{20ac}",
    [[chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk]] },
  { "\xd6\xd0\x81\x30\x81\x30", "\u{4e2d}\u{80}",
    [[gb18030]] },
  { "\xa4\xa4\xa4\xe5", "\u{4e2d}\u{6587}",
    [[big5 big5-hkscs cn-big5 csbig5 x-x-big5]] },
  { "\xc6\xfc\xad\xa2", "\u{65e5}\u{2461}",
    [[cseucpkdfmtjapanese euc-jp x-euc-jp]] },
  { "\x1b\x24\x42\x46\x7c\x2d\x22\x1b\x28\x42", "\u{65e5}\u{2461}",
    [[csiso2022jp iso-2022-jp]] },
  { "\x93\xfa\x87\x41", "\u{65e5}\u{2461}",
    [[csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis]] },
  { "\xc7\xd1\x94\xee", "\u{d55c}\u{bdc1}",
    [[cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601
      ksc_5601 windows-949]] },
  { "\x00\xe9\x20\xac", "\u{e9}\u{20ac}",
    [[unicodefffe utf-16be]] },
  { "\xe9\x00\xac\x20", "\u{e9}\u{20ac}",
    [[csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le]] },
}

describe("a label of a charset", function()
  for _, row in ipairs(ENCODINGS) do
    local bytes, text, labels = table.unpack(row)
    it("is known: " .. labels:gsub("%s+", " "), function()
      for label in labels:gmatch("%S+") do
        for _, name in ipairs { label, label:upper(), " " .. label .. "\t" } do
          assert.equal(text, probe.charset_utf8(bytes, name), name)
          assert.is_true(select(2, probe.charset_utf8(bytes, name)), name)
        end
      end
    end)

    it("is known in messages: " .. labels:gsub("%s+", " "), function()
      for label in labels:gmatch("%S+") do
        local word = bytes:gsub(".", function(c) return ("=%02X"):format(c:byte()) end)
        local text_of = "Subject: =?%s?q?%s?=\nContent-Type: text/plain; charset=\"%s\"\n\n%s"
        local m = smtp.parse(text_of:format(label, word, label, bytes))
        assert.same({ text, text }, { m.subject, m.text }, label)
      end
    end)
  end

  it("stands for bytes that no other charset of the list reads", function()
    assert.equal("\u{fffd}", probe.charset_utf8("\x81", "windows-1252"))
    for _, name in ipairs { "x-user-defined", "replacement", "x-unknown", "" } do
      assert.is_false(select(2, probe.charset_utf8("x", name)), name)
    end
  end)
end)
