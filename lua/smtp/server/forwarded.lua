-- SPDX-License-Identifier: MIT
--- Who the peer of a session is, where another server stands in between: PROXY
-- headers, and the commands XCLIENT and XFORWARD. Each is believed from the networks
-- of its option only.
local admission = require "smtp.server.admission"
local loop = require "smtp.loop"
local networks = require "smtp.server.networks"
local options = require "smtp.base.options"

local M = {}

local function parse(given, key)
  return given[key] and networks.new("server: " .. key, given[key])
end

--- From where a PROXY header must come to a place to listen, or nil.
function M.proxies(given, place)
  return parse(type(place) == "table" and place.proxy and place or given, "proxy")
end

--- Checks what the options say; gives the networks of XCLIENT and XFORWARD. Raises on
-- misuse.
function M.check(given)
  for name in pairs(given.on_command or {}) do
    local key = tostring(name):lower()
    if (key == "xclient" or key == "xforward") and given[key] then
      options.misuse(("server: on_command.%s: the option %s has that verb"):format(name, key))
    end
  end
  return { xclient = parse(given, "xclient"), xforward = parse(given, "xforward") }
end

--- Whether the session's peer is in the networks, if there are any. One without a
-- port is at a Unix socket; if a proxy told so, at one of another machine.
function M.is_in(list, session)
  if not list then return false end
  if session.peer.port or session.proxy then return list:has(session.peer.address) end
  return list.unix
end

-- Reads it; nil and a sentence if it does not come, or not in time.
local function read(session)
  local machine, limit = session._core, loop.time + session.server.limits.proxy_timeout
  local header, held = machine:proxy_header("")
  while header == false do
    local left = limit - loop.time
    if left <= 0 or not loop.wait(machine, "r", left) then return nil, "no PROXY header in time" end
    header, held = machine:proxy_header(held)
  end
  return header, held
end

--- Takes the header of a proxy; gives whether the session may go on.
function M.accept(session)
  local header, why = read(session)
  if not header then
    session._reason = "proxy"
    session:fact("error", { stage = "proxy", error = why })
    return false
  end
  local real, source = session.peer, header.source
  session.proxy = { version = header.version, command = header.command, tlvs = header.tlvs,
    destination = header.destination, address = real.address, port = real.port }
  if source then session.peer = { address = source.address, port = source.port } end
  session._unknown = not source and header.command == "PROXY" -- a client, but which one?
  return true
end

--- Lets the machine know what this peer may say. XCLIENT does not change it.
function M.trust(session)
  local trust = session.server.trust
  if (trust.xclient or trust.xforward) and not session._unknown then
    session._core:trust(M.is_in(trust.xclient, session), M.is_in(trust.xforward, session))
  end
end

--- The session is that of another client from here on; nothing is left of the first.
function M.xclient(session, told)
  local peer = { address = session.peer.address, port = session.peer.port,
    name = session.peer.name }
  if told.addr ~= nil then
    peer.address, peer.name = told.addr or "unknown", nil
  end
  if told.port ~= nil then peer.port = told.port or nil end
  if told.name ~= nil then peer.name = told.name or nil end
  session.peer, session.xclient, session._domains = peer, told, nil
  session.helo, session.esmtp = told.helo or nil, (told.proto or ""):upper() == "ESMTP"
  session.user = told.login or nil
  session.mechanism = session.user and "XCLIENT"
  session.sender, session.recipients, session.xforward = nil, nil, nil
  if session.tls then
    session.tls = session._core:info()
    session.tls.certificate = nil
  end
  local key = admission.host_of(session.peer.address)
  if admission.count(session.server, session, key) then
    session._core:finish("connections", true)
  end
end

--- Of whom the next message is; more than one command may tell it.
function M.xforward(session, told)
  local all = {}
  for key, value in pairs(session.xforward or {}) do all[key] = value end
  for key, value in pairs(told) do all[key] = value end
  session.xforward = all
end

return M
