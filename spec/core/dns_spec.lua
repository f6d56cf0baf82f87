local dns = require "spec.support.dns"
local probe = require "probe"

local MX, TXT = 15, 16

-- A packet is two bytes of ID and what spec.support.dns makes.
local function packet(...) return "id" .. dns.answer(...) end

local function owned(record, owner) record.owner = owner return record end

local WHOLE = packet("example.com", "MX", {
  owned(dns.cname("mail.example"), "example.com"),
  owned(dns.mx(10, "MX.mail.example"), "MAIL.example"), owned(dns.mx(1, "other"), "x.example"),
  owned(dns.mx(20, ""), "mail.example"),
}, { secure = true })

local function error_of(bytes) return select(2, probe.dns_answer(bytes, MX)) end

describe("dns", function()
  it("knows what can be asked for", function()
    for _, name in ipairs { "a", "example.com", "_25._tcp.mx-1.example", "A.9",
      ("x"):rep(63) .. ".a", ("x."):rep(126) .. "x" } do
      assert.is_true(probe.dns_name(name), name)
    end
    for _, name in ipairs { "", ".", "a.", ".a", "a..b", "a b", "a\0", "a/b", "\xc3\xbc",
      ("x"):rep(64), ("x."):rep(126) .. "xx" } do
      assert.is_false(probe.dns_name(name), name)
    end
  end)

  it("reads the records of the name, behind its alias", function()
    local list, rcode, secure, name = probe.dns_answer(WHOLE, MX)
    assert.same({ { "\0\10" .. dns.name("MX.mail.example"), "mx.mail.example", 10 },
      { "\0\20\0", "", 20 } }, list)
    assert.same({ 0, true, "mail.example" }, { rcode, secure, name })
    assert.same({}, (probe.dns_answer(WHOLE, TXT)))
  end)

  it("leaves what stands behind the answer section", function()
    assert.same((probe.dns_answer(WHOLE, MX)), (probe.dns_answer(WHOLE .. ("\xff"):rep(99), MX)))
  end)

  it("finds a cut anywhere", function()
    for n = 0, #WHOLE - 1 do assert.equal("EPROTOCOL", error_of(WHOLE:sub(1, n)), n) end
  end)

  it("takes any byte in any place without harm", function()
    for i = 1, #WHOLE do
      for _, c in ipairs { "\0", "\1", "\x3f", "\x40", "\x80", "\xc0", "\xff" } do
        local list, why = probe.dns_answer(WHOLE:sub(1, i - 1) .. c .. WHOLE:sub(i + 1), MX)
        assert.is_true(list ~= nil or why == "EPROTOCOL")
      end
    end
  end)

  it("wants an answer, to one question", function()
    assert.equal("EPROTOCOL", error_of("id\1" .. WHOLE:sub(4)))
    assert.equal("EPROTOCOL", error_of(WHOLE:sub(1, 5) .. "\2" .. WHOLE:sub(7)))
    assert.equal(3, select(2, probe.dns_answer(packet("a.example", "MX", {}, { rcode = 3 }), MX)))
  end)

  it("follows pointers backwards only, and not for ever", function()
    local head = packet("a.example", "MX", {}, { count = 1 })
    local rest = string.pack(">I2I2I4s2", MX, 1, 60, "\0\1\0")
    local function owner(at) return string.pack(">I2", 0xc000 | at) .. rest end
    assert.same({ { "\0\1\0", "", 1 } }, (probe.dns_answer(head .. owner(12), MX)))
    for _, at in ipairs { #head, #head + 1, #head + 2, 0x3fff } do
      assert.equal("EPROTOCOL", error_of(head .. owner(at)), at)
    end
    -- Each points to the one before: the 64th is one too many.
    local function chain(n)
      local packed = "id" .. "\x81\x80\0\1\0\2\0\0\0\0" .. dns.name("a.example") .. "\0\15\0\1"
      local data, at = { "\xc0\x0c" }, #packed + 12
      for i = 2, n do data[i] = string.pack(">I2", 0xc000 | at + 2 * i - 4) end
      local list = table.concat(data)
      return packed .. "\xc0\x0c" .. string.pack(">I2I2I4s2", TXT, 1, 60, list)
        .. string.pack(">I2", 0xc000 | at + #list - 2) .. rest
    end
    assert.equal(1, #probe.dns_answer(chain(63), MX))
    assert.equal("EPROTOCOL", error_of(chain(64)))
  end)

  it("keeps names to their length", function()
    local long = ("x"):rep(63) .. "."
    local name = long:rep(3) .. ("y"):rep(61) -- 253
    local list = probe.dns_answer(packet("a", "MX", { dns.mx(1, name) }), MX)
    assert.equal(name, list[1][2])
    list = probe.dns_answer(packet("a", "MX", { dns.mx(1, name .. "y") }), MX)
    assert.is_false(list[1][2])
  end)

  it("ends a circle of aliases, but follows fifteen", function()
    local function aliases(n, last)
      local records = {}
      for i = 1, n do
        records[i] = owned(dns.cname(i == n and last or "n" .. i + 1), "n" .. i)
      end
      records[n + 1] = owned(dns.mx(1, "mx"), "end")
      return packet("n1", "MX", records)
    end
    assert.equal(1, #probe.dns_answer(aliases(15, "end"), MX))
    assert.equal("EPROTOCOL", error_of(aliases(16, "end")))
    assert.equal("EPROTOCOL", error_of(aliases(1, "n1")))
    assert.equal("EPROTOCOL", error_of(aliases(3, "n1")))
  end)

  it("never takes a label for two", function()
    local odd = dns.record("MX", "\0\1\7a.b.com\0")
    assert.same({ { odd.data, false, 1 } }, (probe.dns_answer(packet("a", "MX", { odd }), MX)))
    -- nor an owner that looks like the name
    local other = packet("a.b", "MX", { owned(dns.mx(1, "mx"), "a.b") })
    assert.equal(1, #probe.dns_answer(other, MX))
    other = other:gsub("\1a\1b\0\0\15\0\1\0\0", "\3a.b\0\0\15\0\1\0\0", 1)
    assert.same({}, (probe.dns_answer(other, MX)))
  end)
end)
