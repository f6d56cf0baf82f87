-- One scene of spec/loop/adapter_spec.lua, in a process of its own, since a loop has one host
-- for good: lua adapter.lua LIBRARY SCENE. What it prints is what the spec expects.
local library, scene = arg[1], arg[2]

-- Debian has copas, which is pure Lua, only where Lua 5.2 looks.
if library == "copas" then package.path = package.path .. ";/usr/share/lua/5.2/?.lua" end

local driver = require("spec.support.adapter_drivers")[library]()
local loop = require "smtp.loop"
local smtp = require "smtp"

-- ---- what the scenes share ---------------------------------------------------------

local function message(n)
  return { envelope = { from = "ada@a.example", to = "bob@b.example" },
    raw = ("n: %d\r\n\r\nx\r\n"):format(n or 0) }
end

local function serve(options)
  local all = { listen = "127.0.0.1:0", on_message = function(_, one) one:read() return true end }
  for key, value in pairs(options or {}) do all[key] = value end
  local server = assert(smtp.server(all))
  return server, "127.0.0.1:" .. server.port
end

local function hold(condition, what)
  if not condition then error("not so: " .. what, 2) end
end

-- Runs `fn` n times at once in coroutines of the library, and waits for all of them.
local function each(n, fn)
  local done, left = loop.gate(), n
  for i = 1, n do
    driver.start(function()
      fn(i)
      left = left - 1
      if left == 0 then loop.wake(done) end
    end)
  end
  hold(loop.pass(done, 20), "all came to their end")
end

local scenes = {}

-- Our client and our server, many at once, beside a timer and an echo of the library.
function scenes.beside()
  local ask, close = driver.echo()
  driver.tick()
  driver.start(function()
    local server, place = serve { on_rcpt = function()
      smtp.sleep(0.05)
      return true
    end }
    local since, before, echoes, over = loop.now(), driver.ticks(), 0, false
    driver.start(function()
      while not over do
        hold(ask("hello") == "hello", "the echo")
        echoes = echoes + 1
        driver.pause(0.002)
      end
      close()
    end)
    each(100, function(i) assert(smtp.send(place, message(i))) end)
    local seconds = loop.now() - since
    hold(server:stats().messages == 100, "100 messages")
    hold(seconds < 100 * 0.05 / 2, "they go on at once: " .. seconds)
    hold(driver.ticks() - before >= 5, "the library ticks: " .. driver.ticks() - before)
    hold(echoes >= 5, "the library echoes: " .. echoes)
    over = true
    server:close()
    driver.stop()
  end)
  driver.run()
  hold(not loop.busy(), "nothing is left")
end

-- A wait for a server that takes its time is the library's time; and it is no work.
function scenes.slow()
  local mx <close> = require("smtp.mock").start()
  mx:on("EHLO"):delay(0.2)
  driver.tick()
  driver.start(function()
    local before = driver.ticks()
    assert(smtp.send(mx.url, message()))
    hold(driver.ticks() - before >= 10, "ticks: " .. driver.ticks() - before)
    driver.stop()
    driver.pause(0.01)
    local busy = os.clock()
    smtp.sleep(0.3)
    hold(os.clock() - busy < 0.1, "it does not spin: " .. os.clock() - busy)
    local err = select(2, smtp.send({ url = mx.url, timeout = { ehlo = 0.02 } }, message()))
    hold(err.kind == "timeout" and err.stage == "ehlo", tostring(err))
  end)
  driver.run()
end

-- Handlers wait in the library's own way, and in ours, by turns.
function scenes.handler()
  driver.start(function()
    local server, place = serve { on_rcpt = function(session)
      local ask, close = driver.echo()
      hold(ask("one") == "one", "one")
      smtp.sleep(0.01)
      hold(loop.current() ~= nil, "it is still a task")
      hold(ask("two") == "two", "two")
      driver.pause(0.01)
      close()
      session.asked = true
      return true
    end, on_data = function(session) return session.asked end }
    each(20, function(i) assert(smtp.send(place, message(i))) end)
    server:close()
  end)
  driver.run()
  hold(not loop.busy(), "nothing is left")
end

