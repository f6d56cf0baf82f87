-- SPDX-License-Identifier: MIT
-- bench/parse.lua FOLDER MESSAGES: parses the message of bench/material.lua that often and reads
-- what a program that files mail would: who, what about, both bodies and the attachment.

local smtp = require "smtp"

local folder, messages = arg[1], math.tointeger(arg[2])

local function read(name)
  local file <close> = assert(io.open(folder .. "/" .. name, "rb"))
  return file:read("a")
end

local raw, attachment = read "message", read "attachment"
local subject, text, html = read "subject", read "text", read "html"

for _ = 1, messages do
  local message = assert(smtp.parse(raw))
  assert(message.subject == subject)
  assert(message.from[1].address == "ada@code.energy")
  assert(message.to[2].address == "mary@example.com")
  assert(message.text == text)
  assert(message.html == html)
  local file = message.attachments[1]
  assert(file.name == "notes.pdf")
  assert(file.content == attachment)
end
