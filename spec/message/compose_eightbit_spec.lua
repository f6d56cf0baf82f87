-- Composed messages with UTF-8 in their addresses (RFC 6532), and what becomes of 8-bit
-- content where a server has no 8BITMIME.
local scripted = require "spec.support.scripted"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local script, hello = scripted.script, scripted.hello

local TAIL = { "C DATA", "S 354 go", "BODY", "S 250 kept", "C QUIT", "S 221 bye" }

describe("an address of UTF-8", function()
  local record = { from = "Grüße <grüße@bücher.example>", to = "Ada <ada@code.energy>",
    reply_to = { name = "Ž, x", address = "žofie@a.example" }, subject = "grün", text = "hi\n",
    date = 0, seed = 1 }

  it("stands in the header as it is, and names stay encoded", function()
    local one = assert(smtp.message(record))
    local bytes = tostring(one)
    assert.truthy(bytes:find("From: =?UTF-8?B?R3LDvMOfZQ==?= <grüße@xn--bcher-kva.example>",
      1, true), bytes)
    assert.truthy(bytes:find(" <žofie@a.example>\r\n", 1, true))
    assert.truthy(bytes:find("Subject: =?UTF-8?", 1, true))
    local parsed = assert(smtp.parse(bytes))
    assert.equal("grüße@xn--bcher-kva.example", parsed.from[1].address)
    assert.equal("Grüße", parsed.from[1].name)
  end)

  it("C096 C099 goes to a server with SMTPUTF8, and is an error at any other", function()
    local kept, sender
    local server <close> = serve.start { on_rcpt = true, on_message = function(_, message)
      kept, sender = message:read(), message.sender
      return true
    end }
    local url = "smtp://127.0.0.1:" .. server.port
    local receipt = assert(smtp.send(url, record))
    assert.is_true(receipt.used.smtputf8)
    assert.is_true(sender.smtputf8)
    assert.equal(tostring(assert(smtp.message(record))), kept)
    for _, envelope in ipairs { false, { from = "a@b.example", to = "c@d.example" } } do
      local one = {}
      for key, value in pairs(record) do one[key] = value end
      one.envelope = envelope or nil
      local _, err = smtp.send({ url = url, disable = { SMTPUTF8 = true } }, one)
      assert.same({ "unsupported", "mail", "not_sent" }, { err.kind, err.stage, err.outcome })
    end
  end)

  it("is no way to put anything else into a header", function()
    for _, address in ipairs { "a\u{85}b@c.example", "a\xffb@c.example", "ü ü@c.example",
      "ü\r\nBcc: x@c.example" } do
      local one, err = smtp.message { from = "a@b.example", to = { { address = address } },
        text = "x" }
      if one then -- a C1 control is a character of RFC 6532 for who has no better
        assert.is_nil(tostring(one):find("\nBcc"))
      else
        assert.equal("invalid", err.kind)
      end
    end
  end)
end)

