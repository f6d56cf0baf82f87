-- Waiting where a task cannot yield: while its variables are closed, and in C functions.
local core = require "smtp.core"
local loop = require "smtp.loop"
local serve = require "spec.support.serve"

describe("variables of a task that is ended", function()
  local function closing(fn)
    return setmetatable({}, { __close = fn })
  end

  it("may wait as they are closed, while others go on", function()
    local gate, seen = loop.gate(), {}
    local other = loop.spawn(function()
      loop.sleep(0.01)
      seen[#seen + 1] = "other"
      loop.wake(gate)
    end)
    local task = loop.spawn(function()
      local _ <close> = closing(function()
        local passed = loop.pass(gate, 5)
        seen[#seen + 1] = passed
        loop.sleep(0.001)
        seen[#seen + 1] = "closed"
      end)
      loop.sleep(60)
    end)
    loop.step(0)
    assert.is_true(loop.cancel(task))
    assert.same({ "other", true, "closed" }, seen)
    assert.is_true(other.dead)
    loop.run()
  end)

  it("wait at sockets, nested ones too, and no longer than they may", function()
    local listener <close> = core.listen { host = "127.0.0.1", port = 0 }
    local seen = {}
    local function sleeper(name, seconds, limit)
      return loop.spawn(function()
        local _ <close> = closing(function()
          seen[#seen + 1] = name .. " " .. tostring(pcall(loop.wait, listener, "r", seconds))
        end)
        local inner <close> = closing(function()
          if limit then loop.cancel(limit) end
        end)
        loop.sleep(60)
        return inner
      end)
    end
    local first = sleeper("first", 0.01)
    local second = sleeper("second", 60, first)
    loop.step(0)
    local since = core.now()
    assert.is_true(loop.cancel(second, core.now() + 0.1))
    assert.is_true(core.now() - since < 5)
    assert.same({ "first true", "second false" }, seen)
    loop.run()
  end)

  it("that fail are an error of the turn, or its owner's", function()
    for _, owned in ipairs { false, true } do
      local heard
      local task = loop.spawn(function()
        local _ <close> = closing(function() error("in closing") end)
        loop.sleep(60)
      end)
      if owned then task.owner = { task_failed = function(_, message) heard = message end } end
      loop.step(0)
      assert.is_true(loop.cancel(task))
      if owned then
        assert.matches("in closing", heard)
        loop.step(0)
      else
        assert.error_matches(function() loop.step(0) end, "in closing")
      end
    end
  end)

  it("a wait within a C function runs turns", function()
    local seen = {}
    loop.spawn(function() seen[#seen + 1] = "other" end)
    loop.spawn(function()
      seen[#seen + 1] = ("a b"):gsub("%a", function(c)
        loop.sleep(0.001)
        return c:upper()
      end)
    end)
    loop.run()
    assert.same({ "other", "A B" }, seen)
  end)
end)

describe("a session that is ended", function()
  for _, how in ipairs { "close", "shutdown", "handler_timeout" } do
    it("lets a handler's variables wait as they are closed by " .. how, function()
      local seen, events = {}, {}
      local server = serve.start { on_event = serve.record(events),
        limits = { handler_timeout = how == "handler_timeout" and 0.05 or 300 },
        on_mail = function(_, sender)
          local _ <close> = setmetatable({}, { __close = function()
            loop.sleep(0.01)
            seen[#seen + 1] = sender.address
            if sender.address:find("^bad") then error("in closing") end
          end })
          loop.sleep(60)
        end }
      local clients = {}
      for i, sender in ipairs { "a@b.example", "bad@b.example", "c@b.example" } do
        clients[i] = serve.connect(server)
        clients[i]:reply()
        clients[i]:cmd("EHLO x")
        clients[i]:send("MAIL FROM:<" .. sender .. ">\r\n")
      end
      if how == "handler_timeout" then
        for i = 1, 3 do assert.matches("^451", clients[i]:reply()) end
      else
        loop.sleep(0.05)
        loop.spawn(function() server[how](server, 0) end)
        server:run()
      end
      table.sort(seen)
      assert.same({ "a@b.example", "bad@b.example", "c@b.example" }, seen)
      local told = 0
      for _, event in ipairs(serve.of_type(events, "error")) do
        if tostring(event.error):find("in closing", 1, true) then told = told + 1 end
      end
      assert.equal(1, told)
      assert.equal(how == "handler_timeout" and 0 or 3, #serve.of_type(events, "close"))
      for _, client in ipairs(clients) do client:close() end
      server:close()
    end)
  end
end)
