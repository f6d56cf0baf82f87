local dns = require "spec.support.dns"
local smtp = require "smtp"
local sts_policy = require "smtp.delivery.sts_policy"

local LINES = { "version: STSv1", "mode: enforce", "mx: mail.example.com", "mx: *.Example.net",
  "max_age: 604800" }

local function text(lines, ending) return table.concat(lines or LINES, ending or "\r\n") end

local function with(i, line)
  local lines = { table.unpack(LINES) }
  lines[i] = line
  return text(lines)
end

describe("MTA-STS", function()
  it("C108 reads lines that end in LF or CRLF, the last one or not", function()
    local policy = { version = "STSv1", mode = "enforce", max_age = 604800,
      mx = { "mail.example.com", "*.example.net" } }
    for _, ending in ipairs { "\r\n", "\n" } do
      assert.same(policy, smtp.mta_sts.parse(text(LINES, ending)))
      assert.same(policy, smtp.mta_sts.parse(text(LINES, ending) .. ending .. ending))
    end
    assert.same(policy, smtp.mta_sts.parse(text(LINES, " \t\n")))
    assert.same(policy, smtp.mta_sts.parse(text():gsub(": ", ":")))
  end)

  it("passes over unknown fields, and takes the first of two", function()
    local policy = assert(smtp.mta_sts.parse(text() .. "\r\nfoo: bar: x\r\nmode: none\r\n"))
    assert.equal("enforce", policy.mode)
    assert.is_nil(policy.foo)
  end)

  it("refuses what is no policy", function()
    for _, bad in ipairs {
      "", "version: STSv1", with(1, ""), with(1, "version: STSv2"), with(1, "Version: STSv1"),
      with(2, ""), with(2, "mode: force"), with(2, "mode: Enforce"), with(5, "max_age: "),
      with(5, "max_age: -1"), with(5, "max_age: 1.5"), with(5, "max_age: 12345678901"),
      with(5, "max_age: 0x10"), with(3, "no field"), with(3, "mx: *"), with(3, "mx: *.*.a"),
      with(3, "mx: a.*.b"), with(3, "mx: "), with(3, "mx: a b"), with(3, "mx: a\0"),
      text { LINES[1], LINES[2], LINES[5] }, text() .. ("\n"):rep(65536), text(LINES, "\r"),
    } do
      local policy, err = smtp.mta_sts.parse(bad)
      assert.is_nil(policy, bad)
      assert.equal("invalid", err.kind)
    end
    assert.same({}, assert(smtp.mta_sts.parse(text { LINES[1], "mode: none", LINES[5] })).mx)
    assert.error_matches(function() smtp.mta_sts.parse() end, "a string is needed")
  end)

  it("C110 keeps max_age to a year", function()
    for given, kept in pairs { [31557600] = 31557600, [31557601] = 31557600, [0] = 0,
      [9999999999] = 31557600 } do
      assert.equal(kept, assert(smtp.mta_sts.parse(with(5, "max_age: " .. given))).max_age)
    end
  end)

  it("C109 takes a star for one label", function()
    local policy = assert(smtp.mta_sts.parse(text()))
    for _, host in ipairs { "mail.example.com", "MAIL.example.com", "a.example.net" } do
      assert.is_true(sts_policy.matches(policy, host), host)
    end
    for _, host in ipairs { "example.com", "x.mail.example.com", "example.net", ".example.net",
      "a.b.example.net", "aexample.net", "mail.example.com.", "*" } do
      assert.is_false(sts_policy.matches(policy, host), host)
    end
  end)

  describe("in force", function()
    local names, fetched
    setup(function() names = dns.start() end)
    teardown(function() names:close() end)
    before_each(function()
      names:reset()
      fetched = 0
    end)

    local function policy(domain, answer)
      return sts_policy.of(domain, function(name)
        assert.equal(domain, name)
        fetched = fetched + 1
        if answer == error then error("broken") end
        return answer
      end, { nameserver = names.place, timeout = 5 })
    end

    local function record(domain, ...)
      names:set("_mta-sts." .. domain, "TXT", { ... })
    end

    it("C106 wants exactly one record", function()
      for i, records in ipairs {
        { dns.txt "v=STSv1; id=1" }, { dns.txt("v=STSv1; ", "id=20160831085700Z;") },
        { dns.txt "v=STSv1;x=y;id=1;id=2!", dns.txt "v=spf1 -all", dns.txt "" },
      } do
        local domain = ("good%d.example"):format(i)
        record(domain, table.unpack(records))
        assert.equal("enforce", policy(domain, text()).mode)
      end
      fetched = 0
      for i, records in ipairs {
        {}, { dns.txt "v=STSv1; id=1", dns.txt "v=STSv1; id=1" }, { dns.txt "v=STSv1; id=" },
        { dns.txt "v=STSv1" }, { dns.txt "v=STSv1;" }, { dns.txt "v=STSv2; id=1" },
        { dns.txt "id=1; v=STSv1;" }, { dns.txt("v=STSv1; id=" .. ("1"):rep(33)) },
        { dns.txt "v=STSv1; id=a-b" }, { dns.txt " v=STSv1; id=1" },
        { dns.record("TXT", "\50v=STSv1; id=1") },
      } do
        local domain = ("bad%d.example"):format(i)
        record(domain, table.unpack(records))
        assert.is_nil(policy(domain, text()))
      end
      assert.is_nil(policy("missing.example", text()))
      assert.equal(0, fetched)
    end)

    it("C110 fetches it once for an id, and keeps it when that fails", function()
      record("example.com", dns.txt "v=STSv1; id=1")
      assert.equal("enforce", policy("example.com", text()).mode)
      assert.equal("enforce", policy("example.com", text()).mode)
      assert.equal(1, fetched)
      record("example.com", dns.txt "v=STSv1; id=2")
      for _, answer in ipairs { false, "", "nonsense", 7, error } do
        assert.equal("enforce", policy("example.com", answer).mode)
      end
      assert.equal(6, fetched)
      names:set("_mta-sts.example.com", "TXT", {}, { rcode = 2 })
      assert.equal("enforce", policy("example.com", text()).mode)
      record("example.com")
      assert.equal("enforce", policy("example.com", text()).mode)
      assert.equal(6, fetched)
      record("example.com", dns.txt "v=STSv1; id=3")
      assert.equal("none", policy("example.com", with(2, "mode: none")).mode)
    end)

    it("C110 does not keep it beyond max_age", function()
      record("short.example", dns.txt "v=STSv1; id=1")
      assert.equal("enforce", policy("short.example", with(5, "max_age: 0")).mode)
      assert.is_nil(policy("short.example", nil))
      assert.equal(2, fetched)
    end)
  end)
end)
