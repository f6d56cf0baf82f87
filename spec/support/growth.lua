-- Runs a scene of the library over and over, and prints how much stays in memory:
--
--   lua5.4 spec/support/growth.lua SCENE ROUNDS
--
-- prints how many bytes a round leaves behind, and how many descriptors all rounds. A leak
-- shows in each part of the rounds, and what grows or goes once (a pool, a cache, a table of
-- names) in one: the median of the parts counts. Lua's own memory is taken off.
local probe = require "probe"
local smtp = require "smtp"
local authority = require "smtp.authority"
local core = require "smtp.core"
local keys = require "spec.support.dkim"
local mock = require "smtp.mock"
local net = require "spec.support.net"

local PARTS = 5

local scenes = {} -- name -> a function that prepares, and gives the function of a round

-- ---- messages --------------------------------------------------------------

local RAW = {
  "Subject: =?koi8-r?B?8NLJ18XU?= =?iso-2022-jp?B?GyRCRnxLXBsoQg==?=\n"
    .. "From: =?gb18030?Q?=C4=E3?= <a@b.example>\nTo: <c@d.example>, e@f.example\n"
    .. "Content-Type: text/plain; charset=iso-2022-jp\nContent-Transfer-Encoding: base64\n\n"
    .. "GyRCRnxLXBsoQgo=\n",
  "Subject: x\nContent-Type: multipart/mixed; boundary=a\n\n--a\n"
    .. "Content-Type: multipart/alternative; boundary=b\n\n--b\n"
    .. "Content-Type: text/plain; charset=windows-1251; format=flowed; delsp=yes\n\n\xcf \n\xf0\n"
    .. "--b\nContent-Type: text/html; charset=euc-kr\n\n<p>\xb0\xa1\n--b--\n--a\n"
    .. "Content-Type: application/pdf; name*=utf-8''%E2%82%AC.pdf\n"
    .. "Content-Disposition: attachment; filename*0=\"a\"; filename*1=\".pdf\"\n"
    .. "Content-Transfer-Encoding: base64\n\nJVBERg==\n--a\n"
    .. "Content-Type: message/rfc822\n\nSubject: y\nContent-Type: text/plain; charset=big5\n\n"
    .. "\xa4\xa4\n--a\nContent-Type: text/plain; charset=shift_jis\n\n\x83\x65\xff\n--a--\n",
  "Subject: cut\nContent-Type: multipart/mixed; boundary=a\n\n--a\n"
    .. "Content-Type: text/plain; charset=no-such-charset\n\n\xff\n--a\n"
    .. "Content-Transfer-Encoding: x-uuencode\n\nbegin 644 a\n#86)C\n`\nend\n",
  "From: mailer@b.example\nContent-Type: multipart/report; report-type=delivery-status; "
    .. "boundary=a\n\n--a\n\nIt failed.\n--a\nContent-Type: message/delivery-status\n\n"
    .. "Reporting-MTA: dns; b.example\n\nFinal-Recipient: rfc822; x@y.example\nAction: failed\n"
    .. "Status: 5.1.1\nDiagnostic-Code: smtp; 550 no\n--a--\n",
}

-- Fields are read when they are asked for.
local function read_all(part)
  for _, name in ipairs { "content", "text", "html", "subject", "from", "to", "date", "report",
    "message", "name" } do
    assert(pcall(function() return part[name] end), name)
  end
  for _, one in ipairs(part.parts or {}) do read_all(one) end
  for _, one in ipairs(part.attachments or {}) do read_all(one) end
end

function scenes.parse()
  return function()
    for _, raw in ipairs(RAW) do read_all(assert(smtp.parse(raw))) end
  end
end

local function record()
  return { from = "Ada \u{e9} <a@b.example>", to = "c@d.example", subject = ("\u{e4}x "):rep(40),
    text = "\u{20ac}\n", html = "<p>x", attachments = { { name = "\u{e9}.txt", content = "x" } } }
end

