local authority = require "smtp.authority"
local core = require "smtp.core"
local dns = require "spec.support.dns"
local inbox = require "spec.support.inbox"
local mta_sts = require "smtp.mta_sts"
local net = require "spec.support.net"
local peer = require "spec.support.peer"
local smtp = require "smtp"

local RAW = "From: ada@code.energy\r\nSubject: The engine\r\n\r\nIt works.\r\n"

local closer = { __close = function(all) for _, one in ipairs(all) do one:close() end end }

-- The DER in the first block of PEM.
local function der(pem)
  return core.unbase64((pem:match("CERT%S+\n(.-)%-%-%-%-%-END"):gsub("%s", "")))
end

describe("smtp.deliver", function()
  local names, ca
  setup(function()
    names = dns.start()
    ca = assert(authority.new())
  end)
  teardown(function() names:close() end)
  before_each(function() names:reset() end)

  -- Servers at 127.0.0.1, 127.0.0.2 and so on, all at one port, which is the second
  -- result; mx1.example.com and so on are their names. Each of `options` is for one.
  local function fleet(options, flags)
    local all, port = setmetatable({}, closer), 0
    for i, own in ipairs(options) do
      local given = {}
      for key, value in pairs(own) do given[key] = value end
      given.listen = ("127.0.0.%d:%d"):format(i, port)
      local server, mails = inbox.open(given)
      mails.close = function() server:close() end
      all[i], port = mails, server.port
      names:host(("mx%d.example.com"):format(i), "127.0.0." .. i, flags)
    end
    return all, port
  end

  -- The MX of a domain are mx1, mx2 and so on, in this order.
  local function mx(domain, n, flags)
    local records = {}
    for i = 1, n do records[i] = dns.mx(10 * i, ("mx%d.example.com"):format(i)) end
    names:set(domain, "MX", records, flags)
  end

  local function deliver(port, to, given, message)
    local options = { nameserver = names.place, port = port, timeout = 10, deadline = 30 }
    for key, value in pairs(given or {}) do options[key] = value end
    local all = { envelope = { from = "ada@code.energy", to = to }, raw = RAW }
    for key, value in pairs(message or {}) do all[key] = value end
    return smtp.deliver(all, options)
  end

  local function refused(result, err)
    assert.is_nil(result)
    return err
  end

  it("sends to the first host of each domain", function()
    local hosts <close>, port = fleet { {}, {} }
    names:set("one.example", "MX", { dns.mx(10, "mx1.example.com"), dns.mx(20, "mx2.example.com") })
    names:set("two.example", "MX", { dns.mx(10, "mx2.example.com") })
    local to = { "a@one.example", "Bob <b@Two.example>", "c@ONE.example" }
    local result = assert(deliver(port, to))
    assert.same({ "a@one.example", "c@ONE.example", "b@Two.example" }, result.accepted)
    assert.same({}, result.rejected)
    assert.same({}, result.errors)
    assert.equal("mx1.example.com", result.receipts["one.example"].host)
    assert.equal(250, result.receipts["two.example"].code)
    assert.same({ 1, 1 }, { #hosts[1], #hosts[2] })
    assert.same({ "a@one.example", "c@ONE.example" }, hosts[1][1].to)
    assert.same({ "b@Two.example" }, hosts[2][1].to)
    assert.equal(RAW, hosts[1][1].content)
    assert.equal(RAW, hosts[2][1].content)
  end)

  it("C028 goes to the domain itself where there is no MX", function()
    local hosts <close>, port = fleet { {} }
    names:set("mx1.example.com", "MX", {})
    assert(deliver(port, "a@mx1.example.com"))
    assert(deliver(port, "a@[127.0.0.1]"))
    assert.equal(2, #hosts[1])
  end)

  it("C028 takes an MX that is an alias", function()
    local hosts <close>, port = fleet { {} }
    local address = dns.a("127.0.0.1")
    address.owner = "mx1.example.com"
    names:set("alias.example", "A", { dns.cname("mx1.example.com"), address })
    names:set("alias.example", "AAAA", { dns.cname("mx1.example.com") })
    names:set("one.example", "MX", { dns.mx(1, "alias.example") })
    local result = assert(deliver(port, "a@one.example"))
    assert.equal("alias.example", result.receipts["one.example"].host)
    assert.equal(1, #hosts[1])
  end)

  it("C034 tries the next host when one cannot be reached", function()
    local hosts <close>, port = fleet { {} }
    -- nobody is at 127.0.0.3; a host without an address; one that nobody knows of
    names:host("mx7.example.com", "127.0.0.3")
    names:set("mx8.example.com", "A", {})
    names:set("mx8.example.com", "AAAA", {})
    names:set("mx9.example.com", "A", {}, { rcode = 2 })
    names:set("one.example", "MX", { dns.mx(1, "mx7.example.com"), dns.mx(2, "mx8.example.com"),
      dns.mx(3, "mx9.example.com"), dns.mx(4, "mx1.example.com") })
    assert.equal("mx1.example.com",
      assert(deliver(port, "a@one.example")).receipts["one.example"].host)
    assert.equal(1, #hosts[1])
  end)

  -- What a first host says, and whether the second is then tried.
  local function first_says(script, given, message)
    local listener = peer.start(script)
    local second, mails = inbox.open { listen = "127.0.0.2:" .. listener.port }
    local first <close> = listener
    local _ <close> = second
    names:host("mx1.example.com", "127.0.0.1")
    names:host("mx2.example.com", "127.0.0.2")
    mx("one.example", 2)
    local result, err = deliver(first.port, { "a@one.example", "b@one.example" }, given, message)
    assert.is_nil(first:done())
    return result and result.receipts["one.example"].host, err, mails
  end

  it("C034 tries the next host when one does not want the session", function()
    for i, script in ipairs {
      { "S 421 busy" }, { "S 451 later", "C QUIT" }, { "S 554 no", "C QUIT" }, { "CLOSE" },
      { "S 220 mx", "C EHLO", "S 451 later", "C QUIT" },
      { "S 220 mx", "C EHLO", "S 500 what", "C HELO", "S 550 no", "C QUIT" },
      { "S 220 mx", "C EHLO", "S 421 busy" }, { "S hello" },
      { "S 220 mx", "* EHLO", "C MAIL", "CLOSE" }, { "S 220 mx", "* EHLO", "C MAIL", "S 421 bye" },
      { "S 220 mx", "* EHLO", "* MAIL", "C RCPT", "S 421 bye" },
    } do
      local host, err = first_says(script)
      assert.equal("mx2.example.com", host, i .. ": " .. tostring(err))
    end
  end)

  it("C034 begins again at the next host when one is lost in the middle", function()
    local raw = RAW .. ("0123456789abcdef\r\n"):rep(400000)
    local host, err, second = first_says({ "S 220 mx", "* EHLO", "* MAIL", "* RCPT", "* RCPT",
      "C DATA", "S 354 go", "C From", "ABORT" }, nil, { raw = raw })
    assert.equal("mx2.example.com", host, tostring(err))
    assert.equal(1, #second)
  end)

  it("C034 does not when the answer is about the mail", function()
    local begin = { "S 220 mx", "* EHLO" }
    local function script(...)
      local all = table.move(begin, 1, #begin, 1, {})
      return table.move({ ... }, 1, select("#", ...), #all + 1, all)
    end
    for _, case in ipairs {
      { 550, script("C MAIL", "S 550 no", "C QUIT") },
      { 451, script("C MAIL", "S 451 no", "C QUIT") },
      { 550, script("* MAIL", "C RCPT", "S 550 no", "C RCPT", "S 550 no", "C QUIT") },
      { 450, script("* MAIL", "C RCPT", "S 450 no", "C RCPT", "S 450 no", "C QUIT") },
      { 451, script("* MAIL", "* RCPT", "* RCPT", "C DATA", "S 451 no", "C QUIT") },
      { 552, script("* MAIL", "* RCPT", "* RCPT", "C DATA", "S 354 go", "BODY", "S 552 no",
        "C QUIT") },
      { 452, script("* MAIL", "* RCPT", "* RCPT", "C DATA", "S 354 go", "BODY", "S 452 no",
        "C QUIT") },
    } do
      local host, err, second = first_says(case[2])
      assert.is_nil(host)
      assert.equal(0, #second)
      assert.equal(case[1], err.code)
      assert.equal(case[1] < 500, err.temporary)
      assert.equal(2, #err.rejected)
      for i, one in ipairs(err.rejected) do
        assert.same({ i == 1 and "a@one.example" or "b@one.example", case[1], case[1] < 500 },
          { one.address, one.code, one.temporary })
      end
    end
  end)

  it("C034 never sends again what may have arrived", function()
    local host, err, second = first_says { "S 220 mx", "* EHLO", "* MAIL", "* RCPT", "* RCPT",
      "C DATA", "S 354 go", "BODY", "CLOSE" }
    assert.is_nil(host)
    assert.equal(0, #second)
    assert.equal("unknown", err.outcome)
    assert.same({ "4.4.2", true, "mx1.example.com" },
      { err.rejected[1].enhanced, err.rejected[1].temporary, err.rejected[1].remote_mta })
  end)

  it("tells whom it could not be given to, as a bounce wants it", function()
    local hosts <close>, port = fleet { { on_rcpt = function(_, recipient)
      if recipient.user == "no" then return 550, "5.1.1 no such user" end
      return true
    end } }
    mx("one.example", 1)
    names:set("null.example", "MX", { dns.mx(0, "") })
    names:set("fail.example", "MX", {}, { rcode = 2 })
    local result = assert(deliver(port, { "a@one.example", "no@one.example", "b@null.example",
      "c@fail.example", "d@nowhere.example", "Postmaster" }))
    assert.same({ "a@one.example" }, result.accepted)
    local told = {}
    for i, one in ipairs(result.rejected) do
      told[i] = { one.address, one.code or "-", one.enhanced, one.temporary }
    end
    assert.same({
      { "no@one.example", 550, "5.1.1", false }, { "b@null.example", 556, "5.1.10", false },
      { "c@fail.example", "-", "4.4.3", true }, { "d@nowhere.example", 550, "5.1.2", false },
      { "Postmaster", 550, "5.1.2", false },
    }, told)
    assert.equal("dns", result.errors["fail.example"].kind)
    assert.equal(1, #hosts[1])
    local bounce = assert(smtp.bounce(assert(smtp.message { from = "ada@code.energy",
      to = "b@one.example", text = "x" }), result.rejected, { hostname = "client.code.energy" }))
    assert.matches("556 5%.1%.10", tostring(bounce))
  end)

  it("fails by what may go well later, if nobody has it", function()
    names:set("null.example", "MX", { dns.mx(0, "") })
    names:set("fail.example", "MX", {}, { rcode = 2 })
    local err = refused(deliver(25, { "b@null.example", "c@fail.example" }))
    assert.same({ "dns", true, 2 }, { err.kind, err.temporary, #err.rejected })
    err = refused(deliver(25, { "b@null.example" }))
    assert.same({ 556, "5.1.10", false }, { err.code, err.enhanced, err.temporary })
    names:raw("silent.example", "MX", nil)
    local since = core.now()
    err = refused(deliver(25, "a@silent.example", { deadline = 0.2 }))
    assert.is_true(err.temporary)
    assert.is_true(core.now() - since < 3)
    err = refused(deliver(25, "a@silent.example", { deadline = 0 }))
    assert.equal("timeout", err.kind)
  end)

  it("sends the same content to all, wherever it comes from", function()
    local hosts <close>, port = fleet { {}, {}, {} }
    for i = 1, 3 do
      names:set(("d%d.example"):format(i), "MX", { dns.mx(1, ("mx%d.example.com"):format(i)) })
    end
    local to = { "a@d1.example", "b@d2.example", "c@d3.example" }
    local long = RAW .. ("0123456789abcdef\r\n"):rep(20000)
    local path <close> = setmetatable({ name = os.tmpname() },
      { __close = function(self) os.remove(self.name) end })
    net.dump(path.name, "skipped" .. long)
    for _, concurrency in ipairs { 1, 2, 5 } do
      local file <close> = assert(io.open(path.name, "rb"))
      file:seek("set", 7)
      local n = 0
      for _, raw in ipairs { long, file, function()
        n = n + 1
        return n <= 400 and long:sub((n - 1) * 1000 + 1, n * 1000) or nil
      end } do
        local result = assert(deliver(port, to, { concurrency = concurrency }, { raw = raw }))
        assert.equal(3, #result.accepted)
        for _, mails in ipairs(hosts) do
          assert.equal(long, table.remove(mails).content)
        end
      end
    end
    local err = refused(deliver(port, to, nil, { raw = function() error("gone") end }))
    assert.equal("source", err.kind)
    assert.same({ 0, 0, 0 }, { #hosts[1], #hosts[2], #hosts[3] })
  end)

  it("composes and signs a record", function()
    local hosts <close>, port = fleet { {} }
    mx("one.example", 1)
    assert(smtp.deliver({ from = "ada@code.energy", to = "a@one.example", subject = "x",
      text = "y" }, { nameserver = names.place, port = port, helo = "client.code.energy" }))
    assert.matches("Subject: x\r\n", hosts[1][1].content)
    assert.equal("client.code.energy", hosts[1][1].helo)
  end)

  it("takes TLS where it is, broken or not, and clear text where it is none", function()
    local identity = assert(authority.self_signed { names = { "other.example" } })
    local hosts <close>, port = fleet { { tls = { cert = identity.cert, key = identity.key } }, {} }
    mx("one.example", 1)
    names:set("two.example", "MX", { dns.mx(1, "mx2.example.com") })
    local result = assert(deliver(port, { "a@one.example", "b@two.example" }))
    assert.is_false(result.receipts["one.example"].tls.verified)
    assert.is_nil(result.receipts["two.example"].tls)
    assert.is_truthy(hosts[1][1].tls)
    local err = refused(deliver(port, "b@two.example", { tls = "required" }))
    assert.same({ "tls", true, "4.7.5" }, { err.kind, err.temporary, err.rejected[1].enhanced })
    assert(deliver(port, "a@one.example", { tls = "none" }))
    assert.is_nil(hosts[1][2].tls)
    -- A handshake that fails is followed by a session without it.
    local broken <close> = peer.start {
      { "S 220 mx", "C EHLO", "S 250-mx", "S 250 STARTTLS", "C STARTTLS", "S 220 go",
        function(connection)
          connection:fill()
          connection.buffer = ""
        end, "S no TLS", "EOF" },
      { "S 220 mx", "* EHLO", "* MAIL", "* RCPT", "C DATA", "S 354 go", "BODY", "S 250 kept",
        "C QUIT", "S 221 bye" },
    }
    names:host("mx3.example.com", "127.0.0.1")
    names:set("three.example", "MX", { dns.mx(1, "mx3.example.com") })
    result = assert(deliver(broken.port, "c@three.example"))
    assert.equal("kept", result.receipts["three.example"].text)
  end)

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
      tlsa(1, port, dns.tlsa(3, 0, 0, der(identities[1].cert)))
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
      tlsa(2, port, dns.tlsa(3, 0, 0, der(identities[2].cert)), { rcode = 2 })
      tlsa(3, port, dns.tlsa(2, 0, 0, der(ca.certificate)))
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
      tlsa(1, port, dns.tlsa(2, 0, 0, der(ca.certificate)))
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
        "TLS-Required: No\r\nTLS-Required: No\r\n", "\r\nTLS-Required: No\r\n" } do
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
        { dns.tlsa(2, 0, 0, der(ca.certificate)) }, { secure = true })
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

  it("lets functions of the caller's raise, in each way of running", function()
    local _ <close>, port = fleet { {} }
    mx("one.example", 1)
    mx("two.example", 1)
    for _, n in ipairs { 1, 2 } do
      assert.error_matches(function()
        deliver(port, { "a@one.example", "b@two.example" },
          { concurrency = n, trace = function() error("mine", 0) end })
      end, "mine")
    end
  end)

  it("raises on misuse", function()
    for text, given in pairs {
      ["unknown option"] = { host = "x" }, ["nameserver must be"] = { nameserver = "x" },
      ["tls must be"] = { tls = "implicit" }, ["dane must be"] = { dane = {} },
      ["port must be"] = { port = 65536 }, ["mta_sts must be"] = { mta_sts = "x" },
      ["dane goes by TLS"] = { tls = "none", dane = "required" },
    } do
      assert.error_matches(function() deliver(25, "a@one.example", given) end, text)
    end
    assert.equal("", names:asked())
    assert.equal("invalid", refused(deliver(25, "a b")).kind)
  end)
end)
