-- AUTH from end to end: our client and our server, every mechanism; what the client
-- tells nobody, and what a hostile server may try.
local scripted = require "spec.support.scripted"
local smtp = require "smtp"
local authority = require "smtp.authority"
local core = require "smtp.core"
local net = require "spec.support.net"
local serve = require "spec.support.serve"

local ca = assert(authority.new())
local identity = assert(ca:issue { names = { "localhost" }, addresses = { "127.0.0.1" } })

local ALL = { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256",
  "SCRAM-SHA-256-PLUS", "XOAUTH2", "OAUTHBEARER", "EXTERNAL" }

local SECRET = 'se,=cr"et\u{e9}'

-- A server with TLS that knows ada.
local function start(options)
  local all = {
    tls = { cert = identity.cert, key = identity.key, ca = ca.certificate, client = "optional" },
    auth = { mechanisms = ALL, lookup = function(_, user)
      if user == "ada" then return SECRET end
    end },
    on_auth = function(_, credentials)
      return credentials.verified or credentials.user == "ada"
        and (credentials.token == "token" or credentials:check(SECRET))
    end,
  }
  for key, value in pairs(options or {}) do all[key] = value or nil end
  return serve.start(all)
end

local function connect(server, auth, options)
  local all = { host = "localhost", port = server.port, tls = "required", ca = ca.certificate,
    auth = auth, timeout = 10 }
  for key, value in pairs(options or {}) do all[key] = value end
  return smtp.connect(all)
end

local function refused(server, auth, options)
  local client, err = connect(server, auth, options)
  assert.is_nil(client)
  assert.same({ "auth", "auth", "not_sent" }, { err.kind, err.stage, err.outcome }, tostring(err))
  return err
end

local function is_token(name) return name == "XOAUTH2" or name == "OAUTHBEARER" end

local function auth_for(name, secret)
  local auth = { user = "ada", mechanisms = { name } }
  auth[is_token(name) and "token" or "password"] = secret
  return auth
end

