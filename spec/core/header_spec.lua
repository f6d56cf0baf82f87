local probe = require "probe"

-- A model that reads a line at a time: Received fields, bytes, whether the header ended there.
-- Every line of input must be whole.
local function scan(input)
  local received, size, fields = 0, 0, 0
  for line in input:gmatch("[^\n]*\n") do
    local name = line:match("^([\33-\57\59-\126]+)[ \t]*:")
    if name then
      fields = fields + 1
      if name:lower() == "received" then received = received + 1 end
    elseif not line:find("^[ \t]") or fields == 0 then
      return received, size + (line:match("^\r?\n$") and #line or 0), true
    end
    size = size + #line
  end
  return received, size, false
end

local function each_cut(text, check)
  check { text }
  local bytes = {}
  for c in text:gmatch(".") do bytes[#bytes + 1] = c end
  check(bytes)
  for i = 0, #text do check { text:sub(1, i), text:sub(i + 1) } end
end

local function expect(text, received, size, done)
  each_cut(text, function(chunks)
    local got = { probe.header_feed(chunks) }
    assert.are.same({ received, size, done }, got, ("%q"):format(table.concat(chunks, "|")))
  end)
end

describe("header", function()
  it("C031 counts Received fields in any case", function()
    local block = "Received: a\r\nRECEIVED: b\r\nreceived:c\r\nrEcEiVeD \t: d\r\n"
    expect(block, 4, #block, false)
    expect(block .. "\r\n", 4, #block + 2, true)
  end)

  it("C031 counts 99 and 100 hops", function()
    for _, n in ipairs { 99, 100, 101, 1000 } do
      local block = ("Received: from a by b;\r\n\tMon, 1 Jan 2024 00:00:00 +0000\r\n"):rep(n)
      assert.are.same({ n, #block + 2, true }, { probe.header_feed { block .. "\r\n" .. block } })
    end
  end)

  it("C031 does not count another name, a folded line or the body", function()
    for _, field in ipairs {
      "Received-SPF: x\r\n", "X-Received: x\r\n", "Receive: x\r\n", "Receivedd: x\r\n",
      "Subject: x\r\n Received: y\r\n\tReceived: z\r\n", "Subject: Received: x\r\n",
    } do
      expect(field, 0, #field, false)
    end
    expect("A: b\r\n\r\nReceived: x\r\n", 0, 8, true)
  end)

  it("ends at a line that is no field", function()
    expect("A: b\r\nno field\r\nReceived: x\r\n", 0, 6 + 4, true)
    expect("A: b\r\nReceived x\r\n", 0, 6 + 10, true)
    expect("A: b\r\nname\r\nReceived: x\r\n", 0, 6 + 5, true)
    expect("A: b\r\n: x\r\n", 0, 6 + 1, true)
    expect(" Received: x\r\n", 0, 1, true)
    expect("\r\n", 0, 2, true)
    expect("\n", 0, 1, true)
    expect("\rReceived: x\r\n", 0, 2, true)
    expect("Rec\0ived: x\r\n", 0, 4, true)
    expect("R\xc3\xa9: x\r\n", 0, 2, true)
  end)

  it("takes LF for a line end, so that no field hides", function()
    expect("A: b\nReceived: x\n\nReceived: y\n", 1, #"A: b\nReceived: x\n\n", true)
  end)

  it("waits while a line is not whole", function()
    expect("", 0, 0, false)
    expect("Received", 0, 8, false)
    expect("Received:", 1, 9, false)
    expect("A: b\r\n\r", 0, 7, false)
  end)

  it("is the naive scanner on random blocks", function()
    math.randomseed(5322)
    local words = { "Received", "received:", "RECEIVED :", "x", ":", " ", "\t", "\r\n", "\n",
                    "\r\n ", "A: b\r\n", "Received: c\r\n", "\r", "\x80" }
    for round = 1, 600 do
      local list = { "A: b\r\n" }
      for i = 2, math.random(2, 14) do list[i] = words[math.random(#words)] end
      local text = table.concat(list) .. "\n"
      local received, size, done = scan(text)
      local whole = { probe.header_feed { text } }
      assert.are.same({ received, done }, { whole[1], whole[3] }, ("%q"):format(text))
      -- Of a line that is no field, the bytes that told it are counted too.
      assert.is_true(whole[2] == size or done and whole[2] > size)
      each_cut(text, function(chunks) assert.are.same(whole, { probe.header_feed(chunks) }) end)
      if round % 100 == 0 then collectgarbage() end
    end
  end)

  it("counts a name that never ends", function()
    assert.are.same({ 0, 1 << 20, false }, { probe.header_feed { ("a"):rep(1 << 20) } })
  end)
end)
