-- SPDX-License-Identifier: MIT
--- `smtp.message`: makes a message (RFC 5322) of a record. The message is valid by construction,
-- in a fixed order, and of known size before a byte is sent. Files are read during sending. The
-- record is not changed.
local composed = require "smtp.message.composed"
local core = require "smtp.core"
local date = require "smtp.base.date"
local dkim = require "smtp.message.dkim"
local names = require "smtp.base.names"
local options = require "smtp.base.options"
local own_field = require "smtp.message.own_field"
local parse = require "smtp.message.parse"
local parse_record = require "smtp.message.parse.record"
local part = require "smtp.message.part"
local raise = require "smtp.message.record_error"
local reader = require "smtp.base.reader"
local recipients = require "smtp.message.recipients"
local rewindable = require "smtp.base.rewindable"

local M = {}

local SPEC = {
  from = "string table", sender = "string table", to = "string table", cc = "string table",
  bcc = "string table", reply_to = "string table", subject = "string", date = "number",
  message_id = "string", in_reply_to = "string table", references = "string table",
  text = "string", html = "string", part = "table", attachments = "table",
  calendar = "string table", list = "table", headers = "table", envelope = "table",
  seed = "string number", dkim = "table", mail = "table",
}

-- Fields that the record has keys for, or that are made here.
local OWN = {}
for name in ([[from sender to cc bcc reply-to subject date message-id in-reply-to references
  mime-version content-type content-transfer-encoding content-disposition content-id
  content-description return-path]]):gmatch("%S+") do OWN[name] = true end

local MAILBOXES = { "from", "sender", "reply_to", "to", "cc", "bcc" }
local RECIPIENTS = { "to", "cc", "bcc" }
local NOBODY = {}

-- ---- chance ----------------------------------------------------------------

-- A function that gives n characters: random ones, or with a seed ones that depend on the seed
-- and the record, so that two messages of one seed have two ids.
local function random_of(record)
  if record.seed == nil then return core.random_digits end
  local hex, state = "0123456789abcdef", 1469598103934665603
  local all = ("%s\0%s\0%s\0%s"):format(record.seed, record.date, record.subject, record.text)
  for c in all:gmatch(".") do state = (state ~ c:byte()) * 1099511628211 end
  return function(n)
    local out = {}
    for i = 1, n do
      state = state * 6364136223846793005 + 1442695040888963407
      local at = (state >> 33) % 16 + 1
      out[i] = hex:sub(at, at)
    end
    return table.concat(out)
  end
end

-- ---- fields ----------------------------------------------------------------

