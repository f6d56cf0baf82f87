-- SPDX-License-Identifier: MIT
-- Messages that Python's email package composes, read here and by its own parser:
-- spec/support/email_compose.py. Every field of each must be the same but for what
-- `OURS` lists, which is checked to be as it says.
local process = require "spec.support.process"
local smtp = require "smtp"

local python, missing = process.python("email.policy")

-- Where we differ from Python on purpose, and how.
local OURS = {
  -- White space at the end of a subject or a name is no part of it, be it folding or
  -- encoded; Python keeps it.
  trimmed = function(text) return text and text:match("^%s*(.-)%s*$") end,
  -- "bob@example.com (Bob)": a comment behind a bare address was the way to give a
  -- name before RFC 822 had another (RFC 5322 section 3.4); Python drops it.
  comment = { ["bob@example.com"] = "Bob (the) Builder" },
  -- A name that is folded between two encoded words: the white space there is dropped
  -- (RFC 2047 section 6.2); Python 3.11 keeps it, in names but not in subjects. This is
  -- what was composed.
  folded = { ["taro@example.com"] = ("\u{65e5}\u{672c} \u{592a}\u{90ce} "):rep(5) },
}

describe("Python's email package composes", function()
  if missing then
    pending(missing)
    return
  end

  local list
  setup(function()
    local status, out, err = process.run { python, "spec/support/email_compose.py" }
    assert.equal(0, status, err)
    list = assert(load(out, "=email_compose", "t", {}))()
  end)

  -- Calls `check(message, expected)` for each; gives how many there were.
  local function each(check)
    for _, one in ipairs(list) do check(smtp.parse(one.bytes), one) end
    return #list
  end

  it("messages enough, and each is kept as it was", function()
    local n = each(function(m, one) assert.is_true(tostring(m) == one.bytes, one.shape) end)
    assert.is_true(n >= 120)
  end)

  it("subjects and dates", function()
    local trimmed = 0
    each(function(m, one)
      assert.equal(OURS.trimmed(one.subject), m.subject, one.shape)
      assert.equal(one.time, m.time, one.shape)
      if one.subject ~= m.subject then trimmed = trimmed + 1 end
    end)
    assert.equal(6, trimmed) -- two subjects that end with a space, by three policies
  end)

  local function same_people(wanted, got, shape)
    assert.equal(#wanted, #got, shape)
    for i, one in ipairs(wanted) do
      local name = OURS.trimmed(OURS.folded[one.address] or one.name)
      if shape:find("^legacy") and name == "" then name = OURS.comment[one.address] or name end
      assert.equal(name, got[i].name or "", shape)
      assert.equal(one.address, got[i].address, shape)
      assert.equal(one.group, got[i].group, shape)
    end
  end

  it("addresses", function()
    each(function(m, one)
      same_people(one.from, m.from, one.shape)
      same_people(one.to, m.to, one.shape)
      same_people(one.cc, m.cc, one.shape)
    end)
  end)

  it("text and HTML in many charsets and encodings", function()
    each(function(m, one)
      assert.equal(one.text, m.text, one.shape)
      assert.equal(one.html, m.html, one.shape)
    end)
  end)

  it("attachments with their names, types and bytes", function()
    local n = 0
    each(function(m, one)
      assert.equal(#one.files, #m.attachments, one.shape)
      for i, file in ipairs(one.files) do
        local part = m.attachments[i]
        -- Of a message in the message Python's subject is compared, since it has no bytes.
        local content = part.message and (part.message.subject or "") or part.content
        assert.equal(file.name, part.name, one.shape)
        assert.equal(file.type, part.type, one.shape)
        assert.is_true(file.content == content, one.shape)
        n = n + 1
      end
    end)
    assert.is_true(n >= 120)
  end)
end)
