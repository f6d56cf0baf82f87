-- SPDX-License-Identifier: MIT
--- Refuses a Lua that is too old by a sentence. Each module that users require asks for
-- this first, and is itself written so that an old Lua can read it: no `<close>`, no `//`,
-- no operator on bits. Modules required after this one may be newer.
local major, minor = _VERSION:match("(%d+)%.(%d+)")
local number = tonumber(major) * 100 + tonumber(minor)

if number < 504 then
  local jit = rawget(_G, "jit")
  error(("smtp needs Lua 5.4 or 5.5, and this is %s"):format(
    jit and jit.version .. " (" .. _VERSION .. ")" or _VERSION), 0)
end

return number
