-- SPDX-License-Identifier: MIT
--- A pool of connections to one target: see types/smtp/pool.d.lua.
--
-- Each attempt to send holds a slot, of which there are `size`. Who finds none waits in a
-- queue, and a slot that is free goes to the first of it. Whoever has a slot takes an idle
-- connection or opens one, so there are never more of them than slots. A slot is a
-- to-be-closed variable: however an attempt ends, by an error or with its task, a
-- connection that is still with it was left in the middle and is closed.
local connections = require "smtp.client.connection"
local core = require "smtp.core"
local errors = require "smtp.error"
local limits = require "smtp.client.limits"
local loop = require "smtp.loop"
local options = require "smtp.base.options"
local outgoing = require("smtp.client.outgoing").outgoing
local split = require "smtp.client.split"
local target_of = require "smtp.client.target"

local Pool = { __name = "smtp.pool" }
Pool.__index = Pool

local SPEC = {
  size = "count", max_messages = "count", idle = "seconds", rate = "number", burst = "count",
  retries = "count", backoff = "seconds",
}

-- A pool is given as a target with these among its keys.
local ALL = {}
for key, rule in pairs(SPEC) do ALL[key] = rule end
for key, rule in pairs(target_of.SPEC) do ALL[key] = rule end

local SEND_OPTIONS = { deadline = "seconds", progress = "function", received = "boolean",
  prepend = "string" }

local function failure(self, kind, message)
  return nil, errors.new { kind = kind, stage = "connect", peer = self.target.name,
    message = message, outcome = "not_sent" }
end

-- ---- connections -----------------------------------------------------------

-- Those that were idle for too long; the list is by time.
local function drop_old(self)
  local oldest = core.now() - self.idle_time
  while self.idle[1] and self.idle[1].since <= oldest do
    table.remove(self.idle, 1).connection:part()
  end
end

-- The one that was used last, so that the others grow old.
local function take_idle(self)
  drop_old(self)
  while #self.idle > 0 do
    local one = table.remove(self.idle)
    if one.connection:is_quiet() then return one end
    one.connection:close()
  end
end

local function connect(self, limit)
  local made, err = connections.open(self.target, limit)
  if not made then return nil, err end
  self.connected = self.connected + 1
  local mailmax = limits.parse(made.capabilities.LIMITS).MAILMAX or math.huge
  return { connection = made, left = math.min(self.max_messages, mailmax) }
end

