-- The assertions for busted, and the example of the design, word for word.
local mock = require "smtp.mock"
local smtp = require "smtp"
require "smtp.mock.busted"

local function send(mx, fields)
  local record = { from = "ada@code.energy", to = "bob@example.org", subject = "Welcome",
    text = "It works.\n" }
  for key, value in pairs(fields or {}) do record[key] = value end
  return smtp.send(mx.url, record)
end

local function fails(pattern, call)
  local ok, why = pcall(call)
  assert.is_false(ok)
  why = type(why) == "table" and why.message or why
  assert.truthy(tostring(why):find(pattern, 1, true), tostring(why))
end

describe("assert.smtp", function()
  local mx
  before_each(function() mx = assert(mock.start { timeout = 0.2 }) end)
  after_each(function() mx:stop() end)

  it("gives the mail that was received", function()
    assert(send(mx))
    local mail = assert.smtp(mx).has.received { to = "bob@example.org" }
    assert.equal("Welcome", mail.subject)
    assert(send(mx, { to = "eve@example.org" }))
    assert.smtp(mx).has.received { to = "eve@*", subject = match.has_match("^Wel"),
      text = function(text) return #text > 3 end }
    assert.smtp(mx).has.no.received { to = "nobody@example.org" }
  end)

  it("says what came closest", function()
    assert(send(mx))
    fails("the closest of 1 is mail 1 from <ada@code.energy> to bob@example.org: Welcome",
      function() assert.smtp(mx).has.received { to = "bob@example.org", subject = "Goodbye" } end)
    fails("subject is \"Welcome\"",
      function() assert.smtp(mx).has.received { to = "bob@example.org", subject = "Goodbye" } end)
    fails("C: QUIT", function() assert.smtp(mx).has.received { to = "eve@example.org" } end)
    fails("Expected no such mail",
      function() assert.smtp(mx).has.no.received { to = "bob@example.org" } end)
    mx:chaos { seed = 5, rate = 0 }
    fails("chaos { seed = 5 }", function() assert.smtp(mx).has.received { to = "x@y" } end)
    fails("needs a mock", function() assert.smtp(5) end)
  end)

  it("sees sessions and violations", function()
    assert(send(mx))
    assert.smtp(mx).has.session { helo = "*127.0.0.1*", reason = "quit" }
    assert.smtp(mx).has.no.session { authenticated = true }
    assert.smtp(mx).has.no.violations()
    fails("none as", function() assert.smtp(mx).has.session { helo = "x" } end)
    local d <close> = assert(smtp.dialogue(mx.url))
    assert(d:expect(220))
    assert(d:cmd("NONSENSE", 500))
    assert.smtp(mx).has.violations()
    fails("a command that is wrong here (RFC 5321 section 4.3.2): NONSENSE",
      function() assert.smtp(mx).has.no.violations() end)
  end)

  it("waits for what is still to come", function()
    local slow <close> = assert(mock.start { driver = "loop" })
    smtp.loop.spawn(function()
      smtp.sleep(0.05)
      assert(send(slow))
    end)
    assert.smtp(slow).has.received { to = "bob@example.org" }
  end)
end)

describe("the example of the design", function()
  it("works word for word", function()
    local mock = require "smtp.mock" -- luacheck: ignore
    local mx <close> = mock.start { strict = true }
    assert.truthy(mx.host)
    assert.truthy(mx.port)
    assert.truthy(mx.url)
    mx:on("RCPT", { to = "*@gone.test" }):reply("550 5.1.1 no such user")
    mx:on("DATA"):first(2):reply("451 4.3.0 try later")
    mx:on("BODY"):after_bytes(1024):reset()
    mx:on("EHLO"):delay(0.02); mx:without "PIPELINING"
    for _ = 1, 2 do
      local _, err = send(mx)
      assert.same({ 451, "4.3.0", true }, { err.code, err.enhanced, err.temporary })
    end
    assert(send(mx, { attachments = { { content = "x", name = "a.txt" } }, html = "<p>It works." }))
    local mail = assert(mx:wait({ to = "bob@example.org", subject = "Welcome" }, 5))
    assert.same({ "ada@code.energy", "bob@example.org", "Welcome", "It works.\n", "<p>It works.\n",
      "a.txt" }, { mail.from, mail.recipients[1], mail.subject, mail.text, mail.html,
      mail.attachments[1].name })
    assert.is_nil(mail.session.tls)
    assert.matches("Subject: Welcome\r\n", mail.raw)
    local _, err = send(mx, { attachments = { { content = ("x"):rep(8000000) } } })
    assert.equal("not_sent", err.outcome)
    local _, gone = send(mx, { to = "x@gone.test" })
    assert.equal(550, gone.code)
    mx:on("EOM"):store():close()
    local _, lost = send(mx)
    assert.equal("unknown", lost.outcome)
    assert.equal(2, #mx:mails())
    assert.matches("C: EHLO", mx:transcript())
    assert.smtp(mx).has.received { to = "bob@example.org" }
    assert.smtp(mx).has.no.received { to = "eve@example.org" }
    assert.is_table(mx:violations())
    mx:stop()
  end)
end)
