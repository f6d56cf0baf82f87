-- The header of the PROXY protocol.
local probe = require "probe"

local UNSPEC, INET, UNIX = 0, 1, 2

local SIGNATURE = "\r\n\r\n\0\r\nQUIT\n"
local IP4 = "\192\0\2\1\198\51\100\7\xdc\x04\0\25" -- 192.0.2.1:56324 to 198.51.100.7:25
local IP6 = "\x20\x01\x0d\xb8" .. ("\0"):rep(11) .. "\1" .. ("\0"):rep(15) .. "\1\xdc\x04\0\25"

local function v2(command, family, rest)
  return SIGNATURE .. string.pack(">BBs2", command, family, rest)
end

local function tlv(kind, value)
  return string.pack(">Bs2", kind, value)
end

-- CRC32C by the book: RFC 3720 appendix B.4.
local function crc32c(bytes)
  local crc = 0xffffffff
  for i = 1, #bytes do
    crc = crc ~ bytes:byte(i)
    for _ = 1, 8 do crc = (crc & 1 == 1 and 0x82f63b78 or 0) ~ crc >> 1 end
  end
  return crc ~ 0xffffffff
end

-- The header with its checksum, the value of which is at four zeros behind `mark`.
local function sealed(header)
  local mark = "\3\0\4"
  local at = header:find(mark .. "\0\0\0\0", 17, true) + #mark
  return header:sub(1, at - 1) .. string.pack(">I4", crc32c(header)) .. header:sub(at + 4)
end

-- Parsed whole, from every length of its beginning, and with bytes behind it.
local function parse(bytes)
  local whole = table.pack(probe.proxy_parse(bytes))
  if whole[1] and whole[1] > 0 then
    for n = 0, whole[1] - 1 do assert.equal(0, (probe.proxy_parse(bytes:sub(1, n))), n) end
    assert.same(whole, table.pack(probe.proxy_parse(bytes .. "\r\nEHLO x\r\n")))
  end
  return table.unpack(whole, 1, whole.n)
end

local function is_bad(bytes, why)
  assert.same({ nil, why or "ESYNTAX" }, { parse(bytes) }, ("%q"):format(bytes))
end

local function header(line)
  return "PROXY " .. line .. "\r\n"
end

