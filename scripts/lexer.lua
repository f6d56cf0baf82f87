-- SPDX-License-Identifier: MIT
-- The tokens of C and of Lua, for checks that must not take a comment or a string for
-- code. A token is { kind, text, from, to, word }: kind is "name", "keyword", "number",
-- "string" or "op"; word is the text of a keyword or an operator, else "<kind>".
-- Comments give none, nor do the preprocessor's lines of C.
local M = {}

local function set(words)
  local s = {}
  for word in words:gmatch("%S+") do s[word] = true end
  return s
end

local LUA_KEYWORDS = set([[
  and break do else elseif end false for function goto if in local nil not or repeat
  return then true until while]])

local C_KEYWORDS = set([[
  auto break case char const continue default do double else enum extern float for goto
  if inline int long register restrict return short signed sizeof static struct switch
  typedef union unsigned void volatile while _Bool]])

-- Longest first.
local LUA_OPS = { "...", "<<", ">>", "//", "==", "~=", "<=", ">=", "::", ".." }
local C_OPS = { "<<=", ">>=", "...", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=",
  "&&", "||", "+=", "-=", "*=", "/=", "%=", "&=", "^=", "|=" }

local function operator(text, at, ops)
  for _, op in ipairs(ops) do
    if text:sub(at, at + #op - 1) == op then return at + #op - 1 end
  end
  return at
end

-- The end of a string that begins at `at` with a quote; a backslash hides what follows.
local function quoted(text, at)
  local quote = text:sub(at, at)
  local stop = at + 1
  while stop < #text and text:sub(stop, stop) ~= quote do
    stop = stop + (text:sub(stop, stop) == "\\" and 2 or 1)
  end
  return stop
end

-- The end of [==[ ... ]==] at `at`, or nil if none begins there.
local function long_bracket(text, at)
  local level = text:match("^%[(=*)%[", at)
  if not level then return nil end
  return select(2, text:find("]" .. level .. "]", at, true)) or #text
end

local function line_end(text, at)
  return (text:find("\n", at, true) or #text + 1) - 1
end

-- A number of either language; signs belong to it behind an exponent.
local function number(text, at)
  local hex = text:match("^0[xX]", at)
  local stop = at
  while true do
    local c = text:sub(stop + 1, stop + 1)
    local last = text:sub(stop, stop)
    local signed = c:find("[+-]") and last:find(hex and "[pP]" or "[eE]")
    if not (c:find("[%w_.]") or signed) then return stop end
    stop = stop + 1
  end
end

local function lua_comment(text, at)
  if text:sub(at, at + 1) ~= "--" then return nil end
  return long_bracket(text, at + 2) or line_end(text, at)
end

local function lua_string(text, at)
  if text:find("^[\"']", at) then return quoted(text, at) end
  return long_bracket(text, at)
end

local function c_comment(text, at)
  local mark = text:sub(at, at + 1)
  if mark == "/*" then return select(2, text:find("*/", at + 2, true)) or #text end
  if mark == "//" then return line_end(text, at) end
  -- A directive: its line and those that a backslash joins to it.
  if mark:sub(1, 1) ~= "#" then return nil end
  local stop = line_end(text, at)
  while text:sub(stop, stop) == "\\" do stop = line_end(text, stop + 2) end
  return stop
end

local function c_string(text, at)
  if text:find("^[\"']", at) then return quoted(text, at) end
end

local function tokens(text, language)
  local list, at = {}, 1
  while true do
    at = text:find("%S", at)
    if not at then return list end
    local kind
    local stop = language.comment(text, at)
    if not stop then
      stop, kind = language.string(text, at), "string"
      if not stop and text:find("^[%a_]", at) then
        stop = select(2, text:find("^[%w_]+", at))
        kind = language.keywords[text:sub(at, stop)] and "keyword" or "name"
      elseif not stop and text:find("^%.?%d", at) then
        stop, kind = number(text, at), "number"
      elseif not stop then
        stop, kind = operator(text, at, language.ops), "op"
      end
      local word = text:sub(at, stop)
      list[#list + 1] = { kind = kind, text = word, from = at, to = stop,
        word = (kind == "op" or kind == "keyword") and word or "<" .. kind .. ">" }
    end
    at = stop + 1
  end
end

local LUA = { comment = lua_comment, string = lua_string, keywords = LUA_KEYWORDS,
  ops = LUA_OPS }
local C = { comment = c_comment, string = c_string, keywords = C_KEYWORDS, ops = C_OPS }

--- The tokens of a text of Lua; a first line that begins with # is left out.
function M.lua(text)
  local blank = text:gsub("^#[^\n]*", function(line) return (" "):rep(#line) end)
  return tokens(blank, LUA)
end

--- The tokens of a text of C.
function M.c(text)
  return tokens(text, C)
end

--- The number of the line at a position.
function M.line(text, position)
  local _, n = text:sub(1, position - 1):gsub("\n", "")
  return n + 1
end

return M
