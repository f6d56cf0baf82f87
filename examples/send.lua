-- SPDX-License-Identifier: MIT
-- Sends a message that comes on standard input.
local smtp = require "smtp"

local USAGE = [[
usage: lua send.lua [option...] TARGET FROM TO... < message

  TARGET     host, host:port, smtp://user:password@host, smtps://user:password@host
             or smtp+unix:///path
  FROM       the sender's address, or "" for none
  TO         one or more recipients
  --ca FILE  trust this authority, and not the system's
  --clear    send in clear text to another machine

  printf 'Subject: The engine\n\nIt works.\n' |
    lua send.lua localhost:2525 ada@code.energy charles@example.com

Status: 0 accepted for all, 1 not accepted for all, 2 wrong usage.
]]

local function usage(complaint)
  io.stderr:write(complaint, "\n\n", USAGE)
  os.exit(2)
end

local options, words = {}, {}
local i = 1
while arg[i] do
  local word = arg[i]
  if word == "--help" then
    io.write(USAGE)
    os.exit(0)
  elseif word == "--clear" then
    options.tls = "none"
  elseif word == "--ca" then
    i = i + 1
    options.ca = arg[i] or usage("--ca needs a file")
  elseif word:find("^%-%-") then
    usage("unknown option " .. word)
  else
    words[#words + 1] = word
  end
  i = i + 1
end
if #words < 3 then usage("a target, a sender and a recipient are needed") end

-- The file is read as it is sent, so it may be larger than memory.
local receipt, err = smtp.send({ url = words[1], tls = options.tls, ca = options.ca },
  { envelope = { from = words[2], to = { table.unpack(words, 3) } }, raw = io.stdin })
if not receipt and err.kind == "invalid" then usage(tostring(err)) end

local function refused(list)
  for _, one in ipairs(list or {}) do
    io.stderr:write(("refused   %s: %d %s\n"):format(one.address, one.code, one.text))
  end
end

if not receipt then
  io.stderr:write("send: ", tostring(err), "\n")
  refused(err.rejected)
  os.exit(1)
end
for _, address in ipairs(receipt.accepted) do print("accepted  " .. address) end
print(("%d %s"):format(receipt.code, receipt.text))
refused(receipt.rejected)
os.exit(#receipt.rejected == 0 and 0 or 1)
