-- SPDX-License-Identifier: MIT
--- A scripted SMTP server for tests, in a thread of its own: for clients in this process,
-- which may block, and in any other, in any language. See types/smtp/mock.d.lua.
local core = require "smtp.core"
local errors = require "smtp.error"
local export = require "smtp.mock.export"
local loop = require "smtp.loop"
local mail = require "smtp.mock.mail"
local options = require "smtp.options"
local query = require "smtp.mock.query"
local quirks = require "smtp.mock.quirks"
local rule = require "smtp.mock.rule"
local server_auth = require "smtp.server_auth"
local tls = require "smtp.mock.tls"
local violations = require "smtp.mock.violations"

local M = {}

local Mock = { __name = "smtp.mock" }
Mock.__index = Mock

local OPTIONS = {
  host = "string", port = "port", hostname = "string", strict = "boolean",
  tls = "boolean string table", users = "table string", auth = "table", limits = "table",
  rules = "table", without = "string table", extensions = "table",
  driver = { "thread", "loop" }, watchdog = "seconds", timeout = "seconds",
}

local AUTH = { mechanisms = "table", required = "boolean" }
local LIMITS = { size = "size", recipients = "count" }

local TIMEOUT = 5 -- of `wait`

-- ---- starting --------------------------------------------------------------

-- { { name, password } ... } in a fixed order, and whether anybody is let in.
local function users_of(given)
  if given == "any" then return {}, true end
  if type(given) == "string" then options.misuse('mock: users is a table, or "any"') end
  local list = {}
  for name, password in pairs(given or {}) do
    if type(name) ~= "string" or type(password) ~= "string" then
      options.misuse("mock: users are passwords by name")
    end
    list[#list + 1] = { name, password }
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list, false
end

local function mechanisms_of(given, list, any)
  local auth = options.check("mock: auth", given.auth or {}, AUTH)
  if auth.required and not any and #list == 0 then
    options.misuse("mock: auth: required needs users")
  end
  if auth.mechanisms then return server_auth.names("mock: auth", auth.mechanisms) end
  if any then return { "PLAIN", "LOGIN" } end
  return #list > 0 and { "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN", "CRAM-MD5",
    "XOAUTH2", "OAUTHBEARER" } or {}
end

local function write_ca(text)
  if not text then return nil end
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
  return path
end

local function system_error(at, why, errname)
  return nil, errors.new { kind = "system", stage = "listen", peer = at, message = why,
    cause = errname }
end

-- What the loop's driver does: steps the engine, and calls the rules' functions.
local function drive(mock)
  while not mock._stopped do
    loop.wait(mock._engine, "r", mock._engine:timeout() or 60)
    if mock._stopped then break end
    mock._engine:step(0)
    while true do
      local number, facts = mock._core:asks()
      if not number then break end
      local ok, reply = pcall(mock._calls[number], facts)
      if not ok then reply = "451 4.3.0 " .. tostring(reply):gsub("%c", " ") end
      mock._core:answer(type(reply) == "string" and reply or "")
    end
  end
end

local function configure(mock, given, secure)
  local users, any = users_of(given.users)
  local limits = options.check("mock: limits", given.limits or {}, LIMITS)
  mock._limits = { size = options.size(limits.size or "35M"),
    recipients = limits.recipients or 1000 }
  return {
    hostname = given.hostname or "localhost", tls = secure.context, implicit = secure.implicit,
    tls_required = secure.required, users = users, any_user = any,
    mechanisms = mechanisms_of(given, users, any), auth_required = (given.auth or {}).required,
    strict = given.strict, watchdog = given.watchdog, size = mock._limits.size,
    recipients = mock._limits.recipients, engine = mock._engine,
  }
end

