local core = require "smtp.core"
local sasl = require "spec.support.sasl"

local b64, unb64 = core.base64, core.unbase64

-- RFC 5802 section 5 and RFC 7677 section 3
local vectors = {
  ["SCRAM-SHA-1"] = {
    client = "fyko+d2lbbFgONRv9qkxdawL", server = "3rfcNHYJY1ZVvWVs7j", salt = "QSXCR+Q6sek8bf92",
    proof = "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", signature = "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
  },
  ["SCRAM-SHA-256"] = {
    client = "rOprNGfwEbeRWgbNEkqO", server = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    salt = "W22ZaJ0SNY7soEsUEjb6gQ==",
    proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    signature = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
  },
}

local function first_of(v) return "n,,n=user,r=" .. v.client end
local function challenge_of(v)
  return "r=" .. v.client .. v.server .. ",s=" .. v.salt .. ",i=4096"
end
local function final_of(v) return "c=biws,r=" .. v.client .. v.server .. ",p=" .. v.proof end

local SECRET = "the secret of this server"

local function new_client(mechanism, options)
  local o = { user = "user", password = "pencil" }
  for k, v in pairs(options or {}) do o[k] = v end
  return assert(core.sasl_client(mechanism, o))
end

local function new_server(mechanism, options)
  local o = { secret = SECRET }
  for k, v in pairs(options or {}) do o[k] = v end
  return assert(core.sasl_server(mechanism, o))
end

-- A client of the vector that has sent its first message.
local function vector_client(mechanism)
  local v = vectors[mechanism]
  local client = new_client(mechanism, { nonce = v.client })
  assert.equal(first_of(v), client:first())
  return client, v
end

-- A server of the vector that has sent its challenge.
local function vector_server(mechanism)
  local v = vectors[mechanism]
  local server = new_server(mechanism, { nonce = v.server })
  assert.equal("lookup", server:next(first_of(v)))
  local keys = core.scram_keys("pencil", { mechanism = mechanism, salt = unb64(v.salt) })
  assert.same({ "continue", challenge_of(v) }, { server:lookup(keys) })
  return server, v
end

