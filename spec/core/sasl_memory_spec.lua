-- SPDX-License-Identifier: MIT
-- Whole exchanges in which each allocation, or each call of the cryptography,
-- fails once; inputs that end at a guard page; secrets that are wiped.
local probe = require "probe"
local sasl = require "spec.support.sasl"

local SECRET = "correct-horse-battery"
local mechanisms = { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS",
  "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "XOAUTH2", "OAUTHBEARER", "EXTERNAL" }

-- Frees both, whatever became of them.
local function free(...)
  for _, s in ipairs { ... } do probe.sasl_free(s) end
end

-- Runs an exchange up to its first failure: "done" and whether the client is
-- complete, or nil and the error. alter(i, message) may change the i-th.
local function exchange(mechanism, alter, refused)
  local client, why = probe.sasl_new(mechanism, false, SECRET)
  if not client then return nil, why end
  local server
  server, why = probe.sasl_new(mechanism, true)
  if not server then
    free(client)
    return nil, why
  end
  local count = 0
  local function pass(message)
    count = count + 1
    return alter and alter(count, message) or message
  end
  local function run()
    local message, problem = probe.sasl_first(client)
    if message == nil then return nil, problem end
    local what, out
    if not message then
      out, problem = probe.sasl_first(server)
      if not out then return nil, problem end
      what, message = probe.sasl_next(client, pass(out))
      if not what then return nil, message end
    end
    local told
    repeat
      what, out = probe.sasl_next(server, pass(message))
      if what == "lookup" then what, out = probe.sasl_lookup(server, SECRET) end
      if what == "done" and refused and not told then
        told = true
        what, out = probe.sasl_refuse(server)
        if what == "done" then return nil, "EAUTH" end
      end
      if what == "continue" then
        what, message = probe.sasl_next(client, pass(out))
        if not what then return nil, message end
      elseif not what then
        return nil, out
      end
    until what == "done"
    return what, (probe.sasl_state(client))
  end
  local what, problem = run()
  local _, verified = probe.sasl_state(server)
  assert(what or refused or not verified)
  free(client, server)
  return what, problem
end

-- The live blocks after all garbage is collected, also that of other specs.
local function settled()
  collectgarbage()
  collectgarbage()
  return probe.live()
end

for _, mechanism in ipairs(mechanisms) do
  describe(mechanism .. " with little memory", function()
    after_each(function()
      probe.fail_at()
      probe.sasl_crypto_fail_at()
      probe.watch()
    end)

    it("ends as it should with enough", function()
      local before = settled()
      assert.same({ "done", true }, { exchange(mechanism) })
      assert.same({ nil, "EAUTH" }, { exchange(mechanism, nil, true) })
      assert.equal(before, probe.live())
    end)

    it("fails once for each allocation, and loses nothing", function()
      for _, refused in ipairs { false, true } do
        local before, n = settled(), 0
        local what, problem
        repeat
          n = n + 1
          assert.is_true(n < 100)
          probe.fail_at(n)
          what, problem = exchange(mechanism, nil, refused)
          probe.fail_at()
          assert.equal(before, probe.live(), "allocation " .. n)
          assert.is_true(what == "done" or problem == "ENOMEM" or problem == "EAUTH")
        until problem ~= "ENOMEM"
        assert.is_true(n > 3)
      end
    end)

    it("fails once for each call of the cryptography", function()
      local before, n = settled(), 0
      local what, problem
      repeat
        n = n + 1
        assert.is_true(n < 100)
        probe.sasl_crypto_fail_at(n)
        what, problem = exchange(mechanism)
        assert.equal(before, probe.live())
        assert.is_true(what == "done" or problem == "ECRYPTO", problem)
      until what
      if mechanism:find("SCRAM", 1, true) then assert.is_true(n > 10) end
    end)

    it("wipes the secret", function()
      probe.watch(SECRET)
      exchange(mechanism)
      exchange(mechanism, nil, true)
      exchange(mechanism, function(_, message) return message .. "\0" end)
      for n = 1, 30 do
        probe.fail_at(n)
        exchange(mechanism)
        probe.fail_at()
      end
      assert.equal(0, probe.unwiped())
    end)

    it("stays within each message, cut at every byte or changed", function()
      local messages = {}
      exchange(mechanism, function(i, message) messages[i] = message end)
      assert.is_true(#messages > 0)
      for i, message in ipairs(messages) do
        for _, each in ipairs { sasl.truncations, sasl.flips } do
          for text in each(message) do
            local what = exchange(mechanism, function(k) return k == i and text or nil end)
            -- A name or a token may be another; what is proved may not.
            if mechanism:find("SCRAM", 1, true) then
              assert.is_nil(what, message .. " -> " .. text)
            end
          end
        end
      end
    end)
  end)
end

describe("probe.watch", function()
  it("finds what was not wiped", function()
    probe.watch("hunter2")
    local b = probe.buf_new()
    probe.buf_append(b, "hunter2")
    probe.buf_clear(b)
    assert.equal(1, probe.unwiped())
    probe.watch()
  end)
end)
