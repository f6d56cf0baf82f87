-- SPDX-License-Identifier: MIT
--- The key `proxy` of a target: a connection through SOCKS5 (RFC 1928, RFC 1929) or
-- HTTP CONNECT (RFC 9110 section 9.3.6), or a PROXY header with the origin of this connection.
-- Not a byte is read beyond the proxy's own replies: the server's greeting may follow them.
local core = require "smtp.core"
local errors = require "smtp.error"
local loop = require "smtp.loop"
local names = require "smtp.base.names"
local options = require "smtp.base.options"
local url = require "smtp.base.url"

local M = {}

local HEADER_MAX = 16384 -- of an HTTP reply

local SPEC = {
  version = "count", source = "string", destination = "string", tlvs = "table",
  ["local"] = "boolean", crc32c = "boolean",
}

local TLV_SPEC = { type = "count", value = "string" }

local CRC32C = { type = 3, value = "\0\0\0\0" } -- the sum itself is made in C

-- ---- options -------------------------------------------------------------

-- A bad URL may come from outside. It may contain a password, so it is not shown.
local function parse_url(text)
  local scheme, rest = text:match("^(%a[%w+.-]*)://(.*)$")
  scheme = scheme and scheme:lower()
  if scheme ~= "socks5" and scheme ~= "http" then
    return nil, "it begins with socks5:// or http://"
  end
  local user, password, place = url.credentials(rest)
  local host, port = url.host((place:gsub("/$", "")))
  if not host or not port or port < 1 or port > 65535 then
    return nil, "host and port are needed"
  end
  local name, why = names.host(host)
  if not name then return nil, "the host has no name in ASCII: " .. why end
  host = name
  if user and scheme == "socks5" and (user == "" or #user > 255 or #password > 255) then
    return nil, "user and password have 255 bytes at most"
  end
  if user and scheme == "http" and user:find(":", 1, true) then
    return nil, "the user of HTTP has no colon"
  end
  return { scheme = scheme, host = host, port = port, user = user, password = password,
    name = scheme .. "://" .. url.place(host, port) }
end

-- "192.0.2.1:25" as core.proxy_header has it.
local function parse_end(what, key, text)
  if not text then return nil end
  local host, port = url.host(text)
  if not host or not port or port > 65535 or not core.ip(host) then
    options.misuse(("%s: proxy.%s must be an address and a port"):format(what, key))
  end
  return { address = host, port = port }
end

local function parse_tlvs(what, given)
  local tlvs = {}
  for i, tlv in ipairs(options.list(what .. ": proxy.tlvs", given.tlvs or {})) do
    options.check(what .. ": proxy.tlvs", tlv, TLV_SPEC)
    if not tlv.type or not tlv.value then
      options.misuse(what .. ": proxy.tlvs are tables of a type and a value")
    end
    tlvs[i] = tlv
  end
  if given.crc32c then tlvs[#tlvs + 1] = CRC32C end
  return tlvs
end

local function parse_header(what, given)
  options.check(what .. ": proxy", given, SPEC)
  local header = {
    version = given.version or 2, command = given["local"] and "LOCAL" or "PROXY",
    source = parse_end(what, "source", given.source),
    destination = parse_end(what, "destination", given.destination),
    tlvs = parse_tlvs(what, given),
  }
  if (header.source == nil) ~= (header.destination == nil) then
    options.misuse(what .. ": proxy.source and proxy.destination go together")
  end
  if not core.proxy_header(header) then
    options.misuse(what .. ": proxy cannot be told: version 1 or 2, addresses of one family, " ..
      "TLVs in version 2 only, not of a local one, and no more than 520 bytes")
  end
  return { header = header }
end

--- Makes the argument of `begin` from the user's option. A bad URL is nil and a sentence; other
-- misuse raises.
function M.parse(what, given, target)
  if type(given) == "table" then return parse_header(what, given) end
  if target.path then options.misuse(what .. ": a Unix socket is not behind a proxy") end
  local proxy, why = parse_url(given)
  if not proxy then return nil, "bad proxy URL: " .. why end
  if #target.host > 255 or not (core.ip(target.host) or target.host:find("^[%w._-]+$")) then
    return nil, "this host name cannot be given to a proxy"
  end
  return proxy
end

--- Whether the socket is connected to a proxy, with the server behind it.
function M.is_tunnel(target)
  return target.proxy ~= nil and target.proxy.host ~= nil
end

-- ---- bytes ---------------------------------------------------------------

local Talk = {}
Talk.__index = Talk

local CLOSED = "the proxy closed the connection"

function Talk:fail(kind, message, cause)
  return nil, errors.new { kind = kind, stage = "proxy", peer = self.peer, message = message,
    cause = cause, outcome = "not_sent" }
end

function Talk:wait(events)
  local left = self.limit - core.now()
  if left > 0 and loop.wait(self.socket, events, left) then return true end
  return self:fail("timeout", "no answer of the proxy in time")
end

function Talk:send(bytes)
  local first = 1
  while first <= #bytes do
    local n, why, errname = self.socket:send(bytes, first)
    if not n then return self:fail("connect", why, errname) end
    first = first + n
    if n == 0 then
      local ok, err = self:wait("w")
      if not ok then return nil, err end
    end
  end
  return true
end

-- The next bytes by `method`, "recv" or "peek", at most n.
function Talk:receive(method, n)
  while true do
    local bytes, why, errname = self.socket[method](self.socket, n)
    if bytes == "" then return self:fail("connect", CLOSED) end
    if bytes then return bytes end
    if bytes == nil then return self:fail("connect", why, errname) end
    local ok, err = self:wait("r")
    if not ok then return nil, err end
  end
end

-- Exactly n bytes.
function Talk:read(n)
  local parts = {}
  while n > 0 do
    local bytes, err = self:receive("recv", n)
    if not bytes then return nil, err end
    parts[#parts + 1] = bytes
    n = n - #bytes
  end
  return table.concat(parts)
end

-- ---- SOCKS5 --------------------------------------------------------------

local REFUSALS = { -- RFC 1928 section 6
  "it failed", "it is not allowed here", "the network cannot be reached",
  "the host cannot be reached", "the server refused the connection", "it took too many hops",
  "it does not know CONNECT", "it does not know this kind of address",
}

local function login(talk, proxy)
  local ok, err = talk:send(string.pack("Bs1s1", 1, proxy.user, proxy.password))
  local answer
  if ok then answer, err = talk:read(2) end
  if not answer then return nil, err end
  if answer == "\1\0" then return true end
  if answer:byte() ~= 1 then return talk:fail("protocol", "not an answer of SOCKS5") end
  return talk:fail("auth", "the proxy refused the user or the password")
end

local function choose_method(talk, proxy)
  local ok, err = talk:send(proxy.user and "\5\2\0\2" or "\5\1\0")
  local answer
  if ok then answer, err = talk:read(2) end
  if not answer then return nil, err end
  if answer == "\5\0" then return true end
  if answer == "\5\2" and proxy.user then return login(talk, proxy) end
  if answer == "\5\xff" then
    return talk:fail("auth", proxy.user and "the proxy takes no user and password"
      or "the proxy wants to know who we are")
  end
  return talk:fail("protocol", "not an answer of SOCKS5")
end

-- The name goes to the proxy unchanged; the proxy looks it up.
local function socks_address(host)
  local bytes = core.ip(host)
  if not bytes then return string.pack("Bs1", 3, host) end
  return (#bytes == 4 and "\1" or "\4") .. bytes
end

local BOUND = { [1] = 4, [4] = 16 } -- bytes of the address that we have there

local function socks5(talk, proxy, target)
  local ok, err = choose_method(talk, proxy)
  if ok then
    ok, err = talk:send("\5\1\0" .. socks_address(target.host) .. string.pack(">I2", target.port))
  end
  local answer
  if ok then answer, err = talk:read(4) end
  if not answer then return nil, err end
  local version, code, _, kind = answer:byte(1, 4)
  if version ~= 5 then return talk:fail("protocol", "not an answer of SOCKS5") end
  if code ~= 0 then
    return talk:fail("connect", "the proxy says: " .. (REFUSALS[code] or "error " .. code))
  end
  local n = BOUND[kind]
  if kind == 3 then
    local length
    length, err = talk:read(1)
    if not length then return nil, err end
    n = length:byte()
  end
  if not n then return talk:fail("protocol", "not an answer of SOCKS5") end
  return talk:read(n + 2)
end

-- ---- HTTP ----------------------------------------------------------------

local HTTP = "HTTP/1."

-- A header up to its empty line. Bytes are peeked at, and taken only if they are part of it.
local function read_header(talk)
  local parts, size, head, tail = {}, 0, "", ""
  while size < HEADER_MAX do
    local bytes, err = talk:receive("peek", HEADER_MAX - size)
    if not bytes then return nil, err end
    local _, stop = (tail .. bytes):find("\r\n\r\n", 1, true)
    bytes, err = talk:read(stop and stop - #tail or #bytes)
    if not bytes then return nil, err end
    parts[#parts + 1], size = bytes, size + #bytes
    if stop then return table.concat(parts) end
    tail = (tail .. bytes):sub(-3)
    head = (head .. bytes:sub(1, #HTTP)):sub(1, #HTTP)
    if head ~= HTTP:sub(1, size) then break end
  end
  return talk:fail("protocol", size < HEADER_MAX and "not an answer of HTTP"
    or "the header of the proxy is too long")
end

local function http(talk, proxy, target)
  local place = url.place(target.host, target.port)
  local request = ("CONNECT %s HTTP/1.1\r\nHost: %s\r\n"):format(place, place)
  if proxy.user then
    request = request .. ("Proxy-Authorization: Basic %s\r\n"):format(
      core.base64(proxy.user .. ":" .. proxy.password))
  end
  local ok, err = talk:send(request .. "\r\n")
  local header
  if ok then header, err = read_header(talk) end
  if not header then return nil, err end
  local code, reason = header:match("^HTTP/1%.%d ([2-5]%d%d)%f[ \r]([^\r\n]*)\r\n")
  if not code then return talk:fail("protocol", "not an answer of HTTP") end
  if code:sub(1, 1) == "2" then return true end
  return talk:fail(code == "407" and "auth" or "connect",
    "the proxy says " .. code .. reason:sub(1, 100))
end

-- ---- PROXY ---------------------------------------------------------------

-- The default: the connection is our own.
local function ends_of(socket)
  local source, port = socket:name()
  local destination, there = socket:peer()
  return { address = (source or ""):gsub("%%.*", ""), port = port },
    { address = (destination or ""):gsub("%%.*", ""), port = there }
end

local function tell(talk, header)
  if header.command == "PROXY" and not header.source then
    local all = {}
    for key, value in pairs(header) do all[key] = value end
    all.source, all.destination = ends_of(talk.socket)
    header = all
  end
  local bytes = core.proxy_header(header)
  if not bytes then return talk:fail("invalid", "this connection cannot be told by PROXY") end
  return talk:send(bytes)
end

-- ---- what transport calls --------------------------------------------------

--- The place of the first connection: the tunnel, or the target itself.
function M.place(target)
  if not M.is_tunnel(target) then return target end
  local proxy = target.proxy
  return { host = proxy.host, port = proxy.port, name = proxy.name,
    local_address = target.local_address }
end

local SCHEMES = { socks5 = socks5, http = http }

--- Does the exchange with the proxy before the greeting, until `limit`; true, or nil and an
-- error.
function M.begin(socket, target, limit)
  local proxy = target.proxy
  local talk = setmetatable({ socket = socket, limit = limit, peer = proxy.name or target.name },
    Talk)
  local ok, err
  if proxy.header then
    ok, err = tell(talk, proxy.header)
  else
    ok, err = SCHEMES[proxy.scheme](talk, proxy, target)
  end
  loop.forget(socket)
  if not ok then return nil, err end
  return true
end

return M
