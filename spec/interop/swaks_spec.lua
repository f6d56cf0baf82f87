-- SPDX-License-Identifier: MIT
-- swaks against our server.
local inbox = require "spec.support.inbox"
local process = require "spec.support.process"

local missing = process.missing("swaks")

-- Exit codes of swaks, by the stage that failed.
local CODES = { greeting = 21, helo = 22, mail = 23, rcpt = 24, data = 25, final = 26 }

describe("swaks as a client of the server", function()
  if missing then
    pending(missing)
    return
  end

  local function swaks(server, ...)
    return process.run { "swaks", "--server", "127.0.0.1", "--port", server.port,
      "--helo", "client.example.org", "--from", "ada@example.org", ... }
  end

  it("sends a message", function()
    local server <close>, mails = inbox.open()
    local status, out = swaks(server, "--to", "bob@example.com",
      "--header", "Subject: from swaks", "--body", "It works.")
    assert.equal(0, status, out)
    assert.equal(1, #mails)
    assert.equal("ada@example.org", mails[1].from)
    assert.same({ "bob@example.com" }, mails[1].to)
    assert.equal("client.example.org", mails[1].helo)
    local header, body = inbox.split(mails[1].content)
    assert.truthy(header:find("Subject: from swaks\r\n", 1, true))
    assert.truthy(body:find("It works.", 1, true))
  end)

  it("is told which of several recipients is refused", function()
    local server <close>, mails = inbox.open {
      on_rcpt = function(_, recipient)
        if recipient.user == "eve" then return 550, "5.1.1 no such user here" end
        return true
      end,
    }
    local status, out = swaks(server, "--to",
      "bob@example.com,eve@example.com,charles@example.com")
    assert.equal(0, status, out)
    assert.truthy(out:find("<** 550 5.1.1 no such user here", 1, true))
    assert.same({ "bob@example.com", "charles@example.com" }, mails[1].to)
    assert.equal(1, #mails)
  end)

  it("sends a large body, dots and all", function()
    local server <close>, mails = inbox.open()
    local lines = {}
    for i = 1, 40000 do
      lines[i] = ("."):rep(i % 5) .. "line " .. i .. (" abc"):rep(i % 11)
    end
    local content = "Subject: large\n\n" .. table.concat(lines, "\n") .. "\n"
    local one <close> = process.start({ "swaks", "--server", "127.0.0.1", "--port", server.port,
      "--from", "ada@example.org", "--to", "bob@example.com", "--silent", "2",
      "--data", "-" }, { input = content })
    local status, out, err = one:wait()
    assert.equal(0, status, out:sub(-500) .. err:sub(-500))
    assert.equal(1, #mails)
    local kept = mails[1].content:gsub("\r\n", "\n"):gsub("\n+$", "\n")
    assert.is_true(kept == content)
  end)

  it("pipelines", function()
    local server <close>, mails = inbox.open()
    local status, out = swaks(server, "--pipeline", "--to", "bob@example.com,charles@example.com")
    assert.equal(0, status, out)
    assert.equal(1, #mails)
    assert.same({ "bob@example.com", "charles@example.com" }, mails[1].to)
    -- MAIL, both RCPT and DATA went out before the first of their replies came.
    assert.truthy(out:find(" %->[^\n]*MAIL FROM[^\n]*\n *%->[^\n]*RCPT[^\n]*\n *%->[^\n]*RCPT"),
      out)
  end)

  it("pipelines a transaction of which every recipient is refused", function()
    local server <close>, mails = inbox.open { on_rcpt = function() return false end }
    local status, out = swaks(server, "--pipeline", "--to", "bob@example.com,eve@example.com")
    assert.equal(CODES.rcpt, status, out)
    assert.equal(0, #mails)
  end)

  local refuse = function() return 554, "5.7.1 not from you" end
  for stage, handler in pairs {
    greeting = "on_connect", helo = "on_helo", mail = "on_mail", rcpt = "on_rcpt",
    data = "on_data", final = "on_message",
  } do
    it("is refused at the stage " .. stage, function()
      local server <close>, mails = inbox.open { [handler] = refuse }
      local status, out = swaks(server, "--to", "bob@example.com")
      assert.equal(CODES[stage], status, out)
      -- RFC 2034 section 4: no enhanced code in the greeting and after HELO.
      local enhanced = (stage == "greeting" or stage == "helo") and "" or "5.7.1 "
      assert.truthy(out:find("554 " .. enhanced .. "not from you", 1, true), out)
      assert.equal(0, #mails)
    end)
  end
end)
