-- SPDX-License-Identifier: MIT
--- Trace fields (RFC 5321 section 4.4): Received and Return-Path of a server's message,
-- and the text in front of a message that is sent or kept.
local core = require "smtp.core"
local date = require "smtp.base.date"
local errors = require "smtp.error"
local line_ends = require "smtp.message.line_ends"
local names = require "smtp.base.names"

local M = {}

-- A longer field is not taken for a Return-Path (a path has 256 bytes by RFC 5321 section
-- 4.5.3.1.3).
local HEAD = 4096

local RETURN_PATH = "return-path"

-- ---- the fields of a server's message ------------------------------------

-- The Received field of a message, by the message: each hop has one, so a second attempt
-- or a parsed copy carries the same line.
local lines = setmetatable({}, { __mode = "k" })

-- Messages by their readers, such as iterators over chunks.
local origins = setmetatable({}, { __mode = "k" })

-- A peer's name, safe in a header.
local function plain(name)
  return (name:gsub("[^%w%.%-_:%[%]]", "?"))
end

local function literal(ip)
  if not ip or ip == "" or ip:sub(1, 1) == "/" then return "localhost" end
  return names.literal(ip)
end

-- The protocol of the session (RFC 3848, RFC 6531 section 4.3).
local function with(message)
  local session = message.session
  if not session.esmtp then return "SMTP" end
  local utf8 = message.sender.smtputf8
  return (utf8 and "UTF8" or "") .. (session.lmtp and "LMTP" or utf8 and "SMTP" or "ESMTP")
    .. (session.tls and "S" or "") .. (session.user and "A" or "")
end

local function make(message)
  local session = message.session
  local only = #message.recipients == 1 and message.recipients[1].address
  only = only and (names.wire(only) or only) -- in ASCII, where it can be
  return ("Received: from %s (%s)\r\n\tby %s with %s id %s%s;\r\n\t%s\r\n"):format(
    plain(session.helo or "unknown"), literal(session.peer.address),
    session.server.hostname, with(message), message.id,
    only and ("\r\n\tfor <%s>"):format(only) or "", date.format(os.time()))
end

--- Makes `reader`, which reads the content of a server's message, count as this message.
function M.reads(reader, message)
  origins[reader] = message
  return reader
end

--- The Received field of a server's message, of its reader, or of its parsed copy; else nil.
function M.received(message)
  message = origins[message] or message
  if type(message) ~= "table" then return nil end
  local line = lines[message]
  if not line and message.streamed then
    line = make(message)
    lines[message] = line
  end
  return line
end

--- Makes `copy`, parsed from `message`, count as this message.
function M.follow(copy, message)
  lines[copy] = M.received(message)
end

function M.return_path(message)
  return ("Return-Path: <%s>\r\n"):format(message.sender.address)
end

-- ---- text in front of a message ------------------------------------------

-- The reason why a line may not stand in a header. The `first` line continues no other.
local function objection(line, first)
  if #line > line_ends.MAX then return "has a line of more than 998 bytes" end
  if line:find("[%z\1-\8\10-\31\127]") then return "has a control character" end
  if line:find("^[!-9;-~]+:") then return nil end
  if not first and line:find("^[ \t]+[^ \t]") then return nil end
  return "has a line that is no header field"
end

-- The reason why a text is not whole header fields, each line with its CRLF; or nil.
local function problem_of(text)
  local read = 0
  for line in text:gmatch("([^\r\n]*)\r\n") do
    local why = objection(line, read == 0)
    if why then return why end
    read = read + #line + 2
  end
  if read ~= #text then return "needs CRLF, and nothing else, at the end of each line" end
  if not utf8.len(text) then return "is not UTF-8" end
end

local function checked(prepend, stage)
  local why = prepend and problem_of(prepend)
  if not why then return prepend or "" end
  return nil, errors.new { kind = "invalid", stage = stage, outcome = stage == "mail" and "not_sent"
    or nil, message = "prepend " .. why }
end

-- Whether a Received is of this hop, as `line` is: of our host, or with our id.
local function is_ours(field, line)
  for _, clause in ipairs { "%sby%s+([^%s;]+)", "%sid%s+([^%s;]+)" } do
    local own, given = line:match(clause), field:match(clause)
    if own and given and own:lower() == given:lower() then return true end
  end
  return false
end

-- Splits header fields: the Return-Paths, all others, and whether one is a Received of ours.
local function split(text, line)
  local paths, others, has_ours = {}, {}, false
  for name, first, last in core.fields(text) do
    local field, list = text:sub(first, last), name == RETURN_PATH and paths or others
    list[#list + 1] = field
    has_ours = has_ours or line ~= nil and name == "received" and is_ours(field, line)
  end
  return table.concat(paths), table.concat(others), has_ours
end

--- The text in front of a message that is passed on: Received, if it came to a server of ours and
-- `options.received` is not false, and `options.prepend`. A Return-Path is left out: only the
-- final delivery adds it. Or nil and an error.
function M.to_send(message, options)
  if not options.prepend then return options.received ~= false and M.received(message) or "" end
  local prepend, err = checked(options.prepend, "mail")
  if not prepend then return nil, err end
  local line = options.received ~= false and M.received(message) or nil
  local _, others, has_ours = split(prepend, line)
  return (has_ours and "" or line or "") .. others
end

--- The text in front of a message that is kept: `options.prepend`, with `options.trace` also
-- Return-Path and Received in front of it. Nil and an error.
function M.to_keep(message, options)
  local prepend, err = checked(options.prepend, "save")
  if not prepend or not options.trace then return prepend, err end
  local line = M.received(message)
  local paths, others, has_ours = split(prepend, line)
  return (paths ~= "" and paths or M.return_path(message)) .. (has_ours and "" or line) .. others
end

-- ---- a Return-Path at the top --------------------------------------------

--- The number of bytes of the Return-Path fields at the start of a message. Nil: `text` is too
-- short to decide, unless it is the `whole`.
function M.return_path_size(text, whole)
  if text:find("^[^Rr]") then return 0 end
  local at = 1
  while true do
    if at > HEAD then return at - 1 end
    local name = text:sub(at, at + #RETURN_PATH - 1):lower()
    if name ~= RETURN_PATH then
      if whole or name ~= RETURN_PATH:sub(1, #name) then return at - 1 end
      return nil
    end
    local colon = text:match("^[ \t]*():", at + #RETURN_PATH)
    if not colon then
      if whole or text:find("^[ \t]*[^ \t]", at + #RETURN_PATH) then return at - 1 end
      return nil
    end
    local stop = text:find("\n[^ \t]", colon)
    if not stop and whole then return #text end
    if not stop then return #text - at >= HEAD and at - 1 or nil end
    at = stop + 1
  end
end

return M
