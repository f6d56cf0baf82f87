-- Servers that are the MX of domains, for specs of smtp.deliver; spec.support.dns is where
-- they are looked up.
local dns = require "spec.support.dns"
local inbox = require "spec.support.inbox"
local smtp = require "smtp"

local M = {}

M.RAW = "From: ada@code.energy\r\nSubject: The engine\r\n\r\nIt works.\r\n"

local closer = { __close = function(all) for _, one in ipairs(all) do one:close() end end }

--- Servers at 127.0.0.1, 127.0.0.2 and so on, all at one port, which is the second
-- result; mx1.example.com and so on are their names. Each of `options` is for one; what
-- each takes is in the first result.
function M.fleet(names, options, flags)
  local all, port = setmetatable({}, closer), 0
  for i, own in ipairs(options) do
    local given = {}
    for key, value in pairs(own) do given[key] = value end
    given.listen = ("127.0.0.%d:%d"):format(i, port)
    local server, mails = inbox.open(given)
    mails.close = function() server:close() end
    all[i], port = mails, server.port
    names:host(("mx%d.example.com"):format(i), "127.0.0." .. i, flags)
  end
  return all, port
end

--- The MX of a domain are mx1, mx2 and so on, in this order.
function M.mx(names, domain, n, flags)
  local records = {}
  for i = 1, n do records[i] = dns.mx(10 * i, ("mx%d.example.com"):format(i)) end
  names:set(domain, "MX", records, flags)
end

--- Delivers RAW; `given` are more options, `message` is more of the message.
function M.deliver(names, port, to, given, message)
  local options = { nameserver = names.place, port = port, timeout = 10, deadline = 30 }
  for key, value in pairs(given or {}) do options[key] = value end
  local all = { envelope = { from = "ada@code.energy", to = to }, raw = M.RAW }
  for key, value in pairs(message or {}) do all[key] = value end
  return smtp.deliver(all, options)
end

--- The error of what was not delivered.
function M.refused(result, err)
  assert(result == nil, "it was delivered")
  return err
end

return M
