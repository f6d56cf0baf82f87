-- SPDX-License-Identifier: MIT
--- Rules of a mock: `mx:on("RCPT", { to = "*@gone.test" }):first(2):reply("550 no")`, or
-- the same as a table, `{ on = "RCPT", to = "*@gone.test", first = 2, reply = "550 no" }`.
-- They become the plain data of csrc/mock/rule.h.
local options = require "smtp.base.options"

local M = {}

local Rule = { __name = "smtp.mock.rule" }
Rule.__index = Rule

local MATCHER = {
  from = "string", to = "string", text = "string", user = "string", session = "count",
  tls = "boolean", auth = "boolean",
}

-- The call that made the rule: on("RCPT", { to = "*@gone.test" }).
function Rule:__tostring()
  local list = {}
  for key in pairs(MATCHER) do
    local value = self.spec[key]
    if value ~= nil then
      list[#list + 1] = (type(value) == "string" and "%s = %q" or "%s = %s"):format(key,
        type(value) == "string" and value or tostring(value))
    end
  end
  table.sort(list)
  local spec = self.spec
  return ("on(%q%s)%s%s"):format(self.event,
    list[1] and ", { " .. table.concat(list, ", ") .. " }" or "",
    spec.n and (":%s(%d)"):format(spec.count, spec.n) or "",
    spec.bytes and self.event:upper() == "BODY" and (":after_bytes(%d)"):format(spec.bytes) or "")
end

-- Applies every change at once.
local function apply(rule)
  rule.id = rule.machine:rule(rule.spec, rule.id)
  return rule
end

-- By machine: its rules, by their number.
local rules = setmetatable({}, { __mode = "k" })

local function keep(rule)
  local all = rules[rule.machine] or {}
  rules[rule.machine], all[rule.id] = all, rule
  return rule
end

