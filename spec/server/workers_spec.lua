-- Many processes: who serves, what a worker has of its parent, and what comes in
-- place of one that dies.
local authority = require "smtp.authority"
local crew = require "spec.support.crew"
local loop = require "smtp.loop"
local net = require "spec.support.net"
local serve = require "spec.support.serve"
local smtp = require "smtp"

local missing = crew.missing()

local function set(list)
  local keys = {}
  for _, value in ipairs(list) do keys[value] = true end
  return keys
end

-- A worker that this peer has made wait for a pipe; whoever opens that to write goes
-- on when the worker is there. It reads until the file is closed.
local BLOCK = [[
  options.on_command = { XBLOCK = function()
    local file <close> = assert(io.open(FOLDER .. "/fifo"))
    return file:read("a")
  end }
]]

local function block(one, client)
  assert(os.execute(("mkfifo '%s/fifo'"):format(one.folder)))
  client:send("XBLOCK\r\n")
  return assert(io.open(one.folder .. "/fifo", "w"))
end

describe("server:run", function()
  it("knows its options", function()
    local server <close> = serve.start()
    for given, complaint in pairs {
      [{ worker = 1 }] = 'server:run: unknown option "worker"',
      [{ workers = 0 }] = 'workers must be 1 or more, or "auto"',
      [{ workers = "many" }] = 'workers must be 1 or more, or "auto"',
      [{ workers = 1.5 }] = "workers must be a string or a whole number",
      [{ workers = 2, grace = -1 }] = "grace must be a number of seconds",
      [{ grace = 1 }] = "this needs workers",
    } do
      assert.error_matches(function() server:run(given) end, complaint, nil, true)
    end
  end)

  it("without workers is as without options", function()
    local server = serve.start()
    server:close()
    assert.is_nil(server:run())
    assert.is_nil(server:run {})
  end)
end)

