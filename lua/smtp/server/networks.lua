-- SPDX-License-Identifier: MIT
--- Lists of networks in options: "192.0.2.0/24", "2001:db8::/32", a single address, and "unix" for
-- Unix sockets. An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) counts as the IPv4 address.
local core = require "smtp.core"
local options = require "smtp.base.options"

local M = {}

local Networks = {}
Networks.__index = Networks

local MAPPED = ("\0"):rep(10) .. "\xff\xff"

--- The 4 or 16 bytes of an address, or nil if the text is not an address. A zone is ignored.
function M.bytes(address)
  local bytes = core.ip((address:gsub("%%.*$", "")))
  return bytes and bytes:sub(1, 12) == MAPPED and bytes:sub(13) or bytes
end

--- The key of a host for its connections, or nil: an IPv6 host has a /64.
function M.host(address)
  local bytes = M.bytes(address)
  if not bytes then return nil end
  return #bytes == 4 and ("%d.%d.%d.%d"):format(bytes:byte(1, 4)) or bytes:sub(1, 8)
end

-- The first `bits` of the bytes, the rest zero.
local function prefix(bytes, bits)
  local whole = bits // 8
  local head = bytes:sub(1, whole)
  if bits % 8 > 0 then
    head = head .. string.char(bytes:byte(whole + 1) & (0xff00 >> bits % 8))
  end
  return head .. ("\0"):rep(#bytes - #head)
end

local function parse(what, entry)
  local address, digits = entry, nil
  if type(entry) == "string" then address, digits = entry:match("^([%x:.]+)/?(%d*)$") end
  local raw = type(address) == "string" and core.ip(address)
  local bytes = raw and M.bytes(address)
  local bits = raw and #raw * 8
  if digits and digits ~= "" then bits = raw and #digits <= 3 and tonumber(digits) end
  if bits and entry:sub(-1) ~= "/" then
    bits = bits - 8 * (#raw - #bytes) -- of the IPv4 address
    if bits >= 0 and bits <= #bytes * 8 and prefix(bytes, bits) == bytes then
      return { bytes = bytes, bits = bits }
    end
  end
  options.misuse(('%s: %s is no network such as "192.0.2.0/24", no address and not "unix"')
    :format(what, type(entry) == "string" and ("%q"):format(entry) or "a " .. type(entry)))
end

--- Makes the list of strings; raises for a malformed entry.
function M.new(what, list)
  local self = setmetatable({ unix = false }, Networks)
  for _, entry in ipairs(options.list(what, list)) do
    if entry == "unix" then
      self.unix = true
    else
      self[#self + 1] = parse(what, entry)
    end
  end
  return self
end

--- Whether the address of an IP peer is in one of the networks.
function Networks:has(address)
  local bytes = self[1] and M.bytes(address)
  for _, one in ipairs(bytes and self or {}) do
    if #one.bytes == #bytes and prefix(bytes, one.bits) == one.bytes then return true end
  end
  return false
end

return M
