-- SPDX-License-Identifier: MIT
--- The record of a parsed message, for `smtp.message(smtp.parse(bytes))`. Forbidden bytes
-- are removed or replaced. Malformed addresses, ids and dates are left out.
local date = require "smtp.base.date"
local names = require "smtp.base.names"

local M = {}

local function mailboxes(list)
  local out = {}
  for _, one in ipairs(list) do
    if one.address ~= "" and names.wire(one.address, true) then
      out[#out + 1] = { name = one.name, address = one.address }
    end
  end
  return out[1] and out
end

local function is_id(id) return not id:find("[%s<>%c\x80-\xff]") end

local function ids(list)
  local out = {}
  for _, id in ipairs(list) do
    if is_id(id) then out[#out + 1] = id end
  end
  return out[1] and out
end

--- Gives a record for `smtp.message`, without the header fields for which it has no key.
function M.of(message)
  local from = mailboxes(message.from)
  local sender = mailboxes(message.sender)
  local id = message.message_id
  local record = {
    from = from or sender, sender = sender and { sender[1] } or from and from[2] and { from[1] },
    reply_to = mailboxes(message.reply_to), to = mailboxes(message.to),
    cc = mailboxes(message.cc), bcc = mailboxes(message.bcc), subject = message.subject,
    date = date.whole(message.time), message_id = id and is_id(id) and id:find(".@.") and id or nil,
    in_reply_to = message.in_reply_to and ids { message.in_reply_to },
    references = ids(message.references), text = message.text, html = message.html,
    attachments = message.attachments,
  }
  for key, value in pairs(record) do
    if not value then record[key] = nil end
  end
  return record
end

return M
