-- Checks of option tables.
local options = require "smtp.options"

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
    assert.error(function() check { time = 0 / 0 } end)
    assert.error(function() check { count = -1 } end)
    assert.error(function() check { bytes = -1 } end)
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
