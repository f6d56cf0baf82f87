-- SPDX-License-Identifier: MIT
--- A message that may have to be sent again: what is sent, once more from its beginning,
-- as long as that can be. What can be read only once can until its reading has begun.
-- Internal.
local compose = require "smtp.compose"
local outgoing = require("smtp.message").outgoing
local parse = require "smtp.parse"

local M = {}

-- What `outgoing` made, with a note of whether its content has begun to be read.
local function noted(out, err)
  if not out then return nil, err end
  local source = out.source
  local read = source.read
  function source.read()
    out.begun = true
    return read()
  end
  return out
end

-- How to go back to the beginning of the content: a function that gives whether it did;
-- nil where there is no way.
local function rewinder(message)
  if compose._is(message) then
    return not message.once and function() return true end or nil
  end
  local raw = message.raw
  if type(raw) == "string" or parse.is(message) then return function() return true end end
  if io.type(raw) ~= "file" then return nil end
  local here = raw:seek("cur") -- nil for a pipe
  return here and function() return raw:seek("set", here) ~= nil end
end

-- As `outgoing` tells a record from the rest.
local function composed(message)
  if type(message) ~= "table" or message.raw or message.chunks then return message end
  return compose.message(message)
end

--- Makes a function of a message that gives what `message.outgoing` made of it, at the
-- first call and at each later one; then nil if it can be sent no more. Or nil and an
-- error before a byte is sent.
function M.of(message, signer)
  local err
  message, err = composed(message)
  if not message then
    err.outcome = "not_sent"
    return nil, err
  end
  local rewind = type(message) == "table" and rewinder(message)
  local out
  out, err = noted(outgoing(message, signer))
  if not out then return nil, err end
  return function()
    if out and out.begun then
      out = rewind and rewind() and noted(outgoing(message, signer)) or nil
    end
    return out
  end
end

return M
