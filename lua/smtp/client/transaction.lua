-- SPDX-License-Identifier: MIT
--- One mail transaction on a client: MAIL, RCPT, then DATA and the content, or the content
-- in chunks (RFC 3030), in as few round trips as the server allows (RFC 2920). Its
-- commands join the flight of those before it; each reply is kept with what it answers.
local core = require "smtp.core"
local envelope = require "smtp.client.mail_rcpt"
local errors = require "smtp.error"
local refusals = require "smtp.base.refusals"
local source_of = require "smtp.base.reader"

local M = {}

local Transaction = {}
Transaction.__index = Transaction

--- Makes it of `{ from, sender, params, to, sent, given, source, chunks, binary, progress }`:
-- `sender` and `sent` are mailboxes as they go out, `params` and `given` their parameters.
function M.new(client, plan)
  plan.client, plan.flight = client, client._flight
  plan.due, plan.answered, plan.accepted, plan.rejected = 0, 0, {}, {}
  plan.done, plan.complete = false, false
  return setmetatable(plan, Transaction)
end

-- ---- replies ---------------------------------------------------------------

-- What a receipt has of a recipient who was refused, by a reply or an error of one.
local function rejection(mailbox, reply)
  refusals.note(reply.code, reply.text, reply.enhanced)
  return { address = mailbox, code = reply.code, enhanced = reply.enhanced, text = reply.text,
    lines = reply.lines, temporary = reply.code < 500 }
end
M.rejection = rejection

