-- SPDX-License-Identifier: MIT
--- The client: one connection to a server, and what is said on it. The machine
-- (csrc/core/client.h) keeps commands and replies in step; here is when to wait,
-- for how long, and what a reply means for the user. EHLO is in hello.lua, TLS in
-- starttls.lua, AUTH in auth.lua; a message is dispatched (split.lua) in one or more
-- transactions (transaction.lua).
local auth = require "smtp.client.auth"
local failing = require "smtp.client.failure"
local core = require "smtp.core"
local dispatch = require "smtp.client.split"
local envelope = require "smtp.client.mail_rcpt"
local flight = require "smtp.client.flight"
local hello = require "smtp.client.hello"
local limits = require "smtp.client.limits"
local loop = require "smtp.loop"
local options = require "smtp.base.options"
local message_of = require "smtp.client.outgoing"
local names = require "smtp.base.names"
local send_all = require "smtp.client.send_all"
local starttls = require "smtp.client.starttls"
local target_of = require "smtp.client.target"
local transaction = require "smtp.client.transaction"
local transcript = require "smtp.client.transcript"
local transport = require "smtp.net.transport"
local tunnel = require "smtp.net.proxy_client"
local xclient = require "smtp.client.xclient"

local Client = { __name = "smtp.client" }
Client.__index = Client

-- Raised after a function of the user has closed the client during a call.
local GONE = setmetatable({}, { __tostring = function() return "the client was closed" end })

-- ---- failures -----------------------------------------------------------

for name, method in pairs(failing) do Client["_" .. name] = method end

--- Calls a function of the user's. If it closes the client, the call under way ends.
function Client:_call(fn, ...)
  local machine = self._core
  local a, b, c = fn(...)
  if self._core ~= machine then error(GONE, 0) end
  return a, b, c
end

function Client:_check()
  if not self._core then error("client is closed", 3) end
  -- Another task, or one that was ended there, the loop of send_all, or a function that is
  -- called while a message is under way: replies would be mixed up.
  if self._waiting or self._run or not self._flight:is_empty() then
    error("client is within another call", 3)
  end
  return self._core
end

-- ---- waiting ------------------------------------------------------------

-- Waits for `events`, until `limit` or the deadline of the call.
function Client:_wait(events, limit, stage)
  local deadline = self._deadline
  local at = deadline and deadline < limit and deadline or limit
  local left = at - core.now()
  if left > 0 then
    self._waiting = true
    local ready = self:_call(loop.wait, self._core, events, left)
    self._waiting = false
    if ready then return true end
  end
  return self:_timed_out(stage, at == deadline)
end

--- Gives the next reply: its step and the reply; or nil and an error.
function Client:_await()
  local machine = self._core
  local step, reply, sentence, cause, said = machine:step()
  local written, limit
  while step == false do -- reply is what to wait for
    local stage, phase = self:_stage()
    if written ~= machine:written() then -- progress: the time-out begins again
      written, limit = machine:written(), core.now() + self.target.timeout[phase]
    end
    local ok, err = self:_wait(reply, limit, stage)
    if not ok then return nil, err end
    step, reply, sentence, cause, said = machine:step()
  end
  if not step then return self:_failed(reply, sentence, cause, said) end
  self._transcript:reply(reply)
  return step, reply
end

--- Queues a command; replies that must come first are given to `on_reply`, or
-- are an error where there is none. True, or nil and an error.
function Client:_submit(stage, name, args, on_reply)
  local machine = self._core
  local ok, why = machine:submit(name, args)
  while not ok and why == "busy" do
    local step, reply = self:_await()
    if not step then return nil, reply end
    if on_reply then on_reply(step, reply) end
    ok, why = machine:submit(name, args)
  end
  if ok then
    self._transcript:sent(args and args ~= "" and name .. " " .. args or name)
    return true
  end
  if why == "invalid" then
    return self:_error { kind = "invalid", stage = stage,
      message = "controls, 8-bit bytes and more than 2048 of them may not be in a command" }
  end
  return self:_misplaced(stage)
end

local function exchange(self, stage, name, args)
  local ok, err = self:_submit(stage, name, args)
  if not ok then return nil, err end
  local step, reply = self:_await()
  if not step then return nil, reply end
  if step == "unasked" then return self:_over(reply, stage) end
  return reply
end

-- A command and its reply, whatever its code.
function Client:_exchange(stage, name, args)
  return self:_within(nil, exchange, stage, name, args)
end

-- A command and its reply; only a 2xx is a success.
function Client:_ask(stage, name, args, fields)
  local reply, err = self:_exchange(stage, name, args)
  if not reply then return nil, err end
  if reply.code >= 300 then return self:_rejected(reply, stage, fields) end
  return reply
