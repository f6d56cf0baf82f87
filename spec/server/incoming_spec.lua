-- A server's message: what it is not (parsed), its header, and the folders of a Maildir.
local core = require "smtp.core"
local net = require "spec.support.net"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local HEADER = "From: Ada <ada@code.energy>\r\nSubject: The engine\r\n\r\n"
local CONTENT = HEADER .. "body\r\n"

-- Sends content to a handler: the reply, and what the handler gave or raised.
local function with(handler, content, options)
  local result
  local all = { on_event = function() end, on_message = function(session, message)
    result = table.pack(pcall(handler, message, session))
    message:skip()
    return true
  end }
  for key, value in pairs(options or {}) do all[key] = value end
  local server <close> = serve.start(all)
  local client <close> = serve.connect(server)
  local reply = client:begin():content(content or CONTENT)
  assert(result[1], result[2])
  return reply, table.unpack(result, 2, result.n)
end

-- The fields of a class in the annotations.
local function fields_of(file, class)
  local names = {}
  local text = net.slurp("types/smtp/" .. file .. ".d.lua")
  local block = text:match("%-%-%-@class smtp%." .. class .. "%f[%s:].-\n(.-)\n\n")
    or text:match("%-%-%-@class smtp%." .. class .. "%f[%s:].-\n(.-)\nlocal ")
  for line in block:gmatch("[^\n]+") do
    names[#names + 1] = line:match("^%-%-%-@field ([%w_]+)")
  end
  return names
end

describe("a server's message", function()
  it("raises for the fields of a parsed one, and names smtp.parse", function()
    local own = {}
    for _, name in ipairs(fields_of("incoming", "incoming")) do own[name] = true end
    local names = fields_of("parsed", "parsed")
    assert.is_true(#names > 15)
    for _, name in ipairs { "subject", "from", "to", "text", "html", "headers", "attachments",
      "date" } do
      names[#names + 1] = name
    end
    with(function(message)
      for _, name in ipairs(names) do
        local ok, why = pcall(function() return message[name] end)
        assert.equal(own[name] or false, ok, name)
        if not ok then
          assert.matches("smtp.parse(message)." .. name, why, 1, true)
          assert.matches("incoming_spec.lua", why, 1, true) -- the place of the mistake
        end
      end
    end)
  end)

  it("takes fields of the user's own", function()
    with(function(message)
      assert.is_nil(message.tag)
      message.tag, message.subject, message.score = "a", "mine", 0
      assert.same({ "a", "mine", 0 }, { message.tag, message.subject, message.score })
      assert.is_nil(message.verdict)
      assert(smtp.parse(message))
      assert.equal("mine", message.subject)
    end)
  end)

  it("has its header before, while and after it is read", function()
    for _, content in ipairs { CONTENT, HEADER .. ("x"):rep(300000) .. "\r\n",
      "Subject: " .. ("y"):rep(100000) .. "\r\n\r\nbody\r\n" } do
      local header = content:match("^.-\r\n\r\n")
      for _, before in ipairs { true, false } do
        with(function(message)
          if before then assert.is_true(message:header() == header) end
          local first = message:read(5)
          assert.equal(content:sub(1, 5), first)
          assert.is_true(message:header() == header)
          local second = message:lines()()
          assert.is_true(message:header() == header)
          local all = first .. second .. "\r\n" .. message:read()
          assert.is_true(all == content)
          assert.is_true(message:header() == header)
        end, content)
      end
    end
    with(function(message) assert.equal("", message:header()) end, "")
    with(function(message) assert.equal("\r\n", message:header()) end, "\r\nx\r\n")
    with(function(message) assert.equal("A: b\r\n", message:header()) end, "A: b\r\n")
  end)

  it("goes to all that take content", function()
    local function verify(message)
      return smtp.dkim_verify(message, { lookup = function() return {} end })
    end
    for _, take in ipairs { smtp.lint, smtp.parse, verify } do
      with(function(message) assert.is_table((assert(take(message)))) end)
    end
  end)

  it("can be saved after its header was looked at", function()
    local folder = net.folder()
    for i, size in ipairs { 10, 200000 } do
      local content = "Subject: " .. ("y"):rep(size) .. "\r\n\r\n" .. ("x"):rep(size) .. "\r\n"
      with(function(message)
        message:header()
        assert(message:save(("%s/%d"):format(folder, i)))
      end, content)
      assert.is_true(net.slurp(("%s/%d"):format(folder, i)) == content)
    end
    net.remove(folder)
  end)

  it("has its header when the handler has returned, and no other's", function()
    local kept = {}
    local server <close> = serve.start { on_message = function(_, message)
      kept[#kept + 1] = message
      if #kept < 3 then message:read() end
      return true
    end }
    local client <close> = serve.connect(server)
    client:begin():content("N: 1\r\n\r\nbody\r\n")
    for i = 2, 3 do
      for _, line in ipairs { "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA" } do
        client:cmd(line)
      end
      client:content(("N: %d\r\n\r\nbody\r\n"):format(i))
    end
    assert.equal("N: 1\r\n\r\n", kept[1]:header())
    assert.equal("N: 2\r\n\r\n", kept[2]:header())
    assert.error_matches(function() kept[3]:header() end, "the message is over")
    assert.error_matches(function() kept[3]:read() end, "the message is over")
    assert.same({ "ada@code.energy" }, assert(smtp.bounce(kept[1], { address = "x@y.example",
      code = 550 })).envelope.to)
  end)

  it("that breaks a limit has no header to read", function()
    local reply = with(function(message)
      local ok, err = pcall(message.header, message)
      assert.same({ false, "rejected", "Message header too big" }, { ok, err.kind, err.message })
    end, "A: " .. ("x"):rep(500) .. "\r\n\r\n", { limits = { header = 100 } })
    assert.equal("552 5.3.4 Message header too big", reply)
  end)
end)

describe("a bounce of a server's message", function()
  local FAILURE = { address = "charles@example.com", code = 550, text = "5.1.1 no" }

  it("can be made before, while and after the content is read or sent", function()
    local next <close> = serve.start { on_rcpt = true }
    for _, use in ipairs {
      function() end,
      function(message) message:read() end,
      function(message) message:read(3) end,
      function(message) message:skip() end,
      function(message) assert(smtp.parse(message)) end,
      function(message) assert(smtp.send("127.0.0.1:" .. next.port, message)) end,
      function(message) assert(message:save(os.tmpname() .. ".eml")) end,
    } do
      local _, made = with(function(message)
        use(message)
        return assert(smtp.bounce(message, FAILURE))
      end)
      local report = assert(smtp.parse(tostring(made)))
      assert.same({ from = "", to = { "ada@code.energy" } }, made.envelope)
      assert.equal("text/rfc822-headers", report.parts[3].type)
      assert.equal(HEADER, report.parts[3].content .. "\r\n")
      assert.equal("5.1.1", report.report.recipients[1].status)
    end
  end)

  it("leaves the content to be read", function()
    with(function(message)
      assert(smtp.bounce(message, FAILURE))
      assert.equal(CONTENT, message:read())
    end)
  end)

  it("has the whole message if it is wanted and available", function()
    for _, read in ipairs { true, false } do
      local _, made = with(function(message)
        if read then message:read() end
        return assert(smtp.bounce(message, FAILURE, { ret = "FULL" }))
      end)
      local part = assert(smtp.parse(tostring(made))).parts[3]
      assert.equal(read and "text/rfc822-headers" or "message/rfc822", part.type)
    end
  end)

  it("takes a receipt or an error", function()
    local next <close> = serve.start { on_rcpt = function(_, to)
      if to.user == "eve" then return 550, "5.1.1 no eve" end
      return true
    end, on_message = function(session, message)
      message:skip()
      if session.recipients[1].user == "full" then return 552, "5.2.2 full" end
      return true
    end }
    local gone <close> = serve.start {}
    local at = "127.0.0.1:" .. gone.port
    gone:close()
    local target = "127.0.0.1:" .. next.port
    local cases = {
      { target, { "bob@x.example", "eve@x.example" }, { ["eve@x.example"] = "5.1.1" } },
      { target, { "eve@x.example" }, { ["eve@x.example"] = "5.1.1" } },
      { target, { "full@x.example", "eve@x.example" },
        { ["full@x.example"] = "5.2.2", ["eve@x.example"] = "5.1.1" } },
      { at, { "bob@x.example", "eve@x.example" },
        { ["bob@x.example"] = "5.0.0", ["eve@x.example"] = "5.0.0" } },
    }
    for _, case in ipairs(cases) do
      with(function(message)
        message.envelope = { from = message.sender.address, to = case[2] }
        local receipt, err = smtp.send(case[1], message)
        local made = assert(smtp.bounce(message, receipt or err))
        local told = {}
        for _, one in ipairs(assert(smtp.parse(tostring(made))).report.recipients) do
          assert.is_nil(told[one.final_recipient])
          told[one.final_recipient] = one.status
        end
        assert.same(case[3], told)
      end)
    end
  end)
end)

describe("the folders of a Maildir", function()
  local folder, spool
  before_each(function() folder, spool = net.folder(), core.spool end)
  after_each(function()
    core.spool = spool
    net.remove(folder)
  end)

  -- How many folders above `new` are synced with each of some deliveries.
  local function synced(paths)
    local list = {}
    core.spool = function(path)
      local one = assert(spool(path))
      return setmetatable({ write = function(_, bytes) return one:write(bytes) end,
        commit = function(_, target, overwrite, above)
          list[#list + 1] = above
          return one:commit(target, overwrite, above)
        end }, { __close = function() one:close() end })
    end
    for _, path in ipairs(paths) do
      assert.matches("^250", (with(function(message) assert(message:maildir(path)) end)))
    end
    return list
  end

  it("are synced with those that name them, until this process has done so", function()
    local box = folder .. "/box"
    assert.same({ 2, 0, 0 }, synced { box, box, box })
    assert(os.execute("rm -r " .. box))
    assert.same({ 2, 0 }, synced { box, box })
    assert(os.execute(("rmdir %s/cur"):format(box)))
    assert.same({ 2, 0 }, synced { box, box })
    local other = folder .. "/other" -- of a process that died before it synced them
    assert(os.execute(("mkdir %s %s/tmp %s/new %s/cur"):format(other, other, other, other)))
    assert.same({ 2, 0, 2 }, synced { other, other, other .. "/" })
  end)
end)
