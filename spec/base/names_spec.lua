-- SPDX-License-Identifier: MIT
-- One mapping of domain names, wherever one is taken (UTS 46, IDNA2008).
local core = require "smtp.core"
local dns = require "spec.support.dns"
local keys = require "spec.support.dkim"
local names = require "smtp.base.names"
local scripted = require "spec.support.scripted"
local serve = require "spec.support.serve"
local smtp = require "smtp"
local target = require "smtp.client.target"

-- A name as written, and what it is. All names end in ".example.com".
local MAPPED = {
  ["ПРИМЕР"] = "xn--e1afmkfd", -- capitals
  ["Пример"] = "xn--e1afmkfd",
  ["BÜCHER"] = "xn--bcher-kva",
  ["ΛΌΓΟΣ"] = "xn--oxapnq6b", -- of which the sigma is never a final one
  ["ÅNGSTRÖM"] = "xn--ngstrm-hua5l",
  ["bu\u{308}cher"] = "xn--bcher-kva", -- decomposed
  ["Bu\u{308}CHER"] = "xn--bcher-kva",
  ["a\u{30a}"] = "xn--5ca",
  ["\u{1112}\u{1161}\u{11ab}"] = "xn--6q8b",
  ["\u{30ab}\u{3099}"] = "xn--mck",
  ["\u{ff22}\u{dc}\u{ff23}\u{ff28}\u{ff25}\u{ff32}"] = "xn--bcher-kva", -- wide
  ["\u{ff41}\u{ff42}"] = "ab",
  ["\u{ff76}\u{ff9e}"] = "xn--mck", -- narrow
  ["\u{ff58}\u{ff4e}\u{ff0d}\u{ff0d}bcher-kva"] = "xn--bcher-kva",
  ["\u{fb01}n"] = "fin", -- ligatures and other compatibility forms
  ["m\u{b2}"] = "m2",
  ["\u{2163}"] = "iv",
  ["a\u{ad}b"] = "ab", -- nothing
  ["\u{ad}b\u{200b}\u{fc}cher"] = "xn--bcher-kva",
  ["faß"] = "xn--fa-hia", -- letters of their own
  ["FAß"] = "xn--fa-hia",
  ["ς"] = "xn--3xa",
  ["a。\u{fc}"] = "a.xn--tda", -- dots
  ["\u{fc}．a"] = "xn--tda.a",
  ["\u{fc}｡\u{dc}"] = "xn--tda.xn--tda",
  ["_dmarc.bücher"] = "_dmarc.xn--bcher-kva", -- beside other labels
  ["r3---sn.bücher"] = "r3---sn.xn--bcher-kva",
  ["\u{915}\u{94d}\u{200d}\u{937}"] = "xn--11b2ezcw70k", -- joiners where they join
  ["نامه\u{200c}ای"] = "xn--mgba3gch31f060k",
}

-- Labels in their final form, which need no table of Unicode.
local FINAL = {
  ["bücher"] = "xn--bcher-kva",
  ["BüCHER"] = "xn--bcher-kva",
  ["пример"] = "xn--e1afmkfd",
  ["例え"] = "xn--r8jz45g",
  ["xn--bcher-kva"] = "xn--bcher-kva",
  ["xn--n3h"] = "xn--n3h",
  ["a_b"] = "a_b",
  ["mail"] = "mail",
}

local REFUSED = {
  ["a\u{200d}b"] = "a joiner between Latin letters",
  ["\u{fc}\u{200c}b"] = "a joiner between Latin letters",
  ["\u{200d}b"] = "a joiner in front",
  ["\u{301}a"] = "a mark in front",
  ["\u{93e}\u{915}"] = "a mark in front",
  ["\u{5b0}\u{5d0}"] = "a mark in front",
  ["xn--a"] = "a control behind xn--",
  ["xn--"] = "nothing behind xn--",
  ["xn--99999999"] = "no Punycode behind xn--",
  ["XN--ABC"] = "unassigned behind xn--",
  ["xn--b\u{fc}cher"] = "letters behind xn--",
  ["xn--ab-m1t"] = "a joiner behind xn--",
  ["a.xn--0.b"] = "no Punycode behind xn--, in the middle",
  ["\u{fc}..b"] = "an empty label",
  ["\u{ad}.\u{fc}"] = "a label of nothing",
  ["\u{2025}\u{fc}"] = "two dots in one letter",
  ["\u{2100}\u{fc}"] = "a slash in one letter",
  ["\u{fc} b"] = "a blank",
  ["\u{fc}/b"] = "a slash",
  ["\u{5d0}a"] = "two directions",
  ["\u{2603}"] = "a symbol",
  ["-\u{fc}"] = "a hyphen in front",
  ["ab--\u{fc}"] = "hyphens that are kept for others",
  [("\u{fc}"):rep(64)] = "63 bytes",
  [("\u{fc}"):rep(60) .. "a"] = "63 bytes",
  [("a"):rep(63) .. "\u{fc}"] = "63 bytes",
  [(("b"):rep(60) .. "."):rep(4) .. "\u{fc}"] = "253 bytes",
}

