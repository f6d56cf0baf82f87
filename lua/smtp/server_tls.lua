-- SPDX-License-Identifier: MIT
--- TLS of a listener: its certificate, those of other names, and whose client
-- certificates are taken. Files are read when it is made and at `reload`.
-- Internal.
local core = require "smtp.core"
local options = require "smtp.options"

local ServerTls = {}
ServerTls.__index = ServerTls

local M = {}

local SPEC = {
  cert = "string", key = "string", ca = "string", client = { "optional", "required" },
  sni = "function table", implicit = "boolean", required = "boolean",
  min_version = { "1.2", "1.3" },
}

--- Checks `tls` of a server or a listener; raises on misuse.
function M.check(given)
  options.check("server: tls", given, SPEC)
  if not given.cert then error("server: tls needs a cert", 4) end
  if given.client and not given.ca then
    error("server: tls.client needs ca: whose certificates are taken", 4)
  end
end

local function context_of(given, identity)
  return core.tls_context {
    server = true, cert = identity.cert, key = identity.key, ca = given.ca, client = given.client,
    tls13 = given.min_version == "1.3", name = given.sni ~= nil,
  }
end

--- Reads the files anew: true; or nil and a sentence, and then nothing changed.
function ServerTls:reload()
  local context, why = context_of(self.given, self.given)
  if not context then return nil, why end
  self.context, self.named = context, {}
  return true
end

-- The certificate of a table of names: the name itself, or "*" for its first label.
local function look_up(sni, name)
  if type(sni) == "function" then return sni(name) end
  return sni[name] or sni["*" .. (name:match("%..*$") or "")]
end

--- What `choose` of an engine wants for a name: a context, false (refuse), or nil
-- (its own); or nil and why a certificate could not be used.
function ServerTls:choose(name)
  local identity = look_up(self.given.sni, name:lower())
  if identity == false then return false end
  if type(identity) ~= "table" then return nil end
  local id = tostring(identity.cert) .. "\0" .. tostring(identity.key)
  local context, why = self.named[id], nil
  if not context then
    context, why = context_of(self.given, identity)
    self.named[id] = context
  end
  return context, why
end

--- Makes it of checked options; or nil and a sentence.
function M.new(given)
  local self = setmetatable({
    given = given, implicit = given.implicit or false, required = given.required or false,
  }, ServerTls)
  local ok, why = self:reload()
  if not ok then return nil, why end
  return self
end

return M
