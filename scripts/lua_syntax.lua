-- SPDX-License-Identifier: MIT
-- Walks the statements of Lua text that is known to load: a recursive descent over its
-- tokens, which tells a visitor what it meets. Positions are indexes of tokens, both
-- ends included. The visitor may have
--   call(first, last), assignment(first, last)   statements
--   condition(first, last)                       of if, elseif, while and until
--   results(first, last)                         the first value that `return` gives
--   enter(name), leave(first, last)              a named function's body
--   assigned(token, is_loop)                     a name at the left of =; is_loop: it is
--                                                the control variable of a `for`
local lexer = require("lexer")

local M = {}

local UNARY = { ["not"] = true, ["-"] = true, ["#"] = true, ["~"] = true }
local BINARY = {}
for op in ("+ - * / // % ^ .. == ~= < <= > >= and or & | ~ << >>"):gmatch("%S+") do
  BINARY[op] = true
end
local VALUES = { ["<number>"] = true, ["<string>"] = true, ["nil"] = true, ["true"] = true,
  ["false"] = true, ["..."] = true }
local ENDS = { ["end"] = true, ["else"] = true, ["elseif"] = true, ["until"] = true }

local Walk = {}
Walk.__index = Walk

function Walk:word(ahead)
  local token = self.tokens[self.at + (ahead or 0)]
  return token and token.word
end

function Walk:take(word)
  if word and self:word() ~= word then
    error(("%s expected where %s is, token %d"):format(word, tostring(self:word()), self.at))
  end
  self.at = self.at + 1
  return self.tokens[self.at - 1]
end

function Walk:accept(word)
  if self:word() ~= word then return false end
  self.at = self.at + 1
  return true
end

function Walk:tell(what, ...)
  local method = self.visitor[what]
  if method then method(...) end
end

-- ---- scopes ----------------------------------------------------------------

function Walk:open()
  self.scope = setmetatable({ ["\0up"] = self.scope }, { __index = self.scope })
end

function Walk:shut()
  self.scope = rawget(self.scope, "\0up")
end

function Walk:declare(token, kind)
  self.scope[token.text] = kind
end

-- ---- expressions -----------------------------------------------------------

function Walk:expressions()
  repeat self:expression() until not self:accept(",")
end

function Walk:body(is_method)
  self:open()
  if is_method then self.scope.self = "local" end
  self:take("(")
  while self:word() ~= ")" do
    local token = self:take()
    if token.kind == "name" then self:declare(token, "local") end
    if not self:accept(",") then break end
  end
  self:take(")")
  self:block()
  self:take("end")
  self:shut()
end

function Walk:constructor()
  self:take("{")
  while self:word() ~= "}" do
    if self:accept("[") then
      self:expression()
      self:take("]")
      self:take("=")
    elseif self:word() == "<name>" and self:word(1) == "=" then
      self.at = self.at + 2
    end
    self:expression()
    if not (self:accept(",") or self:accept(";")) then break end
  end
  self:take("}")
end

function Walk:arguments()
  if self:accept("<string>") then return end
  if self:word() == "{" then return self:constructor() end
  self:take("(")
  if self:word() ~= ")" then self:expressions() end
  self:take(")")
end

-- A name or a parenthesis and what hangs on it; "name", "index" or "call" by its last part.
function Walk:suffixed()
  local kind = "name"
  if self:accept("(") then
    self:expression()
    self:take(")")
    kind = "value"
  else
    self:take("<name>")
  end
  while true do
    local word = self:word()
    if word == "." then
      self.at = self.at + 2
      kind = "index"
    elseif word == "[" then
      self:take()
      self:expression()
      self:take("]")
      kind = "index"
    elseif word == ":" then
      self.at = self.at + 2
      self:arguments()
      kind = "call"
    elseif word == "(" or word == "{" or word == "<string>" then
      self:arguments()
      kind = "call"
    else
      return kind
    end
  end
end

