-- SPDX-License-Identifier: MIT
--- Lines of text without an encoding: CRLF ends each, none is longer than 998 bytes, and there
-- is no NUL (RFC 5321 section 4.5.3.1.6, RFC 5322 section 2.1.1).
local M = {}

--- Bytes of a line without its CRLF.
M.MAX = 998

--- A watcher of lines that end in LF: `see(chunk)` gives true once a line was longer
-- than MAX and a CR.
function M.watcher()
  local length = 0 -- of the line that has not ended
  return function(chunk)
    local from = 1
    while true do
      local at = chunk:find("\n", from, true)
      length = length + (at or #chunk + 1) - from
      local last = at and at - 1 or #chunk
      if length > M.MAX + 1 then return true end
      if length == M.MAX + 1 and last >= from and chunk:byte(last) ~= 13 then return true end
      if not at then return false end
      from, length = at + 1, 0
    end
  end
end

--- The chunks of `read` with CRLF for every line end. Forbidden bytes raise a sentence.
function M.strict(read)
  local held, too_long = "", M.watcher() -- held: a CR, the rest of which may come
  return function()
    while held do
      local chunk = read()
      local text = held .. (chunk or "")
      held = chunk and (text:sub(-1) == "\r" and "\r" or "")
      if held == "\r" then text = text:sub(1, -2) end
      if text:find("\0", 1, true) then error("it has a NUL", 0) end
      text = text:gsub("\r\n?", "\n"):gsub("\n", "\r\n")
      if too_long(text) then error("it has a line of more than 998 bytes", 0) end
      if text ~= "" then return text end
    end
  end
end

return M
