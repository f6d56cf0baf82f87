local probe = require "probe"

local BIT = { PIPELINING = 1, SIZE = 2, ["8BITMIME"] = 4, ENHANCEDSTATUSCODES = 8, STARTTLS = 16,
              AUTH = 32, SMTPUTF8 = 64, CHUNKING = 128, DSN = 256 }

describe("ehlo line", function()
  it("splits a keyword from its parameters", function()
    assert.are.same({ "SIZE", "1000" }, { probe.ehlo_line "SIZE 1000" })
    assert.are.same({ "AUTH", "PLAIN LOGIN" }, { probe.ehlo_line "AUTH PLAIN LOGIN" })
    assert.are.same({ "dsn", "" }, { probe.ehlo_line "dsn" })
    assert.are.same({ "DSN", "" }, { probe.ehlo_line "DSN  " })
    assert.are.same({ "X-1", "a  b" }, { probe.ehlo_line "X-1   a  b " })
    assert.are.same({ "8BITMIME", "" }, { probe.ehlo_line "8BITMIME" })
  end)

  it("C088 reads the AUTH= of old servers", function()
    assert.are.same({ "AUTH", "LOGIN PLAIN" }, { probe.ehlo_line "AUTH=LOGIN PLAIN" })
    assert.are.same({ "auth", "LOGIN" }, { probe.ehlo_line "auth=LOGIN" })
    assert.are.same({ "AUTH", "" }, { probe.ehlo_line "AUTH=" })
    assert.are.same({ "AUTH", "=LOGIN" }, { probe.ehlo_line "AUTH =LOGIN" })
  end)

  it("passes over what begins with no keyword", function()
    for _, line in ipairs { "", " ", " SIZE", "-SIZE", "=", "SIZE=1", "SIZE\t1", "SIZE:1", "_X",
                            "S\0", "\xc3\xa9", "AUTHX=LOGIN", "8BITMIME." } do
      assert.are.same({ nil, "ESYNTAX" }, { probe.ehlo_line(line) }, line)
    end
  end)
end)

describe("ehlo learn", function()
  it("C009 knows its keywords in any case", function()
    for name, bit in pairs(BIT) do
      for _, word in ipairs { name, name:lower(), name:sub(1, 1) .. name:sub(2):lower() } do
        assert.are.equal(bit, probe.ehlo_extension(word))
        assert.are.same({ bit, 0 }, { probe.ehlo_learn(word) })
        assert.are.same({ bit, 0 }, { probe.ehlo_learn(word .. " ") })
      end
      assert.are.equal(0, probe.ehlo_extension(name .. "X"))
      assert.are.equal(0, probe.ehlo_extension(name:sub(1, -2)))
    end
    assert.are.equal(0, probe.ehlo_extension "")
  end)

  it("learns line by line, and nothing from an unknown one", function()
    assert.are.same({ 1 | 2 | 16, 35882577 },
      { probe.ehlo_learn("PIPELINING", "XFOO bar", "SIZE 35882577", "", "*", "STARTTLS") })
    assert.are.same({ 32, 0 }, { probe.ehlo_learn("AUTH PLAIN", "AUTH=PLAIN") })
    assert.are.same({ 0, 0 }, { probe.ehlo_learn() })
  end)

  it("C046 reads SIZE with a number, 0 or none", function()
    assert.are.same({ 2, 1000 }, { probe.ehlo_learn "SIZE 1000" })
    assert.are.same({ 2, 1000 }, { probe.ehlo_learn "size   0001000 " })
    assert.are.same({ 2, 0 }, { probe.ehlo_learn "SIZE" })
    assert.are.same({ 2, 0 }, { probe.ehlo_learn "SIZE 0" })
    assert.are.same({ 2, -1 }, { probe.ehlo_learn "SIZE 18446744073709551615" }) -- 2^64-1
    assert.are.same({ 2, 7 }, { probe.ehlo_learn("SIZE 9", "SIZE 7") })
  end)

  it("C046 learns nothing from a SIZE that is no number", function()
    for _, value in ipairs { "-1", "1k", "1 2", "x", "18446744073709551616", ("1"):rep(21), "1\0",
                             "+1" } do
      assert.are.same({ 0, 0 }, { probe.ehlo_learn("SIZE " .. value) }, value)
      assert.are.same({ 2, 5 }, { probe.ehlo_learn("SIZE 5", "SIZE " .. value) }, value)
    end
  end)
end)

