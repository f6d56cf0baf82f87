-- Bounces: delivery status notifications to the sender of what was not delivered.
local misused = require "spec.support.misuse"
local smtp = require "smtp"

local RAW = "Received: by x\r\nFrom: Ada <ada@code.energy>\r\nSubject: The engine\r\n\r\n"
  .. "body\r\n.\r\n"

local function original(fields)
  local all = { envelope = { from = "ada@code.energy", to = { "bob@example.com" } },
    chunks = function()
      local given
      return function()
        given = not given
        return given and RAW or nil
      end
    end }
  for key, value in pairs(fields or {}) do all[key] = value end
  return all
end

local GONE = { address = "bob@example.com", code = 550, enhanced = "5.1.1", text = "no such user" }

local function bounce(failures, options, fields)
  local all = { hostname = "mx.example", date = 0, seed = 1 }
  for key, value in pairs(options or {}) do all[key] = value end
  local made = assert(smtp.bounce(original(fields), failures, all))
  return made, assert(smtp.parse(tostring(made)))
end

describe("a bounce", function()
  it("C030 goes to the return path from the null path, and never answers one from there", function()
    local made = bounce(GONE)
    assert.same({ from = "", to = { "ada@code.energy" } }, made.envelope)
    local none, err = smtp.bounce(made, GONE)
    assert.is_nil(none)
    assert.equal("unsupported", err.kind)
    none, err = smtp.bounce(original { envelope = { to = { "x@y.example" } } }, GONE)
    assert.is_nil(none)
    assert.equal("a message from the null path is never bounced", tostring(err))
  end)

  it("C078 is a multipart/report of text, delivery-status and the message", function()
    local _, m = bounce(GONE)
    assert.equal("multipart/report", m.type)
    assert.equal("delivery-status", m.params["report-type"])
    assert.same({ "text/plain", "message/delivery-status", "text/rfc822-headers" },
      { m.parts[1].type, m.parts[2].type, m.parts[3].type })
    assert.equal("ada@code.energy", m.to[1].address)
    assert.equal("auto-replied", m.headers:get("Auto-Submitted"))
    assert.matches("bob@example.com", m.text, 1, true)
    assert.equal("dns; mx.example", m.report.headers:get("Reporting-MTA"))
    local one = m.report.recipients[1]
    assert.matches("bob@example.com", one.final_recipient, 1, true)
    assert.same({ "failed", "5.1.1" }, { one.action, one.status })
    assert.matches("550 5.1.1 no such user", m.parts[2].content, 1, true)
  end)

  it("C163 says what was done by one of five words, and a status of its class", function()
    for action, status in pairs { failed = "5.0.0", delayed = "4.0.0", delivered = "2.0.0",
      relayed = "2.0.0", expanded = "2.0.0" } do
      local _, m = bounce { address = "bob@example.com", action = action }
      local one = m.report.recipients[1]
      assert.same({ action, status }, { one.action, one.status })
    end
    local _, m = bounce { address = "bob@example.com", code = 452, text = "full" }
    assert.equal("4.0.0", m.report.recipients[1].status)
    -- what a server said in another class than the action's says nothing of it
    for action, cases in pairs { failed = { { "4.4.7", "4.4.7" }, { "2.1.5", "5.0.0" } },
      delayed = { { "5.1.1", "4.0.0" }, { "4.2.2", "4.2.2" } },
      relayed = { { "5.1.1", "2.0.0" }, { "2.1.9", "2.1.9" }, { "x", "2.0.0" } } } do
      for _, case in ipairs(cases) do
        local _, said = bounce { address = "a@b.example", action = action, enhanced = case[1] }
        assert.equal(case[2], said.report.recipients[1].status)
      end
    end
    for action, status in pairs { failed = "2.0.0", delayed = "5.1.1", delivered = "5.1.1",
      expanded = "nonsense" } do
      local made, err = smtp.bounce(original(), { address = "a@b.example", action = action,
        status = status })
      assert.is_nil(made)
      assert.matches(status, tostring(err), 1, true)
    end
    assert.error_matches(function()
      smtp.bounce(original(), { address = "a@b.example", action = "lost" })
    end, "action")
  end)

  it("C164 has a block for each recipient, with the ORCPT that it came with", function()
    local _, m = bounce { GONE, { address = "eve@example.com", status = "5.7.1",
      orcpt = "rfc822; Eve@example.org", remote_mta = "mx2.example", diagnostic = "smtp; 550 no" } }
    local list = m.report.recipients
    assert.equal(2, #list)
    assert.matches("Eve@example.org", list[2].original_recipient, 1, true)
    assert.matches("eve@example.com", list[2].final_recipient, 1, true)
    assert.equal("5.7.1", list[2].status)
    assert.matches("mx2.example", list[2].remote_mta, 1, true)
    local _, blocks = m.parts[2].content:gsub("Final%-Recipient", "")
    assert.equal(2, blocks)
  end)

  it("C165 sends the header back, or the whole where RET=FULL asks for it", function()
    local _, m = bounce(GONE, { ret = "HDRS" })
    assert.equal("text/rfc822-headers", m.parts[3].type)
    assert.falsy(m.parts[3].content:find("body", 1, true))
    assert.truthy(m.parts[3].content:find("Subject: The engine", 1, true))
    for _, fields in ipairs { { sender = { ret = "FULL", envid = "QQ314159" } } } do
      m = select(2, bounce(GONE, nil, fields))
      assert.equal("message/rfc822", m.parts[3].type)
      assert.equal("The engine", m.parts[3].message.subject)
      assert.equal("QQ314159", m.report.original_envelope_id)
    end
    _, m = bounce(GONE, { ret = "FULL", max = 20 })
    assert.equal("text/rfc822-headers", m.parts[3].type)
  end)

  it("C165 is in UTF-8 where the message or a recipient is", function()
    local raw = "From: ada@code.energy\r\nSubject: \xc3\xa9\r\n\r\n\xc3\xa9\r\n"
    local function chunks()
      local given
      return function()
        given = not given
        return given and raw or nil
      end
    end
    for _, case in ipairs {
      { { address = "dörte@example.com", orcpt = "utf-8; dö@example.com", code = 550,
        text = "kein Müller" } },
      { { address = "bob@example.com", code = 550, text = "kein Müller" },
        { smtputf8 = true } } } do
      local failure, sender = case[1], case[2]
      for ret, kind in pairs { FULL = "message/global", HDRS = "message/global-headers" } do
        local made, m = bounce(failure, { ret = ret }, { sender = sender, chunks = chunks })
        assert.falsy(tostring(made):find("[\x80-\xff]")) -- any server takes it
        assert.same({ "message/global-delivery-status", kind },
          { m.parts[2].type, m.parts[3].type })
        local one = m.report.recipients[1]
        assert.same({ failure.address, failure.orcpt and "utf-8" or "rfc822",
          "550 kein Müller" }, { one.final_recipient, one.final_recipient_type, one.diagnostic })
        assert.equal(failure.orcpt and "dö@example.com" or nil, one.original_recipient)
        assert.equal("é", m.report.returned.subject)
      end
    end
    local _, m = bounce({ address = "bob@example.com", code = 550, text = "kein Müller" })
    assert.same({ "message/delivery-status", "550 kein M?ller" },
      { m.parts[2].type, m.report.recipients[1].diagnostic })
  end)

  it("C165 an ORCPT alone in UTF-8 is ASCII in the report", function()
    for _, orcpt in ipairs { "utf-8;dö@example.com", "dö@example.com",
      "utf-8;d\\x{F6}@example.com" } do
      local made, m = bounce({ address = "bob@example.com", orcpt = orcpt, code = 550 })
      assert.equal("message/delivery-status", m.parts[2].type)
      assert.truthy(tostring(made):find(
        "\nOriginal-Recipient: utf-8; d\\x{F6}@example.com\r\n", 1, true))
      assert.same({ "dö@example.com", "utf-8" }, { m.report.recipients[1].original_recipient,
        m.report.recipients[1].original_recipient_type })
    end
  end)

  it("C165 goes to a sender in UTF-8 (RFC 6533), and is in UTF-8 then", function()
    for _, from in ipairs { "dörte@example.com", "Dörte <dörte@example.com>" } do
      local made, m = bounce(GONE, {}, { envelope = { from = from, to = { "bob@example.com" } } })
      assert.same({ from = "", to = { "dörte@example.com" } }, made.envelope)
      assert.equal("dörte@example.com", m.to[1].address)
      assert.same({ "message/global-delivery-status", "message/global-headers" },
        { m.parts[2].type, m.parts[3].type })
      assert.equal("bob@example.com", m.report.recipients[1].final_recipient)
    end
  end)

  it("takes an error or a receipt, of some or of all", function()
    local errors = require "smtp.error"
    local _, m = bounce(errors.new { kind = "connect", message = "nobody is there", peer = "mx" })
    local one = m.report.recipients[1]
    assert.same({ 1, "bob@example.com", "x-local", "at mx: nobody is there" },
      { #m.report.recipients, one.final_recipient, one.diagnostic_type, one.diagnostic })
    _, m = bounce(errors.new { kind = "rejected", code = 452, enhanced = "4.2.2", text = "full" })
    one = m.report.recipients[1]
    assert.same({ "4.2.2", "452 4.2.2 full" }, { one.status, one.diagnostic })
    _, m = bounce { accepted = { "x@y.example" }, rejected = { GONE } }
    assert.equal("bob@example.com", m.report.recipients[1].final_recipient)
    _, m = bounce({ address = "Bob <bob@example.com>", code = 550 }, nil,
      { chunks = false, raw = RAW })
    assert.equal("bob@example.com", m.report.recipients[1].final_recipient)
    assert.equal("The engine", m.report.returned.subject)
  end)

  it("says what was done", function()
    for action, words in pairs { delayed = "yet", delivered = "was delivered",
      relayed = "passed on", failed = "could not be delivered to" } do
      local _, m = bounce { address = "bob@example.com", action = action }
      assert.matches(words, m.text, 1, true)
      assert.equal(action == "failed", m.subject:find("Undelivered") ~= nil)
    end
    local _, m = bounce { { address = "a@b.example", action = "delayed" }, GONE }
    assert.matches("Undelivered", m.subject)
  end)

  it("C164 gives an address without a type the one that it has", function()
    local _, m = bounce { address = "bob@example.com", orcpt = "ada+x=y@example.com" }
    local one = m.report.recipients[1]
    assert.same({ "ada+x=y@example.com", "rfc822" },
      { one.original_recipient, one.original_recipient_type })
  end)

  it("gives the header back where the whole may not be sent", function()
    for _, body in ipairs { "a\0b", ("x"):rep(999) } do
      local _, m = bounce(GONE, { ret = "FULL" }, { chunks = function()
        local given
        return function()
          given = not given
          return given and "Subject: The engine\r\n\r\n" .. body .. "\r\n" or nil
        end
      end })
      assert.equal("text/rfc822-headers", m.parts[3].type)
      assert.equal("The engine", m.report.returned.subject)
    end
  end)

  it("is made whatever the other server said", function()
    local _, m = bounce({ address = "dörte@example.com", code = 550, text = ("é"):rep(1000) })
    assert.matches("^550 é", m.report.recipients[1].diagnostic)
  end)

  it("C165 sends back no more than a header, however that ends", function()
    for raw, header in pairs { ["\r\nSECRET\r\n\r\nx"] = "",
      ["Subject: x\r\nSECRET BODY\r\n\r\nx"] = "Subject: x\r\n",
      ["X: " .. ("y\r\n "):rep(400000)] = false } do
      local _, m = bounce(GONE, { ret = "HDRS" }, { chunks = false, raw = raw })
      if header then assert.equal(header, m.parts[3].content) end
      assert.is_true(#m.parts[3].content <= 256 * 1024 + 2)
    end
  end)

  it("C030 answers no report, and no null path however it is written", function()
    local report = "From: mailer-daemon@mx.example\r\nAuto-Submitted: auto-replied\r\n"
      .. "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n"
      .. "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n--b--\r\n"
    for _, message in ipairs { smtp.parse(report), original { envelope = { from = "<>" } },
      original { envelope = { from = { address = "" } } } } do
      local made, err = smtp.bounce(message, GONE)
      assert.is_nil(made)
      assert.equal("unsupported", err.kind)
    end
  end)

  it("says what is wrong with what it is given", function()
    for _, failure in ipairs { {}, { address = "a@b.example", code = 5 },
      { address = "a@b.example", code = 600 },
      { address = "a@b.example", will_retry_until = -1 },
      { address = "a@b.example", will_retry_until = 0 / 0 } } do
      local made, err = smtp.bounce(original(), { failure })
      assert.is_nil(made)
      assert.matches("bounce: failures", tostring(err))
    end
    for _, from in ipairs { { group = "g", members = { "a@b.example" } }, "g: a@b.example;" } do
      local made, err = smtp.bounce(original { envelope = { from = from, to = {} } }, GONE)
      assert.is_nil(made)
      assert.equal("invalid", err.kind)
    end
    misused("failures%[2%] must be a table", function() smtp.bounce(original(), { GONE, "x" }) end)
    misused("code must be a whole", function() smtp.bounce(original(), { { code = 5.5 } }) end)
    misused("with an envelope", function() smtp.bounce(original { envelope = 5 }, GONE) end)
  end)

  it("takes what a client tells of those who were refused", function()
    local server <close> = assert(smtp.server { listen = "127.0.0.1:0",
      on_rcpt = function(_, to) return to.user == "bob" end,
      on_message = function(_, m) m:read() return true end })
    local record = { from = "ada@code.energy", to = { "bob@example.com", "eve@example.com" },
      text = "x" }
    local receipt = assert(smtp.send("127.0.0.1:" .. server.port, record))
    local made = assert(smtp.bounce(assert(smtp.message(record)), receipt.rejected))
    assert.truthy(tostring(made):find("Status: 5.1.1\r\n", 1, true))
    local said = "Diagnostic-Code: smtp; 550 5.1.1 No such recipient here\r\n"
    assert.truthy(tostring(made):find(said, 1, true))
  end)

  -- Failures as people keep them: the codes in the text, numbers of JSON.
  for name, case in pairs {
    ["the enhanced code at the head of the text"] = { { code = 550, text = "5.1.1 no such user" },
      "5.1.1", "smtp; 550 5.1.1 no such user" },
    ["in another class than the code"] = { { code = 450, text = "5.1.1 no such user" },
      "5.1.1", "smtp; 450 5.1.1 no such user" },
    ["of three digits"] = { { code = 554, text = "5.7.999 policy" }, "5.7.999",
      "smtp; 554 5.7.999 policy" },
    ["alone"] = { { code = 452, text = "4.2.2" }, "4.2.2", "smtp; 452 4.2.2 " },
    ["there twice"] = { { code = 550, enhanced = "5.1.1", text = "5.1.1 no" }, "5.1.1",
      "smtp; 550 5.1.1 no" },
    ["not that of the reply"] = { { code = 550, enhanced = "5.1.1", text = "5.2.2 no" }, "5.1.1",
      "smtp; 550 5.1.1 5.2.2 no" },
    ["behind the code"] = { { text = "550 5.1.1 no such user" }, "5.1.1",
      "smtp; 550 5.1.1 no such user" },
    ["behind the same code"] = { { code = 550, text = "550-5.1.1 no such user" }, "5.1.1",
      "smtp; 550 5.1.1 no such user" },
    ["with a line of its own"] = { { code = 550, text = "5.1.1 no\n5.1.1 such user" }, "5.1.1",
      "smtp; 550 5.1.1 no 5.1.1 such user" },
    ["of what succeeds, for a failure"] = { { code = 550, text = "2.1.5 fine" }, "5.0.0",
      "smtp; 550 2.1.5 fine" },
    ["no code, but a number"] = { { text = "5.1 megabytes are too much" }, "5.0.0",
      "x-local; 5.1 megabytes are too much" },
    ["a sum of people"] = { { text = "450 people wait" }, "5.0.0", "x-local; 450 people wait" },
    ["none, of a float"] = { { code = 550.0 }, "5.0.0", "smtp; 550 " },
    ["of a float"] = { { code = 452.0, text = "4.2.2 full" }, "4.2.2", "smtp; 452 4.2.2 full" },
    ["of no reply"] = { { text = "5.3.0 disk" }, "5.3.0", "x-local; 5.3.0 disk" },
    ["overruled"] = { { code = 550, status = "5.2.0", text = "5.1.1 no" }, "5.2.0",
      "smtp; 550 5.1.1 no" },
  } do
    it("reads the codes of a failure: " .. name, function()
      local failure, status, diagnostic = table.unpack(case)
      failure.address = "bob@example.com"
      local _, m = bounce(failure)
      assert.matches("\n        %S", m.text) -- the reply, which may have no code
      local blocks = m.parts[2].content:gsub("\r\n ", " ")
      assert.equal(status, blocks:match("\nStatus: ([^\r\n]*)"))
      assert.equal(diagnostic:gsub(" +$", ""),
        blocks:match("\nDiagnostic%-Code: ([^\r\n]*)"):gsub(" +$", ""))
    end)
  end

  it("C171 goes to the Return-Path of a file of a Maildir", function()
    local rest = "Received: from a.example.com by mx.example.com with ESMTP id 1;\r\n"
      .. " Mon, 2 Nov 2026 10:00:00 +0000\r\nFrom: Ada <ada@code.energy>\r\nSubject: x\r\n\r\nx\r\n"
    for path, to in pairs { ["<list-bounces@example.com>"] = "list-bounces@example.com",
      ['<"a b"@example.com>'] = '"a b"@example.com', [" <x@[192.0.2.1]>"] = "x@[192.0.2.1]" } do
      local file = assert(smtp.parse("Return-Path: " .. path .. "\r\n" .. rest))
      local made = assert(smtp.bounce(file, { address = "bob@example.com", code = 550 }))
      assert.same({ to }, made.envelope.to)
    end
    local _, err = smtp.bounce(assert(smtp.parse("Return-Path: <>\r\n" .. rest)), GONE)
    assert.equal("unsupported", err.kind)
  end)

  it("lets nothing of a hostile text into its fields", function()
    for _, failure in ipairs { { address = "a@b\r\nX: y" },
      { address = "a@b", diagnostic = "x\ny" }, { address = "a@b", remote_mta = "m\0" } } do
      local made, err = smtp.bounce(original(), failure)
      assert.is_nil(made)
      assert.equal("invalid", err.kind)
    end
    local core = require "smtp.core"
    local since = core.now()
    bounce { address = "a@b", code = 550, text = "a" .. (" "):rep(1000000) .. "b\xff" }
    local many = 0
    assert(smtp.bounce({ envelope = { from = "a@b.example" }, chunks = function()
      return function()
        many = many + 1
        return many < 100000 and "x" or nil
      end
    end }, GONE))
    assert.is_true(core.now() - since < 5)
    local _, m = bounce { address = "a@b", code = 550, text = "one\ntwo" }
    assert.matches("550 one two", m.parts[2].content)
  end)
end)
