-- SPDX-License-Identifier: MIT
-- No assignment to the control variable of a `for`, which Lua 5.5 refuses: in each file of
-- Lua, and in each block of Lua in the documents, where one that is no whole chunk is left
-- out. loops.lua [FILE...] looks at these files instead.
package.path = "scripts/?.lua;" .. package.path
local lexer = require("lexer")
local source = require("source")
local syntax = require("lua_syntax")

local complaints = {}

-- first: the line where the text begins in its file.
local function check(name, text, first)
  syntax.walk(text, { assigned = function(token, is_loop)
    if not is_loop then return end
    complaints[#complaints + 1] = ("%s:%d: %s is the variable of a `for`, to which Lua 5.5 "
      .. "assigns nothing"):format(name, first - 1 + lexer.line(text, token.from), token.text)
  end })
end

local function check_document(name, text)
  for at, block in text:gmatch("\n```lua\n()(.-)\n```") do
    if load(block) then check(name, block, lexer.line(text, at)) end
  end
end

local files = arg
if #files == 0 then
  files = source.find("lua spec bench examples scripts types bin README.md docs", "%.lua$")
  for _, name in ipairs { "README.md", "docs/reference.md", "bin/lua-smtp", ".busted" } do
    files[#files + 1] = name
  end
end
for _, name in ipairs(files) do
  local text = source.read(name)
  if name:find("%.md$") then check_document(name, text) else check(name, text, 1) end
end
source.report("loops", complaints, #files .. " files")
