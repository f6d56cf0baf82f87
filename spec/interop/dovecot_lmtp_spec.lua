-- SPDX-License-Identifier: MIT
-- Our client against the LMTP of Dovecot.
local contents = require "spec.support.contents"
local dovecot = require "spec.support.dovecot"
local smtp = require "smtp"

local missing = dovecot.missing("lmtp")

local MANY = 200

describe("the client at Dovecot's LMTP", function()
  if missing then
    pending(missing)
    return
  end

  local mda

  setup(function()
    local users = { "ada", "bob", "charles", "full", "broken" }
    for i = 1, MANY do users[#users + 1] = "user" .. i end
    mda = dovecot.lmtp(users)
  end)
  teardown(function() if mda then mda:close() end end)
  before_each(function() os.execute("rm -rf " .. mda.folder .. "/mail/*") end)

  local function message(to, content)
    return { envelope = { from = "eve@example.org", to = to }, raw = content }
  end

  -- The content without the fields that Dovecot wrote before it.
  local function content_of(mail)
    return mail:match("\n(X%-Mark: begin\n.*)$")
  end

  local places = {
    TCP = function() return "lmtp://127.0.0.1:" .. mda.port end,
    ["a Unix socket"] = function() return "lmtp+unix://" .. mda.path end,
  }

  for name, url in pairs(places) do
    for _, case in ipairs(contents) do
      it(("sends %s over %s"):format(case.name, name), function()
        local receipt = assert(smtp.send({ url = url(), helo = "client.example.org" },
          message({ "ada@example.com" }, case.given)))
        assert.equal(250, receipt.code)
        assert.same({ "ada@example.com" }, receipt.accepted)
        local mail = mda:mails("ada", 1)[1]
        assert.is_true(content_of(mail) == case.kept:gsub("\r\n", "\n"))
        assert.truthy(mail:find("^Return%-Path: <eve@example.org>\n"))
        assert.truthy(mail:find("\nReceived: from client%.example%.org%s"), mail:sub(1, 999))
      end)
    end

    it("C122 hears of each recipient over " .. name, function()
      local client <close> = assert(smtp.connect(url()))
      local to = { "ada@example.com", "nobody@example.com", "full@example.com", "bob@example.com",
        "broken@example.com" }
      local receipt = assert(client:send(message(to, contents.HEADER .. contents.text(5000))))
      assert.same({ "ada@example.com", "bob@example.com" }, receipt.accepted)
      local by = {}
      for _, one in ipairs(receipt.rejected) do by[one.address] = one end
      assert.equal(3, #receipt.rejected)
      local nobody, full, broken = by["nobody@example.com"], by["full@example.com"],
        by["broken@example.com"]
      assert.same({ 550, "5.1.1", false }, { nobody.code, nobody.enhanced, nobody.temporary })
      assert.same({ 552, "5.2.2", false }, { full.code, full.enhanced, full.temporary })
      assert.same({ 451, "4.2.0", true }, { broken.code, broken.enhanced, broken.temporary })
      assert.equal(2, #receipt.replies)
      for i, user in ipairs { "ada", "bob" } do
        assert.same({ user .. "@example.com", 250 },
          { receipt.replies[i].address, receipt.replies[i].code })
        assert.truthy(receipt.replies[i].text:find("<" .. user .. "@example.com>", 1, true))
        assert.equal(1, #mda:mails(user, 1))
      end
      assert(client:send(message({ "charles@example.com" }, contents.HEADER))) -- it goes on
      assert.equal(221, client:quit().code)
    end)

    it("C124 has none accepted, before the content and after it, over " .. name, function()
      local client <close> = assert(smtp.connect(url()))
      local receipt, err = client:send(message({ "nobody@example.com", "nemo@example.com" },
        contents.HEADER))
      assert.is_nil(receipt)
      assert.same({ "rejected", "rcpt", 550, "not_sent" },
        { err.kind, err.stage, err.code, err.outcome })
      receipt, err = client:send(message({ "full@example.com", "broken@example.com" },
        contents.HEADER .. contents.text(5000)))
      assert.is_nil(receipt)
      assert.same({ "rejected", "final", 552, "full@example.com", "not_sent" },
        { err.kind, err.stage, err.code, err.address, err.outcome })
      assert.same({ "full@example.com", "broken@example.com" },
        { err.rejected[1].address, err.rejected[2].address })
      assert(client:send(message({ "ada@example.com" }, contents.HEADER)))
    end)
  end

  it("delivers to many, with the offered extensions and without", function()
    local to = {}
    for i = 1, MANY do to[i] = ("user%d@example.com"):format(i) end
    for _, disable in ipairs { {}, { CHUNKING = true }, { CHUNKING = true, PIPELINING = true } } do
      local client <close> = assert(smtp.connect { url = places.TCP(), disable = disable })
      if not next(disable) then
        assert.is_true(client.capabilities.PIPELINING)
        assert.is_true(client.capabilities.CHUNKING)
      end
      local receipt = assert(client:send(message(to, contents.HEADER .. "to many\r\n")))
      assert.same(to, receipt.accepted)
      assert.equal(MANY, #receipt.replies)
      assert.equal(not disable.CHUNKING, receipt.used.chunking)
      assert.equal(not disable.PIPELINING, receipt.used.pipelining)
    end
    assert.equal(3, mda:count("user1"))
    assert.equal(3, mda:count("user" .. MANY))
  end)

  for name, disable in pairs { chunks = {}, ["PIPELINING alone"] = { CHUNKING = true } } do
    it("keeps in step over many messages with " .. name, function()
      local client <close> = assert(smtp.connect { url = places["a Unix socket"](),
        disable = disable })
      local list = {}
      for i = 1, 60 do
        local to = i % 3 == 0 and { "full@example.com", "ada@example.com" }
          or i % 3 == 1 and { "ada@example.com", "nobody@example.com", "bob@example.com" }
          or { "nobody@example.com" }
        list[i] = message(to, ("%snumber %d\r\n%s"):format(contents.HEADER, i,
          contents.text(2000)))
      end
      local n = 0
      for i, receipt, err in client:send_all(list) do
        n = n + 1
        if i % 3 == 2 then
          assert.same({ "rcpt", 550 }, { err.stage, err.code })
        else
          assert.is_nil(err)
          assert.same(i % 3 == 0 and { "ada@example.com" }
            or { "ada@example.com", "bob@example.com" }, receipt.accepted)
          assert.equal(i % 3 == 0 and 552 or 550, receipt.rejected[1].code)
        end
      end
      assert.equal(60, n)
      assert.same({ 40, 20, 0 }, { mda:count("ada"), mda:count("bob"), mda:count("full") })
      local seen = {}
      for _, mail in ipairs(mda:mails("ada", 40)) do
        seen[tonumber(content_of(mail):match("\nnumber (%d+)\n"))] = true
      end
      for i = 1, 60 do assert.equal(i % 3 ~= 2 or nil, seen[i]) end
    end)
  end
end)
