-- Times at their edges, as fields show them and as they are read.
local core = require "smtp.core"
local date = require "smtp.base.date"

local DAY, CYCLE = 86400, 146097 * 86400 -- the calendar repeats after 400 years
local LAST = 253402300799

describe("a time", function()
  it("is shown for each day as the C library has it", function()
    local function check(time)
      local expected = os.date("!%a, %d %b %Y %H:%M:%S +0000", time):gsub(", 0", ", ", 1)
      local text = date.format(time)
      if text ~= expected then assert.equal(expected, text) end
    end
    for day = 0, CYCLE - 1, DAY do check(day + day // DAY * 3661 % DAY) end
    for time = CYCLE, LAST, DAY * 61 + 3661 do check(time) end
    for _, time in ipairs { -1, 253402300800 } do
      assert.error_matches(function() core.date(time) end, "out of range")
    end
  end)

  it("is shown to the last second of a day, a year and the calendar", function()
    for time, text in pairs {
      [0] = "Thu, 1 Jan 1970 00:00:00 +0000", [59] = "Thu, 1 Jan 1970 00:00:59 +0000",
      [60] = "Thu, 1 Jan 1970 00:01:00 +0000", [3599] = "Thu, 1 Jan 1970 00:59:59 +0000",
      [86399] = "Thu, 1 Jan 1970 23:59:59 +0000", [86400] = "Fri, 2 Jan 1970 00:00:00 +0000",
      [951782399] = "Mon, 28 Feb 2000 23:59:59 +0000",
      [951782400] = "Tue, 29 Feb 2000 00:00:00 +0000",
      [951868800] = "Wed, 1 Mar 2000 00:00:00 +0000",
      [946684799] = "Fri, 31 Dec 1999 23:59:59 +0000",
      [4107542399] = "Sun, 28 Feb 2100 23:59:59 +0000",
      [4107542400] = "Mon, 1 Mar 2100 00:00:00 +0000",
      [253402300799] = "Fri, 31 Dec 9999 23:59:59 +0000",
    } do
      assert.equal(text, date.format(time))
      assert.equal(time, date.parse(text))
    end
  end)

  it("is read up to its limits, and not beyond", function()
    for text, time in pairs {
      ["1 Jan 1970 23:59:59 +0000"] = 86399, ["1 Jan 1970 23:59:60 +0000"] = 86400,
      ["1 Jan 1970 23:59:61 +0000"] = false, ["1 Jan 1970 23:60:00 +0000"] = false,
      ["1 Jan 1970 24:00:00 +0000"] = false, ["31 Jan 1970 00:00:00 +0000"] = 2592000,
      ["32 Jan 1970 00:00:00 +0000"] = false, ["0 Jan 1970 00:00:00 +0000"] = false,
      ["1 Jan 1970 23:59 +0000"] = 86340, ["1 Jan 1970 23:59:59 -0001"] = 86459,
      ["1 Jan 1970 23:59:59 +2359"] = 59, ["1 Jan 49 00:00:00 +0000"] = 2493072000,
      ["1 Jan 50 00:00:00 +0000"] = -631152000, ["1 Jan 101 00:00:00 +0000"] = 978307200,
    } do
      assert.equal(time or nil, date.parse(text), text)
    end
    local blanks = "1 Jan 1970 00:00:00 +0000"
    assert.equal(0, date.parse(blanks .. (" "):rep(200 - #blanks)))
    assert.is_nil(date.parse(blanks .. (" "):rep(201 - #blanks)))
  end)

  it("is whole, from 1970 to the year 9999", function()
    for given, time in pairs { [0] = 0, [0.9] = 0, [86399.999] = 86399,
      [253402300799] = 253402300799, [253402300799.5] = 253402300799 } do
      assert.equal(time, date.whole(given))
    end
    for _, given in ipairs { -1, -0.1, 253402300800, 1e300, math.huge, -math.huge, 0 / 0, "5" } do
      assert.is_nil(date.whole(given))
    end
  end)
end)
