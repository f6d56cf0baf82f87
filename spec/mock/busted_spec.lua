-- The assertions for busted, and the example of the design, word for word.
local core = require "smtp.core"
local misused = require "spec.support.misuse"
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

  it("looks at Cc", function()
    assert(send(mx, { cc = { "Carl <carl@example.org>", "dora@example.org" } }))
    assert.smtp(mx).has.received { cc = "carl@example.org" }
    assert.smtp(mx).has.received { cc = { "carl@*", "dora@*" } }
    fails('cc is { "carl@example.org", "dora@example.org" }',
      function() assert.smtp(mx).has.received { cc = "eve@example.org" } end)
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
    local _, err = pcall(function() assert.smtp(5) end)
    assert.matches("busted_spec.lua:%d+: ", tostring(err)) -- it names the caller
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
    fails("a command that is wrong here (RFC 5321 section 4.1.1): NONSENSE",
      function() assert.smtp(mx).has.no.violations() end)
  end)

  it("tells what clients must not from what they should not", function()
    local receipt = assert(smtp.send(mx.url, { envelope = { from = "a@b.example",
      to = "c@d.example" }, raw = "Date: x\nFrom: a@b.example\n\nx\n" }))
    assert.equal(250, receipt.code)
    assert.smtp(mx).has.no.violations()
    assert.smtp(mx).has.no.violations(nil, "must")
    assert.smtp(mx).has.violations(nil, "should")
    fails("missing_message_id (RFC 5322 section 3.6.4, a SHOULD)",
      function() assert.smtp(mx).has.no.violations(nil, "should") end)
  end)

  it("finds what is there or not, and passes for no half of a mail", function()
    assert(send(mx, { text = "Forgot your password?\n" }))
    assert.smtp(mx).has.received { text = "your password?" }
    assert.smtp(mx).has.session { tls = false }
    assert.smtp(mx).has.no.session { tls = true }
    local d <close> = assert(smtp.dialogue(mx.url))
    assert(d:expect(220))
    for line in ("EHLO x|MAIL FROM:<a@b>|RCPT TO:<c@d>"):gmatch("[^|]+") do
      assert(d:cmd(line, 250))
    end
    assert(d:cmd("DATA", 354))
    fails("sessions are still at work",
      function() assert.smtp(mx).has.no.received { to = "c@d" } end)
    fails("sessions are still at work",
      function() assert.smtp(mx).has.no.session { number = 9 } end)
    fails("sessions are still at work", function() assert.smtp(mx).has.no.violations(0.05) end)
  end)

  it("says what was refused, and nothing of a function", function()
    mx:on("EOM"):reply("554 5.7.1 no")
    assert.is_nil(send(mx))
    fails("it was refused with 554", function() assert.smtp(mx).has.received "bob@example.org" end)
    local ok, why = pcall(function()
      assert.smtp(mx).has.received(function() return false end)
    end)
    assert.is_false(ok)
    assert.not_matches("it is", tostring(why):gsub("it is as", ""))
  end)

  it("is idle at once where the loop drives and nobody came", function()
    local slow <close> = assert(mock.start { driver = "loop" })
    local since = core.now()
    assert.smtp(slow).has.no.received()
    assert.smtp(slow).has.no.violations()
    assert.is_true(core.now() - since < 4)
  end)

  it("shows a session as it is now", function()
    local d <close> = assert(smtp.dialogue(mx.url))
    for line in ("|EHLO x|MAIL FROM:<a@b>|RCPT TO:<c@d>"):gmatch("[^|]*") do
      assert(line == "" and d:expect(220) or d:cmd(line, 250))
    end
    assert(d:cmd("DATA", 354))
    assert(d:cmd("Subject: x\r\n\r\n.", 250))
    local mail = assert(mx:wait "c@d")
    assert.is_nil(mail.session.closed)
    assert(d:cmd("QUIT", 221))
    assert.equal(mail, assert(mx:wait { session = { reason = "quit" } }))
    assert.equal("quit", mail.session.reason)
    assert.equal(mx:sessions()[1], mail.session)
  end)

  it("says what is asked in vain", function()
    assert(send(mx, { headers = { ["X-Tag"] = "red" } }))
    assert(mx:wait { attachment = false, cc = false, header = { ["X-No"] = false } })
    assert(mx:wait { header = { ["X-Tag"] = "r?d" }, session = function(s) return s.esmtp end })
    fails('header is { X-Tag = { "red" } }',
      function() assert.smtp(mx).has.received { header = { ["X-Tag"] = "blue" } } end)
    fails('session is { helo = "[127.0.0.1]" }',
      function() assert.smtp(mx).has.received { session = { helo = "x" } } end)
    fails("a function (spec/mock/busted_spec.lua:",
      function() assert.smtp(mx).has.received { from = function() return false end } end)
    for why, query in pairs {
      ["from must be a string"] = { from = { "a@b" } },
      ["code must be a number"] = { code = "250" },
      ['unknown option "tlss"'] = { session = { tlss = true } },
      ['unknown option "verson"'] = { session = { tls = { verson = 1 } } },
      ["header must be a table"] = { header = { "X-Tag" } },
    } do
      misused(why, function() mx:mails(query) end)
      misused(why, function() assert.smtp(mx).has.no.received(query) end)
    end
    misused("must be a number of seconds", function() mx:wait("x", {}) end)
    misused("whole number above 0", function() mx:wait("x", 1, 0) end)
  end)

  it("does not take a session that said QUIT for one that is open", function()
    local strict <close> = assert(mock.start { strict = true })
    for _ = 1, 20 do assert(send(strict)) end
    assert.same({}, strict:violations())
  end)

  it("counts verbs that are no events", function()
    local d <close> = assert(smtp.dialogue(mx.url))
    assert(d:expect(220))
    assert(d:cmd("NOOP", 250))
    assert(d:cmd("noop", 250))
    assert.same({ 2, 0, 0 }, { mx:count("NOOP"), mx:count("VRFY"), mx:count("rcpt") })
  end)

  it("waits for what is still to come", function()
    local slow <close> = assert(mock.start { driver = "loop" })
    smtp.loop.spawn(function()
      smtp.sleep(0.05)
      assert(send(slow))
    end)
    assert.smtp(slow).has.received { to = "bob@example.org" }
  end)

  it("waits no longer than the mock is there", function()
    smtp.loop.spawn(function()
      smtp.sleep(0.02)
      mx:stop()
    end)
    local since = core.now()
    local _, err = mx:wait("bob@example.org", 60, 3)
    assert.is_true(core.now() - since < 30)
    assert.equal("timeout", err.kind)
    assert.matches('no mail 3 as "bob@example.org"', err.message)
  end)
