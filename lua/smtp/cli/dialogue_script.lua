-- SPDX-License-Identifier: MIT
--- Scripts of `lua-smtp dialogue`: read whole before anything is sent, so that a slip of
-- the pen is told in time.
local say = require "smtp.cli.say"

local M = {}

local ESCAPES = { r = "\r", n = "\n", t = "\t", ["0"] = "\0", ["\\"] = "\\" }

local function unescape(text)
  return (text:gsub("\\(.)(%x?%x?)", function(c, hex)
    if c == "x" and #hex == 2 then return string.char(tonumber(hex, 16)) end
    return ESCAPES[c] and ESCAPES[c] .. hex
  end))
end

-- Each action checks its words now and gives what is done then.
local ACTIONS = {}

function ACTIONS.pause(words)
  local seconds = tonumber(words)
  if not seconds or seconds < 0 then return nil, "pause needs seconds" end
  return function(d) d:pause(seconds) return true end
end

function ACTIONS.raw(words)
  return function(d) return d:raw(unescape(words)) end
end

function ACTIONS.starttls()
  return function(d, trust, show_tls)
    local info, err = d:starttls(trust)
    if info then show_tls(info) end
    return info, err
  end
end

function ACTIONS.closed() return function(d) return d:closed() end end

function ACTIONS.abort() return function(d) d:abort() return true end end

-- Whether a reply begins as it should, in one of its lines.
local function fits(reply, wanted)
  local class = wanted:match("^([2-5])xx$")
  if class then return reply.code // 100 == tonumber(class) end
  for _, line in ipairs(reply.lines) do
    if ("%d %s"):format(reply.code, line):sub(1, #wanted) == wanted then return true end
  end
  return false
end

local KINDS = {}

KINDS[">"] = function(line)
  return function(d) return d:raw(line .. "\r\n") end
end

KINDS["<"] = function(wanted)
  wanted = wanted:gsub("%s+$", "")
  return function(d)
    local reply, err = d:expect()
    if not reply or fits(reply, wanted) then return reply, err end
    return nil, ("expected %q, got %d %s"):format(wanted, reply.code, reply.lines[1])
  end
end

KINDS["!"] = function(text)
  local name, words = text:match("^(%S*)%s*(.-)$")
  if not ACTIONS[name] then return nil, ("there is no action %q"):format(name) end
  return ACTIONS[name](words)
end

local function step_of(line)
  local kind, rest = line:match("^([><!]) ?(.*)$")
  if not kind then return nil, "a line begins with >, <, ! or #" end
  return KINDS[kind](rest)
end

--- Reads a script ("-" is standard input): steps as { number, run }.
function M.read(path)
  local file, why = io.stdin, nil
  if path ~= "-" then file, why = io.open(path, "rb") end
  if not file then say.usage("--script: " .. why) end
  local steps, number = {}, 0
  for input in file:lines() do
    local line = input:gsub("\r$", "")
    number = number + 1
    if line:find("^%s*[^%s#]") then
      local run
      run, why = step_of(line)
      if not run then say.usage(("--script: line %d: %s"):format(number, why)) end
      steps[#steps + 1] = { number = number, run = run }
    end
  end
  return steps
end

--- Does the steps; the first that fails ends the command.
function M.run(d, steps, trust, show_tls)
  for _, step in ipairs(steps) do
    local ok, err = step.run(d, trust, show_tls)
    if not ok then say.fail(("line %d of the script: %s"):format(step.number, tostring(err))) end
  end
  return 0
end

return M
