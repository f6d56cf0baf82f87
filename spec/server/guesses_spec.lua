-- Guesses of passwords: remembered over sessions, delayed where they come from.
local core = require "smtp.core"
local guesses = require "smtp.server.guesses"
local loop = require "smtp.loop"
local serve = require "spec.support.serve"

local function b64(text) return core.base64((text:gsub("|", "\0"))) end

-- The delays of so many failed attempts, one after the other, at a clock of its own.
local function delays(memory, clock, address, n, user)
  local list = {}
  for i = 1, n do
    local wait = guesses.attempt(memory, clock.now, address, user or ("u" .. i))
    list[i] = wait or 11
    clock.now = clock.now + list[i]
    guesses.failed(memory, clock.now, address, user or ("u" .. i))
  end
  return list
end

local function near(expected, list)
  for i, value in ipairs(expected) do
    assert.is_true(math.abs(value - list[i]) < 0.05 * value + 0.001,
      ("%d: %g in place of %g"):format(i, list[i], value))
  end
end

describe("the memory of failed AUTH", function()
  it("delays a user and address twice as long each time, to 10 s", function()
    local memory, clock = guesses.new(), { now = 100 }
    near({ 0, 0.1, 0.2, 0.4, 0.8, 1.6 }, delays(memory, clock, "192.0.2.1", 6, "ada"))
    local last = delays(memory, clock, "192.0.2.1", 10, "ADA")
    assert.is_true(last[10] > 9 and last[10] <= 10)
    assert.equal(0, guesses.attempt(memory, clock.now, "192.0.2.2", "ada"))
    assert.equal(0, guesses.attempt(memory, clock.now, "192.0.2.1", "bob"))
  end)

  it("delays an address beyond 20 failures, whoever the user is", function()
    local memory, clock = guesses.new(), { now = 0 }
    local list = delays(memory, clock, "192.0.2.1", 40)
    for i = 1, 20 do assert.equal(0, list[i]) end
    near({ 0.1, 0.2, 0.4 }, { table.unpack(list, 22, 24) })
    assert.is_true(list[40] > 9)
    assert.equal(0, guesses.attempt(memory, clock.now, "192.0.2.2", "u1"))
  end)

  it("knows an IPv6 host by its /64, and an IPv4-mapped address", function()
    local memory, clock = guesses.new(), { now = 0 }
    delays(memory, clock, "2001:db8::1", 5, "ada")
    assert.is_true(guesses.attempt(memory, clock.now, "2001:db8::ffff:2", "ada") > 1)
    assert.equal(0, guesses.attempt(memory, clock.now, "2001:db8:0:1::1", "ada"))
    delays(memory, clock, "192.0.2.1", 5, "ada")
    assert.is_true(guesses.attempt(memory, clock.now, "::ffff:192.0.2.1", "ada") > 1)
    delays(memory, clock, "", 5, "ada") -- of a Unix socket
    assert.is_true(guesses.attempt(memory, clock.now, "", "ada") > 1)
  end)

  it("lets parallel attempts pass one after the other, and no more than wait 10 s", function()
    local memory, clock = guesses.new(), { now = 0 }
    delays(memory, clock, "192.0.2.1", 4, "ada")
    local judged, last = 0, -1
    for _ = 1, 1000 do
      local wait = guesses.attempt(memory, clock.now, "192.0.2.1", "ada")
      if wait then
        assert.is_true(wait > last)
        judged, last = judged + 1, wait
      end
    end
    assert.is_true(judged > 5 and judged < 20, judged)
  end)

  it("bounds attempts without a verdict, and does not count them for long", function()
    local memory, most = guesses.new(), 0
    for i = 1, 200 do
      local wait = guesses.attempt(memory, 100, "192.0.2.1", "u" .. i)
      if i <= 20 then assert.equal(0, wait) end
      if wait and wait <= 1 then most = i end
    end
    assert.is_true(most < 40, most)
    assert.equal(0, guesses.attempt(memory, 100, "192.0.2.2", "ada"))
    assert.equal(0, guesses.attempt(memory, 150, "192.0.2.1", "ada"))
    -- who is right again and again never waits
    local honest = guesses.new()
    for _ = 1, 200 do
      for _ = 1, 5 do assert.equal(0, guesses.attempt(honest, 100, "192.0.2.1", "ada")) end
      for _ = 1, 5 do guesses.passed(honest, "192.0.2.1", "ada") end
    end
  end)

  it("forgets with time, and after a right password", function()
    local memory, clock = guesses.new(), { now = 0 }
    delays(memory, clock, "192.0.2.1", 3, "ada")
    assert.equal(0, guesses.attempt(memory, clock.now + 600, "192.0.2.1", "ada"))
    guesses.failed(memory, clock.now + 600, "192.0.2.1", "ada")
    near({ 0.1 }, { guesses.attempt(memory, clock.now + 600, "192.0.2.1", "ada") })
    guesses.passed(memory, "192.0.2.1", "ada")
    assert.equal(0, guesses.attempt(memory, clock.now + 600, "192.0.2.1", "ada"))
    delays(memory, clock, "192.0.2.9", 40) -- a right password does not excuse the address
    guesses.passed(memory, "192.0.2.9", "u40")
    assert.is_true(guesses.attempt(memory, clock.now, "192.0.2.9", "u40") > 1)
  end)

  it("is bounded, and keeps users that come again", function()
    local memory, long = guesses.new(), ("x"):rep(10000)
    collectgarbage()
    local before = collectgarbage("count")
    for i = 1, 30000 do
      guesses.failed(memory, 0, "192.0.2.1", i .. long)
      if i % 1000 == 0 then
        assert.is_true((guesses.attempt(memory, 0, "192.0.2.1", "ada") or 11) > 0)
        guesses.failed(memory, 0, "10.0." .. i // 1000 .. ".1", "ada")
      end
    end
    collectgarbage()
    assert.is_true(collectgarbage("count") - before < 8192)
  end)

  it("is shared out among workers", function()
    local memory, clock = guesses.new(), { now = 0 }
    guesses.share(memory, 4)
    local list = delays(memory, clock, "192.0.2.1", 12)
    assert.is_true(list[6] == 0 and list[8] > 0.1) -- 20 failures of all are 5 of one
  end)
end)

-- ---- a server -----------------------------------------------------------------

local function start(count, options)
  local all = { on_rcpt = true, auth = { cleartext = true, mechanisms = { "PLAIN" } },
    on_auth = function(_, credentials)
      count[1] = count[1] + 1
      return credentials:check("right")
    end }
  for key, value in pairs(options or {}) do all[key] = value end
  return serve.start(all)
end

local function from(server, address)
  return serve.connect { host = server.address, port = server.port, local_address = address }
end

local function greet(client)
  assert.matches("^220", client:reply())
  assert.matches("^250", client:cmd("EHLO x"))
  return client
end

describe("guesses at a server", function()
  -- Session after session from one address, of `n` at a time, for a while.
  local function attack(server, n, seconds, next_user)
    local limit, tasks = core.now() + seconds, {}
    for k = 1, n do
      tasks[k] = loop.spawn(function()
        while core.now() < limit do
          local client <close> = greet(from(server, "127.0.0.2"))
          for i = 1, 3 do
            local reply = client:cmd("AUTH PLAIN " .. b64("|" .. next_user() .. "|wrong"))
            assert.matches(i < 3 and "^[45]35" or "^[45]", reply:gsub("^454", "435"))
          end
        end
      end)
    end
    return limit, tasks
  end

  for _, many in ipairs { "one user", "many users" } do
    it("are few from one address, of " .. many .. ", and others log in at once", function()
      local count, user = { 0 }, 0
      local server = start(count)
      local limit, tasks = attack(server, 20, 1, function()
        user = user + 1
        return many == "one user" and "ada" or "user" .. user
      end)
      loop.wait(nil, nil, 0.3)
      local since = core.now()
      local honest <close> = greet(from(server, "127.0.0.3"))
      assert.matches("^235", honest:cmd("AUTH PLAIN " .. b64("|ada|right")))
      assert.is_true(core.now() - since < 1)
      while core.now() < limit do loop.step(limit - core.now()) end
      assert.is_true(count[1] < 50, count[1])
      assert.is_true(count[1] >= 3, count[1])
      for _, task in ipairs(tasks) do loop.cancel(task) end
      server:close()
    end)
  end

  it("are few, though on_auth waits and all come at once", function()
    local count = 0
    local server <close> = serve.start { on_rcpt = true,
      auth = { cleartext = true, mechanisms = { "PLAIN" } }, on_auth = function()
        count = count + 1
        loop.sleep(0.05)
        return false
      end }
    local clients = setmetatable({}, { __close = function(all)
      for _, client in ipairs(all) do client:close() end
    end })
    local _ <close> = clients
    for i = 1, 80 do clients[i] = greet(from(server, "127.0.0.2")) end
    for i, client in ipairs(clients) do
      client:send("AUTH PLAIN " .. b64("|u" .. i .. "|wrong") .. "\r\n")
    end
    local limit = core.now() + 0.5
    while core.now() < limit do loop.step(limit - core.now()) end
    assert.is_true(count >= 3 and count < 50, count)
  end)

  it("are counted if the mechanism verifies them itself", function()
    local lookups, logged = 0, 0
    local server <close> = serve.start { auth = { cleartext = true, mechanisms = { "CRAM-MD5" },
      lookup = function()
        lookups = lookups + 1
        return "right"
      end } }
    for i = 1, 3 do
      local client <close> = greet(serve.connect(server))
      local since = core.now()
      assert.matches("^334", client:cmd("AUTH CRAM-MD5"))
      assert.matches("^535", client:cmd(b64("ada " .. ("0"):rep(32))))
      if i == 3 then logged = core.now() - since end
    end
    assert.equal(3, lookups)
    assert.is_true(logged >= 0.15, logged) -- two failures: 0.2 s
  end)

  it("do not hold a server that ends", function()
    local count = { 0 }
    local server = start(count)
    for _ = 1, 9 do guesses.failed(server.guesses, core.now(), "127.0.0.1", "ada") end
    local client <close> = greet(serve.connect(server))
    client:send("AUTH PLAIN " .. b64("|ada|right") .. "\r\n")
    loop.wait(nil, nil, 0.05)
    assert.equal(0, count[1])
    local since = core.now()
    local ending = loop.spawn(function() server:shutdown(30) end)
    assert.matches("^454 4%.7%.0", client:reply())
    assert.is_true(core.now() - since < 3)
    assert.matches("^421", client:reply())
    client:close()
    serve.wait(function() return ending.co and coroutine.status(ending.co) == "dead" end)
    assert.equal(0, count[1])
  end)
end)
