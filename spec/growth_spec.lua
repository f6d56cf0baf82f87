-- SPDX-License-Identifier: MIT
-- Nothing is left behind by what is done over and over: no memory that C has taken, no
-- descriptor. Each scene of spec/support/growth.lua is a process of its own.
local process = require "spec.support.process"

-- How often, and the bytes that a round may leave: the smallest block of malloc has 32. With
-- a server here some kilobytes come and go by themselves; LeakSanitizer sees less.
local SCENES = {
  parse = { 100, 24 }, compose = { 100, 24 }, dkim = { 25, 24 }, authority = { 25, 24 },
  mock = { 25, 24 }, session = { 100, 250 }, dialogue = { 150, 250 }, names = { 150, 250 },
}

-- glibc keeps freed blocks for each thread; these would count as memory in use.
local ENV = { GLIBC_TUNABLES = "glibc.malloc.tcache_count=0" }

describe("what is done over and over", function()
  local missing = process.missing()
  if missing then
    pending(missing)
    return
  end

  -- Bytes that a round leaves, and descriptors that all have left; nil: it cannot be told.
  local function growth(scene, rounds)
    local one <close> = process.lua({ "spec/support/growth.lua", scene, rounds },
      { time = 200, env = ENV })
    local status, out, err = one:wait()
    assert.equal(0, status, out .. err)
    if out == "cannot run here\n" then return nil end
    local bytes, descriptors = out:match("^(%S+) (%S+)\n$")
    assert.truthy(bytes, out .. err)
    return tonumber(bytes), tonumber(descriptors)
  end

  for scene, one in pairs(SCENES) do
    it("leaves nothing behind: " .. scene, function()
      local rounds, limit = table.unpack(one)
      local bytes, descriptors = growth(scene, rounds)
      if not bytes then return pending("what malloc has given cannot be told here") end
      -- Many rounds share what is kept once; each has a leak of its own.
      for _ = 1, 2 do
        if bytes < limit then break end
        rounds = 3 * rounds
        bytes, descriptors = growth(scene, rounds)
      end
      assert.is_true(bytes < limit, ("%.1f bytes a round"):format(bytes))
      assert.is_true(descriptors <= 0, descriptors .. " descriptors")
    end)
  end
end)
