-- SPDX-License-Identifier: MIT
-- Postfix's load generator against our server: no message is lost and none
-- comes twice.
local inbox = require "spec.support.inbox"
local process = require "spec.support.process"

local missing = process.missing("smtp-source")

local SESSIONS, MESSAGES = 100, 10000

describe("smtp-source as a client of the server", function()
  if missing then
    pending(missing)
    return
  end

  -- Each message is known by its Message-Id and by its numbered recipient.
  local function count(options)
    local seen, recipients, sizes = {}, {}, {}
    local total, doubled = 0, 0
    local most, now = 0, 0
    local server <close> = inbox.open {
      on_event = function(event)
        if event.type == "connect" then now = now + 1 end
        if event.type == "close" then now = now - 1 end
        most = math.max(most, now)
      end,
      on_message = function(_, message)
        local content = message:read()
        local id = content:match("\r\nMessage%-Id: (<[^>]+>)\r\n")
        local to = message.recipients[1].address
        if not id or seen[id] or recipients[to] then doubled = doubled + 1 end
        seen[id or total], recipients[to] = true, true
        sizes[#select(2, inbox.split(content))] = true
        total = total + 1
        return true
      end,
    }
    local words = { "smtp-source", "-s", SESSIONS, "-m", MESSAGES, "-l", 512, "-N",
      "-M", "client.example.org", "-f", "ada@example.org", "-t", "bob@example.com" }
    for _, option in ipairs(options) do words[#words + 1] = option end
    words[#words + 1] = "inet:127.0.0.1:" .. server.port
    local one <close> = process.start(words, { time = 180 })
    local status, out, err = one:wait()
    assert.equal(0, status, out .. err)
    assert.equal(MESSAGES, total)
    assert.equal(0, doubled)
    assert.is_true(most > 1)
    local stats = server:stats()
    assert.equal(MESSAGES, stats.messages)
    return stats.accepted, sizes
  end

  it("sends 10000 messages over 100 connections that are kept", function()
    local accepted, sizes = count { "-d" }
    assert.equal(SESSIONS, accepted)
    local size = next(sizes)
    assert.is_nil(next(sizes, size)) -- all are of one length
    assert.is_true(size >= 512 and size < 600)
  end)

  it("sends 10000 messages, each over a connection of its own", function()
    local accepted = count {}
    assert.equal(MESSAGES, accepted)
  end)
end)
