-- SPDX-License-Identifier: MIT
--- `lua-smtp gauntlet client -- COMMAND...`: a client against servers that are difficult,
-- one after the other (smtp.mock.gauntlet).
local say = require "smtp.cli.say"
local shell = require "smtp.cli.shell"

local M = {}

local EPILOG = [[
COMMAND runs once for each behaviour. It gets a whole message on standard input and sends
it as it is, from SMTP_FROM to SMTP_TO (parted by commas) by SMTP_HOST and SMTP_PORT (or
SMTP_URL). SMTP_TLS is none, starttls or implicit, which then must be used and verified by
SMTP_CA_FILE; SMTP_USER and SMTP_PASSWORD are there where it shall sign in. It ends with 0
only if the mail was accepted, and gives up within SMTP_TIMEOUT seconds for each step. One
that takes more than 4 seconds in all is wrong, and is ended after 10.

Status: 0 if it did right each time, else 1.

Examples:
  lua-smtp gauntlet client -- python3 send.py
  lua-smtp gauntlet client --lacks tls --lacks auth -- ./send.sh
  lua-smtp gauntlet client --only starttls_stripped -v -- ./send.sh]]

local NAME = "smtp.gauntlet" -- loaded when it is needed

local LIMIT = 10 -- seconds that COMMAND may take

function M.describe(command)
  command:summary("Run a client against difficult servers.")
    :description("Runs COMMAND once for each behaviour of a server."):epilog(EPILOG)
  command:option("--only", "This behaviour alone."):count("*"):argname("NAME")
  command:option("--lacks", "What COMMAND cannot do: tls or auth."):count("*")
    :argname("FEATURE"):choices { "tls", "auth" }
  command:flag("-v --verbose", "Show what COMMAND prints.")
end

local function load()
  local ok, gauntlet = pcall(require, NAME)
  if not ok then say.fail("there is no gauntlet: " .. tostring(gauntlet):match("^[^\n]*")) end
  return gauntlet
end

-- The environment of COMMAND, besides the variables of a mock that each command has.
local function environment(target)
  local env = shell.environment(target)
  local auth = target.auth or {}
  for name, value in pairs {
    FROM = target.from or "", TO = table.concat(target.to or {}, ","), TLS = target.tls or "none",
    USER = auth.user or false, PASSWORD = auth.password or false,
    TIMEOUT = target.timeout and tostring(target.timeout) or false,
  } do
    env[#env + 1] = { "SMTP_" .. name, value }
  end
  return env
end

local function show(result)
  say.line("%s  %-24s %s", result.right and "ok   " or "WRONG", result.name, result.about or "")
  if result.right then return end
  say.line("       expected: %s, got: %s%s", tostring(result.expected), tostring(result.got),
    result.detail and ": " .. result.detail or "")
end

local function last_line(text)
  return text:match("([^\n]+)%s*$")
end

function M.run(args, words)
  local gauntlet = load()
  if not shell.finds(words[1]) then say.usage(("there is no command %q"):format(words[1])) end
  words = shell.limited(words, LIMIT)
  local function send(target)
    local status, text = shell.capture(words, environment(target), target.raw or "")
    if args.verbose then io.stderr:write(text) end
    return status == 0, last_line(text) or ("status %d"):format(status)
  end
  local results = say.guard(gauntlet.run, send, { only = args.only[1] and args.only, each = show,
    lacks = args.lacks })
  local wrong = 0
  for _, result in ipairs(results) do
    if not result.right then wrong = wrong + 1 end
  end
  say.line("%d behaviour%s, %d wrong", #results, #results == 1 and "" or "s", wrong)
  return wrong == 0 and 0 or 1
end

return M
