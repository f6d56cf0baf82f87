-- A connection that is cut at every byte of a window of messages, of what the client says
-- and of what the server does: what the client tells of each message is held against what
-- the server has.
local scripted = require "spec.support.scripted"
local smtp = require "smtp"

local Mortal = {}
Mortal.__index = Mortal

local CUT = {}

-- Takes and says no more bytes than it has left.
function Mortal:fill()
  local before = #self.connection.buffer
  if self.takes == 0 or not self.connection:fill(self.takes) then error(CUT, 0) end
  self.takes = self.takes - (#self.connection.buffer - before)
end

function Mortal:bytes(n)
  local connection = self.connection
  while #connection.buffer < n do self:fill() end
  local bytes = connection.buffer:sub(1, n)
  connection.buffer = connection.buffer:sub(n + 1)
  return bytes
end

function Mortal:up_to(mark)
  while not self.connection.buffer:find(mark, 1, true) do self:fill() end
  local _, last = self.connection.buffer:find(mark, 1, true)
  return self:bytes(last)
end

function Mortal:say(text)
  local bytes = text .. "\r\n"
  self.connection:say(bytes:sub(1, self.says))
  if self.says < #bytes then error(CUT, 0) end
  self.says = self.says - #bytes
end

-- The content is here: the message is kept before a word is said of it.
function Mortal:keep()
  local to, has, replies = self.to, {}, {}
  if #to == 0 then return self:say("554 nobody") end
  for i, mailbox in ipairs(to) do
    local ok = not mailbox:find("^full") and not self.sender:find("^spam")
    if ok then has[#has + 1] = mailbox end
    replies[i] = ok and "250 kept" or "452 no"
  end
  if not self.lmtp then
    has, replies = self.sender:find("^spam") and {} or to, { replies[1] }
  end
  self.kept[self.sender] = has
  for _, reply in ipairs(replies) do self:say(reply) end
  self.sender, self.to = nil, {}
end

local verbs = {}

function verbs:MAIL(line)
  if self.sender then return self:say("503 nested") end
  self.sender = line:match("<(.-)>")
  self:say("250 a")
end

function verbs:RCPT(line)
  local mailbox = line:match("<(.-)>")
  if mailbox:find("^nobody") then return self:say("550 b") end
  table.insert(self.to, mailbox)
  self:say("250 b")
end

function verbs:DATA()
  if #self.to == 0 then return self:say("554 nobody") end
  self:say("354 c")
  self:up_to("\r\n.\r\n")
  self:keep()
end

function verbs:BDAT(line)
  self:bytes(math.tointeger(line:match("%d+")))
  if #self.to == 0 then return self:say("503 nobody") end
  if not line:find("LAST") then return self:say("250 chunk") end
  self:keep()
end

function verbs:RSET()
  self.sender, self.to = nil, {}
  self:say("250 r")
end

-- A step: a server that begins at MAIL, takes and says so many bytes, and is cut.
local function mortal(flavour, takes, says, kept)
  return function(connection)
    local self = setmetatable({ connection = connection, takes = takes, says = says, kept = kept,
      lmtp = flavour.lmtp, to = {} }, Mortal)
    local ok, why = pcall(function()
      while true do
        local line = self:up_to("\r\n")
        verbs[line:match("^%u+")](self, line)
      end
    end)
    assert(not ok and why == CUT, why)
    connection:leave(flavour.how or "close")
    return false
  end
end

local CONTENT = "Subject: x\r\n\r\n.dot\r\n"

local LIST = {
  { "ada@a.example", { "b@b.example", "c@b.example" } },
  { "bea@a.example", { "nobody@b.example", "d@b.example", "full@b.example" } },
  { "spam@a.example", { "b@b.example" } },
  { "eve@a.example", { "nobody@b.example" } },
  { "fay@a.example", { "e@b.example", "e@b.example" } },
}

-- Sends them; what is told of each, by its sender.
local function send(flavour, takes, says)
  local kept, told = {}, {}
  local steps = scripted.hello(table.unpack(flavour))
  if flavour.lmtp then steps[2] = "C LHLO" end
  steps[#steps + 1] = mortal(flavour, takes, says, kept)
  local server <close> = scripted.server(steps)
  local scheme = flavour.lmtp and "lmtp" or "smtp"
  local client <close> = assert(smtp.connect {
    url = server.url:gsub("^smtp", scheme), timeout = 5 })
  local list = {}
  for i, one in ipairs(LIST) do
    list[i] = { envelope = { from = one[1], to = one[2] }, raw = CONTENT }
  end
  for i, receipt, err in client:send_all(list) do
    told[LIST[i][1]] = { receipt = receipt, err = err }
  end
  client:close()
  assert.is_nil(server:done())
  return told, kept
end

-- Whether what was told of a message is not against what the server has.
local function is_true(told, has)
  local err = told.err
  if not err then return table.concat(told.receipt.accepted, " ") == table.concat(has, " ") end
  if err.outcome == "not_sent" then return #has == 0 end
  if err.outcome == "unknown" then return true end
  local all = " " .. table.concat(has, " ") .. " "
  for _, mailbox in ipairs(err.accepted) do
    if not all:find(" " .. mailbox .. " ", 1, true) then return false end
  end
  return err.outcome == "partial" and #err.accepted > 0
end

local function check(flavour, takes, says)
  local told, kept = send(flavour, takes, says)
  local count = { receipts = 0, not_sent = 0, unknown = 0, partial = 0 }
  for i, one in ipairs(LIST) do
    local its = told[one[1]]
    assert(is_true(its, kept[one[1]] or {}), ("message %d, cut at %d, %d: %s"):format(i, takes,
      says, its.err and its.err.outcome .. " " .. tostring(its.err) or "accepted"))
    local name = its.receipt and "receipts" or its.err.outcome
    count[name] = count[name] + 1
  end
  return count
end

-- At every byte up to where nothing is cut any more, by a close and an abort in turns; how
-- often there was which outcome.
local function each_cut(flavour, place)
  local sum, at = { receipts = 0, not_sent = 0, unknown = 0, partial = 0 }, 0
  repeat
    flavour.how = at % 2 == 0 and "close" or "abort"
    local count = check(flavour, place(at))
    for name, n in pairs(count) do sum[name] = sum[name] + n end
    at = at + 1
  until count.receipts == 3 or at > 5000
  assert.is_true(at < 5000)
  assert.is_true(sum.receipts > 0 and sum.not_sent > 0 and sum.unknown > 0)
  return sum
end

describe("a window of messages that is cut", function()
  for name, flavour in pairs {
    ["in chunks"] = { "PIPELINING", "CHUNKING" },
    ["by DATA"] = { "PIPELINING" },
    ["one command at a time"] = { "8BITMIME" },
    ["by LMTP in chunks"] = { "PIPELINING", "CHUNKING", lmtp = true },
    ["by LMTP"] = { "PIPELINING", lmtp = true },
  } do
    it(name .. ", is told of truly at each byte the server says", function()
      local sum = each_cut(flavour, function(at) return 1000000, at end)
      assert.equal(flavour.lmtp or false, sum.partial > 0)
    end)

    it(name .. ", is told of truly at each byte the client says", function()
      each_cut(flavour, function(at) return at, 1000000 end)
    end)
  end
end)
