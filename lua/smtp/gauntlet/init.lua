-- SPDX-License-Identifier: MIT
--- Runs a client through servers that are legal but nasty, or hostile: one mock for each
-- behaviour of session.lua, transaction.lua and secure.lua. The result depends on facts only:
-- the stored mail, byte for byte, broken rules, the claim of the client, and the time.
--
-- A behaviour is a table: name, about, section (of an RFC), expected ("delivered",
-- "refused", "either"), and optionally
--   options, rules, setup(mx)  the options and the behaviour of the mock
--   target                     more fields for `send`: tls, auth, to, raw ...
--   kept        the mock may have stored mail that the client does not claim (lost replies)
--   orderly     the client must end with QUIT
--   lenient     violations do not count
--   arrives     the content that must come; default: raw; false: any
--   gone        there is no listener
--   judge       function(facts): a complaint, or nil
local core = require "smtp.core"
local mock = require "smtp.mock.server"
local options = require "smtp.base.options"
local secure = require "smtp.gauntlet.secure"
local session = require "smtp.gauntlet.session"
local transaction = require "smtp.gauntlet.transaction"
local violations = require "smtp.mock.violations"

local M = {}

local OPTIONS = {
  only = "string table", lacks = "table", timeout = "seconds", limit = "seconds",
  each = "function",
}

local TIMEOUT = 1 -- of the client, for each step
local LIMIT = 4 -- of the client, for the whole

local EXPECTED = { delivered = "delivered", refused = "refused", either = "either, but truthful" }

local FROM, TO = "ada@code.energy", "bob@example.org"

local CONTENT = table.concat({
  "From: Ada <ada@code.energy>", "To: bob@example.org",
  "Date: Mon, 23 Nov 2026 09:30:00 +0000", "Message-ID: <gauntlet@code.energy>",
  "Subject: gauntlet", "", "It works.", ".", "..two", ".", "The end.", "",
}, "\r\n")

-- All behaviours in their order.
M.behaviours = {}
for _, theme in ipairs { session, transaction, secure } do
  for _, behaviour in ipairs(theme(CONTENT)) do table.insert(M.behaviours, behaviour) end
end

-- ---- one run ---------------------------------------------------------------

local function start(behaviour, limit)
  local given = { watchdog = limit + 1, hostname = "mx.example" }
  for key, value in pairs(behaviour.options or {}) do given[key] = value end
  local mx = assert(mock.start(given))
  for _, rule in ipairs(behaviour.rules or {}) do mx:rule(rule) end
  if behaviour.setup then behaviour.setup(mx) end
  return mx
end

local function target_of(behaviour, mx, timeout)
  local target = {
    name = behaviour.name, host = mx.host, port = mx.port, url = mx.url, ca_file = mx.ca_file,
    tls = "none", from = FROM, to = { TO }, raw = CONTENT, timeout = timeout,
  }
  for key, value in pairs(behaviour.target or {}) do target[key] = value end
  target.eightbit = target.raw:find("[\x80-\xff]") ~= nil
  return target
end

-- Runs the client once; gives its claim and the facts of the mock.
local function attempt(send, target, mx, limit)
  local began = core.now()
  local ok, result, why = pcall(send, target)
  local facts = { target = target, mx = mx, seconds = core.now() - began,
    claimed = ok and result and true or false }
  facts.said = ok and (not result and why ~= nil and tostring(why) or nil)
    or not ok and "raised " .. tostring(result) or nil
  mx:wait_idle(limit)
  facts.mails, facts.refused = mx:mails(), mx:refused()
  facts.sessions, facts.violations = mx:sessions(), mx:violations()
  return facts
end

-- ---- the judge -------------------------------------------------------------

local judges = {}

function judges.time(_, facts, limit)
  if facts.seconds > limit then return ("took %.1f s"):format(facts.seconds) end
end

function judges.truth(behaviour, facts)
  local stored = #facts.mails > 0
  if facts.claimed and not stored then return "claims success, and nothing was accepted" end
  if stored and not facts.claimed and not behaviour.kept then
    return "it was accepted, and the client does not know"
  end
end

function judges.outcome(behaviour, facts)
  if behaviour.expected == "delivered" and #facts.mails == 0 then return "nothing came" end
  if behaviour.expected ~= "refused" or #facts.mails == 0 then return nil end
  if not behaviour.kept then return "went on where it had to stop" end
  if facts.claimed then return "claims success without a reply that says so" end
end

