-- SPDX-License-Identifier: MIT
-- Our client against a Postfix that wants TLS and, by way of Dovecot, AUTH.
local authority = require "smtp.authority"
local dovecot = require "spec.support.dovecot"
local postfix = require "spec.support.postfix"
local smtp = require "smtp"

local missing = postfix.missing() or dovecot.missing()

local PASSWORD = "open sesame, \u{fc}"

local function message()
  return { envelope = { from = "eve@example.org", to = { "ada@example.com" } },
    raw = "Subject: hi\r\nX-Mark: begin\r\n\r\nover TLS\r\n" }
end

describe("the client at Postfix with TLS and AUTH", function()
  if missing then
    pending(missing)
    return
  end

  local ca = assert(authority.new())
  local mx

  setup(function()
    mx = postfix.start { identity = assert(ca:issue()), users = { ada = PASSWORD } }
  end)
  teardown(function() if mx then mx:close() end end)

  before_each(function()
    mx:drained()
    os.execute("rm -rf " .. mx.folder .. "/mail/*")
  end)

  local places = {
    {
      name = "STARTTLS", tls = "required", stage = "starttls",
      port = function() return mx.submission end,
    },
    {
      name = "TLS at once", tls = "implicit", stage = "connect",
      port = function() return mx.smtps end,
    },
  }

  local function target(place, more)
    local all = { host = "127.0.0.1", port = place.port(), tls = place.tls, ca = ca.certificate,
      helo = "client.example.org", auth = { user = "ada", password = PASSWORD } }
    for key, value in pairs(more or {}) do all[key] = value end
    return all
  end

  for _, place in ipairs(places) do
    for _, mechanism in ipairs { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256" } do
      local function auth(password)
        return { auth = { user = "ada", password = password, mechanisms = { mechanism } } }
      end

      it(("sends by %s and %s"):format(place.name, mechanism), function()
        local receipt = assert(smtp.send(target(place, auth(PASSWORD)), message()))
        assert.same({ 250, "TLSv1.3", mechanism },
          { receipt.code, receipt.used.tls, receipt.used.auth })
        local mail = mx:mails("ada", 1)[1]
        assert.truthy(mail:find("(using TLSv1.3 with cipher ", 1, true), mail)
        assert.truthy(mail:find("(Authenticated sender: ada)", 1, true), mail)
        assert.truthy(mail:find(" with ESMTPSA id ", 1, true), mail)
        assert.truthy(mail:find("\nX-Mark: begin\n\nover TLS\n", 1, true), mail)
      end)

      it(("is refused by %s and %s with a wrong password"):format(place.name, mechanism), function()
        local receipt, err = smtp.send(target(place, auth("open barley")), message())
        assert.is_nil(receipt)
        assert.same({ "auth", "auth", 535, "5.7.8", "not_sent" },
          { err.kind, err.stage, err.code, err.enhanced, err.outcome })
        assert.falsy(tostring(err):find("barley", 1, true))
      end)
    end

    it("is refused as somebody unknown, by " .. place.name, function()
      local receipt, err = smtp.send(target(place,
        { auth = { user = "nobody", password = PASSWORD } }), message())
      assert.is_nil(receipt)
      assert.same({ "auth", 535 }, { err.kind, err.code })
    end)

    it("takes the strongest mechanism by itself, by " .. place.name, function()
      local client <close> = assert(smtp.connect(target(place)))
      assert.is_true(client.tls.verified)
      assert.equal("SCRAM-SHA-256", assert(client:send(message())).used.auth)
    end)

    it("knows a stranger's certificate, by " .. place.name, function()
      local other = assert(authority.new())
      local client, err = smtp.connect(target(place, { ca = other.certificate }))
      assert.is_nil(client)
      assert.same({ "tls", place.stage }, { err.kind, err.stage })
    end)

    it("knows a certificate of another name, by " .. place.name, function()
      local client, err = smtp.connect(target(place, { sni = "mx.example.net" }))
      assert.is_nil(client)
      assert.equal("tls", err.kind)
    end)

    it("goes on without verification if that is wanted, by " .. place.name, function()
      local other = assert(authority.new())
      local client <close> = assert(smtp.connect(target(place,
        { ca = other.certificate, verify = false })))
      assert.is_false(client.tls.verified)
      assert.equal(250, assert(client:send(message())).code)
    end)

    it("resumes its session, by " .. place.name, function()
      -- Another list of authorities: nothing is remembered for it yet.
      local options = { ca = ca.certificate .. assert(authority.new()).certificate }
      local resumed = {}
      for i = 1, 3 do
        local client <close> = assert(smtp.connect(target(place, options)))
        resumed[i] = client.tls.resumed
        assert.is_true(client.tls.verified)
        assert(client:send(message()))
        client:quit()
      end
      assert.same({ false, true, true }, resumed)
    end)

    it("sends 5 MB, by " .. place.name, function()
      local lines = {}
      for i = 1, 100000 do lines[i] = ("%s%049d\r\n"):format(i % 3 == 0 and "." or "", i) end
      local one = message()
      one.raw = "X-Mark: begin\r\n\r\n" .. table.concat(lines)
      assert(smtp.send(target(place), one))
      local mail = mx:mails("ada", 1)[1]
      assert.is_true(mail:match("\nX%-Mark: begin\n\n(.*)$")
        == table.concat(lines):gsub("\r\n", "\n"))
    end)
  end

  it("takes user and password from a URL", function()
    local url = ("smtps://ada:%s@127.0.0.1:%d"):format(
      PASSWORD:gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end), mx.smtps)
    local receipt = assert(smtp.send({ url = url, ca = ca.certificate }, message()))
    assert.same({ "TLSv1.3", "SCRAM-SHA-256" }, { receipt.used.tls, receipt.used.auth })
  end)

  it("needs AUTH and is told so", function()
    local receipt, err = smtp.send({ host = "127.0.0.1", port = mx.submission, tls = "required",
      ca = ca.certificate }, message())
    assert.is_nil(receipt)
    assert.same({ "rejected", "rcpt", 554 }, { err.kind, err.stage, err.code })
  end)

  it("needs TLS and is told so", function()
    local receipt, err = smtp.send({ host = "127.0.0.1", port = mx.submission, tls = "none" },
      message())
    assert.is_nil(receipt)
    assert.same({ "rejected", "mail", 530 }, { err.kind, err.stage, err.code })
  end)

  it("fails if STARTTLS is required and not offered", function()
    local client, err = smtp.connect { url = mx.url, tls = "required", ca = ca.certificate }
    assert.is_nil(client)
    assert.same({ "tls", "starttls" }, { err.kind, err.stage })
  end)

  it("has a dialogue of its own", function()
    local d <close> = assert(smtp.dialogue("127.0.0.1:" .. mx.submission))
    assert(d:expect(220))
    assert(d:cmd("EHLO client.example.org", 250))
    assert(d:starttls { ca = ca.certificate })
    assert(d:cmd("EHLO client.example.org", 250))
    assert.equal(235, assert(d:auth("SCRAM-SHA-256", "ada", PASSWORD)).code)
    assert(d:cmd("QUIT", 221))
  end)
end)
