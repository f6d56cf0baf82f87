-- SPDX-License-Identifier: MIT
--- Where a client goes and how: a URL, a bare `host:port`, or a table, made into
-- one table with every field filled in. See types/smtp/target.d.lua.
local advice = require "smtp.client.advice"
local auth = require "smtp.client.auth"
local core = require "smtp.core"
local dane = require "smtp.net.dane"
local dkim = require "smtp.message.dkim"
local errors = require "smtp.error"
local names = require "smtp.base.names"
local options = require "smtp.base.options"
local parameters = require "smtp.client.parameters"
local tls = require "smtp.net.tls"
local proxy_client = require "smtp.net.proxy_client"
local url = require "smtp.base.url"

local M = {}

local SPEC = {
  url = "string", host = "string", port = "count digits", path = "string", lmtp = "boolean",
  tls = { "implicit", "required", "starttls", "opportunistic", "none" },
  ca = "string", verify = "boolean", cert = "string", key = "string", sni = "string",
  dane = "string table", auth = "table", helo = "string", timeout = "seconds table",
  deadline = "seconds", local_address = "string", disable = "table", proxy = "string table",
  trace = "function", progress = "function", dkim = "table", extensions = "table",
}

M.SPEC = SPEC

local AUTH_SPEC = {
  user = "string", password = "string function", token = "string function", authzid = "string",
  mechanisms = "table", cleartext = "boolean",
}

local TIMEOUT_SPEC = {
  connect = "seconds", greeting = "seconds", ehlo = "seconds", command = "seconds",
  data = "seconds", block = "seconds", final = "seconds", quit = "seconds",
}

local SMTP_PORT, SMTPS_PORT = 25, 465

-- RFC 5321 section 4.5.3.2.
local TIMEOUTS = {
  connect = 30, greeting = 300, ehlo = 300, command = 300, data = 120, block = 180,
  final = 600, quit = 2,
}

-- Fills target from "scheme://...": gives nil and why if it is none.
local function parse_url(text, target)
  local scheme, rest = text:match("^([%a][%w+.-]*)://(.*)$")
  if not scheme then scheme, rest = "smtp", text end
  scheme = scheme:lower()
  if scheme == "smtp+unix" or scheme == "lmtp+unix" then
    if rest:sub(1, 1) ~= "/" then return nil, "a unix socket needs an absolute path" end
    target.path, target.lmtp = url.decode(rest), scheme == "lmtp+unix"
    return true
  end
  if scheme ~= "smtp" and scheme ~= "smtps" and scheme ~= "lmtp" then
    return nil, ("unknown scheme %q"):format(scheme)
  end
  local user, password, place = url.credentials(rest)
  local host, port = url.host((place:gsub("/$", "")))
  if not host then return nil, "it has no host, or a port that is no number" end
  if user then
    local who = {} -- what the table says wins
    for key, value in pairs(target.auth or {}) do who[key] = value end
    who.user = who.user or user
    who.password = who.password or not who.token and password ~= "" and password or nil
    target.auth = who
  end
  target.host, target.port = host, port or target.port
  target.lmtp = scheme == "lmtp" or target.lmtp
  if scheme == "smtps" then target.tls = target.tls or "implicit" end
  return true
end

local function default_port(target)
  if target.lmtp then return 24 end
  if target.tls == "implicit" then return SMTPS_PORT end
  return target.auth and 587 or SMTP_PORT
end

-- The mode of TLS. If the target has none, port 465 means TLS from the first byte (RFC 8314
-- sections 3.3 and 7.3).
local function tls_mode(target)
  if target.tls == "starttls" then return "required" end
  if target.tls == nil and target.port == SMTPS_PORT and not target.lmtp then return "implicit" end
  return target.tls
end

local function timeouts(given)
  local all = {}
  if type(given) == "number" then given = { command = given, all = given } end
  for key, default in pairs(TIMEOUTS) do
    local value = given and (given[key] or given.all)
    if key == "quit" and given and not given.quit then value = nil end
    all[key] = value or default
  end
  return all
end

-- Says what is missing in `auth`, or nil.
local function auth_problem(given)
  local external = false
  for _, name in ipairs(given.mechanisms or {}) do
    if type(name) ~= "string" then return "mechanisms are names" end
    if not auth.KNOWN[name:upper()] then
      return ("unknown mechanism %q%s"):format(name, options.others(name, auth.KNOWN))
    end
    external = external or name:upper() == "EXTERNAL"
  end
  if given.mechanisms and #given.mechanisms == 0 then return "mechanisms is empty" end
  if external then return nil end
  if not given.user and not given.token then return "there is no user" end
  if not given.password and not given.token then return "there is no password and no token" end
end

local function invalid(message, hint)
  return nil, errors.new { kind = "invalid", message = message, hint = hint, outcome = "not_sent" }
end

-- Checks the options about this end: `helo` and `local_address`.
local function check_self(target)
  local name, place = target.helo, target.local_address
  if place and not core.is_address(place) then
    return nil, errors.new { kind = "connect", stage = "connect", temporary = false,
      cause = "EINVAL", outcome = "not_sent",
      message = ("local_address %q is no address"):format(place) }
  end
  if not name or core.is_domain(name) then return true end
  return nil, errors.new { kind = "invalid", stage = "ehlo", address = name, outcome = "not_sent",
    message = "helo must be a domain name or an address literal" }
