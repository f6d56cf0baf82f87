-- SPDX-License-Identifier: MIT
--- A mail transaction on a client: MAIL, RCPT, DATA, content, in as few round
-- trips as the server allows (RFC 2920), each reply kept with what it answers.
-- Internal.
local address = require "smtp.address"
local core = require "smtp.core"
local errors = require "smtp.error"
local line_ends = require "smtp.line_ends"
local options = require "smtp.options"
local parameters = require "smtp.parameters"

local M = {}

-- ---- single commands ----------------------------------------------------

local function invalid(client, stage, mailbox, why, kind)
  return client:_error { kind = kind or "invalid", stage = stage, address = mailbox, message = why }
end

-- Queues MAIL or RCPT. Gives true; or false when replies must come first; or
-- nil and an error.
local function submit_path(client, verb, mailbox, params)
  local ok, why = client._core:submit_path(verb, mailbox, params)
  if ok then
    client._transcript:sent((verb == "MAIL" and "MAIL FROM:<" or "RCPT TO:<") .. mailbox .. ">")
    return true
  end
  if why == "busy" then return false end
  if why == "invalid" then
    return invalid(client, verb:lower(), mailbox, "not a mailbox or parameter that may be sent")
  end
  return client:_error { kind = "protocol", stage = verb:lower(), address = mailbox,
    message = "not possible at this point of the session" }
end

-- A mailbox as it goes out, and whether it needs SMTPUTF8.
local function wire(client, stage, mailbox)
  local sent, utf8, kind = address._wire(mailbox, client.capabilities.SMTPUTF8)
  if not sent then return invalid(client, stage, mailbox, utf8, kind) end
  return sent, utf8
end

local function single(client, verb, mailbox, params)
  local stage = verb:lower()
  local ok, err = submit_path(client, verb, mailbox, params)
  if not ok then return nil, err end
  local step, reply = client:_await()
  if not step then return nil, reply end
  if step == "unasked" then return client:_over(reply, stage) end
  if reply.code >= 300 then
    return client:_rejected(reply, stage, { address = mailbox })
  end
  return reply
end

local NOT_8BIT = "the content has 8-bit bytes and the server does not offer 8BITMIME"

local function not_8bit(client, stage)
  return client:_error { kind = "unsupported", stage = stage, message = NOT_8BIT }
end

-- Content that is at hand is looked at before it is announced.
local function check_8bit(client, source, stage)
  if client.capabilities["8BITMIME"] or not source.text or not core.eightbit(source.text) then
    return true
  end
  return not_8bit(client, stage)
end

-- Checks the fields, and gives the parameters.
local function make(client, stage, fields, mailbox)
  local list, why, kind = parameters[stage](client, fields)
  if not list then return invalid(client, stage, mailbox, why, kind) end
  return list
end

local function mailbox_of(value, verb)
  local mailbox = address.mailbox(value)
  if not mailbox then options.misuse(verb .. ": an address is needed") end
  return mailbox
end

function M.mail(client, value, given)
  local mailbox, utf8 = wire(client, "mail", mailbox_of(value, "mail"))
  if not mailbox then return nil, utf8 end
  local fields = {}
  for key, one in pairs(given or {}) do fields[key] = one end
  if fields.body == "8BITMIME" and not client.capabilities["8BITMIME"] then
    return not_8bit(client, "mail")
  end
  if utf8 then fields.smtputf8 = true end
  local params, err = make(client, "mail", fields, mailbox)
  if not params then return nil, err end
  if client._dirty then -- a send that failed
    local ok
    ok, err = client:reset()
    if not ok then return nil, err end
  end
  return single(client, "MAIL", mailbox, params)
end

function M.rcpt(client, value, given)
  local mailbox, utf8 = wire(client, "rcpt", mailbox_of(value, "rcpt"))
  if not mailbox then return nil, utf8 end
  local params, err = make(client, "rcpt", given or {}, mailbox)
  if not params then return nil, err end
  return single(client, "RCPT", mailbox, params)
end

-- ---- content ------------------------------------------------------------

