-- SPDX-License-Identifier: MIT
--- The message for a server's handler. The handler pulls it: bytes are read from the peer only when
-- the handler asks, so memory stays bounded and a slow handler slows its sender. Reading raises if
-- the client vanishes, breaks the framing or passes a limit: an incomplete message cannot be
-- mistaken for a whole one.
local core = require "smtp.core"
local errors = require "smtp.error"
local loop = require "smtp.loop"
local next_hop = require "smtp.server.next_hop"
local options = require "smtp.base.options"
local recipient_replies = require "smtp.server.recipient_replies"
local trace_fields = require "smtp.message.trace_fields"

local Message = {
  streamed = true, -- `size` is what was read so far
}

-- Fields that are made at their first use; most handlers do not need them.
local lazy = {}

-- Fields of a parsed message. This one was not read: nil would look like an empty field.
local PARSED = {}
for name in ([[from to cc bcc reply_to subject date time message_id in_reply_to references headers
  type params parts content encoding text html attachments report raw truncated]])
  :gmatch("%S+") do
  PARSED[name] = true
end

local meta = {
  __name = "smtp.incoming",
  __index = function(message, key)
    local method = Message[key]
    if method then return method end
    local make = lazy[key]
    if not make then
      if not PARSED[key] then return nil end
      options.misuse(("message.%s: the content is not parsed; smtp.parse(message).%s has it")
        :format(key, key))
    end
    local value = make(message)
    message[key] = value
    return value
  end,
}

local M = {}

local count = 0 -- of ids

-- Unique within the process and, with its number and the time, beyond it: workers
-- were forked with the same count.
function lazy.id()
  count = count + 1
  return ("%x%06x%06x"):format(os.time() * 1000, core.pid(), count % 0x1000000)
end

-- The fields for `smtp.send`.
lazy.envelope, lazy.mail = next_hop.envelope, next_hop.mail

function M.new(session)
  return setmetatable({
    session = session, sender = session.sender, recipients = session.recipients, size = 0,
    since = loop.time,
    touched = false, ended = false, unkept = false,
    tail = false, -- what was read and not given: { text, at }
    head = false, -- its header, once its handler has returned
    why = false, -- it is not whole: the reason
    gone = false, -- "reset" or "closed": nobody waits for what is said of it
    due = 1, answers = false, -- replies that the client waits for, and what was said of some
    held = false, -- absent fields would go through __index
  }, meta)
end

local function fail(message, text)
  error(errors.new { kind = message.gone and "closed" or "rejected", stage = "body",
    message = text, peer = message.session.peer.address }, 0)
end

--- Notes the facts of an event about the message; gives whether content came.
local function note(message, event, a, why, eightbit, due)
  if event == "body" then
    message.size = message.size + a
    return true
  end
  message.ended = true
  if event == "message" then
    message.eightbit, message.why, message.due = eightbit, why or false, due or 1
  elseif event == "reset" then -- between two chunks
    message.gone, message.why = "reset", "the client gave the message up"
  else
    message.gone, message.why = "closed", "the client went away: " .. tostring(a)
  end
  return false
end

--- Notes the event that began the content, if there was no handler for DATA.
function M.first(message, ...)
  message.held = note(message, ...)
end

-- Whether this message is over: the session has another message, or none.
local function is_over(message)
  local session = message.session
  return not session:is_open() or session.recipients ~= message.recipients
end

local function check_over(message)
  if is_over(message) then error("the message is over: its handler has returned", 0) end
end

-- Moves to the next slice of content, which the machine then holds: true, or
-- false at the end. The time of a slow peer is not the handler's.
local function advance(message)
  check_over(message)
  message.touched = true
  if message.held then
    message.held = false
    return true
  end
  if not message.ended then
    if note(message, message.session:next_content()) then return true end
  end
  if message.why then fail(message, message.why) end
  return false
end

