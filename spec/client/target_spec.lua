-- Targets: URLs, bare addresses, tables, and what is refused in them.
local authority = require "smtp.authority"
local target = require "smtp.client.target"

local function parse(given) return target.parse("connect", given) end

local function place(given)
  local one = parse(given)
  return { one.host or one.path, one.port, one.name }
end

describe("target", function()
  it("reads URLs and bare places", function()
    for url, expected in pairs {
      ["smtp://mx.example"] = { "mx.example", 25, "mx.example:25" },
      ["SMTP://mx.example/"] = { "mx.example", 25, "mx.example:25" },
      ["smtp://mx.example:2525"] = { "mx.example", 2525, "mx.example:2525" },
      ["smtps://mx.example"] = { "mx.example", 465, "mx.example:465" },
      ["smtps://mx.example:10465"] = { "mx.example", 10465, "mx.example:10465" },
      ["mx.example"] = { "mx.example", 25, "mx.example:25" },
      ["127.0.0.1:2525"] = { "127.0.0.1", 2525, "127.0.0.1:2525" },
      ["smtp://[::1]:2525"] = { "::1", 2525, "[::1]:2525" },
      ["[::1]"] = { "::1", 25, "[::1]:25" },
      ["smtp://[fe80::1%lo]:25"] = { "fe80::1%lo", 25, "[fe80::1%lo]:25" },
    } do
      assert.same(expected, place(url), url)
      assert.same(expected, place { url = url })
    end
  end)

  it("reads unix paths, percent-decoded", function()
    for url, path in pairs {
      ["smtp+unix:///run/mx"] = "/run/mx", ["smtp+unix:///run/a%20b%2fc"] = "/run/a b/c",
      ["SMTP+UNIX:///x"] = "/x", ["smtp+unix:///run/%zz"] = "/run/%zz",
    } do
      assert.same({ path, nil, path }, place(url))
    end
    assert.same({ "/x", nil, "/x" }, place { path = "/x" })
  end)

  it("takes a host and a port apart from a URL", function()
    assert.same({ "::1", 25, "[::1]:25" }, place { host = "::1" })
    assert.same({ "mx", 465, "mx:465" }, place { host = "mx", tls = "implicit" })
    assert.same({ "mx", 26, "mx:26" }, place { url = "smtp://mx", port = 26 })
    assert.same({ "mx", 27, "mx:27" }, place { url = "smtp://mx:27", port = 26 })
    assert.equal("implicit", parse("smtps://mx").tls)
    assert.equal("none", parse({ url = "smtps://mx", tls = "none" }).tls)
  end)

  it("gives an error for a bad URL, and does not show its secret", function()
    for _, url in ipairs { "", "smtp://", "smtp:///x", "http://mx", "smtp://mx:port", "smtp://mx/x",
      "smtp://[::1", "smtp://::1", "smtp://mx:25:26", "smtp+unix://x", "smtp+unix://",
      "smtp://[::1]25", "smtp://[::1%]", "smtp://[mx]",
      "smtp://user:hunter2@", "smtp://user:hunter2@mx:x", "smtp://mx:0", "smtp://mx:65536",
      "smtp://user:hunter2@mx:99999999999999999999" } do
      local one, why = parse(url)
      assert.is_nil(one, url)
      assert.equal("invalid", why.kind)
      assert.is_nil(tostring(why):find("hunter2", 1, true))
    end
    assert.error_matches(function() parse {} end, "needs a url, a host or a path")
    assert.error_matches(function() parse(5) end, "must be a table or a URL")
    assert.error_matches(function() parse(nil) end, "must be a table")
  end)

  it("raises for unknown options and wrong types", function()
    assert.error_matches(function() parse { url = "mx", prot = 1 } end, 'unknown option "prot"')
    assert.error_matches(function() parse { url = "mx", 5 } end, 'unknown option "1"')
    assert.error_matches(function() parse { url = 5 } end, "url must be a string")
    for _, port in ipairs { "smtp", "", "25x", "0x19", "99999", "-1", 25.5, -1, 0 / 0, true } do
      assert.error_matches(function() parse { host = "mx", port = port } end, "port must be")
    end
    assert.error_matches(function() parse { host = "mx", port = 70000 } end,
      "port must be 1 to 65535")
    assert.error_matches(function() parse { host = "mx", tls = "yes" } end, "tls must be")
    assert.error_matches(function() parse { host = "mx", timeout = "5" } end, "timeout must be")
    assert.error_matches(function() parse { host = "mx", timeout = -1 } end, "timeout")
    assert.error_matches(function() parse { host = "mx", timeout = { conect = 1 } } end, "conect")
    assert.error_matches(function() parse { host = "mx", timeout = { data = -1 } } end,
      "data must be")
    assert.error_matches(function() parse { host = "mx", deadline = 0 / 0 } end, "deadline must be")
    assert.error_matches(function() parse { host = "mx", disable = "SIZE" } end, "disable must be")
    assert.error_matches(function() parse { host = "mx", trace = true } end, "trace must be")
  end)

  it("takes a port in digits, and whole floats for numbers", function()
    assert.same({ "mx", 2525, "mx:2525" }, place { host = "mx", port = "2525" })
    assert.same({ "mx", 2525, "mx:2525" }, place { host = "mx", port = 2525.0 })
    assert.same({ "mx", 25, "mx:25" }, place { host = "mx", port = "00025" })
    assert.error_matches(function() parse { host = "mx", port = "0" } end, "port must be 1 to")
  end)

  it("begins TLS at once at port 465, unless told otherwise", function()
    for _, given in ipairs { "mx:465", "smtp://mx:465", "smtp://ada:x@mx:465", "[::1]:465",
      { host = "mx", port = 465 }, { host = "mx", port = "465" }, { host = "mx", port = 465.0 },
      { url = "mx", port = 465 }, { host = "mx", port = 465, verify = false } } do
      assert.equal("implicit", parse(given).tls)
    end
    for word, mode in pairs { required = "required", starttls = "required", none = "none",
      opportunistic = "opportunistic", implicit = "implicit" } do
      assert.equal(mode, parse({ host = "mx", port = 465, tls = word }).tls)
      assert.equal(mode, parse({ url = "smtp://mx:465", tls = word }).tls)
    end
    assert.equal("required", parse({ url = "smtps://mx", tls = "starttls" }).tls)
    for _, given in ipairs { "mx", "mx:4650", "mx:587", "lmtp://mx:465", "smtp+unix:///465",
      { host = "mx", port = 465, lmtp = true } } do
      assert.is_nil(parse(given).tls)
    end
  end)

  it("finds what is wrong with whom to trust and who to be, before it connects", function()
    local ca = assert(authority.new())
    local one, other = assert(ca:issue { names = { "a" } }), assert(ca:issue { names = { "b" } })
    local function wrong(kind, text, given)
      given.host = "mx"
      local target_or_nil, err = parse(given)
      assert.is_nil(target_or_nil)
      assert.same({ kind, "not_sent", false }, { err.kind, err.outcome, err.temporary })
      assert.truthy(tostring(err):find(text, 1, true), tostring(err))
    end
    for _, mode in ipairs { "implicit", "required", "opportunistic" } do
      wrong("tls", "/nowhere/ca.pem", { ca = "/nowhere/ca.pem", tls = mode })
    end
    wrong("tls", "certificate", { ca = "-----BEGIN CERTIFICATE-----\nAAAA\n" })
    wrong("tls", "/nowhere/cert.pem", { cert = "/nowhere/cert.pem", key = one.key })
    wrong("tls", "/nowhere/key.pem", { cert = one.cert, key = "/nowhere/key.pem", verify = false })
    wrong("tls", "private key", { cert = one.cert })
    wrong("tls", "private key", { cert = one.cert, key = other.key })
    wrong("invalid", "key needs cert", { key = one.key })
    wrong("connect", "local_address", { local_address = "not an address" })
    wrong("invalid", "helo", { helo = "a b" })
    wrong("invalid", 'did you mean "PLAIN"?',
      { auth = { user = "ada", password = "x", mechanisms = { "LOGIN", "PLIAN" } } })
    wrong("invalid", 'unknown mechanism "GSSAPI"',
      { auth = { user = "ada", password = "x", mechanisms = { "GSSAPI" } } })
    wrong("invalid", "proxy", { proxy = "socks4://x:1" })
    assert.truthy(parse { host = "mx", ca = ca.certificate, cert = one.cert, key = one.key,
      local_address = "::1", helo = "[127.0.0.1]",
      auth = { user = "ada", password = "x", mechanisms = { "plain", "Scram-SHA-256" } } })
  end)

  it("knows LMTP by its scheme or by a key", function()
    assert.same({ true, 24 }, { parse("lmtp://mx").lmtp, parse("lmtp://mx").port })
    assert.same({ true, "/x" }, { parse("lmtp+unix:///x").lmtp, parse("lmtp+unix:///x").path })
    assert.equal(24, parse({ host = "mx", lmtp = true }).port)
    assert.equal(25, parse({ host = "mx", verify = false, lmtp = false }).port)
  end)

  it("takes keywords and parameters of one's own, and raises for what is none", function()
    local one = parse { host = "mx", extensions = { xAda = { mail = { "ID" }, rcpt = { "to" } } } }
    assert.same({ mail = { ID = "XADA" }, rcpt = { TO = "XADA" } }, one.own)
    for why, wrong in pairs { ["a b is no keyword"] = { ["a b"] = {} },
      ["a=b is no parameter"] = { XADA = { mail = { "a=b" } } },
      ["XADA must be a table, not boolean"] = { XADA = true },
      ['XADA: unknown option "data"'] = { XADA = { data = {} } },
      ["5 is no parameter"] = { XADA = { mail = { 5 } } } } do
      assert.error_matches(function() parse { host = "mx", extensions = wrong } end, why)
    end
  end)

  it("takes credentials from the URL, percent-decoded, and what the table says wins", function()
    local one = parse("smtp://ada%40x:s%3Ac%2Fr@mx.example")
    assert.same({ user = "ada@x", password = "s:c/r" }, one.auth)
    assert.equal(587, one.port)
    assert.equal("mx.example:587", one.name)
    assert.equal(465, parse("smtps://ada:secret@mx").port)
    one = parse { url = "smtp://ada:secret@mx", auth = { password = "other" } }
    assert.same({ user = "ada", password = "other" }, one.auth)
    local token = function() return "t" end
    one = parse { url = "smtp://ada@mx:25", auth = { token = token } }
    assert.same({ user = "ada", token = token }, one.auth)
    assert.equal(25, one.port)
  end)

  it("C123 does not speak LMTP at port 25", function()
    for _, given in ipairs { "lmtp://mx:25", { host = "mx", port = 25, lmtp = true },
      { url = "lmtp://mx", port = 25 } } do
      local one, err = parse(given)
      assert.is_nil(one)
      assert.equal("invalid", err.kind)
    end
    assert.equal(24, parse("lmtp://mx").port)
    assert.is_true(parse("lmtp+unix:///run/lmtp").lmtp)
  end)

  it("says what is missing in auth", function()
    for _, auth in ipairs { {}, { user = "ada" }, { password = "x" }, { mechanisms = { 5 } },
      { user = "ada", password = "x", mechanisms = {} } } do
      local one, err = parse { host = "mx", auth = auth }
      assert.is_nil(one)
      assert.equal("invalid", err.kind)
    end
    assert.error_matches(function() parse { host = "mx", auth = { pasword = "x" } } end, "pasword")
    assert.truthy(parse { host = "mx", auth = { mechanisms = { "EXTERNAL" } } })
    local one, err = parse("smtp://ada@mx")
    assert.is_nil(one)
    assert.truthy(tostring(err):find("no password", 1, true))
  end)

  it("C033 has the time-outs of the RFC, each of them an option", function()
    local defaults = { connect = 30, greeting = 300, ehlo = 300, command = 300, data = 120,
      block = 180, final = 600, quit = 2 }
    assert.same(defaults, parse("mx").timeout)
    for key in pairs(defaults) do
      local expected = {}
      for k, v in pairs(defaults) do expected[k] = v end
      expected[key] = 7
      assert.same(expected, parse({ host = "mx", timeout = { [key] = 7 } }).timeout)
    end
    assert.same({ connect = 5, greeting = 5, ehlo = 5, command = 5, data = 5, block = 5, final = 5,
      quit = 2 }, parse({ host = "mx", timeout = 5 }).timeout)
  end)

  it("leaves the caller's table as it was", function()
    local given = { url = "smtp://mx", timeout = { data = 1 } }
    parse(given)
    assert.same({ url = "smtp://mx", timeout = { data = 1 } }, given)
  end)
end)
