-- SPDX-License-Identifier: MIT
-- Time grows no faster than what is read or composed: work that is counted, at n, 2n and
-- 4n (spec/support/work.lua says what work is).
local net = require "spec.support.net"
local patterns = require "spec.support.patterns"

local LIBRARY = "build/steps/smtp/core.so"

-- Twice the size costs twice as much more, and what is there at any size falls out of the
-- difference: it is n and 2n where work is linear, 3n^2 and 12n^2 where it is quadratic. A
-- limit that is met between n and 2n makes a step that is no growth.
local SLACK = { instructions = 5000, blocks = 2000, bytes = 150000 }
local FACTOR = { instructions = 4, blocks = 4, bytes = 5 } -- buffers grow by doubling
local function grows(kind, first, second, fourth)
  if not fourth then return true end -- it was given up
  return fourth - second > 3 * (second - first) + SLACK[kind] and fourth > FACTOR[kind] * first
end

describe("work", function()
  it("is counted by patterns that do what those of C do", function()
    local texts = { "", "a", "  a b  ", "Ada <ada@code.energy>", "a=b; c = d;", "((x)y)", "[[a]]",
      '"q\\"" z', "\0\1\xff", "aXbXc", "--x--", "12:34:56 +0100", "=?u?q?a_b?=" }
    for _, p in ipairs { "a", "^a", "a$", "^$", "", ".", "%s*", "^%s*(.-)%s*$", "(%a+)", "()",
      "(a)()", "[^<>]*<([^<>]*)>", "%b()", "%b[]", "%f[%w]%w+", "(.)%1", "[%w_-]+", "[]]", "[^]]",
      "[a-c%d]+",
      "(%d%d?):(%d%d)", "^(%a)(.*)$", "x?X", "%.", "[\x80-\xff]", "(%w)=(%w)", ".-;", "%z", "$",
      "[%s()<>]" } do
      for _, text in ipairs(texts) do
        for init = -3, 4 do
          assert.same({ text:find(p, init) }, { patterns.find(text, p, init) }, p .. " " .. text)
          assert.same({ text:match(p, init) }, { patterns.match(text, p, init) }, p .. " " .. text)
        end
        assert.same({ text:find(p, 1, true) }, { patterns.find(text, p, 1, true) })
        for _, repl in ipairs { "", "<%0>", "%%%1", { a = "b" }, string.upper } do
          assert.same({ pcall(string.gsub, text, p, repl) },
            { pcall(patterns.gsub, text, p, repl) }, p .. " " .. text)
        end
        if p:sub(1, 1) ~= "^" then
          local want, got = {}, {}
          for a, b in text:gmatch(p) do want[#want + 1] = { a, b } end
          for a, b in patterns.gmatch(text, p) do got[#got + 1] = { a, b } end
          assert.same(want, got, p .. " " .. text)
        end
      end
    end
  end)

  it("is linear in what is read and composed #slow", function()
    local made = io.popen("MAKEFLAGS= make -s " .. LIBRARY .. " 2>&1")
    local said = made:read("a")
    assert.is_true(made:close(), said)
    local child = io.popen(("LUA_CPATH='build/steps/?.so;;' %s spec/support/work.lua %s 2>&1")
      :format(net.interpreter(), LIBRARY))
    local faults, count = {}, 0
    for line in child:lines() do
      local name, kind, first, second, fourth = line:match("^(.*)\t(%a+)\t(%w+)\t(%w+)\t(%w+)$")
      assert.is_not_nil(name, line)
      count = count + 1
      if grows(kind, tonumber(first), tonumber(second), tonumber(fourth)) then
        faults[#faults + 1] = ("%s: %s %s, %s, %s"):format(name, kind, first, second, fourth)
      end
    end
    assert.is_true(child:close())
    assert.is_true(count > 1000, "too few cases: " .. count)
    assert.equal("", table.concat(faults, "\n"))
  end)
end)
