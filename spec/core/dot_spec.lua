local probe = require "probe"

local BARE_LF, BARE_CR, NUL, EIGHTBIT, UNSTUFFED = 1, 2, 4, 8, 16
local STUFF, STRICT = 1, 2

-- A model of DATA (RFC 5321, 4.5.2), byte by byte: content, the kinds of bytes in it, whether the
-- end came, and the number of bytes behind it.
local function decode(input)
  local content, seen, i, start = {}, 0, 1, true
  while i <= #input do
    if start and input:sub(i, i) == "." then
      local after = input:sub(i, i + 2)
      if after == ".\r\n" then return table.concat(content), seen, true, #input - i - 2 end
      if i + #after > #input and (after == "." or after == ".\r") then break end
      if after:sub(2, 2) ~= "." then seen = seen | UNSTUFFED end
      i = i + 1
    end
    local before, c, behind = input:sub(i - 1, i - 1), input:sub(i, i), input:sub(i + 1, i + 1)
    if i == 1 then before = "" end
    if c == "\n" and before ~= "\r" then seen = seen | BARE_LF end
    if c == "\r" and behind ~= "\n" and behind ~= "" then seen = seen | BARE_CR end
    if c == "\0" then seen = seen | NUL end
    if c >= "\x80" then seen = seen | EIGHTBIT end
    content[#content + 1] = c
    start = c == "\n" and before == "\r"
    i = i + 1
  end
  return table.concat(content), seen, false, #input - i + 1
end

-- Line ends mended, and the last one added.
local function normalise(text)
  text = text:gsub("\r\n", "\n"):gsub("\r", "\n")
  if text ~= "" and text:sub(-1) ~= "\n" then text = text .. "\n" end
  return (text:gsub("\n", "\r\n"))
end

-- The bytes on the wire for a text under STUFF.
local function encode(text)
  return ("\n" .. normalise(text)):gsub("\n%.", "\n.."):sub(2) .. ".\r\n"
end

-- The kinds of bytes that the encoder should report.
local function look(text)
  local rest = text:gsub("\r\n", "")
  return (rest:find("\n", 1, true) and BARE_LF or 0) | (rest:find("\r", 1, true) and BARE_CR or 0)
    | (text:find("\0", 1, true) and NUL or 0) | (text:find("[\x80-\xff]") and EIGHTBIT or 0)
end

local function bytes(text)
  local list = {}
  for c in text:gmatch(".") do list[#list + 1] = c end
  return list
end

local alphabet = { "\r", "\n", ".", "a", "\0", "\x80", "\r\n", "\r\n.", "\r\n.\r\n" }

local function random_text(most, letters)
  local list = {}
  for i = 1, math.random(most) do list[i] = alphabet[math.random(letters or #alphabet)] end
  return table.concat(list)
end

-- Calls check with text whole, byte by byte, and cut in two at every byte.
local function each_cut(text, check)
  check { text }
  check(bytes(text))
  for i = 0, #text do check { text:sub(1, i), text:sub(i + 1) } end
end

local function show(chunks)
  return ("%q"):format(table.concat(chunks, "|"))
end

local function check_decode(text)
  local content, seen, ended, left = decode(text)
  each_cut(text, function(chunks)
    local c, s, e, l = probe.dot_decode(chunks)
    if c ~= content or s ~= seen or e ~= ended or l ~= left then
      assert.are.same({ content, seen, ended, left }, { c, s, e, l }, show(chunks))
    end
  end)
end

describe("dot decode", function()
  before_each(function() math.randomseed(2821, 5321) end)

  it("C012 removes one dot at a line start, and no other", function()
    assert.are.equal(".\r\n..\r\na.b\r\n..\r\n", (probe.dot_decode {
      "..\r\n...\r\na.b\r\n...\r\n.\r\n" }))
    assert.are.equal("a\r\nb\r\n", (probe.dot_decode { ".a\r\n.b\r\n.\r\n" }))
  end)

  it("takes the empty message", function()
    assert.are.same({ "", 0, true, 0 }, { probe.dot_decode { ".\r\n" } })
    assert.are.same({ "\r\n", 0, true, 0 }, { probe.dot_decode { "\r\n.\r\n" } })
  end)

  it("leaves what follows the end, wherever it is cut", function()
    local rest = "QUIT\r\n.\r\n\0\x80\n"
    each_cut("a\r\n.\r\n" .. rest, function(chunks)
      assert.are.same({ "a\r\n", 0, true, #rest }, { probe.dot_decode(chunks) })
    end)
  end)

  it("C011 ends at CRLF . CRLF alone", function()
    local cr, lf = "\r", "\n"
    for _, fake in ipairs {
      "\n.\n", "\r.\r", "\n.\r\n", "\r.\r\n", "\r\n.\n", "\r\n.\r", "\r\n.\r\r\n", "\r\n.\n\r\n",
      "\r\n\0.\r\n", "\r\n.\0\r\n", "\n\n.\n\n", "\n\r.\n\r", "\r\r.\r\r", "\r\n .\r\n",
      "\r\n. \r\n",
      "\r\n..\r\n", "\r\n.\r.\r\n", "\n\n.\r\n", "\r\0\n.\r\n", "\r\n\r.\r\n", "\r\n\n.\r\n",
    } do
      local text = "a" .. fake .. "MAIL FROM:<b@c>\r\n"
      each_cut(text, function(chunks)
        local content, seen, ended = probe.dot_decode(chunks)
        assert.is_false(ended, show(chunks))
        assert.are.equal((decode(text)), content)
        local rest = fake:gsub("\r\n", "")
        assert.are.equal(rest:find(lf, 1, true) ~= nil, seen & BARE_LF ~= 0, show { fake })
        assert.are.equal(rest:find(cr, 1, true) ~= nil, seen & BARE_CR ~= 0, show { fake })
      end)
      assert.is_true(select(3, probe.dot_decode { text .. ".\r\n" }))
    end
  end)

  it("C011 is the naive decoder on each text of up to 7 bytes of CR LF . a", function()
    local letters = { "\r", "\n", ".", "a" }
    local function extend(text)
      local content, seen, ended, left = decode(text)
      local c, s, e, l = probe.dot_decode(bytes(text))
      if c ~= content or s ~= seen or e ~= ended or l ~= left then
        assert.are.same({ content, seen, ended, left }, { c, s, e, l }, show { text })
      end
      if #text == 7 then return end
      for _, letter in ipairs(letters) do extend(text .. letter) end
      if #text == 4 then collectgarbage() end
    end
    extend("")
  end)

  it("C012 is the naive decoder on random texts, cut at every byte", function()
    for round = 1, 1500 do
      check_decode(random_text(12, round % 2 == 0 and 6 or nil))
      if round % 100 == 0 then collectgarbage() end
    end
  end)

  it("leaves at most what it cannot judge", function()
    for text, left in pairs {
      ["."] = 1, [".\r"] = 2, ["a\r\n."] = 1, ["a\r\n.\r"] = 2, ["\r"] = 0, ["a\r\n"] = 0,
      [".."] = 0, [".a"] = 0, ["a."] = 0, ["a\n."] = 0, [""] = 0,
    } do
      assert.are.equal(left, select(4, probe.dot_decode { text }), show { text })
    end
  end)

  it("notes NUL and 8-bit bytes wherever they are in a word", function()
    for _, before in ipairs { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 17 } do
      local a = ("\x01"):rep(before)
      for c, seen in pairs { ["\0"] = NUL, ["\x80"] = EIGHTBIT, ["\xff"] = EIGHTBIT,
                             ["\x7f"] = 0, ["\x01"] = 0 } do
        for behind = 0, 9 do
          local text = a .. c .. ("\x7f"):rep(behind) .. "\r\n.\r\n"
          assert.are.equal(seen, select(2, probe.dot_decode { text }))
        end
      end
    end
  end)

  it("C049 counts CRLF, and neither stuffing nor the final dot", function()
    assert.are.equal(#".a\r\n.\r\nb\r\n", #probe.dot_decode { "..a\r\n..\r\nb\r\n.\r\n" })
  end)

  it("moves long runs whole", function()
    local line = ("x"):rep(76) .. "\r\n"
    local text = line:rep(50) .. ".dot\r\n" .. line:rep(50) .. "..\r\n" .. line:rep(10)
    assert.are.same({ text, 0, true, 0 }, { probe.dot_decode { encode(text) } })
  end)
end)

describe("dot encode", function()
  before_each(function() math.randomseed(2821, 5321) end)

  it("C012 doubles the dot at a line start", function()
    local out = probe.dot_encode({ ".\r\n..\r\na.b\r\n" }, STUFF)
    assert.are.equal("..\r\n...\r\na.b\r\n.\r\n", out)
  end)

  it("ends an empty and an unfinished text", function()
    assert.are.equal(".\r\n", (probe.dot_encode({}, STUFF)))
    assert.are.equal(".\r\n", (probe.dot_encode({ "" }, STUFF)))
    assert.are.equal("a\r\n.\r\n", (probe.dot_encode({ "a" }, STUFF)))
    assert.are.equal("a\r\n.\r\n", (probe.dot_encode({ "a\r" }, STUFF)))
    assert.are.equal("", (probe.dot_encode({}, 0)))
  end)

  it("C011 never writes a lone CR or LF, nor an end before the end", function()
    for round = 1, 1500 do
      local text = random_text(10)
      each_cut(text, function(chunks)
        local out, seen = probe.dot_encode(chunks, STUFF)
        assert(out == encode(text) and seen == look(text), show(chunks))
        local rest = out:gsub("\r\n", "")
        assert(not rest:find("[\r\n]"), show(chunks))
        local stop = ("\r\n" .. out):find("\r\n.\r\n", 1, true)
        assert(stop == #out - 2, show(chunks))
      end)
      if round % 100 == 0 then collectgarbage() end
    end
  end)

  it("C012 gives back what was given", function()
    for round = 1, 1000 do
      local text = random_text(16)
      local out = probe.dot_encode(bytes(text), STUFF)
      assert.are.same({ normalise(text), look(text) & (NUL | EIGHTBIT), true, 0 },
        { probe.dot_decode { out } })
      if round % 100 == 0 then collectgarbage() end
    end
  end)

  it("C012 mends line ends alone without STUFF", function()
    for round = 1, 1000 do
      local text = random_text(10)
      assert.are.equal(normalise(text), (probe.dot_encode(bytes(text), 0)))
      if round % 100 == 0 then collectgarbage() end
    end
  end)

  it("refuses a bare CR or LF under STRICT, in any cut", function()
    for _, text in ipairs { "\n", "\r", "a\nb", "a\rb", "\r\r\n", "\r\n\n", "a\r", "\n\r\n" } do
      each_cut(text, function(chunks)
        local out, err = probe.dot_encode(chunks, STUFF | STRICT)
        assert.are.same({ nil, "EINVALID" }, { out, err }, show(chunks))
      end)
    end
    local _, _, left = probe.dot_encode({ "a\r\n.", "b\nc" }, STUFF | STRICT)
    assert.are.equal("a\r\n..", left)
    for _, text in ipairs { "", "a", "a\r\n", ".\r\n\r\n.", "\0\x80\r\n" } do
      each_cut(text, function(chunks)
        assert.are.equal(encode(text), (probe.dot_encode(chunks, STUFF | STRICT)))
      end)
    end
  end)

  it("is as it was when there is no room, and goes on when there is", function()
    local text = "a\n.b\r\r\n..\r"
    local whole = encode(text)
    for cap = 0, #whole - 1 do
      local out, err, left = probe.dot_encode({ text }, STUFF, cap)
      assert.are.same({ nil, "ETOOBIG" }, { out, err })
      assert.is_true(left == "" or cap >= #left and whole:sub(1, #left) == left)
      assert.are.equal(whole, (probe.dot_encode_again(text, STUFF, cap)))
    end
    assert.are.equal(whole, (probe.dot_encode({ text }, STUFF, #whole)))
  end)

  it("survives each allocation that fails", function()
    local text, failed = ("a\n.\r"):rep(300), 0
    repeat
      probe.fail_at(failed + 1)
      local out, err, left = probe.dot_encode({ text, text }, STUFF)
      probe.fail_at()
      if not out then
        assert.are.equal("ENOMEM", err)
        assert.are.equal(left, (encode(text .. text):sub(1, #left)))
        failed = failed + 1
      end
    until out
    assert.is_true(failed > 1)
    collectgarbage()
    assert.are.equal(0, probe.live())
  end)
end)
