-- SPDX-License-Identifier: MIT
-- Clients of LMTP against our server: lmtp(8) of Postfix, and swaks.
local inbox = require "spec.support.inbox"
local net = require "spec.support.net"
local postfix = require "spec.support.postfix"
local process = require "spec.support.process"
local smtp = require "smtp"

-- The replies for three recipients.
local FATES = {
  ["bob@relay.example"] = { 250, "2.1.5 kept" }, ["eve@relay.example"] = { 550, "5.1.1 no eve" },
  ["ada@relay.example"] = { 452, "4.2.2 ada is full" },
}

-- A server that says so; gives it and what came.
local function open(options)
  local came = {}
  options.lmtp = true
  options.on_message = function(session, message)
    table.insert(came, { content = message:read(), received = message:received(),
      to = message.envelope.to, helo = session.helo })
    for _, recipient in ipairs(message.recipients) do
      message:reply(recipient, table.unpack(FATES[recipient.address]))
    end
    return true
  end
  return inbox.open(options), came
end

describe("LMTP of Postfix", function()
  local missing = postfix.missing()
  if missing then
    pending(missing)
    return
  end

  -- Gives it one message for all, and looks what it says of each.
  local function deliver(transport)
    local mx <close> = postfix.start { relay = 1, main = "relay_transport = " .. transport .. "\n" }
    assert(smtp.send(mx.url, {
      envelope = { from = "eve@example.org",
        to = { "bob@relay.example", "eve@relay.example", "ada@relay.example" } },
      raw = "Subject: hi\r\n\r\nby Postfix\r\n.\r\n",
    }))
    local fates
    mx.process:await(function()
      fates = {}
      for user, status, said in mx:log():gmatch(
        "to=<(%w+)@relay%.example>[^\n]* status=(%w+) %(([^\n]*)%)\n") do
        fates[user] = { status, said }
      end
      return fates.bob and fates.eve and fates.ada
    end, 30)
    return fates, mx:log()
  end

  local function check(fates, log, came)
    assert.same({ "sent", "bounced", "deferred" },
      { fates.bob[1], fates.eve[1], fates.ada[1] }, log)
    assert.truthy(fates.bob[2]:find("250 2.1.5 kept", 1, true), log)
    assert.truthy(fates.eve[2]:find("550 5.1.1 no eve", 1, true), log)
    assert.truthy(fates.ada[2]:find("452 4.2.2 ada is full", 1, true), log)
    assert.equal(1, #came)
    assert.equal("mx.example.com", came[1].helo)
    assert.equal(3, #came[1].to)
    assert.truthy(came[1].content:find("\r\n\r\nby Postfix\r\n.\r\n", 1, true))
    assert.truthy(came[1].received:find(" with LMTP id ", 1, true))
  end

  it("C122 delivers over TCP, and hears of each recipient", function()
    local server <close>, came = open {}
    local fates, log = deliver(("lmtp:inet:127.0.0.1:%d"):format(server.port))
    check(fates, log, came)
  end)

  it("C122 delivers over a Unix socket", function()
    local folder = net.folder()
    local path = folder .. "/lmtp"
    local server <close>, came = open { listen = "unix:" .. path }
    assert(os.execute(("chmod 711 %s && chmod 777 %s"):format(folder, path))) -- it is no root
    local fates, log = deliver("lmtp:unix:" .. server.address)
    net.remove(folder)
    check(fates, log, came)
  end)
end)

describe("LMTP of swaks", function()
  local missing = process.missing("swaks")
  if missing then
    pending(missing)
    return
  end

  it("C122 hears of each recipient", function()
    local server <close>, came = open {}
    local status, out = process.run { "swaks", "--protocol", "LMTP", "--server", "127.0.0.1",
      "--port", server.port, "--helo", "client.example.org", "--from", "ada@example.org",
      "--to", "bob@relay.example,eve@relay.example,ada@relay.example" }
    assert.truthy(out:find(" -> LHLO client.example.org", 1, true), out)
    assert.truthy(out:find(
      "<-  250 2.1.5 kept\n<** 550 5.1.1 no eve\n<** 452 4.2.2 ada is full\n", 1, true), out)
    assert.equal(0, status, out) -- one had it
    assert.equal(1, #came)
    assert.equal("client.example.org", came[1].helo)
  end)
end)
