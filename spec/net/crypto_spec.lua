local core = require "smtp.core"

local function unhex(text)
  return (text:gsub("%s", ""):gsub("..", function(x) return string.char(tonumber(x, 16)) end))
end

-- A StoredKey is right only if PBKDF2, HMAC and the digest all are. The values
-- are of Python's hashlib and hmac, the inputs those of RFC 6070.
describe("smtp.core.scram_keys", function()
  local function keys(mechanism, iterations, stored, server)
    local got = core.scram_keys("password",
      { mechanism = mechanism, salt = "salt", iterations = iterations })
    assert.same({ mechanism = mechanism, iterations = iterations, salt = "salt",
      stored_key = unhex(stored), server_key = unhex(server) }, got)
  end

  it("makes SCRAM-SHA-1 of PBKDF2 and HMAC", function()
    keys("SCRAM-SHA-1", 1,
      "bd59e9d0585066641148cbf0f68ab52c530287c1",
      "80406685c444714e7d9d7c640e109e3f096045b6")
    keys("SCRAM-SHA-1", 2,
      "278fae714a71c495197ffd9d8f408a5a0fa586fb",
      "e40971d4a50258180a77d9b10204e4a43062b39e")
    keys("SCRAM-SHA-1", 4096,
      "d2a532a66c246b90146fda1efcead3691e6ec11f",
      "059f74136525b62413adee69037519089246537c")
  end)

  it("makes SCRAM-SHA-256 of PBKDF2 and HMAC", function()
    keys("SCRAM-SHA-256", 1,
      "b56813abd416a8b2364a406965e65298697b4737ae32e537bd66181293854ef9",
      "70b998129e1eea74590efe2faeba63612b7f14f3ff124b7f5d5655a0396b072c")
    keys("SCRAM-SHA-256", 2,
      "75bd8275bcb61c76357a7429ba3bc93df4493652f243de4c204330c9b25d15c2",
      "6b439689c15a4cd515afb6490c49c6734b27f462d2014c9a9e7abab98792251b")
    keys("SCRAM-SHA-256", 4096,
      "945e1c466fc9932efadc23781edc5d1e78d5e10f005933652af1a6105154f084",
      "b9bf0e811b1fb6793671c0cc3adedf7c75cd72291191092ad65878c5a02aad2c")
  end)

  it("has a random salt and 4096 iterations", function()
    local one, two = core.scram_keys("x"), core.scram_keys("x")
    assert.equal("SCRAM-SHA-256", one.mechanism)
    assert.equal(4096, one.iterations)
    assert.equal(16, #one.salt)
    assert.equal(32, #one.stored_key)
    assert.equal(32, #one.server_key)
    assert.not_equal(one.salt, two.salt)
    assert.not_equal(one.stored_key, two.stored_key)
    assert.equal(20, #core.scram_keys("", { mechanism = "scram-sha-1" }).stored_key)
  end)

  it("raises when it is misused", function()
    for _, case in ipairs { { "mechanism", "PLAIN", "mechanism must be SCRAM" },
      { "mechanism", "SCRAM-SHA-256-PLUS", "mechanism must be SCRAM" },
      { "salt", "", "the salt is empty" }, { "iterations", 0, "'iterations' must be an integer" },
      { "iterations", 1.5, "'iterations' must be an integer" },
      { "iterations", 1 << 31, "'iterations' must be an integer" },
      { "rounds", 1, "unknown option 'rounds'" } } do
      assert.error_matches(function() core.scram_keys("x", { [case[1]] = case[2] }) end, case[3])
    end
    assert.error_matches(function() core.scram_keys() end, "string expected")
    assert.error_matches(function() core.scram_keys("x", "SCRAM-SHA-1") end, "table expected")
  end)
end)

describe("smtp.core", function()
  it("knows base64, strictly", function()
    assert.equal("AHVzZXIAcGVuY2ls", core.base64("\0user\0pencil"))
    assert.equal("\0user\0pencil", core.unbase64("AHVzZXIAcGVuY2ls"))
    assert.equal("", core.base64(""))
    assert.equal("", core.unbase64(""))
    for n = 0, 100 do
      local bytes = core.random(n)
      assert.equal(bytes, core.unbase64(core.base64(bytes)))
    end
    for _, text in ipairs { "=", "A", "AA", "AA=A", "AB==", "AA==\n", " AA==", "AA-_" } do
      assert.is_nil(core.unbase64(text))
    end
  end)

  it("compares in constant time", function()
    assert.is_true(core.equal("", ""))
    assert.is_true(core.equal("a\0b", "a\0b"))
    assert.is_false(core.equal("a\0b", "a\0c"))
    assert.is_false(core.equal("a", "a\0"))
    assert.is_false(core.equal("a", ""))
  end)

  it("has random bytes", function()
    assert.equal("", core.random(0))
    assert.equal(65536, #core.random(65536))
    assert.not_equal(core.random(16), core.random(16))
    assert.error_matches(function() core.random(-1) end, "not a number of bytes")
    assert.error_matches(function() core.random(65537) end, "not a number of bytes")
  end)
end)
