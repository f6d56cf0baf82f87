-- The client and the extensions of a server.
local authority = require "smtp.authority"
local misused = require "spec.support.misuse"
local scripted = require "spec.support.scripted"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local script, hello = scripted.script, scripted.hello

-- A step that reads n bytes of a chunk.
local function bytes(n)
  return function(connection)
    while #connection.buffer < n do
      if not connection:fill() then return end
    end
    connection.server.chunk = connection.buffer:sub(1, n)
    connection.buffer = connection.buffer:sub(n + 1)
  end
end

local function message(raw, to, more)
  local all = { envelope = { from = "ada@a.example", to = to or "bob@b.example" }, raw = raw }
  for key, value in pairs(more or {}) do all[key] = value end
  return all
end

local function failed(kind, stage, receipt, err)
  assert.is_nil(receipt)
  assert.same({ kind, stage, "not_sent" }, { err.kind, err.stage, err.outcome })
end

local CHUNKS = hello("PIPELINING", "CHUNKING")

describe("chunks of the client", function()
  it("put a small message into the flight of its envelope", function()
    local server <close> = scripted.server(script(CHUNKS, "C MAIL", "C RCPT", "C BDAT 15 LAST",
      bytes(15), { raw = "250 a\r\n250 b\r\n250 kept\r\n" }, "C QUIT", "S 221 bye"))
    local told = {}
    local receipt = assert(smtp.send(server.url, message(".dots\n\nstay"), { progress =
      function(sent, total) told[#told + 1] = { sent, total } end }))
    assert.is_nil(server:done())
    assert.is_true(receipt.used.chunking)
    assert.equal("kept", receipt.text)
    assert.equal(".dots\r\n\r\nstay\r\n", server.chunk)
    assert.same({ { 11, 11 } }, told)
    assert.equal("MAIL FROM:<ada@a.example>\r\nRCPT TO:<bob@b.example>\r\nBDAT 15 LAST\r\n"
      .. ".dots\r\n\r\nstay\r\n", server.segments[2])
  end)

  it("carry what is composed, too, as one who reads it says", function()
    local kept
    local server <close> = serve.start { on_rcpt = true, on_message = function(_, m)
      kept = m:read()
      return true
    end }
    local receipt = assert(smtp.send("smtp://127.0.0.1:" .. server.port, { from = "a@b.example",
      to = "c@d.example", text = "hi\n", seed = 1, date = 0 }))
    assert.is_true(receipt.used.chunking)
    assert.equal(tostring(assert(smtp.message { from = "a@b.example", to = "c@d.example",
      text = "hi\n", seed = 1, date = 0 })), kept)
  end)

  it("C095 carry no 8-bit content where 8BITMIME is not offered, composed or not", function()
    local server <close> = scripted.server(script(CHUNKS, "EOF"))
    local client <close> = assert(smtp.connect(server.url))
    failed("unsupported", "mail", client:send(message("gr\u{fc}n\r\n")))
    local chunks = { "gr\u{fc}n\r\n" }
    failed("unsupported", "mail", client:send { size = #chunks[1],
      envelope = { from = "a@b.example", to = "c@d.example" },
      raw = function() return table.remove(chunks) end })
    client:close()
    assert.is_nil(server:done())
    assert.equal("EHLO [127.0.0.1]", server:said())
  end)

  it("are not used where they are not offered, or not in one flight", function()
    for _, offer in ipairs { hello("CHUNKING"), hello("PIPELINING") } do
      local server <close> = scripted.server(script(offer, "* MAIL", "* RCPT", "C DATA", "S 354 go",
        "BODY", "S 250 kept", "C QUIT", "S 221 bye"))
      local receipt = assert(smtp.send(server.url, message("x")))
      assert.is_false(receipt.used.chunking)
      assert.is_nil(server:done())
    end
  end)

  local large = (("x"):rep(62) .. "\r\n"):rep(2100) -- 134,400 bytes

  it("follow each other for what is large, once somebody was accepted", function()
    local n = 0
    local function lines()
      n = n + 1
      return n <= 2100 and large:sub(1, 64) or nil
    end
    for _, raw in ipairs { large, lines } do
      local parts = {}
      local function keep(connection) parts[#parts + 1] = connection.server.chunk end
      local server <close> = scripted.server(script(CHUNKS, "C MAIL", "C RCPT", "C BDAT 65536",
        bytes(65536), keep, { raw = "250 a\r\n250 b\r\n250 c\r\n" }, "C BDAT 65536",
        bytes(65536), keep, "S 250 d", "C BDAT 3328 LAST", bytes(3328), keep, "S 250 kept",
        "C QUIT", "S 221 bye"))
      local receipt = assert(smtp.send(server.url, message(raw)))
      assert.is_nil(server:done())
      assert.is_true(receipt.used.chunking)
      assert.is_true(table.concat(parts) == large)
    end
  end)

  it("C066 stop where one is refused, or nobody is accepted", function()
    for _, case in ipairs {
      { "250 a\r\n550 b\r\n503 c\r\n", "rcpt", 550 },
      { "550 a\r\n503 b\r\n503 c\r\n", "mail", 550 },
      { "250 a\r\n250 b\r\n552 c\r\n", "final", 552 },
    } do
      local server <close> = scripted.server(script(CHUNKS, "C MAIL", "C RCPT", "C BDAT 65536",
        bytes(65536), { raw = case[1] }, function(c)
          while true do -- what was on its way already
            local line = c:line()
            if line == "RSET" then return c:say("250 r\r\n") end
            bytes(tonumber(line:match("^BDAT (%d+)")))(c)
            c:say("503 d\r\n")
          end
        end, "C MAIL", "C RCPT", "C BDAT 3 LAST", bytes(3),
        { raw = "250 a\r\n250 b\r\n250 kept\r\n" }, "C QUIT", "S 221 bye"))
      local client <close> = assert(smtp.connect(server.url))
      local receipt, err = client:send(message(large))
      failed("rejected", case[2], receipt, err)
      assert.is_true(client:usable())
      assert.equal(case[3], err.code)
      assert(client:send(message("y\r\n")))
      client:quit()
      assert.is_nil(server:done())
    end
  end)

  it("C066 stay refused when a 421 follows for those behind", function()
    local two = scripted.script("C BDAT 65536", bytes(65536), "C BDAT 65536", bytes(65536))
    for _, case in ipairs {
      { "552 d\r\n421 e\r\n", "final", 552 },
      { "250 d\r\n421 e\r\n", "body", 421 },
    } do
      local server <close> = scripted.server(script(CHUNKS, "C MAIL", "C RCPT", "C BDAT 65536",
        bytes(65536), { raw = "250 a\r\n250 b\r\n250 c\r\n" }, two, { raw = case[1] }, "CLOSE"))
      local client <close> = assert(smtp.connect(server.url))
      local receipt, err = client:send(message(large:rep(3)))
      failed("rejected", case[2], receipt, err)
      assert.equal(case[3], err.code)
      assert.is_false(client:usable())
    end
  end)

  it("C032 leave a refused envelope refused when a 421 follows", function()
    for _, case in ipairs {
      { "250 a\r\n550 b\r\n421 c\r\n", "rcpt", 550 }, { "550 a\r\n421 b\r\n", "mail", 550 },
      { "250 a\r\n421 b\r\n", "rcpt", 421 },
    } do
      local server <close> = scripted.server(script(CHUNKS, "C MAIL", "C RCPT", "C BDAT 3 LAST",
        bytes(3), { raw = case[1] }, "CLOSE"))
      local client <close> = assert(smtp.connect(server.url))
      local receipt, err = client:send(message("y\r\n"))
      failed("rejected", case[2], receipt, err)
      assert.equal(case[3], err.code)
      assert.is_false(client:usable())
    end
  end)

  it("can be given up by who reads the content, and the session goes on", function()
    local server <close> = scripted.server(script(CHUNKS, "C MAIL", "C RCPT", "C BDAT 65536",
      bytes(65536), { raw = "250 a\r\n250 b\r\n250 c\r\n" }, "C RSET", "C MAIL", "C RCPT",
      "C BDAT 3 LAST", bytes(3), { raw = "250 r\r\n250 a\r\n250 b\r\n250 kept\r\n" }))
    local client <close> = assert(smtp.connect(server.url))
    local n = 0
    failed("source", "body", client:send(message(function()
      n = n + 1
      if n > 1100 then error("no more") end
      return large:sub(1, 64)
    end)))
    assert(client:send(message("y\r\n")))
  end)

  it("C066 leave the session in step where a step of the flight is refused", function()
    for _, case in ipairs {
      { "550 no\r\n503 b\r\n503 c\r\n", "mail", 550 },
      { "250 a\r\n550 b\r\n503 c\r\n", "rcpt", 550 },
      { "250 a\r\n250 b\r\n452 full\r\n", "final", 452 },
    } do
      local server <close> = scripted.server(script(CHUNKS, "C MAIL", "C RCPT", "C BDAT 3 LAST",
        bytes(3), { raw = case[1] }, "C RSET", "C MAIL", "C RCPT", "C BDAT 3 LAST", bytes(3),
        { raw = "250 r\r\n250 a\r\n250 b\r\n250 kept\r\n" }, "C QUIT", "S 221 bye"))
      local client <close> = assert(smtp.connect(server.url))
      local receipt, err = client:send(message("x\r\n"))
      failed("rejected", case[2], receipt, err)
      assert.equal(case[3], err.code)
      assert(client:send(message("y\r\n")))
      client:quit()
      assert.is_nil(server:done())
    end
  end)

  it("are told of by who accepted and who did not", function()
    local server <close> = scripted.server(script(CHUNKS, "C MAIL", "C RCPT", "C RCPT",
      "C BDAT 3 LAST", bytes(3), { raw = "250 a\r\n550 5.1.1 b\r\n250 c\r\n250 kept\r\n" }))
    local client <close> = assert(smtp.connect(server.url))
    local receipt = assert(client:send(message("x\r\n", { "no@b.example", "yes@b.example" })))
    assert.same({ "yes@b.example" }, receipt.accepted)
    assert.equal("no@b.example", receipt.rejected[1].address)
  end)

  it("may have arrived where nothing is heard of them", function()
    local server <close> = scripted.server(script(CHUNKS, "C MAIL", "C RCPT", "C BDAT 3 LAST",
      bytes(3), { raw = "250 a\r\n250 b\r\n" }, "CLOSE"))
    local receipt, err = smtp.send(server.url, message("x\r\n"))
    assert.is_nil(receipt)
    assert.same({ "closed", "unknown" }, { err.kind, err.outcome })
  end)
end)

describe("SMTPUTF8 of the client", function()
  it("C099 is used where an address needs it, or A-labels are enough", function()
    local function run(offer, from, to, said)
      local server <close> = scripted.server(script(hello(table.unpack(offer)), "* " .. said[1],
        "* " .. said[2], "C DATA", "S 354 go", "BODY", "S 250 kept", "C QUIT", "S 221 bye"))
      local receipt = assert(smtp.send(server.url, { envelope = { from = from, to = to },
        raw = "x\r\n" }))
      assert.is_nil(server:done())
      assert.same({ to }, receipt.accepted)
    end
    run({ "SMTPUTF8", "8BITMIME" }, "grüße@b.example", "bob@bücher.example",
      { "MAIL FROM:<grüße@b.example> SMTPUTF8", "RCPT TO:<bob@bücher.example>" })
    run({ "SMTPUTF8" }, "a@b.example", "grüße@b.example",
      { "MAIL FROM:<a@b.example> SMTPUTF8", "RCPT TO:<grüße@b.example>" })
    run({ "8BITMIME" }, "ada@bücher.example", "bob@bücher.example",
      { "MAIL FROM:<ada@xn--bcher-kva.example>", "RCPT TO:<bob@xn--bcher-kva.example>" })
    run({ "SMTPUTF8" }, "a@b.example", "c@d.example",
      { "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>" })
  end)

  it("C097 C100 goes with a VRFY of other letters, whose reply may have them too", function()
    local server <close> = serve.start { on_vrfy = function(_, text)
      return 250, "2.1.5 Gr\u{fc}\u{df}e <" .. text .. "@b.example>"
    end }
    local url = "smtp://127.0.0.1:" .. server.port
    local client <close> = assert(smtp.connect(url))
    assert.equal("Gr\u{fc}\u{df}e <gr\u{fc}n@b.example>", assert(client:vrfy("gr\u{fc}n")).text)
    assert.equal("Gr??e <ada@b.example>", assert(client:vrfy("ada")).text)
    assert.equal("Gr\u{fc}\u{df}e <ada@b.example>",
      assert(client:command("VRFY ada SMTPUTF8")).text)
    failed("invalid", "command", client:vrfy("gr\xff"))
    failed("invalid", "command", client:vrfy("gr\u{fc}n\r\nQUIT"))
    local other <close> = assert(smtp.connect { url = url, disable = { SMTPUTF8 = true } })
    failed("unsupported", "command", other:vrfy("gr\u{fc}n"))
  end)

  it("C097 asks VRFY for a mailbox by the name that its domain has in ASCII", function()
    local server <close> = serve.start { on_vrfy = function(_, text)
      return 250, "2.1.5 " .. text
    end }
    local url = "smtp://127.0.0.1:" .. server.port
    for given, sent in pairs {
      ["ada@b\u{fc}cher.example"] = "ada@xn--bcher-kva.example",
      ["\"a b\"@b\u{fc}cher.example"] = "\"a b\"@xn--bcher-kva.example",
      ["ada@b.example"] = "ada@b.example", ["ada"] = "ada",
      ["Ada L <ada@b.example>"] = "Ada L <ada@b.example>",
    } do
      local plain <close> = assert(smtp.connect { url = url, disable = { SMTPUTF8 = true } })
      assert.equal(sent, assert(plain:vrfy(given)).text)
      local client <close> = assert(smtp.connect(url))
      assert.equal(given, assert(client:vrfy(given)).text)
    end
    local plain <close> = assert(smtp.connect { url = url, disable = { SMTPUTF8 = true } })
    for _, text in ipairs { "gr\u{fc}n@b\u{fc}cher.example", "gr\u{fc}n@b.example",
      "Ada <ada@b\u{fc}cher.example>", "ada@b\u{fc}\u{fffd}.example" } do
      failed("unsupported", "command", plain:vrfy(text))
    end
  end)

  it("fails before MAIL where there is none", function()
    local server <close> = scripted.server(script(hello("8BITMIME"), "EOF"))
    local client <close> = assert(smtp.connect(server.url))
    failed("unsupported", "rcpt", client:send(message("x", "grüße@b.example")))
    failed("unsupported", "mail", client:mail("grüße@b.example"))
    failed("unsupported", "rcpt", client:rcpt("grüße@b.example"))
    failed("unsupported", "mail", client:mail("a@b.example", { smtputf8 = true }))
    client:close()
    assert.is_nil(server:done())
    assert.equal("EHLO [127.0.0.1]", server:said())
  end)
end)

describe("parameters of the client", function()
  it("C076 are sent with MAIL and RCPT where they are offered", function()
    local server <close> = scripted.server(script(hello("DSN", "DELIVERBY", "MT-PRIORITY",
      "FUTURERELEASE 60 2027-01-01T00:00:00Z", "RRVS", "XADA"),
      "* MAIL FROM:<a@b.example> RET=HDRS ENVID=q+2Bx+3D1 BY=-5;NT MT-PRIORITY=-3 HOLDFOR=60"
        .. " XADA=1",
      "* RCPT TO:<c@d.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@x"
        .. " RRVS=2026-01-01T00:00:00Z;C",
      "* RCPT TO:<e@f.example> NOTIFY=NEVER ORCPT=utf-8;x@y",
      "* RCPT TO:<g@h.example> ORCPT=utf-8;d\\x{F6}\\x{3D}\\x{2B}@\\x{65E5}",
      "* RCPT TO:<i@j.example> ORCPT=utf-8;\\x{1F600}@x"))
    local lines = {}
    local client <close> = assert(smtp.connect { url = server.url,
      trace = function(_, line) lines[#lines + 1] = line end })
    assert(client:mail("a@b.example", { ret = "HDRS", envid = "q+x=1", priority = -3, hold_for = 60,
      by = { seconds = -5, mode = "notify", trace = true }, params = { XADA = "1" } }))
    assert(client:rcpt("c@d.example", { notify = { "SUCCESS", "DELAY" }, orcpt = "a+b@x",
      rrvs = "2026-01-01T00:00:00Z;C" }))
    assert(client:rcpt("e@f.example", { notify = "NEVER", orcpt = "utf-8;x@y" }))
    assert.equal("RCPT TO:<e@f.example> NOTIFY=NEVER ORCPT=utf-8;x@y", lines[#lines - 1])
    assert(client:rcpt("g@h.example", { orcpt = "utf-8;dö=+@日" }))
    assert(client:rcpt("i@j.example", { orcpt = "😀@x" })) -- UTF-8 has that type
    assert.is_nil(server:done())
  end)

  it("are those of a record and of its recipients", function()
    for _, make in ipairs { function(r) return r end, function(r)
      r.envelope.from, r.raw, r.text, r.from = nil, nil, "x", "a@b.example"
      r.envelope.from = "a@b.example"
      return smtp.message(r)
    end } do
      local server <close> = scripted.server(script(hello("DSN", "PIPELINING"),
        "C MAIL FROM:<a@b.example> RET=FULL ENVID=1", "C RCPT TO:<c@d.example> NOTIFY=FAILURE",
        "C RCPT TO:<e@f.example>", "C DATA", "S 250 ok", "S 250 ok",
        "S 250 ok", "S 354 go", "BODY", "S 250 kept", "C QUIT", "S 221 bye"))
      assert(smtp.send(server.url, assert(make { raw = "x\r\n",
        mail = { ret = "FULL", envid = "1" }, envelope = { from = "a@b.example", to = {
          { address = "c@d.example", notify = "FAILURE" }, "e@f.example" } } })))
      assert.is_nil(server:done())
    end
  end)

  it("C077 are those that a server was told of a recipient, once", function()
    local server <close> = scripted.server(script(hello("DSN"), "* MAIL",
      "* RCPT TO:<c@d.example> NOTIFY=DELAY ORCPT=rfc822;x@y", "C DATA", "S 354 go", "BODY",
      "S 250 kept", "C QUIT", "S 221 bye"))
    local gateway <close> = serve.start { extensions = { DSN = true }, on_rcpt = true,
      on_message = function(_, m)
        return (smtp.send(server.url, { raw = m:read(),
          envelope = { from = m.sender, to = m.recipients } })) ~= nil
      end }
    local client <close> = assert(smtp.connect("smtp://127.0.0.1:" .. gateway.port))
    assert(client:mail("a@b.example"))
    assert(client:rcpt("c@d.example", { notify = "DELAY", orcpt = "x@y" }))
    assert(client:data("x\r\n"))
    assert.is_nil(server:done())
    assert.truthy(server:said():find("NOTIFY=DELAY ORCPT=rfc822;x@y | DATA", 1, true))
  end)

  it("are an error where they are needed and not offered, and left out where not", function()
    local server <close> = scripted.server(script(hello("8BITMIME"), "* MAIL FROM:<a@b.example>",
      "EOF"))
    local client <close> = assert(smtp.connect(server.url))
    for _, given in ipairs { { ret = "FULL" }, { envid = "x" }, { requiretls = true },
      { by = { seconds = 1, mode = "return" } }, { hold_for = 1 },
      { hold_until = "2040-01-01T00:00:00Z" } } do
      failed("unsupported", "mail", client:mail("a@b.example", given))
      failed("unsupported", "mail", client:send(message("x", nil, { mail = given })))
    end
    failed("unsupported", "rcpt", client:rcpt("a@b.example", { notify = "NEVER" }))
    assert(client:mail("a@b.example", { size = 5, priority = 3 }))
    client:close()
    assert.is_nil(server:done())
  end)

  it("C116 REQUIRETLS goes over verified TLS alone", function()
    local root = assert(authority.new())
    local leaf = assert(root:issue { names = { "localhost" }, addresses = { "127.0.0.1" } })
    local seen
    local server <close> = serve.start { extensions = { REQUIRETLS = true }, on_rcpt = true,
      tls = { cert = leaf.cert, key = leaf.key },
      on_mail = function(_, sender) seen = sender.requiretls end }
    local url = "smtp://127.0.0.1:" .. server.port
    local strict = message("x\r\n", nil, { mail = { requiretls = true } })
    failed("unsupported", "mail", smtp.send({ url = url, tls = "none" }, strict))
    assert.is_nil(seen)
    assert(smtp.send({ url = url, tls = "required", ca = root.certificate }, strict))
    assert.is_true(seen) -- C154
  end)

  it("name their faults", function()
    local server <close> = scripted.server(script(hello("DSN", "MT-PRIORITY", "DELIVERBY"), "EOF"))
    local client <close> = assert(smtp.connect(server.url))
    misused("priority must be", function() client:mail("a@b", { priority = 10 }) end)
    misused("by needs seconds", function() client:mail("a@b", { by = { mode = "return" } }) end)
    misused("unknown option", function() client:mail("a@b", { sise = 1 }) end)
    misused("unknown option", function() client:rcpt("a@b", { size = 1 }) end)
    for _, control in ipairs { "\0", "\t", "\n", "\31", "\127" } do -- C174
      failed("invalid", "mail", client:mail("a@b", { envid = "a" .. control .. "b" }))
      failed("invalid", "rcpt", client:rcpt("a@b", { orcpt = "rfc822;a" .. control .. "@b" }))
      failed("invalid", "rcpt", client:rcpt("a@b", { orcpt = "a" .. control .. "@b" }))
    end
    failed("invalid", "rcpt", client:rcpt("a@b", { notify = "NEVER\r\nQUIT" }))
  end)
end)
