-- SPDX-License-Identifier: MIT
--- `lua-smtp mock serve`: a mock for programs that are started elsewhere.
local convert = require "smtp.cli.convert"
local core = require "smtp.core"
local export = require "smtp.mock.export"
local inbox = require "smtp.mock.inbox"
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
violations of a MUST. Mails that were handed out are forgotten, but for --strict.

Examples:
  lua-smtp mock serve --port 2525 --maildir mail
  lua-smtp mock serve --port 2525 | jq 'select(.number).subject'
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

-- A line that cannot be written must not be lost in silence.
local function put_line(value)
  local ok, why = io.stdout:write(json.encode(value), "\n")
  if ok then ok, why = io.stdout:flush() end
  if not ok then say.fail("standard output: " .. tostring(why)) end
end

local function print_mail(mail, number)
  put_line { number = number, from = mail.from, recipients = mail.recipients,
    subject = mail.subject, text = mail.text, raw = mail.raw, helo = mail.helo,
    user = mail.user, tls = mail.secure }
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

-- Hands out mails until there were enough of them; `forgets`: and then drops them, and
-- those that were refused, so that a mock that serves for weeks does not grow.
local function serve(mx, take, most, state, forgets)
  local n, total = 0, 0 -- mails of the mock that were looked at; those handed out
  local function hand_out()
    local all = inbox.mails(mx)
    for i = n + 1, #all do
      if all[i].stored then
        total = total + 1
        take(all[i], total)
      end
    end
    n = forgets and inbox.clear(mx, true) and 0 or #all
  end
  while not state.over and not (most and total >= most) do
    local _, err = inbox.wait_more(mx, n, FOREVER)
    if err then loop.sleep(LOOK) end -- no descriptor is left: others end
    hand_out()
  end
  if state.over then return end
  mx:on("MAIL"):reply("421 4.3.2 that was the last mail")
  see_off(mx)
  hand_out()
end

function M.run(args)
  io.stdout:setvbuf("full") -- put_line flushes: by lines, a write that fails is not told
  local take = args.maildir and store_mail(args.maildir) or print_mail
  if args.maildir then say.check(export.write({}, "maildir", args.maildir)) end
  local signals <close>, why, errname = core.signals { "INT", "TERM" }
  if not signals and errname ~= "ENOSYS" then say.fail("signals: " .. why) end
  local mx <close> = mock_options.start(args, args.port)
  put_line { host = mx.host, port = mx.port, url = mx.url, ca_file = mx.ca_file }
  local state = {}
  if signals then loop.spawn(stop_at_signal, mx, state, signals) end
  if args.until_eof then loop.spawn(stop_at_end, mx, state) end
  serve(mx, take, args.count, state, not args.strict)
  if not args.strict then return 0 end
  return report.show(mx) and 0 or 1
end

return M
