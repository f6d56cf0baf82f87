-- SPDX-License-Identifier: MIT
--- Finds the option that a user meant by an unknown name: the name in another spelling
-- (`replyTo`), the word of another library (`filename`), or a slip of the pen (`subjct`).
local M = {}

-- An unknown name longer than this is not compared, since that takes time.
local NAME_MAX = 40

-- Options and their names in nodemailer, LuaSocket, smtplib, aiosmtpd, go-smtp, curl and
-- others, in lower case and without "_" and "-". "a.b" is the key b of the table a.
local MEANT = {
  -- where to, and who
  host = [[server hostname address addr mailserv mailserver mailhost relay remote smtphost
    smtpserver smtpaddress ip]],
  port = "smtpport portnumber",
  helo = [[name localhostname hostname heloname ehlo ehloname domain clientname heloehlo
    myhostname]],
  local_address = "sourceaddress bindaddress bind interface localip sourceip",
  timeout = [[connectiontimeout connecttimeout greetingtimeout sockettimeout dnstimeout
    readtimeout writetimeout timeouts settimeout]],
  nameserver = "dns dnsserver resolver nameservers",
  trace = "debug logger log debuglevel setdebuglevel verbose transactionlog",
  path = "file filepath socketpath unix unixsocket socket href",
  -- TLS
  tls = [[secure ssl usetls usessl starttls requiretls ignoretls encryption security
    opportunistictls tlsmode sslmode requirestarttls tlscontext startssl]],
  verify = [[rejectunauthorized verifypeer verifyssl verifyhost sslverify checkhostname insecure
    skipverify insecureskipverify verifymode verifycert]],
  ca = [[cafile cacert capath cadir cacerts cacertfile cacertificate truststore trust rootca
    rootcas]],
  cert = [[certfile certificate certificatefile clientcert sslcert tlscert certpath certs
    certchain]],
  key = "keyfile privatekey privatekeyfile sslkey tlskey keypath pem secretkey",
  sni = "servername tlsservername sniname peername",
  -- AUTH
  auth = "authentication login credentials requireauth authrequired",
  ["auth.user"] = "user username",
  ["auth.password"] = "password pass passwd secret",
  ["auth.token"] = "token accesstoken bearer",
  ["auth.mechanisms"] = [[mechanisms mechanism authmethod authmethods authmechanism
    authmechanisms authtype sasl]],
  ["auth.cleartext"] = "allowinsecureauth allowunencryptedauth",
  user = "username login userid account userlogin authuser",
  password = "pass passwd pwd secret authpass passphrase",
  token = "accesstoken bearer oauth oauthtoken xoauth2 bearertoken",
  mechanisms = "mechanism method methods authtype authmethod authmethods sasl",
  cleartext = "allowinsecureauth allowunencryptedauth insecure",
  -- messages
  from = [[mailfrom fromaddr fromaddress sender returnpath reversepath envelopefrom
    fromemail]],
  to = [[rcpt rcptto recipient recipients toaddr toaddrs toaddress receiver receivers mailto
    envelopeto forwardpath toemail]],
  subject = "title subj",
  text = "body plain plaintext textbody bodytext message content msg plainbody data string source",
  html = "htmlbody bodyhtml htmltext htmlcontent htmlmessage alternatives amp",
  raw = "source message body data content eml mime",
  attachments = "attachment attach files file attachfiles attachfile",
  headers = "header customheaders extraheaders headerfields",
  message_id = "msgid mid",
  in_reply_to = "replytoid replyid",
  calendar = "icalevent ical ics event invite",
  list = "unsubscribe listunsubscribe listheaders",
  mail = "dsn mailoptions esmtp ret envid requiretls by priority smtputf8",
  -- attachments and parts
  name = "filename title basename displayname label",
  address = "email mail mailaddress emailaddress addr",
  type = "contenttype mime mimetype mediatype ctype maintype",
  content = "body data string buffer text bytes",
  source = "stream reader file fn",
  cid = "contentid cidname",
  inline = "contentdisposition disposition isinline embedded",
  encoding = "contenttransferencoding transferencoding cte",
  -- parameters of MAIL and RCPT
  ret = "return dsnreturn", envid = "id envelopeid", orcpt = "originalrecipient recipient",
  notify = "dsn dsnnotify", hold_for = "delay delayfor", hold_until = "sendat delayuntil",
  -- DKIM
  domain = "domainname d sdid", selector = "keyselector s", identity = "i auid",
  canonicalization = "canonicalize canonicalisation canon c",
  -- servers
  listen = "addr address bind host port listenaddr socket",
  hostname = "domain servername name ident heloname myhostname",
  greeting = "banner bannertext greetingtext welcome",
  on_message = "handler ondata handledata onmail datahandler backend",
  on_mail = "onmailfrom handlemail mailfrom onfrom onsender",
  on_rcpt = "onrcptto handlercpt onrecipient rcptto onto",
  on_helo = "onehlo handlehelo handleehlo onhello",
  on_auth = "authenticator authenticate authcallback onauthenticate",
  on_connect = "onconnection handleconnect onopen",
  on_event = "logger log debug onlog onerror onsecure",
  on_close = "ondisconnect onquit onend",
  ["auth.lookup"] = "users accounts passwords", ["tls.cert"] = "cert certfile certificate",
  ["tls.key"] = "key keyfile privatekey", deadline = "timeout totaltimeout",
  limits = "maxerrors sockettimeout idletimeout maxlinelength ratelimit",
  ["limits.message_size"] = "maxmessagebytes messagesize size maxsize datasizelimit",
  ["limits.connections"] = "connections maxclients maxconnections",
  ["limits.recipients"] = "recipients maxrecipients", ["limits.idle_timeout"] = "timeout idle",
  message_size = "size maxmessagebytes maxsize datasizelimit maxmessagesize",
  connections = "maxclients maxconnections clients", recipients = "maxrecipients rcpt maxrcpt",
  messages = "maxmessages maxtransactions", per_ip = "maxperip connectionsperip perclient",
  line = "maxlinelength linelength", idle_timeout = "idle sockettimeout readtimeout timeout",
  proxy = "useproxy proxyprotocol", xclient = "usexclient",
  -- pools
  size = "maxconnections connections workers poolsize max limit", rate = "ratelimit ratedelta",
  retries = "maxretries attempts maxattempts", idle = "maxidletime idletimeout maxidle",
  -- mocks
  without = "disable disabledcommands hide", users = "accounts credentials user username password",
}

