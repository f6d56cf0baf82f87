-- SPDX-License-Identifier: MIT
--- AUTH on the client's side (RFC 4954): which mechanism, whether its secret may
-- go over this connection, and what came of it. The mechanisms themselves are
-- csrc/core/sasl.h.
local core = require "smtp.core"
local loop = require "smtp.loop"

local M = {}

-- The strongest first. CRAM-MD5 and EXTERNAL are used only when they are named.
local PASSWORD = {
  "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN", "LOGIN",
}
local TOKEN = { "OAUTHBEARER", "XOAUTH2" }

local KNOWN = { ["CRAM-MD5"] = true, EXTERNAL = true }
for _, list in ipairs { PASSWORD, TOKEN } do
  for _, name in ipairs(list) do KNOWN[name] = true end
end

-- Mechanisms that show their secret to everybody who listens.
local BARE = { PLAIN = true, LOGIN = true, OAUTHBEARER = true, XOAUTH2 = true }
local TAKES_TOKEN = { OAUTHBEARER = true, XOAUTH2 = true }

-- Codes after which another mechanism may work, since the server refused the mechanism. 535
-- is about the user, and a second wrong try would count.
local NEXT = { [500] = true, [501] = true, [502] = true, [504] = true, [534] = true,
  [538] = true }

M.KNOWN = KNOWN

local function is_safe(connection)
  return connection.target.auth.cleartext or connection.loopback
    or connection.tls ~= nil and connection.tls.verified
end

local function error_of(connection, fields)
  fields.kind, fields.stage = "auth", "auth"
  return connection:fail(fields)
end

