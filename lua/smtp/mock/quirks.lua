-- SPDX-License-Identifier: MIT
--- Legal or nearly legal behaviours of servers that break clients written against one server
-- only; and random faults.
local options = require "smtp.base.options"

local M = {}

-- The description and the rules of each quirk; a function gets the mock.
local QUIRKS = {
  long_greeting = { "a greeting of several lines",
    { on = "connect", reply = "220 mx.example ESMTP\nno unsolicited mail\nplease" } },
  slow_greeting = { "a greeting after 200 ms", { on = "connect", delay = 0.2 } },
  bare_greeting = { "a greeting of a code alone", { on = "connect", raw = "220\r\n" } },
  no_ehlo = { "EHLO is not known, HELO is", { on = "EHLO", reply = "502 5.5.1 what?" } },
  bare_ehlo = { "EHLO offers nothing", { on = "EHLO", reply = "250 mx.example" } },
  lower_case = { "keywords in lower case",
    { on = "EHLO", reply = "250 mx.example\npipelining\nsize 1000000\n8bitmime" } },
  odd_keywords = { "keywords that nobody knows, and some that are none", function(mock)
    mock:with("XFOO bar=baz"):with("X-NONE"):with("=odd line")
  end },
  size_zero = { "SIZE without a limit",
    { on = "EHLO", reply = "250 mx.example\nSIZE\n8BITMIME" } },
  no_text = { "replies without a text", { on = "MAIL", raw = "250\r\n" },
    { on = "RCPT", raw = "250\r\n" }, { on = "EOM", raw = "250\r\n", store = true } },
  many_lines = { "replies of several lines", { on = "MAIL", reply = "250 2.1.0 one\ntwo\nthree" },
    { on = "RCPT", reply = "250 2.1.5 one\ntwo" },
    { on = "EOM", reply = "250 2.0.0 one\ntwo\nthree" } },
  other_codes = { "251 and 252 where 250 is usual",
    { on = "RCPT", reply = "251 2.1.5 User not local; will forward" } },
  long_line = { "a reply line of 1500 bytes",
    { on = "MAIL", reply = "250 2.1.0 " .. ("x"):rep(1500) } },
  drip = { "replies a byte at a time", { on = "EHLO", drip = 0.0005 },
    { on = "MAIL", drip = 0.0005 }, { on = "DATA", drip = 0.0005 }, { on = "EOM", drip = 0.0005 } },
  split = { "replies cut between CR and LF, and within the code", { on = "MAIL", split = 2 },
    { on = "RCPT", raw = "250 ok\r\n", split = 7 }, { on = "DATA", split = 1 } },
  slow = { "each reply after 50 ms", { on = "EHLO", delay = 0.05 }, { on = "MAIL", delay = 0.05 },
    { on = "RCPT", delay = 0.05 }, { on = "DATA", delay = 0.05 }, { on = "EOM", delay = 0.05 } },
  no_pipelining = { "one command at a time", function(mock) mock:without("PIPELINING") end },
  no_8bitmime = { "7-bit content only", function(mock) mock:without("8BITMIME") end },
  no_codes = { "no enhanced codes", function(mock) mock:without("ENHANCEDSTATUSCODES") end,
    { on = "MAIL", reply = "250 sender ok" }, { on = "RCPT", reply = "250 recipient ok" } },
  busy = { "451 to the first message", { on = "EOM", first = 1, reply = "451 4.3.0 later" } },
  greylist = { "451 to who is new", function(mock) mock:greylist() end },
  quit_drops = { "no reply to QUIT", { on = "QUIT", close = true } },
  quit_hangs = { "a silent end at QUIT", { on = "QUIT", hang = true } },
  goodbye = { "421 behind the message", { on = "EOM", store = true, reply = "250 2.0.0 ok",
    raw = "421 4.3.2 closing\r\n", close = true } },
}

M.list = {}
for name, quirk in pairs(QUIRKS) do M.list[name] = quirk[1] end

--- Adds a quirk to a mock.
function M.apply(mock, name)
  local quirk = QUIRKS[name]
  if not quirk then
    options.misuse(("mock: there is no quirk %q%s"):format(tostring(name),
      options.others(name, QUIRKS)))
  end
  for i = 2, #quirk do
    if type(quirk[i]) == "function" then quirk[i](mock) else mock:rule(quirk[i]).quiet = true end
  end
end

-- ---- chance ----------------------------------------------------------------

local CHAOS = { seed = "count", rate = "rate", events = "table", faults = "table",
  most = "count" }

local EVENTS = { "connect", "EHLO", "MAIL", "RCPT", "DATA", "EOM" }

local IS_EVENT = {}
for _, name in ipairs(EVENTS) do IS_EVENT[name:lower()] = true end

local FAULTS = {
  delay = { delay = 0.05 }, drip = { drip = 0.001 }, split = { split = 3 },
  later = { reply = "451 4.3.0 chaos" }, no = { reply = "554 5.3.0 chaos" },
  bye = { reply = "421 4.3.2 chaos" }, close = { close = true }, reset = { reset = true },
}

local ORDER = { "delay", "drip", "split", "later", "no", "bye", "close", "reset" }

-- A small generator, so that a seed gives the same numbers on every system.
local function generator(seed)
  local state = seed * 2862933555777941757 + 3037000493
  return function()
    state = state * 6364136223846793005 + 1442695040888963407
    return (state >> 33) / (1 << 31)
  end
end

--- Adds rules for random faults, and gives the seed: `rate` of all events (default
-- 0.1), of the first `most` (default 200) of each.
function M.chaos(mock, given)
  given = options.check("mock: chaos", given or {}, CHAOS)
  local seed = given.seed or os.time() % 100000
  local random, rate = generator(seed), given.rate or 0.1
  local faults = given.faults or ORDER
  for _, name in ipairs(options.list("mock: chaos: faults", faults)) do
    if not FAULTS[name] then
      options.misuse(("mock: there is no fault %q (there are %s)"):format(tostring(name),
        table.concat(ORDER, ", ")))
    end
  end
  for _, event in ipairs(options.list("mock: chaos: events", given.events or EVENTS)) do
    if not IS_EVENT[tostring(event):lower()] then
      options.misuse(("mock: chaos: there is no event %q (there are %s)"):format(tostring(event),
        table.concat(EVENTS, ", ")))
    end
    for n = 1, given.most or 200 do
      local hit, which = random() < rate, random()
      if hit then
        local one = { on = event, nth = n }
        for key, value in pairs(FAULTS[faults[which * #faults // 1 + 1]]) do one[key] = value end
        mock:rule(one).quiet = true
      end
    end
  end
  mock.seed = seed
  return seed
end

return M
