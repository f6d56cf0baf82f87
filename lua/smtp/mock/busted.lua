-- SPDX-License-Identifier: MIT
--- Assertions for busted (luassert): `require "smtp.mock.busted"`, then
--
--   local mail = assert.smtp(mx).has.received { to = "bob@example.org" }
--   assert.smtp(mx).has.no.received { to = "eve@example.org" }
--   assert.smtp(mx).has.session { tls = { version = "TLSv1.3" } }
--   assert.smtp(mx).has.no.violations() -- of a MUST
--
-- The positive forms wait; the negative ones wait until the mock is idle. A failure shows
-- the mail that came closest and the end of the transcript.
require "smtp.base.version"
local assert = require "luassert"
local say = require "say"

local inbox = require "smtp.mock.inbox"
local query = require "smtp.mock.query"

local function mock_of(state, level)
  local mx = rawget(state, "smtp_mock")
  if not mx then error("assert.smtp(mx) needs a mock", level + 1) end
  return mx
end

local function fail_with(state, ...)
  rawset(state, "failure_message", table.concat({ ... }, "\n"))
end

-- ---- what is asserted ------------------------------------------------------

local function received(state, arguments, level)
  local mx, asked = mock_of(state, level), arguments[1]
  arguments.nofmt = { true }
  if state.mod then
    local mail, err = mx:wait(asked, arguments[2])
    if not mail then fail_with(state, tostring(err)) end
    return mail ~= nil, { mail }
  end
  local idle, err = mx:wait_idle(arguments[2])
  local mail = mx:mails(asked)[1]
  if not mail and not idle then
    fail_with(state, tostring(err))
    return true, {}
  end
  if mail then
    fail_with(state, ("%s is as %s"):format(tostring(mail), query.shown(asked or {})),
      inbox.tail(mx))
  end
  return mail ~= nil, {}
end

local function session(state, arguments, level)
  local mx, asked = mock_of(state, level), arguments[1]
  arguments.nofmt = { true }
  local found
  if state.mod then found = inbox.wait_session(mx, asked, arguments[2]) else
    local idle, err = mx:wait_idle(arguments[2])
    found = mx:sessions(asked)[1]
    if not found and not idle then
      fail_with(state, tostring(err))
      return true, {}
    end
  end
  if (found ~= nil) ~= state.mod then
    fail_with(state, ("%d sessions, %s as %s"):format(#mx:sessions(), found and "one" or "none",
      query.shown(asked or {})), inbox.tail(mx))
  end
  return found ~= nil, { found }
end

local function violations(state, arguments, level)
  local mx = mock_of(state, level)
  local idle, err = mx:wait_idle(arguments[1])
  local list, lines = mx:violations(arguments[2] or "must"), {}
  for i, one in ipairs(list) do lines[i] = tostring(one) end
  if not idle and #list == 0 and not state.mod then
    fail_with(state, tostring(err))
    return true, {}
  end
  if (#list > 0) ~= state.mod then fail_with(state, table.concat(lines, "\n"), inbox.tail(mx)) end
  return #list > 0, { list }
end

local function smtp(state, arguments, level)
  if arguments then
    if type(arguments[1]) ~= "table" or type(arguments[1].wait_idle) ~= "function" then
      error("assert.smtp(mx) needs a mock", (level or 1) + 1)
    end
    rawset(state, "smtp_mock", arguments[1])
  end
  return state
end

-- ---- registering -----------------------------------------------------------

local SENTENCES = {
  received = { "Expected a mail to be received.", "Expected no such mail to be received." },
  session = { "Expected such a session.", "Expected no such session." },
  violations = { "Expected violations.", "Expected no violations." },
}

assert:register("modifier", "smtp", smtp)
for name, callback in pairs { received = received, session = session, violations = violations } do
  local positive, negative = "smtp." .. name .. ".positive", "smtp." .. name .. ".negative"
  say:set(positive, SENTENCES[name][1])
  say:set(negative, SENTENCES[name][2])
  assert:register("assertion", name, callback, positive, negative)
end

return true
