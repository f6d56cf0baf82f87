-- SPDX-License-Identifier: MIT
--- Mail addresses: `"Ada <ada@code.energy>"`, `"ada@code.energy"`, or a table
-- `{ address =, name = }`. The grammar of the mailbox itself is the core's.
local core = require "smtp.core"

local M = {}

--- Gives the mailbox of what a user wrote as sender or recipient, or nil.
function M.mailbox(value)
  if type(value) == "table" then value = value.address end
  if type(value) ~= "string" then return nil end
  return value:match("^[^<>]*<([^<>]*)>%s*$") or value
end

--- Parses one address. Gives `{ address, user, domain, name }`, or nil.
function M.parse(text)
  if type(text) ~= "string" then error("address.parse: a string is needed", 2) end
  local path = core.path(M.mailbox(text), true)
  if not path or path.address == "" then return nil end
  local name = text:match("^%s*(.-)%s*<[^<>]*>%s*$")
  if name and name ~= "" then path.name = name:match('^"(.*)"$') or name end
  return path
end

--- Checks a mailbox for MAIL or RCPT: true, or nil and why it may not be sent.
function M.check(mailbox)
  local ok, eightbit = core.is_mailbox(mailbox)
  if not ok then return nil, "not a mailbox that may be sent" end
  if eightbit then return nil, "needs SMTPUTF8, which is not built yet" end
  return true
end

return M