describe("8-bit content that was composed", function()
  local latin = "\xe4\xf6\xfc"
  local inner = "From: x@y.example\r\nMIME-Version: 1.0\r\n"
    .. "Content-Type: multipart/mixed;\r\n boundary=\"b b\"\r\nContent-Transfer-Encoding: 8bit\r\n"
    .. "\r\nbefore\r\n--b b\r\nContent-Type: text/plain; charset=utf-8\r\n"
    .. "Content-Transfer-Encoding: 8bit\r\n\r\ngrün = 1\r\n--b b\r\n"
    .. "Content-Type: image/x\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" .. latin .. "\r\n"
    .. "--b b\r\n\r\nplain\r\n--b b--\r\nafter\r\n"

  local function record(content, more)
    local all = { from = "ada@code.energy", to = "b@c.example", text = "see", date = 0, seed = 1,
      attachments = { { content = content, type = "message/rfc822" } } }
    for key, value in pairs(more or {}) do all[key] = value end
    return all
  end

  local function sent(message, ...)
    local server <close> = scripted.server(script(hello(...), "* MAIL", "* RCPT", TAIL))
    local receipt = assert(smtp.send(server.url, message))
    assert.is_nil(server:done())
    return server.body, receipt, server.lines[2]
  end

  it("goes as it is where 8BITMIME is offered", function()
    local body, receipt, mail = sent(record(inner), "8BITMIME")
    assert.truthy(body:find("grün = 1", 1, true))
    assert.is_nil(receipt.used.downgraded)
    assert.equal("MAIL FROM:<ada@code.energy> BODY=8BITMIME", mail)
    body, receipt, mail = sent(record("From: a@b\r\n\r\nplain\r\n"), "8BITMIME")
    assert.truthy(body:find("plain", 1, true))
    assert.equal("MAIL FROM:<ada@code.energy>", mail)
    assert.is_nil(receipt.used.downgraded)
  end)

  it("C095 is encoded anew where it is not, and says the same", function()
    local body, receipt, mail = sent(record(inner))
    assert.is_true(receipt.used.downgraded)
    assert.equal("MAIL FROM:<ada@code.energy>", mail)
    assert.is_nil(body:find("[\x80-\xff]"))
    local whole = assert(smtp.parse(body))
    assert.equal("see\n", (whole.text:gsub("\r", "")))
    local message = assert(smtp.parse(whole.attachments[1].content))
    assert.equal("grün = 1", (message.text:match("^[^\r\n]*")))
    assert.equal(latin, (message.attachments[1].content:gsub("\r\n$", "")))
    assert.truthy(body:find("\r\nbefore\r\n--b b\r\n", 1, true))
    assert.truthy(body:find("\r\nplain\r\n--b b--\r\nafter\r\n", 1, true))
    assert.is_nil(body:find("Content-Transfer-Encoding: 8bit", 1, true))
    assert.same({}, smtp.lint(body))
  end)

  it("is signed as it goes out", function()
    local key = assert(io.popen("openssl genpkey -algorithm ed25519 2>/dev/null")):read("a")
    local signer = assert(smtp.dkim { domain = "code.energy", selector = "s", key = key })
    local body = sent(record(inner, { dkim = signer }))
    assert.truthy(body:find("^DKIM%-Signature:"))
    local public = assert(io.popen("printf '%s' '" .. key
      .. "' | openssl pkey -pubout -outform DER 2>/dev/null | tail -c 32 | base64")):read("l")
    local verdicts = assert(smtp.dkim_verify(body, { lookup = function()
      return "v=DKIM1; k=ed25519; p=" .. public
    end }))
    assert.equal("pass", verdicts[1].result)
  end)

  it("has no line end that was not there", function()
    local inside = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
      .. "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    for _, text in ipairs { "grün", "grün\r\n", "grün\r\n\r\n", ("ü"):rep(200) } do
      local body = sent(record(inside .. text .. "\r\n--b--\r\n"))
      local message = assert(smtp.parse(assert(smtp.parse(body)).attachments[1].content))
      assert.equal((text:gsub("\r", "")), (message.text:gsub("\r", "")))
    end
  end)

  it("knows that a digest is of messages", function()
    local body = sent(record("Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n"
      .. "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\ngrün=\r\n--b--\r\n"))
    assert.truthy(body:find("\r\n\r\nSubject: x\r\nContent-Type: text/plain; charset=utf-8\r\n"
      .. "Content-Transfer-Encoding: quoted-printable\r\n\r\ngr=C3=BCn=3D\r\n--b--", 1, true), body)
  end)

  it("is encoded in a report of RFC 6533, which allows that", function()
    local body = sent(record("Content-Type: message/global-delivery-status\r\n\r\n"
      .. "A: b\r\n\r\nC: ü\r\n"))
    assert.truthy(body:find("\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
      .. "A: b\r\n\r\nC: =C3=BC\r\n", 1, true), body)
  end)

  it("is an error where it cannot be encoded anew", function()
    for _, content in ipairs { "Subject: gr\u{fc}n\r\n\r\nx\r\n",
      "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nü\r\n--b--\r\n",
      "Content-Transfer-Encoding: base64\r\n\r\nü\r\n",
      "Content-Transfer-Encoding: ;\r\n\r\nü\r\n",
      "Content-Type: message/delivery-status\r\n\r\nA: b\r\n\r\nC: ü\r\n",
      "Content-Type: multipart/mixed; boundary=b\r\n\r\nü\r\n--b\r\n\r\nx\r\n--b--\r\n",
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\nü" } do
      local server <close> = scripted.server(script(hello(), "C QUIT", "S 221 bye"))
      local receipt, err = smtp.send(server.url, record(content))
      assert.is_nil(receipt)
      assert.same({ "unsupported", "mail", "not_sent" }, { err.kind, err.stage, err.outcome })
      assert.is_nil(server:done())
    end
  end)

  it("is read within bounds, whatever is nested or cut off", function()
    local seven_bit = require("smtp.message.downgrade").seven_bit
    local head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    local deep = {}
    for i = 1, 60 do
      deep[i] = ("Content-Type: multipart/mixed; boundary=b%dx\r\n\r\n--b%dx\r\n"):format(i, i)
    end
    local text, problem = seven_bit(table.concat(deep) .. "\r\nü\r\n")
    assert.is_nil(text)
    assert.truthy(problem:find("too deep", 1, true))
    for cut = 1, #inner do
      local why
      text, why = seven_bit(inner:sub(1, cut))
      assert.is_true(text ~= nil or why ~= nil)
      if text then assert.is_nil(text:find("[\x80-\xff]")) end
    end
    local big = head .. ("--b\r\n\r\nü\r\n"):rep(20000) .. "--b--\r\n"
    assert.is_nil(assert(seven_bit(big)):find("[\x80-\xff]"))
  end)
end)
