-- SPDX-License-Identifier: MIT
-- A server and a client in one Lua process: `make demo`. The client waits, so the
-- server runs.
local smtp = require "smtp"

local MESSAGE = [[
From: Ada Lovelace <ada@code.energy>
To: Charles Babbage <charles@example.com>, Mary Somerville <mary@example.com>
Subject: The engine

It weaves algebraical patterns.
.A line that begins with a dot arrives as it was.
]]

local function title(text)
  print(("\n%s\n%s"):format(text, ("-"):rep(#text)))
end

-- ---- the server ----------------------------------------------------------

local mailboxes = { ["charles@example.com"] = true, ["mary@example.com"] = true }
local stored = os.tmpname()
os.remove(stored) -- only its name is needed: `save` does not overwrite

local server <close> = assert(smtp.server {
  listen = "127.0.0.1:0", -- any free port
  hostname = "mail.example.com",
  on_helo = function(_, name)
    if name == "spammer.example" then return 554, "Not you" end
  end,
  on_mail = function(_, sender)
    -- The null sender, "", is that of a bounce. false: refused.
    return sender.address == "" or sender.domain == "code.energy"
  end,
  on_rcpt = function(_, recipient)
    return mailboxes[recipient.address] == true
  end,
  on_message = function(_, message)
    local ok, err = message:save(stored, { trace = true })
    if not ok then return nil, err end
    return "Stored as " .. message.id
  end,
})

-- ---- the client ----------------------------------------------------------

title("The dialogue")
local receipt, err = smtp.send({
  host = "127.0.0.1", port = server.port, helo = "client.code.energy",
  trace = function(side, line) print(side .. ": " .. line) end,
}, {
  envelope = {
    from = "ada@code.energy",
    to = { "charles@example.com", "nobody@example.com", "mary@example.com" },
  },
  raw = MESSAGE,
})
if not receipt then error(err) end

title("The receipt")
print(("reply     %d %s %s"):format(receipt.code, receipt.enhanced, receipt.text))
for _, address in ipairs(receipt.accepted) do print("accepted  " .. address) end
for _, one in ipairs(receipt.rejected) do
  print(("rejected  %s: %d %s %s"):format(one.address, one.code, one.enhanced, one.text))
end

title("The stored message")
for line in io.lines(stored) do print((line:gsub("\r$", ""))) end
os.remove(stored)

title("Refused by HELO name")
local _, refusal = smtp.connect {
  host = "127.0.0.1", port = server.port, helo = "spammer.example",
}
print(refusal)
