-- SPDX-License-Identifier: MIT
-- bench/compose.lua FOLDER MESSAGES: composes that many messages of what bench/material.lua wrote.

local smtp = require "smtp"

local folder, messages = arg[1], math.tointeger(arg[2])

local function read(name)
  local file <close> = assert(io.open(folder .. "/" .. name, "rb"))
  return file:read("a")
end

local subject, text, html = read "subject", read "text", read "html"
local attachment = read "attachment"

for _ = 1, messages do
  local message = assert(smtp.message {
    from = "Ada Lovelace <ada@code.energy>",
    to = { "Charles Babbage <charles@example.com>", "Mary Somerville <mary@example.com>" },
    subject = subject, text = text, html = html,
    attachments = { { content = attachment, name = "notes.pdf" } },
  })
  assert(#tostring(message) > #text + #html + #attachment * 4 // 3)
end
