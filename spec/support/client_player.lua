-- Plays transcripts against the core client, in memory. `each_cut` plays one whole, byte by
-- byte, and cut in two at each byte of the server. The events must be equal each time.
local core = require "smtp.core"

local M = {}

-- How the bytes of the server are cut, by their place in the whole stream.
local function whole() return false end
local function everywhere() return true end
local function at(place)
  return function(i) return i == place end
end

local Player = {}
Player.__index = Player

-- A failure is nil, its text and its word.
local function event_text(step, reply, word)
  if not step then return word .. ": " .. reply end
  local status = reply.enhanced and reply.enhanced .. " " or ""
  return ("%s %d %s%s"):format(step, reply.code, status, reply.text):gsub(" $", "")
end

function Player:drain()
  while not self.failed do
    local step, reply, word = self.client:next()
    if step == nil and reply == nil then return end
    self.failed = not step
    self.events[#self.events + 1] = event_text(step, reply, word)
  end
end

--- Feeds bytes of the server; returns the events, joined by " | ".
function Player:hear(bytes)
  local from = 1
  self.events = {}
  for i = 1, #bytes do
    self.heard = self.heard + 1
    if i == #bytes or self.cut(self.heard) then
      self.client:feed(bytes:sub(from, i))
      self:drain()
      from = i + 1
    end
  end
  return table.concat(self.events, " | ")
end

--- Feeds bytes of the server that are out of step. Without a cut the client reports no reply;
-- with one it reports the `events` before the cut.
function Player:stray(bytes, events, why)
  local seen, prefix, ok = self:hear(bytes), "", false
  local breach = "protocol: a reply " .. why
  local all = self.cut == whole and {} or events
  for i = 0, #all do
    if i > 0 then prefix = prefix .. all[i] .. " | " end
    ok = ok or seen == prefix .. breach
  end
  assert(ok, seen)
  assert(not self.client:usable() and not self.client:in_step())
end

--- Ends the stream; returns the events.
function Player:eof()
  self.events = {}
  self.client:eof()
  self:drain()
  return table.concat(self.events, " | ")
end

--- Writes all queued bytes; one at a time if the transcript is cut at every byte.
function Player:wrote()
  local client, parts = self.client, {}
  while client:pending() > 0 do
    local bytes = client:peek()
    if self.cut == everywhere and #bytes < 4096 then bytes = bytes:sub(1, 1) end
    parts[#parts + 1] = bytes
    client:sent(#bytes)
  end
  return table.concat(parts)
end

--- Submits a command line.
function Player:submit(line)
  return self.client:submit(line:match("^(%S*) ?(.*)$"))
end

--- Submits and writes lines, one after the other; raises if one is refused.
function Player:say(...)
  local lines = {}
  for _, line in ipairs { ... } do
    local verb, mailbox = line:match("^(%u+) %u+:<(.*)>$")
    if verb == "MAIL" or verb == "RCPT" then
      assert(self.client:submit_path(verb, mailbox))
    else
      assert(self:submit(line))
    end
    lines[#lines + 1] = line .. "\r\n"
  end
  assert(self:wrote() == table.concat(lines), "other bytes than the lines were queued")
end

--- Plays the greeting and EHLO, with an offer of these keywords.
function Player:begin(...)
  assert(self:hear("220 mx\r\n") == "greeting 220 mx")
  self:say("EHLO me.example")
  local lines = { "mx", ... }
  for i, line in ipairs(lines) do
    lines[i] = "250" .. (i < #lines and "-" or " ") .. line .. "\r\n"
  end
  local seen = self:hear(table.concat(lines))
  assert(seen == "ehlo 250 " .. table.concat({ "mx", ... }, "\n"), seen)
end

local function play(cut, config, script)
  local one = setmetatable({
    client = core.client(nil, config.disable, config.strict_body), cut = cut, heard = 0,
  }, Player)
  script(one)
  one.client:close()
  return one.heard
end

--- Runs script(player) for each cut. config: disable, strict_body.
function M.each_cut(config, script)
  local n = play(whole, config, script)
  play(everywhere, config, script)
  for i = 1, math.min(n, 400) do play(at(i), config, script) end
end

return M
