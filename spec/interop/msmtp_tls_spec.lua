-- SPDX-License-Identifier: MIT
-- msmtp against our server with TLS and AUTH, by a configuration file of its own.
local net = require "spec.support.net"
local process = require "spec.support.process"
local secure = require "spec.support.secure"

local missing = process.missing("msmtp")

-- Exit codes of sysexits.h.
local UNAVAILABLE, NO_PERMISSION = 69, 77

describe("msmtp as a client of the server with TLS", function()
  if missing then
    pending(missing)
    return
  end

  local _, version = process.run { "msmtp", "--version" }
  local offers = version:match("authentication methods:%s*\n([^\n]*)") or ""

  local function msmtp(place, implicit, lines)
    local config = place.folder .. "/msmtprc"
    net.dump(config, ("account default\nhost localhost\nport %d\nfrom ada@example.org\n" ..
      "domain client.example.org\ntls on\ntls_starttls %s\ntls_trust_file %s\n" ..
      "logfile %s/log\n%s"):format(implicit and place.implicit or place.port,
      implicit and "off" or "on", place.ca, place.folder, lines or ""))
    assert(os.execute("chmod 600 " .. config))
    local one <close> = process.start({ "msmtp", "--file=" .. config, "--", "bob@example.com" },
      { input = "Subject: hi\n\nby msmtp\n", env = { HOME = place.folder } })
    return one:wait()
  end

  local function auth(method, password)
    return ("auth %s\nuser ada\npassword %s\n"):format(method, password)
  end

  local methods = {
    plain = "PLAIN", login = "LOGIN", ["cram-md5"] = "CRAM-MD5", ["scram-sha-1"] = "SCRAM-SHA-1",
    ["scram-sha-256"] = "SCRAM-SHA-256", xoauth2 = "XOAUTH2", oauthbearer = "OAUTHBEARER",
  }

  for name, implicit in pairs { ["STARTTLS"] = false, ["TLS at once"] = true } do
    it("sends by " .. name, function()
      local place <close> = secure.open()
      local status, out, err = msmtp(place, implicit)
      assert.equal(0, status, out .. err)
      local mail = place.mails[1]
      assert.truthy(mail.content:find("\r\n\r\nby msmtp\r\n", 1, true))
      assert.truthy(mail.received:find(" with ESMTPS id ", 1, true))
    end)

    for method, mechanism in pairs(methods) do
      local is_there = (" " .. offers .. " "):find(" " .. method .. " ", 1, true)
      local try = is_there and it or pending
      local secret = mechanism:find("OAUTH", 1, true) and secure.TOKEN or secure.PASSWORD

      try(("logs in by %s and %s"):format(name, mechanism), function()
        local place <close> = secure.open()
        local status, out, err = msmtp(place, implicit, auth(method, secret))
        assert.equal(0, status, out .. err)
        assert.same({ mechanism, "ada" }, { place.tried[1].mechanism, place.mails[1].user })
        assert.truthy(place.mails[1].received:find(" with ESMTPSA id ", 1, true))
      end)

      try(("is refused by %s and %s with a wrong secret"):format(name, mechanism), function()
        local place <close> = secure.open()
        local status, out, err = msmtp(place, implicit, auth(method, "barley"))
        assert.equal(NO_PERMISSION, status, out .. err)
        assert.truthy(err:find("535 5.7.8 ", 1, true), err)
        assert.equal(0, #place.mails)
      end)
    end

    it("shows its certificate, and is let in by EXTERNAL, by " .. name, function()
      local place <close> = secure.open { tls = { client = "required" } }
      local own = place:issue("client", { emails = { "ada@example.com" } })
      local lines = "tls_cert_file %s\ntls_key_file %s\nauth external\nuser ada@example.com\n"
      local status, out, err = msmtp(place, implicit, lines:format(own.cert, own.key))
      assert.equal(0, status, out .. err)
      assert.equal("ada@example.com", place.mails[1].user)
    end)

    it("does not trust a server of a stranger, by " .. name, function()
      local place <close> = secure.open()
      place.ca = place.stranger
      local status, out, err = msmtp(place, implicit, auth("plain", secure.PASSWORD))
      assert.equal(UNAVAILABLE, status, out .. err)
      assert.truthy(err:find("certificate", 1, true), err)
      assert.equal(0, #place.tried)
    end)
  end
end)
