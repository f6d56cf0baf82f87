-- SPDX-License-Identifier: MIT
--- Behaviours of the gauntlet in a transaction: MAIL, RCPT, DATA, the content, and the
-- reply to it. init.lua describes the fields.

local TWO = { "bob@example.org", "eve@example.org" }

local function grow(content, bytes)
  local lines = {}
  for i = 1, bytes // 50 do lines[i] = ("%s%048d"):format(i % 3 == 0 and "." or "x", i) end
  return content .. table.concat(lines, "\r\n") .. "\r\n"
end

local function without_data(facts)
  if facts.mx:count("DATA") > 0 then return "sent DATA all the same" end
end

-- DATA was pipelined behind a refusal: only a dot may follow.
local function nothing_sent(facts)
  for _, mail in ipairs(facts.refused) do
    if #mail.raw > 2 then return "sent the content all the same" end
  end
end

-- A session that goes on after a reply that stops a client: DATA gets 354.
local function says(case, event, reply)
  case.expected, case.judge = "refused", nothing_sent
  case.rules = { { on = "EOM", reply = "554 5.5.1 no valid transaction" } }
  case.setup = function(mx) mx:on(event):raw(""):reply(reply) end
  return case
end

local function envelope()
  return {
    -- ---- MAIL
    { name = "mail_bare", about = "250 without a text", section = "RFC 5321 section 4.2",
      expected = "delivered", rules = { { on = "MAIL", raw = "250\r\n" } } },
    { name = "mail_lines", about = "250 in five lines", section = "RFC 5321 section 4.2.1",
      expected = "delivered", rules = { { on = "MAIL", reply = "250 2.1.0 a\nb\n\nd\ne" } } },
    { name = "mail_259", about = "a 2xx that nobody knows", section = "RFC 5321 section 4.2",
      expected = "delivered", rules = { { on = "MAIL", reply = "259 2.1.0 well" } } },
    { name = "mail_299", about = "a 2xx that the grammar has not",
      section = "RFC 5321 section 4.2", expected = "either",
      rules = { { on = "MAIL", reply = "299 2.1.0 well" } } },
    { name = "mail_split", about = "a packet ends within the code",
      section = "RFC 5321 section 4.2", expected = "delivered",
      rules = { { on = "MAIL", split = 2 } } },
    { name = "mail_451", about = "451 to MAIL", section = "RFC 5321 section 3.3",
      expected = "refused", orderly = true, rules = { { on = "MAIL", reply = "451 4.3.0 no" } } },
    { name = "mail_559", about = "a 5xx that nobody knows", section = "RFC 5321 section 4.2",
      expected = "refused", rules = { { on = "MAIL", reply = "559 no" } } },
    says({ name = "mail_550_data_354", about = "550 to MAIL, and all else is accepted",
      section = "RFC 2920 section 3.1" }, "MAIL", "550 5.7.1 no"),
    says({ name = "mail_354", about = "354 to MAIL, and all else is accepted",
      section = "RFC 5321 section 4.3.2" }, "MAIL", "354 go on"),
    { name = "mail_150", about = "150 to MAIL", section = "RFC 5321 section 4.2",
      expected = "refused", rules = { { on = "MAIL", reply = "150 wait" } } },
    { name = "mail_999", about = "999 to MAIL", section = "RFC 5321 section 4.2",
      expected = "refused", rules = { { on = "MAIL", reply = "999 what" } } },
    { name = "mail_letters", about = "a reply without a code", section = "RFC 5321 section 4.2",
      expected = "refused", rules = { { on = "MAIL", raw = "OK, go on\r\n" } } },
    { name = "mail_short_code", about = "a code of two digits", section = "RFC 5321 section 4.2",
      expected = "refused", rules = { { on = "MAIL", raw = "25 fine\r\n" } } },
    { name = "mail_long_code", about = "a code of four digits", section = "RFC 5321 section 4.2",
      expected = "either", rules = { { on = "MAIL", raw = "2500 fine\r\n" } } },
    { name = "mail_421", about = "421 to MAIL", section = "RFC 5321 section 3.8",
      expected = "refused", rules = { { on = "MAIL", reply = "421 4.3.2 closing" } } },
    { name = "mail_close", about = "closes behind MAIL", section = "RFC 5321 section 3.8",
      expected = "refused", rules = { { on = "MAIL", close = true } } },
    { name = "mail_no_crlf", about = "a reply without an end, then silence",
      section = "RFC 5321 section 4.2", expected = "refused",
      rules = { { on = "MAIL", raw = "250 2.1.0 fine", hang = true } } },
    { name = "mail_endless", about = "lines that never end", section = "RFC 5321 section 4.2.1",
      expected = "refused",
      rules = { { on = "MAIL", raw = ("250-more\r\n"):rep(50000), hang = true } } },
    { name = "mail_trickle", about = "a byte each 0.1 s, for 6 s",
      section = "RFC 5321 section 4.5.3.2.2", expected = "either",
      rules = { { on = "MAIL", raw = "250 " .. ("x"):rep(56) .. "\r\n", drip = 0.1 } } },
    { name = "replies_ahead", about = "all replies come with that of MAIL; then 550",
      section = "RFC 2920 section 3.1", expected = "refused", lenient = true,
      rules = { { on = "MAIL", raw = "250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n" },
        { on = "RCPT", reply = "550 5.1.1 no such user" } } },
    { name = "size_small", about = "SIZE is smaller than the message",
      section = "RFC 1870 section 6.1", expected = "refused",
      options = { limits = { size = 100 } }, judge = without_data },

    -- ---- RCPT
    { name = "rcpt_251", about = "251: it will be forwarded", section = "RFC 5321 section 3.4",
      expected = "delivered", rules = { { on = "RCPT", reply = "251 will forward" } } },
    { name = "rcpt_252", about = "252 to RCPT", section = "RFC 5321 section 4.2",
      expected = "delivered", rules = { { on = "RCPT", reply = "252 will try" } } },
    { name = "rcpt_split", about = "a reply in two packets", section = "RFC 5321 section 4.2",
      expected = "delivered", rules = { { on = "RCPT", raw = "250 ok\r\n", split = 7 } } },
    { name = "rcpt_550", about = "550 to the only recipient", section = "RFC 5321 section 3.3",
      expected = "refused", orderly = true,
      rules = { { on = "RCPT", reply = "550 5.1.1 no such user" } }, judge = nothing_sent },
    says({ name = "rcpt_354", about = "354 to RCPT, and to DATA",
      section = "RFC 5321 section 4.3.2" }, "RCPT", "354 go on"),
    { name = "rcpt_450_one", about = "450 to one of two", section = "RFC 5321 section 3.3",
      expected = "either", target = { to = TWO },
      rules = { { on = "RCPT", to = TWO[2], reply = "450 4.2.1 later" } } },
    { name = "rcpt_452_more", about = "452 to the second: too many",
      section = "RFC 5321 section 4.5.3.1.10", expected = "either",
      target = { to = TWO }, options = { limits = { recipients = 1 } } },
    says({ name = "rcpt_550_data_354", about = "550 to all recipients, and 354 to DATA",
      section = "RFC 2920 section 3.1" }, "RCPT", "550 5.1.1 no such user"),
    { name = "rcpt_421_second", about = "421 to the second recipient",
      section = "RFC 5321 section 3.8", expected = "refused", target = { to = TWO },
      rules = { { on = "RCPT", to = TWO[2], reply = "421 4.3.2 closing" } } },
    { name = "rcpt_reset", about = "a reset behind RCPT", section = "RFC 5321 section 3.8",
      expected = "refused", rules = { { on = "RCPT", reset = true } } },
    { name = "rcpt_greylist", about = "450 to a sender and recipient that are new",
      section = "RFC 6647 section 2", expected = "either",
      setup = function(mx) mx:greylist() end },
  }
