-- SPDX-License-Identifier: MIT
--- The common part of `mock run` and `mock serve`: the options of a mock, and its start.
local convert = require "smtp.cli.convert"
local json = require "smtp.cli.json"
local mock = require "smtp.mock"
local say = require "smtp.cli.say"

local M = {}

local function sorted(map)
  local names = {}
  for name in pairs(map) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ", ")
end

--- Adds the options to a command.
function M.describe(command)
  command:option("--tls", "Offer STARTTLS (the default), or speak TLS from the first byte.")
    :args("?"):argname("MODE"):choices { "starttls", "implicit" }
  command:option("--fault", "TLS that a client must refuse: expired, wrong_host, unknown_ca ...")
    :argname("NAME")
  command:option("--rules", "Rules as a JSON list: [{\"on\": \"RCPT\", \"reply\": \"550 no\"}].")
    :argname("FILE")
  command:flag("--strict",
    "Refuse what the grammar does not allow; violations of a MUST are failures.")
  command:option("--without", "Leave an extension out, such as PIPELINING."):count("*")
    :argname("KEYWORD")
  command:option("--user", "Offer AUTH to this user; \"any\" lets everybody in."):count("*")
    :argname("NAME:PASSWORD")
  command:option("--quirk", "Behave in an odd way: " .. sorted(mock.quirks) .. "."):count("*")
    :argname("NAME")
  command:option("--chaos", "Faults by chance, the same for the same seed."):argname("SEED")
    :convert(convert.whole)
end

local function users_of(list)
  if #list == 0 then return nil end
  local users = {}
  for _, word in ipairs(list) do
    if word == "any" and #list > 1 then say.usage('--user: "any" stands alone') end
    if word == "any" then return "any" end
    local name, password = word:match("^([^:]+):(.*)$")
    if not name then say.usage(("--user needs NAME:PASSWORD, not %q"):format(word)) end
    users[name] = password
  end
  return users
end

local function tls_of(args)
  local mode = args.tls and (args.tls[1] or "starttls")
  if not mode and not args.fault then return nil end
  return { mode = mode or "starttls", fault = args.fault }
end

-- The rules of a file.
local function rules_of(path)
  if not path then return {} end
  local file <close>, why = io.open(path, "rb")
  if not file then say.usage("--rules: " .. why) end
  local text = file:read("a")
  if not text then say.usage(("--rules: %s cannot be read"):format(path)) end
  local list
  list, why = json.decode(text)
  if why then say.usage(("--rules: %s: %s"):format(path, why)) end
  if type(list) ~= "table" or next(list) and not list[1] then
    say.usage(("--rules: %s is no list of rules"):format(path))
  end
  return list
end

-- Adds the rules one by one, so that a wrong one can be named.
local function add_rules(mx, args)
  for i, rule in ipairs(rules_of(args.rules)) do
    local ok, why = pcall(mx.rule, mx, rule)
    if not ok then
      why = tostring(why):gsub("^[^\n]-:%d+: ", "")
      say.usage(("--rules: rule %d: %s"):format(i, why))
    end
  end
end

local function prepare(mx, args)
  for _, name in ipairs(args.quirk) do mx:quirk(name) end
  if args.chaos then mx:chaos { seed = args.chaos } end
  add_rules(mx, args)
end

--- Starts a mock as the options say; what is wrong in them ends the command.
function M.start(args, port)
  local mx = say.check(say.guard(mock.start, {
    port = port, tls = tls_of(args), strict = args.strict, without = args.without,
    users = users_of(args.user),
  }))
  local ok, why = pcall(say.guard, prepare, mx, args)
  if not ok then
    mx:stop()
    error(why, 0)
  end
  return mx
end

return M
