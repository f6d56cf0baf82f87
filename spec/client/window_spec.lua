-- Peers that take everything in one segment, in single bytes, or through a window that is
-- as small as the system has it: nobody waits for whom waits for him, and replies come in
-- the order of their commands.
local loop = require "smtp.loop"
local scripted = require "spec.support.scripted"
local probe = require "probe"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local MANY = 500
local PATIENCE = 20 -- seconds until what should happen is given up

local function mailbox(i) return ("r%03d@b.example"):format(i) end

-- 500 recipients and DATA.
local function group()
  local lines = { "MAIL FROM:<ada@a.example>" }
  for i = 1, MANY do lines[#lines + 1] = "RCPT TO:<" .. mailbox(i) .. ">" end
  lines[#lines + 1] = "DATA\r\n"
  return table.concat(lines, "\r\n")
end

-- The replies of a server, with this text behind each recipient.
local function expected(text)
  local lines = { "250 2.1.0 Sender OK" }
  for i = 1, MANY do lines[#lines + 1] = ("250 2.1.5 %s%s"):format(mailbox(i), text) end
  lines[#lines + 1] = "354 Send the message, end with <CRLF>.<CRLF>\r\n"
  return table.concat(lines, "\r\n")
end

-- Its replies to the group are about 64 KiB.
local LONG = ("x"):rep(100)

local function start(text)
  local kept = {}
  local server = serve.start { limits = { idle_timeout = PATIENCE },
    on_rcpt = function(_, recipient) return recipient.address .. text end,
    on_message = function(_, message)
      kept[#kept + 1] = { #message.recipients, message:read() }
      return true
    end }
  return server, kept
end

-- ---- a narrow peer -------------------------------------------------------------

local Narrow = {}
Narrow.__index = Narrow

local function narrow(socket) return setmetatable({ socket = socket, held = "" }, Narrow) end

local function wait(socket, events)
  assert(loop.wait(socket, events, PATIENCE), "a dead-lock")
end

function Narrow:send(bytes)
  local first = 1
  while first <= #bytes do
    local n = self.socket:send(bytes, first)
    assert(n ~= nil, "it was closed")
    if n then first = first + n else wait(self.socket, "w") end
  end
end

-- One byte more; false at the end.
function Narrow:byte()
  local byte = self.socket:recv(1)
  while byte == false do
    wait(self.socket, "r")
    byte = self.socket:recv(1)
  end
  return byte and byte ~= "" and byte
end

-- So many bytes, one by one.
function Narrow:take(n)
  local list = {}
  for i = 1, n do list[i] = assert(self:byte(), "it was closed") end
  return table.concat(list)
end

-- A line without its CRLF; nil at the end.
function Narrow:line()
  local list = {}
  while true do
    local byte = self:byte()
    if not byte then return nil end
    list[#list + 1] = byte
    if byte == "\n" then return (table.concat(list):gsub("\r\n$", "")) end
  end
end

function Narrow:close()
  loop.forget(self.socket)
  self.socket:close()
end

Narrow.__close = Narrow.close

describe("a server", function()
  it("C057 C058 answers 500 recipients and DATA of one segment", function()
    for _, text in ipairs { "", LONG } do
      local server <close>, kept = start(text)
      local one <close> = serve.connect(server)
      assert.matches("^220", one:reply())
      one:cmd("EHLO x")
      one:send(group())
      local replies = {}
      for i = 1, MANY + 2 do replies[i] = one:reply() end
      assert.equal(expected(text), table.concat(replies, "\r\n") .. "\r\n")
      assert.equal("250 2.0.0 Message accepted", one:content("x\r\n"))
      assert.same({ { MANY, "x\r\n" } }, kept)
    end
  end)

  it("C057 answers the same of single bytes", function()
    local server <close>, kept = start("")
    local one <close> = serve.connect(server)
    assert.matches("^220", one:reply())
    one:cmd("EHLO x")
    for byte in group():gmatch(".") do one:send(byte) end
    local replies = {}
    for i = 1, MANY + 2 do replies[i] = one:reply() end
    assert.equal(expected(""), table.concat(replies, "\r\n") .. "\r\n")
    for byte in ("Subject: x\r\n\r\nx\r\n.\r\n"):gmatch(".") do one:send(byte) end
    assert.equal("250 2.0.0 Message accepted", one:reply())
    assert.same({ { MANY, "Subject: x\r\n\r\nx\r\n" } }, kept)
  end)

  it("C057 waits for whom reads byte by byte through the smallest window", function()
    local server <close>, kept = start(LONG)
    local one <close> = narrow(probe.narrow(server.port))
    assert.is_true(one.socket:room() < 8192)
    assert.matches("^220", one:line())
    one:send("EHLO x\r\n")
    repeat local line = one:line() until line:find("^250 ")
    -- It writes all before it reads, so that the server's replies have nowhere to go.
    one:send(group())
    local wanted = expected(LONG)
    assert.is_true(#wanted > 60000)
    assert.equal(wanted, one:take(#wanted))
    local content = ("0123456789\r\n"):rep(2000)
    one:send(content .. ".\r\n")
    assert.equal("250 2.0.0 Message accepted", one:line())
    one:send("QUIT\r\n")
    assert.equal("221 2.0.0 Goodbye", one:line())
    assert.is_false(one:byte())
    assert.same({ { MANY, content } }, kept)
  end)

  it("C057 does so for chunks that follow their envelope at once", function()
    local server <close>, kept = start(LONG)
    local one <close> = narrow(probe.narrow(server.port))
    one:line()
    one:send("EHLO x\r\n")
    repeat local line = one:line() until line:find("^250 ")
    local envelope, chunks = group():gsub("DATA\r\n$", ""), ("BDAT 1\r\nx"):rep(500)
    one:send(envelope .. chunks .. "BDAT 0 LAST\r\n")
    local wanted = expected(LONG):gsub("354 .*$", "") ..
      ("250 2.0.0 Chunk received\r\n"):rep(500) .. "250 2.0.0 Message accepted\r\n"
    assert.equal(wanted, one:take(#wanted))
    assert.same({ { MANY, ("x"):rep(500) } }, kept)
  end)
end)

describe("a client", function()
  -- A server that does one thing after the other: it reads a byte at a time, and while its
  -- reply is not written it does not read.
  local function serve_narrow(offer, last)
    local listener = probe.narrow()
    local seen = { port = listener:port() }
    local function session()
      local socket = listener:accept()
      while socket == false do
        wait(listener, "r")
        socket = listener:accept()
      end
      local one <close> = narrow(socket)
      one:send("220 mx\r\n")
      for line in function() return one:line() end do
        seen[#seen + 1] = line
        local verb = line:match("^%a+")
        if verb == "EHLO" then
          one:send("250-mx\r\n" .. offer)
        elseif verb == "DATA" then
          one:send("354 go\r\n")
          local content = {}
          repeat
            content[#content + 1] = one:line()
          until content[#content] == "."
          seen.content = table.concat(content, "\r\n", 1, #content - 1) .. "\r\n"
          one:send("250 kept\r\n")
        elseif verb == "BDAT" then
          seen.content = (seen.content or "") .. one:take(tonumber(line:match("%d+")))
          one:send("250 " .. (line:find("LAST$") and "kept" or "more") .. "\r\n")
        else
          local said = line:match("<(.*)>")
          one:send(("250 %s %s\r\n"):format(said or "bye", last))
          if verb == "QUIT" then break end
        end
      end
      seen.done = true
    end
    loop.spawn(session)
    return seen, setmetatable({}, { __close = function()
      loop.forget(listener)
      listener:close()
    end })
  end

  for name, offer in pairs { DATA = "250 PIPELINING\r\n",
    BDAT = "250-PIPELINING\r\n250 CHUNKING\r\n" } do
    it("C057 sends to whom reads byte by byte through the smallest window, by " .. name, function()
      local seen, _ <close> = serve_narrow(offer, LONG)
      local to = {}
      for i = 1, MANY do to[i] = mailbox(i) end
      local content = ("0123456789\r\n"):rep(10000)
      local client <close> = assert(smtp.connect { url = "smtp://127.0.0.1:" .. seen.port,
        tls = "none", timeout = PATIENCE })
      local receipt = assert(client:send { envelope = { from = "ada@a.example", to = to },
        raw = content })
      assert.equal("kept", receipt.text)
      assert.same(to, receipt.accepted)
      assert.is_true(content == seen.content)
      assert(client:quit())
      serve.wait(function() return seen.done end)
    end)
  end

  it("C057 reads 64 KiB of replies that come byte by byte, in order", function()
    local replies, to = { "250 sender\r\n" }, {}
    for i = 1, MANY do
      to[i] = mailbox(i)
      local refused = i % 7 == 0
      replies[i + 1] = ("%d %s %s\r\n"):format(refused and 550 or 250, to[i], LONG)
    end
    replies[MANY + 2] = "354 go\r\n"
    local all = table.concat(replies)
    local steps = { "C MAIL" }
    for i = 1, MANY do steps[i + 1] = "C RCPT" end
    local server <close> = scripted.server(scripted.script(scripted.hello("PIPELINING"), steps,
      "C DATA", function(c)
        for byte in all:gmatch(".") do c:say(byte) end
      end, "BODY", "S 250 kept", "C QUIT", "S 221 bye"))
    local receipt = assert(smtp.send(server.url, { envelope = { from = "ada@a.example", to = to },
      raw = "x\r\n" }))
    assert.is_nil(server:done())
    assert.equal(MANY // 7, #receipt.rejected)
    for i, refused in ipairs(receipt.rejected) do
      assert.same({ to[i * 7], to[i * 7] .. " " .. LONG }, { refused.address, refused.text })
    end
  end)
end)
