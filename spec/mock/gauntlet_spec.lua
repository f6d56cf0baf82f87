-- SPDX-License-Identifier: MIT
-- The gauntlet: our client is right in all of it, and bad clients are caught.
local clients = require "spec.support.gauntlet_clients"
local gauntlet = require "smtp.gauntlet"
local mock = require "smtp.mock"
local smtp = require "smtp"

local function by_name(results)
  local all = {}
  for _, result in ipairs(results) do all[result.name] = result end
  return all
end

local function run(send, options)
  return by_name(mock.gauntlet(send, options))
end

-- A client that is right where nothing is odd, but for what `flaws` says: `quit`, `stuff`
-- and `lines` change what it sends.
local function talk(target, flaws)
  local d <close> = assert(smtp.dialogue(target.host .. ":" .. target.port,
    { timeout = target.timeout }))
  assert(d:expect(220))
  for _, line in ipairs { "EHLO client.code.energy", "MAIL FROM:<" .. target.from .. ">",
    "RCPT TO:<" .. target.to[1] .. ">" } do assert(d:cmd(line, "2xx")) end
  assert(d:cmd("DATA", 354))
  local text = flaws.stuff == false and target.raw or
    ("\n" .. target.raw):gsub("\n%.", "\n.."):sub(2)
  assert(d:raw((flaws.lines and text:gsub("\r\n", flaws.lines) or text) .. ".\r\n"))
  assert(d:expect(250))
  if flaws.quit ~= false then d:cmd("QUIT", 221) end
  return true
end

local function flawed(flaws)
  return function(target) return talk(target, flaws) end
end