describe("PROXY version 1", function()
  it("C140 tells both ends", function()
    local line = header "TCP4 192.0.2.1 198.51.100.7 56324 25"
    assert.same({ #line, 1, false, INET, "192.0.2.1", 56324, "198.51.100.7", 25, "" },
      { parse(line) })
    line = header "TCP6 2001:db8::1 ::1 65535 0"
    assert.same({ #line, 1, false, INET, "2001:db8::1", 65535, "::1", 0, "" }, { parse(line) })
  end)

  it("C140 UNKNOWN tells nothing, whatever is behind it", function()
    for _, rest in ipairs { "", " ", " TCP4 x", " 1.2.3.4 5.6.7.8 1 2", " \xff\1" } do
      local line = header("UNKNOWN" .. rest)
      assert.same({ #line, 1, false, UNSPEC, "", 0, "", 0, "" }, { parse(line) })
    end
  end)

  it("C140 is 107 bytes at most", function()
    local longest = "PROXY UNKNOWN" .. (" ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"):rep(2) ..
      " 65535 65535"
    assert.equal(105, #longest)
    assert.equal(107, (parse(longest .. "\r\n")))
    assert.equal(0, (parse(longest .. "\r")))
    is_bad(longest .. "x\r\n", "ETOOBIG")
    assert.equal(0, (parse(longest .. "x")))
    is_bad(longest .. "xx", "ETOOBIG")
    is_bad(("PROXY " .. ("x"):rep(1000)), "ETOOBIG")
  end)

  it("C140 is refused in any other form", function()
    for _, line in ipairs { "", "TCP", "TCP4", "TCP5 1.2.3.4 1.2.3.4 1 2", "UNKNOWNX", "UDP4",
      "tcp4 1.2.3.4 1.2.3.4 1 2", "TCP4  1.2.3.4 1.2.3.4 1 2", "TCP4 1.2.3.4  1.2.3.4 1 2",
      "TCP4 1.2.3.4 1.2.3.4 1 2 ", "TCP4 1.2.3.4 1.2.3.4 1 2 3", "TCP4 1.2.3.4 1.2.3.4 1",
      "TCP4 1.2.3.4 1.2.3.4 1 ", "TCP4 1.2.3.4 1.2.3.4 1 65536", "TCP4 1.2.3.4 1.2.3.4 01 2",
      "TCP4 1.2.3.4 1.2.3.4 -1 2", "TCP4 1.2.3.4 1.2.3.4 1 2\0", "TCP4 ::1 ::1 1 2",
      "TCP6 1.2.3.4 1.2.3.4 1 2", "TCP4 1.2.3.4 ::1 1 2", "TCP4 1.2.3.04 1.2.3.4 1 2",
      "TCP4 1.2.3.256 1.2.3.4 1 2", "TCP4\t1.2.3.4 1.2.3.4 1 2", " TCP4 1.2.3.4 1.2.3.4 1 2" } do
      is_bad(header(line))
    end
    for _, bytes in ipairs { "EHLO x\r\n", "PROXY\r\n", "proxy UNKNOWN\r\n", " PROXY UNKNOWN\r\n",
      "PROXY UNKNOWN\n", "PROXY UNKNOWN\r \n", "PROXY \n", "PROXY \r\r\n", "PROXX", "\n", "\0",
      "PROXY UNKNOWN\rx\r\n" } do
      is_bad(bytes)
    end
  end)
end)

describe("PROXY version 2", function()
  it("C140 tells both ends", function()
    assert.same({ 28, 2, false, INET, "192.0.2.1", 56324, "198.51.100.7", 25, "" },
      { parse(v2(0x21, 0x11, IP4)) })
    assert.same({ 52, 2, false, INET, "2001:db8::1", 56324, "::1", 25, "" },
      { parse(v2(0x21, 0x21, IP6)) })
    local paths = string.pack("c108c108", "/run/a", "")
    assert.same({ 232, 2, false, UNIX, "/run/a", 0, "", 0, "" }, { parse(v2(0x21, 0x31, paths)) })
    paths = string.pack("c108c108", ("/"):rep(108), "\0abstract")
    assert.same({ 232, 2, false, UNIX, ("/"):rep(108), 0, "", 0, "" },
      { parse(v2(0x21, 0x31, paths)) })
    is_bad(v2(0x21, 0x31, string.pack("c108c108", "/a\n", "")))
  end)

  it("C140 LOCAL tells nothing, whatever it says", function()
    for _, rest in ipairs { "", "x", IP4, IP4 .. "\3", ("x"):rep(736) } do
      for _, family in ipairs { 0, 0x11, 0x31, 0xff } do
        assert.same({ 16 + #rest, 2, true, UNSPEC, "", 0, "", 0, "" },
          { parse(v2(0x20, family, rest)) })
      end
    end
    is_bad(v2(0x20, 0, ("x"):rep(737)), "ETOOBIG")
  end)

  it("C140 AF_UNSPEC tells no ends, and datagrams are no stream", function()
    local one = tlv(5, "id")
    assert.same({ 16 + #one, 2, false, UNSPEC, "", 0, "", 0, one }, { parse(v2(0x21, 0, one)) })
    assert.same({ 28 + #one, 2, false, UNSPEC, "", 0, "", 0, one },
      { parse(v2(0x21, 0x12, IP4 .. one)) })
    assert.equal(52, (parse(v2(0x21, 0x22, IP6))))
  end)

  it("C140 a bad signature, version, command or family is refused at once", function()
    for i = 1, 12 do
      local bytes = SIGNATURE:sub(1, i - 1) .. "\1"
      is_bad(bytes)
      is_bad(bytes .. v2(0x21, 0x11, IP4):sub(i + 1))
    end
    for command = 0, 255 do
      if command ~= 0x20 and command ~= 0x21 then is_bad(v2(command, 0x11, IP4)) end
    end
    for family = 0, 255 do
      local known = family >> 4 <= 3 and family & 15 <= 2 and
        (family == 0 or family >> 4 > 0 and family & 15 > 0)
      if not known then is_bad(v2(0x21, family, ("\0"):rep(216))) end
    end
  end)

  it("C140 addresses that are cut off are refused", function()
    is_bad(v2(0x21, 0x11, IP4:sub(1, 11)))
    is_bad(v2(0x21, 0x21, IP6:sub(1, 35)))
    is_bad(v2(0x21, 0x31, ("a"):rep(215)))
    is_bad(v2(0x21, 0x11, ""))
  end)

  it("C140 TLVs that run over their end are refused", function()
    for _, bytes in ipairs { "\4", "\4\0", "\4\0\1", "\4\0\3ab", "\4\xff\xff", tlv(4, "x") .. "\4",
      tlv(4, "x") .. "\4\0\2x" } do
      is_bad(v2(0x21, 0x11, IP4 .. bytes))
      is_bad(v2(0x21, 0, bytes))
    end
  end)

  it("C140 has 520 bytes of TLVs at most", function()
    local most = tlv(0xe0, ("x"):rep(517))
    assert.equal(most, select(9, parse(v2(0x21, 0x11, IP4 .. most))))
    is_bad(v2(0x21, 0x11, IP4 .. tlv(0xe0, ("x"):rep(518))), "ETOOBIG")
    is_bad(v2(0x21, 0x11, IP4):sub(1, 14) .. "\xff\xff", "ETOOBIG")
  end)

  it("C140 a checksum must be right", function()
    local plain = v2(0x21, 0x11, IP4 .. tlv(2, "mx.example") .. tlv(3, "\0\0\0\0") .. tlv(5, "id"))
    local good = sealed(plain)
    assert.equal(#good, (parse(good)))
    is_bad(plain)
    local kind = good:find("\3\0\4", 17, true) -- else there is none
    for i = 17, #good do
      local other = good:sub(1, i - 1) .. string.char(good:byte(i) ~ 1) .. good:sub(i + 1)
      if i ~= kind then is_bad(other) end
    end
    is_bad(v2(0x21, 0x11, IP4 .. tlv(3, "")))
    is_bad(v2(0x21, 0x11, IP4 .. tlv(3, "\0\0\0\0\0")))
    is_bad(v2(0x21, 0x11, IP4 .. tlv(3, "\0\0\0\0") .. tlv(3, "\0\0\0\0")))
    assert.equal(0xe3069283, crc32c("123456789")) -- the check value of CRC32C
  end)
end)

describe("PROXY format", function()
  local function format(...)
    local bytes = assert(probe.proxy_format(...))
    local back = { parse(bytes) }
    assert.equal(#bytes, back[1])
    return bytes
  end

  it("C140 makes version 1", function()
    assert.equal(header "TCP4 192.0.2.1 198.51.100.7 56324 25",
      format(1, false, INET, "192.0.2.1", 56324, "198.51.100.7", 25, ""))
    assert.equal(header "TCP6 2001:db8::1 ::1 0 65535",
      format(1, false, INET, "2001:DB8:0::1", 0, "::1", 65535, ""))
    for _, family in ipairs { UNSPEC, UNIX } do
      assert.equal(header "UNKNOWN", format(1, false, family, "", 0, "", 0, ""))
    end
    assert.equal(header "UNKNOWN", format(1, true, INET, "1.2.3.4", 1, "1.2.3.4", 2, ""))
  end)

  it("C140 makes version 2, with a checksum if there is to be one", function()
    assert.equal(v2(0x21, 0x11, IP4),
      format(2, false, INET, "192.0.2.1", 56324, "198.51.100.7", 25, ""))
    assert.equal(v2(0x21, 0x21, IP6), format(2, false, INET, "2001:db8::1", 56324, "::1", 25, ""))
    assert.equal(v2(0x21, 0x31, string.pack("c108c108", "/a", "/b")),
      format(2, false, UNIX, "/a", 0, "/b", 0, ""))
    assert.equal(v2(0x20, 0, ""), format(2, true, INET, "1.2.3.4", 1, "1.2.3.4", 2, ""))
    assert.equal(v2(0x21, 0, tlv(5, "id")), format(2, false, UNSPEC, "", 0, "", 0, tlv(5, "id")))
    local tlvs = tlv(1, "h2") .. tlv(3, "\0\0\0\0") .. tlv(4, "")
    local made = format(2, false, INET, "192.0.2.1", 56324, "198.51.100.7", 25, tlvs)
    assert.equal(sealed(v2(0x21, 0x11, IP4 .. tlvs)), made)
    assert.equal(made, format(2, false, INET, "192.0.2.1", 56324, "198.51.100.7", 25,
      made:sub(29)))
  end)

  it("refuses what cannot be told, and leaves the buffer", function()
    local function refused(...)
      local args = table.pack(...)
      args[9], args[10] = nil, "kept"
      assert.same({ nil, "EINVALID", "kept" }, { probe.proxy_format(table.unpack(args, 1, 10)) })
    end
    refused(3, false, INET, "1.2.3.4", 1, "1.2.3.4", 2, "")
    refused(1, false, INET, "1.2.3.4", 1, "1.2.3.4", 2, tlv(5, "id"))
    refused(2, true, INET, "1.2.3.4", 1, "1.2.3.4", 2, tlv(5, "id"))
    refused(2, false, INET, "1.2.3.4", 1, "::1", 2, "")
    refused(2, false, INET, "", 0, "", 0, "")
    refused(2, false, INET, "1.2.3.4", 65536, "1.2.3.4", 2, "")
    refused(2, false, UNIX, ("/"):rep(109), 0, "", 0, "")
    refused(2, false, UNIX, "/a\0b", 0, "", 0, "")
    refused(2, false, UNIX, "/a\nb", 0, "", 0, "")
    refused(2, false, INET, "1.2.3.4", 1, "1.2.3.4", 2, "\5\0\9x")
    refused(2, false, INET, "1.2.3.4", 1, "1.2.3.4", 2, tlv(3, "x"))
    refused(2, false, INET, "1.2.3.4", 1, "1.2.3.4", 2, tlv(5, ("x"):rep(518)))
    assert.same({ nil, "EINVALID" }, { probe.proxy_tlv(256, "") })
    assert.same({ nil, "EINVALID" }, { probe.proxy_tlv(1, ("x"):rep(518)) })
    assert.equal(tlv(255, "x"), probe.proxy_tlv(255, "x"))
  end)

  it("meets the cap, and tells when an allocation fails", function()
    for _, version in ipairs { 1, 2 } do
      local args = { version, false, INET, "1.2.3.4", 1, "1.2.3.4", 2, "" }
      local n = #probe.proxy_format(table.unpack(args))
      for cap = 0, n - 1 do
        args[9] = cap
        assert.same({ nil, "ETOOBIG", "" }, { probe.proxy_format(table.unpack(args)) })
      end
      args[9] = n
      assert.equal(n, #probe.proxy_format(table.unpack(args)))
      probe.fail_at(1)
      local got = { probe.proxy_format(table.unpack(args)) }
      probe.fail_at()
      assert.same({ nil, "ENOMEM", "" }, got)
    end
    assert.same({ nil, "ETOOBIG" }, { probe.proxy_tlv(1, "abc", 5) })
    collectgarbage()
    assert.equal(0, probe.live())
  end)
end)
