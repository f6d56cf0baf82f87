-- SPDX-License-Identifier: MIT
--- The connection of a client: when to wait and for how long, and what a reply or a failure
-- means for the call under way. The machine (csrc/core/client.h) keeps commands, replies and
-- messages in step. The files of this folder and smtp.client use this interface:
--
--   call(fn, ...)              calls a function of the user's
--   submit, await              a command; the next reply
--   exchange, ask              a command and its reply; `ask` takes only a 2xx
--   hear(sending)              the next event of the messages under way
--   wait(events, limit, stage) for TLS and the like
--   within(seconds, fn, ...)   a deadline over all of it
--   fail, broken, rejected ... errors (failure.lua): nil and the error
--   lose(err)                  fails what was under way, once it is closed
--   close, renew               the end; another session in its place
local auth = require "smtp.client.auth"
local core = require "smtp.core"
local errors = require "smtp.error"
local failure = require "smtp.client.failure"
local hello = require "smtp.client.hello"
local limits = require "smtp.client.limits"
local loop = require "smtp.loop"
local proxy_client = require "smtp.net.proxy_client"
local starttls = require "smtp.client.starttls"
local transcript = require "smtp.client.transcript"
local transport = require "smtp.net.transport"

local Connection = {}
Connection.__index = Connection

for name, method in pairs(failure) do Connection[name] = method end

-- Raised after a function of the user has closed the client during a call.
local GONE = setmetatable({}, { __tostring = function() return "the client was closed" end })

--- Calls a function of the user's. If it closes the client, the call under way ends.
function Connection:call(fn, ...)
  local machine = self.machine
  local a, b, c = fn(...)
  if self.machine ~= machine then error(GONE, 0) end
  return a, b, c
end

--- Whether a call is under way: another task's, one that was ended there, or a message whose
-- function calls the client.
function Connection:is_busy()
  return self._waiting or not self.machine:idle()
end

--- True while commands can be sent.
function Connection:is_usable()
  return self.machine ~= nil and not self._waiting and self.machine:usable()
end

-- ---- what was said ---------------------------------------------------------

-- Gives the trace of the target the lines that it has not had. Where it raises, a reply is
-- due that nobody waits for.
local function tell_trace(self)
  local trace = self.target.trace
  while trace and self.machine do
    local lines = self.machine:said()
    if not lines then return end
    for i = 1, #lines, 2 do
      local ok, why = pcall(self.call, self, trace, lines[i], lines[i + 1])
      if not ok then
        self:close()
        error(why, 0)
      end
    end
  end
end

--- The last lines of the dialogue, as text.
function Connection:transcript()
  return transcript.text((self.machine or self._closed):transcript())
end

-- ---- waiting ---------------------------------------------------------------

--- Waits for `events`, until `limit` or the deadline of the call: true, or nil and an error.
function Connection:wait(events, limit, stage)
  local deadline = self._deadline
  local at = deadline and deadline < limit and deadline or limit
  local left = at - core.now()
  if left > 0 then
    local machine = self.machine
    self._waiting = true
    local ready = loop.wait(machine, events, left)
    if self.machine ~= machine then error(GONE, 0) end -- another task has closed it
    self._waiting = false
    if ready then return true end
  end
  return self:timed_out(stage, at == deadline)
end

-- The next step of the machine, waited for; or nil and an error. See client:step in
-- csrc/lua/client.c.
local function step_of(self, sending)
  local machine = self.machine
  local step, a, b, c, d, e = machine:step(sending)
  local written, due, limit
  while step == false do -- a is what to wait for
    local stage, phase = self:stage()
    local sent, awaited = machine:written(), machine:outstanding()
    if written ~= sent or due ~= awaited then -- progress: the time-out begins again
      written, due, limit = sent, awaited, core.now() + self.target.timeout[phase]
    end
    if self.target.trace then tell_trace(self) end
    local ok, err = self:wait(a, limit, stage)
    if not ok then return nil, err end
    step, a, b, c, d, e = machine:step(sending)
  end
  if self.target.trace then tell_trace(self) end
  if not step then return self:failed(a, b, c, d) end
  return step, a, b, c, d, e
