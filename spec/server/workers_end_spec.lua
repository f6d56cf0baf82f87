-- Many processes: what signals and the end of the supervisor mean to workers.
local authority = require "smtp.authority"
local core = require "smtp.core"
local crew = require "spec.support.crew"
local kill_test = require "spec.support.kill_test"
local net = require "spec.support.net"

local missing = crew.missing()

-- Waits until a worker no longer takes new connections: then it knows that it is to end.
local function await_refusal(one)
  crew.await(function()
    return not pcall(function() one:client():close() end)
  end, "the end of accepting")
end

-- A session with a transaction that stands before the end of its content.
local function begin(one)
  local client = one:client()
  for _, line in ipairs { "EHLO client.code.energy", "MAIL FROM:<ada@code.energy>",
    "RCPT TO:<charles@example.com>", "DATA" } do
    assert.matches("^[23]", client:cmd(line))
  end
  return client
end

-- A handler that takes for ever, and says that it was called.
local FOR_EVER = [[
  options.on_message = function()
    note("begun", core.pid())
    loop.sleep(1000)
  end]]

local function stay(one)
  local client = begin(one)
  client:send("It works.\r\n.\r\n")
  one:note("begun", 1)
  return client
end

describe("workers and signals:", function()
  if missing then
    pending(missing)
    return
  end

  for _, name in ipairs { "TERM", "INT" } do
    it("SIG" .. name .. " lets transactions finish, and tells idle sessions 421", function()
      local one <close> = crew.start()
      local busy <close> = begin(one)
      local idle <close> = one:client()
      one.process:signal(name)
      assert.matches("^421 4%.3%.2", crew.leave(idle))
      await_refusal(one)
      assert.matches("^250", busy:content("It works.\r\n"))
      assert.matches("^421 4%.3%.2", crew.leave(busy))
      assert.equal("true", one:result())
      assert.equal(0, one.process:status())
      assert.same({}, one:notes("deaths"))
    end)
  end

  it("one that a terminal sends to all processes at once cuts no session off", function()
    local one <close> = crew.start()
    local pids = one:await_workers(2)
    local busy <close> = begin(one)
    assert(os.execute(("kill -INT %d %d %d"):format(pids[1], pids[2], one.pid)))
    crew.signal("TERM", busy.pid)
    await_refusal(one)
    assert.matches("^250", busy:content("It works.\r\n"))
    crew.leave(busy)
    assert.equal("true", one:result())
  end)

  it("a worker that ends by a signal of its own is replaced", function()
    local one <close> = crew.start("given.workers = 1")
    local client <close> = one:client()
    crew.signal("TERM", client.pid)
    assert.matches("^421", crew.leave(client))
    assert.equal("1 " .. client.pid .. " 0", one:note("deaths", 1))
    local other = one:client()
    assert.not_equal(client.pid, other.pid)
    other:close()
    assert.equal("true", one:stop())
  end)

  it("sessions that need longer than the grace are cut off and reported", function()
    local one <close> = crew.start("given.grace = 0.1" .. FOR_EVER)
    local client <close> = stay(one)
    assert.equal("false", one:stop())
    client:rest()
    assert.matches("^%d %d+ 1$", one:notes("deaths")[1])
  end)

  it("a worker that never waits is killed after the grace", function()
    local one <close> = crew.start([[given.grace = 0
      options.on_message = function()
        note("begun", core.pid())
        while true do end
      end]])
    local client <close> = stay(one)
    assert.equal("false", one:stop())
    assert.equal(("%d %d 137"):format(client.worker, client.pid), one:notes("deaths")[1])
  end)

  it("a second one ends all at once", function()
    local one <close> = crew.start("given.grace = 1000" .. FOR_EVER)
    local client <close> = stay(one)
    one.process:signal("TERM")
    await_refusal(one)
    local since = core.now()
    assert.equal("false", one:stop("INT"))
    assert.is_true(core.now() - since < 5)
    assert.equal("", client:rest())
  end)

  it("SIGHUP reads certificates again, for future workers as well", function()
    local ca = assert(authority.new())
    local folder = net.folder()
    local function write(name)
      local made = assert(ca:issue { names = { name } })
      net.dump(folder .. "/new", made.cert .. made.key)
      assert(os.rename(folder .. "/new", folder .. "/cert"))
    end
    write("old.example")
    local one <close> = crew.start(([[
      options.tls = { cert = %q }
      local reload
      local make = smtp.server
      smtp.server = function(...)
        local server = make(...)
        local method = server.reload_tls
        server.reload_tls = function(self)
          local ok, err = method(self)
          note("reloads", core.pid(), tostring(ok))
          return ok, err
        end
        return server
      end]]):format(folder .. "/cert"))
    local function name_is(name)
      local client = one:client()
      assert.matches("STARTTLS", client:cmd("EHLO client.code.energy"))
      assert.matches("^220", client:cmd("STARTTLS"))
      local ok = client:tls { ca = ca.certificate, verify = true, name = name }
      client:close()
      return ok ~= nil, client.pid
    end
    assert.is_true((name_is("old.example")))
    write("new.example")
    one.process:signal("HUP")
    one:note("reloads", 3) -- two workers, and the supervisor
    for _ = 1, 4 do
      local ok, pid = name_is("new.example")
      assert.is_true(ok)
      crew.signal("KILL", pid)
    end
    one:await_workers(2)
    net.dump(folder .. "/cert", "nonsense")
    one.process:signal("HUP")
    local told = one:note("errors", 3)
    assert.matches("^tls .*nonsense", told:gsub("there is no certificate in it", "nonsense"))
    assert.is_true((name_is("new.example")))
    assert.equal("true", one:stop())
    net.remove(folder)
  end)

  it("are taken by nobody but who took them before, once it is over", function()
    local one <close> = crew.start([[
      local function masks()
        local file <close> = io.open("/proc/self/status")
        return file:read("a"):match("SigBlk:%s*(%x+)")
      end
      local first = masks()
      given.on_worker = function(n)
        worker = n
        note("worker", masks())
      end
      before = function(server)
        loop.spawn(function()
          while #(server:stats().workers or {}) < 2 do loop.sleep(0.01) end
          note("supervisor", masks())
        end)
        local run = server.run
        server.run = function(...)
          local result = run(...)
          note("after", first == masks() and "same" or "other")
          return result
        end
      end]])
    local function blocked(mask, number)
      return tonumber(mask, 16) >> (number - 1) & 1 == 1
    end
    local CHLD, TERM = 17, 15
    local supervisor, worker = one:note("supervisor", 1), one:note("worker", 2)
    assert.is_true(blocked(supervisor, TERM) and blocked(supervisor, CHLD))
    assert.is_true(blocked(worker, TERM)) -- it takes it by signalfd
    assert.is_false(blocked(worker, CHLD))
    assert.equal("true", one:stop())
    assert.equal("same", one:note("after", 1))
  end)
end)

