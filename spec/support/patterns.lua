-- SPDX-License-Identifier: MIT
-- The functions of `string` that take patterns, in Lua, so that a count of instructions
-- sees each step of a match. They do what those of C do (spec/linear_spec.lua compares).
local M = {}

local byte, char, sub = string.byte, string.char, string.sub
local native_find, native_match = string.find, string.match

-- ---- patterns become lists of items ---------------------------------------

local sets = {} -- "[a-z]", "%s", "." -> byte -> whether it is in it

local function set_of(text)
  local set = sets[text]
  if not set then
    set = {}
    for c = 0, 255 do set[c] = native_find(char(c), text) ~= nil end
    sets[text] = set
  end
  return set
end

local function literal(c)
  return set_of(native_find(c, "%w") and c or c == "\0" and "%z" or "%" .. c)
end

-- The end of the set that begins at `at`.
local function set_end(p, at)
  at = at + 1
  if sub(p, at, at) == "^" then at = at + 1 end
  repeat
    local c = sub(p, at, at)
    assert(c ~= "", "malformed pattern")
    at = at + (c == "%" and 2 or 1)
  until sub(p, at, at) == "]"
  return at
end

-- The set of one character at `at`, and the place behind.
local function single(p, at)
  local c = sub(p, at, at)
  if c == "[" then
    local last = set_end(p, at)
    return set_of(sub(p, at, last)), last + 1
  end
  if c == "%" then return set_of(sub(p, at, at + 1)), at + 2 end
  return c == "." and set_of(".") or literal(c), at + 1
end

local compiled = {}

