-- SPDX-License-Identifier: MIT
--- A socket under TLS with the methods of a plain one, moved by Lua: for a
-- dialogue, where every byte counts more than its time.
local tls = require "smtp.net.tls"

local M = {}

local Stream = {}
Stream.__index = Stream

--- Takes the socket over; `engine` is of a `tls_context`.
function M.new(socket, engine)
  return setmetatable({ socket = socket, engine = engine }, Stream)
end

-- Writes the bytes of TLS to the wire; or nil and the reason.
function Stream:flush()
  while true do
    local wire = self.engine:peek()
    if wire == "" then return true end
    local n, why, errname = self.socket:send(wire)
    if not n then return nil, why, errname end
    if n == 0 then return true end
    self.engine:sent(n)
  end
end

-- Moves bytes from the wire into TLS: true; false: there are none now; or nil and the reason.
local function fill(self)
  local wire, why, errname = self.socket:recv(32768)
  if not wire then return wire, why, errname end
  if wire == "" then self.engine:eof() else self.engine:feed(wire) end
  return true
end

--- For `tls.handshake`.
function Stream:handshake()
  while true do
    local state, a, b, cause = self.engine:handshake()
    local sent, broken, errname = self:flush()
    if state ~= false then return state, a, b, cause end
    if not sent then return nil, broken, "closed", errname end
    local more, why, name = fill(self)
    if more == nil then return nil, why, "closed", name end
    if not more then return false, self:events() end
  end
end

function Stream:choose(context)
  self.engine:choose(context)
end

--- Does the handshake; see `tls.handshake`.
function Stream:start(wait, choose)
  return tls.handshake(self, wait, choose)
end

--- Receives like a socket: bytes, "" at the end, false: wait, or nil and the reason.
function Stream:recv()
  while true do
    local bytes, why, word, cause = self.engine:read()
    if bytes then return bytes end
    if bytes == nil then
      if word == "closed" and not cause then return "" end
      return nil, why, cause or "ETLS"
    end
    self:flush()
    local more, message, errname = fill(self)
    if not more then return more, message, errname end
  end
end

function Stream:send(bytes, first)
  local ok, why, errname = self:flush()
  if not ok then return nil, why, errname end
  if self.engine:peek() ~= "" then return 0 end
  local n
  n, why = self.engine:write(bytes, first)
  if not n then return nil, why, "ETLS" end
  self:flush()
  return n
end

function Stream:info() return self.engine:info() end
function Stream:bindings() return self.engine:bindings() end
function Stream:pollfd() return self.socket:pollfd() end
function Stream:events() return self.engine:peek() ~= "" and "rw" or "r" end
function Stream.timeout() return nil end

--- close_notify, and the end of our stream.
function Stream:shutdown()
  self.engine:shutdown()
  self:flush()
  return self.socket:shutdown()
end

function Stream:abort()
  self.engine:close()
  self.socket:abort()
end

function Stream:close()
  self.engine:shutdown()
  self:flush()
  self.engine:close()
  self.socket:close()
end

return M
