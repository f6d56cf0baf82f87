-- SPDX-License-Identifier: MIT
-- Verifying DKIM: what was signed here and changed since, and what RFC 8463 shows.
local core = require "smtp.core"
local keys = require "spec.support.dkim"
local smtp = require "smtp"

local MESSAGE, NOW = keys.MESSAGE, keys.NOW
local options, sign, verify, only = keys.options, keys.sign, keys.verify, keys.only

-- RFC 8463 appendix A: one message, signed by both algorithms, and the public keys.
local EXAMPLE = {
  records = {
    brisbane = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    test = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3id" ..
      "Y6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6l" ..
      "HvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
  },
  text = [[
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
]],
}

describe("dkim_verify", function()
  if keys.missing then
    pending(keys.missing)
    return
  end

  it("C130 passes the example of RFC 8463 appendix A, by both algorithms", function()
    local results = assert(smtp.dkim_verify(EXAMPLE.text, {
      lookup = keys.lookup(EXAMPLE.records, "football.example.com"),
    }))
    assert.equal(2, #results)
    for i, name in ipairs { "ed25519-sha256", "rsa-sha256" } do
      assert.same({ name, "pass", "@football.example.com" },
        { results[i].algorithm, results[i].result, results[i].identity })
      assert.same({ "from", "to", "subject", "date", "message-id", "from", "subject", "date" },
        results[i].headers)
    end
    results = smtp.dkim_verify(EXAMPLE.text:gsub("hungry", "angry"), {
      lookup = keys.lookup(EXAMPLE.records, "football.example.com"),
    })
    assert.same({ "fail", "fail" }, { results[1].result, results[2].result })
  end)

  describe("finds tampering", function()
    it("with each signed field", function()
      local text = sign() .. MESSAGE
      for _, name in ipairs { "From", "To", "Subject", "Date", "Message-ID" } do
        local place = "\n(" .. name:gsub("%-", "%%-") .. ": )"
        local changed, count = text:gsub(place, "\n%1x")
        assert.equal(1, count)
        assert.equal("fail", (only(changed)))
        changed = text:gsub(place, "\nX-%1")
        assert.not_equal("pass", (only(changed)))
      end
      assert.equal("pass", (only((text:gsub("\nReceived: by", "\nReceived: from")))))
    end)

    it("C127 by another field of each sealed name", function()
      local field = sign()
      for _, name in ipairs { "From", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID",
        "In-Reply-To", "References", "MIME-Version", "Content-Type",
        "Content-Transfer-Encoding" } do
        local more = name .. ": other\r\n"
        assert.equal("fail", (only(field .. more .. MESSAGE)))
        assert.equal("fail", (only(more .. field .. MESSAGE)))
        assert.equal("fail", (only(field .. MESSAGE:gsub("\r\n\r\n", "\r\n" .. more .. "\r\n", 1))))
      end
      assert.equal("pass", (only("List-Id: <a.b>\r\n" .. field .. MESSAGE)))
    end)

    it("C127 by a second From, even if both are signed", function()
      local text = "From: a@example.com\r\nFrom: b@example.com\r\n\r\n"
      local result, reason = only(sign() .. text)
      assert.same({ "fail", "the message has more than one From" }, { result, reason })
      assert.equal("permerror", (only(sign() .. "To: a@example.com\r\n\r\n")))
      assert.equal("permerror",
        (only((sign():gsub("From:", "Form:")) .. MESSAGE)))
    end)

    it("by what readers and signatures see otherwise", function()
      -- One message for a reader that ends a line at a lone CR, and another for all others.
      local mallory = "From: mallory@example.com\r\nSubject: hi\r\n\r\n"
        .. "From: ceo@example.com\r\nSubject: Pay\r\n\r\nto account 666\r\n"
      local field = sign({}, mallory)
      assert.equal("pass", (only(field .. mallory)))
      local moved = "X: a\rFrom: mallory@example.com\rSubject: hi\r\r\n"
        .. mallory:match("\r\n\r\n(.*)$")
      local result, reason = only(field .. moved)
      assert.same({ "permerror", "a CR is no line end" }, { result, reason })
      local parts = MESSAGE .. "hello\r\n--b\r\n"
      assert.equal("permerror", (only(sign({}, parts) .. MESSAGE .. "hello\r--b\r\n")))
      assert.equal("permerror", (only(sign({}, parts) .. MESSAGE .. "hello\r\n--b\r")))
      for _, junk in ipairs { "no field\r\n", "From\0: e@e\r\n" } do
        result, reason = only(sign() .. junk .. MESSAGE)
        assert.same({ "permerror", "a line of the header is no field" }, { result, reason })
      end
      assert.equal("pass", (only("From me Thu Jan 1\r\n" .. sign() .. MESSAGE)))
      -- Signed once each, so that another one on top breaks no signature.
      local once = sign({ headers = { "From", "Subject", "To" } })
      for _, more in ipairs { "Subject: evil\r\n", "To: q@q\r\n", "Date: x\r\n" } do
        assert.equal("fail", (only(more .. once .. MESSAGE)))
      end
    end)

    it("with the body", function()
      local text = sign() .. MESSAGE
      for _, pair in ipairs { { "works", "wreck" }, { "\r\n%.\r\n", "\r\n..\r\n" },
        { "$", "more" }, { "It  works", "\r\nIt works" } } do
        local changed, count = text:gsub(pair[1], pair[2])
        assert.equal(1, count)
        assert.equal("fail", (only(changed)))
      end
      assert.equal("pass", (only(text .. "\r\n \r\n")))
    end)

    it("with the signature itself", function()
      local field = sign { expire = 60 }
      for _, pair in ipairs { { "t=1700000000", "t=1699999999" },
        { "x=1700000060", "x=1700000061" }, { "h=From:From:", "h=From:" },
        { "Content%-Type:", "" } } do
        local changed, count = field:gsub(pair[1], pair[2])
        assert.equal(1, count)
        assert.equal("fail", (only(changed .. MESSAGE)))
      end
      for i = 1, #field do -- no byte of it may make it raise
        local byte = string.char((field:byte(i) + 1) % 256)
        verify(field:sub(1, i - 1) .. byte .. field:sub(i + 1) .. MESSAGE)
        verify(field:sub(1, i - 1) .. field:sub(i + 1) .. MESSAGE)
        verify(field:sub(1, i) .. "\r\n\r\n" .. MESSAGE)
      end
    end)
  end)

  describe("C128 of a part of the body", function()
    it("never signs one, and flags it", function()
      assert.is_nil(sign():find("l=", 1, true))
      for _, limit in ipairs { 0, 4, 1000, "x", "-1", ("9"):rep(77) } do
        local field = sign():gsub("c=relaxed/relaxed;", "%0 l=" .. limit .. ";")
        local result, _, all = only(field .. MESSAGE)
        assert.equal(math.type(limit) and "fail" or "neutral", result)
        assert.is_true(all.length_limited)
      end
    end)

    it("verifies it, and says that there may be more", function()
      local message = require "smtp.message.dkim.message"
      local key = core.dkim_key(keys.key("ed25519").pem)
      local digest = core.dkim_body("simple", 4)
      digest:feed("body\r\n")
      local own = "DKIM-Signature: v=1; a=ed25519-sha256; d=example.com; s=s; h=From; l=4; bh=" ..
        core.base64((digest:finish())) .. "; b="
      local named = { from = { { text = "From: a@example.com\r\n" } } }
      local signature = key:sign(message.input("simple", named, { "From" }, own))
      local text = own .. core.base64(signature) .. "\r\nFrom: a@example.com\r\n\r\n"
      for _, body in ipairs { "body", "body\r\n", "body and more\r\n" } do
        local result, _, all = only(text .. body)
        assert.same({ "pass", true }, { result, all.length_limited })
      end
      local result, reason = only(text)
      assert.same({ "fail", "the body is shorter than l=" }, { result, reason })
    end)
  end)

  describe("C129", function()
    it("refuses SHA-1", function()
      local field = sign({ key = keys.key("rsa").pem }):gsub("rsa%-sha256", "rsa-sha1")
      local result, reason = only(field .. MESSAGE, { s = keys.key("rsa").record })
      assert.same({ "permerror", "SHA-1 is refused" }, { result, reason })
      local record = keys.key("ed25519").record:gsub("p=", "h=sha1; %0")
      assert.equal("permerror", (only(sign() .. MESSAGE, { s = record })))
    end)

    it("refuses RSA below 1024 bits", function()
      local short = keys.key("rsa", 768)
      local signer, err = smtp.dkim(options { key = short.pem })
      assert.same({ nil, "invalid" }, { signer, err.kind })
      assert.equal("pass", (only(sign { key = keys.key("rsa", 1024).pem } .. MESSAGE,
        { s = keys.key("rsa", 1024).record })))
      local field = sign { key = keys.key("rsa").pem }
      local result, reason = only(field .. MESSAGE, { s = short.record })
      assert.same({ "permerror", "the RSA key has less than 1024 bits" }, { result, reason })
    end)
  end)

  describe("C131", function()
    it("refuses x= before t=, what has expired, and t= in the future", function()
      local field = sign { expire = 60 }
      assert.equal("pass", (only(field .. MESSAGE, nil, NOW + 60)))
      assert.equal("fail", (only(field .. MESSAGE, nil, NOW + 61)))
      assert.equal("pass", (only(field .. MESSAGE, nil, NOW - 600)))
      assert.equal("neutral", (only(field .. MESSAGE, nil, NOW - 601)))
      for _, x in ipairs { "1700000000", "1", "0", "x", "-1", "1700000060.5", ("1"):rep(13) } do
        local changed = field:gsub("x=%d+", "x=" .. x)
        assert.equal("neutral", (only(changed .. MESSAGE)))
      end
    end)

    it("looks at 8 signatures", function()
      local field, asked = sign(), 0
      local results = assert(smtp.dkim_verify(field:rep(2000) .. MESSAGE, { time = NOW,
        lookup = function()
          asked = asked + 1
          return keys.key("ed25519").record
        end }))
      assert.same({ 8, 1992, 1 }, { #results, results.ignored, asked })
      for _, each in ipairs(results) do assert.equal("pass", each.result) end
      assert.equal(0, verify(MESSAGE).ignored)
    end)

    local good
    setup(function() good = keys.key("ed25519").record:match("p=(.*)") end)

    it("reads the tags of a key record", function()
      local text = sign { identity = "@sub.example.com" } .. MESSAGE
      for record, result in pairs {
        ["k=ed25519; p=%s"] = "pass",
        [" v = DKIM1 ;\r\n\tk\r\n = ed25519; n=a note; p= %s ; "] = "pass",
        ["v=DKIM1; k=ed25519; h=sha1 : sha256; s=* : other; t=y; x_new=1; p=%s"] = "pass",
        ["v=DKIM1; k=ed25519; s=email; p=%s"] = "pass",
        ["v=DKIM1; k=ed25519; p="] = "permerror",
        ["v=DKIM1; k=ed25519"] = "permerror",
        ["v=DKIM1; k=ed25519; s=tlsrpt; p=%s"] = "permerror",
        ["v=DKIM1; k=ed25519; h=sha1; p=%s"] = "permerror",
        ["v=DKIM1; k=ed25519; t=s; p=%s"] = "permerror",
        ["v=DKIM1; k=rsa; p=%s"] = "permerror",
        ["v=DKIM1; p=%s"] = "permerror",
        ["v=DKIM1; k=ed448; p=%s"] = "permerror",
        ["v=DKIM2; k=ed25519; p=%s"] = "permerror",
        ["v=dkim1; k=ed25519; p=%s"] = "permerror",
        ["k=ed25519; v=DKIM1; p=%s"] = "permerror",
        ["v=DKIM1; k=ed25519; p=%s; p=%s"] = "permerror",
        ["v=DKIM1;; k=ed25519; p=%s"] = "permerror",
        ["v=DKIM1; k=ed25519; p=!%s"] = "permerror",
      } do
        assert.equal(result, (only(text, { s = (record:gsub("%%s", good)) })), record)
      end
      assert.is_true((select(3, only(text, { s = "k=ed25519; t=y; p=" .. good }))).testing)
      assert.equal("pass", (only(sign() .. MESSAGE, { s = "k=ed25519; t=s; p=" .. good })))
    end)

    it("takes the first record that is one, or none, or no answer", function()
      local text, record = sign() .. MESSAGE, "k=ed25519; p=" .. good
      assert.equal("pass", (only(text, { s = { "v=spf1 -all", record, "k=ed25519; p=" } })))
      assert.equal("permerror", (only(text, { s = { "v=spf1 -all" } })))
      assert.equal("permerror", (only(text, { s = {} })))
      assert.equal("permerror", (only(text, {})))
      local results = smtp.dkim_verify(text, { time = NOW, lookup = function(name)
        assert.equal("s._domainkey.example.com", name)
        return nil, "no server answers"
      end })
      assert.same({ "temperror", "the look-up failed: no server answers" },
        { results[1].result, results[1].reason })
      results = smtp.dkim_verify(text, { time = NOW, lookup = function() error("dig", 0) end })
      assert.same({ "temperror", "the look-up failed: dig" },
        { results[1].result, results[1].reason })
    end)

    it("is not hurt by junk for a record", function()
      local text, seed = sign() .. MESSAGE, 1
      local words = { "v", "=", "DKIM1", ";", "k", "ed25519", "p", good, " ", "\r\n", "\0",
        "\xff", "t", "s", "__index", ":", "h", "%s", "A", "==" }
      for _ = 1, 3000 do
        local parts = {}
        for i = 1, 12 do
          seed = (seed * 1103515245 + 12345) % 2147483648
          parts[i] = words[seed // 65536 % #words + 1]
        end
        local result = only(text, { s = table.concat(parts) })
        assert.truthy(result == "permerror" or result == "fail" or result == "pass")
      end
      for _, junk in ipairs { 5, true, print, { 5, {} }, ("p=" .. ("A"):rep(100000)),
        (" "):rep(60000) .. "x", ("a=b;"):rep(15000), "p=" .. (" "):rep(60000) .. "x" } do
        assert.not_equal("pass", (only(text, { s = junk })))
      end
    end)

    -- Its time is counted work in spec/support/work_cases.lua.
    it("is not hurt by junk for a signature", function()
      for _, junk in ipairs { "", ";", "=", "v=1", "v=1; v=1", "b", ("a"):rep(500000),
        ("a=b;"):rep(100000), ("\t"):rep(500000) .. "x", "c=" .. ("a"):rep(500000),
        "i=" .. ("@"):rep(500000), "h=" .. (":"):rep(500000), "b=" .. ("A "):rep(250000),
        "v=1;a=rsa-sha256;d=..;s=;h=;bh=;b=", "__index=1", ("\r\n "):rep(100000) .. "x" } do
        for _, before in ipairs { "", "v=1; a=ed25519-sha256; s=s; h=from; d=example.com; bh=" ..
          ("A"):rep(43) .. "=; b=AAAA; " } do
          local result = only("DKIM-Signature: " .. before .. junk .. "\r\n" .. MESSAGE)
          assert.truthy(result == "neutral" or result == "fail" or result == "permerror")
        end
      end
      assert.equal("permerror", (only(("X: y\r\n"):rep(300000) .. "\r\n")))
    end)
  end)
end)