local function first_difference(a, b)
  for i = 1, math.max(#a, #b) do
    if a:byte(i) ~= b:byte(i) then return i end
  end
end

local function judge_mail(behaviour, facts, mail)
  if mail.from ~= facts.target.from then return "another sender: " .. mail.from end
  if behaviour.arrives == false then return nil end
  local at = first_difference(mail.raw, behaviour.arrives or facts.target.raw)
  if at then return ("the content differs from byte %d on"):format(at) end
end

-- The content may come in several transactions, but to no recipient twice.
function judges.content(behaviour, facts)
  local seen = {}
  for _, mail in ipairs(facts.mails) do
    for _, recipient in ipairs(mail.recipients) do
      if seen[recipient] then return "came twice to " .. recipient end
      seen[recipient] = true
    end
    local wrong = judge_mail(behaviour, facts, mail)
    if wrong then return wrong end
  end
end

-- Whether a violation is no fault here, or has a judge of its own. A broken session may end
-- without QUIT, and commands pipelined behind a refusal are refused as well.
local function is_excused(behaviour, rule)
  return behaviour.lenient or rule == "watchdog" or rule == "auth_in_clear" or
    (rule == "no_quit" and not behaviour.orderly) or
    (rule == "refused_command" and behaviour.expected ~= "delivered")
end

function judges.violations(behaviour, facts)
  local seen, list = {}, {}
  for _, one in ipairs(facts.violations) do
    if not seen[one.rule] and not is_excused(behaviour, one.rule) then
      seen[one.rule] = true
      list[#list + 1] = ("%s (%s)"):format(one.rule, one.section)
    end
  end
  return #list > 0 and table.concat(list, ", ") or nil
end

function judges.farewell(behaviour, facts)
  if not behaviour.orderly then return nil end
  for _, visit in ipairs(facts.sessions) do
    if not visit.closed then return "left the connection open" end
  end
end

function judges.secrets(_, facts)
  for _, one in ipairs(facts.violations) do
    if one.rule == "auth_in_clear" then return "the password went out in clear text" end
  end
end

local ORDER = { "truth", "outcome", "content", "secrets", "violations", "farewell", "time" }

local function complaints_of(behaviour, facts, limit)
  local list = {}
  for _, name in ipairs(ORDER) do
    list[#list + 1] = judges[name](behaviour, facts, limit)
  end
  if behaviour.judge then list[#list + 1] = behaviour.judge(facts) end
  return list
end

local function got_of(facts)
  local stored = #facts.mails > 0
  if facts.claimed then return stored and "delivered" or "claimed, not accepted" end
  return stored and "accepted, not claimed" or "refused"
end

-- ---- running ---------------------------------------------------------------

-- Rules that never applied: the client did not see their effect.
local function unused_of(mx)
  local list = {}
  for _, one in ipairs(violations.of(mx, true)) do
    if one.rule == "unused_rule" then list[#list + 1] = one.text end
  end
  return list
end

local function run_one(send, behaviour, given)
  local limit = given.limit or LIMIT
  local mx <close> = start(behaviour, limit)
  local target = target_of(behaviour, mx, given.timeout or TIMEOUT)
  if behaviour.gone then mx:stop() end
  local facts = attempt(send, target, mx, limit)
  local complaints = complaints_of(behaviour, facts, limit)
  local right = #complaints == 0
  return {
    name = behaviour.name, about = behaviour.about, section = behaviour.section,
    expected = EXPECTED[behaviour.expected], got = got_of(facts), right = right,
    detail = right and (facts.said or "") or table.concat(complaints, "; "),
    said = facts.said, unused = unused_of(mx), seconds = facts.seconds,
    transcript = mx:transcript(),
  }
end

-- The wanted behaviours; an unknown name is misuse.
local function chosen(only)
  if not only then return M.behaviours end
  local wanted, list = {}, {}
  for _, name in ipairs(type(only) == "table" and only or { only }) do wanted[name] = true end
  for _, behaviour in ipairs(M.behaviours) do
    if wanted[behaviour.name] then
      list[#list + 1], wanted[behaviour.name] = behaviour, nil
    end
  end
  local unknown = next(wanted)
  if unknown then
    options.misuse(("mock.gauntlet: there is no behaviour %q"):format(tostring(unknown)))
  end
  return list
end

local function needs(behaviour)
  local target = behaviour.target or {}
  return { tls = (target.tls or "none") ~= "none", auth = target.auth ~= nil }
end

local function is_lacking(behaviour, lacks)
  local needed = needs(behaviour)
  for _, feature in ipairs(lacks or {}) do
    if needed[feature] then return true end
  end
  return false
end

--- Runs a client, a function `send(target)`, through the behaviours: a list of results.
-- See types/smtp/mock.d.lua.
function M.run(send, given)
  given = options.check("mock.gauntlet", given or {}, OPTIONS)
  if type(send) ~= "function" then options.misuse("mock.gauntlet needs a function that sends") end
  local results = {}
  for _, behaviour in ipairs(chosen(given.only)) do
    if not is_lacking(behaviour, given.lacks) then
      local result = run_one(send, behaviour, given)
      results[#results + 1] = result
      if given.each then given.each(result) end
    end
  end
  return results
end

return M