end

-- A function of the caller's raised: what is under way is in the middle.
local function restore(self, deadline, ok, ...)
  self._deadline = deadline
  if ok then return ... end
  if ... == GONE then return self:_gone() end
  if not self._flight:is_empty() then self:close() end
  error((...), 0)
end

--- Runs fn within a deadline of so many seconds, if any; the inner one wins if earlier.
function Client:_within(seconds, fn, ...)
  local before = self._deadline
  if seconds then
    local at = core.now() + seconds
    self._deadline = before and math.min(before, at) or at
  end
  return restore(self, before, pcall(fn, self, ...))
end

-- ---- the session begins -------------------------------------------------

-- From the greeting to where mail may be sent.
local function greet(self)
  local ok, err = hello.greeting(self)
  if ok then ok, err = hello.hello(self) end
  if ok then ok, err = starttls.upgrade(self, self._mode) end
  if ok and self.target.auth then ok, err = auth.run(self) end
  return ok, err
end

local function start(self, socket)
  self.helo = self.target.helo or hello.own_name(socket)
  self._flight, self._used, self._dirty, self.tls = flight.new(self), limits.used(), false, nil
  self._loopback = socket:loopback() and not tunnel.is_tunnel(self.target)
  self._mode, self._verify = starttls.policy(self.target, self._loopback)
  self._must_tls = starttls.is_must(self._mode)
  self._core = core.client(socket, self.target.disable, false, self._must_tls)
  local ok, err = true, nil
  if self._mode == "implicit" then ok, err = starttls.implicit(self) end
  if ok then ok, err = greet(self) end
  if not ok and self._core then self:quit() end
  return ok, err
end

-- A function of the caller's may raise (a token, a trace), and the task may be ended:
-- nothing stays open.
local OPENING = { __close = function(opening)
  if opening.client then opening.client:close() end
end }

-- Connects, and returns once mail may be sent: true, or nil and an error.
local function begin(self)
  local socket, err = transport.open(self.target, self._deadline)
  if not socket then return nil, err end
  local opening <close> = setmetatable({ client = self }, OPENING)
  local ok
  ok, err = start(self, socket)
  if ok then opening.client = nil end
  return ok, err
end

-- The trace of the target. Where it raises, a reply is due that nobody waits for.
local function guarded(self, trace)
  return trace and function(...)
    local ok, why = pcall(self._call, self, trace, ...)
    if ok then return end
    self:close()
    error(why, 0)
  end
end

-- Connects to a target that was parsed, and gives the client; `limit` is a time that
-- bounds it in place of the target's deadline.
local function open(target, limit)
  local self = setmetatable({ target = target, capabilities = {} }, Client)
  self._transcript = transcript.new(guarded(self, target.trace))
  self._deadline = limit or target.deadline and core.now() + target.deadline
  local ok, err = begin(self)
  self._deadline = nil
  if not ok then return nil, err end
  return self
end

--- Another session with the same server, for one that has had enough of this one (RFC
-- 9422 section 4). True, or nil and an error.
function Client:_reopen()
  if self._speaks_for then -- a new one would be our own
    return self:_error { kind = "unsupported", stage = "mail",
      message = "the server wants another session, and this one is for somebody else (XCLIENT)" }
  end
  if self:usable() then self:quit() end
  self:close()
  return begin(self)
end

--- Whether there is a connection.
function Client:_alive()
  return self._core ~= nil
end

--- See `smtp.connect`.
local function connect(given, more)
  if more ~= nil then -- as other libraries have it: a port
    options.misuse('connect: one target is needed: "host:port", or { host = ..., port = ... }')
  end
  local target, err = target_of.parse("connect", given)
  if not target then return nil, err end
  return open(target)
end

-- ---- what users call ----------------------------------------------------

-- What `command` leaves alone, and who does it.
local MANAGED = {
  DATA = "client:data sends content, client:send a message", BDAT = "client:send says it",
  STARTTLS = "`tls` of the target has it", AUTH = "`auth` of the target has it",
}

local function need_text(method, value)
  if type(value) ~= "string" then error(method .. ": a string is needed", 3) end
end

--- Sends a command line and gives its reply, whatever its code.
function Client:command(line)
  self:_check()
  need_text("command", line)
  local name, args = line:match("^(%S+) ?(.*)$")
  if not name then name, args = line, "" end
  if MANAGED[name:upper()] then
    return self:_error { kind = "invalid", stage = "command",
      message = name:upper() .. " is not for command()", hint = MANAGED[name:upper()] }
  end
  if name:upper() == "QUIT" then return self:quit() end
  return self:_exchange("command", name, args)
