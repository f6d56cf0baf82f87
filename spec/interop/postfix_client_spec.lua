-- SPDX-License-Identifier: MIT
-- The client of Postfix, with TLS and Cyrus SASL, against our server.
local postfix = require "spec.support.postfix"
local process = require "spec.support.process"
local secure = require "spec.support.secure"
local smtp = require "smtp"

local missing = postfix.missing()

-- Whether Cyrus SASL has its mechanisms is told by the name of one.
local function has_sasl()
  local _, out = process.run { "sh", "-c", "ls /usr/lib/sasl2 /usr/lib/*/sasl2" }
  return out:find("\nlibscram.so\n", 1, true) ~= nil
end

describe("Postfix as a client of the server with TLS", function()
  if missing then
    pending(missing)
    return
  end

  -- Lines of main.cf.
  local function verified(place)
    return "smtp_tls_security_level = secure\nsmtp_tls_CAfile = " .. place.ca .. "\n"
  end

  local function auth(port, password, mechanism)
    return ([[
smtp_sasl_auth_enable = yes
smtp_sasl_security_options = noanonymous
smtp_sasl_mechanism_filter = %s
smtp_sasl_password_maps = inline:{ { [localhost]:%d = ada:%s } }
]]):format(mechanism, port, password)
  end

  local IMPLICIT = "smtp_tls_wrappermode = yes\n"

  -- Starts it, and gives it a message.
  local function relay(port, main)
    local mx = postfix.start { relay = port, main = main }
    assert(smtp.send(mx.url, {
      envelope = { from = "eve@example.org", to = { "bob@relay.example" } },
      raw = "Subject: hi\r\nX-Mark: begin\r\n\r\nby Postfix\r\n.\r\n",
    }))
    return mx
  end

  -- The first of what happens to it.
  local function fate(mx)
    local line
    mx.process:await(function()
      line = mx:log():match("[^\n]* status=(%w+ [^\n]*)\n")
      return line
    end, 30)
    return line
  end

  local function arrived(place, user)
    assert.equal(1, #place.mails)
    local mail = place.mails[1]
    assert.truthy(mail.content:find("\r\nX-Mark: begin\r\n\r\nby Postfix\r\n.\r\n", 1, true))
    assert.same({ "eve@example.org", { "bob@relay.example" }, user, "TLSv1.3" },
      { mail.from, mail.to, mail.user, mail.tls.version })
    assert.truthy(mail.received:find(user and " with ESMTPSA id " or " with ESMTPS id ", 1, true))
  end

  for how, extra in pairs { STARTTLS = "", ["TLS at once"] = IMPLICIT } do
    local function port_of(place)
      return extra == IMPLICIT and place.implicit or place.port
    end

    it("sends by " .. how, function()
      local place <close> = secure.open()
      local mx <close> = relay(port_of(place), verified(place) .. extra)
      assert.truthy(fate(mx):find("^sent "), mx:log())
      arrived(place, nil)
    end)

    it("does not trust a stranger, by " .. how, function()
      local place <close> = secure.open()
      place.ca = place.stranger
      local mx <close> = relay(port_of(place), verified(place) .. extra)
      assert.truthy(fate(mx):find("^deferred .*certificate"), mx:log())
      assert.equal(0, #place.mails)
    end)

    it("shows its certificate, by " .. how, function()
      local place <close> = secure.open { tls = { client = "required" } }
      local own = place:issue("client", { names = { "mx.example.com" } })
      local mx <close> = relay(port_of(place), verified(place) .. extra ..
        ("smtp_tls_cert_file = %s\nsmtp_tls_key_file = %s\n"):format(own.cert, own.key))
      assert.truthy(fate(mx):find("^sent "), mx:log())
      arrived(place, nil)
      assert.is_true(place.mails[1].tls.verified)
      assert.same({ "mx.example.com" }, place.mails[1].tls.certificate.names)
    end)

    local mechanisms = { "SCRAM-SHA-256" }
    if extra == "" then
      mechanisms = { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256" }
    end
    for _, mechanism in ipairs(mechanisms) do
      local try = has_sasl() and it or pending

      try(("logs in by %s and %s"):format(how, mechanism), function()
        local place <close> = secure.open()
        local mx <close> = relay(port_of(place), verified(place) .. extra ..
          auth(port_of(place), secure.PASSWORD, mechanism))
        assert.truthy(fate(mx):find("^sent "), mx:log())
        arrived(place, "ada")
        assert.equal(mechanism, place.tried[1].mechanism)
      end)
    end

    local try = has_sasl() and it or pending
    try("is refused with a wrong password, by " .. how, function()
      local place <close> = secure.open()
      local mx <close> = relay(port_of(place), verified(place) .. extra ..
        auth(port_of(place), "open barley", "SCRAM-SHA-256"))
      local line = fate(mx)
      assert.truthy(line:find("^deferred .*SASL authentication failed"), mx:log())
      assert.truthy(line:find(" 535 5.7.8 ", 1, true), mx:log())
      assert.equal(0, #place.mails)
    end)
  end
end)
