-- SPDX-License-Identifier: MIT
--- Packages that the command line needs, and the library does not.
local say = require "smtp.cli.say"

local M = {}

local function load(module, debian, rock)
  local ok, loaded = pcall(require, module)
  if ok then return loaded end
  say.fail(("the Lua module %s is not here: install %s (Debian, Ubuntu) or the rock %s"):format(
    module, debian, rock))
end

function M.argparse() return load("argparse", "lua-argparse", "argparse") end

function M.cjson() return load("cjson", "lua-cjson", "lua-cjson") end

return M
