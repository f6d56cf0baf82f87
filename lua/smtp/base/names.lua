-- SPDX-License-Identifier: MIT
--- Domain names and mailboxes of users and messages in the form for the DNS, the wire and
-- certificates: A-labels (RFC 5890). libidn2, if it is installed, maps capitals, decomposed
-- letters, wide forms and other dots (UTS 46).
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

--- A mailbox as MAIL or RCPT have it, and whether that is UTF-8, which `utf8` allows; else
-- a domain becomes A-labels (RFC 5890). Or nil, why not, and the kind of error.
function M.wire(mailbox, utf8)
  local ok, eightbit, has_alabel = core.is_mailbox(mailbox)
  if not ok then return nil, "not a mailbox that may be sent", "invalid" end
  if eightbit and utf8 then return mailbox, true end
  if not eightbit and not has_alabel then return mailbox, false end
  local ascii, why = M.mailbox(mailbox)
  if not ascii then return nil, why, "invalid" end
  if not core.eightbit(ascii) then return ascii, false end
  return nil, "needs SMTPUTF8, which the server does not offer", "unsupported"
end

--- An IP address as the literal that stands for a domain (RFC 5321 section 4.1.3), which
-- has no zone.
function M.literal(ip)
  ip = ip:gsub("%%.*$", "")
  return (ip:find(":", 1, true) and "[IPv6:" or "[") .. ip .. "]"
end

--- The name as a key of a table: in lower case, with any "*." in front.
function M.key(text)
  local star, name = text:match("^(%*?%.?)(.*)$")
  local host, why = M.host(name)
  return host and star .. host:lower(), why
end

return M
