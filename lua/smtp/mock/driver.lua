-- SPDX-License-Identifier: MIT
--- The driver of a mock without a thread: a task of the loop, which may call functions.
local inbox = require "smtp.mock.inbox"
local loop = require "smtp.loop"
local options = require "smtp.base.options"

local M = {}

-- Seconds between two looks at an engine that has no descriptor to wait for.
local LOOK = 0.01

local function shown(value)
  local ok, text = pcall(tostring, value)
  return ok and text or "an error that cannot be shown"
end

-- The reply of a rule's function; "" stands for the usual reply. Any other result is reported as
-- a violation.
local function reply_of(mock, facts, ok, code, text)
  if ok and code == nil and text == nil then return "" end
  if ok and options.integer(code) then code = ("%d %s"):format(code, text or "") end
  if ok and type(code) == "string" and code:find("^%d%d%d%f[^%d]") then
    return text and #code == 3 and code .. " " .. tostring(text) or code
  end
  local event = facts.event ~= "" and facts.event or facts.verb
  local failure = { session = facts.session, event = event,
    text = ok and "it gave a " .. type(code) .. ", which is no reply" or shown(code) }
  table.insert(inbox.failures(mock), failure)
  return "451 4.3.0 the function of a rule failed"
end

-- Steps the engine of a mock and calls the functions of its rules, until it is stopped.
local function drive(mock, machine, engine, calls)
  local pollable = engine:pollfd() and engine
  while not inbox.is_stopped(mock) do
    local left = engine:timeout() or 60
    loop.wait(pollable, pollable and "r" or "", pollable and left or math.min(left, LOOK))
    if inbox.is_stopped(mock) then break end
    engine:step()
    while true do
      local number, facts = machine:asks()
      if not number then break end
      machine:answer(reply_of(mock, facts, pcall(calls[number], facts)))
    end
  end
end

--- Begins the task of a mock; `calls` are the functions of its rules.
function M.spawn(mock, machine, engine, calls)
  loop.spawn(drive, mock, machine, engine, calls)
end

return M
