-- SPDX-License-Identifier: MIT
local probe = require "probe"

-- The results of fields_next for a text, with the offset of the body at the end.
local function fields(text)
  local list, body = probe.fields_next(text)
  list[#list + 1] = body
  return list
end

describe("fields of a header", function()
  it("are split at CRLF or LF, folded as they are", function()
    assert.same({ "A", " 1", "B", " 2\r\n 3", 18 }, fields("A: 1\r\nB: 2\r\n 3\r\n\r\nbody"))
    assert.same({ "A", " 1", "B", "2", 12 }, fields("A: 1\nB \t:2\n\nbody"))
    assert.same({ "A", "", "B", "\r\n \r\n\tc", 12 }, fields("A:\nB:\r\n \r\n\tc"))
  end)

  it("end at an empty line, or with the text", function()
    assert.same({ 2 }, fields("\r\nA: 1"))
    assert.same({ "A", "1", 3 }, fields("A:1"))
    assert.same({ 0 }, fields(""))
  end)

  it("have lines between them that are no fields", function()
    assert.same({ "A", "1", "B", " 2", 19 }, fields("A:1\nno field\nB: 2\n\nbody"))
    assert.same({ "A", "1", 9 }, fields("A:1\n: x\n\nbody"))
    assert.same({ "A", "1\n 2", "B", "3", 23 }, fields("A:1\n 2\nno\n folded\nB:3\n\nC:4"))
    assert.same({ "A", "1", 10 }, fields("\xe9: x\nA:1\n\n"))
  end)

  it("are none of a body that has no header, or no empty line before it", function()
    assert.same({ 0 }, fields("\xe9: x\n"))
    assert.same({ 0 }, fields("Dear Bob,\n\nA: 1\n"))
    assert.same({ 0 }, fields(" Dear Bob,\nit works\n\nA: 1\n"))
    assert.same({ "A", "1", 4 }, fields("A:1\nDear Bob,\nit works\n"))
    assert.same({ "Content-Type", "a/b", 31 }, fields("Content-Type:a/b\nDear Bob\n--x\n\nA:1\n"))
    assert.same({ "A", "1", 12 }, fields("A:1\n------\n\n"))
  end)

  it("may have a byte order mark before them", function()
    assert.same({ "A", "1", 8 }, fields("\xef\xbb\xbfA:1\n\n"))
    assert.same({ 4 }, fields("\xef\xbb\xbf\nA:1\n\n"))
    assert.same({ 0 }, fields("\xef\xbb\xbfDear Bob,\n\nA:1"))
    assert.same({ 3 }, fields("\xef\xbb\xbf"))
  end)

  it("may have the line of a mailbox file before them", function()
    assert.same({ "A", " 1", 20 }, fields("From a@b now\r\nA: 1\r\n"))
    assert.same({ "A", " 1", 21 }, fields(">From a@b now\r\nA: 1\r\n"))
    assert.same({ "A", "1", "B", "2", 16 }, fields("A:1\nFrom a@b\nB:2"))
  end)

  it("are found by their name, and the first one counts", function()
    local header = "A: 1\r\nbc \t: 2\r\n 3\r\nBC: 4\r\nd:"
    assert.equal(" 2\r\n 3", (probe.fields_find(header, "Bc")))
    assert.equal("", (probe.fields_find(header, "D")))
    for _, name in ipairs { "", "b", "bcd", "1", "bc " } do
      assert.is_nil((probe.fields_find(header, name)), name)
    end
    for n = 0, #header do -- at the edge of memory that may not be read
      local found = probe.fields_find(header:sub(1, n), "bc")
      assert.equal(n > 10 and header:sub(12, math.min(n, 18)):gsub("\r?\n?$", "") or nil, found)
    end
  end)

  it("have lines and white space, wherever the text ends", function()
    assert.same({ "", "a", "a\n", "\n", "a\r" }, { probe.fields_first(""), probe.fields_first("a"),
      probe.fields_first("a\nb\n"), probe.fields_first("\n\n"), probe.fields_first("a\r") })
    assert.same({ "", "", "a", "a \t\r\n b", "\v" }, { probe.fields_trim(""),
      probe.fields_trim(" \t\r\n"), probe.fields_trim("a"), probe.fields_trim("\r\na \t\r\n b\t "),
      probe.fields_trim(" \v ") })
  end)

  it("end where the text does, before the last lines that are no fields", function()
    for text, body in pairs { [""] = 0, ["A"] = 0, ["A:"] = 2, ["A:1\nB"] = 4, ["A:1\nB\nC"] = 4,
      ["A:1\nB\nC:"] = 8, ["A:1\n B"] = 6, ["B\nC"] = 0 } do
      assert.equal(body, (probe.fields_cut(text)), text)
    end
  end)
end)
