-- SPDX-License-Identifier: MIT
local list = require "smtp.address_list"

-- "name|address|group" for each.
local function read(text)
  local all = {}
  for i, one in ipairs(list.addresses(text)) do
    all[i] = ("%s|%s|%s"):format(one.name or "", one.address, one.group or "")
  end
  return all
end

describe("lists of addresses", function()
  it("C043 have names, comments, groups and quoted strings", function()
    assert.same({ "Ada|ada@code.energy|", "|bob@example.com|" },
      read("Ada <ada@code.energy>, bob@example.com"))
    assert.same({ "Lovelace, A.|ada@code.energy|" }, read('"Lovelace, A." <ada@code.energy>'))
    assert.same({ 'a "b" c|a@b|' }, read([["a \"b\" c" <a@b>]]))
    assert.same({ "Pete|pete@silly.test|" },
      read("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>"))
    assert.same({ "Chris Jones|c@public.example|A Group", "|joe@example.org|A Group",
      "John|jdoe@one.test|A Group", "|z@y|" },
      read("A Group(Some people):Chris Jones <c@(Chris's host.)public.example>,\r\n" ..
        " joe@example.org,\r\n John <jdoe@one.test> (my dear friend); (the end of the group) z@y"))
    assert.same({}, read("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;"))
    assert.same({ '|"a@b"@example.com|', '|"a b"@example.com|' },
      read('"a@b"@example.com, "a b"@example.com'))
    assert.same({ "Bob|b@c|" }, read("b@c (Bob)"))
    assert.same({ "Joe Q. Public|john.q.public@example.com|" },
      read("Joe Q. Public <john.q.public@example.com>"))
  end)

  it("C043 have obsolete forms and encoded words", function()
    assert.same({ "Mary|mary@example.net|" }, read("Mary <@node.test,@b:mary@example.net>"))
    assert.same({ "|john.doe@machine.example|", "|x@y|" },
      read("john . doe@machine . example, , x@y"))
    assert.same({ "\u{e9}t\u{e9}, x|a@b|" },
      read("=?utf-8?q?=C3=A9t?= =?utf-8?q?=C3=A9=2C?= x <a@b>"))
    assert.same({ "\u{e9}|a@b|" }, read('"=?utf-8?q?=C3=A9?=" <a@b>'))
    assert.same({ "Gr\u{fc}n|a@b|" }, read("Gr\xfcn <a@b>"))
    assert.same({ "|a@[192.0.2.1]|", "|a@[IPv6:::1]|" }, read("a@[192.0.2.1], <a@[IPv6:::1]>"))
    assert.same({ "|a@b\u{e9}.example|" }, read("a@b\u{e9}.example"))
  end)

  it("give no address that stands in nobody's eyes", function()
    assert.same({ "|ceo@bank.example=?utf-8?q?=2Eevil.example?=|" },
      read("ceo@bank.example=?utf-8?q?=2Eevil.example?="))
    assert.same({ "ceo@bank.example||" }, read("=?utf-8?q?ceo=40bank.example?="))
    assert.same({ "|=?utf-8?q?ceo=40bank.example?=|" }, read("<=?utf-8?q?ceo=40bank.example?=>"))
    assert.same({ "ceo@bank.example evil||" }, read("ceo@bank.example evil"))
    assert.same({ "Bob Smith bob@x.example||" }, read("Bob Smith bob@x.example"))
    assert.same({ "|ceo@bank.example|", "ceo evil@x.example||" },
      read("ceo @ bank . example, ceo evil@x.example"))
    assert.same({ "ceo@bank.exampleevil@x.example||" }, read("ceo@bank.example:evil@x.example"))
  end)

  it("give something for what is broken", function()
    assert.same({}, read(""))
    assert.same({}, read(" , ;<>,:(("))
    assert.same({ "|a@b|" }, read("<a@b"))
    assert.same({ "foo bar||" }, read("foo bar"))
    assert.same({ "|postmaster|" }, read("postmaster"))
    assert.same({ "A|a@b|", "B|c@d|" }, read("A <a@b> B <c@d>"))
    assert.same({ "a@b|c@d|" }, read("a@b <c@d>"))
    local text = [[G: "a \" (b)" (c \) d) <@r,@s:"x@y"@[::1]>, e . f @ g; h]]
    for n = 0, #text do assert.is_table(read(text:sub(1, n))) end
  end)
end)
