-- SPDX-License-Identifier: MIT
local probe = require "probe"

-- Rows as "kind parent header|body", which is easier to read than offsets.
local function walk(text, max)
  local rows = probe.entity_walk(text, max)
  for i, row in ipairs(rows) do
    local kind, parent, begin, body, last = row:match("(%a+) (%d+) (%d+) (%d+) (%d+)")
    rows[i] = ("%s %s %s|%s"):format(kind, parent, text:sub(begin + 1, body),
      text:sub(body + 1, last)):gsub("\r", "")
  end
  return rows
end

local HEAD = "Content-Type: multipart/mixed; boundary=x\n\n"

local function parts(text)
  local rows = walk(HEAD .. text)
  table.remove(rows, 1)
  return rows
end

describe("the parts of a message", function()
  it("are found between boundaries", function()
    assert.same({ "leaf 0 |" }, walk(""))
    assert.same({ "leaf 0 A: b\n\n|c\n" }, walk("A: b\n\nc\n"))
    assert.same({ "leaf 0 \n|a", "leaf 0 B: c\n\n|d" },
      parts("pre\n--x\n\na\n--x\nB: c\n\nd\n--x--\npost\n--x\n"))
    assert.same({ "leaf 0 \n|a", "leaf 0 \n|b\n" }, parts("--x\r\n\r\na\r\n--x  \r\n\r\nb\r\n"))
    assert.same({ "leaf 0 |", "leaf 0 \n|", "leaf 0 A: b|" },
      parts("--x\n--x\n\n--x\nA: b\n--x--\n"))
    assert.same({}, parts("--xx\n--x x\n -- x\n-x\n"))
  end)

  it("nest, and an outer boundary ends the inner parts", function()
    local inner = "--x\nContent-Type: multipart/mixed; boundary=y\n\n--y\n\na\n"
    assert.same({ "multipart 0 Content-Type: multipart/mixed; boundary=y\n\n|--y\n\na",
      "leaf 1 \n|a", "leaf 0 \n|b" }, parts(inner .. "--x\n\nb\n--x--\n"))
    assert.same({ "message 0 Content-Type: message/rfc822\n\n|A: b\n\nc", "leaf 1 A: b\n\n|c" },
      parts("--x\nContent-Type: message/rfc822\n\nA: b\n\nc\n--x--\n"))
  end)

  it("lie in what holds them, wherever the text ends", function()
    local text = HEAD .. "--x\r\nContent-Type: multipart/digest; boundary=y\r\n\r\n--y\r\n\r\n" ..
      "A: b\r\n\r\n--y--\r\n--x\n\nz\n--x--\n"
    for n = 0, #text do
      local rows = probe.entity_walk(text:sub(1, n))
      local ends = {}
      for i, row in ipairs(rows) do
        local parent, begin, body, last = row:match("%a+ (%d+) (%d+) (%d+) (%d+)")
        parent, begin, body, last = parent + 1, begin + 0, body + 0, last + 0
        ends[i] = last
        assert.is_true(begin <= body and body <= last and last <= ends[parent], row)
      end
    end
  end)

  it("that do not fit are one", function()
    local text = HEAD .. ("--x\n\na\n"):rep(5) .. "--x--\n"
    assert.equal(6, #walk(text))
    local rows = walk(text, 4)
    assert.equal(4, #rows)
    assert.equal("rest 0 |\na\n--x\n\na\n--x\n\na\n--x--\n", rows[4])
    assert.equal(1, #walk(text, 1))
  end)

  it("need memory for the type alone", function()
    local live = probe.live()
    probe.fail_at(1)
    local rows, err = probe.entity_walk(HEAD .. "--x\n\na")
    probe.fail_at()
    assert.same({ nil, "ENOMEM" }, { rows, err })
    assert.equal(live, probe.live())
  end)
end)
