-- SPDX-License-Identifier: MIT
--- Lists of addresses as header fields have them (RFC 5322 sections 3.4 and 4.4):
-- names, comments, groups, quoted strings, obsolete routes, encoded words (RFC
-- 2047). One pass over the text, which also tells what in it is not plain, so that one
-- reader serves received mail, of which it makes the best, and mail to be sent.
local core = require "smtp.core"

-- The place after the comment whose "(" is at `at`, its text, and whether it ends.
local function comment(text, at)
  local depth, place = 0, at
  while true do
    local found = text:find("[()\\]", place)
    if not found then return #text + 1, text:sub(at + 1), false end
    local char = text:sub(found, found)
    place = found + (char == "\\" and 2 or 1)
    if char ~= "\\" then depth = depth + (char == "(" and 1 or -1) end
    if depth == 0 then return place, text:sub(at + 1, found - 1), true end
  end
end

-- The place after the quoted string at `at`, and whether it ends.
local function quoted(text, at)
  local place = at + 1
  while true do
    local found = text:find('["\\]', place)
    if not found then return #text + 1, false end
    if text:sub(found, found) == '"' then return found + 1, true end
    place = found + 2
  end
end

-- The place behind the domain literal at `at`, and whether it ends; another of `stops`
-- ends it in received mail.
local function literal(text, at, stops)
  local behind = text:find(stops, at) or #text + 1
  if text:sub(behind, behind) == "]" then return behind + 1, true end
  return behind, false
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

-- The text between two commas is `chunks`: texts with white space or comments between them,
-- which no address has inside. A chunk has the words of a name, and the parts of an
-- address: the words without quoting and spaces. A dot joins two chunks, since "john .
-- doe@x" is an address of RFC 822. After a name the dot may be that of an initial, "John Q.
-- doe@x": `initial` is the end of the initial.
local Reader = {}
Reader.__index = Reader

local function fresh(self)
  self.chunks, self.spaced, self.at_sign, self.broken = {}, false, false, false
  self.comment, self.angle, self.inner = nil, nil, nil
end

-- Notes why the text is not plain; the first reason counts.
local function blame(self, fault)
  self.fault = self.fault or fault
end

