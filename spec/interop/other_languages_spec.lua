-- SPDX-License-Identifier: MIT
-- The examples for other languages, each under `lua-smtp mock run` as its first lines say.
local cli = require "spec.support.cli"
local process = require "spec.support.process"

local FOLDER = "examples/other_languages/"

describe("examples of other languages", function()
  local missing = cli.missing()
  if missing then
    pending(missing)
    return
  end

  -- Runs a command with the mock of the examples: status, and all that was printed.
  local function mock_run(options, words)
    local all = { "mock", "run", "--rules", FOLDER .. "rules.json", "--expect", "1" }
    table.move(options, 1, #options, #all + 1, all)
    all[#all + 1] = "--"
    table.move(words, 1, #words, #all + 1, all)
    local status, out, err = cli.run(all, { time = 60, env = {
      NODE_PATH = "build/bench/npm/node_modules:build/gauntlet/node_modules:/usr/share/nodejs",
    } })
    return status, out .. err
  end

  describe("pytest", function()
    local python, none = process.python("pytest")
    if none then
      pending(none)
      return
    end

    it("tests a program that sends mail", function()
      local status, text = mock_run({ "--strict" }, { python, "-B", "-m", "pytest", "-p",
        "no:cacheprovider", FOLDER .. "test_mail.py" })
      assert.equal(0, status, text)
      assert.matches("2 passed", text)
      assert.matches("mail 1 from <ada@code.energy> to bob@example.org: Welcome", text)
    end)

    it("fails if the mock does not behave", function()
      local status, text = mock_run({ "--quirk", "greylist" }, { python, "-B", "-m", "pytest", "-p",
        "no:cacheprovider", FOLDER .. "test_mail.py" })
      assert.equal(1, status, text)
      assert.matches("1 mail expected, 0 came", text)
    end)
  end)

  describe("node:test", function()
    local none = process.missing("node")
    if none then
      pending(none)
      return
    end

    it("tests what sends mail, or skips it without nodemailer", function()
      local status, text = mock_run({}, { "node", "--test", FOLDER .. "mail.test.js" })
      if text:find("# SKIP", 1, true) then
        pending("nodemailer is not here")
        return
      end
      assert.equal(0, status, text)
      assert.matches("pass 2", text)
      assert.matches("mock: 1 mail, 0 refused, in 2 sessions", text)
    end)
  end)
end)
