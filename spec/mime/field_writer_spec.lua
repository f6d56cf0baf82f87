-- SPDX-License-Identifier: MIT
-- Fields and bodies on their way out, at a guard page and where memory ends.
local core = require "smtp.core"
local probe = require "probe"

local KINDS = { "text", "structured", "phrase", "token", "mailbox", "param", "words" }

local function field(name, kind, value, behind)
  return probe.field(name, kind, value, behind or "", "name")
end

-- The value of a field, unfolded and decoded.
local function read(text, kind)
  local value = text:gsub("\r\n ", " "):match("^[^:]+: ?(.*)\r\n$")
  if kind == "param" or kind == "words" then
    return select(2, core.mime_value(value))[2]
  end
  local quoted = kind == "phrase" and value:match('^"(.*)"$')
  return quoted and quoted:gsub("\\(.)", "%1") or core.decode_words(value)
end

local function fails(make)
  local whole = make()
  for n = 1, 40 do
    local live = probe.live()
    probe.fail_at(n)
    local out, err = make()
    probe.fail_at()
    collectgarbage()
    assert.is_true(probe.live() <= live)
    if out then
      assert.equal(whole, out)
      return assert.is_true(n > 1)
    end
    assert.equal("ENOMEM", err)
  end
  error("it never succeeded")
end

