local authority = require "smtp.authority"
local dns = require "spec.support.dns"
local mta_sts = require "smtp.delivery.mta_sts"
local servers = require "spec.support.fleet"

local RAW = servers.RAW

-- The DER in the first block of PEM.
describe("smtp.deliver", function()
  local names, ca
  setup(function()
    names = dns.start()
    ca = assert(authority.new())
  end)
  teardown(function() names:close() end)
  before_each(function() names:reset() end)

  local function fleet(...) return servers.fleet(names, ...) end
  local function mx(...) return servers.mx(names, ...) end
  local function deliver(...) return servers.deliver(names, ...) end
  local refused = servers.refused

  describe("with DANE", function()
    local function tlsa(i, port, record, flags)
      names:set(("_%d._tcp.mx%d.example.com"):format(port, i), "TLSA", { record },
        flags or { secure = true })
    end

    local function hosts_of(n)
      local options, identities = {}, {}
      for i = 1, n do
        local identity = assert(ca:issue { names = { ("mx%d.example.com"):format(i) } })
        options[i] = { tls = { cert = identity.cert, key = identity.key } }
        identities[i] = identity
      end
      local hosts, port = fleet(options, { secure = true })
      return hosts, port, identities
    end

    it("C111 C113 verifies by the records of a secure MX", function()
      local _ <close>, port, identities = hosts_of(1)
      mx("one.example", 1, { secure = true })
      tlsa(1, port, dns.tlsa(3, 0, 0, dns.der(identities[1].cert)))
      for _, mode in ipairs { "required", "opportunistic" } do
        local result = assert(deliver(port, "a@one.example", { dane = mode }))
        assert.is_true(result.receipts["one.example"].tls.dane)
      end
    end)

    it("C111 does not believe an MX that is not secure", function()
      local _ <close>, port = hosts_of(1)
      mx("one.example", 1)
      tlsa(1, port, dns.tlsa(3, 0, 0, "other"))
      local err = refused(deliver(port, "a@one.example", { dane = "required" }))
      assert.same({ "tls", true }, { err.kind, err.temporary })
      assert.matches("MX of one.example is not secure", tostring(err))
      local result = assert(deliver(port, "a@one.example", { dane = "opportunistic" }))
      assert.is_false(result.receipts["one.example"].tls.dane)
      assert.is_nil(names:asked():find("TLSA"))
    end)

    it("C112 passes over hosts whose records fail, or cannot be known", function()
      local hosts <close>, port, identities = hosts_of(3)
      mx("one.example", 3, { secure = true })
      tlsa(1, port, dns.tlsa(3, 0, 1, ("x"):rep(32)))
      tlsa(2, port, dns.tlsa(3, 0, 0, dns.der(identities[2].cert)), { rcode = 2 })
      tlsa(3, port, dns.tlsa(2, 0, 0, dns.der(ca.certificate)))
      local result = assert(deliver(port, "a@one.example", { dane = "opportunistic" }))
      assert.equal("mx3.example.com", result.receipts["one.example"].host)
      assert.same({ 0, 0, 1 }, { #hosts[1], #hosts[2], #hosts[3] })
      mx("two.example", 2, { secure = true })
      local err = refused(deliver(port, "a@two.example", { dane = "opportunistic" }))
      assert.is_true(err.temporary)
    end)

    it("C113 lets an authority's certificate be for the domain", function()
      local identity = assert(ca:issue { names = { "one.example" } })
      local _ <close>, port = fleet({ { tls = { cert = identity.cert, key = identity.key } } },
        { secure = true })
      mx("one.example", 1, { secure = true })
      mx("two.example", 1, { secure = true })
      tlsa(1, port, dns.tlsa(2, 0, 0, dns.der(ca.certificate)))
      assert(deliver(port, "a@one.example", { dane = "required" }))
      assert.equal("tls", refused(deliver(port, "a@two.example", { dane = "required" })).kind)
    end)

    it("C117 lets a message ask for less, but not below what the caller requires", function()
      local hosts <close>, port = fleet({ {} }, { secure = true })
      mx("one.example", 1, { secure = true })
      tlsa(1, port, dns.tlsa(3, 0, 1, ("x"):rep(32)))
      local function send(field, mode, mail)
        return deliver(port, "a@one.example", { dane = mode }, { raw = field .. RAW, mail = mail })
      end
      for _, field in ipairs { "TLS-Required: No\r\n", "TLS-Required:no (please)\r\n",
        "X: y\r\ntls-required:\r\n\tNO\r\n" } do
        assert(send(field, "opportunistic"))
      end
      assert.equal(3, #hosts[1])
      for _, field in ipairs { "", "TLS-Required: Yes\r\n", "TLS-Required:\r\n",
        "TLS-Required: No\r\nTLS-Required: No\r\n", "\r\nTLS-Required: No\r\n",
        "TLS-Required: No " .. ("\r\n " .. ("("):rep(900)):rep(500) .. "\r\n" } do
        assert.equal("tls", refused(send(field, "opportunistic")).kind)
      end
      assert.equal("tls", refused(send("TLS-Required: No\r\n", "required")).kind)
      assert.equal("tls",
        refused(send("TLS-Required: No\r\n", "opportunistic", { requiretls = true })).kind)
      assert.equal(3, #hosts[1])
    end)
  end)

  describe("with MTA-STS", function()
    local count = 0
    -- A domain that nothing is kept of, with a policy in force.
    local function domain(n, flags)
      count = count + 1
      local name = ("sts%d.example"):format(count)
      names:set("_mta-sts." .. name, "TXT", { dns.txt "v=STSv1; id=1" })
      mx(name, n, flags)
      return name
    end

    local function policy(mode, ...)
      local text = ("version: STSv1\nmode: %s\nmax_age: 86400\nmx: %s\n"):format(mode,
        table.concat({ ... }, "\nmx: "))
      assert(mta_sts.parse(text))
      return function() return text end
    end

    local function secure(name)
      local identity = assert(ca:issue { names = { name } })
      return { tls = { cert = identity.cert, key = identity.key } }
    end

    it("C110 goes to hosts of the policy with TLS that can be verified", function()
      local hosts <close>, port = fleet { secure "mx1.example.com", {}, secure "other.example",
        secure "mx4.example.com" }
      local enforce = policy("enforce", "mx2.example.com", "mx3.example.com", "mx4.example.com")
      local name = domain(4)
      local result = assert(deliver(port, "a@" .. name, { mta_sts = enforce, ca = ca.certificate }))
      assert.equal("mx4.example.com", result.receipts[name].host)
      assert.is_true(result.receipts[name].tls.verified)
      assert.same({ 0, 0, 0, 1 }, { #hosts[1], #hosts[2], #hosts[3], #hosts[4] })
    end)

    it("C110 gives it to nobody else, for now", function()
      local hosts <close>, port = fleet { secure "mx1.example.com", {}, secure "other.example" }
      local enforce = policy("enforce", "*.other.example", "mx2.example.com", "mx3.example.com")
      local err = refused(deliver(port, "a@" .. domain(3),
        { mta_sts = enforce, ca = ca.certificate, tls = "none" }))
      assert.same({ "tls", true }, { err.kind, err.temporary })
      assert.same({ 0, 0, 0 }, { #hosts[1], #hosts[2], #hosts[3] })
      for _, mode in ipairs { "testing", "none" } do
        assert(deliver(port, "a@" .. domain(3), { mta_sts = policy(mode, "mx2.example.com") }))
      end
      assert.equal(2, #hosts[1])
    end)

    it("C110 follows what is kept when it can no longer be fetched", function()
      local _ <close>, port = fleet { secure "mx1.example.com" }
      local name = domain(1)
      local first = { mta_sts = policy("enforce", "mx1.example.com"), ca = ca.certificate }
      assert(deliver(port, "a@" .. name, first))
      names:set("_mta-sts." .. name, "TXT", { dns.txt "v=STSv1; id=2" })
      local failing = { mta_sts = function() error("no network") end }
      assert.equal("tls", refused(deliver(port, "a@" .. name, failing)).kind) -- no authority
      failing.ca = ca.certificate
      assert(deliver(port, "a@" .. name, failing))
    end)

    it("lets DANE win", function()
      local hosts <close>, port = fleet({ secure "other.example" }, { secure = true })
      local name = domain(1, { secure = true })
      local identity = { mta_sts = policy("enforce", "mx.other.example"), dane = "opportunistic" }
      names:set(("_%d._tcp.mx1.example.com"):format(port), "TLSA",
        { dns.tlsa(2, 0, 0, dns.der(ca.certificate)) }, { secure = true })
      assert.equal("tls", refused(deliver(port, "a@" .. name, identity)).kind)
      names:set(("_%d._tcp.mx1.example.com"):format(port), "TLSA",
        { dns.tlsa(3, 0, 0, "no certificate") }, { secure = true })
      assert(deliver(port, "a@" .. name, identity))
      assert.equal(1, #hosts[1])
    end)

    it("C117 lets a message ask for less", function()
      local _ <close>, port = fleet { {} }
      local given = { mta_sts = policy("enforce", "mx1.example.com") }
      local name = domain(1)
      assert(deliver(port, "a@" .. name, given, { raw = "TLS-Required: No\r\n" .. RAW }))
      assert.equal("tls", refused(deliver(port, "a@" .. name, given)).kind)
      assert.equal("tls", refused(deliver(port, "a@" .. name, given,
        { raw = "TLS-Required: No\r\n" .. RAW, mail = { requiretls = true } })).kind)
    end)
  end)

  it("wants somebody to vouch for the MX where TLS is required of all", function()
    local _ <close>, port = fleet { {} }
    mx("one.example", 1)
    local err = refused(deliver(port, "a@one.example", nil, { mail = { requiretls = true } }))
    assert.same({ "unsupported", "5.7.30" }, { err.kind, err.rejected[1].enhanced })
    mx("one.example", 1, { secure = true })
    err = refused(deliver(port, "a@one.example", nil, { mail = { requiretls = true } }))
    assert.equal("tls", err.kind)
  end)
end)
