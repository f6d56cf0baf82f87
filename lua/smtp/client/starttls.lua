-- SPDX-License-Identifier: MIT
--- How a client comes to TLS: the policy of its target, the first handshake of
-- an implicit one, and STARTTLS (RFC 3207, RFC 8314).
local advice = require "smtp.client.advice"
local core = require "smtp.core"
local errors = require "smtp.error"
local hello = require "smtp.client.hello"
local tls = require "smtp.net.tls"

local M = {}

local NOT_OFFERED = 'tls = "none" sends in clear text; port 465 wants smtps://'

--- The mode of TLS for a target whose address is known, and whether to verify the
-- certificate. If TLS stood with the server before, in this call or this pool, each session
-- must have TLS.
function M.policy(target, loopback)
  local mode = target.tls or (loopback and "opportunistic" or "required")
  local verify = target.verify
  if verify == nil then verify = mode ~= "opportunistic" end
  local never_clear = target.tlsa or target.stood and mode == "opportunistic"
  if never_clear and mode ~= "implicit" then mode = "required" end -- RFC 7672 section 2.2
  return mode, verify
end

--- True where the session must not go on without TLS.
function M.is_must(mode)
  return mode == "required" or mode == "implicit"
end

-- The engine's words for a certificate that is not trusted.
local IS_DISTRUST = { certificate = true, dane = true, name = true, date = true }

--- The sentence and the hint for a failed handshake, from the results of `tls.handshake`,
-- the expected name, the stage and the facts about the peer.
function M.explain(why, word, name, stage, info)
  if IS_DISTRUST[word] and name ~= "" then why = why .. ", for " .. name end
  return why, advice.handshake(word, stage, info and info.certificate)
end

local function failed(connection, stage, why, word, cause)
  if errors.is(why) then return nil, why end -- a time-out
  local hint
  why, hint = M.explain(why, word, connection.tls_name, stage, connection.machine:info())
  return connection:broken { kind = word == "closed" and word or "tls", stage = stage,
    message = why, cause = cause, hint = hint }
end

-- The name that the certificate must be for.
local function name_of(target)
  return target.tlsa and target.tlsa.base or target.sni or target.host or ""
end

-- An engine that knows the server by its TLSA records; nil: none of them is of use.
local function dane_engine(tlsa, context, name)
  local engine = context:engine(name)
  if engine:dane(tlsa.names, tlsa.records) > 0 then return engine end
end

local function handshake(connection, stage)
  local target = connection.target
  local entry, why = tls.client { ca = target.ca, cert = target.cert, key = target.key,
    verify = connection.verify }
  if not entry then
    return connection:broken { kind = "tls", stage = stage, message = why }
  end
  connection.tls_name = name_of(target)
  if connection.verify and connection.tls_name == "" then
    return connection:broken { kind = "tls", stage = stage,
      message = "it is not known for which name the certificate must be", hint = "give sni" }
  end
  local machine, limit = connection.machine, core.now() + target.timeout.connect
  local engine = target.tlsa and dane_engine(target.tlsa, entry.context, connection.tls_name)
  if target.tlsa and not engine and target.dane.mode == "required" then
    return connection:broken { kind = "tls", stage = stage, message = "no TLSA record is of use" }
  end
  if not engine then
    local resumed = entry.sessions[target.name .. "\0" .. connection.tls_name]
    engine = entry.context:engine(connection.tls_name, resumed)
  end
  machine:secure(engine)
  local ok, word, cause
  ok, why, word, cause = tls.handshake(machine, function(events)
    return connection:wait(events, limit, stage)
  end)
  if not ok then return failed(connection, stage, why, word, cause) end
  machine:secured()
  target.stood = true
  connection.tls = machine:info()
  if not connection.tls.dane then connection.tls_entry = entry end -- records may change
  if connection.tls_name == "" then connection.tls.verified = false end -- of whom?
  return true
end

--- TLS from the first byte.
function M.implicit(connection)
  return handshake(connection, "connect")
end

-- A server without STARTTLS, or one that refused it.
local function plain(connection, mode, reply)
  if not M.is_must(mode) then
    if reply and reply.code == 421 then return connection:over(reply, "starttls") end
    return true
  end
  if reply then
    return connection:rejected(reply, "starttls", { kind = "tls", hint = NOT_OFFERED })
  end
  if connection.target.stood then
    return connection:fail { kind = "tls", stage = "starttls", temporary = true,
      message = "the server offered STARTTLS before, and does not offer it now" }
  end
  return connection:fail { kind = "tls", stage = "starttls", hint = NOT_OFFERED,
    message = "the server does not offer STARTTLS" }
end

--- STARTTLS, if it is wanted and offered, and a new EHLO.
function M.upgrade(connection, mode)
  if connection.tls or mode == "none" then return true end
  if not connection.capabilities.STARTTLS then return plain(connection, mode) end
  local reply, err = connection:exchange("starttls", "STARTTLS")
  if not reply then return nil, err end
  if reply.code // 100 ~= 2 then return plain(connection, mode, reply) end
  connection.capabilities, connection.esmtp = {}, false
  local ok
  ok, err = handshake(connection, "starttls")
  if not ok then return nil, err end
  return hello.hello(connection)
end

--- Keeps the session for the next connection to the same place.
function M.keep(connection)
  if connection.tls_entry then
    tls.keep(connection.tls_entry, connection.target.name .. "\0" .. connection.tls_name,
      connection.machine)
  end
end

return M
