-- SPDX-License-Identifier: MIT
-- Extensions of ESMTP with Exim: our client to it, and it to our server.
local contents = require "spec.support.contents"
local esmtp = require "spec.support.esmtp"
local exim = require "spec.support.exim"
local smtp = require "smtp"

local missing = exim.missing()

-- Differences of its reports from RFC 3464: xtext stays encoded, a failure has no
-- Original-Recipient, and a message for another MTA is "delivered".
local QUIRKS = { xtext = true, forgets = true, relayed = "delivered" }

-- The name that a reply gives to a message.
local function id_of(text)
  return text:match("OK id=(%S+)$")
end

-- Its log says so of what was sent.
local function pipelined(mx)
  return mx:log():match("=> [^\n]* L [^\n]*\n")
end

local function start(port)
  local mx = exim.start(port)
  mx.id_of, mx.pipelined, mx.quirks = id_of, pipelined, QUIRKS
  return mx
end

describe("the client at Exim, with extensions,", function()
  if missing then
    pending(missing)
    return
  end

  local mx

  setup(function() mx = start() end)
  teardown(function() if mx then mx:close() end end)
  before_each(function()
    mx:drained()
    os.execute("rm -rf " .. mx.folder .. "/mail/*")
  end)

  for _, case in ipairs(esmtp.client) do
    it(case.name, function() case.run(mx) end)
  end

  for _, disable in ipairs { {}, { CHUNKING = true } } do
    it("hears of each recipient by PRDR, " .. (next(disable) and "without" or "with")
      .. " chunks", function()
      local client <close> = assert(smtp.connect { url = mx.url, disable = disable })
      local to = { "ada@example.com", "dora@example.com", "bob@example.com" }
      local content = contents.HEADER .. "not for dora\r\n"
      local receipt = assert(client:send(esmtp.message(content, to)))
      assert.same({ "ada@example.com", "bob@example.com" }, receipt.accepted)
      assert.equal(1, #receipt.rejected)
      local dora = receipt.rejected[1]
      assert.same({ "dora@example.com", 550, "dora does not want it", false },
        { dora.address, dora.code, dora.text, dora.temporary })
      assert.matches("^id=%S+ message accepted for some recipients$", receipt.text)
      mx:mails("bob", 1)
      mx:drained()
      assert.same({ 1, 1, 0 }, { mx:count("ada"), mx:count("bob"), mx:count("dora") })

      local err
      receipt, err = client:send(esmtp.message(content,
        { "dora@example.com", "charles@example.com" }))
      assert.same({ "charles@example.com" }, receipt and receipt.accepted, tostring(err))
    end)
  end
end)

describe("Exim as a client, with extensions,", function()
  if missing then
    pending(missing)
    return
  end

  for _, case in ipairs(esmtp.server) do
    it(case.name, function() case.run(start) end)
  end

  -- A message for three, to a server whose commands are kept.
  local function relay(options, judge)
    local commands = {}
    options.on_event = function(event)
      if event.type == "command" then commands[#commands + 1] = event.text end
    end
    local server <close>, told = esmtp.open(options, judge)
    local mx <close> = start(server.port)
    local content = contents.HEADER .. contents.text(3000000)
    local message = esmtp.message(content, { "ada@relay.example", "bob@relay.example",
      "charles@relay.example" })
    message.envelope.from = "bob@example.com" -- who can be told
    assert(smtp.send(mx.url, message))
    mx.process:await(function() return told[1] end, 30)
    mx:drained()
    assert.is_true(told[1].content:sub(-#content) == content)
    assert.equal(3, #told[1].recipients)
    return table.concat(commands), mx:log(), server:stats().messages
  end

  it("sends chunks", function()
    local commands, log, messages = relay {}
    assert.truthy(commands:find("\nBDAT %d+ LAST\r\n"), commands)
    assert.is_nil(commands:find("\nDATA\r\n"))
    assert.equal(1, messages)
    assert.truthy(log:find("=> [^\n]* K [^\n]*\n"), log)
  end)

  for extensions, verb in pairs { [{ PRDR = true }] = "BDAT",
    [{ PRDR = true, CHUNKING = false }] = "DATA" } do
    it("C122 hears of each recipient by PRDR, with " .. verb, function()
      local commands, log, messages = relay({ extensions = extensions },
        function(message)
          for _, recipient in ipairs(message.recipients) do
            if recipient.user == "bob" then message:reply(recipient, 550, "5.7.1 not for bob") end
          end
        end)
      assert.truthy(commands:find("\nMAIL FROM:[^\n]* PRDR"), commands)
      assert.truthy(commands:find("\n" .. verb), commands)
      assert.equal(1, messages)
      assert.truthy(log:find("=> ada@relay.example", 1, true), log)
      assert.truthy(log:find("%*%* bob@relay%.example[^\n]* 550 5%.7%.1 not for bob\n"), log)
      assert.truthy(log:find("-> charles@relay.example", 1, true), log)
    end)
  end
end)
