-- Misuse raises at once, at the line of whoever made the call, and says what would be
-- right; what an error hints at is so.
local misused = require "spec.support.misuse"
local mock = require("spec.support.mock").start
local smtp = require "smtp"

local MESSAGE = { from = "ada@code.energy", to = "bob@example.org", text = "x" }

local function take(_, message)
  message:skip()
  return true
end

local function serve(options)
  options.listen, options.on_message = "127.0.0.1:0", options.on_message or take
  return assert(smtp.server(options))
end

local function at(server)
  return "127.0.0.1:" .. server.port
end

describe("misuse", function()
  it("of a server names the line and the option", function()
    local function wrong(pattern, options)
      misused(pattern, function() smtp.server(options) end)
    end
    wrong("on_message is required", {})
    wrong("listen is required", { on_message = take })
    wrong("a host and a port", { on_message = take, listen = { host = "::1" } })
    wrong("needs on_rcpt", { on_message = take, listen = "*:0" })
    wrong("hostname must be", { on_message = take, listen = "*:0", hostname = "a b" })
    wrong("NOOP cannot be", { on_message = take, listen = "*:0", on_command = { NOOP = take } })
    wrong("XADA must be", { on_message = take, listen = "*:0", on_command = { XADA = 1 } })
    wrong("port 25", { on_message = take, listen = "127.0.0.1:25", lmtp = true })
    wrong("limits: unknown option", { on_message = take, listen = "*:0", limits = { size = 1 } })
    local server <close> = serve {}
    misused("grace must be", function() server:shutdown("5") end)
    assert.is_nil(server.closed)
  end)

  it("of a target names the line and the option", function()
    misused("a url, a host or a path", function() smtp.connect {} end)
    misused("port must be", function() smtp.connect { host = "localhost", port = 0 } end)
    misused("dane goes by TLS", function()
      smtp.connect { host = "localhost", dane = "required", tls = "none" }
    end)
    misused("disable has keywords", function()
      smtp.connect { host = "localhost", disable = { "PIPELINING" } }
    end)
    misused("a message stands where", function() smtp.send(MESSAGE, "localhost") end)
    misused("a message stands where", function()
      smtp.send(assert(smtp.message(MESSAGE)), "localhost")
    end)
    misused("concurrency must be", function() smtp.deliver(MESSAGE, { concurrency = 0 }) end)
  end)

  it("of a pool is told before a connection is made", function()
    local pool <close> = assert(smtp.pool("localhost"))
    misused("a message is a table", function() pool:send() end)
    assert.equal(0, pool:stats().connected)
  end)

  it("of a dialogue is told before anything is sent or awaited", function()
    local mx <close> = mock()
    local d <close> = assert(smtp.dialogue(mx.url))
    assert(d:expect("2XX"))
    misused("expect: a code", function() d:expect(true) end)
    misused("expect: a code", function() d:cmd("NOOP", { 250, true }) end)
    misused("has a hole", function() d:expect { nil, 250 } end)
    misused("cmd: a string", function() d:cmd() end)
    misused("raw: a string", function() d:raw() end)
    misused("pipeline: %[1%] must be", function() d:pipeline { "NOOP" } end)
    misused("expect: a code", function() d:pipeline { { "NOOP", {} }, { "NOOP", true } } end)
    misused("a number of seconds", function() d:pause("1") end)
    assert(d:cmd("NOOP", 250))
    assert.is_nil(mx:transcript():find("NOOP.*NOOP"))
  end)

  it("of the loop is told when it happens", function()
    misused("a number of seconds", function() smtp.sleep("1") end)
    misused("spawn: a function", function() smtp.loop.spawn(5) end)
    misused("unknown option \"trn\"", function() smtp.loop.host { trn = take } end)
    misused("inside is required", function() smtp.loop.host {} end)
  end)

  it("of a message in a handler cannot pass for reading it", function()
    local told = {}
    local server <close> = serve { on_message = function(_, message)
      misused("chunks: size must be", function() message:chunks(0) end)
      misused("chunks: size must be", function() message:chunks("9") end)
      misused("read: max must be", function() message:read(0.5) end)
      told.content = message:read()
      misused("read already", function() message:save("nowhere") end)
      told.done = true
      return true
    end }
    assert(smtp.send(at(server), MESSAGE))
    assert.is_true(told.done)
    assert.truthy(told.content:find("\r\n\r\nx", 1, true))
  end)
end)

describe("a hint", function()
  it("tells of the other protocol", function()
    local server <close> = serve {}
    local store <close> = serve { lmtp = true }
    local _, err = smtp.send("lmtp://" .. at(server), MESSAGE)
    assert.equal("ehlo", err.stage)
    assert.truthy(err.hint:find("smtp:", 1, true))
    _, err = smtp.send(at(store), MESSAGE)
    assert.equal("ehlo", err.stage)
    assert.truthy(err.hint:find("lmtp:", 1, true))
    local refuses <close> = serve { on_helo = function() return 554, "not you" end }
    _, err = smtp.send(at(refuses), MESSAGE)
    assert.same({ 554 }, { err.code, err.hint })
  end)

  it("tells who does what command() leaves alone", function()
    local server <close> = serve {}
    local client <close> = assert(smtp.connect(at(server)))
    for verb, who in pairs { DATA = "client:data", BDAT = "client:send", STARTTLS = "`tls`",
      AUTH = "`auth`" } do
      local reply, err = client:command(verb .. " x")
      assert.is_nil(reply)
      assert.same({ "invalid", true }, { err.kind, err.hint:find(who, 1, true) ~= nil })
    end
    assert.is_true(client:usable())
  end)
end)
