-- SPDX-License-Identifier: MIT
--- The envelope of a server's message for the next hop, with the parameters of each recipient, and
-- the parameters of MAIL that a relay passes on (RFC 3461 section 5.2, RFC 8689, RFC 2852, RFC
-- 6710). FUTURERELEASE is not passed on.
local loop = require "smtp.loop"

local M = {}

function M.envelope(message)
  local to = {}
  for i, one in ipairs(message.recipients) do
    local more = one.notify or one.orcpt or one.rrvs
    to[i] = more and { address = one.address, notify = one.notify, orcpt = one.orcpt,
      rrvs = one.rrvs } or one.address
  end
  return { from = message.sender.address, to = to }
end

-- The rest of the time of BY, less the time of the message in this server.
local function by_left(by, since)
  return by and { mode = by.mode, trace = by.trace,
    seconds = by.seconds - math.ceil(loop.now() - since) }
end

function M.mail(message)
  local sender = message.sender
  return {
    ret = sender.ret, envid = sender.envid, requiretls = sender.requiretls,
    priority = sender.priority, by = by_left(sender.by, message.since),
    body = sender.body == "BINARYMIME" and sender.body or nil,
  }
end

return M
