-- The mock: starting, stopping, what it remembers, its TLS, and clients of every kind.
local authority = require "smtp.authority"
local core = require "smtp.core"
local loop = require "smtp.loop"
local mock = require "smtp.mock"
local net = require "spec.support.net"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local function start(options) return assert(mock.start(options)) end

local RECORD = { from = "ada@code.energy", to = "bob@example.org", subject = "Welcome",
  text = "It works.\n" }

local function send(mx, changes, target)
  local record = {}
  for key, value in pairs(RECORD) do record[key] = value end
  for key, value in pairs(changes or {}) do record[key] = value end
  local whole = { url = mx.url, ca = mx.ca_file }
  for key, value in pairs(target or {}) do whole[key] = value end
  return smtp.send(whole, record)
end

-- Another program: without what is preloaded to watch ours, and not for ever.
local FOREIGN = "env -u LD_PRELOAD timeout 30 "

local function run(command, ...)
  local pipe <close> = assert(io.popen(FOREIGN .. command:format(...) .. " 2>&1", "r"))
  local text = pipe:read("a")
  local ok, _, code = pipe:close()
  return text, ok and 0 or code
end

local function has(program) return (os.execute("command -v " .. program .. " >/dev/null 2>&1")) end

describe("a mock", function()
  it("starts and stops, two hundred times", function()
    start():stop() -- the thread that all share stays
    collectgarbage() -- what other specs left has descriptors too, and
    collectgarbage() -- finalizers of its own
    local before = net.lowest()
    local since = core.now()
    for _ = 1, 200 do
      local mx = start()
      assert.is_true(mx.port > 0)
      mx:stop()
      mx:stop()
    end
    assert.is_true(core.now() - since < 4)
    assert.equal(before, net.lowest())
  end)

  it("serves eight at once", function()
    local all = {}
    for i = 1, 8 do all[i] = start { hostname = "mx" .. i .. ".example" } end
    for round = 1, 3 do
      for i, mx in ipairs(all) do assert(send(mx, { subject = i .. "/" .. round })) end
    end
    for i, mx in ipairs(all) do
      assert.equal(3, #mx:mails())
      assert.equal(i .. "/2", mx:mails()[2].subject)
      assert.matches("220 mx" .. i, mx:transcript())
      mx:stop()
    end
    assert.equal(3, #all[8]:mails()) -- it remembers
  end)

  it("says that a place cannot be had", function()
    local mx <close> = start()
    local other, err = mock.start { port = mx.port }
    assert.is_nil(other)
    assert.same({ "system", "listen", "EADDRINUSE" }, { err.kind, err.stage, err.cause })
    other, err = mock.start { tls = { cert = "/nowhere/cert.pem" } }
    assert.is_nil(other)
    assert.equal("tls", err.kind)
  end)

  it("is collected, and left open at the end of a process", function()
    for _ = 1, 20 do start() end
    collectgarbage()
    collectgarbage()
    local code = [[local mx = require "smtp.mock".start { tls = "implicit" }
      local c = assert(require "smtp".connect { url = mx.url, ca = mx.ca_file })
      %s]]
    for _, ending in ipairs { "os.exit(7)", "os.exit(7, true)", "error('x')", "" } do
      local status, text = net.run(code:format(ending))
      assert.equal(ending:find("exit") and 7 or ending ~= "" and 1 or 0, status, text)
    end
  end)
end)

describe("what a mock remembers", function()
  it("is envelope, parameters, verdicts, session and every byte", function()
    local mx <close> = start { users = { ada = "secret" } }
    mx:on("RCPT", { to = "eve@*" }):reply("550 5.1.1 no")
    local receipt = assert(send(mx, { to = { "bob@example.org", "eve@example.org" },
      text = ".dots\n..\nend\n", html = "<b>x", attachments = {
        { content = "a,b", name = "x.csv" } } },
      { auth = { user = "ada", password = "secret" }, helo = "client.example" }))
    assert.equal("SCRAM-SHA-256", receipt.used.auth)
    local mail = assert(mx:wait { to = "bob@example.org" })
    assert.same({ "ada@code.energy", { "bob@example.org" }, 250, true, false, "client.example",
      "ada" }, { mail.from, mail.recipients, mail.code, mail.stored, mail.secure, mail.helo,
      mail.user })
    assert.same({ { address = "bob@example.org", code = 250, text = "250 2.1.5 Recipient OK",
      parameters = {} }, { address = "eve@example.org", code = 550, text = "550 5.1.1 no",
      parameters = {} } }, mail.verdicts)
    assert.equal(tostring(#mail.raw), mail.parameters.SIZE)
    assert.same({ ".dots\n..\nend\n", "<b>x\n", "x.csv", "Welcome" },
      { mail.text, mail.html, mail.attachments[1].name, (mail.headers:get("Subject")) })
    assert(mx:wait_idle())
    local session = mx:sessions { authenticated = true, user = "a*" }[1]
    assert.same({ 1, "client.example", true, "SCRAM-SHA-256", "quit", 1 }, { session.number,
      session.helo, session.esmtp, session.mechanism, session.reason, session.mails })
    assert.matches("C: AUTH SCRAM%-SHA%-256 %*%*%*\n", mx:transcript())
    assert.falsy(mx:transcript():find("secret", 1, true))
    assert.equal(mx:transcript(1):match("[^\n]+"), "S: 220 localhost Service ready")
    mx:clear()
    assert.same({ 0, 0, "" }, { #mx:mails(), mx:count("RCPT"), mx:transcript() })
  end)

  it("is waited for by identity, come or to come", function()
    local mx <close> = start { driver = "loop", timeout = 1 }
    for i = 1, 3 do assert(send(mx, { subject = "n" .. i })) end
    assert.equal("n2", assert(mx:wait { subject = "n2" }).subject)
    assert.equal("n2", assert(mx:wait { subject = "n2" }).subject)
    assert.equal("n1", assert(mx:wait()).subject)
    assert.equal("n3", assert(mx:wait("bob@*", 1, 3)).subject)
    local none, err = mx:wait({ subject = "n4" }, 0.05)
    assert.is_nil(none)
    assert.equal("timeout", err.kind)
    assert.matches("the closest of 3", tostring(err))
    loop.spawn(function()
      smtp.sleep(0.05)
      send(mx, { subject = "late" })
    end)
    assert.equal("late", assert(mx:wait { subject = "late" }).subject)
  end)

  it("finds mails by what they are", function()
    local mx <close> = start()
    assert(send(mx, { headers = { ["X-A"] = "one" }, attachments = {
      { content = "x", name = "a.pdf" } } }))
    for _, query in ipairs { "bob@example.org", "BOB@*", { header = { ["x-a"] = "o*" } },
      { attachment = "*.pdf" }, { text = "works" }, { raw = "X-A: one" }, { from = "ada@*",
        to = { "bob@example.org" } }, { session = 1 }, { session = { helo = "*" } },
      { secure = false }, { parameters = { SIZE = "*" } },
      function(mail) return #mail.attachments == 1 end,
      { subject = function(text) return text:find("^W") end }, {} } do
      assert.equal(1, #mx:mails(query))
    end
    for _, query in ipairs { "b@example.org", { header = { ["x-a"] = "two" } }, { subject = "W" },
      { attachment = "b" }, { to = { "bob@example.org", "x@y" } }, { session = 2 } } do
      assert.equal(0, #mx:mails(query))
    end
    assert.error_matches(function() mx:mails { subjct = "x" } end, "unknown option")
  end)

  it("is written as eml, mbox and Maildir", function()
    local mx <close> = start()
    assert(smtp.send(mx.url, { envelope = { from = "ada@code.energy", to = "bob@example.org" },
      raw = "Subject: Welcome\r\n\r\nFrom here\r\n>From there\r\n" }))
    assert(send(mx, { subject = "two" }))
    local folder = net.folder()
    assert(mx:export("eml", folder .. "/eml"))
    assert(mx:export("maildir", folder .. "/mail"))
    assert(mx:export("mbox", folder .. "/mbox"))
    assert.same({ "1.eml", "2.eml" }, net.names(folder .. "/eml"))
    assert.equal("Return-Path: <ada@code.energy>\r\n" .. mx:mails()[2].raw,
      net.slurp(folder .. "/eml/2.eml"))
    assert.equal(2, #net.names(folder .. "/mail/new"))
    local other <close> = start()
    assert(send(other))
    assert(other:export("maildir", folder .. "/mail")) -- in the same second, the same number
    assert.equal(3, #net.names(folder .. "/mail/new"))
    local text = run("python3 -c 'import mailbox; m = mailbox.mbox(\"%s/mbox\"); "
      .. "print([x[\"subject\"] for x in m]); print(m[0].get_payload())'", folder)
    assert.equal("['Welcome', 'two']\n>From here\n>>From there\n\n", text)
    local _, err = mx:export("eml", "/nowhere/x/y")
    assert.same({ "system", "save" }, { err.kind, err.stage })
    assert.error_matches(function() mx:export("zip", "x") end, "eml, mbox or maildir")
    net.remove(folder)
  end)

  it("takes raw bytes for a reply of 250 unless they begin with a code", function()
    local verdicts = { ["ok\r\n"] = 250, ["\r\n"] = 250, ["25\r\n"] = 250, ["2x0 a\r\n"] = 250,
      ["25"] = 250, ["251 a\r\n"] = 251, ["450"] = 450, ["999 a\r\n"] = 999 }
    for bytes, code in pairs(verdicts) do
      local mx <close> = start()
      mx:on("RCPT", { to = "a@b" }):raw(bytes)
      local client <close> = serve.connect { host = mx.host, port = mx.port }
      assert.matches("^220", client:reply())
      assert.matches("^250", client:cmd("EHLO x"))
      client:send("MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
      local heard = ""
      repeat heard = heard .. client:receive() until heard:find("354 ", 1, true)
      client:send(".\r\n")
      local mail = assert(mx:wait())
      assert.same({ bytes, code, 250 },
        { bytes, mail.verdicts[1].code, mail.verdicts[2].code })
    end
  end)
end)

describe("the TLS of a mock", function()
  it("is verified by a fresh authority, both ways", function()
    for _, mode in ipairs { "starttls", "implicit" } do
      local mx <close> = start { tls = mode }
      local receipt = assert(send(mx, {}, { tls = mode == "starttls" and "required" or nil,
        verify = true }))
      assert.equal("TLSv1.3", receipt.used.tls)
      local mail = assert(mx:wait())
      assert.same({ true, "TLSv1.3" }, { mail.secure, mail.session.tls.version })
      local file = mx.ca_file
      assert.truthy(io.open(file))
      mx:stop()
      assert.is_nil((io.open(file)))
    end
    local mx <close> = start { tls = { required = true } }
    local _, err = send(mx, {}, { tls = "none" })
    assert.equal(530, err.code)
  end)

  local WORDS = { expired = "expired", not_yet = "not yet valid", wrong_host = "mismatch",
    no_name = "mismatch", wrong_purpose = "purpose", self_signed = "self.signed",
    unknown_ca = "local issuer", no_intermediate = "local issuer" }

  it("has faults that our client, s_client and curl see", function()
    for fault, word in pairs(WORDS) do
      local mx <close> = start { tls = { mode = "implicit", fault = fault } }
      local receipt, err = send(mx, {}, { verify = true })
      assert.is_nil(receipt, fault)
      assert.same({ "tls", "not_sent" }, { err.kind, err.outcome }, fault)
      assert.matches(word, tostring(err):lower(), nil, fault)
      assert(mx:wait_idle())
      assert.equal(0, #mx:mails())
      if fault ~= "wrong_host" and fault ~= "no_name" then -- the name is no alert of OpenSSL's
        assert.is_string(mx:sessions()[1].tls_error, fault)
      end
      local text = run("openssl s_client -connect 127.0.0.1:%d -verify_ip 127.0.0.1 "
        .. "-verify_return_error -CAfile %s </dev/null", mx.port, mx.ca_file)
      assert.matches(fault == "unknown_ca" and "unable to get local issuer" or word,
        text:lower(), nil, fault)
      if has("curl") then
        local _, code = run("curl -sS --cacert %s --url smtps://127.0.0.1:%d --mail-from a@b.c "
          .. "--mail-rcpt d@e.f -T /dev/null", mx.ca_file, mx.port)
        assert.equal(60, code, fault)
      end
    end
    local mx <close> = start { tls = { mode = "implicit" } }
    assert.matches("Verify return code: 0", run("openssl s_client -connect 127.0.0.1:%d "
      .. "-verify_ip 127.0.0.1 -CAfile %s </dev/null", mx.port, mx.ca_file))
  end)

  it("has faults of the handshake", function()
    for _, fault in ipairs { "close", "reset", "hang", "plaintext" } do
      local mx <close> = start { tls = { mode = "implicit", fault = fault } }
      local receipt, err = send(mx, {}, { timeout = 0.3 })
      assert.is_nil(receipt)
      local reset = err.message:find("reset by peer", 1, true) ~= nil
      assert.equal(fault == "reset", reset)
      -- A reset may come before the handshake begins.
      local kinds = { close = "closed", hang = "timeout", plaintext = "tls" }
      if not reset then assert.equal(kinds[fault], err.kind) end
    end
    local mx <close> = start { tls = "starttls" }
    mx:on("STARTTLS"):reply("454 4.7.0 not now")
    local _, err = send(mx, {}, { tls = "required" })
    assert.same({ "starttls", 454 }, { err.stage, err.code })
  end)

  it("tells the alert that the client sent", function()
    local mx <close> = start { tls = { mode = "implicit", fault = "unknown_ca" } }
    send(mx, {}, { verify = true })
    assert(mx:wait_idle())
    assert.equal("unknown ca", mx:sessions()[1].alert)
  end)

  it("takes a certificate of one's own", function()
    local leaf = assert(assert(authority.new()):issue())
    local mx <close> = start { tls = { cert = leaf.cert, key = leaf.key } }
    assert.is_nil(mx.ca_file)
    assert(send(mx, {}, { tls = "required", verify = false }))
  end)
end)

describe("clients of a mock", function()
  local mx
  before_each(function() mx = start() end)
  after_each(function() mx:stop() end)

  local function received()
    local mail = assert(mx:wait({ to = "bob@example.org" }))
    assert.equal("Welcome", mail.subject)
    assert.matches("It works", mail.text)
  end

  it("block in this process: our own", function()
    assert(send(mx))
    received()
  end)

  it("block in this process: LuaSocket", function()
    local ok, socket_smtp = pcall(require, "socket.smtp")
    if not ok then return pending("LuaSocket is not here") end
    local least = math.huge -- as the machine may be busy
    for _ = 1, 20 do
      local since = core.now()
      assert(socket_smtp.send { from = "<ada@code.energy>", rcpt = "<bob@example.org>",
        source = socket_smtp.message { headers = { subject = "Welcome" }, body = "It works." },
        server = mx.host, port = mx.port })
      least = math.min(least, core.now() - since)
    end
    assert.is_true(least < 0.03, least) -- 0.044 without quick acknowledgements
    received()
  end)

  it("are in others: curl, Python, Node", function()
    local folder = net.folder()
    net.dump(folder .. "/mail", "Subject: Welcome\r\n\r\nIt works.\r\n")
    if has("curl") then
      assert.is_true((os.execute((FOREIGN .. "curl -s --url %s --mail-from ada@code.energy "
        .. "--mail-rcpt bob@example.org -T %s/mail"):format(mx.url, folder))))
      received()
    end
    net.dump(folder .. "/c.py", ([[
import smtplib
with smtplib.SMTP("127.0.0.1", %d) as s:
    s.sendmail("ada@code.energy", ["bob@example.org"], "Subject: Welcome\r\n\r\nIt works.")
]]):format(mx.port))
    assert.same({ "", 0 }, { run("python3 %s/c.py", folder) })
    received()
    if has("node") then
      net.dump(folder .. "/c.js", ([[
const net = require("net");
const say = ["EHLO x", "MAIL FROM:<ada@code.energy>", "RCPT TO:<bob@example.org>", "DATA",
  "Subject: Welcome\r\n\r\nIt works.\r\n.", "QUIT"];
const s = net.connect(%d, "127.0.0.1");
let text = "";
s.on("data", (d) => {
  text += d;
  if (!/(^|\n)\d\d\d [^\n]*\n$/.test(text)) return;
  text = "";
  if (say.length) s.write(say.shift() + "\r\n");
});
]]):format(mx.port))
      assert.same({ "", 0 }, { run("node %s/c.js", folder) })
      received()
    end
    net.remove(folder)
    assert.equal(0, #mx:refused())
  end)
end)
