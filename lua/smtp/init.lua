-- SPDX-License-Identifier: MIT
--- The public functions of the library. See types/smtp/init.d.lua for each call.
-- A module is loaded when it is first used.
require "smtp.base.version"
local options = require "smtp.base.options"

local M = { _VERSION = "scm-1" }

-- Each function: its module, and its name there (none if the module is the function).
local FUNCTIONS = {
  connect = { "smtp.client", "connect" }, send = { "smtp.client", "send" },
  pool = { "smtp.client.pool", "new" },
  mx = { "smtp.delivery.mx", "mx" }, deliver = { "smtp.delivery", "deliver" },
  server = { "smtp.server", "new" }, dialogue = { "smtp.dialogue", "connect" },
  message = { "smtp.message.compose", "message" }, part = { "smtp.message.compose", "part" },
  bounce = { "smtp.message.bounce", "bounce" }, parse = { "smtp.message.parse", "parse" },
  lint = { "smtp.message.lint" },
  dkim = { "smtp.message.dkim", "new" }, dkim_verify = { "smtp.message.dkim", "verify" },
  scram_keys = { "smtp.core", "scram_keys" }, sleep = { "smtp.loop", "sleep" },
}

local MODULES = { address = "smtp.base.address", loop = "smtp.loop",
  mta_sts = "smtp.delivery.mta_sts" }

for name, place in pairs(FUNCTIONS) do
  M[name] = function(...)
    if ... == M then
      options.misuse(("smtp.%s is called with a dot, not as smtp:%s"):format(name, name))
    end
    local module = require(place[1])
    return (place[2] and module[place[2]] or module)(...)
  end
end

local function load(self, name)
  if not MODULES[name] then return nil end
  self[name] = require(MODULES[name])
  return self[name]
end

return setmetatable(M, {
  __index = load,
  __pairs = function(self)
    for name in pairs(MODULES) do load(self, name) end
    return next, self, nil
  end,
})
