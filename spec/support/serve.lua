-- A server on loopback for specs, and clients with plain sockets. They wait by smtp.loop, which
-- runs the server's sessions meanwhile.
local core = require "smtp.core"
local loop = require "smtp.loop"
local smtp = require "smtp"
local tls_stream = require "smtp.net.tls_stream"

local M = {}

local PATIENCE = 10 -- seconds to wait for an event

-- ---- a client with a plain socket ----------------------------------------------

local Client = {}
Client.__index = Client

--- Connects to the server, or to an address of core.connect.
function M.connect(target)
  local self = setmetatable({ held = "" }, Client)
  if target.listeners then -- a server
    target = target.port and { host = target.address, port = target.port }
      or { path = target.address }
  end
  self.socket = assert(core.connect(target))
  while true do
    local done = assert(self.socket:connected() ~= nil, "no connection")
    if done and self.socket:connected() then return self end
    assert(loop.wait(self.socket, "w", PATIENCE), "no connection")
  end
end

--- Writes all of the bytes.
function Client:send(bytes)
  local first = 1
  while first <= #bytes do
    local n = assert(self.socket:send(bytes, first))
    first = first + n
    if n == 0 then assert(loop.wait(self.socket, "w", PATIENCE), "the server does not read") end
  end
  return self
end

-- The next bytes, "" at the end; a reset is an end too.
function Client:receive()
  while true do
    local bytes = self.socket:recv(65536)
    if bytes ~= false then return bytes or "" end
    if not loop.wait(self.socket, "r", PATIENCE) then
      error(("nothing comes; so far: %q"):format(self.held), 3)
    end
  end
end

--- The next reply, all of its lines.
function Client:reply()
  while true do
    local at = 1
    while true do
      local from, to = self.held:find("\r\n", at, true)
      if not from then break end
      if self.held:sub(at + 3, at + 3) ~= "-" then
        local reply = self.held:sub(1, to)
        self.held = self.held:sub(to + 1)
        return (reply:gsub("\r\n$", ""))
      end
      at = to + 1
    end
    local bytes = self:receive()
    if bytes == "" then error(("the server closed; so far: %q"):format(self.held), 2) end
    self.held = self.held .. bytes
  end
end

--- A line, and its reply.
function Client:cmd(line)
  self:send(line .. "\r\n")
  return self:reply()
end

--- Does the client's handshake; `options` of core.tls_context and `name`. Gives the client, or nil
-- and the reason.
function Client:tls(options)
  local all = {}
  for key, value in pairs(options or {}) do all[key] = value end
  all.name = nil
  local context = assert(core.tls_context(all))
  loop.forget(self.socket)
  self.socket = tls_stream.new(self.socket, context:engine(options and options.name))
  self.socket.engine:feed(self.held)
  self.held = ""
  local ok, why = self.socket:start(function(events)
    return loop.wait(self.socket, events, PATIENCE), "time"
  end)
  if not ok then return nil, why end
  return self
end

--- Greeting, EHLO, STARTTLS, handshake, EHLO: the last reply.
function Client:starttls(options)
  assert(self:reply():match("^220"))
  assert(self:cmd("EHLO client.code.energy"):match("STARTTLS"))
  assert(self:cmd("STARTTLS"):match("^220"))
  local ok, why = self:tls(options)
  assert(ok, why)
  return self:cmd("EHLO client.code.energy")
end

--- Everything up to the end of the stream.
function Client:rest()
  while true do
    local bytes = self:receive()
    if bytes == "" then break end
    self.held = self.held .. bytes
  end
  local all = self.held
  self.held = ""
  return all
end

--- The dialogue up to the reply to DATA.
function Client:begin(name)
  assert(self:reply():match("^220"))
  for _, line in ipairs { "EHLO client.code.energy", "MAIL FROM:<ada@code.energy>",
    "RCPT TO:<" .. (name or "charles@example.com") .. ">", "DATA" } do
    local reply = self:cmd(line)
    assert(reply:match("^[23]"), reply)
  end
  return self
end

--- Content and its end; gives the reply.
function Client:content(text)
  self:send(text .. ".\r\n")
  return self:reply()
end

--- Closes the connection, or resets it.
function Client:close()
  if not self.socket then return end
  loop.forget(self.socket)
  self.socket:close()
  self.socket = nil
end

function Client:abort()
  loop.forget(self.socket)
  self.socket:abort()
  self.socket = nil
end

Client.__close = Client.close

-- ---- the server ----------------------------------------------------------------

--- A server at 127.0.0.1 with these options; on_message takes all if not given.
function M.start(options)
  local all = {
    listen = "127.0.0.1:0", hostname = "mx.example",
    on_message = function(_, message) message:read() end,
  }
  for key, value in pairs(options or {}) do all[key] = value end
  return assert(smtp.server(all))
end

--- Runs the loop until done() is true.
function M.wait(done, what)
  local limit = core.now() + PATIENCE
  while not done() do
    loop.step(0.5)
    if core.now() > limit then error((what or "it") .. " did not happen", 2) end
  end
end

--- Runs the loop until the server has no session.
function M.idle(server)
  M.wait(function() return server:stats().connections == 0 end, "the end of all sessions")
end

--- Options of a server whose facts are kept: M.events(list).
function M.record(list)
  return function(event)
    list[#list + 1] = event
  end
end

--- The facts of one type.
function M.of_type(list, name)
  local some = {}
  for _, event in ipairs(list) do
    if event.type == name then some[#some + 1] = event end
  end
  return some
end

return M
