-- SPDX-License-Identifier: MIT
--- A message on its way to one server: what must hold before MAIL, and the transactions that
-- it takes. One is enough, unless the server limits the recipients (RFC 9422, RFC 5321
-- section 4.5.3.1.10); then the content goes several times, and the receipt is of all.
local advice = require "smtp.client.advice"
local connections = require "smtp.client.connection"
local core = require "smtp.core"
local errors = require "smtp.error"
local mail_rcpt = require "smtp.client.mail_rcpt"
local parameters = require "smtp.client.parameters"
local reader = require "smtp.base.reader"
local rewindable = require "smtp.base.rewindable"
local transaction = require "smtp.client.transaction"

local Dispatch = {}
Dispatch.__index = Dispatch

local M = {}

-- So much content fits one chunk.
local CHUNK_MAX = 65536

--- Makes it of what `outgoing` gives.
function M.new(connection, out, progress)
  local source = out.source
  return setmetatable({
    connection = connection, out = out, source = source, size = source.size or 0,
    left = #out.to, -- recipients that are to do: those at the places of `todo`, nil: all
    flying = 0, begun = false, progress = progress,
    -- of `prepare`, as transaction.lua needs them:
    session = false, sender = out.from, sent = out.to, params = false, chunks = false,
    eightbit = false,
    receipt = false, message = false, -- of send_all.lua
  }, Dispatch)
end

-- ---- before MAIL -----------------------------------------------------------

-- Reads all of a source, which is small: true, or nil and an error.
local function gather(connection, source)
  local ok, problem = connection:call(reader.gather, source)
  if ok then return true end
  problem.stage = "mail"
  return connection:fail(problem)
end

-- The mailboxes as they go out; whether one needs SMTPUTF8. Nil and an error.
local function address_all(self)
  local connection, out = self.connection, self.out
  local any
  self.sender, any = mail_rcpt.wire(connection, "mail", out.from)
  if not self.sender then return nil, any end
  self.sent = {}
  for i, mailbox in ipairs(out.to) do
    local sent, utf8 = mail_rcpt.wire(connection, "rcpt", mailbox)
    if not sent then return nil, utf8 end
    self.sent[i], any = sent, any or utf8
  end
  return true, any
end

-- The parameters of the RCPTs that have some: true, or nil and an error.
local function parameterize_rcpts(self)
  local out = self.out
  self.given = {}
  for i, fields in pairs(out.given) do
    local params, err = mail_rcpt.parameters(self.connection, "rcpt", fields, out.to[i],
      out.relayed)
    if not params then return nil, err end
    self.given[i] = params
  end
  return true
end

-- The parameters of MAIL: true, or nil and an error.
local function parameterize_mail(self, eightbit, prdr)
  local out = self.out
  local fields = {}
  for key, value in pairs(out.mail or {}) do fields[key] = value end
  fields.size = self.wire or not out.relayed and fields.size or nil
  if eightbit then fields.body = fields.body or "8BITMIME" end
  if self.smtputf8 then fields.smtputf8 = true end
  if fields.prdr == nil then fields.prdr = prdr and true or nil end
  self.binary = fields.body == "BINARYMIME"
  local params, err = mail_rcpt.parameters(self.connection, "mail", fields, out.from, out.relayed)
  self.params = params
  return params ~= nil, err
end

-- The source from its beginning, if it was read.
local function rewind(self)
  local source, err = self.connection:call(self.source.again)
  if not source then return nil, err end
  self.source, self.begun = source, false
  return true
end

-- The number of bytes on the wire; nil if it is unknown.
local function measure(self)
  local mail = self.out.mail
  if mail and mail.body == "BINARYMIME" then return self.source.size end
  return reader.wire_size(self.source)
end

local function check_size(connection, size)
  local limit = connection.capabilities.SIZE
  if not (size and limit and limit > 0 and size > limit) then return true end
  return connection:fail { kind = "too_big", stage = "mail",
    message = ("the message has %s, the server takes %s"):format(advice.size(size),
      advice.size(limit)) }
end

-- A composed message goes without 8-bit bytes.
local function downgrade(self)
  local source, err = self.connection:call(self.out.downgrade)
  if not source then
    err.peer = self.connection.target.name
    return nil, err
  end
  self.source, self.downgraded = source, true
  return self:prepare()
end

