-- SPDX-License-Identifier: MIT
-- DKIM with dkimpy and OpenDKIM, which verify ours and sign for us.
local core = require "smtp.core"
local keys = require "spec.support.dkim"
local net = require "spec.support.net"
local process = require "spec.support.process"
local smtp = require "smtp"

local PEER = "spec/support/dkim_peer.py"

local HEADER = table.concat({
  "From: Ada Lovelace <ada@example.com>",
  "To: charles@example.org,",
  "\tmary@example.org",
  "Subject:   The  engine \t of ours ",
  "Date: Fri, 11 Jul 2003 21:00:37 -0700",
  "Message-ID: <1@example.com>",
  "MIME-Version: 1.0",
  "Content-Type: text/plain; charset=utf-8",
}, "\r\n") .. "\r\n\r\n"

local BODIES = {
  "", "\r\n", "text\r\n", "no end", " \t\r\n\r\n", "a  b \t\r\n\tc\r\n \r\n\r\n\r\n",
  "Gr\u{fc}\u{df}e\r\n.\r\n..\r\n", "\r\n\r\nlate\r\n",
  ("x"):rep(998) .. "\r\n" .. ("y "):rep(400) .. "z",
}

local CANONS = { "relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple" }

local python, no_dkimpy = process.python("dkim, nacl")

local function verified_here(text, record)
  local results = assert(smtp.dkim_verify(text, { lookup = keys.lookup { s = record } }))
  return results[1].result, results[1].reason
end

-- dkimpy wants the 32 bytes of a private key of Ed25519, which are its last in DER.
local function seed(pem)
  local text = pem:match("KEY%-%-%-%-%-\n(.-)%-%-%-%-%-END"):gsub("%s", "")
  return core.base64(core.unbase64(text):sub(-32))
end

describe("dkimpy", function()
  local missing = keys.missing or no_dkimpy
  if missing then
    pending(missing)
    return
  end

  local folder
  setup(function() folder = net.folder() end)
  teardown(function() net.remove(folder) end)

  for _, kind in ipairs { "rsa", "ed25519" } do
    for _, canon in ipairs(CANONS) do
      it(("verifies our %s-sha256, %s"):format(kind, canon), function()
        local key = keys.key(kind)
        local signer = assert(smtp.dkim { domain = "example.com", selector = "s", key = key.pem,
          canonicalization = canon, expire = 3600, identity = "a=da@mail.example.com" })
        for _, body in ipairs(BODIES) do
          local text = assert(signer:sign(HEADER .. body)) .. HEADER .. body
          local status, out, err = process.run({ python, PEER, "verify", "s=" .. key.record },
            { input = text })
          assert.same({ 0, "True\n" }, { status, out .. err }, ("%q"):format(body))
        end
      end)

      it(("signs by %s-sha256, %s, and we verify"):format(kind, canon), function()
        local key = keys.key(kind)
        local pem = kind == "rsa" and keys.traditional(key.pem) or seed(key.pem)
        local path = keys.file(folder, kind, pem)
        local header, body_form = canon:match("(%a+)/(%a+)")
        for _, body in ipairs(BODIES) do
          local text = HEADER .. body
          local status, field, err = process.run({ python, PEER, "sign", kind .. "-sha256", header,
            body_form, path }, { input = text })
          assert.equal(0, status, err)
          assert.same({ "pass" }, { verified_here(field .. text, key.record) })
          assert.equal("fail", (verified_here(field .. text .. "more", key.record)))
        end
      end)
    end
  end

  it("C130 verifies both of two signatures", function()
    local rsa, ed = keys.key("rsa"), keys.key("ed25519")
    local signer = assert(smtp.dkim {
      { domain = "example.com", selector = "r", key = rsa.pem },
      { domain = "example.com", selector = "e", key = ed.pem },
    })
    local text = assert(signer:sign(HEADER .. "body\r\n")) .. HEADER .. "body\r\n"
    local _, out, err = process.run({ python, PEER, "verify", "r=" .. rsa.record,
      "e=" .. ed.record }, { input = text })
    assert.equal("True\nTrue\n", out .. err)
  end)

  it("C127 does not verify ours with another From", function()
    local key = keys.key("ed25519")
    local signer = assert(smtp.dkim { domain = "example.com", selector = "s", key = key.pem })
    local text = assert(signer:sign(HEADER)) .. "From: eve@example.com\r\n" .. HEADER
    local status, out, err = process.run({ python, PEER, "verify", "s=" .. key.record },
      { input = text })
    assert.same({ 0, "False\n" }, { status, out .. err })
  end)
end)

-- Its test mode drops white space behind a colon, so there is one space in what it gets.
describe("opendkim", function()
  local missing = keys.missing or process.missing("opendkim", "opendkim-testmsg")
  if missing then
    pending(missing)
    return
  end

  local folder, key, header
  setup(function()
    folder, key = net.folder(), keys.key("rsa")
    header = HEADER:gsub(": +", ": ")
  end)
  teardown(function() net.remove(folder) end)

  -- It wants the CRLF at the end, which the wire would have.
  local function opendkim(config, text)
    if text:sub(-2) ~= "\r\n" then text = text .. "\r\n" end
    local status, out, err = process.run { "opendkim", "-x", keys.file(folder, "conf", config),
      "-t", keys.file(folder, "mail", text), "-vv" }
    assert.equal(0, status, err)
    return out .. err
  end

  for _, canon in ipairs(CANONS) do
    it("verifies ours, " .. canon, function()
      local records = keys.file(folder, "keys", "s._domainkey.example.com " .. key.record .. "\n")
      local config = ("Mode v\nTestPublicKeys %s\n"):format(records)
      local signer = assert(smtp.dkim { domain = "example.com", selector = "s", key = key.pem,
        canonicalization = canon })
      for _, body in ipairs(BODIES) do
        local text = assert(signer:sign(header .. body)) .. header .. body
        local out = opendkim(config, text)
        assert.truthy(out:find("dkim=pass (2048-bit key)", 1, true), ("%q: %s"):format(body, out))
      end
    end)

    it("signs, " .. canon .. ", and we verify", function()
      local config = ([[
Mode s
Domain example.com
Selector s
KeyFile %s
RequireSafeKeys no
Canonicalization %s
]]):format(keys.file(folder, "key", key.pem), canon)
      for _, body in ipairs(BODIES) do
        local out = opendkim(config, header .. body)
        local value = assert(out:match("hname='DKIM%-Signature' hvalue='([^']+)'"), out)
        local field = "DKIM-Signature: " .. value:gsub("\r?\n", "\r\n") .. "\r\n"
        assert.same({ "pass" }, { verified_here(field .. header .. body, key.record) },
          ("%q: %s"):format(body, out))
      end
    end)
  end

  it("C129 signs by SHA-1 with opendkim-testmsg, which we refuse", function()
    local path = keys.file(folder, "key", keys.traditional(key.pem))
    local status, text, err = process.run({ "opendkim-testmsg", "-C", "-d", "example.com", "-s",
      "s", "-k", path }, { input = header .. "body\r\n" })
    assert.equal(0, status, err)
    if text:find("a=rsa-sha256", 1, true) then
      return pending("this opendkim-testmsg signs by SHA-256")
    end
    assert.same({ "permerror", "SHA-1 is refused" }, { verified_here(text, key.record) })
  end)
end)