end

--- The next reply to a command: its step and the reply; or nil and an error.
function Connection:await()
  return step_of(self)
end

--- Queues a command; replies that must come first are an error. True, or nil and an error.
function Connection:submit(stage, name, args)
  local machine = self.machine
  local ok, _, word = machine:submit(name, args)
  while not ok and word == "busy" do
    local step, reply = step_of(self)
    if not step then return nil, reply end
    ok, _, word = machine:submit(name, args)
  end
  if self.target.trace then tell_trace(self) end
  if ok then return true end
  if word == "invalid" then
    return self:fail { kind = "invalid", stage = stage,
      message = "controls, 8-bit bytes and more than 2048 of them may not be in a command" }
  end
  return self:misplaced(stage)
end

local function exchange(self, stage, name, args)
  local ok, err = self:submit(stage, name, args)
  if not ok then return nil, err end
  local step, reply = step_of(self)
  if not step then return nil, reply end
  if step == "unasked" then return self:over(reply, stage) end
  return reply
end

--- A command and its reply, whatever its code.
function Connection:exchange(stage, name, args)
  return self:within(nil, exchange, stage, name, args)
end

--- A command and its reply; only a 2xx is a success.
function Connection:ask(stage, name, args, fields)
  local reply, err = self:exchange(stage, name, args)
  if not reply then return nil, err end
  if reply.code >= 300 then return self:rejected(reply, stage, fields) end
  return reply
end

--- The next event of the messages under way: "message", once it is known what became of
-- one, which its part is told; under `sending` also "content" or "sent", of the one that is
-- being sent. Nil and an error: the session has ended, and each part was told.
function Connection:hear(sending)
  local step, a, b, c, d, e = step_of(self, sending)
  if step == "message" then
    a:done(b, c, d, e)
  elseif step == "ended" then
    return self:lose(select(2, self:over(b, a == "unasked" and "command" or a)))
  elseif not step then
    return self:lose(a)
  end
  return step
end

-- A function of the caller's raised: the session is in the middle of something.
local function restore(self, deadline, ok, ...)
  self._deadline = deadline
  if ok then return ... end
  if ... == GONE then return self:gone() end
  if self.machine and not self.machine:idle() then self:close() end
  error((...), 0)
end

--- Runs fn within a deadline of so many seconds, if any; the inner one wins if earlier.
function Connection:within(seconds, fn, ...)
  local before = self._deadline
  if seconds then
    local at = core.now() + seconds
    self._deadline = before and math.min(before, at) or at
  end
  return restore(self, before, pcall(fn, self, ...))
end

-- ---- the session begins ----------------------------------------------------

-- From the greeting to where mail may be sent.
local function greet(self)
  local ok, err = hello.greeting(self)
  if ok then ok, err = hello.hello(self) end
  if ok then ok, err = starttls.upgrade(self, self.mode) end
  if ok and self.target.auth then ok, err = auth.run(self) end
  return ok, err
end

local function start(self, socket)
  local target = self.target
  self.helo = target.helo or hello.own_name(socket)
  self.used, self.tls, self.session = limits.used(), nil, {}
  self.loopback = socket:loopback() and not proxy_client.is_tunnel(target)
  self.mode, self.verify = starttls.policy(target, self.loopback)
  self.must_tls = starttls.is_must(self.mode)
  self.machine = core.client(socket, target.disable, false, self.must_tls, target.trace ~= nil)
  local ok, err = true, nil
  if self.mode == "implicit" then ok, err = starttls.implicit(self) end
  if ok then ok, err = greet(self) end
  if not ok and self.machine then self:quit() end
  return ok, err
end

-- A function of the caller's may raise (a token, a trace), and the task may be ended:
-- nothing stays open.
local OPENING = { __close = function(opening)
  if opening.connection then opening.connection:close() end
end }

-- Connects, and returns once mail may be sent: true, or nil and an error.
local function begin(self)
  local socket, err = transport.open(self.target, self._deadline)
  if not socket then return nil, err end
  local opening <close> = setmetatable({ connection = self }, OPENING)
  local ok
  ok, err = start(self, socket)
  if ok then opening.connection = nil end
  return ok, err
