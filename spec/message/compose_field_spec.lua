-- Header fields as they go out: where their lines end, what may be encoded, and which
-- reasons are given for what may not be sent.
local core = require "smtp.core"
local header_lines = require "spec.support.header_lines"
local smtp = require "smtp"

local function text_of(record)
  record.from, record.date, record.seed = record.from or "ada@code.energy", 0, 1
  local text = tostring(assert(smtp.message(record)))
  header_lines.check(text)
  return text
end

local function why_not(record)
  record.from = record.from or "ada@code.energy"
  local made, err = smtp.message(record)
  assert.is_nil(made)
  assert.equal("invalid", err.kind)
  return tostring(err)
end

local function holds(text, piece)
  assert.truthy(text:find(piece, 1, true), piece .. " is not in\n" .. text)
end

local function lacks(text, piece)
  assert.falsy(text:find(piece, 1, true), piece .. " is in\n" .. text)
end

-- The value of a field, unfolded.
local function value_of(text, name)
  local lines = "\r\n" .. text:match("^.-\r\n\r\n")
  return lines:gsub("\r\n ", " "):match("\r\n" .. name:gsub("%p", "%%%0") .. ": ([^\r]*)\r\n")
end

-- An iterator over the parameters of the Content-Type.
local function read_params(text)
  local _, flat = core.mime_value(value_of(text, "Content-Type"))
  local i = -1
  return function()
    i = i + 2
    return flat[i], flat[i + 1]
  end
end

local LETTERS = { "a", "é", "日", "😀", "ab ", "aé", "日a", "é ", '" ,' }

