local probe = require "probe"

-- The fields of a buffer by name.
local function state(buf)
  local size, from, to, scanned = probe.buf_state(buf)
  return { size = size, from = from, to = to, scanned = scanned }
end

local function holding(text, cap)
  local buf = probe.buf_new(cap)
  assert.is_true(probe.buf_append(buf, text))
  return buf
end

describe("buf", function()
  it("queues bytes", function()
    local buf = probe.buf_new()
    assert.are.equal("", probe.buf_data(buf))
    assert.is_true(probe.buf_append(buf, ""))
    assert.are.equal(0, state(buf).size)
    assert.is_true(probe.buf_append(buf, "ab\0"))
    assert.is_true(probe.buf_append(buf, "cd"))
    assert.are.equal("ab\0cd", probe.buf_data(buf))
    assert.are.equal(5, probe.buf_length(buf))
    probe.buf_consume(buf, 3)
    assert.are.equal("cd", probe.buf_data(buf))
    assert.are.equal(2, probe.buf_length(buf))
  end)

  it("begins at its front again when it becomes empty", function()
    local buf = holding("abc")
    probe.buf_consume(buf, 2)
    assert.are.equal(2, state(buf).from)
    probe.buf_consume(buf, 1)
    assert.are.same({ size = 256, from = 0, to = 0, scanned = 0 }, state(buf))
    probe.buf_append(buf, "abc")
    probe.buf_consume(buf, 1)
    probe.buf_truncate(buf, 0)
    assert.are.same({ size = 256, from = 0, to = 0, scanned = 0 }, state(buf))
  end)

  it("doubles from 256 bytes up to its cap", function()
    local buf, sizes = probe.buf_new(1000), {}
    for i = 1, 1000 do
      assert.is_true(probe.buf_append(buf, "x"))
      sizes[i] = state(buf).size
    end
    assert.are.equal(256, sizes[1])
    assert.are.equal(256, sizes[256])
    assert.are.equal(512, sizes[257])
    assert.are.equal(1000, sizes[513])
    assert.are.equal(1000, sizes[1000])
    assert.are.equal(10, state(holding("x", 10)).size)
    assert.are.equal(4096, state(holding(("x"):rep(2049))).size)
  end)

  it("holds as much as its cap and nothing beyond", function()
    for _, cap in ipairs { 0, 1, 255, 256, 257, 1000 } do
      local buf = holding(("x"):rep(cap), cap)
      assert.are.same({ nil, "ETOOBIG" }, { probe.buf_append(buf, "y") })
      assert.are.equal(("x"):rep(cap), probe.buf_data(buf))
    end
    local buf = probe.buf_new(10)
    assert.are.same({ nil, "ETOOBIG" }, { probe.buf_append(buf, ("x"):rep(11)) })
    assert.are.same({ nil, "ETOOBIG" }, { probe.buf_reserve(buf, math.maxinteger, "") })
    assert.are.same({ nil, "ETOOBIG" }, { probe.buf_reserve(buf, -1, "") })
    assert.is_true(probe.buf_append(buf, ("x"):rep(10)))
  end)

  it("wins back what was consumed, only when room is needed", function()
    local buf = holding(("a"):rep(200) .. ("b"):rep(56))
    probe.buf_consume(buf, 200)
    assert.is_true(probe.buf_append(buf, ""))
    assert.are.equal(200, state(buf).from)
    assert.is_true(probe.buf_append(buf, ("c"):rep(200)))
    assert.are.same({ size = 256, from = 0, to = 256, scanned = 0 }, state(buf))
    assert.are.equal(("b"):rep(56) .. ("c"):rep(200), probe.buf_data(buf))
    probe.buf_consume(buf, 10)
    assert.is_true(probe.buf_append(buf, ("d"):rep(11)))
    assert.are.same({ size = 512, from = 0, to = 257, scanned = 0 }, state(buf))
    assert.are.equal(("b"):rep(46) .. ("c"):rep(200) .. ("d"):rep(11), probe.buf_data(buf))
  end)

  it("gives a reader its place", function()
    local buf = holding("ab", 300)
    assert.is_true(probe.buf_reserve(buf, 298, "cd"))
    assert.are.equal("abcd", probe.buf_data(buf))
    assert.is_true(probe.buf_reserve(buf, 296, ""))
    assert.are.same({ nil, "ETOOBIG" }, { probe.buf_reserve(buf, 297, "") })
    assert.are.equal("abcd", probe.buf_data(buf))
  end)

  it("undoes an append", function()
    local buf = holding("abcd")
    probe.buf_consume(buf, 1)
    probe.buf_truncate(buf, 9)
    assert.are.equal("bcd", probe.buf_data(buf))
    probe.buf_truncate(buf, 2)
    assert.are.equal("bc", probe.buf_data(buf))
  end)

  it("writes numbers", function()
    for value, text in pairs { [0] = "0", [9] = "9", [10] = "10", [1234567890] = "1234567890",
      [math.maxinteger] = "9223372036854775807", [-1] = "18446744073709551615" } do
      local buf = probe.buf_new()
      assert.is_true(probe.buf_append_number(buf, value))
      assert.are.equal(text, probe.buf_data(buf))
    end
    assert.are.same({ nil, "ETOOBIG" }, { probe.buf_append_number(probe.buf_new(2), 100) })
  end)

  it("can be used again after it was cleared", function()
    local buf, live = probe.buf_new(), probe.live()
    probe.buf_append(buf, "abc\n")
    assert.are.equal(live + 256, probe.live())
    probe.buf_line(buf)
    probe.buf_clear(buf)
    probe.buf_clear(buf)
    assert.are.equal(live, probe.live())
    assert.are.same({ size = 0, from = 0, to = 0, scanned = 0 }, state(buf))
    probe.buf_append(buf, "d")
    assert.are.equal("d", probe.buf_data(buf))
  end)

  it("is as it was when an allocation fails", function()
    local buf = probe.buf_new()
    probe.fail_at(1)
    assert.are.same({ nil, "ENOMEM" }, { probe.buf_append(buf, "a") })
    assert.are.same({ nil, "ENOMEM" }, { probe.buf_append_number(buf, 1) })
    probe.fail_at()
    assert.are.equal("", probe.buf_data(buf))
    probe.buf_append(buf, ("a"):rep(256))
    probe.buf_consume(buf, 1)
    probe.fail_at(1)
    assert.are.same({ nil, "ENOMEM" }, { probe.buf_append(buf, "bc") })
    assert.are.same({ nil, "ENOMEM" }, { probe.buf_reserve(buf, 2, "bc") })
    assert.is_true(probe.buf_append(buf, "b"))
    probe.fail_at()
    assert.are.equal(("a"):rep(255) .. "b", probe.buf_data(buf))
    assert.is_true(probe.buf_append(buf, "c"))
    assert.are.equal(("a"):rep(255) .. "bc", probe.buf_data(buf))
  end)

  it("agrees with a string under random use", function()
    local random, model, buf = math.random, "", probe.buf_new(2000)
    math.randomseed(42)
    for _ = 1, 5000 do
      local choice = random(4)
      if choice <= 2 then
        local text = (random(9) == 1 and "\n" or string.char(random(97, 122))):rep(random(0, 300))
        local fits = #model + #text <= 2000
        assert.are.equal(fits or nil, (probe.buf_append(buf, text)))
        if fits then model = model .. text end
      elseif choice == 3 then
        local n = random(0, #model)
        probe.buf_consume(buf, n)
        model = model:sub(n + 1)
      else
        assert.are.equal(model:match("^[^\n]*\n") or false, probe.buf_line(buf))
      end
      assert.are.equal(model, probe.buf_data(buf))
    end
  end)
end)

describe("buf line", function()
  it("comes whole, or byte by byte, and looks at each byte once", function()
    local buf, text = probe.buf_new(), "EHLO a\r\n"
    for i = 1, #text - 1 do
      probe.buf_append(buf, text:sub(i, i))
      assert.is_false(probe.buf_line(buf))
      assert.are.equal(i, state(buf).scanned)
    end
    probe.buf_append(buf, "\nrest")
    assert.are.equal(text, probe.buf_line(buf))
    assert.are.equal(text, probe.buf_line(buf))
    probe.buf_consume(buf, #text)
    assert.are.equal("rest", probe.buf_data(buf))
    assert.is_false(probe.buf_line(buf))
    assert.are.equal(4, state(buf).scanned)
  end)

  it("takes all bytes but LF as they are", function()
    local buf = holding("\0\r\r\xff\n\n\nx")
    for _, line in ipairs { "\0\r\r\xff\n", "\n", "\n" } do
      assert.are.equal(line, probe.buf_line(buf))
      probe.buf_consume(buf, #line)
    end
    assert.is_false(probe.buf_line(buf))
  end)

  it("forgets how far it looked when bytes go", function()
    local buf = holding("abcdef")
    assert.is_false(probe.buf_line(buf))
    probe.buf_consume(buf, 2)
    assert.are.equal(4, state(buf).scanned)
    probe.buf_truncate(buf, 1)
    assert.are.equal(1, state(buf).scanned)
    probe.buf_append(buf, "\n")
    assert.are.equal("c\n", probe.buf_line(buf))
    probe.buf_consume(buf, 2)
    assert.is_false(probe.buf_line(buf))
    probe.buf_append(buf, "\n")
    assert.are.equal("\n", probe.buf_line(buf))
  end)
end)