-- Adds a token to the last chunk, or begins another one.
local function add(self, token)
  local chunk = self.chunks[#self.chunks]
  local last = chunk and chunk.parts[#chunk.parts]
  local first = token:sub(1, 1)
  local joins = last and (last:find("[@.]$", -1) or first == "@" or first == ".")
  if not chunk or self.spaced and not joins then
    chunk = { words = {}, parts = {} }
    self.chunks[#self.chunks + 1] = chunk
  elseif self.spaced then
    if not chunk.at_sign and first ~= "@" and first ~= "." then
      chunk.initial = { words = #chunk.words, parts = #chunk.parts }
    end
    chunk.words[#chunk.words + 1], chunk.obsolete = " ", true
  end
  self.spaced = false
  if token == "@" then self.at_sign, chunk.at_sign = true, true end
  chunk.words[#chunk.words + 1] = first == '"' and unquote(token) or token
  chunk.parts[#chunk.parts + 1] = token
end

local function decoded(text)
  local name = trim(core.decode_words(text))
  if name ~= "" then return name end
end

-- The chunks as a name, without the chunks in `skip`.
local function name_of(chunks, skip)
  local texts = {}
  for _, chunk in ipairs(chunks) do
    if not (skip and skip[chunk]) then texts[#texts + 1] = table.concat(chunk.words) end
  end
  return decoded(table.concat(texts, " "))
end

-- A mailbox in its plainest form; nil if it is malformed.
local function well_formed(mailbox)
  local path = core.path(mailbox)
  return path and path.address
end

-- The plainest form of a mailbox that is well-formed; any other as it stands.
local function plain(mailbox)
  return well_formed(mailbox) or mailbox -- RFC 2047 section 5: no words in addresses
end

local function put(self, one)
  if one.address == "" and not one.name then return end
  one.group = self.group
  self.list[#self.list + 1] = one
end

-- The chunks, where each initial is a chunk of its own.
local function without_initials(chunks)
  local out = {}
  for _, chunk in ipairs(chunks) do
    local initial = chunk.initial
    if initial and chunk.at_sign then
      out[#out + 1] = { words = table.move(chunk.words, 1, initial.words, 1, {}), parts = {} }
      chunk.words = table.move(chunk.words, initial.words + 2, #chunk.words, 1, {})
      chunk.parts = table.move(chunk.parts, initial.parts + 1, #chunk.parts, 1, {})
    end
    out[#out + 1] = chunk
  end
  return out
end

-- Several chunks without "<": the addresses among them count, and the others are the name,
-- as in `Ada Lovelace ada@code.energy`.
local function put_chunks(self)
  local found, is_address = {}, {}
  self.chunks = without_initials(self.chunks)
  for _, chunk in ipairs(self.chunks) do
    local text = table.concat(chunk.parts)
    local address = not self.broken and text:find("@", 1, true) and
      (well_formed(text) or well_formed(text:match("^[%[{](.*)[%]}]$") or "@"))
    if address then
      found[#found + 1], is_address[chunk] = address, true
    end
  end
  blame(self, "has several words: a name needs <> around its address, and two addresses a comma")
  local name = name_of(self.chunks, is_address)
  if #found == 0 then return put(self, { name = name, address = "" }) end
  for _, address in ipairs(found) do
    put(self, { name = #found == 1 and name or nil, address = address })
  end
end

-- One chunk without "<".
local function put_chunk(self, chunk)
  local bare = #chunk.parts == 1 and not chunk.parts[1]:find('^"') and
    not chunk.parts[1]:find("=?", 1, true)
  if chunk.obsolete then blame(self, "has a space or a comment within an address") end
  if self.at_sign and not self.broken or bare then
    put(self, { name = self.comment and decoded((self.comment:gsub("\\(.)", "%1"))),
      address = plain(table.concat(chunk.parts)) })
  else
    put(self, { name = name_of(self.chunks), address = "" })
  end
end

local function flush(self)
  if self.angle then
    put(self, { name = name_of(self.chunks), address = plain(self.angle) })
  elseif #self.chunks > 1 then
    put_chunks(self)
  elseif #self.chunks == 1 then
    put_chunk(self, self.chunks[1])
  end
  fresh(self)
end

-- After ">" there must be a comma.
local function need_comma(self)
  if not self.angle then return end
  blame(self, "has no comma between two addresses")
  flush(self)
end

local inner = {} -- marks between "<" and ">"

inner["("] = function(self, text, at)
  local behind, _, ends = comment(text, at)
  blame(self, ends and "has a space or a comment within an address" or "has a ( without )")
  return behind
end

inner['"'] = function(self, text, at, parts)
  local behind, ends = quoted(text, at)
  if not ends then blame(self, 'has a " without another') end
  parts[#parts + 1] = text:sub(at, behind - 1)
  return behind
end

inner["["] = function(self, text, at, parts)
  local behind, ends = literal(text, at, "[%]>]")
  if not ends then blame(self, "has a [ without ]") end
  parts[#parts + 1] = text:sub(at, behind - 1)
  return behind
end

local function is_route(parts)
  return (parts[1] or ""):sub(1, 1) == "@"
end

-- What is between "<" and ">": comments and white space are dropped, and so is a
-- route, "@a,@b:". Gives the place behind.
local function angle(self, text, at)
  local parts, place, closed = {}, at + 1, false
  while place <= #text do
    local char = text:sub(place, place)
    local mark = inner[char]
    if mark then
      place = mark(self, text, place, parts)
    elseif char == ">" then
      place, closed = place + 1, true
      break
    elseif char == ":" then
      blame(self, "has a route, or a : within an address")
      if is_route(parts) then parts = {} else parts[#parts + 1] = ":" end
      place = place + 1
    elseif char == "," and not is_route(parts) then
      break -- the ">" is missing
    elseif char == "<" then
      blame(self, "has a < behind another")
      if #parts > 0 and well_formed(table.concat(parts)) then break end
      parts, place = {}, place + 1
    elseif char:find("%s") then
      blame(self, "has a space or a comment within an address")
      place = text:find("%S", place) or #text + 1
    else
      local behind = text:find('[%s()<>%[":,]', place + 1) or #text + 1
      parts[#parts + 1] = text:sub(place, behind - 1)
      place = behind
    end
  end
  if not closed then blame(self, "has a < without >") end
  self.angle = table.concat(parts)
  return place
end

local marks = {}

marks["("] = function(self, text, at)
  local behind, inside, ends = comment(text, at)
  if not ends then blame(self, "has a ( without )") end
  if self.at_sign then self.comment = inside end -- behind an address: a name
  self.spaced = true
  return behind
end

marks['"'] = function(self, text, at)
  local behind, ends = quoted(text, at)
  if not ends then blame(self, 'has a " without another') end
  need_comma(self)
  local token = text:sub(at, behind - 1)
  if #token > 1 then add(self, token) end
  return behind
end

marks["["] = function(self, text, at)
  local behind, ends = literal(text, at, "[%],;<]")
  if not ends then blame(self, "has a [ without ]") end
  need_comma(self)
  add(self, text:sub(at, behind - 1))
  return behind
end

marks["<"] = function(self, text, at)
  need_comma(self)
  return angle(self, text, at)
end

marks[","] = function(self, _, at)
  flush(self)
  return at + 1
end

local function end_group(self)
  local groups = self.groups
  if self.group then groups[#groups].last = #self.list end
  self.group = nil
end

marks[";"] = function(self, _, at)
  flush(self)
  if not self.group then
    blame(self, "has a ; without a group, where a comma stands between addresses")
  end
  end_group(self)
  return at + 1
end

marks[":"] = function(self, _, at)
  if self.at_sign or self.angle then
    blame(self, "has a : within an address")
    self.broken = true
  elseif #self.chunks > 0 then
    if self.group then blame(self, "has a group within a group") end
    end_group(self)
    self.group = name_of(self.chunks)
    if self.group then
      self.groups[#self.groups + 1] = { name = self.group, first = #self.list + 1 }
    end
    fresh(self)
  else
    blame(self, "has a : without the name of a group")
  end
  return at + 1
end

marks["@"] = function(self, _, at)
  need_comma(self)
  add(self, "@")
  return at + 1
end

-- The place behind the encoded word at `at`, which may hold any mark but "?"; or nil.
local function encoded_word(text, at)
  local _, last = text:find("^=%?[^%s?]+%?[BbQq]%?[^%s?]*%?=", at)
  return last and last + 1
end

-- A stray ">" or ")", which says nothing.
local function ignore(self, _, at)
  blame(self, "has a > or ) without its other half")
  return at + 1
end
marks[">"], marks[")"] = ignore, ignore

local M = {}

--- Reads a header field's value as it stands there: `list`, `{ name =, address =, group = }`
-- for each mailbox, in order; `groups`, `{ name =, first =, last = }` with the places that
-- each has in the list; and `fault`, why the text is not plain, that is, why another
-- reader may find other addresses in it. A name is UTF-8, nil if there is none; an
-- address is as `smtp.address.parse` gives it, and "" where only a name was. With `most`
-- reading ends at a fault, and beyond so many mailboxes.
function M.read(text, most)
  local self = setmetatable({ list = {}, groups = {} }, Reader)
  fresh(self)
  local at = 1
  while at <= #text and not (most and (self.fault or #self.list > most)) do
    local char = text:sub(at, at)
    local mark = marks[char]
    if mark then
      at = mark(self, text, at)
    elseif char == " " or char == "\t" then
      self.spaced = true
      at = text:find("[^ \t]", at) or #text + 1
    else
      local behind = text:find('[ \t()<>%[",;:@]', at + 1) or #text + 1
      local word_end = char == "=" and encoded_word(text, at) or 0
      if word_end > behind then
        blame(self, "has a mark of addresses in an encoded word")
        behind = word_end
      end
      need_comma(self)
      add(self, text:sub(at, behind - 1))
      at = behind
    end
  end
  flush(self)
  if self.group then blame(self, "has a group without ;") end
  end_group(self)
  return self
end

--- Only the list, of a field that may be folded.
function M.addresses(text)
  return M.read((text:gsub("[\r\n]", ""))).list
end

return M
