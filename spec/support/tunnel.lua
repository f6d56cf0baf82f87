-- SPDX-License-Identifier: MIT
--- Proxies on loopback, as tasks of the loop: SOCKS5 and HTTP CONNECT. Whatever host
-- is asked for, they connect to one place, and tell in `asked` what it was.
--
--   local one <close> = tunnel.start(tunnel.socks5 { user =, password = }, server.port)
--   one.port; one.asked; one.logins
local core = require "smtp.core"
local loop = require "smtp.loop"

local M = {}

local Side = {}
Side.__index = Side

--- Exactly n bytes, or nil at the end.
function Side:read(n)
  local parts = {}
  while n > 0 do
    local bytes = self.socket:recv(n)
    if bytes == false then
      loop.wait(self.socket, "r")
    elseif not bytes or bytes == "" then
      return nil
    else
      parts[#parts + 1] = bytes
      n = n - #bytes
    end
  end
  return table.concat(parts)
end

function Side:send(bytes)
  local first = 1
  while first <= #bytes do
    local n = self.socket:send(bytes, first)
    if not n then return end
    first = first + n
    if n == 0 then loop.wait(self.socket, "w") end
  end
end

function Side:close()
  if self.closed then return end
  self.closed = true
  loop.forget(self.socket)
  self.socket:close()
end

Side.__close = Side.close

local function side(socket)
  return setmetatable({ socket = socket }, Side)
end

-- Carries bytes from one side to the other until there are no more.
local function carry(from, to)
  while not from.closed and not to.closed do
    local bytes = from.socket:recv(65536)
    if bytes == false then
      loop.wait(from.socket, "r")
    elseif not bytes or bytes == "" then
      break
    else
      to:send(bytes)
    end
  end
  from:close()
  to:close()
end

--- Connects to the place and carries bytes both ways, `early` first.
function M.join(self, client, early)
  local socket = assert(core.connect { host = "127.0.0.1", port = self.to })
  while not socket:connected() do loop.wait(socket, "w") end
  loop.forget(socket)
  local server = side(socket)
  if early then client:send(early) end
  self.tasks[#self.tasks + 1] = loop.spawn(carry, server, client)
  carry(client, server)
end

--- A handler that speaks SOCKS5; `options`: `user` and `password` that it wants, `code` of its
-- reply, `bound` (the address in it, with its type).
function M.socks5(options)
  options = options or {}
  return function(self, client)
    local methods = client:read(client:read(2):byte(2))
    if options.user then
      client:send(methods:find("\2", 1, true) and "\5\2" or "\5\xff")
      if not methods:find("\2", 1, true) then return end
      local user = client:read(client:read(2):byte(2))
      local password = client:read(client:read(1):byte())
      self.logins[#self.logins + 1] = user .. ":" .. password
      local good = user == options.user and password == options.password
      client:send(good and "\1\0" or "\1\1")
      if not good then return end
    else
      client:send("\5\0")
    end
    local kind = client:read(4):byte(4)
    local sizes = { 4, nil, nil, 16 }
    local host = client:read(kind == 3 and client:read(1):byte() or sizes[kind])
    local port = string.unpack(">I2", client:read(2))
    self.asked[#self.asked + 1] = { kind = kind, host = host, port = port }
    local reply = "\5" .. string.char(options.code or 0) .. "\0" ..
      (options.bound or "\1\0\0\0\0") .. "\0\0"
    if options.code then return client:send(reply) end
    M.join(self, client, reply)
  end
end

--- A handler that speaks HTTP; `options`: `user` and `password`, `reply` (all of it).
function M.http(options)
  options = options or {}
  return function(self, client)
    local request = ""
    while not request:find("\r\n\r\n", 1, true) do
      local byte = client:read(1)
      if not byte then return end
      request = request .. byte
    end
    self.asked[#self.asked + 1] = request
    local login = request:match("\r\nProxy%-Authorization: Basic (%S+)\r\n")
    if options.user and core.unbase64(login or "") ~= options.user .. ":" .. options.password then
      return client:send("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    end
    if options.reply then return client:send(options.reply) end
    M.join(self, client, "HTTP/1.1 200 Connection established\r\nVia: 1.1 x\r\n\r\n")
  end
end

--- A handler that says bytes, and then waits for the client's end.
function M.says(bytes)
  return function(_, client)
    client:send(bytes)
    while client:read(1) do end
  end
end

local function serve(self, handler, socket)
  local client <close> = side(socket)
  handler(self, client)
end

local function accept(self, handler)
  while true do
    local socket = self.listener:accept()
    if socket then
      self.tasks[#self.tasks + 1] = loop.spawn(serve, self, handler, socket)
    else
      loop.wait(self.listener, "r")
    end
  end
end

local Tunnel = {}
Tunnel.__index = Tunnel

function Tunnel:close()
  for _, task in ipairs(self.tasks) do loop.cancel(task) end
  if self.listener then
    loop.forget(self.listener)
    self.listener:close()
  end
  self.listener = nil
end

Tunnel.__close = Tunnel.close

--- Starts it: `to` is the port that it connects to.
function M.start(handler, to)
  local listener = assert(core.listen { host = "127.0.0.1", port = 0 })
  local self = setmetatable({ listener = listener, to = to, asked = {}, logins = {}, tasks = {} },
    Tunnel)
  self.port = select(2, listener:name())
  self.tasks[1] = loop.spawn(accept, self, handler)
  return self
end

return M
