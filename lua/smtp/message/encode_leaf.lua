-- SPDX-License-Identifier: MIT
--- The content of a part for sending: a string, a file or a function, in a fitting encoding. It
-- becomes a segment: a string, or `{ size =, chunks = }`. A file is read during sending, and is
-- never in memory as a whole.
local core = require "smtp.core"
local line_ends = require "smtp.message.line_ends"
local raise = require "smtp.message.record_error"

local M = {}

local CHUNK = 57 * 1024 -- of whole lines of base64

-- ---- where it comes from ---------------------------------------------------

-- Each function gives `{ size = n | nil, once = boolean | nil, open = function }`. `open()`
-- gives a reader of chunks. With `once`, also a segment's, it may be called only once.

local function of_string(text)
  return { size = #text, open = function()
    local given = false
    return function()
      if given then return nil end
      given = true
      return text
    end
  end }
end

-- A file must not change between its measure and its sending, or SIZE would be wrong.
local function of_path(path)
  if path:find("\0", 1, true) then raise.fail("path", "has a NUL") end
  local size, mark, cause = core.file_mark(path)
  if cause == "EINVAL" then mark = path .. ": " .. mark end
  if not size then raise.fail("attachments", mark, cause) end
  local probe, why = io.open(path, "rb")
  if not probe then raise.fail("attachments", why, "EACCES") end
  probe:close()
  local function check(n)
    local _, now = core.file_mark(path)
    if n ~= size or now ~= mark then error(path .. " has changed while it was sent", 0) end
  end
  return { size = size, open = function()
    local file, gone = io.open(path, "rb")
    if not file then error(gone, 0) end
    local n = 0
    return function()
      local chunk, problem = file:read(CHUNK)
      if problem then error(problem, 0) end
      n = n + #(chunk or "")
      if not chunk then file:close() end
      if not chunk or n > size then check(n) end
      return chunk
    end
  end }
end

local function of_function(source, size)
  local opened = false
  return { size = size, once = true, open = function()
    if opened then error("a source can be read once", 0) end
    opened = true
    local n = 0
    return function()
      local chunk = source()
      if chunk ~= nil and type(chunk) ~= "string" then
        error("the source of a part must give strings", 0)
      end
      n = n + #(chunk or "")
      if size and (n > size or not chunk and n < size) then
        error(("a source gave %d bytes, not the %d of its size"):format(n, size), 0)
      end
      return chunk
    end
  end }
end

-- ---- what it becomes -------------------------------------------------------

local function base64(text)
  return core.base64_encoder():finish(text)
end

local function base64_of(from)
  local size = from.size and core.base64_size(from.size)
  return { size = size, once = from.once, chunks = function()
    local read, encoder, ended = from.open(), core.base64_encoder(), false
    return function()
      while not ended do
        local chunk = read()
        ended = chunk == nil
        local out = ended and encoder:finish() or encoder:feed(chunk)
        if out ~= "" then return out end
      end
    end
  end }
end

local function text_of(text)
  local encoding = core.encoding(text)
  if encoding == "7bit" then return core.canonical(text), encoding end
  if encoding == "quoted-printable" then return core.qp(text), encoding end
  return base64(core.canonical(text)), encoding
end

-- Reads all chunks before they are sent.
local function look(chunks, see)
  local ok, why = pcall(function()
    for chunk in chunks do
      if see(chunk) then return end
    end
  end)
  if not ok then raise.fail("content", "cannot be sent: " .. tostring(why)) end
end

-- Content without an encoding, which RFC 2046 section 5.2.1 requires for messages in messages. A
-- function cannot be read before. A boundary must not occur in `text`.
local function plain_of(from, text)
  local segment = { text = text, once = from.once,
    chunks = function() return line_ends.strict(from.open()) end }
  if from.once then return segment, "8bit" end
  local size, eightbit = 0, false
  look(segment.chunks(), function(chunk)
    size = size + #chunk
    eightbit = eightbit or core.eightbit(chunk)
  end)
  segment.size = size
  return segment, eightbit and "8bit" or "7bit"
end

-- Whether all of a file is UTF-8, wherever its chunks are cut.
local function is_utf8(from)
  local rest, good = "", true
  look(from.open(), function(chunk)
    local text = rest .. chunk
    local ok, at = utf8.len(text)
    rest = ok and "" or text:sub(at, at + 3)
    good = #rest < 4
    return not good
  end)
  return good and rest == ""
end

-- ---- parts -----------------------------------------------------------------

local PLAIN = { ["message/rfc822"] = true, ["message/partial"] = true,
  ["message/external-body"] = true, ["message/delivery-status"] = true,
  ["message/disposition-notification"] = true, ["message/feedback-report"] = true }

--- Whether content of that media type goes without an encoding.
function M.goes_plain(kind) return PLAIN[kind] == true end

--- Whether a text may go without an encoding: it has no NUL and no line that is too long.
function M.may_go_plain(text)
  return not text:find("\0", 1, true) and not line_ends.watcher()(text:gsub("\r\n?", "\n"))
end

local function is_text(kind)
  return kind:sub(1, 5) == "text/" or kind:find("^message/global") ~= nil
end

local function source_of(part)
  if part.path then return of_path(part.path) end
  if part.source then return of_function(part.source, part.size) end
  return of_string(part.content)
end

local UNICODE = { ["utf-8"] = true, ["us-ascii"] = true }

-- Content in memory. An attachment is a file: its bytes stay unchanged, also its line ends.
local function encode_string(text, attached, charset, is_unicode)
  if is_unicode and utf8.len(text) then
    charset = charset or "utf-8"
    if not attached then
      local encoded, encoding = text_of(text)
      return encoded, encoding, charset
    end
  end
  return base64(text), "base64", charset
end

--- The segment of a leaf, its encoding, and its charset. `kind` is its media type in small
-- letters, `charset` the charset of the user.
function M.encode(part, kind, charset)
  if PLAIN[kind] then return plain_of(source_of(part), part.content) end
  local is_unicode = is_text(kind) and (not charset or UNICODE[charset:lower()])
  if part.content then return encode_string(part.content, part.attached, charset, is_unicode) end
  local from = source_of(part)
  if is_unicode and (part.source or is_utf8(from)) then -- a function is believed
    charset = charset or "utf-8"
  end
  return base64_of(from), "base64", charset
end

return M