describe("workers", function()
  if missing then
    pending(missing)
    return
  end

  it("serve, each of them, and not the supervisor", function()
    local one <close> = crew.start(BLOCK)
    local pids = set(one:await_workers(2))
    local first <close> = one:client()
    assert.is_true(pids[first.pid])
    local fifo <close> = block(one, first)
    local second <close> = one:client() -- the first one cannot come
    assert.is_true(pids[second.pid])
    assert.not_equal(first.pid, second.pid)
    assert.same({ true, true }, set { first.worker, second.worker })
    fifo:write("done")
    fifo:close()
    assert.equal("250 2.0.0 done", first:reply())
  end)

  it("are one, or as many as there are processors", function()
    for wanted, count in pairs { ["1"] = 1, ['"auto"'] = require("smtp.core").cpus() } do
      local one <close> = crew.start("given.workers = " .. wanted)
      local pids = set(one:await_workers(count))
      local client = one:client()
      assert.is_true(pids[client.pid])
      client:close() -- or it would be waited for
      assert.equal("true", one:stop())
    end
  end)

  it("serve with the poller of any system", function()
    local one <close> = crew.start([[
      options.listen = { options.listen, "unix:" .. FOLDER .. "/socket" }
      assert(loop.backend("poll") == "poll")
      given.on_worker = function(n)
        worker = n
        note("backend", loop.backend())
      end]])
    for _ = 1, 5 do
      local client <close> = one:client()
      assert.matches("^250", client:cmd("NOOP"))
    end
    assert.equal("poll", one:note("backend", 2))
    local client <close> = serve.connect { path = one.folder .. "/socket" }
    assert.matches("^220 mx.example [12] ", client:reply())
  end)

  it("are not woken for connections that others take", function()
    local one <close> = crew.start([[
      given.workers = 4
      before = function(server)
        local methods = getmetatable(server.listeners[1]).__index
        local accept = methods.accept
        methods.accept = function(...)
          local socket, why, errname = accept(...)
          if socket == false then note("idle", core.pid()) end
          return socket, why, errname
        end
      end]])
    one:note("idle", 4) -- each looks once when it begins
    for _ = 1, 100 do
      local client <close> = one:client()
      assert.matches("^221", client:cmd("QUIT"))
    end
    assert.is_true(#one:notes("idle") < 30, #one:notes("idle"))
  end)

  it("have tasks, sessions and variables of their own", function()
    local one <close> = crew.start([[
      local function on(name) return function() note(name, core.pid()) end end
      local guard <close> = setmetatable({}, { __close = on "closed" })
      local gone = setmetatable({}, { __gc = on "collected" })
      io.stdout:setvbuf("full")
      io.write("once\n")
      before = function(server)
        note("parent", core.pid())
        loop.spawn(function()
          while true do
            note("ticks", core.pid())
            loop.sleep(0.01)
          end
        end)
        local client = assert(smtp.connect("smtp://127.0.0.1:" .. server.port))
        assert(server:stats().connections == 1)
        loop.spawn(function()
          while client:noop() do
            note("alive", server:stats().connections)
            loop.sleep(0.01)
          end
          client:close()
        end)
      end
      given.on_worker = function(n)
        worker = n
        collectgarbage()
        note("draws", math.random(0))
        options.on_event = nil
      end
      options.on_command = { XCOUNT = function()
        return ("%d"):format(server_of_all:stats().connections)
      end }
      local make = smtp.server
      smtp.server = function(...)
        server_of_all = make(...)
        return server_of_all
      end]])
    local client <close> = one:client()
    assert.equal("250 2.0.0 1", client:cmd("XCOUNT")) -- the parent's session is not here
    client:close()
    one:note("ticks", 20)
    one:note("alive", 20)
    local draws = one:notes("draws")
    assert.equal(2, #draws)
    assert.not_equal(draws[1], draws[2])
    local parent = one:note("parent", 1)
    assert.equal("true", one:stop())
    assert.same({ [parent] = true }, set(one:notes("ticks")))
    assert.same({ ["1"] = true }, set(one:notes("alive")))
    assert.same({ parent }, one:notes("closed"))
    assert.same({ [parent] = true }, set(one:notes("collected")))
    local _, doubled = one.process:output():gsub("once\n", "")
    assert.equal(1, doubled)
  end)

  it("save messages and resolve names, after their parent had helpers as well", function()
    local one <close> = crew.start([[
      options.on_message = function(_, message)
        local job <close> = assert(core.resolve("localhost", 25))
        loop.wait(job, "r")
        assert(job:result())
        loop.forget(job)
        return message:save(FOLDER .. "/" .. message.id)
      end
      options.on_helo = function() return core.pid() ~= parent end
      before = function(server)
        local client <close> = assert(smtp.connect("smtp://localhost:" .. server.port))
        assert(client:send { from = "a@b.example", to = "c@d.example", subject = "parent",
          text = "x" })
        client:quit()
        if os.getenv("LD_PRELOAD") then return end -- a sanitizer's locks do not survive a fork
        for _ = 1, 20 do core.resolve("localhost", 25) end -- at work while it forks
      end]])
    for i = 1, 10 do
      assert(smtp.send("smtp://localhost:" .. one.port, { from = "a@b.example",
        to = "c@d.example", subject = "worker " .. i, text = "x" }))
    end
    local files = 0
    for _, name in ipairs(net.names(one.folder)) do
      if name:match("^%x+$") then files = files + 1 end
    end
    assert.equal(11, files)
    assert.same({}, one:notes("errors"))
  end)

  it("resume TLS that another one began", function()
    local ca = assert(authority.new())
    local good = assert(ca:issue { addresses = { "127.0.0.1" } })
    local one <close> = crew.start(BLOCK .. ([[
      options.tls = { cert = %q, key = %q, implicit = true }]]):format(good.cert, good.key))
    local target = { url = "smtps://127.0.0.1:" .. one.port, ca = ca.certificate }
    local function who(client)
      return client.greeting.text:match("(%d+) %d+")
    end
    local zero = assert(smtp.connect(target))
    assert.is_false(zero.tls.resumed)
    assert(zero:quit())
    local first <close> = assert(smtp.connect(target))
    assert(os.execute(("mkfifo '%s/fifo'"):format(one.folder)))
    local answer
    loop.spawn(function() answer = first:command("XBLOCK") end)
    loop.step(0)
    local fifo <close> = assert(io.open(one.folder .. "/fifo", "w"))
    local second <close> = assert(smtp.connect(target))
    assert.same({ true, true }, { first.tls.resumed, second.tls.resumed })
    assert.not_equal(who(first), who(second)) -- so one of them is not that of zero
    fifo:write("done")
    fifo:close()
    crew.await(function() return answer end)
  end)

  it("hold no descriptor that is not theirs, and pass none on", function()
    local one <close> = crew.start([[
      local function list()
        local pipe <close>, fds = io.popen("ls -l /proc/self/fd"), {}
        for fd, path in pipe:read("a"):gmatch("(%d+) %-> (%S+)") do
          if not path:find("^/proc/%d+/fd$") then fds[#fds + 1] = fd end -- that of ls itself
        end
        note("passed", table.concat(fds, " "))
      end
      list()
      options.on_command = { XLIST = function()
        list()
        return true
      end }]])
    local client <close> = one:client()
    client:cmd("XLIST")
    local foreign = {} -- what this process was itself started with
    for fd in one:note("passed", 1):gmatch("%d+") do foreign[fd] = true end
    assert.equal(one:note("passed", 1), one:note("passed", 2))
    local kinds = {}
    local pipe <close> = assert(io.popen(("ls -l /proc/%d/fd"):format(client.pid)))
    for fd, kind in pipe:read("a"):gmatch("(%d+) %-> ([%w_]*:?%[?[%w_]*)") do
      if not foreign[fd] then kinds[#kinds + 1] = (kind:gsub("%d+$", "")) end
    end
    table.sort(kinds)
    -- The listener and the peer; the signals; the lifeline; the poller.
    assert.same({ "anon_inode:[eventpoll", "anon_inode:[signalfd", "pipe:[", "socket:[",
      "socket:[" }, kinds)
  end)

  describe("that die", function()
    it("are replaced and reported", function()
      local one <close> = crew.start([[
        before = function(server)
          loop.spawn(function()
            while true do
              local stats = server:stats()
              note("stats", stats.restarts, table.unpack(stats.workers))
              loop.sleep(0.02)
            end
          end)
        end]])
      local before = one:await_workers(2)
      one:note("stats", 1)
      local client <close> = one:client()
      crew.signal("KILL", client.pid)
      assert.equal(("%d %d 137"):format(client.worker, client.pid), one:note("deaths", 1))
      assert.equal("", client:rest())
      local after = one:await_workers(2)
      assert.is_nil(set(after)[client.pid])
      assert.is_true(set(before)[client.pid])
      crew.await(function()
        local lines = one:notes("stats")
        local restarts, a, b = lines[#lines]:match("^(%d+) (%d+) (%d+)$")
        return restarts == "1" and set(after)[tonumber(a)] and set(after)[tonumber(b)]
      end, "the restart in stats")
      local other = one:client()
      assert.matches("^250", other:cmd("NOOP"))
      other:close()
      assert.equal("true", one:stop())
    end)

    it("of an error are replaced after ever longer pauses", function()
      local one <close> = crew.start([[
        given.workers = 1
        given.on_worker = function(n)
          note("starts", core.now())
          error("no database", 0)
        end]])
      one:note("starts", 5)
      local starts = one:notes("starts")
      for i = 2, 5 do
        assert.is_true(starts[i] - starts[i - 1] >= 0.05 * 2 ^ (i - 2), table.concat(starts, " "))
      end
      assert.equal("worker no database", one:note("errors", 1))
      assert.matches("^1 %d+ 1$", one:note("deaths", 1))
      one:stop()
    end)

    it("are on standard error without on_event", function()
      local one <close> = crew.start([[
        options.on_event = nil
        given.on_worker = function(n)
          if n == 2 then error("no\ndatabase", 0) end
        end]])
      local errors = crew.await(function()
        local text = one.process:errors()
        return text:find("status 1") and text
      end)
      assert.matches("^smtp.server: error at worker: no[^\n]+database\n", errors)
      assert.matches("smtp.server: worker 2 %(process %d+%) ended with status 1\n", errors)
    end)
  end)
end)
