-- SPDX-License-Identifier: MIT
-- Real name servers: NSD has three zones, and Unbound in front of it validates two.
-- example.com is signed; example.net is not; of example.org, which is, one record was
-- changed by somebody who has not the key.
local authority = require "smtp.authority"
local core = require "smtp.core"
local inbox = require "spec.support.inbox"
local net = require "spec.support.net"
local process = require "spec.support.process"
local smtp = require "smtp"
local query = require("smtp.net.dns").query

local ZONE = [[
$ORIGIN %s.
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
@ MX 20 mx2
@ MX 10 mx1
ns A 127.0.0.1
mx1 A 127.0.0.1
mx2 A 127.0.0.2
null MX 0 .
null A 127.0.0.1
alone A 127.0.0.2
alias CNAME @
mx3 CNAME mx1
third MX 5 mx3
long TXT %s
_mta-sts TXT "v=STSv1; id=1"
%s
]]

local NSD = [[
server:
  ip-address: 127.0.0.1@%d
%s  server-count: 1
  username: ""
  zonesdir: "%s"
  zonelistfile: "%s/zone.list"
  xfrdfile: "%s/xfrd.state"
  pidfile: "%s/nsd.pid"
  database: ""
remote-control:
  control-enable: no
]]

local UNBOUND = [[
server:
  interface: 127.0.0.1@%d
  num-threads: 1
  username: ""
  chroot: ""
  directory: "%s"
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  domain-insecure: "example.net"
remote-control:
  control-enable: no
]]

