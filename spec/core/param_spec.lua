local probe = require "probe"

-- All parameters as a list of { key, value }, or the error and how many came.
local function list(text)
  local params, rest = {}, text
  while true do
    local key, value, left = probe.param_next(rest)
    if key == false then
      assert.are.equal("", value)
      return params
    elseif key == nil then
      assert.are.equal(rest, left)
      return value, #params
    end
    params[#params + 1] = { key, value }
    rest = left
  end
end

describe("param next", function()
  it("takes keys with and without values", function()
    assert.are.same({}, list "")
    assert.are.same({ { "SIZE", "10" } }, list " SIZE=10")
    assert.are.same({ { "smtputf8", false }, { "X-1", "a" } }, list " smtputf8 X-1=a")
    assert.are.same({ { "0", "!<>~" }, { "a-", false } }, list " 0=!<>~ a-")
  end)

  it("takes spaces before, between and at the end", function()
    assert.are.same({}, list " ")
    assert.are.same({}, list "    ")
    assert.are.same({ { "A", false }, { "B", "1" } }, list "   A   B=1  ")
  end)

  it("takes UTF-8 in a value", function()
    assert.are.same({ { "X", "ü例" } }, list " X=ü例")
    for _, value in ipairs { "\xff", "\xc3", "a\xc3", "\xc3 ", "\xed\xa0\x80" } do
      assert.are.equal("ESYNTAX", (list(" X=" .. value)))
    end
  end)

  it("a tab is a blank, too", function()
    assert.are.same({ { "A", false }, { "B", "1" } }, (list "\tA \t B=1\t"))
  end)

  it("refuses anything else and leaves it", function()
    for _, text in ipairs { "SIZE=1", "x", " =", " =1", " -A", " A=", " A= B", " A=1=2", " A==",
      " A,B", " A=\t", " A\0", " A=\0", " A=\127", " A=1\r\n", "\0", " _A", " Ä",
      " A_B=1",
      " A:1", " A=1 -", " A=1 B=" } do
      assert.are.equal("ESYNTAX", (list(text)), text)
    end
  end)

  it("each byte of a key and of a value is judged", function()
    for byte = 0, 255 do
      local char = string.char(byte)
      if byte ~= 32 and byte ~= 9 and char ~= "=" then
        local keyed = char:find "^[%w-]$" and { { "K" .. char, false } } or "ESYNTAX"
        assert.are.same(keyed, (list(" K" .. char)))
        local valued = byte > 32 and byte < 127 and { { "K", char } } or "ESYNTAX"
        assert.are.same(valued, (list(" K=" .. char)))
      end
    end
  end)

  it("does not read past its end, and leaves what follows", function()
    local text = " SIZE=12 BODY=7BIT"
    for n = 1, #text do
      local cut = text:sub(1, n)
      local expected = {}
      for key, sign, value in cut:gmatch " ([%w]+)(=?)([%w]*)" do
        expected[#expected + 1] = { key, sign == "=" and value or false }
      end
      if cut:sub(-1) == "=" then expected = "ESYNTAX" end
      assert.are.same(expected, (list(cut)), cut)
    end
    assert.are.same({ "A", "1", " \0rest" }, { probe.param_next " A=1 \0rest" })
  end)
end)

describe("param format", function()
  it("writes what next reads", function()
    for text, param in pairs { [" SIZE=10"] = { "SIZE", "10" }, [" SMTPUTF8"] = { "SMTPUTF8" },
      [" X-1=ü"] = { "X-1", "ü" } } do
      assert.are.equal(text, probe.param_format(param[1], param[2]))
      assert.are.same({ { param[1], param[2] or false } }, list(text))
    end
  end)

  it("refuses what next would not read as that, and leaves the buffer", function()
    for _, param in ipairs { { "" }, { "-a" }, { "a b" }, { "a=b" }, { "a\r\n" }, { "ü" },
      { "a", "" }, { "a", "b c" }, { "a", "b=c" }, { "a", "b\r\nRCPT" }, { "a", "\0" },
      { "a", "\xff" }, { "a\0" }, { "a", "\127" } } do
      assert.are.same({ nil, "EINVALID", "kept" },
        { probe.param_format(param[1], param[2], nil, "kept") })
    end
  end)

  it("leaves the buffer as it was beyond the cap or without memory", function()
    assert.are.equal("x KEY=value", probe.param_format("KEY", "value", 11, "x"))
    for cap = 1, 10 do
      assert.are.same({ nil, "ETOOBIG", "x" }, { probe.param_format("KEY", "value", cap, "x") })
    end
    local long, before, at = ("v"):rep(300), ("x"):rep(254), 1
    local function failing_at(n)
      probe.fail_at(n)
      local text, err, left = probe.param_format("KEY", long, nil, before)
      probe.fail_at()
      return text, err, left
    end
    local text, err, left = failing_at(at)
    while not text do
      assert.are.equal("ENOMEM", err)
      assert.are.equal(at == 1 and "" or before, left)
      at = at + 1
      text, err, left = failing_at(at)
    end
    assert.are.equal(before .. " KEY=" .. long, text)
    assert.are.equal(4, at)
  end)
end)

describe("param of MAIL", function()
  local function refused(err, text)
    assert.are.same({ nil, err }, { probe.mail_params_parse(text) }, text)
  end

  it("may be none", function()
    assert.are.same({}, probe.mail_params_parse "")
    assert.are.same({}, probe.mail_params_parse "  ")
  end)

  it("C047 SIZE has 1 to 20 digits, leading zeros among them", function()
    for value, size in pairs { ["0"] = 0, ["1024"] = 1024, ["007"] = 7,
      ["00000000000000000000"] = 0, ["00000000000000000012"] = 12,
      ["18446744073709551615"] = -1 } do
      assert.are.same({ size = size }, probe.mail_params_parse(" SIZE=" .. value))
      assert.are.same({ size = size }, probe.mail_params_parse(" size=" .. value))
    end
  end)

  it("C047 SIZE that is bad or doubled is a syntax error", function()
    for _, text in ipairs { " SIZE", " SIZE=", " SIZE=-1", " SIZE=+1", " SIZE=1k", " SIZE=0x1",
      " SIZE=000000000000000000001", " SIZE=123456789012345678901", " SIZE=18446744073709551616",
      " SIZE=99999999999999999999", " SIZE=1 SIZE=1", " SIZE=1 size=2",
      " SIZE=1 BODY=7BIT SIZE=1" } do
      refused("ESYNTAX", text)
    end
  end)

  it("C095 BODY is 7BIT or 8BITMIME in any case", function()
    for value, body in pairs { ["7BIT"] = "7BIT", ["7bit"] = "7BIT", ["8BITMIME"] = "8BITMIME",
      ["8bitMime"] = "8BITMIME" } do
      assert.are.same({ body = body }, probe.mail_params_parse(" BODY=" .. value))
      assert.are.same({ body = body }, probe.mail_params_parse(" body=" .. value))
    end
  end)

  it("C095 a BODY that is not known is a syntax error", function()
    for _, text in ipairs { " BODY", " BODY=", " BODY=8BIT", " BODY=7BITS", " BODY=BINARYMIME",
      " BODY=8", " BODY=\xff" } do
      refused("ESYNTAX", text)
    end
  end)

  it("C146 a doubled BODY is a syntax error", function()
    refused("ESYNTAX", " BODY=7BIT BODY=7BIT")
    refused("ESYNTAX", " BODY=7BIT SIZE=1 body=8BITMIME")
  end)

  it("come in any order", function()
    local expected = { size = 5, body = "8BITMIME" }
    assert.are.same(expected, probe.mail_params_parse " SIZE=5 BODY=8BITMIME")
    assert.are.same(expected, probe.mail_params_parse "  BODY=8BITMIME   SIZE=5 ")
  end)

  it("that are not known are told, unless something is malformed", function()
    for _, text in ipairs { " X", " X=1", " SIZE=1 SIZES=1", " AUTHS=<>", " X BODY=7BIT",
      " X X" } do
      refused("EINVALID", text)
    end
    for _, text in ipairs { " X SIZE=-1", " X=1 =", " SIZE=1 X SIZE=1", " X BODY=?", " X\0",
      "X" } do
      refused("ESYNTAX", text)
    end
  end)
end)

describe("param AUTH of MAIL", function()
  it("C085 is <> or xtext of at most 500 octets, once", function()
    for _, value in ipairs { "<>", "ada@code.energy", "e+3Dmc2@example.com", ("x"):rep(500) } do
      assert.are.same({}, probe.mail_params_parse(" AUTH=" .. value), value)
    end
    for _, text in ipairs { " AUTH", " AUTH=", " AUTH=a+3d", " AUTH=a+", " AUTH=+00",
      " AUTH=" .. ("x"):rep(501), " AUTH=<> AUTH=<>", " AUTH=<> auth=a@b" } do
      assert.are.same({ nil, "ESYNTAX" }, { probe.mail_params_parse(text) }, text)
    end
  end)
end)

describe("param of RCPT", function()
  it("may be none, and none is known", function()
    assert.are.same({}, probe.rcpt_params_parse "")
    assert.are.same({}, probe.rcpt_params_parse "  ")
    assert.are.same({ nil, "EINVALID" }, { probe.rcpt_params_parse " NOTIFY=NEVER" })
    assert.are.same({ nil, "EINVALID" }, { probe.rcpt_params_parse " SIZE=1 X" })
    for _, text in ipairs { "X", " X=", " X =1", " \0" } do
      assert.are.same({ nil, "ESYNTAX" }, { probe.rcpt_params_parse(text) }, text)
    end
  end)
end)