-- The same of the recipient at a place of `to`. A mailbox may be there twice, so `places`
-- has of each rejection which one it is.
local function reject(self, place, reply)
  local one = rejection(self.to[place], reply)
  self.rejected[#self.rejected + 1] = one
  self.places = self.places or {}
  self.places[one] = place
  return one
end

-- The places of those that were accepted.
local function taken_places(self)
  local refused, list = {}, {}
  for _, place in pairs(self.places or {}) do refused[place] = true end
  for place in ipairs(self.to) do
    if not refused[place] then list[#list + 1] = place end
  end
  return list
end

local take = {}

function take:mail(reply)
  if reply.code >= 300 then self.mail_refused = reply end
end

-- Whether the server would have taken a recipient in another transaction (RFC 5321 section
-- 4.5.3.1.10: 552 was said for it as well).
local function is_too_many(reply)
  if reply.code ~= 452 and reply.code ~= 552 then return false end
  return reply.enhanced == nil or reply.enhanced:find("%.5%.3$") ~= nil
end

function take:rcpt(reply)
  self.answered = self.answered + 1
  local mailbox = self.to[self.answered]
  if reply.code < 300 and not self.mail_refused then
    self.accepted[#self.accepted + 1] = mailbox
  elseif reply.code >= 300 then
    local refusal = reject(self, self.answered, reply)
    if is_too_many(reply) then
      self.too_many = self.too_many or {}
      self.too_many[refusal], refusal.temporary = true, true
    end
  end
end

function take:data(reply)
  self.data_reply = reply
end

function take:chunk(reply)
  if reply.code >= 300 then self.chunk_refused = self.chunk_refused or reply end
end

-- By LMTP and PRDR, of one recipient. By LMTP the last one's is the final one; PRDR begins
-- with a 353.
function take:recipient(reply)
  self.replies = self.replies or {}
  if reply.code // 100 == 3 then self.prdr = true else table.insert(self.replies, reply) end
end

function take:final(reply)
  -- Where no RCPT was accepted it is of no recipient, but of the content for nobody.
  if self.client.target.lmtp and (self.open or self.accepted[1]) then
    take.recipient(self, reply)
  end
  self.final, self.complete = reply, true
  -- Chunks that went well leave nothing open, unless others are behind them.
  if self.chunks and reply.code < 300 and self.flight:is_last(self) then
    self.client._dirty = false
  end
end

function take:rset() end -- luacheck: ignore 212

--- A reply that is for this transaction.
function Transaction:reply(step, reply)
  take[step](self, reply)
  if step ~= "recipient" then self.due = self.due - 1 end
  self.done = self.complete and self.due <= 0
end

--- What is known of the message, were nothing more heard. With PRDR it is nothing before
-- the last reply; by LMTP a 421 says that no more will come.
function Transaction:outcome(written)
  local replies = not self.prdr and not self.flight.astray and self.replies or {}
  for _, reply in ipairs(replies) do
    if reply.code < 300 then return "partial" end
  end
  local is_going = replies[1] and replies[#replies].code == 421
  return not is_going and self.ends and written >= self.ends and "unknown" or "not_sent"
end

--- Whether all that is sent of it was written.
function Transaction:is_written(written)
  return self.complete and written >= self.stops
end

-- ---- the envelope ----------------------------------------------------------

-- Queues MAIL or RCPT as soon as the replies that must come first are in. False: MAIL was
-- refused meanwhile; nil and an error.
local function path(self, verb, mailbox, params)
  while true do
    local ok, err = envelope.submit(self.client, verb, mailbox, params)
    if ok then
      self.due = self.due + 1
      return true
    end
    if err then return nil, err end
    ok, err = self.flight:take()
    if not ok then return nil, err end
    if self.mail_refused then return false end
  end
end

-- The same for DATA and RSET. False: `is_over(self)` became true meanwhile.
local function command(self, name, is_over)
  local machine = self.client._core
  while true do
    local ok, why = machine:submit(name)
    if ok then
      self.client._transcript:sent(name)
      self.due = self.due + 1
      return true
    end
    if why ~= "busy" then return self.client:_misplaced(name:lower()) end
    local err
    ok, err = self.flight:take()
    if not ok then return nil, err end
    if is_over and is_over(self) then return false end
  end
end

-- Nothing more is sent: what the server still has of it is dropped by the next.
local function give_up(self)
  if self.chunks then self.client._core:finish(false) end
  self.complete, self.client._dirty = true, true
  self.stops, self.done = self.client._core:queued(), self.due <= 0
  self.flight:tidy()
  return true
end

-- MAIL and RCPTs. What an earlier one has left, or may leave, open is dropped in the
-- same flight.
function Transaction:envelope()
  local client = self.client
  if client._dirty then
    local ok, err = command(self, "RSET")
    if not ok then return nil, err end
    client._dirty = false
  end
  local ok, err = path(self, "MAIL", self.sender, self.params)
  for i, mailbox in ipairs(self.sent) do
    if not ok then break end
    ok, err = path(self, "RCPT", mailbox, self.given[i])
  end
  return ok, err
end

-- Whether it is known that the content would be for nobody.
local function is_vain(self)
  if self.open then return false end
  return self.mail_refused or self.answered == #self.to and #self.accepted == 0
end

-- ---- the content -----------------------------------------------------------

-- The server cannot be told that the rest will not come: only a close can. Between two
-- chunks it can.
local function broken(self, fields)
  fields.stage, fields.outcome = "body", "not_sent"
  if self.chunks then
    self.err = select(2, self.client:_error(fields))
    return give_up(self)
  end
  return self.flight:fail(select(2, self.client:_broken(fields)))
end

-- What was queued as a chunk since the last call, for who reads along.
local function note_chunk(self, last)
  local now = self.client._core:chunked()
  if now > self.told or last then
    self.client._transcript:sent(("BDAT %d%s"):format(now - self.told, last and " LAST" or ""))
    self.due = self.due + 1
  end
  self.told = now
end

-- Whether the rest of the content is wanted: one chunk goes with the envelope, more only
-- if somebody was accepted. Nil and an error: the session is over.
local function is_wanted(self)
  while self.chunks and self.told > 0 and self.answered < #self.to and not self.mail_refused do
    local ok, err = self.flight:take()
    if not ok then return nil, err end
  end
  return not (self.chunk_refused or self.chunks and is_vain(self))
end

-- Makes room in the machine; if it is not full, it wants a reply first.
local function make_room(self)
  if self.client._core:pending() > 0 then return self.flight:write() end
  return self.flight:take()
end

-- Hands bytes over to the machine, and writes as it fills: true; false where the server
-- does not want the rest; or nil and an error.
local function push(self, bytes)
  local machine, first = self.client._core, 1
  while true do
    local taken, why = machine:body(bytes, first)
    if not taken then return broken(self, { kind = "invalid", message = "content: " .. why }) end
    if self.chunks then note_chunk(self) end
    first = first + taken
    if first <= #bytes and (taken == 0 or machine:pending() > 0) then
      local ok, err = make_room(self)
      if not ok then return nil, err end
    end
    local wanted, err = is_wanted(self)
    if not wanted or first > #bytes then return wanted, err end
  end
end

-- The next bytes of the content; nil at its end; or nil and what is wrong with it.
local function read(self)
  local bytes, problem = self.client:_call(source_of.next, self.source)
  if bytes and not self.source.text and not self.eightbit and core.eightbit(bytes) then
    return nil, { kind = "unsupported", message = envelope.NOT_8BIT }
  end
  return bytes, problem
end

-- The final dot, or the last chunk: true; false where the server does not want it; or nil
-- and an error.
local function finish(self)
  local machine = self.client._core
  while not machine:finish() do
    local ok, err = make_room(self)
    if ok then ok, err = is_wanted(self) end
    if not ok then return ok, err end
  end
  if self.chunks then note_chunk(self, true) else self.due = self.due + 1 end
  self.ends, self.complete = machine:queued(), true
  self.stops = self.ends
  self.client._dirty = self.chunks -- until it is known that it went well
  return true
end

-- Streams the content. True, or nil and an error.
function Transaction:content()
  local sent = 0
  while true do
    local bytes, problem = read(self)
    if problem then return broken(self, problem) end
    local wanted, err
    if bytes then wanted, err = push(self, bytes) else wanted, err = finish(self) end
    if wanted == nil then return nil, err end
    if not wanted then return give_up(self) end
    if self.complete then return true end
    sent = sent + #bytes
    if self.progress then self.client:_call(self.progress, sent, self.source.size) end
  end
end

-- DATA goes in the same flight where it may; else it is sent only if somebody was
-- accepted (RFC 2920 section 3.1, RFC 5321 section 3.3). Then its reply.
function Transaction:data()
  local machine = self.client._core
  local ok, err = command(self, "DATA", is_vain)
  if ok == nil then return nil, err end
  if ok == false then return give_up(self) end
  while not self.data_reply do
    ok, err = self.flight:take()
    if not ok then return nil, err end
  end
  if self.data_reply.code >= 400 then return give_up(self) end
  if machine:awaits() == "final" then -- nobody was accepted: the machine has ended it
    self.due, self.complete, self.client._dirty = self.due + 1, true, true
    self.stops = machine:queued()
    return true
  end
  return self:content()
end

-- The content in chunks, the first of them in the flight of the envelope.
function Transaction:chunked()
  local machine = self.client._core
  while true do
    local ok, why = machine:chunks(self.binary)
    if ok then break end
    if why ~= "busy" then return self.client:_misplaced("data") end
    local taken, err = self.flight:take()
    if not taken then return nil, err end
    if is_vain(self) then return give_up(self) end
  end
  self.told = 0
  return self:content()
end

--- Sends it, up to the last byte; the final reply may still be due. True; or nil and an
-- error: the session is over.
function Transaction:run()
  self.flight:add(self)
  local ok, err = self:envelope()
  if ok == false then
    ok = give_up(self)
  elseif ok then
    if self.chunks then ok, err = self:chunked() else ok, err = self:data() end
  end
  if ok then return true end
  if not self.client._core then return nil, err end
  self.err = err -- our own fault: the session goes on
  return give_up(self)
end

-- ---- what came of it -------------------------------------------------------

-- Replies that each recipient has of the content (RFC 2033 section 4.2). A last one that
-- refuses (PRDR) is for those, too, who were accepted.
local function sort_out(self)
  local kept, all = {}, {}
  local undone = self.prdr and self.final.code >= 300
  for i, place in ipairs(taken_places(self)) do
    local reply = self.replies[i]
    if undone and reply.code < 300 then reply = self.final end
    if reply.code < 300 then
      kept[#kept + 1], all[#all + 1] = self.to[place], rejection(self.to[place], reply)
      all[#all].temporary = nil
    else
      reject(self, place, reply)
    end
  end
  self.accepted = kept
  return all
end

-- Nobody has it: why.
local function refused(self)
  local client = self.client
  if self.mail_refused then
    return client:_rejected(self.mail_refused, "mail", { address = self.from })
  end
  local first = self.rejected[1]
  if #self.accepted == 0 and first then
    return client:_rejected(first, self.replies and "final" or "rcpt",
      { address = first.address, rejected = self.rejected })
  end
  local reply = self.chunk_refused or self.final or self.data_reply
  return client:_rejected(reply, self.data_reply == reply and "data" or "final",
    { rejected = self.rejected })
end

--- Nothing more will be heard. What the server has refused already stays refused, however
-- the session ends: a 421 for many refused chunks is no reason to try again.
function Transaction:fail(err)
  if self.flight.astray then -- no refusal can be assigned to its recipient
    self.err, self.done = self.err or err, true
    return
  end
  if not self.err and (self.chunk_refused or is_vain(self)) then
    err = select(2, refused(self))
  end
  self.err, self.done = self.err or err, true
  if not errors.is(err) then return end
  if #self.rejected > 0 then err.rejected = self.rejected end
  if err.outcome ~= "partial" then return end
  local places = taken_places(self)
  err.accepted, err.rejected = {}, self.rejected
  for i, reply in ipairs(self.replies) do
    if reply.code < 300 then
      table.insert(err.accepted, self.to[places[i]])
    else
      reject(self, places[i], reply)
    end
  end
end

--- The receipt, or nil and an error, once it is done.
function Transaction:result()
  if self.err then return nil, self.err end
  local reply, all = self.final, nil
  if self.replies and reply then all = sort_out(self) end
  local good = all and all[1] or not all and reply and reply.code < 300 and reply
  if self.prdr then good = good and reply end
  if not good or self.chunk_refused or #self.accepted == 0 then return refused(self) end
  return {
    code = good.code, enhanced = good.enhanced, text = good.text, lines = good.lines,
    accepted = self.accepted, rejected = self.rejected, replies = all,
  }
end

--- DATA and content for an envelope that was given by single commands. Gives the final
-- reply; by LMTP the first that is a success. Its `replies` are those of all recipients.
function M.data(client, source)
  local eightbit = client.capabilities["8BITMIME"]
  if source.text and not eightbit and core.eightbit(source.text) then
    return envelope.not_8bit(client, "data")
  end
  local self = M.new(client, { open = true, to = {}, source = source,
    eightbit = eightbit })
  self.flight:add(self)
  local ok, err = self:data()
  while ok and not self.done do ok, err = self.flight:take() end
  if not ok and client._core then -- DATA is not possible now: nothing of it is under way
    self.done = true
    self.flight:tidy()
  end
  if self.err or not ok then return nil, self.err or err end
  local reply, first = self.final or self.data_reply, nil
  for _, one in ipairs(self.replies or {}) do
    if one.code < 300 then first = first or one end
  end
  if self.prdr then -- the last one is for all, but a success only if somebody has it
    reply = reply.code < 300 and not first and self.replies[1] or reply
  else
    reply = first or reply
  end
  reply.replies = self.replies
  if reply.code < 300 then return reply end
  return client:_rejected(reply, self.final and "final" or "data")
end

return M
