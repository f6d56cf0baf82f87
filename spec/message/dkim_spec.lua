-- SPDX-License-Identifier: MIT
-- Signers of DKIM: what they sign, and what they refuse.
local core = require "smtp.core"
local errors = require "smtp.error"
local keys = require "spec.support.dkim"
local net = require "spec.support.net"
local smtp = require "smtp"

local MESSAGE = keys.MESSAGE
local options, sign, verify, only = keys.options, keys.sign, keys.verify, keys.only

local function refused(option, more)
  local signer, err = smtp.dkim(options(more))
  assert.is_nil(signer)
  assert.is_true(errors.is(err))
  assert.equal("invalid", err.kind)
  assert.equal("dkim: " .. option .. ":", tostring(err):match("^dkim: [%w-]+:"))
end

describe("dkim", function()
  if keys.missing then
    pending(keys.missing)
    return
  end

  local folder
  setup(function() folder = net.folder() end)
  teardown(function() net.remove(folder) end)

  describe("signs", function()
    for _, kind in ipairs { "rsa", "ed25519" } do
      for _, canon in ipairs { "relaxed/relaxed", "relaxed/simple", "simple/relaxed",
        "simple/simple", "relaxed", "simple" } do
        it(("by %s-sha256, %s"):format(kind, canon), function()
          local key = keys.key(kind)
          local field = sign { key = key.pem, canonicalization = canon }
          local result, reason, all = only(field .. MESSAGE, { s = key.record })
          assert.same({ "pass" }, { result, reason })
          assert.equal(kind .. "-sha256", all.algorithm)
          assert.same({ "example.com", "s", "@example.com", false, false }, { all.domain,
            all.selector, all.identity, all.length_limited, all.testing })
        end)
      end
    end

    it("in a field that is folded at 78, b= at its end", function()
      local field = sign { key = keys.key("rsa").pem, identity = "\u{fc};=@mail.example.com",
        expire = 3600 }
      assert.truthy(field:find("^DKIM%-Signature: v=1; a=rsa%-sha256; c=relaxed/relaxed;"))
      for line in field:gmatch("(.-)\r\n") do assert.truthy(#line <= 78, line) end
      assert.is_nil(field:gsub("\r\n", ""):find("[\r\n]"))
      assert.truthy(field:find(" i==C3=BC=3B=3D@mail.example.com;", 1, true))
      assert.truthy(field:find(" t=1700000000; x=1700003600;", 1, true))
      assert.truthy(field:find("\r\n b=[%w+/=\r\n ]+\r\n$"))
      assert.equal("pass", (only(field .. MESSAGE, { s = keys.key("rsa").record })))
    end)

    it("whatever the line ends", function()
      local field = sign()
      for _, ending in ipairs { "\n", "\r" } do
        local text = MESSAGE:gsub("\r\n", ending)
        assert.equal(field, sign({}, text))
        -- Readers take no lone CR for a line end: they see another message.
        assert.equal(ending == "\n" and "pass" or "permerror", (only(field .. text)))
      end
    end)

    it("in any cut, once, and spools what cannot be read again", function()
      local field = sign()
      for cut = 1, 80, 3 do
        local at = 1
        local signer = assert(smtp.dkim(options()))
        local text, content = assert(signer:sign(function()
          local chunk = MESSAGE:sub(at, at + cut - 1)
          at = at + cut
          return chunk ~= "" and chunk or nil
        end))
        assert.equal(field, text)
        assert.equal("file", io.type(content))
        assert.equal(MESSAGE, content:read("a"))
        content:close()
      end
    end)

    it("a file from where it stands, and leaves it there", function()
      local file <close> = io.open(keys.file(folder, "mail", "before" .. MESSAGE), "rb")
      file:seek("set", 6)
      local field, content = assert(smtp.dkim(options())):sign(file)
      assert.equal(sign(), field)
      assert.equal(file, content)
      assert.equal("pass", (only({ chunks = function()
        local given = false
        return function()
          if given then return file:read(7) end
          given = true
          return field
        end
      end })))
      file:seek("set", 6)
      assert.equal("none", (only(file)))
      assert.equal(6, file:seek())
    end)

    it("anything with chunks, and a string is its own content", function()
      local signer = assert(smtp.dkim(options()))
      local given = { chunks = function()
        local all = { MESSAGE, "" }
        return function() return table.remove(all, 1) end
      end }
      assert.equal(sign(), (signer:sign(given)))
      assert.equal(MESSAGE, select(2, signer:sign(MESSAGE)))
      assert.error_matches(function() signer:sign(5) end, "the message must be a string")
      assert.error_matches(function() signer:sign({}) end, "the message must be a string")
    end)

    it("tells when the message cannot be read", function()
      local signer = assert(smtp.dkim(options()))
      for _, bad in ipairs { function() error("gone", 0) end, function() return 5 end } do
        local field, err = signer:sign(bad)
        assert.same({ nil, "source" }, { field, err.kind })
        field, err = smtp.dkim_verify(bad, { lookup = print })
        assert.same({ nil, "source" }, { field, err.kind })
      end
    end)

    it("refuses a message without exactly one From, or with an endless header", function()
      local signer = assert(smtp.dkim(options()))
      for _, text in ipairs { "", "To: a@b.c\r\n\r\n", "\r\nFrom: a@b.c\r\n\r\n",
        "From: a@b.c\r\nfrom : b@b.c\r\n\r\n" } do
        local field, err = signer:sign(text)
        assert.same({ nil, "invalid" }, { field, err.kind })
      end
      local field, err = signer:sign("From: a@b.c\r\n" .. ("X: y\r\n"):rep(200000) .. "\r\n")
      assert.same({ nil, "too_big" }, { field, err.kind })
    end)

    it("a header of 1 MiB, and not of one byte more", function()
      local signer = assert(smtp.dkim(options()))
      for extra, signs in pairs { [0] = true, [1] = false } do
        local head = "From: ada@example.com\r\nX: "
        local text = head .. ("x"):rep(1048576 - #head - #"\r\n\r\n" + extra) .. "\r\n\r\n"
        assert.equal(1048576 + extra, #text)
        local fields, err = signer:sign(text .. "body\r\n")
        assert.equal(signs, fields ~= nil)
        if not signs then assert.equal("too_big", err.kind) end
      end
    end)

    it("by a key of PKCS#8 or older, of a text or a file", function()
      local pem = keys.key("rsa").pem
      local old = keys.traditional(pem)
      assert.truthy(old:find("BEGIN RSA PRIVATE KEY", 1, true))
      local field = sign { key = pem }
      assert.equal(field, sign { key = old })
      assert.equal(field, sign { key = keys.file(folder, "key.pem", pem) })
    end)

    it("only the fields that it was told, and From", function()
      local field = sign { headers = { "subject", "From", "X-None", "Subject" } }
      assert.truthy(field:find("h=subject:subject:From:From;", 1, true), field)
      assert.equal("pass", (only(field .. MESSAGE:gsub("charles", "george"))))
      refused("headers", { headers = { "Subject" } })
      refused("headers", { headers = {} })
    end)
  end)

  it("C130 signs twice, by RSA and Ed25519", function()
    local rsa, ed = keys.key("rsa"), keys.key("ed25519")
    local first = options { key = rsa.pem, selector = "r" }
    local fields = assert(assert(smtp.dkim { first, options() }):sign(MESSAGE))
    local signers = { assert(smtp.dkim(first)), assert(smtp.dkim(options())) }
    assert.equal(fields, (assert(smtp.dkim(signers)):sign(MESSAGE)))
    assert.equal(fields, (assert(smtp.dkim(assert(smtp.dkim(signers)))):sign(MESSAGE)))
    local results = verify(fields .. MESSAGE, { r = rsa.record, s = ed.record })
    assert.equal(2, #results)
    assert.same({ "pass", "rsa-sha256" }, { results[1].result, results[1].algorithm })
    assert.same({ "pass", "ed25519-sha256" }, { results[2].result, results[2].algorithm })
    results = verify(fields .. MESSAGE, { r = rsa.record })
    assert.same({ "pass", "permerror" }, { results[1].result, results[2].result })
  end)

  it("C130 takes 32 raw bytes for a key of Ed25519 and nothing else", function()
    local key = keys.key("ed25519")
    local field = sign()
    assert.equal(32, #key.public)
    for _, other in ipairs { key.public .. "\0", key.public:sub(1, 31),
      "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\0" .. key.public } do
      local record = "k=ed25519; p=" .. core.base64(other)
      assert.equal("permerror", (only(field .. MESSAGE, { s = record })))
    end
    local other = core.base64(("\1"):rep(32))
    assert.equal("fail", (only(field .. MESSAGE, { s = "k=ed25519;p=" .. other })))
    assert.equal("permerror", (only(field .. MESSAGE, { s = keys.key("rsa").record })))
  end)

  it("refuses keys that are for something else", function()
    local ec = [[-----BEGIN EC PRIVATE KEY-----]]
    for _, pem in ipairs { ec, "", "/nowhere", "a\0b", "-----BEGIN", keys.key("X25519").pem } do
      refused("key", { key = pem })
    end
  end)

  describe("refuses what would enter a field or a name", function()
    local ENTER = { "\r", "\n", "\0", "\r\nX: y", ";", " ", "=", "\t", "\x7f", "\xff", "/" }
    it("in the domain and the selector", function()
      for _, bad in ipairs(ENTER) do
        for _, option in ipairs { "domain", "selector" } do
          for _, value in ipairs { bad, "a" .. bad, bad .. "a", "a" .. bad .. "b" } do
            refused(option, { [option] = value })
          end
        end
      end
      for _, value in ipairs { "", ".", "a..b", ".a", "-a.b", "a-.b", "a_b.c", ("a"):rep(64) } do
        refused("domain", { domain = value })
      end
      for _, value in ipairs { "", ".", "a..b", ".a", "a.", ("a"):rep(64), "xn--a", "\u{301}a" } do
        refused("selector", { selector = value })
      end
      refused("selector", { selector = ("a."):rep(119) .. "a", domain = "example.com" })
    end)

    it("in the identity and the names of fields", function()
      for _, bad in ipairs { "\r", "\n", "\0", "\r\nX: y", "\x7f" } do
        refused("identity", { identity = "a" .. bad .. "@example.com" })
        refused("identity", { identity = "a@example.com" .. bad })
        refused("headers", { headers = { "From", "X" .. bad } })
      end
      for _, value in ipairs { "", "a", "a@", "@example.org", "a@badexample.com",
        "\xff@example.com", "@a;.example.com", "a@example.com.org" } do
        refused("identity", { identity = value })
      end
      for _, name in ipairs { "", "a b", "a:", "a;", "\u{fc}", 5, "DKIM-Signature", "received",
        "Return-Path", "Bcc" } do
        refused("headers", { headers = { "From", name } })
      end
      refused("time", { time = -1 })
      refused("time", { time = 1e300 })
      refused("expire", { expire = math.huge })
    end)

    it("and options that are missing, or raises for those that it does not know", function()
      for _, name in ipairs { "domain", "selector", "key" } do
        local given = options()
        given[name] = nil
        local signer, err = smtp.dkim(given)
        assert.same({ nil, "invalid" }, { signer, err.kind })
        assert.truthy(tostring(err):find(name, 1, true))
      end
      assert.error_matches(function()
        smtp.dkim(options { length = 5 })
      end, 'unknown option "length"')
      assert.error_matches(function()
        smtp.dkim(options { canonicalization = "nowsp" })
      end, 'canonicalization must be .*, not "nowsp"')
      assert.error_matches(function() smtp.dkim("key") end, "dkim must be a table, not string")
      assert.error_matches(function() smtp.dkim { 5 } end, "dkim must be a table, not number")
      assert.error_matches(function() smtp.dkim_verify("", {}) end, "lookup must be a function")
      assert.error_matches(function()
        smtp.dkim_verify(5, { lookup = print })
      end, "the message must be a string")
      assert.error_matches(function()
        smtp.dkim_verify("", { lookup = print, more = 1 })
      end, 'unknown option "more"')
    end)

    it("and makes A-labels of a domain", function()
      local field = sign { domain = "B\u{fc}cher.example.", identity = "x@b\u{fc}cher.example" }
      assert.truthy(field:find("d=xn--bcher-kva.example;", 1, true))
      assert.truthy(sign { selector = "\u{fc}.B" }:find("s=xn--tda.b;", 1, true))
    end)
  end)

  -- Everything that a record is turned into carries its signature, once.
  describe("of a record", function()
    local function pieces(message)
      local all = {}
      for chunk in message:chunks() do all[#all + 1] = chunk end
      return table.concat(all)
    end
    local function signed(record, key)
      record.from, record.to, record.dkim = "ada@example.com", "b@c.example", options(key)
      return assert(smtp.message(record))
    end
    local function once(text)
      return function()
        local given = text
        text = nil
        return given
      end
    end

    it("signs tostring, chunks and size, whatever the content is read from", function()
      local path = keys.file(folder, "report.bin", ("\0\1\2"):rep(50000))
      for _, record in ipairs { { text = "hi" }, { text = "hü\n", html = "x" },
        { attachments = { path } }, { attachments = { { name = "s", source = once("abc") } } },
        { attachments = { { name = "s", source = once(("z"):rep(200000)), size = 200000 }, path } },
        { attachments = { { type = "message/rfc822", content = "Subject: ü\r\n\r\nü\r\n" } } } } do
        local message = signed(record)
        local text = tostring(message)
        assert.equal("pass", (only(text)))
        assert.equal(#text, message.size)
        assert.is_true(message.repeatable)
        assert.is_true(text == pieces(message) and text == tostring(message))
        local _, marks = text:gsub("DKIM%-Signature:", "")
        assert.equal(1, marks)
      end
    end)

    it("signs by each of its keys", function()
      local rsa, ed = keys.key("rsa"), keys.key("ed25519")
      local message = assert(smtp.message { from = "ada@example.com", dkim = {
        options { key = rsa.pem, selector = "r" }, options {} } })
      for _, result in ipairs(verify(tostring(message), { r = rsa.record, s = ed.record })) do
        assert.equal("pass", result.result)
      end
      assert.equal(2, select(2, tostring(message):gsub("DKIM%-Signature:", "")))
    end)

    it("is what is sent, and a target's dkim signs no second time", function()
      local got
      local server <close> = assert(smtp.server { listen = "127.0.0.1:0",
        on_message = function(_, m) got = m:read() return true end })
      local target = { host = "127.0.0.1", port = server.port, dkim = options { selector = "t" } }
      for _, record in ipairs { { text = "hi" }, { attachments = { { name = "s",
        source = once("abc") } } } } do
        local message = signed(record)
        for _ = 1, 2 do
          assert(smtp.send(target, message))
          assert.equal(tostring(message), got)
        end
        assert(smtp.send(target, smtp.parse(tostring(message))))
        assert.truthy(got:find("s=t;", 1, true))
      end
    end)

    it("tells at once where it cannot be signed", function()
      local path = keys.file(folder, "gone.bin", "x")
      local message = signed { attachments = { path } }
      net.dump(path, "y longer")
      assert.error_matches(function() return tostring(message) end, "has changed while it was sent")
      local made, err = smtp.message { from = "ada@example.com", dkim = options(), attachments = {
        { name = "s", source = function() error("no more") end } } }
      assert.is_nil(made)
      assert.same({ "source", "not_sent" }, { err.kind, err.outcome })
      assert.matches("no more", tostring(err))
    end)
  end)

  it("closes a key, which then raises", function()
    local key = core.dkim_key(keys.key("ed25519").pem)
    assert.equal("ed25519-sha256", key:algorithm())
    key:close()
    key:close()
    assert.error_matches(function() key:sign("") end, "the key was closed")
    assert.error_matches(function() key:algorithm() end, "the key was closed")
  end)
end)
