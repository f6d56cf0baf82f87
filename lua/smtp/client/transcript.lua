-- SPDX-License-Identifier: MIT
--- The last lines of a dialogue, for errors and for people. Lines are kept as
-- they are and made readable only when somebody looks: controls are escaped.
local printable = require "smtp.base.printable"

local M = {}
M.__index = M

local KEPT = 32 -- commands and replies

function M.new(trace)
  return setmetatable({ n = 0, trace = trace }, M)
end

-- An entry is a string that was sent, or the table of a reply: made into lines
-- when somebody looks, for most dialogues are never looked at.
local function keep(self, entry)
  local n = self.n
  self.n = n + 1
  self[n % KEPT + 1] = entry
end

-- Calls line(side, text) for each line of an entry.
local function each(entry, line)
  if type(entry) == "string" then
    line("C", entry)
    return
  end
  local lines = entry.lines
  for i = 1, #lines do
    line("S", ("%d%s%s"):format(entry.code, i < #lines and "-" or " ", lines[i]))
  end
end

--- Notes a line that was sent.
function M:sent(line)
  keep(self, line)
  if self.trace then each(line, self.trace) end
end

--- Notes a reply.
function M:reply(reply)
  keep(self, reply)
  if self.trace then each(reply, self.trace) end
end

--- The text of lines, { "C" or "S", line ... }.
function M.text(list)
  local lines = {}
  for i = 1, #list, 2 do
    lines[#lines + 1] = list[i] .. ": " .. printable(list[i + 1])
  end
  return table.concat(lines, "\n")
end

function M:__tostring()
  local list = {}
  local function add(side, line) list[#list + 1], list[#list + 2] = side, line end
  for i = math.max(self.n - KEPT, 0), self.n - 1 do
    each(self[i % KEPT + 1], add)
  end
  return M.text(list)
end

return M
