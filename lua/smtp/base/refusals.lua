-- SPDX-License-Identifier: MIT
--- The enhanced codes of the refusals that a task received. The `text` of a reply has no
-- enhanced code, so `return err.code, err.text` would lose it; a verdict finds it here.
local M = {}

-- The maxima of a task: refusals, one for each recipient of a message; bytes, a line.
local MOST, LONGEST = 1000, 512

-- By coroutine: { n = number, [code .. " " .. text] = enhanced }
local known = setmetatable({}, { __mode = "k" })

--- Notes a refusal for the running task.
function M.note(code, text, enhanced)
  if not (code and text and enhanced) or #text > LONGEST then return end
  local task = coroutine.running()
  local mine = known[task]
  if not mine or mine.n >= MOST then
    mine = { n = 0 }
    known[task] = mine
  end
  mine.n = mine.n + 1
  mine[code .. " " .. text] = enhanced
end

--- Whether a text begins with an enhanced code of the code's class.
function M.has_enhanced(code, text)
  return text:find("^" .. code // 100 .. "%.%d%d?%d?%.%d%d?%d?%f[ \0]") ~= nil
end

--- The text of a verdict, after the enhanced code that came with it.
function M.complete(code, text)
  local mine = text and known[coroutine.running()]
  local enhanced = mine and not M.has_enhanced(code, text) and mine[code .. " " .. text]
  return enhanced and enhanced .. " " .. text or text
end

return M
