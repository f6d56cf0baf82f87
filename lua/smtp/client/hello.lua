-- SPDX-License-Identifier: MIT
--- How a client's session begins: the greeting, and EHLO, by which it learns what the
-- server can do (RFC 5321 sections 3.1 and 3.2, RFC 2033 section 4.1).
local core = require "smtp.core"
local names = require "smtp.base.names"

local M = {}

local function capabilities(reply)
  local all = {}
  for i = 2, #reply.lines do
    local keyword, params = core.ehlo_line(reply.lines[i])
    if keyword then
      keyword = keyword:upper()
      if keyword == "SIZE" then
        all.SIZE = math.tointeger(tonumber(params)) or 0
      elseif keyword == "AUTH" then
        all.AUTH = all.AUTH or {}
        for mechanism in params:gmatch("%S+") do all.AUTH[mechanism:upper()] = true end
      else
        all[keyword] = params == "" and true or params
      end
    end
  end
  return all
end

local function disabled(connection)
  for keyword, off in pairs(connection.target.disable or {}) do
    if off and type(keyword) == "string" then connection.capabilities[keyword:upper()] = nil end
  end
end

--- The greeting: true, or nil and an error.
function M.greeting(connection)
  local step, reply = connection:await()
  if not step then return nil, reply end
  connection.greeting = reply
  if reply.code >= 300 then return connection:rejected(reply, "greeting") end
  return true
end

-- Each protocol refuses the greeting of the other as unknown (RFC 2033 section 4.1).
local function other_protocol(code, other)
  if code // 10 ~= 50 then return nil end
  return ("if it speaks %s, its URL begins with %s:"):format(other, other:lower())
end

--- EHLO, and HELO for a server that does not know it, which is of no use where TLS must be;
-- LMTP has LHLO alone. True, or nil and an error.
function M.hello(connection)
  local lmtp = connection.target.lmtp
  local reply, err = connection:exchange("ehlo", lmtp and "LHLO" or "EHLO", connection.helo)
  if not reply then return nil, err end
  if reply.code < 300 then
    connection.esmtp, connection.capabilities = true, capabilities(reply)
    disabled(connection)
    connection.used:learn(connection.capabilities.LIMITS)
    return true
  end
  if reply.code < 500 or lmtp then
    local hint = lmtp and other_protocol(reply.code, "SMTP") or nil
    return connection:rejected(reply, "ehlo", { hint = hint })
  end
  if connection.must_tls and not connection.tls then -- HELO has no STARTTLS
    return connection:rejected(reply, "ehlo", { kind = "tls",
      message = "the server knows no EHLO, and so no STARTTLS" })
  end
  reply, err = connection:ask("ehlo", "HELO", connection.helo)
  if not reply then
    err.hint = err.hint or err.code and other_protocol(err.code, "LMTP") or nil
    return nil, err
  end
  connection.esmtp, connection.capabilities = false, {}
  return true
end

--- Our name for EHLO: an address literal is always right (RFC 5321 4.1.4).
function M.own_name(socket)
  local ip, port = socket:name()
  return port and names.literal(ip) or "localhost"
end

return M
