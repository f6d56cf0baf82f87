-- SPDX-License-Identifier: MIT
local core = require "smtp.core"
local probe = require "probe"

local function fault_of(text) return (select(3, core.addresses(text))) end

-- "name|address|group" for each.
local function read(text)
  local all = {}
  for i, one in ipairs((core.addresses(text))) do
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
    for _, mark in ipairs { ",", ";", ":", "@", "<", ">", "(", ")", "[", '"', "x@y.z" } do
      local given = ("=?utf-8?Q?A%s_B?= <a@b>, c@d"):format(mark)
      assert.same({ ("A%s B|a@b|"):format(mark), "|c@d|" }, read(given), given)
      assert.truthy(fault_of(given), given) -- others find something else in it
    end
    assert.is_nil(fault_of("=?utf-8?Q?A_B=2C?= <a@b>"))
    assert.same({ "=?utf-8?Q?A||", "B|a@b|" }, read("=?utf-8?Q?A, B <a@b>"))
    assert.same({ "Gr\u{fc}n|a@b|" }, read("Gr\xfcn <a@b>"))
    assert.same({ "|a@[192.0.2.1]|", "|a@[IPv6:::1]|" }, read("a@[192.0.2.1], <a@[IPv6:::1]>"))
    assert.same({ "|a@b\u{e9}.example|" }, read("a@b\u{e9}.example"))
  end)

  it("give no address that stands in nobody's eyes", function()
    assert.same({ "|ceo@bank.example=?utf-8?q?=2Eevil.example?=|" },
      read("ceo@bank.example=?utf-8?q?=2Eevil.example?="))
    assert.same({ "ceo@bank.example||" }, read("=?utf-8?q?ceo=40bank.example?="))
    assert.same({ "|=?utf-8?q?ceo=40bank.example?=|" }, read("<=?utf-8?q?ceo=40bank.example?=>"))
    assert.same({ "|ceo@bank.example|" }, read("ceo @ bank . example"))
    assert.same({ "ceo@bank.exampleevil@x.example||" }, read("ceo@bank.example:evil@x.example"))
  end)

  it("give the address that stands beside a name, with nothing between", function()
    for text, expected in pairs {
      ["Bob Smith bob@x.example"] = { "Bob Smith|bob@x.example|" },
      ["bob@x.example Bob Smith"] = { "Bob Smith|bob@x.example|" },
      ["Bob bob@x.example Smith"] = { "Bob Smith|bob@x.example|" },
      ['"Smith, Bob" bob@x.example'] = { "Smith, Bob|bob@x.example|" },
      ["Bob (x) bob@x.example"] = { "Bob|bob@x.example|" },
      ["Bob\tbob@x.example"] = { "Bob|bob@x.example|" },
      ["Bob S. bob @ x . example"] = { "Bob S.|bob@x.example|" },
      ["Bob S.\tT. bob@x.example"] = { "Bob S. T.|bob@x.example|" },
      ["Dr. Bob S. <bob@x.example>"] = { "Dr. Bob S.|bob@x.example|" },
      ["S. bob@x.example"] = { "|S.bob@x.example|" }, -- as RFC 822 had it
      ["=?utf-8?q?B=C3=B6b?= =?utf-8?q?_X?= b@x.example"] = { "B\u{f6}b X|b@x.example|" },
      ["B\u{f6}b b@b\u{fc}cher.example"] = { "B\u{f6}b|b@b\u{fc}cher.example|" },
      ["Bob bob@[192.0.2.1]"] = { "Bob|bob@[192.0.2.1]|" },
      ["G: Bob b@x.example, c@d;"] = { "Bob|b@x.example|G", "|c@d|G" },
      ["Bob b@x.example, c@d, Eve e@f"] = { "Bob|b@x.example|", "|c@d|", "Eve|e@f|" },
      -- Two of them: nobody is left out, and none is the name of the other.
      ["a@b.example c@d.example"] = { "|a@b.example|", "|c@d.example|" },
      ["Ann a@b.example c@d.example"] = { "|a@b.example|", "|c@d.example|" },
      -- A text that is no address is none beside a name either.
      ["Bob bob@"] = { "Bob bob@||" },
      ["Bob a@b@c"] = { "Bob a@b@c||" },
      ["Bob =?utf-8?q?b=40x.example?="] = { "Bob b@x.example||" },
      ["Bob Smith"] = { "Bob Smith||" },
    } do
      assert.same(expected, read(text), text)
    end
  end)

  it("give something for what is broken", function()
    assert.same({}, read(""))
    assert.same({}, read(" , ;<>,:(("))
    assert.same({ "|a@b|" }, read("<a@b"))
    assert.same({ "foo bar||" }, read("foo bar"))
    assert.same({ "|postmaster|" }, read("postmaster"))
    assert.same({ "A|a@b|", "B|c@d|" }, read("A <a@b> B <c@d>"))
    assert.same({ "a@b|c@d|" }, read("a@b <c@d>"))
    assert.same({ "|a@b|" }, read("<<a@b>>"))
    assert.same({ "A|a@b|" }, read("A <x <<a@b>"))
    assert.same({ "A|a@b|", "|c@d|" }, read("A <a@b <c@d>"))
    assert.same({ "A|a@b|", "B|c@d|" }, read("A [a@b], B {c@d}"))
    for _, text in ipairs { "<<a@b>>", "A <a@b <c@d>", "A [a@b]", "A {a@b}" } do
      assert.truthy(fault_of(text), text)
    end
  end)

  -- At the edge of memory that may not be read.
  it("may end anywhere", function()
    local text = [[G: "a \" (b)" (c \) d) <@r,@s:"x@y"@[::1]>, e . f @ g (h\)), I J. k@l,]] ..
      " =?utf-8?q?=C3=A9,?= <<m@n>; <o [p@q]"
    for n = 0, #text do
      local list, groups, fault = probe.mailbox_parse(text:sub(1, n))
      assert.same({ list, groups, fault }, { probe.mailbox_parse(text:sub(1, n) .. "\r\n") })
    end
    assert.same({ { 'a " (b)|"x@y"@[::1]|1', "h)|e.f@g|1", "I J.|k@l|1", "\u{e9},|m@n|1",
      "|o[p@q]|0" }, { "G 0 4" }, "has a route, or a : within an address" },
      { probe.mailbox_parse(text) })
    assert.same({ {}, {}, nil }, { probe.mailbox_parse("") })
  end)

  it("are read up to a fault, or beyond so many", function()
    assert.same({ { "|a@b|0", "|c@d|0" }, {} }, { probe.mailbox_parse("a@b, c@d, e@f, g@h", 1) })
    assert.same({ { "|a@b|0", "|c|0" }, {}, "has no comma between two addresses" },
      { probe.mailbox_parse("<a@b> c@d, e@f", 9) })
    assert.same(3, #(core.addresses("a@b, c@d, e@f")))
  end)

  it("give their memory back when there is no more", function()
    local text = 'G: "' .. ("x"):rep(300) .. '" (c) <' .. ("a"):rep(300) ..
      "@b>, c@d (e);\r\n f g h@i"
    local whole, before, n = { probe.mailbox_parse(text) }, probe.live(), 0
    repeat
      n = n + 1
      probe.fail_at(n)
      local list, err = probe.mailbox_parse(text)
      probe.fail_at()
      if not list then assert.equal("ENOMEM", err) end
      assert.equal(before, probe.live())
    until list
    assert.is_true(n > 6)
    assert.same(whole, { probe.mailbox_parse(text) })
  end)
end)
