-- SPDX-License-Identifier: MIT
--- Lists of addresses as header fields have them (RFC 5322 sections 3.4 and 4.4):
-- names, comments, groups, quoted strings, obsolete routes, encoded words (RFC
-- 2047). One pass over the text; what is no address is kept as a name.
-- Internal.
local core = require "smtp.core"

-- The place behind the comment whose "(" is at `at`, and what is in it.
local function comment(text, at)
  local depth, place = 0, at
  while true do
    local found = text:find("[()\\]", place)
    if not found then return #text + 1, text:sub(at + 1) end
    local char = text:sub(found, found)
    place = found + (char == "\\" and 2 or 1)
    if char ~= "\\" then depth = depth + (char == "(" and 1 or -1) end
    if depth == 0 then return place, text:sub(at + 1, found - 1) end
  end
end

-- The place behind the quoted string at `at`.
local function quoted(text, at)
  local place = at + 1
  while true do
    local found = text:find('["\\]', place)
    if not found then return #text + 1 end
    if text:sub(found, found) == '"' then return found + 1 end
    place = found + 2
  end
end

local function unquote(text)
  return (text:gsub('^"', ""):gsub('"$', ""):gsub("\\(.)", "%1"))
end

-- Not by a pattern, which would be slow for runs of white space.
local function trim(text)
  local first = text:find("%S")
  if not first then return "" end
  return text:sub(first, #text + 1 - text:reverse():find("%S"))
end

local Reader = {}
Reader.__index = Reader

local function fresh(self)
  self.words, self.parts, self.spaced, self.at_sign = {}, {}, false, false
  self.broken = false
  self.comment, self.angle = nil, nil
end

-- Adds a token to what may be a name (with its spaces) or an address (without).
local function add(self, token)
  if token == "@" then self.at_sign = true end
  local words, parts = self.words, self.parts
  local last = parts[#parts]
  if self.spaced and last and not last:find("[@.]$") and not token:find("^[@.]") then
    self.broken = true -- no address has a space here (RFC 5322 sections 3.4.1 and 4.4)
  end
  if self.spaced and #words > 0 then words[#words + 1] = " " end
  self.spaced = false
  words[#words + 1] = token:sub(1, 1) == '"' and unquote(token) or token
  parts[#parts + 1] = token
end

local function name_of(words)
  local name = trim(core.decode_words(table.concat(words)))
  if name ~= "" then return name end
end

-- The plainest form of a mailbox that is well-formed; any other as it stands.
local function plain(mailbox)
  local path = core.path(mailbox)
  return path and path.address or mailbox -- RFC 2047 section 5: no words in addresses
end

local function flush(self)
  local one
  if self.angle then
    one = { name = name_of(self.words), address = plain(self.angle) }
  elseif #self.parts > 0 then
    local bare = #self.parts == 1 and not self.parts[1]:find('^"') and
      not self.parts[1]:find("=?", 1, true)
    if self.at_sign and not self.broken or bare then
      local remark = self.comment
      one = { name = remark and name_of { (remark:gsub("\\(.)", "%1")) },
        address = plain(table.concat(self.parts)) }
    else
      one = { name = name_of(self.words), address = "" }
    end
  end
  if one and (one.address ~= "" or one.name) then
    one.group = self.group
    self.list[#self.list + 1] = one
  end
  fresh(self)
end

-- What is between "<" and ">": comments and white space are dropped, and so is a
-- route, "@a,@b:". Gives the place behind.
local function angle(self, text, at)
  local parts, place = {}, at + 1
  while place <= #text do
    local char = text:sub(place, place)
    if char == ">" then
      place = place + 1
      break
    elseif char == "(" then
      place = comment(text, place)
    elseif char == '"' then
      local behind = quoted(text, place)
      parts[#parts + 1] = text:sub(place, behind - 1)
      place = behind
    elseif char == "[" then
      local behind = text:find("[%]>]", place) or #text + 1
      if text:sub(behind, behind) == "]" then behind = behind + 1 end
      parts[#parts + 1] = text:sub(place, behind - 1)
      place = behind
    elseif char == ":" then
      if (parts[1] or ""):sub(1, 1) == "@" then parts = {} else parts[#parts + 1] = ":" end
      place = place + 1
    elseif char == "," and (parts[1] or ""):sub(1, 1) ~= "@" then
      break -- the ">" is missing
    elseif char:find("%s") then
      place = text:find("%S", place) or #text + 1
    else
      local behind = text:find('[%s()<>%[":,]', place + 1) or #text + 1
      parts[#parts + 1] = text:sub(place, behind - 1)
      place = behind
    end
  end
  self.angle = table.concat(parts)
  return place
end

local marks = {}

marks["("] = function(self, text, at)
  local behind, inside = comment(text, at)
  if self.at_sign then self.comment = inside end -- behind an address: a name
  self.spaced = true
  return behind
end

marks['"'] = function(self, text, at)
  local behind = quoted(text, at)
  local token = text:sub(at, behind - 1)
  if #token > 1 then add(self, token) end
  return behind
end

marks["["] = function(self, text, at)
  local behind = (text:find("[%],;<]", at) or #text + 1)
  if text:sub(behind, behind) == "]" then behind = behind + 1 end
  add(self, text:sub(at, behind - 1))
  return behind
end

marks["<"] = function(self, text, at)
  if self.angle then flush(self) end -- a comma is missing
  return angle(self, text, at)
end

marks[","] = function(self, _, at)
  flush(self)
  return at + 1
end

marks[";"] = function(self, _, at)
  flush(self)
  self.group = nil
  return at + 1
end

marks[":"] = function(self, _, at)
  if self.at_sign then
    self.broken = true
  elseif not self.angle and #self.words > 0 then
    self.group = name_of(self.words)
    fresh(self)
  end
  return at + 1
end

marks["@"] = function(self, _, at)
  add(self, "@")
  return at + 1
end

-- A stray ">" or ")", which says nothing.
local function ignore(_, _, at)
  return at + 1
end
marks[">"], marks[")"] = ignore, ignore

local M = {}

--- Gives `{ name =, address =, group = }` for each mailbox of `text`, a header
-- field's value as it stands there, in order. A name is UTF-8, nil if there is none;
-- an address is as `smtp.address.parse` gives it, and "" where only a name was.
function M.addresses(text)
  text = text:gsub("[\r\n]", "")
  local self = setmetatable({ list = {} }, Reader)
  fresh(self)
  local at = 1
  while at <= #text do
    local char = text:sub(at, at)
    local mark = marks[char]
    if mark then
      at = mark(self, text, at)
    elseif char == " " or char == "\t" then
      self.spaced = true
      at = text:find("[^ \t]", at) or #text + 1
    else
      local behind = text:find('[ \t()<>%[",;:@]', at + 1) or #text + 1
      if self.angle then flush(self) end -- a comma is missing
      add(self, text:sub(at, behind - 1))
      at = behind
    end
  end
  flush(self)
  return self.list
end

return M
