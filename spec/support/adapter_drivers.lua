-- The things that a library of an adapter does itself, for spec/support/adapter.lua: a coroutine of
-- it, a pause, a timer, an echo.
-- `start(fn)` runs a coroutine of the library, `run` its loop to the end, `pause` waits in
-- the library's way, `echo()` serves lines and gives a function that sends one and gives
-- the answer, `ticks()` counts what the library does by itself, until `stop`.
local drivers = {}

function drivers.cqueues()
  local cqueues = require "cqueues"
  local socket = require "cqueues.socket"
  local adapter = require "smtp.adapter.cqueues"
  local cq, stopped, ticks = cqueues.new(), false, 0
  adapter.host(cq)
  return {
    cq = cq, pause = cqueues.sleep,
    start = function(fn) cq:wrap(fn) end,
    run = function() assert(cq:loop()) end,
    ticks = function() return ticks end,
    tick = function()
      cq:wrap(function()
        while not stopped do
          cqueues.sleep(0.005)
          ticks = ticks + 1
        end
      end)
    end,
    stop = function() stopped = true end,
    echo = function()
      local listener = socket.listen("127.0.0.1", 0)
      listener:listen()
      local _, _, port = listener:localname()
      cq:wrap(function()
        local one = listener:accept()
        listener:close()
        for line in one:lines() do one:write(line, "\n") one:flush() end
        one:close()
      end)
      local one
      return function(text)
        one = one or socket.connect("127.0.0.1", port)
        one:write(text, "\n")
        one:flush()
        return one:read("*l")
      end, function() one:close() end
    end,
  }
end

function drivers.luv()
  local uv = require "luv"
  require "smtp.adapter.luv"
  local timer, ticks = uv.new_timer(), 0
  local function resumer()
    local co = coroutine.running()
    return function(...) assert(coroutine.resume(co, ...)) end
  end
  return {
    uv = uv,
    start = function(fn) coroutine.wrap(fn)() end,
    run = function() uv.run() end,
    ticks = function() return ticks end,
    tick = function() timer:start(5, 5, function() ticks = ticks + 1 end) end,
    stop = function() timer:stop() end,
    pause = function(seconds)
      local once, go = uv.new_timer(), resumer()
      once:start(math.ceil(seconds * 1000), 0, function()
        once:close()
        go()
      end)
      coroutine.yield()
    end,
    echo = function()
      local listener = uv.new_tcp()
      listener:bind("127.0.0.1", 0)
      listener:listen(8, function()
        local one = uv.new_tcp()
        listener:accept(one)
        listener:close()
        one:read_start(function(_, bytes)
          if bytes then one:write(bytes) else one:close() end
        end)
      end)
      local port, one = listener:getsockname().port, nil
      return function(text)
        local go = resumer()
        if not one then
          one = uv.new_tcp()
          one:connect("127.0.0.1", port, go)
          coroutine.yield()
        end
        one:read_start(function(_, bytes)
          one:read_stop()
          go(bytes)
        end)
        one:write(text .. "\n")
        return coroutine.yield():match("^(.*)\n")
      end, function() one:close() end
    end,
  }
end

function drivers.copas()
  local copas = require "copas"
  local socket = require "socket"
  require "smtp.adapter.copas"
  local loop = require "smtp.loop"
  local ticks, stopped, threads = 0, false, 0
  local function echo()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    copas.addserver(listener, function(one)
      one = copas.wrap(one)
      while true do
        local line = one:receive()
        if not line then return end
        one:send(line .. "\n")
      end
    end)
    local one
    return function(text)
      if not one then
        local raw = assert(socket.connect("127.0.0.1", port))
        raw:settimeout(0)
        one = copas.wrap(raw)
      end
      one:send(text .. "\n")
      return one:receive()
    end, function() one.socket:close() end
  end
  local pause_echo
  return {
    copas = copas, echo = echo,
    start = function(fn)
      threads = threads + 1
      copas.addthread(function()
        fn()
        threads = threads - 1
      end)
    end,
    -- The loop of old ones never ends.
    run = function() while threads > 0 or loop.busy() do copas.step() end end,
    ticks = function() return ticks end,
    tick = function()
      local ask = echo()
      copas.addthread(function()
        while not stopped do
          ask "x"
          ticks = ticks + 1
        end
      end)
    end,
    stop = function() stopped = true end,
    pause = function() -- old ones cannot wait for the time: an answer is a pause
      pause_echo = pause_echo or {}
      local ask, close = echo()
      ask "x"
      close()
    end,
  }
end

return drivers
