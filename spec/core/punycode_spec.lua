-- SPDX-License-Identifier: MIT
local core = require "smtp.core"
local probe = require "probe"

local function refused(kind, text)
  assert.are.same({ nil, kind, "kept" }, { probe.punycode_domain(text, nil, "kept") },
    ("%q"):format(text))
end

-- Each U+XXXX of text as UTF-8, inside of a label.
local function each_point(text, call)
  for first, last in text:gmatch("(%x+)%-?(%x*)") do
    local low = tonumber(first, 16)
    for point = low, tonumber(last, 16) or low do call(utf8.char(point), point) end
  end
end

-- RFC 3492 section 7.1, its capitals made small, which changes nothing but the case
-- before the last hyphen; (A) with and without its question mark, which is no letter,
-- and without (S), which is ASCII.
local samples = {
  { "ليهمابتكلموشعربي؟" },
  { "ليهمابتكلموشعربي", "mgbcah9ar9a4efegftvvn" },
  { "他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye" },
  { "他們爲什麽不說中文", "ihqwctvzc91f659drss3x8bo0yb" },
  { "pročprostěnemluvíčesky", "proprostnemluvesky-uyb24dma41a" },
  { "למההםפשוטלאמדבריםעברית", "4dbcagdahymbxekheh6e0a7fei0b" },
  { "यहलोगहिन्दीक्योंनहींबोलसकतेहैं",
    "i1baa7eci9glrd9b2ae1bj0hfcgg6iyaf8o0a1dig0cd" },
  { "なぜみんな日本語を話してくれないのか",
    "n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa" },
  { "почемужеонинеговорятпорусски",
    "b1abfaaepdrnnbgefbadotcwatmq2g4l" },
  { "porquénopuedensimplementehablarenespañol",
    "porqunopuedensimplementehablarenespaol-fmd56a" },
  { "tạisaohọkhôngthểchỉnóitiếngviệt",
    "tisaohkhngthchnitingvit-kjcr8268qyxafd2f1b9g" },
  { "3年b組金八先生", "3b-ww4c5e180e575a65lsy2b" },
  { "安室奈美恵-with-super-monkeys",
    "-with-super-monkeys-pc58ag80a8qai00g7n9n" },
  { "hello-another-way-それぞれの場所",
    "hello-another-way--fc4qua05auwb3674vfr0b" },
  { "ひとつ屋根の下2", "2-u9tlzr9756bt3uc0v" },
  { "majiでkoiする5秒前", "majikoi5-783gue6qz075azm5e" },
  { "パフィーdeルンバ", "de-jg4avhby1noc0d" },
  { "そのスピードで", "d9juau41awczczp" },
}

