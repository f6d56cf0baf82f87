-- SPDX-License-Identifier: MIT
-- Two sides of a SASL exchange, joined in memory.
local core = require "smtp.core"

local M = {}

-- Runs client against server; keys answer a look-up (false: nobody, with the
-- work of stored keys). Gives the server's last results, as a list, and the
-- messages in order. alter(i, message) may change the i-th.
function M.run(client, server, keys, alter)
  local messages = {}
  local function pass(message)
    messages[#messages + 1] = message
    return alter and alter(#messages, message) or message
  end
  local function judge(...)
    local what = ...
    if what ~= "lookup" then return ... end
    if keys == false then return server:lookup(nil, true) end
    return server:lookup(keys)
  end
  local function step(from_client)
    return judge(server:next(pass(from_client)))
  end

  local message, text, word = client:first()
  if text then return { nil, text, word }, messages end
  local what, out
  if message then
    what, out, word = step(message)
  else
    what, out = "continue", server:first()
  end
  while what == "continue" do
    local answered, answer, of = client:next(pass(out))
    if not answered then return { nil, answer, "client " .. of }, messages end
    what, out, word = step(answer)
  end
  return { what, out, word }, messages
end

-- client and server of a mechanism, both with options.
function M.pair(mechanism, client, server)
  return assert(core.sasl_client(mechanism, client)), assert(core.sasl_server(mechanism, server))
end

-- text without its last bytes, for each number of them.
function M.truncations(text)
  local n = -1
  return function()
    n = n + 1
    if n < #text then return text:sub(1, n) end
  end
end

-- text with one byte changed, for each byte and some changes.
function M.flips(text)
  local list = {}
  for i = 1, #text do
    for _, bit in ipairs { 1, 2, 32, 128 } do
      list[#list + 1] = text:sub(1, i - 1) .. string.char(text:byte(i) ~ bit) .. text:sub(i + 1)
    end
  end
  local at = 0
  return function()
    at = at + 1
    return list[at]
  end
end

return M