--- The conditions before MAIL, by what the server offers in this session: true, or nil and
-- an error.
function Dispatch:prepare()
  local ok, err = true, nil
  if self.begun then ok, err = rewind(self) end
  if not ok then return nil, err end
  local connection, out, source = self.connection, self.out, self.source
  local offered, text, utf8 = connection.capabilities, source.text, out.utf8
  self.session = connection.session
  self.wire = offered.SIZE and measure(self) or nil
  if self.wire then ok, err = check_size(connection, self.wire) end
  if not ok then return nil, err end
  local takes_8bit = offered["8BITMIME"]
  if not text and (offered.CHUNKING or not takes_8bit) and source.size
    and source.size <= CHUNK_MAX then
    ok, err = gather(connection, source)
    if not ok then return nil, err end
    text = source.text
  end
  local eightbit = out.eightbit -- nil: it was not composed here
  if eightbit == nil then eightbit = not text or core.eightbit(text) end
  eightbit = eightbit and not self.downgraded
  if eightbit and not takes_8bit and not utf8 then
    if out.downgrade then return downgrade(self) end
    if text then return mail_rcpt.not_8bit(connection, "mail") end
  end
  self.eightbit = not eightbit and out.eightbit ~= nil or takes_8bit or utf8
  if not out.ascii then
    local needs_utf8
    ok, needs_utf8 = address_all(self)
    if not ok then return nil, needs_utf8 end
    utf8 = utf8 or needs_utf8
  end
  self.smtputf8 = utf8 or nil
  if next(out.given) then ok, err = parameterize_rcpts(self) end
  if not ok then return nil, err end
  local prdr = offered.PRDR and #out.to > 1
  if out.mail or utf8 or prdr then
    ok, err = parameterize_mail(self, eightbit, prdr)
    if not ok then return nil, err end
  else
    self.params = (self.wire or eightbit) and parameters.content(connection, self.wire, eightbit)
      or nil
  end
  self.chunks = self.binary or offered.CHUNKING and offered.PIPELINING
  return true
end

-- ---- its transactions ------------------------------------------------------

-- The places of the recipients that are to do.
local function places_of(self)
  local places = self.todo or {}
  if not self.todo then
    for i = 1, self.left do places[i] = i end
  end
  return places
end