-- All bytes that wait are written; a reply that comes first ends it: gives
-- true, or false and the early reply, or nil and an error.
local function write(client)
  local machine = client._core
  while machine:pending() > 0 do
    local step, reply, sentence, errname = machine:step()
    if step then
      client._transcript:reply(reply)
      return false, reply
    end
    local whole = machine:pending() == 0 and machine:awaits() == "final"
    if whole then client._outcome = "unknown" end -- until the reply is here
    if step == nil then
      return client:_failed(reply, sentence, errname, whole and "final" or "body")
    end
    if machine:pending() > 0 then
      local ok, err = client:_wait(reply, core.now() + client.target.timeout.block, "body")
      if not ok then return nil, err end
    end
  end
  return true
end

-- The server cannot be told that the rest will not come: only a close can.
local function give_up(client, fields)
  fields.stage, fields.outcome = "body", "not_sent"
  return client:_broken(fields)
end

local function push(client, chunk)
  local machine, first = client._core, 1
  while first <= #chunk do
    local taken, why = machine:body(chunk, first)
    if not taken then return give_up(client, { kind = "invalid", message = "content: " .. why }) end
    first = first + taken
    if first <= #chunk then
      local ok, reply = write(client)
      if not ok then return ok, reply end
    end
  end
  return true
end

-- Streams the content: true when all of it is queued, false and a reply that
-- refused it early, or nil and an error.
local function stream(client, source, progress)
  local sent = 0
  local eightbit_ok = client.capabilities["8BITMIME"]
  while true do
    local ok, chunk = pcall(source.read)
    if not ok then
      return give_up(client, { kind = "source", cause = chunk,
        message = "reading the message failed: " .. tostring(chunk) })
    end
    if chunk == nil then return true end
    if type(chunk) ~= "string" then
      return give_up(client, { kind = "source",
        message = "a chunk must be a string, not " .. type(chunk) })
    end
    if not source.text and not eightbit_ok and core.eightbit(chunk) then
      return give_up(client, { kind = "unsupported", message = NOT_8BIT })
    end
    local pushed, reply = push(client, chunk)
    if not pushed then return pushed, reply end
    sent = sent + #chunk
    if progress then progress(sent, source.size) end
  end
end

-- Content and final dot, after the 354. Gives the final reply and its step.
local function content(client, source, progress)
  client._outcome = "not_sent"
  local ok, reply = stream(client, source, progress)
  if ok == nil then return nil, reply end
  if ok == false then return client:_over(reply, "final") end
  client._core:finish()
  ok, reply = write(client)
  if ok == nil then return nil, reply end
  if ok == false then -- the final reply, or an early refusal, or a 421
    if client._core:usable() then return reply end
    return client:_over(reply, "final")
  end
  local step
  step, reply = client:_await()
  if not step then return nil, reply end
  client._outcome = "not_sent"
  if step ~= "final" then return client:_over(reply, "final") end
  return reply
end

function M.data(client, source)
  local reply, err = check_8bit(client, source, "data")
  if not reply then return nil, err end
  reply, err = client:_exchange("data", "DATA")
  if not reply then return nil, err end
  if reply.code >= 400 then return client:_rejected(reply, "data") end
  if not client._core:usable() and client._core:awaits() == "final" then
    local step, final = client:_await() -- nobody accepted: the machine ended it
    if not step then return nil, final end
    return client:_rejected(final, "final")
  end
  reply, err = content(client, source)
  if not reply then return nil, err end
  if reply.code >= 300 then return client:_rejected(reply, "final") end
  return reply
end

-- ---- a whole transaction ------------------------------------------------

-- So much content, and so much of a flight before it, fits the client's buffers.
local CHUNK_MAX, FLIGHT_MAX = 65536, 32768

local MENDS = { "[^\r]\n", "^\n", "\r[^\n]", "\r$", "[^\n]$" }

