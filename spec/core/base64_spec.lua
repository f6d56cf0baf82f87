local probe = require "probe"

local vectors = { -- RFC 4648 section 10, and all digits
  [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=",
  foobar = "Zm9vYmFy", ["\0"] = "AA==", ["\0ada\0secret"] = "AGFkYQBzZWNyZXQ=",
  ["\xff\xff\xff"] = "////", ["\xfb\xef\xbe"] = "++++",
  ["\x00\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f\x41\x14\x93\x51\x55\x97\x61\x96\x9b\x71" ..
   "\xd7\x9f\x82\x18\xa3\x92\x59\xa7\xa2\x9a\xab\xb2\xdb\xaf\xc3\x1c\xb3\xd3\x5d\xb7\xe3\x9e" ..
   "\xbb\xf3\xdf\xbf"] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
}

describe("base64", function()
  it("encodes and decodes the vectors", function()
    for plain, encoded in pairs(vectors) do
      assert.are.equal(encoded, probe.base64_format(plain))
      assert.are.equal(plain, probe.base64_parse(encoded))
    end
  end)

  it("gives back any bytes", function()
    math.randomseed(7)
    for n = 0, 300 do
      local bytes = {}
      for i = 1, n do bytes[i] = string.char(math.random(0, 255)) end
      local plain = table.concat(bytes)
      local encoded = probe.base64_format(plain)
      assert.are.equal((n + 2) // 3 * 4, #encoded)
      assert.are.equal(plain, probe.base64_parse(encoded))
    end
  end)

  it("has one spelling for each string of bytes", function()
    local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" ..
      "abcdefghijklmnopqrstuvwxyz0123456789+/="
    local valid = 0
    for a in digits:gmatch "." do
      for _, tail in ipairs { "A==", "P==", "Q==", "wA=", "wB=", "wE=", "wAA", "A=A", "===" } do
        local encoded = a .. tail
        local plain = probe.base64_parse(encoded)
        if plain then
          valid = valid + 1
          assert.are.equal(encoded, probe.base64_format(plain))
        end
      end
    end
    assert.are.equal(64 * 5, valid)  -- A== Q== wA= wE= wAA
  end)

  it("is strict, and leaves the buffer as it was", function()
    for _, text in ipairs { "=", "==", "===", "====", "A", "AA", "AAA", "A===", "AA=A", "=AAA",
      "AA==AAAA", "AAA=AAAA", "AAAA====", "AAAA=", "Zg==\n", "Zg=\n", " Zg=", "Zm9v\r\n", "Z m9",
      "Zm-_", "Zh==", "Zm9=", "A\0AA", "AAA\x80", "AAAAA" } do
      assert.are.same({ nil, "ESYNTAX", "kept" }, { probe.base64_parse(text, nil, "kept") }, text)
    end
  end)

  it("appends", function()
    assert.are.equal("AUTH Zm9v", probe.base64_format("foo", nil, "AUTH "))
    assert.are.equal("a foo", probe.base64_parse("Zm9v", nil, "a "))
  end)

  it("meets the cap exactly", function()
    assert.are.equal("Zm8=", probe.base64_format("fo", 4))
    assert.are.same({ nil, "ETOOBIG", "" }, { probe.base64_format("fo", 3) })
    assert.are.equal("fo", probe.base64_parse("Zm8=", 2))
    assert.are.same({ nil, "ETOOBIG", "" }, { probe.base64_parse("Zm8=", 1) })
  end)

  it("tells when an allocation fails", function()
    local live = probe.live()
    for _, name in ipairs { "base64_format", "base64_parse" } do
      probe.fail_at(1)
      local plain, err = probe[name]("Zm9v")
      probe.fail_at()
      assert.are.same({ nil, "ENOMEM" }, { plain, err })
      assert.is_string(probe[name]("Zm9v"))
    end
    collectgarbage()
    assert.is_true(probe.live() <= live)
  end)
end)
