-- SPDX-License-Identifier: MIT
--- A mail of a mock: its envelope, its bytes, and fields of smtp.parse, made at their first use.
local parse = require "smtp.message.parse"

local M = {}

local Mail = { __name = "smtp.mock.mail" }

-- The fields of the parsed message.
local PARSED = {}
for name in ([[subject text html attachments headers date time message_id in_reply_to references
  parts type reply_to cc bcc report size chunks content]]):gmatch("%S+") do PARSED[name] = true end

local function message_of(mail)
  local message = parse.parse(mail.raw)
  rawset(mail, "message", message)
  return message
end

function Mail.__index(mail, key)
  if key == "message" then return message_of(mail) end
  if key == "session" then return mail._find_session(mail._session) end
  if PARSED[key] then return mail.message[key] end
  if key == "to" then return mail.recipients end
  return Mail[key]
end

function Mail.__tostring(mail)
  return ("mail %d from <%s> to %s: %s"):format(mail.number, mail.from,
    table.concat(mail.recipients, ", "), mail.subject or "(no subject)")
end

-- "SIZE=5 BODY=8BITMIME" as a table, in upper case; true for a parameter without a value.
local function parameters(text)
  local all = {}
  for key, value in (text or ""):gmatch("([%w-]+)=?(%S*)") do
    all[key:upper()] = value ~= "" and value or true
  end
  return all
end

--- Makes a mail of the core's fields; `find_session` gives the session of a number.
function M.new(given, find_session)
  local mail = {
    number = given.number, from = given.from, raw = given.raw, code = given.code,
    stored = given.stored, _find_session = find_session, _session = given.session,
    helo = given.helo, user = given.user,
    secure = given.tls, parameters = parameters(given.params), recipients = {}, verdicts = {},
  }
  for i, one in ipairs(given.recipients) do
    mail.verdicts[i] = { address = one.address, code = one.code,
      text = (one.reply or ""):gsub("\r\n$", ""), parameters = parameters(one.params) }
    if one.code < 300 then mail.recipients[#mail.recipients + 1] = one.address end
  end
  mail.envelope = { from = mail.from, to = mail.recipients }
  return setmetatable(mail, Mail)
end

return M
