-- SPDX-License-Identifier: MIT
-- The rockspec lists every C file by name, since LuaRocks knows no patterns.
-- `write` makes the list anew, `check` fails if it is not that of csrc.
package.path = "scripts/?.lua;" .. package.path
local source = require("source")

local NAME = "lua-smtp-scm-1.rockspec"

local lines = {}
for _, file in ipairs(source.find("csrc", "%.c$")) do
  lines[#lines + 1] = ('        "%s",\n'):format(file)
end
local text = source.read(NAME)
local head, tail = text:match("^(.-sources = {\n).-(      },\n.*)$")
assert(head, "no list of sources in " .. NAME)
local wanted = head .. table.concat(lines) .. tail

if arg[1] == "write" then
  local file <close> = assert(io.open(NAME, "wb"))
  assert(file:write(wanted))
elseif text ~= wanted then
  print(NAME .. " does not list the files of csrc: run `make rockspec`")
  os.exit(1)
end
