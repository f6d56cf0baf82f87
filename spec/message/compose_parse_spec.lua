-- A composed message is parsed to its record, for thousands of random records; `lint` of good and
-- of bad messages.
local smtp = require "smtp"
local keys = require "spec.support.dkim"

-- Always the same chance.
local state = 20260101
local function random(n)
  state = (state * 6364136223846793005 + 1442695040888963407)
  return (state >> 33) % n + 1
end

local function pick(list) return list[random(#list)] end

local WORDS = { "engine", "works", "Grüße", "日本語", "naïve", "a", "=?utf-8?q?x?=", "(c)", '"q"',
  "back\\slash", "semi;colon", "comma,", "<angle>", ("long"):rep(20), "tab\tbed", "𝒳", "e\u{301}",
  ".", "--", "From", "100%", "a=b", "@" }

local function words(n)
  local list = {}
  for i = 1, random(n) do list[i] = pick(WORDS) end
  return table.concat(list, pick { " ", " ", "  " })
end

local NAMES = { "ada", "bob.b", "c+d", '"e f"', "g_h", "i'j" }
local DOMAINS = { "code.energy", "example.com", "a-b.example", "[192.0.2.1]" }

local function person()
  local one = { address = pick(NAMES) .. "@" .. pick(DOMAINS) }
  if random(3) > 1 then one.name = words(3):gsub("\t", " ") end
  return one
end

local function people(n)
  local list = {}
  for i = 1, random(n) do list[i] = person() end
  return list
end

local function text()
  local lines = {}
  for i = 1, random(5) do lines[i] = words(30) end
  return table.concat(lines, "\n") .. "\n"
end

local function bytes()
  local list = {}
  for i = 1, random(300) do list[i] = string.char(random(256) - 1) end
  return table.concat(list)
end

local function record()
  local one = { from = person(), to = people(4), date = random(2000000000), seed = random(1 << 30) }
  if random(2) == 1 then one.subject = words(12) end
  if random(3) == 1 then one.cc = people(3) end
  if random(4) == 1 then one.bcc = people(2) end
  if random(4) == 1 then one.reply_to = person() end
  if random(4) > 1 then one.text = text() end
  if random(2) == 1 then one.html = "<p>" .. text() end
  if random(4) == 1 then one.in_reply_to = "<a.b@c.example>" end
  if random(3) == 1 then
    one.attachments = {}
    for i = 1, random(3) do
      one.attachments[i] = { content = bytes(), name = words(4):gsub("\t", " ") .. ".bin" }
    end
  end
  return one
end

local function plain(text_) return text_ and text_:gsub("[ \t]+", " "):match("^ ?(.-) ?$") end

local function same_people(wanted, got, what)
  assert.equal(#wanted, #got, what)
  for i, one in ipairs(wanted) do
    assert.equal(one.address, got[i].address, what)
    assert.equal(plain(one.name), plain(got[i].name), what)
  end
end

local function check(one)
  local made = assert(smtp.message(one))
  local raw = tostring(made)
  assert.equal(#raw, made.size)
  for line in raw:gmatch("([^\r\n]*)\r\n") do assert.is_true(#line <= 998) end
  local back = assert(smtp.parse(raw))
  same_people({ one.from }, back.from, "from")
  same_people(one.to, back.to, "to")
  same_people(one.cc or {}, back.cc, "cc")
  assert.equal(0, #back.bcc)
  same_people(one.reply_to and { one.reply_to } or {}, back.reply_to, "reply_to")
  assert.equal(one.in_reply_to, back.in_reply_to and "<" .. back.in_reply_to .. ">")
  assert.equal(plain(one.subject), plain(back.subject))
  assert.equal(one.date, back.time)
  assert.equal(made.id, "<" .. back.message_id .. ">")
  assert.equal(one.text or not one.html and "" or nil, back.text)
  assert.equal(one.html, back.html)
  assert.equal(#(one.attachments or {}), #back.attachments)
  for i, attachment in ipairs(one.attachments or {}) do
    assert.is_true(attachment.content == back.attachments[i].content)
    assert.equal(plain(attachment.name), plain(back.attachments[i].name))
  end
  assert.same({}, made:lint())
end

describe("composed and parsed", function()
  it("are the same, field by field, 1,000 times", function()
    for _ = 1, 1000 do check(record()) end
  end)

  it("are the same 10,000 times #slow", function()
    for _ = 1, 9000 do check(record()) end
  end)
end)

describe("lint", function()
  local function rules(message)
    local list = {}
    for i, one in ipairs(assert(smtp.lint(message))) do list[i] = one.rule end
    table.sort(list)
    return table.concat(list, " ")
  end

  local GOOD = "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nFrom: a@b.example\r\nMessage-ID: <a@b>\r\n"

  it("finds nothing where nothing is wrong", function()
    assert.equal("", rules(GOOD .. "\r\nhi\r\n"))
    assert.equal("", rules(GOOD .. "Content-Transfer-Encoding: 8bit\r\n\r\nh\xc3\xa9\r\n"))
  end)

  it("looks for 8-bit bytes in the parts of a multipart, not between them", function()
    local function multipart(own, inner, said)
      return GOOD .. own .. "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" .. inner
        .. "\r\n" .. said .. "\r\n--b\r\n\r\nplain\r\n--b--\r\n"
    end
    local eight = "Content-Transfer-Encoding: 8bit\r\n"
    assert.equal("", rules(multipart(eight, eight, "h\xc3\xa9")))
    assert.equal("", rules(multipart("", "", "he")))
    assert.equal("", rules(multipart(eight, "Content-Transfer-Encoding: BINARY\r\n", "h\xc3\xa9")))
    assert.equal("eightbit", rules(multipart(eight, "", "h\xc3\xa9")))
    assert.equal("eightbit", rules(multipart(eight, "Content-Transfer-Encoding: base64\r\n",
      "h\xc3\xa9")))
    assert.equal("eightbit", rules(multipart(eight, "Content-Type: multipart/mixed; boundary=c\r\n",
      "--c\r\n\r\nh\xc3\xa9\r\n--c--")))
  end)

  it("finds each thing that is", function()
    for found, message in pairs {
      ["date from message_id"] = "Subject: x\r\n\r\nhi\r\n",
      ["duplicate"] = GOOD .. "Subject: a\r\nsubject: b\r\n\r\nhi\r\n",
      ["bcc"] = GOOD .. "Bcc: c@d.example\r\n\r\nhi\r\n",
      ["one_click"] = GOOD .. "List-Unsubscribe: <https://x.example/>\r\n\r\nhi\r\n",
      ["bare_lf"] = GOOD .. "\r\nhi\nho\r\n", ["bare_cr"] = GOOD .. "\r\nhi\rho\r\n",
      ["nul"] = GOOD .. "\r\nh\0i\r\n",
      ["long_line"] = GOOD .. "\r\n" .. ("x"):rep(999) .. "\r\n",
      ["eightbit"] = GOOD .. "\r\nh\xc3\xa9\r\n",
      ["header_8bit"] = GOOD .. "Subject: h\xc3\xa9\r\n\r\nhi\r\n",
      ["alignment"] = GOOD .. "DKIM-Signature: v=1; d=other.example; s=x\r\n\r\nhi\r\n",
    } do
      assert.equal(found, rules(message))
    end
    assert.equal("", rules(GOOD .. "DKIM-Signature: v=1; d=b.example; s=x\r\n\r\nhi\r\n"))
    assert.equal("", rules(GOOD .. "\r\n" .. ("x"):rep(998) .. "\r\n"))
  end)
end)

describe("a message that is sent", function()
  it("is signed by what the target or the record says", function()
    if keys.missing then return pending(keys.missing) end
    local made = keys.key("ed25519")
    local key = made.pem
    local got
    local function passes(domain)
      local results = assert(smtp.dkim_verify(got,
        { lookup = keys.lookup({ s = made.record }, domain) }))
      assert.same({ 1, "pass" }, { #results, results[1].result })
    end
    local server <close> = assert(smtp.server { listen = "127.0.0.1:0",
      on_message = function(_, m) got = m:read() return true end })
    local dkim = { domain = "code.energy", selector = "s", key = key }
    local record_ = { from = "ada@code.energy", to = "bob@example.com", text = "It works.\n.\n" }
    assert(smtp.send({ host = "127.0.0.1", port = server.port, dkim = dkim }, record_))
    assert.matches("^DKIM%-Signature: v=1; a=ed25519%-sha256;", got)
    passes("code.energy")
    record_.dkim = { domain = "example.com", selector = "s", key = key }
    assert(smtp.send({ host = "127.0.0.1", port = server.port, dkim = dkim }, record_))
    assert.matches("d=example%.com", got)
    passes("example.com")
    local function raw()
      local given
      return function()
        given = not given
        return given and "From: ada@code.energy\r\n\r\nhi\r\n" or nil
      end
    end
    assert(smtp.send({ host = "127.0.0.1", port = server.port, dkim = dkim },
      { envelope = { from = "ada@code.energy", to = "bob@example.com" }, raw = raw() }))
    assert.matches("^DKIM%-Signature: .*\r\nFrom: ada@code.energy\r\n\r\nhi\r\n$", got)
    passes("code.energy")
    record_.dkim = nil
    local receipt, err = smtp.send({ host = "127.0.0.1", port = server.port,
      dkim = { domain = "a\rb", selector = "s", key = key } }, record_)
    assert.is_nil(receipt)
    assert.equal("invalid", err.kind)
  end)
end)
