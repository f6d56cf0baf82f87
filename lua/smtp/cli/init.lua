-- SPDX-License-Identifier: MIT
--- The command line `lua-smtp`: reads the words, finds the subcommand, and turns what is
-- raised on the way into a sentence and an exit status. One subcommand is one file beside
-- this, with `describe(parser)` and `run(args, words, parser)`, which gives the status.
require "smtp.base.version"
local packages = require "smtp.cli.packages"
local say = require "smtp.cli.say"
local smtp = require "smtp"

local M = {}

-- In the order in which the help shows them.
local TREE = {
  { "mock", about = "A scripted SMTP server for tests.",
    { "run", module = "smtp.cli.mock_run", command = true },
    { "serve", module = "smtp.cli.mock_serve" } },
  { "send", module = "smtp.cli.send" },
  { "dialogue", module = "smtp.cli.dialogue" },
  { "check", module = "smtp.cli.check" },
  { "gauntlet", about = "Difficult servers, one after the other.",
    { "client", module = "smtp.cli.gauntlet", command = true } },
}

local EPILOG = [[
Examples:
  lua-smtp mock run -- pytest          test what sends mail, in any language
  lua-smtp send localhost:2525 --from ada@code.energy --to bob@example.com --text Hi
  lua-smtp check smtp://mail.example.org:587

`lua-smtp COMMAND --help` tells more. Status: 0 well, 1 not, 2 wrong usage.]]

local function show_version()
  print(("lua-smtp %s (%s)"):format(smtp._VERSION, _VERSION))
  os.exit(0)
end

-- Adds one entry of the tree, and those below it, to a parser.
local function add(parser, entry, path)
  local name = entry[1]
  local command = parser:command(name)
  path = path .. "_" .. name
  if not entry.module then
    command:summary(entry.about):description(entry.about):require_command(true)
    command:command_target("command" .. path)
    for i = 2, #entry do add(command, entry[i], path) end
    local first = entry[2][1]
    command:epilog(("Examples:\n  lua-smtp %s %s --help"):format(name, first))
    return
  end
  local module = require(entry.module)
  module.describe(command)
  command:action(function(args) args.entry, args.module, args.parser = entry, module, command end)
  if entry.command then command:usage(command:get_usage() .. " -- COMMAND...") end
end

local function build()
  local parser = packages.argparse()("lua-smtp",
    "SMTP from the command line: a mock server, a client, a dialogue.", EPILOG)
  parser:flag("--version", "Show the version."):action(show_version)
  parser:require_command(true):command_target("command"):help_max_width(95)
  for _, entry in ipairs(TREE) do add(parser, entry, "") end
  return parser
end

-- The words before the first "--", and those behind it if there is one.
local function split(words)
  local head, tail = {}, nil
  for _, word in ipairs(words) do
    if tail then
      tail[#tail + 1] = word
    elseif word == "--" then
      tail = {}
    else
      head[#head + 1] = word
    end
  end
  return head, tail
end

local function wrong(parser, complaint)
  io.stderr:write(("lua-smtp: %s\n%s\n"):format(complaint, parser:get_usage()))
  os.exit(2)
end

local function check_command(args, tail)
  if args.entry.command and not (tail and tail[1]) then
    say.usage("a command is needed behind --")
  elseif not args.entry.command and tail then
    say.usage("there is nothing to be said behind --")
  end
end

--- Does what the words say and gives the exit status.
function M.main(words)
  local parser
  local args
  local ok, result = xpcall(function()
    parser = build()
    local head, tail = split(words)
    args = parser:_parse(head, function(at, complaint)
      if complaint == "too many arguments" and not tail then
        complaint = complaint .. ": a command to run goes behind --"
      end
      wrong(at, complaint)
    end)
    check_command(args, tail)
    return args.module.run(args, tail)
  end, say.caught)
  if ok then return result end
  return say.failed(result, args and args.parser)
end

return M
