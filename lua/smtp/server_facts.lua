-- SPDX-License-Identifier: MIT
--- Facts of a server, for its `on_event`. A failure that somebody has to know of is
-- written to standard error where there is no `on_event`.
-- Internal.
local visible = require "smtp.visible"

local M = {}

local function write(text)
  io.stderr:write(visible("smtp.server: " .. text), "\n")
end

--- Tells a fact; gives whether somebody wants facts. A failure of `on_event` itself
-- cannot be a fact.
function M.tell(server, fact)
  local on_event = server.on_event
  if not on_event then return false end
  local ok, cause = pcall(on_event, fact)
  if not ok and not server.silent then -- once: it would be so at each fact
    server.silent = true
    write(("error at on_event: %s"):format(tostring(cause)))
  end
  return true
end

--- Tells a fact that must not be lost: `text` says it in words.
function M.notice(server, text, fact)
  if not M.tell(server, fact) then write(text) end
end

--- Tells of an error; `session` is where it happened, if it was in one.
function M.fail(server, stage, cause, session)
  M.notice(server, ("error at %s: %s"):format(stage, tostring(cause)),
    { type = "error", stage = stage, error = cause, session = session })
end

return M
