-- SPDX-License-Identifier: MIT
--- The work of client and server with every MTA that speaks the extensions of ESMTP:
-- cases that the specs of Postfix and Exim share, two lists of names and functions. An MTA
-- has `url`, `process`, `mails`, `count`, `drained`, `log`, `pipelined()` (whether it did,
-- by its log), `id_of(text)` (its name of a message, in its reply) and `quirks`. It delivers
-- to ada, bob, charles, dora and jürgen (whose Maildir is juergen's) at example.com, takes
-- three recipients at a time, and sends to a port of this machine what is for relay.example.
local assert = require "luassert"
local contents = require "spec.support.contents"
local inbox = require "spec.support.inbox"
local smtp = require "smtp"

local M = { client = {}, server = {} }

local function add(list, name, run)
  list[#list + 1] = { name = name, run = run }
end

local HEADER = contents.HEADER
local UTF8 = "j\u{fc}rgen@example.com"

--- A message of these bytes.
local function message(content, to, more)
  local one = { envelope = { from = "eve@example.org", to = to or { "ada@example.com" } },
    raw = content }
  for key, value in pairs(more or {}) do one[key] = value end
  return one
end
M.message = message

-- The content as it was kept, without the fields that the MTA wrote before it.
local function content_of(mail)
  return mail:match("\n(X%-Mark: begin\n.*)$")
end

-- A client, and the list of lines that it sends, of which content is none.
local function connect(mx, disable)
  local lines = {}
  local client = assert(smtp.connect { url = mx.url, helo = "client.example.org",
    disable = disable, trace = function(side, line)
      if side == "C" then lines[#lines + 1] = line end
    end })
  return client, lines
end

-- Those that begin so.
local function beginning(lines, word)
  local list = {}
  for _, line in ipairs(lines) do
    if line:sub(1, #word) == word then list[#list + 1] = line end
  end
  return list
end

-- Of the messages that a user has, by their names in the queue.
local function by_id(mx, user, n)
  local kept = {}
  for _, mail in ipairs(mx:mails(user, n, 60)) do
    kept[assert(mail:match("%sid ([%w-]+)"), mail)] = content_of(mail)
  end
  return kept
end

local function numbered(n, to)
  local list = {}
  for i = 1, n do
    local body = HEADER .. ("number %d\r\n.\r\n%s\r\n"):format(i, ("z"):rep(i * 37 % 3000))
    list[i] = message(body, to and to(i))
  end
  return list
end

add(M.client, "sends a small message as one chunk", function(mx)
  local client <close>, lines = connect(mx)
  local receipt = assert(client:send(message(HEADER .. ".\r\n..\r\n")))
  assert.is_true(receipt.used.chunking)
  assert.same({ ("BDAT %d LAST"):format(#HEADER + 7) }, beginning(lines, "BDAT"))
  assert.same({}, beginning(lines, "DATA"))
  assert.equal("X-Mark: begin\nSubject: interop\n\n.\n..\n", content_of(mx:mails("ada", 1)[1]))
end)

add(M.client, "sends a large message in many chunks", function(mx)
  local client <close>, lines = connect(mx)
  local content = HEADER .. contents.text(6 * 1024 * 1024)
  assert(client:send(message(content)))
  local chunks, sum = beginning(lines, "BDAT"), 0
  assert.is_true(#chunks > 50)
  for i, line in ipairs(chunks) do
    sum = sum + tonumber(line:match("^BDAT (%d+)"))
    assert.equal(i == #chunks, line:find(" LAST", 1, true) ~= nil)
  end
  assert.equal(#content, sum)
  assert.is_true(content_of(mx:mails("ada", 1)[1]) == content:gsub("\r\n", "\n"))
  assert(client:send(message(HEADER .. "after\r\n")))
end)

add(M.client, "sends chunks of what a function gives, until it is too much", function(mx)
  local client <close>, lines = connect(mx)
  local chunk, left = HEADER .. contents.text(1000000), 25
  local receipt, err = client:send(message(function()
    left = left - 1
    return left >= 0 and chunk or nil
  end))
  assert.is_nil(receipt)
  assert.same({ "rejected", 552 }, { err.kind, err.code }, tostring(err))
  assert.is_true(#beginning(lines, "BDAT") > 1)
  if client:usable() then assert(client:send(message(HEADER .. "after\r\n"))) end
end)

add(M.client, "is told of a size that is too big before a byte is sent", function(mx)
  local client <close>, lines = connect(mx)
  local receipt, err = client:send(message(contents.text(client.capabilities.SIZE + 1)))
  assert.is_nil(receipt)
  assert.same({ "too_big", "mail" }, { err.kind, err.stage })
  assert.same({}, beginning(lines, "MAIL"))
end)

for name, disable in pairs { CHUNKING = {}, ["PIPELINING alone"] = { CHUNKING = true } } do
  add(M.client, "sends hundreds of messages with " .. name .. ", each in its place", function(mx)
    local client <close>, lines = connect(mx, disable)
    local list, ids = numbered(300), {}
    for i, receipt, err in client:send_all(list) do
      assert.is_nil(err)
      assert.equal(#ids + 1, i)
      ids[i] = assert(mx.id_of(receipt.text), receipt.text)
    end
    assert.equal(300, #ids)
    assert.equal(disable.CHUNKING and 0 or 300, #beginning(lines, "BDAT"))
    local kept = by_id(mx, "ada", 300)
    for i, id in ipairs(ids) do
      assert.equal(list[i].raw:gsub("\r\n", "\n"), kept[id])
    end
  end)

  add(M.client, "keeps in step with refused recipients, with " .. name, function(mx)
    local client <close> = connect(mx, disable)
    local to = { { "ada@example.com" }, { "nobody@example.com" },
      { "nobody@example.com", "ada@example.com", "nemo@example.com" } }
    local list, ids, n = numbered(60, function(i) return to[(i - 1) % 3 + 1] end), {}, 0
    for i, receipt, err in client:send_all(list) do
      n = n + 1
      local kind = (i - 1) % 3 + 1
      if kind == 2 then
        assert.same({ "rejected", "rcpt", 550, "nobody@example.com" },
          { err.kind, err.stage, err.code, err.address })
      else
        assert.is_nil(err)
        assert.same({ "ada@example.com" }, receipt.accepted)
        assert.equal(kind == 1 and 0 or 2, #receipt.rejected)
        ids[i] = mx.id_of(receipt.text)
      end
    end
    assert.equal(60, n)
    local kept = by_id(mx, "ada", 40)
    for i, id in pairs(ids) do
      assert.equal(list[i].raw:gsub("\r\n", "\n"), kept[id])
    end
    mx:drained()
    assert.equal(40, mx:count("ada"))
  end)
end

add(M.client, "C029 sends to the rest in more transactions", function(mx)
  local client <close>, lines = connect(mx)
  local all = { "ada@example.com", "bob@example.com", "charles@example.com",
    "dora@example.com" }
  local receipt = assert(client:send(message(HEADER .. "to four\r\n", all)))
  assert.same(all, receipt.accepted)
  assert.same({}, receipt.rejected)
  assert.equal(2, #beginning(lines, "MAIL"))
  for _, user in ipairs { "ada", "bob", "charles", "dora" } do
    assert.truthy(content_of(mx:mails(user, 1)[1]):find("to four", 1, true))
    assert.equal(1, mx:count(user))
  end
end)

add(M.client, "sends to and from addresses of SMTPUTF8", function(mx)
  local client <close>, lines = connect(mx)
  assert.is_true(client.capabilities.SMTPUTF8)
  local one = message("Subject: Gr\u{fc}\u{df}e\r\n" .. HEADER .. "hi\r\n", { UTF8 })
  one.envelope.from = "\u{3b4}@b\u{fc}cher.example"
  assert(client:send(one))
  assert.truthy(beginning(lines, "MAIL")[1]:find(" SMTPUTF8", 1, true))
  local mail = mx:mails("juergen", 1)[1]
  assert.truthy(mail:find("Return-path: <\u{3b4}@b\u{fc}cher.example>", 1, true)
    or mail:find("Return-Path: <\u{3b4}@b\u{fc}cher.example>", 1, true), mail)
  assert.truthy(mail:find("\nSubject: Gr\u{fc}\u{df}e\n", 1, true))
  assert.truthy(mail:lower():find(" with utf8e?smtp ")) -- the e is Exim's own
end)

add(M.client, "needs SMTPUTF8 for them", function(mx)
  local client <close>, lines = connect(mx, { SMTPUTF8 = true })
  local receipt, err = client:send(message(HEADER, { UTF8 }))
  assert.is_nil(receipt)
  assert.same({ "unsupported", "rcpt" }, { err.kind, err.stage })
  assert.same({}, beginning(lines, "MAIL"))
end)

-- The report in the mail that bob gets.
local function report_of(mx)
  local mail = assert(smtp.parse(mx:mails("bob", 1, 30)[1]))
  assert.equal("delivery", mail.report and mail.report.type)
  return mail.report, mail
end

-- RFC 3464 has them decoded; not everyone reads it so.
local function envid(mx) return mx.quirks.xtext and "a+2Bb+3Dc+207" or "a+b=c 7" end
local function orcpt(mx) return mx.quirks.xtext and "ad+2Ba@old.example" or "ad+a@old.example" end

-- The message that reports are about: bob's, with a name of the envelope.
local function tracked(to, ret)
  return { envelope = { from = "bob@example.com", to = to }, mail = { ret = ret,
    envid = "a+b=c 7" }, raw = HEADER .. "tracked\r\n" }
end

add(M.client, "asks for a report of success", function(mx)
  local client <close>, lines = connect(mx)
  assert.is_true(client.capabilities.DSN)
  assert(client:send(tracked({ { address = "ada@example.com", notify = "SUCCESS",
    orcpt = "rfc822;ad+a@old.example" } }, "HDRS")))
  assert.truthy(beginning(lines, "MAIL")[1]:find(" RET=HDRS ENVID=a+2Bb+3Dc+207", 1, true))
  assert.truthy(beginning(lines, "RCPT")[1]:find(
    " NOTIFY=SUCCESS ORCPT=rfc822;ad+2Ba@old.example", 1, true))
  local report = report_of(mx)
  assert.equal(envid(mx), report.original_envelope_id)
  assert.equal(1, #report.recipients)
  local one = report.recipients[1]
  assert.same({ "delivered", "ada@example.com", orcpt(mx), "rfc822" },
    { one.action, one.final_recipient, one.original_recipient, one.original_recipient_type })
  assert.matches("^2%.", one.status)
  assert.equal("begin", report.returned.headers:get("X-Mark"))
  assert.is_nil(report.returned.raw:find("tracked", 1, true))
end)

add(M.client, "C074 has no report where it wants none", function(mx)
  local client <close> = connect(mx)
  assert(client:send(tracked { { address = "ada@example.com", notify = "NEVER" },
    { address = "charles@example.com", notify = { "FAILURE", "DELAY" } }, "dora@example.com" }))
  mx:mails("dora", 1)
  mx:drained()
  assert.equal(0, mx:count("bob"))
end)

add(M.client, "does not send what is not offered", function(mx)
  local client <close>, lines = connect(mx)
  for field, value in pairs { body = "BINARYMIME", requiretls = true, hold_for = 60 } do
    local receipt, err = client:send(message(HEADER, nil, { mail = { [field] = value } }))
    assert.is_nil(receipt)
    assert.same({ "unsupported", "mail" }, { err.kind, err.stage }, field)
  end
  assert.same({}, beginning(lines, "MAIL"))
end)

-- ---- the other way ---------------------------------------------------------

--- A server of ours, and what it was told: a list of `{ sender, recipients, content,
-- received }`. Each message is given to `judge`.
function M.open(options, judge)
  local told = {}
  local all = { extensions = { DSN = true },
    on_message = function(_, m)
      told[#told + 1] = { sender = m.sender, recipients = m.recipients, content = m:read(),
        received = m:received() }
      if judge then judge(m) end
      return true
    end }
  for key, value in pairs(options or {}) do all[key] = value end
  return inbox.open(all), told
end

-- Waits for the first message.
local function first(mx, told)
  mx.process:await(function() return told[1] end, 30)
  return told[1]
end

add(M.server, "C077 hands on what reports are to be", function(start)
  local server <close>, told = M.open()
  local mx <close> = start(server.port)
  assert(smtp.send(mx.url, tracked({ { address = "ada@relay.example",
    notify = { "SUCCESS", "DELAY" }, orcpt = "rfc822;ad+a@old.example" },
    { address = "charles@relay.example", notify = "NEVER" } }, "HDRS")))
  local one = first(mx, told)
  assert.same({ "HDRS", "a+b=c 7" }, { one.sender.ret, one.sender.envid })
  local by = {}
  for _, recipient in ipairs(one.recipients) do by[recipient.address] = recipient end
  local ada, charles = by["ada@relay.example"], by["charles@relay.example"]
  table.sort(ada.notify)
  assert.same({ "DELAY", "SUCCESS" }, ada.notify)
  assert.equal("rfc822;ad+a@old.example", ada.orcpt)
  assert.same({ "NEVER" }, charles.notify)
  mx:drained()
  assert.equal(0, mx:count("bob")) -- whose success it is to tell is ours now
end)

add(M.server, "C077 tells that it was handed on to who has no DSN", function(start)
  local server <close>, told = M.open { extensions = {} }
  local mx <close> = start(server.port)
  assert(smtp.send(mx.url, tracked { { address = "ada@relay.example", notify = "SUCCESS" } }))
  local one = first(mx, told)
  assert.same({}, { one.sender.ret, one.sender.envid, one.recipients[1].notify })
  local report = report_of(mx)
  assert.equal(mx.quirks.relayed or "relayed", report.recipients[1].action)
  assert.equal(envid(mx), report.original_envelope_id)
end)

for ret, whole in pairs { HDRS = false, FULL = true } do
  add(M.server, "reports what the server refused, with RET=" .. ret, function(start)
    local server <close> = M.open { on_rcpt = function(_, recipient)
      if recipient.user ~= "ada" then return 550, "5.1.1 no such user" end
      return true
    end }
    local mx <close> = start(server.port)
    assert(smtp.send(mx.url, tracked({ "ada@relay.example",
      { address = "eve@relay.example", orcpt = "rfc822;eva@old.example" },
      { address = "nemo@relay.example", notify = "NEVER" } }, ret)))
    local report = report_of(mx)
    assert.equal(envid(mx), report.original_envelope_id)
    assert.equal(1, #report.recipients)
    local one = report.recipients[1]
    assert.same({ "failed", "eve@relay.example" }, { one.action, one.final_recipient })
    assert.equal(not mx.quirks.forgets and "eva@old.example" or nil, one.original_recipient)
    assert.matches("^5%.", one.status)
    assert.equal("begin", report.returned.headers:get("X-Mark"))
    assert.equal(whole, report.returned.raw:find("tracked", 1, true) ~= nil)
    assert.truthy(one.diagnostic:find("no such user", 1, true), one.diagnostic)
    mx:drained()
    assert.equal(1, mx:count("bob"))
  end)
end

add(M.server, "hands on SMTPUTF8", function(start)
  local server <close>, told = M.open()
  local mx <close> = start(server.port)
  local content = "Subject: Gr\u{fc}\u{df}e\r\n" .. HEADER .. "\u{65e5}\u{672c}\r\n"
  assert(smtp.send(mx.url, { raw = content, envelope = { from = "\u{3b4}@example.org",
    to = { "j\u{fc}rgen@relay.example" } } }))
  local one = first(mx, told)
  assert.is_true(one.sender.smtputf8)
  assert.same({ "\u{3b4}@example.org", "j\u{fc}rgen@relay.example" },
    { one.sender.address, one.recipients[1].address })
  assert.equal(content, one.content:sub(-#content))
  assert.truthy(one.received:find(" with UTF8SMTP id ", 1, true), one.received)
end)

add(M.server, "pipelines", function(start)
  local server <close>, told = M.open()
  local mx <close> = start(server.port)
  assert(smtp.send(mx.url, message(HEADER .. "hi\r\n", { "ada@relay.example",
    "bob@relay.example" })))
  assert.equal(2, #first(mx, told).recipients)
  mx:drained()
  assert.truthy(mx:pipelined(), mx:log())
end)

add(M.server, "takes what is refused, and comes again with the rest", function(start)
  local server <close>, told = M.open { limits = { recipients = 1 } }
  local mx <close> = start(server.port)
  assert(smtp.send(mx.url, message(HEADER .. "hi\r\n", { "ada@relay.example",
    "bob@relay.example", "charles@relay.example" })))
  mx.process:await(function() return told[2] end, 30)
  assert.equal(1, #told[1].recipients)
  assert.equal(1, #told[2].recipients)
  assert.is_true(told[1].recipients[1].address ~= told[2].recipients[1].address)
end)

return M
