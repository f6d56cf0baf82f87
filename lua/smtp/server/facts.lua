-- SPDX-License-Identifier: MIT
--- Facts of a server, for its `on_event`. Without `on_event` failures are written to
-- standard error.
local printable = require "smtp.base.printable"

local M = {}

local function write(text)
  io.stderr:write(printable("smtp.server: " .. text), "\n")
end

--- Reports a fact; gives whether there is an `on_event`. A failure of `on_event` itself is
-- written to standard error.
function M.tell(server, fact)
  local on_event = server.on_event
  if not on_event then return false end
  local ok, cause = pcall(on_event, fact)
  if not ok and not server.silent then -- once, since each fact may fail
    server.silent = true
    write(("error at on_event: %s"):format(tostring(cause)))
  end
  return true
end

--- Reports a fact that must not be lost: `text` is its sentence.
function M.notice(server, text, fact)
  if not M.tell(server, fact) then write(text) end
end

--- Reports an error, of a session if it is given.
function M.fail(server, stage, cause, session)
  M.notice(server, ("error at %s: %s"):format(stage, tostring(cause)),
    { type = "error", stage = stage, error = cause, session = session })
end

return M
