-- SPDX-License-Identifier: MIT
-- Python's smtplib against our server; what it says is spec/support/smtplib.py.
local inbox = require "spec.support.inbox"
local process = require "spec.support.process"

local python, missing = process.python("smtplib")

describe("Python's smtplib as a client of the server", function()
  if missing then
    pending(missing)
    return
  end

  local function talk(server, name)
    local status, out, err = process.run { python, "spec/support/smtplib_client.py",
      server.port, name }
    assert.equal(0, status, out .. err)
    return out
  end

  it("sends dots, 8-bit text, and bare line ends as it mends them", function()
    local server <close>, mails = inbox.open()
    talk(server, "content")
    local header = "Subject: smtplib\r\n\r\n"
    local kept = {
      ".\r\n..\r\n...a\r\n.\r\n", "Gr\u{fc}\u{df}e\r\n\xff\r\n", "a\r\nb\r\nc\r\nd\r\n",
      "no end\r\n", "", ("x"):rep(900) .. "\r\n",
    }
    assert.equal(#kept, #mails)
    for i, body in ipairs(kept) do
      assert.equal(header .. body, mails[i].content)
      assert.same({ "bob@example.com" }, mails[i].to)
    end
    assert.equal("8BITMIME", mails[2].body)
  end)

  it("sends a message of 5 MB", function()
    local server <close>, mails = inbox.open()
    talk(server, "large")
    local lines = {}
    for i = 1, 100000 do lines[i] = ("%s%049d\r\n"):format(i % 3 == 0 and "." or "", i) end
    assert.is_true(mails[1].content == "Subject: large\r\n\r\n" .. table.concat(lines))
  end)

  it("sends NOOP, VRFY and RSET, and knows the offers", function()
    local resets = 0
    local server <close>, mails = inbox.open { on_reset = function() resets = resets + 1 end }
    local out = talk(server, "commands")
    assert.equal("noop 250\nvrfy 252\nmail 250\nrset 250\nrcpt 503\nunknown 500\n" ..
      "8bitmime True\npipelining True\nsize True\n", out)
    assert.equal(0, #mails)
    assert.is_true(resets >= 1)
  end)

  it("is told which recipients are refused, and that all are", function()
    local server <close>, mails = inbox.open {
      on_rcpt = function(_, recipient)
        if recipient.user == "eve" then return 550, "5.1.1 no eve" end
        if recipient.user == "later" then return 450, "4.2.1 try later" end
        return true
      end,
    }
    assert.equal("eve@example.com 550 5.1.1 no eve\nlater@example.com 450 4.2.1 try later\n" ..
      "all refused\nsent after that\n", talk(server, "refused"))
    assert.equal(2, #mails)
    assert.same({ "bob@example.com", "charles@example.com" }, mails[1].to)
    assert.same({ "bob@example.com" }, mails[2].to)
  end)

  it("sends a hundred messages over one connection", function()
    local server <close>, mails = inbox.open()
    talk(server, "many")
    assert.equal(100, #mails)
    assert.equal(1, server:stats().accepted)
    for i, mail in ipairs(mails) do
      assert.equal(("Subject: number %d\r\n\r\nbody %d\r\n"):format(i, i), mail.content)
      assert.equal(("user%d@example.com"):format(i), mail.to[1])
    end
  end)
end)
