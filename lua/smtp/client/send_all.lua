-- SPDX-License-Identifier: MIT
--- Many messages over one client, with as many of them under way as the server and the
-- window allow: with PIPELINING the next envelope follows the final dot in its flight (RFC
-- 2920 section 3.1), with CHUNKING whole messages do (RFC 3030). What came of each is given
-- in their order.
local core = require "smtp.core"
local split = require "smtp.client.split"
local options = require "smtp.base.options"
local outgoing = require("smtp.client.outgoing").outgoing

local M = {}

local SPEC = { deadline = "seconds", progress = "function", window = "count",
  window_bytes = "size", received = "boolean", prepend = "string" }

-- So many messages, and bytes of them, wait for their replies at most.
local WINDOW, WINDOW_BYTES = 256, 1024 * 1024

local Run = {}
Run.__index = Run

-- The next message; nil at the end. Where it may be long in coming, all is sent before.
local function next_message(self)
  if self.ended then return nil end
  local message
  if type(self.messages) == "table" then
    message = self.messages[self.pulled + 1]
  else
    self.connection:flush()
    message = self.messages()
  end
  if message == nil then self.ended = true else self.pulled = self.pulled + 1 end
  return message
end

local function has_room(self)
  local n = self.last - self.first + 1
  return n == 0 or n < self.window and self.bytes < self.window_bytes
end

local function start_next(_, its) return its:start() end

-- Sends what its client takes now of a message, unless that ends the client.
local function send(connection, its)
  local ok, err = connection:within(nil, start_next, its)
  if not ok then its.err = its.err or err end
end

-- Takes one message in and sends it, up to its last byte; false if there is none.
local function start(self)
  local message = next_message(self)
  if message == nil then return false end
  local connection = self.connection
  local its, out, err
  if connection.machine then
    out, err = outgoing(message, connection.target.dkim, self.front)
    if err then err.peer = connection.target.name end
  else
    out, err = connection:fail { kind = "closed", message = "the connection is lost" }
  end
  if out then its = split.new(connection, out, self.progress) else its = { err = err } end
  its.message = message
  self.last = self.last + 1
  self[self.last] = its
  if not out then return true end
  self.bytes = self.bytes + its.size
  send(connection, its)
  return true
end

-- The result of the first message, once it is known; else nil.
local function first_result(self)
  local its = self[self.first]
  local receipt, err = nil, its.err
  if its.out then
    while not its:is_over() do
      if its.flying > 0 then return nil end
      send(self.connection, its) -- recipients that want another transaction
    end
    self.bytes = self.bytes - its.size
    receipt, err = its:result()
  end
  self[self.first] = nil
  self.first = self.first + 1
  return self.first - 1, receipt, err, its.message
end

-- Waits for the next event, if the client was not closed meanwhile.
local function hear(connection)
  if not connection.machine then return connection:gone() end
  return connection:within(nil, connection.hear)
end

-- One turn: sends what may go, then gives the next result, if there is one.
local function turn(self)
  while true do
    while has_room(self) and start(self) do end -- luacheck: ignore 542
    if self.first > self.last then return nil end
    local i, receipt, err, message = first_result(self)
    if i then return i, receipt, err, message end
    hear(self.connection) -- what it fails of is told by the results
  end
end

-- Whether the task that runs is being ended, and so may not wait.
local function is_ending()
  local _, is_main = coroutine.running()
  return not is_main and not coroutine.isyieldable()
end

-- A loop that is left early still has what was sent answered.
function Run:__close(err)
  local connection = self.connection
  connection.run = nil
  if err ~= nil or is_ending() then connection:close() end
  while connection.machine and not connection.machine:idle() do hear(connection) end
end

-- Keeps others from the client while the body of the loop runs, and not itself.
local function given(self, i, ...)
  self.connection.run = i and self or nil
  return i, ...
end

function Run:__call()
  local connection = self.connection
  connection.run = nil
  if not self.deadline then return given(self, turn(self)) end
  local left = math.max(self.deadline - core.now(), 0)
  return given(self, connection:within(left, function() return turn(self) end))
end

--- See types/smtp/client.d.lua.
function M.run(connection, messages, opts)
  opts = options.check("send_all: options", opts or {}, SPEC)
  if type(messages) ~= "table" and type(messages) ~= "function" then
    options.misuse("send_all: a list of messages, or a function that gives them, is needed")
  end
  local self = setmetatable({
    connection = connection, messages = messages, pulled = 0, first = 1, last = 0, bytes = 0,
    window = opts.window or WINDOW, window_bytes = options.size(opts.window_bytes or WINDOW_BYTES),
    progress = opts.progress or connection.target.progress,
    front = { received = opts.received, prepend = opts.prepend },
    deadline = opts.deadline and core.now() + opts.deadline,
  }, Run)
  return self, nil, nil, self
end

return M
