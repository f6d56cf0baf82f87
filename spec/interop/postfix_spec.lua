-- SPDX-License-Identifier: MIT
-- Our client against a Postfix that delivers to Maildirs.
local contents = require "spec.support.contents"
local postfix = require "spec.support.postfix"
local smtp = require "smtp"

local missing = postfix.missing()

local function message(content, to)
  return { envelope = { from = "eve@example.org", to = to or { "ada@example.com" } },
    raw = content }
end

-- The content without the fields that Postfix wrote before it.
local function content_of(mail)
  return mail:match("\n(X%-Mark: begin\n.*)$")
end

describe("the client at Postfix", function()
  if missing then
    pending(missing)
    return
  end

  local mx

  setup(function() mx = postfix.start() end)
  teardown(function() if mx then mx:close() end end)

  before_each(function()
    os.execute("rm -rf " .. mx.folder .. "/mail/*")
  end)

  for _, case in ipairs(contents) do
    it("sends " .. case.name, function()
      local receipt = assert(smtp.send({ url = mx.url, helo = "client.example.org" },
        message(case.given)))
      assert.equal(250, receipt.code)
      assert.is_true(receipt.used.pipelining)
      local mail = mx:mails("ada", 1)[1]
      assert.is_true(content_of(mail) == case.kept:gsub("\r\n", "\n"))
      assert.truthy(mail:find("^Return%-Path: <eve@example.org>\n"))
      assert.truthy(mail:find("from client.example.org ", 1, true))
    end)
  end

  it("sends the null sender, and quoted local parts are delivered", function()
    local bounce = message(contents.HEADER .. "bounce\r\n", { '"ada"@example.com' })
    bounce.envelope.from = ""
    assert(smtp.send(mx.url, bounce))
    assert.truthy(mx:mails("ada", 1)[1]:find("^Return%-Path: <>\n"))
  end)

  it("tells which of several recipients were refused", function()
    local receipt = assert(smtp.send(mx.url, message(contents[1].given, { "ada@example.com",
      "nobody@example.com", "bob@example.com", "ada@elsewhere.example", "charles@example.com" })))
    assert.same({ "ada@example.com", "bob@example.com", "charles@example.com" }, receipt.accepted)
    assert.equal(2, #receipt.rejected)
    local nobody, elsewhere = receipt.rejected[1], receipt.rejected[2]
    assert.same({ "nobody@example.com", 550, "5.1.1", false },
      { nobody.address, nobody.code, nobody.enhanced, nobody.temporary })
    assert.same({ "ada@elsewhere.example", 554, "5.7.1" },
      { elsewhere.address, elsewhere.code, elsewhere.enhanced })
    for _, user in ipairs { "ada", "bob", "charles" } do
      assert.equal(contents[1].kept:gsub("\r\n", "\n"), content_of(mx:mails(user, 1)[1]))
    end
  end)

  it("fails when every recipient is refused, and can go on", function()
    local client <close> = assert(smtp.connect(mx.url))
    local receipt, err = client:send(message("Subject: none\r\n\r\n",
      { "nobody@example.com", "nemo@example.com" }))
    assert.is_nil(receipt)
    assert.same({ "rejected", "rcpt", 550, "5.1.1", "nobody@example.com", "not_sent" },
      { err.kind, err.stage, err.code, err.enhanced, err.address, err.outcome })
    assert.equal(2, #err.rejected)
    assert(client:send(message(contents[1].given)))
    assert.equal(221, client:quit().code)
    mx:drained()
    assert.equal(1, mx:count("ada"))
  end)

  it("sends fifty messages over one connection, each once", function()
    local client <close> = assert(smtp.connect(mx.url))
    for i = 1, 50 do
      assert(client:send(message(("X-Mark: begin\r\n\r\nnumber %d\r\n"):format(i))))
    end
    client:quit()
    mx:drained()
    local seen = {}
    local mails = mx:mails("ada", 50)
    for _, mail in ipairs(mails) do
      seen[tonumber(content_of(mail):match("number (%d+)\n$"))] = true
    end
    assert.equal(50, #mails)
    assert.equal(50, #seen)
  end)

  it("sends ten at once, each from a task of its own", function()
    local failed = 0
    for i = 1, 10 do
      smtp.loop.spawn(function()
        local receipt = smtp.send(mx.url, message(
          ("X-Mark: begin\r\n\r\nnumber %d\r\n"):format(i) .. contents.text(100000)))
        if not receipt then failed = failed + 1 end
      end)
    end
    smtp.loop.run()
    assert.equal(0, failed)
    assert.equal(10, #mx:mails("ada", 10))
  end)

  it("is told that a message is too big before a byte is sent", function()
    local client <close> = assert(smtp.connect(mx.url))
    assert.equal(20000000, client.capabilities.SIZE)
    local receipt, err = client:send(message(contents.text(20000001)))
    assert.is_nil(receipt)
    assert.same({ "too_big", "mail" }, { err.kind, err.stage })
  end)

  it("is refused if the content of a function turns out to be too big", function()
    local chunk, left = contents.text(1000000), 25
    local receipt, err = smtp.send(mx.url, message(function()
      left = left - 1
      return left >= 0 and chunk or nil
    end))
    assert.is_nil(receipt)
    assert.same({ "rejected", 552, "5.3.4" }, { err.kind, err.code, err.enhanced })
    mx:drained()
    assert.equal(0, mx:count("ada"))
  end)

  it("verifies an address", function()
    local client <close> = assert(smtp.connect(mx.url))
    assert.equal(252, assert(client:vrfy("ada@example.com")).code)
    local reply, err = client:vrfy("nobody@example.com")
    assert.is_nil(reply)
    assert.equal(550, err.code)
  end)

  -- Postfix logs who talks before it was his turn.
  it("pipelines no more than is allowed, and not before the greeting", function()
    local client <close> = assert(smtp.connect(mx.url))
    for _ = 1, 5 do assert(client:send(message(contents[1].given))) end
    client:quit()
    local rude <close> = assert(smtp.dialogue(mx.url))
    assert(rude:expect(220))
    rude:raw("EHLO client.example.org\r\nNOOP\r\n")
    assert(rude:expect(250))
    mx.process:await(function()
      return mx:log():find("improper command pipelining", 1, true)
    end)
    local complaints = {}
    for after in mx:log():gmatch("improper command pipelining after (%S+)") do
      complaints[#complaints + 1] = after
    end
    assert.same({ "EHLO" }, complaints) -- of the rude one only
  end)
end)
