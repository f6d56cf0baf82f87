-- SPDX-License-Identifier: MIT
-- bin/lua-smtp as its users run it: the whole of it, and the mock. What connects is in
-- cli_client_spec.lua.
local cli = require "spec.support.cli"
local net = require "spec.support.net"
local smtp = require "smtp"

local _ -- what does not matter

describe("lua-smtp", function()
  local missing = cli.missing()
  if missing then
    pending(missing)
    return
  end

  local cjson = require "cjson"
  local folder

  before_each(function() folder = net.folder() end)
  after_each(function() net.remove(folder) end)

  local function file(name, text)
    net.dump(folder .. "/" .. name, text)
    return folder .. "/" .. name
  end

  -- A shell command that sends a mail to the mock in the environment.
  local function sender(more)
    return cli.shell() .. ' send "$SMTP_URL" --from a@b.example --to c@d.example'
      .. " --subject Hello --text Hi " .. (more or "")
  end

  -- mock run with options before the --, and a shell command behind it.
  local function mock_run(options, script, more)
    local words = { "mock", "run", table.unpack(options) }
    for _, word in ipairs { "--", "sh", "-c", script } do words[#words + 1] = word end
    return cli.run(words, more)
  end

  describe("by itself", function()
    it("tells its version", function()
      local status, out = cli.run { "--version" }
      assert.equal(0, status)
      assert.equal(("lua-smtp %s (Lua 5.4)\n"):format(smtp._VERSION), out)
    end)

    it("has a help with examples at each level", function()
      for _, path in ipairs { "", "mock", "mock run", "mock serve", "send", "dialogue", "check",
        "gauntlet", "gauntlet client" } do
        local words = {}
        for word in path:gmatch("%S+") do words[#words + 1] = word end
        words[#words + 1] = "--help"
        local status, out, err = cli.run(words)
        assert.same({ 0, "" }, { status, err })
        assert.truthy(out:find("Usage: lua-smtp " .. path, 1, true), out)
        assert.truthy(out:find("Examples:\n", 1, true), out)
      end
    end)

    it("refuses what it does not know, with status 2", function()
      for _, case in ipairs {
        { "a command is required" }, { "unknown command 'nonsense'", "nonsense" },
        { "a command is required", "mock" }, { "unknown option '--x'", "mock", "serve", "--x" },
        { "behind --", "mock", "run" }, { "behind --", "mock", "run", "--" },
        { "nothing to be said behind --", "check", "localhost", "--", "x" },
        { "no whole number", "mock", "run", "--expect", "1.5", "--", "true" },
        { "no number of seconds", "mock", "run", "--timeout", "x", "--", "true" },
        { "no port", "mock", "serve", "--port", "70000" },
        { "NAME:PASSWORD", "mock", "run", "--user", "ada", "--", "true" },
        { "no quirk", "mock", "run", "--quirk", "x", "--", "true" },
        { "fault must be", "mock", "run", "--fault", "x", "--", "true" },
        { "--tls", "mock", "run", "--tls", "x", "--", "true" },
        { "can not be used together", "mock", "serve", "--json", "--maildir", "x" },
      } do
        local status, out, err = cli.run { table.unpack(case, 2) }
        assert.same({ 2, "" }, { status, out })
        assert.truthy(err:find(case[1], 1, true), err)
        assert.truthy(err:find("\nUsage: lua-smtp", 1, true), err)
      end
    end)

    it("names the package that is missing", function()
      local function without(module)
        return { LUA_INIT = ("package.preload[%q] = function() error('no') end"):format(module) }
      end
      local status, _, err = cli.run({ "--version" }, { env = without("argparse") })
      assert.equal(1, status)
      assert.matches("lua%-argparse", err)
      status, _, err = cli.run({ "mock", "serve", "--count", "0" }, { env = without("cjson") })
      assert.equal(1, status)
      assert.matches("lua%-cjson", err)
    end)
  end)

  describe("mock run", function()
    it("gives the command an environment, and its input and output", function()
      local status, out, err = mock_run({}, [[cat; echo "$SMTP_HOST:$SMTP_PORT $SMTP_URL
${SMTP_CA_FILE-none}"]], { input = "from outside\n", env = { SMTP_CA_FILE = "/old" } })
      assert.equal(0, status)
      local port, url_port = out:match(
        "^from outside\n127%.0%.0%.1:(%d+) smtp://127%.0%.0%.1:(%d+)\nnone\n$")
      assert.equal(port, url_port)
      assert.matches("0 mails", err)
      assert.matches("nobody connected", err)
    end)

    it("has the exit status of the command", function()
      assert.equal(3, (mock_run({}, "exit 3")))
      assert.equal(128 + 15, (mock_run({}, "kill -TERM $$")))
      assert.equal(9, (mock_run({ "--expect", "1" }, "exit 9")))
      local status, _, err = cli.run { "mock", "run", "--", folder .. "/none" }
      assert.equal(127, status)
      assert.matches("not found", err)
    end)

    it("hands on odd words as they are", function()
      local odd = { "a b", "it's", '"', "$HOME", "`id`", "*", ";", "", "a\nb", "\\n", "--",
        "--help", "\u{fc}\xff", "'\\''" }
      local _, out = cli.run { "mock", "run", "--", "printf", "<%s>", table.unpack(odd) }
      assert.equal("<" .. table.concat(odd, "><") .. ">", out)
    end)

    it("reports the mails, and counts them", function()
      local status, out, err = mock_run({ "--expect", "1", "--strict" }, sender())
      assert.equal(0, status, err)
      assert.matches("accepted  c@d.example\n", out)
      assert.equal("mock: 1 mail, 0 refused, in 1 session\n" ..
        "  mail 1 from <a@b.example> to c@d.example: Hello\n", err)
      status, _, err = mock_run({ "--expect", "2" }, sender())
      assert.equal(1, status)
      assert.matches("2 mails expected, 1 came", err)
      assert.equal(1, (mock_run({ "--expect", "0" }, sender())))
    end)

    it("tells of violations, which fail if it is strict", function()
      local raw = file("raw", "Subject: x\r\n\r\nx\r\n")
      local script = sender():gsub("%-%-subject.*$", "--raw " .. raw)
      local status, _, err = mock_run({}, script)
      assert.equal(0, status, err)
      assert.matches("3 violations:\n  session 1: missing_date %(RFC 5322", err)
      assert.equal(1, (mock_run({ "--strict" }, script)))
      file("raw", "Subject: x\r\nDate: x\r\nFrom: a@b.example\r\n\r\nx\r\n")
      status, _, err = mock_run({ "--strict" }, script) -- no Message-ID, which is a SHOULD
      assert.equal(0, status, err)
      assert.matches("1 violation:\n  session 1: missing_message_id [^\n]*a SHOULD", err)
    end)

    it("takes rules of a file", function()
      local rules = file("rules.json", [=[[
        { "on": "RCPT", "to": "c@*", "nth": 1, "reply": "550 5.1.1 no", "close": null },
        { "on": "MAIL", "sequence": ["451 4.3.0 later", { "reply": "250 ok", "delay": 0.01 }] },
        { "on": "VRFY", "reply": "250 x" }
      ]]=])
      local script = ("%s; %s; %s"):format(sender(), sender(), sender())
      local status, _, err = mock_run({ "--rules", rules }, script)
      assert.equal(0, status, err)
      assert.matches("lua%-smtp: mail .*451 4.3.0 later", err)
      assert.matches("lua%-smtp: rcpt .*550 5.1.1 no", err)
      assert.matches("mock: 1 mail, ", err)
      assert.matches("1 rule never fired:\n  .*VRFY", err)
      status = mock_run({ "--strict", "--rules", rules }, script)
      assert.equal(1, status)
    end)

    it("says what is wrong with rules", function()
      for text, why in pairs {
        ["["] = "Expected", ["{\"on\":\"RCPT\"}"] = "no list of rules", ["7"] = "no list of rules",
        ["[{\"on\":\"RSET\",\"reject\":true},{\"on\":\"RCPT\",\"first\":1.5}]"] =
          "rule 2: .*whole number",
        ["[{\"on\":\"RCPT\",\"foo\":1}]"] = "rule 1: .*foo", ["[7]"] = "rule 1: ",
      } do
        local status, _, err = mock_run({ "--rules", file("bad.json", text) }, "true")
        assert.equal(2, status, err)
        assert.matches(why, err)
      end
      local status, _, err = mock_run({ "--rules", folder .. "/none" }, "true")
      assert.equal(2, status)
      assert.matches("No such file", err)
    end)

    it("speaks TLS, whose authority is a file", function()
      local script = 'echo "$SMTP_CA_FILE"; ' .. sender('--tls required --ca "$SMTP_CA_FILE"')
      local status, out, err = mock_run({ "--tls", "--strict" }, script)
      assert.equal(0, status, err)
      assert.matches("\ntls       TLSv1.3\n", out)
      assert.is_nil(io.open(out:match("^[^\n]+")))
      status, out, err = mock_run({ "--tls", "implicit", "--strict" },
        'echo "$SMTP_URL"; ' .. sender('--ca "$SMTP_CA_FILE"'))
      assert.equal(0, status, err)
      assert.matches("^smtps://", out)
    end)

    it("has faults that a client must find", function()
      local status, _, err = mock_run({ "--fault", "expired", "--expect", "0" },
        "! " .. sender('--tls required --ca "$SMTP_CA_FILE"'))
      assert.equal(0, status, err)
      assert.matches("certificate has expired", err)
      assert.matches("session 1: TLS failed: ", err)
    end)

    it("knows users, extensions and quirks", function()
      local status, out, err = mock_run({ "--user", "ada:se:cret", "--user", "bob:x",
        "--without", "PIPELINING", "--without", "SIZE", "--quirk", "many_lines" },
        sender("-v --auth ada:se:cret"))
      assert.equal(0, status, err)
      assert.matches("auth      SCRAM%-SHA%-256\n", out)
      assert.matches("S: 250%-2.1.0 one\n", err)
      assert.not_matches("PIPELINING", err)
      assert.not_matches("S: 250[ -]SIZE", err)
      assert.equal(0, (mock_run({ "--user", "any", "--expect", "1" }, sender("--auth eve:y"))))
    end)

    it("has faults by chance, the same for the same seed", function()
      local function dialogue()
        local _, _, err = mock_run({ "--chaos", "12" }, sender("-v"))
        return (err:gsub("127.0.0.1:%d+", "HERE"))
      end
      local first = dialogue()
      assert.matches("%-%-chaos 12", first)
      assert.equal(first, dialogue())
    end)

    it("ends what it has started", function()
      local _, out = mock_run({}, "echo $SMTP_PORT")
      assert.is_nil((smtp.connect("127.0.0.1:" .. out:match("%d+"))))
    end)
  end)

  describe("mock run with a session that is still at work", function()
    it("ends with 1", function()
      -- The last reply never comes: the session waits until the mock ends it.
      local script = "< 220\\n> EHLO x\\n< 250\\n> MAIL FROM:<a@b>\\n< 250\\n< 250\\n"
      local status, _, err = mock_run({ "--timeout", "0.2" }, ([[printf '%s' |
        %s dialogue "$SMTP_URL" --script - >%s/out & until grep -q 'MAIL' %s/out &&
        [ "$(grep -c '^S: 250 ' %s/out)" -ge 2 ]; do sleep 0.05; done]]):format(script,
        cli.shell(), folder, folder, folder))
      assert.equal(1, status)
      assert.matches("sessions are still at work", err)
    end)
  end)

  describe("mock serve", function()
    -- Starts it; gives the process and its first line as a table.
    local function serve(words, options)
      local server = cli.start(cli.words("mock", "serve", table.unpack(words)), options)
      local line = server:await(function() return server:output():match("^(.-)\n") end)
      return server, cjson.decode(line)
    end

    local function mail(text)
      return { from = "a@b.example", to = { "c@d.example", "e@f.example" }, subject = "Hello",
        text = text, date = 0, seed = "x" }
    end

    it("prints where it is, then the mails, and ends after --count", function()
      local server <close>, place = serve { "--count", "2" }
      assert.equal("127.0.0.1", place.host)
      assert.equal(("smtp://127.0.0.1:%d"):format(place.port), place.url)
      assert.is_nil(place.ca_file)
      assert(smtp.send(place.url, mail("Gr\u{fc}\u{df}e\n")))
      local raw = "Subject: odd\r\n\r\n\xff\u{e9}\0\x01\"\r\n"
      assert(smtp.send(place.url, { envelope = { from = "", to = "x@y.example" }, raw = raw }))
      local status, out = server:wait()
      assert.equal(0, status)
      local _, first, second = out:match("^(.-)\n(.-)\n(.-)\n$")
      first, second = cjson.decode(first), cjson.decode(second)
      assert.equal("a@b.example", first.from)
      assert.same({ "c@d.example", "e@f.example" }, first.recipients)
      assert.equal("Hello", first.subject)
      assert.equal("Gr\u{fc}\u{df}e\n", first.text)
      assert.matches("^Date: .*\r\n\r\n", first.raw)
      assert.equal("", second.from)
      assert.equal("Subject: odd\r\n\r\n\u{fffd}\u{e9}\0\x01\"\r\n", second.raw)
    end)

    it("stores in a Maildir, under TLS", function()
      local server <close>, place = serve { "--count", "1", "--tls", "implicit", "--maildir",
        folder .. "/mail" }
      assert(smtp.send({ url = place.url, ca = place.ca_file }, mail("It works.\n")))
      assert.equal(0, (server:wait()))
      local names = net.names(folder .. "/mail/new")
      assert.equal(1, #names)
      assert.matches("^Return%-Path: <a@b.example>\r\n.*\r\n\r\nIt works.\r\n$",
        net.slurp(folder .. "/mail/new/" .. names[1]))
    end)

    it("listens where it is told, or says why not", function()
      local port = net.closed_port()
      local server <close>, place = serve { "--port", tostring(port), "--count", "1" }
      assert.equal(port, place.port)
      local status, _, err = cli.run { "mock", "serve", "--port", tostring(port) }
      assert.equal(1, status)
      assert.matches("in use", err)
      assert(smtp.send(place.url, mail("x")))
      assert.equal(0, (server:wait()))
    end)

    it("ends with its input if it is told to", function()
      assert.equal(0, (cli.run { "mock", "serve", "--until-eof" }))
      local script = ([[mkfifo %s/in; exec 3<>%s/in; %s mock serve --until-eof <%s/in 3>&- >%s/out &
until grep -q url %s/out; do sleep 0.02; done; echo x >&3; %s; exec 3>&-; wait $!; cat %s/out]])
        :gsub("%%s/", folder .. "/"):format(cli.shell(), sender():gsub('"$SMTP_URL"', "$(sed "
          .. "'s/.*\"port\":\\([0-9]*\\).*/localhost:\\1/' " .. folder .. "/out)"))
      local one <close> = cli.start { "sh", "-c", script }
      local status, out, err = one:wait()
      assert.equal(0, status, err)
      assert.matches('"subject":"Hello"', out)
    end)

    it("ends at SIGTERM and SIGINT, and leaves no file behind", function()
      for _, name in ipairs { "TERM", "INT" } do
        local server <close>, place = serve({ "--tls" }, { alone = true })
        assert.truthy(net.slurp(place.ca_file))
        server:signal(name)
        assert.equal(0, (server:wait()))
        assert.is_nil(io.open(place.ca_file))
      end
    end)

    it("forgets what it has handed out", function()
      if os.getenv("LD_PRELOAD") then return pending("a sanitizer keeps what is freed") end
      local server <close>, place = serve({ "--count", "40" }, { alone = true, time = 60 })
      local text = ("x"):rep(70) .. "\n"
      local function send(n)
        for _ = 1, n do
          assert(smtp.send(place.url, mail(text:rep(15000)))) -- 1 MB
        end
      end
      local function resident()
        return tonumber(net.slurp(("/proc/%d/status"):format(server:pid())):match("VmRSS:%s*(%d+)"))
      end
      send(10)
      local before = resident()
      send(29)
      assert.is_true(resident() - before < 15000, resident() - before)
      send(1)
      local status, out = server:wait()
      assert.equal(0, status)
      local last
      for line in out:gmatch("[^\n]+") do last = line end
      assert.equal(40, cjson.decode(last).number)
    end)

    it("hands out all that it has accepted", function()
      local server <close>, place = serve { "--count", "1" }
      local client <close> = assert(smtp.connect(place.url))
      local accepted = 0
      for _ = 1, 3 do
        if not client:send(mail("x")) then break end -- 421
        accepted = accepted + 1
      end
      client:close()
      local status, out = server:wait()
      assert.equal(0, status)
      assert.equal(accepted, select(2, out:gsub('"subject":"Hello"', "")))
    end)

    it("ends where it cannot hand them out", function()
      local one <close> = cli.start { "sh", "-c", cli.shell() .. " mock serve >/dev/full" }
      local status, _, err = one:wait()
      assert.equal(1, status)
      assert.matches("standard output: No space left", err)
    end)

    it("judges at its end if it is strict", function()
      local server <close>, place = serve { "--strict", "--count", "1" }
      assert(smtp.send(place.url, { envelope = { from = "", to = "x@y.example" },
        raw = "Subject: x\n\nx\n" }))
      local status, _, err = server:wait()
      assert.equal(1, status)
      assert.matches("3 violations", err)
    end)
  end)
end)