for mechanism in pairs(vectors) do
  describe(mechanism, function()
    it("C091 is the client of the vector", function()
      local client, v = vector_client(mechanism)
      assert.is_false(client:complete())
      assert.same({ "continue", final_of(v) }, { client:next(challenge_of(v)) })
      assert.is_false(client:complete())
      assert.same({ "continue", "" }, { client:next("v=" .. v.signature) })
      assert.is_true(client:complete())
      assert.equal("syntax", select(3, client:next("")))
      assert.is_false(client:complete())
    end)

    it("C091 is the server of the vector", function()
      local server, v = vector_server(mechanism)
      assert.same({ "continue", "v=" .. v.signature }, { server:next(final_of(v)) })
      assert.is_nil(server:credentials().verified)
      assert.equal("done", server:next(""))
      assert.same({ user = "user", verified = true }, server:credentials())
      assert.equal("done", server:refuse())
    end)

    it("C091 wants the empty message that ends it", function()
      local server, v = vector_server(mechanism)
      server:next(final_of(v))
      assert.equal("syntax", select(3, server:next("x")))
      assert.is_nil(server:credentials().verified)
    end)

    it("C091 believes no count of iterations out of bounds", function()
      for count, kind in pairs {
        ["1"] = "auth", ["4095"] = "auth", ["600001"] = "auth", ["2147483648"] = "auth",
        ["4294971392"] = "auth", ["18446744073709555712"] = "auth", [("9"):rep(40)] = "auth",
        ["0"] = "syntax", ["-1"] = "syntax", ["4096x"] = "syntax", ["04096"] = "syntax",
        [""] = "syntax", [" 4096"] = "syntax", ["+4096"] = "syntax", ["4096,"] = "syntax",
      } do
        local client, v = vector_client(mechanism)
        local challenge = challenge_of(v):gsub("i=4096$", "i=" .. count)
        local what, _, got = client:next(challenge)
        assert.same({ nil, kind }, { what, got }, count)
        assert.is_false(client:complete())
      end
    end)

    it("C091 wants its nonce extended", function()
      local v = vectors[mechanism]
      for _, nonce in ipairs { v.client, v.client:sub(1, -2), "x" .. v.client .. v.server,
        v.server, v.client:sub(1, -2) .. "_" .. v.server, v.client:upper() .. v.server } do
        local client = vector_client(mechanism)
        local what, reason, kind = client:next("r=" .. nonce .. ",s=" .. v.salt .. ",i=4096")
        assert.same({ nil, "auth" }, { what, kind })
        assert.matches("nonce", reason)
      end
    end)

    it("C091 reads the challenge strictly", function()
      local v = vectors[mechanism]
      local r, s = "r=" .. v.client .. v.server, ",s=" .. v.salt
      for _, text in ipairs { "", ",", r, r .. s, r .. ",i=4096", r .. ",s=,i=4096", s .. ",i=4096",
        r .. ",s=QSX,i=4096", r .. ",s=QSX CR+Q,i=4096", r .. ",s=QQ==QQ==,i=4096",
        r .. ",s=QR==,i=4096", r .. ",i=4096" .. s, r .. s .. ",i=4096,", r .. s .. ",i=4096,1=x",
        r .. s .. ",i=4096,x", r .. "\0" .. s .. ",i=4096", r .. s .. ",i=4096,x=\0",
        r .. "\xff" .. s .. ",i=4096", "r=" .. v.client .. ("x"):rep(1100) .. s .. ",i=4096",
        ("x"):rep(9217), "e=other-error" } do
        local client = vector_client(mechanism)
        assert.equal("syntax", select(3, client:next(text)), text)
        assert.equal("syntax", select(3, client:next(challenge_of(v)))) -- it stays failed
      end
      local client = vector_client(mechanism)
      assert.equal("continue", client:next(challenge_of(v) .. ",x=an extension"))
    end)

    it("C091 refuses m= on both sides", function()
      local client, v = vector_client(mechanism)
      assert.equal("auth", select(3, client:next("m=x," .. challenge_of(v))))
      client = vector_client(mechanism)
      assert.equal("auth", select(3, client:next(challenge_of(v) .. ",m=x")))
      for _, bare in ipairs { "m=x,n=user,r=abc", "n=user,r=abc,m=x" } do
        assert.equal("auth", select(3, new_server(mechanism):next("n,," .. bare)))
      end
      local server = vector_server(mechanism)
      assert.equal("auth", select(3, server:next((final_of(v):gsub(",p=", ",m=x,p=")))))
    end)

    it("C091 is complete only with the right v=", function()
      local v = vectors[mechanism]
      local wrong = (v.signature:gsub("^.", "A"))
      for text, kind in pairs {
        [""] = "syntax", ["v="] = "syntax", ["v=" .. wrong] = "auth", [v.signature] = "syntax",
        ["V=" .. v.signature] = "syntax", ["v=" .. v.signature:sub(1, -5)] = "syntax",
        ["v=" .. v.signature .. "AAAA"] = "syntax", ["v=" .. v.signature .. ","] = "syntax",
        ["v=" .. b64(unb64(v.signature):sub(1, -2))] = "syntax", ["v=" .. v.proof] = "auth",
        ["x=y,v=" .. v.signature] = "syntax", ["v=" .. v.signature .. ",m=x"] = "auth",
      } do
        local client = vector_client(mechanism)
        client:next(challenge_of(v))
        local what, _, got = client:next(text)
        assert.same({ nil, kind }, { what, got }, text)
        assert.is_false(client:complete())
      end
    end)

    it("C091 surfaces e=", function()
      for error, pattern in pairs {
        ["invalid-proof"] = "invalid%-proof", ["other-error"] = "other%-error",
        ["channel-bindings-dont-match"] = "bindings%-dont", ["no idea\27[2J"] = "unknown error$",
      } do
        local client, v = vector_client(mechanism)
        client:next(challenge_of(v))
        local what, reason, kind = client:next("e=" .. error)
        assert.is_nil(what)
        assert.equal("auth", kind)
        assert.matches(pattern, reason)
        assert.equal(reason, select(2, client:next("")))
        assert.is_false(client:complete())
      end
    end)

    it("C091 fails cleanly for a message that is cut or changed", function()
      local v = vectors[mechanism]
      for text in sasl.truncations(challenge_of(v)) do
        local client = vector_client(mechanism)
        client:next(text)
        client:next("v=" .. v.signature)
        assert.is_false(client:complete(), text)
      end
      for _, each in ipairs { sasl.truncations, sasl.flips } do
        for text in each("v=" .. v.signature) do
          local client = vector_client(mechanism)
          client:next(challenge_of(v))
          assert.is_nil((client:next(text)))
          assert.is_false(client:complete(), text)
        end
        for text in each(final_of(v)) do
          local server = vector_server(mechanism)
          assert.is_nil((server:next(text)), text)
          assert.is_nil((server:next("")))
          assert.is_nil(server:credentials().verified)
        end
        for text in each(first_of(v)) do
          local server = new_server(mechanism, { nonce = v.server })
          local keys = core.scram_keys("pencil", { mechanism = mechanism, salt = unb64(v.salt) })
          if server:next(text) == "lookup" then
            server:lookup(keys)
            assert.is_nil((server:next(final_of(v))), text)
          end
        end
      end
    end)

    it("C091 reads the last message strictly", function()
      local v = vectors[mechanism]
      local r = ",r=" .. v.client .. v.server
      for text, kind in pairs {
        ["c=biws" .. r] = "syntax", ["c=biws" .. r .. ",p="] = "syntax",
        ["c=biws" .. r .. ",p=" .. v.proof .. ",x=y"] = "syntax",
        ["c=biws" .. r .. ",p=" .. v.proof .. ","] = "syntax",
        ["c=biws,p=" .. v.proof] = "syntax", ["c=biws" .. r .. ",p=" .. v.signature] = "auth",
        ["c=biws,r=" .. v.client .. ",p=" .. v.proof] = "auth",
        ["c=biws" .. r .. "x,p=" .. v.proof] = "auth",
        ["c=eSws" .. r .. ",p=" .. v.proof] = "auth", ["c=" .. r .. ",p=" .. v.proof] = "auth",
        ["c=biws" .. r .. ",x=y,p=" .. v.proof] = "auth", -- it was not signed
      } do
        local server = vector_server(mechanism)
        local what, _, got = server:next(text)
        assert.same({ nil, kind }, { what, got }, text)
      end
      for _, nonce in ipairs { v.client, v.server, v.client .. v.server .. "x" } do
        local server = vector_server(mechanism)
        assert.matches("nonce", (select(2, server:next("c=biws,r=" .. nonce .. ",p=" .. v.proof))))
      end
    end)

    it("C091 reads the first message strictly", function()
      for text, kind in pairs {
        [""] = "syntax", ["n"] = "syntax", ["n,"] = "syntax", ["n,,"] = "syntax",
        ["n,,n=user"] = "syntax", ["n,,n=,r=x"] = "syntax", ["n,,n=user,r="] = "syntax",
        ["x,,n=user,r=x"] = "syntax", ["nn,,n=user,r=x"] = "syntax", ["n,b=x,n=u,r=x"] = "syntax",
        ["n,a=,n=user,r=x"] = "syntax", ["n,a==,n=user,r=x"] = "syntax",
        ["n,,n=us=er,r=x"] = "syntax", ["n,,n=us=2,r=x"] = "syntax", ["n,,n=us=2D,r=x"] = "syntax",
        ["n,,n=user,r=a b"] = "syntax", ["n,,n=user,r=x,"] = "syntax", ["n,,r=x,n=user"] = "syntax",
        ["n,,n=us\0er,r=x"] = "syntax", ["n,,n=us\xffer,r=x"] = "syntax",
        ["n,,n=user,r=" .. ("x"):rep(1025)] = "syntax", ["p=,,n=user,r=x"] = "syntax",
        ["p=tls-exporter,,n=user,r=x"] = "auth",
      } do
        local what, _, got = new_server(mechanism):next(text)
        assert.same({ nil, kind }, { what, got }, text)
      end
      assert.equal("lookup", new_server(mechanism):next("n,,n=user,r=x,y=an extension"))
      assert.equal("lookup", new_server(mechanism):next("y,,n=user,r=" .. ("x"):rep(1024)))
    end)

    it("C091 carries names with commas, and another identity", function()
      local client = new_client(mechanism, { user = "a,b=c\u{e9}", authzid = "x=,y", nonce = "N" })
      local first = client:first()
      assert.equal("n,a=x=3D=2Cy,n=a=2Cb=3Dc\u{e9},r=N", first)
      local server = new_server(mechanism)
      client = new_client(mechanism, { user = "a,b=c\u{e9}", authzid = "x=,y" })
      assert.same({ "done" }, (sasl.run(client, server, "pencil")))
      assert.is_true(client:complete())
      assert.same({ user = "a,b=c\u{e9}", authzid = "x=,y", verified = true },
        server:credentials())
    end)

    it("C091 refuses what it cannot carry", function()
      for _, options in ipairs { { user = "" }, { user = "a\0b" }, { password = "a\0b" },
        { authzid = "\0" }, { user = "\xff" }, { nonce = "a,b" }, { nonce = "a b" },
        { user = ("x"):rep(9217) }, { user = (","):rep(9216) } } do
        local first, reason, kind = new_client(mechanism, options):first()
        assert.same({ nil, "invalid" }, { first, kind })
        assert.is_true(#reason > 0)
      end
    end)

    it("C091 gives nobody a stable salt and the same outcome", function()
      local function salt(user, keys, stored)
        local server = new_server(mechanism)
        assert.equal("lookup", server:next("n,,n=" .. user .. ",r=x"))
        local _, challenge = server:lookup(keys, stored)
        return challenge:match(",s=([^,]+),i=4096$")
      end
      local nobody = salt("nobody", nil)
      assert.equal(16, #unb64(nobody))
      assert.equal(nobody, salt("nobody", nil))
      assert.equal(nobody, salt("nobody", nil, true))
      assert.equal(nobody, salt("nobody", "a password"))
      assert.not_equal(nobody, salt("nobody2", nil))
      local other = new_server(mechanism, { secret = "another" })
      other:next("n,,n=nobody,r=x")
      assert.is_nil(select(2, other:lookup(nil)):find(nobody, 1, true))

      local stored = core.scram_keys("pencil", { mechanism = mechanism })
      local outcomes = {}
      for name, keys in pairs { wrong = "pencils", wrong_keys = stored, nobody_stored = false } do
        local client = new_client(mechanism, { password = "wrong" })
        outcomes[name] = sasl.run(client, new_server(mechanism), keys)
        assert.is_false(client:complete())
      end
      outcomes.nobody = sasl.run(new_client(mechanism), new_server(mechanism), nil)
      for _, outcome in pairs(outcomes) do
        assert.same({ nil, "the user or the password is wrong", "auth" }, outcome)
      end
      assert.same({ "done" }, (sasl.run(new_client(mechanism), new_server(mechanism), stored)))
    end)

    it("C091 does not let in who knows the made-up password", function()
      -- HMAC-SHA-256 of the name under SECRET
      local made_up = "48344ad6d1f49f43a586db8d6b48986a"
        .. "f6978a3dbe1a22ecfa124ad89fa1c62f"
      local password = made_up:gsub("..", function(x) return string.char(tonumber(x, 16)) end)
      local client = new_client(mechanism, { user = "nobody0", password = password })
      local outcome, messages = sasl.run(client, new_server(mechanism), nil)
      assert.same({ nil, "the user or the password is wrong", "auth" }, outcome)
      assert.equal(b64(password:sub(1, 16)), messages[2]:match(",s=([^,]+)"))
    end)

    it("C091 does not take keys of another mechanism", function()
      local other = mechanism == "SCRAM-SHA-1" and "SCRAM-SHA-256" or "SCRAM-SHA-1"
      local server = new_server(mechanism)
      server:next("n,,n=user,r=x")
      assert.error_matches(function()
        server:lookup(core.scram_keys("pencil", { mechanism = other }))
      end, "not keys of this mechanism")
      assert.error_matches(function() server:next("") end, "not keys of this mechanism")
    end)

    it("C091 makes a new nonce each time", function()
      local seen = {}
      for _ = 1, 20 do
        local nonce = new_client(mechanism):first():match("r=(.*)")
        assert.equal(24, #nonce)
        assert.is_nil(seen[nonce])
        seen[nonce] = true
      end
    end)
  end)

  describe(mechanism .. "-PLUS", function()
    local plus = mechanism .. "-PLUS"

    it("C092 binds to either channel", function()
      for _, kind in ipairs { "exporter", "endpoint" } do
        local client = new_client(plus, { [kind] = "the channel" })
        local server = new_server(plus, { exporter = kind == "exporter" and "the channel" or nil,
          endpoint = kind == "endpoint" and "the channel" or nil, plus = true })
        local outcome, messages = sasl.run(client, server, "pencil")
        assert.same({ "done" }, outcome)
        assert.is_true(client:complete())
        local name = kind == "exporter" and "tls-exporter" or "tls-server-end-point"
        assert.equal("p=" .. name .. ",,", messages[1]:match("^p=[^,]*,,"))
        assert.equal("p=" .. name .. ",,the channel", unb64(messages[3]:match("^c=([^,]*)")))
      end
    end)

    it("C092 prefers the exporter, and serves whichever the client takes", function()
      local both = { exporter = "one", endpoint = "two" }
      local client = new_client(plus, both)
      assert.matches("^p=tls%-exporter,", (client:first()))
      for _, options in ipairs { both, { endpoint = "two" } } do
        assert.same({ "done" }, (sasl.run(new_client(plus, options), new_server(plus, both),
          "pencil")))
      end
    end)

    it("C092 fails when the bindings differ", function()
      for _, pair in ipairs { { { exporter = "one" }, { exporter = "two" } },
        { { exporter = "one" }, { exporter = "one!" } },
        { { endpoint = "one" }, { exporter = "one" } },
        { { endpoint = "one" }, { endpoint = "two", exporter = "one" } },
        { { exporter = "one" }, {} } } do
        local client = new_client(plus, pair[1])
        local outcome = sasl.run(client, new_server(plus, pair[2]), "pencil")
        assert.same({ nil, "auth" }, { outcome[1], outcome[3] })
        assert.matches("binding", outcome[2])
        assert.is_false(client:complete())
      end
    end)

    it("C092 keeps to the rules of p, y and n", function()
      local bound = { exporter = "x", plus = true }
      for _, flag in ipairs { "n", "y" } do
        assert.equal("auth", select(3, new_server(plus, bound):next(flag .. ",,n=user,r=x")))
      end
      for _, name in ipairs { "tls-unique", "tls-unknown", "TLS-EXPORTER",
        "tls-server-end-point" } do
        assert.equal("auth", select(3,
          new_server(plus, bound):next("p=" .. name .. ",,n=user,r=x")))
      end
      assert.equal("syntax", select(3, new_server(plus, bound):next("p=tls_x,,n=user,r=x")))
      assert.equal("lookup", new_server(plus, bound):next("p=tls-exporter,,n=user,r=x"))
    end)

    it("C092 shows that the offer was stripped", function()
      local client = new_client(mechanism, { unbound = true })
      assert.matches("^y,,", (client:first()))
      local outcome = sasl.run(new_client(mechanism, { unbound = true }),
        new_server(mechanism, { plus = true }), "pencil")
      assert.same({ nil, "auth" }, { outcome[1], outcome[3] })
      assert.same({ "done" }, (sasl.run(new_client(mechanism, { unbound = true }),
        new_server(mechanism), "pencil")))
      assert.same({ "done" }, (sasl.run(new_client(mechanism), new_server(mechanism,
        { plus = true }), "pencil")))
      -- Nor may who is between turn the y into an n.
      outcome = sasl.run(new_client(mechanism, { unbound = true }),
        new_server(mechanism, { plus = true }), "pencil", function(i, message)
          return i == 1 and message:gsub("^y", "n") or message
        end)
      assert.same({ nil, "the channel bindings differ", "auth" }, outcome)
    end)

    it("C092 does not begin without a channel", function()
      assert.same({ nil, "there is no channel to bind to", "invalid" },
        { new_client(plus):first() })
    end)
  end)
end