end

-- Names on the wire and in certificates are A-labels.
local function take_names(target)
  for _, key in ipairs { "host", "sni", "helo" } do
    local name, why
    if target[key] then name, why = names.host(target[key]) end
    if why then
      return invalid(("%s %s has no name in ASCII: %s"):format(key, target[key], why))
    end
    target[key] = name
  end
  return true
end

-- A list would disable nothing, and nobody would notice.
local function check_disable(what, given)
  for keyword in pairs(given) do
    if type(keyword) ~= "string" then
      options.misuse(what .. ": disable has keywords as its keys: { PIPELINING = true }")
    end
  end
end

-- Checks the files here, before the first handshake could fail by them.
local function check_files(target)
  if target.key and not target.cert then return invalid("key needs cert") end
  if not (target.ca or target.cert) then return true end
  local context, why = tls.client { ca = target.ca, cert = target.cert, key = target.key,
    verify = target.verify ~= false }
  if context then return true end
  return nil, errors.new { kind = "tls", message = why, outcome = "not_sent" }
end

-- Checks the types of the options, and raises on misuse. Gives a copy.
local function check(what, given)
  if type(given) ~= "table" then
    options.misuse(("%s: the target must be a table or a URL, not %s"):format(what,
      type(given)))
  end
  if given.envelope or given.from then
    options.misuse(what .. ": a message stands where the target is to be")
  end
  given = options.check(what .. ": the target", given, SPEC)
  if given.auth then options.check(what .. ": auth", given.auth, AUTH_SPEC) end
  if type(given.timeout) == "table" then
    options.check(what .. ": timeout", given.timeout, TIMEOUT_SPEC)
  end
  if given.disable then check_disable(what, given.disable) end
  if not (given.url or given.host or given.path) then
    options.misuse(what .. ": the target needs a url, a host or a path")
  end
  for _, key in ipairs { "host", "path" } do
    if given.url and given[key] then
      options.misuse(("%s: the target has a url and a %s: give one of them"):format(what, key))
    end
  end
  if given.port and (given.port < 1 or given.port > 65535) then
    options.misuse(what .. ": port must be 1 to 65535")
  end
  local target = {}
  for key, value in pairs(given) do target[key] = value end
  return target
end

-- The parts of a target that the URL has; nil and an error if it is none.
local function take_url(target, text)
  local port = target.port
  local ok, why = parse_url(text, target)
  if ok and target.port ~= port and (target.port < 1 or target.port > 65535) then
    ok, why = nil, "the port must be 1 to 65535"
  end
  if ok then return true end
  return invalid("bad target URL: " .. why, -- which may have a password
    text:find("^[%s'\"`<]") and "write it without quotes, brackets and blanks" or nil)
end

-- The host as it is looked up; nil and an error if it cannot be.
local function take_host(target)
  if target.host:find("^[^:]+:%d+$") then
    return invalid(("host %q has a port, which is `port`; a `url` may have it"):format(
      target.host))
  end
  if target.host:find("^%a[%w+.-]*://") then -- it may have a password
    return invalid("host is a URL, which is `url`")
  end
  local hint = advice.host(target.host)
  if hint then return invalid(("host %q is no name and no address"):format(target.host), hint) end
  return true
end

-- DANE and proxy, of which `target` has what was given.
local function take_ways(what, target)
  if target.dane then
    if target.tls == "none" then
      options.misuse(what .. ': dane goes by TLS, not by tls = "none"')
    end
    target.dane = dane.check(what, target.dane)
  end
  if not target.proxy then return true end
  local problem
  target.proxy, problem = proxy_client.parse(what, target.proxy, target)
  if problem then return invalid(problem) end
  return true
end

--- Makes the full target of what the user gave; raises on misuse. A URL often
-- comes from outside, so a bad one is nil and an error, without its password.
function M.parse(what, given)
  if type(given) == "string" then given = { url = given } end
  local target = check(what, given)
  local ok, err = true, nil
  if given.url then ok, err = take_url(target, given.url) end
  if ok and target.host then ok, err = take_host(target) end
  if ok then ok, err = take_names(target) end
  if not ok then return nil, err end
  target.own = parameters.own(what, given.extensions)
  target.port = target.port or not target.path and default_port(target) or nil
  target.tls = tls_mode(target)
  if target.lmtp and target.port == SMTP_PORT then -- RFC 2033 section 5
    return invalid("LMTP must not be spoken at port 25")
  end
  local problem = target.auth and auth_problem(target.auth)
  if problem then return invalid("auth: " .. problem) end
  ok, err = check_self(target)
  if ok then ok, err = check_files(target) end
  if ok then ok, err = take_ways(what, target) end
  if not ok then return nil, err end
  if target.dkim then -- its key is read once for all that is sent
    target.dkim, err = dkim.new(target.dkim)
    if err then return nil, err end
  end
  target.timeout = timeouts(given.timeout)
  target.name = target.path or url.place(target.host, target.port)
  return target
end

return M
