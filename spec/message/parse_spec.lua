-- SPDX-License-Identifier: MIT
local SAMPLE = require "spec.support.many_parts"
local misused = require "spec.support.misuse"
local smtp = require "smtp"

-- Asks for everything that is made when it is asked for.
local function ask(m)
  for _, key in ipairs { "subject", "from", "to", "cc", "bcc", "time", "references", "message_id",
    "type", "text", "html", "envelope", "report" } do
    local _ = m[key]
  end
  for _, part in ipairs(m.attachments) do
    for _, key in ipairs { "name", "cid", "inline", "size", "text", "message" } do
      local _ = part[key]
    end
  end
end

describe("smtp.parse", function()
  it("reads a message of many parts", function()
    local m = smtp.parse(SAMPLE)
    assert.equal("The m\u{e9}canique of the engine", m.subject)
    assert.same({ { name = "Ad\u{e9}", address = "ada@code.energy" } }, m.from)
    assert.same({ { name = "Babbage, Charles", address = "charles@example.com" },
      { address = "mary@example.com" } }, m.to)
    assert.equal("Friends", m.cc[1].group)
    assert.same({}, m.bcc)
    assert.equal(880127706, m.time)
    assert.equal("one@code.energy", m.message_id)
    assert.equal("zero@code.energy", m.in_reply_to)
    assert.same({ "first@code.energy", "zero@code.energy" }, m.references)
    assert.equal("Gr\u{fc}\u{df}e again", m.text)
    assert.equal("<b>\u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}</b>", m.html)
    assert.equal(3, #m.attachments)
    local logo, pdf, inside = table.unpack(m.attachments)
    assert.same({ "\u{e9}.png", "image/png", "logo@code.energy", true, 4, "\0\1\2\3" },
      { logo.name, logo.type, logo.cid, logo.inline, logo.size, logo.content })
    assert.same({ "r\u{e9}sum\u{e9}.pdf", "application/pdf", false, "Hello" },
      { pdf.name, pdf.type, pdf.inline, pdf.content })
    assert.equal("inside", inside.message.subject)
    assert.equal("in it", inside.message.text)
    assert.equal("Subject: inside\r\nContent-Type: text/plain\r\n\r\nin it",
      tostring(inside.message))
    assert.same({ from = "bounces@code.energy", to = { "charles@example.com", "mary@example.com",
      "augustus@example.com" } }, m.envelope)
    assert.is_nil(m.report)
  end)

  it("takes ids that fit in a line, and none that are longer", function()
    for n, taken in pairs { [990] = true, [991] = false } do
      local id = ("i"):rep(n - 2) .. "@x"
      local m = smtp.parse(("Message-ID: <%s>\nReferences: <%s> <a@b>\n\n"):format(id, id))
      assert.equal(taken and id or nil, m.message_id)
      assert.same(taken and { id, "a@b" } or { "a@b" }, m.references)
    end
  end)

  it("keeps the bytes, and gives the tree of parts", function()
    local m = smtp.parse(SAMPLE)
    assert.equal(SAMPLE, tostring(m))
    assert.equal(#SAMPLE, m.size)
    local pieces = {}
    for piece in m:chunks(100) do pieces[#pieces + 1] = piece end
    assert.equal(SAMPLE, table.concat(pieces))
    assert.equal("multipart/mixed", m.type)
    assert.equal("outer", m.params.boundary)
    assert.equal(3, #m.parts)
    assert.equal("multipart/related", m.parts[1].parts[2].type)
    local html = m.parts[1].parts[2].parts[1]
    assert.equal("text/html; charset=windows-1251", html.headers:get("content-type"))
  end)

  it("reads the same with bare LF", function()
    local m = smtp.parse((SAMPLE:gsub("\r\n", "\n")))
    assert.equal("Gr\u{fc}\u{df}e again", m.text)
    assert.equal(3, #m.attachments)
    assert.equal("Hello", m.attachments[2].content)
  end)

  it("takes strings, functions, files and what has chunks", function()
    local function by_bytes(text)
      local at = 0
      return function()
        at = at + 1
        return at <= #text and text:sub(at, at) or nil
      end
    end
    local file <close> = assert(io.tmpfile())
    file:write(SAMPLE)
    file:seek("set")
    for _, content in ipairs { by_bytes(SAMPLE), file, smtp.parse(SAMPLE) } do
      assert.equal(SAMPLE, tostring(smtp.parse(content)))
    end
    assert.error_matches(function() smtp.parse(42) end, "is needed, not number")
    assert.error_matches(function() smtp.parse {} end, "is needed, not table")
    local m, err = smtp.parse(function() error("no more") end)
    assert.is_nil(m)
    assert.equal("source", err.kind)
  end)

  it("gives an object for every beginning of a message", function()
    for n = 0, #SAMPLE do
      local m = smtp.parse(SAMPLE:sub(1, n))
      ask(m)
      assert.equal(n, m.size)
    end
  end)

  it("knows headers without regard to case, in their order", function()
    local m = smtp.parse("X-A: 1\r\nx-a :\r\n 2\r\n__index: 3\r\nget: 4\r\n\r\n")
    assert.equal("1", m.headers:get("X-a"))
    assert.same({ "1", "2" }, m.headers:all("x-A"))
    assert.same({ name = "__index", value = "3", raw = " 3" }, m.headers[3])
    assert.equal("4", m.headers:get("GET"))
    assert.is_nil(m.headers:get("X-B"))
  end)

  it("raises for misuse", function()
    local m = smtp.parse("A: b\r\n\r\nbody")
    misused("headers:get: a name is needed", function() m.headers:get() end)
    misused("headers:all: a name is needed", function() m.headers:all(5) end)
    misused("above 0", function() m:chunks(0) end)
    misused("whole number", function() m:chunks(1.5) end)
  end)

  it("reads 8-bit headers and wrong charsets", function()
    local m = smtp.parse("Subject: Gr\u{fc}n\r\nX: Gr\xfcn\r\nY: =?nonsense?q?Gr=FCn?=\r\n" ..
      "Content-Type: text/plain; charset=\"x-unknown\"\r\n\r\nGr\xfcn \x80")
    assert.equal("Gr\u{fc}n", m.subject)
    assert.equal("Gr\u{fc}n", m.headers:get("X"))
    assert.equal("Gr\u{fc}n", m.headers:get("Y"))
    assert.equal("Gr\u{fc}n \u{20ac}", m.text)
    m = smtp.parse("Content-Type: text/plain; charset=utf-8\r\n\r\na\xffb")
    assert.equal("a\u{fffd}b", m.text)
  end)

  it("takes a body without a header, and a header without a body", function()
    assert.equal("no header\nat all\n", smtp.parse("no header\r\nat all\r\n").text)
    assert.equal("x", smtp.parse("Subject: x").subject)
    assert.equal("a", smtp.parse("From ada@x Mon Jan  1\r\nSubject: a\r\n\r\n").subject)
    assert.equal("", smtp.parse("").text)
    assert.same({}, smtp.parse("").attachments)
  end)

  it("takes parts that are empty, have no header, or no end", function()
    local head = "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    local m = smtp.parse(head .. "--x\r\n--x\r\n\r\n--x\r\nA: b\r\n--x\r\n\r\nlast\r\n")
    assert.equal(4, #m.parts)
    assert.equal("", m.parts[1].content)
    assert.equal("b", m.parts[3].headers:get("a"))
    assert.equal("last\r\n", m.parts[4].content)
    assert.equal(0, #smtp.parse(head).parts)
    assert.equal(0, #smtp.parse("Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\na").parts)
    m = smtp.parse(head .. "--xy\r\n--x y\r\n--x \t\r\n\r\na\r\n--x--  \r\n--x\r\n\r\n")
    assert.equal(1, #m.parts)
    assert.equal("a", m.text)
  end)

  it("ends inner parts at an outer boundary", function()
    local m = smtp.parse("Content-Type: multipart/mixed; boundary=a\n\n--a\n" ..
      "Content-Type: multipart/mixed; boundary=ab\n\n--ab\n\none\n--a\n\ntwo\n--a--\n")
    assert.equal("one", m.parts[1].parts[1].content)
    assert.equal("two", m.parts[2].content)
  end)

  it("reads a digest and a message that is encoded", function()
    local m = smtp.parse("Content-Type: multipart/digest; boundary=a\n\n--a\n\n" ..
      "Subject: one\n\n1\n--a\nContent-Type: message/rfc822\n" ..
      "Content-Transfer-Encoding: base64\n\nU3ViamVjdDogdHdvCgoy\n--a--\n")
    assert.equal("one", m.parts[1].message.subject)
    assert.equal("message/rfc822", m.parts[1].type)
    assert.equal("two", m.parts[2].message.subject)
  end)

  it("leaves no recipient out of the envelope that stands beside a name", function()
    local m = smtp.parse("From: Ada Lovelace ada@code.energy\nTo: Big Bug bb@example.com,\n" ..
      " carol@example.com\nCc: dan@example.com Dan, G: Eve eve@example.com;\nBcc: f@x.example " ..
      "g@x.example\n\nx\n")
    assert.same({ { name = "Ada Lovelace", address = "ada@code.energy" } }, m.from)
    assert.same({ { name = "Big Bug", address = "bb@example.com" },
      { address = "carol@example.com" } }, m.to)
    assert.same({ from = "ada@code.energy", to = { "bb@example.com", "carol@example.com",
      "dan@example.com", "eve@example.com", "f@x.example", "g@x.example" } }, m.envelope)
  end)

  it("stops at 50 parts in each other and 1000 in all, and keeps the rest", function()
    local bomb = {}
    for i = 1, 5000 do
      bomb[i] = ("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n"):format(i, i)
    end
    local m = smtp.parse(table.concat(bomb))
    local depth, part = 0, m
    while part.parts[1] do depth, part = depth + 1, part.parts[1] end
    assert.equal(50, depth)
    assert.truthy(part.content:find("boundary=b5000", 1, true))

    local nested = smtp.parse(("Content-Type: message/rfc822\n\n"):rep(5000))
    depth = 0
    while nested and depth < 51 do
      depth, nested = depth + 1, nested._root._inner and nested.attachments[1].message
    end
    assert.equal(51, depth)

    m = smtp.parse("Content-Type: multipart/mixed; boundary=x\n\n" ..
      ("--x\n\na\n"):rep(2000) .. "--x--\n")
    assert.equal(1000, #m.parts)
    assert.equal("a", m.parts[999].content)
    assert.truthy(m.parts[1000].content:find("^\na\n%-%-x\n.*%-%-x%-%-\n$"))
  end)

  it("takes lines of a megabyte and NULs", function()
    local long = ("a"):rep(1024 * 1024)
    local m = smtp.parse("Subject: " .. long .. "\r\nX: a\0b\r\n\r\n\0" .. long)
    assert.equal(long, m.subject)
    assert.same({ "a\u{fffd}b", " a\0b" }, { m.headers:get("x") })
    assert.equal("\u{fffd}" .. long, m.text)
    assert.equal("\0" .. long, m.content)
  end)

  it("takes time that is linear in what an attacker sends #slow", function()
    local n = 200000
    for _, unit in ipairs { "=?a?q?", "=?", "(", "\"", "<", "a;", "a*0*=", "x@y,", "a:", "<:", "<@",
      " ", "\t\n ", "[", "\\", "--", "=", "=?a?q?b?=", "=?gbk?q?=D0?= ", "a: b;", "a=(b ",
      "=x (;", "@" } do
      local text = unit:rep(n // #unit)
      for _, name in ipairs { "Subject", "From", "Content-Type", "References", "Date" } do
        local begun = os.clock()
        local m = smtp.parse(name .. ": " .. text .. "\n\n" .. text)
        ask(m)
        smtp.message { from = "a@b.example", references = m.references, in_reply_to = text }
        smtp.address.parse(text .. "<a@b>")
        smtp.address.parse("x" .. text .. "y<a@b>")
        assert.is_true(os.clock() - begun < 2, name .. " " .. unit)
      end
    end
  end)

  it("has no more fields of a header than anybody needs", function()
    local m = smtp.parse(("a:\n"):rep(1000000) .. "Subject: x\n\nbody")
    assert.same({ 10000, "body" }, { #m.headers, m.text })
  end)

  it("prefers the name with a charset, and decodes one in quotes", function()
    local function name(disposition, kind)
      return smtp.parse("Content-Type: " .. (kind or "a/b") .. "\nContent-Disposition: " ..
        disposition .. "\n\n").attachments[1].name
    end
    assert.equal("\u{e9}", name("attachment; filename=e; filename*=utf-8''%C3%A9"))
    assert.equal("\u{e9}", name("attachment; filename*=iso-8859-1'en'%E9"))
    assert.equal("copy (2).pdf", name("attachment; filename=copy (2).pdf"))
    assert.equal("a b", name("attachment; filename=a b (a comment); size=1"))
    assert.equal('a"\\;b', name([[attachment; filename="a\"\\;b"]]))
    assert.equal("\u{e9}.txt", name('attachment; filename="=?utf-8?q?=C3=A9=2Etxt?="'))
    assert.equal("abc", name("attachment; filename*2=c; filename*0=a; filename*1=b"))
    assert.equal("n", name("attachment", "a/b; name=n"))
    assert.is_nil(name("attachment; filename*1=b"))
  end)

  it("can be sent on", function()
    local m = smtp.parse("From: a@example.com\nTo: b@example.com\n\nhi\n")
    assert.same({ from = "a@example.com", to = { "b@example.com" } }, m.envelope)
    m = smtp.parse("Return-Path: <>\nFrom: a@example.com\nTo: u:;\n\nhi\n")
    assert.same({ from = "", to = {} }, m.envelope)
  end)
end)