function scenes.compose()
  local big = { from = "a@b.example", to = "c@d.example", text = ("x"):rep(3000) .. "\0" }
  return function()
    assert(smtp.message(record()):chunks()()) -- not to its end
    assert(tostring(smtp.message(record())))
    assert(not pcall(smtp.message, { from = 5 }))
    assert(not smtp.message(big) or true)
  end
end

function scenes.dkim()
  if keys.missing then return nil end
  local records, signers = {}, {}
  for _, kind in ipairs { "ed25519", "rsa" } do
    local key = keys.key(kind)
    records[kind] = key.record
    signers[kind] = assert(smtp.dkim { domain = "example.com", selector = kind, key = key.pem })
  end
  return function()
    for kind, signer in pairs(signers) do
      local signed = record()
      signed.from, signed.dkim = "a@example.com", signer
      local text = tostring(smtp.message(signed))
      local results = assert(smtp.dkim_verify(text, { lookup = keys.lookup(records) }))
      assert(results[1].result == "pass", results[1].reason)
      results = assert(smtp.dkim_verify(text .. "x", { lookup = keys.lookup(records) }))
      assert(results[1].result == "fail", kind)
      smtp.dkim_verify(text, { lookup = function() return "v=DKIM1; p=AAAA" end })
    end
    local ok, made = pcall(smtp.dkim, { domain = "example.com", selector = "x", key = "no key" })
    assert(not (ok and made))
  end
end

-- ---- certificates ----------------------------------------------------------

function scenes.authority()
  return function()
    local root = assert(authority.new())
    local leaf = assert(assert(root:intermediate()):issue { names = { "a.example", "*.b.example" },
      addresses = { "127.0.0.1", "::1" }, emails = { "a@b.example" } })
    assert(core.tls_context { server = true, cert = leaf.chain or leaf.cert, key = leaf.key })
    assert(not core.tls_context { server = true, cert = leaf.cert,
      key = assert(root:issue { names = { "x.example" } }).key })
    assert(not core.tls_context { ca = "no certificate", verify = true })
  end
end

-- ---- sessions --------------------------------------------------------------

local function certificate()
  local root = assert(authority.new())
  return root, assert(root:issue { names = { "localhost" }, addresses = { "127.0.0.1" } })
end

-- A server with all that a session may need, and its target.
local function serve(folder)
  local root, leaf = certificate()
  local stored = 0
  local server = assert(smtp.server {
    listen = "127.0.0.1:0", hostname = "mx.example.com", on_rcpt = function(_, to)
      if to.address:find("^no") then return 550, "no" end
      return true
    end,
    tls = { cert = leaf.cert, key = leaf.key },
    auth = { mechanisms = { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "CRAM-MD5", "PLAIN" },
      lookup = function() return "secret" end },
    on_auth = function(_, credentials)
      return credentials.verified or credentials:check("secret")
    end,
    on_message = function(_, message)
      stored = stored + 1
      local path = ("%s/%d"):format(folder, stored)
      assert(message:save(path))
      os.remove(path)
      return true
    end,
    on_event = function() end,
  })
  return server, { url = "smtp://127.0.0.1:" .. server.port, ca = root.certificate,
    tls = "required" }
end

local function with(target, changes)
  local all = {}
  for key, value in pairs(target) do all[key] = value end
  for key, value in pairs(changes) do all[key] = value end
  return all
end

function scenes.session(folder)
  local server, target = serve(folder)
  local message = { from = "a@b.example", to = { "c@d.example", "no@d.example" }, text = "x\n" }
  local other = certificate().certificate
  return function()
    assert(smtp.send(with(target, { tls = "none" }), message))
    assert(smtp.send(with(target, { host = nil }), message))
    for _, mechanism in ipairs { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "CRAM-MD5", "PLAIN" } do
      assert(smtp.send(with(target, { auth = { user = "ada", password = "secret",
        mechanisms = { mechanism } } }), message))
    end
    assert(not smtp.send(with(target, { ca = other }), message))
    local client = assert(smtp.connect(target))
    assert(client:noop())
    client:close()
  end, server
end