local function plain(name)
  return (name:lower():gsub("[_-]", ""))
end

local words -- plain word of another library -> names that it may stand for, sorted

local function load_words()
  words = {}
  for name, others in pairs(MEANT) do
    for word in others:gmatch("%S+") do
      words[word] = words[word] or {}
      table.insert(words[word], name)
    end
  end
  for _, names in pairs(words) do table.sort(names) end
end

-- The steps from one word to another: a letter more, less, another, or two that changed
-- places (optimal string alignment).
local function distance(a, b)
  local before, row = {}, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local two
    two, before, row = before, row, { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      row[j] = math.min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], two[j - 2] + 1)
      end
    end
  end
  return row[#b]
end

local function nearest(key, sorted)
  local best, least = nil, math.max(1, math.min(#key // 3, 3)) + 1
  for _, name in ipairs(sorted) do
    local steps = distance(key, plain(name))
    if steps < least then best, least = name, steps end
  end
  return best
end

-- The names for another library's word that are among `spec`; a key of a table within it
-- only where no other is there.
local function translated(key, spec)
  if not words then load_words() end
  local found, within = {}, {}
  for _, name in ipairs(words[key] or {}) do
    local outer = name:match("^(.*)%.")
    if spec[outer or name] ~= nil then table.insert(outer and within or found, name) end
  end
  return #found > 0 and found or within
end

--- The options of `spec` (keys are their names) that `key` may stand for: a list, which is
-- empty where there is none.
function M.meant(key, spec)
  if type(key) ~= "string" or #key > NAME_MAX then return {} end
  local sorted = {}
  key = plain(key)
  for name in pairs(spec) do
    if plain(name) == key then return { name } end
    sorted[#sorted + 1] = name
  end
  local found = translated(key, spec)
  if #found > 0 then return found end
  table.sort(sorted)
  return { nearest(key, sorted) }
end

return M
