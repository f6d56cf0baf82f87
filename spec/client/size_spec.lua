-- SIZE of a message is what goes out of it, with CRLF at the end of each line (RFC 1870
-- section 3), in every kind of content whose size is known; and parameters that are wrong are
-- told before anybody is asked what it takes.
local core = require "smtp.core"
local dkim_keys = require "spec.support.dkim"
local dns = require "spec.support.dns"
local misused = require "spec.support.misuse"
local servers = require "spec.support.fleet"
local scripted = require "spec.support.scripted"
local pieces = require "spec.support.pieces"
local smtp = require "smtp"

local script, hello = scripted.script, scripted.hello

local ENVELOPE = { from = "ada@a.example", to = "bob@b.example" }

-- Gives the SIZE of MAIL, and the content as received, dots undoubled.
local function sent(message, options, more)
  local server <close> = scripted.server(script(hello("SIZE 1000000", more or "8BITMIME"), "* MAIL",
    "* RCPT", "C DATA", "S 354 go", "BODY", "S 250 ok", "C QUIT", "S 221 bye"))
  local target = { url = server.url, timeout = 5 }
  for key, value in pairs(options or {}) do target[key] = value end
  assert(smtp.send(target, message))
  assert.is_nil(server:done())
  local size = server:said():match("SIZE=(%d+)")
  local body = server.body:gsub("\r\n%.%.", "\r\n."):gsub("^%.%.", ".")
  return size and math.tointeger(tonumber(size)), body
end

local function file_of(bytes, from)
  local file = assert(io.tmpfile())
  file:write(("x"):rep(from or 0), bytes)
  file:seek("set", from or 0)
  return file
end

local CONTENTS = { "Subject: x\n\nhi\n", "Subject: x\r\n\r\nhi\r\n", "a\nb\r\nc\rd", "", "x", "\n",
  "\r", "\r\r\n", "a\r", ".\n..\n.x", ("x\n"):rep(70000), "x" .. ("\r\n"):rep(40000),
  ("\n"):rep(65536) .. "\r", ("y"):rep(65535) .. "\r\nz" }