-- Only whole Unicode tells that these are wrong, so the fallback may take them.
local BY_TABLES = { ["XN--ABC"] = true, ["\u{5d0}a"] = true }

local KEY = keys.key("ed25519")
local MAIL = "From: a@b.example\r\n\r\nx\r\n"

local function by(...)
  local value, err = ...
  if value then return value end
  assert.is_not_nil(err)
  return nil, type(err) == "table" and (err.text or err.message) or err
end

-- Each place that takes a name gives the one that it makes, or nil and why.
local PLACES = {
  ["MAIL and RCPT without SMTPUTF8"] = function(name)
    local mailbox, why, kind = names.wire("ada@" .. name)
    if not mailbox then
      -- A malformed domain makes the mailbox malformed, too.
      if why == "not a mailbox that may be sent" then return nil, why end
      assert.equal("invalid", kind)
      return nil, why
    end
    return mailbox:match("^ada@(.*)$")
  end,
  ["a record's addresses"] = function(name)
    local message, err = smtp.message { from = "a@b.example", to = "Ada <ada@" .. name .. ">" }
    if not message then return by(nil, err) end
    local domain = message.envelope.to[1]:match("@(.*)$")
    assert.truthy(tostring(message):find("<ada@" .. domain .. ">", 1, true))
    return domain
  end,
  ["the host of a target"] = function(name)
    local made, err = target.parse("x", { host = name })
    return by(made and made.host, err)
  end,
  ["the host of a URL"] = function(name)
    local made, err = target.parse("x", "smtp://user:p%40ss@" .. name .. ":26")
    return by(made and made.host, err)
  end,
  ["sni"] = function(name)
    local made, err = target.parse("x", { host = "192.0.2.1", sni = name })
    return by(made and made.sni, err)
  end,
  ["helo"] = function(name)
    local made, err = target.parse("x", { host = "192.0.2.1", helo = name })
    return by(made and made.helo, err)
  end,
  ["the host of a proxy"] = function(name)
    local made, err = target.parse("x", { host = "192.0.2.1",
      proxy = "socks5://" .. name .. ":1080" })
    return by(made and made.proxy.host, err)
  end,
  ["what a proxy is asked for"] = function(name)
    local made, err = target.parse("x", { host = name, proxy = "http://192.0.2.1:8080" })
    return by(made and made.host, err)
  end,
  ["what a table is looked up by"] = function(name)
    local key, why = names.key("*." .. name)
    return key and key:match("^%*%.(.*)$"), why
  end,
  ["the mx of a policy"] = function(name)
    local policy, err = smtp.mta_sts.parse("version: STSv1\nmode: enforce\nmax_age: 9\nmx: *." ..
      name)
    return by(policy and policy.mx[1]:match("^%*%.(.*)$"), err)
  end,
}

-- A domain of mail has no underscore (RFC 5321 section 4.1.2), in EHLO either.
local STRICT = { ["MAIL and RCPT without SMTPUTF8"] = true, ["a record's addresses"] = true,
  dkim = true, helo = true }

local function dkim(name)
  local signer, err = smtp.dkim { domain = name, selector = "s", key = KEY.pem,
    identity = "ada@" .. name }
  if not signer then return by(nil, err) end
  local field = signer:sign(MAIL)
  local asked
  smtp.dkim_verify(field .. MAIL, { lookup = function(key)
    asked = key
    return {}
  end })
  local domain = field:gsub("\r\n ", ""):match("[ ;]d=([^;]*);")
  assert.equal("s._domainkey." .. domain, asked)
  assert.truthy(field:gsub("\r\n", ""):find("i=ada@" .. domain .. ";", 1, true))
  return domain
