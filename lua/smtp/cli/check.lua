-- SPDX-License-Identifier: MIT
--- `lua-smtp check URL`: what a client will meet at a server, each address by itself, and
-- what to do about what is wrong. No mail is sent. One server is check_server.lua.
local core = require "smtp.core"
local loop = require "smtp.loop"
local say = require "smtp.cli.say"
local server = require "smtp.cli.check_server"
local smtp = require "smtp"
local target = require "smtp.cli.target"
local target_of = require "smtp.client.target"

local M = {}

local EPILOG = [[
Looks the name up, connects to each address, makes the TLS handshake, shows what EHLO
offers before and after it, and with --auth signs in. No mail is sent.

Status: 0 if all is well, 1 if something is wrong, 2 wrong usage.

Examples:
  lua-smtp check smtp://mail.example.org:587
  SMTP_PASSWORD=secret lua-smtp check smtps://mail.example.org --auth ada]]

function M.describe(command)
  command:summary("Tell what a server offers and what is wrong with it.")
    :description("Checks a server step by step."):epilog(EPILOG)
  command:argument("url", "The server: host, host:port or a URL."):argname("URL")
  target.describe_auth(command)
  target.describe_trust(command)
end

-- ---- the table -------------------------------------------------------------

local Table = {}
Table.__index = Table

local MARKS = { ok = "ok", warn = "warn", wrong = "WRONG", info = "" }

--- Shows a row: "ok", "warn", "wrong" or "info", what it is about, a text, and a hint.
function Table:row(mark, label, text, hint)
  if mark == "wrong" then self.wrong = self.wrong + 1 end
  say.line("%-5s  %-12s %s", MARKS[mark], label, say.translate(text))
  if hint then say.line("%-5s  %-12s hint: %s", "", "", say.translate(hint)) end
end

-- ---- the addresses ---------------------------------------------------------

local LOOK_UP = 30 -- seconds

local function resolve(where)
  local job <close>, why = core.resolve(where.host, tostring(where.port))
  if not job then return nil, why end
  local limit = core.now() + LOOK_UP
  local list, message = job:result()
  while list == false and loop.wait(job, "r", math.max(limit - core.now(), 0)) do
    list, message = job:result()
  end
  loop.forget(job)
  return list or nil, message or "looking up the name took too long"
end

local function addresses(rows, where)
  if where.path then return { { path = where.path, name = where.path } } end
  local list, why = resolve(where)
  if not list then
    rows:row("wrong", "name", ("%s: %s"):format(where.host, why), "is the name right?")
    return {}
  end
  local names = {}
  for i, one in ipairs(list) do
    one.name = one.host:find(":", 1, true) and "[" .. one.host .. "]" or one.host
    names[i] = one.name
  end
  rows:row("ok", "name", ("%s: %s"):format(where.host, table.concat(names, ", ")))
  return list
end

-- Each address; one that does not answer is wrong only if none does.
local function examine(rows, where, args)
  local list, silent, reached = addresses(rows, where), {}, 0
  for _, one in ipairs(list) do
    local err = server.examine(rows, one, where, args.ca)
    if err then
      silent[#silent + 1] = { one, err }
    else
      reached = reached + 1
    end
  end
  for _, pair in ipairs(silent) do
    rows:row(reached > 0 and "warn" or "wrong", "connect", ("%s: %s"):format(pair[1].name,
      pair[2].message), reached > 0 and "clients try it too, and lose time" or
      "is it running, and does a firewall let you through?")
  end
  return reached > 0
end

-- ---- AUTH ------------------------------------------------------------------

-- Which mechanisms were tried, as the trace tells.
local function recorder()
  local tried = {}
  return tried, function(side, line)
    local name = side == "C" and line:match("^AUTH (%S+)")
    if name then tried[#tried + 1] = name end
  end
end

local function sign_in(rows, args, where)
  local auth = target.auth(args.auth) or where.auth
  if not auth then return end
  if not auth.password then
    rows:row("warn", "auth", "not tried: there is no password",
      "put it into SMTP_PASSWORD")
    return
  end
  local tried, trace = recorder()
  local client <close>, err = say.guard(smtp.connect, { url = args.url, ca = args.ca, auth = auth,
    trace = trace })
  local by = #tried > 0 and table.concat(tried, ", then ") or "no mechanism"
  if client then
    rows:row("ok", "auth", ("%s as %s"):format(by, auth.user))
    client:quit()
  else
    rows:row("wrong", "auth", ("%s as %s: %s"):format(by, auth.user, tostring(err)))
  end
end

function M.run(args)
  local where = say.check(say.guard(target_of.parse, "check", args.url))
  local rows = setmetatable({ wrong = 0 }, Table)
  if examine(rows, where, args) then sign_in(rows, args, where) end
  if rows.wrong == 0 then return 0 end
  say.line("%d thing%s wrong", rows.wrong, rows.wrong == 1 and " is" or "s are")
  return 1
end

return M
