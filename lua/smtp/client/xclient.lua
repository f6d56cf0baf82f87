-- SPDX-License-Identifier: MIT
--- XCLIENT and XFORWARD as a client says them: of whom it speaks.
local core = require "smtp.core"
local hello = require "smtp.client.hello"
local options = require "smtp.base.options"

local M = {}

local VALUE_MAX = 255

-- false stands for what is not known.
local TEXT, PORT = "string boolean", "port boolean"

local SPECS = {
  XCLIENT = { name = TEXT, addr = TEXT, port = PORT, proto = { "SMTP", "ESMTP" }, helo = TEXT,
    login = TEXT, destaddr = TEXT, destport = PORT },
  XFORWARD = { name = TEXT, addr = TEXT, port = PORT, proto = TEXT, helo = TEXT, ident = TEXT,
    source = { "LOCAL", "REMOTE" } },
}

local ORDER = { "name", "addr", "port", "proto", "helo", "login", "destaddr", "destport", "ident",
  "source" }

-- A value as it is written, or nil if it may not be.
local function value_of(key, value)
  if value == false then return "[UNAVAILABLE]" end
  if math.type(value) then return tostring(value) end
  if key == "addr" or key == "destaddr" then
    local bytes, text = core.ip(value)
    return bytes and (#bytes == 16 and "IPV6:" or "") .. text
  end
  if value == "" or #value > VALUE_MAX or value:find("%c") then return nil end
  return core.xtext(value)
end

--- The words behind the verb; or nil and a sentence. Raises on misuse.
function M.args(verb, told)
  told = options.check(verb:lower(), told, SPECS[verb])
  local words = {}
  for _, key in ipairs(ORDER) do
    local value = told[key]
    if value == true then options.misuse(("%s: %s must not be true"):format(verb:lower(), key)) end
    if value ~= nil then
      local text = value_of(key, value)
      if not text then return nil, ("%s of %s may not be told so"):format(key, verb) end
      words[#words + 1] = key:upper() .. "=" .. text
    end
  end
  if #words == 0 then options.misuse(verb:lower() .. ": nothing is told") end
  return table.concat(words, " ")
end

-- Which of the attributes the server does not offer, or nil.
local function unsupported(offer, verb, told)
  if not offer then return verb end
  local offered = " " .. (offer == true and "" or offer:upper()) .. " "
  for _, key in ipairs(ORDER) do
    if told[key] ~= nil and not offered:find(" " .. key:upper() .. " ", 1, true) then
      return key:upper() .. " of " .. verb
    end
  end
end

local function say(connection, verb, told)
  local args, why = M.args(verb, told)
  if not args then
    return connection:fail { kind = "invalid", stage = "command", message = why }
  end
  local missing = unsupported(connection.capabilities[verb], verb, told)
  if missing then
    return connection:fail { kind = "unsupported", stage = "command",
      message = "the server does not offer " .. missing }
  end
  return connection:ask("command", verb, args)
end

--- XCLIENT, and a new EHLO: the session begins from its greeting.
function M.xclient(connection, told)
  local reply, err = say(connection, "XCLIENT", told)
  if not reply then return nil, err end
  connection.machine:anew()
  connection.greeting, connection.capabilities, connection.esmtp = reply, {}, false
  connection.speaks_for = true
  local ok
  ok, err = hello.hello(connection)
  if not ok then return nil, err end
  return reply
end

--- XFORWARD, for the next message.
function M.xforward(connection, told)
  return say(connection, "XFORWARD", told)
end

return M
