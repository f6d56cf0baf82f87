-- Mail that passes through a server (smtp.trace_fields): C170, C171, C023, and what
-- what the next hop says of it.
local dns = require "spec.support.dns"
local fleet = require "spec.support.fleet"
local keys = require "spec.support.dkim"
local net = require "spec.support.net"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local CONTENT = "Subject: x\r\nX-Odd:   a \r\n\tb\r\n\r\n.dot\r\nbody\r\n"
local RECEIVED = "^Received: from client%.code%.energy %(%[127%.0%.0%.1%]%)\r\n"
  .. "\tby mx%.example with ESMTP id %x+\r\n\tfor <charles@example%.com>;\r\n\t[^\r\n]+\r\n"

-- The next hop: keeps what comes, and answers as `verdict` says.
local function next_hop(options)
  local kept = {}
  local all = { hostname = "next.example", on_rcpt = true, on_message = function(_, message)
    kept[#kept + 1] = message:read()
    return true
  end }
  for key, value in pairs(options or {}) do all[key] = value end
  return serve.start(all), kept
end

local function url(server, scheme)
  return (scheme or "smtp") .. "://127.0.0.1:" .. server.port
end

local function without_dots(text) return (text:gsub("\r\n%.", "\r\n..")) end

-- One message by send_all: receipt, or nil and an error.
local function only(client, message, options)
  local receipt, err
  for _, its, why in client:send_all({ message }, options) do receipt, err = its, why end
  return receipt, err
end

-- One message through a server whose on_message is `handler`: its reply, and the facts.
local function through(handler, content, options)
  local events = {}
  local all = { on_rcpt = true, on_event = serve.record(events), on_message = handler }
  for key, value in pairs(options or {}) do all[key] = value end
  local server <close> = serve.start(all)
  local client <close> = serve.connect(server)
  client:begin()
  local reply = client:content(without_dots(content or CONTENT))
  return reply, events, server
end

describe("passing on", function()
  -- Each way to pass a message on, in a handler: gives receipt, or nil and an error.
  local ways = {
    ["smtp.send"] = function(next, message, options)
      return smtp.send(url(next), message, options)
    end,
    ["smtp.parse"] = function(next, message, options)
      return smtp.send(url(next), assert(smtp.parse(message)), options)
    end,
    ["parsed twice"] = function(next, message, options)
      return smtp.send(url(next), assert(smtp.parse(assert(smtp.parse(message)))), options)
    end,
    ["another envelope"] = function(next, message, options)
      return smtp.send(url(next), { envelope = { from = "b@b.example", to = "c@c.example" },
        raw = message }, options)
    end,
    ["its chunks"] = function(next, message, options)
      return smtp.send(url(next), { envelope = message.envelope, raw = message:chunks(7) }, options)
    end,
    ["client:send"] = function(next, message, options)
      local client <close> = assert(smtp.connect(url(next)))
      return client:send(message, options)
    end,
    ["client:data"] = function(next, message, options)
      local client <close> = assert(smtp.connect(url(next)))
      assert(client:mail(message.sender.address))
      assert(client:rcpt(message.recipients[1]))
      return client:data(message, options)
    end,
    ["send_all"] = function(next, message, options)
      local client <close> = assert(smtp.connect(url(next)))
      return only(client, message, options)
    end,
    ["without CHUNKING"] = function(next, message, options)
      return smtp.send({ url = url(next), disable = { CHUNKING = true } }, message, options)
    end,
    ["pool:send"] = function(next, message, options)
      local pool <close> = smtp.pool { url = url(next) }
      return pool:send(message, options)
    end,
  }

  for name, pass in pairs(ways) do
    it("C170 " .. name .. " adds one Received above all else, and changes nothing", function()
      local next <close>, kept = next_hop()
      for _, content in ipairs { CONTENT, "Received: from x by mx.example id 1; y\r\n" .. CONTENT,
        "", "\r\nbody\r\n", "Subject: " .. ("x"):rep(200000) .. "\r\n\r\n" } do
        assert.matches("^250 ", (through(function(_, message)
          return pass(next, message)
        end, content)))
        local all = table.remove(kept)
        assert.matches(RECEIVED, all)
        assert.is_true(all:gsub(RECEIVED, "", 1) == content)
      end
    end)

    it(name .. " has received and prepend", function()
      local next <close>, kept = next_hop()
      local function passed(options)
        local got
        through(function(_, message)
          got = options
          if type(options) == "function" then got = options(message) end
          return assert(pass(next, message, got))
        end)
        return table.remove(kept)
      end
      assert.equal(CONTENT, passed { received = false })
      assert.equal("X-By: me\r\n" .. CONTENT, passed { received = false, prepend = "X-By: me\r\n" })
      local all = passed { prepend = "X-By: me\r\n\tand others\r\n" }
      assert.matches(RECEIVED, all)
      assert.equal("X-By: me\r\n\tand others\r\n" .. CONTENT, (all:gsub(RECEIVED, "", 1)))
      -- A Received of ours is there already; a Return-Path does not go on.
      all = passed(function(message)
        return { prepend = message:return_path() .. "X-By: me\r\n" .. message:received() }
      end)
      assert.equal("X-By: me\r\n", all:sub(1, 10))
      assert.equal(CONTENT, (all:sub(11):gsub(RECEIVED, "", 1)))
      -- One of another host is none of ours.
      all = passed { prepend = "Received: from a by b.example id 7; now\r\n" }
      assert.matches(RECEIVED, all)
      assert.equal("Received: from a by b.example id 7; now\r\n" .. CONTENT,
        (all:gsub(RECEIVED, "", 1)))
    end)
  end

  describe("by smtp.deliver", function()
    local names
    setup(function() names = dns.start() end)
    teardown(function() names:close() end)

    it("C170 adds one Received for each domain, and passes the verdict on", function()
      local hosts <close>, port = fleet.fleet(names, { {}, { on_rcpt = function()
        return 550, "5.1.1 no such user"
      end } })
      names:set("one.example", "MX", { dns.mx(1, "mx1.example.com") })
      names:set("two.example", "MX", { dns.mx(1, "mx1.example.com") })
      names:set("bad.example", "MX", { dns.mx(1, "mx2.example.com") })
      local to
      local options = { nameserver = names.place, port = port, timeout = 10, deadline = 30,
        concurrency = 2 }
      local function handler(_, message)
        return smtp.deliver({ envelope = { from = "a@b.example", to = to }, raw = message },
          options)
      end
      to = { "a@one.example", "b@two.example" }
      assert.equal("250 2.0.0 Message accepted", (through(handler)))
      for i = 1, 2 do assert.equal(CONTENT, (hosts[1][i].content:gsub(RECEIVED, "", 1))) end
      assert.equal(hosts[1][1].content, hosts[1][2].content)
      to = { "a@bad.example" }
      assert.equal("550 5.1.1 no such user", (through(handler)))
      to = { "a@bad.example", "b@one.example" }
      assert.matches("^451 4.3.0", (through(handler)))
      assert.matches("^250", (through(handler, nil, { on_undelivered = function(_, _, failures)
        return failures[1].address == "a@bad.example" and #failures == 1
      end })))
      -- whose host is not reached has not been refused
      names:host("mx9.example.com", "127.0.0.9")
      names:set("gone.example", "MX", { dns.mx(1, "mx9.example.com") })
      to = { "a@bad.example", "b@gone.example" }
      assert.matches("^451 4.3.0", (through(handler)))
      to = { "a@bad.example", "a@x.bad.example" }
      assert.matches("^451 4.3.0", (through(handler)))
      to = { "a@bad.example", "b@bad.example" }
      assert.equal("550 5.1.1 no such user", (through(function(_, message)
        local _, err = handler(nil, message)
        return err.code, err.text
      end)))
    end)

    it("gives a file whole to each domain, behind what stands in front of it", function()
      local hosts <close>, port = fleet.fleet(names, { {}, {} })
      names:set("one.example", "MX", { dns.mx(1, "mx1.example.com") })
      names:set("two.example", "MX", { dns.mx(1, "mx2.example.com") })
      local folder = net.folder()
      local text = "Subject: x\r\n\r\n" .. ("line\r\n"):rep(100000)
      net.dump(folder .. "/mail", "Return-Path: <x@y>\r\n" .. text)
      local file <close> = assert(io.open(folder .. "/mail", "rb"))
      assert(smtp.deliver({ envelope = { from = "a@b.example",
        to = { "a@one.example", "b@two.example" } }, raw = file }, { nameserver = names.place,
        port = port, concurrency = 2, prepend = "X: y\r\n", deadline = 60 }))
      for i = 1, 2 do assert.is_true(hosts[i][1].content == "X: y\r\n" .. text) end
      net.remove(folder)
    end)
  end)

  it("refuses what would be no header in prepend", function()
    local next <close>, kept = next_hop()
    local record = { from = "a@b.example", to = "c@d.example", text = "x" }
    local client <close> = assert(smtp.connect(url(next)))
    local pool <close> = smtp.pool { url = url(next) }
    for _, text in ipairs { "X: y", "X: y\n", "X: y\r", "X: y\r\n\r\n", "\r\n", "X y\r\n",
      " X: y\r\n", "X: y\r\n.\r\n", "X: y\r\nZ: \0\r\n", "X: y\rZ: z\r\n", "X: y\nZ: z\r\n",
      "X: y\r\n \r\n", "X: \27[2J\r\n", "X: " .. ("y"):rep(1000) .. "\r\n", "X: \xff\r\n",
      "X : y\r\n", ": y\r\n" } do
      local options = { prepend = text }
      local calls = {
        function() return smtp.send(url(next), record, options) end,
        function() return client:send(record, options) end,
        function() return pool:send(record, options) end,
        function() return smtp.deliver(record, options) end,
        function() return only(client, record, options) end,
      }
      for _, call in ipairs(calls) do
        local receipt, err = call()
        assert.is_nil(receipt)
        assert.same({ "invalid", "not_sent" }, { err.kind, err.outcome })
        assert.matches("prepend", tostring(err))
      end
    end
    assert.same({}, kept)
  end)

  it("counts what is in front, before a record too", function()
    local next <close>, kept = next_hop { limits = { message_size = 1000 } }
    local raw = "Subject: x\r\n\r\n" .. ("y"):rep(900) .. "\r\n"
    local record = { envelope = { from = "a@b.example", to = "c@d.example" }, raw = raw }
    assert(smtp.send(url(next), record, { prepend = "X: y\r\n" }))
    assert.equal("X: y\r\n" .. raw, kept[1])
    local _, err = smtp.send(url(next), record, { prepend = "X: " .. ("y"):rep(100) .. "\r\n" })
    assert.equal("too_big", err.kind)
    assert(smtp.send(url(next), { from = "a@b.example", to = "c@d.example", text = "x" },
      { prepend = "X: y\r\n" }))
    assert.equal("X: y\r\nDate:", kept[2]:sub(1, 11))
  end)

  it("sends no Return-Path that stands at the top", function()
    local next <close>, kept = next_hop()
    local folder = net.folder()
    local rest = "Subject: x\r\nReturn-Path: <late@x>\r\n\r\nx\r\n"
    for _, top in ipairs { "Return-Path: <a@b.example>\r\n",
      "return-path : \r\n\t<a@b.example>\r\n",
      "Return-Path: <a@b>\r\nReturn-path:<>\r\n", "" } do
      local text = top .. rest
      net.dump(folder .. "/mail", text)
      local at = 0
      local contents = { text, assert(io.open(folder .. "/mail", "rb")), function()
        at = at + 1
        return at <= #text and text:sub(at, at) or nil
      end, assert(smtp.parse(text)) }
      for _, raw in ipairs(contents) do
        assert(smtp.send(url(next), { envelope = { from = "a@b.example", to = "c@d.example" },
          raw = raw }))
        assert.equal(rest, table.remove(kept))
      end
    end
    net.remove(folder)
  end)

  it("stands above a signature, which holds", function()
    local next <close>, kept = next_hop()
    if keys.missing then return pending(keys.missing) end
    local key = keys.key("ed25519")
    local signer = assert(smtp.dkim { domain = "code.energy", selector = "s", key = key.pem })
    through(function(_, message)
      return smtp.send({ url = url(next), dkim = signer }, message, { prepend = "X: y\r\n" })
    end, "From: ada@code.energy\r\n" .. CONTENT)
    assert.matches(RECEIVED, kept[1])
    assert.equal("X: y\r\nDKIM-Signature: v=1;", kept[1]:gsub(RECEIVED, ""):sub(1, 26))
    local results = assert(smtp.dkim_verify(kept[1], { lookup = function() return key.record end }))
    assert.equal("pass", results[1].result)
  end)

  it("C170 two servers that name each other end at hops", function()
    local passes, there = 0, {}
    local function handler(at)
      return function(_, message)
        passes = passes + 1
        return smtp.send(url(there[3 - at]), message)
      end
    end
    local limits = { hops = 10 }
    local events = {}
    local one <close> = serve.start { on_rcpt = true, limits = limits, on_message = handler(1),
      on_event = serve.record(events) }
    local two <close> = serve.start { on_rcpt = true, limits = limits, on_message = handler(2),
      on_event = serve.record(events), hostname = "other.example" }
    there[1], there[2] = one, two
    local client <close> = serve.connect(one)
    assert.equal("554 5.4.6 Too many hops, mail loop", client:begin():content(CONTENT))
    assert.is_true(passes >= 9 and passes <= 12)
  end)

  it("names a recipient in ASCII where that is possible", function()
    local folder = net.folder()
    for i, case in ipairs { { "bob@b\u{fc}cher.example", "bob@xn--bcher-kva.example" },
      { "b\u{f6}b@b\u{fc}cher.example", "b\u{f6}b@b\u{fc}cher.example" } } do
      local line
      local server <close> = serve.start { on_rcpt = true, on_message = function(_, message)
        line = message:received()
        return message:save(folder .. "/" .. i)
      end }
      local client <close> = serve.connect(server)
      client:reply()
      for _, command in ipairs { "EHLO a.example", "MAIL FROM:<a@b.example> SMTPUTF8",
        "RCPT TO:<" .. case[1] .. ">", "DATA" } do
        assert.matches("^[23]", client:cmd(command))
      end
      client:content(CONTENT)
      assert.matches("with UTF8SMTP id %x+\r\n\tfor <" .. case[2]:gsub("%p", "%%%0") .. ">;", line)
    end
    net.remove(folder)
  end)

  it("a second attempt has the same line", function()
    local lines = {}
    local next <close> = next_hop { on_message = function(_, message)
      lines[#lines + 1] = message:read():match("^Received:.-\r\n%S")
      if #lines == 1 then return 451, "4.3.0 later" end
      return true
    end }
    through(function(_, message)
      local pool <close> = smtp.pool { url = url(next), backoff = 0.01 }
      local parsed = assert(smtp.parse(message))
      local _, err = smtp.send(url(next), parsed)
      assert.same({ 451, "final", "not_sent" }, { err.code, err.stage, err.outcome })
      return assert(pool:send(parsed))
    end)
    assert.equal(2, #lines)
    assert.equal(lines[1], lines[2])
  end)
end)

describe("final delivery", function()
  local folder
  before_each(function() folder = net.folder() end)
  after_each(function() net.remove(folder) end)

  local function stored()
    local names = net.names(folder .. "/box/new")
    assert.equal(1, #names)
    local path = folder .. "/box/new/" .. names[1]
    local text = net.slurp(path)
    os.remove(path)
    return text
  end

  local function kept(options, content)
    assert.matches("^250 ", (through(function(_, message)
      return message:maildir(folder .. "/box", type(options) == "function" and options(message)
        or options)
    end, content)))
    return stored()
  end

  it("C171 C023 a Maildir has Return-Path, then Received", function()
    local path = "Return-Path: <ada@code.energy>\r\n"
    for _, options in ipairs { {}, function(m) return { prepend = m:return_path() } end,
      function(m) return { prepend = m:received() } end,
      function(m) return { prepend = m:received() .. m:return_path() } end } do
      local text = kept(options)
      assert.equal(path, text:sub(1, #path))
      assert.matches(RECEIVED, text:sub(#path + 1))
      assert.equal(CONTENT, (text:sub(#path + 1):gsub(RECEIVED, "", 1)))
    end
    assert.equal(CONTENT, kept { trace = false })
    assert.equal("X: y\r\n" .. CONTENT, kept { trace = false, prepend = "X: y\r\n" })
    local text = kept({ prepend = "X: y\r\n" }, "Return-Path: <eve@x.example>\r\n" .. CONTENT)
    assert.equal("X: y\r\n" .. CONTENT, (text:sub(#path + 1):gsub(RECEIVED, "", 1)))
  end)

  it("of the null sender has the null path", function()
    local server <close> = serve.start { on_rcpt = true, on_message = function(_, message)
      return message:maildir(folder .. "/box")
    end }
    local client <close> = serve.connect(server)
    client:reply()
    for _, line in ipairs { "HELO a.example", "MAIL FROM:<>", "RCPT TO:<b@c.example>", "DATA" } do
      client:cmd(line)
    end
    assert.matches("^250", client:content(CONTENT))
    assert.matches("^Return%-Path: <>\r\nReceived: from a%.example ", stored())
  end)

  it("save has trace if it is asked for", function()
    through(function(_, message) return message:save(folder .. "/a", { trace = true }) end)
    local text = net.slurp(folder .. "/a")
    assert.matches("^Return%-Path: <ada@code%.energy>\r\nReceived: ", text)
    through(function(_, message) return message:save(folder .. "/b") end)
    assert.equal(CONTENT, net.slurp(folder .. "/b"))
    -- in whatever pieces a Return-Path comes
    for _, top in ipairs { "Return-Path: <x@y>\r\n",
      "Return-Path: " .. ("x"):rep(5000) .. "\r\n" } do
      local server <close> = serve.start { on_rcpt = true, on_message = function(_, message)
        return message:save(folder .. "/c", { trace = true })
      end }
      local client <close> = serve.connect(server)
      client:begin()
      for byte in (top .. CONTENT):gsub("\r\n%.", "\r\n.."):sub(1, 40):gmatch(".") do
        client:send(byte)
        smtp.sleep(0)
      end
      assert.matches("^250", client:content(without_dots((top .. CONTENT):sub(41))))
      local all = net.slurp(folder .. "/c")
      assert.is_true(all:sub(-#CONTENT) == CONTENT)
      assert.equal(#top < 100 and 1 or 2, select(2, all:gsub("Return%-Path:", "")))
      os.remove(folder .. "/c")
    end
  end)

  it("refuses what would be no header in prepend, and takes no mail then", function()
    for _, method in ipairs { "save", "maildir" } do
      for _, prepend in ipairs { "X: y", "X: y\r\n\r\n", "X\r\n", "X: y\n" } do
        local err
        local reply = through(function(_, message)
          local ok
          ok, err = message[method](message, folder .. "/box", { prepend = prepend })
          return ok, err
        end)
        assert.equal("451 4.3.0 Local error, please try again later", reply)
        assert.same({ "invalid", "save" }, { err.kind, err.stage, err.outcome })
      end
    end
    assert.same({}, net.names(folder))
  end)

  it("C171 a bounce of what was stored goes to its return path", function()
    local made = assert(smtp.bounce(assert(smtp.parse(kept())), { address = "charles@example.com",
      code = 550 }))
    assert.same({ from = "", to = { "ada@code.energy" } }, made.envelope)
  end)
end)
