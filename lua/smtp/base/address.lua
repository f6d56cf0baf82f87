-- SPDX-License-Identifier: MIT
--- Mail addresses: `"Ada <ada@code.energy>"`, `"ada@code.energy"`, or a table
-- `{ address =, name = }`. The grammar of the mailbox itself is the core's.
local core = require "smtp.core"
local errors = require "smtp.error"

local M = {}

-- The address, with its name, of a text with one address; nil if another reader might find
-- another address in the text.
local function named(text)
  if not text:find("[<(]") or text:find("[^\t\32-\126\x80-\xff]") then return nil end
  local list, groups, fault = core.addresses(text, 1)
  if fault or #groups > 0 or #list > 1 then return nil end
  local one = list[1]
  if one then return one end
  if text:find("<>", 1, true) then return { address = "" } end
end

--- Gives the mailbox of what a user wrote as sender or recipient, or nil.
function M.mailbox(value)
  if type(value) == "table" then value = value.address end
  if type(value) ~= "string" then return nil end
  local one = named(value)
  return one and one.address or value
end

--- Parses one address. Gives `{ address, user, domain, name }`, or nil and an error.
function M.parse(text)
  if type(text) ~= "string" then error("address.parse: a string is needed", 2) end
  local one = named(text) or { address = text }
  local path = core.path(one.address, true)
  if not path or path.address == "" then
    return nil, errors.new { kind = "invalid", message = "not a mail address", address = text }
  end
  path.name = one.name
  return path
end

--- Checks a mailbox for MAIL or RCPT of a server without SMTPUTF8: true, or nil, why it
-- may not be sent, and the kind of error that this is.
function M.check(mailbox)
  local ok, eightbit = core.is_mailbox(mailbox)
  if not ok then return nil, "not a mailbox that may be sent", "invalid" end
  if eightbit then return nil, "needs SMTPUTF8", "unsupported" end
  return true
end

return M
