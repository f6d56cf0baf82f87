-- Plays transcripts against the core server, in memory:
--
--   server_player.play([[
--     S: 220 mx.example Service ready
--     C: QUIT
--     S: 221 2.0.0 Goodbye
--     S: (closed)
--   ]], options)
--
-- Lines of "C:" that follow each other are one segment; "C>" adds no CRLF. "\r", "\n", "\0",
-- "\xHH" and "\\" are escapes in all lines. "..." at the end of an "S:" line stands for any
-- text. "C! eof" ends the client's stream.
--
-- Every transcript is played whole, byte by byte, and once for each place where a segment can be
-- cut in two. Replies and events must be equal each time. If the server judges bytes by their
-- arrival together, set options.cut = false.
--
-- options: config (of core.server_config), verdicts, keys (results of a look-up, by user), tls
-- (arguments of `secured`, which is called at once after STARTTLS), trust (arguments of `trust`),
-- cut, step (the distance of the cuts, for long transcripts). A verdict is "accept",
-- { "reply", 550, "text" }, or a function that takes the event and returns the arguments of
-- decide. A list of verdicts serves one event after the other; its last one stays.
local core = require "smtp.core"

local M = {}

local Player = {}
Player.__index = Player

-- ---- a session by hand ------------------------------------------------------

local function configure(config)
  local all = { hostname = "mx.example" }
  for key, value in pairs(config or {}) do all[key] = value end
  return core.server_config(all)
end

--- A session with the answers in options.verdicts: feed, output, log.
function M.session(options)
  options = options or {}
  local self = setmetatable({ log = {}, verdicts = options.verdicts or {}, asked = {},
    keys = options.keys or {}, tls = options.tls }, Player)
  self.config = configure(options.config)
  self.core = self.config:session(nil, 0)
  self.now = 0
  if options.trust then self.core:trust(table.unpack(options.trust)) end
  if options.implicit then self.core:secured(table.unpack(options.implicit)) end
  self:turn()
  return self
end

