-- The violations that a mock reports: the rule, and its section.
local mock = require "smtp.mock"
local smtp = require "smtp"

local function start(options) return assert(mock.start(options)) end

describe("what a client of a mock did wrong", function()
  it("is what clients did wrong", function()
    local function rules(speak, options)
      local mx <close> = start(options)
      local d <close> = assert(smtp.dialogue(mx.url, { timeout = 2 }))
      speak(d, mx)
      d:close()
      mx:wait_idle(1)
      local list = {}
      for _, one in ipairs(mx:violations()) do
        assert.matches("RFC %d+ section", tostring(one))
        if one.rule ~= "no_quit" then list[#list + 1] = one.rule end
      end
      return table.concat(list, " ")
    end
    local function mail(d, content)
      assert(d:expect(220))
      assert(d:cmd("EHLO x", 250))
      assert(d:cmd("MAIL FROM:<a@b>", 250))
      assert(d:cmd("RCPT TO:<a@b>", 250))
      assert(d:cmd("DATA", 354))
      d:raw(content .. "\r\n.\r\n")
      d:expect(250)
    end
    local good = "Date: x\r\nFrom: a@b\r\nMessage-ID: <a@b>\r\n\r\n"
    assert.equal("", rules(function(d) mail(d, good .. "hi\r\n..dot") end))
    for content, rule in pairs {
      ["a\nb"] = "bare_lf", ["a\rb"] = "bare_cr", ["a\0"] = "nul", [".x"] = "unstuffed_dot",
      ["\xc3\xa9"] = "eightbit", [("x"):rep(999)] = "long_line",
    } do
      assert.equal(rule, rules(function(d) mail(d, good .. content) end))
    end
    assert.equal("missing_date missing_from missing_message_id duplicate_header",
      rules(function(d) mail(d, "Subject: x\r\nSubject: y\r\n\r\n") end))
    for line, rule in pairs {
      ["NOOP\r\nNOOP\r\n"] = "pipelining", ["NOOP\n"] = "bare_lf",
      ["NONSENSE\r\n"] = "refused_command", ["MAIL FROM:<a@b> SIZE=5\r\n"] = "parameter",
      ["NOOP " .. ("x"):rep(510) .. "\r\n"] = "long_command",
      ["AUTH PLAIN AGEAYg==\r\n"] = "auth_in_clear",
    } do
      assert.equal(rule, rules(function(d)
        assert(d:expect(220))
        assert(d:cmd("EHLO x", 250))
        d:raw(line)
        d:expect("2xx")
      end, { without = "SIZE", users = "any" }))
    end
    assert.equal("early", rules(function(d, mx)
      mx:on("connect"):delay(0.1)
      local other <close> = assert(smtp.dialogue(mx.url, { timeout = 2 }))
      other:raw("EHLO x\r\n")
      other:expect(554)
      d:expect(220)
    end))
  end)

  it("names the section of each command that a rule calls wrong", function()
    local sections = { EHLO = "4.1.1.1", HELO = "4.1.1.1", MAIL = "4.1.1.2", RCPT = "4.1.1.3",
      DATA = "4.1.1.4", RSET = "4.1.1.5", VRFY = "4.1.1.6", EXPN = "4.1.1.7", HELP = "4.1.1.8",
      NOOP = "4.1.1.9", QUIT = "4.1.1.10", BDAT = "RFC 3030 section 2",
      STARTTLS = "RFC 3207 section 4", AUTH = "RFC 4954 section 4", LHLO = "RFC 2033 section 4.1",
      XFOO = "4.1.1", HEL = "4.1.1", HELPS = "4.1.1" }
    local arguments = { EHLO = " x", HELO = " x", MAIL = " FROM:<a@b>", RCPT = " TO:<a@b>",
      VRFY = " a", EXPN = " a", BDAT = " 0", AUTH = " PLAIN AGEAYg==" }
    local function said(options, verb)
      options.tls, options.extensions, options.users = true, { "CHUNKING" }, "any"
      local mx <close> = mock.start(options)
      mx:on(verb):reply("500 5.5.2 no")
      if options.lmtp and verb == "LHLO" then mx:on("EHLO"):reply("500 5.5.2 no") end
      local d <close> = assert(smtp.dialogue(mx.url, { timeout = 10 }))
      assert(d:expect(220))
      local hello = options.lmtp and "LHLO" or "EHLO"
      if verb ~= hello then assert(d:cmd(hello .. " x", 250)) end
      if verb == "RCPT" or verb == "DATA" or verb == "BDAT" then
        assert(d:cmd("MAIL FROM:<a@b>", 250))
      end
      if verb == "DATA" or verb == "BDAT" then assert(d:cmd("RCPT TO:<a@b>", 250)) end
      mx:clear()
      assert(d:cmd("  " .. verb:lower() .. (arguments[verb] or ""), 500))
      for _, one in ipairs(mx:violations()) do
        if one.rule == "refused_command" then return one.section end
      end
    end
    for verb, section in pairs(sections) do
      local full = section:find("^RFC") and section or "RFC 5321 section " .. section
      assert.same({ verb, full }, { verb, said({}, verb) })
    end
    assert.equal("RFC 2033 section 4.1", said({ lmtp = true }, "LHLO"))
    assert.equal("RFC 2033 section 4.1", said({ lmtp = true }, "HELO"))
    assert.equal("RFC 5321 section 4.1.1.9", said({ lmtp = true }, "NOOP"))
  end)

  it("names the section of the grammar that a command breaks", function()
    local mx <close> = start { users = "any" }
    for command, section in pairs {
      ["EHLO"] = "RFC 5321 section 4.1.1.1", ["helo a b!"] = "RFC 5321 section 4.1.1.1",
      ["MAIL FROM:<a@b"] = "RFC 5321 section 4.1.1.2",
      ["mail from:<a@b> SIZE=x"] = "RFC 5321 section 4.1.1.2",
      ["RCPT TO:<c@d>"] = "RFC 5321 section 4.1.4", ["DATA"] = "RFC 5321 section 4.1.4",
      ["MAIL FROM:<a@b> FOO=1"] = "RFC 5321 section 4.1.1.11",
      ["RSET x"] = "RFC 5321 section 4.1.1.5", ["VRFY"] = "RFC 5321 section 4.1.1.6",
      ["EXPN x"] = "RFC 5321 section 4.2.4", ["QUIT x"] = "RFC 5321 section 4.1.1.10",
      ["BDAT x"] = "RFC 3030 section 2", ["AUTH"] = "RFC 4954 section 4",
      ["AUTH NONE"] = "RFC 4954 section 4", ["RCPTTO:<c@d>"] = "RFC 5321 section 4.1.1",
    } do
      local d <close> = assert(smtp.dialogue(mx.url, { timeout = 10 }))
      assert(d:expect(220))
      assert(d:cmd("EHLO x", 250))
      mx:clear()
      assert(d:cmd(command)) -- whatever it is
      local list = mx:violations()
      assert.same({ command, 1, "refused_command", section, "must" },
        { command, #list, list[1].rule, list[1].section, list[1].level })
    end
    local d <close> = assert(smtp.dialogue(mx.url, { timeout = 10 }))
    assert(d:expect(220))
    assert(d:cmd("EHLO x", 250))
    assert(d:cmd("MAIL FROM:<a@b>", 250))
    mx:clear()
    assert(d:cmd("RCPT TO:c d", 501))
    assert.equal("RFC 5321 section 4.1.1.3", mx:violations()[1].section)
  end)

  it("is a MUST or a SHOULD", function()
    local mx <close> = start()
    local d <close> = assert(smtp.dialogue(mx.url, { timeout = 2 }))
    assert(d:expect(220))
    for line in ("EHLO x|MAIL FROM:<a@b>|RCPT TO:<a@b>|NOOP " .. ("x"):rep(510)):gmatch("[^|]+") do
      assert(d:cmd(line, 250))
    end
    assert(d:cmd("DATA", 354))
    d:raw("Subject: x\r\n\r\n.\r\n")
    assert(d:expect(250))
    assert(d:cmd("QUIT", 221))
    local function levels(level)
      local list = {}
      for i, one in ipairs(mx:violations(level)) do list[i] = one.rule .. " " .. one.level end
      return list
    end
    assert.same({ "long_command should", "missing_date must", "missing_from must",
      "missing_message_id should" }, levels())
    assert.same(levels(), levels "should")
    assert.same({ "missing_date must", "missing_from must" }, levels "must")
  end)

  it("is, of a strict mock, what was left over", function()
    local mx <close> = start { strict = true }
    mx:on("RCPT", { to = "never@*" }):reply("550 no")
    local d <close> = assert(smtp.dialogue(mx.url))
    assert(d:expect(220))
    local rules = {}
    for i, one in ipairs(mx:violations()) do rules[i] = one.rule end
    assert.same({ "unused_rule", "left_open" }, rules)
  end)

  it("is a session that the watchdog ended, and why", function()
    local mx <close> = start { watchdog = 0.1 }
    local d <close> = assert(smtp.dialogue(mx.url, { timeout = 2 }))
    assert(d:expect(220))
    assert(d:cmd("EHLO x", 250))
    assert.is_true(d:closed())
    assert.equal("watchdog", mx:sessions()[1].reason)
    assert.matches("nothing happened behind EHLO x", mx:transcript())
  end)
end)
