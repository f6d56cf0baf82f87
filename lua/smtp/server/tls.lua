-- SPDX-License-Identifier: MIT
--- TLS of a listener: its certificate, certificates of other names, and the authorities of client
-- certificates. Files are read at the start and at a reload; the files of a function of `sni` are
-- read at their first use.
local core = require "smtp.core"
local names = require "smtp.base.names"
local options = require "smtp.base.options"

local ServerTls = {}
ServerTls.__index = ServerTls

local M = {}

-- Contexts of a function of `sni` that are kept; more clear the list.
local CONTEXTS = 1000

local SPEC = {
  cert = "string", key = "string", ca = "string", client = { "optional", "required" },
  sni = "function table", implicit = "boolean", required = "boolean",
  min_version = { "1.2", "1.3" },
}

local function check_names(sni)
  for name, identity in pairs(sni) do
    if type(name) ~= "string" or identity and type(identity) ~= "table" then
      options.misuse("server: tls.sni needs names, and for each { cert =, key = } or false")
    end
    local key, why = names.key(name)
    if not key then options.misuse(("server: tls.sni %s: %s"):format(name, why)) end
    if identity then
      options.check("server: tls.sni", identity, { cert = "string", key = "string" })
      if not identity.cert then options.misuse(("server: tls.sni %s needs a cert"):format(name)) end
    end
  end
end

--- Checks `tls` of a server or a listener; raises on misuse.
function M.check(given)
  options.check("server: tls", given, SPEC)
  if not given.cert then options.misuse("server: tls needs a cert") end
  if type(given.sni) == "table" then check_names(given.sni) end
  if given.client and not given.ca then
    options.misuse("server: tls.client needs ca: whose certificates are taken")
  end
end

-- The table of names as a client asks for them.
local function by_key(sni)
  if type(sni) ~= "table" then return sni end
  local all = {}
  for name, identity in pairs(sni) do all[names.key(name)] = identity end
  return all
end

local function context_of(given, identity)
  return core.tls_context {
    server = true, cert = identity.cert, key = identity.key, ca = given.ca, client = given.client,
    tls13 = given.min_version == "1.3", name = given.sni ~= nil,
  }
end

local function id_of(identity)
  return tostring(identity.cert) .. "\0" .. tostring(identity.key)
end

--- Reads the files, for `use`; or nil and a sentence.
function ServerTls:read()
  local context, why = context_of(self.given, self.given)
  local named = {}
  for name, identity in pairs(type(self.sni) == "table" and self.sni or {}) do
    if not context then break end
    if identity then
      local one, problem = context_of(self.given, identity)
      if not one then return nil, ("sni %s: %s"):format(name, problem) end
      named[id_of(identity)] = one
    end
  end
  return context and { context = context, named = named }, why
end

--- Uses new certificates for new connections.
function ServerTls:use(read)
  self.context, self.named, self.kept = read.context, read.named, 0
end

-- The certificate of a table of names: the name itself, or "*" for its first label.
local function look_up(sni, name)
  if type(sni) == "function" then return sni(name) end
  local identity = sni[name]
  if identity == nil then identity = sni["*" .. (name:match("%..*$") or "")] end
  return identity
end

--- The choice for `choose` of an engine, by name: a context, false (refuse), or nil (its own); or
-- nil and the reason why a certificate is not usable.
function ServerTls:choose(name)
  local identity = look_up(self.sni, name:lower())
  if identity == false then return false end
  if type(identity) ~= "table" then return nil end
  local id = id_of(identity)
  local context, why = self.named[id], nil
  if not context then
    context, why = context_of(self.given, identity)
    self.kept = self.kept + 1
    if self.kept > CONTEXTS then self.named, self.kept = {}, 1 end
    self.named[id] = context
  end
  return context, why
end

--- Makes it of checked options; or nil and a sentence.
function M.new(given)
  local self = setmetatable({
    given = given, sni = by_key(given.sni), implicit = given.implicit or false,
    required = given.required or false,
  }, ServerTls)
  local read, why = self:read()
  if not read then return nil, why end
  self:use(read)
  return self
end

return M
