-- SPDX-License-Identifier: MIT
-- A message of its own to each recipient, all over one connection, and at the end who
-- got it and who did not.
local smtp = require "smtp"

local USAGE = [[
usage: lua bulk.lua [--clear] TARGET FROM SUBJECT TEMPLATE < recipients

  TARGET      as smtps://user:password@mail.example.org, or localhost:2525
  TEMPLATE    a text; {name} and {address} stand for the recipient's
  recipients  a line each, as "Ada <ada@code.energy>"
  --clear     send in clear text to another machine

  printf 'Ada <ada@code.energy>\nCharles <charles@example.com>\n' |
    lua bulk.lua localhost:2525 list@code.energy News 'Hello {name}!'

Status: 0 accepted for all, 1 not accepted for all, 2 wrong usage.
]]

local words, clear = {}, false
for _, word in ipairs(arg) do
  if word == "--help" then
    io.write(USAGE)
    os.exit(0)
  elseif word == "--clear" then
    clear = true
  else
    words[#words + 1] = word
  end
end
if #words ~= 4 then
  io.stderr:write("four words are needed\n\n", USAGE)
  os.exit(2)
end

local function connect()
  return smtp.connect { url = words[1], tls = clear and "none" or nil }
end

local function message_for(line)
  local who, err = smtp.address.parse(line)
  if not who then return nil, err end
  local fields = { name = who.name or who.address, address = who.address }
  return {
    from = words[2], to = { { name = who.name, address = who.address } }, subject = words[3],
    text = words[4]:gsub("{(%a+)}", fields) .. "\n",
  }
end

local client, lost = connect()
if not client then
  io.stderr:write("bulk: ", tostring(lost), "\n")
  os.exit(1)
end

local sent, failed = 0, {}
for input in io.lines() do
  local receipt
  local line = input:gsub("%s+$", "") -- the CR of Windows too
  if line == "" then goto next_line end
  local message, err = message_for(line)
  if message and client and not client:usable() then client, lost = connect() end
  if message and not client then
    err = lost
  elseif message then
    receipt, err = client:send(message)
  end
  if receipt then
    sent = sent + 1
  else
    failed[#failed + 1] = ("%s: %s"):format(line, tostring(err))
  end
  ::next_line::
end
if client and client:usable() then client:quit() end

print(("%d sent, %d failed"):format(sent, #failed))
for _, why in ipairs(failed) do print("  " .. why) end
os.exit(#failed == 0 and 0 or 1)
