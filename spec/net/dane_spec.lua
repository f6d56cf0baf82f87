local authority = require "smtp.authority"
local dns = require "spec.support.dns"
local inbox = require "spec.support.inbox"
local smtp = require "smtp"

-- The DER in the first block of PEM.
local function unhex(text)
  return (text:gsub("%x%x", function(two) return string.char(tonumber(two, 16)) end))
end

local function record(usage, selector, matching, data)
  return { usage = usage, selector = selector, matching = matching, data = data }
end

describe("DANE", function()
  local names, ca, identity, server

  setup(function()
    names = dns.start()
    ca = assert(authority.new())
    identity = assert(ca:issue { names = { "mx.example.com" } })
    server = inbox.open { tls = { cert = identity.cert, key = identity.key } }
  end)
  teardown(function()
    server:close()
    names:close()
  end)
  before_each(function() names:reset() end)

  -- Connects by records that are given.
  local function by(records, target)
    local all = { host = "127.0.0.1", port = server.port, sni = "mx.example.com",
      dane = { records = records } }
    for key, value in pairs(target or {}) do all[key] = value end
    return smtp.connect(all)
  end

  -- Connects by the name server.
  local function to(host, mode, target)
    local all = { host = host, port = server.port, timeout = { connect = 5 },
      dane = { mode = mode, nameserver = names.place } }
    for key, value in pairs(target or {}) do all[key] = value end
    return smtp.connect(all)
  end

  local function good(client, err)
    local one <close> = assert(client, err)
    assert.is_true(one.tls.dane)
    assert.is_true(one.tls.verified)
    return one
  end

  local function bad(pattern, client, err)
    assert.is_nil(client)
    assert.equal("tls", err.kind)
    assert.matches(pattern, tostring(err))
    return err
  end

  local function tlsa(host) return ("_%d._tcp.%s"):format(server.port, host) end

  local function publish(host, records, flags)
    names:host(host, "127.0.0.1", { secure = true })
    names:set(tlsa(host), "TLSA", records, flags or { secure = true })
  end

  it("C113 knows a server by its own certificate, without names, dates and authorities", function()
    good(by({ record(3, 0, 0, dns.der(identity.cert)) }))
    good(by({ record(3, 0, 0, dns.der(identity.cert)) }, { sni = "other.example" }))
    local print = good(by({ record(3, 0, 0, dns.der(identity.cert)) })).tls.certificate.fingerprint
    good(by({ record(3, 0, 1, unhex(print)) }))
    local past <close> = inbox.open { tls = assert(authority.self_signed {
      names = { "old.example" }, not_before = 1e9, not_after = 1.1e9 }) }
    local old = smtp.connect { host = "127.0.0.1", port = past.port, verify = false }
    good(by({ record(3, 0, 1, unhex(old.tls.certificate.fingerprint)) }, { port = past.port }))
    assert.is_false(old.tls.dane)
    old:close()
  end)

  it("C113 knows an authority, and then the name must be right", function()
    local top = record(2, 0, 0, dns.der(ca.certificate))
    good(by { top })
    bad("name", by({ top }, { sni = "other.example" }))
    bad("TLSA", by { record(2, 0, 0, dns.der(assert(authority.new()).certificate)) })
  end)

  it("C113 C114 takes what is no record of SMTP's for useless", function()
    local data = dns.der(identity.cert)
    for _, one in ipairs {
      record(0, 0, 0, data), record(1, 0, 0, data), record(4, 0, 0, data), record(3, 2, 0, data),
      record(3, 0, 3, data), record(3, 0, 1, ""), record(3, 0, 1, ("x"):rep(31)),
      record(3, 0, 2, ("x"):rep(63)), record(3, 0, 0, ""), record(3, 0, 0, "x"),
      record(255, 255, 255, data), record(259, 0, 0, data), record(3, 256, 0, data), {},
    } do
      bad("no TLSA record is of use", by { one })
      good(by { one, record(3, 0, 0, data) })
    end
  end)

  it("refuses another key, in each mode", function()
    for _, mode in ipairs { "required", "opportunistic" } do
      local err = bad("TLSA", by(nil, { dane = { mode = mode,
        records = { record(3, 0, 1, ("x"):rep(32)) } } }))
      assert.equal("its TLSA records name other keys", err.hint)
      assert.equal("not_sent", err.outcome)
    end
  end)

  it("C111 finds the records that are secure, and asks for their name", function()
    publish("mx.example.com", { dns.tlsa(3, 0, 0, dns.der(identity.cert)) })
    local client = good(to("mx.example.com", "required"))
    assert.equal("127.0.0.1", client.helo:match("[%d.]+"))
    good(to("mx.example.com", "opportunistic"))
  end)

  it("C111 takes nothing that is not secure", function()
    local records = { dns.tlsa(3, 0, 0, ("x"):rep(40)) }
    publish("mx.example.com", records, {})
    bad("no TLSA records", to("mx.example.com", "required"))
    local one <close> = assert(to("mx.example.com", "opportunistic"))
    assert.is_false(one.tls.dane)
    -- Addresses that are not secure: the records are not even looked for.
    names:reset()
    names:host("mx.example.com", "127.0.0.1")
    names:set(tlsa "mx.example.com", "TLSA", records, { secure = true })
    bad("no TLSA records", to("mx.example.com", "required"))
    local asked = {} -- both at once, in any order
    for question in names:asked():gmatch("%S+") do asked[#asked + 1] = question end
    table.sort(asked)
    assert.same({ "mx.example.com/A", "mx.example.com/AAAA" }, asked)
  end)

  it("C112 wants TLS where there are records, of use or not", function()
    local plain <close> = inbox.open()
    for _, record_of in ipairs { dns.tlsa(3, 0, 0, "x"), dns.tlsa(0, 0, 1, ("x"):rep(32)) } do
      publish("mx.example.com", { record_of })
      names:set(("_%d._tcp.mx.example.com"):format(plain.port), "TLSA", { record_of },
        { secure = true })
      bad("STARTTLS", to("mx.example.com", "opportunistic", { port = plain.port }))
    end
    -- TLS that nobody can verify is what useless records ask for.
    local one <close> = assert(to("mx.example.com", "opportunistic"))
    assert.is_false(one.tls.dane)
    bad("of use", to("mx.example.com", "required"))
  end)

  it("C112 does not connect when nobody can say whether there are records", function()
    publish("mx.example.com", {}, { rcode = 2 })
    for _, mode in ipairs { "required", "opportunistic" } do
      local client, err = to("mx.example.com", mode)
      assert.is_nil(client)
      assert.same({ "dns", true, "not_sent" }, { err.kind, err.temporary, err.outcome })
    end
  end)

  it("C114 lives with TLSA of any length", function()
    local records = { dns.tlsa(3, 0, 0, dns.der(identity.cert)) }
    for _, n in ipairs { 0, 1, 2, 3, 19 } do
      records[#records + 1] = dns.record("TLSA", ("\3\0\1" .. ("x"):rep(16)):sub(1, n))
    end
    publish("mx.example.com", records)
    good(to("mx.example.com", "required"))
    table.remove(records, 1)
    publish("mx.example.com", records)
    bad("of use", to("mx.example.com", "required"))
    local one <close> = assert(to("mx.example.com", "opportunistic"))
    assert.is_string(one.tls.version)
  end)

  it("C115 asks for the TLSA base, which is what an alias leads to", function()
    local seen
    local asked <close> = inbox.open { tls = { cert = identity.cert, key = identity.key,
      sni = function(name) seen = name end } }
    local function alias(flags)
      local function owned(one) one.owner = "mx.example.com" return one end
      names:set("mail.example", "A", { dns.cname("mx.example.com"), owned(dns.a("127.0.0.1")) },
        flags)
      names:set("mail.example", "AAAA", { dns.cname("mx.example.com") }, flags)
      names:set("mail.example", "CNAME", { dns.cname("mx.example.com") }, { secure = true })
    end
    local function put(host)
      names:set(("_%d._tcp.%s"):format(asked.port, host), "TLSA",
        { dns.tlsa(2, 0, 0, dns.der(ca.certificate)) }, { secure = true })
    end
    local function connect() return to("mail.example", "required", { port = asked.port }) end
    alias { secure = true }
    put("mx.example.com")
    good(connect())
    assert.equal("mx.example.com", seen)
    -- Without records there, those of the host itself.
    names:reset()
    alias { secure = true }
    put("mail.example")
    bad("name", connect())
    assert.equal("mail.example", seen)
    -- A secure alias to what is not secure: only those of the host.
    names:reset()
    alias()
    put("mail.example")
    put("mx.example.com")
    bad("name", connect())
    assert.equal("mail.example", seen)
  end)

  it("raises on misuse", function()
    for text, dane in pairs {
      ["dane must be"] = "yes", ["unknown option"] = { server = "x" },
      ["mode must be"] = { mode = 1 },
      ["nameserver must be"] = { nameserver = "localhost" }, ["data must be"] = { records = {
        { usage = 3, data = 1 } } }, ["a record must be"] = { records = { "x" } },
    } do
      assert.error_matches(function() smtp.connect { host = "127.0.0.1", dane = dane } end, text)
    end
    assert.error_matches(function()
      smtp.connect { host = "127.0.0.1", tls = "none", dane = "required" }
    end, "dane goes by TLS")
  end)
end)
