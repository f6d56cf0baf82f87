-- SPDX-License-Identifier: MIT
-- Common parts of the checks of the source: finding files, reading them, and taking
-- comments out of C without moving a line.
local M = {}

-- The files below the folders (that are there) whose names match, sorted.
function M.find(folders, pattern)
  local files = {}
  local command = "find " .. folders .. " -type f 2>/dev/null | LC_ALL=C sort"
  local pipe <close> = assert(io.popen(command))
  for name in pipe:lines() do
    if name:find(pattern) then files[#files + 1] = name end
  end
  return files
end

function M.read(name)
  local file <close> = assert(io.open(name, "rb"))
  return file:read("a")
end

function M.exists(name)
  local file <close> = io.open(name, "rb")
  return file ~= nil
end

local function newlines(text)
  return (text:gsub("[^\n]", ""))
end

-- C without comments, and with empty strings unless keep is true. One pass, so
-- that a comment mark in a string and a quote in a comment stay what they are.
function M.strip_c(text, keep)
  local out, at = {}, 1
  while true do
    local from = text:find("[\"'/]", at)
    if not from then break end
    out[#out + 1] = text:sub(at, from - 1)
    local mark = text:sub(from, from + 1)
    local stop
    if mark == "/*" then
      stop = select(2, text:find("*/", from + 2, true)) or #text
      out[#out + 1] = " " .. newlines(text:sub(from, stop))
    elseif mark == "//" then
      stop = (text:find("\n", from, true) or #text + 1) - 1
    elseif mark:sub(1, 1) == "/" then
      stop = from
      out[#out + 1] = "/"
    else
      local quote = mark:sub(1, 1)
      stop = from + 1
      while stop < #text and text:sub(stop, stop) ~= quote do
        stop = stop + (text:sub(stop, stop) == "\\" and 2 or 1)
      end
      out[#out + 1] = keep and text:sub(from, stop) or quote .. quote
    end
    at = stop + 1
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out)
end

-- Lua without comments. A "--" in a string cuts its line short, which does no
-- harm to those who look for require.
function M.strip_lua(text)
  text = text:gsub("%-%-%[(=*)%[.-%]%1%]", newlines)
  return (text:gsub("%-%-[^\n]*", ""))
end

-- Prints what was found and ends: 0 if that is nothing.
function M.report(name, complaints, clean)
  for _, text in ipairs(complaints) do
    io.write(text, "\n")
  end
  if #complaints > 0 then os.exit(1) end
  print(name .. ": " .. clean)
end

return M