local function compile(p)
  local items, at = compiled[p], 1
  if items then return items end
  items = { anchored = sub(p, 1, 1) == "^" }
  if items.anchored then at = 2 end
  while at <= #p do
    local c, two = sub(p, at, at), sub(p, at, at + 1)
    local item
    if two == "()" then
      item, at = { kind = "position" }, at + 2
    elseif c == "(" or c == ")" then
      item, at = { kind = c }, at + 1
    elseif c == "$" and at == #p then
      item, at = { kind = "end" }, at + 1
    elseif two == "%b" then
      item, at = { kind = "balance", open = byte(p, at + 2), close = byte(p, at + 3) }, at + 4
    elseif two == "%f" then
      local set, behind = single(p, at + 2)
      item, at = { kind = "frontier", set = set }, behind
    elseif native_find(two, "^%%%d") then
      item, at = { kind = "back", n = tonumber(sub(two, 2)) }, at + 2
    else
      local set, behind = single(p, at)
      local many = native_match(p, "^[*+?-]", behind)
      item, at = { kind = many or "one", set = set }, behind + (many and 1 or 0)
    end
    items[#items + 1] = item
  end
  compiled[p] = items
  return items
end

-- ---- matching --------------------------------------------------------------

local try

local function longest(s, at, items, k, state, least, most)
  local set, n = items[k].set, 0
  while n < most and at + n <= #s and set[byte(s, at + n)] do n = n + 1 end
  while n >= least do
    local found = try(s, at + n, items, k + 1, state)
    if found then return found end
    n = n - 1
  end
end

local kinds = {}

kinds["*"] = function(s, at, items, k, state) return longest(s, at, items, k, state, 0, #s + 1) end
kinds["+"] = function(s, at, items, k, state) return longest(s, at, items, k, state, 1, #s + 1) end
kinds["?"] = function(s, at, items, k, state) return longest(s, at, items, k, state, 0, 1) end

kinds["-"] = function(s, at, items, k, state)
  while true do
    local found = try(s, at, items, k + 1, state)
    if found then return found end
    if at > #s or not items[k].set[byte(s, at)] then return nil end
    at = at + 1
  end
end

kinds["end"] = function(s, at, items, k, state)
  return at == #s + 1 and try(s, at, items, k + 1, state)
end

function kinds.balance(s, at, items, k, state)
  if byte(s, at) ~= items[k].open then return nil end
  local depth, place = 1, at + 1
  while place <= #s do
    local c = byte(s, place)
    if c == items[k].close then
      depth = depth - 1
      if depth == 0 then return try(s, place + 1, items, k + 1, state) end
    elseif c == items[k].open then
      depth = depth + 1
    end
    place = place + 1
  end
end

function kinds.frontier(s, at, items, k, state)
  local set = items[k].set
  if set[byte(s, at - 1) or 0] or not set[byte(s, at) or 0] then return nil end
  return try(s, at, items, k + 1, state)
end

function kinds.back(s, at, items, k, state)
  local text = sub(s, state[items[k].n].from, state[items[k].n].to)
  if sub(s, at, at + #text - 1) ~= text then return nil end
  return try(s, at + #text, items, k + 1, state)
end

function kinds.position(s, at, items, k, state)
  state[#state + 1] = { position = at }
  local found = try(s, at, items, k + 1, state)
  if not found then state[#state] = nil end
  return found
end

kinds["("] = function(s, at, items, k, state)
  state[#state + 1] = { from = at }
  local found = try(s, at, items, k + 1, state)
  if not found then state[#state] = nil end
  return found
end

kinds[")"] = function(s, at, items, k, state)
  local n = #state
  while state[n].to or state[n].position do n = n - 1 end
  state[n].to = at - 1
  local found = try(s, at, items, k + 1, state)
  if not found then state[n].to = nil end
  return found
end

-- The place behind the match of the items from k on, or nil.
function try(s, at, items, k, state)
  while true do
    local item = items[k]
    if not item then return at end
    if item.kind ~= "one" then return kinds[item.kind](s, at, items, k, state) or nil end
    if at > #s or not item.set[byte(s, at)] then return nil end
    at, k = at + 1, k + 1
  end
end

-- ---- what `string` has -------------------------------------------------------

local function captures(s, state, first, last)
  if #state == 0 then return sub(s, first, last) end
  local all = {}
  for i, one in ipairs(state) do all[i] = one.position or sub(s, one.from, one.to) end
  return table.unpack(all, 1, #state)
end

local function start(s, init)
  init = init or 1
  if init < 0 then init = math.max(#s + init + 1, 1) end
  return math.max(init, 1)
end

-- First and last place of the first match, and its captures.
local function search(s, p, init)
  local items = compile(p)
  for at = init, items.anchored and init or #s + 1 do
    local state = {}
    local behind = try(s, at, items, 1, state)
    if behind then return at, behind - 1, state end
  end
end

local function plain(s, text, at)
  local first, n = byte(text), #text
  if n == 0 then return at, at - 1 end
  for i = at, #s - n + 1 do
    if byte(s, i) == first and sub(s, i, i + n - 1) == text then return i, i + n - 1 end
  end
end

function M.find(s, p, init, is_plain)
  s, p, init = tostring(s), tostring(p), start(s, init)
  if init > #s + 1 then return nil end
  if is_plain then return plain(s, p, init) end
  local first, last, state = search(s, p, init)
  if not first then return nil end
  if #state == 0 then return first, last end
  return first, last, captures(s, state)
end

function M.match(s, p, init)
  s, p, init = tostring(s), tostring(p), start(s, init)
  if init > #s + 1 then return nil end
  local first, last, state = search(s, p, init)
  if not first then return nil end
  return captures(s, state, first, last)
end

function M.gmatch(s, p, init)
  local at, last_end = start(s, init), nil
  local items = compile(p)
  assert(not items.anchored, "an anchor in gmatch")
  return function()
    while at <= #s + 1 do
      local state, first = {}, at
      local behind = try(s, at, items, 1, state)
      if behind and behind ~= last_end then
        at, last_end = behind, behind
        return captures(s, state, first, behind - 1)
      end
      at = at + 1
    end
  end
end

local function replaced(repl, whole, ...)
  local kind = type(repl)
  if kind == "string" then
    local all = { [0] = whole, ... }
    local out, at = {}, 1
    while at <= #repl do
      local c = sub(repl, at, at)
      if c == "%" then
        c = sub(repl, at + 1, at + 1)
        at = at + 1
        c = native_find(c, "%d") and tostring(all[tonumber(c)]) or c
      end
      out[#out + 1] = c
      at = at + 1
    end
    return table.concat(out)
  end
  local value
  if kind == "table" then value = repl[(...)] else value = repl(...) end
  return value or whole
end

function M.gsub(s, p, repl, most)
  s = tostring(s)
  local items, out, at, n, last_end = compile(p), {}, 1, 0, nil
  if type(repl) == "number" then repl = tostring(repl) end
  while n < (most or #s + 1) do
    local state = {}
    local behind = at <= #s + 1 and try(s, at, items, 1, state)
    if behind and behind ~= last_end then
      local whole = sub(s, at, behind - 1)
      out[#out + 1] = replaced(repl, whole, captures(s, state, at, behind - 1))
      n, at, last_end = n + 1, behind, behind
    elseif at <= #s then
      out[#out + 1] = sub(s, at, at)
      at = at + 1
    else
      break
    end
    if items.anchored then break end
  end
  out[#out + 1] = sub(s, at)
  return table.concat(out), n
end

return M
