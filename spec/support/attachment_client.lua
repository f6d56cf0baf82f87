-- SPDX-License-Identifier: MIT
-- A client in a process of its own: attachment_client.lua PORT PATH sends the file as
-- an attachment; then prints its bytes and the kilobytes of resident memory before and
-- at the most.
local smtp = require "smtp"
local memory = require "spec.support.memory"

local path = arg[2]
local client <close> = assert(smtp.connect("smtp://127.0.0.1:" .. arg[1]))
memory.begin()
local message = assert(smtp.message { from = "ada@example.org", to = "bob@example.com",
  subject = "large", text = "See there.", attachments = { { path = path, name = "large.bin" } } })
local sent = 0
assert(client:send(message, { progress = function(n) sent = n end }))
assert(sent == message.size, "the size was said wrongly")
memory.report(sent)
client:quit()
