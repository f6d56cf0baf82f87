local probe = require "probe"

describe("uxtext", function()
  it("C076 writes + = \\ and all that is not visible ASCII as code points", function()
    for text, want in pairs { [""] = "", ["ada@code.energy"] = "ada@code.energy",
      ["a+b=c\\ "] = "a\\x{2B}b\\x{3D}c\\x{5C}\\x{20}", ["\u{80}"] = "\\x{80}",
      ["\u{7ff}\u{800}"] = "\\x{7FF}\\x{800}", ["\u{d7ff}\u{e000}"] = "\\x{D7FF}\\x{E000}",
      ["\u{ffff}\u{10000}\u{10ffff}"] = "\\x{FFFF}\\x{10000}\\x{10FFFF}" } do
      assert.equal(want, probe.uxtext_format(text))
      assert.equal(text, probe.uxtext_parse(want))
    end
    for _, text in ipairs { "\xff", "a\xc3", "\xed\xa0\x80", "a\nb", "\127", "\0" } do
      assert.same({ nil, "EINVALID", "kept" }, { probe.uxtext_format(text, nil, "kept") })
    end
  end)

  it("C076 reads digits of any case, UTF-8 itself, and the bytes of xtext", function()
    for text, want in pairs { ["\\x{e9}\\x{0000E9}"] = "éé", ["d\u{f6}\\x{E9}"] = "döé",
      ["+C3+A9"] = "é", ["a+2Bb"] = "a+b", ["~!"] = "~!" } do
      assert.equal(want, probe.uxtext_parse(text))
    end
  end)

  it("C076 C174 refuses all else, and leaves the buffer", function()
    for _, text in ipairs { "\\", "a\\b", "\\x", "\\x{", "\\x{}", "\\x{E}", "\\x{E9", "\\xE9}",
      "\\x{E9 }", "\\x{G9}", "\\X{E9}", "\\x{00000E9}", "\\x{110000}", "\\x{D800}", "\\x{DFFF}",
      "\\x{00}", "\\x{0A}", "\\x{00000D}", "\\x{1F}", "\\x{7F}", "+0A", "+FF", "+C3", "+", "+4",
      "a=b", "a b", "a\n", "\0", "\xff", "\xc3", "x\\x{E9}+ff" } do
      assert.same({ nil, "ESYNTAX", "kept" }, { probe.uxtext_parse(text, nil, "kept") }, text)
    end
  end)

  it("does not read past its end, and meets the cap exactly", function()
    local text = "\\x{1F600}"
    for n = 1, #text - 1 do
      assert.same({ nil, "ESYNTAX", "" }, { probe.uxtext_parse(text:sub(1, n)) })
    end
    assert.equal("a😀", probe.uxtext_parse("a" .. text, 5))
    assert.same({ nil, "ETOOBIG", "" }, { probe.uxtext_parse("a" .. text, 4) })
    assert.equal(text, probe.uxtext_format("😀", 9))
    assert.same({ nil, "ETOOBIG", "" }, { probe.uxtext_format("😀", 8) })
  end)
end)
