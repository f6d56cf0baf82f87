-- IP addresses as text and as bytes.
local core = require "smtp.core"
local probe = require "probe"

describe("IP address", function()
  it("is read and written as RFC 5952 has it", function()
    for text, usual in pairs {
      ["192.0.2.1"] = "192.0.2.1", ["0.0.0.0"] = "0.0.0.0", ["255.255.255.255"] = "255.255.255.255",
      ["::"] = "::", ["::1"] = "::1", ["1::"] = "1::", ["2001:DB8::1"] = "2001:db8::1",
      ["2001:0db8:0:0:1:0:0:1"] = "2001:db8::1:0:0:1", ["1:0:0:2:0:0:0:3"] = "1:0:0:2::3",
      ["1:2:3:4:5:6:7::"] = "1:2:3:4:5:6:7:0", ["::2:3:4:5:6:7:8"] = "0:2:3:4:5:6:7:8",
      ["1:2:3:4:5:6:7:8"] = "1:2:3:4:5:6:7:8", ["::ffff:1.2.3.4"] = "::ffff:1.2.3.4",
      ["::ffff:102:304"] = "::ffff:1.2.3.4", ["1:2:3:4:5:6:1.2.3.4"] = "1:2:3:4:5:6:102:304",
      ["64:ff9b::192.0.2.33"] = "64:ff9b::c000:221", ["ffff::"] = "ffff::",
    } do
      local bytes, written = probe.ip(text)
      assert.equal(usual, written, text)
      assert.same({ bytes, usual }, { probe.ip(usual) })
    end
    assert.equal("\192\0\2\1", (probe.ip("192.0.2.1")))
    assert.equal(("\0"):rep(10) .. "\xff\xff\1\2\3\4", (probe.ip("::ffff:1.2.3.4")))
  end)

  it("is none in any other form", function()
    for _, text in ipairs { "", "1", "127.1", "1.2.3", "1.2.3.4.5", "1.2.3.4.", ".1.2.3.4",
      "1..2.3",
      "01.2.3.4", "1.2.3.04", "256.1.1.1", "1.2.3.0x4", "0x7f000001", "1.2.3.4 ", " 1.2.3.4",
      "1.2.3.-4", "1.2.3.4\0", ":", ":::", "::1::", "1:::2", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
      "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "12345::", "g::", ":1::", "1:", "::1:", "::%eth0",
      "[::1]", "::1/64", "1.2.3.4::", "::1.2.3", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4",
      "::1.2.3.256", "::01.2.3.4", "1:2:3:4:5:6:7::8:9" } do
      assert.same({ nil, "ESYNTAX" }, { probe.ip(text) }, text)
    end
  end)

  it("is the same to the system, which knows zones, too", function()
    for _, text in ipairs { "192.0.2.1", "2001:db8::1", "::ffff:1.2.3.4" } do
      assert.is_true(core.is_address(text), text)
    end
    assert.is_true(core.is_address("fe80::1%lo") or core.is_address("fe80::1%lo0"))
    for _, text in ipairs { "", "127.1", "01.2.3.4", "[::1]", "127.0.0.1%lo", "fe80::1%",
      "fe80::1%no-such-zone", "%lo", "::1\0", ("1"):rep(200) } do
      assert.is_false(core.is_address(text), text)
    end
  end)
end)
