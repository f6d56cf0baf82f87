-- SPDX-License-Identifier: MIT
--- Domain names of users and messages in the form for the DNS, the wire and certificates:
-- A-labels (RFC 5890). libidn2, if it is installed, maps capitals, decomposed letters, wide
-- forms and other dots (UTS 46).
-- Internal.
local core = require "smtp.core"

local M = {}

-- Whether a text needs no mapping.
local function is_plain(text)
  return not text:find("[\x80-\xff]") and not text:find("[xX][nN]%-%-")
end

--- The name of a host; an address, a literal and a plain name are unchanged. Or nil and the
-- reason. ASCII that is no name is unchanged too, and the resolver refuses it.
function M.host(text)
  if core.is_address(text) or text:find("^%[") then return text end
  if is_plain(text) and (text == "" or text:find("[^%w._-]")) then return text end
  local name, why = core.idna(text)
  if name and is_plain(text) then return text end
  return name, why
end

--- A mailbox with its domain in A-labels; or nil and the reason.
function M.mailbox(mailbox)
  local user, domain = mailbox:match("^(.*)@([^@]*)$")
  if not user or is_plain(domain) or domain:find("^%[") then return mailbox end
  local name, why = core.idna(domain)
  if not name then return nil, ("the domain %s has no name in ASCII: %s"):format(domain, why) end
  return user .. "@" .. name
end

--- The name as a key of a table: in lower case, with any "*." in front.
function M.key(text)
  local star, name = text:match("^(%*?%.?)(.*)$")
  local host, why = M.host(name)
  return host and star .. host:lower(), why
end

return M