describe("workers and their supervisor:", function()
  if missing then
    pending(missing)
    return
  end

  it("when it is killed they end by themselves, gracefully", function()
    local one <close> = crew.start()
    local pids = one:await_workers(2)
    local busy <close> = begin(one)
    local idle <close> = one:client()
    crew.signal("KILL", one.pid)
    assert.matches("^421", crew.leave(idle))
    await_refusal(one)
    assert.matches("^250", busy:content("It works.\r\n"))
    assert.matches("^421", crew.leave(busy))
    crew.await(function()
      return not crew.lives(pids[1]) and not crew.lives(pids[2])
    end, "the end of the workers")
    assert.equal(1, #net.names(one.folder) - 1 - #one:notes("deaths")) -- "port", and the message
  end)

  it("it may shut down, or close, from a task of its own", function()
    for call, result in pairs { ["server:shutdown(5)"] = "true", ["server:close()"] = "false" } do
      local one <close> = crew.start(([[
        after = loop.run
        before = function(server)
          loop.spawn(function()
            while #(server:stats().workers or {}) < 2 or not io.open(FOLDER .. "/go") do
              loop.sleep(0.01)
            end
            note("result", tostring((%s)))
          end)
        end]]):format(call))
      local client <close> = one:client()
      one:await_workers(2)
      net.dump(one.folder .. "/go", "")
      local last = crew.leave(client)
      assert.equal(result == "true", last:find("^421") ~= nil, last)
      assert.equal(result, one:result())
      assert.equal(call == "server:close()" and "nil" or "true", one:note("result", 1))
    end
  end)

  it("it may shut down when it hears of a death", function()
    local one <close> = crew.start([[
      local server
      before = function(made) server = made end
      local on_event = options.on_event
      options.on_event = function(event)
        on_event(event)
        if event.type == "worker" then server:shutdown(1) end
      end]])
    local client <close> = one:client()
    crew.signal("KILL", client.pid)
    assert.equal("true", one:result())
  end)

  it("sessions that it had before are served to their end", function()
    local one <close> = crew.start([[
      before = function(server)
        local peer = assert(core.connect { host = "127.0.0.1", port = server.port })
        loop.wait(peer, "w")
        assert(peer:connected())
        while server:stats().connections < 1 do loop.step(0.01) end
        loop.spawn(function()
          local text = ""
          while true do
            loop.wait(peer, "r")
            local bytes = peer:recv(1000)
            if bytes == "" then break end
            text = text .. (bytes or "")
            if text:find("^220[^\n]*\n$") then peer:send("NOOP\r\n") end
            if text:find("421 ", 1, true) then peer:shutdown() end
            note("said", (text:gsub("[\r\n]+", " ")))
          end
          note("closed", 1)
        end)
      end]])
    assert.matches("250", one:note("said", 2))
    assert.equal("true", one:stop())
    local said = one:notes("said")
    assert.matches("250 [^ ]+ OK 421 4", said[#said])
  end)

  it("an error of another of its tasks ends it, and they end gracefully", function()
    local one <close> = crew.start([[
      before = function(server)
        loop.spawn(function()
          while not io.open(FOLDER .. "/go") do loop.sleep(0.01) end
          error("no more", 0)
        end)
      end]])
    local pids = one:await_workers(2)
    local busy <close> = begin(one)
    net.dump(one.folder .. "/go", "")
    local status, _, errors = one.process:wait()
    assert.equal(1, status)
    assert.matches("no more", errors)
    await_refusal(one)
    assert.matches("^250", busy:content("It works.\r\n"))
    crew.leave(busy)
    crew.await(function() return not crew.lives(pids[1]) and not crew.lives(pids[2]) end)
  end)

  it("when it cannot watch signals nothing has begun", function()
    local one <close> = crew.start([[
      local signals = core.signals
      core.signals = function(names)
        if names[1] == "CHLD" then return nil, "not here", "ENOSYS" end
        return signals(names)
      end
      before = function(server)
        after = function()
          note("closed", tostring(server.closed))
          server:close()
        end
      end]])
    assert.matches("^nil\t.*workers: not here", one:result())
    assert.equal("nil", one:note("closed", 1))
  end)

  it("when it cannot fork them all it ends those that it could", function()
    local one <close> = crew.start([[
      local fork, left = core.fork, 1
      core.fork = function()
        left = left - 1
        if left < 0 then return nil, "no more of them", "EAGAIN" end
        return fork()
      end]])
    assert.matches("^nil\t.*no more of them", one:result())
    assert.matches("^1 %d+ 137$", one:note("deaths", 1))
  end)

  it("if it cannot fork a worker it tries again, and on_event may wait", function()
    local one <close> = crew.start([[
      local fork, count = core.fork, 0
      core.fork = function()
        count = count + 1
        if count == 3 or count == 4 then return nil, "not now", "EAGAIN" end
        return fork()
      end
      local on_event = options.on_event
      options.on_event = function(event)
        on_event(event)
        loop.sleep(0.01)
      end]])
    local client <close> = one:client()
    crew.signal("KILL", client.pid)
    one:note("deaths", 1)
    assert.same({ "worker not now", "worker not now" }, { one:note("errors", 1),
      one:note("errors", 2) })
    one:await_workers(2)
    assert.equal("true", one:stop())
  end)

  it("there is one at a time", function()
    local one <close> = crew.start([[
      before = function()
        loop.spawn(function()
          local other = assert(smtp.server(options))
          note("second", select(2, pcall(other.run, other, { workers = 1 })))
        end)
      end]])
    assert.matches("one server with workers at a time", one:note("second", 1))
    assert.equal("true", one:stop())
  end)

  it("while workers are killed at random nothing is lost that was answered 250", function()
    kill_test.run()
  end)
end)
