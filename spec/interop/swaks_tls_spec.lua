-- SPDX-License-Identifier: MIT
-- swaks against our server with TLS and AUTH.
local process = require "spec.support.process"
local secure = require "spec.support.secure"

local missing = process.missing("swaks", "openssl")

-- Exit codes of swaks, and what it needs for TLS.
local AUTH_FAILED, TLS_FAILED = 28, 29
local TLS_MODULE = "Net::SSLeay"

describe("swaks as a client of the server with TLS", function()
  if missing then
    pending(missing)
    return
  end
  local _, support, more = process.run { "swaks", "--support" }
  support = support .. more
  if not support:find("TLS supported", 1, true) then
    pending("this swaks has no TLS: " .. TLS_MODULE .. " is not here (`make interop` installs it)")
    return
  end

  local function swaks(place, how, ...)
    return process.run { "swaks", "--server", "127.0.0.1", "--port",
      how == "-tlsc" and place.implicit or place.port, how, "--helo", "client.example.org",
      "--from", "ada@example.org", "--to", "bob@example.com", "--tls-verify", "--tls-ca-path",
      place.ca, ... }
  end

  local function auth(mechanism, user, password)
    return "--auth", mechanism, "--auth-user", user, "--auth-password", password
  end

  -- The log of swaks marks what goes over TLS by "~".
  for _, how in ipairs { "-tls", "-tlsc" } do
    it("sends by " .. how, function()
      local place <close> = secure.open()
      local status, out, err = swaks(place, how, "--tls-sni", "mx.example.com")
      assert.equal(0, status, out .. err)
      assert.truthy(out:find("\n~> MAIL FROM:", 1, true) or out:find("\n ~> MAIL FROM:", 1, true))
      local mail = place.mails[1]
      assert.same({ "mx.example.com", false }, { mail.tls.sni, mail.tls.verified })
      assert.is_nil(mail.tls.certificate)
      assert.truthy(mail.received:find(" with ESMTPS id ", 1, true))
    end)

    for _, mechanism in ipairs { "PLAIN", "LOGIN", "CRAM-MD5" } do
      local there = mechanism ~= "CRAM-MD5" or support:find("CRAM%-MD5 supported")
      local try = there and it or pending

      try(("sends by %s and %s"):format(how, mechanism), function()
        local place <close> = secure.open()
        local status, out, err = swaks(place, how, auth(mechanism, "ada", secure.PASSWORD))
        assert.equal(0, status, out .. err)
        assert.equal(mechanism, place.tried[1].mechanism)
        assert.equal("ada", place.mails[1].user)
        assert.truthy(place.mails[1].received:find(" with ESMTPSA id ", 1, true))
      end)

      try(("is refused by %s and %s with a wrong password"):format(how, mechanism), function()
        local place <close> = secure.open()
        local status, out, err = swaks(place, how, auth(mechanism, "ada", "open barley"))
        assert.equal(AUTH_FAILED, status, out .. err)
        assert.truthy(out:find("* 535 5.7.8 ", 1, true), out)
        assert.equal(0, #place.mails)
      end)
    end

    it("shows its certificate, by " .. how, function()
      local place <close> = secure.open { tls = { client = "optional" } }
      local own = place:issue("client", { common_name = "ada", emails = { "ada@example.com" } })
      local status, out, err = swaks(place, how, "--tls-cert", own.cert, "--tls-key", own.key)
      assert.equal(0, status, out .. err)
      local tls = place.mails[1].tls
      assert.is_true(tls.verified)
      assert.same({ "CN=ada", "ada@example.com", true }, { tls.certificate.subject,
        tls.certificate.emails[1], tls.certificate.verified })
      local _, issuer = process.run { "openssl", "x509", "-in", own.cert, "-noout", "-issuer",
        "-nameopt", "RFC2253" }
      assert.equal("issuer=" .. tls.certificate.issuer .. "\n", issuer)
      local _, printed = process.run { "openssl", "x509", "-in", own.cert, "-noout",
        "-fingerprint", "-sha256" }
      assert.equal(printed:match("=(%S+)"):gsub(":", ""):lower(),
        (tls.certificate.fingerprint:gsub(":", ""):lower()))
    end)

    it("is turned away without a certificate where one is required, by " .. how, function()
      local place <close> = secure.open { tls = { client = "required" } }
      local status, out, err = swaks(place, how)
      assert.is_true(status ~= 0, out .. err)
      assert.equal(0, #place.mails)
    end)

    it("does not trust a server of a stranger, by " .. how, function()
      local place <close> = secure.open()
      place.ca = place.stranger
      local status, out, err = swaks(place, how, auth("PLAIN", "ada", secure.PASSWORD))
      assert.equal(TLS_FAILED, status, out .. err)
      assert.equal(0, #place.tried)
    end)

    for _, version in ipairs { "tlsv1_2", "tlsv1_3" } do
      it(("sends by %s of %s only"):format(how, version), function()
        local place <close> = secure.open()
        local status, out, err = swaks(place, how, "--tls-protocol", version)
        assert.equal(0, status, out .. err)
        assert.equal("TLSv" .. version:sub(-3):gsub("_", "."), place.mails[1].tls.version)
      end)
    end

    it("is turned away with TLS 1.1, by " .. how, function()
      local place <close> = secure.open()
      local status, out, err = swaks(place, how, "--tls-protocol", "tlsv1_1", "--tls-cipher",
        "ALL:@SECLEVEL=0")
      assert.equal(TLS_FAILED, status, out .. err)
    end)
  end

  it("is told that AUTH and mail need TLS", function()
    local place <close> = secure.open { tls = { required = true } }
    local status, out = process.run { "swaks", "--server", "127.0.0.1", "--port", place.port,
      "--from", "ada@example.org", "--to", "bob@example.com" }
    assert.equal(23, status, out)
    assert.truthy(out:find("530 5.7.0 ", 1, true), out)
    status, out = process.run { "swaks", "--server", "127.0.0.1", "--port", place.port,
      "--from", "ada@example.org", "--to", "bob@example.com",
      auth("PLAIN", "ada", secure.PASSWORD) }
    assert.equal(AUTH_FAILED, status, out)
    assert.equal(0, #place.tried)
  end)

  it("needs AUTH if it is required", function()
    local place <close> = secure.open { auth = { mechanisms = { "PLAIN" }, required = true } }
    local status, out = swaks(place, "-tls")
    assert.equal(23, status, out)
    assert.truthy(out:find("530 5.7.0 ", 1, true), out)
    assert.equal(0, swaks(place, "-tls", auth("PLAIN", "ada", secure.PASSWORD)))
  end)
end)
