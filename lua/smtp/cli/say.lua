-- SPDX-License-Identifier: MIT
--- How a command ends early: `fail` and `usage` raise, `main` catches, and a person reads
-- a sentence. What a peer wrote is made harmless for a terminal.
local errors = require "smtp.error"
local printable = require "smtp.base.printable"

local M = {}

local End = {}

-- Hints of the library speak Lua.
local WORDS = {
  { 'ca = "file.pem"', "--ca FILE" }, { "verify = false", "--insecure" },
  { 'tls = "none"', "--tls none" }, { 'tls = "opportunistic"', "--tls opportunistic" },
}

--- A text of the library in the words of the command line.
function M.translate(text)
  for _, pair in ipairs(WORDS) do
    local from, to = text:find(pair[1], 1, true)
    if from then text = text:sub(1, from - 1) .. pair[2] .. text:sub(to + 1) end
  end
  return text
end

--- Ends the command with status 1 and a sentence, or an error of the library.
function M.fail(why)
  error(setmetatable({ status = 1, why = M.translate(tostring(why)) }, End), 0)
end

--- Ends the command with status 2: it was called in a wrong way.
function M.usage(why)
  error(setmetatable({ status = 2, why = tostring(why) }, End), 0)
end

--- Calls a function of the library with what the user gave: misuse, which it raises, is
-- wrong usage of the command.
function M.guard(fn, ...)
  local result = table.pack(pcall(fn, ...))
  if result[1] then return table.unpack(result, 2, result.n) end
  local why = result[2]
  if type(why) ~= "string" then error(why, 0) end
  M.usage((why:gsub("^[^\n]-:%d+: ", "")))
end

--- Gives the value, or ends with the error.
function M.check(value, err)
  if value then return value end
  if errors.is(err) and err.kind == "invalid" and not err.stage then M.usage(err) end
  M.fail(err)
end

--- The handler of xpcall: a bug keeps its traceback.
function M.caught(problem)
  if getmetatable(problem) == End then return problem end
  return setmetatable({ status = 1, why = debug.traceback(tostring(problem), 2) }, End)
end

--- Writes the reason and gives the status.
function M.failed(problem, parser)
  io.stderr:write("lua-smtp: ", (problem.why:gsub("[^\n\t]+", printable)), "\n")
  if problem.status == 2 and parser then io.stderr:write(parser:get_usage(), "\n") end
  return problem.status
end

--- A line of text on standard error, controls escaped.
function M.note(format, ...)
  io.stderr:write(printable(select("#", ...) > 0 and format:format(...) or format), "\n")
end

--- A line of text on standard output, controls escaped.
function M.line(format, ...)
  io.write(printable(select("#", ...) > 0 and format:format(...) or format), "\n")
end

--- The trace of a dialogue, each line as it comes.
function M.trace(write)
  return function(side, line) write("%s: %s", side, line) end
end

return M
