-- SPDX-License-Identifier: MIT
--- DKIM: signers of messages and verification (RFC 6376, 8301, 8463).
local sign = require "smtp.message.dkim.sign"
local verify = require "smtp.message.dkim.verify"

local M = {}

M.new = sign.new
M.verify = verify.verify

return M
