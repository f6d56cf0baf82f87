-- SPDX-License-Identifier: MIT
--- The parts of a URL, and what options write like one: "host:port".
local M = {}

--- "%40" is "@".
function M.decode(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- The host, without the brackets of an IPv6 address, and the port, a number, if there is
-- one; or nil.
function M.host(text)
  local host, behind = text:match("^%[([%x:.]+)%](.*)$")
  if not host then host, behind = text:match("^%[([%x:.]+%%[%w._-]+)%](.*)$") end -- with a zone
  if not host then host, behind = text:match("^([^:/%[%]]+)(.*)$") end
  local port = host and behind:match("^:(%d*)$")
  if not port and behind ~= "" then return nil end
  return host, port and tonumber(port)
end

--- A host and a port as a URL has them.
function M.place(host, port)
  if host:find(":", 1, true) then host = "[" .. host .. "]" end
  return host .. ":" .. port
end

--- User and password in front of the last "@", decoded, or nil without "@"; and the text
-- behind it.
function M.credentials(text)
  local before, place = text:match("^(.*)@([^@]*)$")
  if not before then return nil, nil, text end
  local user, password = before:match("^([^:]*):?(.*)$")
  return M.decode(user), M.decode(password), place
end

return M
