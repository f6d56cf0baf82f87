-- SPDX-License-Identifier: MIT
-- Probes a server and prints what it says. No message is sent: the transaction that
-- is begun is reset before DATA.
local smtp = require "smtp"

local USAGE = [=[
usage: lua dialogue.lua TARGET [FROM [TO]]

  TARGET  host, host:port, smtp://host:port or smtp+unix:///path
  FROM    the sender to ask about; default "", the null path
  TO      the recipient to ask about; default postmaster
]=]

local function usage(complaint)
  io.stderr:write(complaint, "\n\n", USAGE)
  os.exit(2)
end

local target, from, to = arg[1], arg[2] or "", arg[3] or "postmaster"
if target == "--help" then
  io.write(USAGE)
  os.exit(0)
elseif not target then
  usage("a target is needed")
elseif target:find("^%-") then
  usage("unknown option " .. target)
elseif arg[4] then
  usage("too many arguments")
end

-- Prints each line as it comes; controls do not belong on a terminal.
local function trace(side, line)
  print(side .. ": " .. line:gsub("[%c\127-\255]", function(c)
    return ("\\x%02x"):format(c:byte())
  end))
end

-- Ends the program with the reason why there is no reply.
local function check(reply, err)
  if reply then return reply end
  io.stderr:write("dialogue: ", tostring(err), "\n")
  os.exit(1)
end

local function verdict(reply)
  local words = { [2] = "accepted", [4] = "refused for now", [5] = "refused" }
  return words[reply.code // 100] or "answered " .. reply.code
end

local opened, err = smtp.dialogue(target, { timeout = 10, trace = trace })
if not opened and err.kind == "invalid" then usage(tostring(err)) end
local d <close> = check(opened, err)
check(d:expect("2xx"))

local offers = {}
local ehlo = check(d:cmd("EHLO client.example"))
for i = 2, #ehlo.lines do offers[#offers + 1] = ehlo.lines[i]:match("^%S+") end
if ehlo.code >= 500 then check(d:cmd("HELO client.example", "2xx")) end

check(d:cmd("NOOP"))
local vrfy = check(d:cmd("VRFY postmaster"))
local early = check(d:cmd("DATA")) -- out of order: only a server that is wrong says 354
local unknown = check(d:cmd("XYZZY"))
local sender = check(d:cmd("MAIL FROM:<" .. from .. ">"))
local recipient = check(d:cmd("RCPT TO:<" .. to .. ">"))
check(d:cmd("RSET"))
check(d:cmd("QUIT"))
local closed = d:closed()

print()
print("offers         " .. (#offers > 0 and table.concat(offers, " ") or "nothing"))
print("VRFY           " .. vrfy.code)
print("DATA too early " .. early.code)
print("unknown verb   " .. unknown.code)
print("sender         " .. verdict(sender))
print("recipient      " .. verdict(recipient))
print("after QUIT     " .. (closed and "closed" or "did not close"))
