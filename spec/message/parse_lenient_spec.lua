-- SPDX-License-Identifier: MIT
-- Messages that break a rule, or use what few do, and what `smtp.parse` reads all the same.
local smtp = require "smtp"

local HEAD = "From: ada@code.energy\r\nTo: bob@example.com\r\n"

-- The names of attachments; "" is one without a name.
local function names(message)
  local list = {}
  for i, part in ipairs(message.attachments) do list[i] = part.name or "" end
  return list
end

-- Reads `HEAD` and the given text, and compares the fields that are named. `false` is nil.
local function check(what, text, right)
  local message = smtp.parse(HEAD .. text)
  for key, value in pairs(right) do
    local got = message[key]
    if key == "attachments" then got = names(message) end
    if got == nil then got = false end
    assert.same(value, got, what .. ": " .. key)
  end
end

local function part(head, body)
  if head ~= "" then head = head:gsub("\n", "\r\n") .. "\r\n" end
  return "--cut\r\n" .. head .. "\r\n" .. body .. "\r\n"
end

local function multipart(kind, ...)
  return ("Content-Type: multipart/%s; boundary=cut\r\n\r\n%s--cut--\r\n"):format(kind,
    table.concat { ... })
end

describe("the text of a message", function()
  local ATTACHED = part("Content-Type: text/plain; name=notes.txt\n"
    .. "Content-Disposition: attachment; filename=notes.txt", "notes")
  local NAMED = part("Content-Type: text/plain; name=letter.txt", "letter")
  local HTML = part("Content-Type: text/html; name=letter.html", "<p>letter")

  for what, row in pairs {
    ["inline, with a name of the type"] = { 'Content-Type: text/plain; name="a.txt"\r\n'
      .. "Content-Disposition: inline\r\n\r\nhi\r\n", { text = "hi\n", attachments = {} } },
    ["inline, with the name of a file"] = { "Content-Type: text/plain\r\n"
      .. "Content-Disposition: inline; filename=a.txt\r\n\r\nhi\r\n",
      { text = "hi\n", attachments = {} } },
    ["HTML, without a disposition"] = { "Content-Type: text/html; name=a.html\r\n\r\n<p>hi\r\n",
      { html = "<p>hi\n", text = false, attachments = {} } },
    ["of an unknown disposition"] = { "Content-Disposition: x-shown; filename=a.txt\r\n\r\nhi\r\n",
      { text = "hi\n", attachments = {} } },
    ["an attachment"] = { "Content-Disposition: attachment\r\n\r\nhi\r\n",
      { text = false, attachments = { "" } } },
    ["an attachment in capitals"] = { "Content-Disposition: ATTACHMENT; filename=a.txt\r\n\r\nhi",
      { text = false, attachments = { "a.txt" } } },
    ["before an attachment"] = { multipart("mixed", NAMED, ATTACHED),
      { text = "letter", attachments = { "notes.txt" } } },
    ["behind an attachment"] = { multipart("mixed", ATTACHED, NAMED),
      { text = "letter", attachments = { "notes.txt" } } },
    ["the first of two"] = { multipart("mixed", NAMED, NAMED),
      { text = "letter", attachments = { "letter.txt" } } },
    ["in two forms"] = { multipart("alternative", NAMED, HTML),
      { text = "letter", html = "<p>letter", attachments = {} } },
    ["in two forms, mixed"] = { multipart("mixed", NAMED, HTML, ATTACHED),
      { text = "letter", html = "<p>letter", attachments = { "notes.txt" } } },
    ["the root of related parts"] = { multipart("related", HTML, NAMED),
      { html = "<p>letter", text = false, attachments = { "letter.txt" } } },
  } do
    it("may have a name: " .. what, function() check(what, row[1], row[2]) end)
  end
end)