end

local M = {}

--- Connects to a target that was parsed, and gives the connection; `limit` is a time that
-- bounds it in place of the target's deadline.
function M.open(target, limit)
  local self = setmetatable({ target = target, capabilities = {} }, Connection)
  self._deadline = limit or target.deadline and core.now() + target.deadline
  local ok, err = begin(self)
  self._deadline = nil
  if not ok then return nil, err end
  return self
end

--- Another session with the same server, for one that has had enough of this one (RFC
-- 9422 section 4). True, or nil and an error.
function Connection:renew()
  if self.speaks_for then -- a new one would be our own
    return self:fail { kind = "unsupported", stage = "mail",
      message = "the server wants another session, and this one is for somebody else (XCLIENT)" }
  end
  if self:is_usable() then self:quit() end
  self:close()
  return begin(self)
end

-- ---- the session ends ------------------------------------------------------

--- QUIT, and its reply within the time-out for that, then close. The reply, or nil and an
-- error.
function Connection:quit()
  local reply, err
  if self.machine:usable() then
    reply, err = self:within(self.target.timeout.quit, self.exchange, "quit", "QUIT")
  else
    reply, err = self:misplaced("quit")
  end
  self:close()
  return reply, err
end

--- QUIT, and nobody waits for its reply.
function Connection:part()
  if self:is_usable() and self.machine:submit("QUIT") then self.machine:flush() end
  self:close()
end

--- Writes what waits, as far as that goes at once.
function Connection:flush()
  if self.machine then self.machine:flush() end
end

-- Nothing has come on an idle connection: no 421, no end. The first step says that it
-- would wait, the second one looks as if it had.
function Connection:is_quiet()
  return self:is_usable() and self.machine:step() == false and self.machine:step() == false
end

-- The messages that are still under way, with what is known of each.
local function lost_of(machine)
  local list = {}
  while true do
    local outcome, part, verdict, result, places = machine:lose()
    if not outcome then return list end
    list[#list + 1] = { outcome = outcome, part = part, verdict = verdict, result = result,
      places = places }
  end
end

--- Closes without a word; does nothing the second time. What was under way is kept for
-- `lose`.
function Connection:close()
  local machine = self.machine
  if not machine then return end
  starttls.keep(self)
  self._closed_at = self:stage()
  self._lost = lost_of(machine)
  self.machine, self._closed = nil, machine
  loop.forget(machine)
  machine:close()
end

Connection.__close = Connection.close

--- The outcome of the first message under way, if nothing more is heard.
function Connection:outcome()
  if self.machine then return self.machine:outcome() end
  local first = self._lost and self._lost[1]
  return first and first.outcome or "not_sent"
end

-- The error of a message behind the first one. Behind a 421 they were not looked at
-- any more; another refusal was not of them.
local function behind(err, outcome)
  local is_refusal = err.kind == "rejected"
  if is_refusal and err.code ~= 421 then
    return errors.new { kind = "closed", stage = err.stage, peer = err.peer, outcome = outcome,
      message = "the session ended with another message", transcript = err.transcript }
  end
  return errors.new { kind = err.kind, stage = err.stage, message = err.message,
    code = err.code, text = err.text, lines = err.lines, enhanced = err.enhanced,
    peer = err.peer, cause = err.cause, transcript = err.transcript,
    outcome = is_refusal and "not_sent" or outcome }
end

--- Each message that was under way fails with an error: nil and that error.
function Connection:lose(err)
  local lost = self._lost or {}
  self._lost = nil
  for i, one in ipairs(lost) do
    one.part:fail(i == 1 and err or behind(err, one.outcome), one)
  end
  return nil, err
end

--- The client was closed by a function of the user or by another task: nil, and the error
-- of the call under way.
function Connection:gone()
  local _, err = self:fail { kind = "closed", stage = self._closed_at,
    message = "the client was closed", outcome = self:outcome() }
  return self:lose(err)
end

return M