function scenes.dialogue(folder)
  local server, target = serve(folder)
  return function()
    local d <close> = assert(smtp.dialogue(target.url))
    assert(d:expect(220))
    assert(d:cmd("EHLO x", 250))
    assert(d:starttls { ca = target.ca })
    assert(d:cmd("EHLO x", 250))
    assert(d:auth("SCRAM-SHA-256", "ada", "secret"))
    assert(d:cmd("NOOP", 250))
    assert(not d:cmd("NONSENSE", 250))
    local cut = assert(smtp.dialogue(target.url)) -- in the middle of a message
    assert(cut:expect(220))
    for _, line in ipairs { "EHLO x", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>" } do
      assert(cut:cmd(line, 250))
    end
    assert(cut:cmd("DATA", 354))
    cut:raw("Subject: x\r\n")
    cut:close()
  end, server
end

function scenes.mock()
  local root, leaf = certificate() -- one, since clients keep a context for each authority
  return function()
    local mx = assert(mock.start { tls = { cert = leaf.cert, key = leaf.key },
      users = { ada = "secret" } })
    mx:on("RCPT", { to = "no@*" }):first(1):reply("550 no")
    mx:on("NOOP"):sequence { "250 a", { reply = "250 b", delay = 0.001 } }
    mx:without("SIZE"):with("XFOO bar")
    assert(smtp.send({ url = mx.url, tls = "none",
      auth = { user = "ada", password = "secret", mechanisms = { "SCRAM-SHA-256" } } }, record()))
    read_all(assert(mx:wait()))
    assert(mx:violations() and mx:sessions() and mx:transcript())
    assert(not smtp.send({ url = mx.url, tls = "none",
      auth = { user = "ada", password = "no", mechanisms = { "SCRAM-SHA-256" } } }, record()))
    local d = assert(smtp.dialogue(mx.url))
    assert(d:expect(220))
    assert(d:cmd("EHLO x", 250))
    assert(d:starttls { ca = root.certificate })
    d:close()
    mx:stop()
  end
end

function scenes.names(folder)
  local server, target = serve(folder)
  return function()
    smtp.address.parse("Ada <ada@b\u{fc}cher.example>, g: a@b.example, c@d.example;")
    smtp.address.parse("Ada <ada@b\u{fc}cher.example")
    assert(not smtp.send("smtp://127.0.0.1:" .. net.closed_port(), record()))
    assert(smtp.send({ host = "localhost", port = server.port, tls = "none",
      local_address = "127.0.0.1" }, with(record(), { to = "a@d.example" })) or target)
    smtp.mta_sts.parse("version: STSv1\nmode: enforce\nmx: *.example.com\nmax_age: 5\n")
  end, server
end

-- ---- measuring -------------------------------------------------------------

local function held()
  collectgarbage()
  collectgarbage()
  return probe.in_use() - math.floor(collectgarbage("count") * 1024)
end

local function descriptors()
  return #net.names("/proc/self/fd")
end

local function settle()
  for _ = 1, 20 do smtp.sleep(0.002) end -- sessions that end, threads that are done
end

local function run(scene, rounds)
  local folder = net.folder()
  local remove <close> = setmetatable({}, { __close = function() net.remove(folder) end })
  local round, server = scenes[scene](folder)
  if not round then return print("cannot run here") end
  for _ = 1, math.max(2, rounds // PARTS) do round() end
  settle()
  local fds, parts = descriptors(), {}
  for i = 1, PARTS do
    local before = held()
    for _ = 1, rounds // PARTS do round() end
    settle()
    parts[i] = held() - before
  end
  table.sort(parts)
  local median = parts[PARTS // 2 + 1]
  print(("%.1f %d"):format(median / (rounds // PARTS), descriptors() - fds))
  if server then server:close() end
  return remove
end

-- Under AddressSanitizer, which looks when it is asked to (scripts/sanitize.sh).
local function look_for_leaks()
  collectgarbage()
  collectgarbage()
  if probe.leaks() then os.exit(1) end
end

if probe.in_use() then run(arg[1], tonumber(arg[2])) else print("cannot run here") end
look_for_leaks()
