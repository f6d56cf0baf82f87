-- SPDX-License-Identifier: MIT
--- A Postfix of its own in a temporary folder: it listens at a free port of
-- 127.0.0.1, takes mail for ada, bob and charles at example.com, and delivers it
-- to Maildirs that are read here. With a certificate it also takes mail under TLS
-- from users that a Dovecot knows. It needs root, as Postfix does.
local dovecot = require "spec.support.dovecot"
local loop = require "smtp.loop"
local maildirs = require "spec.support.maildirs"
local net = require "spec.support.net"
local process = require "spec.support.process"

local M = {}

-- The user that the mail belongs to.
local NOBODY = 65534

local MAIN = [[
compatibility_level = 3.6
config_directory = %s/etc
queue_directory = %s/queue
data_directory = %s/data
maillog_file = %s/log
maillog_file_prefixes = /tmp, /var
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.example.com
myorigin = example.com
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
local_header_rewrite_clients =
smtpd_tls_security_level = none
smtpd_peername_lookup = no
smtpd_relay_restrictions = reject_unauth_destination
message_size_limit = 20000000
virtual_mailbox_domains = example.com
virtual_mailbox_base = %s/mail
virtual_mailbox_maps = inline:{
  ada@example.com=ada/ bob@example.com=bob/ charles@example.com=charles/ }
virtual_uid_maps = static:%d
virtual_gid_maps = static:%d
]]

-- Only what a message needs on its way in.
local MASTER = [[
127.0.0.1:%d inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
]]

-- With a certificate: what main.cf and master.cf say besides. The ports are those of
-- STARTTLS and of TLS at once, and of both only users may send.
local SECURE = [[
smtpd_tls_cert_file = %s/etc/cert
smtpd_tls_key_file = %s/etc/key
smtpd_tls_received_header = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_authenticated_header = yes
smtpd_error_sleep_time = 0
]]

local USERS = [[
127.0.0.1:%d inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
127.0.0.1:%d inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
]]

-- It sends all that is for relay.example to one place.
local SENDER = [[
relay_domains = relay.example
relay_transport = smtp:[localhost]:%d
smtp_host_lookup = native
smtp_dns_support_level = disabled
smtp_sasl_type = cyrus
]]

local CLIENT = [[
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
]]

--- Why there can be none here, or nil.
function M.missing()
  local missing = process.missing("postfix")
  if missing then return missing end
  local id <close> = assert(io.popen("id -u"))
  if id:read("n") ~= 0 then return "Postfix can be started by root only" end
  return nil
end

local Postfix = setmetatable({}, { __index = maildirs })
Postfix.__index = Postfix

local function run(...)
  assert(os.execute((...):format(select(2, ...))))
end

-- `postfix check` makes the folders of the queue. The master is started directly:
-- that of `postfix start-fg` leaves the process group, and could not be ended.
local function begin(self)
  local etc = self.folder .. "/etc"
  local status, out, err = process.run { "postfix", "-c", etc, "check" }
  if status ~= 0 then error(out .. err, 0) end
  if self.submission then
    self.dovecot = dovecot.start(self.folder .. "/queue/private/auth", "postfix", self.users)
  end
  status, out, err = process.run { "postconf", "-c", etc, "-h", "daemon_directory" }
  if status ~= 0 then error(out .. err, 0) end
  self.process = process.start({ out:match("^%S+") .. "/master", "-c", etc, "-d" },
    { time = 300 })
  self.process:listening { host = "127.0.0.1", port = self.port }
end

-- The configuration, of which a part is there only where it is asked for.
local function configure(self, options)
  local folder = self.folder
  local main = { MAIN:format(folder, folder, folder, folder, folder, NOBODY, NOBODY) }
  local master = { MASTER:format(self.port) }
  if options.relay then
    main[#main + 1] = SENDER:format(options.relay)
    master[#master + 1] = CLIENT
  end
  if options.identity then
    self.users = options.users
    self.submission, self.smtps = net.closed_port(), net.closed_port()
    net.dump(folder .. "/etc/cert", options.identity.cert)
    net.dump(folder .. "/etc/key", options.identity.key)
    main[#main + 1] = SECURE:format(folder, folder)
    master[#master + 1] = USERS:format(self.submission, self.smtps)
  end
  main[#main + 1] = options.main or ""
  net.dump(folder .. "/etc/main.cf", table.concat(main))
  net.dump(folder .. "/etc/master.cf", table.concat(master))
end

--- Starts it, and waits until it answers. `options`: `main` (lines for its main.cf),
-- `relay` (the port of this machine that mail for relay.example goes to), `identity`
-- (`{ cert, key }`: it also listens at the ports `submission` and `smtps`, for `users`,
-- a table of their passwords).
function M.start(options)
  local folder, port = net.folder(), net.closed_port()
  run("chmod 755 %s; cd %s; mkdir etc queue data mail; chown postfix data; chown %d mail",
    folder, folder, NOBODY)
  local self = setmetatable({ folder = folder, port = port,
    url = "smtp://127.0.0.1:" .. port }, Postfix)
  configure(self, options or {})
  local ok, why = pcall(begin, self)
  if not ok then
    why = why .. self:log()
    self:close()
    error(why, 2)
  end
  return self
end

function Postfix:log()
  local file <close> = io.open(self.folder .. "/log")
  return file and file:read("a") or ""
end

--- Waits until the queue is empty: all that was taken is delivered.
function Postfix:drained()
  self.process:await(function()
    for _, queue in ipairs { "incoming", "active", "deferred", "maildrop" } do
      local find <close> = assert(io.popen(("find %s/queue/%s -type f | head -n 1"):format(
        self.folder, queue)))
      if find:read("l") then return false end
    end
    return true
  end)
end

function Postfix:close()
  if self.closed then return end
  self.closed = true
  if self.process then self.process:close() end
  if self.dovecot then self.dovecot:close() end
  for _ = 1, 50 do -- a daemon that is just ending may still write there
    net.remove(self.folder)
    local there <close> = io.open(self.folder)
    if not there then return end
    loop.sleep(0.05)
  end
end

Postfix.__close = Postfix.close

return M
