-- SPDX-License-Identifier: MIT
--- Composed messages, made by `smtp.message`: the bytes are segments, each a string or
-- `{ size =, chunks = }`. In a signed message the first segment is the signature.
local lint = require "smtp.message.lint"

local M = {}

local TEXT_MAX = 65536 -- fits in one chunk of a client

local Composed = { __name = "smtp.message" }
Composed.__index = Composed

--- The bytes of segments, in pieces.
function M.chunks_of(segments)
  local i, inner = 0, nil
  return function()
    while true do
      if inner then
        local chunk = inner()
        if chunk then return chunk end
        inner = nil
      end
      i = i + 1
      local segment = segments[i]
      if segment == nil then return nil end
      if type(segment) == "string" then
        if segment ~= "" then return segment end
      else
        inner = segment.chunks()
      end
    end
  end
end

--- Makes a message of its fields: `eightbit` (the body), `utf8` (the header), `repeatable` (its
-- chunks can be read again), `dkim` (its signer).
function M.new(fields)
  return setmetatable(fields, Composed)
end

--- Whether a value is a composed message.
function M.is(value)
  return getmetatable(value) == Composed
end

--- The text of a small message in memory; else nil.
function M.text(message)
  local segments = message.segments
  if not message.size or message.size > TEXT_MAX then return nil end
  for i = 1, #segments do
    if type(segments[i]) ~= "string" then return nil end
  end
  return table.concat(segments)
end

--- The content of a composed message without its signature.
function M.unsigned(message)
  local segments = message.segments
  if message.dkim then segments = table.move(segments, 2, #segments, 1, {}) end
  return { chunks = function() return M.chunks_of(segments) end }
end

--- An iterator over the message's bytes, in pieces.
function Composed:chunks()
  return M.chunks_of(self.segments)
end

Composed.lint = lint

function Composed:__tostring()
  local text = M.text(self)
  if text then return text end
  local all = {}
  for chunk in self:chunks() do all[#all + 1] = chunk end
  return table.concat(all)
end

return M
