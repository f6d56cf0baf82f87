-- SPDX-License-Identifier: MIT
--- The SASL mechanisms of a server, by the names of options.
local options = require "smtp.base.options"

local M = {}

--- The option that a server needs for each mechanism.
M.NEEDS = {
  PLAIN = "on_auth", LOGIN = "on_auth", XOAUTH2 = "on_auth", OAUTHBEARER = "on_auth",
  EXTERNAL = "on_auth", ["CRAM-MD5"] = "lookup", ["SCRAM-SHA-1"] = "lookup",
  ["SCRAM-SHA-1-PLUS"] = "lookup", ["SCRAM-SHA-256"] = "lookup",
  ["SCRAM-SHA-256-PLUS"] = "lookup",
}

--- The names of mechanisms for the core; raises for an unknown one.
function M.names(what, given)
  local list = {}
  for i, name in ipairs(options.list(what .. ": mechanisms", given)) do
    list[i] = type(name) == "string" and name:upper() or name
    if not M.NEEDS[list[i]] then
      options.misuse(("%s: unknown mechanism %s%s"):format(what, tostring(name),
        options.others(name, M.NEEDS)))
    end
  end
  return list
end

return M
