-- SPDX-License-Identifier: MIT
--- The command line as a process of its own: bin/lua-smtp, under the Lua that runs this.
local net = require "spec.support.net"
local process = require "spec.support.process"

local M = {}

--- Why the specs of the command line cannot run, or nil.
function M.missing(...)
  for module, package in pairs { argparse = "lua-argparse", cjson = "lua-cjson" } do
    if not pcall(require, module) then
      return package .. " is not here (`make test` installs it)"
    end
  end
  return process.missing(...)
end

--- The words that call it.
function M.words(...)
  return { net.interpreter(), "bin/lua-smtp", ... }
end

--- Its words as text for a shell.
function M.shell()
  return table.concat(M.words(), " ")
end

-- Environment: the modules that are found here, and `extra`.
local function environment(extra)
  local env = { LUA_PATH_5_4 = "./?.lua;" .. package.path, LUA_CPATH_5_4 = package.cpath }
  for key, value in pairs(extra or {}) do env[key] = value end
  return env
end

--- Starts any command in that environment; `options` as of process.start.
function M.start(words, options)
  options = options or {}
  return process.start(words, { env = environment(options.env), input = options.input,
    time = options.time or 20, alone = options.alone })
end

--- Runs lua-smtp to its end: status, output, errors.
function M.run(words, options)
  local one <close> = M.start(M.words(table.unpack(words)), options)
  return one:wait()
end

return M
