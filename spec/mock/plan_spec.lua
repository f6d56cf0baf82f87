-- How a mock's replies go out: whole, replaced, in pieces, wherever writes are cut.
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

  it("cuts once where that is wanted", function()
    local text, times, pieces = play { { "abcdefgh", 3, 0.5, true } }
    assert.same({ "abcdefgh", { 0, 0.5 }, { "abc", "defgh" } }, { text, times, pieces })
    text, times = play { { "ab", 3, 0.5, true } }
    assert.same({ "ab", { 0 } }, { text, times })
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
