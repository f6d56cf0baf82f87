-- Two TLS engines joined in memory: handshake, data, ends, and what each side
-- knows of the other.
local authority = require "smtp.authority"
local core = require "smtp.core"
local cuts = require "spec.support.cuts"

local ca = assert(authority.new())
local identity = assert(ca:issue { names = { "mx.example" }, addresses = { "127.0.0.1" } })

local function server_context(options)
  local all = { server = true, cert = identity.cert, key = identity.key }
  for key, value in pairs(options or {}) do all[key] = value end
  return assert(core.tls_context(all))
end

local function client_context(options)
  local all = { ca = ca.certificate, verify = true }
  for key, value in pairs(options or {}) do all[key] = value end
  return assert(core.tls_context(all))
end

local whole, one_byte = cuts.whole, cuts.one_byte

-- Moves what waits from one to the other, in pieces.
local function carry(from, to, cut)
  local bytes = cut(from:peek())
  if bytes == "" then return false end
  from:sent(#bytes)
  to:feed(bytes)
  return true
end

-- Both handshakes: true, or nil and what the client and the server say.
local function join(client, server, cut, choose)
  cut = cut or whole
  local mine, why, theirs, whose = false, nil, false, nil
  for _ = 1, 20000 do
    if mine == false then mine, why = client:handshake() end
    if theirs == false then theirs, whose = server:handshake() end
    if theirs == "name" then
      assert.equal(0, select("#", server:choose(choose(whose))))
      theirs = false
    end
    local moved = carry(client, server, cut)
    moved = carry(server, client, cut) or moved
    if not moved and (mine ~= false or theirs ~= false) then break end
  end
  if mine and theirs then return true end
  return nil, why, whose
end

local function pair(server_options, client_options, name, cut)
  local server = server_context(server_options):engine()
  local client = client_context(client_options):engine(name or "mx.example")
  local ok, why, whose = join(client, server, cut)
  return ok and client, server, why, whose
end

-- Passes bytes from one engine to the other; gives the received ones.
local function pass(from, to, bytes, cut)
  local first, got = 1, {}
  while true do
    if first <= #bytes then first = first + assert(from:write(bytes, first)) end
    local moved = carry(from, to, cut or whole)
    local piece = to:read()
    while piece do
      got[#got + 1] = piece
      piece = to:read()
    end
    if first > #bytes and not moved then return table.concat(got) end
  end
end

describe("TLS in memory", function()
  it("joins two engines, whole and byte by byte", function()
    for _, cut in ipairs { whole, one_byte } do
      local client, server = pair(nil, nil, nil, cut)
      assert.truthy(client)
      assert.equal("EHLO x\r\n", pass(client, server, "EHLO x\r\n", cut))
      assert.equal("250 ok\r\n", pass(server, client, "250 ok\r\n", cut))
      local mine, theirs = client:info(), server:info()
      assert.same({ "TLSv1.3", "TLSv1.3" }, { mine.version, theirs.version })
      assert.same({ true, "smtp", false }, { mine.verified, mine.alpn, mine.resumed })
      assert.same({ false, "smtp", "mx.example" }, { theirs.verified, theirs.alpn, theirs.sni })
      assert.same({ "mx.example" }, mine.certificate.names)
      assert.same({ "127.0.0.1" }, mine.certificate.addresses)
      assert.equal("CN=Root of a test", mine.certificate.issuer)
      assert.matches("^%x+$", mine.certificate.fingerprint)
      assert.equal(64, #mine.certificate.fingerprint)
      assert.is_true(mine.certificate.expires_in > 29 * 86400)
      assert.is_nil(theirs.certificate)
    end
  end)

  it("carries more than a record, a write at a time as far as there is room", function()
    local client, server = pair()
    local bytes = ("0123456789abcdef"):rep(65536)
    assert.is_true(bytes == pass(client, server, bytes))
    local taken = client:write(bytes)
    assert.is_true(taken > 0 and taken < #bytes) -- what waits is bounded
    assert.equal(0, client:write(bytes))
  end)

  it("has the channel bindings of RFC 9266 and RFC 5929, the same on both sides", function()
    local client, server = pair()
    local exporter, endpoint = client:bindings()
    assert.equal(32, #exporter)
    assert.equal(32, #endpoint)
    assert.same({ exporter, endpoint }, { server:bindings() })
    local other = pair()
    assert.not_equal(exporter, (other:bindings()))
    assert.equal(endpoint, (select(2, other:bindings())))
  end)

  it("tells close_notify from a stream that was cut off", function()
    local client, server = pair()
    server:shutdown()
    carry(server, client, whole)
    assert.same({ nil, "the peer has ended the stream", "closed" }, { client:read() })
    assert.same({ nil, "the peer has ended the stream", "closed" }, { client:read() })
    -- RFC 8446 section 6.1: our side may still speak, and then says it too.
    assert.equal(3, client:write("abc"))
    client, server = pair()
    client:eof()
    local bytes, why, word, cause = client:read()
    assert.same({ nil, "closed" }, { bytes, word })
    assert.matches("ended the stream", why)
    assert.is_string(cause)
    assert.equal("closed", select(3, client:write("abc")))
    server:close()
  end)

  it("reads nothing in clear text, neither after close_notify nor in its place", function()
    local client, server = pair()
    client:shutdown()
    carry(client, server, whole)
    server:feed("MAIL FROM:<eve@x.example>\r\n")
    assert.same({ nil, "the peer has ended the stream", "closed" }, { server:read() })
    client, server = pair()
    server:feed("MAIL FROM:<eve@x.example>\r\n")
    assert.is_nil(server:read())
    assert.is_nil(server:read()) -- it sticks
    client:close()
  end)

  it("changes no byte unseen: each flipped bit of a record breaks it", function()
    for at = 1, 60, 7 do
      local client, server = pair()
      assert(client:write("a line that matters"))
      local bytes = client:peek()
      if at > #bytes then break end
      server:feed(bytes:sub(1, at - 1) .. string.char(bytes:byte(at) ~ 1) .. bytes:sub(at + 1))
      local got, why = server:read()
      assert.is_nil(got)
      assert.truthy(why)
      server:close()
    end
  end)

  it("sees that the other side speaks in clear text", function()
    local client = client_context():engine("mx.example")
    client:handshake()
    client:feed("220 mx.example ESMTP\r\n")
    local ok, why, word = client:handshake()
    assert.same({ nil, "TLS handshake: the peer does not speak TLS", "clear" }, { ok, why, word })
    local server = server_context():engine()
    server:feed("EHLO x\r\n")
    ok, why, word = server:handshake()
    assert.is_nil(ok)
    assert.equal("clear", word)
    assert.matches("does not speak TLS", why)
  end)

  it("sends an alert where the stream ends without close_notify", function()
    local client = pair()
    assert.equal("", client:peek())
    client:eof()
    assert.equal("closed", select(3, client:read()))
    assert.is_true(#client:peek() > 0)
  end)

  it("takes for TLS what begins as a record does, and nothing else", function()
    for _, context in ipairs { client_context(), server_context() } do
      for byte = 0, 255 do
        local engine = context:engine("mx.example")
        engine:handshake()
        engine:feed(string.char(byte) .. "\3\3\0\1x")
        local ok, _, word = engine:handshake()
        if byte >= 20 and byte <= 23 then
          assert.not_equal("clear", word)
        else
          assert.same({ nil, "clear", byte }, { ok, word, byte })
        end
      end
    end
  end)

  -- A hello (type 1: of a client, 2: of a server) of TLS 1.1 and nothing newer.
  local function old_hello(kind)
    local rest = kind == 1 and "\0\2\xc0\x13\1\0" or "\xc0\x13\0"
    local body = "\3\2" .. ("r"):rep(32) .. "\0" .. rest
    local message = string.char(kind) .. string.pack(">I3", #body) .. body
    return "\x16\3\2" .. string.pack(">s2", message)
  end

  it("C104 refuses TLS 1.1 on both sides, and 1.2 where 1.3 is asked for", function()
    local server = server_context():engine()
    server:feed(old_hello(1))
    local ok, why = server:handshake()
    assert.is_nil(ok)
    assert.matches("unsupported protocol", why)
    assert.equal("\x15", server:peek():sub(1, 1)) -- it says so by an alert
    local client = client_context():engine("mx.example")
    client:handshake()
    client:feed(old_hello(2))
    ok, why = client:handshake()
    assert.is_nil(ok)
    assert.matches("unsupported protocol", why)
    assert.equal("TLSv1.3", (pair { tls13 = true }):info().version)
  end)

  it("resumes a session", function()
    local servers, clients = server_context(), client_context()
    local first, server = clients:engine("mx.example"), servers:engine()
    assert(join(first, server))
    assert.equal("x", pass(server, first, "x")) -- the ticket comes with it
    local session = first:session()
    assert.truthy(session)
    local second
    second, server = clients:engine("mx.example", session), servers:engine()
    assert(join(second, server))
    assert.is_true(second:info().resumed)
    assert.is_true(server:info().resumed)
    assert.is_true(second:info().verified)
    -- Another context of the server knows nothing of it.
    second, server = clients:engine("mx.example", session), server_context():engine()
    assert(join(second, server))
    assert.is_false(second:info().resumed)
    second = clients:engine("mx.example", "junk")
    assert(join(second, servers:engine()))
  end)
end)

describe("the name that a client wants", function()
  local other = assert(ca:issue { names = { "other.example" } })

  it("is asked for before the handshake goes on, and chooses the certificate", function()
    local context = server_context { cert = other.cert, key = other.key }
    for _, name in ipairs { "other.example", "mx.example" } do
      local server = server_context({ name = true }):engine()
      local client = client_context():engine(name)
      local asked
      assert(join(client, server, one_byte, function(wanted)
        asked = wanted
        return wanted == "other.example" and context or nil
      end))
      assert.equal(name, asked)
      assert.same({ name }, client:info().certificate.names)
    end
  end)

  it("has up to 255 bytes", function()
    local longest = ("x"):rep(255)
    local server = server_context({ name = true }):engine()
    local client = assert(core.tls_context {}):engine(longest)
    local asked
    assert(join(client, server, one_byte, function(wanted) asked = wanted end))
    assert.equal(longest, asked)
    assert.error_matches(function() client_context():engine(longest .. "x") end,
      "no engine for this name")
  end)

  it("may be refused", function()
    local server = server_context({ name = true }):engine()
    local client = client_context():engine("nobody.example")
    local ok, why = join(client, server, whole, function() return false end)
    assert.is_nil(ok)
    assert.matches("unrecognized name", why)
  end)

  it("is not asked for where there is none, as for an address", function()
    local server = server_context({ name = true }):engine()
    local client = client_context():engine("127.0.0.1")
    assert(join(client, server, whole, function() error("asked") end))
    assert.is_nil(server:info().sni)
    assert.is_true(client:info().verified)
  end)
end)

describe("verification", function()
  local function verify(made, name, options)
    local server = server_context { cert = made.cert, key = made.key }
    local client = client_context(options):engine(name)
    local ok, why = join(client, server:engine())
    return ok, why, client
  end

  local function refused(made, name, pattern)
    local ok, why = verify(made, name)
    assert.is_nil(ok, name)
    assert.matches(pattern, why)
    -- A client that does not verify gets the result all the same.
    local client
    ok, why, client = verify(made, name, { verify = false })
    assert.is_true(ok, why)
    assert.is_false(client:info().verified)
    assert.matches(pattern, client:info().distrust)
  end

  it("refuses a wrong name, a common name alone, and partial wildcards", function()
    refused(ca:issue { names = { "other.example" } }, "mx.example", "hostname mismatch")
    refused(ca:issue { common_name = "mx.example", names = { "other.example" } }, "mx.example",
      "hostname mismatch")
    refused(ca:issue { common_name = "mx.example" }, "mx.example", "hostname mismatch")
    for _, name in ipairs { "m*.example", "*x.example", "mx.*", "*", "*.example.", "**.example" } do
      refused(ca:issue { names = { name } }, "mx.example", "hostname mismatch")
    end
    refused(ca:issue { names = { "*.example.org" } }, "a.b.example.org", "hostname mismatch")
    refused(ca:issue { names = { "*.example.org" } }, "example.org", "hostname mismatch")
    refused(ca:issue { names = { "mx.example\0.evil.example" } }, "mx.example", ".")
    refused(ca:issue { names = { "mx.example" } }, "127.0.0.1", "IP address mismatch")
    refused(ca:issue { names = { "127.0.0.1" } }, "127.0.0.1", "IP address mismatch")
    refused(ca:issue { names = { "bücher.example" } }, "xn--bcher-kva.example", ".")
  end)

  it("takes a name, a wildcard for one label, an address, A-labels", function()
    for names, name in pairs {
      [{ "a.example", "mx.example" }] = "mx.example", [{ "MX.Example" }] = "mx.example",
      [{ "*.example.org" }] = "mx.example.org",
      [{ "xn--bcher-kva.example" }] = "xn--bcher-kva.example",
    } do
      local ok, why = verify(ca:issue { names = names }, name)
      assert.is_true(ok, why)
    end
    for _, address in ipairs { "127.0.0.1", "::1" } do
      local ok, why = verify(ca:issue { addresses = { address } }, address)
      assert.is_true(ok, why)
    end
  end)

  it("refuses what has expired, is not valid yet, is self-signed or of an unknown CA", function()
    refused(ca:issue { names = { "mx.example" }, not_after = -60 }, "mx.example", "expired")
    refused(ca:issue { names = { "mx.example" }, not_before = 3600 }, "mx.example",
      "not yet valid")
    refused(authority.self_signed { names = { "mx.example" } }, "mx.example", "self%-signed")
    refused(authority.new():issue { names = { "mx.example" } }, "mx.example",
      "unable to get local issuer")
    refused(ca:issue { names = { "mx.example" }, purpose = "client" }, "mx.example",
      "unsuitable certificate purpose")
  end)

  it("needs the whole chain", function()
    local below = assert(ca:intermediate())
    local made = below:issue { names = { "mx.example" } }
    assert.is_true((verify(made, "mx.example")))
    local alone = { cert = made.cert:match("^.-%-%-%-%-%-END CERTIFICATE%-%-%-%-%-\n"),
      key = made.key }
    refused(alone, "mx.example", "unable to")
  end)

  it("of a client's certificate is for the server to judge", function()
    local mine = ca:issue { names = { "ada.example" }, emails = { "ada@code.energy" } }
    local stranger = authority.new():issue { names = { "eve.example" } }
    for client_kind, made in pairs { optional = mine, required = mine } do
      local client, server = pair({ ca = ca.certificate, client = client_kind },
        { cert = made.cert, key = made.key })
      assert.truthy(client)
      pass(client, server, "x")
      local certificate = server:info().certificate
      assert.is_true(certificate.verified)
      assert.same({ "ada@code.energy" }, certificate.emails)
    end
    local client, server = pair({ ca = ca.certificate, client = "optional" },
      { cert = stranger.cert, key = stranger.key })
    assert.truthy(client)
    pass(client, server, "x")
    assert.is_false(server:info().certificate.verified)
    client, server = pair { ca = ca.certificate, client = "optional" }
    assert.truthy(client)
    pass(client, server, "x")
    assert.is_nil(server:info().certificate)
    for _, options in ipairs { {}, { cert = stranger.cert, key = stranger.key } } do
      local _, _, _, why = pair({ ca = ca.certificate, client = "required" }, options)
      assert.truthy(why)
    end
  end)
end)

describe("contexts", function()
  it("tell what cannot be read, by its name", function()
    local function fails(options, ...)
      local context, why = core.tls_context(options)
      assert.is_nil(context)
      for _, pattern in ipairs { ... } do assert.matches(pattern, why) end
    end
    fails({ server = true, cert = "/nowhere/cert.pem" }, "/nowhere/cert.pem", "[Nn]o such file")
    fails({ server = true, cert = identity.cert }, "private key", "no private key")
    fails({ server = true, cert = identity.key }, "certificate", "no certificate")
    fails({ ca = identity.key }, "trusted certificates", "no certificate")
    fails({ server = true, cert = identity.cert, key = ca.key }, "private key", "mismatch")
    fails({ server = true, cert = "-----BEGIN junk", key = ca.key }, "the certificate", ".")
    fails({ ca = "/nowhere/ca.pem" }, "/nowhere/ca.pem", "[Nn]o such file")
    fails({ ca = "-----BEGIN junk" }, "trusted certificates", ".")
    fails({ ca = "-----BEGIN" }, "trusted certificates")
    fails({ ca = " -----BEGIN" }, "trusted certificates")
    fails({ ca = "-----BEGI" }, "%-%-%-%-%-BEGI: [Nn]o such file")
    fails({ server = true, cert = "a\0b" }, "certificate")
    assert.error_matches(function() core.tls_context { server = true } end, "needs a certificate")
    assert.error_matches(function() core.tls_context { crt = "x" } end, "crt")
  end)

  it("take certificate and key in one text, and a folder to trust", function()
    local context = core.tls_context { server = true, cert = identity.key .. identity.cert }
    assert.truthy(context)
    assert.truthy(core.tls_context { ca = "/tmp" })
  end)

  it("and engines that are closed raise, and closing twice is nothing", function()
    local context = client_context()
    local engine = context:engine("mx.example")
    context:close()
    context:close()
    assert.error_matches(function() context:engine("x") end, "closed")
    engine:handshake() -- it keeps what it needs
    engine:close()
    engine:close()
    assert.error_matches(function() engine:handshake() end, "closed")
    assert.error_matches(function() client_context():engine("a\0b") end, "no engine for this name")
  end)
end)
