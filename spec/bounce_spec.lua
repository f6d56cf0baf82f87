-- Bounces: delivery status notifications to the sender of what was not delivered.
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
    assert.is_nil((smtp.bounce(original { envelope = { to = { "x@y.example" } } }, GONE)))
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
    assert.matches("550 no such user", m.parts[2].content)
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
      _, m = bounce(GONE, nil, fields)
      assert.equal("message/rfc822", m.parts[3].type)
      assert.equal("The engine", m.parts[3].message.subject)
      assert.equal("QQ314159", m.report.original_envelope_id)
    end
    _, m = bounce(GONE, { ret = "FULL", max = 20 })
    assert.equal("text/rfc822-headers", m.parts[3].type)
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
    assert.truthy(tostring(made):find("Diagnostic-Code: smtp; 550 No such recipient here\r\n", 1,
      true))
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