describe("with NSD and Unbound", function()
  local missing = process.missing("nsd", "unbound", "ldns-signzone", "openssl")
  if missing then
    pending(missing)
    return
  end

  local folder, nsd, unbound, plain, plain6, validating
  local first, mails1, second, mails2, port

  local function shell(command, ...)
    local pipe <close> = assert(io.popen(("cd %s && %s"):format(folder, command:format(...))))
    local text = pipe:read("a")
    return (text:gsub("%s+$", ""))
  end

  -- SHA-256 of the key of a certificate, in hex: TLSA x 1 1.
  local function key_hash(cert)
    net.dump(folder .. "/cert.pem", cert)
    return (shell("openssl x509 -in cert.pem -pubkey -noout | openssl pkey -pubin -outform DER"
      .. " | openssl dgst -sha256 -r"):match("^%x+"))
  end

  local function sign(zone)
    local key = shell("ldns-keygen -r /dev/urandom -k -a ECDSAP256SHA256 %s", zone)
    shell("ldns-signzone -f %s.signed %s %s", zone, zone, key)
    return key
  end

  local function asks(server, name)
    return query(name, "MX", { nameserver = server, timeout = 5 })
  end

  setup(function()
    folder = net.folder()
    local ca = assert(authority.new())
    local identities = {}
    for i = 1, 2 do
      identities[i] = assert(ca:issue {
        names = { ("mx%d.example.com"):format(i), ("mx%d.example.org"):format(i) } })
    end
    -- Who is known by the key of an authority must show it.
    identities[2].cert = identities[2].cert .. ca.certificate
    local function open(i, at)
      return inbox.open { listen = ("127.0.0.%d:%d"):format(i, at), tls = identities[i] }
    end
    first, mails1 = open(1, 0)
    port = first.port
    second, mails2 = open(2, port)
    local records = ("_%d._tcp.mx1 TLSA 3 1 1 %s\n_%d._tcp.mx2 TLSA 2 1 1 %s\n"):format(port,
      key_hash(identities[1].cert), port, key_hash(ca.certificate))
    local long = {}
    for i = 1, 20 do long[i] = '"' .. ("x"):rep(250) .. '"' end
    local place, six = net.closed_port(), ""
    local listener <close> = core.listen { host = "::1", port = 0 }
    if listener then
      six, plain6 = ("  ip-address: ::1@%d\n"):format(place), "[::1]:" .. place
    end
    local conf, trusted = { NSD:format(place, six, folder, folder, folder, folder) }, {}
    plain = "127.0.0.1:" .. place
    local stubs = {}
    for _, zone in ipairs { "example.com", "example.net", "example.org" } do
      net.dump(folder .. "/" .. zone, ZONE:format(zone, table.concat(long, " "), records))
      if zone ~= "example.net" then
        trusted[#trusted + 1] = ('  trust-anchor-file: "%s/%s.key"\n'):format(folder, sign(zone))
      end
      conf[#conf + 1] = ('zone:\n  name: %s\n  zonefile: "%s%s"\n'):format(zone, zone,
        zone ~= "example.net" and ".signed" or "")
      stubs[#stubs + 1] = ('stub-zone:\n  name: "%s"\n  stub-addr: %s\n'):format(zone,
        (plain:gsub(":", "@")))
    end
    local path = folder .. "/example.org.signed"
    local changed = net.slurp(path):gsub("(_tcp%.mx1%.example%.org%.%s+%d+%s+IN%s+TLSA%s+)3 1 1",
      "%12 1 1")
    net.dump(path, changed)
    net.dump(folder .. "/nsd.conf", table.concat(conf))
    nsd = process.start({ "nsd", "-d", "-c", folder .. "/nsd.conf" }, { time = 100 })
    validating = "127.0.0.1:" .. net.closed_port()
    net.dump(folder .. "/unbound.conf", (UNBOUND:format(validating:match(":(%d+)"), folder)
      :gsub("remote%-control", table.concat(trusted) .. "%0")) .. table.concat(stubs))
    unbound = process.start({ "unbound", "-d", "-c", folder .. "/unbound.conf" }, { time = 100 })
    nsd:await(function() return asks(plain, "example.com") end)
    unbound:await(function() return asks(validating, "example.com") end)
  end)

  teardown(function()
    if unbound then unbound:close() end
    if nsd then nsd:close() end
    if first then first:close() end
    if second then second:close() end
    net.remove(folder)
  end)

  local function deliver(to, given)
    local options = { nameserver = validating, port = port, timeout = 10, deadline = 30 }
    for key, value in pairs(given or {}) do options[key] = value end
    return smtp.deliver({ envelope = { from = "ada@code.energy", to = to },
      raw = "Subject: x\r\n\r\ny\r\n" }, options)
  end

  it("C028 finds the hosts of a domain, secure or not", function()
    for server, secure in pairs { [plain] = false, [validating] = true } do
      local function host(i)
        return { host = ("mx%d.example.com"):format(i), preference = 10 * i, secure = secure }
      end
      assert.same({ host(1), host(2) }, smtp.mx("example.com", { nameserver = server }))
      assert.same({ host(1), host(2) }, smtp.mx("alias.example.com", { nameserver = server }))
      assert.same({ { host = "alone.example.com", preference = 0, implicit = true,
        secure = secure } }, smtp.mx("alone.example.com", { nameserver = server }))
    end
    assert.is_false(assert(smtp.mx("example.net", { nameserver = validating }))[1].secure)
  end)

  it("C105 C149 refuses a null MX, and a name that is not there", function()
    for _, server in ipairs { plain, validating } do
      local list, err = smtp.mx("null.example.com", { nameserver = server })
      assert.is_nil(list)
      assert.same({ 556, "5.1.10" }, { err.code, err.enhanced })
      list, err = smtp.mx("nobody.example.com", { nameserver = server })
      assert.is_nil(list)
      assert.equal("5.1.2", err.enhanced)
    end
  end)

  it("C150 defers a domain if a server refuses to answer, or cannot", function()
    local list, err = smtp.mx("example.edu", { nameserver = plain })
    assert.is_nil(list)
    assert.is_true(err.temporary)
    list, err = smtp.mx("example.com", { nameserver = "[::1]:" .. net.closed_port() })
    assert.is_nil(list)
    assert.is_true(err.temporary)
  end)

  it("asks by IPv6", function()
    if not plain6 then return pending("there is no IPv6 here") end
    assert.equal("mx1.example.com", assert(smtp.mx("example.com", { nameserver = plain6 }))[1].host)
    local found = assert(query("long.example.com", "TXT", { nameserver = plain6 }))
    assert.equal(5000, #found[1].text)
  end)

  it("reads an answer that does not fit into a datagram", function()
    local found = assert(query("long.example.com", "TXT", { nameserver = plain }))
    assert.equal(("x"):rep(5000), found[1].text)
  end)

  it("C111 C113 C115 delivers by DANE to a signed domain", function()
    local result = assert(deliver("a@example.com", { dane = "required" }))
    local receipt = result.receipts["example.com"]
    assert.same({ "mx1.example.com", true, true },
      { receipt.host, receipt.tls.dane, receipt.tls.verified })
    assert.is_truthy(mails1[#mails1].tls)
    assert.equal("mx1.example.com", mails1[#mails1].tls.sni)
    -- an MX that is an alias: its base is what it leads to
    result = assert(deliver("a@third.example.com", { dane = "required" }))
    assert.equal("mx3.example.com", result.receipts["third.example.com"].host)
    assert.equal("mx1.example.com", mails1[#mails1].tls.sni)
    -- an authority by its key, in a chain that the server shows
    local client <close> = assert(smtp.connect { host = "mx2.example.com", port = port,
      dane = { nameserver = validating } })
    assert.is_true(client.tls.dane)
  end)

  it("C111 has no records of an unsigned domain", function()
    local result, err = deliver("a@example.net", { dane = "required" })
    assert.is_nil(result)
    assert.same({ "tls", true }, { err.kind, err.temporary })
    result = assert(deliver("a@example.net", { dane = "opportunistic" }))
    assert.is_false(result.receipts["example.net"].tls.dane)
    result, err = deliver("a@example.com", { dane = "required", nameserver = plain })
    assert.is_nil(result, "NSD does not validate")
    assert.equal("tls", err.kind)
  end)

  it("C112 does not deliver if a record was changed on its way", function()
    local since = core.now()
    local result = assert(deliver("a@example.org", { dane = "opportunistic" }))
    assert.equal("mx2.example.org", result.receipts["example.org"].host)
    assert.is_true(core.now() - since < 20)
    local client, err = smtp.connect { host = "mx1.example.org", port = port,
      dane = { mode = "opportunistic", nameserver = validating } }
    assert.is_nil(client)
    assert.same({ "dns", true }, { err.kind, err.temporary })
    assert.equal(1, #mails2)
  end)
end)