local function give_back(self, one)
  if not one.connection:is_usable() then
    one.connection:close()
  elseif self.closed or one.left == 0 then
    one.connection:part()
  else
    one.since = core.now()
    self.idle[#self.idle + 1] = one
  end
end

-- ---- slots -----------------------------------------------------------------

local Slot = {}

local function next_in_line(self)
  local slot = table.remove(self.queue, 1)
  if not slot then
    self.busy = self.busy - 1
    return
  end
  slot.held = true
  loop.wake(slot.gate)
end

function Slot.__close(slot)
  local self = slot.pool
  if slot.one then slot.one.connection:close() end
  if slot.held then return next_in_line(self) end
  for i, other in ipairs(self.queue) do
    if other == slot then
      table.remove(self.queue, i)
      break
    end
  end
end

local function left(limit)
  return limit and math.max(limit - core.now(), 0)
end

local function cancelled(self)
  return failure(self, "cancelled", "the pool was closed")
end

-- Waits for a slot; true, or nil and an error.
local function hold(self, slot, limit)
  if self.busy < self.size then
    self.busy = self.busy + 1
    slot.held = true
    return true
  end
  slot.gate = loop.gate()
  self.queue[#self.queue + 1] = slot
  loop.pass(slot.gate, left(limit))
  if self.closed then return cancelled(self) end
  if slot.held then return true end
  return failure(self, "timeout", "all connections of the pool were busy until the deadline")
end

-- A token bucket, as the time from which on it is full: whoever takes a token from an
-- empty one knows when it will be there.
local function keep_rate(self, limit)
  if not self.interval then return true end
  local now = core.now()
  local full = math.max(self.full or now, now)
  local at = full - (self.burst - 1) * self.interval
  if limit and at > limit then
    return failure(self, "timeout", "the rate of the pool lets it go only after the deadline")
  end
  self.full = full + self.interval
  if at > now then loop.sleep(at - now) end
  if self.closed then return cancelled(self) end
  return true
end

-- ---- sending ---------------------------------------------------------------

-- Gives the receipt; or nil, an error, and whether the pool itself gave up.
local function attempt(self, out, limit, opts)
  local slot <close> = setmetatable({ pool = self }, Slot)
  local ok, err = hold(self, slot, limit)
  if ok then ok, err = keep_rate(self, limit) end
  if not ok then return nil, err, true end
  local one = take_idle(self)
  if not one then
    one, err = connect(self, limit)
    if not one then return nil, err end
  end
  slot.one, one.left = one, one.left - 1
  local receipt
  receipt, err = split.send(one.connection, out, opts, left(limit))
  slot.one = nil
  give_back(self, one)
  return receipt, err
end

-- Exponential, and not at the same time as others that failed at the same time.
local function pause(self, n)
  return self.backoff * 2 ^ (n - 1) * (0.5 + math.random() / 2)
end

-- Notes when the source begins to be read.
local function watched(source)
  local read = source.read
  function source.read()
    source.begun = true
    return read()
  end
  return source
end

-- Back to the beginning of the content; whether that can be. What can be read only once can
-- until its reading has begun.
local function rewind(out)
  if not out.source.begun then return true end
  local anew = out.source.again and out.source.again()
  if not anew then return false end
  out.source = watched(anew)
  return true
end

-- Sends it, again as often as that may help.
local function send(self, out, limit, opts)
  local n = 0
  watched(out.source)
  while true do
    local receipt, err, over = attempt(self, out, limit, opts)
    if receipt then return receipt end
    n = n + 1
    over = over or n > self.retries or err.outcome ~= "not_sent" or not err.temporary
    local seconds = pause(self, n)
    if over or limit and core.now() + seconds >= limit then return nil, err end
    if not rewind(out) then return nil, err end
    loop.sleep(seconds)
    if self.closed then return nil, err end
    self.retried = self.retried + 1
  end
end

-- ---- what users call -------------------------------------------------------

--- Sends a message on one of the connections; `opts` as those of `client:send`.
function Pool:send(message, opts)
  if self.closed then error("pool is closed", 2) end
  opts = options.check("send: options", opts or {}, SEND_OPTIONS)
  local seconds = math.min(opts.deadline or math.huge, self.target.deadline or math.huge)
  local limit = seconds < math.huge and core.now() + seconds or nil
  local out, err = outgoing(message, self.target.dkim, opts)
  if not out then
    err.peer = self.target.name
    return nil, err
  end
  local receipt
  receipt, err = send(self, out, limit, opts)
  local count = receipt and "sent" or "failed"
  self[count] = self[count] + 1
  return receipt, err
end

--- Counts: connections now, and what was done since the start.
function Pool:stats()
  return {
    busy = self.busy, idle = #self.idle, waiting = #self.queue, connected = self.connected,
    sent = self.sent, failed = self.failed, retried = self.retried,
  }
end

--- Ends the idle connections, and each other one when its message is through.
function Pool:close()
  if self.closed then return end
  self.closed = true
  for _, one in ipairs(self.idle) do one.connection:part() end
  self.idle = {}
  local queue = self.queue
  self.queue = {}
  for _, slot in ipairs(queue) do loop.wake(slot.gate) end
end

-- There is no __gc: each connection has its own, which closes it, and it comes first.
Pool.__close = Pool.close

local function check_positive(given, ...)
  for _, key in ipairs { ... } do
    if given[key] and given[key] <= 0 then
      options.misuse(("pool: %s must be above 0"):format(key))
    end
  end
end

--- Makes a pool; it connects when something is sent. See `smtp.pool`.
local function new(given, more)
  if more ~= nil then options.misuse("pool: one table is needed: { url = ..., size = ... }") end
  local own, place = {}, given
  if type(given) == "table" then
    place = {}
    for key, value in pairs(options.check("pool", given, ALL)) do
      if SPEC[key] then own[key] = value else place[key] = value end
    end
  end
  check_positive(own, "size", "max_messages", "rate", "burst")
  local target, err = target_of.parse("pool", place)
  if not target then return nil, err end
  return setmetatable({
    target = target, size = own.size or 4, max_messages = own.max_messages or 100,
    idle_time = own.idle or 30, interval = own.rate and 1 / own.rate, burst = own.burst or 1,
    retries = own.retries or 2, backoff = own.backoff or 1, closed = false,
    idle = {}, queue = {}, busy = 0, connected = 0, sent = 0, failed = 0, retried = 0,
  }, Pool)
end

return { new = new }
