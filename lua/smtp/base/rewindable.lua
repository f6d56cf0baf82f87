-- SPDX-License-Identifier: MIT
--- Content that is read more than once, and by several readers at a time: a string, a file
-- that can seek, or a message that gives its chunks again. Content that comes only once is
-- copied to a file without a name.
local errors = require "smtp.error"
local reader = require "smtp.base.reader"

local M = {}

local CHUNK = 65536

local Rewindable = {}
Rewindable.__index = Rewindable

local function no_room(why)
  return nil, errors.new { kind = "system", outcome = "not_sent", cause = why,
    message = "keeping the message failed: " .. tostring(why) }
end

-- Copies what `from` reads into the file: its size, or nil and an error.
local function spool(from, file)
  local size = 0
  while true do
    local chunk, problem = reader.next(from)
    if problem then return nil, errors.new(problem) end
    if chunk == nil then return size end
    local written, why = file:write(chunk)
    if not written then return no_room(why) end
    size = size + #chunk
  end
end

-- A text in front of other content.
local function behind(from)
  local rest, err = M.new(from.rest)
  if not rest then return nil, err end
  return setmetatable({ front = from.front, rest = rest }, Rewindable)
end

--- Holds what a source of `reader` reads; or nil and an error.
function M.new(from)
  if from.text then return setmetatable({ text = from.text }, Rewindable) end
  if from.front then return behind(from) end
  if from.file and from.here then
    return setmetatable({ file = from.file, here = from.here, size = from.size }, Rewindable)
  end
  if from.again then return setmetatable({ again = from.again }, Rewindable) end
  local file, why = io.tmpfile()
  if not file then return no_room(why) end
  local self = setmetatable({ file = file, here = 0, ours = true }, Rewindable)
  self.size, why = spool(from, file)
  if self.size then return self end
  file:close()
  return nil, why
end

--- A source of its own, from the first byte, or nil and an error. Several may be read in
-- turns.
function Rewindable:open()
  if self.text then return reader.of(self.text) end
  if self.again then return self.again() end
  if self.rest then
    local rest, err = self.rest:open()
    if not rest then return nil, err end
    return reader.behind(self.front, rest)
  end
  local at, left = self.here, self.size
  local function read()
    if left == 0 then return nil end
    self.file:seek("set", at)
    local chunk, why = self.file:read(math.min(left, CHUNK))
    if not chunk then error(why or "the file has become shorter", 0) end
    at, left = at + #chunk, left - #chunk
    return chunk
  end
  return { size = self.size, read = read, again = function() return self:open() end,
    measure = function() return self:measure() end }
end

--- The number of bytes on the wire; see `reader.wire_size`.
function Rewindable:measure()
  self.wire = self.wire or reader.measure(self:open())
  return self.wire
end

function Rewindable:close()
  if self.rest then self.rest:close() end
  if self.ours then
    self.ours = false
    self.file:close()
  end
end

Rewindable.__close = Rewindable.close

return M
