-- Parameters of MAIL and RCPT that promise something: what a server takes of them, what its
-- handlers can do, and what a client and a relay make of them.
local core = require "smtp.core"
local misused = require "spec.support.misuse"
local scripted = require "spec.support.scripted"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local script, hello = scripted.script, scripted.hello

local function in_days(days)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() + math.floor(days * 86400))
end

local function open(server)
  local d = assert(smtp.dialogue("127.0.0.1:" .. server.port, { timeout = 5 }))
  assert(d:expect(220))
  return d, assert(d:cmd("EHLO x", 250))
end

-- Checks the replies of a server to MAIL with these parameters, and counts the calls of its
-- handler.
local function mail(extensions, cases)
  local asked, accepted = 0, 0
  local server <close> = serve.start { extensions = extensions, on_mail = function()
    asked = asked + 1
  end }
  for i, case in ipairs(cases) do
    local d <close> = open(server)
    local reply = assert(d:cmd("MAIL FROM:<a@b.example> " .. case[1], case[2]), i .. case[1])
    if case[3] then assert.equal(case[3], reply.enhanced, case[1]) end
    if case[2] == 250 then accepted = accepted + 1 end
  end
  assert.equal(accepted, asked)
end

-- A function that makes a server.
local function start(extensions, listen)
  return function()
    smtp.server { listen = listen or "127.0.0.1:0", on_message = print, extensions = extensions }
  end
end

describe("BY of a server", function()
  it("C135 C155 is at least the time in EHLO, in the mode of return", function()
    mail({ DELIVERBY = "240" }, { { "BY=239;R", 555, "5.5.4" }, { "BY=240;R", 250 },
      { "BY=241;RT", 250 }, { "BY=1;N", 250 }, { "BY=-1;N", 250 }, { "BY=0;R", 501 },
      { "BY=-5;R", 501 }, { "BY=1000000000;N", 501 } })
    mail({ DELIVERBY = true }, { { "BY=1;R", 250 }, { "BY=0;R", 501 } })
    local server <close> = serve.start { extensions = { DELIVERBY = "240" } }
    local _ <close>, ehlo = open(server)
    assert.matches("\nDELIVERBY 240\n", table.concat(ehlo.lines, "\n"))
  end)
end)

describe("FUTURERELEASE of a server", function()
  it("C137 C159 keeps the bounds in EHLO", function()
    local last = in_days(30)
    mail({ FUTURERELEASE = "86400 " .. last }, {
      { "HOLDFOR=1", 250 }, { "HOLDFOR=86400", 250 }, { "HOLDFOR=86401", 501, "5.5.4" },
      { "HOLDFOR=0", 501 }, { "HOLDFOR=1234567890", 501 }, { "HOLDFOR=-1", 501 },
      { "HOLDUNTIL=" .. in_days(1), 250 }, { "HOLDUNTIL=" .. last, 250 },
      { "HOLDUNTIL=" .. in_days(31), 501, "5.5.4" }, { "HOLDUNTIL=" .. in_days(-1), 501, "5.5.4" },
      { "HOLDUNTIL=tomorrow", 501 },
      { ("HOLDFOR=1 HOLDUNTIL=%s"):format(in_days(1)), 501 },
      { ("HOLDUNTIL=%s HOLDFOR=1"):format(in_days(1)), 501 },
      { "HOLDFOR=1 HOLDFOR=1", 501 } })
    mail({}, { { "HOLDFOR=1", 555 } })
  end)

  it("C159 is for submission, not for port 25", function()
    misused("for submission, not for port 25",
      start({ FUTURERELEASE = "1 2030-01-01T00:00:00Z" }, "127.0.0.1:25"))
  end)

  it("and others have words that are checked", function()
    for keyword, words in pairs { DELIVERBY = { "", "-1", "x", "1234567890", "240,x" },
      FUTURERELEASE = { "1", "1 tomorrow", "x 2030-01-01T00:00:00Z",
        "1234567890 2030-01-01T00:00:00Z", "1 2030-02-30T00:00:00Z", "1 2030-01-01T00:00:00Z x" },
      ["MT-PRIORITY"] = { "a b", "a;b" } } do
      for _, text in ipairs(words) do
        misused("is not what may stand there", start { [keyword] = text })
      end
    end
    misused("must be a boolean", start { DSN = "x" })
  end)
end)

