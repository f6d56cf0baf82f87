local probe = require "probe"

local VERBS = { "HELO", "EHLO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "VRFY",
                "EXPN", "HELP", "QUIT", "STARTTLS", "AUTH", "XCLIENT", "XFORWARD" }
local STRICT, NULL, POSTMASTER = 1, 2, 4

-- Each letter in a case of its own.
local function mix(text, bits)
  local i = 0
  return (text:lower():gsub("%a", function(c)
    i = i + 1
    return bits >> i & 1 == 1 and c:upper() or c
  end))
end

describe("command parse", function()
  local function parse(line, strict) return { probe.command_parse(line, strict) } end

  it("C009 knows its verbs in any case", function()
    for i, verb in ipairs(VERBS) do
      assert.are.equal(verb, probe.command_name(i))
      for bits = 0, 511 do
        local name = mix(verb, bits)
        assert.are.equal(i, probe.command_verb(name))
        assert.are.same({ verb, name, "Ab c" }, parse(name .. " Ab c"))
      end
      assert.are.equal(0, probe.command_verb(verb .. "X"))
      assert.are.equal(0, probe.command_verb(verb:sub(1, -2)))
    end
    assert.are.equal("", probe.command_name(0))
    assert.are.equal("", probe.command_name(#VERBS + 1))
    assert.are.equal(0, probe.command_verb "")
  end)

  it("gives a verb that it does not know by its name", function()
    assert.are.same({ "", "XFOO-1", "a" }, parse "XFOO-1 a")
    assert.are.same({ "", "x", "" }, parse "x")
  end)

  it("drops spaces around the arguments, and keeps those inside", function()
    assert.are.same({ "NOOP", "NOOP", "" }, parse "NOOP ")
    assert.are.same({ "NOOP", "NOOP", "" }, parse "NOOP \t ")
    assert.are.same({ "NOOP", "NOOP", "a  b" }, parse "NOOP   a  b  ")
    assert.are.same({ "MAIL", "mail", "FROM:<a@b> SIZE=1" }, parse "mail FROM:<a@b> SIZE=1 \t")
    assert.are.same({ "NOOP", "NOOP", "\0\xff" }, parse "NOOP \0\xff")
  end)

  it("C010 shows the argument that a verb should not have", function()
    for _, verb in ipairs { "DATA", "RSET", "QUIT", "STARTTLS" } do
      assert.are.same({ verb, verb, "x" }, parse(verb .. " x"))
      assert.are.same({ verb, verb, "" }, parse(verb .. " "))
    end
  end)

  it("refuses a line without a verb", function()
    for _, line in ipairs { "", " ", "\t", " NOOP", "\tNOOP", "NOOP:", "MAIL:x", "<a@b>",
                            ".", "\0", "NOOP\0", "\r", "\n", "NOOP\r", "N\xc3\x96OP", "QUIT;" } do
      assert.are.same({ nil, "ESYNTAX" }, parse(line), ("%q"):format(line))
    end
  end)

  it("C005 takes a tab for a space, but in strict mode behind the last word only", function()
    for _, line in ipairs { "NOOP\tx", "NOOP \t x", "NOOP\t x\t" } do
      assert.are.same({ "NOOP", "NOOP", "x" }, parse(line))
    end
    assert.are.same({ nil, "ESYNTAX" }, parse("NOOP\tx", true))
    assert.are.same({ "NOOP", "NOOP", "\tx" }, parse("NOOP \tx", true))
    assert.are.same({ "NOOP", "NOOP", "" }, parse("NOOP\t", true))
  end)

  it("C035 stands random lines", function()
    math.randomseed(5321)
    local parts = { "NOOP", "\n", "\r", "\r\n", " ", "\0", "\t", "\xff", ":", "noop" }
    for round = 1, 5000 do
      local list = {}
      for i = 1, math.random(0, 8) do list[i] = parts[math.random(#parts)] end
      local line = table.concat(list)
      local verb, name, args = probe.command_parse(line, true)
      local rest = line:gsub("[ \t]+$", "")
      local want_name, want_args = rest:match("^([%w-]+) +([^ ].*)$")
      if not want_name then want_name, want_args = rest:match("^([%w-]+)$"), "" end
      assert.are.same(want_name and { want_name, want_args } or { nil, "ESYNTAX" },
        verb and { name, args } or { nil, name }, ("%q"):format(line))
      if round % 100 == 0 then collectgarbage() end
    end
  end)
end)

describe("command path", function()
  it("reads the path and leaves the parameters", function()
    for word, name in pairs { ["FROM:"] = "MAIL", ["TO:"] = "RCPT" } do
      assert.are.same({ "<a@b.c>", "" },
        { probe.command_path(word .. "<a@b.c>", word, STRICT) }, name)
      assert.are.same({ "<a@b.c>", " SIZE=1 X" },
        { probe.command_path(word .. "<a@b.c> SIZE=1 X", word, STRICT) })
    end
    assert.are.same({ "<>", "" }, { probe.command_path("FROM:<>", "FROM:", STRICT | NULL) })
    assert.are.same({ "<Postmaster>", "" },
      { probe.command_path("TO:<Postmaster>", "TO:", STRICT | POSTMASTER) })
  end)

  it("C009 reads the word in any case", function()
    for bits = 0, 31 do
      local args = mix("FROM:", bits) .. "<Ab@c>"
      assert.are.same({ "<Ab@c>", "" }, { probe.command_path(args, "FROM:", STRICT) })
    end
  end)

  it("C005 allows blanks before the path and around the colon, if lenient", function()
    for _, args in ipairs { "FROM: <a@b>", "FROM :<a@b>", "FROM  :   <a@b>", "FROM:\t<a@b>",
                            "FROM\t: \t <a@b>", "FROM:< a@b>", "FROM:<a@b\t>" } do
      assert.are.same({ "<a@b>", "" }, { probe.command_path(args, "FROM:", 0) })
      assert.are.same({ nil, "ESYNTAX" }, { probe.command_path(args, "FROM:", STRICT) }, args)
    end
    assert.are.same({ "<a@b>", " X" }, { probe.command_path("FROM:a@b X", "FROM:", 0) })
    assert.are.same({ "<a@b>", "\tX" }, { probe.command_path("FROM:a@b\tX", "FROM:", 0) })
    assert.are.same({ "<a@b>", "\tX" }, { probe.command_path("FROM:<a@b>\tX", "FROM:", 0) })
    assert.are.same({ nil, "ESYNTAX" }, { probe.command_path("FROM:<a@b>\tX", "FROM:", STRICT) })
  end)

  it("refuses what is not the word and a path", function()
    for _, args in ipairs { "", "F", "FROM", "FROM:", "FROM<a@b>", "TO:<a@b>", "FRM:<a@b>",
                            ":<a@b>", "FROM;<a@b>", "FROM:<a@b", "FROM:<a@b>x",
                            "FROM:<a@b>>", "FROM:<>", "FROM:<a@b>\0" } do
      for _, flags in ipairs { 0, STRICT } do
        assert.are.same({ nil, "ESYNTAX" }, { probe.command_path(args, "FROM:", flags) }, args)
      end
    end
  end)

  it("tells a path that is too long from a wrong one", function()
    local long = ("a"):rep(256)
    assert.are.same({ nil, "ETOOBIG" }, { probe.command_path("TO:<" .. long .. "@b>", "TO:", 0) })
    local local_part = ("a"):rep(65)
    assert.are.same({ nil, "ETOOBIG" },
      { probe.command_path("TO:<" .. local_part .. "@b>", "TO:", STRICT) })
  end)
end)

describe("command foreign", function()
  it("tells the requests of HTTP", function()
    for _, method in ipairs { "GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "TRACE", "PATCH",
                              "CONNECT" } do
      assert.is_true(probe.command_foreign(method .. " / HTTP/1.1"))
      assert.is_true(probe.command_foreign(method .. " "))
      for _, line in ipairs { method, method:lower() .. " /", method .. "X /", method .. "\t/",
                              " " .. method .. " /", method:sub(1, -2) .. " /" } do
        assert.is_false(probe.command_foreign(line), line)
      end
    end
  end)

  it("tells a header line", function()
    for _, line in ipairs { "Host: x", "Host:", "host:x", "User-Agent: curl/8", "Subject: hi",
                            "X_y.z: 1", "Content-Length: 3", "Authorization: x",
                            "Mail-Followup-To: x", "Data-Received: x",
                              "MAILFROMX:<a@b>", "TO:<a@b>", "1: 2", "FROM:<a@b>" } do
      assert.is_true(probe.command_foreign(line), line)
    end
    for _, line in ipairs { "", ":", ": x", "Host", "Host : x", "a@b: x", "<a>: b", "Ho\0st: x",
                            "\xc3\xa9: x", "a b: c", "a/b: c", "a=b: c", "a?b: c", "{a}: c", "\r:",
                            "\t:" } do
      assert.is_false(probe.command_foreign(line), line)
    end
  end)

  it("never calls a line of SMTP foreign", function()
    local args = { "", " ", " x", " FROM:<a@b>", " TO:<a:b@[IPv6:::1]> X=Y", " / HTTP/1.1",
                   " Host: x" }
    for _, verb in ipairs(VERBS) do
      for _, tail in ipairs(args) do
        assert.is_false(probe.command_foreign(verb .. tail))
        assert.is_false(probe.command_foreign(verb:lower() .. tail))
      end
      assert.is_false(probe.command_foreign(verb .. ":"))
      assert.is_false(probe.command_foreign(verb:lower() .. ":x"))
    end
    for _, word in ipairs { "MAILFROM", "mailfrom", "MailFrom", "MAIL-FROM", "Mail_From",
      "mail.from",
                            "RCPTTO", "rcptto", "Rcpt-To", "RCPT_TO", "MAILTO", "rcptfrom" } do
      for _, tail in ipairs { ":<a@b>", ": <a@b>", ":a@b", ":", ":<a@b> SIZE=1" } do
        assert.is_false(probe.command_foreign(word .. tail), word .. tail)
      end
    end
    assert.is_false(probe.command_foreign("XADA:1", "XFOO XADA"))
    assert.is_false(probe.command_foreign("xada: 1", "XFOO XADA"))
    assert.is_true(probe.command_foreign("XADAS: 1", "XFOO XADA"))
    for _, tail in ipairs(args) do
      for _, verb in ipairs { "XCLIENT", "XFORWARD", "ETRN", "TURN", "SEND", "X-1", "get" } do
        assert.is_false(probe.command_foreign(verb .. tail))
      end
    end
  end)
end)

describe("command format", function()
  it("joins verb and arguments", function()
    assert.are.equal("QUIT\r\n", (probe.command_format("QUIT", "")))
    assert.are.equal("MAIL FROM:<a@b> X=1\r\n", (probe.command_format("MAIL", "FROM:<a@b> X=1")))
    assert.are.equal("x-1 a\r\n", (probe.command_format("x-1", "a")))
  end)

  it("refuses every byte that could end a line or hide", function()
    for c = 0, 255 do
      local text = "a" .. string.char(c) .. "b"
      local out, err, left = probe.command_format("NOOP", text)
      if c >= 32 and c < 127 then
        assert.are.equal("NOOP " .. text .. "\r\n", out)
      else
        assert.are.same({ nil, "EINVALID", "" }, { out, err, left }, tostring(c))
      end
      out, err, left = probe.command_format(text, "x", true)
      if string.char(c):find("[%w-]") then
        assert.are.equal(text .. " x\r\n", out)
      else
        assert.are.same({ nil, "EINVALID", "" }, { out, err, left }, tostring(c))
      end
    end
    assert.are.same({ nil, "EINVALID", "" }, { probe.command_format("", "x") })
    assert.are.same({ nil, "EINVALID", "" }, { probe.command_format("NOOP", "x\r\nQUIT") })
  end)

  it("writes UTF-8 if it may, and no broken one", function()
    local text = "FROM:<\xc3\xa9\xe2\x82\xac@b>"
    assert.are.equal("MAIL " .. text .. "\r\n", (probe.command_format("MAIL", text, true)))
    assert.are.same({ nil, "EINVALID", "" }, { probe.command_format("MAIL", text, false) })
    for _, bad in ipairs { "\x80", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xff", "\xc3\xa9\0" } do
      assert.are.same({ nil, "EINVALID", "" }, { probe.command_format("MAIL", bad, true) })
    end
  end)

  it("is read back as it was written", function()
    for _, verb in ipairs(VERBS) do
      for _, args in ipairs { "", "x", "FROM:<a@b>  X=1" } do
        local line = probe.command_format(verb, args):sub(1, -3)
        assert.are.same({ verb, verb, args }, { probe.command_parse(line) })
      end
    end
  end)

  it("leaves no half of a command behind an error", function()
    local whole = probe.command_format("NOOP", "abc")
    for cap = 0, #whole - 1 do
      assert.are.same({ nil, "ETOOBIG", "" }, { probe.command_format("NOOP", "abc", false, cap) })
    end
    assert.are.equal(whole, (probe.command_format("NOOP", "abc", false, #whole)))
    for n = 1, 2 do
      probe.fail_at(n)
      local result = { probe.command_format("NOOP", ("x"):rep(1000)) }
      probe.fail_at()
      assert.are.same({ nil, "ENOMEM", "" }, result)
    end
    collectgarbage()
    assert.are.equal(0, probe.live())
  end)
end)
