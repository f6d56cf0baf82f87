-- The PROXY protocol on the server's side, over sockets.
local authority = require "smtp.authority"
local core = require "smtp.core"
local loop = require "smtp.loop"
local networks = require "smtp.server.networks"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local GREETING = "220 mx.example Service ready"
local V1 = "PROXY TCP4 192.0.2.7 198.51.100.1 4321 25\r\n"
local TLVS = { { type = 2, value = "mx.example" }, { type = 5, value = "id" } }

local function v2(fields)
  local all = { version = 2, command = "PROXY",
    source = { address = "2001:db8::7", port = 4321 },
    destination = { address = "2001:db8::1", port = 25 } }
  for key, value in pairs(fields or {}) do all[key] = value end
  return assert(core.proxy_header(all))
end

-- A server that keeps its sessions in `seen`, and what happens in `facts`.
local function start(options)
  local seen, facts = {}, {}
  local all = { proxy = { "127.0.0.0/8" }, on_rcpt = true, on_event = serve.record(facts),
    on_connect = function(session) seen[#seen + 1] = session end }
  for key, value in pairs(options or {}) do all[key] = value end
  return serve.start(all), seen, facts
end

local function misuse(options, pattern)
  local ok, why = pcall(start, options)
  assert.is_false(ok)
  assert.matches(pattern, why)
end

describe("networks", function()
  local function has(list, address)
    return networks.new("x", list):has(address)
  end

  it("of IPv4 and IPv6 have their addresses, and no others", function()
    local list = { "192.0.2.0/24", "2001:db8::/33", "10.1.2.3", "::1", "172.16.0.0/12" }
    for address, is in pairs { ["192.0.2.0"] = true, ["192.0.2.255"] = true, ["192.0.3.0"] = false,
      ["2001:db8:7fff::1"] = true, ["2001:db8:8000::1"] = false, ["10.1.2.3"] = true,
      ["10.1.2.4"] = false, ["::1"] = true, ["::2"] = false, ["172.31.255.255"] = true,
      ["172.32.0.0"] = false, ["::ffff:192.0.2.9"] = true, ["fe80::1%lo"] = false,
      ["unknown"] = false, [""] = false, ["/run/x"] = false } do
      assert.equal(is, has(list, address), address)
    end
    assert.is_true(has({ "0.0.0.0/0" }, "8.8.8.8"))
    assert.is_false(has({ "0.0.0.0/0" }, "::1"))
    assert.is_true(has({ "::/0" }, "::1"))
    assert.is_false(has({ "::/0" }, "::ffff:8.8.8.8")) -- that is IPv4
    assert.is_true(has({ "::ffff:10.0.0.0/104" }, "10.9.9.9"))
    assert.is_true(has({ "fe80::/10" }, "fe80::1%eth0"))
    assert.is_false(has({}, "127.0.0.1"))
    assert.is_false(has({ "unix" }, "127.0.0.1"))
  end)

  it("that are none raise", function()
    for _, entry in ipairs { "", "x", "192.0.2.0/33", "192.0.2.1/24", "192.0.2/24",
      "2001:db8::/129",
      "2001:db8::1/64", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/a", "::ffff:10.0.0.0/95",
      "mx.example", "fe80::1%eth0", "/24", " 10.0.0.1", "10.0.0.0/0008", 5, {}, true } do
      assert.error_matches(function() networks.new("x", { entry }) end,
        type(entry) == "string" and '^x: "' .. entry:gsub("%p", "%%%0") .. '" is no network'
          or "^x: a " .. type(entry) .. " is no network")
    end
    assert.error_matches(function()
      networks.new("x", { [2] = "::1" })
    end, "has a hole: %[1%] is nil")
    misuse({ proxy = { "192.0.2.1/24" } }, 'server: proxy: "192.0.2.1/24" is no network')
    misuse({ xclient = { "mx" } }, 'server: xclient: "mx" is no network')
    misuse({ xforward = { 1 } }, "server: xforward: a number is no network")
    misuse({ listen = { { host = "127.0.0.1", port = 0, proxy = { "x" } } } }, "is no network")
    misuse({ xclient = {}, on_command = { xClient = function() end } }, "the option xclient has")
  end)

  it("of a proxy make a listener one for others", function()
    local function bare(option)
      return pcall(smtp.server, { listen = "127.0.0.1:0", [option] = { "127.0.0.1" },
        on_message = function() end })
    end
    for _, option in ipairs { "proxy", "xclient" } do
      local ok, why = bare(option)
      assert.is_false(ok)
      assert.matches("needs on_rcpt", why)
    end
  end)
end)

describe("a server behind a proxy", function()
  it("C140 takes the peer from version 1", function()
    local server <close>, seen, facts = start()
    local client <close> = serve.connect(server)
    client:send(V1)
    assert.equal(GREETING, client:reply())
    assert.same({ address = "192.0.2.7", port = 4321 }, seen[1].peer)
    local port = select(2, client.socket:name())
    assert.same({ version = 1, command = "PROXY", address = "127.0.0.1", port = port,
      destination = { address = "198.51.100.1", port = 25 }, tlvs = {} }, seen[1].proxy)
    assert.same({ address = "192.0.2.7", port = 4321 }, serve.of_type(facts, "connect")[1].peer)
  end)

  it("C140 takes the peer from version 2, and TLVs", function()
    local server <close>, seen = start()
    local client <close> = serve.connect(server)
    client:send(v2 { tlvs = { TLVS[1], { type = 3, value = "\0\0\0\0" }, TLVS[2] } })
    assert.equal(GREETING, client:reply())
    assert.same({ address = "2001:db8::7", port = 4321 }, seen[1].peer)
    local tlvs = seen[1].proxy.tlvs
    assert.same({ TLVS[1], TLVS[2] }, { tlvs[1], tlvs[3] })
    assert.equal(2, seen[1].proxy.version)
    assert.same({ address = "2001:db8::1", port = 25 }, seen[1].proxy.destination)
  end)

  it("C140 takes it byte by byte", function()
    for _, header in ipairs { V1, v2() } do
      local server <close>, seen = start()
      local client <close> = serve.connect(server)
      for byte in header:gmatch(".") do
        client:send(byte)
        loop.step(0.01)
      end
      assert.equal(GREETING, client:reply())
      assert.equal(4321, seen[1].peer.port)
    end
  end)

  it("C140 keeps the real peer for LOCAL, UNKNOWN and AF_UNSPEC", function()
    local unspec = assert(core.proxy_header { version = 2, command = "PROXY" })
    for header, command in pairs { [v2 { command = "LOCAL" }] = "LOCAL",
      ["PROXY UNKNOWN x y\r\n"] = "PROXY", [unspec] = "PROXY" } do
      local server <close>, seen = start()
      local client <close> = serve.connect(server)
      client:send(header)
      assert.equal(GREETING, client:reply())
      assert.same({ address = "127.0.0.1", port = select(2, client.socket:name()) }, seen[1].peer)
      assert.equal(command, seen[1].proxy.command)
      assert.is_nil(seen[1].proxy.destination)
    end
  end)

  it("C140 has the path of a Unix socket for a peer, which no network has", function()
    local server <close>, seen = start { xclient = { "unix", "0.0.0.0/0", "::/0" } }
    local client <close> = serve.connect(server)
    client:send(v2 { source = { address = "/run/a" }, destination = { address = "" } })
    assert.equal(GREETING, client:reply())
    assert.same({ address = "/run/a" }, seen[1].peer)
    assert.is_nil(client:cmd("EHLO x"):find("XCLIENT"))
  end)

  it("C140 closes silently if the header is missing or malformed", function()
    for _, bytes in ipairs { "EHLO x.example\r\n", "\r\n\r\n\0\r\nQUIX", "PROXY TCP4 x\r\n",
      "PROXY UNKNOWN" .. (" "):rep(200), v2():sub(1, 13) .. "\x99" .. v2():sub(15),
      v2 { tlvs = TLVS }:gsub("\0\2id$", "\0\3id"), "\x16\3\1\2\0\1\0" } do
      local server <close>, seen, facts = start()
      local client <close> = serve.connect(server)
      client:send(bytes)
      assert.equal("", client:rest())
      serve.idle(server)
      assert.same({}, seen)
      local err, close = serve.of_type(facts, "error")[1], serve.of_type(facts, "close")[1]
      assert.same({ "proxy", "not a PROXY header, or a malformed one", "proxy" },
        { err.stage, err.error, close.reason })
    end
  end)

  it("C140 closes silently if it does not come in time, or its stream ends", function()
    local server <close>, _, facts = start { limits = { proxy_timeout = 0.05 } }
    for _, bytes in ipairs { "", "PROXY ", v2():sub(1, 20) } do
      local client <close> = serve.connect(server)
      client:send(bytes)
      assert.equal("", client:rest())
    end
    local client = serve.connect(server)
    client:send("PROXY ")
    client:close()
    serve.wait(function() return server:stats().accepted == 4 end)
    serve.idle(server)
    local errs = serve.of_type(facts, "error")
    assert.equal("no PROXY header in time", errs[1].error)
    assert.equal("no PROXY header in time", errs[3].error)
    assert.equal("the connection ended before its PROXY header", errs[4].error)
  end)

  it("C140 a drop now and then does not make the time longer", function()
    local server <close> = start { limits = { proxy_timeout = 0.1 } }
    local client <close> = serve.connect(server)
    local ended = false
    for byte in (V1:sub(1, -3) .. ("x"):rep(40)):gmatch(".") do
      if not pcall(client.send, client, byte) or client.socket:recv(1) ~= false then
        ended = true
        break
      end
      local next = loop.now() + 0.01
      repeat loop.step(0.01) until loop.now() >= next
    end
    assert.is_true(ended)
  end)

  it("has bytes behind the header as an early talker's", function()
    local server <close> = start { on_connect = function() smtp.sleep(0.05) end }
    local client <close> = serve.connect(server)
    client:send(V1 .. "EHLO x\r\n")
    assert.equal("554 5.5.0 Please wait for the greeting\r\n", client:rest())
  end)

  it("has an ordinary session with a peer that is no proxy", function()
    local server <close>, seen = start { proxy = { "192.0.2.0/24", "unix" } }
    local client <close> = serve.connect(server)
    assert.equal(GREETING, client:reply())
    assert.equal("127.0.0.1", seen[1].peer.address)
    assert.is_nil(seen[1].proxy)
    assert.equal("500", client:cmd("PROXY TCP4 192.0.2.7 198.51.100.1 4321 25"):sub(1, 3))
  end)

  it("is told so by a place to listen", function()
    local server <close>, seen = start { proxy = { "192.0.2.0/24" }, listen = {
      "127.0.0.1:0", { host = "127.0.0.1", port = 0, proxy = { "127.0.0.1" } } } }
    local plain <close> = serve.connect(server)
    assert.equal(GREETING, plain:reply())
    local client <close> = serve.connect { host = "127.0.0.1", port = server.listening[2].port }
    client:send(V1)
    assert.equal(GREETING, client:reply())
    assert.same({ "127.0.0.1", "192.0.2.7" }, { seen[1].peer.address, seen[2].peer.address })
  end)

  it("may be at a Unix socket", function()
    local path = os.tmpname()
    os.remove(path)
    local _ <close>, seen = start { listen = "unix:" .. path, proxy = { "unix" } }
    local client <close> = serve.connect { path = path }
    client:send(V1)
    assert.equal(GREETING, client:reply())
    assert.equal("192.0.2.7", seen[1].peer.address)
    os.remove(path)
  end)

  it("makes TLS behind the header", function()
    local tls = assert(assert(authority.new()):issue { names = { "mx.example" } })
    local server <close>, seen = start { tls = { cert = tls.cert, key = tls.key, implicit = true } }
    for _, header in ipairs { V1, v2 { tlvs = TLVS } } do
      local client <close> = serve.connect(server)
      client:send(header)
      assert(client:tls())
      assert.equal(GREETING, client:reply())
      assert.equal("250", client:cmd("EHLO x"):sub(1, 3))
      assert.truthy(seen[#seen].tls.version)
      assert.equal(4321, seen[#seen].peer.port)
    end
    local client <close> = serve.connect(server)
    assert.is_nil((client:tls())) -- a ClientHello is no header
    local starttls <close>, who = start { tls = { cert = tls.cert, key = tls.key } }
    local other <close> = serve.connect(starttls)
    other:send(V1)
    other:starttls()
    assert.equal("192.0.2.7", who[1].peer.address)
  end)

  it("counts the clients in the headers for per_ip", function()
    local server <close> = start { limits = { per_ip = 2 } }
    local kept <close> = setmetatable({}, { __close = function(list)
      for _, one in ipairs(list) do one:close() end
    end })
    local function try(header)
      local client = serve.connect(server)
      kept[#kept + 1] = client
      client:send(header)
      local code = client:reply():sub(1, 3)
      if code == "421" then client:close() end
      return code
    end
    assert.same({ "220", "220", "421" }, { try(V1), try(V1), try(V1) })
    assert.equal("220", try((V1:gsub("192.0.2.7", "192.0.2.8"))))
    for i = 1, 3 do -- one /64 is one host
      local source = { address = ("2001:db8:0:1::%d"):format(i), port = i }
      assert.equal(i < 3 and "220" or "421", try(v2 { source = source }))
    end
    assert.equal("220", try(v2 { command = "LOCAL" }))
    kept[1]:close()
    serve.wait(function() return server:stats().connections == 5 end)
    assert.equal("220", try(V1))
    for _, one in ipairs(kept) do one:close() end
    serve.idle(server)
    assert.same({}, server.hosts)
  end)

  it("keeps the limit of connections, and the header is read first", function()
    local server <close> = start { limits = { connections = 1 } }
    local one <close> = serve.connect(server)
    local two <close> = serve.connect(server)
    two:send(V1)
    assert.equal("421 4.7.0 Too many connections\r\n", two:rest())
    one:send(V1)
    assert.equal(GREETING, one:reply())
  end)

  it("ends at once while it waits for headers", function()
    local server = start()
    local client <close> = serve.connect(server)
    serve.wait(function() return server:stats().connections == 1 end)
    assert.is_false(server:shutdown(0.05))
    assert.equal("", client:rest())
  end)
end)
