-- SPDX-License-Identifier: MIT
--- MAIL and RCPT of a client: addresses as they may go out to this server, and their
-- parameters.
local address = require "smtp.base.address"
local names = require "smtp.base.names"
local options = require "smtp.base.options"
local parameters = require "smtp.client.parameters"

local M = {}

local function invalid(client, stage, mailbox, why, kind, enhanced)
  return client:_error { kind = kind or "invalid", stage = stage, address = mailbox,
    message = why, enhanced = enhanced }
end

-- The command as it goes out, for who reads along.
local function line_of(verb, mailbox, params)
  local line = (verb == "MAIL" and "MAIL FROM:<" or "RCPT TO:<") .. mailbox .. ">"
  if not params or not params[1] then return line end
  local words = { line }
  for i = 1, #params, 2 do
    local key, value = params[i], params[i + 1]
    words[#words + 1] = value == true and key or key .. "=" .. value
  end
  return table.concat(words, " ")
end

--- Queues MAIL or RCPT. Gives true; or false when replies must come first; or nil and an
-- error.
function M.submit(client, verb, mailbox, params)
  local ok, why = client._core:submit_path(verb, mailbox, params)
  if ok then
    client._transcript:sent(line_of(verb, mailbox, params))
    client._used:note(verb, mailbox)
    return true
  end
  if why == "busy" then return false end
  if why == "invalid" then
    return invalid(client, verb:lower(), mailbox, "not a mailbox or parameter that may be sent")
  end
  return client:_misplaced(verb:lower(), mailbox)
end

--- A mailbox as it goes out, and whether it needs SMTPUTF8.
function M.wire(client, stage, mailbox)
  local sent, utf8, kind = names.wire(mailbox, client.capabilities.SMTPUTF8)
  if not sent then return invalid(client, stage, mailbox, utf8, kind) end
  return sent, utf8
end

--- Checks the fields of a single command: true, or nil and an error.
local function check(client, stage, fields, mailbox)
  local ok, why, kind, enhanced = parameters.check(stage, fields)
  if not ok then return invalid(client, stage, mailbox, why, kind, enhanced) end
  return true
end

--- Gives the parameters of fields; `relayed`: of received mail that is passed on.
function M.parameters(client, stage, fields, mailbox, relayed)
  local list, why, kind, enhanced = parameters[stage](client, fields, relayed)
  if not list then return invalid(client, stage, mailbox, why, kind, enhanced) end
  return list
end

M.NOT_8BIT = "the content has 8-bit bytes and the server does not offer 8BITMIME"

function M.not_8bit(client, stage)
  return client:_error { kind = "unsupported", stage = stage, message = M.NOT_8BIT }
end

-- ---- single commands ----------------------------------------------------

local function single(client, verb, mailbox, params)
  local stage = verb:lower()
  local ok, err = M.submit(client, verb, mailbox, params)
  if not ok then return nil, err end
  local step, reply = client:_await()
  if not step then return nil, reply end
  if step == "unasked" then return client:_over(reply, stage) end
  if reply.code >= 300 then
    return client:_rejected(reply, stage, { address = mailbox })
  end
  return reply
end

local function alone(client, ...)
  return client:_within(nil, single, ...)
end

local function mailbox_of(value, verb)
  local mailbox = address.mailbox(value)
  if not mailbox then options.misuse(verb .. ": an address is needed") end
  return mailbox
end

function M.mail(client, value, given)
  local mailbox, utf8 = M.wire(client, "mail", mailbox_of(value, "mail"))
  if not mailbox then return nil, utf8 end
  local ok, why = check(client, "mail", given or {}, mailbox)
  if not ok then return nil, why end
  local fields = {}
  for key, one in pairs(given or {}) do fields[key] = one end
  if fields.body == "8BITMIME" and not client.capabilities["8BITMIME"] then
    return M.not_8bit(client, "mail")
  end
  if utf8 then fields.smtputf8 = true end
  local params, err = M.parameters(client, "mail", fields, mailbox)
  if not params then return nil, err end
  if client._dirty then -- a send that failed
    ok, err = client:reset()
    if not ok then return nil, err end
  end
  return alone(client, "MAIL", mailbox, params)
end

function M.rcpt(client, value, given)
  local mailbox, utf8 = M.wire(client, "rcpt", mailbox_of(value, "rcpt"))
  if not mailbox then return nil, utf8 end
  local ok, params, err
  ok, err = check(client, "rcpt", given or {}, mailbox)
  if ok then params, err = M.parameters(client, "rcpt", given or {}, mailbox) end
  if not params then return nil, err end
  return alone(client, "RCPT", mailbox, params)
end

return M
