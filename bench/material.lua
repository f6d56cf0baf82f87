-- SPDX-License-Identifier: MIT
-- bench/material.lua FOLDER: writes what the rows M1 and M2 compose and parse, and for the servers
-- of S5 a certificate on P-256 with its key.
--
-- subject, text and html are UTF-8 with a letter here and there that is not ASCII, as mail of
-- people is; attachment is 20 KiB in which every byte occurs. message is composed of them, by
-- us, once: all contestants of M2 parse the same bytes.

local smtp = require "smtp"
local authority = require "smtp.authority"

local folder = arg[1]

local function write(name, content)
  local file = assert(io.open(folder .. "/" .. name, "wb"))
  assert(file:write(content))
  assert(file:close())
end

local paragraph = "The Analytical Engine weaves algebraical patterns, just as the loom\n"
  .. "of Jacquard weaves flowers and leaves. Monsieur Menabrea of Turin – à qui l'on\n"
  .. "doit ces notes – has read it, and so should you.\n"
local text = "Dear Mr Babbage,\n\n" .. paragraph:rep(4, "\n") .. "\nAda\n"
local html = {}
for block in (text .. "\n"):gmatch("(.-)\n\n") do
  html[#html + 1] = ('<p style="margin: 0 0 1em; font-family: sans-serif">%s</p>\n'):format(block)
end
local subject = "Notes on the Analytical Engine, à la Menabrea"
html = "<!DOCTYPE html>\n<html><body>\n" .. table.concat(html) .. "</body></html>\n"

local bytes, state = {}, 1
for i = 1, 20 * 1024 do
  state = (state * 1103515245 + 12345) % 0x80000000
  bytes[i] = string.char(state >> 16 & 0xff)
end
local attachment = table.concat(bytes)

write("subject", subject)
write("text", text)
write("html", html)
write("attachment", attachment)
write("message", tostring(assert(smtp.message {
  from = "Ada Lovelace <ada@code.energy>",
  to = { "Charles Babbage <charles@example.com>", "Mary Somerville <mary@example.com>" },
  subject = subject, text = text, html = html,
  attachments = { { content = attachment, name = "notes.pdf" } },
  date = 1700000000, seed = 1,
})))

local identity = assert(authority.self_signed())
write("certificate", identity.cert .. identity.key)
