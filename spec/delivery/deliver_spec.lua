local authority = require "smtp.authority"
local core = require "smtp.core"
local dns = require "spec.support.dns"
local inbox = require "spec.support.inbox"
local net = require "spec.support.net"
local scripted = require "spec.support.scripted"
local servers = require "spec.support.fleet"
local smtp = require "smtp"

local RAW = servers.RAW

-- A session that ends in the handshake.
local BROKEN_TLS = { "S 220 mx", "C EHLO", "S 250-mx", "S 250 STARTTLS", "C STARTTLS", "S 220 go",
  function(connection)
    connection:fill()
    connection.buffer = ""
  end, "S no TLS", "EOF" }

describe("smtp.deliver", function()
  local names
  setup(function() names = dns.start() end)
  teardown(function() names:close() end)
  before_each(function() names:reset() end)

  local function fleet(...) return servers.fleet(names, ...) end
  local function mx(...) return servers.mx(names, ...) end
  local function deliver(...) return servers.deliver(names, ...) end
  local refused = servers.refused

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

  local function script_of(...)
    local steps = { "S 220 mx", "C EHLO" }
    for i, step in ipairs { ... } do
      steps[i + 2] = type(step) == "string" and step:find("^250") and "S " .. step or step
    end
    return steps
  end

  -- Plays the script of a first host; gives whether the second host was tried.
  local function first_says(script, given, message)
    local listener = scripted.server(script)
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

  it("C034 does not when one of the recipients has it", function()
    local listener <close> = scripted.server { script_of("250-mx", "250 LIMITS RCPTMAX=1", "* MAIL",
      "* RCPT", "C DATA", "S 354 go", "BODY", "S 250 ok", "C MAIL", "CLOSE"),
      script_of("250-mx", "250-STARTTLS", "250 LIMITS RCPTMAX=1 MAILMAX=1", "C STARTTLS",
        "S 454 no", "* MAIL", "* RCPT", "C DATA", "S 354 go", "BODY", "S 250 ok", "C QUIT",
        "S 221 bye"), script_of("250-mx", "250 STARTTLS", "C STARTTLS", "S 220 go",
        function(connection) connection:fill() connection.buffer = "" end, "S what", "EOF") }
    local second <close>, mails = inbox.open { listen = "127.0.0.2:" .. listener.port }
    names:host("mx1.example.com", "127.0.0.1")
    names:host("mx2.example.com", "127.0.0.2")
    mx("one.example", 2)
    assert.truthy(second)
    for _, kind in ipairs { "closed", "tls" } do
      local result = assert(deliver(listener.port, { "a@one.example", "b@one.example" }))
      assert.same({ "a@one.example" }, result.accepted)
      assert.same({ 1, "b@one.example" }, { #result.rejected, result.rejected[1].address })
      local err = result.errors["one.example"]
      assert.same({ kind, "partial" }, { err.kind, err.outcome })
      assert.equal(0, #mails)
    end
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
        assert.same({ i == 1 and "a@one.example" or "b@one.example", case[1], case[1] < 500,
          "mx1.example.com" }, { one.address, one.code, one.temporary, one.remote_mta })
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
    -- who wants verified TLS where there is TLS does not get less than that
    assert.equal("tls", refused(deliver(port, "a@one.example", { verify = true })).kind)
    assert.equal(1, #hosts[1])
    assert(deliver(port, "a@one.example", { tls = "none" }))
    assert.is_nil(hosts[1][2].tls)
    -- A handshake that fails is followed by a session without it.
    local broken <close> = scripted.server {
      BROKEN_TLS,
      { "S 220 mx", "* EHLO", "* MAIL", "* RCPT", "C DATA", "S 354 go", "BODY", "S 250 kept",
        "C QUIT", "S 221 bye" },
    }
    names:host("mx3.example.com", "127.0.0.1")
    names:set("three.example", "MX", { dns.mx(1, "mx3.example.com") })
    result = assert(deliver(broken.port, "c@three.example"))
    assert.equal("kept", result.receipts["three.example"].text)
  end)

  it("does without STARTTLS where TLS was broken, though it is offered again", function()
    local broken <close> = scripted.server {
      BROKEN_TLS,
      { "S 220 mx", "C EHLO", "S 250-mx", "S 250 STARTTLS", "C MAIL", "S 250 ok", "C RCPT",
        "S 250 ok", "C DATA", "S 354 go", "BODY", "S 250 kept", "C QUIT", "S 221 bye" },
    }
    names:host("mx1.example.com", "127.0.0.1")
    mx("one.example", 1)
    local receipt = assert(deliver(broken.port, "a@one.example")).receipts["one.example"]
    assert.equal("kept", receipt.text)
    assert.is_nil(receipt.tls)
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
