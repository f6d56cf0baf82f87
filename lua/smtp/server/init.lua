-- SPDX-License-Identifier: MIT
--- The server: listeners, limits over all sessions, and the options of
-- `smtp.server` (types/smtp/server.d.lua). Sessions are in session.lua.
local admission = require "smtp.server.admission"
local core = require "smtp.core"
local errors = require "smtp.error"
local facts = require "smtp.server.facts"
local guesses = require "smtp.server.guesses"
local loop = require "smtp.loop"
local names = require "smtp.base.names"
local options = require "smtp.base.options"
local server_auth = require "smtp.server.auth"
local server_extensions = require "smtp.server.extensions"
local forwarded = require "smtp.server.forwarded"
local server_tls = require "smtp.server.tls"
local session = require "smtp.server.session"
local watchers = require "smtp.loop.watchers"
local workers = require "smtp.server.workers"

local Server = { __name = "smtp.server" }
Server.__index = Server

local SPEC = {
  listen = "string table", hostname = "string", greeting = "string", lmtp = "boolean",
  tls = "table", auth = "table",
  syntax = { "lenient", "strict" }, bare_newline = { "reject", "normalize", "raw" },
  refuse_eightbit = "boolean", limits = "table", extensions = "table", proxy = "table",
  xclient = "table", xforward = "table",
  on_event = "function", on_connect = "function", on_helo = "function", on_auth = "function",
  on_mail = "function", on_rcpt = "function boolean", on_data = "function",
  on_message = "function", on_vrfy = "function", on_command = "table",
  on_undelivered = "function", on_reset = "function", on_close = "function",
}

local LIMITS = {
  connections = "count", per_ip = "count", message_size = "size", recipients = "count",
  recipient_domains = "count", messages = "count", errors = "count",
  junk = "count", line = "count", auth_line = "count",
  header = "size", hops = "count", idle_timeout = "seconds", command_timeout = "seconds",
  data_rate = "number", handshake_timeout = "seconds", proxy_timeout = "seconds",
  handler_timeout = "seconds",
}

-- Limits outside of the core, or with a line in EHLO.
local DEFAULTS = {
  recipients = 1000, messages = 1000, connections = 1000, per_ip = 50, handler_timeout = 300,
  handshake_timeout = 30, proxy_timeout = 5,
}

local PLACE = {
  host = "string", port = "port digits", path = "string", fd = "count", backlog = "count",
  tls = "table", proxy = "table", lmtp = "boolean",
}

local SMTP_PORT = 25

local GREETING_MAX = 200 -- with a name it fits a line of a reply (RFC 5321 section 4.5.3.1.5)

-- Verbs of the protocol, which `on_command` may not take.
local TAKEN = {
  HELO = true, EHLO = true, LHLO = true, MAIL = true, RCPT = true, DATA = true, BDAT = true,
  RSET = true, NOOP = true, VRFY = true, QUIT = true, STARTTLS = true, AUTH = true,
}

-- Pause after a failed accept (no descriptors left), twice as long each time.
local ACCEPT_PAUSE, ACCEPT_PAUSE_MAX = 0.1, 1

-- Connections accepted in one turn.
local BURST = 64

-- ---- options ------------------------------------------------------------

-- One place to listen at, or a list of them?
local function is_place(listen)
  return type(listen) == "string" or #listen == 0
end

local function check_limits(given)
  local limits = {}
  for key, value in pairs(DEFAULTS) do limits[key] = value end
  for key, value in pairs(given or {}) do
    limits[key] = LIMITS[key] == "size" and options.size(value) or options.integer(value) or value
  end
  return limits
end

