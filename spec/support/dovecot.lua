-- SPDX-License-Identifier: MIT
--- A Dovecot of its own in a temporary folder, of which only the service runs that
-- judges AUTH for others. It needs root, as Dovecot does.
local net = require "spec.support.net"
local process = require "spec.support.process"

local M = {}

-- Failures are answered at once, and nobody is slowed down who tries again.
local CONFIGURATION = [[
protocols =
base_dir = %s/base
state_dir = %s/state
log_path = %s/log
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-256
auth_failure_delay = 0
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%%u %s/users
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}
service auth {
  unix_listener %s {
    mode = 0660
    user = %s
    group = %s
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
]]

local Dovecot = {}
Dovecot.__index = Dovecot

--- Why there can be none here, or nil.
function M.missing()
  local missing = process.missing("dovecot")
  if missing then return missing end
  local pipe <close> = assert(io.popen("PATH=$PATH:/usr/sbin dovecot --version; id -u"))
  local version = pipe:read("l") or ""
  if not version:find("^2%.3%.") then
    return "Dovecot " .. version .. " has other settings than 2.3"
  end
  if pipe:read("n") ~= 0 then return "Dovecot can be started by root only" end
  return nil
end

local function begin(self, path)
  self.process = process.start({ "dovecot", "-F", "-c", self.folder .. "/dovecot.conf" },
    { time = 300, alone = true })
  self.process:listening { path = path }
end

--- Starts it with a socket at `path`, which belongs to the user and the group `owner`.
-- `users` is a table of their passwords, which hold no colon.
function M.start(path, owner, users)
  local folder = net.folder()
  assert(os.execute("chmod 755 " .. folder))
  net.dump(folder .. "/dovecot.conf", CONFIGURATION:format(folder, folder, folder, folder, path,
    owner, owner))
  local lines = {}
  for user, password in pairs(users) do
    lines[#lines + 1] = ("%s:{PLAIN}%s\n"):format(user, password)
  end
  net.dump(folder .. "/users", table.concat(lines))
  local self = setmetatable({ folder = folder }, Dovecot)
  local ok, why = pcall(begin, self, path)
  if not ok then
    why = why .. self:log()
    self:close()
    error(why, 2)
  end
  return self
end

function Dovecot:log()
  local file <close> = io.open(self.folder .. "/log")
  return file and file:read("a") or ""
end

function Dovecot:close()
  if self.closed then return end
  self.closed = true
  if self.process then self.process:close() end
  net.remove(self.folder)
end

Dovecot.__close = Dovecot.close

return M
