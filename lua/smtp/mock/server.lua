-- SPDX-License-Identifier: MIT
--- A scripted SMTP server for tests, in a thread of its own: for clients in this process,
-- which may block, and in any other, in any language. See types/smtp/mock.d.lua.
local config = require "smtp.mock.config"
local core = require "smtp.core"
local driver = require "smtp.mock.driver"
local errors = require "smtp.error"
local extensions = require "smtp.base.extensions"
local export = require "smtp.mock.export"
local inbox = require "smtp.mock.inbox"
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
  local mock = setmetatable({ host = host, strict = given.strict or false,
    _hidden = {}, _extra = {} }, Mock)
  local engine, errname
  if given.driver == "loop" then
    engine, why, errname = core.mock_engine()
    if not engine then return system_error(at, why, errname) end
    mock._calls = {}
  end
  local made = config.make(given, secure, engine)
  mock._limits = { size = made.size, recipients = made.recipients }
  made.socket, why, errname = core.listen { host = host, port = given.port or 0 }
  if not made.socket then return system_error(at, why, errname) end
  made.file, why = tls.write(secure.ca)
  if why then return system_error(at, why) end
  local _, port = made.socket:name()
  mock._core, why, errname = core.mock(made)
  if not mock._core then return system_error(at, why, errname) end
  inbox.open(mock, mock._core, given.timeout or TIMEOUT)
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
  if engine then driver.spawn(mock, mock._core, engine, mock._calls) end
  return mock
end

-- ---- rules -----------------------------------------------------------------

local function check_running(mock)
  if inbox.is_stopped(mock) then options.misuse("mock: it was stopped") end
end

--- At an event ("RCPT", "connect" ...), where the matcher fits: see types/smtp/mock.d.lua.
function Mock:on(event, matcher)
  check_running(self)
  return rule.new(self._core, self._calls, event, matcher)
end

--- A rule, as `on` makes one, from a table.
function Mock:rule(given)
  check_running(self)
  return rule.of_table(self._core, self._calls, given)
end

local function keyword_of(line)
  return line:match("^[%w-]*"):upper()
end

-- Sets the hidden keywords and the additional lines of EHLO in the core.
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

--- Removes an extension from EHLO, if it is there.
function Mock:without(keyword)
  if type(keyword) ~= "string" or not keyword:find("^[%w-]+$") then
    options.misuse("mock: without needs a keyword, such as \"PIPELINING\"")
  end
  for _, list in ipairs { self._extra, self._hidden } do take_out(list, keyword:upper()) end
  table.insert(self._hidden, keyword)
  return advertise(self)
end

--- Adds a line to EHLO.
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

--- All sessions, also ended ones.
function Mock:sessions(asked)
  return inbox.sessions(self, asked)
end

--- The accepted mails in their order, or those that match a query.
function Mock:mails(asked)
  local list, missed = {}, asked and query.mail(asked)
  for _, one in ipairs(inbox.mails(self)) do
    if one.stored and (not missed or #missed(one) == 0) then list[#list + 1] = one end
  end
  return list
end

--- The refused mails.
function Mock:refused()
  local list = {}
  for _, one in ipairs(inbox.mails(self)) do
    if not one.stored then list[#list + 1] = one end
  end
  return list
end

--- Waits for the first mail that matches a query, or for the n-th; or nil and an error with the
-- closest mail.
function Mock:wait(asked, seconds, n)
  query.mail(asked) -- raises for misuse
  if n ~= nil and (options.integer(n) or 0) < 1 then
    options.misuse("mock: wait: the number of a mail is a whole number above 0")
  end
  local found, err = inbox.await(self, seconds, function()
    return self:mails(asked)[n or 1]
  end)
  if found or err then return found, err end
  return nil, errors.new { kind = "timeout", peer = self.url,
    message = ("%s as %s"):format(n and n > 1 and ("no mail %d"):format(n) or "no mail",
      query.shown(asked or {})),
    report = query.closest(asked, inbox.mails(self)) .. "\n" .. inbox.tail(self) }
end

--- Waits until all input of clients is processed: true, or nil and an error.
function Mock:wait_idle(seconds)
  self._core:settle()
  local done, err = inbox.await(self, seconds, function()
    return self._core:settled() or nil
  end)
  if done or err then return done, err end
  return nil, errors.new { kind = "timeout", peer = self.url,
    message = "sessions are still at work", report = inbox.tail(self) }
end

-- The count of a verb without an event of its own.
local function count_lines(mock, verb)
  local n = 0
  for word in mock:transcript():gmatch("%f[^\n\0]%d+ C: ([%w-]+)") do
    if word:upper() == verb:upper() then n = n + 1 end
  end
  return n
end

--- The count of an event, by its name.
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
  inbox.clear(self)
  return self
end

--- Ends the listener and all sessions; the inbox can still be read.
function Mock:stop()
  if not self._core or inbox.is_stopped(self) then return end
  inbox.stop(self)
  self._core:stop()
end

Mock.close, Mock.__close, Mock.__gc = Mock.stop, Mock.stop, Mock.stop

return M
