-- SPDX-License-Identifier: MIT
-- docs/states/NAME.dot from csrc/core/NAME_table.h: the picture of a machine's states and moves.
-- `write` writes it, and NAME.svg where graphviz is installed; `check` fails if it is not up to
-- date.
--
-- A table has an enum of ST_..., groups of them as macros, and SMTP_..._MOVES with rows of
-- move(event, states, state), each with a comment of a few words.
package.path = "scripts/?.lua;" .. package.path
local source = require("source")

local FOLDER = "docs/states/"
local MANY = 6 -- the states of a move that is drawn as one arrow from "any state"

local function lower(name)
  return (name:gsub("^ST_", ""):lower():gsub("_", " "))
end

-- The states in their order, { name, words }, and the groups: name -> expression.
local function read_states(text)
  local states, groups = {}, {}
  local body = assert(text:match("enum %w+ {(.-)\n};"), "no enum of states")
  for name, rest in body:gmatch("\n%s*(ST_[%w_]+) = ([^\n]*)") do
    states[#states + 1] = { name = name, words = rest:match("/%* (.-) %*/") or "" }
  end
  local joined = text:gsub("\\\n", " ")
  for name, expression in joined:gmatch("#define (ST_[%w_]+)%s+(%b())") do
    groups[name] = expression
  end
  return states, groups
end

-- The set of states that an expression names.
local function expand(expression, groups, into)
  into = into or {}
  for name in expression:gmatch("ST_[%w_]+") do
    if groups[name] then expand(groups[name], groups, into) else into[name] = true end
  end
  return into
end

local function read_moves(text, groups)
  local moves = {}
  local body = assert(text:match("#define SMTP_%w+_MOVES%b()(.-[^\\])\n"), "no table of moves")
  for event, from, to, rest in body:gmatch("move%(([%w_]+), ([^,]+), ([^)]+)%)([^\n]*)") do
    moves[#moves + 1] = { event = event, from = expand(from, groups), to = to,
      words = rest:match("/%* (.-) %*/") or "" }
  end
  local _, rows = body:gsub("move%(", "")
  assert(#moves == rows, "a row of the table is not understood")
  return moves
end

local function count(set)
  local n = 0
  for _ in pairs(set) do n = n + 1 end
  return n
end

-- The states to which a move may lead: those before the state that is left, for ST_BEFORE.
local function ends(move, moves)
  if move.to ~= "ST_BEFORE" then return { [move.to] = true } end
  local set = {}
  for _, other in ipairs(moves) do
    if move.from[other.to] then
      for name in pairs(other.from) do set[name] = true end
    end
  end
  return set
end

local function draw(name, text)
  local states, groups = read_states(text)
  local moves = read_moves(text, groups)
  assert(#states > 0 and #moves > 0, name .. ": nothing to draw")
  local lines = {
    "// Made of csrc/core/" .. name .. "_table.h by `make docs`.",
    "digraph " .. name .. " {",
    '  rankdir = TB; node [shape = box, style = rounded, fontname = "sans-serif"];',
    '  edge [fontname = "sans-serif", fontsize = 10];',
  }
  for _, state in ipairs(states) do
    if state.name ~= "ST_BEFORE" then
      lines[#lines + 1] = ('  %s [label = "%s", tooltip = "%s"];'):format(state.name,
        lower(state.name), state.words)
    end
  end
  lines[#lines + 1] = '  any [label = "any state", shape = plaintext];'
  for _, move in ipairs(moves) do
    local from, to = move.from, ends(move, moves)
    if count(from) > MANY then from = { any = true } end
    for _, one in ipairs({ { name = "any" }, table.unpack(states) }) do
      for _, other in ipairs(states) do
        if from[one.name] and to[other.name] then
          lines[#lines + 1] = ('  %s -> %s [label = "%s", tooltip = "%s"%s];'):format(one.name,
            other.name, lower(move.event), move.words,
            move.to == "ST_BEFORE" and ", style = dashed" or "")
        end
      end
    end
  end
  lines[#lines + 1] = "}\n"
  return table.concat(lines, "\n")
end

local failed = false
for _, file in ipairs(source.find("csrc/core", "_table%.h$")) do
  local name = file:match("([%w_]+)_table%.h$")
  local picture = draw(name, source.read(file))
  local path = FOLDER .. name
  if arg[1] == "write" then
    assert(os.execute("mkdir -p " .. FOLDER))
    local out <close> = assert(io.open(path .. ".dot", "wb"))
    assert(out:write(picture))
    out:close()
    if not os.execute(("command -v dot >/dev/null && dot -Tsvg -o %s.svg %s.dot"):format(path,
      path)) then
      print("states: graphviz is not here; " .. path .. ".dot is written, its picture is not")
    end
  elseif not source.exists(path .. ".dot") or source.read(path .. ".dot") ~= picture then
    print(path .. ".dot is not that of " .. file .. ": make docs")
    failed = true
  end
end
if failed then os.exit(1) end
print("states: up to date")
