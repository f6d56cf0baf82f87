-- SPDX-License-Identifier: MIT
-- curl against our server with TLS and AUTH.
local inbox = require "spec.support.inbox"
local net = require "spec.support.net"
local process = require "spec.support.process"
local secure = require "spec.support.secure"

local missing = process.missing("curl")

-- Exit codes of curl.
local LOGIN_DENIED, CERTIFICATE, CONNECT, SSL_FAILED, WEIRD_REPLY = 67, 60, 35, 64, 8

local CONTENT = "Subject: hi\r\n\r\nby curl\r\n"

describe("curl as a client of the server with TLS", function()
  if missing then
    pending(missing)
    return
  end

  local _, version = process.run { "curl", "--version" }
  local mechanisms = { "PLAIN", "LOGIN", "CRAM-MD5" }
  if version:find("[Gg][Ss][Aa][Ss][Ll]") then
    table.insert(mechanisms, "SCRAM-SHA-1")
    table.insert(mechanisms, "SCRAM-SHA-256")
  else
    pending("this curl has no SCRAM: it was built without GNU SASL")
  end

  local function curl(place, implicit, ...)
    local file = place.folder .. "/mail"
    net.dump(file, CONTENT)
    local port = implicit and place.implicit or place.port
    return process.run { "curl", "--silent", "--show-error", "--verbose", "--noproxy", "*",
      ("%s://localhost:%d/client.example.org"):format(implicit and "smtps" or "smtp", port),
      "--cacert", place.ca, "--mail-from", "ada@example.org", "--mail-rcpt", "bob@example.com",
      "--upload-file", file, "--ssl-reqd", ... }
  end

  local function arrived(place, user)
    local mail = place.mails[1]
    assert.equal(1, #place.mails)
    assert.equal(CONTENT, mail.content)
    assert.equal(user, mail.user)
    assert.truthy(mail.received:find(user and " with ESMTPSA id " or " with ESMTPS id ", 1, true))
    assert.truthy(mail.tls.version:find("^TLSv1%.[23]$"))
  end

  local USER = "ada:" .. secure.PASSWORD

  for name, implicit in pairs { ["STARTTLS"] = false, ["TLS at once"] = true } do
    it("sends by " .. name, function()
      local place <close> = secure.open()
      local status, _, err = curl(place, implicit)
      assert.equal(0, status, err)
      arrived(place, nil)
      assert.equal("localhost", place.mails[1].tls.sni)
    end)

    for _, mechanism in ipairs(mechanisms) do
      it(("sends by %s and %s"):format(name, mechanism), function()
        local place <close> = secure.open()
        local status, _, err = curl(place, implicit, "--user", USER,
          "--login-options", "AUTH=" .. mechanism)
        assert.equal(0, status, err)
        arrived(place, "ada")
        assert.equal(mechanism, place.tried[1].mechanism)
      end)

      it(("is refused by %s and %s with a wrong password"):format(name, mechanism), function()
        local place <close> = secure.open()
        local status, _, err = curl(place, implicit, "--user", "ada:open barley",
          "--login-options", "AUTH=" .. mechanism)
        assert.equal(LOGIN_DENIED, status, err)
        assert.truthy(err:find("\n< 535 5.7.8 ", 1, true), err)
        assert.equal(0, #place.mails)
      end)
    end

    -- With a token it heeds no --login-options, so that the server decides.
    for _, mechanism in ipairs { "XOAUTH2", "OAUTHBEARER" } do
      it(("sends by %s and %s"):format(name, mechanism), function()
        local place <close> = secure.open { auth = { mechanisms = { mechanism } } }
        local status, _, err = curl(place, implicit, "--user", "ada:",
          "--oauth2-bearer", secure.TOKEN)
        assert.equal(0, status, err)
        arrived(place, "ada")
        local seen = place.tried[1]
        assert.same({ mechanism, secure.TOKEN }, { seen.mechanism, seen.token })
      end)

      it(("has a token refused by %s and %s, and no more is said"):format(name, mechanism),
        function()
          local place <close> = secure.open { auth = { mechanisms = { mechanism } } }
          local status, _, err = curl(place, implicit, "--user", "ada:",
            "--oauth2-bearer", "expired")
          assert.equal(LOGIN_DENIED, status, err)
          -- The reason comes as a challenge (RFC 7628 section 3.2.3). curl does not answer the
          -- challenge of XOAUTH2.
          local said = err:gsub("\n[{}][^\n]*", "")
          local ends = mechanism == "OAUTHBEARER" and "> AQ==\r?\n< 535 5%.7%.8 " or "%* Clos"
          assert.truthy(said:find("\n< 334 [%w+/=]+\r?\n" .. ends), said)
          assert.equal(0, #place.mails)
        end)
    end

    it("does not trust a server of a stranger, by " .. name, function()
      local place <close> = secure.open()
      place.ca = place.stranger
      local status, _, err = curl(place, implicit, "--user", USER)
      assert.equal(CERTIFICATE, status, err)
      assert.equal(0, #place.tried)
    end)

    for _, tls in ipairs { "1.2", "1.3" } do
      it(("sends by %s of version %s"):format(name, tls), function()
        local place <close> = secure.open()
        local status, _, err = curl(place, implicit, "--tlsv" .. tls, "--tls-max", tls)
        assert.equal(0, status, err)
        arrived(place, nil)
        assert.equal("TLSv" .. tls, place.mails[1].tls.version)
      end)
    end

    it("is turned away by TLS 1.2 where 1.3 is the least, by " .. name, function()
      local place <close> = secure.open { tls = { min_version = "1.3" } }
      local status, _, err = curl(place, implicit, "--tls-max", "1.2")
      assert.equal(CONNECT, status, err)
      assert.equal(0, curl(place, implicit))
    end)

    it("shows its certificate, and is let in by EXTERNAL, by " .. name, function()
      local place <close> = secure.open { tls = { client = "required" } }
      local own = place:issue("client", { emails = { "ada@example.com" } })
      local status, _, err = curl(place, implicit, "--cert", own.cert, "--key", own.key,
        "--user", "ada@example.com:", "--login-options", "AUTH=EXTERNAL")
      assert.equal(0, status, err)
      arrived(place, "ada@example.com")
      local certificate = place.mails[1].tls.certificate
      assert.is_true(certificate.verified)
      assert.same({ "ada@example.com" }, certificate.emails)
    end)

    it("is turned away without a certificate where one is required, by " .. name, function()
      local place <close> = secure.open { tls = { client = "required" } }
      local status, _, err = curl(place, implicit)
      assert.is_true(status ~= 0, err)
      assert.equal(0, #place.mails)
    end)
  end

  it("gives up without STARTTLS", function()
    local place <close> = secure.open()
    local server <close> = inbox.open()
    place.port = server.port
    local status, _, err = curl(place, false)
    assert.equal(SSL_FAILED, status, err)
  end)

  it("is told that TLS comes first if it is required", function()
    local place <close> = secure.open { tls = { required = true } }
    local status, _, err = process.run { "curl", "--silent", "--show-error", "--verbose",
      "--noproxy", "*", "smtp://localhost:" .. place.port, "--mail-rcpt", "bob" }
    assert.equal(WEIRD_REPLY, status, err)
    assert.truthy(err:find("\n< 530 5.7.0 ", 1, true), err)
  end)
end)