describe("AUTH, client and server", function()
  for _, name in ipairs(ALL) do
    if name ~= "EXTERNAL" then
      it("works by " .. name .. ", and refuses what is wrong", function()
        local users = {}
        local server <close> = start { on_helo = function(session)
          users[#users + 1] = session.user or false
        end }
        local secret = is_token(name) and "token" or SECRET
        local client = assert(connect(server, auth_for(name, secret)))
        local receipt = assert(client:send { envelope = { from = "a@b", to = "c@d" }, raw = "x" })
        assert.equal(name, receipt.used.auth)
        assert.equal("TLSv1.3", receipt.used.tls)
        client:quit()
        local err = refused(server, auth_for(name, "wrong"))
        assert.same({ 535, "5.7.8", false }, { err.code, err.enhanced, err.temporary })
        assert.equal(is_token(name), err.cause ~= nil)
        err = refused(server, { user = "eve", password = SECRET, token = "wrong",
          mechanisms = { name } })
        assert.equal(535, err.code)
      end)
    end
  end

  it("knows a mechanism in small letters, of the caller, the server and the client", function()
    local server <close> = start()
    for _, name in ipairs { "plain", "Login", "cram-md5", "scram-sha-256" } do
      local client <close> = assert(connect(server, { user = "ada", password = SECRET,
        mechanisms = { name } }))
      local receipt = assert(client:send { envelope = { from = "a@b", to = "c@d" }, raw = "x" })
      assert.equal(name:upper(), receipt.used.auth)
    end
    local listener <close> = scripted.server { { "S 220 mx", "C EHLO", "S 250-mx",
      "S 250 auth plain", "C AUTH PLAIN AGFkYQB", "S 235 ok", "C QUIT", "S 221 bye" } }
    local client = assert(smtp.connect { url = listener.url, auth = { user = "ada",
      password = SECRET, cleartext = true } })
    assert(client:quit())
    listener:close()
  end)

  it("works by EXTERNAL, with a certificate that is verified (C090)", function()
    local seen
    local server <close> = start { on_auth = function(_, credentials)
      seen = credentials
      return credentials.verified and credentials.user == "ada@code.energy"
    end }
    local mine = assert(ca:issue { emails = { "ada@code.energy" } })
    local client = assert(connect(server, { mechanisms = { "EXTERNAL" }, authzid = "charles" },
      { cert = mine.cert, key = mine.key }))
    assert.same({ "EXTERNAL", "ada@code.energy", "charles", true },
      { seen.mechanism, seen.user, seen.authzid, seen.verified })
    assert.is_true(seen.certificate.verified)
    client:quit()
    local stranger = authority.self_signed { emails = { "ada@code.energy" } }
    local err = refused(server, { mechanisms = { "EXTERNAL" } },
      { cert = stranger.cert, key = stranger.key })
    assert.matches("none of what was asked for: %u", tostring(err))
  end)

  it("takes the strongest that both can, and -PLUS under TLS", function()
    for offered, used in pairs {
      [{ "PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS" }] =
        "SCRAM-SHA-256-PLUS",
      [{ "LOGIN", "PLAIN", "SCRAM-SHA-1" }] = "SCRAM-SHA-1", [{ "LOGIN", "PLAIN" }] = "PLAIN",
      [{ "LOGIN", "CRAM-MD5" }] = "LOGIN",
    } do
      local lookup = function() return SECRET end
      local server <close> = start { auth = { mechanisms = offered, lookup = lookup } }
      local client <close> = assert(connect(server, { user = "ada", password = SECRET }))
      local receipt = assert(client:send { envelope = { from = "a@b", to = "c@d" }, raw = "x" })
      assert.equal(used, receipt.used.auth)
    end
    -- CRAM-MD5 and EXTERNAL are used only when they are named.
    local server <close> = start { auth = { mechanisms = { "CRAM-MD5" },
      lookup = function() return SECRET end } }
    refused(server, { user = "ada", password = SECRET })
  end)

  it("lets lookup alone judge SCRAM, by password or by stored keys", function()
    local keys = smtp.scram_keys(SECRET, { iterations = 5000 })
    for _, value in ipairs { SECRET, keys } do
      local server <close> = start { on_auth = false, auth = { lookup = function(_, user, name)
        assert(name:find("^SCRAM%-SHA%-256"))
        if user == "ada" then return value end
      end } }
      local client = assert(connect(server, { user = "ada", password = SECRET }))
      assert.same({ ["SCRAM-SHA-256-PLUS"] = true, ["SCRAM-SHA-256"] = true,
        ["SCRAM-SHA-1-PLUS"] = true, ["SCRAM-SHA-1"] = true }, client.capabilities.AUTH)
      client:quit()
      assert.equal(535, refused(server, { user = "ada", password = "x" }).code)
      assert.equal(535, refused(server, { user = "eve", password = "x" }).code)
    end
  end)

  it("answers 454 where stored keys are of no use, and tells on_event", function()
    for _, bad in ipairs { { "iterations", 0 }, { "salt", false }, { "salt", 7 },
      { "stored_key", "short" }, { "server_key", 7 }, { "mechanism", "SCRAM-SHA-1" },
      { "mechanism", 5 } } do
      local keys, events = smtp.scram_keys(SECRET), {}
      keys[bad[1]] = bad[2]
      local server <close> = start { on_event = serve.record(events),
        auth = { mechanisms = { "SCRAM-SHA-256" }, lookup = function() return keys end } }
      local err = refused(server, { user = "ada", password = SECRET })
      assert.same({ 454, "4.7.0" }, { err.code, err.enhanced }, bad[1])
      local told = serve.of_type(events, "error")
      assert.equal(1, #told)
      assert.matches("SCRAM%-SHA%-256 can use", told[1].error)
    end
  end)

  it("answers 454 where lookup or on_auth fails, and tells on_event alone", function()
    local events = {}
    for _, handler in ipairs { function() error("database down") end,
      function() return nil, "database down" end, function() return { salt = 5 } end } do
      local server <close> = start { on_event = serve.record(events),
        auth = { mechanisms = { "SCRAM-SHA-256", "PLAIN" }, lookup = handler }, on_auth = handler }
      for _, name in ipairs { "SCRAM-SHA-256", "PLAIN" } do
        local err = refused(server, auth_for(name, "x"))
        assert.same({ 454, "4.7.0", true }, { err.code, err.enhanced, err.temporary })
        assert.is_nil(tostring(err):find("database"))
      end
    end
    assert.equal(6, #serve.of_type(events, "error"))
  end)

  it("waits for handlers, and gives up on one that takes too long", function()
    local server <close> = start {
      limits = { handler_timeout = 0.05 },
      auth = { mechanisms = { "SCRAM-SHA-256", "PLAIN" }, lookup = function()
        smtp.sleep(5)
      end },
      on_auth = function() smtp.sleep(0.01) return true end,
    }
    assert(connect(server, auth_for("PLAIN", "x"))):quit()
    assert.equal(454, refused(server, auth_for("SCRAM-SHA-256", "x")).code)
  end)

  it("C102 hands a submission on as it came, behind what the handler puts there", function()
    local folder = net.folder()
    local server <close> = start { on_message = function(_, message)
      return message:save(folder .. "/mail", { prepend = "X-First: 1\r\n" })
    end }
    local raw = "dkim-signature: v=1; b=abc\r\nsubject:odd\r\n\tfold\r\n\r\n.dot\r\n  \r\n\r\n"
    local client <close> = assert(connect(server, auth_for("PLAIN", SECRET)))
    assert(client:send { envelope = { from = "a@b", to = "c@d" }, raw = raw })
    assert.equal("X-First: 1\r\n" .. raw, net.slurp(folder .. "/mail"))
    net.remove(folder)
  end)

  it("ends a session after three failures", function()
    local server <close> = start()
    local one <close> = serve.connect(server)
    one:starttls { ca = ca.certificate, verify = true, name = "localhost" }
    local bad = "AUTH PLAIN " .. core.base64("\0ada\0wrong")
    assert.matches("^535", one:cmd(bad))
    assert.matches("^535", one:cmd(bad))
    assert.matches("^421 4.7.0", one:cmd(bad))
    assert.equal("", one:rest())
  end)

  it("shows no secret in any transcript, event or error", function()
    local secrets = { SECRET, "wrong-secret", core.base64("wrong-secret"),
      core.base64("\0ada\0wrong-secret"), core.base64(SECRET), core.base64("\0ada\0" .. SECRET) }
    for _, secret in ipairs { SECRET, "wrong-secret" } do -- inside of any base64
      for shift = 0, 2 do
        local text = core.base64(("x"):rep(shift) .. secret)
        secrets[#secrets + 1] = text:sub(shift > 0 and 5 or 1, -5)
      end
    end
    local events, lines = {}, {}
    local server <close> = start { on_event = serve.record(events) }
    for _, name in ipairs(ALL) do
      if name ~= "EXTERNAL" then
        for _, secret in ipairs { "wrong-secret", is_token(name) and "token" or SECRET } do
          local client, err = connect(server, auth_for(name, secret), {
            trace = function(_, line) lines[#lines + 1] = line end })
          lines[#lines + 1] = client and client:transcript() or err.transcript .. tostring(err)
          if client then client:quit() end
        end
      end
    end
    for _, event in ipairs(events) do
      lines[#lines + 1] = tostring(event.text) .. tostring(event.error)
    end
    local all = table.concat(lines, "\n")
    assert.truthy(all:find("AUTH PLAIN ***", 1, true))
    for _, secret in ipairs(secrets) do assert.is_nil(all:find(secret, 1, true), secret) end
  end)

  it("checks a password against its text or its stored keys, by every mechanism", function()
    for _, kept in ipairs { SECRET, smtp.scram_keys(SECRET),
      smtp.scram_keys(SECRET, { mechanism = "SCRAM-SHA-1", iterations = 5000 }) } do
      local known = { ada = kept }
      local server <close> = start {
        auth = { mechanisms = { "PLAIN", "LOGIN", "SCRAM-SHA-256" },
          lookup = function(_, user) return user == "ada" and SECRET or nil end },
        on_auth = function(_, who) return who:check(known[who.user]) end }
      for _, name in ipairs { "PLAIN", "LOGIN", "SCRAM-SHA-256" } do
        assert(connect(server, auth_for(name, SECRET))):quit()
        assert.equal(535, refused(server, auth_for(name, "wrong")).code)
        assert.equal(535, refused(server, { user = "eve", password = SECRET,
          mechanisms = { name } }).code)
      end
    end
    local server <close> = start { on_auth = function(_, who)
      return who:check { salt = 5, stored_key = {} } or who:check(5) or who:check(true)
    end }
    assert.equal(535, refused(server, auth_for("PLAIN", SECRET)).code)
  end)

  it("makes credentials that print without their secret", function()
    local text
    local server <close> = start { on_auth = function(_, credentials)
      text = tostring(credentials)
      assert.is_false(credentials:check(nil))
      assert.is_false(credentials:check(SECRET .. "x"))
      return true
    end }
    assert(connect(server, auth_for("PLAIN", SECRET))):quit()
    assert.equal("smtp.credentials: PLAIN ada", text)
  end)

  it("asks a token function once more after a refusal", function()
    local server <close> = start()
    local asked = {}
    local client = assert(connect(server, { user = "ada", token = function(again)
      asked[#asked + 1] = again
      return again and "token" or "old"
    end }))
    assert.same({ false, true }, asked)
    client:quit()
    asked = {}
    local err = refused(server, { user = "ada", token = function(again)
      asked[#asked + 1] = again
      return "old"
    end })
    assert.same({ false, true }, asked)
    assert.equal('{"status":"invalid_token"}', err.cause) -- C093
    err = refused(server, { user = "ada", token = function() return nil, "no login" end })
    assert.matches("no login", tostring(err))
    err = refused(server, { user = "ada", token = function() return {} end })
    assert.matches("gave no string", tostring(err))
    assert.is_false(err.temporary)
  end)

  it("gives an error where a function for the secret fails, and does not raise", function()
    local server <close> = start()
    local why = { "no login" }
    for _, field in ipairs { "token", "password" } do
      local called = 0
      local function failing(...)
        local results = table.pack(...)
        return { user = "ada", [field] = function()
          called = called + 1
          return table.unpack(results, 1, results.n)
        end }
      end
      local err = refused(server, failing(nil, why))
      assert.same({ why, true, 1 }, { err.cause, err.temporary, called })
      err = refused(server, failing(nil))
      assert.same({ nil, true }, { err.cause, err.temporary })
      for _, problem in ipairs { why, "no vault" } do
        local auth = { user = "ada", [field] = function() error(problem, 0) end }
        err = refused(server, auth)
        assert.equal(problem, err.cause)
        assert.is_true(err.temporary)
        local receipt
        receipt, err = smtp.send({ host = "localhost", port = server.port, tls = "required",
          ca = ca.certificate, auth = auth }, { from = "a@b.example", to = "c@d.example",
          text = "x" })
        assert.is_nil(receipt)
        assert.same({ "auth", problem, "not_sent" }, { err.kind, err.cause, err.outcome })
        local pool <close> = assert(smtp.pool { host = "localhost", port = server.port,
          ca = ca.certificate, auth = auth, retries = 0 })
        receipt, err = pool:send { from = "a@b.example", to = "c@d.example", text = "x" }
        assert.is_nil(receipt)
        assert.equal(problem, err.cause)
      end
    end
    serve.idle(server)
  end)

  it("refuses values that a mechanism cannot carry, before a byte of them", function()
    local server <close> = start()
    for _, name in ipairs { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2",
      "OAUTHBEARER" } do
      local auth = auth_for(name, "a\0b")
      local err = refused(server, auth)
      assert.matches("cannot carry", tostring(err), name)
    end
  end)

  it("leaves nothing open when a function for the secret raises", function()
    local server <close> = start()
    for _, secret in ipairs { function() error("no vault") end, function() return 5 end } do
      local client, err = connect(server, { user = "ada", password = secret })
      assert.is_nil(client)
      assert.equal("auth", err.kind)
      serve.idle(server)
    end
  end)
end)
