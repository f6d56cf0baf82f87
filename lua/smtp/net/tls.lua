-- SPDX-License-Identifier: MIT
--- TLS of a connecting side: contexts (kept for a while, since making one reads files), sessions
-- for later connections to resume, and the handshake.
local core = require "smtp.core"
local loop = require "smtp.loop"

local M = {}

local LIFE = 300 -- seconds that a context is used: files may change
local SESSIONS = 100 -- kept by a context; more clear the list

local contexts = {} -- options -> entry

local function make(options)
  local context, why = core.tls_context {
    ca = options.ca, cert = options.cert, key = options.key, verify = options.verify,
  }
  if not context then return nil, why end
  return { context = context, since = core.now(), sessions = {}, n = 0 }
end

--- The context for `{ ca, cert, key, verify }` as `{ context, sessions }`; or nil
-- and a sentence.
function M.client(options)
  local id = table.concat({ options.ca or "", options.cert or "", options.key or "",
    tostring(options.verify) }, "\0")
  local entry = contexts[id]
  if entry and core.now() - entry.since < LIFE then return entry end
  for other, one in pairs(contexts) do -- old contexts go, with their keys
    if core.now() - one.since >= LIFE then contexts[other] = nil end
  end
  local why
  entry, why = make(options)
  contexts[id] = entry
  return entry, why
end

--- Keeps the session of `machine`, to be resumed.
function M.keep(entry, name, machine)
  local session = machine:tls_session()
  if not session then return end
  if not entry.sessions[name] then
    if entry.n >= SESSIONS then entry.sessions, entry.n = {}, 0 end
    entry.n = entry.n + 1
  end
  entry.sessions[name] = session
end

--- Does the handshake of an object with `handshake` and `choose`. `wait(events)` waits, and gives
-- nil, a reason and a word to stop it; `choose(name)` is for a server. Gives true; or nil, a
-- sentence, a word and a cause, see csrc/lua/tls.h.
function M.handshake(machine, wait, choose)
  while true do
    local state, a, b, cause = machine:handshake()
    if state == true then return true end
    if state == nil then return nil, a, b, cause end
    if state == "name" then
      machine:choose(choose(a))
    else
      local ok, why, word = wait(a)
      if not ok then return nil, why, word end
    end
  end
end

--- A `wait` for `handshake` with a time-out in seconds: "timeout".
function M.waiter(pollable, seconds)
  local limit = core.now() + seconds
  return function(events)
    local left = limit - core.now()
    if left > 0 and loop.wait(pollable, events, left) then return true end
    return nil, "the TLS handshake took too long", "timeout"
  end
end

return M
