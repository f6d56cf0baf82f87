-- SPDX-License-Identifier: MIT
--- Domain names as users and messages have them, in the one form that the DNS, the wire
-- and certificates know: A-labels (RFC 5890). Capitals, decomposed letters, wide forms and
-- other dots are mapped by libidn2 where it is there (UTS 46).
-- Internal.
local core = require "smtp.core"

local M = {}

-- Whether a text has nothing that is to be mapped.
local function is_plain(text)
  return not text:find("[\x80-\xff]") and not text:find("[xX][nN]%-%-")
end

--- The name of a host; an address, a literal and a plain name are as they were. Or nil
-- and why it has none. Of ASCII that is no name the resolver says what is wrong.
function M.host(text)
  if core.is_address(text) or text:find("^%[") then return text end
  if is_plain(text) and (text == "" or text:find("[^%w._-]")) then return text end
  local name, why = core.idna(text)
  if name and is_plain(text) then return text end
  return name, why
end

--- A mailbox with the name of its domain; or nil and why it has none.
function M.mailbox(mailbox)
  local user, domain = mailbox:match("^(.*)@([^@]*)$")
  if not user or is_plain(domain) or domain:find("^%[") then return mailbox end
  local name, why = core.idna(domain)
  if not name then return nil, ("the domain %s has no name in ASCII: %s"):format(domain, why) end
  return user .. "@" .. name
end

--- The name that a table is looked up by: in lower case, "*." stays in front of it.
function M.key(text)
  local star, name = text:match("^(%*?%.?)(.*)$")
  local host, why = M.host(name)
  return host and star .. host:lower(), why
end

return M
