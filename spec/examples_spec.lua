-- SPDX-License-Identifier: MIT
-- The examples as their readers run them: each a process of its own, and what it
-- prints.
local crew = require "spec.support.crew"
local net = require "spec.support.net"
local process = require "spec.support.process"
local smtp = require "smtp"

local MESSAGE = "Subject: The engine\n\nIt works.\n.\n"

describe("examples", function()
  local missing = process.missing()
  if missing then
    pending(missing)
    return
  end

  local folder

  before_each(function() folder = net.folder() end)
  after_each(function() net.remove(folder) end)

  -- Runs an example to its end: exit status, output, errors.
  local function run(name, words, input)
    local one <close> = process.lua({ "examples/" .. name .. ".lua", table.unpack(words or {}) },
      { input = input, time = 20 })
    return one:wait()
  end

  -- Starts examples/server.lua; gives it and the place where it listens.
  local function serve(...)
    local server = process.lua({ "examples/server.lua", "--listen", "127.0.0.1:0",
      "--hostname", "mx.example.com", folder .. "/mail", ... }, { time = 60, alone = true })
    local place = server:await(function()
      return server:output():match("listening on (127%.0%.0%.1:%d+)\n")
    end)
    return server, place
  end

  -- The messages in the Maildir.
  local function stored()
    local pipe <close> = assert(io.popen("cat '" .. folder .. "'/mail/new/* 2>/dev/null"))
    return pipe:read("a")
  end

  -- Holds each plain text against `output`, in this order.
  local function has_in_order(output, texts)
    local at = 1
    for _, text in ipairs(texts) do
      local _, to = output:find(text, at, true)
      assert.truthy(to, ("%q is not (or not here) in:\n%s"):format(text, output))
      at = to + 1
    end
  end

  describe("demo.lua", function()
    it("shows the dialogue, the receipt and the stored message", function()
      local status, out, err = run("demo")
      assert.equal("", err)
      assert.equal(0, status)
      has_in_order(out, {
        "The dialogue\n",
        "S: 220 mail.example.com ", "C: EHLO client.code.energy\n", "S: 250-PIPELINING\n",
        "C: MAIL FROM:<ada@code.energy> SIZE=224\n", "C: RCPT TO:<nobody@example.com>\n",
        "C: BDAT 224 LAST\n",
        "S: 250 2.1.5 ", "S: 550 5.1.1 ", "S: 250 2.1.5 ",
        "S: 250 2.0.0 Stored as ", "C: QUIT\n", "S: 221 ",
        "The receipt\n", "reply     250 2.0.0 Stored as ", "accepted  charles@example.com\n",
        "accepted  mary@example.com\n", "rejected  nobody@example.com: 550 5.1.1 ",
        "The stored message\n", "Return-Path: <ada@code.energy>\n",
        "Received: from client.code.energy ([127.0.0.1])\n",
        "Subject: The engine\n", "\n.A line that begins with a dot arrives as it was.\n",
        "Refused by HELO name\n", "554 Not you\n",
      })
      local id = out:match("Stored as (%x+)\n")
      assert.truthy(out:find("with ESMTP id " .. id .. ";", 1, true))
    end)
  end)

  describe("server.lua and send.lua", function()
    it("pass a message on into the Maildir", function()
      local server <close>, place = serve("--from", "@code.energy", "--to", "@example.com")
      local status, out, err = run("send",
        { place, "ada@code.energy", "Charles@Example.com" }, MESSAGE)
      assert.equal("", err)
      assert.equal(0, status)
      has_in_order(out, { "accepted  Charles@Example.com\n", "250 stored as " })
      local id = out:match("stored as (%x+)")
      has_in_order(stored(), {
        "Return-Path: <ada@code.energy>\r\n", "Received: from ",
        "\tby mx.example.com with ESMTP id " .. id .. "\r\n",
        "Subject: The engine\r\n\r\nIt works.\r\n.\r\n",
      })
      server:await(function()
        return server:output():find("127.0.0.1: 37 bytes from <ada@code.energy> for 1\n", 1, true)
      end)
    end)

    it("send a report of HTML, a picture and a CSV", function()
      local server <close>, place = serve()
      local status, out, err = run("send_report", { place, "ada@code.energy",
        "charles@example.com" }, "apples,3\npears,5\n")
      assert.equal(0, status, err)
      assert.matches("2 rows sent", out)
      local m = assert(smtp.parse(stored()))
      assert.truthy(m.html:find("cid:chart", 1, true))
      assert.matches("apples +3", m.text)
      assert.same({ "chart.svg", "figures.csv" },
        { m.attachments[1].name, m.attachments[2].name })
      assert.equal("apples,3\r\npears,5\r\n", m.attachments[2].content)
      assert.truthy(server)
    end)

    it("send a text of its own to each recipient, and report", function()
      local server <close>, place = serve("--to", "@example.com")
      local status, out = run("bulk", { place, "list@code.energy", "News", "Hello {name}!" },
        "Bob <bob@example.com>\neve@elsewhere.example\nnonsense\nCharles <charles@example.com>\n")
      assert.equal(1, status)
      assert.matches("2 sent, 2 failed", out)
      assert.matches("eve@elsewhere.example: .*550", out)
      assert.truthy(stored():find("Hello Bob!", 1, true))
      assert.truthy(stored():find("Hello Charles!", 1, true))
      assert.truthy(server)
    end)

    it("send files over a few connections", function()
      local server <close>, place = serve("--to", "@example.com")
      local files = {}
      for i = 1, 5 do
        files[i] = ("%s/%d.eml"):format(folder, i)
        net.dump(files[i], ("From: ada@code.energy\nTo: %s\nSubject: %d\n\nhi\n"):format(
          i == 3 and "eve@elsewhere.example" or "charles@example.com", i))
      end
      local status, out = run("pool", { place, "2", table.unpack(files) })
      assert.equal(1, status)
      assert.matches("3%.eml: .*550", out)
      assert.matches("4 sent, 1 failed, 2 connections", out)
      for i = 1, 5 do
        assert.equal(i ~= 3, stored():find("Subject: " .. i, 1, true) ~= nil)
      end
      assert.truthy(server)
    end)

    it("send a bounce to who sent what was not delivered", function()
      local server <close>, place = serve()
      local status, out, err = run("bounce", { place, "bob@example.com", "550", "no such user" },
        "Return-Path: <ada@code.energy>\r\nFrom: x@y.example\r\nSubject: hi\r\n\r\nbody\r\n")
      assert.equal(0, status, err)
      assert.matches("told ada@code.energy", out)
      local m = assert(smtp.parse(stored()))
      assert.equal("5.0.0", m.report.recipients[1].status)
      assert.equal("hi", m.report.returned.subject)
      status = run("bounce", { place, "bob@example.com", "550", "x" },
        "Return-Path: <>\r\nSubject: hi\r\n\r\n")
      assert.equal(0, status)
      assert.truthy(server)
    end)

    it("bounce what a mailbox cannot take", function()
      local other <close>, place = serve()
      local server <close> = process.lua({ "examples/server.lua", "--listen", "127.0.0.1:0",
        "/proc/nowhere", "--bounce", place }, { time = 60, alone = true })
      local there = server:await(function()
        return server:output():match("listening on (127%.0%.0%.1:%d+)\n")
      end)
      local status, out, err = run("send", { there, "ada@code.energy", "bob@example.com" }, MESSAGE)
      assert.equal(0, status, err)
      assert.matches("its sender was told", out)
      local m = assert(smtp.parse(stored()))
      assert.equal("ada@code.energy", m.to[1].address)
      assert.equal("failed", m.report.recipients[1].action)
      assert.truthy(other)
    end)

    it("speak TLS where the server has a certificate", function()
      local ca = assert(require("smtp.authority").new())
      local identity = assert(ca:issue())
      net.dump(folder .. "/cert.pem", identity.cert)
      net.dump(folder .. "/key.pem", identity.key)
      net.dump(folder .. "/ca.pem", ca.certificate)
      local server <close>, place = serve("--cert", folder .. "/cert.pem", "--key",
        folder .. "/key.pem")
      local status, _, err = run("send", { "--ca", folder .. "/ca.pem", place, "ada@code.energy",
        "charles@example.com" }, MESSAGE)
      assert.equal(0, status, err)
      assert.truthy(stored():find("with ESMTPS id", 1, true))
      assert.truthy(server)
    end)

    it("tell which recipient was refused", function()
      local server <close>, place = serve("--to", "charles@example.com")
      local status, out, err = run("send",
        { place, "", "charles@example.com", "eve@example.com" }, MESSAGE)
      assert.equal(1, status)
      has_in_order(out, { "accepted  charles@example.com\n", "250 stored as " })
      assert.equal("refused   eve@example.com: 550 No such recipient here\n", err)
      assert.is_nil(server:status())
    end)

    it("refuse by recipient, sender and HELO name, and store nothing", function()
      local server <close>, place = serve("--helo", "client.code.energy",
        "--from", "@code.energy", "--to", "@example.com")
      local function refusal(helo, from, to)
        local _, err = smtp.send({ url = place, helo = helo },
          { envelope = { from = from, to = to }, raw = MESSAGE })
        return err and err.stage .. " " .. err.code
      end
      local helo, from, to = "client.code.energy", "ada@code.energy", "charles@example.com"
      assert.equal("ehlo 550", refusal("other.example", from, to))
      assert.equal("mail 550", refusal(helo, "ada@other.example", to))
      assert.equal("rcpt 550", refusal(helo, from, "charles@other.example"))
      assert.equal("", stored())
      assert.is_nil(refusal(helo, from, to))
      assert.is_nil(server:status())
      has_in_order(stored(), { "It works." })
    end)

    it("ends at ctrl-C without a complaint", function()
      local server <close> = serve()
      local pid = server:await(function()
        local ok, pid = pcall(net.slurp, server.folder .. "/pid")
        return ok and math.tointeger(tonumber(pid))
      end)
      assert(os.execute("kill -INT " .. pid))
      local status, out, err = server:wait()
      assert.equal("", err)
      assert.equal(0, status)
      has_in_order(out, { "listening on ", "shutting down\n" })
    end)

    it("says 451 when the message cannot be stored", function()
      net.dump(folder .. "/mail", "a file where the Maildir should be")
      local server <close>, place = serve()
      local status, _, err = run("send", { place, "", "charles@example.com" }, MESSAGE)
      assert.equal(1, status)
      has_in_order(err, { "send: final at ", ": 451 4.3.0 " })
      server:await(function()
        return server:output():find("error at message: save at ", 1, true)
      end)
    end)
  end)

  describe("workers.lua", function()
    it("stores what comes, in workers, until it is told to end", function()
      local missing_here = crew.missing()
      if missing_here then return pending(missing_here) end
      local server <close> = process.lua({ "examples/workers.lua", "127.0.0.1:0",
        folder .. "/mail", "2" }, { time = 20, alone = true })
      local place = server:await(function()
        return server:output():match("listening on (127%.0%.0%.1:%d+)\n")
      end)
      local status, out = run("send", { place, "ada@code.energy", "bob@example.com" }, MESSAGE)
      assert.equal(0, status)
      local id = out:match("250 stored as (%x+)")
      has_in_order(stored(), { "with ESMTP id " .. id, "It works.\r\n" })
      server:signal("TERM")
      assert.equal(0, (server:wait()))
      assert.matches("worker [12] stored " .. id, server:output())
    end)
  end)

  describe("send.lua", function()
    it("says why nobody can be reached", function()
      local status, out, err = run("send", { folder .. "/none", "", "a@example.com" }, MESSAGE)
      assert.equal(2, status, out .. err)
      status, out, err = run("send", { "smtp+unix://" .. folder .. "/none", "", "a@example.com" },
        MESSAGE)
      assert.equal(1, status)
      assert.equal("", out)
      has_in_order(err, { "send: connect at ", "/none: No such file or directory\n" })
    end)

    it("lists every recipient when all were refused", function()
      local server <close>, place = serve("--to", "charles@example.com")
      local status, out, err = run("send", { place, "", "a@example.com", "b@example.com" }, MESSAGE)
      assert.equal(1, status)
      assert.equal("", out)
      has_in_order(err, {
        "send: rcpt <a@example.com> at ", "refused   a@example.com: 550 ",
        "refused   b@example.com: 550 ",
      })
      assert.is_nil(server:status())
    end)
  end)

  describe("dialogue.lua", function()
    it("prints what the server says and what follows from it", function()
      local server <close>, place = serve("--to", "postmaster")
      local status, out, err = run("dialogue", { place })
      assert.equal("", err)
      assert.equal(0, status)
      has_in_order(out, {
        "S: 220 mx.example.com ", "C: EHLO client.example\n", "S: 250-ENHANCEDSTATUSCODES\n",
        "C: MAIL FROM:<>\n", "C: RCPT TO:<postmaster>\n", "C: RSET\n", "C: QUIT\n", "S: 221 ",
        "offers         PIPELINING SIZE 8BITMIME ENHANCEDSTATUSCODES SMTPUTF8 CHUNKING LIMITS\n",
        "VRFY           252\n",
        "DATA too early 503\n", "unknown verb   500\n", "sender         accepted\n",
        "recipient      accepted\n", "after QUIT     closed\n",
      })
      status, out = run("dialogue", { place, "ada@code.energy", "eve@example.com" })
      assert.equal(0, status)
      has_in_order(out, { "C: MAIL FROM:<ada@code.energy>\n", "recipient      refused\n" })
      assert.equal("", stored())
      assert.is_nil(server:status())
    end)

    it("escapes the controls that a server sends", function()
      local mx <close> = assert(require("smtp.mock").start())
      mx:on("connect"):reply("220 localhost caf\xc3\xa9")
      local status, out = run("dialogue", { "127.0.0.1:" .. mx.port })
      assert.equal(0, status)
      has_in_order(out, { "S: 220 localhost caf\\xc3\\xa9\n" })
    end)
  end)

  describe("README.md", function()
    -- The n-th block of Lua, or the first that has a text, changed by plain replacements,
    -- loaded as a function.
    local function block(n, env, ...)
      local code
      local i = 0
      for text in net.slurp("README.md"):gmatch("```lua\n(.-)```") do
        i = i + 1
        local found = type(n) == "string" and not code and text:find(n, 1, true)
        if i == n or found then code = text end
      end
      for _, change in ipairs { ... } do
        local from, to = code:find(change[1], 1, true)
        assert.truthy(from, change[1] .. " is not in:\n" .. code)
        code = code:sub(1, from - 1) .. change[2] .. code:sub(to + 1)
      end
      return assert(load(code, "=README.md", "t", setmetatable(env, { __index = _G })))
    end

    it("sends and serves as it says", function()
      local server <close> = block(2, {}, { ":2525", ":0" }, { "server:run()", "return server" },
        { '"mail"', ("%q"):format(folder .. "/mail") })()
      local printed = {}
      local function send(...)
        block(1, { print = function(value) printed[#printed + 1] = tostring(value) end },
          { ":2525", ":" .. server.port }, ...)()
      end
      send()
      send({ "charles@example.com", "eve@example.org" })
      assert.equal("Message accepted", printed[1])
      assert.equal(("rcpt <eve@example.org> at localhost:%d: 550 5.1.1 No such recipient here")
        :format(server.port), printed[2])
      has_in_order(stored(), { "Return-Path: <ada@code.energy>\r\nReceived: from ",
        "Subject: The engine\r\n", "\r\n\r\nIt works.\r\n" })
    end)

    it("serves bounces as well", function()
      local server <close> = block(2, {}, { ":2525", ":0" }, { "server:run()", "return server" },
        { '"mail"', ("%q"):format(folder .. "/mail") })()
      local bounce = assert(smtp.bounce({ envelope = { from = "ada@example.com",
        to = "x@y.example" }, chunks = function() return function() end end },
        { address = "x@y.example", code = 550 }))
      assert(smtp.send("127.0.0.1:" .. server.port, bounce))
      assert.equal("Return-Path: <>\r\n", stored():sub(1, 17))
      local _, err = smtp.send("127.0.0.1:" .. server.port, { from = "eve@x.example",
        to = "ada@example.com", text = "x" })
      assert.same({ "mail", 550 }, { err.stage, err.code })
    end)

    it("has a gateway", function()
      local mails = {}
      local next <close> = assert(smtp.server { listen = "127.0.0.1:0",
        on_rcpt = function(_, recipient)
          if recipient.user == "full" then return 452, "4.2.2 full" end
          return recipient.user ~= "eve"
        end,
        on_message = function(_, message)
          table.insert(mails, { message.sender.address, message:read() })
          return "queued as 7"
        end })
      local at = "localhost:" .. next.port
      local gateway <close> = block("local gateway", { smtp = smtp }, { ":2526", ":0" },
        { "localhost:2525", at }, { "localhost:2525", at },
        { "})\n", "})\nreturn gateway\n" })()
      local function send(...)
        return smtp.send("127.0.0.1:" .. gateway.port, { from = "ada@code.energy", to = { ... },
          subject = "x", text = "x" })
      end
      assert.equal("queued as 7", assert(send("bob@example.com")).text)
      assert.equal("Received: from ", mails[1][2]:sub(1, 15))
      local _, err = send("full@example.com")
      assert.same({ 452, "4.2.2", "full" }, { err.code, err.enhanced, err.text })
      assert(send("bob@example.com", "eve@example.com"))
      assert.equal(3, #mails)
      assert.equal("", mails[3][1])
      has_in_order(mails[3][2], { "Final-Recipient: rfc822; eve@example.com\r\n",
        "Status: 5.1.1\r\n" })
    end)
  end)

  describe("usage", function()
    for _, case in ipairs {
      { "send", {}, "a target, a sender and a recipient are needed" },
      { "send", { "host", "a@b.example" }, "a target, a sender and a recipient are needed" },
      { "send", { "--fast", "host", "a@b.example", "c@d.example" }, "unknown option --fast" },
      { "send", { "ftp://host", "a@b.example", "c@d.example" }, "bad target" },
      { "server", {}, "a Maildir is needed" },
      { "server", { "--helo" }, "--helo needs a value" },
      { "server", { "--fast", "mail" }, "unknown option --fast" },
      { "server", { "mail", "more" }, "one Maildir is enough" },
      { "server", { "--listen", "nonsense", "mail" }, "listen at nonsense: an address" },
      { "dialogue", {}, "a target is needed" },
      { "dialogue", { "a", "b", "c", "d" }, "too many arguments" },
      { "dialogue", { "-x" }, "unknown option -x" },
      { "dialogue", { "ftp://host" }, "bad target" },
    } do
      local name, words, complaint = table.unpack(case)
      it(("of %s.lua %s says: %s"):format(name, table.concat(words, " "), complaint), function()
        local status, out, err = run(name, words)
        assert.equal(2, status)
        assert.equal("", out)
        has_in_order(err, { complaint, "\n\nusage: lua " .. name .. ".lua " })
      end)
    end

    for _, name in ipairs { "bounce", "bulk", "dialogue", "pool", "send", "send_report", "server",
      "workers" } do
      it(("of %s.lua is what --help prints"):format(name), function()
        local status, out, err = run(name, { "--help" })
        assert.equal(0, status)
        assert.equal("", err)
        assert.equal("usage: lua " .. name .. ".lua ", out:match("^usage: lua %S+ "))
      end)
    end
  end)
end)
