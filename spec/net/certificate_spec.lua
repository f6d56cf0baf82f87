-- SPDX-License-Identifier: MIT
-- Certificates that are made in process, as the openssl command sees them.
local authority = require "smtp.authority"
local core = require "smtp.core"
local errors = require "smtp.error"
local leaves = require "spec.support.held"
local net = require "spec.support.net"
local process = require "spec.support.process"

local missing = process.missing("openssl")

-- The bytes of each certificate of a PEM.
local function der(pem)
  local list = {}
  for body in pem:gmatch("%-%-BEGIN CERTIFICATE%-%-%-%-%-\n(.-)%-%-%-%-%-END") do
    list[#list + 1] = core.unbase64((body:gsub("%s", "")))
  end
  return list
end

describe("core.certificate", function()
  it("makes a new key and a new serial each time", function()
    local one, one_key = core.certificate {}
    local two, two_key = core.certificate {}
    assert.are_not.equal(one_key, two_key)
    assert.are_not.equal(one, two)
    assert.truthy(one_key:find("^%-%-%-%-%-BEGIN PRIVATE KEY%-%-%-%-%-\n"))
    assert.are.equal(1, #der(one))
  end)

  it("writes any bytes as a name", function()
    local names = { "a\0b", "", "x,DNS:y", "\xff", ("n"):rep(300) }
    local bytes = der(assert(core.certificate { names = names }))[1]
    assert.truthy(bytes:find("\x82\x03a\0b\x82\0\x82\7x,DNS:y\x82\1\xff\x82\x82\x01\x2cnn",
      1, true))
  end)

  it("tells what no certificate can hold", function()
    local ca, key = core.certificate { ca = true, common_name = "CA" }
    local _, other = core.certificate {}
    for _, case in ipairs {
      { { issuer = ca }, "an issuer is" },
      { { issuer_key = key }, "an issuer is" },
      { { issuer = "", issuer_key = key }, "no certificate in PEM" },
      { { issuer = ca:sub(1, -40), issuer_key = key }, "no certificate in PEM" },
      { { issuer = ca, issuer_key = ca }, "no key in PEM" },
      { { issuer = ca, issuer_key = other }, "not that of its certificate" },
      { { addresses = { "127.1" } }, "an address" },
      { { addresses = { "::1%lo" } }, "an address" },
      { { addresses = { "::1\0" } }, "an address" },
      { { addresses = { "" } }, "an address" },
      { { common_name = "" }, "a common name" },
      { { common_name = ("x"):rep(65) }, "a common name" },
      { { common_name = "\xff" }, "a common name" },
      { { not_before = 1, not_after = 0 }, "not_after is before" },
      { { not_after = 36526 * 86400 }, "a hundred years" },
      { { not_before = math.mininteger }, "a hundred years" },
      { { names = { ("n"):rep(800000) } }, "too long" },
    } do
      local pem, why, name = core.certificate(case[1])
      assert.is_nil(pem)
      assert.truthy(why:find(case[2], 1, true), why)
      assert.are.equal(case[2] == "too long" and "ECRYPTO" or "EINVALID", name)
    end
    assert.truthy(core.certificate { common_name = ("ü"):rep(64) })
  end)

  it("leaves nothing, whether it is made or not", function()
    local ca = assert(authority.new())
    local bytes = leaves(function()
      assert(ca:issue { common_name = "x", names = { "mx.example" }, addresses = { "127.0.0.1" },
        emails = { "ada@code.energy" }, purpose = "both" })
      assert.is_nil(core.certificate { names = { "x" }, not_after = 36526 * 86400 })
    end)
    assert.is_true(not bytes or bytes < 16, bytes)
  end)

  it("raises for what is no option", function()
    for _, case in ipairs { { false, "table expected" },
      { { name = "x" }, "unknown option 'name'" },
      { { names = "x" }, "'names' must be a list of strings" },
      { { names = { 1 } }, "'names' must be a list of strings" },
      { { ca = 1 }, "'ca' must be a boolean" }, { { purpose = "mail" }, "'purpose' must be" },
      { { not_after = 1.5 }, "'not_after' must be an integer" },
      { { issuer = 1 }, "'issuer' must be a string" } } do
      assert.error_matches(function() core.certificate(case[1]) end, case[2])
    end
  end)
end)

describe("smtp.authority", function()
  it("gives errors of the library, and raises for misuse", function()
    local ca, err = authority.new { name = "" }
    assert.is_nil(ca)
    assert.is_true(errors.is(err))
    assert.are.equal("invalid", err.kind)
    local message = select(2, pcall(authority.new, { names = {} }))
    assert.truthy(message:find("authority.new: unknown option", 1, true))
    ca = assert(authority.new())
    assert.are.equal("invalid", select(2, ca:issue { addresses = { "x" } }).kind)
    assert.are.equal("invalid", select(2, ca:intermediate { name = "" }).kind)
    assert.are.equal("invalid", select(2, authority.self_signed { common_name = "" }).kind)
    assert.error_matches(function() ca:issue { ca = true } end, 'unknown option "ca"')
    local own <const> = { names = { "x" } }
    ca:issue(own)
    assert.are.same({ names = { "x" } }, own)
  end)

  it("puts the certificates of intermediates behind what they issue", function()
    local root = assert(authority.new())
    local one = assert(root:intermediate())
    local two = assert(one:intermediate { name = "Two" })
    assert.are.equal("", root.chain)
    assert.are.equal(one.certificate, one.chain)
    assert.are.equal(two.certificate .. one.certificate, two.chain)
    assert.are.same({ 1, 2, 3 }, { #der(root:issue().cert), #der(one:issue().cert),
      #der(two:issue().cert) })
  end)

  it("makes an authority and a certificate in no time", function()
    local least = math.huge -- of several, as the machine may be busy
    for _ = 1, 5 do
      local start = os.clock()
      assert(assert(authority.new()):issue())
      least = math.min(least, os.clock() - start)
    end
    assert.truthy(least < 0.2, least)
  end)
end)

describe("the openssl command", function()
  if missing then
    pending(missing)
    return
  end

  local folder
  local ca = assert(authority.new { name = "Authority of the specs" })

  before_each(function() folder = net.folder() end)
  after_each(function() net.remove(folder) end)

  local function file(name, text)
    local path = folder .. "/" .. name
    net.dump(path, text)
    return path
  end

  -- Whether it verifies, and what was said.
  local function verify(cert, ...)
    local words = table.pack(...)
    words[#words + 1] = file("leaf", cert)
    local status, out, err = process.run { "openssl", "verify", "-x509_strict", "-no-CApath",
      "-no-CAstore", "-CAfile", file("ca", ca.certificate), "-untrusted", file("chain", cert),
      table.unpack(words) }
    return status == 0, out .. err
  end

  local function refused(why, cert, ...)
    local well, said = verify(cert, ...)
    assert.is_false(well)
    assert.truthy(said:find(why, 1, true), said)
  end

  local function text(pem)
    local status, out, err = process.run { "openssl", "x509", "-in", file("x", pem), "-noout",
      "-text" }
    assert.are.equal(0, status, err)
    return out
  end

  it("verifies a chain, for its names and addresses", function()
    local made = assert(ca:issue())
    for _, words in ipairs { {}, { "-verify_hostname", "localhost" },
      { "-verify_ip", "127.0.0.1" }, { "-verify_ip", "::1" }, { "-purpose", "sslserver" },
      { "-purpose", "sslclient" } } do
      local well, said = verify(made.cert, table.unpack(words))
      assert.is_true(well, said)
    end
    refused("hostname mismatch", made.cert, "-verify_hostname", "example.com")
    refused("IP address mismatch", made.cert, "-verify_ip", "127.0.0.2")
  end)

  it("verifies over intermediates", function()
    local below = assert(assert(ca:intermediate()):intermediate { name = "Below" })
    local well, said = verify(below:issue().cert, "-verify_hostname", "localhost")
    assert.is_true(well, said)
    refused("unable to get local issuer", below:issue().cert:match("^.-END CERTIFICATE%-+\n"))
  end)

  it("trusts nobody else", function()
    refused("self-signed certificate", assert(authority.self_signed()).cert)
    local other = assert(authority.new { name = "Authority of the specs" })
    local well = verify(assert(other:issue()).cert)
    assert.is_false(well)
  end)

  it("sees what has expired and what is not valid yet", function()
    refused("certificate has expired",
      assert(ca:issue { not_before = -7200, not_after = -3600 }).cert)
    refused("certificate is not yet valid", assert(ca:issue { not_before = 3600 }).cert)
    assert.is_true((verify(assert(ca:issue { not_before = 0, not_after = 600 }).cert)))
    local old = assert(ca:intermediate { not_before = -7200, not_after = -3600 })
    refused("certificate has expired", assert(old:issue()).cert)
    for _, days in ipairs { -36524, 36524 } do
      local far = days * 86400
      assert.truthy(text(assert(ca:issue { not_before = far, not_after = far }).cert))
    end
  end)

  it("keeps a purpose", function()
    local server = assert(ca:issue { purpose = "server" })
    local client = assert(ca:issue { purpose = "client", emails = { "ada@example.com" } })
    assert.is_true((verify(server.cert, "-purpose", "sslserver")))
    assert.is_true((verify(client.cert, "-purpose", "sslclient")))
    assert.is_true((verify(client.cert, "-verify_email", "ada@example.com")))
    refused("unsuitable certificate purpose", server.cert, "-purpose", "sslclient")
    refused("unsuitable certificate purpose", client.cert, "-purpose", "sslserver")
  end)

  it("finds a wildcard, and no name in a certificate for nobody", function()
    local any = assert(ca:issue { names = { "*.example.com" } })
    assert.is_true((verify(any.cert, "-verify_hostname", "mx.example.com")))
    refused("hostname mismatch", any.cert, "-verify_hostname", "a.mx.example.com")
    local nobody = assert(ca:issue { names = {} })
    refused("hostname mismatch", nobody.cert, "-verify_hostname", "localhost")
    assert.is_nil(text(nobody.cert):find("Subject Alternative Name", 1, true))
  end)

  it("does not take a name with NUL inside for its beginning", function()
    local bad = assert(ca:issue { names = { "mx.example.com\0.example.org" } })
    assert.truthy(der(bad.cert)[1]:find("mx.example.com\0.example.org", 1, true))
    assert.is_false((verify(bad.cert, "-verify_hostname", "mx.example.com")))
  end)

  it("shows the fields", function()
    local made = assert(ca:issue { common_name = "Ädä", names = { "a.example" } })
    local shown = text(made.cert)
    for _, line in ipairs { "Version: 3 (0x2)", "Issuer: CN = Authority of the specs",
      "Subject: CN = \\C3\\84d\\C3\\A4", "prime256v1", "ecdsa-with-SHA256", "DNS:a.example",
      "CA:FALSE", "Digital Signature", "X509v3 Subject Key Identifier",
      "TLS Web Server Authentication, TLS Web Client Authentication" } do
      assert.truthy(shown:find(line, 1, true), line .. "\n" .. shown)
    end
    local id = text(ca.certificate):match("Subject Key Identifier: \n%s*([%x:]+)")
    assert.are.equal(id, shown:match("Authority Key Identifier: \n%s*([%x:]+)"))
    assert.are_not.equal(id, shown:match("Subject Key Identifier: \n%s*([%x:]+)"))
    assert.truthy(text(assert(ca:issue()).cert):find(
      "Subject Alternative Name: critical\n%s*DNS:localhost, IP Address:127.0.0.1, " ..
      "IP Address:0:0:0:0:0:0:0:1\n"))
    local root = text(ca.certificate)
    assert.truthy(root:find("CA:TRUE", 1, true))
    assert.truthy(root:find("Certificate Sign, CRL Sign", 1, true))
  end)

  it("reads the key", function()
    local made = assert(ca:issue())
    local status, public = process.run { "openssl", "pkey", "-in", file("key", made.key),
      "-pubout" }
    local _, same = process.run { "openssl", "x509", "-in", file("x", made.cert), "-noout",
      "-pubkey" }
    assert.are.equal(0, status)
    assert.are.equal(same, public)
  end)
end)
