-- SPDX-License-Identifier: MIT
--- `lua-smtp mock serve`: a mock for programs that are started elsewhere.
-- Internal.
local convert = require "smtp.cli.convert"
local core = require "smtp.core"
local export = require "smtp.mock.export"
local input = require "smtp.cli.input"
local json = require "smtp.cli.json"
local loop = require "smtp.loop"
local mock_options = require "smtp.cli.mock_options"
local report = require "smtp.cli.mock_report"
local say = require "smtp.cli.say"

local M = {}

local EPILOG = [[
The first line on standard output is JSON: host, port, url, and ca_file with TLS. Then
come the mails: a file each in a Maildir, or (the default) a line of JSON each, with from,
recipients, subject, text and raw; bytes that are no UTF-8 become U+FFFD there.

It ends at SIGINT or SIGTERM, after --count mails, or with --until-eof when standard input
ends; with --strict a report goes to standard error then, and the status is 1 for
violations. Mails that were handed out are forgotten, but for --strict.

Examples:
  lua-smtp mock serve --port 2525 --maildir mail
  lua-smtp mock serve --tls --count 1 | jq -r .subject
  sleep 60 | lua-smtp mock serve --until-eof]]

function M.describe(command)
  command:summary("Serve, and print or store each mail.")
    :description("Starts a mock and hands out what comes."):epilog(EPILOG)
  mock_options.describe(command)
  command:option("--port", "Where to listen; default: any port that is free."):argname("N")
    :convert(convert.port)
  command:mutex(
    command:option("--maildir", "Store the mails there."):argname("DIR"),
    command:flag("--json", "Print the mails (the default)."))
  command:option("--count", "End after so many mails."):argname("N"):convert(convert.whole)
  command:flag("--until-eof", "End when standard input does.")
end

local function print_mail(mail, number)
  print(json.encode { number = number, from = mail.from, recipients = mail.recipients,
    subject = mail.subject, text = mail.text, raw = mail.raw, helo = mail.helo,
    user = mail.user, tls = mail.secure })
end

local function store_mail(folder)
  return function(mail) say.check(export.write({ mail }, "maildir", folder)) end
end

local FOREVER = 1e6 -- seconds
local FAREWELL = 2 -- seconds that the last client has for its QUIT
local LOOK = 0.01 -- seconds between two looks whether it is gone

local function is_open(session) return not session.closed end

-- The last client shall have its reply, and say QUIT.
local function see_off(mx)
  mx:wait_idle()
  local limit = core.now() + FAREWELL
  while #mx:sessions(is_open) > 0 and core.now() < limit do loop.sleep(LOOK) end
end

-- A mail that was accepted before the end of input still counts.
local function stop_at_end(mx, state)
  input.drain()
  see_off(mx)
  state.over = true
  mx:stop()
end

-- Somebody wants an end: nobody is seen off.
local function stop_at_signal(mx, state, signals)
  loop.wait(signals, "r")
  signals:take() -- else it acts when signals do again what they did
  state.over = true
  mx:stop()
end

-- Hands out mails until there were enough of them; `forgets`: and then drops them, so that
-- a mock that serves for weeks does not grow.
local function serve(mx, take, most, state, forgets)
  local n, total = 0, 0 -- those that the mock has, all
  while not most or total < most do
    local mail = mx:wait(nil, FOREVER, n + 1)
    if mail then
      total, n = total + 1, n + 1
      take(mail, total)
      if forgets and mx:_clear(n) then n = 0 end
    elseif state.over then
      return
    end
  end
  see_off(mx)
end

function M.run(args)
  io.stdout:setvbuf("line")
  local take = args.maildir and store_mail(args.maildir) or print_mail
  if args.maildir then say.check(export.write({}, "maildir", args.maildir)) end
  local signals <close> = core.signals { "INT", "TERM" } -- nil where the system has none
  local mx <close> = mock_options.start(args, args.port)
  print(json.encode { host = mx.host, port = mx.port, url = mx.url, ca_file = mx.ca_file })
  local state = {}
  if signals then loop.spawn(stop_at_signal, mx, state, signals) end
  if args.until_eof then loop.spawn(stop_at_end, mx, state) end
  serve(mx, take, args.count, state, not args.strict)
  if not args.strict then return 0 end
  return report.show(mx) and 0 or 1
end

return M
