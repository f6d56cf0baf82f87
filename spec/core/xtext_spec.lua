local probe = require "probe"

describe("xtext", function()
  it("C076 encodes + and = and all that is not visible, in upper case", function()
    assert.are.equal("", probe.xtext_format(""))
    assert.are.equal("ada@code.energy", probe.xtext_format("ada@code.energy"))
    assert.are.equal("a+2Bb+3Dc", probe.xtext_format("a+b=c"))
    assert.are.equal("+20~!", probe.xtext_format(" ~!"))
    assert.are.equal("+C3+A9+FF", probe.xtext_format("\xc3\xa9\xff"))
  end)

  it("C076 decodes and encodes again to the same", function()
    for _, text in ipairs { "", "a+2Bb+3Dc", "+80", "+FFx~+20", "!~" } do
      assert.are.equal(text, probe.xtext_format(probe.xtext_parse(text)))
    end
    assert.are.equal("A", probe.xtext_parse("+41"))
  end)

  it("C076 each byte but a control has its form", function()
    for byte = 32, 255 do
      local char = string.char(byte)
      local plain = byte >= 33 and byte <= 126 and char ~= "+" and char ~= "="
      local text = plain and char or ("+%02X"):format(byte)
      if byte ~= 127 then
        assert.are.equal(text, probe.xtext_format(char))
        assert.are.equal(char, probe.xtext_parse(text))
      end
      if not plain then assert.are.same({ nil, "ESYNTAX", "" }, { probe.xtext_parse(char) }) end
    end
  end)

  it("C174 a control is neither written nor read", function()
    for byte = 0, 127 do
      local char = string.char(byte)
      if char:find "%c" then
        local text = ("a+%02Xb"):format(byte)
        assert.are.same({ nil, "ESYNTAX", "kept" }, { probe.xtext_parse(text, nil, "kept") }, text)
        assert.are.same({ nil, "EINVALID", "kept" },
          { probe.xtext_format("a" .. char .. "b", nil, "kept") }, text)
      end
    end
  end)

  it("C076 refuses +00 and everything that is not xtext, and leaves the buffer", function()
    for _, text in ipairs { "+00", "a+00b", "+", "+4", "a+", "+4g", "+g4", "+2b", "+c3", "+ 4",
      "+-1", "a=b", "a b", " ", "a\r\n", "\0", "\127", "\xc3\xa9", "abc+" } do
      assert.are.same({ nil, "ESYNTAX", "kept" }, { probe.xtext_parse(text, nil, "kept") }, text)
    end
    assert.are.same({ nil, "EINVALID", "kept" }, { probe.xtext_format("a\0b", nil, "kept") })
  end)

  it("does not read past its end", function()
    local text = "+2B+3D"
    for n = 0, #text do
      local plain = probe.xtext_parse(text:sub(1, n))
      assert.are.equal(n % 3 == 0 and ("+="):sub(1, n // 3) or nil, plain)
    end
  end)

  it("meets the cap exactly and appends", function()
    assert.are.equal("x+20", probe.xtext_format(" ", 4, "x"))
    assert.are.same({ nil, "ETOOBIG", "x" }, { probe.xtext_format(" ", 3, "x") })
    assert.are.equal("x ", probe.xtext_parse("+20", 2, "x"))
    assert.are.same({ nil, "ETOOBIG", "x" }, { probe.xtext_parse("+20", 1, "x") })
  end)

  it("tells when an allocation fails", function()
    for _, name in ipairs { "xtext_format", "xtext_parse" } do
      probe.fail_at(1)
      local text, err = probe[name]("abc")
      probe.fail_at()
      assert.are.same({ nil, "ENOMEM" }, { text, err })
      assert.are.equal("abc", probe[name]("abc"))
    end
  end)
end)
