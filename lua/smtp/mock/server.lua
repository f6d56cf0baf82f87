-- SPDX-License-Identifier: MIT
--- A scripted SMTP server for tests, in a thread of its own: for clients in this process,
-- which may block, and in any other, in any language. See types/smtp/mock.d.lua.
local await = require "smtp.mock.await"
local config = require "smtp.mock.config"
local core = require "smtp.core"
local driver = require "smtp.mock.driver"
local errors = require "smtp.error"
local extensions = require "smtp.base.extensions"
local export = require "smtp.mock.export"
local mail = require "smtp.mock.mail"
local options = require "smtp.base.options"
local query = require "smtp.mock.query"
local quirks = require "smtp.mock.quirks"
local rule = require "smtp.mock.rule"
local tls = require "smtp.mock.tls"
local url = require "smtp.base.url"
local violations = require "smtp.mock.violations"

local M = {}

local Mock = { __name = "smtp.mock" }
Mock.__index = Mock

local TIMEOUT = 5 -- of `wait`
local EXTRA_MAX = 16384 -- bytes of own lines of EHLO

-- ---- starting --------------------------------------------------------------

local function system_error(at, why, errname)
  return nil, errors.new { kind = "system", stage = "listen", peer = at, message = why,
    cause = errname }
end

local function apply(mock, given)
  local without = given.without or {}
  for _, keyword in ipairs(type(without) == "string" and { without } or without) do
    mock:without(keyword)
  end
  for _, line in ipairs(given.extensions or {}) do mock:with(line) end
  for _, one in ipairs(options.list("mock.start: rules", given.rules or {})) do mock:rule(one) end
end

--- Starts a mock; it listens when this returns.
function M.start(given)
  given = config.check(given or {})
  local host = given.host or "127.0.0.1"
  local at = ("%s:%d"):format(host, given.port or 0)
  local secure, why = {}, nil
  if given.tls then secure, why = tls.make(given.tls) end
  if not secure then
    return nil, errors.new { kind = "tls", stage = "listen", message = "mock: " .. tostring(why) }
  end
  local mock = setmetatable({ host = host, strict = given.strict or false, _rules = {},
    _calls = {}, _hidden = {}, _extra = {}, _timeout = given.timeout or TIMEOUT,
    _seen = {}, _sessions = {}, _failures = {}, _next = 1 }, Mock)
  local errname
  if given.driver == "loop" then
    mock._engine, why, errname = core.mock_engine()
    if not mock._engine then return system_error(at, why, errname) end
  end
  local made = config.make(given, secure, mock._engine)
  mock._limits = { size = made.size, recipients = made.recipients }
  made.socket, why, errname = core.listen { host = host, port = given.port or 0 }
  if not made.socket then return system_error(at, why, errname) end
  made.file, why = tls.write(secure.ca)
  if why then return system_error(at, why) end
  local _, port = made.socket:name()
  mock._core, why, errname = core.mock(made)
  if not mock._core then return system_error(at, why, errname) end
  mock.port = port
  mock.url = (given.lmtp and "lmtp" or secure.implicit and "smtps" or "smtp") .. "://"
    .. url.place(host, port)
  mock.ca, mock.ca_file = secure.ca, made.file
  if secure.rule then mock:rule(secure.rule).quiet = true end
  local ok, misuse = pcall(apply, mock, given)
  if not ok then
    mock:stop()
    error(misuse, 0)
  end
  if mock._engine then driver.spawn(mock) end
  return mock
end

-- ---- rules -----------------------------------------------------------------

local function keep(mock, made)
  mock._rules[made.id] = made
  return made
end

local function check_running(mock)
  if mock._stopped then options.misuse("mock: it was stopped") end
end

--- At an event ("RCPT", "connect" ...), where the matcher fits: see types/smtp/mock.d.lua.
function Mock:on(event, matcher)
  check_running(self)
  return keep(self, rule.new(self, event, matcher))
end

--- A rule, as `on` makes one, from a table.
function Mock:rule(given)
  check_running(self)
  return keep(self, rule.of_table(self, given))
end

local function keyword_of(line)
  return line:match("^[%w-]*"):upper()
end

