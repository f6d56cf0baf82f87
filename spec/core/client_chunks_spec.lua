-- The core client: content in chunks (RFC 3030), and content of LMTP (RFC 2033), which
-- has a reply for each recipient.
local client_player = require "spec.support.client_player"

local function plays(name, script, config)
  it(name, function() client_player.each_cut(config or {}, script) end)
end

-- Up to where content is due, in one flight.
local function to_chunks(t, binary)
  t:begin("PIPELINING", "CHUNKING")
  t:say("MAIL FROM:<a@b>", "RCPT TO:<c@d>")
  assert.is_true(t.client:chunks(binary))
end

describe("the core client and chunks", function()
  plays("C012 C066 say content after its size, with its dots as they are", function(t)
    to_chunks(t)
    assert.equal(11, t.client:body(".\r\n.\r\nMAIL "))
    assert.equal("", t:wrote())
    assert.is_true(t.client:finish())
    assert.equal("BDAT 13 LAST\r\n.\r\n.\r\nMAIL \r\n", t:wrote())
    assert.equal("mail 250 | rcpt 250 | final 250 kept", t:hear("250\r\n250\r\n250 kept\r\n"))
    assert.is_true(t.client:usable())
  end)

  plays("mend line ends, but none of binary content", function(t)
    to_chunks(t)
    t.client:body("a\nb\r")
    t.client:body("\nc")
    t.client:finish()
    assert.equal("BDAT 9 LAST\r\na\r\nb\r\nc\r\n", t:wrote())
    t:hear("250\r\n250\r\n250\r\n")
    t:say("RSET", "MAIL FROM:<a@b>", "RCPT TO:<c@d>")
    assert.is_true(t.client:chunks(true))
    t.client:body("a\nb\r")
    t.client:body("\nc\0")
    t.client:finish()
    assert.equal("BDAT 7 LAST\r\na\nb\r\nc\0", t:wrote())
  end)

  plays("are full at 64 KiB, and take no more than may wait", function(t)
    if not t.cut(1) then return end -- cut everywhere stands for all
    to_chunks(t)
    local content = (("x"):rep(62) .. "\r\n"):rep(8192) -- 512 KiB
    local first, wire = 1, {}
    while first <= #content do
      first = first + assert(t.client:body(content, first))
      assert.is_true(t.client:pending() < 320 * 1024)
      wire[#wire + 1] = t:wrote()
    end
    assert.is_true(t.client:finish())
    wire[#wire + 1] = t:wrote()
    local expected = {}
    for i = 1, 8 do
      expected[i] = ("BDAT 65536%s\r\n%s"):format(i == 8 and " LAST" or "",
        content:sub((i - 1) * 65536 + 1, i * 65536))
    end
    assert.is_true(table.concat(expected) == table.concat(wire))
    assert.equal("chunk 250 1 | chunk 250 2", t:hear("250\r\n250\r\n250 1\r\n250 2\r\n")
      :match("chunk.*"))
    t:hear(("250\r\n"):rep(5))
    assert.equal("final 250 kept", t:hear("250 kept\r\n"))
  end)

  plays("C066 can be given up between two of them", function(t)
    to_chunks(t)
    t.client:body(("x"):rep(65536))
    t.client:body("held")
    t:wrote()
    assert.equal("mail 250 | rcpt 250 | chunk 552 full", t:hear("250\r\n250\r\n552 full\r\n"))
    assert.is_false(t.client:usable())
    t:say("RSET")
    assert.equal("rset 250", t:hear("250\r\n"))
    assert.equal("state", (select(3, t.client:body("x"))))
    t:say("MAIL FROM:<a@b>", "RCPT TO:<c@d>")
    assert.is_true(t.client:chunks())
    t.client:body("new")
    t.client:finish()
    assert.equal("BDAT 5 LAST\r\nnew\r\n", t:wrote())
  end)

  plays("C066 are abandoned by who will not finish them, and the session goes on", function(t)
    to_chunks(t)
    t.client:body(("x"):rep(65536))
    t.client:body("held")
    t:wrote()
    t:hear("250\r\n250\r\n552 full\r\n")
    assert.is_true(t.client:finish(false))
    assert.is_true(t.client:usable())
    assert.equal("state", (select(3, t.client:finish(false))))
    t:say("NOOP")
    assert.equal("command 250", t:hear("250\r\n"))
    t:say("QUIT")
  end)

  plays("let RSET and the next message follow in their flight", function(t)
    to_chunks(t)
    t.client:finish()
    t:wrote()
    t:say("RSET", "MAIL FROM:<e@f>", "RCPT TO:<g@h>")
    assert.is_true(t.client:chunks())
    t.client:finish()
    t:wrote()
    assert.equal("mail 250 | rcpt 550 | final 503 | rset 250 | mail 250 | rcpt 250 | final 250",
      t:hear("250\r\n550\r\n503\r\n250\r\n250\r\n250\r\n250\r\n"))
  end)

  plays("are not there before a recipient, nor where CHUNKING is not offered", function(t)
    t:begin("PIPELINING")
    assert.equal("state", (select(3, t.client:chunks())))
    t:say("MAIL FROM:<a@b>", "RCPT TO:<c@d>")
    assert.equal("state", (select(3, t.client:chunks())))
  end)

  plays("have no 3xx reply, and none before their last byte was written", function(t)
    to_chunks(t)
    t.client:body(("x"):rep(65536))
    t.client:body("y")
    t.client:sent(t.client:pending() - 1)
    t:stray("250\r\n250\r\n250 early\r\n", { "mail 250", "rcpt 250" },
      "to a command that was not sent yet")
  end)

  plays("end with the session at a 421 to what came before", function(t)
    to_chunks(t)
    t.client:body("x")
    t:wrote()
    assert.equal("mail 421 bye", t:hear("421 bye\r\n"))
    assert.equal("state", (select(3, t.client:body("x"))))
    assert.equal("state", (select(3, t.client:finish())))
  end)
end)

describe("the core client and LMTP", function()
  local function lmtp(t)
    t:hear("220\r\n")
    t:say("LHLO me")
    t:hear("250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 ENHANCEDSTATUSCODES\r\n")
    t:say("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "RCPT TO:<e@f>", "RCPT TO:<g@h>")
  end

  plays("C122 has a reply of the content for each accepted recipient", function(t)
    lmtp(t)
    t:say("DATA")
    t:hear("250\r\n250\r\n550\r\n250\r\n354\r\n")
    t.client:body("x\r\n")
    t.client:finish()
    t:wrote()
    assert.equal(1, t.client:outstanding())
    assert.equal("recipient 250 2.0.0 one | final 452 4.2.2 three",
      t:hear("250 2.0.0 one\r\n452 4.2.2 three\r\n"))
    assert.equal(0, t.client:outstanding())
    t:say("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA")
    assert.equal("mail 250 | rcpt 250 | data 354", t:hear("250\r\n250\r\n354\r\n"))
    t.client:finish()
    t:wrote()
    assert.equal("final 250", t:hear("250\r\n"))
  end)

  plays("C063 C122 has them for the last chunk, and one for any other", function(t)
    lmtp(t)
    assert.is_true(t.client:chunks())
    t.client:body(("x"):rep(65536))
    t.client:body("y")
    t.client:finish()
    t:wrote()
    t:say("RSET")
    assert.equal("mail 250 | rcpt 250 | rcpt 250 | rcpt 250 | chunk 250 | recipient 250 1"
      .. " | recipient 550 2 | final 250 3 | rset 250",
      t:hear("250\r\n250\r\n250\r\n250\r\n250\r\n250 1\r\n550 2\r\n250 3\r\n250\r\n"))
  end)

  plays("C124 takes one reply where nobody was accepted, and no 354", function(t)
    lmtp(t)
    assert.is_true(t.client:chunks())
    t.client:finish()
    t:wrote()
    assert.equal("mail 250 | rcpt 550 | rcpt 550 | rcpt 550 | final 503",
      t:hear("250\r\n550\r\n550\r\n550\r\n503\r\n"))
    t:say("RSET", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA")
    assert.equal("rset 250 | mail 250 | rcpt 550 | protocol: content is asked for, and for nobody",
      t:hear("250\r\n250\r\n550\r\n354\r\n"))
  end)

  plays("takes no 3xx for a recipient", function(t)
    lmtp(t)
    t:say("DATA")
    t:hear("250\r\n250\r\n250\r\n250\r\n354\r\n")
    t.client:finish()
    t:wrote()
    assert.equal("recipient 250 | protocol: a 3xx reply for a recipient",
      t:hear("250\r\n353\r\n"))
  end)
end)
