-- Common parts of the specs of csrc/net: waiting, a folder of their own, and scripts
-- that run in another process.
local core = require "smtp.core"

local M = {}

M.READ, M.WRITE = 1, 2

--- Waits until fd has one of the bits; fails after 5 seconds.
function M.wait(fd, bits)
  local poller <close> = assert(core.poller())
  local ready, limit = {}, core.now() + 5
  assert(poller:set(fd, bits))
  repeat
    if assert(poller:wait(1, ready)) > 0 then return ready[2] end
  until core.now() > limit
  error("nothing happened at descriptor " .. fd, 2)
end

--- Waits for a pollable object by what it says of itself.
function M.await(object)
  return M.wait(object:pollfd(), object:events() == "w" and M.WRITE or M.READ)
end

--- The lowest descriptor that is free, or the nth lowest: a leak raises it.
function M.lowest(n)
  local jobs = {}
  for i = 1, n or 1 do jobs[i] = assert(core.resolve("127.0.0.1", 1)) end
  local fd = jobs[#jobs]:pollfd()
  for _, job in ipairs(jobs) do job:close() end
  return fd
end

--- The result of a job, once it is done.
function M.finish(job)
  if job:result() == false then M.await(job) end
  return job:result()
end

--- Calls method until it gives anything but false (it would block).
function M.retry(socket, method, ...)
  local result = table.pack(socket[method](socket, ...))
  while result[1] == false do
    M.await(socket)
    result = table.pack(socket[method](socket, ...))
  end
  return table.unpack(result, 1, result.n)
end

local closer = {
  __close = function(self)
    for _, socket in ipairs(self) do socket:close() end
  end,
}

--- A client and the server's end of a connection, over options of listen, and
--- what closes both when it is left: local client, server, _ <close> = pair()
function M.pair(options)
  local listener <close> = assert(core.listen(options or { host = "127.0.0.1", port = 0 }))
  local name, port = listener:name()
  local target = port and { host = name, port = port } or { path = name }
  local client = assert(core.connect(target))
  local server = assert(M.retry(listener, "accept"))
  assert(M.retry(client, "connected"))
  return client, server, setmetatable({ client, server }, closer)
end

--- A port of 127.0.0.1 that nobody listens at.
function M.closed_port()
  local listener <close> = assert(core.listen { host = "127.0.0.1", port = 0 })
  return select(2, listener:name())
end

--- A new empty folder; remove it with M.remove.
function M.folder()
  local pipe <close> = assert(io.popen("mktemp -d"))
  return assert(pipe:read("l"))
end

function M.remove(folder)
  assert(folder:match("^/.*/tmp%.[%w]+$"), folder)
  os.execute("rm -rf '" .. folder .. "'")
end

--- The names in a folder, hidden ones too.
function M.names(folder)
  local pipe <close> = assert(io.popen("ls -A '" .. folder .. "'"))
  local list = {}
  for name in pipe:lines() do list[#list + 1] = name end
  return list
end

function M.slurp(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

function M.dump(path, bytes)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(bytes))
end

--- The interpreter that runs this.
function M.interpreter()
  local i = 0
  while arg and arg[i - 1] do i = i - 1 end
  local name = arg and arg[i] or "lua5.4"
  return name:match("lua") and name or "lua5.4"
end

-- A search path that is the same from another folder.
local function absolute(path)
  local pipe <close> = assert(io.popen("pwd"))
  local here = pipe:read("l")
  return (path:gsub("[^;]+", function(template)
    return template:match("^/") and template or here .. "/" .. template
  end))
end

--- Runs a script in a new process, behind the shell commands in before; gives
--- its exit status (128 and more: the signal), and what it printed.
function M.run(script, before)
  local path = os.tmpname()
  M.dump(path, ("package.cpath = %q\npackage.path = %q\n"):format(
    absolute(package.cpath), absolute(package.path)) .. script)
  local pipe = assert(io.popen(("%s %s %s 2>&1; echo \"status $?\""):format(
    before or "", M.interpreter(), path)))
  local text = pipe:read("a")
  pipe:close()
  os.remove(path)
  local output, status = text:match("^(.-)status (%d+)\n$")
  return tonumber(status), output
end

return M
