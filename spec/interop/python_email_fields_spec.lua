-- SPDX-License-Identifier: MIT
-- Header fields of every length that are composed here, read by Python's email package
-- (policy.default): spec/support/email_fields.py.
local header_lines = require "spec.support.header_lines"
local process = require "spec.support.process"
local smtp = require "smtp"

local python, missing = process.python("email.policy")

local LETTERS = { "a", "é", "日", "😀" }

-- Texts of n characters: of one kind of letter, of two kinds, of words, and of one letter
-- that is not ASCII behind others.
local function texts(n)
  local list = { ("a"):rep(n - 1) .. "é", ("abc "):rep(n):sub(1, n - 1) .. "z",
    ("für Öl "):rep(n):sub(1, utf8.offset(("für Öl "):rep(n), n) - 1) .. "x",
    (('a"b, '):rep(n)):sub(1, n - 1) .. "z" }
  for i, one in ipairs(LETTERS) do
    list[#list + 1] = one:rep(n)
    list[#list + 1] = (one .. LETTERS[i % #LETTERS + 1]):rep(n):sub(1, utf8.offset(
      (one .. LETTERS[i % #LETTERS + 1]):rep(n), n + 1) - 1)
  end
  return list
end

-- Fields of the records as Python reads them.
local function read(records)
  local input = {}
  for i, record in ipairs(records) do
    record.from, record.date, record.seed = record.from or "ada@code.energy", 0, 1
    local text = tostring(assert(smtp.message(record)))
    header_lines.check(text)
    input[i] = ("%d\n%s"):format(#text, text)
  end
  local status, out, err = process.run({ python, "spec/support/email_fields.py" },
    { input = table.concat(input) })
  assert.equal(0, status, err)
  local found = assert(load(out, "=email_fields", "t", {}))()
  assert.equal(#records, #found)
  return found
end

describe("Python's email package reads", function()
  if missing then
    pending(missing)
    return
  end

  it("texts of every length, with no blank before them", function()
    local records, wanted = {}, {}
    for n = 1, 120 do
      for _, text in ipairs(texts(n)) do
        records[#records + 1] = { subject = text, headers = {
          { "X-" .. ("n"):rep(n % 72 + 1), text }, { "Comments", "x " .. text } } }
        wanted[#records] = text
      end
    end
    for i, got in ipairs(read(records)) do
      local record, text = records[i], wanted[i]
      assert.equal(text, got.subject)
      assert.equal(text, got[record.headers[1][1]:lower()])
      assert.equal("x " .. text, got.comments)
    end
  end)

  -- Its reader of addresses leaves blanks between the encoded words of a name.
  it("names of every length", function()
    local function plain(text) return (text:gsub('[ "\\]', "")) end
    local records, wanted = {}, {}
    for n = 1, 120 do
      for i, text in ipairs(texts(n)) do
        if (i + n) % 3 == 0 then
          records[#records + 1] = { from = { name = text, address = "a@b.example" },
            to = { "c@d.example", { name = text, address = "e@f.example" } } }
          wanted[#records] = plain(text)
        end
      end
    end
    for i, got in ipairs(read(records)) do
      assert.equal(wanted[i] .. "<a@b.example>", plain(got.from))
      assert.equal("c@d.example," .. wanted[i] .. "<e@f.example>", plain(got.to))
    end
  end)

  it("ids, URLs and mailboxes of every length", function()
    local records = {}
    for n = 1, 120 do
      local id, url = ("<%s@x.example>"):format(("i"):rep(n)), "https://x.example/" .. ("u"):rep(n)
      records[n] = { message_id = id, in_reply_to = id, references = { id, id, "<b@x.example>" },
        to = { group = "G", members = { ("t"):rep(math.min(n, 64)) .. "@x.example",
          ("u"):rep(math.min(n, 64)) .. "@x.example" } },
        list = { unsubscribe = { url, "mailto:x@y.example" }, help = url },
        headers = { { "List-Owner", "<" .. url .. ">, <" .. url .. ">" } } }
    end
    for i, got in ipairs(read(records)) do
      local record = records[i]
      local id, url = record.message_id, "<" .. record.list.help .. ">"
      assert.equal(id, got["message-id"])
      assert.equal(id, got["in-reply-to"])
      assert.equal(id .. " " .. id .. " <b@x.example>", got.references)
      assert.equal(url, got["list-help"])
      assert.equal(url .. ", <mailto:x@y.example>", got["list-unsubscribe"])
      assert.equal(url .. ", " .. url, got["list-owner"])
      assert.equal(("G: %s, %s;"):format(table.unpack(record.to.members)), got.to)
    end
  end)

  it("names of files of every length, in both of their places", function()
    local records, wanted = {}, {}
    for n = 1, 120 do
      for i, text in ipairs(texts(n)) do
        if (i + n) % 2 == 0 then
          wanted[#wanted + 1] = text .. ".pdf"
          records[#wanted] = { text = "x",
            attachments = { { content = "x", name = wanted[#wanted] } } }
        end
      end
    end
    for i, got in ipairs(read(records)) do
      assert.equal(wanted[i], got.file)
      assert.equal(wanted[i], got.old)
    end
  end)
end)
