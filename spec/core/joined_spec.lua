-- Client and server machines joined in memory: whole sessions, cut at each byte
-- in both directions. What both see must be the same however the bytes travel.
local core = require "smtp.core"
local cuts = require "spec.support.cuts"

local whole, one_byte, cut_at = cuts.whole, cuts.one_byte, cuts.at

local Session = {}
Session.__index = Session

function Session:note(...)
  self.log[#self.log + 1] = table.concat({ ... }, " ")
end

-- The server's events up to where it needs bytes; `verdicts` answers them.
local ASKS = { connect = true, helo = true, mail = true, rcpt = true, data = true,
  message = true, vrfy = true }

function Session:serve()
  local server = self.server
  while true do
    local event, value = server:next()
    if not event then return end
    if event == "body" then
      self.content[#self.content + 1] = server:content()
    else
      if event == "message" then
        self:note("S message", table.concat(self.content))
        self.content = {}
      else
        self:note("S", event, type(value) == "table" and value.address or value)
      end
      if ASKS[event] then
        server:decide(table.unpack(self.verdicts(event, value) or { "accept" }))
      end
    end
  end
end

function Session:replies()
  while true do
    local step, reply, sentence = self.client:next()
    if step == nil and reply == nil then return end
    if not step then
      self:note("C failed", reply, sentence)
      self.failed = true
      return
    end
    self:note("C", step, reply.code)
  end
end

-- Moves what waits, in pieces, until both are silent.
function Session:settle()
  local client, server = self.client, self.server
  repeat
    local moved = false
    local bytes = self.down(server:peek())
    if #bytes > 0 then
      moved = true
      server:sent(#bytes)
      client:feed(bytes)
      self:replies()
    end
    bytes = self.up(client:peek())
    if #bytes > 0 then
      moved = true
      client:sent(#bytes)
      server:feed(bytes)
      self.sent = self.sent + #bytes
    end
    self:serve()
  until not moved and #server:peek() == 0 and #client:peek() == 0
end

-- Submits a line; if replies must come first, waits for them.
function Session:submit(line)
  local function try()
    local verb, mailbox = line:match("^(%u+) <(.*)>$")
    if verb then return self.client:submit_path(verb, mailbox) end
    return self.client:submit(line:match("^(%S+) ?(.*)$"))
  end
  local ok, _, word = try()
  if not ok and word == "busy" then
    self:settle()
    ok, _, word = try()
  end
  if not ok then self:note("C refuses", line, word) end
end

-- Plays a script: lines, and "CONTENT text". Gives the log as one text.
local function play(script, verdicts, up, down, disable)
  local config = core.server_config { hostname = "mx.example" }
  local self = setmetatable({
    client = core.client(nil, disable), server = config:session(nil, 0), verdicts = verdicts,
    up = up, down = down, log = {}, content = {}, sent = 0,
  }, Session)
  self:serve()
  self:settle()
  for _, line in ipairs(script) do
    local content = line:match("^CONTENT (.*)$")
    if content then
      self:settle()
      local first = 1
      while self.client:usable() == false and first <= #content do
        local taken = self.client:body(content, first)
        if not taken then break end
        first = first + taken
        if first <= #content then self:settle() end
      end
      self.client:finish()
    else
      self:submit(line)
    end
  end
  self:settle()
  return self.log, self.sent
end

-- The parts of a log that belong to one side: their order among each other
-- depends on how bytes travel, each side's own does not.
local function side(log, letter)
  local list = {}
  for _, line in ipairs(log) do
    if line:sub(1, 1) == letter then list[#list + 1] = line end
  end
  return list
end

local function same_however_cut(script, verdicts, expected, disable)
  local log, n = play(script, verdicts, whole, whole, disable)
  local server, client = side(log, "S"), side(log, "C")
  assert.same(expected, client)
  local function again(up, down)
    local other = play(script, verdicts, up, down, disable)
    assert.same(client, side(other, "C"))
    assert.same(server, side(other, "S"))
  end
  again(one_byte, one_byte)
  again(one_byte, whole)
  again(whole, one_byte)
  for place = 1, n do again(cut_at(place), whole) end
  for place = 1, 400 do again(whole, cut_at(place)) end
  return server
end

local function all() return nil end

local SCRIPT = {
  "EHLO me.example", "MAIL <ada@a.example>", "RCPT <bob@b.example>", "RCPT <eve@b.example>",
  "DATA", "CONTENT Subject: hi\r\n\r\n.dot\r\n..\r\n.", "QUIT",
}

local REPLIES = {
  "C greeting 220", "C ehlo 250", "C mail 250", "C rcpt 250", "C rcpt 250", "C data 354",
  "C final 250", "C quit 221",
}

describe("client and server machines, joined", function()
  for _, disable in ipairs { {}, { PIPELINING = true } } do
    it("C059 carry a mail through, " .. (next(disable) and "one by one" or "pipelined"), function()
      local server = same_however_cut(SCRIPT, all, REPLIES, disable)
      assert.same({
        "S connect", "S helo me.example", "S mail ada@a.example", "S rcpt bob@b.example",
        "S rcpt eve@b.example", "S data", "S message Subject: hi\r\n\r\n.dot\r\n..\r\n.\r\n",
        "S close quit",
      }, server)
    end)
  end

  it("C012 give the content back as it was, with every line end mended", function()
    for content, seen in pairs {
      ["."] = ".\r\n", ["a\n.\nb"] = "a\r\n.\r\nb\r\n", ["\r\n.\r\n.\r\n"] = "\r\n.\r\n.\r\n",
      ["..\r\r\n."] = "..\r\n\r\n.\r\n", [("x\r\n."):rep(50)] = ("x\r\n."):rep(50) .. "\r\n",
    } do
      local script = { "HELO me", "MAIL <>", "RCPT <b@c>", "DATA", "CONTENT " .. content, "QUIT" }
      local server = same_however_cut(script, all, { "C greeting 220", "C ehlo 250",
        "C mail 250", "C rcpt 250", "C data 354", "C final 250", "C quit 221" })
      assert.equal("S message " .. seen, server[6])
    end
  end)

  it("C027 carry odd mailboxes over the wire and back", function()
    for text, seen in pairs {
      ['"a b"@c.example'] = '"a b"@c.example', ['"a\\@b"@c.example'] = '"a@b"@c.example',
      ['""@c.example'] = '""@c.example', ["a@[IPv6:::1]"] = "a@[IPv6:::1]",
      ["a+b=c@d.example"] = "a+b=c@d.example", ["A@B.Example"] = "A@B.Example",
    } do
      local script = { "EHLO me", "MAIL <" .. text .. ">", "RCPT <" .. text .. ">", "RSET", "QUIT" }
      local server = same_however_cut(script, all, { "C greeting 220", "C ehlo 250",
        "C mail 250", "C rcpt 250", "C rset 250", "C quit 221" })
      assert.same({ "S connect", "S helo me", "S mail " .. seen, "S rcpt " .. seen, "S reset",
        "S close quit" }, server)
    end
  end)

  it("C056 send no content where all recipients are refused", function()
    local function refuse(event) return event == "rcpt" and { "refuse" } end
    local replies = { "C greeting 220", "C ehlo 250", "C mail 250", "C rcpt 550", "C rcpt 550",
      "C data 503", "C quit 221" }
    local script = { table.unpack(SCRIPT) }
    table.remove(script, 6)
    same_however_cut(script, refuse, replies)
  end)

  it("C014 take a second mail after a refused one", function()
    local n = 0
    local function first_fails(event)
      if event == "connect" then n = 0 end
      if event ~= "message" then return nil end
      n = n + 1
      return n == 1 and { "reply", 452, "4.3.1 full" } or nil
    end
    local script = {
      "EHLO me", "MAIL <a@b>", "RCPT <c@d>", "DATA", "CONTENT 1", "MAIL <a@b>", "RCPT <c@d>",
      "DATA", "CONTENT 2", "QUIT",
    }
    local server = same_however_cut(script, first_fails, { "C greeting 220", "C ehlo 250",
      "C mail 250", "C rcpt 250", "C data 354", "C final 452", "C mail 250", "C rcpt 250",
      "C data 354", "C final 250", "C quit 221" })
    assert.same({ "S message 1\r\n", "S mail a@b", "S rcpt c@d", "S data", "S message 2\r\n" },
      { table.unpack(server, 6, 10) })
  end)

  it("C003 drop a transaction at EHLO, and keep the session at RSET", function()
    local script = { "EHLO me", "MAIL <a@b>", "RCPT <c@d>", "EHLO me", "MAIL <e@f>", "RSET",
      "MAIL <g@h>", "QUIT" }
    same_however_cut(script, all, { "C greeting 220", "C ehlo 250", "C mail 250", "C rcpt 250",
      "C ehlo 250", "C mail 250", "C rset 250", "C mail 250", "C quit 221" })
  end)

  it("C020 end together at a 421 to any command", function()
    for _, stage in ipairs { "helo", "mail", "rcpt", "data", "message" } do
      local function verdict(event)
        return event == stage and { "reply", 421, "4.3.2 down" } or nil
      end
      local log = play({ "EHLO me", "MAIL <a@b>", "RCPT <c@d>", "DATA", "CONTENT x", "QUIT" },
        verdict, one_byte, one_byte, { PIPELINING = true })
      local client = side(log, "C")
      local last = { helo = "ehlo", message = "final" }
      local found = false
      for _, line in ipairs(client) do
        found = found or line == "C " .. (last[stage] or stage) .. " 421"
      end
      assert.is_true(found, stage)
      assert.equal("C refuses QUIT state", client[#client])
    end
  end)

  it("C019 read replies of several lines from any handler's text", function()
    local function wordy(event)
      return event == "mail" and { "reply", 250, "2.1.0 one\n2.1.0 two" } or nil
    end
    same_however_cut({ "EHLO me", "MAIL <a@b>", "QUIT" }, wordy,
      { "C greeting 220", "C ehlo 250", "C mail 250", "C quit 221" })
  end)

  it("C059 carry 500 recipients in one flight", function()
    local script = { "EHLO me", "MAIL <a@b>" }
    for i = 1, 500 do script[#script + 1] = ("RCPT <r%d@example.org>"):format(i) end
    script[#script + 1] = "DATA"
    script[#script + 1] = "CONTENT x"
    local log = play(script, all, whole, whole)
    local client = side(log, "C")
    assert.equal(505, #client)
    assert.equal("C final 250", client[505])
    for i = 4, 503 do assert.equal("C rcpt 250", client[i]) end
    assert.same(client, side(play(script, all, one_byte, one_byte), "C"))
  end)
end)
