-- The message that on_message gets: reading it, keeping it, and what breaks it.
local loop = require "smtp.loop"
local net = require "spec.support.net"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local TAKEN = "250 2.0.0 Message accepted"
local NOT_TAKEN = "451 4.3.0 Message was not stored, please try again later"
local FAILED = "451 4.3.0 Local error, please try again later"
local BARE = "550 5.5.2 Bare CR, LF or NUL in message"

-- Sends content to a handler; gives the reply and the facts.
local function send(content, handler, options)
  local events = {}
  options = options or {}
  options.on_message, options.on_event = handler, serve.record(events)
  local server <close> = serve.start(options)
  local client <close> = serve.connect(server)
  client:begin()
  return client:content(content), events, server
end

-- Sends content whole; gives the handler's result.
local function collect(content, handler)
  local kept
  local reply = send(content, function(session, message)
    kept = handler(message, session)
    return true
  end)
  assert.equal(TAKEN, reply)
  return kept
end

local function list(iterator)
  local all = {}
  for item in iterator do all[#all + 1] = item end
  return all
end

-- Content that has every kind of line, larger than many packets.
local function large(size)
  local lines, n = {}, 0
  while n < size do
    local line = ("%s line %d %s\r\n"):format(#lines % 5 == 0 and "." or "", #lines,
      ("x"):rep(#lines * 7 % 900))
    lines[#lines + 1] = line
    n = n + #line
  end
  return table.concat(lines)
end

local function stuffed(content)
  return (("\r\n" .. content):gsub("\r\n%.", "\r\n.."):sub(3))
end

describe("message", function()
  it("read gives the whole, once", function()
    assert.equal("a\r\n.b\r\n", collect("a\r\n..b\r\n", function(m) return m:read() end))
    assert.equal("", collect("", function(m) return m:read() end))
    assert.same({ "x\r\n", "", 3 }, collect("x\r\n", function(m)
      return { m:read(), m:read(), m.size }
    end))
  end)

  it("read gives at most max, and nil at the end", function()
    assert.same({ "ab", "cd", "e\r", "\n" }, collect("abcde\r\n", function(m)
      return list(function() return m:read(2) end)
    end))
    assert.same({ "ab", "cde\r\n" }, collect("abcde\r\n", function(m)
      return { m:read(2), m:read() }
    end))
    assert.is_true(collect("", function(m) return m:read(10) == nil and m:read(10) == nil end))
    assert.equal("abcde\r\n", collect("abcde\r\n", function(m) return m:read(1000) end))
  end)

  it("chunks gives pieces of a size, or as they come", function()
    assert.same({ "abc", "de\r", "\n" }, collect("abcde\r\n", function(m)
      return list(m:chunks(3))
    end))
    assert.same({ "abcde\r\n" }, collect("abcde\r\n", function(m) return list(m:chunks(7)) end))
    assert.same({}, collect("", function(m) return list(m:chunks(7)) end))
    assert.equal("abcde\r\n", collect("abcde\r\n", function(m)
      return table.concat(list(m:chunks()))
    end))
  end)

  it("lines gives lines without their CRLF", function()
    local function lines(m) return list(m:lines()) end
    assert.same({ "a", "", "b\tc", "." }, collect("a\r\n\r\nb\tc\r\n..\r\n", lines))
    assert.same({}, collect("", lines))
    assert.same({ "" }, collect("\r\n", lines))
  end)

  it("gives the rest of lines to a later read", function()
    assert.same({ "a", "b\r\n\r\nc\r\n" }, collect("a\r\nb\r\n\r\nc\r\n", function(m)
      return { m:lines()(), m:read() }
    end))
    assert.same({ "a", "b", "", "c\r\n" }, collect("a\r\nb\r\n\r\nc\r\n", function(m)
      local first, second = m:lines()(), m:lines()
      return { first, second(), second(), m:read(10) }
    end))
  end)

  it("raises for misuse", function()
    assert.same({ false, false, false, false, false }, collect("a\r\n", function(m)
      return { (pcall(m.read, m, "a")), (pcall(m.read, m, 1.5)), (pcall(m.save, m)),
        (pcall(m.save, m, "/nowhere/x", { preprend = "x" })), (pcall(m.maildir, m, "x", "y")) }
    end))
    local kept
    collect("a\r\n", function(m)
      kept = m
      return m:read()
    end)
    assert.error_matches(function() kept:read() end, "the message is over")
  end)

  it("lines is right for every end of a slice", function()
    local got
    local server <close> = serve.start { bare_newline = "raw", on_message = function(_, m)
      got = list(m:lines())
    end }
    local client <close> = serve.connect(server)
    client:begin()
    for byte in ("one\r\n\rtwo\r\r\n\r\nlast\r\n.\r"):gmatch(".") do
      client:send(byte)
      loop.step(0)
      loop.step(0)
    end
    client:send("\n")
    assert.equal(TAKEN, client:reply())
    assert.same({ "one", "\rtwo\r", "", "last" }, got)
  end)

  it("lines takes a line of megabytes in its stride", function()
    local line = ("x"):rep(4 * 1024 * 1024)
    local got = collect("\r\n" .. line .. "\r\nend\r\n", function(m) return list(m:lines()) end)
    assert.equal(3, #got)
    assert.is_true(got[2] == line)
  end)

  it("far larger than a packet comes whole, however it is cut", function()
    local content = large(3 * 1024 * 1024)
    local wire = stuffed(content)
    local got, size
    local server <close> = serve.start {
      on_message = function(_, m) got, size = m:read(), m.size end,
    }
    for _, piece in ipairs { #wire, 65536, 16384, 1460, 8191 } do
      local client <close> = serve.connect(server)
      client:begin()
      for at = 1, #wire, piece do client:send(wire:sub(at, at + piece - 1)) end
      assert.equal(TAKEN, client:content(""))
      assert.is_true(got == content, piece)
      assert.equal(#content, size)
    end
  end)

  it("is pulled: a slow handler slows its sender", function()
    local server <close> = serve.start { on_message = function(_, m)
      local n = 0
      for chunk in m:chunks() do
        n = n + #chunk
        smtp.sleep(0)
      end
      return "took " .. n
    end }
    local client <close> = serve.connect(server)
    client:begin()
    assert.equal("250 2.0.0 took 2000000", client:content((("x"):rep(998) .. "\r\n"):rep(2000)))
  end)

  it("C022 knows its envelope, its id and a Received field", function()
    local got = collect("x\r\n", function(m)
      return { m.sender.address, m.recipients[1].address, m.envelope.from, m.envelope.to[1],
        m:received(), m.id, m:return_path() }
    end)
    assert.same({ "ada@code.energy", "charles@example.com", "ada@code.energy",
      "charles@example.com" }, { table.unpack(got, 1, 4) })
    local id = got[6]:gsub("%p", "%%%0")
    assert.matches("^Received: from client%.code%.energy %(%[127%.0%.0%.1%]%)\r\n" ..
      "\tby mx%.example with ESMTP id " .. id .. "\r\n\tfor <charles@example%.com>;\r\n" ..
      "\t%a%a%a, %d+ %a%a%a %d%d%d%d %d%d:%d%d:%d%d %+0000\r\n$", got[5])
    assert.equal("Return-Path: <ada@code.energy>\r\n", got[7])
  end)

  it("C022 has a Received field that names no recipient of several", function()
    local field
    local server <close> = serve.start { on_message = function(_, m)
      field = m:received()
      return m:read() ~= nil
    end }
    local client <close> = serve.connect(server)
    client:reply()
    client:cmd("HELO client.code.energy")
    client:cmd("MAIL FROM:<ada@code.energy>")
    client:cmd("RCPT TO:<charles@example.com>")
    client:cmd("RCPT TO:<secret@example.com>")
    client:cmd("DATA")
    assert.equal(TAKEN, client:content("x\r\n"))
    assert.matches("\r\n\tby mx%.example with SMTP id [^\r\n]+;\r\n\t%a%a%a, [^\r\n]+\r\n$", field)
  end)

  it("flags 8-bit content", function()
    assert.is_true(collect("\xe4\r\n", function(m) return m:read() and m.eightbit end))
    assert.is_false(collect("a\r\n", function(m) return m:read() and m.eightbit end))
  end)
end)

describe("a handler of a message", function()
  it("that read all and returns nothing has taken it", function()
    for _, handler in ipairs {
      function(_, m) m:read() end, function(_, m) m:skip() end,
      function(_, m) for _ in m:chunks() do end end, function(_, m) for _ in m:lines() do end end,
    } do
      assert.equal(TAKEN, (send("x\r\n", handler)))
    end
  end)

  it("that read only a part and returns nothing has not", function()
    for _, handler in ipairs {
      function() end, function(_, m) m:read(1) end, function(_, m) m:read(0) end,
      function(_, m) m:lines()() end,
    } do
      local reply, events = send(large(200000), handler)
      assert.equal(NOT_TAKEN, reply)
      assert.equal(451, serve.of_type(events, "message")[1].code)
    end
    assert.equal(NOT_TAKEN, (send("", function() end)))
  end)

  it("that read a part and returns true is believed; the rest is dropped", function()
    local server <close> = serve.start { on_message = function(_, m)
      m:read(1)
      return "had a look"
    end }
    local client <close> = serve.connect(server)
    client:begin()
    assert.equal("250 2.0.0 had a look", client:content(large(300000)))
    assert.equal("250 2.0.0 OK", client:cmd("NOOP"))
    assert.equal("503 5.5.1 Bad sequence of commands", client:cmd("DATA"))
  end)

  it("cannot save a body that broke its framing, even if it catches that", function()
    local caught
    local handlers = {
      function(_, m) m:read() end,
      function(_, m)
        local ok, err = pcall(m.read, m)
        caught = not ok and err
        return true
      end,
      function(_, m)
        pcall(m.read, m)
        return 250, "2.0.0 fine"
      end,
      function(_, m)
        pcall(m.read, m)
        return 421, "4.0.0 bye"
      end,
      function() return true end,
      function() error("x") end,
    }
    for _, handler in ipairs(handlers) do
      assert.equal(BARE, (send("a\nb\r\n", handler)))
      assert.equal("552 5.3.4 Message too big", (send("12345678\r\n", handler,
        { limits = { message_size = 9 } })))
    end
    assert.equal("rejected", caught.kind)
    assert.equal("body", caught.stage)
  end)

  it("raises again when it reads on behind a breach", function()
    local second
    send("a\nb\r\n", function(_, m)
      pcall(m.read, m)
      second = { pcall(m.read, m, 10) }
    end)
    assert.is_false(second[1])
  end)

  it("is unwound when the client vanishes within the body", function()
    for _, go in ipairs { "close", "abort" } do
      local unwound, past, cause = false, false, nil
      local events = {}
      local server <close> = serve.start {
        on_event = serve.record(events),
        on_message = function(_, m)
          local _ <close> = setmetatable({}, { __close = function(_, err)
            unwound, cause = true, err
          end })
          m:read()
          past = true
        end,
      }
      local client = serve.connect(server)
      client:begin()
      client:send("half a line\r\nand more")
      serve.wait(function() return server:stats().connections == 1 end)
      client[go](client)
      serve.idle(server)
      assert.is_true(unwound)
      assert.is_false(past)
      assert.equal("closed", cause.kind)
      assert.equal(0, server:stats().messages)
      assert.is_nil(serve.of_type(events, "message")[1].code)
    end
  end)

  it("is unwound where it waits when the server closes", function()
    local unwound, reading = false, false
    local server = serve.start { on_message = function(_, m)
      local _ <close> = setmetatable({}, { __close = function() unwound = true end })
      reading = true
      m:read()
    end }
    local client <close> = serve.connect(server)
    client:begin():send("half")
    serve.wait(function() return reading end)
    server:close()
    assert.is_true(unwound)
    assert.equal("", client:rest())
  end)

  it("is not charged for the time of a slow sender", function()
    local got
    local server <close> = serve.start { limits = { handler_timeout = 0.4 },
      on_message = function(_, m) got = m:read() end }
    local client <close> = serve.connect(server)
    client:begin():send("first\r\n")
    local since = loop.now()
    serve.wait(function() return loop.now() - since > 0.6 end)
    assert.equal(TAKEN, client:content("second\r\n"))
    assert.equal("first\r\nsecond\r\n", got)
  end)
end)

describe("keeping a message", function()
  local folder
  before_each(function() folder = net.folder() end)
  after_each(function() net.remove(folder) end)

  local function saved(content, path, options)
    local result
    local reply = send(content, function(_, m)
      result = table.pack(m:save(path, options))
      return table.unpack(result, 1, result.n)
    end)
    return reply, result
  end

  it("save writes the file, whole, and gives true", function()
    local content = large(500000)
    local reply, result = saved(stuffed(content), folder .. "/mail")
    assert.equal(TAKEN, reply)
    assert.same({ true, n = 1 }, result)
    assert.same({ "mail" }, net.names(folder))
    assert.is_true(net.slurp(folder .. "/mail") == content)
    saved("x\r\n", folder .. "/second", { prepend = "Return-Path: <>\r\n" })
    assert.equal("Return-Path: <>\r\nx\r\n", net.slurp(folder .. "/second"))
    saved("", folder .. "/empty")
    assert.equal("", net.slurp(folder .. "/empty"))
  end)

  it("save and say nothing is enough", function()
    assert.equal(TAKEN, (send("x\r\n", function(_, m) m:save(folder .. "/mail") end)))
    assert.equal("x\r\n", net.slurp(folder .. "/mail"))
  end)

  it("save does not overwrite", function()
    net.dump(folder .. "/mail", "old")
    local reply, result = saved("new\r\n", folder .. "/mail")
    assert.equal(FAILED, reply)
    assert.is_nil(result[1])
    assert.equal("save", result[2].stage)
    assert.equal("system", result[2].kind)
    assert.equal("EEXIST", result[2].cause)
    assert.equal("old", net.slurp(folder .. "/mail"))
    assert.same({ "mail" }, net.names(folder))
  end)

  it("a failed save is 451 unless the handler returns another verdict", function()
    local path = folder .. "/no/such/folder"
    assert.equal(NOT_TAKEN, (send("x\r\n", function(_, m) m:save(path) end)))
    assert.equal(NOT_TAKEN, (send("x\r\n", function(_, m)
      m:save(path)
      m:skip()
    end)))
    assert.equal(FAILED, (send("x\r\n", function(_, m) return m:save(path) end)))
    assert.equal(FAILED, (send("x\r\n", function(_, m) return (m:save(path)) end)))
    assert.equal("554 5.7.1 Message refused", (send("x\r\n", function(_, m)
      m:save(path)
      return false
    end)))
    assert.equal("452 4.3.1 full", (send("x\r\n", function(_, m)
      m:save(path)
      return 452, "4.3.1 full"
    end)))
  end)

  it("a broken body leaves no file", function()
    for _, content in ipairs { "a\nb\r\n", "\0\r\n" } do
      assert.equal(BARE, (send(content, function(_, m) return m:save(folder .. "/mail") end)))
      assert.equal(BARE, (send(content, function(_, m) return m:maildir(folder .. "/box") end)))
    end
    assert.same({ "box" }, net.names(folder))
    for _, name in ipairs { "tmp", "new", "cur" } do
      assert.same({}, net.names(folder .. "/box/" .. name))
    end
  end)

  it("a client that vanishes leaves no file", function()
    local server <close> = serve.start { on_message = function(_, m)
      return m:save(folder .. "/mail")
    end }
    local client = serve.connect(server)
    client:begin():send(large(100000))
    serve.wait(function() return #net.names(folder) == 1 end, "the temporary file")
    client:close()
    serve.idle(server)
    assert.same({}, net.names(folder))
  end)

  it("maildir delivers by way of tmp", function()
    local names = {}
    for i = 1, 3 do
      assert.equal(TAKEN, (send(i .. "\r\n", function(_, m)
        return m:maildir(folder .. "/box", { prepend = m:return_path(), trace = false })
      end)))
      names = net.names(folder .. "/box/new")
      assert.equal(i, #names)
    end
    assert.same({}, net.names(folder .. "/box/tmp"))
    assert.same({ "cur", "new", "tmp" }, net.names(folder .. "/box"))
    local seen = {}
    for _, name in ipairs(names) do
      seen[net.slurp(folder .. "/box/new/" .. name)] = true
      assert.matches("^%d+%.%x+%.mx%.example$", name)
    end
    for i = 1, 3 do assert.is_true(seen["Return-Path: <ada@code.energy>\r\n" .. i .. "\r\n"]) end
  end)

  it("maildir that cannot be is 451", function()
    net.dump(folder .. "/file", "")
    for _, path in ipairs { folder .. "/file", folder .. "/no/such" } do
      assert.equal(FAILED, (send("x\r\n", function(_, m) return m:maildir(path) end)))
      assert.equal(NOT_TAKEN, (send("x\r\n", function(_, m) m:maildir(path) end)))
    end
  end)

  it("misuse of save is an error of the handler", function()
    assert.equal(FAILED, (send("x\r\n", function(_, m)
      m:read(1)
      m:save(folder .. "/mail")
    end)))
    assert.same({}, net.names(folder))
  end)

  -- Sends a message larger than what the place can hold.
  local overflow = [[
    local serve = require "spec.support.serve"
    local net = require "spec.support.net"
    local folder = %q
    local why
    local server = serve.start { on_message = function(_, message)
      local ok, err = message:save(folder .. "/mail")
      why = err and err.cause
      return ok
    end }
    local peer = serve.connect(server)
    peer:begin()
    print(peer:content((("x"):rep(998) .. "\r\n"):rep(1000)))
    print(why, #net.names(folder))
    for _, line in ipairs { "MAIL FROM:<>", "RCPT TO:<a@b.example>", "DATA" } do peer:cmd(line) end
    print(peer:content("small\r\n"))
    print(#net.names(folder))
    peer:close()
    server:close()
  ]]
  local expected = FAILED .. "\n%s\t0\n" .. TAKEN .. "\n1\n"

  it("a limit for files is 451, and the next message is taken", function()
    local status, output = net.run(overflow:format(folder), "trap '' XFSZ; ulimit -f 256;")
    assert.equal(expected:format("EFBIG"), output)
    assert.equal(0, status)
  end)

  it("a full disk is 451, and the next message is taken", function()
    local mount = "mount -t tmpfs -o size=256k none " .. folder
    if not os.execute(("unshare -rm sh -c '%s' 2>/dev/null"):format(mount)) then
      return pending("a file system cannot be mounted here")
    end
    local status, output = net.run(overflow:format(folder),
      ("unshare -rm sh -c '%s && exec \"$0\" \"$@\"'"):format(mount))
    assert.equal(expected:format("ENOSPC"), output)
    assert.equal(0, status)
  end)
end)