describe("a field that is composed", function()
  it("has something behind its name, and lines of 78, or 76 with encoded words", function()
    for n = 1, 120 do
      for i, letters in ipairs(LETTERS) do
        for _, text in ipairs { letters:rep(n) .. "z", i < 3 and ("z"):rep(n) .. letters or nil } do
          local back = smtp.parse(text_of { subject = text,
            from = { name = text, address = "ada@code.energy" },
            to = { { name = text, address = "bob@example.com" }, "c@d.example" },
            headers = { { "X-" .. ("n"):rep(n % 72 + 1), text } } })
          text = text:match("^%s*(.-)%s*$")
          assert.equal(text, back.subject)
          assert.equal(text, back.from[1].name)
          assert.equal(text, back.to[1].name)
        end
      end
    end
  end)

  it("has a place for what is glued to a piece", function()
    for n = 1, 90 do
      for _, letter in ipairs { "m", "é" } do
        text_of { to = { { group = letter:rep(n), members = { "a@example.com",
          ("m"):rep(n % 60) .. "b@example.com" } }, "x@y.example",
          { group = letter:rep(n), members = {} } } }
      end
      local part = smtp.part { content = "x", type = "x/" .. ("t"):rep(n),
        params = { { "a", ("v"):rep(n) }, { "b", "w" }, { "c", ("é"):rep(n) },
          { "d", ("u"):rep(n) } } }
      local params = {}
      for name, value in read_params(text_of { part = part }) do params[name] = value end
      assert.same({ a = ("v"):rep(n), b = "w", c = ("é"):rep(n), d = ("u"):rep(n) }, params)
    end
  end)

  it("carries ids and URLs whole on the first line, up to the 998 of a line", function()
    for _, n in ipairs { 10, 40, 61, 62, 63, 78, 500, 900, 950 } do
      local id = ("<%s@x.example>"):format(("i"):rep(n))
      local url = ("<https://x.example/%s>"):format(("u"):rep(n))
      local text = text_of { message_id = id, in_reply_to = id, references = { id, id },
        list = { unsubscribe = url:sub(2, -2), help = url:sub(2, -2) },
        headers = { { "List-Owner", url .. "," .. url } } }
      holds(text, "\r\nMessage-ID: " .. id .. "\r\nIn-Reply-To: " .. id .. "\r\n")
      holds(text, "\r\nList-Unsubscribe: " .. url .. "\r\n")
      holds(text, "\r\nList-Owner: " .. url .. ",")
    end
    -- 998 is met exactly, then by a line of its own, then not at all.
    for n, behind in pairs { [980] = " ", [981] = "\r\n ", [997] = "\r\n " } do
      local value = "<" .. ("u"):rep(n - 2) .. ">"
      assert.equal("List-Unsubscribe:" .. behind .. value .. "\r\n",
        core.field("List-Unsubscribe", { "structured", value }))
      assert.equal("List-Unsubscribe:" .. behind .. value .. "\r\n",
        core.field("List-Unsubscribe", { "token", value }))
    end
    local long = "<https://x.example/" .. ("u"):rep(1000) .. ">"
    for what, record in pairs {
      ["headers List-Unsubscribe is too long"] = { headers = { { "List-Unsubscribe", long } } },
      ["headers Received is too long"] = { headers = { { "Received", "from " .. long } } },
      ["list.help is too long"] = { list = { help = long:sub(2, -2) } },
      ["references is too long"] = { references = ("r"):rep(1000) },
      ["message_id is too long"] = { message_id = ("r"):rep(1000) .. "@x.example" },
    } do
      holds(why_not(record), what)
    end
  end)

  it("of a grammar is sent as it is given", function()
    local words = ("word "):rep(60):sub(1, -2)
    for _, name in ipairs { "List-Unsubscribe", "list-help", "Authentication-Results", "Received",
      "Archived-At", "DKIM-Signature", "ARC-Seal", "Resent-Message-ID", "Feedback-ID" } do
      for _, value in ipairs { "<https://example.com/u?id=?>", "<https://x.example/?a=?q?b=?c?=>",
        "=?utf-8?q?x?= <a@b.example>", "a=b; c==?UTF-8?B?eA==?=", words } do
        local text = text_of { headers = { { name, value } } }
        assert.equal(value, value_of(text, name))
      end
    end
    local urls = "<https://x.example/" .. ("u"):rep(600) .. ">"
    holds(text_of { headers = { { "List-Post", urls .. "," .. urls } } },
      "List-Post: " .. urls .. ",\r\n " .. urls .. "\r\n")
  end)

  it("of a grammar has encoded words in names alone", function()
    for value, right in pairs {
      ["Grüße <news.example.org>"] = "=?UTF-8?B?R3LDvMOfZQ==?= <news.example.org>",
      ['"Grüße, alle" <news.example.org>'] = "=?UTF-8?B?R3LDvMOfZSwgYWxsZQ==?= <news.example.org>",
    } do
      holds(text_of { headers = { { "List-Id", value } } }, "\r\nList-Id: " .. right .. "\r\n")
    end
    holds(text_of { headers = { { "Resent-To", '"Jörg X" <j@x.example>, bob@x.example' } } },
      "\r\nResent-To: =?UTF-8?Q?J=C3=B6rg_X?= <j@x.example>, bob@x.example\r\n")
    holds(text_of { headers = { { "Keywords", "größe, a b,ö" } } },
      "\r\nKeywords: =?UTF-8?B?Z3LDtsOfZQ==?=, a b, =?UTF-8?B?w7Y=?=\r\n")
    for _, pair in ipairs { { "List-Unsubscribe", "<https://bücher.example/u>" },
      { "Received", "from ü.example by b.example" }, { "Precedence", "größe" },
      { "Authentication-Results", 'mx.example; spf=fail reason="größe"' } } do
      holds(why_not { headers = { pair } }, "headers " .. pair[1] .. " must be ASCII")
    end
  end)

  it("that is text encodes no URL, and what would be read as an encoded word", function()
    for text, encoded in pairs { ["https://x.example/?a=?"] = false, ["=?"] = false,
      ["https://x.example/?=?b=?q=?"] = false, ["=?utf-8?q?x?="] = true, ["a=??b?x"] = true,
      ["=?x?B?"] = true, ["=??q?"] = true, ["x=??b?"] = true, ["=??q"] = false, ["=?x?b"] = false,
      ["=?x?b="] = false, ["x =?utf-8?Q?a b?="] = true, ["=?x?C?y?="] = false } do
      local made = text_of { subject = text, headers = { { "X-URL", text } },
        to = { name = text, address = "a@b.example" },
        attachments = { { content = "x", name = text } } }
      if encoded then lacks(made, text) else holds(made, "\r\nX-URL: " .. text .. "\r\n") end
      local back = smtp.parse(made)
      assert.same({ text, text, text }, { back.subject, back.to[1].name, back.attachments[1].name })
    end
  end)

  it("names the reason why a value may not be sent", function()
    for value, why in pairs { ["a\tb\xff"] = "is not UTF-8", ["\xff\t"] = "is not UTF-8",
      ["ü\xc3 \t"] = "is not UTF-8", ["a\tb\1"] = "has a control", ["a\127"] = "has a control" } do
      for field, record in pairs {
        subject = { subject = value }, ["headers X-A"] = { headers = { { "X-A", value } } },
        ["headers List-Help"] = { headers = { { "List-Help", value } } },
        to = { to = { { name = value, address = "a@b.example" } } },
        name = { attachments = { { content = "x", name = value } } },
        description = { attachments = { { content = "x", description = value } } },
        in_reply_to = { in_reply_to = value }, references = { references = { value } },
      } do
        holds(why_not(record), field .. " " .. why)
      end
    end
    holds(why_not { to = "Ada\t\xff <a@b.example>" }, "to is not UTF-8")
    holds(why_not { text = "a\t\xff" }, "text is not UTF-8")
    holds(why_not { html = "a\t\xff" }, "html is not UTF-8")
    assert.equal("a\tb", smtp.parse(text_of { subject = "a\tb" }).subject)
  end)

  it("leaves out the ids of others that are not ASCII, but in a header of UTF-8", function()
    local ids = { "<1@a.example>", "<é@a.example>\t<2@a.example>" }
    local text = text_of { in_reply_to = "<é@a.example>", references = ids }
    lacks(text, "In-Reply-To")
    holds(text, "\r\nReferences: <1@a.example> <2@a.example>\r\n")
    text = text_of { from = "é@a.example", in_reply_to = "é@a.example", references = ids }
    holds(text, "\r\nIn-Reply-To: <é@a.example>\r\n")
    holds(text, "\r\nReferences: <1@a.example> <é@a.example> <2@a.example>\r\n")
    holds(text_of { message_id = "<1@bücher.example>" },
      "\r\nMessage-ID: <1@xn--bcher-kva.example>\r\n")
    holds(why_not { message_id = "<é@a.example>" }, "is no message id")
  end)
end)

