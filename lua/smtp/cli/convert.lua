-- SPDX-License-Identifier: MIT
--- Words of the command line as numbers; nil and why not, as argparse wants it.
local M = {}

--- A whole number from 0.
function M.whole(word)
  if word:find("^%d+$") and #word <= 15 then return math.tointeger(tonumber(word)) end
  return nil, ("%q is no whole number"):format(word)
end

--- A number of seconds.
function M.seconds(word)
  local number = word:find("^[%d.]+$") and tonumber(word)
  if number then return number end
  return nil, ("%q is no number of seconds"):format(word)
end

--- The name of a file that can be read.
function M.file(word)
  local file <close>, why = io.open(word, "rb")
  if file then return word end
  return nil, why
end

--- A number that may be a port.
function M.port(word)
  local number = M.whole(word)
  if number and number <= 65535 then return number end
  return nil, ("%q is no port"):format(word)
end

return M