describe("a field", function()
  it("reads nothing behind its value, of any length and of each kind", function()
    for _, letters in ipairs { "a", "é", "日", "😀", "aé", "a ", 'a"', "=?" } do
      for n = 0, 100 do
        local text = letters:rep(n):gsub(" $", "x")
        for _, kind in ipairs(n % 10 == 0 and KINDS or { "text", "phrase", "param", "words" }) do
          local made, err, why = field("X-Name", kind, text)
          if made then
            if kind ~= "token" then assert.equal(text, read(made, kind), kind) end
          else
            assert.equal("EINVALID", err)
            assert.equal("must be ASCII", why:match("^must be ASCII"))
          end
        end
      end
    end
  end)

  it("encodes what looks like an encoded word, and nothing that does not", function()
    for _, text in ipairs { "=?a?b?", "=?a?B?c", "x=?a?q?", "=?utf-8?Q?", "=??q?", "a==?b?q?c" } do
      for _, kind in ipairs { "text", "phrase" } do
        assert.matches("^X: =%?UTF%-8%?", field("X", kind, text), text)
      end
    end
    for _, text in ipairs { "=?a?c?d", "=?a?bb?", "=?a?b", "=?a?", "=?a", "=?", "=", "?b?",
      "=a?b?c", "http://x/?a=?b?c?d", "a=?b?cde" } do
      assert.equal("X: " .. text .. "\r\n", field("X", "text", text))
    end
  end)

  it("cuts long values of parameters between characters, in lines of 78 at most", function()
    for _, letter in ipairs { "\u{e9}", "\u{65e5}", "\u{1f600}", "a\u{e9}", "ab \u{65e5}" } do
      for n = 1, 60 do
        for _, name in ipairs { "n", "name", "a-longer-name" } do
          local value = letter:rep(n)
          local text = core.field("X", { "token", "a/b", "param", name, value })
          for line in text:gmatch("([^\r\n]+)\r\n") do assert.is_true(#line <= 78, line) end
          for section in text:gmatch("%*=([^;\r\n]*)") do
            local bytes = section:gsub("^UTF%-8''", ""):gsub("%%(%x%x)", function(h)
              return string.char(tonumber(h, 16))
            end)
            assert.truthy(utf8.len(bytes), text)
          end
          local _, params = core.mime_value(text:match("^X: ?(.*)$"))
          assert.equal(value, params[2])
        end
      end
    end
  end)

  it("puts a quoted phrase on a line of its own rather than on a longer one", function()
    local folded, kept = 0, 0
    for before = 1, 70 do
      for n = 1, 70 do
        local first, phrase = ("f"):rep(before), "q," .. ("p"):rep(n)
        local text = core.field("To", { "token", first, "phrase", phrase })
        assert.equal(("To: %s \"%s\"\r\n"):format(first, phrase), (text:gsub("\r\n ", " ")))
        for line in text:gmatch("([^\r\n]+)\r\n") do assert.is_true(#line <= 78, text) end
        if text:find("\r\n .") then folded = folded + 1 else kept = kept + 1 end
      end
    end
    assert.is_true(folded > 100 and kept > 100)
  end)

  it("cuts no character that ends at the edge, and says what is wrong", function()
    for _, kind in ipairs(KINDS) do
      for _, text in ipairs { "\xc3", "a\xe6\x97", "\xf0\x9f\x98", "\xff\t", "é\xc3" } do
        assert.same({ nil, "EINVALID", "is not UTF-8" }, { field("X", kind, text) })
      end
      for _, text in ipairs { "\0", "a\r", "\n", "\127", "é\27" } do
        assert.same({ nil, "EINVALID", "has a control character" }, { field("X", kind, text) })
      end
    end
    for _, name in ipairs { "", "a:", "a b", "é", "\127", ("n"):rep(77) } do
      assert.same({ nil, "EINVALID", "has a name that is none" }, { field(name, "text", "x") })
    end
    assert.truthy(field(("n"):rep(76), "text", "x"))
  end)

  it("has lines of 998 at most, met exactly and one beyond", function()
    for _, kind in ipairs { "structured", "token", "mailbox" } do
      local first = ("v"):rep(998 - #"X: ")
      assert.equal("X: " .. first .. "\r\n", field("X", kind, first))
      assert.equal("X:\r\n " .. first .. "v\r\n", field("X", kind, first .. "v"))
      assert.equal("X:\r\n " .. ("v"):rep(997) .. "\r\n", field("X", kind, ("v"):rep(997)))
      assert.same({ nil, "EINVALID", "is too long for a line" },
        { field("X", kind, ("v"):rep(998)) })
    end
    for n = 890, 910 do -- a word of a text is encoded before that
      local made = field(("n"):rep(76), "text", ("v"):rep(n))
      assert.equal(n <= 900, made:find("=?", 1, true) == nil)
    end
  end)

  it("has names of parameters of 60 at most, and whole ones as long as they fit", function()
    for n, kind in pairs { [60] = "string", [61] = "nil" } do
      assert.equal(kind, type((probe.field("X", "param", "v", "", ("p"):rep(n)))))
    end
    for n = 1, 80 do -- " p=" and the value are 78 at most, with what is glued to it
      local quoted = probe.field("X", "param", ("v"):rep(n), ";", "p")
      assert.equal(n <= 78 - #" p=;" - 2, quoted:find("*=", 1, true) == nil, n)
      local whole = probe.field("X", "param", ("v"):rep(n) .. "é", "", "p")
      assert.equal(n + 6 + 13 <= 78, whole:find("p*=", 1, true) ~= nil, n)
    end
  end)

  it("quotes what readers may take for marks of an extended value", function()
    for _, value in ipairs { "a'b", "a*b", "a%41b", "a b", "a=b" } do
      assert.truthy(probe.field("X", "param", value, "", "p"):find(' p="' .. value .. '"', 1, true))
    end
    assert.truthy(probe.field("X", "param", "a-b_c.d~", "", "p"):find(" p=a-b_c.d~", 1, true))
  end)

  it("ends its line at 78, or 76 behind an encoded word, with what is glued to it", function()
    for n = 1, 90 do
      for _, behind in ipairs { "", ";", ";,", ("g"):rep(20) } do
        for _, value in ipairs { "x " .. ("v"):rep(n), "x " .. ("é"):rep(n), ("é"):rep(n),
          ("日"):rep(n), ("a"):rep(n) .. "é" } do
          local made = field("X", "phrase", value, behind)
          for line in made:gmatch("([^\r]*)\r\n") do
            local max = line:find("=?UTF-8?", 1, true) and 76 or 78
            assert.is_true(#line <= max or max == 78 and not line:find("[^:] ."), line)
          end
          assert.equal(behind .. "\r\n", made:sub(-2 - #behind))
        end
      end
    end
    local function words(text) return select(2, field("X", "text", text):gsub("=%?UTF", "")) end
    for n = 1, 70 do -- one word, on the next line if need be, where one will do
      assert.equal(1, words(("v"):rep(n) .. " " .. ("é"):rep(10)))
      assert.equal(1, words(("v"):rep(n) .. " " .. ("é"):rep(22)))
      assert.equal(2, words(("v"):rep(n) .. " " .. ("é"):rep(23)))
    end
    assert.equal("X: a " .. ("v"):rep(73) .. "\r\n", field("X", "text", "a " .. ("v"):rep(73)))
    assert.equal("X: a\r\n " .. ("v"):rep(74) .. "\r\n", field("X", "text", "a " .. ("v"):rep(74)))
  end)

  it("is made whole or not at all where memory ends", function()
    for _, kind in ipairs(KINDS) do
      for _, text in ipairs { ("abc "):rep(60) .. "x", ("é"):rep(200), ('a"'):rep(50) } do
        if kind ~= "token" and kind ~= "structured" or not text:find("é") then
          fails(function() return field("X", kind, text, ";") end)
        end
      end
    end
  end)
end)

describe("a body", function()
  it("reads nothing behind its end, of any length", function()
    for n = 0, 160 do
      for _, text in ipairs { ("é"):rep(n):sub(1, n), ("="):rep(n), ("a "):rep(n):sub(1, n),
        ("\r\n"):rep(n):sub(1, n), ("x"):rep(n) .. "\r" } do
        local lines = text:gsub("\r\n?", "\n")
        if lines ~= "" and lines:sub(-1) ~= "\n" then lines = lines .. "\n" end
        assert.equal(lines, (probe.decode_qp(probe.qp_encode(text)):gsub("\r\n", "\n")))
        for _, piece in ipairs { 1, 2, 3, 57, 1000 } do
          assert.equal(text, probe.decode_base64(probe.base64_encode(text, piece)))
        end
      end
    end
  end)

  it("is made whole or not at all where memory ends", function()
    fails(function() return probe.qp_encode(("é="):rep(400)) end)
    fails(function() return probe.base64_encode(("é="):rep(400), 100) end)
  end)

  it("has CRLF at the end of each line, and of the last one", function()
    for text, expected in pairs { [""] = "", ["a"] = "a\r\n", ["\n"] = "\r\n", ["a\rb\nc\r\n"] =
      "a\r\nb\r\nc\r\n", ["\r\r\n\n\r"] = ("\r\n"):rep(4), ["\0\n\0"] = "\0\r\n\0\r\n" } do
      assert.equal(expected, (probe.canonical_encode(text)), expected)
      assert.equal(expected, (core.canonical(text)), expected)
    end
    assert.equal(("a\r\n"):rep(5000), core.canonical(("a\r"):rep(5000)))
  end)
end)

describe("a field for Lua", function()
  it("is what C writes, whatever its size", function()
    for n = 980, 1060 do
      local text = ("word "):rep(n // 5) .. ("x"):rep(n % 5)
      assert.equal(field("X-Y", "text", text), core.field("X-Y", { "text", text }))
    end
    assert.same({ nil, "is too long" }, { core.field("X", { "text", ("a "):rep(600000) }) })
  end)

  it("has digits by chance", function()
    local seen = {}
    for n = 0, 64 do
      assert.truthy(core.random_digits(n):find("^[0-9a-f]*$"))
      assert.equal(n, #core.random_digits(n))
      for digit in core.random_digits(n):gmatch(".") do seen[digit] = true end
    end
    for digit in ("0123456789abcdef"):gmatch(".") do assert.is_true(seen[digit], digit) end
    assert.not_equal(core.random_digits(24), core.random_digits(24))
    for _, n in ipairs { -1, 65 } do
      assert.error_matches(function() core.random_digits(n) end, "0 to 64 digits")
    end
  end)
end)
