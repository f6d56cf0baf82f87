-- SPDX-License-Identifier: MIT
-- Our client against aiosmtpd: spec/support/aiosmtpd_server.py tells what it got.
local contents = require "spec.support.contents"
local core = require "smtp.core"
local process = require "spec.support.process"
local smtp = require "smtp"

local python, missing = process.python("aiosmtpd.smtp")

-- The flat JSON that the script writes: strings without escapes, lists of them.
local function decode(line)
  local mail = {}
  for key, value in line:gmatch('"(%l+)": "([^"]*)"') do mail[key] = value end
  for key, list in line:gmatch('"(%l+)": %[([^%]]*)%]') do
    mail[key] = {}
    for value in list:gmatch('"([^"]*)"') do table.insert(mail[key], value) end
  end
  mail.peer = line:match('"peer": (%d+)')
  return mail
end

local function start(...)
  local server = process.start { python, "spec/support/aiosmtpd_server.py", ... }
  local port = server:await(function() return server:output():match("^(%d+)\n") end)
  return server, "smtp://127.0.0.1:" .. port
end

-- It prints a message before it answers, so all that were answered are here.
local function mails_of(server)
  local list = {}
  for line in server:output():gmatch("({[^\n]*})\n") do list[#list + 1] = decode(line) end
  return list
end

local function unbase64(text)
  local values, alphabet = {}, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  for i = 1, 64 do values[alphabet:byte(i)] = i - 1 end
  local out, bytes = {}, { 0, 0, 0, 0 }
  for i = 1, #text, 4 do
    for k = 1, 4 do bytes[k] = values[text:byte(i + k - 1)] or 0 end
    local n = bytes[1] << 18 | bytes[2] << 12 | bytes[3] << 6 | bytes[4]
    out[#out + 1] = string.char(n >> 16, n >> 8 & 255, n & 255)
  end
  local padding = #text:match("=*$")
  local whole = table.concat(out)
  return whole:sub(1, #whole - padding)
end

local function message(content, ...)
  return { envelope = { from = "ada@example.org", to = { "bob@example.com", ... } }, raw = content }
end

describe("the client at aiosmtpd", function()
  if missing then
    pending(missing)
    return
  end

  for _, case in ipairs(contents) do
    it("sends " .. case.name, function()
      local server <close>, url = start()
      local receipt = assert(smtp.send({ url = url, helo = "client.example.org" },
        message(case.given)))
      assert.equal(250, receipt.code)
      assert.same({ "bob@example.com" }, receipt.accepted)
      local mails = mails_of(server)
      assert.equal(1, #mails)
      assert.equal("ada@example.org", mails[1].from)
      assert.equal("client.example.org", mails[1].helo)
      assert.is_true(unbase64(mails[1].content) == case.kept)
    end)
  end

  it("sends the content of a function and of a file", function()
    local server <close>, url = start()
    local left = { "Subject: hi\r\n\r\n", "", ".", "one\r", "\n.", "\r\n", "two" }
    assert(smtp.send(url, message(function() return table.remove(left, 1) end)))
    local file <close> = assert(io.tmpfile())
    file:write(contents[1].given)
    file:seek("set", 0)
    assert(smtp.send(url, message(file)))
    local mails = mails_of(server)
    assert.equal("Subject: hi\r\n\r\n.one\r\n.\r\ntwo\r\n", unbase64(mails[1].content))
    assert.equal(contents[1].kept, unbase64(mails[2].content))
  end)

  it("tells which of several recipients were refused", function()
    local server <close>, url = start()
    local receipt = assert(smtp.send(url, message("Subject: hi\r\n\r\nhi\r\n",
      "nobody@example.com", "charles@example.com", "later@example.com")))
    assert.same({ "bob@example.com", "charles@example.com" }, receipt.accepted)
    assert.equal(2, #receipt.rejected)
    local nobody, later = receipt.rejected[1], receipt.rejected[2]
    -- It does not offer ENHANCEDSTATUSCODES: then the code is a part of the text.
    assert.same({ "nobody@example.com", 550, "5.1.1 no such user", false },
      { nobody.address, nobody.code, nobody.text, nobody.temporary })
    assert.same({ "later@example.com", 450, "4.2.1 try later", true },
      { later.address, later.code, later.text, later.temporary })
    assert.same({ "bob@example.com", "charles@example.com" }, mails_of(server)[1].to)
  end)

  it("sends several messages over one connection, after refusals too", function()
    local server <close>, url = start()
    local client <close> = assert(smtp.connect(url))
    for i = 1, 20 do
      assert(client:send(message(("Subject: number %d\r\n\r\n"):format(i))))
      local envelope = { from = "ada@example.org", to = { "nobody@example.com" } }
      local receipt, err = client:send { envelope = envelope, raw = "Subject: none\r\n\r\n" }
      assert.is_nil(receipt)
      assert.same({ "rejected", "rcpt", 550 }, { err.kind, err.stage, err.code })
      receipt, err = client:send(message("X-Refuse: yes\r\n\r\n"))
      assert.is_nil(receipt)
      assert.same({ "rejected", "final", 554, "not_sent" },
        { err.kind, err.stage, err.code, err.outcome })
    end
    assert.equal(221, client:quit().code)
    local mails = mails_of(server)
    assert.equal(20, #mails)
    for i, mail in ipairs(mails) do
      assert.equal(("Subject: number %d\r\n\r\n"):format(i), unbase64(mail.content))
      assert.equal(mails[1].peer, mail.peer)
    end
  end)

  it("sends to a server that knows HELO only, if the message has no 8-bit bytes", function()
    local server <close>, url = start("--helo")
    local client <close> = assert(smtp.connect(url))
    assert.is_false(client.esmtp)
    assert(client:send(message(contents[1].given)))
    local receipt, err = client:send(message("Subject: hi\r\n\r\n\u{fc}\r\n"))
    assert.is_nil(receipt)
    assert.same({ "unsupported", "mail" }, { err.kind, err.stage })
    assert(client:send(message(contents[3].given)))
    local mails = mails_of(server)
    assert.equal(2, #mails)
    assert.equal(contents[1].kept, unbase64(mails[1].content))
    assert.same({}, mails[1].options)
    assert.equal(contents[3].kept, unbase64(mails[2].content))
  end)

  it("learns the capabilities, and sends the single commands", function()
    local _ <close>, url = start()
    local client <close> = assert(smtp.connect(url))
    assert.equal(33554432, client.capabilities.SIZE)
    assert.truthy(client.capabilities["8BITMIME"])
    assert.is_nil(client.capabilities.PIPELINING)
    assert.equal(250, assert(client:noop()).code)
    assert.equal(252, assert(client:vrfy("bob@example.com")).code)
    assert.equal(250, assert(client:mail("ada@example.org", { size = 20 })).code)
    local reply, err = client:rcpt("nobody@example.com")
    assert.is_nil(reply)
    assert.equal(550, err.code)
    assert.equal(250, assert(client:reset()).code)
    assert.equal(500, client:command("NONSENSE").code)
  end)

  it("is told that it is too big before a byte is sent", function()
    local _ <close>, url = start()
    local receipt, err = smtp.send(url, message(("x"):rep(70) .. "\r\n" .. ("y"):rep(33554432)))
    assert.is_nil(receipt)
    assert.same({ "too_big", "mail" }, { err.kind, err.stage })
    assert.is_nil(err.transcript:find("MAIL", 1, true))
  end)

  it("has its time even if nothing is sent", function()
    local server <close>, url = start()
    local client <close> = assert(smtp.connect(url))
    server:close()
    local since = core.now()
    local reply, err = client:noop()
    assert.is_nil(reply)
    assert.equal("closed", err.kind)
    assert.is_true(core.now() - since < 5)
  end)
end)
