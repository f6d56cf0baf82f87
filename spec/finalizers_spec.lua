-- SPDX-License-Identifier: MIT
-- An object of each class of the core that is collected: what a finalizer raises nobody
-- hears but warn(), and what it should have freed stays.
local net = require "spec.support.net"

describe("objects of the core", function()
  it("are collected without a warning", function()
    local folder = net.folder()
    local status, output = net.run(([[
      warn("@on")
      local authority, core = require "smtp.authority", require "smtp.core"
      local keys = require "spec.support.dkim"
      local mock, smtp = require "smtp.mock", require "smtp"
      local leaf = assert(authority.self_signed())
      local context = core.tls_context { server = true, cert = leaf.cert, key = leaf.key }
      local engine, listener = context:engine(), core.listen { host = "127.0.0.1", port = 0 }
      local _, port = listener:name()
      local kept = { context, engine, listener, core.resolve("127.0.0.1", 25), core.poller(),
        core.spool(%q .. "/a"), core.replies(), core.base64_encoder(), core.server_config {},
        core.sasl_server and true, core.server_config {}:session(
          core.connect { host = "127.0.0.1", port = port }) }
      kept[#kept + 1] = smtp.parse("Content-Type: a/b; c=d\n\nx").content
      kept[#kept + 1] = smtp.connect("smtp://127.0.0.1:1")
      local mx = mock.start { tls = true, rules = { { on = "NOOP", reply = "250 x" } } }
      local again = mock.start { driver = "loop" }
      kept[#kept + 1] = smtp.send({ url = mx.url, ca = mx.ca_file },
        { from = "a@b.example", to = "c@d.example", text = "x" })
      if not keys.missing then
        kept[#kept + 1] = smtp.dkim { domain = "example.com", selector = "x",
          key = keys.key("ed25519").pem }
      end
      mx:stop()
      again:stop()
      kept, mx, again, context, engine, listener = nil, nil, nil, nil, nil, nil
      collectgarbage()
      collectgarbage()
      print("done")
    ]]):format(folder))
    net.remove(folder)
    assert.same({ 0, "done\n" }, { status, output })
  end)
end)
