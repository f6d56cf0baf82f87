-- SPDX-License-Identifier: MIT
--- AUTH on the client's side (RFC 4954): which mechanism, whether its secret may
-- go over this connection, and what came of it. The mechanisms themselves are
-- csrc/core/sasl.h.
-- Internal.
local core = require "smtp.core"

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

-- What shows its secret to whoever listens.
local BARE = { PLAIN = true, LOGIN = true, OAUTHBEARER = true, XOAUTH2 = true }
local TAKES_TOKEN = { OAUTHBEARER = true, XOAUTH2 = true }

-- The server cannot or will not do this mechanism: another one may work.
local NEXT = { [504] = true, [534] = true }

M.KNOWN = KNOWN

local function is_safe(client)
  return client.target.auth.cleartext or client._loopback
    or client.tls ~= nil and client.tls.verified
end

local function error_of(client, fields)
  fields.kind, fields.stage = "auth", "auth"
  return client:_error(fields)
end

-- The names in the order of preference, and what is wrong with the others.
local function candidates(client)
  local auth, offered = client.target.auth, client.capabilities.AUTH or {}
  local exporter, endpoint = client._core:bindings()
  local bound = (exporter or "") ~= "" or (endpoint or "") ~= ""
  local list, bare = {}, nil
  for _, name in ipairs(auth.mechanisms or auth.token and TOKEN or PASSWORD) do
    name = name:upper()
    if offered[name] and (bound or not name:find("%-PLUS$")) then
      if not BARE[name] or is_safe(client) then
        list[#list + 1] = name
      else
        bare = bare or name
      end
    end
  end
  return list, bare, bound
end

local function offers(client)
  local names = {}
  for name in pairs(client.capabilities.AUTH or {}) do names[#names + 1] = name end
  table.sort(names)
  return #names == 0 and "the server does not offer AUTH"
    or ("the server offers AUTH %s, and none of what was asked for"):format(
      table.concat(names, " "))
end

local function none_fits(client, bare)
  if bare then
    return error_of(client, {
      message = ("%s needs TLS with a verified certificate, else anybody may read it"):format(bare),
      hint = "auth.cleartext = true sends it all the same",
    })
  end
  local hint
  if not client.capabilities.AUTH and not client.tls then
    hint = "many servers offer it only under TLS"
  end
  return error_of(client, { message = offers(client), hint = hint })
end

-- What the user gave as the secret of a mechanism.
local function given(auth, name)
  return TAKES_TOKEN[name] and auth.token or auth.password
end

-- A secret may be a function, which is asked again after a refusal.
local function secret_of(value, again)
  if type(value) ~= "function" then return value, "there is no secret" end
  local secret, why = value(again)
  if type(secret) == "string" then return secret end
  return nil, why or "the function for the secret gave no string"
end

local function make(client, name, bound, again)
  local auth, target = client.target.auth, client.target
  local exporter, endpoint = client._core:bindings()
  local plus = false
  for offered in pairs(client.capabilities.AUTH) do
    plus = plus or offered:find("%-PLUS$") ~= nil
  end
  local secret, why = secret_of(given(auth, name), again)
  if secret == nil and name ~= "EXTERNAL" then return nil, why end
  if secret ~= nil and type(secret) ~= "string" then
    return nil, "the secret is a " .. type(secret)
  end
  return core.sasl_client(name, {
    user = auth.user, password = secret, authzid = auth.authzid,
    host = target.host, port = target.port, exporter = exporter, endpoint = endpoint,
    unbound = bound and not plus,
  })
end

-- Gives the last reply, or nil and an error.
local function exchange(client, name, sasl)
  local ok, why = client._core:auth(sasl)
  if not ok then
    return error_of(client, { message = why == "invalid"
      and name .. " cannot carry this user or secret" or "not possible at this point" })
  end
  client._transcript:sent("AUTH " .. name .. " ***")
  while true do
    local step, reply = client:_await()
    if not step then return nil, reply end
    if step == "unasked" then return client:_over(reply, "auth") end
    if reply.code ~= 334 then return reply end
    client._transcript:sent("***")
  end
end

local function refused(client, reply)
  local why, problem = client._core:auth_reason(), client._core:auth_problem()
  local result, err = client:_rejected(reply, "auth", {
    kind = "auth", message = why ~= "" and why or nil,
    cause = problem,
  })
  if reply.code < 300 or not client._core:usable() then client:close() end
  return result, err
end

-- One mechanism; true, nil and an error, and whether another one may be tried.
local function try(client, name, bound, again)
  local sasl <close>, why = make(client, name, bound, again)
  if not sasl then
    return error_of(client, { message = name .. ": " .. tostring(why), cause = why })
  end
  local reply, err = exchange(client, name, sasl)
  if not reply then return nil, err end
  if reply.code < 300 and client._core:auth_reason() == "" then
    client._auth = name
    return true
  end
  return refused(client, reply)
end

--- Authenticates as the target says; true, or nil and an error.
function M.run(client)
  local auth = client.target.auth
  local list, bare, bound = candidates(client)
  if #list == 0 then return none_fits(client, bare) end
  for i, name in ipairs(list) do
    local ok, err = try(client, name, bound, false)
    if not ok and err.code and err.code // 100 == 5
      and type(given(auth, name)) == "function" and not NEXT[err.code] and client:usable() then
      ok, err = try(client, name, bound, true) -- the token may just have run out
    end
    if ok then return true end
    if not NEXT[err.code] or i == #list or not client:usable() then return nil, err end
  end
end

return M
