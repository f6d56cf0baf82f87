-- SPDX-License-Identifier: MIT
--- The client as users have it: its calls, in front of a connection (connection.lua). A
-- message is split into transactions (split.lua); each is sent by transaction.lua.
local connections = require "smtp.client.connection"
local core = require "smtp.core"
local mail_rcpt = require "smtp.client.mail_rcpt"
local names = require "smtp.base.names"
local options = require "smtp.base.options"
local outgoing = require "smtp.client.outgoing"
local send_all = require "smtp.client.send_all"
local split = require "smtp.client.split"
local target_of = require "smtp.client.target"
local transaction = require "smtp.client.transaction"
local xclient = require "smtp.client.xclient"

local Client = { __name = "smtp.client" }

-- The fields that users read; they are facts of the connection.
local FACTS = { greeting = true, esmtp = true, helo = true, capabilities = true, tls = true,
  target = true }

function Client:__index(key)
  if FACTS[key] then return self._connection[key] end
  return Client[key]
end

-- The connection, free for a call.
local function check(client)
  local connection = client._connection
  if not connection.machine then error("client is closed", 3) end
  if connection.run or connection:is_busy() then error("client is within another call", 3) end
  return connection
end

--- See `smtp.connect`.
local function connect(given, more)
  if more ~= nil then -- as other libraries have it: a port
    options.misuse('connect: one target is needed: "host:port", or { host = ..., port = ... }')
  end
  local target, err = target_of.parse("connect", given)
  if not target then return nil, err end
  local connection
  connection, err = connections.open(target)
  if not connection then return nil, err end
  return setmetatable({ _connection = connection }, Client)
end

-- Commands that `command` leaves alone, and who says them.
local MANAGED = {
  DATA = "client:data sends content, client:send a message", BDAT = "client:send says it",
  STARTTLS = "`tls` of the target has it", AUTH = "`auth` of the target has it",
}

local function need_text(method, value)
  if type(value) ~= "string" then error(method .. ": a string is needed", 3) end
end

--- Sends a command line and gives its reply, whatever its code.
function Client:command(line)
  local connection = check(self)
  need_text("command", line)
  local name, args = line:match("^(%S+) ?(.*)$")
  if not name then name, args = line, "" end
  if MANAGED[name:upper()] then
    return connection:fail { kind = "invalid", stage = "command",
      message = name:upper() .. " is not for command()", hint = MANAGED[name:upper()] }
  end
  if name:upper() == "QUIT" then return self:quit() end
  return connection:exchange("command", name, args)
end

function Client:noop() return check(self):ask("command", "NOOP") end

function Client:vrfy(text)
  local connection = check(self)
  need_text("vrfy", text)
  text = names.wire(text, connection.capabilities.SMTPUTF8) or text
  if core.eightbit(text) then -- RFC 6531 section 3.7.4.2
    if not connection.capabilities.SMTPUTF8 then
      return connection:fail { kind = "unsupported", stage = "command",
        message = "VRFY of other letters than those of ASCII needs SMTPUTF8" }
    end
    text = text .. " SMTPUTF8"
  end
  return connection:ask("command", "VRFY", text)
end

function Client:xclient(told) return xclient.xclient(check(self), told) end

function Client:xforward(told) return xclient.xforward(check(self), told) end

--- RSET: a transaction that was begun is dropped.
function Client:reset() return check(self):ask("rset", "RSET") end

--- MAIL with `{ size =, body = }`.
function Client:mail(sender, params)
  return mail_rcpt.mail(check(self), sender, params)
end

function Client:rcpt(recipient, params)
  return mail_rcpt.rcpt(check(self), recipient, params)
end

local DATA_OPTIONS = { received = "boolean", prepend = "string" }

--- DATA, the content (string, function, file, message) and its final reply.
function Client:data(content, opts)
  local connection = check(self)
  local from, err = outgoing.content(content, options.check("data: options", opts or {},
    DATA_OPTIONS))
  if err then return nil, err end
  if not from then error("data: a string, a function or a file is needed", 2) end
  return connection:within(nil, transaction.data, from)
end

local SEND_OPTIONS = { deadline = "seconds", progress = "function", received = "boolean",
  prepend = "string" }

--- A whole message; `opts` are `deadline`, `progress`, `received` and `prepend`.
function Client:send(message, opts)
  local connection = check(self)
  opts = options.check("send: options", opts or {}, SEND_OPTIONS)
  local out, err = outgoing.outgoing(message, connection.target.dkim, opts)
  if not out then
    err.peer = connection.target.name
    return nil, err
  end
  if not connection.machine then return connection:gone() end -- reading it has closed the client
  return split.send(connection, out, opts, opts.deadline)
end

--- Many messages, in as few round trips as the server allows.
function Client:send_all(messages, opts)
  return send_all.run(check(self), messages, opts)
end

--- See `smtp.send`: what can be known to be wrong is told before connecting.
local function send(given, message, opts)
  local since = core.now()
  opts = options.check("send: options", opts or {}, SEND_OPTIONS)
  local target, err = target_of.parse("send", given)
  if not target then
    err.outcome = "not_sent"
    return nil, err
  end
  local out
  out, err = outgoing.outgoing(message, target.dkim, opts)
  if not out then return nil, err end
  local deadline = math.min(target.deadline or math.huge, opts.deadline or math.huge)
  target.deadline = deadline < math.huge and deadline or nil
  local receipt, failure = split.once(target, out, opts, since)
  return receipt, failure
end

--- QUIT, at most two seconds for its reply, then close.
function Client:quit() return check(self):quit() end

--- The last lines of the dialogue.
function Client:transcript() return self._connection:transcript() end

--- True while commands can be sent.
function Client:usable() return self._connection:is_usable() end

--- Closes without a word; does nothing the second time.
function Client:close() self._connection:close() end

Client.__close = Client.close

return { connect = connect, send = send }
