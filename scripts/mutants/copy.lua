-- SPDX-License-Identifier: MIT
-- A copy of the tree with a build of its own, in which one file at a time is faulty.
-- Each command in the copy has a time-out, and ends with all processes that it started.
local M = {}

local Copy = {}
Copy.__index = Copy

local MEMORY = 4 * 1024 * 1024 -- KiB of address space, so that a loop ends by itself

function M.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Runs a command of sh: true or false.
function M.sh(format, ...)
  return (os.execute(format:format(...)))
end

function M.must(format, ...)
  local command = format:format(...)
  if not os.execute(command) then error("mutants: failed: " .. command, 0) end
end

function M.write(name, text)
  local file <close> = assert(io.open(name, "wb"))
  assert(file:write(text))
end

--- The copy in a folder, which is there or will be made.
function M.at(folder)
  return setmetatable({ folder = folder, log = folder .. ".log" }, Copy)
end

--- Makes it from the work tree as it stands, without its builds and its history.
function Copy:fill()
  M.must("rm -rf %s && mkdir -p %s && tar -cf - --exclude=./build --exclude=./.git . | "
    .. "tar -xf - -C %s", self.folder, self.folder, self.folder)
end

--- Makes it as a twin of another, times of files included, so that make has nothing to do.
function Copy:twin(other)
  M.must("rm -rf %s && cp -a %s %s", self.folder, other.folder, self.folder)
end

-- Ends what has its folder here: all that a command has left behind.
function Copy:clear()
  -- Without its folder nothing may be killed: an empty name would fit all there is.
  M.must([[here=$(cd %s && pwd -P) && [ -n "${here#/}" ] || exit 1
    find /proc -mindepth 2 -maxdepth 2 -name cwd \( -lname "$here" -o -lname "$here/*" \) \
      2>/dev/null | sed 's|[^0-9]||g' | xargs -r sh -c 'kill -KILL "$@"' sh 2>/dev/null
    :]], self.folder)
end

-- Runs a command in it for at most that many seconds: its status, 124 or 137 if it was
-- ended for its time.
function Copy:run(seconds, command)
  local bounded = ("ulimit -v %d && exec timeout -k 2 %d %s"):format(MEMORY, seconds, command)
  -- A sanitizer that is preloaded here needs more address space, and the copy has none.
  local _, why, code = os.execute(("(cd %s && exec env -u MAKEFLAGS -u MAKELEVEL -u LD_PRELOAD "
    .. "sh -c %s) >%s 2>&1 </dev/null"):format(self.folder, M.quote(bounded), M.quote(self.log)))
  self:clear()
  return why == "exit" and code or 128 + (code or 0)
end

function Copy:make(target)
  return self:run(600, "make -s " .. target .. " CFLAGS='-O2 -g0' V=") == 0
end

--- Runs a spec file: "passed", "failed", "late"; "none" if no test of it was to run.
function Copy:spec(name, seconds, tags)
  local status = self:run(seconds, ("%s scripts/busted.lua --ignore-lua --no-keep-going %s %s")
    :format(os.getenv("LUA") or "lua5.4", tags, M.quote(name)))
  if status == 0 then return "passed" end
  if status == 124 or status == 137 then return "late" end
  return self:said("no test was run") and "none" or "failed"
end

--- Whether the last run printed a text.
function Copy:said(text)
  local file <close> = assert(io.open(self.log, "rb"))
  return file:read("a"):find(text, 1, true) ~= nil
end

--- A faulty file, and the object that was made of it, come in; build() links it.
function Copy:plant(name, text, object)
  M.write(self.folder .. "/" .. name, text)
  if not object then return true end
  M.must("cp %s %s/build/obj/%s", object, self.folder, name:gsub("%.c$", ".o"))
  return self:make("all")
end

--- All is as in the other copy again, of which this one is a twin.
function Copy:heal(name, other)
  local files = { name }
  if name:find("%.c$") then
    files = { name, "build/obj/" .. name:gsub("%.c$", ".o"), "build/smtp/core.so",
      "build/probe.so" }
  end
  for _, file in ipairs(files) do
    M.must("cp -p %s/%s %s/%s", other.folder, file, self.folder, file)
  end
end

return M
