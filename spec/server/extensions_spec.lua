-- The offers of a server in EHLO, and the parameters for its handlers.
local authority = require "smtp.authority"
local misused = require "spec.support.misuse"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local function offered(options)
  local server <close> = serve.start(options)
  local d <close> = assert(smtp.dialogue("127.0.0.1:" .. server.port))
  assert(d:expect(220))
  local lines = {}
  for i, line in ipairs(assert(d:cmd("EHLO x", 250)).lines) do
    if i > 1 then lines[#lines + 1] = line end
  end
  return table.concat(lines, "|")
end

local USUAL = "PIPELINING|SIZE 36700160|8BITMIME|ENHANCEDSTATUSCODES|"

local function open(server, from)
  local d = assert(smtp.dialogue("127.0.0.1:" .. server.port, { timeout = 5 }))
  assert(d:expect(220))
  assert(d:cmd("EHLO x", 250))
  if from then assert(d:cmd("MAIL FROM:<a@b.example>" .. from, 250)) end
  return d
end

describe("extensions of a server", function()
  it("are offered if they are honoured anyway, and if the options say so", function()
    local limits = "|LIMITS RCPTMAX=1000 MAILMAX=1000"
    assert.equal(USUAL .. "SMTPUTF8|CHUNKING" .. limits, offered {})
    assert.equal(USUAL .. "SMTPUTF8|CHUNKING|BINARYMIME|DSN|DELIVERBY|RRVS|PRDR|MT-PRIORITY|"
      .. "FUTURERELEASE 86400 2027-01-01T00:00:00Z" .. limits, offered { extensions = {
        BINARYMIME = true, DSN = true, DELIVERBY = true, RRVS = true, ["MT-PRIORITY"] = true,
        PRDR = true, REQUIRETLS = true, FUTURERELEASE = "86400 2027-01-01T00:00:00Z" } })
    assert.equal(USUAL .. "XADA|XBOB a b|XEVE c|LIMITS RCPTMAX=5 MAILMAX=7", offered {
        limits = { recipients = 5, messages = 7 },
        extensions = { CHUNKING = false, smtputf8 = false, XADA = true, xbob = "a b",
          XEVE = { params = "c", mail = { "XEVE" }, rcpt = { "XEVE", "XTO" } } } })
  end)

  it("C119 tell limits of six digits, and no 0", function()
    local function told(limits) return offered({ limits = limits }):match("|(LIMITS.*)$") end
    assert.equal("LIMITS RCPTMAX=999999 MAILMAX=1", told { recipients = 999999, messages = 1 })
    assert.equal("LIMITS RCPTDOMAINMAX=1",
      told { recipients = 1000000, messages = 0, recipient_domains = 1 })
    assert.is_nil(told { recipients = 1000000, messages = 0, recipient_domains = 0 })
  end)

  it("C119 RCPTDOMAINMAX holds for the session", function()
    local server <close> = serve.start { limits = { recipient_domains = 2 },
      on_rcpt = function(_, recipient) return recipient.domain ~= "no.example" end }
    local d <close> = open(server, "")
    for _, case in ipairs { { "a@no.example", 550 }, { "a@one.example", 250 },
      { "b@ONE.example", 250 }, { "a@two.example", 250 }, { "a@three.example", 452 },
      { "a@no.example", 452 }, { "c@one.example", 250 } } do
      local reply = assert(d:cmd("RCPT TO:<" .. case[1] .. ">", case[2]))
      if case[2] == 452 then assert.equal("4.5.3", reply.enhanced) end
    end
    for _, line in ipairs { "RSET", "EHLO y", "MAIL FROM:<a@b.example>" } do
      assert(d:cmd(line, 250))
    end
    assert(d:cmd("RCPT TO:<a@three.example>", 452))
    assert(d:cmd("RCPT TO:<a@two.example>", 250))
  end)

  it("C119 RCPTDOMAINMAX is kept to by our client, in more than one session", function()
    local server <close> = serve.start { limits = { recipient_domains = 2 }, on_rcpt = true }
    local to = { "a@one.example", "b@two.example", "c@three.example", "d@one.example",
      "e@four.example" }
    local client <close> = assert(smtp.connect("smtp://127.0.0.1:" .. server.port))
    assert.equal("RCPTMAX=1000 MAILMAX=1000 RCPTDOMAINMAX=2", client.capabilities.LIMITS)
    local receipt = assert(client:send { raw = "x\r\n",
      envelope = { from = "a@b.example", to = to } })
    assert.same({ 5, 0 }, { #receipt.accepted, #receipt.rejected })
    assert.equal(3, server:stats().accepted) -- one two, three one, four
    local blind <close> = assert(smtp.connect { url = "smtp://127.0.0.1:" .. server.port,
      disable = { LIMITS = true } })
    receipt = assert(blind:send { raw = "x\r\n", envelope = { from = "a@b.example", to = to } })
    assert.same({ 3, 2 }, { #receipt.accepted, #receipt.rejected }) -- it is held in any case
    assert.is_true(receipt.rejected[1].temporary)
  end)

  it("C116 REQUIRETLS is offered only under TLS", function()
    local root = assert(authority.new())
    local leaf = assert(root:issue { names = { "localhost" } })
    local server <close> = serve.start { extensions = { REQUIRETLS = true },
      tls = { cert = leaf.cert, key = leaf.key } }
    local d <close> = assert(smtp.dialogue("127.0.0.1:" .. server.port))
    assert(d:expect(220))
    assert.not_matches("REQUIRETLS", assert(d:cmd("EHLO x", 250)).text)
    assert(d:cmd("MAIL FROM:<a@b.example> REQUIRETLS", 555)) -- C153
    assert(d:starttls { ca = root.certificate, verify = false })
    assert.matches("REQUIRETLS", assert(d:cmd("EHLO x", 250)).text)
    assert(d:cmd("MAIL FROM:<a@b.example> REQUIRETLS", 250))
  end)

  it("name their faults", function()
    local function start(extensions)
      return function() smtp.server { listen = "127.0.0.1:0", on_message = print,
        extensions = extensions } end
    end
    misused("is no keyword", start { ["X ADA"] = true })
    for word, how in pairs { STARTTLS = "the option tls", AUTH = "the option auth",
      SIZE = "limits.message_size", pipelining = "is always offered" } do
      misused(how, start { [word] = true })
    end
    misused("needs CHUNKING", start { BINARYMIME = true, CHUNKING = false })
    misused("needs its limits", start { FUTURERELEASE = true })
    misused("must not be a number", start { XADA = 5 })
    misused("must not be a table", start { DSN = {} })
    misused("visible ASCII", start { XADA = "a\r\nb" })
    misused("unknown option", start { XADA = { verbs = {} } })
  end)

  it("C174 xtext that stands for a control is 501 and reaches no handler", function()
    local called = {}
    local server <close> = serve.start { extensions = { DSN = true, SMTPUTF8 = true },
      auth = { cleartext = true, lookup = function() return "secret" end },
      xforward = { "127.0.0.1" },
      on_mail = function(_, sender) called[#called + 1] = sender.envid or sender.auth end,
      on_rcpt = function(_, recipient) called[#called + 1] = recipient.orcpt return true end }
    open(server, " ENVID=id+2B7"):close()
    assert.same({ "id+7" }, called)
    for _, code in ipairs { "00", "01", "09", "0A", "0D", "1B", "1F", "7F" } do
      for _, line in ipairs { "RCPT TO:<bob@example.com> ORCPT=rfc822;b+%sb@example.com",
        "RCPT TO:<bob@example.com> ORCPT=utf-8;+%s NOTIFY=NEVER",
        "RCPT TO:<bob@example.com> ORCPT=utf-8;b\\x{%s}b@example.com" } do
        local other <close> = open(server, "")
        local reply = other:cmd(line:format(code), 501)
        assert(reply and reply.enhanced == "5.5.4", line)
      end
      for _, line in ipairs { "MAIL FROM:<ada@code.energy> ENVID=a+%sb",
        "MAIL FROM:<ada@code.energy> AUTH=a+%sb@code.energy", "XFORWARD HELO=a+%sb",
        "MAIL FROM:<ada@code.energy> RET=FULL ENVID=+%s" } do
        local client <close> = serve.connect(server)
        assert.matches("^220", client:reply())
        assert.matches("^250", client:cmd "EHLO client.code.energy")
        assert.matches("^501 5%.5%.4", client:cmd(line:format(code)), line)
        assert.matches("^250", client:cmd "MAIL FROM:<>")
      end
    end
    assert.same({ "id+7" }, called)
  end)

  it("C076 ORCPT of type utf-8 is decoded as RFC 6533 section 3 has it", function()
    local seen
    local server <close> = serve.start { extensions = { DSN = true },
      on_rcpt = function(_, recipient) seen = recipient.orcpt return true end }
    local d <close> = open(server, "")
    for text, want in pairs {
      ["utf-8;d\\x{F6}@\\x{65e5}\\x{1F600}.example"] = "utf-8;dö@日😀.example",
      ["UTF-8;a\\x{3D}b\\x{2B}\\x{5C}\\x{20}@x"] = "UTF-8;a=b+\\ @x",
      ["utf-8;a+2Bb@x"] = "utf-8;a+b@x",
      ["rfc822;a\\x{3D}b@x"] = "rfc822;a\\x{3D}b@x", ["utf-8;d\u{f6}\\x{E9}@x"] = "utf-8;döé@x" } do
      assert(d:cmd("RCPT TO:<b@x.example> ORCPT=" .. text, 250), text)
      assert.equal(want, seen)
    end
  end)

  it("are typed fields of sender and recipient", function()
    local seen = {}
    local server <close> = serve.start {
      extensions = { DSN = true, DELIVERBY = true, RRVS = true, ["MT-PRIORITY"] = true,
        FUTURERELEASE = "86400 2027-01-01T00:00:00Z", XADA = { mail = { "XADA" } } },
      on_mail = function(_, sender) seen[#seen + 1] = sender end,
      on_rcpt = function(_, recipient) seen[#seen + 1] = recipient return true end,
    }
    local d <close> = open(server, " SMTPUTF8 RET=hdrs ENVID=a+2Bb BY=60;NT MT-PRIORITY=-3"
      .. " HOLDFOR=5 XADA=1")
    assert(d:cmd("RCPT TO:<\u{e9}@x.example> NOTIFY=delay,SUCCESS ORCPT=rfc822;a+3Db@x "
      .. "RRVS=2026-11-25T23:00:00Z;C", 250))
    assert(d:cmd("RCPT TO:<b@x.example> ORCPT=utf-8;\u{e9}@x NOTIFY=NEVER", 250))
    local sender, first, second = table.unpack(seen)
    assert.same({ true, "HDRS", "a+b", -3, 5, "1" }, { sender.smtputf8, sender.ret, sender.envid,
      sender.priority, sender.hold_for, sender.params.XADA })
    assert.same({ seconds = 60, mode = "notify", trace = true }, sender.by)
    assert.same({ "\u{e9}@x.example", { "SUCCESS", "DELAY" }, "rfc822;a=b@x",
      "2026-11-25T23:00:00Z;C" }, { first.address, first.notify, first.orcpt, first.rrvs })
    assert.same({ { "NEVER" }, "utf-8;\u{e9}@x" }, { second.notify, second.orcpt })
    for line, code in pairs { ["RCPT TO:<b@x.example> NOTIFY=NEVER,DELAY"] = 501,
      ["RCPT TO:<b@x.example> NOTIFY=DELAY NOTIFY=DELAY"] = 501, -- C074
      ["RCPT TO:<b@x.example> XADA=1"] = 555 } do assert(d:cmd(line, code)) end
  end)
end)

describe("a message that comes in chunks", function()
  local CONTENT = "Subject: x\r\n\r\n.\r\nbody"

  local function run(options, talk)
    local kept, events = {}, {}
    options.on_event = serve.record(events)
    options.on_rcpt = true
    options.on_message = options.on_message or function(_, message)
      kept[#kept + 1] = message:read()
      return true
    end
    local server <close> = serve.start(options)
    local d <close> = open(server, options.from or "")
    assert(d:cmd("RCPT TO:<c@d.example>", 250))
    talk(d)
    return kept, events
  end

  it("is the same to its handler", function()
    for _, on_data in ipairs { false, function() return true end } do
      local kept = run({ on_data = on_data or nil }, function(d)
        for i = 1, #CONTENT do d:raw("BDAT 1\r\n" .. CONTENT:sub(i, i)) end
        d:raw("BDAT 0 LAST\r\n")
        for _ = 1, #CONTENT + 1 do assert(d:expect(250)) end
        assert(d:cmd("NOOP", 250))
      end)
      assert.same({ CONTENT }, kept)
    end
  end)

  it("is refused before, and read all the same", function()
    local kept = run({ on_data = function() return 550, "5.7.1 not today" end }, function(d)
      d:raw("BDAT 6 LAST\r\nQUIT\r\n")
      assert.equal("not today", assert(d:expect(550)).text)
      assert(d:cmd("NOOP", 250))
    end)
    assert.same({}, kept)
  end)

  it("is given up by RSET, EHLO, QUIT and a lost connection, and its handler unwound", function()
    for _, line in ipairs { "RSET", "EHLO x", "QUIT", "" } do
      local unwound, reset, whole
      local _, events = run({
        on_reset = function() reset = true end,
        on_message = function(_, message)
          local guard <close> = setmetatable({}, { __close = function() unwound = true end })
          whole = message:read()
          return guard ~= nil
        end,
      }, function(d)
        d:raw("BDAT 3\r\nabc")
        assert(d:expect(250))
        if line == "" then d:abort() else assert(d:cmd(line, "2xx")) end
        if line == "RSET" or line == "EHLO x" then
          assert(d:cmd("MAIL FROM:<a@b.example>", 250))
          assert(d:cmd("RCPT TO:<c@d.example>", 250))
        end
        serve.wait(function() return unwound end, "the handler was not unwound")
      end)
      assert.same({ true, nil }, { unwound, whole })
      assert.equal((line == "RSET" or line == "EHLO x") or nil, reset)
      assert.is_nil(serve.of_type(events, "message")[1].code)
    end
  end)
end)