end

local function content(text)
  local body = text:match("\r\n\r\n(.*)$")
  local header = text:sub(1, #text - #body)
  local bare = header:gsub("\r", "") .. "one\ntwo\n.\nfour\n"
  local dots = header .. ".\r\n..\r\n...\r\n.a\r\n\r\n.\r\n. \r\n.\r\n"
  local eightbit = header .. "Gr\u{fc}\u{df}e\r\n"
  return {
    { name = "content_dots", about = "lines of dots", section = "RFC 5321 section 4.5.2",
      expected = "delivered", target = { raw = dots } },
    { name = "content_long_line", about = "a line of 998 bytes and a dot in front",
      section = "RFC 5321 section 4.5.3.1.6", expected = "delivered",
      target = { raw = header .. "." .. ("x"):rep(997) .. "\r\n" } },
    { name = "content_large", about = "400 kB, each third line with a dot",
      section = "RFC 5321 section 4.5.2", expected = "delivered",
      target = { raw = grow(text, 400000) } },
    { name = "content_no_end", about = "the last line has no CRLF: one is added",
      section = "RFC 5321 section 4.1.1.4", expected = "delivered",
      target = { raw = header .. "no end" }, arrives = header .. "no end\r\n" },
    { name = "content_lf", about = "the caller's lines end with LF: CRLF must come",
      section = "RFC 5321 section 2.3.8", expected = "delivered",
      target = { raw = bare }, arrives = bare:gsub("\n", "\r\n"):gsub("\r\r", "\r") },
    { name = "content_empty", about = "a header alone", section = "RFC 5322 section 3.5",
      expected = "delivered", target = { raw = header } },
    { name = "content_8bit", about = "8-bit content, and 8BITMIME is offered",
      section = "RFC 6152 section 3", expected = "delivered", target = { raw = eightbit },
      arrives = false },
    { name = "content_8bit_not_offered", about = "8-bit content, and 8BITMIME is not offered",
      section = "RFC 6152 section 3", expected = "either",
      options = { without = "8BITMIME" }, target = { raw = eightbit }, arrives = false },
    { name = "content_slow", about = "reads 200 kB a second",
      section = "RFC 5321 section 4.5.3.2.5", expected = "delivered",
      target = { raw = grow(text, 100000) },
      rules = { { on = "BODY", throttle = 200000 } } },
    { name = "body_552", about = "552 and closes amid the content",
      section = "RFC 5321 section 4.2.5", expected = "refused",
      target = { raw = grow(text, 400000) }, rules = { { on = "BODY", after_bytes = 1024,
        raw = "552 5.3.4 too big\r\n", close = true } } },
    { name = "body_421", about = "421 and closes amid the content",
      section = "RFC 5321 section 3.8", expected = "refused",
      target = { raw = grow(text, 400000) },
      rules = { { on = "BODY", after_bytes = 1024, raw = "421 4.3.2 bye\r\n", close = true } } },
    { name = "body_close", about = "closes amid the content", section = "RFC 5321 section 4.2.5",
      expected = "refused", rules = { { on = "BODY", after_bytes = 1024, close = true } },
      target = { raw = grow(text, 400000) } },
    { name = "body_reset", about = "a reset amid the content", section = "RFC 5321 section 4.2.5",
      expected = "refused", rules = { { on = "BODY", after_bytes = 1024, reset = true } },
      target = { raw = grow(text, 400000) } },
    { name = "body_hang", about = "reads no further amid 8 MB of content",
      section = "RFC 5321 section 4.5.3.2.5", expected = "refused",
      target = { raw = grow(text, 8000000) },
      rules = { { on = "BODY", after_bytes = 1024, hang = true } } },
  }
end

local function data()
  return {
    { name = "data_354_bare", about = "354 without a text", section = "RFC 5321 section 4.2",
      expected = "delivered", rules = { { on = "DATA", raw = "354\r\n" } } },
    { name = "data_354_lines", about = "354 in two lines", section = "RFC 5321 section 4.2.1",
      expected = "delivered", rules = { { on = "DATA", reply = "354 go\non" } } },
    { name = "data_drip", about = "354 a byte at a time", section = "RFC 5321 section 4.2",
      expected = "delivered", rules = { { on = "DATA", drip = 0.005 } } },
    { name = "data_451", about = "451 to DATA", section = "RFC 5321 section 3.3",
      expected = "refused", rules = { { on = "DATA", reply = "451 4.3.0 no" } } },
    { name = "data_554", about = "554 to DATA", section = "RFC 5321 section 3.3",
      expected = "refused", orderly = true, rules = { { on = "DATA", reply = "554 5.5.1 no" } } },
    { name = "data_421", about = "421 to DATA", section = "RFC 5321 section 3.8",
      expected = "refused", rules = { { on = "DATA", reply = "421 4.3.2 closing" } } },
    { name = "data_250", about = "250 to DATA, not 354", section = "RFC 5321 section 4.1.1.4",
      expected = "refused", rules = { { on = "DATA", reply = "250 2.0.0 queued" } } },
    { name = "data_250_early", about = "354, 250 with it, and 554 to the content",
      section = "RFC 5321 section 3.3", expected = "refused", lenient = true,
      rules = { { on = "DATA", raw = "354 go\r\n250 2.0.0 queued\r\n" },
        { on = "EOM", reply = "554 5.6.0 no" } } },
    { name = "data_250_early_close", about = "354, 250 with it, and it closes behind the content",
      section = "RFC 5321 section 3.3", expected = "refused", lenient = true,
      rules = { { on = "DATA", raw = "354 go\r\n250 2.0.0 queued\r\n" },
        { on = "EOM", close = true } } },
    { name = "data_354_close", about = "closes right behind 354",
      section = "RFC 5321 section 4.2.5", expected = "refused",
      rules = { { on = "DATA", raw = "354 go\r\n", close = true } } },
    { name = "data_354_reset", about = "a reset right behind 354",
      section = "RFC 5321 section 4.2.5", expected = "refused",
      rules = { { on = "DATA", raw = "354 go\r\n", reset = true } } },
    { name = "data_hang", about = "never answers DATA", section = "RFC 5321 section 4.5.3.2.4",
      expected = "refused", rules = { { on = "DATA", hang = true } } },
  }
end

local function final()
  return {
    { name = "final_bare", about = "250 without a text", section = "RFC 5321 section 4.2",
      expected = "delivered", rules = { { on = "EOM", raw = "250\r\n" } } },
    { name = "final_lines", about = "250 in three lines", section = "RFC 5321 section 4.2.1",
      expected = "delivered", rules = { { on = "EOM", reply = "250 2.0.0 a\nb\nqueued as 7" } } },
    { name = "final_259", about = "a 2xx that nobody knows", section = "RFC 5321 section 4.2",
      expected = "delivered", rules = { { on = "EOM", reply = "259 2.0.0 kept" } } },
    { name = "final_slow", about = "after 0.5 s", section = "RFC 5321 section 4.5.3.2.6",
      expected = "delivered", rules = { { on = "EOM", delay = 0.5 } } },
    { name = "final_drip", about = "a byte at a time", section = "RFC 5321 section 4.2",
      expected = "delivered", rules = { { on = "EOM", drip = 0.005 } } },
    { name = "final_goodbye", about = "250, 421 with it, and it closes",
      section = "RFC 5321 section 3.8", expected = "delivered",
      rules = { { on = "EOM", raw = "250 2.0.0 ok\r\n421 4.3.2 bye\r\n", close = true } } },
    { name = "final_452", about = "452 to the content", section = "RFC 5321 section 4.2.5",
      expected = "refused", rules = { { on = "EOM", reply = "452 4.3.1 full" } } },
    { name = "final_554", about = "554 to the content", section = "RFC 5321 section 4.2.5",
      expected = "refused", orderly = true, rules = { { on = "EOM", reply = "554 5.7.1 spam" } } },
    { name = "final_421", about = "421 to the content", section = "RFC 5321 section 3.8",
      expected = "refused", rules = { { on = "EOM", reply = "421 4.3.2 closing" } } },
    { name = "final_354", about = "354 to the content", section = "RFC 5321 section 4.3.2",
      expected = "refused", rules = { { on = "EOM", reply = "354 more" } } },
    { name = "final_mixed", about = "554 in the first line, 250 in the last",
      section = "RFC 5321 section 4.2.1", expected = "refused",
      rules = { { on = "EOM", raw = "554-5.7.1 no\r\n250 2.0.0 well\r\n" } } },
    { name = "final_lost", about = "it is accepted, and the reply is lost",
      section = "RFC 5321 section 4.2.5", expected = "refused", kept = true,
      rules = { { on = "EOM", store = true, close = true } } },
    { name = "final_lost_reset", about = "it is accepted, and a reset follows",
      section = "RFC 5321 section 4.2.5", expected = "refused", kept = true,
      rules = { { on = "EOM", store = true, reset = true } } },
    { name = "final_hang", about = "it is accepted, and silence follows",
      section = "RFC 5321 section 4.5.3.2.6", expected = "refused", kept = true,
      rules = { { on = "EOM", store = true, hang = true } } },
    { name = "final_cut", about = "the reply ends within its text, and it closes",
      section = "RFC 5321 section 4.2", expected = "either", kept = true,
      rules = { { on = "EOM", raw = "250 2.0.0 que", close = true } } },
    { name = "final_cut_code", about = "the reply ends within its code, and it closes",
      section = "RFC 5321 section 4.2", expected = "refused", kept = true,
      rules = { { on = "EOM", raw = "25", close = true } } },
    { name = "final_cut_lines", about = "the last line of the reply is missing, and it closes",
      section = "RFC 5321 section 4.2.1", expected = "refused", kept = true,
      rules = { { on = "EOM", raw = "250-2.0.0 queued\r\n", close = true } } },
    { name = "final_nul", about = "NUL in the reply", section = "RFC 5321 section 4.2",
      expected = "either", kept = true, rules = { { on = "EOM", raw = "250 2.0.0 o\0k\r\n" } } },
    { name = "final_lf", about = "LF without CR", section = "RFC 5321 section 2.3.8",
      expected = "either", kept = true, rules = { { on = "EOM", raw = "250 2.0.0 ok\n" } } },
  }
end

return function(text)
  local all = {}
  for _, list in ipairs { envelope(), data(), content(text), final() } do
    table.move(list, 1, #list, #all + 1, all)
  end
  return all
end