describe("the name of a file", function()
  local function fields(name)
    local text = text_of { text = "x", attachments = { { content = "x", name = name } } }
    local part = text:match(".*\r\n(Content%-Type:.-)\r\n\r\n")
    return part:match("^(.-\r\n)[^ ]"), part:match("(Content%-Disposition:.*)"), text
  end

  it("is plain where it can be", function()
    for name, written in pairs { ["plan.pdf"] = "plan.pdf", ["my plan.pdf"] = '"my plan.pdf"',
      ['a"b'] = '"a\\"b"' } do
      local kind, disposition = fields(name)
      holds(kind, " name=" .. written)
      holds(disposition, " filename=" .. written)
      lacks(kind .. disposition, "=?")
      lacks(kind .. disposition, "*")
    end
  end)

  it("stands behind a type that is as long as a line", function()
    for _, name in ipairs { "日本語の資料.xlsx", "資料.docx", "x.pptx" } do
      local _, _, text = fields(name)
      for line in text:gmatch("([^\r]*)\r\n") do assert.is_true(#line <= 78, line) end
      assert.equal(name, smtp.parse(text).attachments[1].name)
      assert.matches("officedocument", smtp.parse(text).attachments[1].type)
    end
  end)

  it("is an extended parameter, and encoded words for old readers", function()
    for n = 1, 120 do
      for _, letters in ipairs { "é", "日", "😀", "ü b", "x" } do
        local name = letters:rep(n) .. ".pdf"
        local kind, disposition, text = fields(name)
        assert.equal(name, smtp.parse(text).attachments[1].name)
        if letters ~= "x" or #name > 70 then
          local words = kind:match('\r\n name="(=%?UTF%-8%?[^"]*%?=)"\r\n$')
          assert.truthy(words, kind)
          assert.equal(name, core.decode_words((words:gsub("\r\n", ""))))
          assert.matches("filename%*0?%*?=", disposition)
        end
      end
    end
  end)
end)
