-- SPDX-License-Identifier: MIT
--- A Dovecot of its own in a temporary folder, of which only one service runs: that which
-- judges AUTH for others, or LMTP. It needs root, as Dovecot does.
local maildirs = require "spec.support.maildirs"
local net = require "spec.support.net"
local process = require "spec.support.process"

local M = {}

-- Failures are answered at once, and nobody is slowed down who tries again.
local CONFIGURATION = [[
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
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
]]

local AUTH = [[
protocols =
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
]]

-- The file says of each user where its Maildir is, and how much of it there may be.
local LMTP = [[
protocols = lmtp
listen = 127.0.0.1
mail_location = maildir:%%h
userdb {
  driver = passwd-file
  args = username_format=%%n %s/users
}
protocol lmtp {
  mail_plugins = quota
}
plugin {
  quota = maildir:what there may be
  quota_max_mail_size = 20M
}
service lmtp {
  unix_listener %s/lmtp {
    mode = 0600
  }
  inet_listener lmtp {
    address = 127.0.0.1
    port = %d
  }
}
%s
]]

-- Whose the mail is.
local NOBODY = 65534

local Dovecot = setmetatable({}, { __index = maildirs })
Dovecot.__index = Dovecot

-- Where Debian and others have the programs of its services.
local SERVICES = { "/usr/lib/dovecot/", "/usr/libexec/dovecot/" }

local function has(service)
  for _, folder in ipairs(SERVICES) do
    local file <close> = io.open(folder .. service)
    if file then return true end
  end
  return false
end

--- Why there can be none here, with this service, or nil.
function M.missing(service)
  local missing = process.missing("dovecot")
  if missing then return missing end
  if service and not has(service) then
    return ("Dovecot's %s is not here (`make interop` installs it)"):format(service)
  end
  local pipe <close> = assert(io.popen("PATH=$PATH:/usr/sbin dovecot --version; id -u"))
  local version = pipe:read("l") or ""
  if not version:find("^2%.3%.") then
    return "Dovecot " .. version .. " has other settings than 2.3"
  end
  if pipe:read("n") ~= 0 then return "Dovecot can be started by root only" end
  return nil
end

local function begin(self, target)
  self.process = process.start({ "dovecot", "-F", "-c", self.folder .. "/dovecot.conf" },
    { time = 300, alone = true })
  self.process:listening(target)
end

-- Starts it with these lines of users, and waits for what listens at the target.
local function start(self, configuration, users, target)
  local folder = self.folder
  assert(os.execute("chmod 755 " .. folder))
  net.dump(folder .. "/dovecot.conf", CONFIGURATION:format(folder, folder, folder, folder)
    .. configuration)
  net.dump(folder .. "/users", table.concat(users))
  setmetatable(self, Dovecot)
  local ok, why = pcall(begin, self, target)
  if not ok then
    why = why .. self:log()
    self:close()
    error(why, 3)
  end
  return self
end

--- Starts it with a socket at `path`, which belongs to the user and the group `owner`.
-- `users` is a table of their passwords, which hold no colon.
function M.start(path, owner, users)
  local lines = {}
  for user, password in pairs(users) do
    lines[#lines + 1] = ("%s:{PLAIN}%s\n"):format(user, password)
  end
  return start({ folder = net.folder() }, AUTH:format(path, owner, owner), lines,
    { path = path })
end

--- Starts LMTP, at a `port` of 127.0.0.1 and a Unix socket at `path`, for a list of users.
-- Of these "full" may have no more than 1000 bytes, and "broken" nothing, for no folder can
-- be made where its mail should be. `main` is lines of its configuration.
function M.lmtp(users, main)
  local folder, port = net.folder(), net.closed_port()
  assert(os.execute(("mkdir %s/mail && chown %d %s/mail"):format(folder, NOBODY, folder)))
  local lines = {}
  for i, user in ipairs(users) do
    local home = user == "broken" and "/proc/none" or folder .. "/mail/" .. user
    lines[i] = ("%s:{PLAIN}x:%d:%d::%s::%s\n"):format(user, NOBODY, NOBODY, home,
      user == "full" and "userdb_quota_rule=*:bytes=1000" or "")
  end
  return start({ folder = folder, port = port, path = folder .. "/lmtp" },
    LMTP:format(folder, folder, port, main or ""), lines, { host = "127.0.0.1", port = port })
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