-- A handler is ended where it waits: in our way, and in the library's (but for luv, where
-- a callback would resume what is dead).
function scenes.cancelled()
  local waits = { function() smtp.sleep(50) end }
  if not driver.uv then waits[2] = function() driver.pause(0.05) end end
  for _, wait in ipairs(waits) do
    local closed, started = false, false
    driver.start(function()
      local server, place = serve { on_rcpt = function()
        local _ <close> = setmetatable({}, { __close = function() closed = true end })
        started = true
        wait()
        error("it goes on behind its end")
      end }
      driver.start(function()
        local _, err = smtp.send(place, message())
        hold(err.kind == "closed", tostring(err))
      end)
      while not started do smtp.sleep(0) end
      server:close()
      hold(closed, "its variables are closed")
      driver.pause(0.1) -- what it waited for comes, and finds nobody
    end)
    driver.run()
    hold(not loop.busy(), "nothing is left")
  end
end

-- A handler that takes too long is unwound at its wait.
function scenes.limit()
  driver.start(function()
    local facts = {}
    local server, place = serve { limits = { handler_timeout = 0.03 },
      on_rcpt = function()
        driver.pause(0.001)
        smtp.sleep(50)
      end,
      on_event = function(fact)
        if fact.type == "error" then facts[#facts + 1] = tostring(fact.error) end
      end }
    local _, err = smtp.send(place, message())
    hold(err.code == 451, tostring(err))
    hold(facts[1] == "handler timeout", tostring(facts[1]))
    hold(server:shutdown(5), "shut down")
  end)
  driver.run()
end

-- Gates, time and tasks between coroutines of both kinds.
function scenes.gates()
  local order = {}
  driver.start(function()
    local gate, never = loop.gate(), loop.gate()
    loop.spawn(function()
      order[#order + 1] = "task"
      hold(loop.pass(gate), "the task passes")
      order[#order + 1] = "task passed"
    end)
    driver.start(function()
      hold(not loop.pass(never, 0.01), "never")
      order[#order + 1] = "time"
      loop.wake(gate)
      smtp.sleep(0.01)
      order[#order + 1] = "end"
    end)
    hold(loop.current() == nil, "no task")
    hold(not pcall(loop.run), "a loop runs already")
    hold(loop.pass(gate, 5), "the coroutine passes")
    local ended = loop.spawn(function() order[#order + 1] = "must not run" end)
    hold(loop.cancel(ended), "ended before it ran")
  end)
  driver.run()
  hold(table.concat(order, ", ") == "task, time, task passed, end", table.concat(order, ", "))
  hold(not loop.busy(), "nothing is left")
end

-- Coroutines of the library that came and went; their deadlines are far away.
function scenes.gone()
  local alive = setmetatable({}, { __mode = "k" })
  driver.start(function()
    for _ = 1, 20 do
      local gate = loop.gate()
      loop.spawn(loop.wake, gate)
      each(25, function()
        alive[coroutine.running()] = true
        hold(loop.pass(gate, 1000), "it passes")
      end)
    end
  end)
  driver.run()
  collectgarbage()
  collectgarbage()
  local n = 0
  for _ in pairs(alive) do n = n + 1 end
  hold(n < 200, n .. " coroutines are kept")
end

-- The pool, in coroutines of the library.
function scenes.pool()
  driver.start(function()
    local server, place = serve()
    local pool <close> = assert(smtp.pool { url = place, size = 3 })
    each(50, function(i) assert(pool:send(message(i))) end)
    hold(pool:stats().connected == 3 and pool:stats().sent == 50, "50 over 3")
    pool:close()
    server:close()
  end)
  driver.run()
end

-- A plain script that blocks: the loop of the library goes on meanwhile, or what is
-- waited for never comes.
function scenes.outside()
  driver.tick()
  local server, place = serve { on_rcpt = function()
    local before = driver.ticks()
    repeat driver.pause(0.005) until driver.ticks() - before >= 3
    repeat smtp.sleep(0.005) until driver.ticks() - before >= 6
    return true
  end }
  assert(smtp.send(place, message()))
  local ran = false
  local task = loop.spawn(function() ran = true end)
  smtp.sleep(0.01)
  hold(ran and task.dead, "a task of a script")
  server:close()
  driver.stop()
  loop.run()
  hold(not loop.busy(), "nothing is left")
end

-- An error of a task reaches the user as the library has it; then all goes on.
function scenes.error()
  local go = loop.gate()
  driver.start(function()
    loop.spawn(function() error("boom") end)
    smtp.sleep(0.01)
    print("and on")
    loop.wake(go)
  end)
  if driver.cq then
    local ok, why = driver.cq:loop()
    print(ok, (why:match("^[^\n]*")))
  end
  driver.run()
  hold(go.open, "it went on")
end

-- So does what fails while a task is ended.
function scenes.unwinding()
  local go = loop.gate()
  driver.start(function()
    local task = loop.spawn(function()
      local _ <close> = setmetatable({}, { __close = function() error("clean-up") end })
      smtp.sleep(50)
    end)
    smtp.sleep(0.001)
    loop.cancel(task)
    smtp.sleep(0.01)
    print("and on")
    loop.wake(go)
  end)
  if driver.cq then
    local ok, why = driver.cq:loop()
    print(ok, (why:match("^[^\n]*")))
  end
  driver.run()
  hold(go.open and not loop.busy(), "it went on")
end

-- A coroutine that is closed where it waits leaves nothing behind.
function scenes.closed()
  local co = coroutine.create(function() smtp.sleep(1000) end)
  assert(coroutine.resume(co))
  hold(loop.busy(), "it waits")
  hold(coroutine.close(co), "closed")
  hold(not loop.busy(), "nothing is left")
  local gate = loop.gate()
  co = coroutine.create(function() loop.pass(gate) end)
  assert(coroutine.resume(co))
  loop.wake(gate)
  hold(coroutine.close(co), "closed behind the gate")
  driver.run()
  hold(not pcall(loop.host, {}), "a second host")
end

function scenes.callback_handler()
  local started, ended = false, false
  driver.start(function()
    local server, place = serve { on_rcpt = function()
      started = true
      driver.pause(0.03)
      ended = true
      return true
    end }
    driver.start(function() hold(not smtp.send(place, message()), "it is not sent") end)
    while not started do smtp.sleep(0.001) end
    server:close()
    hold(not ended, "it goes on")
  end)
  driver.run()
  hold(ended and not loop.busy(), "it came to its end")
end

-- Controllers one after the other, one within another, and one that is left alone.
function scenes.controllers()
  local cqueues = require "cqueues"
  local mx <close> = require("smtp.mock").start()
  assert(smtp.send(mx.url, message())) -- in none: it just blocks
  require("smtp.adapter.cqueues").host(nil)
  local ok, why = pcall(loop.spawn, print)
  hold(not ok and why:find("host(controller)", 1, true), tostring(why))
  hold(not loop.busy(), "nothing was begun")
  for i = 1, 2 do
    local cq = cqueues.new()
    cq:wrap(function() assert(smtp.send(mx.url, message(i))) end)
    assert(cq:loop(10))
    hold(cq:empty() and #mx:mails() == i + 1, "sent, and at its end")
  end
  local left = cqueues.new()
  left:wrap(function() smtp.sleep(0.05) end)
  left:step(0)
  hold(loop.busy(), "one waits")
  local cq, inner, order = cqueues.new(), cqueues.new(), {}
  inner:wrap(function()
    smtp.sleep(0.02)
    assert(smtp.send(mx.url, message()))
    order[#order + 1] = "inner"
  end)
  cq:wrap(function()
    cq:wrap(function()
      smtp.sleep(0.01)
      order[#order + 1] = "outer"
    end)
    assert(inner:loop(10))
  end)
  assert(cq:loop(10))
  hold(cq:empty() and table.concat(order, " ") == "outer inner", table.concat(order, " "))
  hold(not loop.busy(), "nothing is left")
end

-- In a callback nobody can wait.
function scenes.callback()
  local once, why = driver.uv.new_timer(), nil
  once:start(1, 0, function()
    once:close()
    why = select(2, pcall(smtp.sleep, 1))
  end)
  driver.run()
  hold(tostring(why):find("callback", 1, true), tostring(why))
end

function scenes.none() end

scenes[scene]()
print("well")
