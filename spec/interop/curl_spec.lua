-- SPDX-License-Identifier: MIT
-- curl against our server.
local contents = require "spec.support.contents"
local inbox = require "spec.support.inbox"
local net = require "spec.support.net"
local process = require "spec.support.process"

local missing = process.missing("curl")

-- Exit codes of curl.
local WEIRD_REPLY, SEND_ERROR = 8, 55

describe("curl as a client of the server", function()
  if missing then
    pending(missing)
    return
  end

  local function upload(server, file, content, ...)
    local one <close> = process.start({ "curl", "--silent", "--show-error", "--noproxy", "*",
      "smtp://127.0.0.1:" .. server.port .. "/client.example.org",
      "--mail-from", "ada@example.org", "--upload-file", file, ... }, { input = content })
    return one:wait()
  end

  -- A file, so that curl declares its size.
  local function curl(server, content, ...)
    local file = os.tmpname()
    net.dump(file, content)
    local status, out, err = upload(server, file, "", ...)
    os.remove(file)
    return status, out, err
  end

  for _, case in ipairs(contents) do
    if not case.name:find("bare", 1, true) then -- curl sends what it was given
      it("sends " .. case.name, function()
        local server <close>, mails = inbox.open()
        local status, _, err = curl(server, case.given, "--mail-rcpt", "bob@example.com")
        assert.equal(0, status, err)
        assert.equal(1, #mails)
        assert.equal("ada@example.org", mails[1].from)
        assert.is_true(mails[1].content == case.kept)
      end)
    end
  end

  it("sends the content of a pipe, of unknown size", function()
    local server <close>, mails = inbox.open()
    local content = contents.HEADER .. contents.text(100000)
    local status, _, err = upload(server, "-", content, "--mail-rcpt", "bob@example.com")
    assert.equal(0, status, err)
    assert.is_true(mails[1].content == content)
  end)

  it("has bare line ends refused, in full and with the connection kept", function()
    local server <close>, mails = inbox.open()
    local status, _, err = curl(server, contents.HEADER .. "a\nb\n", "--verbose",
      "--mail-rcpt", "bob@example.com")
    assert.equal(WEIRD_REPLY, status)
    assert.truthy(err:find("\n< 550 5.5.2 ", 1, true), err)
    assert.equal(0, #mails)
    assert.equal("QUIT", mails.commands[#mails.commands])
  end)

  it("sends to several recipients", function()
    local server <close>, mails = inbox.open()
    local status, _, err = curl(server, "Subject: hi\r\n\r\nhi\r\n", "--mail-rcpt",
      "bob@example.com", "--mail-rcpt", "charles@example.com", "--mail-rcpt", "eve@example.com")
    assert.equal(0, status, err)
    assert.same({ "bob@example.com", "charles@example.com", "eve@example.com" }, mails[1].to)
  end)

  it("goes on without the recipients that are refused, if asked to", function()
    local server <close>, mails = inbox.open {
      on_rcpt = function(_, recipient) return recipient.user ~= "eve" end,
    }
    local status, _, err = curl(server, "Subject: hi\r\n\r\nhi\r\n", "--mail-rcpt-allowfails",
      "--mail-rcpt", "eve@example.com", "--mail-rcpt", "bob@example.com")
    assert.equal(0, status, err)
    assert.same({ "bob@example.com" }, mails[1].to)
  end)

  it("has a message that is larger than the limit refused at MAIL", function()
    local server <close>, mails = inbox.open { limits = { message_size = 1000 } }
    local content = contents.HEADER .. contents.text(2000)
    local status, _, err = curl(server, content, "--mail-rcpt", "bob@example.com")
    assert.equal(SEND_ERROR, status, err)
    assert.truthy(err:find("552", 1, true), err)
    assert.equal(0, #mails)
  end)

  local refuse = function() return 554, "5.7.1 not from you" end
  for handler, code in pairs {
    on_connect = WEIRD_REPLY, on_mail = SEND_ERROR, on_rcpt = SEND_ERROR, on_data = SEND_ERROR,
    on_message = WEIRD_REPLY,
  } do
    it("is refused by " .. handler, function()
      local server <close>, mails = inbox.open { [handler] = refuse }
      local status, _, err = curl(server, "Subject: hi\r\n\r\nhi\r\n",
        "--mail-rcpt", "bob@example.com")
      assert.equal(code, status, err)
      assert.equal(0, #mails)
    end)
  end

  it("verifies an address", function()
    local server <close> = inbox.open {
      on_vrfy = function(_, text) return 250, "2.1.5 <" .. text .. "@example.com>" end,
    }
    local status, out, err = process.run { "curl", "--silent", "--show-error", "--noproxy", "*",
      "smtp://127.0.0.1:" .. server.port, "--mail-rcpt", "bob" }
    assert.equal(0, status, err)
    assert.truthy(out:find("<bob@example.com>", 1, true), out)
  end)
end)
