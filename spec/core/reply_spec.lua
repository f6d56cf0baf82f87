local probe = require "probe"

local function bytes(text)
  local list = {}
  for c in text:gmatch(".") do list[#list + 1] = c end
  return list
end

-- The reply that chunks give, and the bytes behind it; or nil and the error.
local function read(chunks)
  local r, done, err = probe.reply_new(), 0
  local rest = {}
  for _, chunk in ipairs(chunks) do
    if done == 1 then
      rest[#rest + 1] = chunk
    else
      done, err = probe.reply_feed(r, chunk)
      if not done then
        local why = select(7, probe.reply_get(r))
        return nil, err, why
      end
    end
  end
  local code, text, lines, class, subject, detail = probe.reply_get(r)
  return { done = done == 1, code = code, text = text, lines = lines,
           status = class > 0 and ("%d.%d.%d"):format(class, subject, detail) or nil,
           rest = probe.reply_rest(r) .. table.concat(rest) }
end

local function each_cut(text, check)
  check { text }
  check(bytes(text))
  for i = 0, #text do check { text:sub(1, i), text:sub(i + 1) } end
end

-- Reads wire in any cut and with bytes behind it, and at a guard page.
local function accepts(wire, code, text, status)
  local _, lines = text:gsub("\n", "")
  for _, rest in ipairs { "", "2", "550-x\r\n", "\0\n" } do
    local expected = { done = true, code = code, text = text, lines = lines + 1,
                       status = status, rest = rest }
    each_cut(wire .. rest, function(chunks) assert.are.same(expected, (read(chunks))) end)
    local r = probe.reply_new()
    assert.are.same({ 1, #wire }, { probe.reply_whole(r, wire .. rest) })
    assert.are.same({ code, text, lines + 1 }, { table.unpack({ probe.reply_get(r) }, 1, 3) })
  end
end

local function refuses(wire, why)
  each_cut(wire, function(chunks)
    local reply, err, said = read(chunks)
    assert.are.same({ nil, "EPROTOCOL" }, { reply, err }, ("%q"):format(wire))
    assert.is_string(said)
    if why then assert.is_truthy(said:find(why, 1, true), said) end
  end)
end

local function wire_of(n, line, last)
  return (line .. "\r\n"):rep(n - 1) .. last .. "\r\n"
end

describe("reply feed", function()
  it("reads one line and several", function()
    accepts("250 ok\r\n", 250, "ok")
    accepts("250-a\r\n250-b\r\n250 c\r\n", 250, "a\nb\nc")
    accepts("220 a-b c\r\n", 220, "a-b c")
    accepts("250  two\r\n", 250, " two")
  end)

  it("C018 needs no text", function()
    accepts("250\r\n", 250, "")
    accepts("250 \r\n", 250, "")
    accepts("334\r\n", 334, "")
    accepts("250-\r\n250\r\n", 250, "\n")
    accepts("250-a\r\n250-\r\n250 \r\n", 250, "a\n\n")
  end)

  it("C018 takes codes that nobody knows, and 8-bit text", function()
    accepts("259 x\r\n", 259, "x")
    accepts("200 x\r\n", 200, "x")
    accepts("559 x\r\n", 559, "x")
    accepts("349 x\r\n", 349, "x")
    accepts("250 \xe9\t\x7f\r\n", 250, "\xe9\t\x7f")
  end)

  it("refuses what is no code", function()
    for _, line in ipairs { "", "2", "25", "abc", "199 x", "150 x", "600 x", "650 x", "260 x",
                            "299 x", "25a x", "2 50 x", " 250 x", "-250", "+50 x",
                            "HTTP/1.1 400 Bad", "\xb2\xb5\xb0 x" } do
      refuses(line .. "\r\n", "not an SMTP reply")
    end
  end)

  it("refuses a fourth byte other than SP and hyphen", function()
    for c = 0, 255 do
      local line = "250" .. string.char(c) .. "x\r\n"
      if c == 32 then
        accepts(line, 250, "x")
      elseif c ~= 45 and c ~= 10 and c ~= 13 and c ~= 0 then
        assert.are.same({ nil, "EPROTOCOL", "no space or hyphen behind the reply code" },
          { read { line } })
      elseif c ~= 45 then
        refuses(line)
      end
    end
    refuses("250_x\r\n", "no space or hyphen")
    refuses("2500 x\r\n", "no space or hyphen")
  end)

  it("C019 needs equal codes on all lines", function()
    refuses("250-a\r\n251 b\r\n", "differs")
    refuses("250-a\r\n550 b\r\n", "differs")
    refuses("250-a\r\n250-b\r\n354\r\n", "differs")
  end)

  it("C011 ends a line at CRLF alone", function()
    refuses("250 a\n", "CRLF")
    refuses("250-a\n250 b\r\n", "CRLF")
    refuses("\n", "CRLF")
    refuses("250 a\rb\r\n", "bare CR")
    refuses("250 a\r\r\n", "bare CR")
    refuses("250\r \r\n", "bare CR")
    refuses("250 a\0b\r\n", "NUL")
  end)

  it("limits a line to 2048 bytes with its CRLF", function()
    for _, over in ipairs { -1, 0, 1, 2, 500 } do
      local line = "250 " .. ("x"):rep(2048 - 6 + over) .. "\r\n"
      for _, chunks in ipairs { { line }, bytes(line), { line:sub(1, -2), "\n" } } do
        local reply, err, why = read(chunks)
        if over <= 0 then
          assert.are.equal(2048 - 6 + over, #reply.text)
        else
          assert.are.same({ nil, "EPROTOCOL", "reply line too long" }, { reply, err, why })
        end
      end
    end
    assert.is_false(read({ ("2"):rep(2047) }).done)
    assert.are.same({ nil, "EPROTOCOL", "reply line too long" }, { read { ("2"):rep(2048) } })
  end)

  it("limits a reply to 128 lines", function()
    for _, n in ipairs { 127, 128 } do
      assert.are.equal(n, read({ wire_of(n, "250-x", "250 x") }).lines)
    end
    local wire = wire_of(129, "250-x", "250 x")
    for _, chunks in ipairs { { wire }, bytes(wire) } do
      assert.are.same({ nil, "EPROTOCOL", "too many lines in reply" }, { read(chunks) })
    end
  end)

  it("limits a reply to 65536 bytes", function()
    local line = "250-" .. ("x"):rep(1018) -- 1024 with its CRLF
    for over = -1, 1 do
      local wire = wire_of(64, line, "250 " .. ("x"):rep(1018 + over))
      assert.are.equal(65536 + over, #wire)
      local reply, err, why = read { wire, "250 next\r\n" }
      if over <= 0 then
        assert.are.same({ true, 64, "250 next\r\n" }, { reply.done, reply.lines, reply.rest })
      else
        assert.are.same({ nil, "EPROTOCOL", "reply too long" }, { reply, err, why })
      end
    end
  end)

  it("repeats its error, stays when done, and begins anew when cleared", function()
    local r = probe.reply_new()
    assert.are.same({ nil, "EPROTOCOL" }, { probe.reply_feed(r, "x\r\n") })
    assert.are.same({ nil, "EPROTOCOL" }, { probe.reply_feed(r, "250 ok\r\n") })
    r = probe.reply_new()
    assert.are.equal(1, probe.reply_feed(r, "250-a\r\n250 b\r\n550 c\r\n221"))
    assert.are.equal(1, probe.reply_feed(r, " d"))
    assert.are.same({ 250, "a\nb" }, { table.unpack({ probe.reply_get(r) }, 1, 2) })
    probe.reply_clear(r)
    assert.are.same({ 0, "", 0 }, { table.unpack({ probe.reply_get(r) }, 1, 3) })
    assert.are.equal(1, probe.reply_feed(r, ""))
    assert.are.same({ 550, "c" }, { table.unpack({ probe.reply_get(r) }, 1, 2) })
    probe.reply_clear(r)
    assert.are.equal(0, probe.reply_feed(r, ""))
    assert.are.equal(1, probe.reply_feed(r, "\r\n"))
    assert.are.same({ 221, "d" }, { table.unpack({ probe.reply_get(r) }, 1, 2) })
  end)

  it("survives each allocation that fails, and goes on", function()
    local wire = wire_of(20, "250-" .. ("x"):rep(100), "250 end")
    local failed = 0
    repeat
      local r = probe.reply_new()
      probe.fail_at(failed + 1)
      local done, err = probe.reply_whole(r, wire)
      probe.fail_at()
      if not done then
        assert.are.equal("ENOMEM", err)
        failed = failed + 1
      end
    until done
    assert.is_true(failed > 2)
    collectgarbage()
    assert.are.equal(0, probe.live())
  end)

  it("goes on after ENOMEM where it stopped", function()
    local r = probe.reply_new()
    local start = "250-" .. ("x"):rep(200) .. "\r\n250-" .. ("y"):rep(90)
    assert.are.equal(0, probe.reply_feed(r, start))
    probe.fail_at(1)
    assert.are.same({ nil, "ENOMEM" }, { probe.reply_feed(r, "\r\n") })
    probe.fail_at()
    assert.are.equal(1, probe.reply_feed(r, "250 z\r\n"))
    assert.are.same({ 250, ("x"):rep(200) .. "\n" .. ("y"):rep(90) .. "\nz", 3 },
      { table.unpack({ probe.reply_get(r) }, 1, 3) })
  end)
end)

describe("reply status", function()
  it("C053 C144 is what the text begins with, if the class is the code's", function()
    accepts("250 2.1.0 ok\r\n", 250, "2.1.0 ok", "2.1.0")
    accepts("550-5.1.1 no\r\n550 5.1.1 user\r\n", 550, "5.1.1 no\n5.1.1 user", "5.1.1")
    accepts("550-5.1.1\r\n550 x\r\n", 550, "5.1.1\nx", "5.1.1")
    accepts("550 5.7.2\r\n", 550, "5.7.2", "5.7.2")
    for _, text in ipairs { "5.7.2.1 x", "5.1000.1 x", "4.7.1 x", "2.0.0", "x 5.7.1", "",
                            "5.7.1x" } do
      accepts("550 " .. text .. "\r\n", 550, text)
    end
    accepts("354 2.0.0 go\r\n", 354, "2.0.0 go")
    accepts("550-x\r\n550 5.1.1 y\r\n", 550, "x\n5.1.1 y")
  end)
end)

describe("reply format", function()
  local function format(code, status, text, cap)
    local c, s, d = status:match("(%d+)%.(%d+)%.(%d+)")
    return probe.reply_format(code, tonumber(c or 0), tonumber(s or 0), tonumber(d or 0), text, cap)
  end

  it("writes one line and several, parted by LF or CRLF", function()
    assert.are.equal("250 ok\r\n", (format(250, "", "ok")))
    assert.are.equal("250-a\r\n250-b\r\n250 c\r\n", (format(250, "", "a\nb\r\nc")))
    assert.are.equal("250 \r\n", (format(250, "", "")))
    assert.are.equal("250-\r\n250 \r\n", (format(250, "", "\n")))
    assert.are.equal("354 a\tb\r\n", (format(354, "", "a\tb")))
  end)

  it("C051 writes the status on every line", function()
    assert.are.equal("550-5.1.1 a\r\n550-5.1.1\r\n550 5.1.1 b\r\n",
      (format(550, "5.1.1", "a\n\nb")))
    assert.are.equal("250 2.0.0\r\n", (format(250, "2.0.0", "")))
    -- once, if further lines have it, and no other
    assert.are.equal("550-5.1.1 a\r\n550-5.1.1 b\r\n550-5.1.1\r\n550 5.1.1 5.1.12 c\r\n",
      (format(550, "5.1.1", "a\n5.1.1 b\r\n5.1.1\n5.1.12 c")))
    assert.are.equal("250-a\r\n250 2.0.0 b\r\n", (format(250, "", "a\n2.0.0 b")))
    local out = format(550, "5.7.100", ("word "):rep(500) .. "end")
    for line in out:gmatch("(.-)\r\n") do assert.is_truthy(line:find("^550[- ]5%.7%.100 word")) end
  end)

  it("C051 refuses a status of another class", function()
    assert.are.same({ nil, "EINVALID", "" }, { format(550, "4.1.1", "x") })
    assert.are.same({ nil, "EINVALID", "" }, { format(250, "5.0.0", "x") })
    assert.are.same({ nil, "EINVALID", "" }, { format(550, "5.1000.1", "x") })
    assert.are.same({ nil, "EINVALID", "" }, { format(550, "5.1.1000", "x") })
  end)

  it("refuses a code outside 200 to 599", function()
    for _, code in ipairs { -250, 0, 25, 100, 199, 600, 2500 } do
      assert.are.same({ nil, "EINVALID", "" }, { format(code, "", "x") })
    end
    assert.are.equal("200 x\r\n", (format(200, "", "x")))
    assert.are.equal("599 x\r\n", (format(599, "", "x")))
  end)

  it("refuses control bytes, so that no text adds a line of its own", function()
    for c = 0, 255 do
      local text = "a" .. string.char(c) .. "b"
      local out, err, left = format(250, "", text)
      if c == 10 then
        assert.are.equal("250-a\r\n250 b\r\n", out)
      elseif c < 32 and c ~= 9 or c == 127 then
        assert.are.same({ nil, "EINVALID", "" }, { out, err, left }, tostring(c))
      else
        assert.are.equal("250 " .. text .. "\r\n", out)
      end
    end
    for _, text in ipairs { "\r", "a\r", "a\r\r\nb", "\r\n\r", "a\n\rb" } do
      assert.are.same({ nil, "EINVALID", "" }, { format(250, "", text) })
    end
  end)

  -- Every wire line of a reply, checked for its length.
  local function lines_of(out)
    local list = {}
    for line in out:gmatch("[^\n]*\n") do
      assert.is_true(#line <= 512)
      list[#list + 1] = line:sub(5, -3)
    end
    return list
  end

  it("breaks at 512 bytes, at a space if there is one", function()
    for n = 503, 509 do
      local list = lines_of(format(250, "", ("x"):rep(n)))
      assert.are.equal(n <= 506 and 1 or 2, #list)
      assert.are.equal(("x"):rep(n), table.concat(list))
      local status = lines_of(format(250, "2.0.0", ("x"):rep(n - 6)))
      assert.are.equal(n <= 506 and 1 or 2, #status)
    end
    for n = 500, 510 do
      local text = ("x"):rep(n) .. " " .. ("y"):rep(30)
      local list = lines_of(format(250, "", text))
      assert.are.equal(text, n > 506 and table.concat(list) or table.concat(list, " "))
      if n <= 506 then assert.are.equal(("x"):rep(n), list[1]) end
    end
    assert.are.same({ ("x"):rep(506), "y" }, lines_of(format(250, "", ("x"):rep(506) .. "\r\ny")))
    assert.are.same({ ("x"):rep(506), "x", "y" },
      lines_of(format(250, "", ("x"):rep(507) .. "\ny")))
    assert.are.same({ ("x"):rep(506) }, lines_of(format(250, "", ("x"):rep(506) .. " ")))
  end)

  it("never breaks inside a UTF-8 character", function()
    for _, char in ipairs { "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80" } do
      for shift = 0, 4 do
        local text = ("x"):rep(shift) .. char:rep(400)
        local list = lines_of(format(250, "", text))
        assert.are.equal(text, table.concat(list))
        for _, line in ipairs(list) do
          assert.is_truthy(utf8.len(line))
          assert.is_true(#line > 502 or line == list[#list])
        end
      end
    end
    local broken = ("\x80"):rep(2000)
    assert.are.equal(broken, table.concat(lines_of(format(250, "", broken))))
  end)

  it("is read back as it was written", function()
    for _, text in ipairs { "", "ok", "a\nb", "\n\n", "a\n", ("x y "):rep(100) } do
      local reply = read { (format(250, "", text)) }
      assert.are.same({ 250, text }, { reply.code, reply.text })
    end
    assert.are.equal("4.2.2", read({ (format(452, "4.2.2", "full\nreally")) }).status)
  end)

  it("leaves no half of a reply behind an error", function()
    local whole = format(550, "5.1.1", "a\nb")
    for cap = 0, #whole - 1 do
      assert.are.same({ nil, "ETOOBIG", "" }, { format(550, "5.1.1", "a\nb", cap) })
    end
    assert.are.equal(whole, (format(550, "5.1.1", "a\nb", #whole)))
    local failed = 0
    repeat
      probe.fail_at(failed + 1)
      local out, err, left = format(550, "5.1.1", ("word "):rep(300))
      probe.fail_at()
      if not out then
        assert.are.same({ "ENOMEM", "" }, { err, left })
        failed = failed + 1
      end
    until out
    assert.is_true(failed > 2)
  end)
end)
