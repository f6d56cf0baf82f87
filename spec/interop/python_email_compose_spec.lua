-- SPDX-License-Identifier: MIT
-- Messages that are composed here, read by Python's email package (policy.default):
-- spec/support/email_parse.py.
local net = require "spec.support.net"
local process = require "spec.support.process"
local smtp = require "smtp"

local python, missing = process.python("email.policy")

local SUBJECTS = { "The engine", "Grüße", "日本語の件名がここにあります。とても長いので折り返されるはずです。",
  "a — b — c", ("word "):rep(40) .. "end", "=?utf-8?q?not_one?=", '"quoted" (and) <more>',
  ("ünder "):rep(30) .. "x", "100% sure; really, yes", "tabs\tand  two spaces" }
local NAMES = { false, "Ada Lovelace", "O'Hara, S.", "Žofie Černá", 'Bob "B" Builder', "日本 太郎",
  ("Very Long Name "):rep(6) .. "End", "a@b" }
local TEXTS = { "It works.\n", "Grüße\n", ".\n..\nFrom me\n", ("x"):rep(2000) .. "\n",
  "trailing \ntab\t\n", ("日本語"):rep(200) .. "\n", "\n\n\n", "a=b =3D\n" }
local FILES = { "drawing.pdf", "Zeichnung für Jörg.pdf", 'my "file".txt', "a;b=c.csv", "日本語.png",
  ("long name "):rep(12) .. ".bin", "plain.html" }

local function records()
  local list = {}
  for i = 0, 219 do
    local name = NAMES[i % #NAMES + 1] or nil
    local record = {
      from = { name = NAMES[(i + 3) % #NAMES + 1] or nil, address = "ada@code.energy" },
      to = { { name = name, address = "bob@example.com" }, "c+d@example.org" },
      subject = SUBJECTS[i % #SUBJECTS + 1], date = 1000000000 + i, seed = i,
    }
    if i % 3 ~= 2 then record.text = TEXTS[i % #TEXTS + 1] end
    if i % 3 ~= 0 then record.html = "<p>" .. TEXTS[(i + 1) % #TEXTS + 1] end
    if i % 4 == 1 then record.cc = { { name = name, address = '"e f"@example.com' } } end
    if i % 2 == 1 then
      record.attachments = { { content = ("\0\255" .. i):rep(i), name = FILES[i % #FILES + 1] } }
      if record.html then
        record.attachments[2] = { content = "PNG" .. i, name = "i.png", cid = "c" .. i }
      end
    end
    list[#list + 1] = record
  end
  return list
end

-- Runs of white space are folding's; what is between words is one space.
local function plain(text)
  return text and text:gsub("%s+", " "):match("^ ?(.-) ?$")
end

describe("Python's email package reads", function()
  if missing then
    pending(missing)
    return
  end

  it("what is composed here, 220 messages without a defect", function()
    local folder, list, paths = net.folder(), records(), {}
    for i, record in ipairs(list) do
      paths[i] = ("%s/%03d.eml"):format(folder, i)
      net.dump(paths[i], tostring(assert(smtp.message(record))))
    end
    local status, out, err = process.run { python, "spec/support/email_parse.py",
      table.unpack(paths) }
    net.remove(folder)
    assert.equal(0, status, err)
    local read = assert(load(out, "=email_parse", "t", {}))()
    assert.equal(#list, #read)
    local function same_people(wanted, got, what)
      assert.equal(#wanted, #got, what)
      for i, one in ipairs(wanted) do
        if type(one) == "string" then one = { address = one } end
        assert.equal(one.address, got[i].address, what)
        assert.equal(plain(one.name), plain(got[i].name), what)
      end
    end
    for i, one in ipairs(list) do
      local got, what = read[i], "message " .. i
      assert.equal("", got.defects, what)
      assert.equal(plain(one.subject), plain(got.subject), what)
      assert.equal(one.date, got.date, what)
      same_people({ one.from }, got["from"], what)
      same_people(one.to, got.to, what)
      same_people(one.cc or {}, got.cc, what)
      assert.equal(one.text, got.text, what)
      assert.equal(one.html, got.html, what)
      assert.equal(#(one.attachments or {}), #got.attachments, what)
      local by_name = {}
      for _, each in ipairs(got.attachments) do by_name[plain(each.name)] = each end
      for _, each in ipairs(one.attachments or {}) do
        local there = by_name[plain(each.name)]
        assert.truthy(there, what .. " " .. each.name)
        assert.is_true(each.content == there.content, what)
        assert.equal(each.cid and "<" .. each.cid .. ">", there.cid)
      end
    end
  end)
end)
