-- SPDX-License-Identifier: MIT
--- `lua-smtp dialogue TARGET`: the protocol by hand. Lines go out as they are typed and
-- replies are shown as they come; a script (dialogue_script.lua) does it without hands.
local convert = require "smtp.cli.convert"
local input = require "smtp.cli.input"
local loop = require "smtp.loop"
local say = require "smtp.cli.say"
local script = require "smtp.cli.dialogue_script"
local smtp = require "smtp"
local target = require "smtp.cli.target"

local M = {}

local EPILOG = [[
Each line of standard input is sent, with its reply awaited, but for the content behind
DATA; STARTTLS makes the handshake too. Nothing is mended and no dot is doubled.

A script has a line for each step, and `#` before comments:
  > line         send it
  < 250          read a reply, which must begin so: 250, 2xx, "250 2.1.0"; < alone: any
  ! pause 0.2    wait; also: ! starttls, ! closed, ! abort, ! raw TEXT (with \r \n \xHH)

Examples:
  lua-smtp dialogue localhost:2525
  lua-smtp dialogue smtp://mail.example.org:587 --starttls
  printf '> NOOP\n< 250\n' | lua-smtp dialogue localhost --starttls --insecure --script -]]

local FOREVER = 1e6 -- seconds
local CLOSE = 2 -- seconds for the server to close after QUIT

function M.describe(command)
  command:summary("Speak the protocol by hand.")
    :description("Sends lines and prints replies, with C: and S: in front."):epilog(EPILOG)
  command:argument("target", "Where to: host, host:port or a URL."):argname("TARGET")
  command:mutex(
    command:flag("--starttls", "Begin with EHLO and STARTTLS."),
    command:flag("--tls", "TLS from the first byte; smtps:// implies it."))
  command:option("--script", "Take the steps from a file; - is standard input."):argname("FILE")
  target.describe_trust(command)
  command:flag("--insecure", "Trust any certificate.")
  command:option("--timeout", "Seconds to wait for a reply; default: 10 in a script, else none.")
    :argname("S"):convert(convert.seconds)
  command:option("--helo", "Our name for --starttls; default [127.0.0.1]."):argname("NAME")
end

local function show_tls(info)
  say.line("TLS: %s %s, %s", info.version, info.cipher,
    info.verified and "verified" or "not verified: " .. tostring(info.distrust))
end

-- The options of `starttls` and `secure` of the dialogue.
local function trust_of(args)
  return { ca = args.ca, verify = not args.insecure }
end

local function is_implicit(args)
  local implicit = args.target:lower():find("^smtps://")
  if implicit and args.starttls then say.usage("smtps:// has TLS already, without --starttls") end
  return args.tls or implicit
end

local function begin(d, args, implicit)
  if implicit then
    show_tls(say.check(d:secure(trust_of(args))))
  elseif args.starttls then
    say.check(d:expect("2xx"))
    say.check(d:cmd("EHLO " .. (args.helo or "[127.0.0.1]"), "2xx"))
    show_tls(say.check(d:starttls(trust_of(args))))
  end
end

-- ---- by hand ---------------------------------------------------------------

-- A task that prints replies as they come; state: n replies so far, the last one, why it
-- ended, the gate of who waits for a reply, and that of who waits for the end.
local function listen(d, state)
  while true do
    local reply, err = d:expect()
    if reply then
      state.n, state.last = state.n + 1, reply
    elseif err.kind ~= "timeout" then
      state.ended = err
    end
    if state.gate then loop.wake(state.gate) end
    if state.ended then break end
  end
  loop.wake(state.done)
end

-- Waits for one reply more than n, at most so many seconds.
local function await(state, n, seconds)
  while state.n <= n and not state.ended do
    state.gate = loop.gate()
    if not loop.pass(state.gate, seconds) then break end
  end
  return state.n > n
end

local function handshake(d, state, args)
  loop.cancel(state.listener)
  local info, err = d:secure(trust_of(args))
  if not info then
    state.ended = err
    return
  end
  show_tls(info)
  state.listener = loop.spawn(listen, d, state)
end

-- Sends a line, and waits for its reply unless it is content.
local function exchange(d, state, line, args)
  local n = state.n
  local ok, err = d:raw(line .. "\r\n")
  if not ok then
    state.ended = state.ended or err
    return
  end
  if state.content and line ~= "." then return end
  if not await(state, n) then return end
  state.content = state.last.code == 354
  if line:upper() == "STARTTLS" and state.last.code == 220 then handshake(d, state, args) end
end

local function type_in(d, state, args)
  await(state, 0) -- the greeting
  while not state.ended do
    local line = input.line()
    if not line then break end
    state.quit = line:upper() == "QUIT" and not state.content
    exchange(d, state, line, args)
  end
  if state.quit then await(state, math.huge, CLOSE) end
  loop.wake(state.done)
end

local function by_hand(d, args)
  local greeted = args.starttls and 1 or 0 -- it was read before STARTTLS
  local state = { n = greeted, done = loop.gate() }
  state.listener = loop.spawn(listen, d, state)
  loop.spawn(type_in, d, state, args)
  loop.pass(state.done)
  if not state.ended or state.quit and state.ended.kind == "closed" then return 0 end
  say.fail(state.ended)
end

-- ---- both ------------------------------------------------------------------

function M.run(args)
  io.stdout:setvbuf("line")
  local implicit = is_implicit(args)
  local steps = args.script and script.read(args.script)
  local d <close> = say.check(say.guard(smtp.dialogue, args.target,
    { timeout = args.timeout or steps and 10 or FOREVER, trace = say.trace(say.line) }))
  begin(d, args, implicit)
  if steps then return script.run(d, steps, trust_of(args), show_tls) end
  return by_hand(d, args)
end

return M