local function check_commands(given)
  local verbs, by_name = {}, {}
  for name, handler in pairs(given or {}) do
    if type(name) ~= "string" or not name:match("^%a[%w-]*$") or TAKEN[name:upper()] then
      options.misuse(("server: on_command.%s cannot be an own verb"):format(tostring(name)))
    end
    if type(handler) ~= "function" then
      options.misuse(("server: on_command.%s must be a function"):format(name))
    end
    verbs[#verbs + 1] = name:upper()
    by_name[name:upper()] = handler
  end
  table.sort(verbs)
  return table.concat(verbs, " "), by_name
end

-- The TLS options of a listener; the server's are the default.
local function tls_of(given, place)
  local own = type(place) == "table" and place.tls
  if not own or own == given.tls then return given.tls end
  local all = {}
  for key, value in pairs(given.tls or {}) do all[key] = value end
  for key, value in pairs(own) do all[key] = value end
  return all
end

local function check_options(given)
  options.check("server", given, SPEC)
  options.check("server: limits", given.limits or {}, LIMITS)
  if not given.on_message then options.misuse("server: on_message is required") end
  if not given.listen then options.misuse("server: listen is required") end
  for _, place in ipairs(is_place(given.listen) and { given.listen } or given.listen) do
    if type(place) ~= "string" then
      options.check("server: listen", place, PLACE)
      forwarded.proxies(given, place)
      if place.tls then server_tls.check(tls_of(given, place)) end
      if not (place.fd or place.path or place.host and place.port) then
        options.misuse("server: listen needs a host and a port, a path or an fd")
      end
    end
  end
  if given.tls then server_tls.check(given.tls) end
  forwarded.proxies(given)
  local hostname = names.host(given.hostname or "localhost")
  if not hostname or not core.is_domain(hostname) then
    options.misuse("server: hostname must be a domain name or an address literal")
  end
  local greeting = given.greeting or ""
  if greeting:find("[^ -~]") or #greeting > GREETING_MAX then
    options.misuse("server: greeting must be one line of ASCII")
  end
end

-- ---- listeners ----------------------------------------------------------

local function place_name(place)
  if type(place) == "string" then return place end
  return place.path or place.fd and "fd " .. place.fd or ("%s:%d"):format(place.host, place.port)
end

local function listen_error(kind, place, why, errname)
  return nil, errors.new { kind = kind, stage = "listen", peer = place_name(place), message = why,
    cause = errname, temporary = false }
end

local ANY = "0.0.0.0" -- "*", which a look-up of names would take for this machine

-- "host:port", "[::1]:25", "*:25", "unix:/path" or a table of one place.
local function parse_place(place)
  if type(place) == "table" then
    place = options.check("server: listen", place, PLACE)
    if place.host ~= "*" then return place end
    return { host = ANY, port = place.port, backlog = place.backlog }
  end
  local path = place:match("^unix:(/.+)$")
  if path then return { path = path } end
  local host, port = place:match("^%[(.+)%]:(%d+)$")
  if not host then host, port = place:match("^([^:]*):(%d+)$") end
  port = math.tointeger(port)
  if not host or port > 65535 then
    return listen_error("invalid", place, "an address to listen at is host:port or unix:/path")
  end
  if host == "*" or host == "" then host = ANY end
  return { host = host, port = port }
end

-- Looks a name up; takes the first address.
local function numeric(place)
  if not place.host then return place end
  local job <close> = assert(core.resolve(place.host, tostring(place.port)))
  local list, why = job:result()
  while list == false do
    loop.wait(job, "r")
    list, why = job:result()
  end
  loop.forget(job)
  if not list then return nil, why end
  return { host = list[1].host, port = place.port, backlog = place.backlog }
end

local function open(place)
  local at, why = numeric(place)
  if not at then return listen_error("system", place, why) end
  local socket, message, errname = core.listen {
    host = at.host, port = at.port, path = at.path, fd = at.fd, backlog = at.backlog,
  }
  if not socket then return listen_error("system", place, message, errname) end
  return socket
end

-- Whether a place uses LMTP; the server's option is the default.
local function lmtp_of(given, place)
  if type(place) == "table" and place.lmtp ~= nil then return place.lmtp end
  return given.lmtp or false
end

-- The common parts of a listener's sessions: its TLS and the configuration of the core.
local function share(self, given, place)
  local wanted, lmtp = tls_of(given, place), lmtp_of(given, place)
  for _, known in ipairs(self.shared) do
    if known.wanted == wanted and known.lmtp == lmtp then return known end
  end
  local tls, why
  if wanted then
    tls, why = server_tls.new(wanted)
    if not tls then
      return nil, errors.new { kind = "tls", stage = "listen", peer = place_name(place),
        message = why, temporary = false }
    end
  end
  local auth, offered = self.auth or {}, self.offered
  local known = { tls = tls, wanted = wanted, lmtp = lmtp, config = core.server_config {
    lmtp = lmtp,
    extensions = offered.extensions, offers = offered.offers, mail_own = offered.mail_own,
    rcpt_own = offered.rcpt_own, hostname = self.hostname, verbs = self.verbs,
    greeting = given.greeting, failures = self.auth ~= nil,
    strict = given.syntax == "strict", trace = given.on_event ~= nil,
    keep_header = true, accept_data = given.on_data == nil, bare_newline = given.bare_newline,
    refuse_eightbit = given.refuse_eightbit,
    xclient = self.trust.xclient ~= nil, xforward = self.trust.xforward ~= nil,
    limits = self.limits, tls = tls ~= nil and not tls.implicit,
    tls_required = tls ~= nil and tls.required, auth = auth.mechanisms,
    auth_cleartext = auth.cleartext, auth_required = auth.required, iterations = auth.iterations,
  } }
  known.refusal = admission.refusal(known.config)
  table.insert(self.shared, known)
  return known
end

-- Port 25 is for SMTP, not LMTP (RFC 2033 section 5), and not for submission, which RFC 4865
-- needs.
local function check_port(self, shared, port)
  local held = self.offered.bounds.hold_for
  if port ~= SMTP_PORT or not (shared.lmtp or held) then return end
  self:close()
  options.misuse(shared.lmtp and "server: LMTP must not be spoken at port 25" or
    "server: extensions.FUTURERELEASE is for submission, not for port 25")
end

local function open_all(self, given)
  local listen, on_rcpt = given.listen, given.on_rcpt
  for _, place in ipairs(is_place(listen) and { listen } or listen) do
    local parsed, err = parse_place(place)
    if not parsed then return nil, err end
    local shared, socket
    shared, err = share(self, given, place)
    if not shared then return nil, err end
    check_port(self, shared, parsed.port)
    socket, err = open(parsed)
    if not socket then return nil, err end
    self.listeners[#self.listeners + 1] = socket
    local proxy = forwarded.proxies(given, place)
    self.places[#self.listeners] = { tls = shared.tls, config = shared.config,
      lmtp = shared.lmtp, proxy = proxy, refusal = shared.refusal }
    local address, port = socket:name()
    check_port(self, shared, port) -- of an fd
    local open_to_others = port and not admission.is_loopback(address) or proxy
      or self.trust.xclient
    if on_rcpt == nil and open_to_others then
      self:close()
      options.misuse("server: a listener off this machine, or for proxies, needs on_rcpt " ..
        "(true accepts every recipient)")
    end
    self.listening[#self.listening + 1] = { address = address, port = port }
    if not self.address then self.address, self.port = address, port end
  end
  return true
end

-- ---- sessions -----------------------------------------------------------

local function ended(self, one)
  self.sessions[one] = nil
  admission.uncount(self, one)
  admission.leave(self)
  if self.closing and self.connections == 0 then loop.wake(self.drained) end
end

local function admit(self, socket, shared)
  local address, port = socket:peer()
  local peer = { address = address or "", port = port }
  self.accepted = self.accepted + 1
  -- The client behind a proxy is known, and counted, later.
  local proxied = forwarded.is_in(shared.proxy, { peer = peer })
  local key = not proxied and admission.host_of(peer.address) or nil
  if admission.is_full(self, key) then
    return admission.refuse(self, socket, shared, peer)
  end
  admission.enter(self)
  local one = session.new(self, shared, socket, peer, ended)
  admission.count(self, one, key)
  local task = loop.spawn(session.run, one)
  self.sessions[one], task.owner = task, one
end

-- A burst is accepted at once, then the sessions get their turn; a worker leaves
-- connections to the other workers. If the system has no descriptors, one event reports it,
-- and the pauses before the next attempt grow.
local function accept_loop(self, listener, shared)
  local taken, pause = 0, 0
  while not self.closing do
    local socket, why, errname = listener:accept()
    if socket then
      taken, pause = taken + 1, 0
      admit(self, socket, shared)
    end
    if socket == nil then
      if pause == 0 then
        facts.notice(self, ("error at accept: %s"):format(why),
          { type = "error", stage = "accept", error = why, cause = errname })
      end
      pause = math.min(math.max(2 * pause, ACCEPT_PAUSE), ACCEPT_PAUSE_MAX)
      loop.sleep(pause)
    elseif not socket or self.worker or taken >= BURST then
      taken = 0
      loop.wait(listener, "r")
    end
  end
end

local function start_accepting(self)
  for i, listener in ipairs(self.listeners) do
    self.tasks[i] = loop.spawn(accept_loop, self, listener, self.places[i])
  end
end

-- The listeners stay open.
local function pause_accepting(self)
  for i, listener in ipairs(self.listeners) do
    if self.tasks[i] then loop.cancel(self.tasks[i]) end
    loop.forget(listener)
  end
  self.tasks = {}
end

local function stop_accepting(self)
  self.closing = true
  loop.wake(self.leaving)
  pause_accepting(self)
  for _, listener in ipairs(self.listeners) do listener:close() end
  self.listeners = {}
  if self.connections == 0 then loop.wake(self.drained) end
end

-- Tells sessions to end, and gives whether they did within `grace` seconds.
local function finish(self, grace)
  stop_accepting(self)
  for one in pairs(self.sessions) do one:finish("shutdown", false) end
  local clean = loop.pass(self.drained, grace)
  if not clean then
    clean = true
    for one in pairs(self.sessions) do clean = clean and one:is_lingering() end
  end
  return clean
end

-- Becomes worker `n` of so many, without the sessions of the parent process.
local function become(self, n, size)
  for one in pairs(self.sessions) do one:abandon() end
  self.sessions, self.hosts = {}, {}
  self.connections, self.peak, self.accepted, self.messages, self.lingering = 0, 0, 0, 0, 0
  admission.share(self, size)
  guesses.share(self.guesses, size)
  self.drained, self.leaving, self.crew, self.worker = loop.gate(), loop.gate(), nil, n
end

local function accept_shared(self)
  for _, listener in ipairs(self.listeners) do watchers.share(listener) end
  start_accepting(self)
end

-- Functions of a server that workers.lua calls.
local FOR_WORKERS = { accept = accept_shared, become = become, pause = pause_accepting,
  finish = finish }

-- ---- what users call ----------------------------------------------------

-- Whether any place has TLS, which AUTH needs.
local function has_tls(given)
  if given.tls then return true end
  for _, place in ipairs(is_place(given.listen) and { given.listen } or given.listen) do
    if type(place) == "table" and place.tls then return true end
  end
  return false
end

--- Opens the listeners and starts accepting; see `smtp.server`.
local function new(given)
  check_options(given)
  local verbs, commands = check_commands(given.on_command)
  local limits = check_limits(given.limits)
  local self = setmetatable({
    hostname = names.host(given.hostname or "localhost"),
    limits = limits, on_event = given.on_event,
    handlers = {
      on_connect = given.on_connect, on_helo = given.on_helo, on_mail = given.on_mail,
      on_rcpt = type(given.on_rcpt) == "function" and given.on_rcpt or nil,
      on_data = given.on_data, on_message = given.on_message, on_vrfy = given.on_vrfy,
      on_reset = given.on_reset, on_close = given.on_close, on_command = commands,
      on_auth = given.on_auth, on_undelivered = given.on_undelivered,
    },
    auth = server_auth.check(given.auth, given.on_auth, has_tls(given)), verbs = verbs,
    trust = forwarded.check(given),
    offered = server_extensions.check(given.extensions, limits),
    listeners = {}, listening = {}, places = {}, shared = {}, tasks = {}, sessions = {}, hosts = {},
    connections = 0, peak = 0, accepted = 0, messages = 0, lingering = 0,
    drained = loop.gate(), leaving = loop.gate(), guesses = guesses.new(),
  }, Server)
  if given.on_rcpt == false then self.handlers.on_rcpt = function() return false end end
  admission.bound(self)
  local ok, err = open_all(self, given)
  if not ok then
    self:close()
    return nil, err
  end
  start_accepting(self)
  return self
end

--- Serves until `close` or `shutdown`; with `workers`, until a signal.
function Server:run(given)
  if given and workers.check(given) and not self.closing then
    return workers.run(self, given, FOR_WORKERS)
  end
  loop.pass(self.drained)
end

--- Ends at once: sessions are cut off, waiting handlers are unwound.
function Server:close()
  if self.closed then return end
  self.closed = true
  if self.crew then self.crew:kill() end
  stop_accepting(self)
  local all = {}
  for one, task in pairs(self.sessions) do all[one] = task end
  local limit = loop.now() + loop._CLOSING
  for one, task in pairs(all) do
    if loop.cancel(task, limit) then
      one:__close() -- it had not begun to run
    elseif one:is_open() then -- a handler closes its own server: the session ends after it
      one:finish("shutdown", false)
    end
  end
end

Server.__close = Server.close
Server.__gc = Server.close

--- Accepts no more, lets transactions finish for at most `grace` seconds
-- (default 30), then ends. Gives true, or false if sessions had to be cut off.
function Server:shutdown(grace)
  if grace ~= nil and type(grace) ~= "number" then
    options.misuse("server:shutdown: grace must be a number of seconds")
  end
  if self.crew then return self.crew:shutdown(grace or 30) end
  local clean = finish(self, grace or 30)
  self:close()
  return clean
end

--- Reads certificates and keys again, for new connections. True; or nil and an error, and then the
-- old ones stay in use.
function Server:reload_tls()
  local all = {}
  for _, shared in pairs(self.shared) do
    if shared.tls then
      local read, why = shared.tls:read()
      if not read then
        return nil, errors.new { kind = "tls", stage = "listen", message = why, temporary = false }
      end
      all[shared.tls] = read
    end
  end
  for tls, read in pairs(all) do tls:use(read) end
  return true
end

--- Counts of this process: connections now, accepted and messages since the start.
function Server:stats()
  local counts = { connections = self.connections, accepted = self.accepted,
    messages = self.messages }
  if self.crew then counts.workers, counts.restarts = self.crew:count() end
  return counts
end

return { new = new }
