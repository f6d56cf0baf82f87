-- SPDX-License-Identifier: MIT
-- A server that accepts or refuses by the HELO name, the sender and the recipient,
-- and stores what it accepts in a Maildir.
local smtp = require "smtp"

local USAGE = [[
usage: lua server.lua [option...] MAILDIR

  --listen HOST:PORT  default 127.0.0.1:2525; port 0 is any that is free
  --hostname NAME     our own name; default localhost
  --cert FILE         offer STARTTLS with this certificate (PEM, its chain behind it)
  --key FILE          and this key; default: it is in the certificate's file
  --bounce TARGET     take what cannot be stored, and send its sender a bounce there
  --helo NAME         accept only clients that say this name
  --from WHO          accept only this sender
  --to WHO            accept only this recipient

WHO is an address, or @domain for all of a domain. The last three may be given
many times; without them everybody is accepted. The null sender, that of a bounce,
is always accepted.

  lua server.lua --to @example.com --to postmaster mail
]]

local function usage(complaint)
  io.stderr:write(complaint, "\n\n", USAGE)
  os.exit(2)
end

local options = { ["--listen"] = "127.0.0.1:2525", ["--hostname"] = "localhost",
  ["--cert"] = false, ["--key"] = false, ["--bounce"] = false }
local lists = { ["--helo"] = {}, ["--from"] = {}, ["--to"] = {} }
local maildir
local i = 1
while arg[i] do
  local word, value = arg[i], arg[i + 1]
  if word == "--help" then
    io.write(USAGE)
    os.exit(0)
  elseif options[word] ~= nil or lists[word] then
    if not value then usage(word .. " needs a value") end
    if lists[word] then table.insert(lists[word], value:lower()) else options[word] = value end
    i = i + 1
  elseif word:find("^%-%-") then
    usage("unknown option " .. word)
  elseif maildir then
    usage("one Maildir is enough")
  else
    maildir = word
  end
  i = i + 1
end
if not maildir then usage("a Maildir is needed") end

-- Whether the list names the value, or is empty.
local function listed(list, ...)
  for _, one in ipairs(list) do
    for _, value in ipairs { ... } do
      if one == value:lower() then return true end
    end
  end
  return #list == 0
end

-- A client may put anything into a name: controls do not belong on a terminal.
local function say(...)
  print((string.format(...):gsub("[%c\127-\255]", "?")))
end

-- Tells the sender that no mailbox could be written.
local function bounce(message, why)
  local failures = {}
  for n, recipient in ipairs(message.recipients) do
    failures[n] = { address = recipient.address, status = "5.2.0", diagnostic = "X-local; "
      .. tostring(why):gsub("%c", "?") }
  end
  local made, problem = smtp.bounce(message, failures, { hostname = options["--hostname"] })
  if not made then return nil, problem end
  local receipt
  receipt, problem = smtp.send(options["--bounce"], made)
  if not receipt then return nil, problem end
  return "not stored, and its sender was told"
end

local server, err = smtp.server {
  listen = options["--listen"],
  hostname = options["--hostname"],
  tls = options["--cert"] and { cert = options["--cert"], key = options["--key"] or nil } or nil,
  on_helo = function(_, name)
    if not listed(lists["--helo"], name) then return 550, "I do not know you" end
  end,
  on_mail = function(_, sender)
    return sender.address == "" or listed(lists["--from"], sender.address, "@" .. sender.domain)
  end,
  on_rcpt = function(_, recipient)
    return listed(lists["--to"], recipient.address, "@" .. recipient.domain)
  end,
  on_message = function(session, message)
    local stored, why = message:maildir(maildir)
    if not stored and options["--bounce"] then return bounce(message, why) end
    if not stored then return nil, why end -- the client is told to try again later
    say("%s: %d bytes from <%s> for %d", session.peer.address, message.size,
      message.sender.address, #message.recipients)
    return "stored as " .. message.id
  end,
  on_event = function(event)
    if event.type == "error" then say("error at %s: %s", event.stage, event.error) end
  end,
}
if not server then
  if err.kind == "invalid" then usage(tostring(err)) end
  io.stderr:write("server: ", tostring(err), "\n")
  os.exit(1)
end

io.stdout:setvbuf("line")
local _, why = pcall(function()
  say("listening on %s:%s", server.address, server.port)
  server:run()
end)
-- Lua turns ctrl-C into an error: no more connections, and what has begun may end.
if not tostring(why):find("interrupted!", 1, true) then error(why, 0) end
say("shutting down")
server:shutdown(5)
