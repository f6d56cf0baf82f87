-- SPDX-License-Identifier: MIT
-- msmtp against our server, with a configuration file of its own.
local contents = require "spec.support.contents"
local inbox = require "spec.support.inbox"
local net = require "spec.support.net"
local process = require "spec.support.process"

local missing = process.missing("msmtp")

-- Exit codes of sysexits.h.
local DATA_ERROR, UNAVAILABLE, PROTOCOL = 65, 69, 76

describe("msmtp as a client of the server", function()
  if missing then
    pending(missing)
    return
  end

  local folder

  before_each(function() folder = net.folder() end)
  after_each(function() net.remove(folder) end)

  local function msmtp(server, content, ...)
    local config = folder .. "/msmtprc"
    net.dump(config, ("account default\nhost 127.0.0.1\nport %d\ntls off\nauth off\n" ..
      "from ada@example.org\ndomain client.example.org\nset_from_header off\n" ..
      "set_date_header off\nset_msgid_header off\nlogfile %s/log\n"):format(server.port, folder))
    assert(os.execute("chmod 600 " .. config))
    local one <close> = process.start({ "msmtp", "--file=" .. config, "--", ... },
      { input = content, env = { HOME = folder } })
    return one:wait()
  end

  for _, case in ipairs(contents) do
    if not case.name:find("bare", 1, true) then
      it("sends " .. case.name, function()
        local server <close>, mails = inbox.open()
        local status, _, err = msmtp(server, (case.given:gsub("\r\n", "\n")), "bob@example.com")
        assert.equal(0, status, err)
        assert.equal(1, #mails)
        assert.equal("ada@example.org", mails[1].from)
        assert.equal("client.example.org", mails[1].helo)
        assert.is_true(mails[1].content == case.kept)
      end)
    end
  end

  it("sends to several recipients", function()
    local server <close>, mails = inbox.open()
    local status, _, err = msmtp(server, "Subject: hi\n\nhi\n", "bob@example.com",
      "charles@example.com")
    assert.equal(0, status, err)
    assert.same({ "bob@example.com", "charles@example.com" }, mails[1].to)
    assert.equal("Subject: hi\r\n\r\nhi\r\n", mails[1].content)
  end)

  it("reports a refused recipient, and sends nothing", function()
    local server <close>, mails = inbox.open {
      on_rcpt = function(_, recipient) return recipient.user ~= "eve" end,
    }
    local status, _, err = msmtp(server, "Subject: hi\n\nhi\n", "bob@example.com",
      "eve@example.com")
    assert.not_equal(0, status)
    assert.truthy(err:find("eve@example.com", 1, true), err)
    assert.equal(0, #mails)
  end)

  for handler, cases in pairs {
    on_helo = { [550] = PROTOCOL },
    on_mail = { [550] = DATA_ERROR, [451] = UNAVAILABLE },
    on_message = { [550] = UNAVAILABLE, [451] = UNAVAILABLE },
  } do
    for code, expected in pairs(cases) do
      it(("fails when %s answers %d"):format(handler, code), function()
        local server <close>, mails = inbox.open { [handler] = function() return code, "no" end }
        local status, _, err = msmtp(server, "Subject: hi\n\nhi\n", "bob@example.com")
        assert.equal(expected, status)
        assert.truthy(err:find(code, 1, true), err)
        assert.equal(0, #mails)
      end)
    end
  end
end)
