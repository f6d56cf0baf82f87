-- SPDX-License-Identifier: MIT
--- Runs other programs. Lua has no fork, so a shell does it; each word is quoted, and so
-- arrives as it was given.
-- Internal.
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

--- Runs a command without an input; gives its status and what it printed.
function M.capture(words, env)
  local path = os.tmpname()
  local status = execute(("{ %s; } </dev/null >%s 2>&1"):format(script(words, env), M.quote(path)))
  local file <close> = io.open(path, "rb")
  local text = file and file:read("a") or ""
  os.remove(path)
  return status, text
end

--- What a command finds of a mock in its environment.
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
