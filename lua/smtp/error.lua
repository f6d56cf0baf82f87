-- SPDX-License-Identifier: MIT
--- The error object of the library. `tostring` gives a sentence with its context; the fields are
-- listed in types/smtp/error.d.lua. A failure at run time returns `nil, err`; misuse raises a
-- string.
require "smtp.base.version"
local refusals = require "smtp.base.refusals"
local printable = require "smtp.base.printable"

local M = {}

local Error = { __name = "smtp.error" }
Error.__index = Error

-- Kinds of temporary errors: a later try may succeed.
local TEMPORARY = { timeout = true, closed = true, connect = true, system = true }

local function reply_text(err)
  if not err.code then return nil end
  local text = (err.text or ""):gsub("\n", " ")
  return ("%d %s%s"):format(err.code, err.enhanced and err.enhanced .. " " or "", text)
end

local DOUBT = {
  unknown = "the message may have been accepted",
  partial = "the message was accepted for some recipients, and may have been for others",
}

--- A sentence about an outcome that an error leaves open; nil if the outcome is certain.
function M.doubt(err)
  return DOUBT[err.outcome]
end

function Error.__tostring(err)
  local words = {}
  if err.stage then words[#words + 1] = err.stage end
  if err.address then words[#words + 1] = "<" .. err.address .. ">" end
  if err.peer then words[#words + 1] = "at " .. err.peer end
  local context = table.concat(words, " ")
  local parts = {}
  if context ~= "" then parts[1] = context end
  parts[#parts + 1] = err.message or reply_text(err) or err.kind
  if err.message and err.code then parts[#parts + 1] = reply_text(err) end
  local sentence = table.concat(parts, ": ")
  local doubt = M.doubt(err)
  if doubt then sentence = sentence .. "; " .. doubt end
  if err.hint then sentence = sentence .. " (" .. err.hint .. ")" end
  local shown = { printable(sentence) }
  for line in (err.report or ""):gmatch("[^\n]+") do shown[#shown + 1] = printable(line) end
  return table.concat(shown, "\n")
end

function Error.__concat(a, b)
  return tostring(a) .. tostring(b)
end

--- Makes an error of `fields`, which must have `kind`; keeps the table.
function M.new(fields)
  if fields.temporary == nil then
    if fields.code then
      fields.temporary = fields.code >= 400 and fields.code < 500
    else
      fields.temporary = TEMPORARY[fields.kind] or false
    end
  end
  return setmetatable(fields, Error)
end

--- Makes an error of a reply that refused something at `stage`.
function M.rejected(reply, stage, fields)
  fields = fields or {}
  fields.kind, fields.stage = fields.kind or "rejected", stage
  fields.code, fields.enhanced = reply.code, reply.enhanced
  fields.text, fields.lines = reply.text, reply.lines
  refusals.note(reply.code, reply.text, reply.enhanced)
  return M.new(fields)
end

--- Tells whether `value` is an error of this library.
function M.is(value)
  return getmetatable(value) == Error
end

return M
