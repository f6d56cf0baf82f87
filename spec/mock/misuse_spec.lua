-- Misuse of a mock raises at once, at the caller's line.
local misused = require "spec.support.misuse"
local mock = require "smtp.mock"
local net = require "spec.support.net"
local smtp = require "smtp"
local start = require("spec.support.mock").start

describe("misuse of a mock", function()
  it("is told", function()
    local mx <close> = start()
    misused("unknown option \"tp\"", function() mx:on("RCPT", { tp = "x" }) end)
    misused("needs an event", function() mx:on(5) end)
    misused("begins with its code", function() mx:on("RCPT"):reply("no") end)
    misused("reply already", function() mx:on("RCPT"):reply("250 a"):reply("250 b") end)
    misused("reject already", function() mx:on("RCPT"):reject():reply("250 b") end)
    misused("close already", function() mx:on("RCPT"):close():hang() end)
    misused("sequence already", function() mx:on("RCPT"):sequence { "250 a" }:reply("250 b") end)
    misused("actions already", function() mx:on("RCPT"):reply("250 b"):sequence { "250 a" } end)
    misused("first already", function() mx:on("RCPT"):first(2):nth(5) end)
    misused("first already", function()
      mx:rule { on = "RCPT", first = 2, nth = 3, close = true }
    end)
    misused("close must be true", function() mx:rule { on = "RCPT", close = "yes" } end)
    misused("nothing to reject", function() mx:on("BODY"):reject() end)
    misused("there is no event \"LUNCH\"", function() mx:chaos { events = { "LUNCH" } } end)
    misused("there is no fault \"x\"", function() mx:chaos { faults = { "x" }, rate = 0 } end)
    misused("the level is \"must\" or \"should\"", function() mx:violations("may") end)
    misused("three digits", function() mx:on("RCPT"):reply("2500 ok") end)
    misused("store is for EOM", function() mx:on("RCPT"):store() end)
    misused("store is for EOM", function() mx:rule { on = "RCPT", store = true } end)
    misused("store is for EOM", function() mx:on("DATA"):sequence { { store = true } } end)
    misused("rate must be a number from 0 to 1", function() mx:chaos { rate = 5 } end)
    misused("a whole number above 0", function() mx:on("RCPT"):first(0) end)
    misused("a number of seconds", function() mx:on("RCPT"):delay("x") end)
    misused("raw needs bytes", function() mx:on("RCPT"):raw() end)
    misused("sequence is empty", function() mx:on("RCPT"):sequence {} end)
    misused("unknown action \"rply\"", function() mx:on("RCPT"):sequence { { rply = "x" } } end)
    misused("unknown option \"rply\"", function() mx:rule { on = "RCPT", rply = "550 x" } end)
    misused("needs a keyword", function() mx:without("A B") end)
    misused("there is no quirk", function() mx:quirk("nothing") end)
    misused("unknown option", function() mock.start { prot = 5 } end)
    misused("port must be a port", function() mock.start { port = 80000 } end)
    misused("unknown mechanism NONE", function()
      mock.start { users = "any", auth = { mechanisms = { "NONE" } } }
    end)
    misused("required needs users", function() mock.start { auth = { required = true } } end)
    misused("hostname must be", function() mock.start { hostname = "a\r\nb" } end)
    misused("watchdog must be", function() mock.start { watchdog = 0 } end)
    misused("key needs cert", function() mock.start { tls = { key = "x" } } end)
    misused("certificate of its own", function()
      mock.start { tls = { cert = "x", key = "x", fault = "expired" } }
    end)
    local port = net.closed_port()
    misused("needs an action", function()
      mock.start { port = port, rules = { { on = "RCPT" } } }
    end)
    assert.is_nil((smtp.dialogue("127.0.0.1:" .. port))) -- it listens no more
    mx:stop()
    misused("it was stopped", function() mx:on("RCPT") end)
    misused("must be", function() mock.start { tls = { fault = "nothing" } } end)
  end)
end)