describe("ehlo format", function()
  it("writes the hostname, each extension and the own lines", function()
    assert.are.equal("250 mx.example.org\r\n", (probe.ehlo_format("mx.example.org", 0, 9, "")))
    assert.are.equal("250-mx\r\n250 PIPELINING\r\n", (probe.ehlo_format("mx", 1, 0, "")))
    local lines = { "250-mx", "250-SIZE 36700160", "250-8BITMIME", "250-AUTH PLAIN",
                    "250 XFOO a b\r\n" }
    assert.are.equal(table.concat(lines, "\r\n"),
      (probe.ehlo_format("mx", 2 | 4, 36700160, "AUTH PLAIN\nXFOO a b")))
    assert.are.equal("250-mx\r\n250 SIZE 0\r\n", (probe.ehlo_format("mx", 2, 0, "")))
    assert.are.equal("250-mx\r\n250 XFOO\r\n", (probe.ehlo_format("mx", 0, 0, "XFOO")))
  end)

  it("writes no AUTH without mechanisms", function()
    assert.are.equal("250 mx\r\n", (probe.ehlo_format("mx", BIT.AUTH, 0, "")))
  end)

  it("C046 is learned as it was written, for every set of extensions", function()
    for set = 0, 511 do
      local out = probe.ehlo_format("mx", set, 12345, "AUTH PLAIN")
      local lines = {}
      for code, mark, line in out:gmatch("(%d+)([- ])([^\r]*)\r\n") do
        assert.are.equal("250", code)
        lines[#lines + 1] = line
        assert.are.equal(mark == " ", #table.concat(lines) + 6 * #lines == #out)
      end
      assert.are.equal("mx", table.remove(lines, 1))
      local extensions, size = probe.ehlo_learn(table.unpack(lines))
      assert.are.equal(set | BIT.AUTH, extensions)
      assert.are.equal(set & BIT.SIZE ~= 0 and 12345 or 0, size)
    end
  end)

  it("gives one line to an extension that has its own", function()
    assert.are.equal("250-mx\r\n250-DSN\r\n250-deliverby 240\r\n250 MT-PRIORITY MIXER\r\n",
      (probe.ehlo_format("mx", 256 | 2048 | 4096, 0,
        "deliverby 240\nMT-PRIORITY MIXER")))
  end)

  it("refuses a hostname or an own line that would break the reply", function()
    for _, hostname in ipairs { "", "a b", "a\r\nb", "a\nb", "a\0", "a\x7f", "\xc3\xa9",
                                ("a"):rep(256) } do
      assert.are.same({ nil, "EINVALID", "" }, { probe.ehlo_format(hostname, 1, 0, "") })
    end
    for _, own in ipairs { "\n", "X\n", "\nX", "X\n\nY", "-X", "X\r", "X\r\nY", " X", "X a\0",
                           "X a\tb", "X=a", "X \xc3\xa9", "X a\x7f", "X " .. ("a"):rep(505) } do
      assert.are.same({ nil, "EINVALID", "" }, { probe.ehlo_format("mx", 1, 0, own) }, own)
    end
    local long = "X " .. ("a"):rep(504)
    assert.are.equal("250-mx\r\n250 " .. long .. "\r\n", (probe.ehlo_format("mx", 0, 0, long)))
    assert.are.equal(512, #("250 " .. long .. "\r\n"))
  end)

  it("leaves no half of a reply behind an error", function()
    local whole = probe.ehlo_format("mx", 511, 1000, "XA\nXB")
    for cap = 0, #whole - 1 do
      assert.are.same({ nil, "ETOOBIG", "" }, { probe.ehlo_format("mx", 511, 1000, "XA\nXB", cap) })
    end
    assert.are.equal(whole, (probe.ehlo_format("mx", 511, 1000, "XA\nXB", #whole)))
    local failed = 0
    local own = ("X" .. (" a"):rep(100) .. "\n"):rep(9) .. "Y"
    repeat
      probe.fail_at(failed + 1)
      local out, err, left = probe.ehlo_format("mx", 511, 1000, own)
      probe.fail_at()
      if not out then
        assert.are.same({ "ENOMEM", "" }, { err, left })
        failed = failed + 1
      end
    until out
    assert.is_true(failed > 2)
    collectgarbage()
    assert.are.equal(0, probe.live())
  end)
end)
