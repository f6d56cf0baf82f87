-- SPDX-License-Identifier: MIT
-- Faults that no spec can notice, each with its reason: the file, the function, the line
-- as it was and as it would be, with single blanks. Lines may move; a line that changes
-- asks again.
local M = {}

M.list = {}

--- A function that tells whether a fault is set aside; a set-aside without a reason raises.
function M.index()
  local known = {}
  for _, one in ipairs(M.list) do
    assert(one.why and #one.why > 0, one.file .. ": set aside without a reason")
    known[table.concat({ one.file, one.scope, one.was, one.is }, "\n")] = true
  end
  return function(file, scope, was, is)
    return known[table.concat({ file, scope, was, is }, "\n")] or false
  end
end

return M
