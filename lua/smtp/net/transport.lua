-- SPDX-License-Identifier: MIT
--- Opens a stream to a target: looks its name up, races its addresses (RFC 8305: IPv6 first, the
-- next one starts 250 ms after the last) and gives the first connected socket.
local core = require "smtp.core"
local dane = require "smtp.net.dane"
local errors = require "smtp.error"
local loop = require "smtp.loop"
local proxy_client = require "smtp.net.proxy_client"

local M = {}

local HEAD_START = 0.25 -- RFC 8305 section 5, Connection Attempt Delay

local function left(limit)
  return math.max(limit - core.now(), 0)
end

local function resolve(target, limit)
  local job <close>, why, errname = core.resolve(target.host, tostring(target.port))
  if not job then
    return nil, errors.new { kind = "system", stage = "resolve", peer = target.name,
      message = why, cause = errname, outcome = "not_sent" }
  end
  local list, message, word = job:result()
  while list == false do
    if not loop.wait(job, "r", left(limit)) then
      loop.forget(job)
      return nil, errors.new { kind = "timeout", stage = "resolve", peer = target.name,
        message = "looking up the name took too long", outcome = "not_sent" }
    end
    list, message, word = job:result()
  end
  loop.forget(job)
  if list then return list end
  return nil, errors.new { kind = "dns", stage = "resolve", peer = target.name,
    message = message, temporary = word == "temporary", outcome = "not_sent" }
end

-- The addresses, in turns of one family and the other; the first result decides which is first.
local function interleave(list)
  local first, second = {}, {}
  for _, address in ipairs(list) do
    local same = address.family == list[1].family
    table.insert(same and first or second, address)
  end
  local out = {}
  for i = 1, math.max(#first, #second) do
    out[#out + 1] = first[i]
    out[#out + 1] = second[i]
  end
  return out
end

local Race = {}
Race.__index = Race

-- Starts the next usable address; gives whether there was one.
function Race:start()
  while self.next <= #self.list do
    local address = self.list[self.next]
    self.next = self.next + 1
    local socket, why, errname = core.connect {
      host = address.host, port = address.port, path = address.path,
      local_address = self.target.local_address,
    }
    if socket then
      self.sockets[#self.sockets + 1] = socket
      if self.poller then self.poller:set(socket:pollfd(), 2) end
      return true
    end
    self.why, self.errname = why, errname
  end
  return false
end

-- Looks at every attempt: the socket that is connected, if one is.
function Race:look()
  for i = #self.sockets, 1, -1 do
    local socket = self.sockets[i]
    local state, why, errname = socket:connected()
    if state then
      return table.remove(self.sockets, i)
    elseif state == nil then
      self:drop(table.remove(self.sockets, i))
      self.why, self.errname = why, errname
    end
  end
  return nil
end

function Race:drop(socket)
  if self.poller then self.poller:set(socket:pollfd(), 0) end
  socket:close()
end

-- Waits until one of the attempts has news. A poller that is itself a pollable
-- watches all; where it is none (poll), each is watched for a short while.
function Race:wait(timeout)
  if #self.sockets == 1 then
    loop.wait(self.sockets[1], "w", timeout)
    loop.forget(self.sockets[1])
  elseif self.poller then
    loop.wait(self.poller, "r", timeout)
    loop.forget(self.poller)
  else
    for _, socket in ipairs(self.sockets) do
      loop.wait(socket, "w", math.min(timeout, 0.01))
      loop.forget(socket)
    end
  end
end

function Race:__close()
  for _, socket in ipairs(self.sockets) do self:drop(socket) end
  self.sockets = {}
  if self.poller then self.poller:close() end
end

local function race(target, list, limit)
  local self <close> = setmetatable({ target = target, list = list, next = 1, sockets = {} }, Race)
  if #list > 1 then
    local poller = assert(core.poller(loop.backend()))
    if poller:pollfd() then self.poller = poller else poller:close() end
  end
  while true do
    local more = self:start()
    if not more and #self.sockets == 0 then break end
    local until_next = limit
    if self.next <= #list then until_next = math.min(limit, core.now() + HEAD_START) end
    repeat
      self:wait(left(until_next))
      local socket = self:look()
      if socket then
        if self.poller then self.poller:set(socket:pollfd(), 0) end
        return socket
      end
    until #self.sockets == 0 or core.now() >= until_next
    if core.now() >= limit then
      return nil, errors.new { kind = "timeout", stage = "connect", peer = target.name,
        message = "no answer to the connection attempt", outcome = "not_sent" }
    end
  end
  return nil, errors.new { kind = "connect", stage = "connect", peer = target.name,
    message = self.why, cause = self.errname, outcome = "not_sent" }
end

-- If there are `target.addresses`, the name is not looked up.
local function dial(target, limit)
  if target.path then return race(target, { { path = target.path } }, limit) end
  local list, err = target.addresses, nil
  if not list then list, err = resolve(target, limit) end
  if not list then return nil, err end
  return race(target, interleave(list), limit)
end

-- Closes everything if the task is ended during a wait.
local OPENING = { __close = function(opening)
  if not opening.socket then return end
  loop.forget(opening.socket)
  opening.socket:close()
end }

-- Does the exchange with a proxy before the greeting; gives the socket, or nil and an error.
local function introduce(socket, target, limit)
  local opening <close> = setmetatable({ socket = socket }, OPENING)
  local ok, err = proxy_client.begin(socket, target, limit)
  if not ok then return nil, err end
  opening.socket = nil
  return socket
end

--- Opens a stream to `target`; `deadline` (a time of `core.now`) may end it
-- before the target's connect time-out. Gives a socket, or nil and an error.
function M.open(target, deadline)
  local limit = math.min(core.now() + target.timeout.connect, deadline or math.huge)
  if target.dane and not target.addresses then
    local ok, err = dane.find(target, limit)
    if not ok then return nil, err end
  end
  local socket, err = dial(proxy_client.place(target), limit)
  if socket and target.proxy then return introduce(socket, target, limit) end
  if not socket and proxy_client.is_tunnel(target) then err.stage = "proxy" end
  return socket, err
end

return M
