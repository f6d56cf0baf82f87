-- SPDX-License-Identifier: MIT
--- Keys for DKIM, made by the openssl command once and kept in memory, and the records
-- that go with them.
local core = require "smtp.core"
local net = require "spec.support.net"
local process = require "spec.support.process"
local smtp = require "smtp"

local M = { missing = process.missing("openssl") }

-- In front of the 32 bytes of a public key of Ed25519 in DER (RFC 8410).
local ED25519_PREFIX = 12

local function openssl(input, ...)
  local status, out, err = process.run({ "openssl", ... }, { input = input })
  assert(status == 0, err)
  return out
end

local function with_record(pem, kind)
  local der = openssl(pem, "pkey", "-pubout", "-outform", "DER")
  if kind == "ed25519" then der = der:sub(ED25519_PREFIX + 1) end
  local text = core.base64(der)
  return { pem = pem, public = der, record = ("v=DKIM1; k=%s; p=%s"):format(kind, text) }
end

local made = {}

--- `{ pem, public, record }` of a kind: "ed25519", or "rsa" with its bits, 2048 unless
-- said otherwise. The same each time.
function M.key(kind, bits)
  local name = kind .. (bits or "")
  if not made[name] then
    local words = kind == "rsa" and
      { "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:" .. (bits or 2048) } or
      { "-algorithm", kind }
    made[name] = with_record(openssl("", "genpkey", table.unpack(words)), kind)
  end
  return made[name]
end

--- The private key as OpenSSL wrote it before PKCS#8.
function M.traditional(pem)
  return openssl(pem, "rsa", "-traditional")
end

--- A look-up of a table: selector -> record.
function M.lookup(records, domain)
  return function(name)
    local selector, rest = name:match("^(.-)%._domainkey%.(.*)$")
    return rest == (domain or "example.com") and records[selector] or nil
  end
end

--- A file of a folder with these bytes: its path.
function M.file(folder, name, bytes)
  net.dump(folder .. "/" .. name, bytes)
  return folder .. "/" .. name
end

M.MESSAGE = table.concat({
  "Received: by mx.example.net",
  "From: Ada <ada@example.com>",
  "To: charles@example.org",
  "Subject: The  engine",
  "\tof ours",
  "Date: Fri, 11 Jul 2003 21:00:37 -0700",
  "Message-ID: <1@example.com>",
  "",
  "It  works. ",
  "",
  ".",
  "",
  "",
}, "\r\n")

M.NOW = 1700000000

--- Options of a signer, with `more` in them.
function M.options(more)
  local all = { domain = "example.com", selector = "s", key = M.key("ed25519").pem, time = M.NOW }
  for name, value in pairs(more or {}) do all[name] = value end
  return all
end

--- The fields of a signature of `message`.
function M.sign(more, message)
  return (assert(assert(smtp.dkim(M.options(more))):sign(message or M.MESSAGE)))
end

--- The results of a message; records by selector, that of Ed25519 if there are none.
function M.verify(message, records, time)
  return assert(smtp.dkim_verify(message, {
    lookup = M.lookup(records or { s = M.key("ed25519").record }),
    time = time or M.NOW,
  }))
end

--- Of the one signature the result, the reason and all.
function M.only(message, records, time)
  local results = M.verify(message, records, time)
  assert(#results == 1)
  return results[1].result, results[1].reason, results[1]
end

return M
