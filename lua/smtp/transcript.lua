-- SPDX-License-Identifier: MIT
--- The last lines of a dialogue, for errors and for people. Lines are kept as
-- they are and made readable only when somebody looks: controls are escaped.
-- Internal.
local M = {}
M.__index = M

local KEPT = 40 -- lines

function M.new(trace)
  return setmetatable({ n = 0, trace = trace }, M)
end

--- Notes a line that was sent ("C") or received ("S"), as the client sees it.
function M:add(side, line)
  local n = self.n % KEPT
  self.n = self.n + 1
  self[2 * n + 1], self[2 * n + 2] = side, line
  if self.trace then self.trace(side, line) end
end

--- Notes each line of a reply.
function M:reply(reply)
  local lines = reply.lines
  for i = 1, #lines do
    self:add("S", ("%d%s%s"):format(reply.code, i < #lines and "-" or " ", lines[i]))
  end
end

local function visible(line)
  return (line:gsub("[%c\127]", function(c) return ("\\x%02x"):format(c:byte()) end))
end

function M:__tostring()
  local lines = {}
  for i = math.max(self.n - KEPT, 0), self.n - 1 do
    local at = i % KEPT
    lines[#lines + 1] = self[2 * at + 1] .. ": " .. visible(self[2 * at + 2])
  end
  return table.concat(lines, "\n")
end

return M
