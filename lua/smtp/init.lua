-- SPDX-License-Identifier: MIT
--- smtp: everything that speaks SMTP. See types/smtp/init.d.lua for each call.
local address = require "smtp.address"
local client = require "smtp.client"
local dialogue = require "smtp.dialogue"
local loop = require "smtp.loop"
local options = require "smtp.options"
local server = require "smtp.server"

local M = { address = address, loop = loop }

M._VERSION = "scm-1"

local SEND_OPTIONS = { deadline = "seconds", progress = "function" }

--- Connects to a target; gives a client that has greeted.
function M.connect(target)
  return client.connect(target)
end

--- Sends one message and closes; gives the receipt.
function M.send(target, message, opts)
  opts = options.check("send", opts or {}, SEND_OPTIONS)
  if type(target) == "string" then target = { url = target } end
  local since = loop.now()
  if opts.deadline then
    local copy = {}
    for key, value in pairs(target) do copy[key] = value end
    copy.deadline = math.min(opts.deadline, target.deadline or math.huge)
    target = copy
  end
  local one <close>, err = client.connect(target)
  if not one then return nil, err end
  local limit = target.deadline
  local receipt
  receipt, err = one:send(message, {
    deadline = limit and math.max(limit - (loop.now() - since), 0), progress = opts.progress,
  })
  if one:usable() then one:quit() end
  return receipt, err
end

M.server = server.new
M.dialogue = dialogue.connect
M.sleep = loop.sleep

return M
