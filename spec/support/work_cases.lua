-- SPDX-License-Identifier: MIT
-- Inputs of strangers and users, read or composed, each as a function of a size.
local address = require "smtp.base.address"
local core = require "smtp.core"
local downgrade = require "smtp.message.downgrade"
local keys = require "spec.support.dkim"
local message = require "smtp.client.outgoing"
local smtp = require "smtp"
local target = require "smtp.client.target"
local url = require "smtp.base.url"

local cases = {}

-- `make(n)` gives the function that is measured.
local function case(name, n, make)
  cases[#cases + 1] = { name = name, n = n, run = make }
end

-- ---- texts -------------------------------------------------------------------

-- Texts that stand again and again, alone, before an address, and within one.
local UNITS = {
  " ", "\t", "[", "]", "a@[", "(", ")", "()", '"', "<", ">", "<>", ",", ";", ":", "@", "\\", "a",
  "a ", "a.", ".", "-", "=", "%", "%41", "/", "*", "a:", "a: ", "a;", "a=b; ", "a*0*=", "a/b",
  "bob@example.com, ", "Bob <bob@example.com>, ", "G: x@y;, ", "a@b ", "<a@b>", "<@", "(a", "=?",
  "?=", "=?a?q?", "=?utf-8?q?a?= ", "=?utf-8?b?4pg=?=", "\xc3\xa9", "\xff", "xn--", "\u{3002}",
  "\u{ad}", "--", "0", "1 ", "\\x{41}",
}
local LINES = {
  "\n", "\r\n", "\n ", "\r\n\t", " \n", "a\n", "a: b\n", "a: b\n c\n", "\na", "\r", "--\n", "--b\n",
  "--b--\n", "--b\n--b--\n", "=\n", "=3D", "begin 644 a\n", "mx: a.b\n", "From a\n", "> ", " ",
  "(", "[", "<", '"', ";", ":", ",", "=", "a ", "=?a?q?", "=?utf-8?q?a?= ", "\xff", "\xc3\xa9",
  "\t", "\27$B",
}

local FRAMES = { { "", "" }, { "", "bob@example.com" }, { "bob", "@example.com" },
  { "Bob ", "<bob@example.com>" }, { "bob@", ".example.com" } }

local function texts(units, frames, fn)
  for _, unit in ipairs(units) do
    for _, frame in ipairs(frames) do
      local label = ("%q in %q and %q"):format(unit, frame[1], frame[2])
      fn(label:gsub("\\?\n", "\\n"):gsub("\t", "\\t"), function(n)
        return frame[1] .. unit:rep(n // #unit) .. frame[2]
      end)
    end
  end
end

-- ---- what reads them ---------------------------------------------------------

local function compose(record)
  record.from = record.from or "a@b.example"
  local made = smtp.message(record)
  if made then
    local _ = tostring(made)
  end
end

-- All that a received message is asked for.
local function ask(m)
  for _, key in ipairs { "from", "sender", "to", "cc", "bcc", "reply_to", "subject", "time",
    "message_id", "in_reply_to", "references", "envelope", "text", "html", "attachments", "report",
    "size" } do
    local _ = m[key]
  end
  for _, part in ipairs(m.attachments) do
    for _, key in ipairs { "name", "cid", "text", "content", "inline", "disposition" } do
      local _ = part[key]
    end
    if part.message then local _ = part.message.subject end
  end
end

local READERS = {
  ["address.parse"] = address.parse,
  ["address.mailbox"] = address.mailbox,
  ["the envelope"] = function(text)
    message.outgoing { envelope = { from = text, to = { text, text } }, raw = "x" }
  end,
  ["a URL"] = function(text) target.parse("x", "smtp://" .. text) end,
  ["a host"] = function(text)
    target.parse("x", { host = text, sni = text, proxy = "socks5://" .. text .. ":1" })
  end,
  ["a URL's parts"] = function(text)
    url.credentials(text)
    url.host(text)
    url.decode(text)
  end,
  ["smtp.mx"] = function(text) smtp.mx("[" .. text) end,
  ["a name"] = function(text) core.idna(text) end,
  ["a DKIM domain"] = function(text)
    smtp.dkim { domain = text, selector = text, identity = text, key = "x" }
  end,
}

local ADDRESSES, FIELDS = {}, {}
for list, names in pairs {
  [ADDRESSES] = { "from", "sender", "to", "cc", "bcc", "reply_to" },
  [FIELDS] = { "subject", "message_id", "in_reply_to", "references", "text", "html", "calendar" },
} do
  for _, key in ipairs(names) do
    list["compose " .. key] = function(text) compose { to = "c@d.example", [key] = text } end
  end
end
FIELDS["compose a list of addresses"] = function(text)
  compose { to = { { name = text, address = "c@d.example" }, { address = text },
    { group = text, members = { text } } } }
end
FIELDS["compose a header"] = function(text) compose { headers = { X = text } } end
FIELDS["compose List-"] = function(text)
  compose { list = { id = text } }
  compose { list = { unsubscribe = "https://a.example/" .. text, one_click = true } }
end
FIELDS["compose a part"] = function(text)
  compose { attachments = { { content = "x", name = text, description = text, cid = "a" } } }
  compose { attachments = { { content = text, type = text } } }
  compose { attachments = { { content = text, name = "x", params = { a = text } } } }
end
FIELDS["compose a bounce"] = function(text)
  local made = smtp.bounce({ envelope = { from = "a@b.example", to = "c@d.example" },
    chunks = function() return function() end end },
    { { address = "c@d.example", code = 550, text = text } })
  if made then local _ = tostring(made) end
end

local function parse_field(name)
  return function(text) ask(smtp.parse(name .. ": " .. text .. "\n\n" .. text)) end
end
for _, name in ipairs { "From", "To", "Subject", "Date", "Message-ID", "References", "In-Reply-To",
  "Return-Path", "Content-Type", "Content-Disposition", "Content-ID", "Content-Transfer-Encoding",
  "TLS-Required" } do
  FIELDS["parse " .. name] = parse_field(name)
end
FIELDS["parse a parameter"] = parse_field("Content-Type: text/plain; name=\"x\"; charset")
FIELDS["parse a boundary"] = parse_field("Content-Type: multipart/mixed; boundary")

local BODIES = {}
for kind, fields in pairs {
  ["message/delivery-status"] = "Final-Recipient: rfc822;\nDiagnostic-Code:",
  ["message/global-delivery-status"] = "Original-Recipient: utf-8;\nAction:",
  ["message/feedback-report"] = "Original-Rcpt-To:",
  ["message/disposition-notification"] = "Disposition: a;",
} do
  BODIES["parse " .. kind] = function(text)
    ask(smtp.parse("Content-Type: " .. kind .. "\n\nReporting-MTA: dns; x\n\n" .. fields .. text))
  end
end
for kind, encoding in pairs {
  ["text/plain; format=flowed; delsp=yes"] = "7bit", ["text/html; charset=iso-2022-jp"] = "7bit",
  ["multipart/mixed; boundary=b"] = "7bit", ['multipart/mixed; boundary="--"'] = "8bit",
  ["message/rfc822"] = "7bit", ["text/plain"] = "base64", ["text/plain; charset=utf-8"] =
  "quoted-printable", ["application/octet-stream"] = "x-uuencode",
} do
  BODIES[("parse %s in %s"):format(kind, encoding)] = function(text)
    ask(smtp.parse(("Content-Type: %s\nContent-Transfer-Encoding: %s\n\n%s"):format(kind, encoding,
      text)))
  end
end
BODIES["parse a header"] = function(text) ask(smtp.parse(text .. "\n\n")) end
BODIES["lint"] = function(text) smtp.lint(text) end
BODIES["lint of a body"] = function(text) smtp.lint("From: a@b.example\r\n\r\n" .. text) end
BODIES["mta_sts.parse"] = function(text) smtp.mta_sts.parse("version: STSv1\n" .. text) end
BODIES["send without Bcc"] = function(text)
  message.outgoing(smtp.parse("From: a@b.example\nTo: c@d.example\nBcc: e@f\n" .. text))
end
BODIES["downgrade"] = function(text)
  downgrade.seven_bit("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\xc3\xa9" ..
    text)
  downgrade.seven_bit("X: " .. text .. "\r\nContent-Type: text/plain\r\n\r\n\xc3\xa9")
end

local KEY = keys.key("ed25519")
BODIES["sign"] = function(text)
  local signer = assert(smtp.dkim { domain = "b.example", selector = "s", key = KEY.pem })
  signer:sign("From: a@b.example\r\nSubject: " .. text .. "\r\n\r\n" .. text)
end
local SIGNED = "DKIM-Signature: v=1; a=ed25519-sha256; d=b.example; s=s; h=from; bh=" ..
  ("A"):rep(43) .. "=; b=AAAA"
BODIES["verify"] = function(text)
  local function lookup() return { text, "v=DKIM1; p=" .. text } end
  for _, place in ipairs { "; t=" .. text, "; h=" .. text, text } do
    smtp.dkim_verify(SIGNED .. place .. "\r\nFrom: a@b.example\r\n\r\nx", { lookup = lookup })
  end
end

local function all(readers, units, frames)
  local names = {}
  for name in pairs(readers) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    texts(units, frames, function(label, make)
      case(name .. ": " .. label, 150, function(size)
        local text = make(size)
        return function() readers[name](text) end
      end)
    end)
  end
end
all(READERS, UNITS, FRAMES)
all(ADDRESSES, UNITS, { FRAMES[1], FRAMES[2], FRAMES[4] })
all(FIELDS, UNITS, { FRAMES[1] })
all(BODIES, LINES, { FRAMES[1] })

for _, junk in ipairs { { "", "a" }, { "", "a=b;" }, { "", "\t" }, { "", "\r\n " }, { "c=", "a" },
  { "i=", "@" }, { "h=", ":" }, { "b=", "A " } } do
  for label, field in pairs { alone = "DKIM-Signature: ", ["behind tags"] = SIGNED .. "; " } do
    local name = ("verify %q, %s"):format(junk[1] .. junk[2], label)
    name = name:gsub("\\?\n", "\\n"):gsub("\t", "\\t")
    case(name, 1000, function(size)
      local text = field .. junk[1] .. junk[2]:rep(size) .. "x\r\nFrom: a@b.example\r\n\r\nx"
      return function() smtp.dkim_verify(text, { lookup = function() return {} end }) end
    end)
  end
end

-- ---- many of a thing, and things in things ---------------------------------------

case("nested parts", 12, function(size)
  return function()
    local side = ("x"):rep(size)
    local part = smtp.part { type = "text/plain", content = "x" }
    for _ = 1, 48 do part = smtp.part { parts = { part, smtp.part { content = side } } } end
    local _ = tostring(assert(smtp.message { from = "a@b.example", part = part }))
  end
end)
case("parts deeper than is read", 100, function(size)
  return function()
    local part = smtp.part { content = "x" }
    for _ = 1, size do part = smtp.part { parts = { part } } end
    assert(not smtp.message { from = "a@b.example", part = part })
  end
end)
case("many parts", 100, function(size)
  return function()
    local list = {}
    for i = 1, size do list[i] = { content = "x", name = i .. ".txt" } end
    local _ = tostring(assert(smtp.message { from = "a@b.example", attachments = list }))
  end
end)
case("many recipients in a list", 100, function(size)
  return function()
    local list = {}
    for i = 1, size do list[i] = ("Bob <bob%d@example.com>"):format(i) end
    local made = assert(smtp.message { from = "a@b.example", to = list, cc = list, bcc = list })
    assert(message.outgoing(made))
    local _ = tostring(made)
  end
end)
for label, format in pairs { same = "bob@example.com, ", other = "bob%d@example.com, ",
  named = "Bob <bob%d@example.com>, ", grouped = "G: bob%d@example.com;, " } do
  for _, key in ipairs { "to", "cc", "bcc", "reply_to" } do
    case(("many recipients in a text, %s: %s"):format(label, key), 100, function(size)
      local list = {}
      for i = 1, size do list[i] = format:format(i) end
      local text = table.concat(list) .. "ada@code.energy"
      return function()
        local made = assert(smtp.message { from = "a@b.example", [key] = text })
        local _ = tostring(made)
        if key ~= "reply_to" then assert(message.outgoing(made)) end
      end
    end)
  end
  case("many recipients that came, " .. label, 100, function(size)
    local list = {}
    for i = 1, size do list[i] = format:format(i) end
    local text = "To: " .. table.concat(list, "\n ") .. "\n\nx"
    return function() ask(smtp.parse(text)) end
  end)
end
case("many fields of a record", 100, function(size)
  return function()
    local list = {}
    for i = 1, size do list[i] = { "X-" .. i, "x" } end
    local _ = tostring(assert(smtp.message { from = "a@b.example", headers = list }))
  end
end)
case("many fields of a message", 100, function(size)
  return function()
    local list = {}
    for i = 1, size do list[i] = "To: bob" .. i .. "@example.com\nX-" .. i .. ": a\n" end
    local m = smtp.parse(table.concat(list) .. "\nx")
    ask(m)
  end
end)
case("parts in parts that came", 200, function(size)
  return function()
    local list = {}
    for i = 1, size do
      list[i] = ("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n"):format(i, i)
    end
    ask(smtp.parse(table.concat(list)))
  end
end)
case("messages in messages that came", 200, function(size)
  return function()
    ask(smtp.parse(("Content-Type: message/rfc822\n\n"):rep(size)))
  end
end)

return cases
