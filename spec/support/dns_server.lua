-- A name server that says what a file tells it to, in a process of its own: UDP at a
-- free port, which it prints, of 127.0.0.1 or the address in the second argument. Each
-- line of the file is a key, "name/type", and the hex of all that stands behind the ID of
-- the answer; "drop": nothing is said until a later question comes when the file says
-- something else. The file is read anew for each question. What is not in it does not exist.
-- Each question is printed.
local socket = require "socket"

local path, here = arg[1], arg[2] or "127.0.0.1"
local udp = assert(here:find(":", 1, true) and socket.udp6() or socket.udp())
assert(udp:setsockname(here, 0))
io.stdout:setvbuf("line")
print((select(2, udp:getsockname())))

-- The key of a question, and where it ends.
local function key_of(packet)
  local at, labels = 13, {}
  while true do
    local n = packet:byte(at)
    if n == 0 then break end
    labels[#labels + 1] = packet:sub(at + 1, at + n)
    at = at + n + 1
  end
  return table.concat(labels, "."):lower() .. "/" .. string.unpack(">I2", packet, at + 1), at + 4
end

local function answer_to(key)
  for line in io.lines(path) do
    local name, hex = line:match("^(%S+) (%S+)$")
    if name == key then return hex end
  end
end

-- Whether a question has its answer.
local function answer(question)
  local packet, host, port = table.unpack(question)
  local key, last = key_of(packet)
  local hex = answer_to(key)
  if hex == "drop" then return false end
  local behind = "\x81\x83\0\1\0\0\0\0\0\0" .. packet:sub(13, last)
  if hex then behind = hex:gsub("%x%x", function(two) return string.char(tonumber(two, 16)) end) end
  udp:sendto(packet:sub(1, 2) .. behind, host, port)
  return true
end

local open = {}
while true do
  local question = { udp:receivefrom() }
  print((key_of(question[1])))
  local left = {}
  open[#open + 1] = question
  for _, one in ipairs(open) do
    if not answer(one) then left[#left + 1] = one end
  end
  open = left
end
