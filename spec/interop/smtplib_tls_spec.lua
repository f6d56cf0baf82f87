-- SPDX-License-Identifier: MIT
-- Python's smtplib against our server with TLS and AUTH; what it says is
-- spec/support/smtplib_tls.py.
local process = require "spec.support.process"
local secure = require "spec.support.secure"

local python, missing = process.python("ssl, smtplib")

describe("Python's smtplib as a client of the server with TLS", function()
  if missing then
    pending(missing)
    return
  end

  local function talk(place, port, name, options)
    options = options or {}
    local status, out, err = process.run { python, "spec/support/smtplib_tls.py", port, name,
      options.ca or place.ca, options.user or secure.USER, options.password or secure.PASSWORD,
      table.unpack(options.own or {}) }
    assert.equal(0, status, out .. err)
    return out
  end

  for name, port in pairs { starttls = "port", implicit = "implicit" } do
    it("sends, by " .. name, function()
      local place <close> = secure.open()
      local out = talk(place, place[port], name)
      assert.equal((name == "starttls" and "starttls 220\n" or "") ..
        "offered False True\nTLSv1.3\nsent\n", out)
      local mail = place.mails[1]
      assert.equal("Subject: smtplib\r\n\r\nover TLS\r\n", mail.content)
      assert.same({ "localhost", false, "TLSv1.3" },
        { mail.tls.sni, mail.tls.verified, mail.tls.version })
      assert.truthy(mail.received:find(" with ESMTPS id ", 1, true))
      assert.is_nil(mail.user)
    end)

    for _, mechanism in ipairs { "PLAIN", "LOGIN", "CRAM-MD5" } do
      local function open()
        return secure.open { auth = { mechanisms = { mechanism },
          lookup = function(_, user) return user == "ada" and secure.PASSWORD or nil end } }
      end

      it(("logs in by %s and %s"):format(name, mechanism), function()
        local place <close> = open()
        local out = talk(place, place[port], "login_" .. name)
        assert.equal("login 235 2.7.0 Authentication succeeded\nsent\n", out)
        assert.same({ "ada", mechanism }, { place.mails[1].user, place.tried[1].mechanism })
        assert.truthy(place.mails[1].received:find(" with ESMTPSA id ", 1, true))
      end)

      it(("is refused by %s and %s with a wrong password"):format(name, mechanism), function()
        local place <close> = open()
        local out = talk(place, place[port], "login_" .. name, { password = "open barley" })
        assert.truthy(out:find("^refused 535 5%.7%.8 [^\n]+\n$"), out)
        assert.equal(0, #place.mails)
      end)
    end

    it("takes the first that it knows of all, by " .. name, function()
      local place <close> = secure.open()
      assert.equal("login 235 2.7.0 Authentication succeeded\nsent\n",
        talk(place, place[port], "login_" .. name))
      assert.equal("CRAM-MD5", place.tried[1].mechanism)
    end)

    it("tries each that it knows when all are refused, by " .. name, function()
      local place <close> = secure.open()
      local out = talk(place, place[port], "login_" .. name, { password = "open barley" })
      assert.truthy(out:find("^refused [45]%d%d "), out)
      assert.equal(0, #place.mails)
    end)

    it("shows its certificate, by " .. name, function()
      local place <close> = secure.open { tls = { client = "required" } }
      local own = place:issue("client", { emails = { "ada@example.com" } })
      talk(place, place[port], name, { own = { own.cert, own.key } })
      assert.is_true(place.mails[1].tls.verified)
      assert.same({ "ada@example.com" }, place.mails[1].tls.certificate.emails)
    end)
  end

  it("is not let to log in without TLS", function()
    local place <close> = secure.open()
    local out = talk(place, place.port, "login_clear")
    assert.truthy(out:find("^unsupported\nauth 538 b'5%.7%.11 "), out)
    assert.equal(0, #place.tried)
  end)

  it("does not trust a server of a stranger, and the next is served", function()
    local place <close> = secure.open()
    local out = talk(place, place.port, "untrusted", { ca = place.stranger })
    assert.truthy(out:find("^untrusted %d+\nuntrusted %d+\n$"), out)
    talk(place, place.port, "starttls")
    assert.equal(1, #place.mails)
  end)

  it("comes twenty times", function()
    local place <close> = secure.open()
    assert.equal(("login 235 2.7.0 Authentication succeeded\nsent\n"):rep(20),
      talk(place, place.implicit, "many"))
    assert.equal(20, #place.mails)
  end)
end)
