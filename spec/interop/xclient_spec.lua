-- SPDX-License-Identifier: MIT
-- XCLIENT, XFORWARD and PROXY headers, of Postfix and swaks.
local inbox = require "spec.support.inbox"
local postfix = require "spec.support.postfix"
local process = require "spec.support.process"
local smtp = require "smtp"

-- The spec's options of a server that keeps what its sessions were told.
local function open(options)
  local seen = {}
  local all = { on_rcpt = true, xclient = { "127.0.0.1" }, xforward = { "127.0.0.1" },
    on_data = function(session)
      seen[#seen + 1] = { peer = session.peer, helo = session.helo, user = session.user,
        esmtp = session.esmtp, xforward = session.xforward, proxy = session.proxy,
        xclient = session.xclient }
    end }
  for key, value in pairs(options or {}) do all[key] = value end
  local server, mails = inbox.open(all)
  return server, seen, mails
end

describe("Postfix", function()
  local missing = postfix.missing()
  if missing then
    pending(missing)
    return
  end

  local BOTH = "inet_protocols = ipv4, ipv6\n" -- it believes in no other addresses

  local MESSAGE = { envelope = { from = "eve@example.org", to = { "bob@example.com" } },
    raw = "Subject: hi\r\n\r\nhi\r\n" }

  it("C139 sends XFORWARD to the server", function()
    local server <close>, seen, mails = open()
    local mx <close> = postfix.start { relay = server.port,
      main = "smtp_send_xforward_command = yes\n" }
    local client <close> = assert(smtp.connect { url = mx.url, helo = "spike.example" })
    assert(client:send { envelope = { from = "eve@example.org", to = { "bob@relay.example" } },
      raw = MESSAGE.raw })
    mx.process:await(function() return #mails == 1 end, 30)
    local told = seen[1].xforward
    assert.same({ "127.0.0.1", "ESMTP", "spike.example", "REMOTE" },
      { told.addr, told.proto, told.helo, told.source })
    assert.equal("number", math.type(told.port) and "number")
    assert.truthy(mx:log():find(told.ident .. ":", 1, true)) -- the queue's name of it
    assert.equal("mx.example.com", seen[1].helo)
  end)

  it("C139 takes XCLIENT and XFORWARD of the client", function()
    local mx <close> = postfix.start { main = BOTH ..
      "smtpd_authorized_xclient_hosts = 127.0.0.1\n" ..
      "smtpd_authorized_xforward_hosts = 127.0.0.1\n" }
    local client <close> = assert(smtp.connect { url = mx.url, helo = "filter.example" })
    assert.matches("NAME ADDR PROTO HELO", client.capabilities.XCLIENT)
    assert(client:xclient { name = "spike.example", addr = "192.0.2.7", port = 4321,
      helo = "told.example", proto = "ESMTP" })
    assert(client:send(MESSAGE))
    local mail = mx:mails("bob", 1)[1]
    assert.truthy(mail:find("Received: from filter.example (spike.example [192.0.2.7])", 1, true),
      mail)
    assert.is_nil(client.capabilities.XCLIENT) -- it is not from a host that may say so now
    local other <close> = assert(smtp.connect { url = mx.url, helo = "filter.example" })
    assert(other:xclient { addr = "2001:db8::7", name = false })
    assert(other:send { envelope = { from = "eve@example.org", to = { "ada@example.com" } },
      raw = MESSAGE.raw })
    mail = mx:mails("ada", 1)[1]
    assert.truthy(mail:find("(unknown [IPv6:2001:db8::7])", 1, true), mail)

    local filter <close> = assert(smtp.connect { url = mx.url, helo = "filter.example" })
    assert(filter:xforward { name = "spike.example", addr = "192.0.2.8", helo = "a b",
      proto = "ESMTP", source = "REMOTE", ident = "4F1" })
    assert(filter:send(MESSAGE))
    mx:mails("bob", 2)
    assert.truthy(mx:log():find("client=spike.example[192.0.2.8]", 1, true), mx:log())
    local reply = assert(filter:command("XCLIENT ADDR=300.0.0.1"))
    assert.equal(501, reply.code)
  end)

  it("C139 refuses XCLIENT of a stranger", function()
    local mx <close> = postfix.start {}
    local client <close> = assert(smtp.connect(mx.url))
    local ok, err = client:xclient { addr = "192.0.2.7" }
    assert.is_nil(ok)
    assert.equal("unsupported", err.kind)
    local d <close> = assert(smtp.dialogue(mx.url, { timeout = 10 }))
    assert(d:expect(220))
    ok, err = d:xclient { addr = "192.0.2.7" }
    assert.is_nil(ok)
    assert.equal(550, err.code)
  end)

  it("C140 takes the PROXY header of the client", function()
    for version, source in pairs { "192.0.2.7:4321", "[2001:db8::7]:4321" } do
      local mx <close> = postfix.start { main = BOTH ..
        "smtpd_upstream_proxy_protocol = haproxy\n" }
      local client, why = smtp.connect { url = mx.url, helo = "spike.example",
        proxy = { version = version, source = source,
          destination = version == 1 and "192.0.2.25:25" or "[2001:db8::25]:25" } }
      assert(client, tostring(why) .. mx:log())
      assert(client:send(MESSAGE))
      local mail = mx:mails("bob", 1)[1]
      local address = version == 1 and "[192.0.2.7]" or "[IPv6:2001:db8::7]"
      assert.truthy(mail:find("from spike.example (unknown " .. address .. ")", 1, true), mail)
    end
  end)
end)

describe("swaks", function()
  local missing = process.missing("swaks")
  if missing then
    pending(missing)
    return
  end

  local function swaks(server, ...)
    local status, out = process.run { "swaks", "--server", "127.0.0.1", "--port", server.port,
      "--helo", "client.example.org", "--from", "ada@example.org", "--to", "bob@example.com", ... }
    return status, out
  end

  it("C139 sends XCLIENT, in one command or several", function()
    local server <close>, seen = open()
    local status, out = swaks(server, "--xclient-name", "spike.example", "--xclient-delim",
      "--xclient-addr", "IPV6:2001:db8::7", "--xclient-port", "4321", "--xclient-login", "ada",
      "--xclient-helo", "a b", "--xclient-proto", "ESMTP", "--xclient-destaddr", "192.0.2.25",
      "--xclient-destport", "25")
    assert.equal(0, status, out)
    assert.same({ address = "2001:db8::7", port = 4321 }, seen[1].peer)
    assert.same({ "ada", "client.example.org", "a b", "192.0.2.25", 25 }, { seen[1].user,
      seen[1].helo, seen[1].xclient.helo, seen[1].xclient.destaddr, seen[1].xclient.destport })
  end)

  it("C139 gets the reason against a wrong XCLIENT", function()
    local server <close> = open()
    local _, out = swaks(server, "--xclient-addr", "300.0.0.1")
    assert.truthy(out:find("<** 501 5.5.4", 1, true), out)
    local stranger <close> = open { xclient = { "192.0.2.0/24" } }
    local status
    status, out = swaks(stranger, "--xclient-addr", "192.0.2.1")
    assert.is_true(status ~= 0)
    assert.is_nil(out:find("-> XCLIENT", 1, true), out)
  end)

  for version = 1, 2 do
    it("C140 sends a PROXY header of version " .. version, function()
      local server <close>, seen = open { proxy = { "127.0.0.1" } }
      local status, out = swaks(server, "--proxy-version", version, "--proxy-family",
        version == 1 and "TCP4" or "AF_INET", "--proxy-source", "192.0.2.7", "--proxy-source-port",
        "4321", "--proxy-dest", "192.0.2.25", "--proxy-dest-port", "25",
        table.unpack(version == 2 and { "--proxy-protocol", "STREAM", "--proxy-command", "PROXY" }
          or {}))
      assert.equal(0, status, out)
      assert.same({ address = "192.0.2.7", port = 4321 }, seen[1].peer)
      assert.same({ address = "192.0.2.25", port = 25 }, seen[1].proxy.destination)
      assert.equal(version, seen[1].proxy.version)
    end)
  end

  it("C140 without a header is not answered", function()
    local server <close> = open { proxy = { "127.0.0.1" }, limits = { proxy_timeout = 0.2 } }
    local status, out = swaks(server)
    assert.is_true(status ~= 0)
    assert.is_nil(out:find("<", 1, true), out)
  end)
end)
