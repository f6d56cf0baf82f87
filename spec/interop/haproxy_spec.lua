-- SPDX-License-Identifier: MIT
-- HAProxy in front of our server, with PROXY headers of both versions.
local authority = require "smtp.authority"
local inbox = require "spec.support.inbox"
local net = require "spec.support.net"
local process = require "spec.support.process"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local missing = process.missing("haproxy")

local CONFIG = [[
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend front
  bind 127.0.0.1:%d %s
  unique-id-format id-%%[fc_rcvd_proxy]-%%ci
  default_backend back
backend back
  option tcp-check
  tcp-check expect string 220
  server mx 127.0.0.1:%d %s
]]

-- The TLV of a type.
local function tlv_of(proxy, kind)
  for _, tlv in ipairs(proxy.tlvs) do
    if tlv.type == kind then return tlv.value end
  end
end

describe("HAProxy in front of the server", function()
  if missing then
    pending(missing)
    return
  end

  local folder, sessions

  before_each(function()
    folder, sessions = net.folder(), {}
  end)

  after_each(function() net.remove(folder) end)

  local function open(options)
    local all = { proxy = { "127.0.0.1" }, on_rcpt = true,
      on_mail = function(session) sessions[#sessions + 1] = session end }
    for key, value in pairs(options or {}) do all[key] = value end
    return inbox.open(all)
  end

  -- Starts it before the server: `how` is said of the server, `bind` of its own place.
  local function start(server, how, bind)
    local port = net.closed_port()
    net.dump(folder .. "/haproxy.cfg", CONFIG:format(port, bind or "", server.port, how))
    local one = process.start { "haproxy", "-db", "-f", folder .. "/haproxy.cfg" }
    one:listening { host = "127.0.0.1", port = port }
    return one, port
  end

  local function send(target)
    local client <close> = assert(smtp.connect(target))
    assert(client:send { envelope = { from = "ada@example.org", to = { "bob@example.com" } },
      raw = "Subject: hi\r\n\r\nby HAProxy\r\n" })
    return sessions[#sessions]
  end

  local function told(session, version, port)
    assert.equal(version, session.proxy.version)
    assert.equal("PROXY", session.proxy.command)
    assert.equal("127.0.0.1", session.peer.address)
    assert.same({ address = "127.0.0.1", port = port }, session.proxy.destination)
    assert.is_true(session.proxy.port ~= session.peer.port) -- two connections
  end

  for how, version in pairs { ["send-proxy"] = 1, ["send-proxy-v2"] = 2 } do
    it("C140 names the client by " .. how, function()
      local server <close>, mails = open()
      local _ <close>, port = start(server, how)
      local session = send { host = "127.0.0.1", port = port, tls = "none" }
      told(session, version, port)
      assert.same({}, session.proxy.tlvs)
      assert.equal(1, #mails)
      assert.truthy(mails[1].content:find("by HAProxy", 1, true))
    end)
  end

  it("C140 sends TLVs with a checksum", function()
    local server <close>, mails = open()
    local _ <close>, port = start(server, "send-proxy-v2 proxy-v2-options crc32c,unique-id")
    local session = send { host = "127.0.0.1", port = port, tls = "none" }
    told(session, 2, port)
    assert.equal(4, #tlv_of(session.proxy, 3))
    assert.equal("id-0-127.0.0.1", tlv_of(session.proxy, 5))
    assert.equal(1, #mails)
  end)

  it("C140 reports the TLS of the client's connection", function()
    local ca = assert(authority.new())
    local identity = assert(ca:issue { names = { "localhost" } })
    net.dump(folder .. "/pem", identity.cert .. identity.key)
    local server <close>, mails = open()
    local _ <close>, port = start(server, "send-proxy-v2-ssl proxy-v2-options ssl,crc32c",
      "ssl crt " .. folder .. "/pem")
    local session = send { host = "localhost", port = port, tls = "implicit", ca = ca.certificate }
    told(session, 2, port)
    local client = string.unpack("B", tlv_of(session.proxy, 0x20))
    assert.equal(1, client & 1) -- PP2_CLIENT_SSL
    assert.truthy(tlv_of(session.proxy, 0x20):find("TLSv1.3", 1, true))
    assert.equal(1, #mails)
  end)

  it("C140 lets TLS pass through, behind the header", function()
    local ca = assert(authority.new())
    local identity = assert(ca:issue { names = { "localhost" } })
    for _, implicit in ipairs { true, false } do
      local server <close> = open { tls = { cert = identity.cert, key = identity.key,
        implicit = implicit } }
      local _ <close>, port = start(server, "send-proxy-v2")
      local session = send { host = "localhost", port = port, ca = ca.certificate,
        tls = implicit and "implicit" or "required" }
      told(session, 2, port)
      assert.equal("TLSv1.3", session.tls.version)
    end
  end)

  it("C140 checks the server by LOCAL", function()
    local check
    local server <close> = open { on_connect = function(session)
      if session.proxy.command == "LOCAL" then check = session end
    end }
    local _ <close> = start(server, "send-proxy-v2 check check-send-proxy inter 100ms")
    serve.wait(function() return check end, "a check by LOCAL")
    assert.equal("127.0.0.1", check.peer.address)
    assert.equal(check.proxy.port, check.peer.port)
  end)

  it("C140 without a header gets nothing", function()
    local server <close>, mails = open { limits = { proxy_timeout = 0.3 } }
    local _ <close>, port = start(server, "")
    local client, err = smtp.connect { host = "127.0.0.1", port = port, tls = "none" }
    assert.is_nil(client)
    -- Neither the proxy nor the client says a word; the server closes after its time.
    assert.equal("closed", err.kind)
    assert.equal("no PROXY header in time", mails.error)
    assert.same({}, sessions)
  end)

  it("takes a header of ours, and passes the connection on", function()
    local server <close> = open()
    local _ <close>, port = start(server, "send-proxy-v2 proxy-v2-options crc32c",
      "accept-proxy")
    for version, source in pairs { "192.0.2.7:4321", "[2001:db8::7]:4321" } do
      local destination = version == 1 and "192.0.2.25:25" or "[2001:db8::25]:25"
      local session = send { host = "127.0.0.1", port = port, tls = "none",
        proxy = { version = version, source = source, destination = destination,
          crc32c = version == 2 or nil } }
      assert.same({ address = version == 1 and "192.0.2.7" or "2001:db8::7", port = 4321 },
        session.peer)
      assert.equal(25, session.proxy.destination.port)
    end
  end)
end)
