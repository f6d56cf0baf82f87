-- SPDX-License-Identifier: MIT
--- The source of a message's content: a string, a function that gives
-- the next chunk and then nil, a file handle, or anything with `:chunks()`.
local core = require "smtp.core"
local errors = require "smtp.error"

local M = {}

local CHUNK = 65536
local PATH_MAX = 4096

local FILE_TYPES = { eml = true, emlx = true, msg = true, mbox = true, mbx = true, mail = true,
  txt = true }

-- Whether a text is a path by mistake: it would be sent or read as a message.
local function is_path(text)
  if #text > PATH_MAX or text:find("[\r\n:]") then return false end
  local ending = text:match("[%w_-]%.(%a+)$")
  return ending and FILE_TYPES[ending:lower()] or text:find("^[.~]?%.?/[%w._/-]+$") ~= nil
end

-- A text is mostly sent whole, so its source makes `read` and `again` at their first use.
local MADE = {
  read = function(source)
    local given = false
    return function()
      if given then return nil end
      given = true
      return source.text
    end
  end,
  again = function(source)
    return function() return M.of_text(source.text) end
  end,
}

local Text = {}

function Text.__index(source, key)
  local make = MADE[key]
  local value = make and make(source)
  if make then rawset(source, key, value) end
  return value
end

-- The fields of an error.
local function unread(why, hint)
  return { kind = "source", outcome = "not_sent", cause = why, hint = hint,
    message = "reading the message failed: " .. tostring(why) }
end

local function broken(why, hint)
  return nil, errors.new(unread(why, hint))
end

local function of_file(file)
  local here = file:seek("cur")
  local size
  if here then -- a pipe cannot seek, and its size is not known
    size = file:seek("end") - here
    file:seek("set", here)
    if size == 0 and here > 0 then return broken("the file was read to its end already") end
  end
  return {
    size = size,
    file = file, here = here,
    read = function()
      local chunk, why = file:read(CHUNK)
      if why then error(why, 0) end
      return chunk
    end,
  }
end

local function of_chunks(object)
  -- A server's message comes once, and a rest is not the message.
  if object.streamed and object.touched then
    return broken("the content was read already",
      "parse it first: the result of smtp.parse(message) can be read and sent many times")
  end
  local ok, read = pcall(object.chunks, object)
  if not ok then return broken(read) end
  if type(read) ~= "function" then return broken("chunks() gave no function") end
  return { read = read }
end

