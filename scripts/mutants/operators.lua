-- SPDX-License-Identifier: MIT
-- The small faults that can be planted in a text: list(name, text) gives each as
-- { kind, from, to, with, scope }: the bytes from..to become `with`; scope is the name of
-- the function around them ("" outside). The kinds:
--   comparison  == for ~=, < for <= ...         condition  negated; `and` for `or`
--   constant    a whole number, one more, one less
--   statement   a call or an assignment that is dropped
--   result      what a function returns: another truth value, nothing, 0
local lexer = require("lexer")
local syntax = require("lua_syntax")

local M = {}

M.KINDS = { "comparison", "condition", "constant", "statement", "result" }

local Faults = {}
Faults.__index = Faults

local function faults(text)
  return setmetatable({ text = text, list = {}, seen = {}, scopes = { "" } }, Faults)
end

-- A change comes once, though it may be of two kinds.
function Faults:add(kind, from, to, with)
  local key = ("%d %d %s"):format(from, to, with)
  if self.seen[key] then return end
  self.seen[key] = true
  self.list[#self.list + 1] = { kind = kind, from = from, to = to, with = with,
    scope = self.scopes[#self.scopes] }
end

-- The bytes of a statement become one that does nothing, on as many lines.
function Faults:drop(from, to)
  self:add("statement", from, to, ";" .. self.text:sub(from, to):gsub("[^\n]", ""))
end

function Faults:negate(from, to, before, behind)
  self:add("condition", from, to, before .. self.text:sub(from, to) .. behind)
end

-- One more and one less, written as it was: 0x10 stays in hexadecimal.
function Faults:number(token)
  local suffix = token.text:match("^%d+([uUlL]*)$") or token.text:match("^0[xX]%x-([uUlL]*)$")
  if not suffix then return end
  local digits = token.text:sub(1, #token.text - #suffix)
  local value = math.tointeger(tonumber(digits))
  local format = digits:find("^0[xX]") and "0x%x" or "%d"
  if not value or digits:find("^0%d") then return end -- too large, or octal
  self:add("constant", token.from, token.to, format:format(value + 1) .. suffix)
  if value > 0 then
    self:add("constant", token.from, token.to, format:format(value - 1) .. suffix)
  end
end

-- For each operator: its replacement, and the kind of the fault.
function Faults:swap(token, table)
  local other = table[token.word]
  if other then self:add(other[1], token.from, token.to, other[2]) end
end

local BOTH = { ["<"] = { "comparison", "<=" }, ["<="] = { "comparison", "<" },
  [">"] = { "comparison", ">=" }, [">="] = { "comparison", ">" } }
local LUA_SWAPS = setmetatable({ ["=="] = { "comparison", "~=" }, ["~="] = { "comparison", "==" },
  ["and"] = { "condition", "or" }, ["or"] = { "condition", "and" } }, { __index = BOTH })
local C_SWAPS = setmetatable({ ["=="] = { "comparison", "!=" }, ["!="] = { "comparison", "==" },
  ["&&"] = { "condition", "||" }, ["||"] = { "condition", "&&" } }, { __index = BOTH })

-- ---- Lua -------------------------------------------------------------------

local LUA_RESULTS = { ["true"] = "false", ["false"] = "true", ["nil"] = "true" }

function M.lua(text)
  local found = faults(text)
  local tokens = lexer.lua(text)
  local scopes = found.scopes
  local owner = {} -- token -> the function it stands in
  local function at(first, last) return tokens[first].from, tokens[last].to end
  syntax.walk(text, {
    enter = function(name) scopes[#scopes + 1] = name end,
    leave = function(first, last) -- an inner function has taken its tokens already
      for i = first, last do owner[i] = owner[i] or scopes[#scopes] end
      scopes[#scopes] = nil
    end,
    call = function(first, last) found:drop(at(first, last)) end,
    assignment = function(first, last) found:drop(at(first, last)) end,
    condition = function(first, last)
      local from, to = at(first, last)
      found:negate(from, to, "not (", ")")
    end,
    results = function(first, last)
      local from, to = at(first, last)
      found:add("result", from, to, LUA_RESULTS[text:sub(from, to)] or "nil")
    end,
  })
  for i, token in ipairs(tokens) do
    scopes[1] = owner[i] or ""
    local attribute = tokens[i + 2] and tokens[i + 2].word == ">" and tokens[i + 1]
      or tokens[i - 2] and tokens[i - 2].word == "<" and tokens[i - 1]
    local is_attribute = attribute and (attribute.text == "close" or attribute.text == "const")
    if not is_attribute then found:swap(token, LUA_SWAPS) end
    if token.kind == "number" then found:number(token) end
  end
  return found.list
end

-- ---- C ---------------------------------------------------------------------

local HEADS = { ["if"] = true, ["while"] = true, ["for"] = true, ["switch"] = true }
local STARTS = { [";"] = true, ["{"] = true, ["}"] = true, ["else"] = true, ["do"] = true }
-- Tokens behind the first name of a statement that is no declaration.
local GOES_ON = { ["("] = true, ["."] = true, ["->"] = true, ["["] = true, ["="] = true,
  ["++"] = true, ["--"] = true }
for op in ("+= -= *= /= %= &= |= ^= <<= >>="):gmatch("%S+") do GOES_ON[op] = true end
local POINTS = { ["*"] = true, ["++"] = true, ["--"] = true }
local C_RESULTS = { ["true"] = "false", ["false"] = "true", ["0"] = "1" }

-- The partner of each parenthesis and brace, and the head of one that belongs to a keyword.
local function pair(tokens)
  local open, partner = {}, {}
  for i, token in ipairs(tokens) do
    if token.word == "(" or token.word == "{" then
      open[#open + 1] = i
    elseif (token.word == ")" or token.word == "}") and #open > 0 then
      local from = table.remove(open)
      partner[from], partner[i] = i, from
    end
  end
  return partner
end

-- The semicolon that ends the statement at i; nil if it is none of ours.
local function semicolon(tokens, partner, i)
  while tokens[i] do
    local word = tokens[i].word
    if word == ";" then return i end
    if word == "}" or word == ")" or word == "{" then return nil end
    if word == "(" then i = partner[i] or #tokens end
    i = i + 1
  end
end

-- Whether the colon at i is a label's, not the one of a ? b : c.
local function is_label(tokens, i)
  local one, two = tokens[i - 1], tokens[i - 2]
  return one.word == "default" or two.word == "case"
    or one.word == "<name>" and STARTS[two.word]
end

local function begins_statement(tokens, partner, i)
  local before = tokens[i - 1]
  local word, following = tokens[i].word, tokens[i + 1] and tokens[i + 1].word
  local fresh = before and (STARTS[before.word] or before.word == ":" and is_label(tokens, i - 1))
  if before and before.word == ")" and partner[i - 1] then
    local head = tokens[partner[i - 1] - 1]
    fresh = head and HEADS[head.word] and tokens[i].kind == "name"
  end
  if not fresh then return false end
  return word == "<name>" and GOES_ON[following] or POINTS[word]
end

-- The name in front of the parentheses before a body: static int NAME(...) {.
local function function_name(tokens, partner, brace)
  local close = tokens[brace - 1]
  if not close or close.word ~= ")" then return nil end
  local name = tokens[(partner[brace - 1] or 1) - 1]
  return name and name.text
end

local function c_token(found, tokens, partner, i)
  local token = tokens[i]
  local word, following = token.word, tokens[i + 1]
  found:swap(token, C_SWAPS)
  if token.kind == "number" then found:number(token) end
  if (word == "if" or word == "while") and following.word == "(" and partner[i + 1] then
    found:negate(following.from, tokens[partner[i + 1]].to, "(!", ")")
  elseif word == "return" and following.word ~= ";" then
    local stop = semicolon(tokens, partner, i + 1)
    if stop then
      local from, to = following.from, tokens[stop - 1].to
      found:add("result", from, to, C_RESULTS[found.text:sub(from, to)] or "0")
    end
  elseif begins_statement(tokens, partner, i) then
    local stop = semicolon(tokens, partner, i)
    if stop then found:drop(token.from, tokens[stop].to) end
  end
end

function M.c(text)
  local found, tokens = faults(text), lexer.c(text)
  local partner = pair(tokens)
  local i, body = 1, nil -- body: where the function around this ends
  while tokens[i] do
    local word = tokens[i].word
    if body then
      c_token(found, tokens, partner, i)
      if i == body then body, found.scopes[1] = nil, "" end
    elseif word == "{" then
      body = function_name(tokens, partner, i) and partner[i]
      found.scopes[1] = body and function_name(tokens, partner, i) or ""
    else -- a table, a size: its constants
      if tokens[i].kind == "number" then found:number(tokens[i]) end
    end
    i = i + 1
  end
  return found.list
end

--- The faults of a file, by its name's ending, in the order of their kind and place.
function M.list(name, text)
  return name:find("%.c$") and M.c(text) or M.lua(text)
end

--- The text with the fault in it.
function M.plant(text, fault)
  return text:sub(1, fault.from - 1) .. fault.with .. text:sub(fault.to + 1)
end

local function squeeze(text)
  return (text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
end

-- The first and the last byte of the lines of from..to, and of so many lines around them.
local function lines(text, from, to, around)
  for _ = 0, around do
    repeat from = from - 1 until from <= 0 or text:byte(from) == 10
    to = text:find("\n", to + 1, true) or #text + 1
  end
  return math.max(from, 0) + 1, to - 1
end

--- The lines that a fault changes, before and after, with single blanks, and so many lines
--- around them (0). They identify the fault after the lines have moved.
function M.change(text, fault, around)
  local first, last = lines(text, fault.from, fault.to, around or 0)
  local was = text:sub(first, last)
  local is = text:sub(first, fault.from - 1) .. fault.with .. text:sub(fault.to + 1, last)
  return squeeze(was), squeeze(is)
end

return M
