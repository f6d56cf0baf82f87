-- SPDX-License-Identifier: MIT
--- One session of a server: an ordinary loop in an ordinary coroutine. It asks the core
-- (csrc/core/server.h) for the next event, calls the handler, and gives the verdict to the core.
local admission = require "smtp.server.admission"
local extensions = require "smtp.base.extensions"
local core = require "smtp.core"
local facts = require "smtp.server.facts"
local guesses = require "smtp.server.guesses"
local incoming = require "smtp.server.incoming"
local loop = require "smtp.loop"
local recipient_replies = require "smtp.server.recipient_replies"
local server_auth = require "smtp.server.auth"
local forwarded = require "smtp.server.forwarded"
local tls = require "smtp.net.tls"
local verdict = require "smtp.server.verdict"

local Session = { __name = "smtp.session" }
Session.__index = Session

local M = {}

-- The methods that run several times a message, without the look-up by name.
local methods = getmetatable(core.server_config({}):session()).__index
local machine_turn, machine_decide, machine_content = methods.turn, methods.decide, methods.content

-- Seconds for a peer to read our last reply, and to stop sending.
local LINGER = 5

-- One in so many of the allowed connections may linger.
local LINGERS = 10

-- ---- facts ---------------------------------------------------------------

-- Reports a fact to `on_event`.
function Session:fact(kind, fields)
  if not self.server.on_event then return end
  fields = fields or {}
  fields.type, fields.session = kind, self
  facts.tell(self.server, fields)
end

--- Reports a failure of ours or of a handler.
function Session:fail(stage, cause)
  facts.fail(self.server, stage, cause, self)
end

--- Reports an error of the session's task, such as that of a variable closed at its end.
function Session:task_failed(message)
  self:fail("session", message)
end

--- Reports a text that was changed for the client.
function Session:check_text(stage, text)
  if not text or self._core:hears(text) then return end
  self:fail(stage, ("the client takes ASCII only (it did not ask for SMTPUTF8): %q is sent as %q")
    :format(text, (text:gsub("[\xc0-\xff]?[\x80-\xbf]+", "?"):gsub("[\xc0-\xff]", "?"))))
end

--- Whether a reply can be sent as it is.
function Session:sayable(code, text)
  return self._core:sayable(code, text)
end

-- ---- the session for its message and its server ---------------------------

--- Whether it has not ended.
function Session:is_open()
  return self._core ~= nil
end

--- Whether all is said, and only the rest of the client's bytes is read.
function Session:is_lingering()
  return self._lingering == true
end

--- Ends it by the reply of `why`: now, or when the transaction is over.
function Session:finish(why, now)
  self._core:finish(why, now)
  if self._task then loop.nudge(self._task, self._core) end -- an idle session must look again
end

--- Closes it in a process that was forked: nothing is sent.
function Session:abandon()
  self._core:close()
end

-- Lets the time of a handler go on, and gives the rest.
local function resumed(task, limit, since, ...)
  task.limit = limit and limit + loop.time - since
  return ...
end

--- The next event of the content. The time of a slow peer is not the handler's.
function Session:next_content()
  local task = self._task
  local limit, since = task.limit, loop.time
  task.limit = false
  return resumed(task, limit, since, self:next_event())
end

--- The bytes of the last event "body".
function Session:content()
  return machine_content(self._core)
end

--- Writes them to a spool; as its `write`.
function Session:content_to(spool)
  return self._core:content_to(spool)
end

--- The header of the message so far, and whether that is all of it.
function Session:header()
  return self._core:header()
end

--- Gives the machine a verdict on the message, and the code that it sent.
function Session:decide(name, code, text)
  return machine_decide(self._core, name, code, text)
end

-- ---- functions of the user -----------------------------------------------

local function unlimited(task, ...)
  task.limit = false
  return ...
end

-- As pcall; waits beyond the limit raise loop.EXPIRED in the function.
local function within(self, limit, fn, ...)
  self._task.limit = limit
  return unlimited(self._task, pcall(fn, ...))
end

--- Calls a function of the user with the session, within the time of a handler; as pcall.
function Session:call(fn, ...)
  return within(self, loop.time + self._handler_timeout, fn, self, ...)
