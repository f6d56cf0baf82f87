local core = require "smtp.core"
local dns = require "spec.support.dns"
local errors = require "smtp.error"
local net = require "spec.support.net"
local query = require("smtp.net.dns").query
local serve = require "spec.support.serve"
local smtp = require "smtp"

local SOME = 32 -- descriptors, more than the look-ups here hold at a time

describe("the DNS", function()
  local names, free

  setup(function()
    names = dns.start()
    free = net.lowest(SOME)
  end)
  teardown(function()
    names:reset() -- what was never answered is answered with the next question
    local limit = core.now() + 20
    repeat smtp.mx("last.example", { nameserver = names.place }) until net.lowest(SOME) <= free or
      core.now() > limit
    names:close()
    assert.equal(free, net.lowest(SOME)) -- no helper has a look-up in its hands
  end)
  before_each(function() names:reset() end)

  local function mx(domain, timeout)
    return smtp.mx(domain, { nameserver = names.place, timeout = timeout or 10 })
  end

  local function refused(domain, code, enhanced)
    local list, err = mx(domain)
    assert.is_nil(list)
    assert.is_true(errors.is(err))
    assert.same({ "dns", code, enhanced, false },
      { err.kind, err.code, err.enhanced, err.temporary })
    assert.equal(domain, err.text:sub(1, #domain))
  end

  local function deferred(domain, timeout)
    local list, err = mx(domain, timeout)
    assert.is_nil(list)
    assert.same({ "dns", true }, { err.kind, err.temporary })
    assert.is_nil(err.code)
    return tostring(err)
  end

  it("C028 gives the MX hosts by preference", function()
    names:set("example.com", "MX", { dns.mx(30, "c.example.com"), dns.mx(10, "A.Example.COM"),
      dns.mx(20, "b.example.net") })
    assert.same({
      { host = "a.example.com", preference = 10, secure = false },
      { host = "b.example.net", preference = 20, secure = false },
      { host = "c.example.com", preference = 30, secure = false },
    }, mx("Example.com."))
  end)

  it("C028 shuffles hosts of one preference, and only these", function()
    local records = { dns.mx(5, "first.example") }
    for i = 1, 4 do records[i + 1] = dns.mx(10, "mx" .. i .. ".example") end
    names:set("example.com", "MX", records)
    local seen = {}
    for _ = 1, 200 do
      local list = assert(mx("example.com"))
      assert.equal("first.example", list[1].host)
      assert.equal(5, #list)
      seen[list[2].host] = true
    end
    for i = 1, 4 do assert.is_true(seen["mx" .. i .. ".example"]) end
  end)

  it("C028 takes the domain itself without MX, and asks for no address", function()
    names:set("example.com", "MX", {})
    assert.same({ { host = "example.com", preference = 0, implicit = true, secure = false } },
      mx("example.com"))
    assert.equal("example.com/MX", names:asked())
  end)

  it("C028 tolerates an alias, of the domain and in a chain", function()
    local function owned(record, owner) record.owner = owner return record end
    names:set("example.com", "MX", { dns.cname("one.example"),
      owned(dns.mx(10, "mx.two.example"), "two.example"),
      owned(dns.cname("two.example"), "one.example"),
      owned(dns.mx(1, "other.example"), "other.example") })
    assert.same({ { host = "mx.two.example", preference = 10, secure = false } },
      mx("example.com"))
    names:set("alias.example", "MX", { dns.cname("nothing.example") })
    assert.same({ { host = "alias.example", preference = 0, implicit = true, secure = false } },
      mx("alias.example"))
  end)

  it("tells whether the server has validated the answer", function()
    names:set("example.com", "MX", { dns.mx(10, "mx.example.com") }, { secure = true })
    assert.is_true(mx("example.com")[1].secure)
    names:set("none.example", "MX", {}, { secure = true })
    assert.same({ { host = "none.example", preference = 0, implicit = true, secure = true } },
      mx("none.example"))
  end)

  it("C105 C149 refuses a domain with a null MX, whatever addresses it has", function()
    names:set("example.com", "MX", { dns.mx(0, "") })
    names:host("example.com", "127.0.0.1")
    refused("example.com", 556, "5.1.10")
    assert.equal("example.com/MX", names:asked())
    names:set("sub.example.com", "MX", {}) -- it is not inherited
    assert.equal("sub.example.com", mx("sub.example.com")[1].host)
  end)

  it("C105 tells a server's handler of a sender who takes no mail", function()
    names:set("null.example", "MX", { dns.mx(0, "") })
    names:set("good.example", "MX", { dns.mx(10, "mx.example.com") })
    names:set("lame.example", "MX", {}, { rcode = 2 })
    local server <close> = serve.start { on_event = function() end, on_mail = function(_, sender)
      if sender.address == "" then return true end -- RFC 7505 section 4.2 is not about bounces
      local hosts, err = mx(sender.domain)
      if not hosts and err.code == 556 then return 550, "5.7.27 you take no mail" end
      if not hosts then return nil, err end
    end }
    local d <close> = assert(smtp.dialogue("127.0.0.1:" .. server.port))
    assert(d:expect(220))
    assert(d:cmd("EHLO x", 250))
    for _, case in ipairs { { "<>", 250 }, { "<a@good.example>", 250 },
      { "<a@null.example>", 550, "5.7.27" }, { "<a@lame.example>", 451, "4.3.0" } } do
      local reply = assert(d:cmd("MAIL FROM:" .. case[1], case[2]), case[1])
      if case[3] then assert.equal(case[3], reply.enhanced) end
      assert(d:cmd("RSET", 250))
    end
  end)

  it("C105 passes over a null MX among others", function()
    names:set("example.com", "MX", { dns.mx(0, ""), dns.mx(10, "mx.example.com") })
    assert.same({ { host = "mx.example.com", preference = 10, secure = false } },
      mx("example.com"))
  end)

  it("refuses a domain that is not there, or none at all", function()
    refused("nowhere.example", 550, "5.1.2")
    for _, domain in ipairs { "", ".", "a..b", "a b", "x\0y", ("x"):rep(64) .. ".example",
      ("x."):rep(127) .. "xx", "[192.0.2]", "[]", "[2001:db8::1]", "[IPv6:192.0.2.1]",
      "\xff.example" } do
      refused(domain, 550, "5.1.2")
    end
  end)

  it("C150 never takes a failure for an answer", function()
    names:set("servfail.example", "MX", {}, { rcode = 2 })
    deferred("servfail.example")
    names:set("refused.example", "MX", {}, { rcode = 5 })
    deferred("refused.example")
    names:raw("silent.example", "MX", nil)
    local since = core.now()
    assert.matches("in time", deferred("silent.example", 0.2))
    assert.is_true(core.now() - since < 2)
  end)

  it("asks a name server at an address of IPv6", function()
    local listener = core.listen { host = "::1", port = 0 }
    if not listener then return pending("no IPv6 here") end
    listener:close()
    local six <close> = dns.start("::1")
    six:set("example.com", "MX", { dns.mx(10, "mx.example.com") }, { secure = true })
    local list = assert(smtp.mx("example.com", { nameserver = six.place, timeout = 10 }))
    assert.same({ { host = "mx.example.com", preference = 10, secure = true } },
      { table.unpack(list) })
    assert.equal("example.com/MX", six:asked())
    local _, err = smtp.mx("nowhere.example", { nameserver = six.place, timeout = 10 })
    assert.equal(550, err.code)
    assert.equal("", names:asked())
  end)

  it("gives an address literal for itself", function()
    assert.same({ { host = "192.0.2.1", preference = 0, implicit = true, secure = false } },
      mx("[192.0.2.1]"))
    assert.equal("2001:db8::1", mx("[IPv6:2001:db8::1]")[1].host)
    assert.equal("", names:asked())
  end)

  it("asks for A-labels", function()
    names:set("xn--bcher-kva.example", "MX", { dns.mx(1, "mx.example") })
    assert.equal("mx.example", mx("b\u{fc}cher.example")[1].host)
  end)

  it("leaves out hosts that no host can be called", function()
    local function host(...)
      return dns.record("MX", "\0\1" .. string.pack(("s1"):rep(select("#", ...)), ...) .. "\0")
    end
    names:set("example.com", "MX", { host("a.b", "example"), host("a\0", "example"),
      host("a b", "x"), host("a\r\nb"),
      dns.mx(1, "127.0.0.1"), dns.record("MX", "\0"), dns.record("MX", ""),
      dns.record("MX", "\0\1\2ab"), dns.record("MX", "\0\1\1a\0more"), dns.mx(9, "mx.example") })
    assert.same({ { host = "mx.example", preference = 9, secure = false } }, mx("example.com"))
    names:set("example.com", "MX", { host("a.b") })
    refused("example.com", 550, "5.4.4")
  end)

  it("is not led in a circle, nor beyond the answer", function()
    local head = dns.answer("example.com", "MX", {}, { count = 1 })
    local record = "\xc0\x0c" .. string.pack(">I2I2I4", 15, 1, 60)
    local at = 2 + #head + #record + 2 -- of the data
    local to_itself = string.pack(">I2", 0xc000 | at + 2)
    for _, rest in ipairs {
      record .. string.pack(">s2", "\0\1" .. to_itself), -- data that no one sees as a name
      string.pack(">I2", 0xc000 | 2 + #head) .. record, -- an owner that is itself
      string.pack(">I2", 0xffff) .. record,
      "\xc0", "", "\x40a\0", "\x80a\0",
      record .. "\xff\xff\0\1\0", record .. "\0", record:sub(1, 9),
    } do
      names:raw("example.com", "MX", head .. rest)
      local list, err = mx("example.com")
      assert.is_nil(list)
      assert.equal("dns", err.kind)
    end
    names:set("example.com", "MX", { dns.cname("example.com") })
    assert.matches("malformed", deferred("example.com"))
  end)

  it("reads each type", function()
    local option = { nameserver = names.place }
    names:set("x.example", "TXT", { dns.txt("v=1; ", "a\0\xff"), dns.record("TXT", "\5ab"),
      dns.txt("") })
    local found = assert(query("x.example", "TXT", option))
    assert.same({ { text = "v=1; a\0\xff" }, {}, { text = "" } }, { table.unpack(found) })
    names:set("x.example", "AAAA", { dns.record("AAAA", ("\0"):rep(15) .. "\1"),
      dns.record("AAAA", "\1\2\3\4") })
    found = assert(query("x.example", "AAAA", option))
    assert.same({ { address = "::1" }, {} }, { table.unpack(found) })
    names:set("x.example", "A", { dns.a("192.0.2.7"), dns.record("A", "\1\2\3") })
    found = assert(query("x.example", "A", option))
    assert.same({ { address = "192.0.2.7" }, {} }, { table.unpack(found) })
    names:set("x.example", "CNAME", { dns.cname("y.example") })
    assert.equal("y.example", assert(query("x.example", "CNAME", option))[1].host)
  end)

  describe("gives the addresses of a host", function()
    local addresses = require("smtp.net.dns").addresses
    local A, AAAA = dns.a("192.0.2.7"), dns.record("AAAA", ("\0"):rep(15) .. "\1")
    local V4 = { host = "192.0.2.7", port = 25, family = "inet" }
    local V6 = { host = "::1", port = 25, family = "inet6" }

    -- Gives the answer within so many seconds, though a question may take 15.
    local function within(seconds, host)
      local since = core.now()
      local list, err = addresses(host or "mx.example", 25, { nameserver = names.place })
      assert.is_true(core.now() - since < seconds, core.now() - since)
      return list and { table.unpack(list) }, err, list
    end

    it("of both families, IPv6 first", function()
      names:set("mx.example", "A", { A }, { secure = true })
      names:set("mx.example", "AAAA", { AAAA }, { secure = true })
      local list, _, whole = within(5)
      assert.same({ V6, V4 }, list)
      assert.is_true(whole.secure)
      names:set("mx.example", "AAAA", { AAAA })
      list, _, whole = within(5)
      assert.same({ V6, V4 }, list)
      assert.is_false(whole.secure)
    end)

    it("of one family where the other is never answered (RFC 8305 section 3)", function()
      names:set("mx.example", "A", { A })
      names:raw("mx.example", "AAAA", nil)
      assert.same({ V4 }, within(3))
      names:set("mx6.example", "AAAA", { AAAA })
      names:raw("mx6.example", "A", nil)
      assert.same({ V6 }, within(4, "mx6.example"))
    end)

    it("of one family where the other is not there, or fails", function()
      for _, flags in ipairs { {}, { rcode = 2 }, { rcode = 3 } } do
        names:set("mx.example", "A", { A })
        names:set("mx.example", "AAAA", {}, flags)
        assert.same({ V4 }, within(10))
        names:set("mx.example", "A", {}, flags)
        names:set("mx.example", "AAAA", { AAAA })
        assert.same({ V6 }, within(10))
      end
      names:set("mx.example", "A", {})
      names:set("mx.example", "AAAA", {})
      local list, err = within(10)
      assert.is_nil(list)
      assert.same({ "dns", false }, { err.kind, err.temporary })
    end)
  end)

  it("C114 reads TLSA of any length", function()
    local records = {}
    for i, n in ipairs { 0, 1, 2, 3, 19, 35 } do
      records[i] = dns.record("TLSA", ("\3\1\1" .. ("x"):rep(32)):sub(1, n))
    end
    names:set("_25._tcp.mx.example", "TLSA", records)
    local found = assert(query("_25._tcp.mx.example", "TLSA", { nameserver = names.place }))
    local function tlsa(data) return { usage = 3, selector = 1, matching = 1, data = data } end
    assert.same({ {}, {}, {}, tlsa "", tlsa(("x"):rep(16)), tlsa(("x"):rep(32)) },
      { table.unpack(found) })
  end)

  it("raises on misuse", function()
    assert.error_matches(function() smtp.mx() end, "a domain is needed")
    assert.error_matches(function() smtp.mx("a.example", { server = "x" }) end, "unknown option")
    for _, server in ipairs { "", "localhost", "localhost:53", "127.0.0.1:0", "127.0.0.1:65536",
      "127.0.0.1:x", "[::1]:0", "::1]:53", "127.1" } do
      assert.error_matches(function() smtp.mx("a.example", { nameserver = server }) end,
        "nameserver must be")
    end
    assert.error_matches(function() core.dns("a.example", "NS") end, "invalid option 'NS'")
    assert.error_matches(function() core.dns("a..example", "MX") end, "not a name of the DNS")
    assert.error_matches(function() core.dns("a.example", "MX", 0) end, "1 to 60 seconds")
    assert.error_matches(function()
      core.dns("a.example", "MX", 1, "localhost", 53)
    end, "not an address")
  end)
end)
