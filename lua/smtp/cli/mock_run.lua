-- SPDX-License-Identifier: MIT
--- `lua-smtp mock run -- COMMAND...`: a command with a mock around it.
local convert = require "smtp.cli.convert"
local mock_options = require "smtp.cli.mock_options"
local report = require "smtp.cli.mock_report"
local say = require "smtp.cli.say"
local shell = require "smtp.cli.shell"

local M = {}

local EPILOG = [[
The command finds SMTP_HOST, SMTP_PORT, SMTP_URL and, with TLS, SMTP_CA_FILE in its
environment. When it has ended and the mock is idle, a report goes to standard error.

Status: the command's own if it is not 0 (128 + n: signal n ended it); else 1 if --expect
is not met, if sessions are still at work or, with --strict, for violations of a MUST
and rules that never fired; else 0.

Examples:
  lua-smtp mock run -- pytest tests/
  lua-smtp mock run --tls implicit --user ada:secret --expect 1 -- npm test
  lua-smtp mock run --strict --rules greylist.json -- sh -c './send.sh; ./send.sh'
  lua-smtp mock run --fault expired -- sh -c '! ./send.sh'    it must refuse to send]]

function M.describe(command)
  command:summary("Run a command with a mock in its environment.")
    :description("Starts a mock, runs COMMAND, and tells what it has sent."):epilog(EPILOG)
  mock_options.describe(command)
  command:option("--expect", "Fail unless so many mails came."):argname("N")
    :convert(convert.whole)
  command:option("--timeout", "Seconds to wait for sessions to end; default 5."):argname("S")
    :convert(convert.seconds)
end

function M.run(args, words)
  local mx <close> = mock_options.start(args)
  local status = shell.run(words, shell.environment(mx))
  local idle, err = mx:wait_idle(args.timeout or 5)
  if not idle then say.note("mock: %s", err.message) end
  local well = report.show(mx, args.expect)
  if status ~= 0 then return status end
  return well and idle and 0 or 1
end

return M