end

-- ---- events --------------------------------------------------------------

--- The next event of the machine that is not a mere fact; waits for it.
function Session:next_event()
  local machine, expired = self._core, false
  while true do
    local event, a, b, c, d = machine_turn(machine, loop.time, expired)
    expired = false
    if not event then
      expired = not loop._wait_until(a and machine, a, b)
    elseif event == "line" then
      self:fact("command", { text = a })
    elseif event == "reply" then
      self:fact("reply", { text = a })
    else
      if event == "close" then self._reason = a end
      return event, a, b, c, d
    end
  end
end

-- ---- verdicts ------------------------------------------------------------

-- Judges the results of a handler's pcall; the usual results first.
local function judge(self, stage, message, ok, ...)
  local task = self._task
  local limit = task.limit -- false if it came to that: the error is EXPIRED
  task.limit = false
  if limit and self.server.on_event and core.now() > limit then
    self:fact("error", { stage = stage, error = "handler timeout: it did not wait" })
  end
  local value, text = ...
  if not ok then
    return verdict.fail(self, stage, value == loop.EXPIRED and "handler timeout" or value)
  end
  if value == true and text == nil then return "accept" end
  if value == nil and select("#", ...) == 0 then return "nothing" end
  return verdict.of(self, stage, message, ...)
end

-- Calls a handler within its time; gives the verdict. `a` is the message of on_message.
local function consult(self, stage, handler, a, b)
  self._task.limit = loop.time + self._handler_timeout
  return judge(self, stage, a, pcall(handler, self, a, b))
end

-- Gives the core a verdict; returns the code that it sent: 451 if the text is forbidden.
local function decide(self, stage, name, code, text)
  local sent = machine_decide(self._core, name, code, text)
  if not text then return sent end
  self:check_text(stage, text)
  if sent ~= code and (sent == 451 or sent == 454) then
    self:fail(stage, ("a handler's text cannot be sent: %q"):format(text:sub(1, 80)))
  end
  return sent
end

-- A step with or without a handler; gives the code that was sent.
local function step(self, stage, handler, a, b)
  if not handler then return machine_decide(self._core, "none") end
  return decide(self, stage, consult(self, stage, handler, a, b))
end

-- Ends the transaction without a message.
local function drop(self)
  self.sender, self.recipients, self.xforward = nil, nil, nil
  local on_reset = self.server.handlers.on_reset
  if not on_reset then return end
  local ok, cause = pcall(on_reset, self)
  if not ok then self:fail("reset", cause) end
end

-- ---- messages ------------------------------------------------------------

-- Reads the rest of the content, so that the core can send the verdict. A handler that read all
-- and returned nothing has taken the message.
local function conclude(self, message, name, code, text, bare)
  local whole = incoming.finish(message)
  if message.gone then return nil end
  if message.unkept and bare then name = "fail" end
  local mended = name == "nothing" and whole and not message.unkept and "accept" or name
  if self.lmtp or message.due > 1 or message.answers then
    local accepted = name == "accept" or name == "reply" and code < 300
    return recipient_replies.conclude(message, accepted, mended, code, text)
  end
  return decide(self, "message", mended, code, not message.why and text or nil), text
end

-- A message: its first event is at hand where nobody decided on DATA.
local function receive(self, ...)
  local message = incoming.new(self)
  if ... then incoming.first(message, ...) end
  local code, text, told = conclude(self, message,
    consult(self, "message", self.server.handlers.on_message, message))
  if self.server.on_event then
    self:fact("message", { id = message.id, code = code, text = text, size = message.size,
      refused = message.why or nil, sender = self.sender, recipients = self.recipients,
      replies = told })
  end
  if message.gone == "reset" then return drop(self) end
  self.sender, self.recipients, self.xforward = nil, nil, nil
  self.messages = self.messages + 1
  self.server.messages = self.server.messages + (code and code < 300 and 1 or 0)
end

-- ---- the loop of a session -----------------------------------------------

local events = {}

function events.connect(self)
  self:fact("connect", { peer = self.peer })
  self._served = step(self, "connect", self.server.handlers.on_connect) < 300
end

