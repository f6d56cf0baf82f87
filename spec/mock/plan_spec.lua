-- The parts of a mock that need no connection: how its replies go out (whole, replaced, in
-- pieces, wherever writes are cut), globs, who is new, the transcript.
local leaves = require "spec.support.held"
local probe = require "probe"

local HELP = "214 2.0.0 See RFC 5321\r\n"

-- All that is written, and the times at which a piece began.
local function play(ranges, cut)
  local list = probe.mock_plan(ranges, cut or 1000)
  local all, times = {}, {}
  for i = 1, #list, 2 do
    all[#all + 1] = list[i + 1]
    if times[#times] ~= list[i] then times[#times + 1] = list[i] end
  end
  return table.concat(all), times, all
end

describe("a plan", function()
  it("gives what the machine says where nothing is planned", function()
    assert.equal(HELP .. HELP, (play { { false, 0, 0, false }, { false, 0, 0, false } }))
  end)

  it("puts other bytes in the place of a reply, none at all, and bytes between", function()
    for cut = 1, 30 do
      assert.equal("one\r\n" .. HELP .. "three", (play({ { "one\r\n", 0, 0, false },
        { false, 0, 0, false }, { "", 0, 0, false }, { "three", 0, 0, false } }, cut)))
    end
  end)

  it("writes in pieces of a size, each after some time", function()
    for cut = 1, 30 do
      local text, times = play({ { "abcdefgh", 3, 0.5, false }, { false, 0, 0, false } }, cut)
      assert.equal("abcdefgh" .. HELP, text)
      assert.same({ 0, 0.5, 1 }, times)
      text, times = play({ { false, 10, 1, false } }, cut)
      assert.equal(HELP, text)
      assert.same({ 0, 1, 2 }, times)
    end
  end)

  it("has nothing due before its first piece, nor behind its last", function()
    for _, text in ipairs { "abcdefgh", "" } do
      local ranges = { { false, 0, 0, false }, { text, 3, 0.5, false } }
      local _, before, behind = probe.mock_plan(ranges, 9)
      assert.same({ -1, -1 }, { before, behind })
    end
    assert.equal(-1, (select(2, probe.mock_plan({ { "abcdefgh", 3, 0.5, false } }, 9))))
  end)

  it("holds back what stands for a reply as long as the machine holds that", function()
    assert.same({ "", "503 no\r\n", "03 no\r\n" }, { probe.mock_plan_late("503 no\r\n") })
  end)

  it("frees what was never written", function()
    local function round() probe.mock_plan_late("503 no\r\n") end
    local bytes = leaves(round)
    assert.is_true(not bytes or bytes < 16, bytes)
  end)

  it("cuts once where that is wanted", function()
    local text, times, pieces = play { { "abcdefgh", 3, 0.5, true } }
    assert.same({ "abcdefgh", { 0, 0.5 }, { "abc", "defgh" } }, { text, times, pieces })
    text, times = play { { "ab", 3, 0.5, true } }
    assert.same({ "ab", { 0 } }, { text, times })
  end)
end)

describe("a rule for what is new", function()
  it("applies once for a sender and its recipients", function()
    assert.same({ true, false, true, true, false, true }, probe.mock_new {
      { "a@x", "b@x" }, { "a@x", "b@x" }, { "b@x", "a@x" }, { "a@x", "b@x", "c@x" },
      { "b@x", "a@x" }, { "a@xb", "@x" } })
  end)

  it("tells senders apart whatever the number of recipients", function()
    local function mail(sender)
      local list = { sender }
      for i = 1, 150 do list[i + 1] = ("r%d@x"):format(i) end
      return list
    end
    assert.same({ true, true, false, false },
      probe.mock_new { mail "a@x", mail "b@x", mail "a@x", mail "b@x" })
  end)
end)

describe("a transcript", function()
  it("has a line for each line, without its end", function()
    assert.equal("1 C: a\n1 C: b\n2 C: c\n3 C: \n4 C: \n",
      probe.mock_transcript("a\r\nb\r\n", "c", "", "\n"))
  end)

  it("shows the beginning of a very long line", function()
    local long = ("x"):rep(2048)
    assert.equal("1 C: " .. long .. "\n2 C: " .. long .. "\n3 C: " .. long:sub(2) .. "\n",
      probe.mock_transcript(long .. "y", long .. "\r\n", long:sub(2)))
  end)

  it("keeps the later half when there is too much, from a whole line on", function()
    local texts, size = {}, 2000
    for i = 1, 5000 do texts[i] = ("x"):rep(size) end
    local text = probe.mock_transcript(table.unpack(texts))
    assert.is_true(#text >= 4 * 1024 * 1024 and #text <= 8 * 1024 * 1024)
    local first, last
    for line in text:gmatch("([^\n]*)\n") do
      local number, rest = line:match("^(%d+) C: (x+)$")
      number = tonumber(number)
      assert.equal(size, #rest)
      assert.equal(last and last + 1 or number, number)
      first, last = first or number, number
    end
    assert.equal(5000, last)
    -- Half of the lines that made 8 MiB are gone.
    assert.is_true(first > 2000 and first < 2200, first)
  end)
end)

describe("a glob of a mock", function()
  it("has stars and question marks, and no case", function()
    for glob, cases in pairs {
      ["*"] = { "", "x", "a@b" }, ["a*c"] = { "ac", "abc", "a**c", "AbbC" },
      ["*@gone.test"] = { "@gone.test", "x@GONE.test", "a@gone.test@gone.test" },
      ["a?c"] = { "abc" }, ["**a**"] = { "a", "xax" }, [""] = { "" },
      ["*a*b*"] = { "ab", "xaxbx", "aab" },
    } do
      for _, text in ipairs(cases) do assert.is_true(probe.mock_glob(glob, text), glob) end
    end
    for glob, cases in pairs { ["a*c"] = { "ab", "xac" }, ["a?c"] = { "ac", "abbc" },
      [""] = { "x" }, ["x"] = { "" }, ["*a"] = { "ab", "" }, ["?"] = { "", "ab" } } do
      for _, text in ipairs(cases) do assert.is_false(probe.mock_glob(glob, text), glob) end
    end
  end)

  it("costs no more than its length times that of the text", function()
    local core = require "smtp.core"
    local since = core.now()
    probe.mock_glob(("*a"):rep(500) .. "b", ("a"):rep(20000))
    assert.is_true(core.now() - since < 2)
  end)
end)
