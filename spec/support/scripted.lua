-- A scripted SMTP server on loopback, as a task of the loop. The script has the lines that
-- the client must send, and the replies. The server speaks plain bytes, and so it can break
-- every rule.
--
--   local server <close> = scripted.server {
--     "S 220 mx", "C EHLO", "S 250 mx", "C QUIT", "S 221 bye" }
--   server.url; server.lines (the lines of the client); server:done() (waits for the end)
--
-- Steps: "S text" sends a line. "C text" reads a line that must begin with text. "* text" reads
-- such a line and answers 250. "BODY" reads content up to its final dot. "CLOSE" closes the
-- connection, and "ABORT" resets it. "EOF" waits for the client's end. "STOP" stops reading and
-- writing until the server is closed. { raw = bytes } sends bytes. A function is called with the
-- connection. One script serves one connection; a list of scripts serves one after the other.
local core = require "smtp.core"
local loop = require "smtp.loop"
local tls_stream = require "smtp.net.tls_stream"

local M = {}

local Connection = {}
Connection.__index = Connection

--- Reads more bytes into the buffer; false at the end of the stream.
function Connection:fill(max)
  local bytes = self.socket:recv(max or 65536)
  while bytes == false do
    loop.wait(self.socket, "r")
    bytes = self.socket:recv(max or 65536)
  end
  if not bytes or bytes == "" then return false end
  self.server.segments[#self.server.segments + 1] = bytes
  self.buffer = self.buffer .. bytes
  return true
end

--- The next line without CRLF; nil at the end.
function Connection:line()
  while true do
    local line, rest = self.buffer:match("^(.-)\r\n(.*)$")
    if line then
      self.buffer = rest
      self.server.lines[#self.server.lines + 1] = line
      return line
    end
    if not self:fill() then return nil end
  end
end

function Connection:say(bytes)
  local first = 1
  while first <= #bytes do
    local n = self.socket:send(bytes, first)
    if not n then return end -- the client is gone: its business
    first = first + n
    if n == 0 then loop.wait(self.socket, "w") end
  end
end

function Connection:leave(how)
  if self.gone then return end
  self.gone = true
  loop.forget(self.socket)
  self.socket[how](self.socket)
end

--- Does the server's handshake with a context. The handshake reads the rest of the clear text.
-- Returns true if it succeeded.
function Connection:tls(context)
  local engine = context:engine()
  engine:feed(self.buffer)
  self.buffer = ""
  loop.forget(self.socket)
  local stream = tls_stream.new(self.socket, engine)
  self.socket = stream
  local ok = stream:start(function(events) return loop.wait(stream, events, 5), "time" end)
  self.server.tls = ok and stream:info()
  return ok
end

--- Reads content up to and with the final dot.
function Connection:body()
  self.buffer = "\r\n" .. self.buffer
  local from = 1
  while true do
    local first, last = self.buffer:find("\r\n.\r\n", from, true)
    if first then
      self.server.body = self.buffer:sub(3, first + 1)
      self.buffer = self.buffer:sub(last + 1)
      return
    end
    from = math.max(#self.buffer - 4, 1)
    if not self:fill() then
      self.server.body, self.buffer = self.buffer:sub(3), ""
      return
    end
  end
end

local function expect(connection, prefix)
  local line = connection:line()
  if not line or line:sub(1, #prefix) ~= prefix then
    connection.server.wrong = ("wanted %q, got %s"):format(prefix, line and ("%q"):format(line)
      or "the end")
    return false
  end
  return true
end

local actions = {
  BODY = Connection.body,
  EOF = function(connection) while connection:fill() do end end,
  STOP = function() loop.sleep(60) end,
  CLOSE = function(connection) connection:leave("close") return false end,
  ABORT = function(connection) connection:leave("abort") return false end,
}

local function perform(connection, step)
  if type(step) == "function" then return step(connection) end
  if type(step) == "table" then return connection:say(step.raw) end
  if actions[step] then return actions[step](connection) end
  local kind, text = step:match("^([SC*]) (.*)$")
  assert(kind, step)
  if kind == "S" then return connection:say(text .. "\r\n") end
  if not expect(connection, text) then return false end
  if kind == "*" then connection:say("250 ok\r\n") end
end

local function serve(self, script, socket)
  local connection = setmetatable({ server = self, socket = socket, buffer = "" }, Connection)
  local _ <close> = setmetatable({}, { __close = function() connection:leave("close") end })
  for _, step in ipairs(script) do
    if perform(connection, step) == false then return end
  end
  if connection.buffer ~= "" then self.wrong = ("too much: %q"):format(connection.buffer) end
end

local function accept(self, scripts)
  for i, script in ipairs(scripts) do
    local socket = self.listener:accept()
    while not socket do
      loop.wait(self.listener, "r")
      socket = self.listener:accept()
    end
    self.connections = i
    serve(self, script, socket)
  end
  loop.wake(self.gate)
end

local Server = {}
Server.__index = Server

--- Waits for the end of the script and returns the error, or nil.
function Server:done()
  if not loop.pass(self.gate, 5) then return "the script is not at its end" end
  return self.wrong
end

--- The lines of the client after EHLO, joined by " | ".
function Server:said()
  return table.concat(self.lines, " | ")
end

function Server:close()
  loop.cancel(self.task)
  if self.listener then
    loop.forget(self.listener)
    self.listener:close()
  end
  self.listener = nil
end

Server.__close = Server.close

--- Starts a server. The options are those of core.listen; default: 127.0.0.1 and any port.
function M.server(script, options)
  local first = script[1]
  local scripts = type(first) == "table" and not first.raw and script or { script }
  local listener = assert(core.listen(options or { host = "127.0.0.1", port = 0 }))
  local host, port = listener:name()
  local self = setmetatable({
    listener = listener, host = host, port = port, lines = {}, segments = {}, connections = 0,
    gate = loop.gate(),
  }, Server)
  self.url = port and ("smtp://%s:%d"):format(host:find(":") and "[" .. host .. "]" or host, port)
    or "smtp+unix://" .. host
  self.task = loop.spawn(accept, self, scripts)
  return self
end

--- A script of parts. A part is a step or a list of steps.
function M.script(...)
  local all = {}
  for _, part in ipairs { ... } do
    if type(part) == "table" and not part.raw then
      for _, step in ipairs(part) do all[#all + 1] = step end
    else
      all[#all + 1] = part
    end
  end
  return all
end

--- A step: the handshake with an identity of smtp.authority. A failure ends the script; it is
-- not an error.
function M.tls(identity, options)
  local all = { server = true, cert = identity.cert, key = identity.key }
  for key, value in pairs(options or {}) do all[key] = value end
  local context = assert(core.tls_context(all))
  return function(connection)
    if not connection:tls(context) then return false end
  end
end

--- The steps of the greeting and of EHLO, with an offer of these keywords.
function M.hello(...)
  local lines = { "mx.example", ... }
  local steps = { "S 220 mx.example ESMTP", "C EHLO" }
  for i, line in ipairs(lines) do
    steps[#steps + 1] = "S 250" .. (i < #lines and "-" or " ") .. line
  end
  return steps
end

return M
