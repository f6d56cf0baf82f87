-- SPDX-License-Identifier: MIT
--- Refuses an old Lua with a sentence. Each public module requires this one first, and an old Lua
-- must be able to parse both: no `<close>`, no `//`, no operator on bits. Modules required after
-- this one may use them.
local major, minor = _VERSION:match("(%d+)%.(%d+)")
local number = tonumber(major) * 100 + tonumber(minor)

if number < 504 then
  local jit = rawget(_G, "jit")
  error(("smtp needs Lua 5.4 or 5.5, and this is %s"):format(
    jit and jit.version .. " (" .. _VERSION .. ")" or _VERSION), 0)
end

return number
