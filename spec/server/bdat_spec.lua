-- BDAT over real sockets, and over TLS, as a hostile peer says it (security.md, "S BDAT").
local authority = require "smtp.authority"
local memory = require "spec.support.memory"
local process = require "spec.support.process"
local serve = require "spec.support.serve"

local ca = assert(authority.new())
local good = assert(ca:issue { names = { "mx.example" } })
local TRUST = { ca = ca.certificate, verify = true, name = "mx.example" }

-- A server, what its handlers had of each message, and the commands that it took.
local function start(options)
  local got, commands = {}, {}
  local all = { on_message = function(_, message)
    local one = {}
    got[#got + 1] = one
    local _ <close> = setmetatable({}, { __close = function() one.unwound = true end })
    one.content = message:read()
    return true
  end, on_event = function(event)
    if event.type == "command" then commands[#commands + 1] = event.text end
  end }
  for key, value in pairs(options or {}) do all[key] = value end
  return serve.start(all), got, commands
end

local function envelope(client)
  for _, line in ipairs { "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>" } do
    assert.matches("^250", client:cmd(line))
  end
  return client
end

local function open(server)
  local client = serve.connect(server)
  assert.matches("^220", client:reply())
  assert.matches("^250", client:cmd("EHLO x"))
  return envelope(client)
end

local function nothing_kept(server, got)
  serve.idle(server)
  assert.equal(0, server:stats().messages)
  for _, one in ipairs(got) do assert.same({ unwound = true }, one) end
end

describe("BDAT under TLS", function()
  -- The bytes before the end of TLS, and the bytes behind it in clear text.
  local cases = {
    ["within a last chunk"] = { "BDAT 20 LAST\r\n0123456789", "0123456789" },
    ["within a chunk"] = { "BDAT 20\r\n0123456789", "0123456789BDAT 0 LAST\r\n" },
    ["between chunks"] = { "BDAT 10\r\n0123456789", "BDAT 0 LAST\r\n" },
    ["within its line"] = { "BDAT 10 LA", "ST\r\n0123456789" },
    ["behind its line"] = { "BDAT 10 LAST\r\n", "0123456789" },
  }
  for name, case in pairs(cases) do
    for _, ending in ipairs { "notify", "cut" } do
      it(("is nothing where TLS ends %s (%s), whatever follows"):format(name, ending), function()
        local server <close>, got, commands = start { tls = { cert = good.cert, key = good.key } }
        local client <close> = serve.connect(server)
        client:starttls(TRUST)
        envelope(client):send(case[1])
        if name == "between chunks" then assert.matches("^250", client:reply()) end
        local stream = client.socket
        if ending == "notify" then
          stream.engine:shutdown()
          assert(stream:flush())
        end
        client.socket = stream.socket -- clear text from here on
        client:send(case[2] .. "\r\nMAIL FROM:<eve@x.example>\r\n")
        nothing_kept(server, got)
        assert.falsy(table.concat(commands, "|"):find("eve"))
        assert.falsy(client:rest():find("^%d%d%d"))
        stream.engine:close()
      end)
    end
  end
end)

describe("BDAT over a socket", function()
  it("ends the session if its size is malformed, and takes nothing behind it", function()
    for _, args in ipairs { "", " ", " x", " -1", " +1", " 1x", " 0x10", " 1.5", " 1e3",
      " 12345678901234567890", " 00000000000000000001", " 99999999999999999999999999", " 1 LASTS",
      " 1 LAST x", " 1 2", " LAST", " 1\0", "\t1", " 1,5", " 1\xff", " 1 \xc3\xa9",
      " " .. ("9"):rep(5000) } do
      local server <close>, got, commands = start()
      local client <close> = open(server)
      client:send("BDAT" .. args .. "\r\nRSET\r\nMAIL FROM:<eve@x.example>\r\n")
      assert.equal("501 5.5.4 BDAT needs a size, and LAST or nothing\r\n", client:rest(), args)
      client:close()
      nothing_kept(server, got)
      assert.falsy(table.concat(commands, "|"):find("eve"), args)
    end
  end)

  it("has the same end within a message", function()
    local server <close>, got = start()
    local client <close> = open(server)
    client:send("BDAT 3\r\nabcBDAT x LAST\r\nRSET\r\n")
    assert.equal("250 2.0.0 Chunk received\r\n501 5.5.4 BDAT needs a size, and LAST or nothing\r\n",
      client:rest())
    client:close()
    nothing_kept(server, got)
    assert.equal(1, #got)
  end)

  it("C060 reads a refused chunk before the reply", function()
    local server <close>, got, commands = start {
      on_data = function() return 452, "4.3.1 no room" end }
    local client <close> = open(server)
    local inner = "RSET\r\nMAIL FROM:<eve@x.example>\r\n"
    client:send(("BDAT %d LAST\r\n"):format(#inner) .. inner:sub(1, -2))
    client:send("\n")
    assert.equal("452 4.3.1 no room", client:reply())
    assert.equal("250 2.0.0 OK", client:cmd("NOOP"))
    client:send("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")
    assert.equal("503 5.5.1 Bad sequence of commands", client:reply())
    assert.equal("250 2.0.0 OK", client:reply())
    assert.falsy(table.concat(commands, "|"):find("[eQ]ve"))
    client:cmd("QUIT")
    client:close()
    nothing_kept(server, got)
    assert.equal(0, #got)
  end)

  it("is no message if the stream ends within it", function()
    for _, bytes in ipairs { "BDAT 10 LAST\r\n123", "BDAT 10\r\n123", "BDAT 3\r\n123",
      "BDAT 3 LAST", "BDAT 9223372036854775807 LAST\r\nx" } do
      for _, how in ipairs { "close", "abort" } do
        local server <close>, got = start()
        local client <close> = open(server)
        client:send(bytes)
        serve.wait(function() return #got > 0 or not bytes:find("\n") end)
        client[how](client)
        nothing_kept(server, got)
      end
    end
  end)
end)

describe("a million chunks that bring nothing", function()
  local missing = process.missing() or
    not memory.known() and "the memory of a process is told by Linux only" or nil
  if (os.getenv("LD_PRELOAD") or ""):find("asan", 1, true) then
    missing = "AddressSanitizer keeps for a while what is freed"
  end
  if missing then
    pending(missing)
    return
  end

  local GROWTH = 4 * 1024 -- KiB

  -- A server in a process of its own, which tells what came and how it grew.
  local SERVER = [[
    local smtp, memory = require "smtp", require "spec.support.memory"
    local server, got
    server = assert(smtp.server { listen = "127.0.0.1:0", limits = { junk = %d },
      on_rcpt = function() memory.begin() return true end,
      on_message = function(_, message) got = message:read() return true end,
      on_close = function()
        print(got)
        memory.report(server:stats().messages)
        server:close()
      end })
    print(server.port)
    io.flush()
    server:run() ]]

  -- Sends them, reads every reply, and gives these, the rest, and what the server told.
  local function run(junk, last)
    local server <close> = process.lua({ "-e", SERVER:format(junk) }, { time = 100 })
    local port = server:await(function() return server:output():match("^(%d+)\n") end)
    local client <close> = open { listeners = {}, address = "127.0.0.1", port = tonumber(port) }
    local replies, rest = 0, ""
    for _ = 1, 1000 do
      local _, why = pcall(client.send, client, ("BDAT 0\r\n"):rep(1000))
      rest = rest .. (client.held or "")
      if why ~= client then break end -- it was closed
      local n = 0
      while n < 1000 do
        local bytes = client:receive()
        if bytes == "" then break end
        rest = rest .. bytes
        local found
        rest, found = rest:gsub("250 2%.0%.0 Chunk received\r\n", "")
        n, replies = n + found, replies + found
      end
      if n < 1000 then break end
    end
    if last then
      client:send(last)
      rest = rest .. client:reply()
      client:cmd("QUIT")
    end
    client:close()
    local status, out, err = server:wait()
    assert.equal(0, status, out .. err)
    local content, messages, before, most = out:match("^%d+\n(.*)\n(%d+) (%d+) (%d+)\n$")
    assert.truthy(content, out)
    assert.is_true(most - before < GROWTH, "the server grew by KiB: " .. most - before)
    return replies, rest, content, tonumber(messages)
  end

  it("end the session, with nothing kept and nothing grown", function()
    local replies, rest, content, messages = run(100)
    assert.same({ 100, "421 4.7.0 Too many commands without mail\r\n", "nil", 0 },
      { replies, rest, content, messages })
  end)

  it("need no memory if they are allowed", function()
    local replies, rest, content, messages = run(2000000, "BDAT 2 LAST\r\nhi")
    assert.same({ 1000000, "250 2.0.0 Message accepted", "hi", 1 },
      { replies, rest, content, messages })
  end)
end)
