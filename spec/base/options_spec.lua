-- Checks of option tables.
local options = require "smtp.base.options"

local SPEC = {
  text = "string", flag = "boolean", n = "number", list = "table", fn = "function",
  time = "seconds", bytes = "size", count = "count", either = "string table",
  word = { "one", "two" }, whatever = "any",
}

local function check(given) return options.check("thing", given, SPEC) end

describe("options", function()
  it("are given back", function()
    local given = { text = "x", flag = false, n = -1.5, list = {}, fn = print, time = 0.5,
      bytes = "25M", count = 3, either = {}, word = "two", whatever = true }
    assert.equal(given, check(given))
    assert.same({}, check {})
    assert.equal("x", check({ either = "x" }).either)
  end)

  it("raise for an unknown key, naming it", function()
    assert.error_matches(function() check { texd = 1 } end, 'thing: unknown option "texd"')
    assert.error_matches(function() check { 1 } end, 'unknown option "1"')
    assert.error_matches(function() check(nil) end, "thing must be a table, not nil")
    assert.error_matches(function() check("x") end, "thing must be a table, not string")
  end)

  it("are asked for by the nearest name, or the word of another library", function()
    local function meant(what, spec, key)
      local ok, why = pcall(options.check, "thing", { [key] = 1 }, spec)
      assert.is_false(ok)
      assert.equal(what, why:match("%); did you mean (.-)%?$"), key)
    end
    local near = { reply_to = "any", subject = "any", to = "any", from = "any", cc = "any" }
    for key, name in pairs { replyTo = "reply_to", ["Reply-To"] = "reply_to", subjct = "subject",
      sujbect = "subject", SUBJECT = "subject", subjects = "subject", form = "from", rcpt = "to",
      recipients = "to", tp = "to", fromm = "from" } do
      meant('"' .. name .. '"', near, key)
    end
    for _, key in ipairs { "flavour", "x", "", ("s"):rep(500), "subject-of-all-mail", 1, true } do
      meant(nil, near, key)
    end
    -- One word may stand for several.
    meant('"helo" or "host"', { host = "any", helo = "any" }, "hostname")
    meant('"helo"', { helo = "any" }, "hostname")
    meant('"auth.password"', { auth = "any", host = "any" }, "password")
    meant('"password"', { password = "any", user = "any" }, "pass")
  end)

  it("are integers where whole floats or digits were given, in a copy", function()
    local spec = { count = "count", port = "port digits", n = "number", either = "string count" }
    local given = { count = 3.0, port = "25", n = 2.0, either = "5" }
    local got = options.check("thing", given, spec)
    assert.same({ "integer", "integer", "float" },
      { math.type(got.count), math.type(got.port), math.type(got.n) })
    assert.same({ 3, 25, "5" }, { got.count, got.port, got.either })
    assert.same({ "float", "25" }, { math.type(given.count), given.port })
    for _, port in ipairs { 0, 65535, 65535.0, "0", "65535" } do
      assert.equal(tonumber(port), options.check("thing", { port = port }, spec).port)
    end
    for _, port in ipairs { 65536, "65536", "", " 25" } do
      assert.error_matches(function() options.check("thing", { port = port }, spec) end,
        "port must be a port, 0 to 65535 or its digits, not ")
    end
    for _, count in ipairs { 1e300, "3", 0 / 0 } do
      assert.error_matches(function() options.check("thing", { count = count }, spec) end,
        "count must be a whole number, not ")
    end
  end)

  it("raise for a wrong value, saying what is needed", function()
    for key, case in pairs {
      text = { 5, "a string" }, flag = { 0, "a boolean" }, n = { "5", "a number" },
      list = { "x", "a table" }, fn = { {}, "a function" }, time = { -1, "a number of seconds" },
      bytes = { "25X", "a size" }, count = { 1.5, "a whole number" },
      either = { 5, "a string or a table" }, word = { "three", '"one" or "two"' },
    } do
      local ok, why = pcall(check, { [key] = case[1] })
      assert.is_false(ok)
      assert.truthy(why:find("thing: " .. key .. " must be " .. case[2], 1, true), why)
    end
    assert.error_matches(function() check { time = 0 / 0 } end, "time must be a number of seconds")
    assert.error_matches(function() check { count = -1 } end, "count must be a whole number")
    assert.error_matches(function() check { bytes = -1 } end, "bytes must be a size")
  end)

  it("read sizes", function()
    for value, bytes in pairs { [0] = 0, [1024] = 1024, [2.0] = 2, ["0"] = 0, ["10"] = 10,
      ["1K"] = 1024, ["25M"] = 25 * 1024 * 1024, ["25 MiB"] = 25 * 1024 * 1024, ["2g"] = 2 << 30,
      ["1kb"] = 1024 } do
      local size = options.size(value)
      assert.equal(bytes, size, tostring(value))
      assert.equal("integer", math.type(size))
    end
    for _, value in ipairs { "", "M", "-1", "1.5M", "1T", "x1", "1 2", -1, 1.5, 0 / 0, math.huge,
      true, {}, ("9"):rep(30), "9999999999G" } do
      assert.is_nil(options.size(value), tostring(value))
    end
    assert.is_nil(options.size(nil))
  end)
end)
