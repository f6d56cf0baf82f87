-- SPDX-License-Identifier: MIT
-- Extensions of ESMTP with Postfix: our client to it, and it to our server.
local esmtp = require "spec.support.esmtp"
local postfix = require "spec.support.postfix"

local missing = postfix.missing()

local MAIN = ([[
smtputf8_enable = yes
smtpd_recipient_limit = 3
virtual_mailbox_maps = inline:{ ada@example.com=ada/ bob@example.com=bob/
  charles@example.com=charles/ dora@example.com=dora/ {%s@example.com=juergen/} }
]]):format("j\u{fc}rgen")

-- It comes again at once, and its log has what it says.
local RELAY = [[
queue_run_delay = 1s
minimal_backoff_time = 1s
debug_peer_list = localhost
]]

-- The name that a reply gives to a message.
local function id_of(text)
  return text:match("queued as (%w+)$")
end

-- Whether postfix pipelined: it logs its commands before the replies that it waits for.
local function pipelined(mx)
  return mx:log():match("> [^\n]*: MAIL FROM:[^\n]*\n[^\n]*> [^\n]*: RCPT TO:[^\n]*\n"
    .. "[^\n]*> [^\n]*: RCPT TO:[^\n]*\n[^\n]*> [^\n]*: DATA\n")
end

local function start(port)
  local mx = postfix.start { relay = port, main = MAIN .. (port and RELAY or "") }
  mx.id_of, mx.pipelined, mx.quirks = id_of, pipelined, {}
  return mx
end

describe("the client at Postfix, with extensions,", function()
  if missing then
    pending(missing)
    return
  end

  local mx

  setup(function() mx = start() end)
  teardown(function() if mx then mx:close() end end)
  before_each(function()
    mx:drained()
    os.execute("rm -rf " .. mx.folder .. "/mail/*")
  end)

  for _, case in ipairs(esmtp.client) do
    it(case.name, function() case.run(mx) end)
  end
end)

describe("Postfix as a client, with extensions,", function()
  if missing then
    pending(missing)
    return
  end

  for _, case in ipairs(esmtp.server) do
    it(case.name, function() case.run(start) end)
  end
end)
