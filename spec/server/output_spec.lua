-- Replies that a client does not read yet: they wait, and go out as it reads.
local loop = require "smtp.loop"
local net = require "spec.support.net"
local serve = require "spec.support.serve"

describe("replies that nobody reads", function()
  -- A Unix socket holds some hundred kilobytes, and the replies to commands that come by
  -- one read are far more: what is left has to go out without another command.
  it("go out once the client reads, though it sends nothing more", function()
    local folder = net.folder()
    local line = ("x"):rep(400)
    local server <close> = serve.start { listen = "unix:" .. folder .. "/s",
      limits = { recipients = 500 },
      on_rcpt = function() return 250, (line .. "\n"):rep(7) .. line end }
    local client <close> = serve.connect(server)
    assert.matches("^220", client:reply())
    assert.matches("^250", client:cmd("EHLO x"))
    assert.matches("^250", client:cmd("MAIL FROM:<a@b>"))
    client:send(("RCPT TO:<a@b>\r\n"):rep(200))
    for _ = 1, 300 do loop.step(0) end -- the server does all it can
    local expected = ("250-2.1.5 " .. line .. "\r\n"):rep(7) .. "250 2.1.5 " .. line
    for _ = 1, 200 do assert.equal(expected, client:reply()) end
    assert.matches("^221", client:cmd("QUIT"))
    net.remove(folder)
  end)
end)
