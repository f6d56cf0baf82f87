-- SPDX-License-Identifier: MIT
-- The client of GNU SASL against our server, over STARTTLS by GnuTLS.
local process = require "spec.support.process"
local secure = require "spec.support.secure"
local smtp = require "smtp"

local missing = process.missing("gsasl")

local MECHANISMS = { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS",
  "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS" }
local TLS12 = "--priority=NORMAL:-VERS-ALL:+VERS-TLS1.2"

describe("GNU SASL as a client of the server", function()
  if missing then
    pending(missing)
    return
  end

  local _, built = process.run { "gsasl", "--client-mechanisms" }

  -- Why a mechanism cannot be tried, or nil.
  local function lacks(mechanism)
    for name in built:gmatch("%S+") do
      if name == mechanism then return nil end
    end
    return "this gsasl has no " .. mechanism
  end

  local function gsasl(place, password, ...)
    return process.run { "gsasl", "--smtp", "--connect=localhost:" .. place.port, "--starttls",
      "--x509-ca-file=" .. place.ca, "--password=" .. password, ... }
  end

  -- Where it knows the channel, this one begins no SCRAM that is not bound to it.
  local function as(mechanism, user)
    local unbound = not mechanism:find("%-PLUS$")
    return "--mechanism=" .. mechanism, "--authentication-id=" .. user, unbound and "--no-cb" or nil
  end

  for _, mechanism in ipairs(MECHANISMS) do
    local try = lacks(mechanism) and pending or it

    try("is let in by " .. mechanism, function()
      local place <close> = secure.open()
      local status, out, err = gsasl(place, secure.PASSWORD, as(mechanism, secure.USER))
      assert.equal(0, status, out .. err)
      assert.truthy(out:find("\n235 2.7.0 ", 1, true), out)
      local seen = place.tried[1]
      assert.same({ mechanism, "ada", not seen.password },
        { seen.mechanism, seen.user, seen.verified })
    end)

    try("is refused by " .. mechanism .. " with a wrong password", function()
      local place <close> = secure.open()
      local status, out, err = gsasl(place, "open barley", as(mechanism, secure.USER))
      assert.equal(1, status, out .. err)
      assert.truthy(out:find("\n535 5.7.8 ", 1, true), out)
      for _, seen in ipairs(place.tried) do assert.is_false(seen.verified) end
    end)

    try("is refused by " .. mechanism .. " as somebody unknown", function()
      local place <close> = secure.open()
      local status, out, err = gsasl(place, secure.PASSWORD, as(mechanism, "eve"))
      assert.equal(1, status, out .. err)
      assert.truthy(out:find("\n535 5.7.8 ", 1, true), out)
    end)

    try("is let in by " .. mechanism .. " where a name has a comma and an equals sign", function()
      local place <close> = secure.open()
      local status, out, err = gsasl(place, secure.PASSWORD, as(mechanism, secure.ODD_USER))
      assert.equal(0, status, out .. err)
      assert.equal(secure.ODD_USER, place.tried[1].user)
    end)
  end

  for _, mechanism in ipairs { "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS" } do
    local try = lacks(mechanism) and pending or it
    try("says on whose behalf it comes, by " .. mechanism, function()
      local place <close> = secure.open()
      local status, out, err = gsasl(place, secure.PASSWORD, "--authorization-id=c,h=arles",
        as(mechanism, secure.USER))
      assert.equal(0, status, out .. err)
      assert.same({ "ada", "c,h=arles" }, { place.tried[1].user, place.tried[1].authzid })
    end)
  end

  it("takes the strongest mechanism by itself", function()
    local place <close> = secure.open()
    local status, out, err = gsasl(place, secure.PASSWORD, "--authentication-id=ada")
    assert.equal(0, status, out .. err)
    local best = lacks("SCRAM-SHA-256-PLUS") and "SCRAM-SHA-256" or "SCRAM-SHA-256-PLUS"
    assert.equal(best, place.tried[1].mechanism)
  end)

  it("is accepted if the server has only stored keys", function()
    for _, mechanism in ipairs { "SCRAM-SHA-1", "SCRAM-SHA-256" } do
      local keys = smtp.scram_keys(secure.PASSWORD, { mechanism = mechanism, iterations = 5000 })
      local place <close> = secure.open { auth = { mechanisms = { mechanism },
        lookup = function() return keys end } }
      local status, out, err = gsasl(place, secure.PASSWORD, as(mechanism, "ada"))
      assert.equal(0, status, out .. err)
      assert.is_true(place.tried[1].verified)
    end
  end)

  it("is let in by the keys that it has derived itself", function()
    local base64 = function(text)
      local _, out = process.run({ "base64", "-d" }, { input = text })
      return out
    end
    local status, line = process.run { "gsasl", "--mkpasswd", "--mechanism=SCRAM-SHA-256",
      "--password=" .. secure.PASSWORD, "--iteration-count=4096" }
    assert.equal(0, status)
    local count, salt, stored, server = line:match("^{SCRAM%-SHA%-256}(%d+),([^,]+),([^,]+),(%S+)")
    local place <close> = secure.open { auth = { mechanisms = { "SCRAM-SHA-256" },
      lookup = function()
        return { mechanism = "SCRAM-SHA-256", iterations = math.tointeger(count),
          salt = base64(salt), stored_key = base64(stored), server_key = base64(server) }
      end } }
    local out, err
    status, out, err = gsasl(place, secure.PASSWORD, as("SCRAM-SHA-256", "ada"))
    assert.equal(0, status, out .. err)
  end)

  for _, mechanism in ipairs { "PLAIN", "SCRAM-SHA-256" } do
    it("is let in by " .. mechanism .. " over TLS 1.2", function()
      local place <close> = secure.open()
      local status, out, err = gsasl(place, secure.PASSWORD, TLS12,
        as(mechanism, secure.USER))
      assert.equal(0, status, out .. err)
    end)
  end

  it("does not trust a server of a stranger", function()
    local place <close> = secure.open()
    place.ca = place.stranger
    local status, out, err = gsasl(place, secure.PASSWORD, as("PLAIN", secure.USER))
    assert.equal(1, status, out)
    assert.truthy(err:find("certificate verification", 1, true), err)
    assert.equal(0, #place.tried)
  end)

  it("is offered nothing without TLS", function()
    local place <close> = secure.open()
    local _, out, err = process.run { "gsasl", "--smtp", "--no-starttls",
      "--connect=localhost:" .. place.port, "--password=" .. secure.PASSWORD,
      "--authentication-id=ada" }
    assert.truthy(err:find("Cannot find mechanism", 1, true), out .. err)
    assert.equal(0, #place.tried)
  end)

  it("shows its certificate, and is let in by EXTERNAL", function()
    local place <close> = secure.open { tls = { client = "optional" } }
    local own = place:issue("client", { emails = { "ada@example.com" } })
    local status, out, err = gsasl(place, "", "--x509-cert-file=" .. own.cert,
      "--x509-key-file=" .. own.key, "--authorization-id=", as("EXTERNAL", ""))
    assert.equal(0, status, out .. err)
    local seen = place.tried[1]
    assert.same({ "EXTERNAL", "ada@example.com", true, true },
      { seen.mechanism, seen.user, seen.verified, seen.certificate.verified })
  end)
end)
