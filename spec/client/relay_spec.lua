-- A gateway and its next hop, content that needs chunks, and the user's own parameters.
local authority = require "smtp.authority"
local scripted = require "spec.support.scripted"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local script, hello = scripted.script, scripted.hello

local TAIL = { "C DATA", "S 354 go", "BODY", "S 250 kept", "C QUIT", "S 221 bye" }

-- A gateway that passes each message on to `target`, and what came of the last one.
local function gateway(target, options)
  local last = {}
  local all = { on_rcpt = true, extensions = { DSN = true, DELIVERBY = true, BINARYMIME = true,
    REQUIRETLS = true, ["MT-PRIORITY"] = true }, on_message = function(_, message)
      last.receipt, last.err = smtp.send(target, message)
      return last.receipt ~= nil
    end }
  for key, value in pairs(options or {}) do all[key] = value end
  return serve.start(all), last
end

local function hand_over(server, mail, rcpt, content, tls)
  local client <close> = assert(smtp.connect { url = "smtp://127.0.0.1:" .. server.port,
    tls = tls and "required" or "none", ca = tls })
  assert(client:mail("a@b.example", mail))
  assert(client:rcpt("c@d.example", rcpt))
  return client:data(content or "x\r\n")
end

describe("a gateway", function()
  it("C077 C135 passes the parameters of DSN, BY and MT-PRIORITY on", function()
    local server <close> = scripted.server(script(hello("DSN", "DELIVERBY", "MT-PRIORITY"),
      "* MAIL", "* RCPT", TAIL))
    local between <close>, last = gateway(server.url)
    assert(hand_over(between, { ret = "HDRS", envid = "id+1", priority = -3,
      by = { seconds = 3000, mode = "return", trace = true } },
      { notify = { "SUCCESS", "FAILURE" }, orcpt = "x@y" }))
    assert.is_nil(server:done())
    local seconds = server.lines[2]:match(
      "^MAIL FROM:<a@b.example> RET=HDRS ENVID=id%+2B1 BY=(%d+);RT MT%-PRIORITY=%-3$")
    assert.is_true(tonumber(seconds) <= 3000 and tonumber(seconds) > 2900) -- C155
    assert.equal("RCPT TO:<c@d.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x@y", server.lines[3])
    assert.is_nil(last.receipt.relayed)
  end)

  it("C077 tells whose success the next hop will not report", function()
    local server <close> = scripted.server(script(hello(), "C MAIL FROM:<a@b.example>", "S 250 ok",
      "C RCPT TO:<c@d.example>", "S 250 ok", TAIL))
    local between <close>, last = gateway(server.url)
    assert(hand_over(between, { ret = "FULL", by = { seconds = 300, mode = "notify" } },
      { notify = { "SUCCESS" }, orcpt = "x@y" }))
    assert.is_nil(server:done())
    assert.same({ "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>" },
      { server.lines[2], server.lines[3] })
    assert.same({ "c@d.example" }, last.receipt.relayed)
  end)

  it("C155 gives back what would come too late, or asks of a hop that cannot be asked", function()
    local server <close> = scripted.server { script(hello("DELIVERBY"), "C QUIT", "S 221 bye"),
      script(hello(), "C QUIT", "S 221 bye") }
    local between <close>, last = gateway(server.url)
    for _, case in ipairs { { 1, "invalid" }, { 100, "unsupported" } } do
      local client <close> = assert(smtp.connect("smtp://127.0.0.1:" .. between.port))
      assert(client:mail("a@b.example", { by = { seconds = case[1], mode = "return" } }))
      assert(client:rcpt("c@d.example"))
      local reply = client:data(function() -- the second is over when the content is
        if case[1] == 1 and not case.given then
          case.given = true
          smtp.sleep(0.01)
          return "x\r\n"
        end
      end)
      assert.is_nil(reply)
      assert.equal(case[2], last.err.kind)
    end
    assert.is_nil(server:done())
  end)

  it("C116 C154 keeps REQUIRETLS, and gives back what the next hop cannot keep", function()
    local root = assert(authority.new())
    local leaf = assert(root:issue { names = { "localhost" }, addresses = { "127.0.0.1" } })
    local seen
    local function final_takes(_, message)
      seen = message.sender.requiretls
      message:skip()
      return true
    end
    local final <close> = serve.start { extensions = { REQUIRETLS = true }, on_rcpt = true,
      tls = { cert = leaf.cert, key = leaf.key }, on_message = final_takes }
    local plain <close> = serve.start { on_rcpt = true, tls = { cert = leaf.cert, key = leaf.key } }
    local mailboxes <close> = serve.start { lmtp = true, extensions = { REQUIRETLS = true },
      on_rcpt = true, tls = { cert = leaf.cert, key = leaf.key }, on_message = final_takes }
    for _, case in ipairs { { final, true }, { plain, nil }, { mailboxes, true, "lmtp" } } do
      local between <close>, last = gateway({
        url = (case[3] or "smtp") .. "://127.0.0.1:" .. case[1].port,
        tls = "required", ca = root.certificate }, { tls = { cert = leaf.cert, key = leaf.key } })
      seen = nil
      local reply = hand_over(between, { requiretls = true }, nil, nil, root.certificate)
      assert.equal(case[2], seen)
      assert.equal(case[2], reply and true)
      if last.err then
        assert.same({ "unsupported", "5.7.30" }, { last.err.kind, last.err.enhanced })
      end
    end
  end)
end)

