-- SPDX-License-Identifier: MIT
-- The client of the openssl command against our server: what it finds of TLS.
local authority = require "smtp.authority"
local net = require "spec.support.net"
local process = require "spec.support.process"
local secure = require "spec.support.secure"

local missing = process.missing("openssl")

-- Versions that OpenSSL itself refuses, unless it is told to be careless.
local CARELESS = { "-cipher", "ALL:@SECLEVEL=0" }

describe("openssl s_client at the server", function()
  if missing then
    pending(missing)
    return
  end

  -- The server's facts about TLS, one for each connection, are added to `seen`.
  local function open(tls)
    local seen = {}
    local place = secure.open { tls = tls, on_event = function(event)
      if event.type == "tls" then seen[#seen + 1] = event.tls end
    end }
    return place, seen
  end

  -- One that has sent nothing ends when the server does; `-ign_eof` also keeps letters
  -- from being commands.
  local function client(place, how, ...)
    local words = { "openssl", "s_client", "-CAfile", place.ca, "-verify_return_error",
      "-connect", "127.0.0.1:" .. (how == "STARTTLS" and place.port or place.implicit), ... }
    if how == "STARTTLS" then
      table.move({ "-starttls", "smtp", "-name", "client.example.org" }, 1, 4, #words + 1, words)
    end
    local one <close> = process.start(words, { input = "quit\r\n" })
    local status, out, err = one:wait()
    return status, out .. err
  end

  local function talk(place, how, ...)
    return client(place, how, "-ign_eof", ...)
  end

  for _, how in ipairs { "STARTTLS", "TLS at once" } do
    for _, version in ipairs { "1.2", "1.3" } do
      local option = "-tls" .. version:gsub("%.", "_")

      it(("speaks TLS %s by %s"):format(version, how), function()
        local place <close>, seen = open()
        local status, out = talk(place, how, option, "-verify_hostname", "mx.example.com",
          "-servername", "mx.example.com")
        assert.equal(0, status, out)
        assert.truthy(out:find("New, TLSv" .. version .. ", Cipher is ", 1, true), out)
        assert.truthy(out:find("Verified peername: mx.example.com", 1, true), out)
        assert.truthy(out:find("Verification: OK", 1, true), out)
        assert.truthy(out:find("Compression: NONE", 1, true), out)
        -- It does not wait for the greeting.
        assert.truthy(out:find("\n221 2.0.0 ", 1, true) or
          how ~= "STARTTLS" and out:find("\n554 5.5.0 ", 1, true), out)
        assert.same({ "TLSv" .. version, "mx.example.com", false },
          { seen[1].version, seen[1].sni, seen[1].resumed })
        assert.truthy(out:find("Cipher is " .. seen[1].cipher, 1, true))
      end)

      it(("resumes a session of TLS %s by %s"):format(version, how), function()
        local place <close>, seen = open()
        local file = place.folder .. "/session"
        local status, out = talk(place, how, option, "-sess_out", file)
        assert.equal(0, status, out)
        for i = 2, 3 do
          status, out = talk(place, how, option, "-sess_in", file, "-sess_out", file)
          assert.equal(0, status, out)
          assert.truthy(out:find("Reused, TLSv" .. version, 1, true), out)
          assert.is_true(seen[i].resumed)
        end
      end)

      it(("still knows the client of a session of TLS %s by %s"):format(version, how), function()
        local place <close>, seen = open { client = "required" }
        local own = place:issue("client", { emails = { "ada@example.com" } })
        local file = place.folder .. "/session"
        for i, option_of_session in ipairs { "-sess_out", "-sess_in" } do
          local status, out = talk(place, how, option, option_of_session, file,
            "-cert", own.cert, "-key", own.key)
          assert.equal(0, status, out)
          assert.same({ i == 2, true, "ada@example.com" },
            { seen[i].resumed, seen[i].verified, seen[i].certificate.emails[1] })
        end
      end)

      it(("picks a certificate by name, with TLS %s by %s"):format(version, how), function()
        local place <close> = open { sni = {
          ["other.example.com"] = secure.authority:issue { names = { "other.example.com" } },
          ["*.wild.example"] = secure.authority:issue { names = { "*.wild.example" } },
        } }
        for _, name in ipairs { "other.example.com", "OTHER.example.com", "a.wild.example" } do
          local status, out = talk(place, how, option, "-servername", name,
            "-verify_hostname", name)
          assert.equal(0, status, out)
        end
        for _, name in ipairs { "unknown.example", "a.b.wild.example", "wild.example" } do
          local status, out = talk(place, how, option, "-servername", name,
            "-verify_hostname", "mx.example.com")
          assert.equal(0, status, out)
        end
        assert.equal(0, talk(place, how, option, "-noservername",
          "-verify_hostname", "mx.example.com"))
      end)

      it(("is refused by name, with TLS %s by %s"):format(version, how), function()
        local place <close>, seen = open { sni = function(name)
          return name ~= "refused.example" and nil
        end }
        local status, out = talk(place, how, option, "-servername", "refused.example")
        assert.equal(1, status, out)
        assert.truthy(out:find("unrecognized name", 1, true), out)
        assert.equal(0, talk(place, how, option, "-servername", "mx.example.com"))
        assert.equal(1, #seen)
      end)

      it(("agrees on smtp and nothing else, with TLS %s by %s"):format(version, how), function()
        local place <close>, seen = open()
        local status, out = talk(place, how, option, "-alpn", "smtp")
        assert.equal(0, status, out)
        assert.truthy(out:find("ALPN protocol: smtp", 1, true), out)
        assert.equal("smtp", seen[1].alpn)
        status, out = talk(place, how, option, "-alpn", "http/1.1,smtp")
        assert.equal(0, status, out)
        assert.truthy(out:find("ALPN protocol: smtp", 1, true), out)
        status, out = talk(place, how, option, "-alpn", "http/1.1,h2")
        assert.equal(1, status, out)
        assert.truthy(out:find("no application protocol", 1, true), out)
        assert.equal(2, #seen)
      end)

      it(("shows its certificate, with TLS %s by %s"):format(version, how), function()
        local place <close>, seen = open { client = "optional" }
        local own = place:issue("client", { common_name = "ada", names = { "ada.example.com" } })
        local status, out = talk(place, how, option, "-cert", own.cert, "-key", own.key)
        assert.equal(0, status, out)
        assert.truthy(out:find("Acceptable client certificate CA names", 1, true), out)
        assert.same({ true, "CN=ada", "ada.example.com" }, { seen[1].verified,
          seen[1].certificate.subject, seen[1].certificate.names[1] })
        assert.equal(0, talk(place, how, option))
        assert.same({ false, nil }, { seen[2].verified, seen[2].certificate })
      end)

      it(("needs a certificate that is known, with TLS %s by %s"):format(version, how), function()
        local place <close>, seen = open { client = "required" }
        local status, out = talk(place, how, option)
        assert.equal(1, status, out)
        local foreign = place:files("foreign", assert(assert(authority.new()):issue()))
        status, out = talk(place, how, option, "-cert", foreign.cert, "-key", foreign.key)
        assert.equal(1, status, out)
        local old = place:issue("old", { not_after = -10 })
        status, out = talk(place, how, option, "-cert", old.cert, "-key", old.key)
        assert.equal(1, status, out)
        local wrong = place:issue("wrong", { purpose = "server", names = { "ada.example.com" } })
        status, out = talk(place, how, option, "-cert", wrong.cert, "-key", wrong.key)
        assert.equal(1, status, out)
        assert.equal(0, #seen)
        assert.equal(0, place.server:stats().messages)
      end)

      it(("gets the whole chain, with TLS %s by %s"):format(version, how), function()
        local middle = assert(assert(secure.authority:intermediate()):intermediate())
        local identity = assert(middle:issue { names = { "mx.example.com" } })
        local place <close> = open { cert = identity.cert, key = identity.key }
        local status, out = talk(place, how, option, "-verify_hostname", "mx.example.com",
          "-servername", "mx.example.com", "-x509_strict")
        assert.equal(0, status, out)
        assert.truthy(out:find("\n 2 s:", 1, true), out)
      end)
    end

    it("is of another name, by " .. how, function()
      local place <close> = open()
      local status, out = talk(place, how, "-verify_hostname", "mx.example.net")
      assert.equal(1, status, out)
      assert.truthy(out:find("hostname mismatch", 1, true), out)
    end)

    it("has nothing older than TLS 1.2, by " .. how, function()
      local place <close>, seen = open()
      for _, option in ipairs { "-tls1", "-tls1_1" } do
        local status, out = talk(place, how, option, table.unpack(CARELESS))
        assert.equal(1, status, out)
        assert.truthy(out:find("alert protocol version", 1, true), out)
      end
      assert.equal(0, #seen)
    end)

    it("has nothing older than TLS 1.3 where that is the least, by " .. how, function()
      local place <close>, seen = open { min_version = "1.3" }
      local status, out = talk(place, how, "-tls1_2")
      assert.equal(1, status, out)
      assert.truthy(out:find("alert protocol version", 1, true), out)
      assert.equal(0, talk(place, how, "-tls1_3"))
      assert.equal(1, #seen)
    end)

    it("has no ciphers without forward secrecy and authenticated encryption, by " .. how,
      function()
        local place <close>, seen = open()
        for _, cipher in ipairs { "kRSA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES128-SHA256",
          "aNULL", "PSK", "3DES" } do
          local status, out = talk(place, how, "-tls1_2", "-cipher", cipher .. ":@SECLEVEL=0")
          assert.equal(1, status, cipher .. out)
        end
        assert.equal(0, #seen)
        for _, cipher in ipairs { "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
          "ECDHE-ECDSA-AES128-GCM-SHA256" } do
          local status, out = talk(place, how, "-tls1_2", "-cipher", cipher)
          assert.equal(0, status, out)
          assert.equal(cipher, seen[#seen].cipher)
        end
      end)

    it("does not renegotiate within TLS 1.2, and says so, by " .. how, function()
      local place <close> = open()
      local words = { "openssl", "s_client", "-CAfile", place.ca, "-tls1_2", "-connect",
        "127.0.0.1:" .. (how == "STARTTLS" and place.port or place.implicit) }
      if how == "STARTTLS" then
        table.move({ "-starttls", "smtp" }, 1, 2, #words + 1, words)
      end
      local one <close> = process.start(words, { input = "R\n", time = 10 })
      local status, out, err = one:wait()
      assert.equal(1, status, out .. err)
      assert.truthy(err:find("no renegotiation", 1, true), err)
    end)

    it("is served after a connection with no more than a hello, by " .. how, function()
      local place <close> = open()
      local stranger <close> = open()
      stranger.port, stranger.implicit = place.port, place.implicit
      stranger.ca = place.stranger
      local status, out = talk(stranger, how) -- it ends the handshake with an alert
      assert.equal(1, status, out)
      assert.equal(0, talk(place, how))
    end)
  end

  it("finds a certificate of the authority in order, strictly", function()
    local place <close> = secure.open()
    for name, options in pairs {
      named = { common_name = "mx.example.com", names = { "mx.example.com" } },
      nameless = { names = { "mx.example.com" } },
    } do
      local own = place:issue(name, options)
      local status, out, err = process.run { "openssl", "verify", "-x509_strict", "-CAfile",
        place.ca, own.cert }
      assert.equal(0, status, out .. err)
      assert.truthy(net.slurp(own.cert):find("BEGIN CERTIFICATE", 1, true))
    end
  end)
end)
