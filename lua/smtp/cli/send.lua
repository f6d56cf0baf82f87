-- SPDX-License-Identifier: MIT
--- `lua-smtp send TARGET`: composes a message, or takes one, and sends it.
local convert = require "smtp.cli.convert"
local progress = require "smtp.cli.progress"
local say = require "smtp.cli.say"
local smtp = require "smtp"
local target = require "smtp.cli.target"

local M = {}

local EPILOG = [[
TARGET is host, host:port, smtp://user:password@host, smtps://host, lmtp://host,
smtp+unix:///path or lmtp+unix:///path. Traffic that leaves the machine is encrypted and
verified, unless --tls none, --tls opportunistic or --insecure say otherwise.

Status: 0 accepted for all, 1 not accepted for all, 2 wrong usage.

Examples:
  lua-smtp send localhost:2525 --from ada@code.energy --to bob@example.com \
    --subject "The engine" --text "It works." --attach drawing.pdf
  SMTP_PASSWORD=secret lua-smtp send smtp://mail.example.org --auth ada \
    --from "Ada <ada@code.energy>" --to bob@example.com --to eve@example.com \
    --text - < letter.txt
  lua-smtp send localhost --from "" --to bob@example.com --raw bounce.eml]]

local CONTENT = { "subject", "text", "html" }

local function describe_message(command)
  command:option("--from", "The sender; \"\" is the null path, for --raw."):argname("ADDRESS")
    :count(1)
  for _, name in ipairs { "to", "cc", "bcc" } do
    command:option("--" .. name, "A recipient; may be given many times."):argname("ADDRESS")
      :count("*")
  end
  command:option("--subject", "The subject."):argname("TEXT")
  command:option("--text", "The text; - is standard input."):argname("TEXT")
  command:option("--html", "The same as HTML; - is standard input."):argname("FILE")
  command:option("--attach", "A file to attach; may be given many times."):argname("FILE")
    :count("*")
  command:option("--header", "One more field; may be given many times."):argname("'NAME: VALUE'")
    :count("*")
  command:option("--raw", "A message in place of what it is made of; - is standard input.")
    :argname("FILE")
end

function M.describe(command)
  command:summary("Send a message.")
    :description("Sends a message and prints what came of it."):epilog(EPILOG)
  command:argument("target", "Where to."):argname("TARGET")
  describe_message(command)
  command:option("--tls", "How: implicit, required (or starttls), opportunistic or none.")
    :argname("MODE")
    :choices { "implicit", "required", "starttls", "opportunistic", "none" }
  target.describe_trust(command)
  command:flag("--insecure", "Trust any certificate.")
  target.describe_auth(command)
  command:option("--dkim", "Sign the message."):argname("DOMAIN:SELECTOR:KEYFILE")
  command:option("--timeout", "Seconds that each step may take; default: RFC 5321's minutes.")
    :argname("S"):convert(convert.seconds)
  command:flag("-v --verbose", "Show the dialogue on standard error.")
end

local function open(option, path)
  if path == "-" then return io.stdin end
  local file, why = io.open(path, "rb")
  if not file then say.usage(("--%s: %s"):format(option, why)) end
  return file
end

local function slurp(option, path)
  local text, why = open(option, path):read("a")
  if not text then say.usage(("--%s: %s: %s"):format(option, path, why)) end
  return text
end

local function headers_of(list)
  local headers = {}
  for i, word in ipairs(list) do
    local name, value = word:match("^([^:]+):%s*(.*)$")
    if not name then say.usage(("--header needs 'Name: value', not %q"):format(word)) end
    headers[i] = { name, value }
  end
  return headers
end

local function all_recipients(args)
  local list = {}
  for _, name in ipairs { "to", "cc", "bcc" } do
    for _, address in ipairs(args[name]) do list[#list + 1] = address end
  end
  if #list == 0 then say.usage("a recipient is needed: --to, --cc or --bcc") end
  return list
end

-- A whole message: it is read as it is sent, so it may be larger than memory.
local function raw_message(args)
  for _, name in ipairs(CONTENT) do
    if args[name] then say.usage(("--raw has a %s of its own"):format(name)) end
  end
  if args.attach[1] or args.header[1] then
    say.usage("--raw is a whole message: --attach and --header cannot add to it")
  end
  return { envelope = { from = args.from, to = all_recipients(args) },
    raw = open("raw", args.raw) }
end

local function record(args)
  all_recipients(args)
  if args.text == "-" and args.html == "-" then
    say.usage("only one of --text and --html can be standard input")
  end
  if not (args.subject or args.text or args.html or args.attach[1]) then
    say.usage("there is nothing to send: --subject, --text, --html, --attach or --raw")
  end
  local function some(list) return list[1] and list or nil end
  return {
    from = args.from, to = some(args.to), cc = some(args.cc), bcc = some(args.bcc),
    subject = args.subject, headers = headers_of(args.header), attachments = some(args.attach),
    text = args.text == "-" and io.read("a") or args.text
      or not args.html and "" or nil,
    html = args.html and slurp("html", args.html),
  }
end

local function dkim_of(word)
  if not word then return nil end
  local domain, selector, key = word:match("^([^:]+):([^:]+):(.+)$")
  if not domain then say.usage("--dkim needs DOMAIN:SELECTOR:KEYFILE") end
  return say.check(smtp.dkim { domain = domain, selector = selector, key = key })
end

local function target_of(args)
  local auth = target.auth(args.auth)
  if auth and not auth.password then
    say.usage("--auth needs a password: USER:PASSWORD, or SMTP_PASSWORD")
  end
  local verify
  if args.insecure then verify = false end
  return { url = args.target, tls = args.tls, ca = args.ca, verify = verify, auth = auth,
    timeout = args.timeout, dkim = dkim_of(args.dkim),
    trace = args.verbose and say.trace(say.note) or nil }
end

local function show_refused(list)
  for _, one in ipairs(list or {}) do
    say.note("refused   %s: %d %s", one.address, one.code, one.text)
  end
end

local function show_receipt(receipt)
  for _, address in ipairs(receipt.accepted) do say.line("accepted  %s", address) end
  say.line("reply     %d %s", receipt.code, (receipt.text:gsub("\n", " ")))
  local used = receipt.used
  if used.tls then say.line("tls       %s", used.tls) end
  if used.auth then say.line("auth      %s", used.auth) end
end

function M.run(args)
  local where, message = target_of(args), args.raw and raw_message(args) or record(args)
  local show, wipe = progress.new()
  local receipt, err = say.guard(smtp.send, where, message, { progress = show })
  wipe()
  if not receipt then
    show_refused(err.rejected)
    say.check(nil, err)
  end
  show_receipt(receipt)
  show_refused(receipt.rejected)
  return #receipt.rejected == 0 and 0 or 1
end

return M