end

function Client:noop() self:_check() return self:_ask("command", "NOOP") end

function Client:vrfy(text)
  self:_check()
  need_text("vrfy", text)
  text = names.wire(text, self.capabilities.SMTPUTF8) or text
  if core.eightbit(text) then -- RFC 6531 section 3.7.4.2
    if not self.capabilities.SMTPUTF8 then
      return self:_error { kind = "unsupported", stage = "command",
        message = "VRFY of other letters than those of ASCII needs SMTPUTF8" }
    end
    text = text .. " SMTPUTF8"
  end
  return self:_ask("command", "VRFY", text)
end

function Client:xclient(told) self:_check() return xclient.xclient(self, told) end

function Client:xforward(told) self:_check() return xclient.xforward(self, told) end

--- RSET: a transaction that was begun is dropped.
function Client:reset()
  self:_check()
  local reply, err = self:_ask("rset", "RSET")
  if reply then self._dirty = false end
  return reply, err
end

--- MAIL with `{ size =, body = }`.
function Client:mail(sender, params)
  self:_check()
  return envelope.mail(self, sender, params)
end

function Client:rcpt(recipient, params)
  self:_check()
  return envelope.rcpt(self, recipient, params)
end

local DATA_OPTIONS = { received = "boolean", prepend = "string" }

--- DATA, the content (string, function, file, message) and its final reply.
function Client:data(content, opts)
  self:_check()
  local from, err = message_of.content(content, options.check("data: options", opts or {},
    DATA_OPTIONS))
  if err then return nil, err end
  if not from then error("data: a string, a function or a file is needed", 2) end
  return self:_within(nil, transaction.data, from)
end

local SEND_OPTIONS = { deadline = "seconds", progress = "function", received = "boolean",
  prepend = "string" }

--- A whole transaction; `opts` are `deadline` and `progress`.
function Client:send(message, opts)
  self:_check()
  opts = options.check("send: options", opts or {}, SEND_OPTIONS)
  local out, err = message_of.outgoing(message, self.target.dkim, opts)
  if not out then
    err.peer = self.target.name
    return nil, err
  end
  if not self._core then return self:_gone() end -- reading it has closed the client
  return self:_deliver(out, opts.deadline, opts)
end

--- The same of what `message.outgoing` made, within so many seconds.
function Client:_deliver(out, seconds, opts)
  return self:_within(seconds, dispatch.send, out, opts)
end

--- Many messages, in as few round trips as the server allows.
function Client:send_all(messages, opts)
  self:_check()
  return send_all.run(self, messages, opts)
end

--- Connects, sends what `outgoing` made, and quits, all within the target's deadline,
-- which began at `since`. Gives receipt and error, and what is known of TLS.
local function run(target, out, opts, since)
  local self <close>, why = open(target)
  if not self then return nil, why end
  local left = target.deadline and math.max(since + target.deadline - core.now(), 0)
  local receipt, err = self:_deliver(out, left, opts)
  if self:usable() then self:quit() end
  return receipt, err, self.tls
end

--- See `smtp.send`: what can be known to be wrong is told before connecting.
local function send(given, message, opts)
  local since = core.now()
  opts = options.check("send: options", opts or {}, SEND_OPTIONS)
  local target, err = target_of.parse("send", given)
  if not target then
    err.outcome = "not_sent"
    return nil, err
  end
  local out
  out, err = message_of.outgoing(message, target.dkim, opts)
  if not out then return nil, err end
  local deadline = math.min(target.deadline or math.huge, opts.deadline or math.huge)
  target.deadline = deadline < math.huge and deadline or nil
  local receipt, failure = run(target, out, opts, since)
  return receipt, failure
end

--- QUIT, at most two seconds for its reply, then close.
function Client:quit()
  local machine = self:_check()
  local reply, err
  if machine:usable() then
    reply, err = self:_within(self.target.timeout.quit, self._exchange, "quit", "QUIT")
  else
    reply, err = self:_misplaced("quit")
  end
  self:close()
  return reply, err
end

--- The last lines of the dialogue.
function Client:transcript()
  return tostring(self._transcript)
end

--- True while commands can be sent.
function Client:usable()
  return self._core ~= nil and not self._waiting and self._core:usable()
end

--- Closes without a word; does nothing the second time.
function Client:close()
  local machine = self._core
  if not machine then return end
  starttls.keep(self)
  self._closed_at = self:_stage()
  self._core, self._written = nil, machine:written()
  loop.forget(machine)
  machine:close()
end

Client.__close = Client.close

return { connect = connect, send = send, _run = run, _open = open }
