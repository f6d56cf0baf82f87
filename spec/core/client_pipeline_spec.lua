-- The core client: flights of commands (RFC 2920), and content.
local core = require "smtp.core"
local client_player = require "spec.support.client_player"

local function plays(name, script, config)
  it(name, function() client_player.each_cut(config or {}, script) end)
end

local function busy(t, line)
  assert.equal("busy", (select(3, t:submit(line))))
end

-- Up to the 354, with one recipient.
local function to_content(t, ...)
  t:begin(...)
  t:say("MAIL FROM:<a@b>")
  t:hear("250\r\n")
  t:say("RCPT TO:<c@d>")
  t:hear("250\r\n")
  t:say("DATA")
  assert.equal("data 354", t:hear("354\r\n"))
end

describe("PIPELINING of the core client", function()
  for _, last in ipairs { "DATA", "EHLO me", "VRFY x", "EXPN x", "NOOP", "HELP", "X-OWN" } do
    plays("C055 ends a flight with " .. last, function(t)
      t:begin("PIPELINING")
      t:say("RSET", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "RCPT TO:<e@f>", last)
      assert.equal(5, t.client:outstanding())
      for _, line in ipairs { "RSET", "NOOP", "DATA", "QUIT", "EHLO me" } do busy(t, line) end
      assert.equal("busy", (select(3, t.client:submit_path("RCPT", "g@h"))))
      assert.equal("", t:wrote())
      assert.equal("rset 250 a | mail 250 b | rcpt 250 c | rcpt 550 d",
        t:hear("250 a\r\n250 b\r\n250 c\r\n550 d\r\n"))
      busy(t, "RSET")
      assert.equal(1, t.client:outstanding())
    end)
  end

  for _, offered in ipairs { false, true } do
    local where = offered and "where disabled" or "where not offered"
    plays("C055 gives one command at a time " .. where,
      function(t)
        if offered then t:begin("PIPELINING") else t:begin("SIZE") end
        t:say("MAIL FROM:<a@b>")
        assert.equal("busy", (select(3, t.client:submit_path("RCPT", "c@d"))))
        busy(t, "RSET")
        t:hear("250\r\n")
        t:say("RCPT TO:<c@d>")
        busy(t, "DATA")
        t:hear("250\r\n")
        t:say("DATA")
      end, offered and { disable = { pipelining = true } } or {})
  end

  plays("knows which reply belongs to which command", function(t)
    t:begin("PIPELINING")
    t:say("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "RCPT TO:<e@f>", "DATA")
    assert.equal("mail 250 1 | rcpt 550 2\nx | rcpt 250 3 | data 354 4",
      t:hear("250 1\r\n550-2\r\n550 x\r\n250 3\r\n354 4\r\n"))
  end)

  plays("C056 sends a lone dot when nobody was accepted and yet content is asked for", function(t)
    t:begin("PIPELINING")
    t:say("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "RCPT TO:<e@f>", "DATA")
    assert.equal("mail 250 | rcpt 550 | rcpt 450 | data 354",
      t:hear("250\r\n550\r\n450\r\n354\r\n"))
    assert.equal("state", (select(3, t.client:body("secret"))))
    assert.equal(".\r\n", t:wrote())
    assert.equal("final", t.client:awaits())
    assert.equal("final 554 nobody", t:hear("554 nobody\r\n"))
    assert.is_true(t.client:usable())
  end)

  plays("C056 sends a lone dot when MAIL was refused, whatever follows", function(t)
    t:begin("PIPELINING")
    t:say("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA")
    assert.equal("mail 550 | rcpt 250 | data 354", t:hear("550\r\n250\r\n354\r\n"))
    assert.equal("state", (select(3, t.client:body("secret"))))
    assert.equal(".\r\n", t:wrote())
    t:hear("554\r\n")
  end)

  plays("C056 counts the recipients of this transaction alone", function(t)
    to_content(t, "PIPELINING")
    t.client:finish()
    assert.equal(".\r\n", t:wrote())
    t:hear("250\r\n")
    t:say("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA")
    t:hear("250\r\n550\r\n354\r\n")
    assert.equal(".\r\n", t:wrote())
  end)

  plays("goes on after a refused MAIL", function(t)
    t:begin("PIPELINING")
    t:say("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA")
    assert.equal("mail 550 | rcpt 503 | data 503", t:hear("550\r\n503\r\n503\r\n"))
    assert.is_true(t.client:usable())
    t:say("RSET", "MAIL FROM:<a@b>")
    assert.equal("rset 250 | mail 250", t:hear("250\r\n250\r\n"))
  end)

  plays("lets MAIL follow the final dot in its flight", function(t)
    to_content(t, "PIPELINING")
    t.client:body("x\r\n")
    t.client:finish()
    assert.is_true(t.client:submit_path("MAIL", "e@f"))
    assert.is_true(t.client:submit_path("RCPT", "g@h"))
    busy(t, "QUIT")
    assert.equal("x\r\n.\r\nMAIL FROM:<e@f>\r\nRCPT TO:<g@h>\r\n", t:wrote())
    assert.equal("final 452 full | mail 250 | rcpt 250", t:hear("452 full\r\n250\r\n250\r\n"))
    t:say("DATA")
  end)

  plays("holds a flight of any length, and says when replies must be read first", function(t)
    if t.cut(1) then -- cut everywhere stands for all
      t:begin("PIPELINING")
      t.client:submit_path("MAIL", "a@b")
      local n = 0
      while true do
        local ok, _, word = t.client:submit_path("RCPT", ("x"):rep(64) .. "@d.example")
        if not ok then
          assert.equal("busy", word)
          break
        end
        n = n + 1
        assert.is_true(n < 10000)
      end
      assert.is_true(n > 1000)
      t:wrote()
      t:hear("250\r\n" .. ("250\r\n"):rep(n))
      assert.equal(0, t.client:outstanding())
      t:say("DATA")
    end
  end)
end)

describe("the core client and content", function()
  plays("takes no 2xx for DATA", function(t)
    t:begin("PIPELINING")
    t:say("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA")
    assert.equal("mail 250 | rcpt 250 | protocol: a 2xx reply to DATA",
      t:hear("250\r\n250\r\n250 ok\r\n"))
    assert.is_false(t.client:usable())
  end)

  plays("takes no 3xx for the content", function(t)
    to_content(t)
    t.client:finish()
    t:wrote()
    assert.equal("protocol: a 3xx reply to the end of the content", t:hear("354\r\n"))
  end)

  plays("takes no 2xx while content is due", function(t)
    to_content(t)
    t.client:body("x")
    t:wrote()
    assert.equal("protocol: a reply that no command asked for", t:hear("250 queued\r\n"))
    assert.equal("state", (select(3, t.client:body("y"))))
  end)

  plays("takes no 2xx before the last byte was written", function(t)
    to_content(t)
    t.client:body("x\r\n")
    t.client:finish()
    t.client:sent(#"x\r\n.\r")
    assert.equal("protocol: a reply to a command that was not sent yet", t:hear("250 queued\r\n"))
  end)

  plays("takes a 2xx once the last byte was written", function(t)
    to_content(t)
    t.client:body("x\r\n")
    t.client:finish()
    t.client:sent(#"x\r\n.\r")
    t.client:sent(1)
    assert.equal("final 250 queued", t:hear("250 queued\r\n"))
  end)

  for _, complete in ipairs { false, true } do
    plays("takes a refusal of content that is under way" .. (complete and ", dot and all" or ""),
      function(t)
        to_content(t)
        t.client:body(("x"):rep(100))
        if complete then t.client:finish() end
        t.client:sent(10)
        assert.equal("final 552 too big", t:hear("552 too big\r\n"))
        assert.is_false(t.client:usable())
        assert.equal("state", (select(3, t.client:body("x"))))
        assert.equal("state", (select(3, t:submit("QUIT"))))
      end)
  end

  plays("takes no content before the 354 nor after the end", function(t)
    t:begin()
    assert.equal("state", (select(3, t.client:body("x"))))
    assert.equal("state", (select(3, t.client:finish())))
    t:say("MAIL FROM:<a@b>")
    t:hear("250\r\n")
    t:say("RCPT TO:<c@d>")
    t:hear("250\r\n")
    t:say("DATA")
    assert.equal("state", (select(3, t.client:body("x"))))
    t:hear("354\r\n")
    assert.equal(1, t.client:body("x"))
    assert.is_true(t.client:finish())
    assert.equal("state", (select(3, t.client:body("x"))))
    assert.equal("state", (select(3, t.client:finish())))
    assert.equal("x\r\n.\r\n", t:wrote())
  end)

  plays("goes on after a refused DATA", function(t)
    t:begin()
    t:say("MAIL FROM:<a@b>")
    t:hear("250\r\n")
    t:say("RCPT TO:<c@d>")
    t:hear("250\r\n")
    t:say("DATA")
    assert.equal("data 451 later", t:hear("451 later\r\n"))
    assert.is_true(t.client:usable())
    t:say("DATA")
    assert.equal("data 354", t:hear("354\r\n"))
  end)

  -- Encodes content cut at each byte.
  local function encoded(content, strict)
    local results = {}
    for cut = 0, #content do
      local one = core.client(nil, nil, strict)
      one:feed("220\r\n")
      one:next()
      for _, line in ipairs { "HELO me", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA" } do
        assert(one:submit(line:match("^(%S+) ?(.*)$")))
        one:sent(one:pending())
        one:feed(line == "DATA" and "354\r\n" or "250\r\n")
        one:next()
      end
      local ok, _, word = one:body(content:sub(1, cut))
      if ok then ok, _, word = one:body(content, cut + 1) end
      if ok then one:finish() end
      results[ok and one:peek() or word] = true
      one:close()
    end
    local result = next(results)
    assert.is_nil(next(results, result), "the cut matters")
    return result
  end

  it("C012 doubles each dot at a line start, and only there", function()
    for content, wire in pairs {
      [""] = ".\r\n", ["."] = "..\r\n.\r\n", [".\r\n"] = "..\r\n.\r\n",
      ["..\r\n"] = "...\r\n.\r\n", ["a.b\r\n.c\r\n"] = "a.b\r\n..c\r\n.\r\n",
      ["\r\n.\r\n"] = "\r\n..\r\n.\r\n", ["a\r\n.\r\nMAIL FROM:<x@y>\r\n"] =
      "a\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n",
    } do
      assert.equal(wire, encoded(content))
      assert.equal(wire, encoded(content, true))
    end
  end)

  it("C011 mends bare CR and LF, so that no dot can end the content early", function()
    for content, wire in pairs {
      ["a\n.\nb"] = "a\r\n..\r\nb\r\n.\r\n", ["a\r.\rb"] = "a\r\n..\r\nb\r\n.\r\n",
      ["a\n.\r\nb"] = "a\r\n..\r\nb\r\n.\r\n", ["a\r\n.\nb"] = "a\r\n..\r\nb\r\n.\r\n",
      ["a\r\r\n.\r\n"] = "a\r\n\r\n..\r\n.\r\n", ["a\n\r\n"] = "a\r\n\r\n.\r\n",
      ["a\r"] = "a\r\n.\r\n", ["\n\n"] = "\r\n\r\n.\r\n",
    } do
      assert.equal(wire, encoded(content))
    end
  end)

  it("refuses bare CR and LF on request", function()
    for _, content in ipairs { "a\nb\r\n", "a\rb\r\n", "\n" } do
      assert.equal("invalid", encoded(content, true))
    end
  end)

  plays("takes as much content as it may hold, and the rest later", function(t)
    to_content(t)
    local content, first, wire = (".x\r\n"):rep(100000), 1, {}
    while first <= #content do
      local taken = assert(t.client:body(content, first))
      assert.is_true(t.client:pending() <= 256 * 1024)
      first = first + taken
      if taken == 0 then
        wire[#wire + 1] = t.client:peek()
        t.client:sent(t.client:pending())
      end
    end
    t.client:finish()
    wire[#wire + 1] = t.client:peek()
    assert.is_true(("..x\r\n"):rep(100000) .. ".\r\n" == table.concat(wire))
  end)
end)