-- The first n of what is to do, as one transaction.
local function take(self, n)
  local out = self.out
  local todo = n < #out.to and places_of(self)
  self.left = self.left - n
  if not todo then
    self.todo = nil
    return transaction.new(self, out.to, self.sent, self.given)
  end
  local one = transaction.new(self, {}, {}, {})
  one.whole = {}
  for k = 1, n do
    local i = todo[k]
    one.whole[k] = i -- its place in the whole list
    one.to[k], one.sent[k], one.given[k] = out.to[i], self.sent[i], self.given and self.given[i]
  end
  self.todo = table.move(todo, n + 1, #todo + n, 1)
  return one
end

-- The content for one more transaction; `more`: it is not the last one.
local function supply(self, more)
  local ok, err = true, nil
  if self.begun then ok, err = rewind(self) end
  if not ok then return nil, err end
  if more and not self.source.again then
    local content
    content, err = self.connection:call(rewindable.new, self.source)
    if not content then return nil, err end
    self.source = content:open()
  end
  return true
end

-- How many recipients the session may have now; 0: it needs another one.
local function room(self)
  local used = self.connection.used
  if used:is_full() then return 0 end
  local mailboxes = self.sent
  if self.left < #mailboxes then
    mailboxes = {}
    for k, i in ipairs(self.todo) do mailboxes[k] = self.sent[i] end
  end
  return used:fits(mailboxes)
end

local function lost(self)
  return self.connection:fail { kind = "closed", message = "the connection is lost" }
end

-- Another session: what is under way is waited for first, and fails by errors of its own.
local function renew(self)
  local connection = self.connection
  while not connection.machine:idle() do
    if not connection:hear() then return lost(self) end
  end
  local ok, err = connection:renew()
  if not ok then return nil, err end
  return self:prepare()
end

-- How many recipients the next transaction may have, in a session that is there and known;
-- or nil and an error.
local function ready(self)
  local connection = self.connection
  local ok, err = true, nil
  if not connection.machine then return lost(self) end
  if self.session ~= connection.session then ok, err = self:prepare() end
  if not ok then return nil, err end
  if not connection.used.has_limits then return self.left end
  local n = room(self)
  if n > 0 then return n end
  ok, err = renew(self)
  return ok and math.max(room(self), 1), err
end

--- Sends the next transaction of it, up to its last byte: true, or nil and an error.
function Dispatch:start()
  local ok = nil
  local n, err = ready(self)
  if n then ok, err = true, nil end
  if n and (self.begun or n < self.left) then ok, err = supply(self, n < self.left) end
  if not ok then
    self.err = self.err or err
    return nil, err
  end
  self.begun, self.flying = true, self.flying + 1
  return take(self, n):run()
end

-- Takes the refusals in; those of RCPT that may go in another transaction are to do again.
local function sort_out(self, one, rejected)
  self.rejected = self.rejected or {}
  for i, refusal in ipairs(rejected) do
    if one.too_many[i] and self.source.again then
      local place = one.places[i]
      self.todo = self.todo or {}
      table.insert(self.todo, one.whole and one.whole[place] or place)
      self.left = self.left + 1
    else
      table.insert(self.rejected, refusal)
    end
  end
end

-- The whole part failed: marks each recipient that is not refused yet with this error.
local function refuse_all(self, one, err)
  local known = {}
  self.rejected = self.rejected or {}
  for i, refusal in ipairs(err.rejected or {}) do known[one.places[i]] = refusal end
  for place, mailbox in ipairs(one.to) do
    table.insert(self.rejected, known[place] or transaction.rejection(mailbox, err))
  end
end

-- The one list behind the other; either may be nil.
local function append(list, more)
  if not (list and more) then return list or more end
  return table.move(more, 1, #more, #list + 1, list)
end

--- Takes in what came of a transaction: a receipt, or nil and an error.
function Dispatch:settle(one, receipt, err)
  self.flying = self.flying - 1
  if receipt then
    local before = self.receipt
    self.receipt = receipt
    if receipt.rejected[1] then sort_out(self, one, receipt.rejected) end
    if before then
      receipt.accepted = append(before.accepted, receipt.accepted)
      receipt.replies = append(before.replies, receipt.replies)
    end
  elseif errors.is(err) and err.kind == "rejected" and self.connection.machine then
    if self.refusal then self.refusal.rejected = self.rejected end -- of all parts
    self.refusal = self.refusal or err
    refuse_all(self, one, err)
  else
    self.err = self.err or err
  end
end

--- Whether nothing is under way, or to do.
function Dispatch:is_over()
  return self.flying == 0 and (self.left == 0 or self.err ~= nil)
end

-- Accepted recipients whose success somebody wanted to be told, which this server will not
-- do: a relay tells it (RFC 3461 section 5.2.2). Nil if there are none.
local function left_to_us(self)
  if self.connection.capabilities.DSN then return nil end
  local list, wanted = {}, {}
  for i, fields in pairs(self.out.given) do
    for _, word in ipairs(fields.notify or {}) do
      if word == "SUCCESS" then wanted[self.out.to[i]] = true end
    end
  end
  for _, mailbox in ipairs(self.receipt.accepted) do
    if wanted[mailbox] then list[#list + 1] = mailbox end
  end
  return list[1] and list
end

--- The receipt of all, or nil and an error.
function Dispatch:result()
  local err, receipt, connection = self.err, self.receipt, self.connection
  if err and receipt then
    err.outcome, err.accepted, err.rejected = "partial", receipt.accepted, self.rejected or {}
  end
  if err or not receipt then return nil, err or self.refusal end
  if self.rejected then receipt.rejected = self.rejected end
  if self.out.relayed then receipt.relayed = left_to_us(self) end
  receipt.used = { pipelining = connection.capabilities.PIPELINING ~= nil,
    chunking = self.chunks and true or false, auth = connection.auth,
    tls = connection.tls and connection.tls.version,
    smtputf8 = self.smtputf8, downgraded = self.downgraded }
  return receipt
end

local function run(connection, self)
  repeat
    local ok = self:start()
    while ok and not connection.machine:idle() do ok = connection:hear() end
  until self:is_over()
  return true
end

--- Sends what `outgoing` made, within so many seconds, if any; see types/smtp/client.d.lua.
function M.send(connection, out, opts, seconds)
  local self = M.new(connection, out, opts.progress or connection.target.progress)
  local ok, err = connection:within(seconds, run, self)
  if not ok then self.err = self.err or err end -- some recipients may have the message
  return self:result()
end

--- Connects, sends what `outgoing` made, and quits, all within the target's deadline,
-- which began at `since`. Gives receipt and error, and what is known of TLS.
function M.once(target, out, opts, since)
  local connection <close>, why = connections.open(target)
  if not connection then return nil, why end
  local left = target.deadline and math.max(since + target.deadline - core.now(), 0)
  local receipt, err = M.send(connection, out, opts, left)
  if connection:is_usable() then connection:quit() end
  return receipt, err, connection.tls
end

return M
