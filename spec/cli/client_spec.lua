-- SPDX-License-Identifier: MIT
-- The connecting commands of bin/lua-smtp: send, dialogue, check, and the gauntlet for clients.
local authority = require "smtp.authority"
local cli = require "spec.support.cli"
local mock = require "smtp.mock"
local net = require "spec.support.net"
local process = require "spec.support.process"
local progress = require "smtp.cli.progress"

local _ -- what does not matter

describe("lua-smtp", function()
  local missing = cli.missing()
  if missing then
    pending(missing)
    return
  end

  local folder, mx

  before_each(function() folder = net.folder() end)
  after_each(function()
    if mx then mx:stop() end
    mx = nil
    net.remove(folder)
  end)

  local function start(options)
    if mx then mx:stop() end
    mx = assert(mock.start(options))
    return mx
  end

  local function file(name, text)
    net.dump(folder .. "/" .. name, text)
    return folder .. "/" .. name
  end

  describe("send", function()
    -- Sends to the mock as ada to bob, with more words.
    local function send(words, options)
      return cli.run({ "send", mx.url, "--from", "Ada <ada@code.energy>", "--to",
        "bob@example.com", table.unpack(words) }, options)
    end

    it("composes a message, and prints the receipt", function()
      start { strict = true }
      local status, out, err = send { "--to", "eve@example.com", "--cc", "cc@example.com",
        "--bcc", "bcc@example.com", "--subject", "The engine", "--text", "It works.",
        "--html", file("a.html", "<b>It works.</b>"), "--attach", file("a.csv", "1,2\n"),
        "--attach", file("b.txt", "b"), "--header", "X-Name: a: b" }
      assert.same({ 0, "" }, { status, err })
      assert.equal("accepted  bob@example.com\naccepted  eve@example.com\n" ..
        "accepted  cc@example.com\naccepted  bcc@example.com\n" ..
        "reply     250 Message accepted\n", out)
      local mail = assert(mx:wait())
      assert.equal("ada@code.energy", mail.from)
      assert.same({ "The engine", "It works.", "<b>It works.</b>" },
        { mail.subject, (mail.text:gsub("\n$", "")), (mail.html:gsub("\n$", "")) })
      assert.same({ "a.csv", "b.txt" }, { mail.attachments[1].name, mail.attachments[2].name })
      assert.equal("a: b", mail.headers:get("X-Name"))
      assert.is_nil(mail.raw:find("bcc@", 1, true))
      assert.same({}, mx:violations())
    end)

    it("reads a text, HTML or a whole message from its input", function()
      start()
      assert.equal(0, (send({ "--text", "-" }, { input = "Hi\n" })))
      assert.equal("Hi\n", assert(mx:wait()).text)
      assert.equal(0, (send({ "--html", "-" }, { input = "<p>Hi" })))
      assert.matches("^<p>Hi", assert(mx:wait(nil, 5, 2)).html)
      assert.equal(0, (send({ "--raw", "-" }, { input = "Subject: x\n\n.\n" })))
      assert.equal("Subject: x\r\n\r\n.\r\n", assert(mx:wait(nil, 5, 3)).raw)
      local status = cli.run { "send", mx.url, "--from", "", "--bcc", "bob@example.com", "--raw",
        file("raw", "Subject: y\r\n\r\n") }
      assert.equal(0, status)
      assert.equal("", assert(mx:wait(nil, 5, 4)).from)
    end)

    it("tells who is refused, and fails then", function()
      start()
      mx:on("RCPT", { to = "eve@*" }):reply("550 5.1.1 no \27[31meve")
      local status, out, err = send { "--to", "eve@example.com", "--text", "x" }
      assert.equal(1, status)
      assert.matches("accepted  bob@example.com\n", out)
      assert.equal("refused   eve@example.com: 550 no \\x1b[31meve\n", err)
      mx:on("RCPT"):reply("452 4.2.2 full")
      status, out, err = send { "--text", "x" }
      assert.same({ 1, "" }, { status, out })
      assert.matches("refused   bob@example.com: 452 full\nlua%-smtp: rcpt ", err)
    end)

    it("signs in and uses TLS as it is told", function()
      start { tls = "starttls", users = { ada = "s:t" } }
      local status, out, err = send { "--text", "x", "--auth", "ada:s:t", "--tls", "required",
        "--ca", mx.ca_file }
      assert.equal(0, status, err)
      assert.matches("tls       TLSv1.3\nauth      SCRAM%-SHA%-256", out)
      status, _, err = send({ "--text", "x", "--auth", "ada", "--tls", "none", "-v" },
        { env = { SMTP_PASSWORD = "s:t" } })
      assert.equal(0, status, err)
      assert.matches("C: AUTH SCRAM%-SHA%-256 %*%*%*\n", err)
      assert.not_matches("STARTTLS\n", err:match("C: .*"):gsub("S: [^\n]*\n", ""))
      status, _, err = send { "--text", "x", "--tls", "required" }
      assert.equal(1, status)
      assert.matches("%-%-ca FILE names whom to trust, %-%-insecure trusts anybody", err)
      for _, mode in ipairs { "required", "starttls" } do
        assert.equal(0, (send { "--text", "x", "--tls", mode, "--insecure" }))
      end
      status, _, err = send { "--text", "x", "--auth", "ada:no" }
      assert.equal(1, status)
      assert.matches("535", err)
    end)

    it("refuses what cannot be together, or is not there", function()
      start()
      for why, words in pairs {
        ["only one of"] = { "--text", "-", "--html", "-" },
        ["No such file"] = { "--text", "x", "--ca", folder .. "/none" },
      } do
        local status, _, err = send(words)
        assert.equal(2, status)
        assert.truthy(err:find(why, 1, true), err)
      end
      local status, _, err = cli.run { "dialogue", "smtps://127.0.0.1:1", "--starttls" }
      assert.equal(2, status)
      assert.matches("has TLS already", err)
      mx:on("NOOP"):hang()
      status, _, err = cli.run({ "dialogue", mx.url, "--timeout", "0.2", "--script", "-" },
        { input = "< 220\n> NOOP\n< 250\n" })
      assert.not_equal(0, status)
      assert.matches("time", err)
    end)

    it("signs with DKIM", function()
      start()
      local key = folder .. "/ed25519.pem"
      assert.equal(0, (process.run { "openssl", "genpkey", "-algorithm", "ed25519", "-out", key }))
      assert.equal(0, (send { "--text", "x", "--dkim", "code.energy:s1:" .. key }))
      assert.matches("^DKIM%-Signature: [^\n]*ed25519", assert(mx:wait()).raw:gsub("\r\n\t", " "))
      key = file("key.pem", require("smtp.authority").self_signed { names = { "x" } }.key)
      local status, _, err = send { "--text", "x", "--dkim", "code.energy:s1:" .. key }
      assert.not_equal(0, status) -- DKIM has no such curve
      assert.matches("key", err)
      status, _, err = send { "--text", "x", "--dkim", "code.energy:s1:" .. folder .. "/none" }
      assert.not_equal(0, status)
      assert.matches("key", err)
    end)

    it("refuses wrong usage", function()
      start()
      for why, words in pairs {
        ["nothing to send"] = {}, ["has a subject of its own"] = { "--raw", "x", "--subject", "y" },
        ["cannot add"] = { "--raw", "x", "--attach", "y" },
        ["'Name: value'"] = { "--text", "x", "--header", "x" },
        ["DOMAIN:SELECTOR"] = { "--text", "x", "--dkim", "x" },
        ["needs a password"] = { "--text", "x", "--auth", "ada" },
        ["No such file"] = { "--raw", folder .. "/none" }, ["--tls"] = { "--tls", "maybe" },
        ["to \"bad\""] = { "--to", "bad", "--text", "x" },
      } do
        local status, out, err = send(words)
        assert.same({ 2, "" }, { status, out }, why)
        assert.truthy(err:find(why, 1, true), err)
      end
      local status, _, err = cli.run { "send", mx.url, "--from", "a@b.example", "--text", "x" }
      assert.equal(2, status)
      assert.matches("a recipient is needed", err)
      status, _, err = cli.run { "send", "ftp://x", "--from", "a@b", "--to", "c@d", "--text", "x" }
      assert.equal(2, status)
      assert.matches("ftp", err)
      assert.same({}, mx:sessions())
    end)

    it("says where nobody listens", function()
      local status, _, err = cli.run { "send", "127.0.0.1:" .. net.closed_port(), "--from",
        "a@b.example", "--to", "c@d.example", "--text", "x" }
      assert.equal(1, status)
      assert.matches("^lua%-smtp: connect at .*refused", err)
    end)

    it("waits no longer than it is told", function()
      start()
      mx:on("MAIL"):hang()
      local status, _, err = send { "--text", "x", "--timeout", "0.1" }
      assert.equal(1, status)
      assert.matches("did not answer in time", err)
    end)

    it("draws a bar", function()
      assert.equal("[" .. ("#"):rep(15) .. ("."):rep(15) .. "]  50% 1.0 MB",
        progress.text(1000000, 2000000))
      assert.equal("1.5 MB", progress.text(1500000))
      assert.equal("[" .. ("#"):rep(30) .. "] 100% 0.0 MB", progress.text(5, 4))
    end)

    it("shows it on a terminal, when it takes long", function()
      local none = cli.missing("script")
      if none then
        pending(none)
        return
      end
      if process.run { "script", "-qec", "true", "/dev/null" } ~= 0 then
        return pending("no terminal can be opened here") -- there is no /dev/pts
      end
      start()
      mx:on("BODY"):throttle(12000000)
      local line = ("%s send %s --from a@b.example --to c@d.example --raw %s >%s"):format(
        cli.shell(), mx.url, file("big", "Subject: x\r\n\r\n" .. ("x\r\n"):rep(4000000)),
        folder .. "/receipt")
      local one <close> = cli.start { "script", "-qec", line, "/dev/null" }
      local status, out = one:wait()
      assert.equal(0, status, out)
      assert.matches("\r%[#[#.]+%] +%d+%% %d+%.%d MB", out)
      assert.matches("\r\27%[K$", out)
      assert.matches("^accepted ", net.slurp(folder .. "/receipt"))
    end)
  end)

  describe("dialogue", function()
    it("sends what is typed, and shows the replies", function()
      start { tls = true }
      local input = "EHLO client.example\nMAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\n" ..
        "DATA\nSubject: x\n\nQUIT\n.\nSTARTTLS\nNOOP\nQUIT\n"
      local script = ("printf %%s '%s' | %s dialogue %s --ca %s"):format(input, cli.shell(), mx.url,
        mx.ca_file)
      local one <close> = cli.start { "sh", "-c", script }
      local status, out, err = one:wait()
      assert.same({ 0, "" }, { status, err })
      local at = 1
      for _, text in ipairs { "S: 220 ", "C: EHLO client.example\n", "S: 250 ", "C: MAIL", "S: 250",
        "C: RCPT", "C: DATA\n", "S: 354 ", "C: QUIT\nC: .\nS: 250 ", "C: STARTTLS\nS: 220 ",
        "TLS: TLSv1.3 ", ", verified\n", "C: NOOP\nS: ", "C: QUIT\nS: 221 " } do
        local _, to = out:find(text, at, true)
        assert.truthy(to, text .. " is not (or not here) in\n" .. out)
        at = to + 1
      end
      assert.equal("Subject: x\r\n\r\nQUIT\r\n", assert(mx:wait()).raw)
    end)

    it("ends with its input, also a file, or when the server does", function()
      start()
      assert.equal(0, (cli.run({ "dialogue", mx.url }, { input = "NOOP\r\n" })))
      mx:on("NOOP"):reply("421 4.3.2 bye\27")
      assert(os.execute("mkfifo " .. folder .. "/f"))
      local one <close> = cli.start { "sh", "-c", ("{ echo NOOP; cat %s/f; } | %s dialogue %s")
        :format(folder, cli.shell(), mx.url) }
      one:await(function() return one:output():find("421", 1, true) end)
      one:await(function() return one:errors():find("closed the connection", 1, true) end)
      assert.truthy(one:output():find("S: 421 4.3.2 bye\\x1b\n", 1, true))
      net.dump(folder .. "/f", "")
      assert.equal(1, (one:wait()))
    end)

    it("runs a script", function()
      start { tls = true }
      local status, out, err = cli.run({ "dialogue", mx.url, "--script", "-", "--insecure" },
        { input = [[
# the greeting
< 220
> EHLO client.example
< 250 PIPELINING
! starttls
! raw EHLO\x20x\r\n
< 2xx
! pause 0.01
> XYZZY
< 500
> QUIT
<
! closed
]] })
      assert.same({ 0, "" }, { status, err })
      assert.matches("TLS: TLSv1.3 .*not verified: ", out)
      assert.matches("C: EHLO x\n", out)
      assert.matches("S: 221 ", out)
      assert.equal(0, (cli.run({ "dialogue", mx.url, "--script", "-" },
        { input = "< 220\n! abort\n" })))
    end)

    it("says at which line a script fails", function()
      start()
      local function script(text)
        return cli.run({ "dialogue", mx.url, "--script", file("script", text) })
      end
      local status, _, err = script("< 220\n\n> VRFY x\n< 550\n")
      assert.equal(1, status)
      assert.matches('line 4 of the script: expected "550", got 25%d ', err)
      for text, why in pairs { ["< 220\nNOOP\n"] = "line 2: a line begins with",
        ["! jump"] = 'line 1: there is no action "jump"', ["! pause x"] = "pause needs seconds" } do
        status, _, err = script(text)
        assert.equal(2, status)
        assert.truthy(err:find(why, 1, true), err)
      end
      assert.equal(2, (cli.run { "dialogue", mx.url, "--script", folder .. "/none" }))
    end)

    it("begins with TLS where it is told to", function()
      start { tls = "implicit" }
      local script = file("script", "< 220\n")
      local status, out, err = cli.run { "dialogue", mx.url, "--ca", mx.ca_file, "--script",
        script }
      assert.equal(0, status, err)
      assert.matches("^TLS: .*, verified\nS: 220 ", out)
      status, _, err = cli.run { "dialogue", "127.0.0.1:" .. mx.port, "--tls", "--script", script }
      assert.equal(1, status)
      assert.matches("certificate", err)
      start { tls = true }
      status, out, err = cli.run { "dialogue", mx.url, "--starttls", "--ca", mx.ca_file, "--helo",
        "me.example", "--script", file("noop", "> NOOP\n< 250\n") }
      assert.equal(0, status, err)
      assert.matches("C: EHLO me.example\n.*TLS: .*, verified\nC: NOOP\nS: 250 ", out)
    end)
  end)

  describe("check", function()
    it("shows a server that is well", function()
      start { tls = true, users = { ada = "secret" } }
      local status, out, err = cli.run { "check", mx.url, "--ca", mx.ca_file, "--auth",
        "ada:secret" }
      assert.same({ 0, "" }, { status, err })
      for _, text in ipairs { "ok     name         127.0.0.1",
        "ok     connect      127.0.0.1 port ", "ok     greeting     220 ",
        "ok     before TLS   ", "STARTTLS", "ok     tls          TLSv1.3",
        "ok     certificate  for localhost, by ", "ok     trust ", "ok     under TLS    ",
        "ok     auth         SCRAM-SHA-256 as ada", "AUTH is offered in clear text" } do
        assert.truthy(out:find(text, 1, true), text .. " is not in\n" .. out)
      end
      assert.equal("quit", mx:sessions()[1].reason)
      assert.equal(0, #mx:mails())
    end)

    it("knows implicit TLS, and a server without any", function()
      start { tls = "implicit" }
      local status, out = cli.run { "check", mx.url, "--ca", mx.ca_file }
      assert.equal(0, status, out)
      assert.matches("ok     tls .*ok     trust .*ok     greeting .*ok     offers ", out)
      start {}
      status, out = cli.run { "check", mx.url }
      assert.equal(0, status, out)
      assert.matches("tls          not offered", out)
    end)

    it("says when a certificate should be renewed", function()
      local root = assert(authority.new())
      for days, advice in pairs { [13] = true, [15] = false } do
        local leaf = assert(root:issue { not_after = days * 86400 + 3600 })
        start { tls = { cert = leaf.cert, key = leaf.key } }
        local status, out = cli.run { "check", mx.url, "--ca", file("root.pem", root.certificate) }
        assert.equal(0, status, out)
        assert.matches((advice and "warn" or "ok  ") .. "   certificate  for localhost, by .*"
          .. days .. " days left\n", out)
        assert.equal(advice, out:find("\n +hint: renew it\n") ~= nil, out)
      end
    end)

    it("tells what is wrong, with status 1", function()
      for fault, why in pairs { expired = "expired", unknown_ca = "issuer", wrong_host = "match",
        close = "WRONG  tls" } do
        local one <close> = assert(mock.start { tls = { fault = fault } })
        local status, out = cli.run { "check", one.url, "--ca", one.ca_file }
        assert.equal(1, status, out)
        assert.matches("1 thing is wrong\n$", out)
        assert.truthy(out:find(why, 1, true), out)
      end
      start { users = { ada = "secret" } }
      local status, out = cli.run({ "check", mx.url, "--auth", "ada" },
        { env = { SMTP_PASSWORD = "no" } })
      assert.equal(1, status)
      assert.matches("WRONG  auth         SCRAM%-SHA%-256 as ada: .*535", out)
      mx:on("connect"):reply("554 5.3.2 go away")
      status, out = cli.run { "check", mx.url }
      assert.equal(1, status)
      assert.matches("WRONG  greeting     554", out)
    end)

    it("does not try AUTH without a password", function()
      start { users = { ada = "secret" } }
      local status, out = cli.run { "check", mx.url, "--auth", "ada" }
      assert.equal(0, status)
      assert.matches("warn   auth         not tried", out)
    end)

    it("finds nobody, or no such name", function()
      local status, out = cli.run { "check", "127.0.0.1:" .. net.closed_port() }
      assert.equal(1, status)
      assert.matches("WRONG  connect      127.0.0.1: .*refused\n +hint: ", out)
      assert.equal(2, (cli.run { "check", "ftp://x" }))
      assert.equal(1, (cli.run { "check", "smtp+unix://" .. folder .. "/none" }))
    end)
  end)

  describe("gauntlet client", function()
    -- The module in little, with two mocks in it.
    local STUB = [[package.preload["smtp.gauntlet"] = function()
      local function run(send, options)
        local results = {}
        for _, name in ipairs { "plain", "refusing" } do
          if not options.only or table.concat(options.only, " "):find(name) then
            local mx <close> = require("smtp.mock").start()
            if name == "refusing" then mx:on("RCPT"):reply("550 5.1.1 no") end
            local ok, text = send { host = mx.host, port = mx.port, url = mx.url,
              from = "a@b.example", to = { "c@d.example" }, tls = "none", timeout = 1,
              raw = "Subject: x\n\nx\n", auth = { user = "ada", password = "secret" } }
            local result = { name = name, about = "about it", detail = text,
              expected = "delivered", got = ok and "delivered" or "refused", right = ok }
            results[#results + 1] = result
            options.each(result)
          end
        end
        if #results == 0 then error('x.lua:1: no behaviour "none"', 0) end
        return results
      end
      return { run = run }
    end]]

    local function gauntlet(...)
      return cli.run({ "gauntlet", "client", ... }, { env = { LUA_INIT = STUB } })
    end

    it("runs a command for each behaviour", function()
      local send = 'echo "$SMTP_TLS $SMTP_USER:$SMTP_PASSWORD $SMTP_TIMEOUT" >&2; '
        .. cli.shell() .. ' send "$SMTP_URL" --from "$SMTP_FROM" --to "$SMTP_TO" --raw -'
      local status, out, err = gauntlet("--", "sh", "-c", send)
      assert.same({ 1, "" }, { status, err })
      assert.matches("^ok     plain +about it\nWRONG  refusing +about it\n +expected: delivered, "
        .. "got: refused: lua%-smtp: rcpt .*550 5.1.1 no\n2 behaviours, 1 wrong\n$", out)
      status, out, err = gauntlet("--only", "plain", "-v", "--", "sh", "-c", send)
      assert.equal(0, status, out)
      assert.matches("^none ada:secret 1\naccepted  c@d.example\n", err)
      assert.matches("1 behaviour, 0 wrong\n$", out)
      out = select(2, gauntlet("--only", "plain", "--only", "refusing", "--", "true"))
      assert.matches("2 behaviours, 0 wrong\n$", out)
    end)

    it("does it with the real one", function()
      local status, out = cli.run { "gauntlet", "client", "--only", "plain", "--only", "rcpt_550",
        "--", "sh", "-c", cli.shell()
          .. ' send "$SMTP_URL" --from "$SMTP_FROM" --to "$SMTP_TO" --raw -' }
      assert.equal(0, status, out)
      assert.matches("2 behaviours, 0 wrong\n$", out)
    end)

    it("refuses wrong usage", function()
      local status, _, err = gauntlet("--only", "none", "--", "true")
      assert.equal(2, status)
      assert.matches('no behaviour "none"', err)
      status, _, err = gauntlet("--", "no-such-program", "x")
      assert.equal(2, status)
      assert.matches('no command "no%-such%-program"', err)
      status, _, err = gauntlet("--lacks", "x", "--", "true")
      assert.equal(2, status)
      assert.matches("%-%-lacks", err)
    end)
  end)
end)
