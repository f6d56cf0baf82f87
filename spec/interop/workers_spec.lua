-- SPDX-License-Identifier: MIT
-- Workers are killed at random under load: of what was answered 250, nothing is lost.
local kill_test = require "spec.support.kill_test"
local process = require "spec.support.process"

describe("workers that are killed at random", function()
  local missing = kill_test.missing or process.missing("smtp-source")
  if missing then
    pending(missing)
    return
  end

  it("lose no accepted message, while smtp-source sends as well", function()
    kill_test.run(function(port)
      return process.start({ "smtp-source", "-s", 10, "-m", 100000, "-l", 512, "-t",
        "bob@example.com", "inet:127.0.0.1:" .. port }, { time = 30 })
    end)
  end)
end)
