-- Domain names as A-labels (RFC 3492, RFC 5890).
local core = require "smtp.core"

-- From RFC 3492 section 7.1, those without capitals, and names that are in use.
local SAMPLES = {
  ["bücher.example"] = "xn--bcher-kva.example",
  ["münchen.example"] = "xn--mnchen-3ya.example",
  ["faß.example"] = "xn--fa-hia.example",
  ["παράδειγμα.δοκιμή"] = "xn--hxajbheg2az3al.xn--jxalpdlp",
  ["пример.испытание"] = "xn--e1afmkfd.xn--80akhbyknj4f",
  ["例え.テスト"] = "xn--r8jz45g.xn--zckzah",
  ["中国"] = "xn--fiqs8s",
  ["他们为什么不说中文"] = "xn--ihqwcrb4cv8a8dqg056pqjye",
  ["ليهمابتكلموشعربي؟"] = "xn--egbpdaj6bu4bxfgehfvwxn",
  ["למההםפשוטלאמדבריםעברית"] = "xn--4dbcagdahymbxekheh6e0a7fei0b",
  ["почемужеонинеговорятпорусски"] = "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l",
  ["3年b組金八先生"] = "xn--3b-ww4c5e180e575a65lsy2b",
}

describe("punycode", function()
  it("writes the samples of the RFC and names in use", function()
    for name, ascii in pairs(SAMPLES) do assert.equal(ascii, core.idna(name), name) end
  end)

  it("copies ASCII labels in lower case, and drops a dot at the end", function()
    assert.equal("mx.example.org", core.idna("MX.Example.ORG"))
    assert.equal("mx.example.org", core.idna("mx.example.org."))
    assert.equal("xn--bcher-kva.de", core.idna("XN--bcher-kva.de"))
    assert.equal("xn--bcher-kva.example", core.idna("bücher.EXAMPLE"))
  end)

  it("refuses what is not lower case and normalised", function()
    for _, name in ipairs { "Ä", "ÀX", "Ω", "Я", "ŵ\u{300}", "e\u{301}", "Ś", "Ż", "ﬁ", "ｅ", "Ա",
      "a\u{200d}b", "a\u{ad}b", "a\u{202e}b", "a\u{a0}b", "a\u{3000}b", "例。え", "\u{feff}a", "Ÿ",
      "Ẁ", "x²", "\u{e000}", "\u{fffe}", "\u{85}" } do
      assert.same({ nil, "invalid" }, { core.idna(name) }, name)
    end
    for _, name in ipairs { "ä", "ω", "я", "ś", "ż", "ÿ", "ẁ", "ß", "ı", "ŉ", "ĺ", "ѐ", "ӏ" } do
      assert.truthy(core.idna(name), name)
    end
  end)

  it("refuses what is no name", function()
    for _, name in ipairs { "", ".", "..", ".a", "a..b", "ü..b", "\xc3", "a\xff", "\xed\xa0\x80",
      "\xc0\x80" } do
      assert.same({ nil, "syntax" }, { core.idna(name) }, name)
    end
  end)

  it("takes labels up to 63 octets and names up to 253", function()
    local long = ("a"):rep(63)
    assert.equal(long, core.idna(long))
    assert.same({ nil, "syntax" }, { core.idna(long .. "a") })
    -- The encoded form counts: "ü" and n letters have n + 8 octets.
    assert.equal(63, #core.idna("ü" .. ("a"):rep(55)))
    assert.same({ nil, "syntax" }, { core.idna("ü" .. ("a"):rep(56)) })
    local name = table.concat({ long, long, long, ("a"):rep(61) }, ".")
    assert.equal(253, #core.idna(name))
    assert.same({ nil, "syntax" }, { core.idna(name .. "a") })
    assert.same({ nil, "syntax" }, { core.idna(("ü"):rep(5000)) })
  end)
end)
