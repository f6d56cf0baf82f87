-- SPDX-License-Identifier: MIT
--- The violations of a mock's clients: the notes of the sessions, missing fields of messages, and,
-- of a strict mock, rules that never fired and sessions that were left open.
local inbox = require "smtp.mock.inbox"
local options = require "smtp.base.options"
local rule = require "smtp.mock.rule"
local unique_fields = require "smtp.message.unique_fields"

local M = {}

-- The fields that a message needs, and the sections of RFC 5322.
local NEEDED = { { "Date", "3.6" }, { "From", "3.6" }, { "Message-ID", "3.6.4" } }

-- Violations of a SHOULD; all others are of a MUST.
local SHOULD = { missing_message_id = true, long_command = true, early = true }

-- Sentences for the words of csrc/mock/session_judge.c.
local SENTENCES = {
  bare_lf = "a bare LF", bare_cr = "a bare CR", nul = "a NUL in the content",
  long_line = "a line of the content over 998 bytes", long_command = "a command over 510 bytes",
  unstuffed_dot = "a line that begins with a dot which was not doubled",
  eightbit = "8-bit content without BODY=8BITMIME",
  early = "it spoke before the greeting",
  pipelining = "commands were pipelined where that is not allowed or not offered",
  parameter = "a parameter that was not offered",
  auth_in_clear = "a password in clear text",
  refused_command = "a command that is wrong here",
  no_quit = "it went away without QUIT", watchdog = "the session hung",
  lost = "the mock had no memory for all that came",
  failed_rule = "the function of a rule failed",
}

local meta = {}

local function add(list, session, word, section, text)
  list[#list + 1] = setmetatable({ session = session, rule = word, section = section, text = text,
    level = SHOULD[word] and "should" or "must" }, meta)
end

meta.__tostring = function(v)
  return ("%s%s (%s%s)%s"):format(v.session and ("session %d: "):format(v.session) or "",
    SENTENCES[v.rule] or v.rule, v.section, v.level == "should" and ", a SHOULD" or "",
    (v.text or "") ~= "" and ": " .. v.text or "")
end

local function look_at(list, mail)
  local function say(word, section, text)
    add(list, mail.session.number, word, "RFC 5322 section " .. section, text)
  end
  for _, needed in ipairs(NEEDED) do
    local name, section = table.unpack(needed)
    if not mail.headers:get(name) then
      say("missing_" .. name:lower():gsub("-", "_"), section, "there is no " .. name)
    end
  end
  for _, name in ipairs(unique_fields.names) do
    if #mail.headers:all(name) > 1 then
      say("duplicate_header", "3.6", name .. " is there twice")
    end
  end
end

local function all_of(mock, strict)
  local list, machine = {}, inbox.machine(mock)
  for _, one in ipairs(machine:violations()) do
    add(list, one.session, one.rule, one.section, one.text)
  end
  for _, mail in ipairs(mock:mails()) do look_at(list, mail) end
  for _, one in ipairs(inbox.failures(mock)) do
    add(list, one.session, "failed_rule", "the test", one.event .. ": " .. one.text)
  end
  if not strict then return list end
  for _, one in ipairs(rule.unused(machine)) do
    add(list, nil, "unused_rule", "the test", ("%s %s"):format(tostring(one),
      #one.spec.steps > 0 and "never applied" or "has no action"))
  end
  for _, session in ipairs(mock:sessions()) do
    if not session.closed and session.reason ~= "quit" then
      add(list, session.number, "left_open", "RFC 5321 section 4.1.1.10",
        "the session is still open")
    end
  end
  return list
end

--- All violations, in the order of the sessions' notes, of the mails, and, if `strict`, of the
-- rest. The level "must" leaves out violations of a SHOULD.
function M.of(mock, strict, level)
  if level ~= nil and level ~= "must" and level ~= "should" then
    options.misuse(("mock: violations: the level is \"must\" or \"should\", not %s"):format(
      tostring(level)))
  end
  local list = all_of(mock, strict)
  if level ~= "must" then return list end
  local musts = {}
  for _, one in ipairs(list) do
    if one.level == "must" then musts[#musts + 1] = one end
  end
  return musts
end

return M