function events.helo(self, name, esmtp)
  local before, before_esmtp = self.helo, self.esmtp
  self.helo, self.esmtp = name, esmtp
  local code = step(self, "helo", self.server.handlers.on_helo, name)
  if code >= 400 then self.helo, self.esmtp = before, before_esmtp end
end

function events.mail(self, sender)
  local refused, text = extensions.refusal(self.server.offered.bounds, sender)
  if refused then return decide(self, "mail", "reply", refused, text) end
  local code = step(self, "mail", self.server.handlers.on_mail, sender)
  if code < 300 then self.sender, self.recipients = sender, {} end
end

-- Whether a domain is one too many for the recipients of a session (RFC 9422 section 5.3).
local function is_domain_over(self, domain)
  self._domains = self._domains or { n = 0, seen = {} }
  return not self._domains.seen[domain] and self._domains.n >= self.server.limits.recipient_domains
end

local function note_domain(known, domain)
  if known.seen[domain] then return end
  known.seen[domain], known.n = true, known.n + 1
end

function events.rcpt(self, recipient)
  local domain = self.server.limits.recipient_domains and (recipient.domain or ""):lower()
  if domain and is_domain_over(self, domain) then
    return decide(self, "rcpt", "reply", 452, "4.5.3 Too many domains of recipients")
  end
  local code = step(self, "rcpt", self.server.handlers.on_rcpt, recipient)
  if code >= 300 then return end
  self.recipients[#self.recipients + 1] = recipient
  if domain then note_domain(self._domains, domain) end
end

function events.data(self)
  if step(self, "data", self.server.handlers.on_data) < 400 then receive(self) end
end

function events.vrfy(self, text)
  step(self, "vrfy", self.server.handlers.on_vrfy, text)
end

function events.command(self, verb, args)
  step(self, "command", self.server.handlers.on_command[verb:upper()], args)
end

function events.body(self, size)
  receive(self, "body", size)
end

function events.message(self, ...)
  receive(self, "message", ...)
end

events.reset = drop
function events.xclient(self, told)
  self._domains = nil
  forwarded.xclient(self, told, self._core)
end

events.xforward = forwarded.xforward

-- ---- TLS and AUTH ----------------------------------------------------------

-- Chooses the certificate for the requested name, within the time of the handshake. A failure is
-- reported.
local function choose(self, name, limit)
  local ok, context, why = within(self, limit, self._tls.choose, self._tls, name)
  if not ok and context == loop.EXPIRED then
    self:fail("tls", "sni took too long")
    return false
  end
  if ok and not why then return context end
  self:fail("tls", why or context)
  return nil
end

-- Does the handshake; gives whether it succeeded.
local function secure(self)
  local machine = self._core
  machine:secure(self._tls.context:engine())
  local seconds = self.server.limits.handshake_timeout
  local limit = loop.time + seconds
  local ok, why = tls.handshake(machine, tls.waiter(machine, seconds),
    function(name) return choose(self, name, limit) end)
  if not ok then
    self._reason = "tls"
    self:fact("error", { stage = "tls", error = why })
    return false
  end
  self.tls = machine:info()
  machine:clock(loop.time)
  machine:secured(server_auth.name_of(self.tls.certificate))
  self:fact("tls", { tls = self.tls })
  return true
end

-- Forgets all facts from clear text (RFC 3207 section 4.2).
function events.starttls(self)
  self.helo, self.esmtp, self.user, self.mechanism = nil, false, nil, nil
  self.sender, self.recipients = nil, nil
  secure(self)
end

local function only_verified(_, credentials)
  return credentials.verified
end

-- Waits until an attempt for a user may be judged; false: it is not judged, since too many others
-- wait, or the server ends.
local function may_judge(self, user)
  local server = self.server
  self._user = user or ""
  local wait = guesses.attempt(server.guesses, core.now(), self.peer.address, self._user)
  if wait ~= 0 then loop.pass(server.leaving, wait or guesses.LONGEST) end
  return wait and not server.closing
end

function events.auth(self, fields)
  -- Mechanisms that verify the user have waited before the look-up, or need no key.
  if not fields.verified and not may_judge(self, fields.user) then
    return machine_decide(self._core, "fail")
  end
  local credentials = server_auth.credentials(fields, self.tls)
  local handler = self.server.handlers.on_auth or only_verified
  if step(self, "auth", handler, credentials) >= 300 then return end
  self.user, self.mechanism = credentials.user, credentials.mechanism
  guesses.passed(self.server.guesses, self.peer.address, self.user or "")
end

function events.auth_failed(self)
  guesses.failed(self.server.guesses, core.now(), self.peer.address, self._user or "")
end

function events.lookup(self, fields)
  if not may_judge(self, fields.user) then return self._core:lookup_failed() end
  local auth = self.server.auth
  local ok, keys, why = self:call(auth.lookup, fields.user or "", fields.mechanism)
  local problem = server_auth.answer(auth, self._core, fields.mechanism, ok, keys, why)
  if problem then self:fail("auth", problem) end
end

-- Sends the last reply, then reads and drops input for a while, so that the system does not answer
-- it with a reset that loses the reply. There is no wait for a refused connection, and no reading
-- if many linger.
local function linger(self)
  local machine, limit, server = self._core, loop.time + LINGER, self.server
  while not machine:flush() do
    if not self._served then return end
    if not loop.wait(machine, "w", limit - loop.time) then return end
  end
  local reason = self._reason
  if reason == "quit" or reason == "closed" or reason == "tls" or server.closed then return end
  if not self._served or server.lingering > server.limits.connections // LINGERS then return end
  machine:shutdown()
  server.lingering = server.lingering + 1
  self._lingering = true -- all is said: it may be cut off
  while not machine:linger() do
    local left = limit - loop.time
    if left <= 0 or not loop.wait(machine, "r", left) then return end
  end
end

function Session:__close()
  local machine = self._core
  if not machine then return end
  self._core = nil
  loop.forget(machine)
  machine:close()
  if self._lingering then self.server.lingering = self.server.lingering - 1 end
  self._on_end(self.server, self)
  local on_close = self.server.handlers.on_close
  if not on_close and not self.server.on_event then return end
  local summary = { reason = self._reason or "cancelled", messages = self.messages }
  self:fact("close", summary)
  if not on_close then return end
  local ok, cause = pcall(on_close, self, summary)
  if not ok then self:fail("close", cause) end
end

local function serve(self)
  while not self._reason do -- "close" may have come while a message was read
    local event, a, b, c, d = self:next_event()
    if event ~= "close" then events[event](self, a, b, c, d) end
    -- If a handler closed its own server, only its verdict is sent.
    if self.server.closed and not self._reason then
      self._core:finish("shutdown", true)
    end
  end
  linger(self)
end

--- Runs a session to its end. A failure in it, of memory for example, ends only this
-- session.
function M.run(self)
  local session <close> = self
  local refusal
  session._task = loop.current()
  if session._proxied then
    local ok, why = forwarded.accept(session, session._core)
    if not ok then
      session._reason = "proxy"
      return session:fact("error", { stage = "proxy", error = why })
    end
    local key = admission.host_of(session.peer.address)
    refusal = admission.count(session.server, session, key) and "connections" or nil
  end
  forwarded.trust(session, session._core)
  if session._tls and session._tls.implicit then
    if refusal then -- a handshake for a mere 421 is what a flood would like
      session._reason = refusal
      return
    end
    local ok, stands = pcall(secure, session)
    if not ok then session:fail("session", stands) end
    if not ok or not stands then return end
  end
  if refusal then session._core:finish(refusal, true) end
  local ok, cause = pcall(serve, session)
  if not ok then session:fail("session", cause) end
end

--- Makes the session; it owns the socket from here on. `shared` is the common part of the
-- listener's sessions; on_end(server, session) hears of its end.
function M.new(server, shared, socket, peer, on_end)
  local self = setmetatable({
    server = server, peer = peer, esmtp = false, messages = 0, _tls = shared.tls,
    _task = false, _served = false, _reason = false, _on_end = on_end,
    lmtp = shared.lmtp,
    _core = shared.config:session(socket, loop.time),
    _handler_timeout = server.limits.handler_timeout,
  }, Session)
  self._proxied = forwarded.is_in(shared.proxy, self)
  return self
end

return M
