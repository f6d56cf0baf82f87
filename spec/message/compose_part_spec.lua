-- Parts of composed messages: what they may be, where their content comes from, and
-- how what is wrong with them is told.
local misused = require "spec.support.misuse"
local smtp = require "smtp"
local net = require "spec.support.net"

local function message(record)
  local all = { from = "Ada <ada@code.energy>", to = "bob@example.com", date = 0, seed = 1 }
  for key, value in pairs(record) do all[key] = value end
  return smtp.message(all)
end

local function refused(record, field, kind)
  local made, err = message(record)
  assert.is_nil(made, field)
  assert.same({ kind or "invalid", "not_sent" }, { err.kind, err.outcome })
  assert.truthy(tostring(err):find("message: " .. field, 1, true), tostring(err))
end

-- The composed bytes, which are exactly as many as were promised.
local function bytes(record)
  local made = assert(message(record))
  local text = tostring(made)
  assert.equal(made.size, #text)
  return text
end

describe("a part", function()
  local folder
  before_each(function() folder = net.folder() end)
  after_each(function() net.remove(folder) end)

  it("that is a message goes out as it is, from a string or a file", function()
    local inner = "Subject: inner\nFrom: a@b.example\n\nhi\n"
    for text, encoding in pairs { [inner] = "7bit", [inner .. "\xc3\xa9\r"] = "8bit" } do
      local path = folder .. "/a.eml"
      net.dump(path, text)
      for _, given in ipairs { { content = text, name = "a.eml" }, { path = path },
        { content = text, name = "x", type = "Message/RFC822" } } do
        local all = bytes { attachments = { given } }
        assert.matches("Content%-Type: message/rfc822; name=", all)
        assert.matches("Content%-Transfer%-Encoding: " .. encoding, all)
        assert.truthy(all:find("\r\nSubject: inner\r\nFrom: a@b.example\r\n\r\nhi\r\n", 1, true))
        assert.falsy(all:find("[^\r]\n"))
        assert.falsy(all:find("\r[^\n]"))
        -- RFC 2045 section 6.4: what holds 8-bit bytes says so
        local outer = smtp.parse(all).headers:get("Content-Transfer-Encoding")
        assert.equal(encoding == "8bit" and encoding or nil, outer)
        assert.equal("inner", smtp.parse(all).attachments[1].message.subject)
      end
    end
    for _, content in ipairs { "A: b\r\n\r\n\0", "A: " .. ("x"):rep(996) .. "\r\n\r\n",
      "A: b\n\n" .. ("x"):rep(999) } do
      net.dump(folder .. "/b.eml", content)
      refused({ attachments = { folder .. "/b.eml" } }, "content")
      refused({ part = smtp.part { type = "message/rfc822", content = content } }, "content")
    end
    bytes { attachments = { { name = "b.eml", content = "A: " .. ("x"):rep(995) .. "\r\n\r\n" } } }
  end)

  it("that is a message may come from a function, cut anywhere", function()
    local inner = "Subject: inner\r\n\r\none\rtwo\nthree\r\n"
    for size = 1, #inner do
      local at = 1
      local made = message { attachments = { { type = "message/rfc822", source = function()
        local piece = inner:sub(at, at + size - 1)
        at = at + size
        return piece ~= "" and piece or nil
      end } } }
      assert.is_nil(made.size)
      assert.truthy(tostring(made):find("inner\r\n\r\none\r\ntwo\r\nthree\r\n\r\n--", 1, true))
    end
    local made = message { attachments = { { type = "message/rfc822",
      source = function() return "a\0" end } } }
    assert.error_matches(function() return tostring(made) end, "NUL")
  end)

  it("is what it was when it was made", function()
    local list = { smtp.part { content = "one" } }
    local params = { { "x", "1" } }
    local tree = smtp.part { parts = list, params = params }
    local before = bytes { part = tree }
    list[2], params[1][2], params[2] = tree, "1", { "y", "2" }
    assert.equal(before, bytes { part = tree })
    assert.error_matches(function() tree.parts = { tree } end, "cannot be changed")
    local attachment = smtp.part { content = "x", name = "n.bin" }
    assert.matches("Content%-Disposition: attachment; filename=n.bin",
      bytes { attachments = { attachment } })
    assert.matches("multipart/mixed.*multipart/mixed.*\r\n\r\none\r\n",
      bytes { attachments = { tree } })
  end)

  it("has parts if it is a multipart, and only then", function()
    local one = smtp.part { content = "x" }
    refused({ part = smtp.part { type = "text/plain", parts = { one } } }, "type")
    refused({ part = smtp.part { type = "Multipart/Mixed", content = "x" } }, "type")
    refused({ part = smtp.part { parts = {} } }, "parts")
    misused("option \"parts\"", function() message { attachments = { { parts = {} } } } end)
    misused("option \"filename\" .there are cid, content",
      function() message { attachments = { { content = "x", filename = "y" } } } end)
    misused("is a list", function() message { attachments = { path = "/etc/passwd" } } end)
    misused("no text", function() message { part = one, text = "x" } end)
    misused("must be a string", function() message { attachments = { { content = 5 } } } end)
    misused("one of content", function() message { attachments = { {} } } end)
    misused("attachments%[1%] must be a table", function() message { attachments = { 5 } } end)
    misused("unknown option", function() message { calendar = { text = "x" } } end)
    misused("unknown option", function() message { list = { x = "y" } } end)
    misused("to must be", function() message { envelope = { to = 5 } } end)
    misused("unknown option", function() message { dkim = { domain = "a", x = 1 } } end)
    refused({ dkim = { domain = "code.energy", selector = "s", key = "/nowhere/key" } }, "dkim key")
  end)

  it("has each parameter once", function()
    local function part(given)
      given.content = "x"
      return { part = smtp.part(given) }
    end
    refused(part { type = "text/plain", params = { { "a", "1" }, { "A", "2" } } }, "params")
    refused(part { type = "text/plain; a=1", params = { { "a", "2" } } }, "params")
    refused(part { type = "text/plain", name = "n", params = { { "name", "m" } } }, "params")
    refused({ part = smtp.part { parts = { smtp.part { content = "x" } },
      params = { { "boundary", "b" } } } }, "params")
    local m = smtp.parse(bytes { part = smtp.part { type = "Application/X-Y; a=1; b*=utf-8''%C3%A9",
      content = "x", params = { { "c", "3" } } } })
    assert.same({ "application/x-y", { a = "1", b = "é", c = "3" } }, { m.type, m.params })
    refused(part { type = "text/plain;\r\n a=1" }, "type")
    refused(part { type = "text" }, "type")
  end)

  it("is called UTF-8 only if it is", function()
    local latin = "caf\xe9\n"
    local path = folder .. "/t.txt"
    for _, text in ipairs { latin, ("x"):rep(70000) .. "\xc3", "\xc3" .. ("\xa9"):rep(100000) } do
      net.dump(path, text)
      for _, given in ipairs { { path = path }, { content = text, name = "t.txt" } } do
        local one = smtp.parse(bytes { attachments = { given } }).attachments[1]
        assert.same({ "text/plain", nil, text }, { one.type, one.params.charset, one.content })
      end
    end
    for _, text in ipairs { "plain\n", ("é"):rep(60000), "" } do
      net.dump(path, text)
      local one = smtp.parse(bytes { attachments = { path } }).attachments[1]
      assert.same({ "utf-8", text }, { one.params.charset, one.content })
    end
    for _, given in ipairs { { type = "text/plain; charset=iso-8859-1" },
      { type = "text/plain", params = { charset = "iso-8859-1" } },
      { type = "text/plain", params = { { "Charset", "iso-8859-1" } } } } do
      given.content = latin
      assert.equal("café\n", smtp.parse(bytes { part = smtp.part(given) }).text)
    end
  end)

  it("is of a regular file, which stays as it was", function()
    os.execute("mkfifo " .. folder .. "/fifo")
    refused({ attachments = { folder .. "/fifo" } }, "attachments", "source")
    refused({ attachments = { "/dev/zero" } }, "attachments", "source")
    local _, err = message { attachments = { "/nowhere/x" } }
    assert.same({ "source", "ENOENT" }, { err.kind, err.cause })
    assert.equal("message: attachments /nowhere/x: No such file or directory", tostring(err))
    refused({ attachments = { "a\0b" } }, "path")
    local path = folder .. "/a.bin"
    net.dump(path, ("x"):rep(1000))
    local made = assert(message { attachments = { path } })
    assert.equal(made.size, #tostring(made))
    os.execute("touch -d '2001-01-01' " .. path) -- as another content of the same size is
    assert.error_matches(function() return tostring(made) end, "has changed")
  end)

  it("has the size that was told of it", function()
    local function of(n, size)
      local given
      return message { attachments = { { name = "s", size = size, source = function()
        given = not given
        return given and ("x"):rep(n) or nil
      end } } }
    end
    local made = of(1000, 1000)
    assert.equal(made.size, #tostring(made))
    for _, n in ipairs { 999, 1001, 0 } do
      made = of(n, 1000)
      assert.error_matches(function() return tostring(made) end, "not the 1000 of its size")
    end
    misused("size is for a source", function() smtp.part { content = "x", size = 1 } end)
  end)
end)

describe("a boundary", function()
  it("C044 is in no message within, whatever the seed", function()
    local inner = tostring(assert(smtp.message { from = "a@b.example", text = "x", html = "y",
      seed = 7, date = 0 }))
    local outer = bytes { seed = 7, date = 0, text = "x", from = "a@b.example",
      attachments = { { content = inner, name = "a.eml" }, { content = "z", name = "z.bin" } } }
    for boundary in outer:gmatch('boundary="?([^"\r\n]+)') do
      local _, n = outer:gsub("\r\n%-%-" .. boundary:gsub("%p", "%%%0") .. "%-%-", "")
      assert.equal(1, n)
    end
  end)
end)

describe("a list", function()
  it("has no hole and no other key, behind which something would be lost", function()
    misused("attachments has a hole: %[2%]", function()
      message { attachments = { { content = "x" }, nil, { content = "y" } } } end)
    misused("hole: %[1%]", function() message { attachments = { nil, { content = "y" } } } end)
    misused("has a hole", function() message { to = { "a@b.example", nil, "c@d.example" } } end)
    misused("no key \"email\"", function() message { to = { { email = "c@d.example" } } } end)
    misused("no key \"c@d.example\"", function() message { cc = { ["c@d.example"] = "C" } } end)
    misused("unknown option \"nmae\"", function()
      message { to = { address = "a@b.example", nmae = "A" } } end)
    misused("has a hole", function() message { headers = { { "A", "b" }, nil, { "C", "d" } } } end)
    misused("has a hole", function() message { references = { "a@b", nil, "c@d" } } end)
    misused("has a hole", function() message { list = { unsubscribe = { nil, "https://a" } } } end)
    misused("has a hole", function() smtp.part { parts = { smtp.part { content = "x" }, nil,
      smtp.part { content = "y" } } } end)
    misused("not both", function() smtp.part { content = "x", params = { a = "b", {} } } end)
    misused("to has a hole", function()
      smtp.send("127.0.0.1:9", { raw = "x", envelope = { from = "", to = { nil, "a@b" } } }) end)
  end)
end)

describe("what was parsed", function()
  local PARSED = "From: Ada <a@b.example>\nReferences: <foo> <a@b>\n"
    .. "To: Team: x@x.example, y@x.example;, z@x.example\n"
    .. "Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\n"
    .. "Content-Type: text/csv; charset=iso-8859-1; name=n.csv\n"
    .. "Content-Transfer-Encoding: base64\n\nY2Fm6Q==\n--b--\n"

  it("can be answered and passed on", function()
    local p = smtp.parse(PARSED)
    local made = assert(message { to = p.to, references = p.references,
      attachments = p.attachments })
    assert.same({ "x@x.example", "y@x.example", "z@x.example" }, made.envelope.to)
    local again = smtp.parse(tostring(made))
    assert.same({ "foo", "a@b" }, again.references)
    local one = again.attachments[1]
    assert.same({ "text/csv", "iso-8859-1", "n.csv", "caf\xe9" },
      { one.type, one.params.charset, one.name, one.content })
  end)

  it("shows no Bcc when it is sent, unless it came so", function()
    local got
    local server <close> = assert(smtp.server { listen = "127.0.0.1:0",
      on_message = function(_, m) got = { text = m:read(), to = m.recipients } return true end })
    local raw = "From: a@b.example\r\nbcc: secret@z.example,\r\n other@z.example\r\n"
      .. "To: t@z.example\r\n\r\nBcc: x\r\n"
    assert(smtp.send("127.0.0.1:" .. server.port, smtp.parse(raw)))
    assert.same({ "From: a@b.example\r\nTo: t@z.example\r\n\r\nBcc: x\r\n", 3 },
      { got.text, #got.to })
    local came = smtp.parse { envelope = { from = "", to = "t@z.example" }, chunks = function()
      local given
      return function()
        given = not given
        return given and raw or nil
      end
    end }
    assert(smtp.send("127.0.0.1:" .. server.port, came))
    assert.same({ raw, 1 }, { got.text, #got.to })
    local _, err = smtp.send("127.0.0.1:" .. server.port,
      smtp.parse("X: a\rFrom: ceo@b.example\rSubject: Pay\r\rto\nFrom: a@b.example\nTo: c@d\n"))
    assert.same({ "invalid", "not_sent" }, { err.kind, err.outcome })
    assert.matches("bare CR", tostring(err))
  end)

  it("keeps the envelope that it came with", function()
    local p
    local server <close> = assert(smtp.server { listen = "127.0.0.1:0",
      on_message = function(_, m) p = smtp.parse(m) return true end })
    assert(smtp.send("127.0.0.1:" .. server.port, { raw = PARSED,
      envelope = { from = "", to = { "local@gw.example" } } }))
    assert.same({ from = "", to = { "local@gw.example" } }, p.envelope)
    assert.equal("unsupported", select(2, smtp.bounce(p, { address = "x@x.example" })).kind)
  end)
end)

describe("a record", function()
  it("takes headers with several values, and says which one is wrong", function()
    local all = bytes { headers = { ["X-B"] = { "1", "2" }, { "X-A", "0" } } }
    assert.matches("X%-A: 0\r\nX%-B: 1\r\nX%-B: 2\r\n", all)
    refused({ headers = { ["X-A"] = 1 } }, 'headers "X-A" must have a string')
    refused({ headers = { ["X-A"] = {} } }, 'headers "X-A" has no value')
    refused({ headers = { { "X-A" } } }, 'headers "X-A" has no value')
    refused({ headers = { ["X-A"] = "a\nb" } }, "headers X-A has a control")
    refused({ headers = { ["X A"] = "b" } }, 'headers "X A" is no name')
    refused({ subject = "\xff" }, "subject is not UTF-8")
  end)

  it("takes an empty group, and no group that does not end", function()
    assert.matches("To: undisclosed%-recipients:;\r\n", bytes { to = "undisclosed-recipients:;" })
    refused({ to = "Team: A <a@x.example>" }, 'to "Team: A <a@x.example>" is no address')
    refused({ to = "mailto:a@x.example" }, "to")
    refused({ to = { group = "g", members = { "h: x@y.example;" } } }, "to has a group within")
    refused({ to = { group = "g", members = { { group = "h", members = {} } } } }, "to has a group")
    refused({ to = "a@x.example, Jane" }, 'to "Jane" is not a mailbox')
    assert(message { to = "a@[IPv6:2001:db8::1]" })
  end)

  it("has an envelope without doubles, and an id for each text of a seed", function()
    assert.same({ "a@x.example", "A@x.example" },
      message { to = "a@x.example", cc = { "a@X.example", "A@x.example" } }.envelope.to)
    assert.not_equal(message { subject = "a" }.id, message { subject = "b" }.id)
    assert.equal(message { subject = "a" }.id, message { subject = "a" }.id)
  end)

  it("has the method of its calendar", function()
    for content, method in pairs { ["SUMMARY:METHOD:CASH"] = "REQUEST", ["x\nMETHOD:CANCEL"] =
      "CANCEL", ["METHOD:PUBLISH\r\n"] = "PUBLISH" } do
      assert.matches("method=" .. method, bytes { calendar = content })
    end
    refused({ calendar = { content = "METHOD:REQUEST", method = "CANCEL" } }, "calendar.method")
  end)

  it("has mailboxes where groups say nothing", function()
    for _, sender in ipairs { { group = "g", members = { "a@b.example" } }, "g: a@b.example;",
      { "a@b.example", "c@d.example" } } do
      refused({ sender = sender }, "sender")
    end
    refused({ from = "g: a@b.example;" }, "from")
  end)

  it("gives each header field once", function()
    for _, name in ipairs { "Content-Type", "content-description", "Content-ID" } do
      refused({ headers = { { name, "x" } } }, "headers")
    end
    local list = { id = "a.example", unsubscribe = "https://a.example/u" }
    refused({ list = list, headers = { { "List-Id", "<b.example>" } } }, "headers")
    refused({ headers = { { "List-Post", "NO" }, { "list-post", "NO" } } }, "headers")
    assert.matches("List%-Post: NO", bytes { list = list, headers = { ["List-Post"] = "NO" } })
    refused({ list = { unsubscribe = {} } }, "list.unsubscribe")
    refused({ list = { unsubscribe = "mailto:u@a.example", one_click = true } }, "list.one_click")
    refused({ list = { one_click = true } }, "list.one_click")
    assert.matches("One%-Click", bytes { list = { one_click = true,
      unsubscribe = { "mailto:u@a.example", "HTTPS://a.example/u" } } })
    refused({ calendar = {} }, "calendar")
  end)

  it("has an envelope of its own, which is copied", function()
    local envelope = { from = "x@y.example", to = { "one@z.example" } }
    local made = assert(message { envelope = envelope })
    envelope.to[2], envelope.from = "two@z.example", "other@y.example"
    assert.same({ from = "x@y.example", to = { "one@z.example" } }, made.envelope)
  end)
end)

describe("what is sent", function()
  local function send(given) return smtp.send("127.0.0.1:9", given) end

  it("is wrong before anything is connected", function()
    local envelope = { from = "a@b.example", to = "c@d.example" }
    misused("envelope must be a table", function() send { raw = "x", envelope = 5 } end)
    misused("raw needs an envelope", function() send { raw = "x" } end)
    misused("unknown option \"bcc\"", function() send { raw = "x", envelope = {}, bcc = "x" } end)
    misused("unknown option \"cc\"", function() send { raw = "x", envelope = { cc = "x" } } end)
    misused("send: the target must be", function() smtp.send(nil, {}) end)
    misused("send: options must be", function() smtp.send("x", {}, 5) end)
    misused("size must be", function() send { raw = "x", envelope = envelope, size = {} } end)
    misused("a message is a table", function() send(5) end)
    for why, chunks in pairs { ["gave no function"] = function() end,
      ["disk on fire"] = function() error("disk on fire", 0) end } do
      local receipt, err = send { envelope = envelope, chunks = chunks }
      assert.is_nil(receipt)
      assert.same({ "source", "not_sent" }, { err.kind, err.outcome })
      assert.matches(why, tostring(err))
      assert.equal("source", select(2, smtp.parse { chunks = chunks }).kind)
      assert.equal("source", select(2, smtp.dkim_verify({ chunks = chunks },
        { lookup = function() end })).kind)
    end
    local _, err = send { envelope = envelope, raw = "From: a@b.example\r\n\r\n",
      dkim = { domain = "b.example", selector = "s", key = "/nowhere/key" } }
    assert.same({ "invalid", "not_sent" }, { err.kind, err.outcome })
    _, err = smtp.send({ host = "127.0.0.1", port = 9, dkim = { domain = "b.example",
      selector = "s", key = "/nowhere/key" } }, { envelope = envelope, raw = "x" })
    assert.same({ "invalid", "not_sent" }, { err.kind, err.outcome })
  end)

  it("has the size that was told of it", function()
    local server <close> = assert(smtp.server { listen = "127.0.0.1:0",
      on_message = function(_, m) m:read() return true end })
    local function sized(n, size)
      local given
      return smtp.send("127.0.0.1:" .. server.port, { size = size,
        envelope = { from = "a@b.example", to = "c@d.example" },
        raw = function()
          given = not given
          return given and ("x"):rep(n) or nil
        end })
    end
    assert(sized(10, 10))
    assert(sized(1024, "1K"))
    for n, why in pairs { [9] = "less than the 10 bytes", [11] = "more than the 10 bytes" } do
      local receipt, err = sized(n, 10)
      assert.is_nil(receipt)
      assert.same({ "source", "not_sent" }, { err.kind, err.outcome })
      assert.matches(why, tostring(err))
    end
    assert.equal(2, server:stats().messages)
  end)

  it("may be what a server is receiving", function()
    local got
    local last <close> = assert(smtp.server { listen = "127.0.0.1:0",
      on_mail = function(_, sender) got = { size = sender.size } end,
      on_message = function(_, m) got.text = m:read() return true end })
    local gateway <close> = assert(smtp.server { listen = "127.0.0.1:0",
      on_message = function(_, m)
        return smtp.send("127.0.0.1:" .. last.port, m) ~= nil
      end })
    assert(smtp.send("127.0.0.1:" .. gateway.port, { raw = "Subject: x\r\n\r\nhi\r\n",
      envelope = { from = "a@b.example", to = "c@d.example" } }))
    assert.is_nil(got.size) -- nobody knew it
    assert.matches("^Received: [^\r]*\r\n[^:]*for <c@d.example>;\r\n\t[^\r]*\r\n"
      .. "Subject: x\r\n\r\nhi\r\n$", got.text)
  end)

  it("is never the rest of what was read already", function()
    local seen = {}
    local gateway <close> = assert(smtp.server { listen = "127.0.0.1:0",
      on_message = function(_, m)
        m:read(5)
        for _, use in ipairs { function() return smtp.send("127.0.0.1:9", m) end,
          function() return smtp.parse(m) end, function() return smtp.lint(m) end } do
          local _, err = use()
          seen[#seen + 1] = err.kind .. " " .. tostring(err.cause):match("read already")
          assert.matches("parse it first", tostring(err), 1, true)
        end
        assert(smtp.bounce(m, { address = "c@d.example" })) -- of the header, which it keeps
        return true
      end })
    local message_ = { raw = "Subject: x\r\n\r\nhi\r\n",
      envelope = { from = "a@b.example", to = "c@d.example" } }
    assert(smtp.send("127.0.0.1:" .. gateway.port, message_))
    assert.same({ "source read already", "source read already", "source read already" }, seen)
    local file <close> = io.tmpfile()
    file:write("Subject: x\r\n\r\n")
    file:seek("set")
    assert(smtp.parse(file))
    local _, err = smtp.send("127.0.0.1:9", { raw = file, envelope = message_.envelope })
    assert.same({ "source", "the file was read to its end already" }, { err.kind, err.cause })
  end)

  it("stand 50 deep in each other, and no deeper", function()
    local part = smtp.part { content = "deep\n" }
    for _ = 1, 50 do part = smtp.part { parts = { smtp.part { content = "side" }, part } } end
    local parsed = smtp.parse(tostring(assert(smtp.message { from = "a@b.example", part = part })))
    local inner = parsed
    for _ = 1, 50 do inner = inner.parts[2] end
    assert.equal("deep\n", inner.text)
    for _ = 1, 3 do
      part = smtp.part { parts = { part } }
      local made, err = smtp.message { from = "a@b.example", part = part }
      assert.is_nil(made)
      assert.equal("invalid", err.kind)
      assert.matches("parts are more than 50 deep", err.message)
    end
  end)
end)