--- The source of a text, whatever it looks like; see `of`.
function M.of_text(text)
  return setmetatable({ size = #text, text = text }, Text)
end

-- The size from the user must be true, or SIZE (RFC 1870) was false.
local function counted(source)
  local read, size, n = source.read, source.size, 0
  function source.read()
    local chunk = read()
    n = n + (type(chunk) == "string" and #chunk or 0)
    if n > size or chunk == nil and n < size then
      error(("it has %s than the %d bytes of its size"):format(n > size and "more" or "less",
        size), 0)
    end
    return chunk
  end
  return source
end

--- Makes `{ read = function, size = n | nil, text = string | nil, again = function | nil }`
-- of content, with `file` and `here`, where it begins, of a file that can seek; nil if it is
-- none; nil and an error if it cannot be read. `size` is the size from the user:
-- if there are more bytes or less, `read` raises. `again()`, if the content can be read twice,
-- gives the source from its beginning, or nil and an error; see rewindable.lua for other
-- content. Call `next` or `all`, not `read`: a user's function may raise, and give anything.
function M.of(content, size)
  local source, err
  if type(content) == "string" then
    if is_path(content) then
      return nil, errors.new { kind = "invalid", outcome = "not_sent",
        message = ("%q is a path, where the content is to be"):format(content),
        hint = ('io.open(%q, "rb") gives a file, which may stand here'):format(content) }
    end
    return M.of_text(content)
  elseif type(content) == "function" then
    source = { read = content }
  elseif io.type(content) == "file" then
    source, err = of_file(content)
    if source and source.here then
      source.again = function()
        content:seek("set", source.here)
        return M.of(content, size)
      end
    end
  elseif type(content) == "table" and type(content.chunks) == "function" then
    source, err = of_chunks(content)
    if source and content.repeatable then -- of others it is not known
      source.again = function() return M.of(content, size) end
    end
  end
  if not source then return nil, err end
  source.size = source.size or size
  return source.size and counted(source) or source
end

-- The size of the bytes from `read`, with CRLF at the end of each line.
local function measured(read)
  local size, state = 0, 0
  local chunk = read()
  while chunk do
    size, state = core.measure(chunk, size, state)
    chunk = read()
  end
  return (core.measure(nil, size, state))
end

-- The size of a file from the start of its content. The file keeps its position.
local function measured_file(source)
  local file, at = source.file, source.file:seek("cur")
  file:seek("set", source.here)
  local size = measured(function() return file:read(CHUNK) end)
  file:seek("set", at)
  return size
end

--- The bytes that go out of a source that was not read yet, where a line ends by CRLF: SIZE
-- counts them (RFC 1870 section 3). A file is read for it. Content that comes only once, or
-- was composed, has the size that it has; nil: it is not known.
function M.wire_size(source)
  if source.text then return (core.measure(nil, core.measure(source.text, 0, 0))) end
  if source.measure then return source.measure() end
  if source.file and source.here then return measured_file(source) end
  if not source.rest then return source.size end
  local rest = M.wire_size(source.rest)
  return rest and #source.front + rest -- whole lines stand in front
end

--- Measures a source by reading it to its end; its errors are reported when it is sent.
function M.measure(source)
  local ok, size = pcall(measured, source.read)
  return ok and size or source.size
end

--- The next bytes; nil at the end; or nil and the fields of an error.
function M.next(source)
  local ok, bytes = pcall(source.read)
  if not ok then return nil, unread(bytes) end
  if bytes == nil or type(bytes) == "string" then return bytes end
  return nil, { kind = "source", outcome = "not_sent",
    message = "a chunk must be a string, not " .. type(bytes) }
end

--- The rest as one string; or nil and the fields of an error.
function M.all(source)
  if source.text then return source.text end
  local list = {}
  while true do
    local bytes, problem = M.next(source)
    if problem then return nil, problem end
    if bytes == nil then return table.concat(list) end
    list[#list + 1] = bytes
  end
end

--- Reads all of a source, which is a text from then on: true, or nil and the fields of an error.
function M.gather(source)
  local text, problem = M.all(source)
  if not text then return nil, problem end
  for key in pairs(source) do source[key] = nil end
  source.size, source.text = #text, text
  setmetatable(source, Text)
  return true
end

-- The `again` of a source that `fn` makes from another source: `fn` of that source's `again`.
local function again_by(again, fn)
  return again and function()
    local anew, err = again()
    if not anew then return nil, err end
    return fn(anew)
  end
end

-- A source that leaves out what `size_of(head, whole)` says of its head; nil: more is needed.
local function without_head(source, size_of)
  local read, head = source.read, ""
  function source.read()
    while head do
      local chunk = read()
      if chunk ~= nil and type(chunk) ~= "string" then return chunk end
      head = head .. (chunk or "")
      local size = size_of(head, chunk == nil)
      if size then
        local rest = head:sub(size + 1)
        head = nil
        if rest ~= "" then return rest end
        if chunk == nil then return nil end
      end
    end
    return read()
  end
  source.again = again_by(source.again, function(anew) return without_head(anew, size_of) end)
  return source
end

--- The source of content less some bytes of its head, as M.of gives it: `size_of(head, whole)`
-- says how many, or nil if it needs more of it. A string and a file are looked at now, what
-- comes only once when it is read; its size is then that of all.
function M.without_head(content, size, size_of)
  if type(content) == "string" then
    local head = size_of(content, true)
    return M.of(head > 0 and content:sub(head + 1) or content)
  end
  local here = io.type(content) == "file" and content:seek("cur")
  if not here then
    local source, err = M.of(content, size)
    return source and without_head(source, size_of), err
  end
  local head = content:read(CHUNK) or ""
  content:seek("set", here + (size_of(head, #head < CHUNK) or 0))
  return M.of(content)
end

--- A source with a text before it.
function M.behind(text, source)
  if source.text then return M.of_text(text .. source.text) end
  local given = false
  return {
    size = source.size and #text + source.size,
    read = function()
      if given then return source.read() end
      given = true
      return text
    end,
    again = again_by(source.again, function(anew) return M.behind(text, anew) end),
    front = text, rest = source, -- see rewindable.lua
  }
end

return M