-- The next bytes, at most `max`: the rest of the last chunk comes first.
local function pull(message, max)
  local tail = message.tail
  if not tail or tail.at > #tail.text then
    local text = advance(message) and message.session:content() or nil
    if not text or not max or #text <= max then return text end
    tail = { text = text, at = 1 }
    message.tail = tail
  end
  local text, at = tail.text, tail.at
  local last = max and at + max - 1 or #text
  tail.at = last + 1
  if tail.at > #text then tail.text, tail.at = "", 1 end
  return text:sub(at, last)
end

--- With `max`: at most so many bytes, nil at the end. Without: all of it.
function Message:read(max)
  if max then
    if (options.integer(max) or -1) < 0 then
      options.misuse("read: max must be a whole number of bytes")
    end
    return pull(self, max)
  end
  local chunks = {}
  for chunk in function() return pull(self) end do chunks[#chunks + 1] = chunk end
  return table.concat(chunks)
end

--- An iterator over the content, in pieces as they come or of `size` bytes.
function Message:chunks(size)
  if size == nil then
    return trace_fields.reads(function() return pull(self) end, self)
  end
  if (options.integer(size) or 0) < 1 then -- of 0, nothing would be read
    options.misuse("chunks: size must be a whole number above 0")
  end
  return trace_fields.reads(function()
    local parts, n = {}, 0
    while n < size do
      local chunk = self:read(size - n)
      if not chunk then break end
      parts[#parts + 1] = chunk
      n = n + #chunk
    end
    return n > 0 and table.concat(parts) or nil
  end, self)
end

--- An iterator over the lines, without their CRLF.
function Message:lines()
  local tail = { text = "", at = 1 } -- of a slice; a later read gets it first
  local begun, n = {}, 0 -- pieces of a line that is longer than one slice
  local function line(piece)
    n = n + 1
    begun[n] = piece
    local whole = n == 1 and piece or table.concat(begun, "", 1, n)
    n = 0
    return whole
  end
  return function()
    while true do
      local held, at = tail.text, tail.at
      local from, to = held:find("\r\n", at, true)
      if from then
        tail.at = to + 1
        return line(held:sub(at, from - 1))
      end
      -- Its last CR may belong to a CRLF: it is looked at with the next slice.
      local last = #held >= at and held:sub(-1) == "\r" and "\r" or ""
      if at <= #held - #last then
        n = n + 1
        begun[n] = held:sub(at, -1 - #last)
      end
      tail.text, tail.at = "", 1
      local chunk = pull(self)
      self.tail = tail
      tail.text = last .. (chunk or "")
      if not chunk then
        if n == 0 and last == "" then return nil end
        tail.text = ""
        return line(last)
      end
    end
  end
end

--- The header as text, before, during and after the reading of the content. Bytes read for
-- the header are read again with the content.
function Message:header()
  if self.head then return self.head end
  check_over(self)
  local session, touched, parts = self.session, self.touched, {}
  local text, whole = session:header()
  while not whole do
    local chunk = pull(self)
    if not chunk then break end
    parts[#parts + 1] = chunk
    text, whole = session:header()
  end
  if parts[1] then self.tail, self.touched = { text = table.concat(parts), at = 1 }, touched end
  if self.why then fail(self, self.why) end
  return text
end

--- The handler has returned: the rest of the content is read and dropped. Gives whether the
-- handler had read all of it. The header of a read message stays, for a bounce.
function M.finish(message)
  if message.touched then message.head = message.session:header() end
  local whole = message.touched and message.ended and not message.why
  while not message.ended do note(message, message.session:next_event()) end
  return whole
end

--- Reads the rest and drops it.
function Message:skip()
  self.tail = false
  while advance(self) do end
end

-- ---- answering it --------------------------------------------------------

--- Sets the reply for one recipient, in place of the handler's verdict.
function Message:reply(recipient, code, text)
  code = options.integer(code)
  if not code or text ~= nil and type(text) ~= "string" then
    options.misuse("reply: a code and perhaps a text are needed")
  end
  if is_over(self) then
    options.misuse("reply: the message is over: its handler has returned")
  end
  if not recipient_replies.answer(self, recipient, code, text) then
    options.misuse("reply: this is no recipient of the message")
  end
end

-- ---- keeping it ----------------------------------------------------------

local function save_error(self, path, why, errname)
  self.unkept = true
  return nil, errors.new { kind = "system", stage = "save", message = why, cause = errname,
    address = nil, peer = path }
end

-- Writes the content, with `bare` without the Return-Path at its top: true, or nil and the reason.
local function write_content(self, spool, bare)
  local session = self.session
  local begun = self.tail and pull(self) or "" -- `header` has read ahead
  local size = bare and trace_fields.return_path_size(begun) or not bare and 0 or nil
  while not size and advance(self) do
    begun = begun .. session:content()
    size = trace_fields.return_path_size(begun)
  end
  size = size or trace_fields.return_path_size(begun, true)
  local ok, why, errname = spool:write(begun:sub(size + 1))
  while ok and advance(self) do ok, why, errname = session:content_to(spool) end
  return ok, why, errname
end

-- Writes `front` and the content to the temporary file, makes it durable, and gives it its name. On
-- failure the file is removed. `made`: so many folders above may be new.
local function store(self, temporary, path, front, bare, made)
  if self.touched then options.misuse("save: the content was read already") end
  local spool <close>, why, errname = core.spool(temporary)
  if not spool then return save_error(self, path, why, errname) end
  local ok
  ok, why, errname = spool:write(front)
  if ok then ok, why, errname = write_content(self, spool, bare) end
  if not ok then return save_error(self, path, why, errname) end
  local job <close>, message, name = spool:commit(path, false, made)
  if not job then return save_error(self, path, message, name) end
  ok, why, errname = job:result()
  while ok == false do
    loop.wait(job, "r")
    ok, why, errname = job:result()
  end
  loop.forget(job)
  if not ok then return save_error(self, path, why, errname) end
  return true
end

local OPTIONS = { prepend = "string", trace = "boolean" }

-- Checks path and options; gives the text in front of the content, and whether it has trace fields.
local function front_of(self, method, path, given, trace)
  if type(path) ~= "string" then options.misuse(method .. ": a path is needed") end
  given = options.check(method .. ": options", given or {}, OPTIONS)
  if given.trace ~= nil then trace = given.trace end
  local front, err = trace_fields.to_keep(self, { prepend = given.prepend, trace = trace })
  if front then return front, trace end
  self.unkept, err.peer = true, path
  return nil, err
end

--- Stores the content at `path`, durably; see types/smtp/incoming.d.lua. An existing file
-- is not overwritten.
function Message:save(path, how)
  local front, trace = front_of(self, "save", path, how, false)
  if not front then return nil, trace end
  local folder, name = path:match("^(.*/)([^/]+)$")
  if not folder then folder, name = "", path end
  return store(self, folder .. "." .. name .. ".XXXXXX", path, front, trace)
end

-- Maildirs whose folders this process knows to be durable.
local durable = {}

--- Delivers to a Maildir, which is made if it is missing: tmp, then new.
function Message:maildir(path, how)
  local front, trace = front_of(self, "maildir", path, how, true)
  if not front then return nil, trace end
  for _, folder in ipairs { path, path .. "/tmp", path .. "/new", path .. "/cur" } do
    local made, why, errname = core.mkdir(folder)
    if made == nil then return save_error(self, folder, why, errname) end
    if made then durable[path] = nil end
  end
  local name = ("%d.%s.%s"):format(os.time(), self.id, self.session.server.hostname)
  local ok, err = store(self, path .. "/tmp/" .. name .. ".XXXXXX", path .. "/new/" .. name,
    front, trace, durable[path] and 0 or 2)
  if ok then durable[path] = true end
  return ok, err
end

-- ---- trace fields --------------------------------------------------------

--- The Received field of this message (RFC 5321 section 4.4), with CRLF. Each call returns the same
-- line.
function Message:received()
  return trace_fields.received(self)
end

--- The Return-Path field, for the final delivery.
function Message:return_path()
  return trace_fields.return_path(self)
end

return M
