-- AUTH does not show whether a user exists.
local core = require "smtp.core"
local serve = require "spec.support.serve"

describe("a user who is not there", function()
  -- The salt that SCRAM gets, and the server's part of the nonce.
  local function challenge(server, user)
    local client <close> = serve.connect(server)
    assert.matches("^220", client:reply())
    assert.matches("^250", client:cmd("EHLO x"))
    local reply = client:cmd("AUTH SCRAM-SHA-256 " .. core.base64(
      ("n,,n=%s,r=abcdefghijklmnopqrstuvwx"):format(user)))
    local text = core.unbase64(assert(reply:match("^334 (%S+)$"), reply))
    return text:match("s=([^,]+)"), text:match("^r=abcdefghijklmnopqrstuvwx([^,]+)")
  end

  local function start()
    return serve.start { auth = { cleartext = true, mechanisms = { "SCRAM-SHA-256" },
      lookup = function() end } }
  end

  it("has a salt that is always the same, and that nobody can tell beforehand", function()
    local one <close> = start()
    local two <close> = start()
    local salt, nonce = challenge(one, "eve")
    local again, other = challenge(one, "eve")
    assert.equal(salt, again)
    assert.not_equal(nonce, other)
    assert.not_equal(salt, (challenge(one, "mallory")))
    assert.not_equal(salt, (challenge(two, "eve"))) -- each server has a secret of its own
    assert.equal(#core.unbase64(salt), #core.unbase64((challenge(two, "eve"))))
  end)
end)
