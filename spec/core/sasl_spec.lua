local core = require "smtp.core"
local sasl = require "spec.support.sasl"

local function client_of(mechanism, options) return assert(core.sasl_client(mechanism, options)) end
local function server_of(mechanism, options)
  return assert(core.sasl_server(mechanism, options or {}))
end

-- Checks a server's result for each first message of a client.
local function judge(mechanism, options, cases)
  for text, wanted in pairs(cases) do
    local server = server_of(mechanism, options)
    local what, _, kind = server:next(text)
    assert.equal(wanted, what or kind, ("%q"):format(text))
    if wanted == "syntax" then
      assert.same({ nil, "syntax" }, { (server:next("")), (select(3, server:next(""))) })
    end
  end
end

local function invalid(mechanism, list)
  for _, options in ipairs(list) do
    local first, reason, kind = client_of(mechanism, options):first()
    assert.same({ nil, "invalid" }, { first, kind })
    assert.is_true(#reason > 0)
  end
end

-- No challenge, cut or changed, does more than end a client's exchange.
local function survives(make, challenge)
  for _, each in ipairs { sasl.truncations, sasl.flips } do
    for text in each(challenge) do
      local client = make()
      client:first()
      client:next(text)
      client:next(text)
    end
  end
end

describe("sasl", function()
  it("knows its mechanisms in any case", function()
    for _, name in ipairs { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS",
      "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "XOAUTH2", "OAUTHBEARER", "EXTERNAL" } do
      assert.equal(name, client_of(name:lower(), {}):mechanism())
      assert.equal(name, server_of(name):mechanism())
    end
    for _, name in ipairs { "", "PLAI", "PLAINX", "SCRAM-SHA-512", "PLAIN\0", "GSSAPI" } do
      assert.same({ nil, "unknown mechanism" }, { core.sasl_client(name, {}) })
      assert.same({ nil, "unknown mechanism" }, { core.sasl_server(name, {}) })
    end
  end)

  it("raises for what is misused", function()
    assert.error_matches(function() core.sasl_client("PLAIN") end, "table expected")
    assert.error_matches(function()
      core.sasl_client("PLAIN", { usr = "x" })
    end, "unknown option 'usr'")
    assert.error_matches(function()
      core.sasl_client("PLAIN", { user = 1 })
    end, "'user' must be a string")
    assert.error_matches(function()
      core.sasl_server("PLAIN", { iterations = 0 })
    end, "'iterations' must be an integer")
    local client = client_of("PLAIN", { user = "a", password = "b" })
    assert.error_matches(function() client:next("") end, "called out of order") -- before first
    assert.equal("\0a\0b", client:first())
    assert.error_matches(function() client:first() end, "called out of order")
    assert.error_matches(function() client:lookup("x") end, "called out of order")
    assert.error_matches(function() client:refuse() end, "called out of order")
    local server = server_of("PLAIN")
    assert.error_matches(function() server:refuse() end, "called out of order")
    assert.equal("done", server:next("\0a\0b"))
    assert.error_matches(function() server:next("\0a\0b") end, "called out of order")
    assert.error_matches(function() server:lookup("x") end, "called out of order")
  end)

  -- RFC 4013 section 2.3, for which RFC 4616 section 2 and RFC 5802 section 5.1 ask
  it("has no name with a control, whatever the mechanism", function()
    local digest = " " .. ("0"):rep(32)
    for _, control in ipairs { "\1", "\t", "\r\nReceived: x", "\n", "\27", "\127" } do
      local name = "a" .. control .. "b"
      for mechanism, messages in pairs {
        PLAIN = { { "\0%s\0p" }, { "%s\0u\0p" } }, LOGIN = { { "%s", "p" } },
        ["CRAM-MD5"] = { { "%s" .. digest } },
        ["SCRAM-SHA-1"] = { { "n,,n=%s,r=x" }, { "n,a=%s,n=u,r=x" } },
        ["SCRAM-SHA-256"] = { { "n,,n=%s,r=x" }, { "n,a=%s,n=u,r=x" } },
        XOAUTH2 = { { "user=%s\1auth=Bearer t\1\1" } },
        OAUTHBEARER = { { "n,a=%s,\1auth=Bearer t\1\1" } }, EXTERNAL = { { "%s" } },
      } do
        for _, list in ipairs(messages) do
          for _, each in ipairs { "a.b@\u{e9}", name } do
            local server, got = server_of(mechanism, { certificate = "c" })
            if mechanism == "CRAM-MD5" then server:first() end
            for _, message in ipairs(list) do
              got = { server:next((message:gsub("%%s", each))) }
            end
            if each == name then
              assert.same({ nil, "syntax" }, { got[1], got[3] }, ("%s %q"):format(mechanism, name))
              assert.equal("syntax", (select(3, server:next(""))))
            else
              assert.is_truthy(got[1] == "done" or got[1] == "lookup", mechanism)
            end
          end
        end
      end
    end
  end)

  it("asks for no password behind such a name", function()
    assert.same({ nil, "a control in a name", "syntax" }, { server_of("LOGIN"):next("a\tb") })
  end)

  it("closes once, by whatever way", function()
    local client = client_of("PLAIN", { user = "a", password = "b" })
    do local scoped <close> = client; assert.is_true(scoped:complete()) end
    for _, name in ipairs { "first", "next", "lookup", "credentials", "refuse", "complete",
      "problem", "mechanism" } do
      assert.error_matches(function() client[name](client, "") end, "the exchange is closed", name)
    end
    client:close()
    assert.error_matches(function() client.close(io.stdout) end, "smtp.sasl expected")
    assert.error_matches(function() client.next({}, "") end, "smtp.sasl expected")
  end)

  it("takes messages up to a length", function()
    judge("PLAIN", {}, { ["\0u\0" .. ("p"):rep(9216 - 3)] = "done",
      ["\0u\0" .. ("p"):rep(9216 - 2)] = "syntax" })
    invalid("PLAIN", { { user = "u", password = ("p"):rep(9216 - 2) } })
    assert.equal(9216, #client_of("PLAIN", { user = "u", password = ("p"):rep(9213) }):first())
  end)
end)

describe("PLAIN", function()
  it("C089 carries the identity to act as", function()
    local client, server = sasl.pair("PLAIN",
      { user = "tim", password = "tanstaaf", authzid = "Ursel" }, {})
    local outcome, messages = sasl.run(client, server)
    assert.same({ "done" }, outcome)
    assert.same({ "Ursel\0tim\0tanstaaf" }, messages) -- RFC 4616 section 4
    assert.same({ user = "tim", password = "tanstaaf", authzid = "Ursel" }, server:credentials())
    assert.is_true(client:complete())
    assert.equal("done", server:refuse())
  end)

  it("C089 has exactly two NULs, a user and a password", function()
    judge("PLAIN", {}, { ["\0u\0p"] = "done", ["a\0u\0p"] = "done", [""] = "syntax",
      ["\0"] = "syntax", ["\0\0"] = "syntax", ["\0\0p"] = "syntax", ["\0u\0"] = "syntax",
      ["u"] = "syntax", ["\0u"] = "syntax", ["\0u\0p\0"] = "syntax", ["\0u\0p\0x"] = "syntax",
      ["\0\0\0"] = "syntax", ["a\0\0p"] = "syntax" })
    invalid("PLAIN", { { user = "u" }, { password = "p" }, { user = "u\0", password = "p" },
      { user = "u", password = "\0p" }, { user = "u", password = "p", authzid = "\0" } })
  end)

  it("has one message, which goes once more where it is asked for", function()
    for _, challenge in ipairs { "", "Password:", "\0\255" } do
      local client = client_of("PLAIN", { user = "u", password = "p" })
      client:first()
      assert.same({ "continue", "\0u\0p" }, { client:next(challenge) })
      assert.is_true(client:complete())
      assert.same({ nil, "syntax" }, { (client:next(challenge)), (select(3, client:next(""))) })
      assert.is_false(client:complete())
    end
    assert.is_nil((server_of("PLAIN"):first()))
  end)

  it("cut anywhere is never whole", function()
    for text in sasl.truncations("a\0u\0p") do judge("PLAIN", {}, { [text] = "syntax" }) end
  end)
end)

describe("LOGIN", function()
  it("asks twice", function()
    local client, server = sasl.pair("LOGIN", { user = "tim", password = "p w" }, {})
    local outcome, messages = sasl.run(client, server)
    assert.same({ "done" }, outcome)
    assert.same({ "Username:", "tim", "Password:", "p w" }, messages)
    assert.same({ user = "tim", password = "p w" }, server:credentials())
  end)

  it("takes the user at once", function()
    local server = server_of("LOGIN")
    assert.same({ "continue", "Password:" }, { server:next("tim") })
    assert.equal("done", server:next("x"))
    assert.same({ user = "tim", password = "x" }, server:credentials())
  end)

  it("answers whatever is asked, but twice", function()
    local client = client_of("LOGIN", { user = "u", password = "p" })
    assert.equal(0, select("#", client:first()))
    assert.same({ "continue", "u" }, { client:next("Password:") })
    assert.same({ "continue", "p" }, { client:next("") })
    assert.equal("syntax", select(3, client:next("")))
    judge("LOGIN", {}, { [""] = "syntax", ["a\0"] = "syntax", ["a"] = "continue" })
    local server = server_of("LOGIN")
    server:next("a")
    assert.equal("syntax", select(3, server:next("\0")))
    invalid("LOGIN", { { password = "p" }, { user = "a\0" }, { user = "a", password = "\0" } })
  end)
end)

describe("CRAM-MD5", function()
  local challenge = "<1896.697170952@postoffice.reston.mci.net>"
  local response = "tim b913a602c7eda7a495b4e6e7334d3890" -- RFC 2195 section 2
  local function new_server()
    local server = server_of("CRAM-MD5",
      { nonce = "1896.697170952", hostname = "postoffice.reston.mci.net" })
    assert.equal(challenge, server:first())
    return server
  end

  it("C094 is that of the vector", function()
    local client = client_of("CRAM-MD5", { user = "tim", password = "tanstaaftanstaaf" })
    assert.equal(0, select("#", client:first()))
    assert.same({ "continue", response }, { client:next(challenge) })
    assert.equal("syntax", select(3, client:next(challenge)))
    local server = new_server()
    assert.equal("lookup", server:next(response))
    assert.same({ user = "tim" }, server:credentials())
    assert.equal("done", server:lookup("tanstaaftanstaaf"))
    assert.same({ user = "tim", verified = true }, server:credentials())
  end)

  it("C094 has a msg-id that nobody foresees", function()
    local seen = {}
    for _ = 1, 20 do
      local text = server_of("CRAM-MD5", { hostname = "mx.example.org" }):first()
      assert.matches("^<%d+%.%d+@mx%.example%.org>$", text)
      assert.is_nil(seen[text])
      seen[text] = true
    end
    assert.matches("^<%d+%.%d+@localhost>$", (server_of("CRAM-MD5"):first()))
  end)

  it("C094 begins with it", function()
    judge("CRAM-MD5", {}, { [""] = "syntax", [response] = "syntax" })
    local client = client_of("CRAM-MD5", { user = "tim", password = "p" })
    client:first()
    assert.equal("syntax", select(3, client:next("")))
  end)

  it("fails alike for nobody, a wrong password and keys of SCRAM", function()
    local outcomes = {}
    for i, answer in ipairs { { "wrong" }, { nil }, { nil, true }, { core.scram_keys("x") } } do
      local server = new_server()
      server:next(response)
      outcomes[i] = { server:lookup(answer[1], answer[2]) }
      assert.is_nil(server:credentials().verified)
    end
    for _, outcome in ipairs(outcomes) do
      assert.same({ nil, "the user or the password is wrong", "auth" }, outcome)
    end
  end)

  it("does not let in who knows the password that stands for nobody's", function()
    local client = client_of("CRAM-MD5", { user = "tim", password = "0123456789abcdef" })
    client:first()
    local server = new_server()
    local _, answer = client:next(challenge)
    assert.equal("lookup", server:next(answer))
    assert.equal("auth", select(3, server:lookup(nil)))
  end)

  it("verifies nothing that was cut or changed", function()
    for _, each in ipairs { sasl.truncations, sasl.flips } do
      for text in each(response) do
        local server = new_server()
        local what, _, kind = server:next(text)
        if what == "lookup" and text:sub(1, 4) == "tim " then
          what = server:lookup("tanstaaftanstaaf")
        end
        assert.not_equal("done", what)
        assert.is_true(what == "lookup" or kind == "syntax" or kind == nil)
        assert.is_nil(server:credentials().verified)
      end
    end
    for _, text in ipairs { response:upper(), response .. " ", " " .. response:sub(5),
      response:gsub(" ", "\0"), "a\tb" .. response:sub(4) } do
      assert.equal("syntax", select(3, new_server():next(text)))
    end
    local server = new_server()
    assert.equal("lookup", server:next("a b" .. response:sub(4)))
    assert.equal("a b", server:credentials().user)
    invalid("CRAM-MD5", { { password = "p" }, { user = "a\n" }, { user = "a", password = "\0" } })
  end)
end)

describe("OAUTHBEARER", function()
  local A = "\1"
  local TOKEN = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==" -- RFC 7628 section 4.1
  local function message(gs2, fields) return gs2 .. A .. fields .. A .. A end

  it("C167 is that of the RFC", function()
    local client, server = sasl.pair("OAUTHBEARER", { user = "user@example.com",
      host = "server.example.com", port = 587, password = TOKEN }, {})
    local outcome, messages = sasl.run(client, server)
    assert.same({ "done" }, outcome)
    assert.same({ message("n,a=user@example.com,", "host=server.example.com" .. A .. "port=587" .. A
      .. "auth=Bearer " .. TOKEN) }, messages)
    assert.same({ user = "user@example.com", token = TOKEN },
      server:credentials())
    assert.is_true(client:complete())
  end)

  it("C167 escapes names", function()
    local client, server = sasl.pair("OAUTHBEARER", { user = "a,b=c", password = "t" }, {})
    local outcome, messages = sasl.run(client, server)
    assert.same({ "done" }, outcome)
    assert.same({ message("n,a=a=2Cb=3Dc,", "auth=Bearer t") }, messages)
    assert.same({ user = "a,b=c", token = "t" }, server:credentials())
    client, server = sasl.pair("OAUTHBEARER", { password = "t" }, {})
    outcome, messages = sasl.run(client, server)
    assert.same({ "done" }, outcome)
    assert.same({ message("n,,", "auth=Bearer t") }, messages)
    assert.same({ token = "t" }, server:credentials())
  end)

  it("C167 is read strictly", function()
    judge("OAUTHBEARER", {}, {
      [message("n,,", "auth=bearer t")] = "done", [message("y,,", "auth=Bearer t")] = "done",
      [message("n,,", "x=y" .. A .. "auth=Bearer t" .. A .. "qs=a\r\n")] = "done",
      [""] = "syntax", [A] = "syntax", ["n,,"] = "syntax", ["n,," .. A] = "syntax",
      ["n,," .. A .. A] = "syntax", [message("p=tls-exporter,,", "auth=Bearer t")] = "syntax",
      [message("n,,", "auth=Basic t")] = "syntax", [message("n,,", "auth=Bearer ")] = "syntax",
      [message("n,,", "auth=Bearer  t")] = "syntax", [message("n,,", "auth=Bearer t t")] = "syntax",
      [message("n,,", "auth=Bearer\tt")] = "syntax",
      [message("n,,", "auth=Bearer t\xe9")] = "syntax",
      [message("n,,", "auth=Bearer t" .. A .. "auth=Bearer t")] = "syntax",
      [message("n,,", "host=x")] = "syntax",
      [message("n,,", "=x" .. A .. "auth=Bearer t")] = "syntax",
      [message("n,,", "h_=x" .. A .. "auth=Bearer t")] = "syntax",
      [message("n,,", "host" .. A .. "auth=Bearer t")] = "syntax",
      [message("n,,", "host=\0" .. A .. "auth=Bearer t")] = "syntax",
      [message("n,a==2c,", "auth=Bearer t")] = "syntax",
      [message("n,a=,", "auth=Bearer t")] = "syntax",
      [message("n,a=x\2,", "auth=Bearer t")] = "syntax",
      [message("n,,", "auth=Bearer t") .. "x"] = "syntax",
      [message("n,,", "auth=Bearer t") .. A] = "syntax",
      ["n,," .. A .. "auth=Bearer t" .. A] = "syntax",
    })
    -- Fields that it does not know, those of XOAUTH2 among them, in front and behind.
    for _, field in ipairs { "user=eve", "user=", "host=", "host=x", "port=25", "mthd=POST",
      "path=/", "post=", "qs=", "authz=Bearer x", "aut=Bearer x", "AUTHX=Bearer x" } do
      for _, fields in ipairs { field .. A .. "auth=Bearer t", "auth=Bearer t" .. A .. field,
        field .. A .. field .. A .. "auth=Bearer t" } do
        local server = server_of("OAUTHBEARER")
        assert.equal("done", server:next(message("n,a=ada,", fields)), fields)
        assert.same({ user = "ada", token = "t" }, server:credentials())
      end
    end
    for text in sasl.truncations(message("n,a=user,", "host=x" .. A .. "auth=Bearer t")) do
      judge("OAUTHBEARER", {}, { [text] = "syntax" })
    end
    for text in sasl.flips(message("n,a=user,", "auth=Bearer t")) do
      server_of("OAUTHBEARER"):next(text)
    end
    invalid("OAUTHBEARER", { { user = "u" }, { password = "a b" }, { password = "a\1" },
      { password = "t", user = "\1" }, { password = "t", host = "\1auth=x" } })
  end)

  it("C093 answers the refusal with ^A, and keeps its JSON", function()
    local client, server = sasl.pair("OAUTHBEARER", { user = "u", password = "t" }, {})
    assert.equal("done", server:next(client:first()))
    local what, json = server:refuse()
    assert.same({ "continue", '{"status":"invalid_token"}' }, { what, json })
    assert.equal("", client:problem())
    assert.same({ "continue", "\1" }, { client:next(json) })
    assert.equal(json, client:problem())
    assert.is_false(client:complete()) -- not even if 235 follows
    assert.same({ nil, "the token was refused", "auth" }, { server:next("\1") })
    assert.equal("syntax", select(3, client:next(json)))
    assert.has_no_error(function() survives(function()
      return client_of("OAUTHBEARER", { user = "u", password = "t" })
    end, json) end)
  end)

  it("C093 waits for any message after its refusal", function()
    for _, answer in ipairs { "", "\1", "anything", message("n,,", "auth=Bearer t") } do
      local server = server_of("OAUTHBEARER")
      server:next(message("n,,", "auth=Bearer t"))
      server:refuse()
      assert.same({ nil, "auth" }, { (server:next(answer)), (select(3, server:next(answer))) })
    end
  end)
end)

describe("XOAUTH2", function()
  local A = "\1"
  it("C168 carries a user and a token", function()
    local client, server = sasl.pair("XOAUTH2", { user = "some,user=x", password = "ya29.vF9" }, {})
    local outcome, messages = sasl.run(client, server)
    assert.same({ "done" }, outcome)
    assert.same({ "user=some,user=x\1auth=Bearer ya29.vF9\1\1" }, messages)
    assert.same({ user = "some,user=x", token = "ya29.vF9" }, server:credentials())
  end)

  it("C168 answers the refusal with nothing", function()
    local client, server = sasl.pair("XOAUTH2", { user = "u", password = "t" }, {})
    assert.equal("done", server:next(client:first()))
    local what, json = server:refuse()
    assert.same({ "continue", '{"status":"400","schemes":"Bearer"}' }, { what, json })
    assert.same({ "continue", "" }, { client:next(json) })
    assert.equal(json, client:problem())
    assert.is_false(client:complete())
    assert.same({ nil, "the token was refused", "auth" }, { server:next("") })
  end)

  it("C168 is read strictly", function()
    local whole = "user=u" .. A .. "auth=Bearer t" .. A .. A
    judge("XOAUTH2", {}, { [whole] = "done", [""] = "syntax", [whole .. A] = "syntax",
      ["auth=Bearer t" .. A .. A] = "syntax",
      ["user=" .. A .. "auth=Bearer t" .. A .. A] = "syntax",
      ["user=u" .. A .. "user=v" .. A .. "auth=Bearer t" .. A .. A] = "syntax",
      ["user=u" .. A .. A] = "syntax", ["user=u\n" .. A .. "auth=Bearer t" .. A .. A] = "syntax" })
    for text in sasl.truncations(whole) do judge("XOAUTH2", {}, { [text] = "syntax" }) end
    for text in sasl.flips(whole) do server_of("XOAUTH2"):next(text) end
    invalid("XOAUTH2", { { user = "u" }, { password = "t" }, { user = "u\1", password = "t" } })
  end)
end)

describe("EXTERNAL", function()
  it("C090 takes an empty response for the certificate's name", function()
    local client, server = sasl.pair("EXTERNAL", {}, { certificate = "CN=tim" })
    local outcome, messages = sasl.run(client, server)
    assert.same({ "done" }, outcome)
    assert.same({ "" }, messages)
    assert.same({ user = "CN=tim", verified = true }, server:credentials())
    assert.is_true(client:complete())
  end)

  it("C090 carries the identity to act as", function()
    local client, server = sasl.pair("EXTERNAL", { authzid = "ursel" }, { certificate = "tim" })
    assert.same({ "done" }, (sasl.run(client, server)))
    assert.same({ user = "tim", authzid = "ursel", verified = true }, server:credentials())
  end)

  it("C090 is refused without a certificate", function()
    judge("EXTERNAL", {}, { [""] = "auth", ["tim"] = "auth", ["t\0"] = "syntax" })
    invalid("EXTERNAL", { { authzid = "\0" } })
    local client = client_of("EXTERNAL", {})
    client:first()
    assert.same({ "continue", "" }, { client:next("") })
    assert.equal("syntax", select(3, client:next("")))
  end)
end)
