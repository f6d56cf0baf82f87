-- SPDX-License-Identifier: MIT
-- RFC 6376 sections 3.4.1 to 3.4.6.
local core = require "smtp.core"
local probe = require "probe"

-- The form of a body is the same in any cut.
local function body(canon, text)
  local whole = probe.dkim_body(canon, text)
  for cut = 1, math.min(#text, 40) do
    assert.equal(whole, probe.dkim_body(canon, text, cut))
  end
  local digest = core.dkim_body(canon)
  for i = 1, #text do digest:feed(text:sub(i, i)) end
  local _, count = digest:finish()
  assert.equal(#whole, count)
  return whole
end

describe("the canonical form of a body", function()
  it("is that of the example of RFC 6376 section 3.4.5", function()
    local text = " C \r\nD \t E\r\n\r\n\r\n"
    assert.equal(" C\r\nD E\r\n", body("relaxed", text))
    assert.equal(" C \r\nD \t E\r\n", body("simple", text))
  end)

  it("C126 of nothing is CRLF, or nothing where it is relaxed", function()
    for _, text in ipairs { "", "\r\n", "\r\n\r\n", "\n", "\r", "\r\r\n\n" } do
      assert.equal("\r\n", body("simple", text))
      assert.equal("", body("relaxed", text))
    end
    for _, text in ipairs { " ", " \r\n", "\t \r\n \r\n\r\n" } do
      assert.equal("", body("relaxed", text))
    end
    assert.equal(" \r\n", body("simple", " \r\n\r\n"))
  end)

  it("C126 of nothing has the hashes of RFC 6376 sections 3.4.3 and 3.4.4", function()
    assert.equal("frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=",
      core.base64((core.dkim_body("simple"):finish())))
    assert.equal("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
      core.base64((core.dkim_body("relaxed"):finish())))
  end)

  it("C126 drops white space at the end of lines and lines at the end", function()
    assert.equal("a\r\n\r\n b c\r\n", body("relaxed", "a \t\r\n \t\r\n\t b\t \tc  \r\n \r\n\t\r\n"))
    assert.equal("a \r\n\r\n\tb\r\n", body("simple", "a \r\n\r\n\tb\r\n\r\n\r\n\r\n"))
    assert.equal("a\r\n \r\n", body("simple", "a\r\n \r\n\r\n"))
    assert.equal("\r\n\r\na\r\n", body("relaxed", "\r\n \r\na"))
  end)

  it("C126 ends in CRLF where the body did not", function()
    for _, canon in ipairs { "simple", "relaxed" } do
      assert.equal("a\r\n", body(canon, "a"))
      assert.equal("a\r\n\r\nb\r\n", body(canon, "a\r\n\r\nb"))
      assert.equal("a\r\n", body(canon, "a\r"))
    end
    assert.equal("a\r\n", body("relaxed", "a \t"))
    assert.equal("a \t\r\n", body("simple", "a \t"))
  end)

  it("takes CRLF, LF and CR for a line end", function()
    for _, canon in ipairs { "simple", "relaxed" } do
      assert.equal("a\r\nb\r\n\r\nc\r\n\r\nd\r\n", body(canon, "a\nb\r\rc\r\n\nd\r\n\r"))
    end
    assert.equal("a\r\n\r\nb\r\n", body("relaxed", "a\r \nb"))
    assert.equal("a\r\n \r\nb\r\n", body("simple", "a\r \nb"))
  end)

  it("keeps NUL and 8-bit bytes", function()
    local text = "\0a\xff\x80\0\r\n"
    assert.equal(text, body("simple", text))
    assert.equal(text, body("relaxed", text))
  end)

  it("passes long lines and many empty ones", function()
    local text = ("x"):rep(5000) .. "\r\n" .. ("\r\n"):rep(3000) .. ("y "):rep(3000) .. "z"
    assert.equal(text .. "\r\n", probe.dkim_body("simple", text .. ("\n"):rep(9000)))
    assert.equal(text .. "\r\n", probe.dkim_body("relaxed", text .. ("\n"):rep(9000), 1))
  end)

  it("is told that its bytes cannot be written", function()
    assert.same({ nil, "ETOOBIG" }, { probe.dkim_body("simple", "abc", 1, 4) })
    assert.same({ nil, "ETOOBIG" }, { probe.dkim_body("relaxed", ("a"):rep(3000), 0, 2000) })
  end)

  it("is hashed up to a limit and counted to its end", function()
    local _, all = core.dkim_body("simple"):finish()
    assert.equal(2, all)
    local one, two = core.dkim_body("relaxed", 4), core.dkim_body("simple")
    one:feed("ab\r\nmore of it")
    two:feed("ab\r\n")
    local hash, count = one:finish()
    assert.same({ (two:finish()), 16 }, { hash, count })
    assert.error_matches(function() one:finish() end, "the body was finished")
    assert.error_matches(function() one:feed("") end, "the body was finished")
    assert.error_matches(function() core.dkim_body("nowsp") end, "invalid option 'nowsp'")
  end)
end)

describe("the canonical form of a field", function()
  it("is that of the example of RFC 6376 section 3.4.5", function()
    assert.equal("a:X\r\n", probe.dkim_header("relaxed", "A: X\r\n"))
    assert.equal("b:Y Z\r\n", probe.dkim_header("relaxed", "B : Y\t\r\n\tZ  \r\n"))
    for _, field in ipairs { "A: X\r\n", "B : Y\t\r\n\tZ  \r\n" } do
      assert.equal(field, probe.dkim_header("simple", field))
    end
  end)

  it("has one space for white space and none around", function()
    assert.equal("subject:a b\r\n",
      probe.dkim_header("relaxed", "SUBJect \t: \r\n  \ta \r\n\t b \t"))
    assert.equal("x:\r\n", probe.dkim_header("relaxed", "X:"))
    assert.equal("x:\r\n", probe.dkim_header("relaxed", "X: \r\n \t\r\n"))
    assert.equal("x::a\r\n", probe.dkim_header("relaxed", "X: :a"))
    assert.equal("\xc3\x84x:\xff\0\r\n", probe.dkim_header("relaxed", "\xc3\x84X: \xff\0"))
  end)

  it("has CRLF for each line end", function()
    assert.equal("X: a\r\n b\r\n c\r\n", probe.dkim_header("simple", "X: a\n b\r c"))
    assert.equal("x:a b c\r\n", probe.dkim_header("relaxed", "X: a\n b\r c\r"))
  end)

  it("needs a name and a colon", function()
    for _, text in ipairs { "", "\r\n", "abc", ":", " : a", "\n" } do
      for _, canon in ipairs { "simple", "relaxed" } do
        assert.same({ nil, "ESYNTAX" }, { probe.dkim_header(canon, text) })
        assert.is_nil(core.dkim_header(canon, text))
      end
    end
  end)

  it("meets its cap, and tells when an allocation fails", function()
    for _, canon in ipairs { "simple", "relaxed" } do
      assert.equal("a:b\r\n", probe.dkim_header(canon, "a:b", 5))
      assert.same({ nil, "ETOOBIG" }, { probe.dkim_header(canon, "a:b", 4) })
      probe.fail_at(1)
      local text, err = probe.dkim_header(canon, "a:b")
      probe.fail_at()
      assert.same({ nil, "ENOMEM" }, { text, err })
    end
    collectgarbage()
  end)
end)