describe("the list of the gauntlet", function()
  it("has names of its own, sections and expectations", function()
    local seen = {}
    assert.is_true(#gauntlet.behaviours >= 60)
    for _, one in ipairs(gauntlet.behaviours) do
      assert.is_nil(seen[one.name], one.name)
      seen[one.name] = true
      assert.matches("^[%l%d_]+$", one.name)
      assert.matches("^RFC %d+ section [%d.]+$", one.section)
      assert.is_true(#one.about > 0)
      assert.is_truthy(({ delivered = 1, refused = 1, either = 1 })[one.expected], one.name)
    end
  end)
end)

describe("a behaviour of the gauntlet", function()
  it("refuses the recipients that it says", function()
    local codes = { rcpt_550 = { 550 }, rcpt_450_one = { 250, 450 }, rcpt_452_more = { 250, 452 },
      rcpt_421_second = { 250, 421 } }
    for _, one in ipairs(gauntlet.behaviours) do
      local expected = codes[one.name]
      if expected then
        local options = { rules = one.rules }
        for key, value in pairs(one.options or {}) do options[key] = value end
        local mx <close> = assert(mock.start(options))
        local d <close> = assert(smtp.dialogue(mx.url, { timeout = 10 }))
        assert(d:expect(220))
        assert(d:cmd("EHLO x", 250))
        assert(d:cmd("MAIL FROM:<a@b.example>", 250))
        for i, code in ipairs(expected) do
          local to = one.target and one.target.to[i] or "c@d.example"
          assert.same({ one.name, code }, { one.name, d:cmd("RCPT TO:<" .. to .. ">").code })
        end
        codes[one.name] = nil
      end
    end
    assert.is_nil(next(codes))
  end)
end)

describe("our client in the gauntlet #slow", function()
  it("is right in every behaviour", function()
    local wrong, unused = {}, {}
    mock.gauntlet(clients.ours, { each = function(result)
      -- LOGIN has a rule for either way of giving the name.
      if result.expected == "delivered" and not result.name:find("^auth_login") then
        for _, rule in ipairs(result.unused) do unused[#unused + 1] = result.name .. " " .. rule end
      end
      if not result.right then
        wrong[#wrong + 1] = result.name .. ": " .. result.detail .. "\n" .. result.transcript
      end
    end })
    assert.equal("", table.concat(wrong, "\n"))
    assert.equal("", table.concat(unused, "\n")) -- else "right" would say nothing
  end)
end)

describe("a bad client in the gauntlet", function()
  local both = { "plain", "mail_bare" }

  it("is not there: one without a flaw passes", function()
    local results = run(flawed {}, { only = { "plain", "mail_bare", "final_421", "final_lost" } })
    for name, result in pairs(results) do assert.is_true(result.right, name .. result.detail) end
    assert.equal("delivered", results.plain.got)
    assert.equal("refused", results.final_421.got)
    assert.equal("accepted, not claimed", results.final_lost.got)
    assert.matches("^raised ", results.final_421.said)
  end)

  it("is caught everywhere when it claims success and does nothing", function()
    local results = gauntlet.run(function() return true end)
    assert.equal(#gauntlet.behaviours, #results)
    for _, result in ipairs(results) do
      assert.is_false(result.right, result.name)
      assert.equal("claimed, not accepted", result.got)
    end
  end)

  it("is caught when it claims success whatever comes of it", function()
    local results = run(function(target)
      pcall(talk, target, {})
      return true
    end, { only = { "plain", "data_451", "final_421", "final_lost" } })
    assert.is_true(results.plain.right)
    assert.equal("claims success, and nothing was accepted", results.final_421.detail)
    assert.is_false(results.data_451.right)
    assert.equal("claims success without a reply that says so", results.final_lost.detail)
  end)

  it("is caught when it sends, and does not know", function()
    local results = run(function(target)
      talk(target, {})
      return false, "no idea"
    end, { only = "plain" })
    assert.equal("accepted, not claimed", results.plain.got)
    assert.equal("no idea", results.plain.said)
    assert.is_false(results.plain.right)
  end)

  it("is caught without QUIT if a behaviour needs it", function()
    local results = run(flawed { quit = false }, { only = both })
    assert.equal("no_quit (RFC 5321 section 4.1.1.10)", results.plain.detail)
    assert.is_true(results.mail_bare.right)
  end)

  it("is caught when it ends lines with LF", function()
    local results = run(flawed { lines = "\n" }, { only = both })
    for _, result in pairs(results) do
      assert.is_false(result.right)
      assert.is_not.equal("delivered", result.got)
    end
  end)

  it("is caught when it does not double dots", function()
    local results = run(flawed { stuff = false }, { only = { "plain", "content_dots" } })
    assert.is_false(results.plain.right)
    assert.is_false(results.content_dots.right)
  end)

  it("is caught when it hangs, and cut off", function()
    local results = run(function(target)
      target.timeout = 60
      return talk(target, {})
    end, { only = "greeting_hang", limit = 0.1 })
    assert.matches("^took 1%.%d s$", results.greeting_hang.detail)
  end)

  it("is caught with a password in clear text", function()
    local results = run(function(target)
      local d <close> = assert(smtp.dialogue(target.host .. ":" .. target.port))
      assert(d:expect(220))
      assert(d:cmd("EHLO client.code.energy", 250))
      assert(d:cmd("AUTH PLAIN AGFkYQBzZWNyZXQ=", 235))
    end, { only = { "starttls_stripped", "starttls_stripped_auth" } })
    for _, result in pairs(results) do
      assert.matches("the password went out in clear text", result.detail, 1, true)
    end
  end)
end)

describe("the options of the gauntlet", function()
  local function nothing() return false end

  it("leave out what the client lacks", function()
    local names = run(nothing, { lacks = { "tls" } })
    assert.is_nil(names.starttls_good)
    assert.is_nil(names.auth_plain)
    assert.is_truthy(names.plain)
  end)

  it("are checked", function()
    assert.error_matches(function() mock.gauntlet(nothing, { only = "nothing_such" }) end,
      'there is no behaviour "nothing_such"')
    assert.error_matches(function() mock.gauntlet(nothing, { onyl = "plain" }) end, "onyl")
    assert.error_matches(function() mock.gauntlet(nil) end, "a function that sends")
  end)

  it("tell of each result as it comes", function()
    local names = {}
    local results = gauntlet.run(flawed {}, { only = { "final_bare", "plain" },
      each = function(result) names[#names + 1] = result.name end })
    assert.same({ "plain", "final_bare" }, names)
    assert.equal(2, #results)
    assert.matches("C: EHLO client.code.energy", results[1].transcript, 1, true)
  end)
end)