describe("MT-PRIORITY of a server", function()
  it("C157 is one digit, with a minus or without", function()
    mail({ ["MT-PRIORITY"] = "MIXER" }, { { "MT-PRIORITY=9", 250 }, { "MT-PRIORITY=-9", 250 },
      { "MT-PRIORITY=0", 250 }, { "MT-PRIORITY=+5", 501 }, { "MT-PRIORITY=10", 501 },
      { "MT-PRIORITY=-10", 501 }, { "MT-PRIORITY=", 501 }, { "MT-PRIORITY", 501 },
      { "MT-PRIORITY=1 MT-PRIORITY=1", 501 } })
  end)

  it("C136 may be lowered by on_mail; a relay passes the lower one on", function()
    local final <close> = scripted.server(script(hello("MT-PRIORITY"),
      "* MAIL FROM:<a@b.example> MT-PRIORITY=3", "* RCPT", "C DATA", "S 354 go", "BODY",
      "S 250 kept", "C QUIT", "S 221 bye"))
    local server <close> = serve.start { extensions = { ["MT-PRIORITY"] = true },
      on_mail = function(_, sender)
        if sender.priority and sender.priority > 3 then
          sender.priority = 3
          return 250, "2.3.6 3 is the new priority"
        end
      end,
      on_message = function(_, message) return smtp.send(final.url, message) ~= nil end }
    local client <close> = assert(smtp.connect("smtp://127.0.0.1:" .. server.port))
    local reply = assert(client:mail("a@b.example", { priority = 9 }))
    assert.same({ "2.3.6", "3 is the new priority" }, { reply.enhanced, reply.text })
    assert(client:rcpt("c@d.example"))
    -- C157: a field of the header is content, which nobody here is led by.
    assert(client:data("MT-Priority: 9\r\n\r\nx\r\n"))
    assert.is_nil(final:done())
  end)
end)

