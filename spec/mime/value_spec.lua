-- SPDX-License-Identifier: MIT
local probe = require "probe"

local function params(text)
  local main, list = probe.value_parse(text)
  table.insert(list, 1, main)
  return list
end

describe("values with parameters", function()
  it("are read as RFC 2045 has them", function()
    assert.same({ "text/plain", "charset", "us-ascii", false },
      params("Text/Plain; charset=us-ascii (Plain text)"))
    assert.same({ "text/plain", "charset", "us-ascii", false },
      params(' text / plain (a;"b\\)) ;\r\n charset = "us-ascii"'))
    assert.same({ "a/b", "x", 'q"\\;', false, "y", "", false }, params([[a/b; x="q\"\\;"; y=""]]))
    assert.same({ "a/b", "x", "1", false }, params("a/b;; x=1;"))
    assert.same({ "" }, params(""))
  end)

  it("are read where they are broken", function()
    assert.same({ "a/b", "x", "y z", false, "u", "v", false }, params("a/b; x=y z ; junk; u=v"))
    assert.same({ "a/b", "x", "open", false }, params('a/b; x="open'))
    assert.same({ "a/b", "x", "1", false, "x", "2", false }, params('a/b; x="1" 3; x=2; =4'))
    assert.same({ "a/b", "x", "copy (2).txt", false }, params("a/b; x=copy (2).txt"))
    assert.same({ "a/b", "x", "f(1)", false }, params("a/b; x=f(1) (last (word)"))
    assert.same({ "a/b", "x", "12", false }, params('a/b; x="1\r\n2"'))
  end)

  it("join the parts of RFC 2231", function()
    assert.same({ "m/e", "url", "ftp://cs.utk.edu/pub", false },
      params('m/e; URL*0="ftp://"; URL*1="cs.utk.edu/pub"'))
    assert.same({ "a/x", "title", "This is ***fun***", "us-ascii" },
      params("a/x; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A"))
    assert.same({ "a/x", "title", "This is even more ***fun*** isn't it!", "us-ascii" },
      params("a/x; title*0*=us-ascii'en'This%20is%20even%20more%20;" ..
        "title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\""))
    assert.same({ "a/x", "t", "abc", false }, params("a/x; t*2=c; t*0=a; t*1=b; t*4=e"))
    assert.same({ "a/x", "t", "b", "", "t", "a", false }, params("a/x; t=a; t*=b"))
    assert.same({ "a/x" }, params("a/x; t*1=b"))
    assert.same({ "a/x", "t*x", "b", false }, params("a/x; t*x=b"))
  end)

  it("may lack a semicolon", function()
    assert.same({ "a/b", "x", "1", false }, params("a/b x=1"))
    assert.same({ "a/b", "x", "1", false, "y", "2", false }, params('a/b\r\n x="1" y=2'))
    assert.same({ "a/b", "x", "1 y=2", false }, params("a/b, x=1 y=2"))
    assert.same({ "a/b", "x", "1", false, "charset", "2", false }, params("a/b; x=1 charset=2"))
    assert.same({ "a/b", "charset", "1", false }, params("a /b(c)charset=1"))
    assert.same({ "", "name", "1", false }, params("name=1"))
    assert.same({ "a/b", "x", "1", false }, params('a/b; x="1"y=2'))
  end)

  it("keep the end of the name of a file, whose middle may be left out", function()
    local list = {}
    for i = 0, 999 do list[i + 1] = ("; x*%d=%d."):format(i, i) end
    local name = params("a/b" .. table.concat(list))[3]
    assert.equal(128 + 1, select(2, name:gsub("%.", "")))
    assert.matches("^0%.1%.2%..*%.127%.999%.$", name)
    local many = params("a/b" .. ("; y=1"):rep(127) .. "; x*0*=utf-8''%41; x*1=b; x*2*=%2Epdf")
    assert.same({ "x", "A.pdf", "utf-8" }, table.move(many, 2, 4, 1, {}))
  end)

  it("are at most 128, read to their ends, and need memory", function()
    assert.equal(1 + 3 * 128, #params("a/b" .. ("; x=y"):rep(1000)))
    local text = [[a/b; x="q\"" (c); y*0*=utf-8'en'%41; y*1=b; z=a (b]]
    for n = 0, #text do assert.is_table(params(text:sub(1, n))) end
    local live = probe.live()
    probe.fail_at(1)
    local main, err = probe.value_parse(text)
    probe.fail_at()
    assert.same({ nil, "ENOMEM" }, { main, err })
    assert.equal(live, probe.live())
  end)
end)
