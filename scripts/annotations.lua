-- SPDX-License-Identifier: MIT
-- Reads a .d.lua file of LuaLS annotations into { text, items, names }: the
-- comment at its top, its classes, aliases and functions in order, and the set
-- of the names that it has entries for. Only what we use of LuaLS is read:
-- @class @field @alias @param @return @overload @deprecated, and @package for
-- what is not for users and so not on the page; others are passed over. A block
-- ends at a line that is no --- comment.
local M = {}

-- A type may hold spaces in brackets, around | and after the : and , of a fun().
-- Returns it and what follows.
local function take_type(s)
  local depth, at = 0, 1
  while at <= #s do
    local c = s:sub(at, at)
    if c:find("[%(%[{<]") then
      depth = depth + 1
    elseif c:find("[%)%]}>]") then
      depth = depth - 1
    elseif c == '"' or c == "'" then
      at = s:find(c, at + 1, true) or #s
    elseif c == " " and depth == 0 then
      local joined = s:find("^%s*|", at) or s:sub(1, at - 1):find("[|:,]%s*$")
      if not joined then break end
    end
    at = at + 1
  end
  return s:sub(1, at - 1), (s:sub(at):gsub("^%s+", ""))
end

local function plain(s)
  return (s:gsub("^#%s*", ""):gsub("^@%s*", ""))
end

-- "name? type text", as of @param and @field.
local function named(s)
  local name, rest = s:match("^(%S+)%s*(.*)$")
  local of, text = take_type(rest or "")
  return { name = name, type = of, text = plain(text) }
end

-- "type name # text", as of @return.
local function result(s)
  local of, rest = take_type(s)
  local name, text = "", rest
  if not rest:find("^#") then name, text = rest:match("^(%S*)%s*(.*)$") end
  return { name = name, type = of, text = plain(text) }
end

local tags = {}

function tags.class(block, s)
  block.kind = "class"
  block.name, block.parent = s:gsub("^%(.-%)%s*", ""):match("^([%w_.]+)%s*:?%s*(.-)%s*$")
  if block.parent == "" then block.parent = nil end
end

function tags.alias(block, s)
  local name, rest = s:match("^(%S+)%s*(.*)$")
  block.kind, block.name = "alias", name
  if rest ~= "" then
    local of, text = take_type(rest)
    block.choices[1] = { type = of, text = plain(text) }
  end
end

function tags.field(block, s) block.fields[#block.fields + 1] = named(s) end
function tags.param(block, s) block.params[#block.params + 1] = named(s) end
tags["return"] = function(block, s) block.returns[#block.returns + 1] = result(s) end
function tags.overload(block, s) block.overloads[#block.overloads + 1] = s end
function tags.deprecated(block, s) block.deprecated = s end
function tags.package(block) block.package = true end

local function new_block()
  return { lines = {}, fields = {}, choices = {}, params = {}, returns = {}, overloads = {} }
end

-- Adds a line of --- to a block. Text after a tag goes on with that tag.
local function read_line(block, line)
  local tag, rest = line:match("^%s*@(%a+)%s*(.-)%s*$")
  local choice = line:match("^|%s*(.*)$")
  if tag then
    if tags[tag] then tags[tag](block, rest) end
  elseif choice then
    local of, text = take_type((choice:gsub("^[>+]%s*", "")))
    block.choices[#block.choices + 1] = { type = of, text = plain(text) }
  else
    block.lines[#block.lines + 1] = line:gsub("^ ", "")
  end
end

local function finish(file, block, line)
  block.text = table.concat(block.lines, "\n"):gsub("^%s+", ""):gsub("%s+$", "")
  local name, arguments = line:match("^%s*function%s+([%w_.:]+)%s*%((.-)%)")
  if name then
    block.kind, block.name, block.arguments = "function", name, arguments
    file.names[name:match("[%w_]+$")] = true
  end
  block.variable = line:match("^local ([%w_]+) = ")
  local key = not name and line:match("^%s*[%w_]+[.]([%w_]+)%s*=")
  if key then file.names[key] = true end
  for _, field in ipairs(block.fields) do
    file.names[(field.name:gsub("%?$", ""))] = true
  end
  if block.kind and not block.package then
    file.items[#file.items + 1] = block
  elseif #file.items == 0 and file.text == "" then
    file.text = block.text
  end
end

function M.parse(text)
  local file = { text = "", items = {}, names = {} }
  local block
  for line in (text .. "\n"):gmatch("(.-)\n") do
    local comment = line:match("^%s*%-%-%-(.*)$")
    if comment then
      block = block or new_block()
      read_line(block, comment)
    elseif block or line:find("^%s*function ") or line:find("^[%w_]+%.") then
      finish(file, block or new_block(), line)
      block = nil
    end
  end
  return file
end

return M