describe("RRVS of a server", function()
  -- A handler knows since when it has the mailbox and the domain.
  local since = { mailbox = "2026-03-01T00:00:00Z", domain = "2020-01-01T00:00:00Z" }

  it("C138 C161 is for on_rcpt, which compares times", function()
    local seen = {}
    local server <close> = serve.start { extensions = { RRVS = true },
      on_rcpt = function(_, recipient)
        seen[#seen + 1] = recipient.rrvs
        local wanted = recipient.rrvs and core.date_time((recipient.rrvs:gsub(";.$", "")))
        if wanted and wanted < core.date_time(since.domain) then
          return 550, "5.7.18 domain owner has changed"
        elseif wanted and wanted < core.date_time(since.mailbox) then
          return 550, "5.7.17 mailbox owner has changed"
        end
        return true
      end }
    local d <close> = open(server)
    assert(d:cmd("MAIL FROM:<a@b.example>", 250))
    for _, case in ipairs { { "2019-12-31T23:59:59Z", 550, "5.7.18" },
      { "2026-02-28T23:59:59Z;R", 550, "5.7.17" }, { "2026-03-01T00:30:00+01:00;c", 550, "5.7.17" },
      { "2026-03-01T00:00:00Z;C", 250 }, { in_days(10), 250 }, -- it has been theirs since then
      { "2026-03-01", 501 }, { "2026-03-01T00:00:00Z;X", 501 } } do
      local reply = assert(d:cmd("RCPT TO:<c@d.example> RRVS=" .. case[1], case[2]), case[1])
      if case[3] then assert.equal(case[3], reply.enhanced) end
    end
    assert.same({ "2019-12-31T23:59:59Z", "2026-02-28T23:59:59Z;R", "2026-03-01T00:30:00+01:00;c",
      "2026-03-01T00:00:00Z;C" }, { table.unpack(seen, 1, 4) })
  end)

  it("C161 is passed on; else ;C goes without, and ;R does not go", function()
    local last = {}
    local function relay(hop, rrvs)
      local server <close> = serve.start { extensions = { RRVS = true },
        on_message = function(_, message)
          last.receipt, last.err = smtp.send(hop.url, message)
          return last.receipt ~= nil
        end }
      local client <close> = assert(smtp.connect("smtp://127.0.0.1:" .. server.port))
      assert(client:mail("a@b.example"))
      assert(client:rcpt("c@d.example", { rrvs = rrvs }))
      local reply = client:data("x\r\n")
      assert.is_nil(hop:done())
      return reply
    end
    local rest = { "C DATA", "S 354 go", "BODY", "S 250 kept", "C QUIT", "S 221 bye" }
    for _, case in ipairs { { "RRVS", "2026-03-01T00:00:00Z;R",
      "RCPT TO:<c@d.example> RRVS=2026-03-01T00:00:00Z;R" },
      { "DSN", "2026-03-01T00:00:00Z;C", "RCPT TO:<c@d.example>" } } do
      local hop <close> = scripted.server(script(hello(case[1]), "* MAIL", "* RCPT", rest))
      assert(relay(hop, case[2]))
      assert.equal(case[3], hop.lines[3])
    end
    for _, rrvs in ipairs { "2026-03-01T00:00:00Z;R", "2026-03-01T00:00:00Z" } do
      local hop <close> = scripted.server(script(hello("DSN"), "C QUIT", "S 221 bye"))
      assert.is_nil(relay(hop, rrvs))
      assert.same({ "unsupported", "rcpt", "5.7.19" },
        { last.err.kind, last.err.stage, last.err.enhanced })
    end
  end)
end)

describe("a client", function()
  local function fails(offer, given, verb, enhanced)
    local server <close> = scripted.server(script(hello(table.unpack(offer)), "EOF"))
    local client <close> = assert(smtp.connect(server.url))
    local reply, err = client[verb](client, "a@b.example", given)
    assert.is_nil(reply)
    assert.same({ "invalid", verb, enhanced }, { err.kind, err.stage, err.enhanced })
    client:close()
    assert.is_nil(server:done())
    assert.equal("EHLO [127.0.0.1]", server:said())
  end

  it("C155 C159 asks for no more than the bounds in EHLO", function()
    fails({ "DELIVERBY 240" }, { by = { seconds = 239, mode = "return" } }, "mail", "5.4.7")
    local future = { "FUTURERELEASE 60 2030-01-01T00:00:00Z" }
    for _, given in ipairs { { hold_for = 61 }, { hold_for = 0 }, { hold_until = "tomorrow" },
      { hold_until = "2030-01-01T00:00:01Z" } } do
      fails(future, given, "mail")
    end
    local server <close> = scripted.server(script(hello("DELIVERBY 240,x", future[1]),
      "* MAIL FROM:<a@b.example> BY=240;R HOLDFOR=60", "C RSET", "S 250 ok",
      "* MAIL FROM:<a@b.example> BY=1;N HOLDUNTIL=2030-01-01T01:00:00+01:00"))
    local client <close> = assert(smtp.connect(server.url))
    assert(client:mail("a@b.example", { by = { seconds = 240, mode = "return" }, hold_for = 60 }))
    assert(client:reset())
    assert(client:mail("a@b.example", { by = { seconds = 1, mode = "notify" },
      hold_until = "2030-01-01T01:00:00+01:00" }))
    assert.is_nil(server:done())
    misused("exclude each other", function()
      client:mail("a@b.example", { hold_for = 1, hold_until = "2030-01-01T00:00:00Z" })
    end)
    misused("9 digits", function()
      client:mail("a@b.example", { by = { seconds = 1000000000, mode = "notify" } })
    end)
  end)

  it("C074 C075 C161 writes no value that is not of its grammar", function()
    for _, given in ipairs { { envid = "" }, { envid = ("x"):rep(101) },
      { envid = ("+"):rep(34) } } do
      fails({ "DSN" }, given, "mail")
    end
    for _, given in ipairs { { notify = "NEVER,DELAY" }, { notify = { "DELAY", "DELAY" } },
      { notify = "ALWAYS" }, { notify = "" }, { notify = {} }, { orcpt = "" },
      { orcpt = ("x"):rep(494) }, { rrvs = "yesterday" }, { rrvs = "2026-03-01T00:00:00Z;X" } } do
      fails({ "DSN", "RRVS" }, given, "rcpt")
    end
  end)
end)
