-- SPDX-License-Identifier: MIT
--- MAIL and RCPT of a client: addresses as they may go out to this server, and their
-- parameters.
local address = require "smtp.base.address"
local names = require "smtp.base.names"
local options = require "smtp.base.options"
local parameters = require "smtp.client.parameters"

local M = {}

local function invalid(connection, stage, mailbox, why, kind, enhanced)
  return connection:fail { kind = kind or "invalid", stage = stage, address = mailbox,
    message = why, enhanced = enhanced }
end

--- The error of a MAIL or RCPT that the machine refuses: "invalid" or "state".
function M.refused(connection, word, stage, mailbox)
  if word == "invalid" then
    return invalid(connection, stage, mailbox, "not a mailbox or parameter that may be sent")
  end
  return connection:misplaced(stage, mailbox)
end

--- A mailbox as it goes out, and whether it needs SMTPUTF8.
function M.wire(connection, stage, mailbox)
  local sent, utf8, kind = names.wire(mailbox, connection.capabilities.SMTPUTF8)
  if not sent then return invalid(connection, stage, mailbox, utf8, kind) end
  return sent, utf8
end

--- Checks the fields of a single command: true, or nil and an error.
local function check(connection, stage, fields, mailbox)
  local ok, why, kind, enhanced = parameters.check(stage, fields)
  if not ok then return invalid(connection, stage, mailbox, why, kind, enhanced) end
  return true
end

--- Gives the parameters of fields; `relayed`: of received mail that is passed on.
function M.parameters(connection, stage, fields, mailbox, relayed)
  local list, why, kind, enhanced = parameters[stage](connection, fields, relayed)
  if not list then return invalid(connection, stage, mailbox, why, kind, enhanced) end
  return list
end

M.NOT_8BIT = "the content has 8-bit bytes and the server does not offer 8BITMIME"

function M.not_8bit(connection, stage)
  return connection:fail { kind = "unsupported", stage = stage, message = M.NOT_8BIT }
end

-- ---- single commands ----------------------------------------------------

local function single(connection, verb, mailbox, params)
  local stage = verb:lower()
  local ok, _, word = connection.machine:submit_path(verb, mailbox, params)
  if not ok then return M.refused(connection, word, stage, mailbox) end
  connection.used:note(verb, mailbox)
  local step, reply = connection:await()
  if not step then return nil, reply end
  if step == "unasked" then return connection:over(reply, stage) end
  if reply.code >= 300 then
    return connection:rejected(reply, stage, { address = mailbox })
  end
  return reply
end

local function alone(connection, ...)
  return connection:within(nil, single, ...)
end

local function mailbox_of(value, verb)
  local mailbox = address.mailbox(value)
  if not mailbox then options.misuse(verb .. ": an address is needed") end
  return mailbox
end

function M.mail(connection, value, given)
  local mailbox, utf8 = M.wire(connection, "mail", mailbox_of(value, "mail"))
  if not mailbox then return nil, utf8 end
  local ok, why = check(connection, "mail", given or {}, mailbox)
  if not ok then return nil, why end
  local fields = {}
  for key, one in pairs(given or {}) do fields[key] = one end
  if fields.body == "8BITMIME" and not connection.capabilities["8BITMIME"] then
    return M.not_8bit(connection, "mail")
  end
  if utf8 then fields.smtputf8 = true end
  local params, err = M.parameters(connection, "mail", fields, mailbox)
  if not params then return nil, err end
  if connection.machine:needs_rset() then
    ok, err = connection:ask("rset", "RSET")
    if not ok then return nil, err end
  end
  return alone(connection, "MAIL", mailbox, params)
end

function M.rcpt(connection, value, given)
  local mailbox, utf8 = M.wire(connection, "rcpt", mailbox_of(value, "rcpt"))
  if not mailbox then return nil, utf8 end
  local ok, params, err
  ok, err = check(connection, "rcpt", given or {}, mailbox)
  if ok then params, err = M.parameters(connection, "rcpt", given or {}, mailbox) end
  if not params then return nil, err end
  return alone(connection, "RCPT", mailbox, params)
end

return M
