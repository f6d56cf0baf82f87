-- SPDX-License-Identifier: MIT
--- The peer of a session behind another server: PROXY headers, and the commands XCLIENT and
-- XFORWARD. Each is believed only from the networks of its option.
local admission = require "smtp.server.admission"
local loop = require "smtp.loop"
local networks = require "smtp.server.networks"
local options = require "smtp.base.options"

local M = {}

local function parse(given, key)
  return given[key] and networks.new("server: " .. key, given[key])
end

--- The networks that must send a PROXY header to a place to listen, or nil.
function M.proxies(given, place)
  return parse(type(place) == "table" and place.proxy and place or given, "proxy")
end

--- Checks the options; gives the networks of XCLIENT and XFORWARD. Raises on misuse.
function M.check(given)
  for name in pairs(given.on_command or {}) do
    local key = tostring(name):lower()
    if (key == "xclient" or key == "xforward") and given[key] then
      options.misuse(("server: on_command.%s: the option %s has that verb"):format(name, key))
    end
  end
  return { xclient = parse(given, "xclient"), xforward = parse(given, "xforward") }
end

--- Whether the session's peer is in the networks, if there are any. A peer without a port is at a
-- Unix socket; behind a proxy that socket is on another machine.
function M.is_in(list, session)
  if not list then return false end
  if session.peer.port or session.proxy then return list:has(session.peer.address) end
  return list.unix
end

-- Reads the PROXY header; or nil and a sentence if it does not come in time.
local function read(session, machine)
  local limit = loop.time + session.server.limits.proxy_timeout
  local header, held = machine:proxy_header("")
  while header == false do
    local left = limit - loop.time
    if left <= 0 or not loop.wait(machine, "r", left) then return nil, "no PROXY header in time" end
    header, held = machine:proxy_header(held)
  end
  return header, held
end

--- Reads and applies a PROXY header: true, or nil and a sentence.
function M.accept(session, machine)
  local header, why = read(session, machine)
  if not header then return nil, why end
  local real, source = session.peer, header.source
  session.proxy = { version = header.version, command = header.command, tlvs = header.tlvs,
    destination = header.destination, address = real.address, port = real.port }
  if source then session.peer = { address = source.address, port = source.port } end
  session._unknown = not source and header.command == "PROXY" -- an unknown client
  return true
end

--- Tells the core whether this peer may use XCLIENT and XFORWARD. XCLIENT does not change that.
function M.trust(session, machine)
  local trust = session.server.trust
  if (trust.xclient or trust.xforward) and not session._unknown then
    machine:trust(M.is_in(trust.xclient, session), M.is_in(trust.xforward, session))
  end
end

--- Makes the session that of another client; all facts of the first client are dropped.
function M.xclient(session, told, machine)
  local peer = { address = session.peer.address, port = session.peer.port,
    name = session.peer.name }
  if told.addr ~= nil then
    peer.address, peer.name = told.addr or "unknown", nil
  end
  if told.port ~= nil then peer.port = told.port or nil end
  if told.name ~= nil then peer.name = told.name or nil end
  session.peer, session.xclient = peer, told
  session.helo, session.esmtp = told.helo or nil, (told.proto or ""):upper() == "ESMTP"
  session.user = told.login or nil
  session.mechanism = session.user and "XCLIENT"
  session.sender, session.recipients, session.xforward = nil, nil, nil
  if session.tls then
    session.tls = machine:info()
    session.tls.certificate = nil
  end
  local key = admission.host_of(session.peer.address)
  if admission.count(session.server, session, key) then session:finish("connections", true) end
end

--- Adds attributes of the origin of the next message; several commands may give them.
function M.xforward(session, told)
  local all = {}
  for key, value in pairs(session.xforward or {}) do all[key] = value end
  for key, value in pairs(told) do all[key] = value end
  session.xforward = all
end

return M