describe("a header", function()
  it("may have a byte order mark in front", function()
    local text = "Subject: marked\r\nTo: bob@example.com\r\n\r\nbody\r\n"
    local message = smtp.parse("\u{feff}" .. text)
    assert.same({ "marked", "body\n" }, { message.subject, message.text })
    assert.equal("\u{feff}" .. text, tostring(message))
    local whole = smtp.parse(HEAD .. multipart("mixed",
      part("Content-Type: message/rfc822", "\u{feff}" .. text)))
    assert.equal("marked", whole.attachments[1].message.subject)
    assert.equal("body", smtp.parse("\u{feff}\r\nbody").text)
    assert.is_nil(smtp.parse("x: y\r\n\u{feff}" .. text).subject)
  end)

  for what, row in pairs {
    ["a sentence"] = { "oops, this is broken\r\nSubject: s\r\nContent-Type: text/html\r\n\r\nb\r\n",
      { subject = "s", html = "b\n" } },
    ["a name that is not ASCII"] = { "X-L\u{e4}nge: 3\r\nSubject: s\r\n\r\nb\r\n",
      { subject = "s", text = "b\n" } },
    ["a name with a blank"] = { "My Field: 3\r\nSubject: s\r\n\r\nb\r\n",
      { subject = "s", text = "b\n" } },
    ["a colon alone, folded"] = { ": x\r\n  y\r\nSubject: s\r\n\r\nb\r\n",
      { subject = "s", text = "b\n" } },
    ["several lines"] = { "one\r\ntwo\r\n three\r\nfour\r\nSubject: s\r\n\r\nb\r\n",
      { subject = "s", text = "b\n" } },
    ["the line of a mailbox file"] = { ">From ada Mon Jan  1\r\nSubject: s\r\n\r\nb\r\n",
      { subject = "s", text = "b\n" } },
    ["a row of dashes behind the type"] = { "Content-Type: text/html\r\n-----\r\n--x\r\n"
      .. "Subject: s\r\n\r\nb\r\n", { subject = "s", html = "b\n" } },
    ["dashes that are not the boundary"] = { "Content-Type: multipart/mixed; boundary=in\r\n"
      .. "--inn\r\n--in--x\r\nSubject: s\r\n\r\n--in\r\n\r\nb\r\n--in--\r\n",
      { subject = "s", text = "b" } },
    ["the last line"] = { "Subject: s\r\noops\r\n\r\nb\r\n", { subject = "s", text = "b\n" } },
  } do
    it("goes on behind a line that is no field: " .. what, function()
      check(what, row[1], row[2])
    end)
  end

  it("goes on behind a line that is the first one", function()
    local message = smtp.parse("220 ready\r\n" .. HEAD .. "Subject: s\r\n\r\nb\r\n")
    assert.same({ "s", "b\n" }, { message.subject, message.text })
  end)

  it("goes on in a part as well", function()
    check("parameter", multipart("mixed",
      part("Content-Type: text/plain;\ncharset=utf-8\nContent-Transfer-Encoding: base64",
        "Z29vZA==")), { text = "good" })
    check("first line", multipart("mixed",
      part("charset=utf-8\nContent-Transfer-Encoding: base64", "Z29vZA==")), { text = "good" })
  end)

  it("is none where nothing before the empty line is a field", function()
    local text = "Dear Bob,\r\nit works.\r\n\r\nSubject: no field\r\n"
    assert.equal(#text, #smtp.parse(text).raw)
    assert.equal((text:gsub("\r", "")), smtp.parse(text).text)
    assert.same({}, smtp.parse(text).headers)
    check("part", multipart("mixed", "--cut\r\n" .. text), { text = "Dear Bob,\nit works.\n\n"
      .. "Subject: no field" })
  end)

  it("loses no body where the empty line is missing", function()
    assert.equal("Dear Bob,\nit works.\n", smtp.parse(HEAD .. "Dear Bob,\r\nit works.\r\n").text)
    check("part", multipart("mixed",
      "--cut\r\nContent-Type: text/plain\r\nDear Bob\r\n", part("", "two")),
      { text = "Dear Bob", attachments = { "" } })
    check("multipart", "Content-Type: multipart/mixed; boundary=cut\r\nA preamble\r\n"
      .. part("Subject: no", "one") .. "--cut--\r\n", { text = "one", subject = false })
    check("multipart in a part", multipart("mixed",
      "--cut\r\nContent-Type: multipart/mixed; boundary=in\r\n--in\r\n\r\none\r\n--in--\r\n"),
      { text = "one" })
    check("boundary that is folded", "Content-Type: multipart/mixed;\r\n boundary=cut\r\n"
      .. "--\r\n--cut\r\nSubject: no\r\n\r\none\r\n--cut--\r\n",
      { text = "one", subject = false })
  end)

  it("that is sent loses Bcc with all its lines", function()
    local function sent(text)
      local got
      local server <close> = assert(smtp.server { listen = "127.0.0.1:0",
        on_message = function(_, m) got = m:read() return true end })
      assert(smtp.send({ host = "127.0.0.1", port = server.port }, smtp.parse(text)))
      return got
    end
    local rest = HEAD .. "Subject: s\r\n\r\nBcc: body\r\n"
    for _, bcc in ipairs { "Bcc: eve@example.com\r\n", "\u{feff}bcc : eve@example.com\r\n",
      "Bcc: eve@example.com,\r\neve@example.net\r\n", "Bcc:\r\n eve@example.com\r\neve\r\n" } do
      local got = sent(bcc .. rest)
      assert.is_nil(got:find("eve", 1, true), bcc)
      assert.truthy(got:find(rest, 1, true))
    end
  end)
end)

describe("an id", function()
  for text, id in pairs { ["<a@b>"] = "a@b", ["20261130.77"] = "20261130.77", ["a@b"] = "a@b",
    ["<20261130.77>"] = "20261130.77", ["<20261130.77"] = "20261130.77", ["a@b (c)"] = "a@b",
    ["<>"] = false, [" "] = false } do
    it("of a message is read: " .. text, function()
      check(text, "Message-ID: " .. text .. "\r\n\r\n", { message_id = id })
    end)
  end

  it("of a message may be several words", function()
    check("phrase", "Message-ID: the id \r\n of this\r\n\r\n", { message_id = "the id of this" })
    check("long", "Message-ID: " .. ("a "):rep(500) .. "\r\n\r\n", { message_id = false })
    local message = smtp.parse(HEAD .. "Message-ID: the id\r\n\r\n")
    assert.truthy(smtp.message(message).id:find("^<%w+@code%.energy>$"))
  end)

  it("that is answered is no phrase", function()
    check("one", "In-Reply-To: 20261130.77\r\nReferences: 20261130.77\r\n\r\n",
      { in_reply_to = "20261130.77", references = { "20261130.77" } })
    check("phrase", "In-Reply-To: Your message of today\r\n\r\n", { in_reply_to = false })
    check("phrase", "In-Reply-To: Your message <a@b> of today\r\n\r\n", { in_reply_to = "a@b" })
  end)
end)

describe("a date", function()
  local AT = 1773814150 -- Wed, 18 Mar 2026 06:09:10 +0000
  for _, row in ipairs {
    { "Wed, 18 Mar 2026 08:09:10 +0200", AT }, { "18 Mar 2026 08:09:10 +0200", AT },
    { "Wed 18 Mar 2026 08:09:10 +0200", AT }, { "Wed,18 Mar 2026 08:09:10 +0200", AT },
    { "Wednesday, 18 March 2026, 08:09:10 +0200", AT }, { "Mar 18, 2026 08:09:10 +0200", AT },
    { "Wed, Mar 18 2026 08:09:10 +0200", AT }, { "March 18 08:09:10 +0200 2026", AT },
    { "Wed, 18-Mar-2026 06:09:10 GMT", AT }, { "Wednesday, 18-Mar-26 06:09:10 GMT", AT },
    { "Wed Mar 18 06:09:10 2026", AT }, { "Wed Mar 18 02:09:10 EDT 2026", AT },
    { "18 Mar 26 02:09:10 AST", AT }, { "Wed, 18 Mar 2026 08.09.10 +0200", AT },
    { "Wed, 18 Mar 2026 01:09:10 -500", AT }, { "Wed, 18 Mar 2026 08:09:10 +200", AT },
    { "Wed, 18 Mar 2026 11:39:10 +530", AT }, { "Wed, 18 Mar 2026 08:09:10 +02:00", AT },
    { "Wed, 18 Mar 2026 08:09:10 +02", AT }, { "Wed, 18 Mar 2026 08:09:10+0200", AT },
    { "Wed, 18 Mar 2026 08:09:10 GMT+0200", AT }, { "Wed, 18 Mar 2026 06:09:10", AT },
    { "Wed, 18 Mar 2026 08:09:10 (a (b) c) +0200 (CEST)", AT },
    { "Wed, 18 Mar 2026 08(a):  09  :  10 +0200", AT },
    { "18 Mar 2026 6:09:10 AM +0000", AT }, { "18 Mar 2026 6:09:10PM", AT + 12 * 3600 },
    { "18 Mar 2026 12:09:10 AM", AT - 6 * 3600 }, { "18 Mar 2026 12:09:10 pm", AT + 6 * 3600 },
    { "2026-03-18T08:09:10+02:00", AT }, { "2026-03-18 08:09:10 +0200", AT },
    { "2026-03-18T06:09:10Z", AT }, { "2026-03-18 06:09:10", AT },
    { "2026-03-18T06:09:10.25Z", AT }, { "2026-03-18t08:09:10+0200", AT },
    { "Wed, 18 Mar 2026 08:09 +0200", AT - 10 }, { "2026-03-18T08:09+02:00", AT - 10 },
    { "18 Mar 2026 8:9:10 +0200", AT }, { "2026-03-18T8:9:10+02:00", AT },
    { "Wed, 18 Mar 2026 06:09:1 +0000", AT - 9 },
    { "Wed, 18 Mar 2026 23:59:59 +0000", 1773878399 }, { "1 Jan 1970 00:00:00 GMT", 0 },
    { "Thu, 13 Feb 1969 23:32:54 -0330", -27723426 }, { "21 Nov 97 09:55:06 GMT", 880106106 },
    { "18 Mar 2026", false }, { "2026-03-18", false }, { "yesterday", false }, { "12:30", false },
    { "Wed, 18 Foo 2026 08:09:10", false }, { "Wed, 32 Mar 2026 08:09:10", false },
    { "Wed, 18 Mar 2026 24:00:00", false }, { "2026-13-18T08:09:10Z", false },
    { "Wed, 18 Mar 2026 08:60:10", false }, { "18.03.2026 08:09:10", false },
  } do
    it("is read: " .. row[1], function()
      check(row[1], "Date: " .. row[1] .. "\r\n\r\n", { time = row[2] })
    end)
  end
end)

describe("a type", function()
  for text, right in pairs {
    ["text/html charset=utf-8"] = { "text/html", { charset = "utf-8" } },
    ["text/html, charset=utf-8"] = { "text/html", { charset = "utf-8" } },
    ["text / html ; charset=utf-8"] = { "text/html", { charset = "utf-8" } },
    ["text/html (a page) charset=utf-8"] = { "text/html", { charset = "utf-8" } },
    ['text/html charset="utf-8" name="a.html"'] =
      { "text/html", { charset = "utf-8", name = "a.html" } },
    ["text/html; charset=utf-8 name=a b.html"] =
      { "text/html", { charset = "utf-8", name = "a b.html" } },
    ["text/html; name=a=b c=d.html"] = { "text/html", { name = "a=b c=d.html" } },
    ["charset=utf-8"] = { "text/plain", { charset = "utf-8" } },
    ["text"] = { "text/plain", {} },
    ["text/"] = { "text/plain", {} },
  } do
    it("is read without a semicolon: " .. text, function()
      check(text, "Content-Type: " .. text .. "\r\n\r\n<p>\r\n",
        { type = right[1], params = right[2] })
    end)
  end

  it("of a multipart is read without a semicolon", function()
    for _, text in ipairs { 'multipart/mixed\r\n boundary="cut"', "multipart/mixed boundary=cut",
      'multipart/mixed; charset="utf-8"\r\n boundary="cut"',
      "multipart/mixed; charset=utf-8\r\n\tboundary=cut", "Multipart/Mixed,boundary=cut" } do
      check(text, "Content-Type: " .. text .. "\r\n\r\n" .. part("", "letter") .. "--cut--\r\n",
        { type = "multipart/mixed", text = "letter" })
    end
  end)

  it("is followed by a disposition without one", function()
    for _, text in ipairs { "attachment filename=a.pdf", 'attachment\r\n filename="a.pdf"',
      'filename="a.pdf"' } do
      check(text, "Content-Type: a/b\r\nContent-Disposition: " .. text .. "\r\n\r\n",
        { attachments = { "a.pdf" } })
    end
  end)
end)

describe("uuencode", function()
  local BODY = "begin 644 a.bin\r\n%:&5L;&\\ \r\n`\r\nend\r\n"

  local function content(body, encoding)
    local m = smtp.parse(HEAD .. "Content-Type: application/octet-stream; name=a.bin\r\n"
      .. "Content-Transfer-Encoding: " .. (encoding or "x-uuencode") .. "\r\n\r\n" .. body)
    return m.attachments[1].content
  end

  it("is read by all its names", function()
    for _, name in ipairs { "x-uuencode", "uuencode", "x-uue", "uue", "X-UUENCODE",
      "x-uuencode;" } do
      assert.equal("hello", content(BODY, name), name)
    end
    assert.equal(BODY, content(BODY, "x-other"))
  end)

  it("is read as programs write it", function()
    for body, wanted in pairs {
      [BODY:gsub("\r", "")] = "hello", ["text before\r\n" .. BODY .. "text behind\r\n"] = "hello",
      ["begin 644 a.bin\r\n%:&5L;&\\\r\n \r\nend\r\n"] = "hello", -- white space was lost
      ["begin 644 a.bin\r\n%:&5L;&\\ \r\nend  \r\nmore"] = "hello",
      ["begin 644 a.bin\r\n%:&5L;&\\"] = "hello",
      ["begin 0644\r\n#86)C\r\n#9&5F\r\n`\r\nxx"] = "abcdef",
      ["begin 644 a.bin\r\n$``$\"`P\r\n`\r\nend\r\n"] = "\0\1\2\3",
      ["begin 644 x\r\nM\r\n`\r\n"] = ("\0"):rep(45),
      ["begin 644 x\r\nend\r\n"] = "", ["no begin\r\nbegin x\r\n"] = "no begin\r\nbegin x\r\n",
      [""] = "",
    } do
      assert.equal(wanted, content(body), body)
    end
  end)

  it("is read of every length", function()
    for n = 0, 200 do
      local text, lines = ("\0\1\xff\x80abc"):rep(30):sub(1, n), { "begin 600 x\n" }
      for at = 1, n, 45 do
        local piece = text:sub(at, at + 44)
        local line = piece:gsub("..?.?", function(three)
          local a, b, c = (three .. "\0\0"):byte(1, 3)
          return string.char(32 + (a >> 2), 32 + ((a & 3) << 4 | b >> 4),
            32 + ((b & 15) << 2 | c >> 6), 32 + (c & 63))
        end)
        lines[#lines + 1] = string.char(32 + #piece) .. line .. "\n"
      end
      assert.equal(text, content(table.concat(lines) .. "`\nend\n"))
    end
  end)
end)

describe("format=flowed", function()
  local function flowed(text, params)
    local m = smtp.parse(HEAD .. "Content-Type: text/plain; format=flowed" .. (params or "")
      .. "\r\n\r\n" .. text:gsub("\n", "\r\n"))
    assert.equal((text:gsub("\n", "\r\n")), m.content)
    return m.text
  end

  for text, wanted in pairs {
    ["this goes \non here\nand this is another\n"] = "this goes on here\nand this is another\n",
    ["a \nb \nc\n"] = "a b c\n", ["a \n"] = "a \n", ["a "] = "a ", ["a \nb"] = "a b",
    ["a\n\nb\n"] = "a\n\nb\n", ["a \n\nb\n"] = "a \nb\n", ["\n"] = "\n", ["\n\n"] = "\n\n",
    -- stuffing
    [" From x\n  y\n >z\n"] = "From x\n y\n>z\n", ["a \n From b\n"] = "a From b\n",
    [" \nb\n"] = "\nb\n",
    -- quotes
    ["> a \n> b\nc\n"] = "> a b\nc\n", [">a \n>b\n"] = "> a b\n", [">> a \n> b\n"] = ">> a \n> b\n",
    ["> a \nb\n"] = "> a \nb\n", ["a \n> b\n"] = "a \n> b\n", [">\n>> a\n"] = ">\n>> a\n",
    ["> > a\n"] = "> > a\n",
    -- signatures
    ["a \n-- \nb\n"] = "a \n-- \nb\n", ["-- \nb \nc\n"] = "-- \nb c\n",
    ["> -- \n> b\n"] = "> -- \n> b\n",
  } do
    it(("is unwrapped: %q"):format(text), function() assert.equal(wanted, flowed(text)) end)
  end

  it("loses its spaces with delsp", function()
    for _, params in ipairs { "; delsp=yes", '; DelSp="YES"' } do
      assert.equal("this goeson here\n", flowed("this goes \non here\n", params))
      assert.equal("> abc\n", flowed("> a \n> b \n> c\n", params))
      assert.equal("a \n> b\n", flowed("a \n> b\n", params))
      assert.equal("a \n-- \nb\n", flowed("a \n-- \nb\n", params))
    end
    assert.equal("a b\n", flowed("a \nb\n", "; delsp=no"))
  end)

  it("is of plain text alone", function()
    for kind, text in pairs { ["text/html; format=flowed"] = "a \nb", ["text/plain"] = "a \nb",
      ["text/plain; format=fixed"] = "a \nb", ["text/plain; Format=Flowed"] = "a b" } do
      local m = smtp.parse("Content-Type: " .. kind .. "\n\na \nb")
      assert.equal(text, m.text or m.html)
    end
    check("base64", "Content-Type: text/plain; format=flowed\r\n"
      .. "Content-Transfer-Encoding: base64\r\n\r\nYSANCmINCg==\r\n", { text = "a b\n" })
  end)
end)
