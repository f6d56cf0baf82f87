-- SPDX-License-Identifier: MIT
--- The inbox of a mock: its sessions, its mails and the failures of its rules' functions, and
-- waits for more. Each object is made once, until `clear`.
local await = require "smtp.mock.await"
local core = require "smtp.core"
local mail = require "smtp.mock.mail"
local query = require "smtp.mock.query"

local M = {}

-- By mock: `machine` of core, the time of a wait, the mails and sessions, and the number of the
-- next mail.
local inboxes = setmetatable({}, { __mode = "k" })

local TAIL = 20 -- lines

--- Begins the inbox of a mock; `timeout` bounds each wait.
function M.open(mock, machine, timeout)
  inboxes[mock] = { machine = machine, timeout = timeout, next = 1, stopped = false, seen = {},
    sessions = {}, failures = {} }
end

--- The machine of a mock, which core made.
function M.machine(mock) return inboxes[mock].machine end

--- Ends all waits; the contents can still be read.
function M.stop(mock) inboxes[mock].stopped = true end

function M.is_stopped(mock) return inboxes[mock].stopped end

local SECURE = { "tls_version", "tls_cipher", "tls_name", "tls_error" }

-- The object of a session with its present state.
local function session_of(inbox, given)
  local session = inbox.sessions[given.number] or {}
  inbox.sessions[given.number] = session
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

--- The sessions that match a query, also ended ones.
function M.sessions(mock, asked)
  local inbox, list, wanted = inboxes[mock], {}, asked and query.session(asked)
  for _, given in ipairs(inbox.machine:visits()) do
    local session = session_of(inbox, given)
    if not wanted or #wanted(session) == 0 then list[#list + 1] = session end
  end
  return list
end

--- All mails, also refused ones.
function M.mails(mock)
  local inbox = inboxes[mock]
  -- The session of that number as it is now, or as it was when it was forgotten.
  local function find_session(number)
    local given = inbox.machine:visits(number)[1]
    return given and session_of(inbox, given) or inbox.sessions[number] or { number = number }
  end
  for _, given in ipairs(inbox.machine:mails(inbox.next)) do
    inbox.seen[#inbox.seen + 1] = mail.new(given, find_session)
    inbox.next = given.number + 1
  end
  return inbox.seen
end

--- The failures of the functions of rules: a list to which the driver adds.
function M.failures(mock) return inboxes[mock].failures end

--- Forgets the contents; with `seen` only if every mail was read. Gives whether it did.
function M.clear(mock, seen)
  local inbox = inboxes[mock]
  local done = inbox.machine:clear(seen and inbox.next - 1 or nil)
  if done then inbox.seen, inbox.sessions, inbox.failures = {}, {}, {} end
  return done
end

--- Waits until `look` gives a value, at most for `seconds`: the value; nil; or nil and an
-- error.
function M.await(mock, seconds, look)
  local inbox = inboxes[mock]
  return await(inbox.machine, mock.url, seconds or inbox.timeout, function()
    return look(), inbox.stopped
  end)
end

--- Waits for the first session that matches a query.
function M.wait_session(mock, asked, seconds)
  local limit = core.now() + (seconds or inboxes[mock].timeout)
  mock:wait_idle(seconds)
  return M.await(mock, limit - core.now(), function() return M.sessions(mock, asked)[1] end)
end

--- Waits until there are more than n mails, refused ones included.
function M.wait_more(mock, n, seconds)
  return M.await(mock, seconds, function() return #M.mails(mock) > n or nil end)
end

--- The end of the transcript and other facts, to be shown with a failure.
function M.tail(mock)
  local lines = {}
  for line in mock:transcript():gmatch("[^\n]+") do lines[#lines + 1] = line end
  local text = table.concat(lines, "\n", math.max(1, #lines - TAIL + 1))
  if M.is_stopped(mock) then text = text .. "\nthe mock was stopped" end
  return mock.seed and ("%s\nchaos { seed = %d }"):format(text, mock.seed) or text
end

return M