-- The names in the order of preference, and what is wrong with the others.
local function candidates(connection)
  local auth, offered = connection.target.auth, connection.capabilities.AUTH or {}
  local exporter, endpoint = connection.machine:bindings()
  local bound = (exporter or "") ~= "" or (endpoint or "") ~= ""
  local list, bare = {}, nil
  for _, name in ipairs(auth.mechanisms or auth.token and TOKEN or PASSWORD) do
    name = name:upper()
    if offered[name] and (bound or not name:find("%-PLUS$")) then
      if not BARE[name] or is_safe(connection) then
        list[#list + 1] = name
      else
        bare = bare or name
      end
    end
  end
  return list, bare, bound
end

local function offers(connection)
  local auth, names = connection.target.auth, {}
  for name in pairs(connection.capabilities.AUTH or {}) do names[#names + 1] = name end
  table.sort(names)
  return #names == 0 and "the server does not offer AUTH"
    or ("the server offers AUTH %s, and none of what was asked for: %s"):format(
      table.concat(names, " "),
      table.concat(auth.mechanisms or auth.token and TOKEN or PASSWORD, " "))
end

local function none_fits(connection, bare)
  if bare then
    return error_of(connection, {
      message = ("%s needs TLS with a verified certificate, else anybody may read it"):format(bare),
      hint = "auth.cleartext = true sends it all the same",
    })
  end
  local hint
  if not connection.capabilities.AUTH and not connection.tls then
    hint = "many servers offer it only under TLS"
  end
  return error_of(connection, { message = offers(connection), hint = hint })
end

-- The secret of a mechanism, as the user gave it.
local function given(auth, name)
  return TAKES_TOKEN[name] and auth.token or auth.password
end

-- The secret for a mechanism, or nil and an error. A secret may be a function, which is
-- called again after a refusal. Its failure is temporary.
local function secret_of(connection, name, again)
  if name == "EXTERNAL" then return nil end -- the certificate is enough
  local value = given(connection.target.auth, name)
  if type(value) ~= "function" then
    if value then return value end
    return error_of(connection, { message = name .. ": there is no secret" })
  end
  local ok, secret, why = connection:call(pcall, value, again)
  if ok and type(secret) == "string" then return secret end
  if not ok then
    if secret == loop.EXPIRED then error(secret, 0) end -- the time-out of the calling handler
    why = secret
  end
  local what = TAKES_TOKEN[name] and "token" or "password"
  return error_of(connection, { cause = why, temporary = not ok or secret == nil,
    message = ("%s: the function for the %s %s"):format(name, what,
      why ~= nil and (ok and "failed: " or "raised: ") .. tostring(why) or "gave no string") })
end

local function make(connection, name, secret, bound)
  local auth, target = connection.target.auth, connection.target
  local exporter, endpoint = connection.machine:bindings()
  local plus = false
  for offered in pairs(connection.capabilities.AUTH) do
    plus = plus or offered:find("%-PLUS$") ~= nil
  end
  return core.sasl_client(name, {
    user = auth.user, password = secret, authzid = auth.authzid,
    host = target.host, port = target.port, exporter = exporter, endpoint = endpoint,
    unbound = bound and not plus,
  })
end

-- Gives the last reply, or nil and an error.
local function exchange(connection, name, sasl)
  local ok, _, word = connection.machine:auth(sasl)
  if not ok then
    return error_of(connection, { message = word == "invalid"
      and name .. " cannot carry this user or secret" or "not possible at this point" })
  end
  while true do
    local step, reply = connection:await()
    if not step then return nil, reply end
    if step == "unasked" then return connection:over(reply, "auth") end
    if reply.code ~= 334 then return reply end
  end
end

local PASSWORD_HINT = "by %s; where sign-in has a second factor, an \"app password\" is wanted"
local TOKEN_HINT = "by %s; has the token run out, is it for sending mail, and for this user?"

-- The hint for a refused user.
local function hint_of(code, name)
  if code ~= 535 and code ~= 534 then return nil end
  return (TAKES_TOKEN[name] and TOKEN_HINT or PASSWORD_HINT):format(name)
end

-- A sentence about a refused token, with the status in its JSON (RFC 7628 section 3.2.2).
local function status_of(problem)
  local status = problem:match('"status"%s*:%s*"([^"]*)"') or problem:match('"status"%s*:%s*(%w+)')
  return "the token was refused" .. (status and (", status %q"):format(status) or "")
end

-- nil, an error, and whether another mechanism may work.
local function refused(connection, name, reply)
  local why, problem = connection.machine:auth_reason(), connection.machine:auth_problem()
  local next_may = NEXT[reply.code]
  if why ~= "" then -- the reason is on our side, and the code answers our "*"
    next_may = connection.machine:auth_broken()
  else
    why = problem and status_of(problem)
  end
  local _, err = connection:rejected(reply, "auth", { kind = "auth", message = why, cause = problem,
    hint = hint_of(reply.code, name) })
  if reply.code < 300 or not connection.machine:usable() then connection:close() end
  return nil, err, next_may and connection:is_usable()
end

-- One mechanism; true, or nil, an error, and whether another one may be tried.
local function try(connection, name, bound, again)
  local secret, problem = secret_of(connection, name, again)
  if problem then return nil, problem end
  local sasl <close>, why = make(connection, name, secret, bound)
  if not sasl then
    return error_of(connection, { message = name .. ": " .. why })
  end
  local reply, err = exchange(connection, name, sasl)
  if not reply then return nil, err end
  if reply.code < 300 and connection.machine:auth_reason() == "" then
    connection.auth = name
    return true
  end
  return refused(connection, name, reply)
end

--- Authenticates as the target says; true, or nil and an error.
function M.run(connection)
  local auth = connection.target.auth
  local list, bare, bound = candidates(connection)
  if #list == 0 then return none_fits(connection, bare) end
  for i, name in ipairs(list) do
    local ok, err, next_may = try(connection, name, bound, false)
    if not ok and not next_may and err.code and err.code // 100 == 5
      and type(given(auth, name)) == "function" and connection:is_usable() then
      ok, err, next_may = try(connection, name, bound, true) -- the token may just have run out
    end
    if ok then return true end
    if not next_may or i == #list then return nil, err end
  end
end

return M
