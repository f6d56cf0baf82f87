-- SPDX-License-Identifier: MIT
--- The options of a mock: their checks, and their form for the core.
local options = require "smtp.base.options"
local mechanisms = require "smtp.base.mechanisms"

local M = {}

local OPTIONS = {
  host = "string", port = "port digits", hostname = "string", strict = "boolean", lmtp = "boolean",
  tls = "boolean string table", users = "table string", auth = "table", limits = "table",
  rules = "table", without = "string table", extensions = "table",
  driver = { "thread", "loop" }, watchdog = "seconds", timeout = "seconds",
}

local AUTH = { mechanisms = "table", required = "boolean" }
M.LIMITS = { size = "size", recipients = "count" }

-- { { name, password } ... } in a fixed order, and whether every login is accepted.
local function users_of(given)
  if given == "any" then return {}, true end
  if type(given) == "string" then options.misuse('mock: users is a table, or "any"') end
  local list = {}
  for name, password in pairs(given or {}) do
    if type(name) ~= "string" or type(password) ~= "string" then
      options.misuse("mock: users are passwords by name")
    end
    list[#list + 1] = { name, password }
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list, false
end

--- Raises for wrong options; gives `given`.
function M.check(given)
  given = options.check("mock.start", given, OPTIONS)
  if given.watchdog == 0 then options.misuse("mock.start: watchdog must be above 0") end
  local hostname = given.hostname
  if hostname and (hostname == "" or hostname:find("[%s%c\x80-\xff]") or #hostname > 255) then
    options.misuse("mock.start: hostname must be a domain or an address literal")
  end
  return given
end

local function mechanisms_of(given, list, any)
  local auth = options.check("mock: auth", given.auth or {}, AUTH)
  if auth.required and not any and #list == 0 then
    options.misuse("mock: auth: required needs users")
  end
  if auth.mechanisms and #auth.mechanisms == 0 then
    options.misuse("mock: auth: mechanisms is empty")
  end
  if auth.mechanisms then return mechanisms.names("mock: auth", auth.mechanisms) end
  if any then return { "PLAIN", "LOGIN" } end
  return #list > 0 and { "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN", "CRAM-MD5",
    "XOAUTH2", "OAUTHBEARER" } or {}
end

--- The options of core.mock, except the socket and the file.
function M.make(given, secure, engine)
  local users, any = users_of(given.users)
  local limits = options.check("mock: limits", given.limits or {}, M.LIMITS)
  return {
    hostname = given.hostname or "localhost", tls = secure.context, implicit = secure.implicit,
    tls_required = secure.required, users = users, any_user = any,
    mechanisms = mechanisms_of(given, users, any), auth_required = (given.auth or {}).required,
    strict = given.strict, lmtp = given.lmtp, watchdog = given.watchdog, engine = engine,
    size = options.size(limits.size or "35M"), recipients = limits.recipients or 1000,
  }
end

return M
