-- SPDX-License-Identifier: MIT
local smtp = require "smtp"

local DELIVERY = [[
From: MAILER-DAEMON@example.com
To: ada@code.energy
Subject: Undelivered
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

It did not arrive.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.com
Original-Envelope-Id: QQ314159
Arrival-Date: Fri, 21 Nov 1997 09:55:06 -0600

Final-Recipient: rfc822; bob@example.com
Original-Recipient: rfc822;robert@example.com
Action: Failed
Status: 5.1.1 (bad mailbox)
Remote-MTA: dns; mx.example.com
Diagnostic-Code: smtp; 550 5.1.1 <bob@example.com>:
 unknown; really

Final-Recipient: utf-8; \x{e9}ric@example.com
Action: delayed
Status: 4.4.1
--b
Content-Type: %s

Subject: the first
Message-ID: <one@code.energy>

%s
--b--
]]

describe("reports in a message", function()
  for _, eol in ipairs { "\n", "\r\n" } do
    it("C078 C163 C164 C165 tell of delivery" .. (#eol == 2 and ", CRLF" or ""), function()
      local text = DELIVERY:format("message/rfc822", "body"):gsub("\n", eol)
      local report = smtp.parse(text).report
      assert.equal("delivery", report.type)
      assert.equal("mail.example.com", report.reporting_mta)
      assert.equal("QQ314159", report.original_envelope_id)
      assert.equal(2, #report.recipients)
      local bob, eric = report.recipients[1], report.recipients[2]
      assert.same({ "bob@example.com", "rfc822", "robert@example.com", "failed", "5.1.1",
        "mx.example.com", "550 5.1.1 <bob@example.com>: unknown; really", "smtp" },
        { bob.final_recipient, bob.final_recipient_type, bob.original_recipient, bob.action,
          bob.status, bob.remote_mta, bob.diagnostic, bob.diagnostic_type })
      assert.same({ "\u{e9}ric@example.com", "delayed", "4.4.1" },
        { eric.final_recipient, eric.action, eric.status })
      assert.is_nil(eric.diagnostic)
      assert.equal("one@code.energy", report.returned.message_id)
      assert.equal("body", report.returned.text)
    end)
  end

  -- The report of these blocks: each field of the message, and each recipient as
  -- "final original action status".
  local function read(...)
    local text = "Content-Type: message/delivery-status\r\n\r\n"
      .. table.concat({ ... }, "\r\n"):gsub("\r?\n", "\r\n")
    local report = smtp.parse(text).report
    local list = { report.reporting_mta or "-" }
    for _, one in ipairs(report.recipients) do
      list[#list + 1] = ("%s %s %s %s"):format(one.final_recipient or "-",
        one.original_recipient or "-", one.action or "-", one.status or "-")
    end
    return list
  end

  local MESSAGE = "Reporting-MTA: dns; mx.example.com\n"
  local BOB = "Final-Recipient: rfc822; bob@example.com\nAction: failed\nStatus: 5.1.1\n"
  local CAROL = "Original-Recipient: rfc822; carol@example.com\nAction: delayed\nStatus: 4.4.1\n"
  local OF_BOB, OF_CAROL = "bob@example.com - failed 5.1.1", "- carol@example.com delayed 4.4.1"

  it("tell each recipient, whichever fields name it", function()
    assert.same({ "mx.example.com", OF_BOB, OF_CAROL }, read(MESSAGE, BOB, CAROL))
    assert.same({ "-", OF_CAROL, OF_BOB }, read(CAROL, BOB))
    assert.same({ "-", OF_BOB }, read(BOB))
    assert.same({ "-", "- - failed -" }, read("Action: failed\n"))
    assert.same({ "-", "- - - 5.0.0" }, read("Arrival-Date: x\n", "Status: 5.0.0\n"))
    assert.same({ "mx.example.com", OF_BOB }, read(MESSAGE .. BOB))
    assert.same({ "mx.example.com", OF_BOB }, read(BOB, MESSAGE))
  end)

  it("have blocks that are of nobody", function()
    assert.same({ "mx.example.com", OF_BOB }, read(MESSAGE, BOB, "X-Trailer: z\n"))
    assert.same({ "mx.example.com", OF_BOB, OF_CAROL },
      read(MESSAGE, BOB, "X-Between: z\nY: 1\n", CAROL))
    assert.same({ "-", OF_BOB }, read("X-First: z\n", BOB))
    assert.same({ "-" }, read("X-First: z\n", "Diagnostic-Code: smtp; 550\n"))
    assert.same({ "mx.example.com", OF_BOB }, read(MESSAGE, "Action: failed\n", BOB))
    assert.same({ "mx.example.com", OF_CAROL },
      read(MESSAGE, CAROL, "Action: failed\nStatus: 5.0.0\n"))
  end)

  it("have blank lines for empty ones", function()
    assert.same({ "mx.example.com", OF_BOB, OF_CAROL },
      read(" \n\n" .. MESSAGE .. "\t\n" .. BOB .. " \t \n\n \n" .. CAROL .. "\n \n"))
    local parse = function(kind, text)
      return smtp.parse(("Content-Type: message/%s\r\n\r\n%s"):format(kind, text)).report
    end
    assert.equal("abuse", parse("feedback-report", "\r\n \r\nFeedback-Type: abuse\r\n")
      .feedback_type)
    assert.equal("deleted", parse("disposition-notification",
      "\r\nDisposition: manual-action/MDN-sent-manually; deleted\r\n").disposition)
  end)

  it("have a status behind the code of a reply", function()
    for text, status in pairs { ["5.1.1"] = "5.1.1", ["550 5.1.1"] = "5.1.1",
      ["#5.1.10"] = "5.1.10",
      ["5.1.1 (no such user)"] = "5.1.1", ["192.0.2.1"] = "192.0.2.1", ["5.1"] = "5.1" } do
      local report = smtp.parse("Content-Type: message/delivery-status\r\n\r\n"
        .. "Final-Recipient: rfc822; a@b\r\nStatus: " .. text .. "\r\n").report
      assert.equal(status, report.recipients[1].status)
    end
  end)

  it("go on behind a line that is no field", function()
    for _, block in ipairs { "Diagnostic-Code: smtp; 550-not\n550 here\n" .. BOB,
      "550 here\n" .. BOB, BOB .. "550 here\n", "Action: failed\n550 one\n550 two\n 550 three\n"
      .. BOB } do
      assert.same({ "mx.example.com", OF_BOB, OF_CAROL }, read(MESSAGE, block, CAROL), block)
    end
    assert.same({ "mx.example.com", OF_BOB }, read("not a field\n" .. MESSAGE, BOB))
  end)

  it("C165 return headers alone", function()
    local report = smtp.parse((DELIVERY:format("text/rfc822-headers", ""))).report
    assert.equal("the first", report.returned.subject)
  end)

  it("tell of complaints (RFC 5965)", function()
    local report = smtp.parse [[
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b

Somebody complained.
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <ada@code.energy>
Original-Rcpt-To: <bob@example.com>
Original-Rcpt-To: eve@example.com
Arrival-Date: Thu, 8 Mar 2005 14:00:00 EDT
Source-IP: 192.0.2.1
Reported-Domain: code.energy
Incidents: 3

--b
Content-Type: message/rfc822

Subject: spam

x
--b--
]].report
    assert.equal("feedback", report.type)
    assert.equal("abuse", report.feedback_type)
    assert.equal("SomeGenerator/1.0", report.user_agent)
    assert.equal("192.0.2.1", report.source_ip)
    assert.equal("ada@code.energy", report.original_mail_from)
    assert.same({ "bob@example.com", "eve@example.com" }, report.original_rcpt_to)
    assert.same({ "code.energy" }, report.reported_domain)
    assert.equal(3, report.incidents)
    assert.equal("spam", report.returned.subject)
  end)

  it("tell of what the reader did (RFC 8098)", function()
    local text = [[
Content-Type: multipart/report; report-type=disposition-notification; boundary=b

--b

The message was shown.
--b
Content-Type: message/disposition-notification

Reporting-UA: joes-pc.cs.example.com; Foomail 97.1
Original-Recipient: rfc822;Joe_Recipient@example.com
Final-Recipient: rfc822;Joe_Recipient@example.com
Original-Message-ID: <199509192301.23456@example.org>
Disposition: manual-action/MDN-sent-manually; %s
Error: one
Error: two

--b
Content-Type: text/rfc822-headers

Subject: the first
--b--
]]
    local report = smtp.parse(text:format("displayed")).report
    assert.same({ "disposition", "Joe_Recipient@example.com", "rfc822",
      "199509192301.23456@example.org", "manual-action", "mdn-sent-manually", "displayed" },
      { report.type, report.final_recipient, report.final_recipient_type,
        report.original_message_id, report.action_mode, report.sending_mode,
        report.disposition })
    assert.same({ {}, { "one", "two" }, "the first" },
      { report.modifiers, report.errors, report.returned.subject })
    report = smtp.parse(text:format("Deleted/error , x-late")).report
    assert.same({ "deleted", { "error", "x-late" } }, { report.disposition, report.modifiers })
    report = smtp.parse("Content-Type: message/disposition-notification\n\nDisposition: x").report
    assert.same({ "disposition", nil }, { report.type, report.disposition })
  end)

  it("may be empty or broken", function()
    local report = smtp.parse("Content-Type: message/delivery-status\n\n").report
    assert.same({}, report.recipients)
    report = smtp.parse("Content-Type: message/delivery-status\n\n\n\nFinal-Recipient: a\n\n" ..
      "junk\n\n\nAction: failed").report
    assert.equal("a", report.recipients[1].final_recipient)
    assert.equal(1, #report.recipients)
  end)
end)