describe("the size of a message", function()
  it("is counted in pieces as in one", function()
    local seed = 42
    for _ = 1, 300 do
      local bytes = {}
      for i = 1, 12 do
        seed = (seed * 1103515245 + 12345) % 2147483648
        bytes[i] = ("\r\nx"):sub(seed // 65536 % 3 + 1, seed // 65536 % 3 + 1)
      end
      local text = table.concat(bytes)
      local right = #text:gsub("\r\n", "\n"):gsub("\r", "\n"):gsub("\n", "\r\n")
        + (text:find("[\r\n]$") and 0 or 2)
      local size, state = 0, 0
      for i = 1, #text do size, state = core.measure(text:sub(i, i), size, state) end
      assert.equal(right, (core.measure(nil, size, state)), ("%q"):format(text))
      size, state = core.measure(text, 0, 0)
      assert.equal(right, (core.measure(nil, size, state)), ("%q"):format(text))
    end
  end)

  it("is that of a string and of a file, wherever it begins", function()
    for _, raw in ipairs(CONTENTS) do
      local size, body = sent { envelope = ENVELOPE, raw = raw }
      assert.equal(#body, size)
      for _, from in ipairs { 0, 7 } do
        if not (raw == "" and from > 0) then
          local file <close> = file_of(raw, from)
          size, body = sent { envelope = ENVELOPE, raw = file }
          assert.equal(#body, size)
        end
      end
    end
  end)

  it("is that of what was composed, parsed, signed and encoded anew", function()
    local raw = "From: ada@a.example\nTo: bob@b.example\nSubject: x\n\nGr\u{fc}\u{df}e\n\n.\nend"
    local dkim = { domain = "a.example", selector = "s", key = dkim_keys.key("ed25519").pem }
    local record = { from = ENVELOPE.from, to = ENVELOPE.to, subject = "x",
      text = "Gr\u{fc}\u{df}e\n.\n",
      attachments = { { name = "a.txt", content = "1\n2\n", type = "text/plain" } } }
    for i, case in ipairs {
      { record }, { record, nil, "PIPELINING" }, -- the second one is encoded anew
      { smtp.message(record) }, { smtp.parse(raw) },
      { { envelope = ENVELOPE, raw = raw }, { dkim = dkim } },
      { { envelope = ENVELOPE, raw = file_of(raw) }, { dkim = dkim } },
      { { envelope = ENVELOPE, raw = function()
        local bytes = raw
        raw = nil
        return bytes
      end }, { dkim = dkim } },
      { record, { dkim = dkim } },
    } do
      local size, body = sent(table.unpack(case, 1, 3))
      assert.equal(#body, size, i)
    end
  end)

  it("is that of a server's message which is kept on its way", function()
    local names <close> = setmetatable({ dns = dns.start() }, { __close = function(all)
      all.dns:close()
    end })
    local next_hop <close> = scripted.server(script(hello("SIZE 1000000", "8BITMIME"), "* MAIL",
      "* RCPT", "C DATA", "S 354 go", "BODY", "S 250 ok", "C QUIT", "S 221 bye"))
    names.dns:host("mx1.example.com", "127.0.0.1")
    servers.mx(names.dns, "one.example", 1)
    local server <close> = assert(smtp.server { listen = "127.0.0.1:0", on_rcpt = true,
      bare_newline = "raw", on_message = function(_, message)
        return smtp.deliver(message, { nameserver = names.dns.place, port = next_hop.port })
      end })
    local d <close> = assert(smtp.dialogue("127.0.0.1:" .. server.port, { timeout = 5 }))
    d:expect(220)
    assert(d:cmd("EHLO me.example", 250))
    assert(d:cmd("MAIL FROM:<ada@a.example>", 250))
    assert(d:cmd("RCPT TO:<bob@one.example>", 250))
    assert(d:cmd("DATA", 354))
    d:raw("Subject: x\r\n\r\na\nb\rc\r\n.\r\n")
    assert(d:expect(250))
    assert.is_nil(next_hop:done())
    local size = next_hop:said():match("SIZE=(%d+)")
    assert.equal(#next_hop.body, math.tointeger(tonumber(size)))
  end)

  it("is what the limit of the server is held against", function()
    local raw = ("x\n"):rep(10)
    for limit, fits in pairs { [29] = false, [30] = true } do
      local server <close> = scripted.server(script(hello("SIZE " .. limit), "* MAIL", "* RCPT",
        "C DATA", "S 354 go", "BODY", "S 250 ok", "C QUIT", "S 221 bye"))
      local receipt, err = smtp.send({ url = server.url, timeout = 5 },
        { envelope = ENVELOPE, raw = raw })
      assert.equal(fits, receipt ~= nil)
      if err then
        assert.same({ "too_big", "not_sent" }, { err.kind, err.outcome })
        assert.matches("30 bytes", tostring(err))
      end
    end
  end)

  it("is what the user said of content whose size is not known", function()
    assert.is_nil((sent { envelope = ENVELOPE, raw = pieces("x\r\n") }))
    assert.equal(3, (sent { envelope = ENVELOPE, raw = pieces("x\r\n"), size = 3 }))
    assert.equal(99, (sent { envelope = ENVELOPE, raw = pieces("x\r\n"), mail = { size = 99 } }))
    assert.equal(3, (sent { envelope = ENVELOPE, raw = "x\r\n", mail = { size = 99 } }))
  end)
end)

describe("parameters that cannot be sent", function()
  local MISUSE = { { size = "abc" }, { size = -1 }, { size = 1.5 }, { size = {} },
    { body = "9BIT" }, { smtputf8 = 1 }, { ret = "ALL" }, { envid = 5 },
    { by = { seconds = 1.5 } }, { by = {} }, { by = { seconds = 1, mode = "x" } },
    { priority = 99 }, { priority = 1.5 }, { hold_for = -1 },
    { hold_for = 1, hold_until = "2040-01-01T00:00:00Z" }, { unknown = 1 },
    { params = { "A" } }, { params = { A = 5 } }, { params = { A = false } } }
  local INVALID = { { envid = "" }, { envid = ("x"):rep(101) }, { hold_until = "tomorrow" },
    { hold_for = 0 }, { by = { seconds = 0, mode = "return" } } }

  -- A server that offers none of the extensions.
  local function each(fn)
    local server <close> = scripted.server(script(hello(), "C QUIT", "S 221 bye"))
    local client <close> = assert(smtp.connect { url = server.url, timeout = 5 })
    fn(client)
    assert(client:quit())
    assert.is_nil(server:done()) -- nothing was said but QUIT
  end

  it("are misuse for client:mail, client:send and smtp.send, offered or not", function()
    each(function(client)
      for i, mail in ipairs(MISUSE) do
        local message = { envelope = ENVELOPE, raw = "x\r\n", mail = mail }
        local why = {}
        for k, call in ipairs {
          function() return client:mail("ada@a.example", mail) end,
          function() return client:send(message) end,
          function() return smtp.send("smtp://127.0.0.1:1", message) end,
          function() return smtp.deliver(message) end,
        } do
          local ok
          ok, why[k] = pcall(call)
          assert.is_false(ok, ("%d, %d"):format(i, k))
          why[k] = why[k]:gsub("^%S+:%d+: ", "")
        end
        assert.same({ why[1], why[1], why[1], why[1] }, why)
      end
    end)
  end)

  it("are an error before a connection where a value is out of bounds", function()
    each(function(client)
      for _, mail in ipairs(INVALID) do
        local message = { envelope = ENVELOPE, raw = "x\r\n", mail = mail }
        for _, call in ipairs {
          function() return client:mail("ada@a.example", mail) end,
          function() return client:send(message) end,
          function() return smtp.send("smtp://127.0.0.1:1", message) end,
        } do
          local result, err = call()
          assert.is_nil(result)
          assert.same({ "invalid", "mail", "not_sent" }, { err.kind, err.stage, err.outcome })
        end
      end
    end)
  end)

  it("are found in those of recipients, too", function()
    each(function(client)
      for key, case in pairs { notify = { 5, "a string or a table, not 5" },
        orcpt = { true, "a string, not true" }, rrvs = { {}, "a string, not a table" } } do
        local why = "rcpt: " .. key .. " must be " .. case[2]
        misused(why, function() client:rcpt("bob@b.example", { [key] = case[1] }) end)
        local to = { address = "bob@b.example", [key] = case[1] }
        local message = { envelope = { from = "a@b.example", to = to }, raw = "x" }
        misused(why, function() smtp.send("smtp://127.0.0.1:1", message) end)
      end
      for _, key in ipairs { "Notify", "NOTIFY", "ORcpt", "RRVS" } do
        misused('did you mean "' .. key:lower() .. '"', function()
          smtp.send("smtp://127.0.0.1:1", { raw = "x", envelope = { from = "a@b.example",
            to = { { address = "bob@b.example", [key] = "x" } } } })
        end)
      end
      for _, fields in ipairs { { notify = "SOON" }, { notify = { "NEVER", "DELAY" } },
        { orcpt = ("x"):rep(600) }, { rrvs = "x" } } do
        local to = { address = "bob@b.example" }
        for key, value in pairs(fields) do to[key] = value end
        local _, err = smtp.send("smtp://127.0.0.1:1",
          { envelope = { from = "a@b.example", to = to }, raw = "x" })
        assert.same({ "invalid", "mail" }, { err.kind, err.stage })
        assert.matches("cannot be sent; it must be ", tostring(err), 1, true)
        _, err = client:rcpt("bob@b.example", fields)
        assert.same({ "invalid", "rcpt" }, { err.kind, err.stage })
      end
    end)
  end)
end)