local function add_addresses(out, name, list, what)
  if #list == 0 then return end
  out[#out + 1] = part.field(what, name, recipients.pieces(list))
end

-- The domain of an id may have non-ASCII letters.
local function message_id(text)
  local id = text:match("^<(.*)>$") or text
  id = names.mailbox(id) or id
  if id:find("[%s<>%c\x80-\xff]") or not id:find("^.+@.+$") then
    raise.fail("message_id", ('"%s" is no message id'):format(text))
  end
  return "<" .. id .. ">"
end

-- The ids of other messages, which may lack the "@" of RFC 5322 section 3.6.4. A non-ASCII
-- id (RFC 6532 section 3.3) stays in a UTF-8 header, and is left out of an ASCII header: a
-- message outside its thread is better than no message.
local function id_field(out, name, value, what)
  if value == nil then return end
  if type(value) == "string" then value = { value } end
  local in_utf8 = core.eightbit(table.concat(out))
  local pieces = {}
  for _, one in ipairs(options.list("message: " .. what, value)) do
    if type(one) ~= "string" then raise.fail(what, "must be message ids") end
    if not utf8.len(one) then raise.fail(what, "is not UTF-8") end
    if one:gsub("\t", " "):find("%c") then raise.fail(what, "has a control character") end
    for text in one:gmatch("%S+") do
      local id = text:match("^<(.*)>$") or text
      if id == "" or id:find("[<>]") then
        raise.fail(what, ('"%s" is no message id'):format(text))
      end
      if not id:find("[\x80-\xff]") or in_utf8 then
        pieces[#pieces + 1] = "mailbox"
        pieces[#pieces + 1] = "<" .. id .. ">"
      end
    end
  end
  if #pieces > 0 then out[#out + 1] = part.field(what, name, pieces) end
end

local function urls(what, value)
  if type(value) == "string" then value = { value } end
  if #options.list("message: " .. what, value) == 0 then raise.fail(what, "has no URL") end
  local pieces = {}
  for i, url in ipairs(value) do
    if type(url) ~= "string" or not url:find("^%a[%w+.-]*:[^%s<>%c\x80-\xff]+$") then
      raise.fail(what, ('"%s" is no URL'):format(tostring(url)))
    end
    pieces[#pieces + 1] = "token"
    pieces[#pieces + 1] = "<" .. url .. ">" .. (i < #value and "," or "")
  end
  return pieces
end

local LIST = { { "help", "List-Help" }, { "unsubscribe", "List-Unsubscribe" },
  { "subscribe", "List-Subscribe" }, { "post", "List-Post" }, { "owner", "List-Owner" },
  { "archive", "List-Archive" } }

-- RFC 2369, RFC 2919, RFC 8058.
local function list_fields(out, list)
  if not list then return end
  options.check("message: list", list, { id = "string", unsubscribe = "string table",
    one_click = "boolean", subscribe = "string table", help = "string table",
    post = "string table", owner = "string table", archive = "string table" })
  if list.id then
    if not list.id:find("^[%w%.%-_]+$") then
      raise.fail("list.id", ('"%s" is no list id'):format(list.id))
    end
    out[#out + 1] = part.field("list.id", "List-Id", { "token", "<" .. list.id .. ">" })
  end
  for _, pair in ipairs(LIST) do
    local value = list[pair[1]]
    if value then
      local what = "list." .. pair[1]
      out[#out + 1] = part.field(what, pair[2], urls(what, value))
    end
  end
  if list.one_click then
    local given = list.unsubscribe
    local text = " " .. (type(given) == "table" and table.concat(given, " ") or given or "")
    if not text:lower():find(" https://", 1, true) then
      raise.fail("list.one_click", "needs an https URL in unsubscribe")
    end
    out[#out + 1] = part.field("list", "List-Unsubscribe-Post",
      { "token", "List-Unsubscribe=One-Click" })
  end
end

-- An array of { name, value }, or a table by name, which is sorted; several values of a
-- name are several fields.
local function pairs_of(headers)
  local list, keys = {}, {}
  local function add(name, value)
    if type(name) ~= "string" then raise.fail("headers", "must be pairs of name and value") end
    if type(value) ~= "table" then value = { value } end
    for _, one in ipairs(options.list("message: headers", value)) do
      if type(one) ~= "string" then
        raise.fail("headers", ('"%s" must have a string'):format(name))
      end
      list[#list + 1] = { name, one }
    end
    if #value == 0 then raise.fail("headers", ('"%s" has no value'):format(name)) end
  end
  local named = {}
  for key, value in pairs(headers) do
    if type(key) == "string" then keys[#keys + 1] = key else named[key] = value end
  end
  for _, one in ipairs(options.list("message: headers", named)) do
    if type(one) ~= "table" then raise.fail("headers", "must be pairs of name and value") end
    add(one.name or one[1], one.value or one[2])
  end
  table.sort(keys)
  for _, name in ipairs(keys) do add(name, headers[name]) end
  return list
end

-- Each field of a list may stand once (RFC 2369 section 2).
local function own_headers(out, headers)
  if not headers then return end
  local seen = {}
  for _, text in ipairs(out) do seen[text:match("^[^:]+"):lower()] = true end
  for _, pair in ipairs(pairs_of(headers)) do
    local name, value = pair[1], pair[2]
    if not name:find("^[!-9;-~]+$") then -- RFC 5322 section 3.6.8
      raise.fail("headers", ('"%s" is no name'):format(name))
    end
    local lower = name:lower()
    if OWN[lower] then
      raise.fail("headers", name .. " is made of the record, not given as a header")
    end
    if seen[lower] and lower:find("^list%-") then
      raise.fail("headers", name .. " would stand there twice")
    end
    seen[lower] = true
    out[#out + 1] = part.field("headers " .. name, name, own_field.pieces(name, value))
  end
end

-- ---- structure -------------------------------------------------------------

local function multipart(kind, list)
  if #list == 1 then return list[1] end
  return part.new { type = "multipart/" .. kind, parts = list }
end

local function text_part(what, kind, text, params)
  if not utf8.len(text) then raise.fail(what, "is not UTF-8") end
  if text:find("\0") then raise.fail(what, "has a NUL") end
  return part.text(kind, text, params)
end

local function calendar_part(calendar)
  if type(calendar) == "string" then calendar = { content = calendar } end
  options.check("message: calendar", calendar, { content = "string", method = "string" })
  if not calendar.content then raise.fail("calendar", "has no content") end
  local said = ("\n" .. calendar.content):match("[\r\n]METHOD:(%a[%a-]*)")
  local method = calendar.method or said or "REQUEST"
  if not method:find("^%a[%a-]*$") then raise.fail("calendar.method", "is no method") end
  if said and said:upper() ~= method:upper() then -- RFC 6047 section 2.4
    raise.fail("calendar.method", ("is %s, and the content's is %s"):format(method, said))
  end
  return text_part("calendar", "calendar", calendar.content, { { "method", method } })
end

local function attachments(given)
  local list = {}
  if not given then return list end
  for i, one in ipairs(options.list("message: attachments", given)) do
    list[i] = part.attachment(one, ("message: attachments[%d]"):format(i))
  end
  return list
end

-- Text and HTML are alternatives, inline parts belong to the HTML, all others are mixed.
local function structure(record)
  if record.part then
    if not part.is(record.part) then options.misuse("message: part must be made by smtp.part") end
    for _, key in ipairs { "text", "html", "calendar", "attachments" } do
      if record[key] then options.misuse("message: part is all there is, no " .. key) end
    end
    return record.part
  end
  if not (record.html or record.calendar or record.attachments) then
    return text_part("text", "plain", record.text or "")
  end
  local related, mixed, bodies = {}, {}, {}
  for _, one in ipairs(attachments(record.attachments)) do
    table.insert(part.cid(one) and record.html and related or mixed, one)
  end
  if record.text or not record.html then
    bodies[1] = text_part("text", "plain", record.text or "")
  end
  if record.html then
    table.insert(related, 1, text_part("html", "html", record.html))
    bodies[#bodies + 1] = multipart("related", related)
  end
  if record.calendar then bodies[#bodies + 1] = calendar_part(record.calendar) end
  table.insert(mixed, 1, multipart("alternative", bodies))
  return multipart("mixed", mixed)
end

-- ---- the message -----------------------------------------------------------

local function header(record, lists, random)
  local out = {}
  local time = date.whole(record.date or os.time()) or raise.fail("date", "is no time")
  out[1] = "Date: " .. date.format(time) .. "\r\n"
  add_addresses(out, "From", lists.from, "from")
  add_addresses(out, "Sender", lists.sender, "sender")
  add_addresses(out, "Reply-To", lists.reply_to, "reply_to")
  add_addresses(out, "To", lists.to, "to")
  add_addresses(out, "Cc", lists.cc, "cc")
  if record.subject then
    out[#out + 1] = part.field("subject", "Subject", { "text", record.subject })
  end
  local id = record.message_id
  if not id then
    local domain = lists.from[1].address:match("@([^@]+)$")
    if not domain or domain:find("^%[") then domain = "localhost" end
    id = random(24) .. "@" .. domain
    id = core.eightbit(id) and message_id(id) or "<" .. id .. ">"
  else
    id = message_id(id)
  end
  out[#out + 1] = part.field("message_id", "Message-ID", { "token", id })
  id_field(out, "In-Reply-To", record.in_reply_to, "in_reply_to")
  id_field(out, "References", record.references, "references")
  list_fields(out, record.list)
  own_headers(out, record.headers)
  out[#out + 1] = "MIME-Version: 1.0\r\n"
  return table.concat(out), id
end

-- A copy of the user's envelope; sending checks it.
local function given_envelope(given)
  options.check("message: envelope", given, { from = "string table", to = "string table" })
  local to = given.to
  if type(to) == "table" and not to.address then to = table.move(to, 1, #to, 1, {}) end
  return { from = given.from, to = to }
end

local function envelope(record, lists)
  if record.envelope then return given_envelope(record.envelope) end
  local all, to, seen = {}, {}, {}
  for i = 1, #RECIPIENTS do recipients.flatten(lists[RECIPIENTS[i]], all) end
  for i = 1, #all do
    local one = all[i]
    local mailbox = #all > 1 and one:gsub("@[^@]*$", string.lower) or one
    if not seen[mailbox] then
      seen[mailbox] = true
      to[#to + 1] = one
    end
  end
  local from = lists.sender[1] or lists.from[1]
  return { from = from.address, to = to }
end

local function signer_of(given)
  if not given then return nil end
  local signer, err = dkim.new(given)
  if not signer then raise.fail("dkim", (err.message:gsub("^dkim: ", ""))) end
  return signer
end

-- Segments with a signature before them; or nil and an error. The signature reads the
-- segments; a segment that can be read only once is kept in a file.
local function signed(segments, once, signer)
  local unsigned = { repeatable = not once,
    chunks = function() return composed.chunks_of(segments) end }
  local kept, err = rewindable.new(reader.of(unsigned))
  if not kept then return nil, err end
  local fields, why = signer:sign(unsigned, kept:open())
  if not fields then
    why.outcome = "not_sent"
    return nil, why
  end
  if once then
    segments = { { size = kept.size, chunks = function() return kept:open().read end } }
  end
  return table.move(segments, 1, #segments, 2, { fields })
end

-- The size of segments, nil if it is not known, and whether they can be read only once.
local function measure(segments)
  local size, once = 0, false
  for i = 1, #segments do
    local segment = segments[i]
    local is_text = type(segment) == "string"
    local n = is_text and #segment or segment.size
    size = size and n and size + n
    once = once or not is_text and segment.once or false
  end
  return size or nil, once
end

local function compose(record)
  local lists = {}
  for i = 1, #MAILBOXES do
    local key, list, why = MAILBOXES[i], NOBODY, nil
    if record[key] ~= nil then list, why = recipients.list(record[key]) end
    if not list then raise.fail(key, why) end
    lists[key] = list
  end
  if #lists.from == 0 then
    raise.fail("from", record.envelope and "is missing, as is raw, which is content that is made"
      or "is missing")
  end
  for i = 1, #lists.from do
    if lists.from[i].group then raise.fail("from", "has a group, and must be mailboxes") end
  end
  if #lists.sender > 1 or lists.sender[1] and lists.sender[1].group then
    raise.fail("sender", "must be one mailbox")
  end
  if #lists.from > 1 and #lists.sender == 0 then
    raise.fail("sender", "is needed where from has several addresses")
  end
  local random = random_of(record)
  local text, id = header(record, lists, random)
  local segments = { text }
  local eightbit = part.flatten(structure(record), random, segments)
  local size, once = measure(segments)
  local signer = signer_of(record.dkim)
  if signer then
    local err
    segments, err = signed(segments, once, signer)
    if not segments then return nil, err end
    size, once = measure(segments), false
  end
  return composed.new { envelope = envelope(record, lists), id = id, size = size,
    segments = segments, repeatable = not once, eightbit = eightbit,
    utf8 = core.eightbit(text), dkim = signer, mail = record.mail }
end

--- Makes a message of a record; see `smtp.message`.
function M.message(record)
  if parse.is(record) then record = parse_record.of(record) end
  options.check("message", record, SPEC)
  return raise.guard("message", compose, record)
end

M.part = part.new

return M