--- Starts a mock; it listens when this returns.
function M.start(given)
  given = options.check("mock.start", given or {}, OPTIONS)
  local host = given.host or "127.0.0.1"
  local secure, why = {}, nil
  if given.tls then secure, why = tls.make(given.tls) end
  if not secure then
    return nil, errors.new { kind = "tls", stage = "listen", message = "mock: " .. tostring(why) }
  end
  local mock = setmetatable({ host = host, strict = given.strict or false, _rules = {},
    _calls = {}, _hidden = {}, _extra = {}, _timeout = given.timeout or TIMEOUT,
    _seen = {} }, Mock)
  if given.driver == "loop" then mock._engine = assert(core.mock_engine()) end
  local config = configure(mock, given, secure)
  local errname
  config.socket, why, errname = core.listen { host = host, port = given.port or 0 }
  if not config.socket then
    return system_error(("%s:%d"):format(host, given.port or 0), why, errname)
  end
  local _, port = config.socket:name()
  mock._core, why, errname = core.mock(config)
  if not mock._core then return system_error(host, why, errname) end
  mock.port = port
  mock.url = ("%s://%s:%d"):format(secure.implicit and "smtps" or "smtp",
    host:find(":", 1, true) and "[" .. host .. "]" or host, port)
  mock.ca, mock.ca_file = secure.ca, write_ca(secure.ca)
  if secure.rule then mock:rule(secure.rule).quiet = true end
  for _, keyword in ipairs(type(given.without) == "string" and { given.without }
    or given.without or {}) do mock:without(keyword) end
  for _, line in ipairs(given.extensions or {}) do mock:with(line) end
  for _, one in ipairs(options.list("mock.start: rules", given.rules or {})) do mock:rule(one) end
  if mock._engine then loop.spawn(drive, mock) end
  return mock
end

-- ---- rules -----------------------------------------------------------------

local function keep(mock, made)
  mock._rules[made.id] = made
  return made
end

--- At an event ("RCPT", "connect" ...), where the matcher fits: see types/smtp/mock.d.lua.
function Mock:on(event, matcher)
  return keep(self, rule.new(self, event, matcher))
end

--- The same as a table.
function Mock:rule(given)
  return keep(self, rule.of_table(self, given))
end

-- Tells core what EHLO leaves out and has besides.
local function advertise(mock)
  mock._core:hide(table.concat(mock._hidden, " "), table.concat(mock._extra, "\n"))
  return mock
end

--- EHLO does not offer an extension.
function Mock:without(keyword)
  if type(keyword) ~= "string" or not keyword:find("^[%w-]+$") then
    options.misuse("mock: without needs a keyword, such as \"PIPELINING\"")
  end
  table.insert(self._hidden, keyword)
  return advertise(self)
end

--- EHLO has a line more.
function Mock:with(line)
  if type(line) ~= "string" or line:find("%c") or line == "" then
    options.misuse("mock: with needs a line of EHLO")
  end
  table.insert(self._extra, line)
  return advertise(self)
end

--- Limits: `size` in bytes, `recipients`.
function Mock:limit(given)
  options.check("mock: limit", given, LIMITS)
  local now = self._limits
  now.size = given.size and options.size(given.size) or now.size
  now.recipients = given.recipients or now.recipients
  self._core:limit(now.size, now.recipients)
  return self
end

--- Refuses each sender and recipient once, as greylists do.
function Mock:greylist(reply)
  return self:on("RCPT"):new():reply(reply or "450 4.7.1 greylisted, try again")
end

--- A behaviour with a name, legal and nasty; `smtp.mock.quirks` lists them.
function Mock:quirk(name)
  quirks.apply(self, name)
  return self
end

--- Faults by chance, the same for the same seed.
function Mock:chaos(given)
  return quirks.chaos(self, given)
end

-- ---- what came -------------------------------------------------------------

local SECURE = { "tls_version", "tls_cipher", "tls_name", "tls_error" }

local function visit_of(given)
  local secure = {}
  for _, key in ipairs(SECURE) do
    secure[key:sub(5)], given[key] = given[key], nil
  end
  given.alert = secure.error and secure.error:match("alert (.+)$")
  given.tls_error = secure.error
  given.tls = secure.version and secure or nil
  return given
end

--- All sessions, those that are over too.
function Mock:sessions(asked)
  local list, wanted = {}, asked and query.session(asked)
  for _, given in ipairs(self._core:visits()) do
    local visit = visit_of(given)
    if not wanted or #wanted(visit) == 0 then list[#list + 1] = visit end
  end
  return list
end