end

local function takes(place, make, list)
  for written, label in pairs(list) do
    if not (STRICT[place] and label:find("_", 1, true)) then
      assert.equal(label .. ".example.com", make(written .. ".example.com"),
        place .. ": " .. written)
    end
  end
end

local function refuses(place, make, list)
  for written, why in pairs(list) do
    if not BY_TABLES[written] or core.idna("\u{dc}") then
      local name, reason = make(written .. ".example.com")
      assert.is_nil(name, place .. ": " .. why)
      assert.equal("string", type(reason), place .. ": " .. why)
    end
  end
end

describe("names", function()
  for place, make in pairs(PLACES) do
    it("are mapped: " .. place, function()
      takes(place, make, MAPPED)
      takes(place, make, FINAL)
      refuses(place, make, REFUSED)
    end)
  end

  it("are mapped: d=, i= and the key of DKIM", function()
    takes("dkim", dkim, MAPPED)
    takes("dkim", dkim, FINAL)
    refuses("dkim", dkim, REFUSED)
    assert.is_nil((dkim("a_b.example.com")))
  end)

  it("are mapped: what the name server is asked", function()
    local server <close> = dns.start()
    for written, label in pairs(MAPPED) do
      server:reset()
      server:set(label .. ".example.com", "MX", { dns.mx(1, "mx.example") })
      local list = assert(smtp.mx(written .. ".example.com", { nameserver = server.place }))
      assert.equal("mx.example", list[1].host, written)
      assert.equal(label .. ".example.com/MX", server:asked())
    end
    server:reset()
    for written, why in pairs(REFUSED) do
      local list, err = smtp.mx(written .. ".example.com", { nameserver = server.place })
      assert.is_nil(list, why)
      assert.same({ "dns", 550, "5.1.2" }, { err.kind, err.code, err.enhanced }, why)
      local got = { smtp.deliver({ envelope = { from = "a@b.example",
        to = "ada@" .. written .. ".example.com" }, raw = "x\r\n" },
        { nameserver = server.place, deadline = 5 }) }
      assert.is_nil(got[1], why)
      assert.is_false(got[2].temporary, why)
    end
    assert.equal("", server:asked())
  end)

  it("reach the wire", function()
    local server <close> = scripted.server { "S 220 mx.example", "C EHLO xn--4ca.example",
      "S 250 mx", "C MAIL FROM:<ada@xn--bcher-kva.example>", "S 250 ok",
      "C RCPT TO:<bob@xn--oxapnq6b.example>", "S 250 ok", "C DATA", "S 354 go", "BODY", "S 250 ok",
      "C QUIT", "S 221 bye" }
    local made = assert(target.parse("x", server.url))
    assert(smtp.send({ host = made.host, port = made.port, helo = "\u{c4}.example" }, {
      envelope = { from = "ada@BÜCHER.example", to = "bob@ΛΌΓΟΣ.example" }, raw = "x\r\n" }))
    assert.is_nil(server:done())
  end)

  it("are refused before a byte goes out", function()
    local server <close> = serve.start { on_message = function(_, message)
      message:read()
      return true
    end }
    local url = "smtp://127.0.0.1:" .. server.port
    for _, disable in ipairs { { SMTPUTF8 = true }, {} } do
      local client <close> = assert(smtp.connect { url = url, disable = disable })
      for _, bad in ipairs { "ada@xn--a.example", "ada@xn--.example" } do
        local ok, err = client:send { envelope = { from = bad, to = "b@c.example" }, raw = "x" }
        assert.is_nil(ok)
        assert.same({ "invalid", "not_sent" }, { err.kind, err.outcome })
        ok, err = client:send { envelope = { from = "b@c.example", to = bad }, raw = "x" }
        assert.is_nil(ok)
        assert.same({ "invalid", "not_sent" }, { err.kind, err.outcome })
      end
      assert(client:send { envelope = { from = "a@b.example", to = "ada@xn--tda.example" },
        raw = "x" })
    end
  end)

  it("are one recipient however they are written", function()
    local message = assert(smtp.message { from = "a@b.example", text = "x",
      to = { "ada@BÜCHER.example", "ada@bu\u{308}cher.example", "ada@xn--bcher-kva.EXAMPLE" },
      cc = "ada@bücher。example" })
    assert.same({ "ada@xn--bcher-kva.example" }, message.envelope.to)
  end)

  it("that are plain, addresses and literals stay as they are", function()
    for _, text in ipairs { "EXAMPLE.com", "Mail_1.example.com.", "localhost", "192.0.2.1", "::1",
      "fe80::1%eth0", "[192.0.2.1]", "[IPv6:2001:db8::1]", "a b", "" } do
      assert.equal(text, names.host(text))
    end
    for _, mailbox in ipairs { "Ada@EXAMPLE.com", "a@[192.0.2.1]", "a@[IPv6:::1]", "postmaster", "",
      '"a@b"@c.example', "xn--a@b.example" } do
      assert.equal(mailbox, names.mailbox(mailbox))
      assert.equal(mailbox, names.wire(mailbox))
    end
  end)

  it("of more than 253 bytes, or with a label of more than 63, are no hosts", function()
    local most = (("a"):rep(62) .. "."):rep(3)
    local longest = most .. ("b"):rep(62) .. ".c"
    assert.equal(253, #longest)
    for _, name in ipairs { longest, longest .. ".", ("a"):rep(63) } do
      for _, place in ipairs { "the host of a target", "sni", "the host of a proxy" } do
        local made, why = PLACES[place](name)
        assert.equal(not name:find("..", 1, true), made ~= nil, why)
      end
    end
    for _, name in ipairs { "x" .. longest, most .. ("b"):rep(62) .. ".cd", ("a"):rep(64),
      ("a."):rep(127) .. "bc", "a..b", ".a" } do
      for _, place in ipairs { "the host of a target", "the host of a URL", "sni",
        "the host of a proxy", "what a proxy is asked for" } do
        local made, why = PLACES[place](name)
        assert.is_nil(made, place)
        assert.matches("empty or over 63 bytes", why)
      end
    end
  end)
end)

describe("names without libidn2", function()
  local idna = core.idna
  setup(function() core.idna = function(name) return idna(name, true) end end)
  teardown(function() core.idna = idna end)

  for place, make in pairs(PLACES) do
    it("are mapped as far as they can be, and the rest is told: " .. place, function()
      takes(place, make, FINAL)
      refuses(place, make, REFUSED)
      for written, label in pairs(MAPPED) do
        local name, why = make(written .. ".example.com")
        if name then
          assert.equal(label .. ".example.com", name)
        elseif place ~= "the mx of a policy" and not STRICT[place] then
          assert.matches("libidn2 is missing", why)
        end
      end
      assert.is_nil((make("\u{dc}.example.com")))
      assert.equal("a.xn--tda.example.com", make("a。\u{fc}．example.com"))
    end)
  end
end)

describe("a mailbox", function()
  it("C099 goes out with A-labels where the server has no SMTPUTF8", function()
    assert.same({ "a@b", false }, { names.wire("a@b", true) })
    assert.same({ "bob@xn--bcher-kva.example", false }, { names.wire("bob@bücher.example") })
    assert.same({ "bob@bücher.example", true }, { names.wire("bob@bücher.example", true) })
    assert.same({ nil, "unsupported" }, { names.wire("grüße@b.example"), (select(3,
      names.wire("grüße@b.example"))) })
    assert.equal("invalid", select(3, names.wire("a b@c", true)))
  end)

  it("at an address has it as a literal, without its zone", function()
    assert.equal("[192.0.2.1]", names.literal("192.0.2.1"))
    assert.equal("[IPv6:2001:db8::1]", names.literal("2001:db8::1"))
    assert.equal("[IPv6:fe80::1]", names.literal("fe80::1%eth0"))
  end)

  it("in plain ASCII goes out as it is written", function()
    for _, domain in ipairs { ("a"):rep(64) .. ".example", ("b"):rep(200) } do
      assert.same({ "ada@" .. domain, false }, { names.wire("ada@" .. domain, false) })
      assert.is_nil((names.host(domain)))
    end
  end)
end)
