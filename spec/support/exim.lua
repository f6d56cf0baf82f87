-- SPDX-License-Identifier: MIT
--- An Exim of its own in a temporary folder, as spec/support/postfix.lua is a Postfix: it
-- listens at a free port of 127.0.0.1, takes mail for a few users at example.com, and
-- delivers it to Maildirs. scripts/setup.sh has unpacked it, but not set it up: the user
-- that Debian's binary asks for by name is known only where it runs, in a mount namespace
-- of its own, and that needs root.
local loop = require "smtp.loop"
local maildirs = require "spec.support.maildirs"
local net = require "spec.support.net"
local process = require "spec.support.process"

local M = {}

local BINARY = "build/interop/exim/usr/sbin/exim4"

-- A user and a group that no system has.
local ID = 65531

-- Of its limits only those stay that a spec is about: RSET between two messages of a flight
-- is one of the "nonmail" commands, of which it else takes ten, where the first is refused.
local CONFIGURATION = [[
exim_path = %s/exim4
spool_directory = %s/spool
log_file_path = %s/%%slog
pid_file_path = %s/pid
log_selector = +pipelining
keep_environment =
deliver_drop_privilege
primary_hostname = mx.example.com
daemon_smtp_ports = %d
local_interfaces = 127.0.0.1
disable_ipv6
tls_advertise_hosts =
dsn_advertise_hosts = *
prdr_enable
host_lookup =
rfc1413_hosts =
helo_try_verify_hosts =
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 0
smtp_accept_max = 0
smtp_accept_max_nonmail_hosts =
recipients_max = 3
message_size_limit = 20000000
acl_smtp_rcpt = check
acl_smtp_data_prdr = each
begin acl
check:
  deny domains = !example.com : !relay.example
    message = relay not permitted
  deny !verify = recipient
    message = no such user
  accept
each:
  deny local_parts = dora
    condition = ${if match{$message_body}{not for dora}}
    message = dora does not want it
  accept
begin routers
relay:
  driver = manualroute
  domains = relay.example
  route_list = * 127.0.0.1::%d byname
  transport = out
  self = send
local:
  driver = accept
  domains = example.com
  local_parts = lsearch;%s/users
  transport = maildir
begin transports
out:
  driver = smtp
  hosts_try_fastopen =
maildir:
  driver = appendfile
  directory = %s/mail/$local_part_data
  maildir_format
  create_directory
  return_path_add
begin retry
* * F,1h,1s
]]

local USERS = "ada: ada\nbob: bob\ncharles: charles\ndora: dora\nj\u{fc}rgen: juergen\n"

-- Files with one line more take the places of the system's, for the program and what it
-- starts.
local ENTER = [[
for name in passwd group; do
  cp /etc/$name "$1/$name"
done
echo "Debian-exim:x:%d:%d::/nonexistent:/usr/sbin/nologin" >>"$1/passwd"
echo "Debian-exim:x:%d:" >>"$1/group"
for name in passwd group; do
  mount --bind "$1/$name" /etc/$name || exit 1
done
shift
exec "$@"
]]

--- Why there can be none here, or nil.
function M.missing()
  local missing = process.missing("unshare", "mount")
  if missing then return missing end
  local file <close> = io.open(BINARY)
  if not file then return "Exim is not here (`make interop` unpacks it, where Debian has it)" end
  if not os.execute("unshare -m mount --bind /etc/passwd /etc/passwd >/dev/null 2>&1") then
    return "Exim can be started only where a mount namespace can be made, as root"
  end
  if process.run { BINARY, "-bV", "-C", "/dev/null" } == 127 then
    return "Exim lacks libraries here (`make interop` installs them)"
  end
  return nil
end

local Exim = setmetatable({}, { __index = maildirs })
Exim.__index = Exim

--- Starts it, and waits until it answers. Mail for relay.example goes to the port `relay`
-- of this machine, if one is given.
function M.start(relay)
  local folder, port = net.folder(), net.closed_port()
  local self = setmetatable({ folder = folder, port = port,
    url = "smtp://127.0.0.1:" .. port }, Exim)
  assert(os.execute(("cp %s %s/exim4 && cd %s && chmod 755 . && mkdir spool mail && "
    .. "chown %d:%d . spool mail"):format(BINARY, folder, folder, ID, ID)))
  net.dump(folder .. "/users", USERS)
  net.dump(folder .. "/enter", ENTER:format(ID, ID, ID))
  net.dump(folder .. "/conf", CONFIGURATION:format(folder, folder, folder, folder, port,
    relay or 1, folder, folder))
  self.process = process.start({ "unshare", "-m", "sh", folder .. "/enter", folder,
    folder .. "/exim4", "-C", folder .. "/conf", "-bdf", "-q1s" }, { time = 300 })
  local ok, why = pcall(self.process.listening, self.process, { host = "127.0.0.1", port = port })
  if not ok then
    why = why .. self:log()
    self:close()
    error(why, 2)
  end
  return self
end

--- Its logs: the main one, and then that of panics.
function Exim:log()
  local all = {}
  for i, name in ipairs { "main", "reject", "panic" } do
    local file <close> = io.open(("%s/%slog"):format(self.folder, name))
    all[i] = file and file:read("a") or ""
  end
  return table.concat(all)
end

--- Waits until the queue is empty: all that was taken is delivered.
function Exim:drained()
  self.process:await(function()
    local find <close> = assert(io.popen(("find %s/spool/input -type f 2>/dev/null"):format(
      self.folder)))
    return not find:read("l")
  end, 30)
end

function Exim:close()
  if self.closed then return end
  self.closed = true
  self.process:close()
  for _ = 1, 50 do -- one that is just delivering may still write there
    net.remove(self.folder)
    local there <close> = io.open(self.folder)
    if not there then return end
    loop.sleep(0.05)
  end
end

Exim.__close = Exim.close

return M
