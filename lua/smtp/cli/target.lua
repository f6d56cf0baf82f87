-- SPDX-License-Identifier: MIT
--- The options that say whom to trust and who to be, for all that connects.
local convert = require "smtp.cli.convert"
local say = require "smtp.cli.say"

local M = {}

--- Adds --ca.
function M.describe_trust(command)
  command:option("--ca", "Trust this authority, and not the system's."):argname("FILE")
    :convert(convert.file)
end

--- Adds --auth.
function M.describe_auth(command)
  command:option("--auth", "Sign in; the password may be in SMTP_PASSWORD, where no list of "
    .. "processes shows it."):argname("USER[:PASSWORD]")
end

--- The `auth` of a target of --auth and SMTP_PASSWORD: nil if there is no --auth; the
-- password may be missing.
function M.auth(word)
  if not word then return nil end
  local user, password = word:match("^([^:]*):(.*)$")
  user = user or word
  if user == "" then say.usage("--auth needs a user") end
  return { user = user, password = password or os.getenv("SMTP_PASSWORD") }
end

return M
