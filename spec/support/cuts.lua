-- SPDX-License-Identifier: MIT
--- How bytes may be cut on their way: each takes what is there, and gives how much of
-- it goes at once.
local M = {}

function M.whole(bytes) return bytes end

function M.one_byte(bytes) return bytes:sub(1, 1) end

--- Everything in one piece but for a cut behind byte `place` of the stream.
function M.at(place)
  local seen = 0
  return function(bytes)
    if seen < place and place < seen + #bytes then bytes = bytes:sub(1, place - seen) end
    seen = seen + #bytes
    return bytes
  end
end

return M
