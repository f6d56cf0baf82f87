-- A connection that ends under TLS: the error is what it is in clear text, the message goes
-- once, and not without TLS to a host with which TLS stood (C173).
local authority = require "smtp.authority"
local dns = require "spec.support.dns"
local scripted = require "spec.support.scripted"
local servers = require "spec.support.fleet"
local smtp = require "smtp"

local ca = assert(authority.new())
local good = assert(ca:issue { names = { "localhost", "mx1.example.com", "mx2.example.com" },
  addresses = { "127.0.0.1", "127.0.0.2" } })
local TLS = scripted.tls(good)

local script, hello = scripted.script, scripted.hello
local MESSAGE = { envelope = { from = "ada@a.example", to = "bob@b.example" },
  raw = "Subject: x\r\n\r\nx\r\n" }

-- The ways in which a stream ends, as steps.
local ENDS = {
  cut = function(connection) -- FIN without close_notify
    local stream = connection.socket
    if not stream.engine then return connection:leave("close") end
    stream.engine:close()
    connection.socket = stream.socket
    connection:leave("close")
    return false
  end,
  notify = "CLOSE",
  reset = "ABORT",
}

local EHLO = { "C EHLO", "S 250 mx" }

-- Each place where a session ends: the steps of the server, and the stage in errors.
local PLACES = {
  { "greeting", "greeting" },
  { "ehlo", "ehlo", "S 220 mx", "C EHLO" },
  { "mail", "mail", "S 220 mx", EHLO, "C MAIL" },
  { "rcpt", "rcpt", "S 220 mx", EHLO, "* MAIL", "C RCPT" },
  { "data", "data", "S 220 mx", EHLO, "* MAIL", "* RCPT", "C DATA" },
  { "final", "final", "S 220 mx", EHLO, "* MAIL", "* RCPT", "C DATA", "S 354 go", "BODY" },
}

local REST = { "S 220 mx", EHLO, "* MAIL", "* RCPT", "C DATA", "S 354 go", "BODY", "S 250 kept",
  "C QUIT", "S 221 bye" }