--- The rules of a machine that never fired, except quiet ones.
function M.unused(machine)
  local list, all = {}, rules[machine] or {}
  for id, told in ipairs(machine:rules()) do
    local rule = all[id]
    if rule and told.fired == 0 and not rule.quiet then list[#list + 1] = rule end
  end
  return list
end

local function new(machine, calls, event, matcher)
  if type(event) ~= "string" or not event:find("^[%w-]+$") then
    options.misuse("mock: on needs an event, such as \"RCPT\"")
  end
  local spec = { point = event, count = "always", steps = {} }
  for key, value in pairs(options.check("mock: on", matcher or {}, MATCHER)) do
    spec[key] = value
  end
  return apply(setmetatable({ machine = machine, calls = calls, event = event, spec = spec }, Rule))
end

--- Makes a rule of a mock's machine; it does nothing until it has an action. `calls` gets its
-- functions; nil: it cannot have any.
function M.new(machine, calls, event, matcher)
  return keep(new(machine, calls, event, matcher))
end

-- ---- how often -------------------------------------------------------------

local function seconds_of(what, seconds)
  if type(seconds) ~= "number" or not (seconds >= 0 and seconds < 1e9) then
    options.misuse(("mock: %s needs a number of seconds"):format(what))
  end
  return seconds
end

local function whole(what, n)
  local whole_n = options.integer(n)
  if not whole_n or whole_n < 1 or whole_n > 2^52 then
    options.misuse(("mock: %s needs a whole number above 0"):format(what))
  end
  return whole_n
end

-- A rule has one of the counts `first`, `nth` ... and `sequence`.
local function set_count(rule, count, n)
  local before = rule.spec.count
  if before ~= "always" and before ~= count then
    options.misuse(("mock: a rule has %s already, and cannot have %s"):format(before, count))
  end
  rule.spec.count, rule.spec.n = count, n
end

for _, name in ipairs { "first", "nth", "from", "every" } do
  Rule[name] = function(rule, n)
    set_count(rule, name, whole(name, n))
    return apply(rule)
  end
end

--- Applies once for each sender and recipient, as greylists.
function Rule:new()
  set_count(self, "new")
  return apply(self)
end

--- BODY: applies after so many bytes of content.
function Rule:after_bytes(n)
  if self.event:upper() ~= "BODY" then options.misuse("mock: after_bytes is for BODY") end
  self.spec.bytes = whole("after_bytes", n)
  return apply(self)
end

--- idle: applies after so many seconds without input.
function Rule:after(seconds)
  if self.event:lower() ~= "idle" then options.misuse("mock: after is for idle") end
  self.spec.bytes = math.max(1, math.tointeger(seconds_of("after", seconds) * 1000 // 1))
  return apply(self)
end

-- ---- what happens ----------------------------------------------------------

-- The arguments of each action as fields of it.
local ACTS = {}

local function text_of(what, code, text)
  if options.integer(code) then code = ("%d %s"):format(code, text or "") end
  if type(code) ~= "string" or code == "" then
    options.misuse(("mock: %s needs a text"):format(what))
  end
  return code
end

function ACTS.reply(code, text)
  local reply = text_of("reply", code, text)
  if not reply:find("^[1-9]%d%d%f[^%d]") then
    options.misuse("mock: a reply begins with its code, which has three digits")
  end
  return { "reply", text = reply }
end

function ACTS.raw(bytes)
  if type(bytes) ~= "string" then options.misuse("mock: raw needs bytes") end
  return { "raw", text = bytes }
end

function ACTS.delay(seconds) return { "delay", seconds = seconds_of("delay", seconds) } end

function ACTS.drip(seconds)
  return { "drip", seconds = seconds_of("drip", seconds == true and 0.01 or seconds or 0.01) }
end

function ACTS.split(n, seconds)
  if type(n) == "table" then n, seconds = n[1], n[2] end
  return { "split", n = whole("split", n), seconds = seconds_of("split", seconds or 0.02) }
end

function ACTS.throttle(n) return { "throttle", n = whole("throttle", n) } end

local FLAG = { hang = true, close = true, reset = true, store = true, reject = true }
for name in pairs(FLAG) do
  ACTS[name] = function() return { name } end
end

--- A function of the session's facts, which gives a reply, or nil for the usual one. Only a mock
-- of `driver = "loop"` can call it.
function ACTS.call(calls, fn)
  if type(fn) ~= "function" then options.misuse("mock: call needs a function") end
  if not calls then
    options.misuse('mock: a function needs driver = "loop": the thread has no Lua')
  end
  calls[#calls + 1] = fn
  return { "call", n = #calls }
end

-- Events without a command: there is nothing to refuse.
local UNASKED = { BODY = true, IDLE = true, HANDSHAKE = true }

local function check_place(rule, name)
  local event = rule.event:upper()
  if name == "store" and event ~= "EOM" then
    options.misuse("mock: store is for EOM, where a message is whole")
  end
  if name == "reject" and UNASKED[event] then
    options.misuse(("mock: at %s there is nothing to reject; reply says what is said"):format(
      rule.event))
  end
end

-- A step answers once, and ends once.
local ONCE = { reply = "answer", call = "answer", reject = "answer", hang = "end", close = "end",
  reset = "end" }

local function check_once(step, name)
  if not ONCE[name] then return end
  for _, action in ipairs(step) do
    if ONCE[action[1]] == ONCE[name] then
      options.misuse(("mock: a rule has %s already, and cannot have %s as well"):format(
        action[1] == "call" and "reply" or action[1], name == "call" and "reply" or name))
    end
  end
end

local function add(rule, name, ...)
  check_place(rule, name)
  local steps = rule.spec.steps
  if rule.spec.count == "sequence" then
    options.misuse(("mock: a rule has sequence already, and cannot have %s"):format(name))
  end
  if #steps == 0 then steps[1] = {} end
  check_once(steps[#steps], name)
  local action = name == "call" and ACTS.call(rule.calls, ...) or ACTS[name](...)
  table.insert(steps[#steps], action)
  return apply(rule)
end

for name in pairs(ACTS) do
  Rule[name] = function(rule, first, ...)
    if name == "reply" and type(first) == "function" then return add(rule, "call", first) end
    return add(rule, name, first, ...)
  end
end

-- The order of a table's actions.
local ORDER = { "delay", "drip", "split", "throttle", "store", "reject", "reply", "raw", "close",
  "reset", "hang" }

local IS_ACT = {}
for _, name in ipairs(ORDER) do IS_ACT[name] = true end

-- One step of a table, or of a text, which is a reply.
local function step_of(rule, given)
  if type(given) == "string" or options.integer(given) then given = { reply = given } end
  if type(given) ~= "table" then
    options.misuse('mock: a step is a reply, such as "450 4.7.1 later", or a table of actions')
  end
  local step = {}
  for _, name in ipairs(ORDER) do
    local value = given[name]
    if value ~= nil and value ~= false then
      check_place(rule, name)
      check_once(step, name)
      if FLAG[name] and value ~= true then
        options.misuse(("mock: %s must be true"):format(name))
      end
      step[#step + 1] = type(value) == "function" and name == "reply"
        and ACTS.call(rule.calls, value) or ACTS[name](value)
    end
  end
  for key in pairs(given) do
    if not IS_ACT[key] then
      options.misuse(("mock: unknown action %q%s"):format(tostring(key),
        options.others(key, IS_ACT)))
    end
  end
  return step
end

--- Sets the actions at the first match, at the second ...; the last one stays.
function Rule:sequence(list)
  if type(list) ~= "table" then options.misuse("mock: sequence needs a list of replies") end
  if #options.list("mock: sequence", list) == 0 then options.misuse("mock: sequence is empty") end
  if #self.spec.steps > 0 then
    options.misuse("mock: a rule has actions already, and cannot have sequence")
  end
  set_count(self, "sequence")
  for i, given in ipairs(list) do self.spec.steps[i] = step_of(self, given) end
  return apply(self)
end

-- ---- tables ----------------------------------------------------------------

local TABLE = {
  on = "string", first = "count", nth = "count", from_nth = "count", every = "count",
  new = "boolean", after_bytes = "count", after = "seconds", sequence = "table",
}
for key, check in pairs(MATCHER) do TABLE[key] = check end
for _, name in ipairs(ORDER) do TABLE[name] = "any" end

--- Adds a rule from a table; `from_nth` is the method `from`.
function M.of_table(machine, calls, given)
  given = options.check("mock: a rule", given, TABLE)
  local matcher, actions = {}, {}
  for key in pairs(MATCHER) do matcher[key] = given[key] end
  for _, name in ipairs(ORDER) do actions[name] = given[name] end
  local rule = new(machine, calls, given.on, matcher)
  for _, name in ipairs { "first", "nth", "every", "after_bytes", "after" } do
    if given[name] then rule[name](rule, given[name]) end
  end
  if given.from_nth then rule:from(given.from_nth) end
  if given.new then rule:new() end
  if given.sequence then return keep(rule:sequence(given.sequence)) end
  if not next(actions) then
    options.misuse('mock: a rule needs an action, such as reply = "550 no"')
  end
  rule.spec.steps = { step_of(rule, actions) }
  return keep(apply(rule))
end

return M
