-- SPDX-License-Identifier: MIT
local probe = require "probe"

-- What fields_next gives of text, with the offset of the body at the end.
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

  it("end at an empty line, at a line that is none, or with the text", function()
    assert.same({ 2 }, fields("\r\nA: 1"))
    assert.same({ "A", "1", 4 }, fields("A:1\nno field\nB: 2\n"))
    assert.same({ "A", "1", 4 }, fields("A:1\n: x\n"))
    assert.same({ "A", "1", 3 }, fields("A:1"))
    assert.same({ 0 }, fields(""))
    assert.same({ 0 }, fields("\xe9: x\n"))
  end)

  it("may have the line of a mailbox file before them", function()
    assert.same({ "A", " 1", 20 }, fields("From a@b now\r\nA: 1\r\n"))
    assert.same({ "A", " 1", 21 }, fields(">From a@b now\r\nA: 1\r\n"))
    assert.same({ "A", "1", 4 }, fields("A:1\nFrom a@b\nB:2"))
  end)
end)