describe("binary content", function()
  local binary = "a\nb\r\0\xff." .. ("\n.\r"):rep(30000)

  it("C064 goes by chunks, no byte of it changed, through a gateway too", function()
    local kept, body
    local final <close> = serve.start { on_rcpt = true, extensions = { BINARYMIME = true },
      on_message = function(_, message)
        kept, body = message:read(), message.sender.body
        return true
      end }
    local between <close> = gateway("smtp://127.0.0.1:" .. final.port)
    for _, disable in ipairs { {}, { PIPELINING = true } } do
      kept = nil
      local receipt = assert(smtp.send({ url = "smtp://127.0.0.1:" .. between.port,
        disable = disable }, { envelope = { from = "a@b.example", to = "c@d.example" },
        raw = binary, mail = { body = "BINARYMIME" } }))
      assert.is_true(receipt.used.chunking)
      assert.is_true(kept:sub(-#binary) == binary)
      assert.matches("^Received: [^\n]+\r\n\t[^\n]+\r\n\t[^\n]+\r\n\t[^\n]+\r\n$",
        kept:sub(1, -#binary - 1))
      assert.equal("BINARYMIME", body)
    end
  end)

  it("is an error where the server takes none", function()
    for _, offer in ipairs { hello("CHUNKING", "8BITMIME", "PIPELINING"),
      hello("BINARYMIME", "8BITMIME") } do
      local server <close> = scripted.server(script(offer, "C QUIT", "S 221 bye"))
      local receipt, err = smtp.send(server.url, { envelope = { from = "a@b.example",
        to = "c@d.example" }, raw = binary, mail = { body = "BINARYMIME" } })
      assert.is_nil(receipt)
      assert.same({ "unsupported", "mail", "not_sent" }, { err.kind, err.stage, err.outcome })
      assert.is_nil(server:done())
    end
  end)
end)

describe("parameters of one's own", function()
  local extensions = { XADA = { mail = { "XID" }, rcpt = { "XTO" } } }

  it("go out where their keyword is offered, and are an error where not", function()
    local server <close> = scripted.server { script(hello("XADA"),
      "* MAIL FROM:<a@b.example> XID=1", "* RCPT TO:<c@d.example> XTO", TAIL),
      script(hello("XOTHER"), "C QUIT", "S 221 bye") }
    local message = { raw = "x\r\n", mail = { params = { XID = "1" } }, envelope = {
      from = "a@b.example", to = { { address = "c@d.example" } } } }
    local client <close> = assert(smtp.connect { url = server.url, extensions = extensions })
    assert(client:mail("a@b.example", { params = { XID = "1" } }))
    assert(client:rcpt("c@d.example", { params = { XTO = true } }))
    assert(client:data("x\r\n"))
    client:quit()
    local receipt, err = smtp.send({ url = server.url, extensions = extensions }, message)
    assert.is_nil(receipt)
    assert.same({ "unsupported", "mail" }, { err.kind, err.stage })
    assert.is_nil(server:done())
  end)
end)

describe("LMTP of the client", function()
  local function lmtp(...)
    local lines = { "mx.example", ... }
    local steps = { "S 220 mx.example LMTP", "C LHLO" }
    for i, line in ipairs(lines) do
      steps[#steps + 1] = "S 250" .. (i < #lines and "-" or " ") .. line
    end
    return steps
  end

  local function send(server, to, content)
    return smtp.send({ url = server.url:gsub("^smtp", "lmtp") }, {
      envelope = { from = "a@b.example", to = to }, raw = content or "x\r\n" })
  end

  it("C122 says LHLO, and has a reply for each recipient that was accepted", function()
    local server <close> = scripted.server(script(lmtp("PIPELINING", "ENHANCEDSTATUSCODES"),
      "C MAIL", "C RCPT", "C RCPT", "C RCPT", "C DATA",
      { raw = "250 2.1.0 a\r\n250 2.1.5 b\r\n550 5.1.1 no\r\n250 2.1.5 c\r\n354 go\r\n" }, "BODY",
      { raw = "250 2.0.0 one\r\n452 4.2.2 full\r\n" }, "C QUIT", "S 221 bye"))
    local receipt = assert(send(server, { "b@b.example", "x@b.example", "c@b.example" }))
    assert.is_nil(server:done())
    assert.same({ "b@b.example" }, receipt.accepted)
    assert.same({ "x@b.example", 550, "c@b.example", 452, "4.2.2" }, {
      receipt.rejected[1].address, receipt.rejected[1].code, receipt.rejected[2].address,
      receipt.rejected[2].code, receipt.rejected[2].enhanced })
    assert.same({ "b@b.example", 250, "one" }, { receipt.replies[1].address,
      receipt.replies[1].code, receipt.replies[1].text })
    assert.equal("one", receipt.text)
  end)

  it("C063 has them for the last chunk", function()
    local server <close> = scripted.server(script(lmtp("PIPELINING", "CHUNKING"), "C MAIL",
      "C RCPT", "C RCPT", "C BDAT 3 LAST", "C x",
      { raw = "250 a\r\n250 b\r\n250 c\r\n250 1\r\n250 2\r\n" }, "C QUIT", "S 221 bye"))
    local receipt = assert(send(server, { "b@b.example", "c@b.example" }))
    assert.is_nil(server:done())
    assert.equal(2, #receipt.accepted)
    assert.same({ "1", "2" }, { receipt.replies[1].text, receipt.replies[2].text })
  end)

  it("fails where each was refused", function()
    local server <close> = scripted.server(script(lmtp("PIPELINING"), "C MAIL", "C RCPT", "C RCPT",
      "C DATA", { raw = "250 a\r\n250 b\r\n250 c\r\n354 go\r\n" }, "BODY",
      { raw = "552 1\r\n452 2\r\n" }, "C QUIT", "S 221 bye"))
    local receipt, err = send(server, { "b@b.example", "c@b.example" })
    assert.is_nil(receipt)
    assert.same({ "rejected", "final", 552, "not_sent" },
      { err.kind, err.stage, err.code, err.outcome })
    assert.equal(2, #err.rejected)
    assert.is_nil(server:done())
  end)

  it("C124 fails at RCPT where each was refused there, with a chunk in the same flight", function()
    local server <close> = scripted.server(script(lmtp("PIPELINING", "CHUNKING"), "C MAIL",
      "C RCPT", "C RCPT", "C BDAT 3 LAST", "C x",
      { raw = "250 a\r\n550 b\r\n551 c\r\n503 d\r\n" }, "C QUIT", "S 221 bye"))
    local receipt, err = send(server, { "b@b.example", "c@b.example" })
    assert.is_nil(receipt)
    assert.same({ "rejected", "rcpt", 550, "b@b.example", "not_sent" },
      { err.kind, err.stage, err.code, err.address, err.outcome })
    assert.equal(2, #err.rejected)
    assert.is_nil(server:done())
  end)

  it("tells who has it when the connection is lost between two replies", function()
    local server <close> = scripted.server(script(lmtp("PIPELINING"), "C MAIL", "C RCPT", "C RCPT",
      "C DATA", { raw = "250 a\r\n250 b\r\n250 c\r\n354 go\r\n" }, "BODY", "S 250 1", "CLOSE"))
    local receipt, err = send(server, { "b@b.example", "c@b.example" })
    assert.is_nil(receipt)
    assert.same({ "closed", "partial" }, { err.kind, err.outcome })
    assert.same({ "b@b.example" }, err.accepted)
  end)

  it("has no HELO to fall back to", function()
    local server <close> = scripted.server(script("S 220 mx", "C LHLO", "S 500 what", "C QUIT",
      "S 221 bye"))
    local receipt, err = send(server, "b@b.example")
    assert.is_nil(receipt)
    assert.same({ "rejected", "ehlo", 500 }, { err.kind, err.stage, err.code })
    assert.is_nil(server:done())
  end)

  it("gives all replies to who sends the commands one by one", function()
    local server <close> = scripted.server(script(lmtp(), "* MAIL", "* RCPT", "* RCPT", "C DATA",
      "S 354 go", "BODY", { raw = "250 1\r\n550 2\r\n" }, "* MAIL"))
    local client <close> = assert(smtp.connect((server.url:gsub("^smtp", "lmtp"))))
    assert(client:mail("a@b.example"))
    assert(client:rcpt("b@b.example"))
    assert(client:rcpt("c@b.example"))
    local reply = client:data("x\r\n")
    assert.same({ 250, 550 }, { reply.replies[1].code, reply.replies[2].code })
    assert(client:mail("a@b.example"))
    assert.is_nil(server:done())
  end)
end)

describe("PRDR of the client", function()
  local function send(replies, to, more)
    local steps = { "C MAIL FROM:<a@b.example> PRDR", "C RCPT", "C RCPT", "C DATA",
      { raw = "250 a\r\n250 b\r\n250 c\r\n354 go\r\n" }, "BODY", { raw = replies } }
    local server <close> = scripted.server(script(hello("PIPELINING", "PRDR"), steps, more or
      { "C QUIT", "S 221 bye" }))
    local receipt, err = smtp.send(server.url, { envelope = { from = "a@b.example",
      to = to or { "b@b.example", "c@b.example" } }, raw = "x\r\n" })
    assert.is_nil(server:done())
    return receipt, err
  end

  it("has a reply for each recipient, and one for all", function()
    local receipt = assert(send("353 each\r\n250 yes\r\n550 no\r\n250 kept\r\n"))
    assert.same({ "b@b.example" }, receipt.accepted)
    assert.same({ "c@b.example", 550 }, { receipt.rejected[1].address, receipt.rejected[1].code })
    assert.same({ "kept", "yes" }, { receipt.text, receipt.replies[1].text })
  end)

  it("takes one reply for all where the server says one", function()
    local receipt = assert(send("250 kept\r\n"))
    assert.same({ "b@b.example", "c@b.example" }, receipt.accepted)
    local _, err = send("554 spam\r\n")
    assert.same({ "final", 554 }, { err.stage, err.code })
  end)

  it("believes a last reply that refuses all", function()
    for _, code in ipairs { 451, 550 } do
      local receipt, err = send("353 each\r\n250 yes\r\n550 no\r\n" .. code .. " all\r\n")
      assert.is_nil(receipt)
      assert.equal(code, err.rejected[1].code)
      assert.equal("b@b.example", err.rejected[1].address)
    end
  end)

  it("is not asked for one recipient, nor where it is not offered", function()
    local server <close> = scripted.server { script(hello("PRDR"), "C MAIL FROM:<a@b.example>",
      "S 250 ok", "* RCPT", TAIL), script(hello(), "C MAIL FROM:<a@b.example>", "S 250 ok",
      "* RCPT", "* RCPT", TAIL) }
    local one = { envelope = { from = "a@b.example", to = "b@b.example" }, raw = "x\r\n" }
    assert(smtp.send(server.url, one))
    one.envelope.to = { "b@b.example", "c@b.example" }
    assert(smtp.send(server.url, one))
    assert.is_nil(server:done())
    for _, line in ipairs(server.lines) do assert.is_nil(line:find("PRDR", 1, true)) end
  end)

  it("and LMTP are understood by our server and our client", function()
    for _, options in ipairs { { extensions = { PRDR = true } }, { lmtp = true } } do
      options.on_rcpt = true
      options.on_message = function(_, message)
        message:skip()
        message:reply("no@b.example", 550, "5.7.1 not you")
        message:reply("later@b.example", 452, "4.2.2 full")
        return true
      end
      local server <close> = serve.start(options)
      for _, disable in ipairs { {}, { CHUNKING = true },
        { CHUNKING = true, PIPELINING = true } } do
        local client <close> = assert(smtp.connect { url = ("%s://127.0.0.1:%d"):format(
          options.lmtp and "lmtp" or "smtp", server.port), disable = disable })
        for _ = 1, 2 do
          local receipt = assert(client:send { envelope = { from = "a@b.example", to = {
            "yes@b.example", "no@b.example", "later@b.example" } }, raw = "x\r\n" })
          assert.same({ "yes@b.example" }, receipt.accepted)
          assert.same({ 550, 452 }, { receipt.rejected[1].code, receipt.rejected[2].code })
          assert.same({ false, true }, { receipt.rejected[1].temporary,
            receipt.rejected[2].temporary })
        end
        local receipt, err = client:send { envelope = { from = "a@b.example", to = {
          "no@b.example", "later@b.example" } }, raw = "x\r\n" }
        assert.is_nil(receipt)
        assert.same({ 550, 452 }, { err.rejected[1].code, err.rejected[2].code })
      end
    end
  end)
end)
