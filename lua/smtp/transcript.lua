-- SPDX-License-Identifier: MIT
--- The last lines of a dialogue, for errors and for people. Lines are kept as
-- they are and made readable only when somebody looks: controls are escaped.
-- Internal.
local visible = require "smtp.visible"

local M = {}
M.__index = M

local KEPT = 32 -- commands and replies

function M.new(trace)
  return setmetatable({ n = 0, trace = trace }, M)
end

-- An entry is kept in three fields as it came, and made text when somebody
-- looks: most dialogues are never looked at.
local function keep(self, side, what, mailbox)
  local at = 3 * (self.n % KEPT)
  self.n = self.n + 1
  self[at + 1], self[at + 2], self[at + 3] = side, what, mailbox
end

-- Calls line(side, text) for each line of an entry.
local function each(side, what, mailbox, line)
  if side == "C" then
    line(side, mailbox and what .. "<" .. mailbox .. ">" or what)
    return
  end
  local lines = what.lines
  for i = 1, #lines do
    line(side, ("%d%s%s"):format(what.code, i < #lines and "-" or " ", lines[i]))
  end
end

--- Notes a line that was sent; with `mailbox`, it follows in <>.
function M:sent(line, mailbox)
  keep(self, "C", line, mailbox)
  if self.trace then each("C", line, mailbox, self.trace) end
end

--- Notes a reply.
function M:reply(reply)
  keep(self, "S", reply)
  if self.trace then each("S", reply, nil, self.trace) end
end

function M:__tostring()
  local lines = {}
  local function add(side, line) lines[#lines + 1] = side .. ": " .. visible(line) end
  for i = math.max(self.n - KEPT, 0), self.n - 1 do
    local at = 3 * (i % KEPT)
    each(self[at + 1], self[at + 2], self[at + 3], add)
  end
  return table.concat(lines, "\n")
end

return M