describe("punycode", function()
  it("encodes the samples of RFC 3492", function()
    for _, sample in ipairs(samples) do
      local text, code = sample[1], sample[2]
      if code then
        assert.are.equal("xn--" .. code, probe.punycode_domain(text))
      else
        refused("EINVALID", text)
      end
    end
  end)

  it("encodes the U-labels of a name and leaves the others", function()
    for text, name in pairs {
      ["bücher.example"] = "xn--bcher-kva.example",
      ["post.müller.de."] = "post.xn--mller-kva.de",
      ["straße.de"] = "xn--strae-oqa.de",
      ["παράδειγμα.δοκιμή"] = "xn--hxajbheg2az3al.xn--jxalpdlp",
      ["βόλος.com"] = "xn--nxasmm1c.com",
      ["пример.испытание"] = "xn--e1afmkfd.xn--80akhbyknj4f",
      ["例え.テスト"] = "xn--r8jz45g.xn--zckzah",
      ["例子.测试"] = "xn--fsqu00a.xn--0zwm56d",
      ["실례.테스트"] = "xn--9n2bp8q.xn--9t4b11yi5a",
      ["मिसाल.भारत"] = "xn--r2biryd.xn--h2brj9c",
      ["ü.ö.ä"] = "xn--tda.xn--nda.xn--4ca",
      ["col·lega.cat"] = "xn--collega-xma.cat",
      ["\u{20000}.cn"] = "xn--j50i.cn",
    } do
      assert.are.equal(name, probe.punycode_domain(text))
    end
  end)

  it("makes ASCII small and does nothing else to it", function()
    assert.are.equal("mail.example.com", probe.punycode_domain("MAIL.Example.COM."))
    assert.are.equal("xn--bcher-kva.de", probe.punycode_domain("XN--BCHER-KVA.DE"))
    assert.are.equal("_25._tcp.a-1", probe.punycode_domain("_25._tcp.a-1"))
    assert.are.equal("xn--bcher-kva.de", probe.punycode_domain("BüCHER.De"))
    assert.are.equal("192.0.2.1", probe.punycode_domain("192.0.2.1"))
  end)

  it("takes an A-label that Punycode makes of its own points", function()
    for _, sample in ipairs(samples) do
      if sample[2] then
        assert.are.equal("xn--" .. sample[2], probe.punycode_domain("XN--" .. sample[2]:upper()))
      end
    end
    for _, code in ipairs { "n3h", "ls8h", "11b2ezcw70k", "mgba3gch31f060k" } do
      assert.are.equal("xn--" .. code, probe.punycode_domain("xn--" .. code))
    end
    local joiner, mark = "xn--ab-m1t", "xn--a-wbb" -- a, U+200D, b; U+0301, a
    for _, label in ipairs { "xn--", "xn--a", "xn--a-", "xn---", "xn----", "xn--abc", "xn--0",
      "xn--not-punycode-", "xn--\u{fc}", "xn--bcher-kv", "xn--bcher-kva9", "xn--99999999",
      "xn--bcher-kva-", "xn--_-tda", "xn---tda", "xn--" .. ("z"):rep(59), joiner, mark } do
      refused("EINVALID", label)
      refused("EINVALID", "a." .. label .. ".example")
    end
  end)

  it("refuses a mark in front, and a joiner where nothing joins", function()
    each_point("0301 0483 0591 05bf 0610 064b 0670 0730 0903 093e 0e31 0f71 1ab0 302a a8e0 " ..
      "10a01 1e8d0 200c 200d", function(char)
      refused("EINVALID", char .. "\u{5d0}.de")
      refused("EINVALID", char .. ".de")
    end)
  end)

  it("refuses what has a composed form", function()
    for _, text in ipairs { "u\u{308}", "\u{627}\u{654}", "\u{928}\u{93c}", "\u{9c7}\u{9be}",
      "\u{e33}", "\u{958}" } do
      refused("EINVALID", "a" .. text .. ".de")
    end
    assert.truthy(probe.punycode_domain("\u{995}\u{9be}"))
  end)

  -- The pairs with a composed form of Unicode 14 whose second point is valid elsewhere.
  it("knows all such pairs, and no other", function()
    local pairs_of =
      "0627+0653,0654,0655 0648+0654 064a+0654 06c1+0654 06d2+0654 06d5+0654 0928+093c " ..
      "0930+093c 0933+093c 09c7+09be,09d7 0b47+0b3e,0b56,0b57 0b92+0bd7 0bc6+0bbe,0bd7 " ..
      "0bc7+0bbe 0c46+0c56 0cbf+0cd5 0cc6+0cc2,0cd5,0cd6 0cca+0cd5 0d46+0d3e,0d57 0d47+0d3e " ..
      "0dd9+0dca,0dcf,0ddf 0ddc+0dca 1025+102e 1b05+1b35 1b07+1b35 1b09+1b35 1b0b+1b35 " ..
      "1b0d+1b35 1b11+1b35 1b3a+1b35 1b3c+1b35 1b3e+1b35 1b3f+1b35 1b42+1b35 11099+110ba " ..
      "1109b+110ba 110a5+110ba 11131+11127 11132+11127 11347+1133e,11357 " ..
      "114b9+114b0,114ba,114bd 115b8+115af 115b9+115af 11935+11930"
    local composes, firsts, seconds = {}, {}, {}
    for first, list in pairs_of:gmatch("(%x+)%+(%S+)") do
      firsts[first] = true
      for second in list:gmatch("%x+") do
        seconds[second], composes[first .. second] = true, true
      end
    end
    for first in pairs(firsts) do
      for second in pairs(seconds) do
        assert.equal(composes[first .. second] or false,
          probe.ulabel_composes(tonumber(first, 16), tonumber(second, 16)), first .. "+" .. second)
      end
    end
  end)

  -- The sums are of tables that were compared with the data of Unicode 14: the marks are its
  -- categories Mn, Mc and Me.
  it("has each row of its tables as it was made", function()
    assert.same({ 222394, 0x7b871dbabd7a3ab0 }, { probe.ulabel_points("refused") })
    assert.same({ 2586, 0x63247532a4171fa7 }, { probe.ulabel_points("mark") })
    assert.same({ 892156, 0x8575e649757b86aa }, { probe.ulabel_points("had") })
  end)

  it("refuses empty labels", function()
    for _, text in ipairs { "", ".", "..", ".a", "a..b", "a..", ".ü", "ü..", "ü..ä" } do
      refused("ESYNTAX", text)
    end
  end)

  it("refuses broken UTF-8", function()
    for _, text in ipairs { "\xff", "\x80", "a\xc3", "\xc3.de", "\xc0\xaf", "\xe0\x80\xaf",
      "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x9f\x98", "ok.\xe2\x82", "ü\xbc" } do
      refused("ESYNTAX", text)
    end
  end)

  it("refuses ASCII that is in no name", function()
    for byte = 0, 127 do
      local char = string.char(byte)
      if char:find("[%w_-]") then
        assert.are.equal("a" .. char:lower() .. "b", probe.punycode_domain("a" .. char .. "b"))
      elseif char ~= "." then
        refused("EINVALID", "a" .. char .. "b")
      end
      if not char:find("[%w.-]") then refused("EINVALID", "ü" .. char .. "b") end
    end
  end)

  it("refuses hyphens where a U-label has none", function()
    for _, text in ipairs { "-ü", "ü-", "xn--ü", "ab--ü", "üa--b" } do
      refused("EINVALID", text)
    end
    assert.truthy(probe.punycode_domain("a-ü"))
    assert.truthy(probe.punycode_domain("a--ü"))
    assert.truthy(probe.punycode_domain("abü--c"))
  end)

  it("refuses what is not small", function()
    local capitals = "00c0-00d6 00d8-00de 0100 0102 012e 0130 0132 0134 0136 0139 013b 013f " ..
      "0141 0143 0147 014a 014c 0176 0178 0179 017b 017d 0181 018e 01c4 01c5 " ..
      "01cd 01db 01de 01f1 01f4 0200 0232 0386 0388-038a 038c 038e-038f " ..
      "0391-03a1 03a3-03ab 0400-042f 0460 0480 048a 04c0 04c1 04d0 052e " ..
      "0531-0556 10a0-10c5 1c90-1cba 1e00 1e94 1e9e 1efe 1f08-1f0f 1fb8 2160 " ..
      "24b6 2c00 2c80 a640 a722 ff21 10400"
    each_point(capitals, function(char) refused("EINVALID", "a" .. char .. "a.de") end)
  end)

  it("takes the small letter of each pair", function()
    local small = "00df-00f6 00f8-00ff 0101 012f 0131 0135 0137 0138 013a 013c 0142 0144 0148 " ..
      "014b 014d 0177 017a 017c 017e 01ce 01dc 01df 0201 03ac-03ce 0430-045f 0461 048b 04c2 " ..
      "04cf 04d1 052f 0561-0586 10d0-10f0 1e01 1e95 1eff 1f00 2c30 2d00 a641 a723 10428"
    each_point(small, function(char, point)
      assert.truthy(probe.punycode_domain("a" .. char .. "a.de"), ("%x"):format(point))
    end)
  end)

  it("refuses controls, spaces, marks, and what stands for something else", function()
    local others = "0080-00b6 00d7 00f7 0149 017f 01c7-01cc 0300-036f 061c 0640 1100 " ..
      "115f 1680 17b4 " ..
      "180e 1fef 2000-206f 2070-209c 20a0 2100-2138 2190 2603 2e80 3000-3001 3003-3004 " ..
      "3099-309b 3131 3164 3200 32ff e000 f8ff f900 fb00-fb06 fdd0-fdef fe00-fe0f fe52 " ..
      "feff ff00-ff0d ff0f-ff60 ff62-ffef fff9-ffff 1d400 1f600 1fffe-1ffff 2fffe 2f800 " ..
      "3fffe 7ffff e0001 e0100 f0000 10ffff"
    each_point(others, function(char) refused("EINVALID", "a" .. char .. "a.de") end)
  end)

  it("knows the dots of other keyboards", function()
    for _, dot in ipairs { "。", "．", "｡" } do
      assert.are.equal("a.b", probe.punycode_domain("a" .. dot .. "b" .. dot))
      assert.are.equal("xn--tda.b", probe.punycode_domain("ü" .. dot .. "b"))
      refused("ESYNTAX", "a" .. dot .. "." .. "b")
      refused("ESYNTAX", dot)
    end
  end)

  it("refuses the middle dot but in Catalan", function()
    for _, text in ipairs { "a·b", "l·", "·l", "l·a", "a·l", "ü·" } do
      refused("EINVALID", text)
    end
    assert.truthy(probe.punycode_domain("l·l"))
    assert.truthy(probe.punycode_domain("L·L"))
  end)

  it("meets the limits of a label", function()
    for n = 62, 63 do
      assert.are.equal(("a"):rep(n), probe.punycode_domain(("a"):rep(n)))
    end
    refused("ESYNTAX", ("a"):rep(64))
    -- "xn--" a... "-" and the digits of ü
    local longest
    for n = 1, 62 do
      local code = probe.punycode_domain(("a"):rep(n) .. "ü")
      if code then
        assert.are.equal(n, longest and longest + 1 or n)
        longest = n
        assert.truthy(#code <= 63)
      else
        refused("ESYNTAX", ("a"):rep(n) .. "ü")
      end
    end
    assert.are.equal(63, #probe.punycode_domain(("a"):rep(longest) .. "ü"))
    for n = 1, 70 do
      local code = probe.punycode_domain(("ü"):rep(n))
      if code then assert.truthy(#code <= 63) else refused("ESYNTAX", ("ü"):rep(n)) end
    end
    refused("ESYNTAX", ("ü"):rep(10000))
    refused("ESYNTAX", ("ü\u{3fffd}"):rep(31))
  end)

  it("meets the limits of a name", function()
    local most = ("a"):rep(63) .. "." .. ("b"):rep(63) .. "." .. ("c"):rep(63) .. "."
    for n = 60, 61 do
      local name = most .. ("d"):rep(n)
      assert.are.equal(name, probe.punycode_domain(name))
      assert.are.equal(name, probe.punycode_domain(name .. "."))
    end
    refused("ESYNTAX", most .. ("d"):rep(62))
    refused("ESYNTAX", most .. ("d"):rep(62) .. ".")
    for n = 52, 53 do -- and ".xn--tda" makes 252 and 253
      local name = most .. ("d"):rep(n)
      assert.are.equal(name .. ".xn--tda", probe.punycode_domain(name .. ".ü"))
    end
    refused("ESYNTAX", most .. ("d"):rep(54) .. ".ü")
    refused("ESYNTAX", ("a."):rep(127) .. "b")
    assert.are.equal(253, #probe.punycode_domain(("a."):rep(126) .. "b"))
  end)

  it("does not read past its end", function()
    local text = "bücher.\u{20000}日本.de"
    for n = 0, #text do
      local part = text:sub(1, n)
      local code = probe.punycode_domain(part)
      assert.are.equal(utf8.len(part) ~= nil and n > 0, code ~= nil)
    end
  end)

  it("meets the cap exactly and appends", function()
    assert.are.equal("@xn--tda", probe.punycode_domain("ü", 8, "@"))
    assert.are.same({ nil, "ETOOBIG", "@" }, { probe.punycode_domain("ü", 7, "@") })
  end)

  it("tells when an allocation fails", function()
    collectgarbage()
    collectgarbage() -- what other specs left
    local live = probe.live()
    probe.fail_at(1)
    local text, err = probe.punycode_domain("bücher.de")
    probe.fail_at()
    assert.are.same({ nil, "ENOMEM" }, { text, err })
    assert.are.equal("xn--bcher-kva.de", probe.punycode_domain("bücher.de"))
    collectgarbage()
    collectgarbage()
    assert.are.equal(live, probe.live())
  end)

  it("asks a map for U-labels and A-labels, whose labels are those of ASCII", function()
    for _, label in ipairs { "a", "b_c", "abc", "xn--tda", ("x"):rep(63), "_" } do
      assert.equal("mx." .. label .. ".de", probe.punycode_mapped("MX.\u{fc}.de", label))
      assert.equal(label, probe.punycode_mapped("xn--tda", label))
    end
    for _, label in ipairs { "a b", "a.b", "a!", "!", "\u{fc}", "xn--a_b", "a\0" } do
      assert.same({ nil, "EINVALID", "" }, { probe.punycode_mapped("\u{fc}.de", label) }, label)
    end
    for _, label in ipairs { "", ("x"):rep(64) } do
      assert.same({ nil, "ESYNTAX", "" }, { probe.punycode_mapped("\u{fc}.de", label) })
    end
    assert.equal("a_b.de", probe.punycode_mapped("a_b.de", "never asked"))
  end)

  it("is core.idna for Lua, where libidn2 is missing", function()
    assert.are.equal("xn--bcher-kva.de", core.idna("bücher.DE.", true))
    local function why(text) return (select(2, core.idna(text, true))) end
    assert.matches("a label is empty", why("a..b"))
    assert.matches("libidn2 is missing", why("Ü.de"))
    assert.matches("broken label xn%-%-", why("xn--a.de"))
    assert.error_matches(function() core.idna() end, "string expected, got no value")
  end)
end)
