-- SPDX-License-Identifier: MIT
--- Asks the DNS, at a name server of the caller's or at those of the system, and waits in the
-- loop. No records give an empty list; a failed look-up is an error.
local core = require "smtp.core"
local errors = require "smtp.error"
local loop = require "smtp.loop"
local options = require "smtp.base.options"
local url = require "smtp.base.url"

local M = {}

local PORT = 53
local TIMEOUT = 15 -- seconds for one question, second tries included
local ADDRESSES_MAX = 8 -- tried of each family

-- Address and port of "127.0.0.1", "127.0.0.1:5353", "::1" or "[::1]:53".
local function server(text)
  if core.is_address(text) then return text, PORT end
  local host, port = url.host(text)
  port = port or PORT
  if not host or not core.is_address(host) or port < 1 or port > 65535 then return nil end
  return host, port
end

--- Raises if the user's `nameserver` is not an address.
function M.check_server(what, text)
  if text == nil or type(text) == "string" and server(text) then return end
  options.misuse(what .. ': nameserver must be an address as "127.0.0.1:5353" or "[::1]:53"')
end

local function failed(name, type, message, temporary, kind)
  return nil, errors.new { kind = kind or "dns", stage = "resolve", temporary = temporary,
    message = ("%s of %s: %s"):format(type, name, message), outcome = "not_sent" }
end

-- The result of a job, or false after the time.
local function finish(job, limit)
  while job:result() == false do
    local ready = loop.wait(job, "r", math.max(limit - core.now(), 0))
    loop.forget(job)
    if not ready then return false end
  end
  return job:result()
end

--- The records of `name` as `core.dns` gives them, or nil and an error. `how`:
-- `nameserver`, already checked; `timeout`; `limit`, a time of `core.now`.
function M.query(name, type, how)
  if not core.is_name(name) then return failed(name, type, "not a name of the DNS", false) end
  local host, port
  if how.nameserver then host, port = server(how.nameserver) end
  local limit = math.min(core.now() + (how.timeout or TIMEOUT), how.limit or math.huge)
  -- A second try takes twice the time of the first.
  local seconds = math.max(1, math.min((limit - core.now()) // 3, 5)) // 1 | 0
  local job <close>, why = core.dns(name, type, seconds, host, port)
  if not job then return failed(name, type, why, true, "system") end
  local list, message, word = finish(job, limit)
  if list == false then
    return failed(name, type, "the name server did not answer in time", true)
  end
  if list then return list end
  return failed(name, type, message, word == "temporary", word == "unsupported" and word or nil)
end

local FAMILIES = { "AAAA", "A" }

-- Seconds that the addresses of one family wait for the other family. IPv4 waits a moment
-- for IPv6 (RFC 8305 section 3, Resolution Delay). IPv6 waits longer for IPv4, since the
-- first connection needs the whole list.
local DELAY = { AAAA = 0.05, A = 1 }

local function cancel_all(tasks)
  for _, task in ipairs(tasks) do loop.cancel(task) end
end

-- Asks for both families at once: the results of `query`, { found, err } for each. A late
-- family is missing.
local function ask_both(host, how)
  local answers, gates, failure, first = {}, {}, nil, loop.gate()
  local tasks <close> = setmetatable({}, { __close = cancel_all })
  for i, type in ipairs(FAMILIES) do
    gates[type] = loop.gate()
    tasks[i] = loop.spawn(function()
      local ok, found, err = pcall(M.query, host, type, how)
      if ok then answers[type] = { found, err } else failure = { found } end
      loop.wake(gates[type])
      loop.wake(first)
    end)
  end
  loop.pass(first)
  local other = answers.A and "AAAA" or "A"
  if not answers[other] and not failure then
    local list = (answers.A or answers.AAAA)[1]
    loop.pass(gates[other], list and #list > 0 and DELAY[other] or nil)
  end
  if failure then error(failure[1], 0) end
  return answers
end

--- The addresses of `host` as `core.resolve` gives them, IPv6 first; or nil and an error.
-- `secure` and `name` in them are as of `query`; `secure` is true if all of it is.
function M.addresses(host, port, how)
  if core.is_address(host) then
    local job <close> = assert(core.resolve(host, port))
    return job:result()
  end
  local list, empty, why = { secure = true }, true, nil
  local answers = ask_both(host, how)
  for _, type in ipairs(FAMILIES) do
    local found, err = table.unpack(answers[type] or {}, 1, 2)
    why = why or err
    for i, record in ipairs(found or {}) do
      if i > ADDRESSES_MAX then break end
      empty = false
      list[#list + 1] = record.address and { host = record.address, port = port,
        family = type == "A" and "inet" or "inet6" }
    end
    if found then
      list.name = list.name or found.name
      list.secure = list.secure and found.secure
    end
  end
  if #list > 0 then return list end
  if why then return nil, why end
  return failed(host, "A and AAAA", empty and "it has no address" or "malformed", false)
end

return M
