-- SPDX-License-Identifier: MIT
--- smtp: everything that speaks SMTP. See types/smtp/init.d.lua for each call.
require "smtp.version"
local address = require "smtp.address"
local bounce = require "smtp.bounce"
local client = require "smtp.client"
local compose = require "smtp.compose"
local core = require "smtp.core"
local deliver = require "smtp.deliver"
local dialogue = require "smtp.dialogue"
local dkim = require "smtp.dkim"
local lint = require "smtp.lint"
local loop = require "smtp.loop"
local mta_sts = require "smtp.mta_sts"
local mx = require "smtp.mx"
local options = require "smtp.options"
local parse = require "smtp.parse"
local pool = require "smtp.pool"
local server = require "smtp.server"

local M = { address = address, loop = loop, mta_sts = mta_sts }

M._VERSION = "scm-1"

M.connect = client.connect
M.send = client.send
M.mx = mx.mx
M.deliver = deliver.deliver
M.pool = pool.new
M.lint = lint
M.server = server.new
M.message = compose.message
M.part = compose.part
M.bounce = bounce.bounce
M.dialogue = dialogue.connect
M.parse = parse.parse
M.dkim = dkim.new
M.dkim_verify = dkim.verify
M.scram_keys = core.scram_keys
M.sleep = loop.sleep

options.dotted("smtp", M)

return M
