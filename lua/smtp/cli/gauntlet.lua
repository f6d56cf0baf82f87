-- SPDX-License-Identifier: MIT
--- `lua-smtp gauntlet client -- COMMAND...`: a client against servers that are difficult,
-- one after the other (smtp.mock.gauntlet).
-- Internal.
local say = require "smtp.cli.say"
local shell = require "smtp.cli.shell"

local M = {}

local EPILOG = [[
COMMAND sends one mail to SMTP_HOST and SMTP_PORT (or SMTP_URL; SMTP_CA_FILE is whom to
trust), and ends with 0 only if the mail was accepted. It runs once for each behaviour.

Status: 0 if each mail was delivered or refused as it should be, else 1.

Examples:
  lua-smtp gauntlet client -- python3 send.py
  lua-smtp gauntlet client --only greylist -- ./send.sh]]

local NAME = "smtp.mock.gauntlet" -- loaded when it is needed

function M.describe(command)
  command:summary("Run a client against difficult servers.")
    :description("Runs COMMAND once for each behaviour of a server."):epilog(EPILOG)
  command:option("--only", "This behaviour alone."):argname("NAME")
  command:flag("-v --verbose", "Show what COMMAND prints.")
end

local function load()
  local ok, gauntlet = pcall(require, NAME)
  if not ok then say.fail("there is no gauntlet: " .. tostring(gauntlet):match("^[^\n]*")) end
  return gauntlet
end

local function show(result)
  say.line("%s %-24s expected %-10s got %-10s %s", result.right and "ok   " or "WRONG",
    result.name, tostring(result.expected), tostring(result.got), result.about or "")
end

function M.run(args, words)
  local gauntlet = load()
  local function send(target)
    local status, text = shell.capture(words, shell.environment(target))
    if args.verbose then io.stderr:write(text) end
    return status == 0, text
  end
  local results, err = say.guard(gauntlet.run, send, { only = args.only })
  if not results then say.fail(err) end
  local wrong = 0
  for _, result in ipairs(results) do
    show(result)
    if not result.right then wrong = wrong + 1 end
  end
  if #results == 0 then say.usage(("there is no behaviour %q"):format(args.only or "")) end
  say.line("%d behaviours, %d wrong", #results, wrong)
  return wrong == 0 and 0 or 1
end

return M
