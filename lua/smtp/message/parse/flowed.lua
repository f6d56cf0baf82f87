-- SPDX-License-Identifier: MIT
--- Text of format=flowed (RFC 3676 section 4): a line that ends in a space goes on in the
-- next line with the same number of ">". Each line is joined once, so the time is linear.
local M = {}

local SIGNATURE = "-- "

-- The depth of a line's quotation, and the text after the marks and the stuffed space.
local function split(line)
  local marks = line:match("^>*")
  local at = #marks + 1
  if line:byte(at) == 32 then at = at + 1 end
  return #marks, line:sub(at)
end

local function quote(depth, text)
  if depth == 0 then return text end
  return (">"):rep(depth) .. (text ~= "" and " " or "") .. text
end

--- Joins the lines of `text`, which end in LF. With `delsp` the space at which a line
-- goes on is no part of the text. Quoted lines keep their marks.
function M.unwrap(text, delsp)
  local out, pieces, open = {}, {}, nil -- open: the depth of a line that goes on
  local function finish()
    if open then out[#out + 1] = quote(open, table.concat(pieces)) end
    pieces, open = {}, nil
  end
  for line, eol in text:gmatch("([^\n]*)(\n?)") do
    if line == "" and eol == "" then break end -- the end
    local depth, rest = split(line)
    if depth ~= open or rest == SIGNATURE then finish() end
    local flows = rest:byte(-1) == 32 and rest ~= SIGNATURE and eol ~= ""
    open = depth
    -- the space goes where the next line shows that this one goes on
    if #pieces > 0 and delsp then pieces[#pieces] = pieces[#pieces]:sub(1, -2) end
    pieces[#pieces + 1] = rest
    if not flows then finish() end
  end
  finish()
  if #out == 0 then return text end
  return table.concat(out, "\n") .. (text:sub(-1) == "\n" and "\n" or "")
end

return M
