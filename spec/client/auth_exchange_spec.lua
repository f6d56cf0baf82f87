-- AUTH as the client does it, against scripts of servers: odd ones, old ones, hostile ones.
local authority = require "smtp.authority"
local core = require "smtp.core"
local scripted = require "spec.support.scripted"
local smtp = require "smtp"

local ca = assert(authority.new())
local identity = assert(ca:issue { names = { "localhost" }, addresses = { "127.0.0.1" } })

describe("client's AUTH", function()
  local function fails(script, auth, pattern, options)
    local server <close> = scripted.server(script)
    local all = { host = "127.0.0.1", port = server.port, auth = auth,
      timeout = { command = 5, quit = 0.1 } }
    for key, value in pairs(options or {}) do all[key] = value end
    local client, err = smtp.connect(all)
    assert.is_nil(client)
    assert.equal("auth", err.kind, tostring(err))
    assert.matches(pattern, tostring(err))
    local wrong = server:done()
    assert.falsy(wrong and wrong:find("^wanted"), wrong) -- a QUIT behind the end is its business
    return err, table.concat(server.segments)
  end

  local ADA = { user = "ada", password = "TheSecret" }

  it("is an error where the server does not offer it, or nothing that fits", function()
    fails(scripted.script(scripted.hello("SIZE"), "EOF"), ADA, "does not offer AUTH")
    fails(scripted.script(scripted.hello("AUTH GSSAPI NTLM"), "EOF"), ADA,
      "offers AUTH GSSAPI NTLM")
    fails(scripted.script(scripted.hello("AUTH"), "EOF"), ADA, "does not offer AUTH")
  end)

  it("C088 understands AUTH= of old servers", function()
    local server <close> = scripted.server(scripted.script(scripted.hello("AUTH=PLAIN LOGIN"),
      "C AUTH PLAIN", "S 235 fine", "C QUIT", "S 221 bye"))
    assert(smtp.connect { url = server.url, auth = ADA }):quit()
    assert.is_nil(server:done())
  end)

  it("C086 accepts a bare 334", function()
    for _, challenge in ipairs { "334", "334 " } do
      local server <close> = scripted.server(scripted.script(scripted.hello("AUTH LOGIN"),
        "C AUTH LOGIN", "S " .. challenge, "C " .. core.base64("ada"), "S " .. challenge,
        "C " .. core.base64("TheSecret"), "S 235 fine", "C QUIT", "S 221 bye"))
      assert(smtp.connect { url = server.url, auth = ADA }):quit()
      assert.is_nil(server:done())
    end
  end)

  it("sends what is long for an initial response after an empty challenge", function()
    local token = ("t"):rep(3000)
    local server <close> = scripted.server(scripted.script(scripted.hello("AUTH XOAUTH2"),
      "C AUTH XOAUTH2", "S 334 ", "C " .. core.base64("user=ada\1auth=Bearer " .. token .. "\1\1"),
      "S 235 fine", "C QUIT", "S 221 bye"))
    assert(smtp.connect { url = server.url, auth = { user = "ada", token = token } }):quit()
    assert.is_nil(server:done())
    assert.matches("^AUTH XOAUTH2$", server.lines[2])
  end)

  -- The AUTH succeeds, with these steps on the wire after EHLO.
  local function goes_well(offer, auth, ...)
    local server <close> = scripted.server(scripted.script(scripted.hello("AUTH " .. offer), ...))
    local client = assert(smtp.connect { url = server.url, auth = auth, timeout = 5 })
    client:quit()
    assert.is_nil(server:done())
    return server
  end

  local USER, PASSWORD = core.base64("ada"), core.base64("TheSecret")
  local QUIT = { "C QUIT", "S 221 bye" }

  it("answers LOGIN whatever its challenges say", function()
    for _, words in ipairs { { "VXNlcm5hbWU6", "UGFzc3dvcmQ6" },
      { "VXNlciBOYW1lAA==", "UGFzc3dvcmQA" },
      { "Username:", "Password:" }, { "User Name", "pass word?" }, { "", "" }, { "=", "=" },
      { "Please tell me who you are", "and now the secret" }, { "a=b=", "?" }, { "AA", "A" },
      { "UGFzc3dvcmQ6", "VXNlcm5hbWU6" }, { "Nom d'utilisateur\xe9", "\xff\xfe" },
      { '{"user":1}', "*" } } do
      goes_well("LOGIN", ADA, "C AUTH LOGIN", "S 334 " .. words[1], "C " .. USER,
        "S 334 " .. words[2], "C " .. PASSWORD, "S 235 fine", table.unpack(QUIT))
    end
    fails(scripted.script(scripted.hello("AUTH LOGIN"), "C AUTH LOGIN", "S 334 a", "C " .. USER,
      "S 334 b", "C " .. PASSWORD, "S 334 c", "C *", "S 501 no", table.unpack(QUIT)), ADA,
      "more questions")
  end)

  it("sends a response again that the server has not taken with AUTH", function()
    local plain = core.base64("\0ada\0TheSecret")
    local xoauth2 = core.base64("user=ada\1auth=Bearer tok\1\1")
    for _, challenge in ipairs { "", "Z28gYWhlYWQ=", "go ahead", "VXNlcm5hbWU6" } do
      goes_well("PLAIN", ADA, "C AUTH PLAIN " .. plain, "S 334 " .. challenge, "C " .. plain,
        "S 235 fine", table.unpack(QUIT))
      goes_well("XOAUTH2", { user = "ada", token = "tok" }, "C AUTH XOAUTH2 " .. xoauth2,
        "S 334 " .. challenge, "C " .. xoauth2, "S 235 fine", table.unpack(QUIT))
      local server = goes_well("OAUTHBEARER", { user = "ada", token = "tok" }, "C AUTH OAUTH",
        "S 334 " .. challenge, "C bixhPWFkYSwB", "S 235 fine", table.unpack(QUIT))
      assert.equal(server.lines[2]:match("%S+$"), server.lines[3])
      goes_well("EXTERNAL", { mechanisms = { "EXTERNAL" }, authzid = "ada" },
        "C AUTH EXTERNAL " .. USER, "S 334 " .. challenge, "C " .. USER, "S 235 fine",
        table.unpack(QUIT))
    end
    goes_well("EXTERNAL", { mechanisms = { "EXTERNAL" } }, "C AUTH EXTERNAL =", "S 334 ", "C ",
      "S 235 fine", table.unpack(QUIT))
    -- Once, and not for ever.
    fails(scripted.script(scripted.hello("AUTH PLAIN"), "C AUTH PLAIN", "S 334 ", "C " .. plain,
      "S 334 ", "C *", "S 501 no", table.unpack(QUIT)), ADA, "a challenge after the response")
    fails(scripted.script(scripted.hello("AUTH PLAIN"), "C AUTH PLAIN", "S 334 ", "C " .. plain,
      "S 334 ", "C *", "S 235 ok", "EOF"), ADA, "a challenge after the response")
    fails(scripted.script(scripted.hello("AUTH XOAUTH2"), "C AUTH XOAUTH2", "S 334 ",
      "C " .. xoauth2, "S 334 ", "C ", "S 334 ", "C *", "S 535 no", table.unpack(QUIT)),
      { user = "ada", token = "tok" }, "after the refusal")
  end)

  it("tells why a token was refused", function()
    local TOKEN = { user = "ada", token = "t" }
    for _, name in ipairs { "XOAUTH2", "OAUTHBEARER" } do
      local answer = name == "XOAUTH2" and "" or "AQ==" -- RFC 7628 section 3.2.3
      for json, status in pairs { ['{"status":"401","schemes":"bearer"}'] = '"401"',
        ['{ "schemes" : "Bearer", "status" : "invalid_token" }'] = '"invalid_token"',
        ['{"status":400}'] = '"400"', ['{"error":"x"}'] = "refused" } do
        for _, sent in ipairs { core.base64(json), json } do
          local server <close> = scripted.server(scripted.script(scripted.hello("AUTH " .. name),
            "C AUTH ", "S 334 " .. sent, "C " .. answer, "S 535 bad token", table.unpack(QUIT)))
          local client, err = smtp.connect { url = server.url, auth = TOKEN }
          assert.is_nil(client)
          assert.is_nil(server:done())
          assert.equal(answer, server.lines[3])
          assert.same({ 535, json, "auth" }, { err.code, err.cause, err.kind })
          assert.truthy(tostring(err):find(status, 1, true), tostring(err))
          assert.truthy(err.hint:find("by " .. name, 1, true))
        end
      end
      -- A yes after the refusal is not believed.
      fails(scripted.script(scripted.hello("AUTH " .. name), "C AUTH", "S 334 e30=", "C " .. answer,
        "S 235 fine", "EOF"), TOKEN, "did not prove")
    end
  end)

  it("cancels by * what it must read and cannot", function()
    for _, name in ipairs { "CRAM-MD5", "SCRAM-SHA-256" } do
      for _, challenge in ipairs { "a=b=", "?", "YWJj ZGVm" } do
        fails(scripted.script(scripted.hello("AUTH " .. name), "C AUTH " .. name,
          "S 334 " .. challenge, "C *", "S 501 cancelled", table.unpack(QUIT)), { user = "ada",
          password = "TheSecret", mechanisms = { name } }, "not base64")
      end
    end
    local server <close> = scripted.server(scripted.script(scripted.hello("AUTH LOGIN"),
      "C AUTH LOGIN", "S 334 Zm9v\r\n334 x", "EOF"))
    local client, err = smtp.connect { url = server.url, auth = ADA }
    assert.is_nil(client)
    assert.equal("protocol", err.kind)
  end)

  it("C091 believes no SCRAM server that does not prove itself", function()
    local SCRAM = { user = "ada", password = "TheSecret", mechanisms = { "SCRAM-SHA-256" } }
    local function server_first(connection, change)
      local line = connection:line()
      local first = core.unbase64(line:match("^AUTH SCRAM%-SHA%-256 (%S+)$"))
      local nonce = first:match("r=([^,]+)")
      connection:say("334 " .. core.base64(change(nonce)) .. "\r\n")
    end
    local function script(change, ...)
      return scripted.script(scripted.hello("AUTH SCRAM-SHA-256"), function(connection)
        server_first(connection, change)
      end, ...)
    end
    local salt = core.base64("salt")
    local function fine(nonce) return ("r=%sX,s=%s,i=4096"):format(nonce, salt) end
    -- A success without the signature, at once or after the proof.
    local err = fails(scripted.script(scripted.hello("AUTH SCRAM-SHA-256"), "C AUTH",
      "S 235 welcome", "EOF"), SCRAM, "did not prove")
    assert.equal(235, err.code)
    fails(script(fine, "C ", "S 235 welcome", "EOF"), SCRAM, "did not prove")
    fails(script(fine, "C ", "S 334 " .. core.base64("v=" .. core.base64(("x"):rep(32))), "C *",
      "S 235 welcome", "EOF"), SCRAM, ".")
    -- Iterations and nonces.
    for _, iterations in ipairs { "1", "4095", "600001", "2147483648", "0", "-1", "x" } do
      local _, seen = fails(script(function(nonce)
        return ("r=%sX,s=%s,i=%s"):format(nonce, salt, iterations)
      end, "C *", "S 501 cancelled", "EOF"), SCRAM, ".")
      assert.is_nil(seen:find("TheSecret", 1, true))
      assert.is_nil(seen:find(core.base64("c=b"), 1, true)) -- how a proof begins
    end
    for _, change in ipairs {
      function() return "r=other,s=" .. salt .. ",i=4096" end,
      function(nonce) return ("r=%s,s=%s,i=4096"):format(nonce, salt) end,
      function(nonce) return ("r=X%s,s=%s,i=4096"):format(nonce, salt) end,
      function(nonce) return ("m=x,r=%sX,s=%s,i=4096"):format(nonce, salt) end,
      function() return "e=unknown-user" end, function() return "" end,
    } do
      fails(script(change, "C *", "S 501 cancelled", "EOF"), SCRAM, ".")
    end
  end)

  it("C092 says y where it could bind and the offer lacks -PLUS; n without TLS", function()
    local function first_message(offer, tls)
      local context = assert(core.tls_context { server = true, cert = identity.cert,
        key = identity.key })
      local message
      local server <close> = scripted.server(scripted.script(function(connection)
        if tls then connection:tls(context) end
      end, scripted.hello("AUTH " .. offer), function(connection)
        message = core.unbase64(connection:line():match("^AUTH %S+ (%S+)$"))
        connection:say("535 no\r\n")
      end, "C QUIT", "S 221 bye"))
      smtp.connect { host = "localhost", port = server.port, tls = tls and "implicit" or "none",
        ca = ca.certificate,
        auth = { user = "ada", password = "x", mechanisms = { "SCRAM-SHA-256" } } }
      return message
    end
    assert.matches("^y,,n=ada,r=", first_message("SCRAM-SHA-256", true))
    assert.matches("^n,,n=ada,r=", first_message("SCRAM-SHA-256 SCRAM-SHA-256-PLUS", true))
    assert.matches("^n,,n=ada,r=", first_message("SCRAM-SHA-256", false))
  end)

  it("shows a bare secret to nobody but a verified server", function()
    local stranger = authority.self_signed()
    local function script(name)
      return scripted.script(scripted.tls(stranger), scripted.hello("AUTH " .. name), "EOF")
    end
    -- To this machine it may go.
    local server <close> = scripted.server(scripted.script(scripted.tls(stranger),
      scripted.hello("AUTH PLAIN"), "C AUTH PLAIN", "S 235 ok", "C QUIT", "S 221 bye"))
    assert(smtp.connect { host = "127.0.0.1", port = server.port, tls = "implicit",
      verify = false, auth = ADA }):quit()
    -- The policy itself, as for a host off this machine.
    local auth = require "smtp.client.auth"
    local function run(name, fields)
      local one <close> = scripted.server(script(name))
      local client = assert(smtp.connect { host = "127.0.0.1", port = one.port, tls = "implicit",
        verify = false })
      local connection = client._connection
      connection.loopback, client.target.auth = false, fields
      local ok, err = auth.run(connection)
      client:close()
      return ok, err, table.concat(one.segments)
    end
    for _, name in ipairs { "PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER" } do
      local ok, err, seen = run(name, { user = "ada", password = "TheSecret",
        token = "TheSecret", mechanisms = { name } })
      assert.is_nil(ok)
      assert.equal("auth", err.kind)
      assert.matches(name .. " needs TLS with a verified certificate", tostring(err))
      assert.matches("cleartext", err.hint)
      assert.truthy(seen:find("^EHLO"))
      assert.is_nil(seen:find("AUTH", 1, true))
    end
  end)

  it("tries the next mechanism where one is too weak or not there after all", function()
    local login = { "C AUTH LOGIN", "S 334 ", "C ", "S 334 ", "C ", "S 235 ok", "C QUIT",
      "S 221 bye" }
    for _, reply in ipairs { "504 5.5.4 not here", "534 5.7.9 too weak", "502 5.5.1 what?",
      "500 what?", "501 5.5.4 no initial response", "538 5.7.11 not so" } do
      goes_well("PLAIN LOGIN", ADA, "C AUTH PLAIN", "S " .. reply, table.unpack(login))
    end
    -- A challenge that is none: of SCRAM, and one too many of PLAIN.
    goes_well("SCRAM-SHA-256 LOGIN", ADA, "C AUTH SCRAM-SHA-256", "S 334 VXNlcm5hbWU6", "C *",
      "S 501 cancelled", table.unpack(login))
    goes_well("SCRAM-SHA-256 LOGIN", ADA, "C AUTH SCRAM-SHA-256", "S 334 ???", "C *",
      "S 535 cancelled", table.unpack(login))
    goes_well("PLAIN LOGIN", ADA, "C AUTH PLAIN", "S 334 ", "C ", "S 334 ", "C *",
      "S 501 cancelled", table.unpack(login))
    -- But not where a server has failed to prove itself.
    fails(scripted.script(scripted.hello("AUTH SCRAM-SHA-256 LOGIN"), "C AUTH SCRAM-SHA-256",
      "S 334 " .. core.base64("r=other,s=c2FsdA==,i=4096"), "C *", "S 501 cancelled",
      table.unpack(QUIT)), ADA, "nonce")
    -- The last one's error is that of all.
    fails(scripted.script(scripted.hello("AUTH PLAIN LOGIN"), "C AUTH PLAIN", "S 504 no",
      "C AUTH LOGIN", "S 504 neither", table.unpack(QUIT)), ADA, "504 neither")
    local server <close> = scripted.server(scripted.script(scripted.hello("AUTH PLAIN LOGIN"),
      "C AUTH PLAIN", "S 535 5.7.8 wrong", "C QUIT", "S 221 bye"))
    local client, err = smtp.connect { url = server.url, auth = ADA }
    assert.is_nil(client)
    assert.equal(535, err.code)
    assert.is_nil(server:done())
  end)

  it("ends with a 421, a breach, a closed connection", function()
    local server <close> = scripted.server(scripted.script(scripted.hello("AUTH PLAIN"), "C AUTH",
      "S 421 bye", "EOF"))
    local client, err = smtp.connect { url = server.url, auth = ADA }
    assert.is_nil(client)
    assert.equal(421, err.code)
    local other <close> = scripted.server(scripted.script(scripted.hello("AUTH PLAIN"), "C AUTH",
      "CLOSE"))
    client, err = smtp.connect { url = other.url, auth = ADA }
    assert.is_nil(client)
    assert.same({ "closed", "auth" }, { err.kind, err.stage })
  end)

  it("is as lenient in a dialogue", function()
    local plain = core.base64("\0ada\0TheSecret")
    local server <close> = scripted.server(scripted.script("S 220 mx", "C AUTH LOGIN",
      "S 334 Username:", "C " .. USER, "S 334 ?", "C " .. PASSWORD, "S 535 no",
      "C AUTH PLAIN " .. plain, "S 334 go ahead", "C " .. plain, "S 235 fine", "C AUTH CRAM-MD5",
      "S 334 ?", "C *", "S 501 no", "EOF"))
    local d <close> = assert(smtp.dialogue(server.url, { timeout = 5 }))
    assert(d:expect(220))
    local reply, err = d:auth("LOGIN", "ada", "TheSecret")
    assert.is_nil(reply)
    assert.equal(535, err.code)
    assert.equal(235, assert(d:auth("PLAIN", "ada", "TheSecret")).code)
    reply, err = d:auth("CRAM-MD5", "ada", "TheSecret")
    assert.is_nil(reply)
    assert.matches("not base64", tostring(err))
  end)
end)
