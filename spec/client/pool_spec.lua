-- A pool of connections: how many, which one, in which order, how often again.
local limits = require "smtp.client.limits"
local loop = require "smtp.loop"
local mock = require "spec.support.mock"
local scripted = require "spec.support.scripted"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local function message(raw)
  return { envelope = { from = "ada@a.example", to = "bob@b.example" },
    raw = raw or "Subject: x\r\n\r\nx\r\n" }
end

-- A pool for a mock or a server; what is tried again is tried at once.
local function pool_of(place, options)
  local all = { url = place.url or "127.0.0.1:" .. place.port, backoff = 0 }
  for key, value in pairs(options or {}) do all[key] = value end
  return assert(smtp.pool(all))
end

-- Waits until the mock has counted n of an event.
local function await(mx, event, n)
  serve.wait(function() return mx:count(event) >= n end, event)
end

describe("pool", function()
  local mx
  before_each(function() mx = mock.start { strict = true } end)
  after_each(function() mx:stop() end)

  it("sends over one connection what comes one after the other", function()
    local pool <close> = pool_of(mx)
    for i = 1, 5 do assert(pool:send(message(("n: %d\r\n\r\nx\r\n"):format(i)))) end
    assert.equal(1, mx:count("connect"))
    assert.equal(5, #mx:mails())
    assert.same({ busy = 0, idle = 1, waiting = 0, connected = 1, sent = 5, failed = 0,
      retried = 0 }, pool:stats())
  end)

  it("keeps a connection under TLS, too", function()
    local secure <close> = mock.start { tls = "implicit" }
    local pool <close> = pool_of(secure, { ca = secure.ca_file })
    for _ = 1, 3 do assert.equal("TLSv1.3", assert(pool:send(message())).used.tls) end
    assert.equal(1, secure:count("connect"))
  end)

  it("says QUIT after max_messages, and opens another connection", function()
    local pool <close> = pool_of(mx, { max_messages = 2 })
    for _ = 1, 5 do assert(pool:send(message())) end
    assert.equal(3, mx:count("connect"))
    await(mx, "QUIT", 2)
    assert.equal(5, #mx:mails())
  end)

  it("C119 sends no more messages over a connection than MAILMAX", function()
    mx:with "LIMITS MAILMAX=2 RCPTMAX=50"
    local pool <close> = pool_of(mx)
    for _ = 1, 5 do assert(pool:send(message())) end
    assert.equal(3, mx:count("connect"))
  end)

  it("C119 counts towards MAILMAX what was refused, too", function()
    mx:with "LIMITS MAILMAX=2"
    mx:on("MAIL"):first(1):reply("550 5.7.1 no")
    local pool <close> = pool_of(mx)
    assert.is_nil(pool:send(message()))
    for _ = 1, 2 do assert(pool:send(message())) end
    assert.equal(2, mx:count("connect"))
  end)

  it("C120 takes no notice of limits that are unknown or malformed", function()
    for text, expected in pairs {
      ["RCPTMAX=20 MAILMAX=5 RCPTDOMAINMAX=3"] = { RCPTMAX = 20, MAILMAX = 5, RCPTDOMAINMAX = 3 },
      ["mailmax=7"] = { MAILMAX = 7 }, ["MAILMAX=999999"] = { MAILMAX = 999999 },
      ["MAILMAX=5 MAILMAX=3"] = { MAILMAX = 3 }, ["WHAT=x  MAILMAX=5"] = { MAILMAX = 5 },
      ["MAILMAX=0"] = {}, ["MAILMAX=-1"] = {}, ["MAILMAX=1000000"] = {},
      ["MAILMAX"] = {}, ["MAILMAX="] = {}, ["MAILMAX=1x"] = {}, ["MAILMAX=1=2"] = {},
      ["=5"] = {}, ["MAILMAX = 5"] = {}, [""] = {},
    } do
      assert.same(expected, limits.parse(text), text)
    end
    assert.same({}, limits.parse(true))
    assert.same({}, limits.parse(nil))
    mx:with "LIMITS MAILMAX=none FUTURE=1"
    local pool <close> = pool_of(mx)
    for _ = 1, 3 do assert(pool:send(message())) end
    assert.equal(1, mx:count("connect"))
  end)

  it("drops what was idle for too long", function()
    local pool <close> = pool_of(mx, { idle = 0 })
    for _ = 1, 3 do assert(pool:send(message())) end
    assert.equal(3, mx:count("connect"))
    await(mx, "QUIT", 2)
    assert.equal(0, pool:stats().retried)
  end)

  for _, how in ipairs { { "S 421 4.3.0 bye", "CLOSE" }, { "S 421 4.3.0 bye" }, { "CLOSE" },
    { "ABORT" }, { "S 250 what nobody asked for" } } do
    it(("does not use a connection where %s came"):format(table.concat(how, ", ")), function()
      local function once(...)
        return scripted.script(scripted.hello(), "* MAIL", "* RCPT", "C DATA", "S 354 go", "BODY",
          "S 250 done", ...)
      end
      local said, gate = nil, loop.gate()
      local server <close> = scripted.server({ once(function()
        loop.pass(gate)
        said = true
      end, how), once("* QUIT") })
      local pool <close> = pool_of(server, { retries = 0 })
      assert(pool:send(message()))
      loop.wake(gate)
      serve.wait(function() return said end, "the last word")
      assert(pool:send(message()))
      assert.equal(2, pool:stats().connected)
    end)
  end

  it("tries again what is temporary and was not sent", function()
    mx:on("EOM"):first(1):reply("451 4.3.0 later")
    mx:on("MAIL"):nth(2):close()
    local pool <close> = pool_of(mx)
    local receipt = assert(pool:send(message("n: 1\r\n\r\nx\r\n")))
    assert.same({ "bob@b.example" }, receipt.accepted)
    assert.equal(2, pool:stats().retried)
    assert.equal(1, #mx:mails())
    assert.equal(2, mx:count("connect"))
  end)

  it("gives up after `retries`", function()
    mx:on("MAIL"):reply("451 4.3.0 later")
    for n = 0, 2 do
      mx:clear()
      local pool <close> = pool_of(mx, { retries = n })
      local receipt, err = pool:send(message())
      assert.is_nil(receipt)
      assert.same({ "rejected", 451, "not_sent" }, { err.kind, err.code, err.outcome })
      assert.equal(n + 1, mx:count("MAIL"))
      assert.equal(1, pool:stats().failed)
    end
  end)

  it("does not try again what was refused for good", function()
    mx:on("RCPT"):reply("550 5.1.1 nobody")
    local pool <close> = pool_of(mx)
    local _, err = pool:send(message())
    assert.same({ 550, 1 }, { err.code, #err.rejected })
    assert.equal(1, mx:count("MAIL"))
    assert.equal(1, pool:stats().idle)
  end)

  it("does not try again what may have been accepted", function()
    mx:on("EOM"):store():close()
    local pool <close> = pool_of(mx)
    local _, err = pool:send(message())
    assert.equal("unknown", err.outcome)
    assert.same({ 1, 1 }, { mx:count("connect"), mx:count("EOM") })
    assert.same({ 0, 0 }, { pool:stats().idle, pool:stats().busy })
  end)

  it("waits longer before each retry, but not beyond the deadline", function()
    mx:on("MAIL"):reply("451 4.3.0 later")
    local pool <close> = pool_of(mx, { backoff = 0.02, retries = 2 })
    local since = loop.now()
    assert.is_nil(pool:send(message()))
    assert.is_true(loop.now() - since >= 0.03) -- half of 0.02 and of 0.04
    local slow <close> = pool_of(mx, { backoff = 1000 })
    local _, err = slow:send(message(), { deadline = 20 })
    assert.equal(451, err.code)
    assert.equal(0, slow:stats().retried)
  end)

  describe("of a content that can be read once", function()
    local function pieces(...)
      local list, i = { ... }, 0
      return function()
        i = i + 1
        return list[i]
      end
    end

    it("tries again as long as it has not begun to be read", function()
      mx:on("MAIL"):first(2):reply("451 4.3.0 later")
      local pool <close> = pool_of(mx)
      assert(pool:send(message(pieces("a: b\r\n", "\r\nwhole\r\n"))))
      assert.equal("a: b\r\n\r\nwhole\r\n", mx:mails()[1].raw)
    end)

    it("does not try again behind that", function()
      mx:on("EOM"):first(1):reply("451 4.3.0 later")
      local pool <close> = pool_of(mx)
      local _, err = pool:send(message(pieces("a: b\r\n", "\r\nwhole\r\n")))
      assert.equal(451, err.code)
      assert.equal(1, mx:count("EOM"))
      local pipe <close> = assert(io.popen("printf 'a: b\\n\\nx\\n'"))
      mx:on("EOM"):first(1):reply("451 4.3.0 later")
      _, err = pool:send(message(pipe))
      assert.equal(451, err.code)
      assert.equal(0, pool:stats().retried)
    end)

    it("sees it in an attachment of a record, and of a composed message", function()
      local function record()
        return { from = "ada@a.example", to = "bob@b.example", text = "x",
          attachments = { { name = "a.bin", source = pieces("12", "34") } } }
      end
      for _, make in ipairs { record, function() return assert(smtp.message(record())) end } do
        mx:on("EOM"):first(1):reply("451 4.3.0 later")
        local pool <close> = pool_of(mx)
        local _, err = pool:send(make())
        assert.same({ "rejected", 451 }, { err.kind, err.code })
        assert(pool:send(make()))
        assert.equal("1234", mx:mails()[1].attachments[1].content)
        mx:clear()
      end
    end)
  end)

  it("tries again from the beginning: text, record, file, parsed", function()
    local file <close> = assert(io.tmpfile())
    file:write("not this\na: b\n\nof a file\n")
    local parsed = assert(smtp.parse("Subject: x\r\n\r\nparsed\r\n"))
    parsed.envelope = message().envelope
    local cases = {
      { message("a: b\r\n\r\na text\r\n"), "a: b\r\n\r\na text" },
      { { from = "ada@a.example", to = "bob@b.example", text = "a record" }, "a record" },
      { message(file), "a: b\r\n\r\nof a file" },
      { parsed, "Subject: x\r\n\r\nparsed" },
    }
    mx:with("CHUNKING")
    for _, keyword in ipairs { false, "CHUNKING", "PIPELINING" } do
      if keyword then mx:without(keyword) end
      for _, case in ipairs(cases) do
        mx:clear()
        file:seek("set", 9)
        mx:on("EOM"):first(1):reply("451 4.3.0 later")
        local pool <close> = pool_of(mx)
        assert(pool:send(case[1]))
        assert.equal(1, pool:stats().retried)
        local raw = mx:mails()[1].raw:gsub("\r\n$", "")
        assert.equal(case[2], raw:sub(-#case[2]))
      end
    end
  end)

  it("keeps the rate, with a burst", function()
    local pool <close> = pool_of(mx, { rate = 50 })
    local since = loop.now()
    for _ = 1, 3 do assert(pool:send(message())) end
    assert.is_true(loop.now() - since >= 0.04)
    local slow <close> = pool_of(mx, { rate = 0.001, burst = 2 })
    for _ = 1, 2 do assert(slow:send(message())) end
    local _, err = slow:send(message(), { deadline = 20 })
    assert.same({ "timeout", "connect", "not_sent" }, { err.kind, err.stage, err.outcome })
    assert.matches("rate", tostring(err))
    assert.equal(5, #mx:mails())
    assert.equal(0, slow:stats().retried)
  end)

  it("says QUIT when it is closed, waits for nothing, and may be closed again", function()
    mx:on("QUIT"):hang()
    local pool = pool_of(mx)
    assert(pool:send(message()))
    local since = loop.now()
    pool:close()
    pool:close()
    assert.is_true(loop.now() - since < 1)
    await(mx, "QUIT", 1)
    assert.error_matches(function() pool:send(message()) end, "pool is closed")
    assert.equal(0, pool:stats().idle)
  end)

  it("leaves no connection open when it is collected", function()
    local function forget()
      assert(pool_of(mx):send(message()))
    end
    forget()
    assert(smtp.send(mx.url, message())) -- the loop remembers the last one that waited
    collectgarbage()
    collectgarbage()
    serve.wait(function() return mx:sessions()[1].closed ~= nil end, "the end")
  end)

  it("refuses misuse, and tells what cannot be sent without a connection", function()
    for text, given in pairs {
      ["unknown option \"sizes\""] = { url = "localhost", sizes = 3 },
      ["size must be above 0"] = { url = "localhost", size = 0 },
      ["rate must be above 0"] = { url = "localhost", rate = 0 },
      ["retries must be a whole number"] = { url = "localhost", retries = 0.5 },
      ["needs a url"] = { size = 3 },
      ["must be a table or a URL"] = 7,
    } do
      assert.error_matches(function() smtp.pool(given) end, text)
    end
    local none, err = smtp.pool { url = "ftp://x" }
    assert.same({ nil, "invalid" }, { none, err.kind })
    local pool <close> = pool_of(mx)
    local _, wrong = pool:send { envelope = { from = "a\rb", to = "x@y.example" }, raw = "x" }
    assert.same({ "invalid", "not_sent" }, { wrong.kind, wrong.outcome })
    _, wrong = pool:send { from = "ada@a.example" , to = "no address", text = "x" }
    assert.same({ "invalid", "not_sent" }, { wrong.kind, wrong.outcome })
    assert.error_matches(function() pool:send(message(), { dead = 1 }) end, "unknown option")
    assert.equal(0, mx:count("connect"))
    assert.equal("127.0.0.1:" .. mx.port, wrong.peer)
  end)

  it("closes the connection of a send that raised", function()
    local pool <close> = pool_of(mx)
    assert.error_matches(function()
      pool:send(message(), { progress = function() error("stop here") end })
    end, "stop here")
    assert.same({ 0, 0 }, { pool:stats().idle, pool:stats().busy })
    serve.wait(function() return mx:sessions()[1].closed ~= nil end, "the end")
    assert(pool:send(message()))
    assert.equal(2, mx:count("connect"))
    assert.equal(1, #mx:mails())
  end)

  it("tells that nobody is there", function()
    mx:stop()
    local pool <close> = pool_of(mx, { retries = 1 })
    local _, err = pool:send(message())
    assert.same({ "connect", "not_sent" }, { err.kind, err.outcome })
    assert.equal(1, pool:stats().retried)
  end)
end)

describe("pool of several tasks", function()
  -- A server whose handlers wait at a gate; it keeps who came in which order.
  local function start()
    local state = { order = {}, most = 0, gate = loop.gate() }
    state.server = serve.start {
      on_message = function(_, one)
        state.most = math.max(state.most, state.server:stats().connections)
        state.order[#state.order + 1] = one:read():match("n: (%d+)")
        loop.pass(state.gate)
        return true
      end,
    }
    return state
  end

  local function spawn(pool, n, results, options)
    return loop.spawn(function()
      results[n] = { pool:send(message(("n: %d\r\n\r\nx\r\n"):format(n)), options) }
    end)
  end

  it("opens at most `size` connections, and lets the tasks in one by one", function()
    local state = start()
    local server <close> = state.server
    local pool <close> = pool_of(server, { size = 3 })
    local results = {}
    for n = 1, 20 do spawn(pool, n, results) end
    serve.wait(function() return #state.order == 3 end, "three at work")
    assert.same({ 3, 17 }, { pool:stats().busy, pool:stats().waiting })
    loop.wake(state.gate)
    serve.wait(function() return pool:stats().sent == 20 end, "all")
    assert.equal(3, state.most)
    assert.equal(3, pool:stats().connected)
    for n = 1, 20 do assert.truthy(results[n][1]) end
  end)

  it("is fair: who came first is first", function()
    local state = start()
    local server <close> = state.server
    local pool <close> = pool_of(server, { size = 1 })
    loop.wake(state.gate)
    local expected, results = {}, {}
    for n = 1, 30 do
      expected[n] = tostring(n)
      spawn(pool, n, results)
    end
    serve.wait(function() return pool:stats().sent == 30 end, "all")
    assert.same(expected, state.order)
    assert.equal(1, pool:stats().connected)
  end)

  it("gives up waiting at the deadline, and the others go on", function()
    local state = start()
    local server <close> = state.server
    local pool <close> = pool_of(server, { size = 1 })
    local results = {}
    spawn(pool, 1, results)
    serve.wait(function() return #state.order == 1 end, "the first")
    spawn(pool, 2, results, { deadline = 0.01 })
    spawn(pool, 3, results)
    serve.wait(function() return results[2] end, "the deadline")
    local err = results[2][2]
    assert.same({ "timeout", "connect", "not_sent", true },
      { err.kind, err.stage, err.outcome, err.temporary })
    assert.matches("busy", tostring(err))
    assert.equal(1, pool:stats().waiting)
    loop.wake(state.gate)
    serve.wait(function() return results[3] end, "the third")
    assert.truthy(results[1][1] and results[3][1])
    assert.same({ "1", "3" }, state.order)
  end)

  it("closes the connection of a task that was ended, and lets the next one in", function()
    local state = start()
    local server <close> = state.server
    local pool <close> = pool_of(server, { size = 1 })
    local results = {}
    local first = spawn(pool, 1, results)
    serve.wait(function() return #state.order == 1 end, "the first")
    local second = spawn(pool, 2, results)
    spawn(pool, 3, results)
    serve.wait(function() return pool:stats().waiting == 2 end, "the queue")
    assert.is_true(loop.cancel(second)) -- in the queue
    assert.equal(1, pool:stats().waiting)
    assert.is_true(loop.cancel(first)) -- in the middle
    loop.wake(state.gate)
    serve.wait(function() return results[3] end, "the third")
    assert.truthy(results[3][1])
    assert.is_nil(results[1] or results[2])
    assert.equal(2, pool:stats().connected)
    assert.same({ 0, 1 }, { pool:stats().busy, pool:stats().idle })
  end)

  it("lets go of a slot that was given to a task which was ended before it ran", function()
    local state = start()
    local server <close> = state.server
    local pool <close> = pool_of(server, { size = 1 })
    local results = {}
    local second
    loop.spawn(function()
      results[1] = { pool:send(message("n: 1\r\n\r\nx\r\n")) }
      loop.cancel(second) -- it has the slot, and has not run
    end)
    serve.wait(function() return #state.order == 1 end, "the first")
    second = spawn(pool, 2, results)
    spawn(pool, 3, results)
    serve.wait(function() return pool:stats().waiting == 2 end, "the queue")
    loop.wake(state.gate)
    serve.wait(function() return results[3] end, "the third")
    assert.is_nil(results[2])
    assert.same({ "1", "3" }, state.order)
  end)

  it("leaves no connection of a task that was ended while it connected", function()
    local begun, ended
    local server <close> = scripted.server({ { function() begun = true end, "EOF",
      function() ended = true end } })
    local pool <close> = pool_of(server)
    local task = spawn(pool, 1, {})
    serve.wait(function() return begun end, "the connection")
    loop.step(0)
    collectgarbage("stop")
    assert.is_true(loop.cancel(task))
    assert.equal(0, pool:stats().busy)
    serve.wait(function() return ended end, "the end")
    collectgarbage("restart")
  end)

  it("when it is closed, ends those that wait and lets the others finish", function()
    local state = start()
    local server <close> = state.server
    local pool = pool_of(server, { size = 1 })
    local results = {}
    spawn(pool, 1, results)
    serve.wait(function() return #state.order == 1 end, "the first")
    spawn(pool, 2, results)
    serve.wait(function() return pool:stats().waiting == 1 end, "the queue")
    pool:close()
    serve.wait(function() return results[2] end, "the second")
    assert.same({ "cancelled", "not_sent" }, { results[2][2].kind, results[2][2].outcome })
    loop.wake(state.gate)
    serve.wait(function() return results[1] end, "the first")
    assert.truthy(results[1][1])
    serve.idle(server)
    assert.same({ 0, 0 }, { pool:stats().busy, pool:stats().idle })
  end)

  it("keeps the rate over all of them", function()
    local state = start()
    local server <close> = state.server
    loop.wake(state.gate)
    local pool <close> = pool_of(server, { size = 4, rate = 100 })
    local results, since = {}, loop.now()
    for n = 1, 6 do spawn(pool, n, results) end
    serve.wait(function() return pool:stats().sent == 6 end, "all")
    assert.is_true(loop.now() - since >= 0.05)
  end)
end)