function Walk:expression()
  while UNARY[self:word()] do self:take() end
  if VALUES[self:word()] then
    self:take()
  elseif self:word() == "{" then
    self:constructor()
  elseif self:accept("function") then
    self:body()
  else
    self:suffixed()
  end
  if BINARY[self:word()] then
    self:take()
    return self:expression()
  end
end

-- ---- statements ------------------------------------------------------------

function Walk:condition()
  local first = self.at
  self:expression()
  self:tell("condition", first, self.at - 1)
end

function Walk:scoped(last)
  self:open()
  self:block()
  self:shut()
  if last then self:take(last) end
end

local statements = {}

statements["if"] = function(self)
  repeat
    self:take() -- if, elseif
    self:condition()
    self:take("then")
    self:scoped()
  until self:word() ~= "elseif"
  if self:accept("else") then self:scoped() end
  self:take("end")
end

statements["while"] = function(self)
  self:take()
  self:condition()
  self:take("do")
  self:scoped("end")
end

statements["do"] = function(self)
  self:take()
  self:scoped("end")
end

statements["repeat"] = function(self)
  self:take()
  self:open()
  self:block()
  self:take("until")
  self:condition() -- sees the block's variables
  self:shut()
end

statements["for"] = function(self)
  self:take()
  local names = {}
  repeat names[#names + 1] = self:take("<name>") until not self:accept(",")
  if not self:accept("in") then self:take("=") end
  self:expressions()
  self:take("do")
  self:open()
  for i, token in ipairs(names) do self:declare(token, i == 1 and "loop" or "local") end
  self:scoped("end")
  self:shut()
end

statements["function"] = function(self)
  self:take()
  local first, is_method = self.at, false
  self:take("<name>")
  while self:word() == "." or self:word() == ":" do
    is_method = self:word() == ":"
    self.at = self.at + 2
  end
  self:named(first, is_method)
end

function Walk:named(first, is_method)
  local name = {}
  for i = first, self.at - 1 do name[#name + 1] = self.tokens[i].text end
  self:tell("enter", table.concat(name))
  self:body(is_method)
  self:tell("leave", first, self.at - 1)
end

statements["local"] = function(self)
  self:take()
  if self:accept("function") then
    self:declare(self:take("<name>"), "local")
    return self:named(self.at - 1)
  end
  local names = {}
  repeat
    names[#names + 1] = self:take("<name>")
    if self:accept("<") then self.at = self.at + 2 end
  until not self:accept(",")
  if self:accept("=") then self:expressions() end
  for _, token in ipairs(names) do self:declare(token, "local") end
end

statements["return"] = function(self)
  self:take()
  if self:word() and not ENDS[self:word()] and self:word() ~= ";" then
    local first = self.at
    self:expression()
    self:tell("results", first, self.at - 1)
    if self:accept(",") then self:expressions() end
  end
  self:accept(";")
end

statements["::"] = function(self) self.at = self.at + 3 end
statements["goto"] = function(self) self.at = self.at + 2 end
statements["break"] = function(self) self:take() end
statements[";"] = statements["break"]

-- A call, or an assignment.
function Walk:other()
  local first = self.at
  local targets = {}
  local kind
  repeat
    local from = self.at
    kind = self:suffixed()
    if kind == "name" then targets[#targets + 1] = self.tokens[from] end
  until not self:accept(",")
  if not self:accept("=") then return self:tell("call", first, self.at - 1) end
  self:expressions()
  for _, token in ipairs(targets) do
    self:tell("assigned", token, self.scope[token.text] == "loop")
  end
  self:tell("assignment", first, self.at - 1)
end

function Walk:block()
  while self:word() and not ENDS[self:word()] do
    local statement = statements[self:word()]
    if statement then statement(self) else self:other() end
  end
end

--- Walks the text; gives its tokens. Raises where it does not parse.
function M.walk(text, visitor)
  local walk = setmetatable({ tokens = lexer.lua(text), at = 1, visitor = visitor,
    scope = {} }, Walk)
  walk:block()
  if walk:word() then error("unexpected " .. walk:word() .. ", token " .. walk.at) end
  return walk.tokens
end

return M
