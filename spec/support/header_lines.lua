-- SPDX-License-Identifier: MIT
-- The lines of a header: what holds for all that is composed.
local assert = require "luassert"

local M = {}

-- Where a line could be folded: a blank with something before it and behind it, which
-- behind the name of a field is more than the name.
local function has_place(line)
  local value = line:match("^[!-9;-~]+:[ \t]*(.*)$") or line
  return value:find("[^ \t][ \t]+[^ \t]") ~= nil
end

--- Checks every line of the headers of a message and of its parts: something stands behind
-- the name; none is longer than 998, than 78 if it could be folded, or than 76 if it could
-- and has an encoded word (RFC 2047 section 2); none is of blanks alone.
function M.check(text)
  local within = true
  for line in text:gmatch("([^\r]*)\r\n") do
    if line == "" then
      within = false
    elseif line:find("^%-%-=_") then
      within = true
    elseif within then
      assert.falsy(line:find("^[!-9;-~]+:[ \t]*$") and not line:find("^Subject:")
        and not line:find("^Content%-Type:"), line)
      assert.falsy(line:find("^[ \t]+$"), "a line of blanks")
      assert.is_true(#line <= 998, line)
      local max = line:find("=?UTF-8?", 1, true) and 76 or 78
      local words = line:find("=?UTF-8?", 1, true)
      assert.is_true(#line <= max or not has_place(line) and not (words and words < 40), line)
      for word in line:gmatch("=%?UTF%-8%?[BQ]%?[^?]*%?=") do
        assert.is_true(#word <= 75, word)
      end
    end
  end
end

return M