-- All mails, also those that were refused; each object is made once.
local function all_mails(mock)
  local seen = mock._seen
  local new = mock._core:mails(#seen + 1)
  if #new == 0 then return seen end
  local visits = {}
  for _, visit in ipairs(mock:sessions()) do visits[visit.number] = visit end
  for _, given in ipairs(new) do
    seen[#seen + 1] = mail.new(given, visits[given.session] or { number = given.session })
  end
  return seen
end

--- The mails that were accepted, in their order, or those of a query.
function Mock:mails(asked)
  local list, missed = {}, asked and query.mail(asked)
  for _, one in ipairs(all_mails(self)) do
    if one.stored and (not missed or #missed(one) == 0) then list[#list + 1] = one end
  end
  return list
end

--- The mails that were refused.
function Mock:refused()
  local list = {}
  for _, one in ipairs(all_mails(self)) do
    if not one.stored then list[#list + 1] = one end
  end
  return list
end

-- Waits until `look` gives something, at most so long.
local function await(mock, seconds, look)
  seconds = seconds or mock._timeout
  if type(seconds) ~= "number" then
    options.misuse(("mock: the time to wait must be a number of seconds, not %q"):format(seconds))
  end
  local limit = core.now() + seconds
  local watch <close>, why, cause = mock._core:watch()
  if not watch then
    return nil, errors.new { kind = "system", peer = mock.url, message = why, cause = cause }
  end
  while true do
    watch:drain()
    local value = look()
    local left = limit - core.now()
    if value or left <= 0 or mock._stopped then
      loop.forget(watch)
      return value
    end
    loop.wait(watch, "r", left)
  end
end

local TAIL = 20 -- lines

--- The end of the transcript, and what else a failure should show. Internal.
function Mock:_tail()
  local lines = {}
  for line in self:transcript():gmatch("[^\n]+") do lines[#lines + 1] = line end
  local text = table.concat(lines, "\n", math.max(1, #lines - TAIL + 1))
  return self.seed and ("%s\nchaos { seed = %d }"):format(text, self.seed) or text
end

--- The first mail of a query, or the n-th, come or to come; or nil and an error that
-- tells what came closest.
function Mock:wait(asked, seconds, n)
  query.mail(asked) -- misuse is told at once
  local found, err = await(self, seconds, function()
    return self:mails(asked)[n or 1]
  end)
  if found or err then return found, err end
  return nil, errors.new { kind = "timeout", peer = self.url,
    message = ("%s as %s"):format(n and n > 1 and ("no mail %d"):format(n) or "no mail",
      query.shown(asked or {})),
    report = query.closest(asked, self:mails()) .. "\n" .. self:_tail() }
end

--- The first session of a query, come or to come. Internal.
function Mock:_wait_session(asked, seconds)
  local limit = core.now() + (seconds or self._timeout)
  self:wait_idle(seconds)
  return await(self, limit - core.now(), function() return self:sessions(asked)[1] end)
end

--- Waits until all that clients have sent was dealt with: true, or nil and an error.
function Mock:wait_idle(seconds)
  self._core:settle()
  local done, err = await(self, seconds, function()
    return self._core:settled() or nil
  end)
  if done or err then return done, err end
  return nil, errors.new { kind = "timeout", peer = self.url,
    message = "sessions are still at work", report = self:_tail() }
end

--- How often an event happened, by its name.
function Mock:count(event)
  local counts = self._core:counts()
  for name, n in pairs(counts) do
    if name:lower() == tostring(event):lower() then return n end
  end
  options.misuse(("mock: there is no event %q"):format(tostring(event)))
end

--- The dialogues, a line each: "1 C: EHLO x"; of one session if its number is given.
function Mock:transcript(number)
  local text = self._core:transcript()
  if not number then return text end
  local out = {}
  for line in text:gmatch(("[^\n]+")) do
    local of, rest = line:match("^(%d+) (.*)$")
    if tonumber(of) == number then out[#out + 1] = rest end
  end
  return table.concat(out, "\n")
end

--- What clients did wrong.
function Mock:violations()
  return violations.of(self, self.strict)
end

--- Writes the mails as "eml", "mbox" or "maildir".
function Mock:export(format, path)
  return export.write(self:mails(), format, path)
end

--- Forgets what came; the rules stay.
function Mock:clear()
  self._core:clear()
  self._seen = {}
  return self
end

--- The same, if no more than n mails came; gives whether it did. Internal.
function Mock:_clear(n)
  local done = self._core:clear(n)
  if done then self._seen = {} end
  return done
end

--- Ends all sessions and the listening; what came can still be read.
function Mock:stop()
  if self._stopped then return end
  self._stopped = true
  local ours = self._core and self._core:stop()
  if ours and self.ca_file then os.remove(self.ca_file) end
end

Mock.close, Mock.__close, Mock.__gc = Mock.stop, Mock.stop, Mock.stop

M.quirks = quirks.list

local GAUNTLET = "smtp.mock.gauntlet" -- required late, as it starts mocks by this module

--- Runs a client through servers that are nasty or hostile: see types/smtp/mock.d.lua.
function M.gauntlet(send, given)
  return require(GAUNTLET).run(send, given)
end

return M
