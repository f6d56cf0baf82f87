-- SPDX-License-Identifier: MIT
--- Runs other programs. Lua has no fork, so a shell does it; each word is quoted, and so
-- arrives as it was given.
local say = require "smtp.cli.say"

local M = {}

--- A word that the shell takes as it is.
function M.quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- `env` is { { name, value } ... }; false for a value: the variable is not there.
local function script(words, env)
  local out = {}
  for _, pair in ipairs(env) do
    out[#out + 1] = pair[2] and ("export %s=%s; "):format(pair[1], M.quote(pair[2]))
      or ("unset %s; "):format(pair[1])
  end
  out[#out + 1] = "exec"
  for _, word in ipairs(words) do out[#out + 1] = " " .. M.quote(word) end
  return table.concat(out)
end

--- Whether the shell finds a command of that name.
function M.finds(name)
  return os.execute(("command -v %s >/dev/null 2>&1"):format(M.quote(name))) == true
end

local function execute(command)
  io.stdout:flush()
  io.stderr:flush()
  local _, how, code = os.execute(command)
  if how == "exit" then return code end
  if how == "signal" then return 128 + code end
  say.fail(("the shell cannot be started: %s"):format(how))
end

--- Runs a command with the standard files of this process; gives its exit status, or 128
-- and the number of the signal that ended it.
function M.run(words, env)
  return execute(script(words, env))
end

-- Takes a file for a moment: `use` gets its path.
local function with_file(text, use)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
  file:close()
  local result = table.pack(pcall(use, path))
  os.remove(path)
  if not result[1] then error(result[2], 0) end
  return table.unpack(result, 2, result.n)
end

local function slurp(path)
  local file <close> = io.open(path, "rb")
  return file and file:read("a") or ""
end

--- Runs a command with an input; gives its status and what it printed.
function M.capture(words, env, input)
  return with_file(input, function(from)
    return with_file("", function(to)
      local status = execute(("{ %s; } <%s >%s 2>&1"):format(script(words, env), M.quote(from),
        M.quote(to)))
      return status, slurp(to)
    end)
  end)
end

--- The words with a limit of so many seconds before them, where `timeout` is here.
function M.limited(words, seconds)
  if not M.finds("timeout") then return words end
  return { "timeout", "-k", "1", ("%d"):format(seconds), table.unpack(words) }
end

--- The variables of a mock in the environment of a command.
function M.environment(mock)
  return {
    { "SMTP_HOST", mock.host }, { "SMTP_PORT", ("%d"):format(mock.port) },
    { "SMTP_URL", mock.url }, { "SMTP_CA_FILE", mock.ca_file or false },
  }
end

--- Tells whether a descriptor is a terminal.
function M.is_terminal(fd)
  return os.execute(("[ -t %d ]"):format(fd)) == true
end

return M