local function flat(steps, from)
  local all = {}
  for i = from or 1, #steps do
    if type(steps[i]) == "table" then
      for _, step in ipairs(steps[i]) do all[#all + 1] = step end
    else
      all[#all + 1] = steps[i]
    end
  end
  return all
end

local function target(server, tls)
  return { host = "localhost", port = server.port, tls = tls, ca = ca.certificate, timeout = 5 }
end

local function facts(err)
  return { err.kind, err.stage, err.outcome, err.temporary }
end

describe("C173 an end under TLS", function()
  for how, step in pairs(ENDS) do
    it("is what it is in clear text, at each stage: " .. how, function()
      for _, place in ipairs(PLACES) do
        local seen = {}
        -- In clear text a reset may come before the connection is known of.
        local is_early = how == "reset" and place[1] == "greeting"
        for i, tls in ipairs { is_early and "implicit" or "none", "implicit" } do
          local server <close> = scripted.server(script(tls == "implicit" and TLS or {},
            flat(place, 3), step))
          local receipt, err = smtp.send(target(server, tls), MESSAGE)
          assert.is_nil(receipt)
          seen[i] = facts(err)
          if tls == "implicit" and how == "cut" then
            assert.equal("the connection ended without close_notify", err.cause)
          end
        end
        assert.same({ "closed", place[2], place[1] == "final" and "unknown" or "not_sent", true },
          seen[1])
        assert.same(seen[1], seen[2], place[1])
      end
    end)
  end

  it("is temporary within the handshake", function()
    local function hears(connection) connection:fill() end
    local function half(connection) connection:say("\22\3\3\0") end -- of a record
    for tls, stage in pairs { implicit = "connect", required = "starttls" } do
      local before = tls == "required" and script(hello("STARTTLS"), "C STARTTLS", "S 220 go") or {}
      for _, steps in ipairs { { hears, "CLOSE" }, { hears, "ABORT" }, { hears, half, "CLOSE" } } do
        local server <close> = scripted.server(script(before, steps))
        local receipt, err = smtp.send(target(server, tls), MESSAGE)
        assert.is_nil(receipt)
        assert.same({ "closed", stage, "not_sent", true }, facts(err))
      end
      local server <close> = scripted.server(script(before, hears, "STOP"))
      local silent = target(server, tls)
      silent.timeout = { connect = 0.2 }
      local _, err = smtp.send(silent, MESSAGE)
      assert.same({ "timeout", stage, "not_sent", true }, facts(err))
    end
  end)

  it("is no excuse for what the certificate is", function()
    local stranger = assert(assert(authority.new()):issue { names = { "localhost" } })
    local server <close> = scripted.server(script(scripted.tls(stranger)))
    local _, err = smtp.send(target(server, "implicit"), MESSAGE)
    assert.same({ "tls", "connect", "not_sent", false }, facts(err))
  end)
end)

describe("C173 a pool", function()
  it("tries again what a session under TLS has not taken, wherever it ended", function()
    for tls, before in pairs { implicit = {}, required = script(hello("STARTTLS"), "C STARTTLS",
      "S 220 go") } do
      for how, step in pairs(ENDS) do
        local places = { script(before, function(connection) connection:fill() end,
          how == "notify" and "CLOSE" or step) }
        for _, place in ipairs(PLACES) do
          local is_after = tls == "implicit" or place[1] ~= "greeting"
          if place[1] ~= "final" and is_after then
            places[#places + 1] = script(before, TLS, flat(place, tls == "implicit" and 3 or 4),
              step)
          end
        end
        for i, first in ipairs(places) do
          local server <close> = scripted.server { first,
            script(before, TLS, flat(REST, tls == "implicit" and 1 or 2)) }
          local given = target(server, tls)
          given.backoff = 0
          local pool <close> = assert(smtp.pool(given))
          local receipt, err = pool:send(MESSAGE)
          assert.truthy(receipt, ("%s, %s, %d: %s"):format(tls, how, i, tostring(err)))
          assert.same({ 1, 1, 0 }, { pool:stats().retried, pool:stats().sent, pool:stats().failed })
          assert.equal(2, server.connections)
        end
      end
    end
  end)

  it("never tries again what may have been taken, nor where nobody is trusted", function()
    local place = PLACES[#PLACES]
    for _, step in pairs(ENDS) do
      local server <close> = scripted.server { script(TLS, flat(place, 3), step), REST }
      local given = target(server, "implicit")
      given.backoff = 0
      local pool <close> = assert(smtp.pool(given))
      local _, err = pool:send(MESSAGE)
      assert.same({ "closed", "final", "unknown", true }, facts(err))
      assert.matches("the message may have been accepted", tostring(err))
      assert.same({ 0, 1 }, { pool:stats().retried, pool:stats().connected })
    end
    local server <close> = scripted.server { script(scripted.tls(authority.self_signed())), REST }
    local given = target(server, "implicit")
    given.backoff = 0
    local pool <close> = assert(smtp.pool(given))
    local _, err = pool:send(MESSAGE)
    assert.same({ "tls", false, 0 }, { err.kind, err.temporary, pool:stats().retried })
  end)

  it("says nothing in clear text once TLS stood with its server", function()
    local server <close> = scripted.server { script(hello("STARTTLS"), "C STARTTLS", "S 220 go",
      TLS, "C EHLO", "S 250 mx", "C MAIL", ENDS.cut), script(hello(), "C QUIT", "S 221 bye") }
    local given = target(server, "opportunistic")
    given.backoff, given.retries = 0, 1
    local pool <close> = assert(smtp.pool(given))
    local _, err = pool:send(MESSAGE)
    assert.same({ "tls", "starttls", "not_sent", true }, facts(err))
    assert.is_nil(server:done())
  end)
end)

describe("C173 smtp.deliver", function()
  local names
  setup(function() names = dns.start() end)
  teardown(function() names:close() end)
  before_each(function()
    names:reset()
    names:host("mx1.example.com", "127.0.0.1")
    names:host("mx2.example.com", "127.0.0.2")
  end)

  local OFFER = script(hello("STARTTLS"), "C STARTTLS", "S 220 go")
  local SECURE = script(OFFER, TLS, EHLO)
  local CLEAR = script(hello(), "* MAIL", "* RCPT", "C DATA", "S 354 go", "BODY", "S 250 kept",
    "C QUIT", "S 221 bye")

  local function deliver(server, to, given)
    return servers.deliver(names, server.port, to or "a@one.example", given)
  end

  it("sends a message once, whose reply is lost", function()
    servers.mx(names, "one.example", 1)
    for _, step in pairs(ENDS) do
      local server <close> = scripted.server { script(SECURE, "* MAIL", "* RCPT", "C DATA",
        "S 354 go", "BODY", step), CLEAR }
      local result, err = deliver(server)
      assert.is_nil(result)
      assert.same({ "closed", "final", "unknown", true }, facts(err))
      assert.matches("may have been accepted", err.rejected[1].text)
      assert.equal(1, server.connections)
    end
  end)

  it("keeps mail to itself whose session ended under TLS before that", function()
    servers.mx(names, "one.example", 1)
    for _, step in pairs(ENDS) do
      for _, heard in ipairs { { "C EHLO" }, { "C EHLO", "S 250 mx", "C MAIL" } } do
        local server <close> = scripted.server { script(OFFER, TLS, heard, step), CLEAR }
        local result, err = deliver(server)
        assert.is_nil(result)
        assert.same({ "closed", heard[3] and "mail" or "ehlo", "not_sent", true }, facts(err))
        assert.equal(1, server.connections)
      end
    end
  end)

  it("goes on in clear text where the handshake itself fails", function()
    servers.mx(names, "one.example", 1)
    local function hears(connection)
      connection:fill()
      connection.buffer = ""
    end
    for _, steps in ipairs { { hears, "S no TLS", "EOF" }, { hears, "CLOSE" }, { hears, "ABORT" },
      { hears, { raw = "\21\3\3\0\2\2\40" }, "EOF" } } do -- an alert: handshake_failure
      local server <close> = scripted.server { script(OFFER, steps), CLEAR }
      local result = assert(deliver(server))
      assert.equal("kept", result.receipts["one.example"].text)
      assert.is_nil(result.receipts["one.example"].tls)
    end
    -- bytes that came together with the 220
    local server <close> = scripted.server { script(hello("STARTTLS"), "C STARTTLS",
      { raw = "220 go\r\nno TLS\r\n" }, "EOF"), CLEAR }
    assert.equal("kept", assert(deliver(server)).receipts["one.example"].text)
  end)

  it("goes on to the next host, as in clear text", function()
    servers.mx(names, "one.example", 2)
    for _, tls in ipairs { "required", "opportunistic" } do
      local given = { tls = tls, ca = ca.certificate, verify = tls == "required" }
      for _, step in pairs(ENDS) do
        for _, first in ipairs { script(SECURE, "C MAIL", step), script(OFFER, TLS, "C EHLO", step),
          script(SECURE, "* MAIL", "* RCPT", "C DATA", step) } do
          local one <close> = scripted.server(first)
          local two <close> = scripted.server(script(SECURE, flat(REST, 3)),
            { host = "127.0.0.2", port = one.port })
          local result = assert(deliver(one, nil, given))
          assert.equal("mx2.example.com", result.receipts["one.example"].host)
          assert.equal(1, two.connections)
        end
      end
    end
  end)

  it("remembers for all domains of a call that TLS stood with a host", function()
    servers.mx(names, "one.example", 1)
    servers.mx(names, "two.example", 1)
    local server <close> = scripted.server { script(SECURE, flat(REST, 3)),
      script(OFFER, function(connection)
        connection:fill()
        connection.buffer = ""
      end, "S no TLS", "EOF"), CLEAR }
    local result = assert(deliver(server, { "a@one.example", "b@two.example" }))
    assert.same({ "a@one.example" }, result.accepted)
    assert.same({ "tls", "starttls", "not_sent", true }, facts(result.errors["two.example"]))
    assert.equal(2, server.connections)
  end)
end)
