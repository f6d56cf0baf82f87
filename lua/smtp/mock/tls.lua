-- SPDX-License-Identifier: MIT
--- The TLS of a mock: a fresh authority, and a valid or a faulty certificate of it.
local authority = require "smtp.authority"
local core = require "smtp.core"
local options = require "smtp.base.options"

local M = {}

local DAY = 86400

local HERE = { names = { "localhost" }, addresses = { "127.0.0.1", "::1" } }

local function issue(parent, changes)
  local request = { names = HERE.names, addresses = HERE.addresses }
  for key, value in pairs(changes or {}) do request[key] = value end
  return assert(parent:issue(request))
end

-- Functions of a root by fault: each gives a certificate with its chain, and the authority for
-- clients, if it is another.
local FAULTS = {
  none = issue,
  expired = function(root)
    return issue(root, { not_before = -2 * DAY, not_after = -DAY })
  end,
  not_yet = function(root) return issue(root, { not_before = DAY, not_after = 2 * DAY }) end,
  wrong_host = function(root)
    return issue(root, { names = { "other.example" }, addresses = { "192.0.2.1" } })
  end,
  no_name = function(root)
    return issue(root, { names = {}, addresses = {}, emails = { "a@b.example" },
      common_name = "localhost" })
  end,
  wrong_purpose = function(root) return issue(root, { purpose = "client" }) end,
  self_signed = function()
    return assert(authority.self_signed { names = HERE.names, addresses = HERE.addresses })
  end,
  unknown_ca = function(root) return issue(root), assert(authority.new()).certificate end,
  no_intermediate = function(root)
    local leaf = issue(assert(root:intermediate()))
    leaf.cert = leaf.cert:match("^.--END CERTIFICATE%-+\n")
    return leaf
  end,
}

-- Faults of the handshake itself, as rules.
local HANDSHAKES = {
  close = { on = "handshake", close = true },
  reset = { on = "handshake", reset = true },
  hang = { on = "handshake", hang = true },
  plaintext = { on = "handshake", raw = "220 this is no TLS\r\n", close = true },
}

local words = {}
for name in pairs(FAULTS) do words[#words + 1] = name end
for name in pairs(HANDSHAKES) do words[#words + 1] = name end
table.sort(words)

local SPEC = {
  mode = { "starttls", "implicit" }, fault = words, cert = "string", key = "string",
  required = "boolean",
}

--- Makes `{ context, implicit, required, ca, rule }` of the option `tls`: a table, a mode, or
-- true.
function M.make(given)
  if given == true then given = {} end
  if type(given) == "string" then given = { mode = given } end
  options.check("mock: tls", given, SPEC)
  local fault = given.fault or "none"
  local made = { implicit = given.mode == "implicit", required = given.required,
    rule = HANDSHAKES[fault] }
  if given.key and not given.cert then options.misuse("mock: tls: key needs cert") end
  if given.cert and fault ~= "none" and not HANDSHAKES[fault] then
    options.misuse(("mock: tls: fault = %q makes a certificate of its own"):format(fault))
  end
  local leaf = { cert = given.cert, key = given.key }
  if not given.cert then
    local root = assert(authority.new())
    local other
    leaf, other = (FAULTS[fault] or issue)(root)
    made.ca = other or root.certificate
  end
  local why
  made.context, why = core.tls_context { server = true, cert = leaf.cert, key = leaf.key }
  if not made.context then return nil, why end
  return made
end

--- The name of a new file with the certificate; or nil and the reason.
function M.write(text)
  if not text then return nil end
  local path = os.tmpname()
  local file <close>, why = io.open(path, "wb")
  if not file then return nil, why end
  local ok
  ok, why = file:write(text)
  if ok then return path end
  return nil, why
end

return M
