-- A client that one of the functions which it calls has closed: the call under way ends by an
-- error that says so, and by what is known of the message.
local loop = require "smtp.loop"
local scripted = require "spec.support.scripted"
local smtp = require "smtp"

local script, hello = scripted.script, scripted.hello

local function message(raw)
  return { envelope = { from = "ada@a.example", to = "bob@b.example" }, raw = raw or "x: y\r\n" }
end

-- Everything that a server says to one message and more.
local function willing(...)
  return script(hello(...), function(connection)
    local line = connection:line()
    while line do
      local n = math.tointeger(line:match("^BDAT (%d+)"))
      if line == "DATA" then
        connection:say("354 go\r\n")
        connection:body()
      elseif n then
        while #connection.buffer < n and connection:fill() do end
        connection.buffer = connection.buffer:sub(n + 1)
      end
      connection:say("250 ok\r\n")
      line = connection:line()
    end
  end)
end

local OFFERS = { chunks = { "PIPELINING", "CHUNKING" }, content = { "PIPELINING" }, plain = {} }

-- A client and what `fn(client)` gives: no result, and the error.
local function closed_by(offers, options, fn)
  local server <close> = scripted.server(willing(table.unpack(offers)))
  local given = { url = server.url, timeout = 5 }
  for key, value in pairs(options) do given[key] = value end
  local client <close> = assert(smtp.connect(given))
  local result, err = fn(client)
  assert.is_nil(result)
  assert.same({ "closed", "the client was closed" }, { err.kind, err.message })
  assert.is_string(err.stage)
  assert.is_false(client:usable())
  assert.error_matches(function() client:noop() end, "client is closed")
  return err
end

describe("a client that is closed within its own call", function()
  for name, offers in pairs(OFFERS) do
    it("by progress, ends the call: " .. name, function()
      for _, raw in ipairs { "x\r\n", ("x\r\n"):rep(100000) } do
        local err = closed_by(offers, {}, function(client)
          return client:send(message(raw), { progress = function() client:close() end })
        end)
        assert.equal("not_sent", err.outcome)
        if name == "content" then assert.equal("body", err.stage) end
      end
    end)

    it("by raw, ends the call: " .. name, function()
      for at = 1, 3 do
        local err = closed_by(offers, {}, function(client)
          local n = 0
          return client:send(message(function()
            n = n + 1
            if n == at then client:close() end
            return n < 3 and ("x\r\n"):rep(30000) or nil
          end))
        end)
        assert.equal("not_sent", err.outcome)
      end
      closed_by(offers, {}, function(client)
        assert(client:mail("ada@a.example"))
        assert(client:rcpt("bob@b.example"))
        return client:data(function() client:close() end)
      end)
    end)

    it("by trace, ends the call at any line: " .. name, function()
      for _, line in ipairs { "MAIL FROM:<ada@a.example>", "RCPT TO:<bob@b.example>", "DATA",
        "BDAT 6 LAST", "250 ok", "354 go" } do
        local mine, seen
        local function trace(_, said)
          if mine and said:find(line, 1, true) then
            seen = true
            mine:close()
          end
        end
        local server <close> = scripted.server(willing(table.unpack(offers)))
        local client <close> = assert(smtp.connect { url = server.url, timeout = 5, trace = trace })
        mine = client
        local receipt, err = client:send(message())
        assert.equal(receipt == nil, seen == true, line)
        if seen then
          assert.same({ "closed", "the client was closed" }, { err.kind, err.message })
        end
      end
    end)
  end

  it("by trace, ends single commands", function()
    for _, call in ipairs {
      function(client) return client:noop() end,
      function(client) return client:command("XADA") end,
      function(client) return client:mail("ada@a.example") end,
      function(client) return client:vrfy("ada") end,
      function(client) return client:reset() end,
      function(client) return client:quit() end,
    } do
      for _, side in ipairs { "C", "S" } do
        local mine
        closed_by({}, { trace = function(from) if mine and from == side then mine:close() end end },
          function(client)
            mine = client
            return call(client)
          end)
      end
    end
  end)

  it("by a token, when it signs in at another session", function()
    local step = script(hello("AUTH XOAUTH2", "LIMITS RCPTMAX=1 MAILMAX=1"), "C AUTH", "S 235 ok")
    local server <close> = scripted.server { script(step, "* MAIL", "* RCPT", "C DATA", "S 354 go",
      "BODY", "S 250 ok", "C QUIT", "S 221 bye"), hello("AUTH XOAUTH2"), }
    local mine
    local client <close> = assert(smtp.connect { url = server.url, timeout = 5,
      auth = { user = "ada", token = function()
        if mine then mine:close() end
        return "secret"
      end } })
    mine = client
    local _, err = client:send { envelope = { from = "a@a.example",
      to = { "b@b.example", "c@b.example" } }, raw = "x\r\n" }
    assert.same({ "closed", "the client was closed", "partial" },
      { err.kind, err.message, err.outcome })
    assert.same({ "b@b.example" }, err.accepted)
  end)

  it("leaves each message of send_all its error", function()
    for _, how in ipairs { "progress", "raw", "trace", "messages" } do
      local server <close> = scripted.server(willing("PIPELINING", "CHUNKING"))
      local mine, armed
      local function close() if armed then mine:close() end end
      local client <close> = assert(smtp.connect { url = server.url, timeout = 5,
        trace = how == "trace" and close or nil })
      mine = client
      local n, told = 0, {}
      local function next_message()
        n = n + 1
        armed = n > 1
        if how == "messages" then close() end
        if n > 3 then return nil end
        return message(how == "raw" and function() close() return nil end or nil)
      end
      for i, receipt, err in client:send_all(next_message,
        { progress = how == "progress" and close or nil }) do
        told[i] = receipt or err
        if err then assert.equal("closed", err.kind) end
      end
      assert.equal(3, #told, how)
    end
  end)

  it("by another task, ends where it waits", function()
    local server <close> = scripted.server(script(hello(), "C NOOP", "EOF"))
    local client <close> = assert(smtp.connect { url = server.url, timeout = 5 })
    local reply, err, ended
    loop.spawn(function()
      reply, err = client:noop()
      ended = true
    end)
    while #server.lines < 2 do loop.step() end
    client:close()
    while not ended do loop.step() end
    assert.is_nil(reply)
    assert.same({ "closed", "command", "the client was closed" },
      { err.kind, err.stage, err.message })
  end)
end)
