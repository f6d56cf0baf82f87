-- SPDX-License-Identifier: MIT
--- The admission of connections: `limits.connections`, bounded by the descriptors of the
-- process, and `limits.per_ip`. A refused connection gets a 421 and is closed at accept, so
-- that a flood of connections holds neither tasks nor descriptors.
local core = require "smtp.core"
local facts = require "smtp.server.facts"
local networks = require "smtp.server.networks"

local M = {}

local LOOPBACK = networks.new("loopback", { "127.0.0.0/8", "::1" })

-- Descriptors that a session may need at once: its own, and those of a file and its folder,
-- or of a next hop and its look-up. SPARE are for the rest of the process.
local EACH, SPARE = 3, 64

-- How many connections the process can have, or nil for any number.
local function room()
  local descriptors = core.descriptors()
  return descriptors and math.max((descriptors - SPARE) // EACH, 1), descriptors
end

--- Bounds `connections` by the descriptors of the process, and reports the bound.
function M.bound(server)
  local limits = server.limits
  local most, descriptors = room()
  local wanted = limits.connections
  server.wanted = { connections = wanted, per_ip = limits.per_ip }
  if not most or wanted <= most then return end
  limits.connections = most
  local text = ("limits.connections is %d in place of %d: this process may have %d descriptors "
    .. "(ulimit -n), and a session may need %d"):format(most, wanted, descriptors, EACH)
  facts.notice(server, text, { type = "limit", limit = "connections", wanted = wanted,
    value = most, descriptors = descriptors })
end

--- Gives a worker its share of the limits, for a number of workers.
function M.share(server, workers)
  local limits, most = server.limits, room()
  for key, value in pairs(server.wanted) do limits[key] = -(-value // workers) end
  if most then limits.connections = math.min(limits.connections, most) end
end

--- True for a loopback address.
function M.is_loopback(address)
  return LOOPBACK:has(address)
end

--- The key by which the connections of a host are counted; nil for a host without a limit.
function M.host_of(address)
  return not LOOPBACK:has(address) and networks.host(address) or nil
end

--- Whether one more connection is too many: `key` is that of its host, if it has one.
function M.is_full(server, key)
  local limits = server.limits
  return server.connections >= limits.connections
    or key ~= nil and (server.hosts[key] or 0) >= limits.per_ip
end

--- Removes a session from the count of its host.
function M.uncount(server, session)
  local key = session._host
  if not key then return end
  session._host = nil
  local n = server.hosts[key] - 1
  server.hosts[key] = n > 0 and n or nil
end

--- Counts a session for the host of its present peer; gives whether the host has too many.
function M.count(server, session, key)
  M.uncount(server, session)
  if not key then return false end
  local n = (server.hosts[key] or 0) + 1
  server.hosts[key], session._host = n, key
  return n > server.limits.per_ip
end

-- So many sessions leave enough garbage for a collection.
local MANY = 64

--- Counts an admitted connection.
function M.enter(server)
  server.connections = server.connections + 1
  server.peak = math.max(server.peak, server.connections)
end

--- Counts the end of a connection. After most of many have ended, their memory goes back to the
-- system: an idle server makes no garbage, and so would keep it.
function M.leave(server)
  server.connections = server.connections - 1
  if server.peak < MANY or server.connections * 4 > server.peak then return end
  server.peak = server.connections
  collectgarbage()
  core.trim()
end

--- The bytes for a refused connection.
function M.refusal(config)
  local machine = config:session()
  machine:finish("connections", true)
  local bytes = machine:peek()
  machine:close()
  return bytes
end

--- Refuses a connection. If the system's buffer has no room for the 421, it is lost. If TLS comes
-- first, there is no 421.
function M.refuse(server, socket, shared, peer)
  if not (shared.tls and shared.tls.implicit) then socket:send(shared.refusal) end
  socket:close()
  facts.tell(server, { type = "refused", peer = peer, reason = "connections" })
end

return M
