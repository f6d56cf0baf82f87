-- SPDX-License-Identifier: MIT
local probe = require "probe"

-- Each beginning of a text, at a guard page and behind bytes that must stay.
local function every_beginning(decoder, text)
  for n = 0, #text do
    local out = decoder(text:sub(1, n), "kept")
    assert.equal("kept", out:sub(1, 4))
  end
end

-- Each allocation fails once: an error, or all that there is without a failure.
local function fails(name, text)
  local whole = probe[name](text)
  for n = 1, 20 do
    local live = probe.live()
    probe.fail_at(n)
    local out, err = probe[name](text)
    probe.fail_at()
    collectgarbage()
    if out then
      assert.equal(whole, out)
      return assert.is_true(n > 1)
    end
    assert.equal("ENOMEM", err)
    assert.is_true(probe.live() <= live)
  end
  error("it never succeeded")
end

describe("base64 as it comes", function()
  it("decodes, whatever stands between the digits", function()
    assert.equal("", probe.decode_base64(""))
    assert.equal("Hello", probe.decode_base64("SGVsbG8="))
    assert.equal("Hello", probe.decode_base64("SG\r\nVs bG!8=\r\n"))
    assert.equal("Hello", probe.decode_base64("SGVsbG8"))
    assert.equal("ab", probe.decode_base64("YQ==Yg=="))
    assert.equal("a", probe.decode_base64("YQ==="))
    assert.equal("", probe.decode_base64("Y"))
    assert.equal("", probe.decode_base64("===="))
    assert.equal("\xfb\xff\xfe", probe.decode_base64("+//+"))
    every_beginning(probe.decode_base64, "SGVs\r\nbG8=YQ")
    fails("decode_base64", "SGVs")
  end)
end)

describe("quoted-printable as it comes", function()
  it("decodes, and leaves what is none", function()
    assert.equal("a=b\r\nc", probe.decode_qp("a=3Db  \t\r\nc \t"))
    assert.equal("ab", probe.decode_qp("a=\r\nb"))
    assert.equal("ab", probe.decode_qp("a=\nb="))
    assert.equal("ab", probe.decode_qp("a= \t\r\nb"))
    assert.equal("\xe9\xe9", probe.decode_qp("=E9=e9"))
    assert.equal("=ZZ=4", probe.decode_qp("=ZZ=4"))
    assert.equal("a \n", probe.decode_qp("a=20\n"))
    assert.equal("a b\rc", probe.decode_qp("a b\rc"))
    assert.equal("\0\xff", probe.decode_qp("\0\xff"))
    every_beginning(probe.decode_qp, "a=3D=\r\nb \r\n= \t\nc=E")
    fails("decode_qp", "a=3D")
  end)
end)

describe("the percent form of RFC 2231", function()
  it("is undone", function()
    assert.equal("a b%%4", probe.decode_percent("a%20b%%4"))
    every_beginning(probe.decode_percent, "%41%4")
  end)
end)

describe("encoded words (RFC 2047)", function()
  it("are eight bytes at least, and end with the text or before", function()
    for word, text in pairs { ["=?a?q??="] = "", ["=?a?b??="] = "", ["=?a?q?x?="] = "x",
      ["=?a?b?eA==?="] = "x" } do
      assert.equal(text, probe.decode_words(word), word)
      assert.equal("y " .. text .. " z", probe.decode_words("y " .. word .. " z"), word)
      for n = 1, #word - 1 do -- every beginning is text
        assert.equal(word:sub(1, n), probe.decode_words(word:sub(1, n)))
      end
    end
    for _, text in ipairs { "=??q?x?=", "=?a?x?x?=", "=?a?qq?x?=", "=?a??x?=", "=a?q?x?=" } do
      assert.equal(text, probe.decode_words(text))
    end
  end)

  it("decode as the examples of section 8 do", function()
    for given, wanted in pairs {
      ["=?ISO-8859-1?Q?a?="] = "a",
      ["=?ISO-8859-1?Q?a?= b"] = "a b",
      ["=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?="] = "ab",
      ["=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?="] = "ab",
      ["=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?="] = "ab",
      ["=?ISO-8859-1?Q?a_b?="] = "a b",
      ["=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?="] = "a b",
      ["=?US-ASCII*EN?Q?Keith_Moore?="] = "Keith Moore",
    } do
      assert.equal(wanted, probe.decode_words(given), given)
    end
  end)

  it("C042 mend what was split, unfold, and leave what is none", function()
    for given, wanted in pairs {
      ["=?utf-8?q?=C3?= =?UTF-8?b?qQ==?="] = "\u{e9}",
      ["=?utf-8?q?=41?="] = "A",
      ["a\r\n b"] = "a b",
      ["a\rb\nc"] = "abc",
      ["=?utf-8?x?a?="] = "=?utf-8?x?a?=",
      ["=?utf-8?q?a"] = "=?utf-8?q?a",
      ["=??q?a?="] = "=??q?a?=",
      ["a=?utf-8?q?b?=c"] = "abc",
      ["=?utf-8?q?a b?="] = "a b",
      ["=?utf-8?q?a=0D=0Ab?="] = "a  b",
      ["=?utf-8?q??= x"] = " x",
      ["=?utf-8?q?=FF?="] = "\u{fffd}",
      ["\xe9"] = "\u{e9}",
      ["\u{e9}"] = "\u{e9}",
      ["=?iso-2022-jp?b?GyRCRnxLXBsoQg==?="] = "\u{65e5}\u{672c}",
      [" = ? =?"] = " = ? =?",
    } do
      assert.equal(wanted, probe.decode_words(given), given)
    end
  end)

  it("keep what is before them, and tell when there is no memory", function()
    local text = "x =?utf-8?q?=C3?=\r\n =?utf-8?b?qQ==?= \xe9 =?gb2312?b?1tA=?= =?a?q?"
    every_beginning(probe.decode_words, text)
    fails("decode_words", text)
  end)

  it("reads uuencode wherever it is cut", function()
    local text = "begin 644 a\r\n#86)C\r\n#9&5F\r\n`\r\nend\r\nmore"
    for n = 0, #text do
      local got = probe.decode_uu(text:sub(1, n))
      if n < 9 then assert.equal(text:sub(1, n), got) end
      if n == 18 then assert.equal("abc", got) end
      if n >= 25 then assert.equal("abcdef", got) end
    end
    assert.equal("", probe.decode_uu("begin 644 a\n"))
    assert.equal(63, #probe.decode_uu("begin 644 a\n_"))
  end)
end)