local function verdict(self, name, ...)
  local one = self.verdicts[name]
  if type(one) == "table" and one[1] ~= "reply" then
    local n = math.min((self.asked[name] or 0) + 1, #one)
    self.asked[name] = n
    one = one[n]
  end
  if type(one) == "function" then return one(...) end
  if type(one) == "table" then return table.unpack(one) end
  return one or "accept"
end

local ASKS = { connect = true, helo = true, mail = true, rcpt = true, data = true,
  message = true, vrfy = true, auth = true, command = true, verb = true }

-- One entry for content, however it is cut.
local function note(self, name, ...)
  local last = self.log[#self.log]
  if name == "body" then
    local content = self.core:content()
    if last and last[1] == "body" then
      last[2] = last[2] .. content
    else
      table.insert(self.log, { "body", content })
    end
  else
    -- How much of a refused message was handed out depends on the cut.
    if name == "message" and select(2, ...) and last[1] == "body" then
      table.remove(self.log)
    end
    table.insert(self.log, { name, ... })
  end
end

--- Takes all events, and gives each its verdict.
function Player:turn()
  while true do
    local event = table.pack(self.core:next())
    local name = event[1]
    if not name then return self end
    note(self, table.unpack(event, 1, event.n))
    if name == "close" then self.closed = event[2] end
    if name == "starttls" and self.tls then self.core:secured(table.unpack(self.tls)) end
    if name == "lookup" then self.core:lookup(self.keys[event[2].user]) end
    for _ = 1, ASKS[name] and (name == "message" and event[5] or 1) or 0 do
      self.core:decide(verdict(self, table.unpack(event, 1, event.n)))
    end
  end
end

function Player:feed(bytes)
  self.core:feed(bytes)
  return self:turn()
end

--- Takes the output so far; it counts as sent.
function Player:output()
  local bytes = self.core:peek()
  self.core:sent(#bytes)
  self:turn() -- some events come after the last byte of output
  return bytes
end

--- Sets the clock, and ticks if the deadline has passed; returns the output.
function Player:at(now)
  local due = self.core:deadline()
  if due and due <= now then self.core:tick(now) end
  self.core:clock(now)
  self:turn()
  return self:output()
end

--- Sends a line; returns the reply.
function Player:cmd(line)
  return self:feed(line .. "\r\n"):output()
end

--- The names of the events so far.
function Player:names()
  local list = {}
  for i, entry in ipairs(self.log) do list[i] = entry[1] end
  return list
end

--- The entries of one name.
function Player:events(name)
  local list = {}
  for _, entry in ipairs(self.log) do
    if entry[1] == name then list[#list + 1] = entry end
  end
  return list
end

-- ---- transcripts ------------------------------------------------------------

local ESCAPES = { r = "\r", n = "\n", t = "\t", ["0"] = "\0", ["\\"] = "\\" }

local function unescape(text)
  return (text:gsub("\\(.)(%x?%x?)", function(c, hex)
    if c == "x" then return string.char(tonumber(hex, 16)) end
    return (ESCAPES[c] or error("bad escape \\" .. c)) .. hex
  end))
end

-- The steps: { send = bytes }, { eof = true }, { expect = { lines } }.
local function parse(text)
  local steps = {}
  local function last(key, make)
    local step = steps[#steps]
    if not step or not step[key] then
      step = { [key] = make }
      steps[#steps + 1] = step
    end
    return step
  end
  for line in text:gmatch("[^\n]+") do
    local side, rest = line:match("^%s*([CS][:>!]) ?(.*)$")
    if side == "C:" or side == "C>" then
      local step = last("send", "")
      step.send = step.send .. unescape(rest) .. (side == "C:" and "\r\n" or "")
    elseif side == "C!" then
      steps[#steps + 1] = { eof = true }
    elseif side == "S:" then
      local step = last("expect", {})
      table.insert(step.expect, rest)
    elseif line:match("%S") then
      error("bad line in a transcript: " .. line)
    end
  end
  return steps
end

-- The lines of the output. "(closed)" follows them if the session has ended.
local function lines_of(self)
  local list = {}
  local bytes = self:output()
  assert(bytes == "" or bytes:sub(-2) == "\r\n", "a reply without CRLF")
  for line in bytes:gmatch("(.-)\r\n") do list[#list + 1] = line end
  if self.closed and not self.told then
    self.told = true
    list[#list + 1] = "(closed)"
  end
  return list
end

local function matches(line, expected)
  local head = expected:match("^(.*)%.%.%.$")
  if head then return line:sub(1, #head) == head end
  return line == unescape(expected)
end

local function compare(got, expected, where)
  local same = #got == #expected
  for i = 1, #expected do same = same and matches(got[i], expected[i]) end
  if same then return end
  error(("%s\nexpected:\n  %s\ngot:\n  %s"):format(where,
    table.concat(expected, "\n  "), table.concat(got, "\n  ")), 0)
end

-- The replies to the pieces of a segment are collected until the next step with "S:" lines.
local function run(steps, options, split, name)
  local self = M.session(options)
  local got, at = {}, 0
  local function collect()
    for _, line in ipairs(lines_of(self)) do got[#got + 1] = line end
  end
  collect()
  for i, step in ipairs(steps) do
    if step.send then
      for piece in split(step.send, at) do
        self:feed(piece)
        collect()
      end
      at = at + #step.send
    elseif step.eof then
      self.core:eof()
      self:turn()
      collect()
    else
      compare(got, step.expect, ("%s, step %d:"):format(name, i))
      got = {}
    end
  end
  compare(got, {}, name .. ", at the end:")
  return self
end

local function whole(bytes)
  return bytes:gmatch(".+")
end

local function each(bytes)
  return bytes:gmatch(".")
end

-- Cuts before byte number k of the whole input.
local function cut_at(k)
  return function(bytes, at)
    if k <= at or k >= at + #bytes then return whole(bytes) end
    local pieces = { bytes:sub(1, k - at), bytes:sub(k - at + 1) }
    local i = 0
    return function()
      i = i + 1
      return pieces[i]
    end
  end
end

local function total(steps)
  local n = 0
  for _, step in ipairs(steps) do n = n + (step.send and #step.send or 0) end
  return n
end

-- A deep comparison, without the cost of luassert.
local function same(a, b)
  if a == b then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

--- Plays a transcript in every cut; returns the session without a cut.
function M.play(text, options)
  options = options or {}
  local steps = parse(text)
  local first = run(steps, options, whole, "whole")
  if options.cut == false then return first end
  local function again(split, name)
    local other = run(steps, options, split, name)
    if not same(first.log, other.log) then
      require("luassert").same(first.log, other.log, name)
    end
  end
  again(each, "byte by byte")
  for k = 1, total(steps) - 1, options.step or 1 do again(cut_at(k), "cut at " .. k) end
  return first
end

--- The start of most transcripts, up to EHLO or HELO.
M.GREETING = "S: 220 mx.example Service ready\n"
M.HELO = M.GREETING .. "C: HELO client.code.energy\nS: 250 mx.example\n"

--- EHLO and its reply, where these lines stand behind 8BITMIME.
function M.offers(...)
  local lines = { "mx.example", "PIPELINING", "SIZE 36700160", "8BITMIME", ... }
  return "C: EHLO client.code.energy\nS: 250-"
    .. table.concat(lines, "\nS: 250-", 1, #lines - 1) .. "\nS: 250 " .. lines[#lines] .. "\n"
end

--- A session as far as EHLO, without TLS, where these lines are offered besides.
function M.ehlo(...) return M.GREETING .. M.offers("ENHANCEDSTATUSCODES", ...) end

M.EHLO = M.ehlo()
M.MAIL = M.EHLO .. "C: MAIL FROM:<ada@code.energy>\nS: 250 2.1.0 Sender OK\n"
M.RCPT = M.MAIL .. "C: RCPT TO:<charles@example.com>\nS: 250 2.1.5 Recipient OK\n"
M.DATA = M.RCPT .. "C: DATA\nS: 354 Send the message, end with <CRLF>.<CRLF>\n"

return M
