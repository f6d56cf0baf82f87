-- SPDX-License-Identifier: MIT
--- A server that keeps what it takes, in this process and on a free port of
-- 127.0.0.1, for programs that send to it.
local smtp = require "smtp"

local M = {}

--- Opens the server with the options of `smtp.server`: gives it, and the list to
-- which each message is added as `{ from, to, content, helo, body, user, tls,
-- received }`. What the dialogue was is in `mails.commands`.
function M.open(options)
  local mails = { commands = {} }
  local all = {
    listen = "127.0.0.1:0", hostname = "mail.example.com",
    on_message = function(session, message)
      local to = {}
      for i, recipient in ipairs(message.recipients) do to[i] = recipient.address end
      local content = message:read()
      mails[#mails + 1] = {
        from = message.sender.address, to = to, content = content,
        helo = session.helo, body = message.sender.body,
        user = session.user, tls = session.tls, received = message:received(),
      }
      return true
    end,
    on_event = function(event)
      if event.type == "command" then
        mails.commands[#mails.commands + 1] = event.text:gsub("\r\n$", "")
      end
      if event.type == "error" then mails.error = tostring(event.error) end
    end,
  }
  for key, value in pairs(options or {}) do all[key] = value end
  return assert(smtp.server(all)), mails
end

--- Header and body of a message.
function M.split(content)
  local header, body = content:match("^(.-\r\n)\r\n(.*)$")
  return header or content, body
end

return M
