-- SPDX-License-Identifier: MIT
--- AUTH of a server: the mechanisms for its options, the credentials for `on_auth`, and the
-- look-up of keys.
local core = require "smtp.core"
local mechanisms = require "smtp.base.mechanisms"
local options = require "smtp.base.options"

local M = {}

local SPEC = {
  mechanisms = "table", cleartext = "boolean", required = "boolean", lookup = "function",
  iterations = "count",
}

-- The mechanisms to offer without `mechanisms`.
local USUAL = {
  "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN", "LOGIN",
}

local function usual(have)
  local list = {}
  for _, name in ipairs(USUAL) do
    if have[mechanisms.NEEDS[name]] then list[#list + 1] = name end
  end
  return list
end

local function named(given, have)
  local list = mechanisms.names("server", given)
  for _, name in ipairs(list) do
    local need = mechanisms.NEEDS[name]
    if not have[need] then
      options.misuse(("server: %s needs %s"):format(name,
        need == "lookup" and "auth.lookup" or need))
    end
  end
  return list
end

--- Checks `auth` and `on_auth`; gives `{ mechanisms, cleartext, required, lookup,
-- iterations }`, or nil if there is to be no AUTH. Raises on misuse.
function M.check(given, on_auth, has_tls)
  if not given and not on_auth then return nil end
  given = options.check("server: auth", given or {}, SPEC)
  local have = { on_auth = on_auth ~= nil, lookup = given.lookup ~= nil }
  if not (have.on_auth or have.lookup) then
    options.misuse("server: auth needs on_auth, or auth.lookup")
  end
  if not has_tls and not given.cleartext then
    options.misuse("server: auth needs tls, or auth.cleartext = true")
  end
  local list = given.mechanisms and named(given.mechanisms, have) or usual(have)
  if #list == 0 then options.misuse("server: auth.mechanisms is empty") end
  return { mechanisms = list, cleartext = given.cleartext, required = given.required,
    lookup = given.lookup, iterations = given.iterations }
end

-- ---- credentials ---------------------------------------------------------

local Credentials = { __name = "smtp.credentials" }
Credentials.__index = Credentials

-- Whether a password fits its stored keys: an equal salt makes equal keys.
local function check_keys(password, keys)
  local ok, made = pcall(core.scram_keys, password,
    { mechanism = keys.mechanism, iterations = keys.iterations, salt = keys.salt })
  return ok and type(keys.stored_key) == "string" and core.equal(made.stored_key, keys.stored_key)
end

--- Whether the client has proved that it knows `password`, a text or keys of `smtp.scram_keys`; in
-- constant time, and false without a password. SCRAM and CRAM-MD5 were verified by `lookup`.
function Credentials:check(password)
  if password == nil or password == false then return false end
  if self.verified then return self.mechanism ~= "EXTERNAL" end
  if not self.password then return false end
  if type(password) == "table" then return check_keys(self.password, password) end
  return type(password) == "string" and core.equal(self.password, password)
end

-- Secrets must not appear if a handler prints its arguments.
function Credentials:__tostring()
  return ("smtp.credentials: %s %s"):format(self.mechanism, self.user or "")
end

--- Makes the credentials for `on_auth` of a table of the core.
function M.credentials(fields, tls)
  fields.certificate = tls and tls.certificate
  return setmetatable(fields, Credentials)
end

-- The last common name of a subject in the form of RFC 2253. A value may contain "=", so a name
-- counts only at the beginning of a part.
local function common_name(subject)
  local parts = subject:gsub("\\([,+\"\\<>;#= ])", function(c)
    return ("\\%02X"):format(c:byte())
  end)
  for key, value in parts:gmatch("([^=,+]+)=([^,+]*)") do
    if key == "CN" then
      return (value:gsub("\\(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
    end
  end
end

--- The name that a verified certificate is for, or nil: an address, a host name,
-- or the common name.
function M.name_of(certificate)
  if not certificate or not certificate.verified then return nil end
  return certificate.emails[1] or certificate.names[1]
    or certificate.subject and common_name(certificate.subject)
end

-- ---- keys ------------------------------------------------------------------

-- Bytes of a key.
local SIZES = { ["SCRAM-SHA-1"] = 20, ["SCRAM-SHA-256"] = 32 }

local MOST_ITERATIONS = 100000000 -- the limit of the core

-- Whether a look-up's answer is valid for this mechanism. It may come from a file or a database,
-- so all of it is checked.
local function fits(keys, mechanism)
  if type(keys) == "string" then return true end
  local plain = mechanism:gsub("%-PLUS$", "")
  local size = SIZES[plain]
  if type(keys) ~= "table" or not size or type(keys.salt) ~= "string" then return false end
  for _, key in ipairs { "stored_key", "server_key" } do
    if type(keys[key]) ~= "string" or #keys[key] ~= size then return false end
  end
  local iterations = math.tointeger(tonumber(keys.iterations or 1))
  return iterations ~= nil and iterations >= 1 and iterations <= MOST_ITERATIONS
    and (keys.mechanism == nil or tostring(keys.mechanism):upper() == plain)
end

--- Gives the core the result of the look-up, or its failure (`ok` is false). `auth.stored`
-- remembers the form of users' keys, since an unknown user must take as long. Gives the fault of
-- the answer, if there is one.
function M.answer(auth, machine, mechanism, ok, keys, why)
  if not ok or keys == nil and why ~= nil then
    machine:lookup_failed()
    return ok and why or keys
  end
  if keys == nil or keys == false then
    machine:lookup(nil, auth.stored)
  elseif fits(keys, mechanism) then
    auth.stored = type(keys) == "table"
    machine:lookup(keys)
  else
    machine:lookup_failed()
    return ("auth.lookup gave nothing that %s can use"):format(mechanism)
  end
end

return M