-- Tells core what EHLO leaves out and has besides.
local function advertise(mock)
  if #table.concat(mock._extra, "\n") > EXTRA_MAX then
    options.misuse("mock: with: a reply to EHLO that long could not be read")
  end
  local lines, spoken = {}, {}
  for _, line in ipairs(mock._extra) do
    local keyword = keyword_of(line)
    local known = extensions.KNOWN[keyword] ~= nil
    if known then spoken[#spoken + 1] = keyword end
    if not known or #line > #keyword then lines[#lines + 1] = line end
  end
  mock._core:hide(table.concat(mock._hidden, " "), table.concat(lines, "\n"),
    table.concat(spoken, " "))
  return mock
end

-- Takes the lines of a keyword out of a list.
local function take_out(list, keyword)
  for i = #list, 1, -1 do
    if keyword_of(list[i]) == keyword then table.remove(list, i) end
  end
end

--- EHLO does not offer an extension, whether it would or not.
function Mock:without(keyword)
  if type(keyword) ~= "string" or not keyword:find("^[%w-]+$") then
    options.misuse("mock: without needs a keyword, such as \"PIPELINING\"")
  end
  for _, list in ipairs { self._extra, self._hidden } do take_out(list, keyword:upper()) end
  table.insert(self._hidden, keyword)
  return advertise(self)
end

--- EHLO has a line more.
function Mock:with(line)
  if type(line) ~= "string" or line:find("%c") or line == "" then
    options.misuse("mock: with needs a line of EHLO")
  end
  -- A line with parameters of its own stays instead of the hidden one.
  if extensions.KNOWN[line:upper()] ~= nil then take_out(self._hidden, line:upper()) end
  table.insert(self._extra, line)
  return advertise(self)
end

--- Limits: `size` in bytes, `recipients`.
function Mock:limit(given)
  options.check("mock: limit", given, config.LIMITS)
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

-- The object of a session, which is made once and says what is known by now.
local function session_of(mock, given)
  local session = mock._sessions[given.number] or {}
  mock._sessions[given.number] = session
  local secure = {}
  for _, key in ipairs(SECURE) do
    secure[key:sub(5)], given[key] = given[key], nil
  end
  for key in pairs(session) do session[key] = nil end
  for key, value in pairs(given) do session[key] = value end
  session.alert = secure.error and secure.error:match("alert (.+)$")
  session.tls_error = secure.error
  session.tls = secure.version and secure or nil
  return session
end

--- All sessions, those that are over too.
function Mock:sessions(asked)
  local list, wanted = {}, asked and query.session(asked)
  for _, given in ipairs(self._core:visits()) do
    local session = session_of(self, given)
    if not wanted or #wanted(session) == 0 then list[#list + 1] = session end
  end
  return list
end

--- The session of that number as it is now, or as it was when it was forgotten.
function Mock:_session(number)
  local given = self._core:visits(number)[1]
  return given and session_of(self, given) or self._sessions[number] or { number = number }
end

-- All mails, also those that were refused; each object is made once.
local function all_mails(mock)
  local seen = mock._seen
  for _, given in ipairs(mock._core:mails(mock._next)) do
    seen[#seen + 1] = mail.new(given, mock)
    mock._next = given.number + 1
  end
  return seen
end

--- All mails, those that were refused as well.
Mock._all_mails = all_mails

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

local TAIL = 20 -- lines

--- The end of the transcript, and what else a failure should show.
function Mock:_tail()
  local lines = {}
  for line in self:transcript():gmatch("[^\n]+") do lines[#lines + 1] = line end
  local text = table.concat(lines, "\n", math.max(1, #lines - TAIL + 1))
  if self._stopped then text = text .. "\nthe mock was stopped" end
  return self.seed and ("%s\nchaos { seed = %d }"):format(text, self.seed) or text
end

--- The first mail of a query, or the n-th, come or to come; or nil and an error that
-- tells what came closest.
function Mock:wait(asked, seconds, n)
  query.mail(asked) -- misuse is told at once
  if n ~= nil and (options.integer(n) or 0) < 1 then
    options.misuse("mock: wait: the number of a mail is a whole number above 0")
  end
  local found, err = await(self, seconds, function()
    return self:mails(asked)[n or 1]
  end)
  if found or err then return found, err end
  return nil, errors.new { kind = "timeout", peer = self.url,
    message = ("%s as %s"):format(n and n > 1 and ("no mail %d"):format(n) or "no mail",
      query.shown(asked or {})),
    report = query.closest(asked, all_mails(self)) .. "\n" .. self:_tail() }
end

--- The first session of a query, come or to come.
function Mock:_wait_session(asked, seconds)
  local limit = core.now() + (seconds or self._timeout)
  self:wait_idle(seconds)
  return await(self, limit - core.now(), function() return self:sessions(asked)[1] end)
end

--- Waits until there are more than n mails, refused ones among them.
function Mock:_wait_more(n, seconds)
  return await(self, seconds, function() return #all_mails(self) > n or nil end)
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

-- How often a verb came that is no event of its own.
local function count_lines(mock, verb)
  local n = 0
  for word in mock:transcript():gmatch("%f[^\n\0]%d+ C: ([%w-]+)") do
    if word:upper() == verb:upper() then n = n + 1 end
  end
  return n
end

--- How often an event happened, by its name.
function Mock:count(event)
  if type(event) ~= "string" or not event:find("^[%w-]+$") then
    options.misuse("mock: count needs an event, such as \"RCPT\"")
  end
  for name, n in pairs(self._core:counts()) do
    if name:lower() == event:lower() then return n end
  end
  return count_lines(self, event)
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

--- The violations of the protocol by clients.
function Mock:violations(level)
  return violations.of(self, self.strict, level)
end

--- Writes the mails as "eml", "mbox" or "maildir".
function Mock:export(format, path)
  return export.write(self:mails(), format, path)
end

--- Forgets what came; the rules stay.
function Mock:clear()
  self._core:clear()
  self._seen, self._sessions, self._failures = {}, {}, {}
  return self
end

--- As `clear`, unless a mail came that was not looked at yet; gives whether it did.
function Mock:_clear_seen()
  local done = self._core:clear(self._next - 1)
  if done then self._seen, self._sessions, self._failures = {}, {}, {} end
  return done
end

--- Ends all sessions and the listening; what came can still be read.
function Mock:stop()
  if self._stopped then return end
  self._stopped = true
  if self._core then self._core:stop() end
end

Mock.close, Mock.__close, Mock.__gc = Mock.stop, Mock.stop, Mock.stop

return M
