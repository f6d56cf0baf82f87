-- SPDX-License-Identifier: MIT
--- DKIM: signers of messages and verification (RFC 6376, 8301, 8463).
local sign = require "smtp.dkim_sign"
local verify = require "smtp.dkim_verify"

local M = {}

M.new = sign.new
M.verify = verify.verify

return M
