-- SPDX-License-Identifier: MIT
--- The report of a mock at the end: mails, what clients did wrong, and rules that were
-- never needed. On standard error, so that the output of a command stays what it is.
local say = require "smtp.cli.say"
local violations = require "smtp.mock.violations"

local M = {}

local function count(n, what)
  return ("%d %s%s"):format(n, what, n == 1 and "" or "s")
end

local function show_list(title, list)
  if #list == 0 then return end
  say.note("%s:", title)
  for _, one in ipairs(list) do say.note("  %s", tostring(one)) end
end

-- Violations, rules that never fired included as in a strict mock, and the number of
-- violations of a MUST, for which a strict mock fails.
local function judge(mx)
  local wrong, unused, musts = {}, {}, 0
  for _, one in ipairs(violations.of(mx, true)) do
    local list = one.rule == "unused_rule" and unused or wrong
    list[#list + 1] = one
    if one.level == "must" then musts = musts + 1 end
  end
  return wrong, unused, musts
end

local function show_tls(sessions)
  for _, session in ipairs(sessions) do
    if session.tls_error then
      say.note("  session %d: TLS failed: %s", session.number, session.tls_error)
    end
  end
end

local function show_mails(mx, mails)
  local refused, sessions = mx:refused(), mx:sessions()
  say.note("mock: %s, %d refused, in %s%s", count(#mails, "mail"), #refused,
    count(#sessions, "session"), mx.seed and (" (--chaos %d)"):format(mx.seed) or "")
  for _, mail in ipairs(mails) do say.note("  %s", tostring(mail)) end
  show_tls(sessions)
  if #sessions == 0 then
    say.note("  nobody connected: does the command use SMTP_HOST and SMTP_PORT?")
  end
end

--- Writes the report; gives whether all is well. `wanted` is how many mails there should
-- be, if that matters.
function M.show(mx, wanted)
  local mails = mx:mails()
  local wrong, unused, musts = judge(mx)
  show_mails(mx, mails)
  show_list(count(#wrong, "violation"), wrong)
  show_list(count(#unused, "rule") .. " never fired", unused)
  if wanted and #mails ~= wanted then
    say.note("mock: %s expected, %d came", count(wanted, "mail"), #mails)
    return false
  end
  return not mx.strict or musts == 0
end

return M
