-- SPDX-License-Identifier: MIT
-- Our client against Postfix's smtp-sink, at a unix socket and so at no fixed
-- port: what it refuses, and what it does not offer, is told by its options.
local contents = require "spec.support.contents"
local net = require "spec.support.net"
local process = require "spec.support.process"
local smtp = require "smtp"

local missing = process.missing("smtp-sink")

local function message(content, to)
  return {
    envelope = { from = "ada@example.org", to = to or { "bob@example.com" } },
    raw = content or "Subject: hi\r\n\r\nhi\r\n",
  }
end

describe("the client at smtp-sink", function()
  if missing then
    pending(missing)
    return
  end

  local folder

  before_each(function()
    folder = net.folder()
    assert(os.execute("chmod 777 " .. folder))
  end)
  after_each(function() net.remove(folder) end)

  -- As root it wants to be somebody else.
  local function start(...)
    local path = folder .. "/socket"
    local words = { "smtp-sink", "-h", "mx.example.com", ... }
    local id <close> = assert(io.popen("id -u"))
    if id:read("n") == 0 then
      words[#words + 1] = "-u"
      words[#words + 1] = "nobody"
    end
    words[#words + 1] = "unix:" .. path
    words[#words + 1] = "16"
    local sink = process.start(words)
    sink:listening { path = path }
    return sink, { url = "smtp+unix://" .. path, helo = "client.example.org" }
  end

  -- The dump of smtp-sink: its own X- headers, the content with \n ends, and an
  -- empty line.
  local function dumped(n)
    local names = net.names(folder)
    local list = {}
    for _, name in ipairs(names) do
      if name:match("^dump") then
        local text = net.slurp(folder .. "/" .. name)
        local mail = { header = text, to = {} }
        for to in text:gmatch("\nX%-Rcpt%-Args: <([^>]*)>") do table.insert(mail.to, to) end
        mail.content = text:match("\n(X%-Mark: begin\n.*)\n$")
        list[#list + 1] = mail
      end
    end
    assert.equal(n, #list)
    return list
  end

  for _, case in ipairs(contents) do
    it("sends " .. case.name, function()
      local _ <close>, target = start("-d", folder .. "/dump.")
      assert(smtp.send(target, message(case.given)))
      local mail = dumped(1)[1]
      assert.is_true(mail.content == case.kept:gsub("\r\n", "\n"))
      assert.truthy(mail.header:find("\nX-Helo-Args: client.example.org\n", 1, true))
      assert.truthy(mail.header:find("\nX-Mail-Args: <ada@example.org>", 1, true))
    end)
  end

  it("pipelines several recipients, or does not if it is not offered", function()
    for _, options in ipairs { {}, { "-p" } } do
      local sink <close>, target = start("-d", folder .. "/dump.", table.unpack(options))
      local to = {}
      for i = 1, 300 do to[i] = ("user%d@example.com"):format(i) end
      local receipt = assert(smtp.send(target, message(contents[1].given, to)))
      assert.same(to, receipt.accepted)
      assert.equal(#options == 0, receipt.used.pipelining)
      assert.same(to, dumped(1)[1].to)
      sink:close()
      os.execute("rm -f " .. folder .. "/dump* " .. folder .. "/socket")
    end
  end)

  it("sends a hundred messages over one connection", function()
    local _ <close>, target = start("-d", folder .. "/dump.")
    local client <close> = assert(smtp.connect(target))
    for i = 1, 100 do
      assert(client:send(message("X-Mark: begin\r\n\r\nnumber " .. i .. "\r\n")))
    end
    local seen = {}
    for _, mail in ipairs(dumped(100)) do
      seen[tonumber(mail.content:match("^X%-Mark: begin\n\nnumber (%d+)\n$"))] = true
    end
    assert.equal(100, #seen)
  end)

  for _, lacks in ipairs {
    { "-e", "ESMTP" }, { "-8", "8BITMIME" }, { "-p", "PIPELINING" }, { "-P", "anything: a PIX" },
    { "-E", "ENHANCEDSTATUSCODES" },
  } do
    it("sends to a server without " .. lacks[2], function()
      local _ <close>, target = start("-d", folder .. "/dump.", lacks[1])
      assert(smtp.send(target, message(contents[1].given)))
      assert.equal(contents[1].kept:gsub("\r\n", "\n"), dumped(1)[1].content)
    end)
  end

  it("does not send 8-bit text without 8BITMIME", function()
    local _ <close>, target = start("-8")
    local receipt, err = smtp.send(target, message("Subject: hi\r\n\r\n\u{fc}\r\n"))
    assert.is_nil(receipt)
    assert.equal("unsupported", err.kind)
  end)

  local STAGES = {
    { "CONNECT", "greeting" }, { "MAIL", "mail" }, { "RCPT", "rcpt" }, { "DATA", "data" },
    { ".", "final" },
  }

  for _, one in ipairs(STAGES) do
    local command, stage = one[1], one[2]
    for option, class in pairs { ["-f"] = 5, ["-r"] = 4 } do
      it(("reports a %dxx to %s"):format(class, command), function()
        local _ <close>, target = start(option, command)
        local receipt, err = smtp.send(target, message())
        assert.is_nil(receipt)
        assert.same({ "rejected", stage, class, class == 4, "not_sent" },
          { err.kind, err.stage, err.code // 100, err.temporary, err.outcome })
      end)
    end

    it("reports a 421 to " .. command, function()
      local _ <close>, target = start("-Q", command)
      local receipt, err = smtp.send(target, message())
      assert.is_nil(receipt)
      assert.same({ "rejected", stage, 421, true },
        { err.kind, err.stage, err.code, err.temporary })
    end)

    it("reports a connection that is lost after " .. command, function()
      local _ <close>, target = start("-q", command)
      local receipt, err = smtp.send(target, message())
      assert.is_nil(receipt)
      assert.same({ "closed", stage, stage == "final" and "unknown" or "not_sent" },
        { err.kind, err.stage, err.outcome })
    end)

    it("reports the same without pipelining, at " .. command, function()
      local _ <close>, target = start("-p", "-q", command)
      local receipt, err = smtp.send(target, message())
      assert.is_nil(receipt)
      assert.same({ "closed", stage }, { err.kind, err.stage })
    end)
  end

  it("sends HELO if EHLO is refused", function()
    local _ <close>, target = start("-f", "EHLO")
    local client <close> = assert(smtp.connect(target))
    assert.is_false(client.esmtp)
    assert(client:send(message()))
  end)

  it("reports a server that refuses HELO too", function()
    local _ <close>, target = start("-f", "EHLO,HELO")
    local client, err = smtp.connect(target)
    assert.is_nil(client)
    assert.same({ "rejected", "ehlo", 5 }, { err.kind, err.stage, err.code // 100 })
  end)

  it("is not hurt by a QUIT that is refused or not answered", function()
    for _, option in ipairs { "-f", "-q" } do
      local sink <close>, target = start(option, "QUIT")
      assert.equal(250, assert(smtp.send(target, message())).code)
      sink:close()
      os.remove(folder .. "/socket")
    end
  end)

  it("ends in time when DATA is answered late", function()
    local _ <close>, target = start("-p", "-W", "DATA:20")
    target.timeout = { data = 0.3 }
    local receipt, err = smtp.send(target, message())
    assert.is_nil(receipt)
    assert.same({ "timeout", "data", "not_sent" }, { err.kind, err.stage, err.outcome })
  end)

  it("takes a refusal that comes before the content was read", function()
    local _ <close>, target = start("-A", "0")
    local receipt, err = smtp.send(target, message(contents.HEADER .. contents.text(10000000)))
    assert.is_nil(receipt)
    assert.same({ "rejected", 550, "not_sent" }, { err.kind, err.code, err.outcome })
  end)
end)