end)

-- Word for word, but for the comments.
-- luacheck: push no max line length
local EXAMPLE = [[
local mock = require "smtp.mock"
local mx <close> = mock.start { strict = true }
mx.host; mx.port; mx.url; mx.ca_file
mx:on("RCPT", { to = "*@gone.test" }):reply("550 5.1.1 no such user")
mx:on("DATA"):first(2):reply("451 4.3.0 try later")
mx:on("BODY"):after_bytes(1024):reset()
mx:on("EOM"):store():close()
mx:on("EHLO"):delay(0.2); mx:without "PIPELINING"
local mail = assert(mx:wait({ to = "bob@example.org", subject = "Welcome" }, 5))
mail.from; mail.recipients; mail.raw; mail.subject; mail.text; mail.html; mail.attachments[1].name; mail.session.tls
print(mx:transcript()); mx:violations(); mx:stop()
]]
-- luacheck: pop

-- The example names fields, which Lua wants to be used: each becomes a call of `see`.
local function runnable(text)
  local out = {}
  for given in text:gmatch("[^\n]+") do
    local line = given
    if line:find("^m[xail]+%.") then
      line = line:gsub("([^;]+)", function(field) return " see(" .. field:match("%S+") .. ") " end)
    end
    out[#out + 1] = line
  end
  return table.concat(out, "\n")
end

describe("the example of the design", function()
  it("works word for word", function()
    local seen, printed, outcomes = {}, {}, {}
    -- The program under test: it sends until it fails.
    local function program(mx)
      for _ = 1, 3 do
        local receipt, err = send(mx, { html = "<b>x", attachments = { { content = "x",
          name = "a.txt" } }, to = { "bob@example.org", "eve@gone.test" } })
        outcomes[#outcomes + 1] = receipt and "sent" or ("%s %s"):format(err.code, err.outcome)
      end
    end
    local env = setmetatable({
      require = function(name)
        assert.equal("smtp.mock", name)
        return { start = function(options)
          local mx = mock.start(options)
          smtp.loop.spawn(function()
            smtp.sleep(0.01) -- behind the rules
            program(mx)
          end)
          return mx
        end }
      end,
      see = function(value) seen[#seen + 1] = value or false end,
      print = function(text) printed[#printed + 1] = text end,
    }, { __index = _G })
    assert(load(runnable(EXAMPLE), "=design", "t", env))()
    assert.same({ "127.0.0.1", "smtp://127.0.0.1:" .. seen[2], false },
      { seen[1], seen[3], seen[4] })
    assert.same({ "ada@code.energy", { "bob@example.org" }, "Welcome", "It works.\n", "<b>x\n",
      "a.txt", false }, { seen[5], seen[6], seen[8], seen[9], seen[10], seen[11], seen[12] })
    assert.matches("^Date: .*\r\n$", seen[7])
    assert.same({ "451 not_sent", "451 not_sent" }, { outcomes[1], outcomes[2] })
    assert.matches("550 5%.1%.1 no such user", printed[1])
  end)

  it("and its assertions do", function()
    local mx <close> = mock.start()
    assert(send(mx))
    require "smtp.mock.busted"
    local mail = assert.smtp(mx).has.received { to = "bob@example.org" }
    assert.smtp(mx).has.no.received { to = "eve@example.org" }
    assert.equal("Welcome", mail.subject)
  end)
end)