-- Reads all of a source, which is small, into its `text`: true, or nil and an error.
local function gather(client, source)
  local list = {}
  while not source.text do
    local ok, chunk = pcall(source.read)
    if not ok or chunk ~= nil and type(chunk) ~= "string" then
      return client:_error { kind = "source", stage = "mail", cause = chunk,
        message = ok and "a chunk must be a string, not " .. type(chunk)
          or "reading the message failed: " .. tostring(chunk) }
    end
    if chunk == nil then source.text = table.concat(list) end
    list[#list + 1] = chunk
  end
  return true
end

-- Whether the content goes as one chunk: it is small, and saves the round trip of DATA.
local function is_chunk(client, source)
  local capabilities = client.capabilities
  return capabilities.CHUNKING and capabilities.PIPELINING and source.size
    and source.size <= CHUNK_MAX
end

-- Text with CRLF for every line end.
local function mended(text)
  for _, pattern in ipairs(MENDS) do
    if text:find(pattern) then return line_ends.canonical(text) end
  end
  return text
end

local Transaction = {}
Transaction.__index = Transaction

-- Takes one reply in. Replies come in order, so that counting tells whose.
function Transaction:take()
  local step, reply = self.client:_await()
  if not step then return nil, reply end
  if step == "mail" then
    if reply.code >= 300 then self.mail_refused = reply end
  elseif step == "rcpt" then
    self.answered = self.answered + 1
    local mailbox = self.to[self.answered]
    if reply.code < 300 and not self.mail_refused then
      self.accepted[#self.accepted + 1] = mailbox
    elseif reply.code >= 300 then
      self.rejected[#self.rejected + 1] = {
        address = mailbox, code = reply.code, enhanced = reply.enhanced,
        text = reply.text, lines = reply.lines, temporary = reply.code < 500,
      }
    end
  elseif step == "data" then
    self.data_reply = reply
  elseif step == "unasked" then
    return self.client:_over(reply, "command")
  end
  if reply.code == 421 and step ~= "final" then
    return self.client:_over(reply, step == "rset" and "rset" or step)
  end
  return step, reply
end

-- Submits as soon as the replies that must come first are in.
function Transaction:path(verb, mailbox, params)
  while true do
    local ok, err = submit_path(self.client, verb, mailbox, params)
    if ok then return true end
    if err then return nil, err end
    ok, err = self:take()
    if not ok then return nil, err end
    if self.mail_refused then return false end
  end
end

-- Answers of the flight so far, if nothing but them can be waited for.
function Transaction:settle()
  while self.client._core:outstanding() > 0 do
    local step, err = self:take()
    if not step then return nil, err end
  end
  return true
end

-- DATA goes in the same flight where it may; else it is sent only if somebody
-- was accepted (RFC 2920 section 3.1, RFC 5321 section 3.3).
function Transaction:submit_data()
  local machine = self.client._core
  local ok, why = machine:submit("DATA")
  while not ok and why == "busy" do
    local step, err = self:take()
    if not step then return nil, err end
    if self.mail_refused then return true end
    if machine:outstanding() == 0 and #self.accepted == 0 then return true end
    ok, why = machine:submit("DATA")
  end
  if not ok then return self.client:_error { kind = "protocol", stage = "data", message = why } end
  self.client._transcript:sent("DATA")
  return true
end

-- The content as one chunk (RFC 3030) in the flight of the envelope: nobody waits for the
-- reply to DATA.
function Transaction:submit_chunk(text)
  local client, machine = self.client, self.client._core
  if machine:pending() > FLIGHT_MAX then
    local ok, err = self:settle()
    if not ok then return nil, err end
    if self.mail_refused or #self.accepted == 0 then return true end
  end
  local ok, why = machine:chunk(#text, true)
  if not ok then return client:_error { kind = "protocol", stage = "data", message = why } end
  client._transcript:sent(("BDAT %d LAST"):format(#text))
  client._flight = true
  local taken = machine:body(text)
  assert(taken == #text, "a flight is too large")
  if self.progress then self.progress(self.size, self.size) end
  local step, reply
  repeat
    step, reply = self:take()
    if not step then return nil, reply end
  until step == "final"
  client._flight = false
  self.final = reply
  return true
end

-- What an earlier failure left open is dropped in the same flight.
function Transaction:envelope(params)
  local client = self.client
  if client._dirty then
    local ok, err = client:_submit("rset", "RSET")
    if not ok then return nil, err end
    client._dirty = false
  end
  local ok, err = self:path("MAIL", self.sender, params)
  if ok == nil then return nil, err end
  for i, mailbox in ipairs(self.sent) do
    if self.mail_refused then break end
    ok, err = self:path("RCPT", mailbox, self.params[i])
    if ok == nil then return nil, err end
  end
  if self.mail_refused then return self:settle_envelope() end
  if self.chunk then return self:submit_chunk(self.chunk) end
  ok, err = self:submit_data()
  if not ok then return nil, err end
  return self:settle_envelope()
end

-- Waits for DATA's reply; the final one of a lone dot is left to the caller.
function Transaction:settle_envelope()
  local machine = self.client._core
  while machine:outstanding() > 0 and machine:awaits() ~= "final" do
    local step, err = self:take()
    if not step then return nil, err end
  end
  return true
end

function Transaction:refused()
  local client = self.client
  client._dirty = true
  if self.mail_refused then
    return client:_rejected(self.mail_refused, "mail", { address = self.from })
  end
  local first = self.rejected[1]
  if #self.accepted == 0 and first then
    local fields = { address = first.address, rejected = self.rejected }
    return client:_rejected(first, "rcpt", fields)
  end
  return client:_rejected(self.data_reply or self.final, self.final and "final" or "data")
end

function Transaction:receipt(reply)
  local client = self.client
  return {
    code = reply.code, enhanced = reply.enhanced, text = reply.text, lines = reply.lines,
    accepted = self.accepted, rejected = self.rejected,
    used = { pipelining = client.capabilities.PIPELINING ~= nil, chunking = self.final ~= nil,
      tls = client.tls and client.tls.version, auth = client._auth },
  }
end

-- The recipients as they go out and their parameters; whether one needs SMTPUTF8.
function Transaction:address_all(out)
  local any
  for i, mailbox in ipairs(self.to) do
    local sent, utf8 = wire(self.client, "rcpt", mailbox)
    if not sent then return nil, utf8 end
    self.sent[i], any = sent, any or utf8
    local given = out.given[i]
    if given then
      local params, err = make(self.client, "rcpt", given, mailbox)
      if not params then return nil, err end
      self.params[i] = params
    end
  end
  return true, any
end

-- What must hold before MAIL: the size and the kind of content that are
-- offered. Gives the parameters.
function Transaction:prepare(out)
  local client = self.client
  local from, limit = out.source, client.capabilities.SIZE
  if from.size and limit and limit > 0 and from.size > limit then
    return client:_error { kind = "too_big", stage = "mail",
      message = ("the message has %d bytes, the server takes %d"):format(from.size, limit) }
  end
  local ok, err = check_8bit(client, from, "mail")
  if not ok then return nil, err end
  local utf8, any
  self.sender, utf8 = wire(client, "mail", self.from)
  if not self.sender then return nil, utf8 end
  ok, any = self:address_all(out)
  if not ok then return nil, any end
  local fields = {}
  for key, value in pairs(out.mail or {}) do fields[key] = value end
  fields.size = from.size
  if not from.text or core.eightbit(from.text) then fields.body = "8BITMIME" end
  if utf8 or any then fields.smtputf8 = true end
  return make(client, "mail", fields, self.from)
end

--- Sends what `message.outgoing` made; see types/smtp/client.d.lua.
function M.send(client, out, opts)
  client._outcome = "not_sent"
  local self = setmetatable({
    client = client, from = out.from, to = out.to, sent = {}, params = {}, answered = 0,
    accepted = {}, rejected = {}, size = out.source.size,
    progress = opts.progress or client.target.progress,
  }, Transaction)
  local chunk, ok, err = is_chunk(client, out.source), nil, nil
  if chunk then ok, err = gather(client, out.source) end
  if chunk and not ok then return nil, err end
  local params
  params, err = self:prepare(out)
  if not params then return nil, err end
  self.chunk = chunk and mended(out.source.text)
  ok, err = self:envelope(params)
  client._flight = false
  if not ok then
    client._dirty = true
    return nil, err
  end
  if self.final then
    if self.final.code >= 300 or #self.accepted == 0 then return self:refused() end
    return self:receipt(self.final)
  end
  if not self.data_reply or self.data_reply.code >= 400 or #self.accepted == 0 then
    ok, err = self:settle() -- the lone dot has a reply as well
    if not ok then return nil, err end
    return self:refused()
  end
  local reply
  reply, err = content(client, out.source, self.progress)
  if not reply then
    if errors.is(err) then err.rejected = self.rejected end
    return nil, err
  end
  if reply.code >= 300 then return client:_rejected(reply, "final") end
  return self:receipt(reply)
end

return M
