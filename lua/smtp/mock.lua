-- SPDX-License-Identifier: MIT
--- `require "smtp.mock"`: see types/smtp/mock.d.lua for each call.
require "smtp.base.version"
local quirks = require "smtp.mock.quirks"
local server = require "smtp.mock.server"

local M = { start = server.start, quirks = quirks.list }

--- Runs a client through servers that are nasty or hostile. Loaded when it is first used.
function M.gauntlet(send, options)
  return require("smtp.gauntlet").run(send, options)
end

return M
