-- Addresses as users write them.
local address = require "smtp.base.address"
local smtp = require "smtp"

describe("address", function()
  it("is parsed with and without a name", function()
    for text, expected in pairs {
      ["ada@code.energy"] = { "ada@code.energy", "ada", "code.energy" },
      ["<ada@code.energy>"] = { "ada@code.energy", "ada", "code.energy" },
      ["Ada <ada@code.energy>"] = { "ada@code.energy", "ada", "code.energy", "Ada" },
      ["  Ada L.  <ada@code.energy> "] = { "ada@code.energy", "ada", "code.energy", "Ada L." },
      ['"Lovelace, Ada" <ada@code.energy>'] = { "ada@code.energy", "ada", "code.energy",
        "Lovelace, Ada" },
      ['"a \\"b\\" \\\\" <ada@code.energy>'] = { "ada@code.energy", "ada", "code.energy",
        'a "b" \\' },
      ['"a b"@code.energy'] = { '"a b"@code.energy', "a b", "code.energy" },
      ['"ada"@code.energy'] = { "ada@code.energy", "ada", "code.energy" },
      ['"a@b"@code.energy'] = { '"a@b"@code.energy', "a@b", "code.energy" },
      ["a@[127.0.0.1]"] = { "a@[127.0.0.1]", "a", "[127.0.0.1]" },
      ["Ada@Code.Energy"] = { "Ada@Code.Energy", "Ada", "Code.Energy" },
      ["postmaster"] = { "postmaster", "postmaster", "" },
    } do
      local got = assert(address.parse(text), text)
      assert.same(expected, { got.address, got.user, got.domain, got.name }, text)
      assert.equal(got.address, address.parse(got.address).address)
    end
    assert.equal(address, smtp.address)
  end)

  it("is nil where it is none", function()
    for _, text in ipairs { "", "<>", "ada", "ada@", "@code.energy", "a b@code.energy",
      "Ada <ada@code.energy> x", "a@b, c@d", "ada@code.energy\r\nRCPT TO:<x@y>", "a\0@b", "a..b@c",
      "Ada <ada@code.energy", "<a@b>\n",
      "A\0 <a@b>", "<<a@b>>", "a@b@c" } do
      assert.is_nil(address.parse(text), text)
    end
    assert.error_matches(function() address.parse(5) end, "a string is needed")
    assert.error_matches(function() address.parse() end, "a string is needed")
  end)

  -- Where a reader has to guess what is meant, another one guesses otherwise.
  local GUESSES = {
    "alice@example.org(<bob@x.test>", "alice@example.org (<bob@x.test>",
    "alice@example.org((x)<bob@x.test>", "alice@example.org(\\)<bob@x.test>",
    "(<bob@x.test>", "(Bob <bob@x.test>", "Bob (x <bob@x.test>", "Bob <bob@x.test> (x",
    "Bob <bob@x.test(>", "Bob (<bob@x.test>)(", "bob@x.test (", "bob@(x.test", "bob(@x.test",
    '"alice@example.org, <bob@x.test>', '"Bob <bob@x.test>', 'Bob "x <bob@x.test>',
    '"Bob\\" <bob@x.test>', 'Bob <bob@x.test> "', '"bob@x.test', 'bob@x.test"', 'Bob <"bob@x.test>',
    "[<bob@x.test>", "Bob [x <bob@x.test>", "bob@[192.0.2.1", "Bob <bob@[192.0.2.1>",
    "bob@[192.0.2.1 <bob@x.test>", "Bob <bob@x.test", "Bob <bob@x.test <eve@x.test>",
    "Bob <<bob@x.test>>", "<bob@x.test>>", "bob@x.test>", "bob@x.test)", "Bob) <bob@x.test>",
    "<bob@x.test> Eve", "<bob@x.test> eve@x.test", "<bob@x.test><eve@x.test>",
    "<bob@x.test> <eve@x.test>", "Bob bob@x.test", "Bob S. bob@x.test", "bob@x.test Bob",
    "bob@x.test eve@x.test", "bob @x.test", "bob@ x.test", "b ob@x.test", "<bob @x.test>",
    "<bob(x)@x.test>", "<@r.test:bob@x.test>", "@r.test:bob@x.test", "bob@x.test:",
    "<bob:x@x.test>",
    "Team: Bob <bob@x.test>", "Bob <bob@x.test>;", "Team: Bob <bob@x.test>; ;",
    "Team: In: bob@x.test;;", ": bob@x.test;", "bob@x.test@y.test", "<bob@x.test@y.test>",
    "bob@x.test,(", "bob@x.test, \"", "bob@x.test, [", "bob@x.test, <",
  }

  it("is refused where it is a guess who is meant, in records, envelopes and alone", function()
    local outgoing = require("smtp.client.outgoing").outgoing
    for _, text in ipairs(GUESSES) do
      for _, key in ipairs { "from", "sender", "to", "cc", "bcc", "reply_to" } do
        local record = { from = "a@b.test", to = "c@d.test", text = "x" }
        record[key] = text
        local made, err = smtp.message(record)
        assert.is_nil(made, key .. ": " .. text)
        assert.equal("invalid", err.kind)
        assert.truthy(err.message:find(key, 1, true), err.message)
      end
      local group = { group = "G", members = { text } }
      assert.is_nil((smtp.message { from = "a@b.test", to = { group } }))
      assert.is_nil((smtp.message { from = "a@b.test", to = { "c@d.test", { address = text } } }))
      assert.is_nil(address.parse(text), text)
      for _, envelope in ipairs { { from = text, to = "c@d.test" },
        { from = "a@b.test", to = text },
        { from = "a@b.test", to = { "c@d.test", { address = text } } } } do
        local out, err = outgoing { envelope = envelope, raw = "x" }
        assert.is_nil(out, text)
        assert.same({ "invalid", "not_sent" }, { err.kind, err.outcome })
      end
    end
  end)

  it("is taken where comments, quotes and brackets are closed", function()
    for text, mailbox in pairs {
      ["alice@example.com (bob)"] = "alice@example.com",
      ["alice@example.com (<bob@x.test>)"] = "alice@example.com",
      ["(Team (A)) alice@example.com"] = "alice@example.com",
      ["Alice (a \\) b) <alice@example.com> (x)"] = "alice@example.com",
      ['"Alice <bob@x.test>" <alice@example.com>'] = "alice@example.com",
      ['"A \\" (" <alice@example.com>'] = "alice@example.com",
      ["Alice [x] <alice@example.com>"] = "alice@example.com",
      ["alice@[192.0.2.1]"] = "alice@[192.0.2.1]",
      ["Alice <alice@[IPv6:::1]>"] = "alice@[IPv6:::1]",
      ['"a b"@example.com'] = '"a b"@example.com',
      ['A <"a<b>"@example.com>'] = '"a<b>"@example.com',
    } do
      assert.same({ mailbox }, assert(smtp.message { from = "a@b.test", to = text }).envelope.to)
      assert.equal(mailbox, assert(address.parse(text) or not text:find("[<(]") and
        { address = text }, text).address)
      assert.equal(mailbox, address.mailbox(text))
    end
    local made = assert(smtp.message { from = "a@b.test",
      to = "x@y.test, A: b@c.test, D <d@e.test>;, B:;, A: f@g.test;, h@i.test" })
    assert.same({ "x@y.test", "b@c.test", "d@e.test", "f@g.test", "h@i.test" }, made.envelope.to)
    assert.truthy(tostring(made):gsub("\r\n ", " "):find(
      "To: x@y.test, A: b@c.test, D <d@e.test>;, B:;, A: f@g.test;, h@i.test", 1, true))
  end)

  it("gives the mailbox of what users write", function()
    assert.equal("a@b", address.mailbox("a@b"))
    assert.equal("a@b", address.mailbox("A <a@b>"))
    assert.equal("a@b", address.mailbox { address = "a@b", name = "A" })
    assert.equal("", address.mailbox(""))
    assert.equal("", address.mailbox("<>"))
    for _, value in ipairs { 5, true, {}, { "a@b" }, { address = 5 } } do
      assert.is_nil(address.mailbox(value))
    end
    assert.is_nil(address.mailbox(nil))
  end)

  it("C099 is checked for what may be sent", function()
    assert.is_true(address.check("a@b"))
    assert.is_true(address.check(""))
    assert.same({ nil, "not a mailbox that may be sent", "invalid" }, { address.check("a b@c") })
    local ok, _, kind = address.check("grüße@b.example")
    assert.same({ nil, "unsupported" }, { ok, kind })
    assert.equal("invalid", select(3, address.check("gr\xfc@b.example")))
  end)
end)
