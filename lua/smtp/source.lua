-- SPDX-License-Identifier: MIT
--- Where the content of a message comes from: a string, a function that gives
-- the next chunk and then nil, a file handle, or anything with `:chunks()`.
-- Internal.
local M = {}

local CHUNK = 65536

local function of_string(text)
  local given = false
  return {
    size = #text,
    text = text,
    read = function()
      if given then return nil end
      given = true
      return text
    end,
  }
end

local function of_file(file)
  local here = file:seek("cur")
  local size
  if here then -- a pipe cannot seek, and its size is not known
    size = file:seek("end") - here
    file:seek("set", here)
  end
  return {
    size = size,
    read = function()
      local chunk, why = file:read(CHUNK)
      if why then error(why, 0) end
      return chunk
    end,
  }
end

--- Makes `{ read = function, size = n | nil, text = string | nil }` of content;
-- nil if it is none. `size` is what the user said of it.
function M.of(content, size)
  local source
  if type(content) == "string" then
    source = of_string(content)
  elseif type(content) == "function" then
    source = { read = content }
  elseif io.type(content) == "file" then
    source = of_file(content)
  elseif type(content) == "table" and type(content.chunks) == "function" then
    source = { read = content:chunks() }
  else
    return nil
  end
  source.size = source.size or size
  return source
end

--- A source with a text before it.
function M.behind(text, source)
  if source.text then return of_string(text .. source.text) end
  local given = false
  return { size = source.size and #text + source.size, read = function()
    if given then return source.read() end
    given = true
    return text
  end }
end

return M
