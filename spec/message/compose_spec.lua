-- Composing: the bytes that a record becomes.
local smtp = require "smtp"
local core = require "smtp.core"
local net = require "spec.support.net"

local function message(record)
  local all = { from = "Ada <ada@code.energy>", to = "bob@example.com", date = 0, seed = 1 }
  for key, value in pairs(record) do all[key] = value or nil end
  return assert(smtp.message(all))
end

local function text_of(record) return tostring(message(record)) end

-- The header, unfolded, as an array of { name, value }.
local function header(text)
  local fields = {}
  local head = text:match("^(.-\r\n)\r\n"):gsub("\r\n([ \t])", "%1")
  for name, value in head:gmatch("([^:\r\n]+):[ ]?([^\r]*)\r\n") do
    fields[#fields + 1] = { name, value }
  end
  return fields
end

local function value_of(text, name)
  local found = {}
  for _, field in ipairs(header(text)) do
    if field[1] == name then found[#found + 1] = field[2] end
  end
  return table.unpack(found)
end

describe("a composed message", function()
  it("C036 C039 has one Date and From, and wants a Sender where From has several", function()
    local text = text_of {}
    assert.same({ "Thu, 1 Jan 1970 00:00:00 +0000" }, { value_of(text, "Date") }) -- C039
    assert.same({ "Ada <ada@code.energy>" }, { value_of(text, "From") })
    for _, name in ipairs { "Date", "from", "SENDER", "To", "Message-ID", "MIME-Version",
      "Subject" } do
      local none, err = smtp.message { from = "a@b.example",
        headers = { { name, "a@b.example" } } }
      assert.is_nil(none, name)
      assert.matches("is made of the record", tostring(err))
    end
    local made, err = smtp.message { from = { "a@b.example", "c@d.example" } }
    assert.is_nil(made)
    assert.matches("sender is needed", tostring(err))
    text = text_of { from = { "a@b.example", "c@d.example" }, sender = "a@b.example" }
    assert.same({ "a@b.example" }, { value_of(text, "Sender") })
    local function why(record) return tostring(select(2, smtp.message(record))) end
    for _, record in ipairs { {}, { from = {} }, { to = "a@b.example" } } do
      assert.equal("message: from is missing", why(record))
    end
    assert.equal('message: from "" is no address: it is empty', why { from = "" })
  end)

  it("C023 has no Return-Path, which the final delivery puts before it, once", function()
    assert.falsy(text_of {}:find("Return-Path", 1, true))
    assert.is_nil((smtp.message { from = "a@b.example",
      headers = { { "return-path", "<x@y>" } } }))
    local kept
    local server <close> = assert(smtp.server { listen = "127.0.0.1:0",
      on_message = function(_, m) kept = m:return_path() .. m:read() return true end })
    assert(smtp.send("127.0.0.1:" .. server.port, { from = "ada@code.energy", to = "b@c.example" }))
    local all = smtp.parse(kept).headers:all("Return-Path")
    assert.same({ "<ada@code.energy>" }, all)
  end)

  it("C037 has lines of 998 at most, folded at 78, and none of white space alone", function()
    for _, subject in ipairs { ("word "):rep(100), ("x"):rep(3000), ("é"):rep(500),
      ("  wide   "):rep(40), "a" .. (" "):rep(1200) .. "b", "a b" .. ("\t"):rep(99) .. "c d",
      "a " .. ("y"):rep(700) .. " b", (" "):rep(300) .. "x" } do
      local text = text_of { subject = subject, headers = { { "X-Same", subject } },
        to = { { name = subject, address = "bob@example.com" } } }
      for line in text:gmatch("([^\r]*)\r\n") do
        assert.is_true(#line <= 998)
        assert.is_true(#line <= 78 or not line:sub(2):find(" ", 1, true), line)
        assert.falsy(line:find("^[ \t]+$"))
      end
    end
  end)

  it("C038 takes header names of 33 to 126 without a colon", function()
    for _, name in ipairs { "", "a b", "a:", "é", "a\r\nb", "a\0", ("x"):rep(100) } do
      local made, err = smtp.message { from = "a@b.example", headers = { { name, "v" } } }
      assert.is_nil(made, name)
      assert.equal("invalid", err.kind)
    end
    assert.matches("\r\nX%-A!b: v\r\n", text_of { headers = { { "X-A!b", "v" } } })
    assert.matches("\r\nX%-A: 1\r\nX%-B: 2\r\n", text_of { headers = { ["X-B"] = "2",
      ["X-A"] = "1" } })
  end)

  it("C040 has a Message-ID of its own, under the domain of its sender", function()
    local one, two = message { seed = false }, message { seed = false }
    assert.matches("^<%x+@code%.energy>$", one.id)
    assert.not_equal(one.id, two.id)
    assert.equal("<a.b@c.example>", message({ message_id = "a.b@c.example" }).id)
    for _, id in ipairs { "a", "a b@c", "<a@b", "a@b>", "a@b\r\n" } do
      assert.is_nil((smtp.message { from = "a@b.example", message_id = id }), id)
    end
  end)

  it("C041 shows nobody who was sent a blind copy", function()
    local one = message { to = "a@b.example", cc = "c@d.example", bcc = { "secret@e.example" } }
    assert.same({ "a@b.example", "c@d.example", "secret@e.example" }, one.envelope.to)
    assert.falsy(tostring(one):lower():find("bcc"))
    assert.falsy(tostring(one):find("secret"))
    assert.is_nil((smtp.message { from = "a@b.example", headers = { { "bcc", "x@y" } } }))
  end)

  it("C042 has encoded words of 75 at most, of whole characters, and none in quotes", function()
    for _, text in ipairs { ("日本語"):rep(60), ("a é "):rep(60), ("𝒳"):rep(40) } do
      local field = core.field("Subject", { "text", text })
      local joined = {}
      for word in field:gmatch("=%?[^ \r]+%?=") do
        assert.is_true(#word <= 75, word)
        local kind, data = word:match("^=%?UTF%-8%?([QB])%?(.*)%?=$")
        local bytes = kind == "B" and core.unbase64(data)
          or data:gsub("_", " "):gsub("=(%x%x)", function(h)
            return string.char(tonumber(h, 16))
          end)
        assert.truthy(utf8.len(bytes), word)
        joined[#joined + 1] = bytes
      end
      assert.equal((text:gsub("%s+$", "")), (core.field("Subject", { "text", text })
        :find("=%?") == 10 and table.concat(joined) or "a " .. table.concat(joined)))
    end
    assert.falsy(core.field("To", { "phrase", 'Jörg "X"', "token", "<a@b>" }):find('"'))
  end)

  it("C043 takes lists, names in quotes, groups, and an @ in quotes", function()
    local one = message { to = { { name = 'Bob "B" Builder', address = "bob@example.com" },
      "x@y.example, z@y.example",
      { group = "Friends", members = { "f@y.example", { name = "O'Hara, S.", address =
        '"a@b"@y.example' } } }, { name = "Žofie", address = "zofie@bücher.example" } } }
    assert.same({ "bob@example.com", "x@y.example", "z@y.example", "f@y.example",
      '"a@b"@y.example', "zofie@xn--bcher-kva.example" }, one.envelope.to)
    local to = value_of(tostring(one), "To")
    assert.matches('"Bob \\"B\\" Builder" <bob@example.com>, x@y.example,', to, 1, true)
    assert.truthy(to:find('Friends: f@y.example, "O\'Hara, S." <"a@b"@y.example>;,', 1, true), to)
  end)

  it("takes no text for an address that is not plainly one", function()
    for _, text in ipairs { "Ada a@b.example", "a@b.example c@d.example", "<a@b.example",
      "a@b.example>", "Ada <a@b.example><c@d.example>", "a b@c.example", "a@b. example",
      "Ada <a@b.example> Bob", "a@b.example,,<", "@b.example", "a@" } do
      local made, err = smtp.message { from = "x@y.example", to = text }
      assert.is_nil(made, text)
      assert.equal("invalid", err.kind)
    end
    assert.same({ "postmaster" }, message({ from = "postmaster", to = "postmaster" }).envelope.to)
  end)

  it("keeps the bytes of an attachment, whatever its type", function()
    for _, content in ipairs { "a\rb", "a", "a\n", "\n", "a\r\nb\0", "" } do
      local m = smtp.parse(text_of { attachments = { { content = content, name = "x.csv" } } })
      assert.equal(content, m.attachments[1].content)
    end
  end)

  it("takes names of parameters that RFC 2231 leaves alone", function()
    for _, name in ipairs { "a*", "a'", "a%", ("p"):rep(61), "", "a b" } do
      assert.is_nil((smtp.message { from = "a@b.example", part = smtp.part { content = "x",
        params = { { name, "v" } } } }), name)
    end
  end)

  it("reads a source once", function()
    local given
    local one = message { attachments = { { name = "s", source = function()
      given = not given
      return given and "abc" or nil
    end } } }
    assert.truthy(tostring(one))
    assert.error_matches(function() return tostring(one) end, "read once")
  end)

  it("C044 has boundaries that are in no part, and are 70 at most", function()
    local text = text_of { text = "--=_", html = "x",
      attachments = { { content = "=_", name = "a" } } }
    local seen = {}
    for boundary in text:gmatch('boundary="([^"]+)"') do
      assert.is_true(#boundary <= 70)
      assert.is_nil(seen[boundary])
      seen[boundary] = true
    end
    assert.truthy(next(seen))
  end)

  it("C044 chooses another boundary where one is in a part", function()
    local function composed(content)
      local text = text_of { text = content, html = "x" }
      return text:match('boundary="([^"]+)"'), text
    end
    local first = composed("a")
    local other, text = composed("--" .. first .. "\n")
    assert.not_equal(first, other)
    assert.equal("--" .. first .. "\n", smtp.parse(text).text)
  end)

  it("C045 encodes in lines of 76 at most, exactly as long as it says", function()
    for n = 0, 200 do
      local encoder = core.base64_encoder()
      local bytes = ("\xff"):rep(n)
      local whole = encoder:feed(bytes) .. encoder:finish()
      assert.equal(core.base64_size(n), #whole)
      local pieces = {}
      for byte in bytes:gmatch(".") do pieces[#pieces + 1] = encoder:feed(byte) end
      assert.equal(whole, table.concat(pieces) .. encoder:finish())
      assert.equal(bytes, core.unbase64((whole:gsub("\r\n", ""))))
      for line in whole:gmatch("([^\r]*)\r\n") do assert.is_true(#line <= 76) end
    end
    for _, text in ipairs { ("é "):rep(200), ("="):rep(100), ("a"):rep(75) .. " ", ".", "From x",
      ("x"):rep(75) .. "é", ("x"):rep(76) .. "\n.y", " \n\t\n" } do
      local encoded = core.qp(text)
      for line in encoded:gmatch("([^\r]*)\r\n") do
        assert.is_true(#line <= 76, line)
        assert.falsy(line:find("[ \t]$"))
      end
      local decoded = encoded:gsub("=\r\n", ""):gsub("=(%x%x)", function(h)
        return string.char(tonumber(h, 16))
      end)
      assert.equal(text:gsub("\n", "\r\n") .. (text:sub(-1) == "\n" and "" or "\r\n"), decoded)
    end
  end)

  it("C045 takes the shorter encoding, and what can be read if both are as long", function()
    local ties = 0
    for n = 1, 60 do
      for m = 1, n do
        local text = ("\xe9"):rep(m) .. ("a"):rep(n - m)
        local more = #core.qp(text) - core.base64_size(n)
        assert.equal(more <= 0 and "quoted-printable" or "base64", core.encoding(text))
        ties = ties + (more == 0 and 1 or 0)
      end
    end
    assert.is_true(ties > 5)
  end)

  it("says its size beforehand, and is the same for the same seed", function()
    local folder = net.folder()
    net.dump(folder .. "/a.bin", ("\0\1\2"):rep(100001))
    for _, record in ipairs { {}, { text = "é" }, { text = "a", html = "b" }, { attachments =
      { folder .. "/a.bin" } }, { html = "x", attachments = { { content = "i", cid = "c" } } },
      { attachments = { { source = (function()
        local given
        return function()
          given = not given
          return given and "abc" or nil
        end
      end)(), size = 3, name = "s" } } }, { calendar = "BEGIN:VCALENDAR\nMETHOD:REPLY\n" } } do
      local one = message(record)
      assert.equal(#tostring(one), one.size)
      if not (record.attachments and record.attachments[1].source) then
        assert.equal(text_of(record), tostring(one))
      end
    end
    net.remove(folder)
  end)

  it("keeps the structure that mail readers expect", function()
    local function types(record)
      local list = {}
      for kind in text_of(record):gmatch("Content%-Type: ([%w/]+)") do list[#list + 1] = kind end
      return table.concat(list, " ")
    end
    assert.equal("text/plain", types { text = "a" })
    assert.equal("text/html", types { html = "a" })
    assert.equal("multipart/alternative text/plain text/html", types { text = "a", html = "b" })
    assert.equal("multipart/related text/html image/png", types { html = "b",
      attachments = { { content = "x", name = "a.png", cid = "c" } } })
    assert.equal("multipart/mixed multipart/alternative text/plain multipart/related text/html "
      .. "image/png application/pdf", types { text = "a", html = "b", attachments = {
        { content = "x", name = "a.png", cid = "c" }, { content = "y", name = "b.pdf" } } })
    assert.equal("multipart/mixed text/plain text/csv", types { part = smtp.part { parts = {
      smtp.part { content = "a" }, smtp.part { content = "b", type = "text/csv", name = "b" } } } })
  end)

  it("refuses CR, LF and NUL in every field, and names the field", function()
    for _, bad in ipairs { "a\rb", "a\nb", "a\0b", "a\r\nBcc: x@y.example", "\xff" } do
      for field, record in pairs {
        from = { from = "Ada " .. bad .. " <a@b.example>" }, to = { to = bad .. "@b.example" },
        cc = { cc = { { name = bad, address = "a@b.example" } } },
        bcc = { bcc = { { address = bad .. "@b" } } }, reply_to = { reply_to = bad },
        sender = { sender = bad }, subject = { subject = bad },
        message_id = { message_id = bad .. "@b" }, in_reply_to = { in_reply_to = bad .. "@b" },
        references = { references = { bad .. "@b" } },
        headers = { headers = { { "X-A", bad } } },
        ["headers "] = { headers = { { bad, "x" } } },
        name = { attachments = { { content = "x", name = bad } } },
        cid = { attachments = { { content = "x", cid = bad } } },
        ["type"] = { attachments = { { content = "x", type = bad } } },
        ["list.unsubscribe"] = { list = { unsubscribe = "https://" .. bad } },
        ["list.id"] = { list = { id = bad } },
      } do
        if not record.from then record.from = "ada@code.energy" end
        local made, err = smtp.message(record)
        assert.is_nil(made, field .. " " .. bad)
        assert.equal("invalid", err.kind)
        assert.truthy(tostring(err):find(field:gsub(" $", ""), 1, true), tostring(err))
      end
    end
    for _, text in ipairs { "\xff", "a\0b" } do
      assert.is_nil((smtp.message { from = "a@b.example", text = text }))
      assert.is_nil((smtp.message { from = "a@b.example", html = text }))
    end
  end)

  it("raises for misuse, and does not change the record", function()
    assert.error_matches(function() smtp.message { form = "x" } end, "form")
    assert.error_matches(function() smtp.part {} end, "one of content")
    for field, record in pairs {
      date = { date = 0 / 0 }, ["date "] = { date = 1e300 }, ["date  "] = { date = -1 },
      params = { attachments = { { content = "x", params = { 5 } } } },
      to = { to = { { group = "g", members = 5 } } }, ["to "] = { to = { { group = 5 } } },
      ["to  "] = { to = { { name = 5, address = "a@b.example" } } },
      type = { attachments = { { content = "x", type = "multipart/mixed" } } },
      ["calendar.method"] = { calendar = { content = "x", method = "a;b" } },
    } do
      record.from = "a@b.example"
      local made, err = smtp.message(record)
      assert.is_nil(made, field)
      assert.truthy(tostring(err):find(field:match("^%S+"), 1, true), tostring(err))
    end
    assert.error_matches(function() smtp.part { parts = { {} } } end, "smtp.part")
    local record = { from = "a@b.example", to = { "c@d.example" }, attachments = {
      { content = "x", name = "n" } } }
    smtp.message(record)
    assert.same({ from = "a@b.example", to = { "c@d.example" }, attachments = {
      { content = "x", name = "n" } } }, record)
    local made, err = smtp.message { from = "a@b.example", attachments = { "/nowhere/x" } }
    assert.is_nil(made)
    assert.matches("/nowhere/x", tostring(err))
    made, err = smtp.message { from = "a@b.example", attachments = { "/" } }
    assert.is_nil(made)
    assert.matches("irectory", tostring(err))
  end)

  it("is not taken for whole when a file changes or a source fails while it is sent", function()
    local server <close> = assert(smtp.server { listen = "127.0.0.1:0",
      on_message = function(_, m) m:read() return true end })
    local folder = net.folder()
    local path = folder .. "/a"
    local function fails(made, pattern)
      local receipt, err = smtp.send("127.0.0.1:" .. server.port, made)
      assert.is_nil(receipt)
      assert.same({ "source", "not_sent" }, { err.kind, err.outcome })
      assert.matches(pattern, tostring(err))
    end
    local function composed()
      net.dump(path, ("x"):rep(1000))
      return assert(smtp.message { from = "a@b.example", to = "c@d.example",
        attachments = { path } })
    end
    for _, size in ipairs { 999, 1001, 0 } do
      local made = composed()
      net.dump(path, ("y"):rep(size))
      fails(made, "has changed while it was sent")
    end
    local made = composed()
    os.remove(path)
    fails(made, "No such file")
    for source, why in pairs { [function() error("disk on fire") end] = "disk on fire",
      [function() return 5 end] = "must give strings" } do
      fails({ from = "a@b.example", to = "c@d.example",
        attachments = { { source = source, name = "s" } } }, why)
    end
    assert.equal(0, server:stats().messages)
    net.remove(folder)
  end)

  it("goes out by smtp.send as a record", function()
    local got
    local server <close> = assert(smtp.server { listen = "127.0.0.1:0",
      on_message = function(_, m) got = m:read() return true end })
    local record = { from = "Ada <ada@code.energy>", to = "bob@example.com", subject = "é",
      text = "It works.\n.\n", date = 0, seed = 5 }
    local receipt = assert(smtp.send("127.0.0.1:" .. server.port, record))
    assert.same({ "bob@example.com" }, receipt.accepted)
    assert.equal(tostring(smtp.message(record)), got)
    local bad, err = smtp.send("127.0.0.1:" .. server.port, { from = "a\rb", text = "x" })
    assert.is_nil(bad)
    assert.equal("invalid", err.kind)
  end)
end)
