-- SPDX-License-Identifier: MIT
-- `smtp.message` takes every result of `smtp.parse`, whatever the bytes were.
local SAMPLE = require "spec.support.many_parts"
local smtp = require "smtp"

local HEAD = "From: Ada <ada@code.energy>\r\nTo: bob@example.com\r\n"

local function again(text)
  local message = assert(smtp.message(smtp.parse(text)))
  return smtp.parse(tostring(message))
end

describe("a parsed message", function()
  it("is composed again", function()
    local m = again(SAMPLE)
    assert.same({ { name = "Ad\u{e9}", address = "ada@code.energy" } }, m.from)
    assert.same({ { address = "augustus@example.com" }, { address = "mary@example.com" } }, m.cc)
    assert.same({ "The m\u{e9}canique of the engine", 880127706, "one@code.energy",
      "zero@code.energy", "Gr\u{fc}\u{df}e again\n",
      "<b>\u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}</b>\n" },
      { m.subject, m.time, m.message_id, m.in_reply_to, m.text, m.html })
    assert.same({ "first@code.energy", "zero@code.energy" }, m.references)
    local logo, pdf, inside = table.unpack(m.attachments)
    assert.same({ "\u{e9}.png", "\0\1\2\3", "logo@code.energy", "r\u{e9}sum\u{e9}.pdf", "Hello",
      "inside" }, { logo.name, logo.content, logo.cid, pdf.name, pdf.content,
      inside.message.subject })
  end)

  it("has no controls in what is one line", function()
    local m = smtp.parse(HEAD .. "Subject: =?utf-8?q?a=00b=07c=0D=0Ad?= e\0f\127\tg\r\n"
      .. "Content-Type: a/b; name*=utf-8''a%00b%0Ac\r\n\r\n")
    assert.equal("a\u{fffd}b\u{fffd}c  d e\u{fffd}f\u{fffd}\tg", m.subject)
    assert.equal("a\u{fffd}b c", m.attachments[1].name)
    assert.equal("a\u{fffd}b", smtp.parse("From: =?utf-8?q?a=01b?= <a@b>\r\n\r\n").from[1].name)
  end)

  it("has no NUL in its text", function()
    for _, text in ipairs { "a\0b\r\n", "\0\r\n", "a\r\n\0\0\r\n" } do
      for _, kind in ipairs { "plain", "html" } do
        local m = again(HEAD .. "Content-Type: text/" .. kind .. "\r\n\r\n" .. text)
        local wanted = text:gsub("\r", ""):gsub("%z", "\u{fffd}")
        assert.equal(wanted, kind == "plain" and m.text or m.html)
      end
    end
  end)

  it("has a type that can be sent", function()
    for given, kind in pairs { ['text/pl"ain'] = "text/plain", ["text/plain/x"] = "text/plain",
      ["te\u{e9}xt/plain"] = "text/plain", ["/"] = "text/plain", ["text/@"] = "text/plain",
      ["a/" .. ("x"):rep(2000)] = "text/plain", ["image/png"] = "image/png" } do
      local m = smtp.parse(HEAD .. "Content-Type: " .. given .. "\r\n\r\nx")
      assert.equal(kind, m.type)
      again(m.raw)
    end
    assert.equal("multipart/mixed", smtp.parse("Content-Type: multipart/@; boundary=b\r\n\r\n"
      .. "--b\r\n\r\none\r\n--b--\r\n").type)
  end)

  it("is composed again with attachments that may not go as they are", function()
    for head, body in pairs {
      ["message/rfc822"] = "Subject: a\0b\r\n\r\nx", ["message/delivery-status"] = ("x"):rep(999),
      ["multipart/mixed"] = "no boundary",
      ["multipart/mixed; boundary=" .. ("x"):rep(300)] = "x",
      ["a/b\r\nContent-ID: <a b>"] = "x", ["a/b\r\nContent-ID: <\u{e9}>"] = "x",
      ['a/b; charset="=?utf-8?q?=00?="; name="=?utf-8?q?=0A?="'] = "x",
      ["a/b; name=" .. ("\u{e9}"):rep(2000)] = "x", ["text/plain; charset=utf-8"] = "\xff\0",
    } do
      local text = HEAD .. "Content-Type: multipart/mixed; boundary=cut\r\n\r\n"
        .. "--cut\r\n\r\none\r\n--cut\r\n"
        .. "Content-Disposition: attachment\r\nContent-Type: " .. head .. "\r\n\r\n" .. body
        .. "\r\n--cut--\r\n"
      local m = again(text)
      assert.same({ 1, body }, { #m.attachments, m.attachments[1].content }, head)
    end
  end)

  it("is composed again without what is no address, id or date", function()
    local m = again("From: nobody, ada@code.energy, eve@evil@x\r\nTo: ;, b@\r\nDate: x\r\n"
      .. "Message-ID: 20261130.77\r\nIn-Reply-To: <\u{e9}@x>\r\nReferences: <a@b> <"
      .. ("x"):rep(2000) .. "@y>\r\n\r\nx\r\n")
    assert.same({ { address = "ada@code.energy" } }, m.from)
    assert.same({ {}, { "a@b" } }, { m.to, m.references })
    assert.is_nil(m.in_reply_to)
    local made, err = smtp.message(smtp.parse("To: bob@example.com\r\n\r\nx\r\n"))
    assert.is_nil(made)
    assert.matches("from is missing", tostring(err))
    assert.truthy(smtp.message(smtp.parse("From: a@b.example, c@d.example\r\n\r\nx\r\n")))
  end)

  -- Always the same chance.
  local state = 20261130
  local function random(n)
    state = state * 6364136223846793005 + 1442695040888963407
    return (state >> 33) % n + 1
  end

  local PIECES = { "\0", "\r", "\n", "\27", "\127", "\xff", "=?utf-8?q?=00=07=0A?=", "=?", "?=",
    "<", ">", "(", ")", ",", ";", ":", "@", '"', "\\", "=", "*", " ", "\t", "/", "multipart/mixed",
    "message/rfc822", "; charset=", "; name=", "boundary=", "Content-Type: ", "Content-ID: ",
    "base64", "%00", "%0A", ("x"):rep(1200), "\u{e9}", "\x80\x81", "--outer\r\n", "\u{feff}" }

  local function mutant()
    local text = SAMPLE
    for _ = 1, random(12) do
      local at, other = random(#text), random(#text)
      local before, rest = text:sub(1, at - 1), text:sub(at)
      text = before .. ({ rest:sub(random(8)), PIECES[random(#PIECES)] .. rest,
        string.char(random(256) - 1) .. rest:sub(2),
        text:sub(other, other + random(60)) .. rest })[random(4)]
    end
    return text
  end

  local function check()
    local text = mutant()
    local m = smtp.parse(text)
    local made, err = smtp.message(m)
    if not made then
      assert.matches("from is missing", tostring(err), nil, nil, text)
    else
      assert.equal(#m.attachments, #smtp.parse(tostring(made)).attachments, text)
    end
    assert(smtp.message { from = "a@b.example", subject = m.subject, text = m.text, html = m.html,
      attachments = m.attachments })
  end

  it("is composed again with any bytes, 2,000 times", function()
    for _ = 1, 2000 do check() end
  end)

  it("is composed again with any bytes, 10,000 times #slow", function()
    for _ = 1, 8000 do check() end
  end)
end)

describe("the bytes of parts in parts", function()
  local function nested(kind, n, body)
    local out = {}
    for i = 1, n do
      out[i] = kind == "message" and "Content-Type: message/rfc822\r\n\r\n"
        or ("Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"):format(i, i)
    end
    return table.concat(out) .. "Content-Type: text/plain\r\n\r\n" .. body
  end

  -- Asks for all bytes of a part and of those in it; gives how deep they are.
  local function walk(part)
    local depth = 0
    assert.is_true(#part.content >= 100000 and #part.raw >= 100000)
    assert.equal(#part.content, part.size)
    local inner = part.message
    if inner then
      assert.is_true(#inner.raw >= 100000 and #inner.content >= 100000)
      depth = walk(inner._root)
    end
    for _, one in ipairs(part.parts) do depth = walk(one) end
    return depth + 1
  end

  for _, kind in ipairs { "message", "multipart" } do
    it("are not kept once a level: " .. kind, function()
      local body = ("x"):rep(100000)
      local m = smtp.parse(nested(kind, 45, body))
      collectgarbage()
      local before = collectgarbage("count")
      assert.equal(46, walk(m._root))
      collectgarbage()
      collectgarbage()
      local grown = (collectgarbage("count") - before) * 1024
      assert.is_true(grown < 4 * #body, ("%d bytes more"):format(grown))
    end)
  end

  it("are read of eight messages that are encoded in each other, no more", function()
    local text = "Subject: inmost\n\nx\n"
    for _ = 1, 12 do
      text = "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n"
        .. text:gsub("=", "=3D")
    end
    local m, depth = smtp.parse(text), 0
    while m.attachments[1] and m.attachments[1].message do
      m, depth = m.attachments[1].message, depth + 1
    end
    assert.same({ 8, "depth" }, { depth, m.truncated })
  end)
end)

describe("a limit that cuts", function()
  local function parts(n, head)
    return HEAD .. "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
      .. ("--b\r\n" .. (head or "") .. "\r\nx\r\n"):rep(n) .. "--b--\r\n"
  end
  local function deep(n, inner)
    local out = {}
    for i = 1, n do
      out[i] = ("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n"):format(i, i)
    end
    return table.concat(out) .. (inner or "\nx")
  end
  local function boundary(n)
    local text = ("b"):rep(n)
    return "Content-Type: multipart/mixed; boundary=" .. text
      .. "\n\n--" .. text .. "\n\nx\n--" .. text .. "--\n"
  end

  for what, row in pairs {
    ["parts"] = { parts(999), parts(1001) },
    ["depth"] = { deep(50), deep(51) },
    ["depth of messages"] = { ("Content-Type: message/rfc822\n\n"):rep(50) .. "\nx",
      ("Content-Type: message/rfc822\n\n"):rep(51) .. "\nx", "depth" },
    ["boundary"] = { boundary(250), boundary(251) },
    ["boundary in a part"] = { parts(1, ""), parts(1, "Content-Type: multipart/mixed; boundary="
      .. ("x"):rep(251) .. "\r\n"), "boundary" },
    ["fields"] = { ("a:\n"):rep(10000) .. "\nx", ("a:\n"):rep(10001) .. "\nx" },
    ["fields of a part"] = { parts(1, ("a:\r\n"):rep(10000)), parts(1, ("a:\r\n"):rep(10001)),
      "fields" },
    ["parameters"] = { "Content-Type: a/b" .. ("; c=d"):rep(128) .. "\n\n",
      "Content-Type: a/b" .. ("; c=d"):rep(129) .. "\n\n" },
    ["parameters of a disposition"] = { "Content-Disposition: x" .. ("; c=d"):rep(128) .. "\n\n",
      "Content-Disposition: x" .. ("; c=d"):rep(129) .. "\n\n", "parameters" },
  } do
    it("is told: " .. what, function()
      assert.is_nil(smtp.parse(row[1]).truncated)
      assert.equal(row[3] or what, smtp.parse(row[2]).truncated)
    end)
  end

  it("is told of a message in a message too", function()
    local m = smtp.parse("Content-Type: message/rfc822\n\n" .. boundary(251))
    assert.same({ "boundary", "boundary" }, { m.truncated, m.attachments[1].message.truncated })
    assert.is_nil(smtp.parse("Content-Type: message/rfc822\n\n" .. boundary(250)).truncated)
  end)

  it("leaves the end of the name of a file", function()
    local sections = {}
    for i = 0, 199 do
      sections[i + 1] = (";\r\n filename*%d*=%s%%C3%%A9"):format(i, i == 0 and "utf-8''" or "")
    end
    local m = smtp.parse("Content-Type: a/b\r\nContent-Disposition: attachment"
      .. table.concat(sections) .. "; filename*200=.pdf\r\n\r\n")
    assert.equal(("\u{e9}"):rep(128) .. ".pdf", m.attachments[1].name)
    assert.equal("parameters", m.truncated)
    local long = ("\u{65e5}"):rep(3000) .. ".pdf"
    m = smtp.parse("Content-Type: a/b; name=\"" .. long .. "\"\r\n\r\n")
    assert.equal(long, m.attachments[1].name)
  end)
end)
