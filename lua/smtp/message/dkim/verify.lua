-- SPDX-License-Identifier: MIT
--- Verification of DKIM (RFC 6376 section 6).
local core = require "smtp.core"
local errors = require "smtp.error"
local message = require "smtp.message.dkim.message"
local options = require "smtp.base.options"
local unique_fields = require "smtp.message.unique_fields"
local reader = require "smtp.base.reader"
local tags = require "smtp.message.dkim.tags"

local M = {}

local OPTIONS = { lookup = "function", time = "number" }

-- Signatures to verify at most: each costs look-ups and cryptography.
local MOST = 8

local function settle(sig, result, reason)
  sig.result, sig.reason = result, reason
end

-- The first record of a key.
local function choose(records, sig)
  for _, record in ipairs(records) do
    if type(record) == "string" then
      local key, reason = tags.key(record, sig)
      if key or reason then return key, reason end
    end
  end
  return nil, "there is no key record"
end

-- The key: a table, or nil, a sentence and the result. `found` remembers answers.
local function find_key(sig, lookup, found)
  local name = sig.selector .. "._domainkey." .. sig.domain
  if #name > 253 then return nil, "the name of the key is too long", "permerror" end
  local answer = found[name]
  if not answer then
    local ok, records, err = pcall(lookup, name)
    if not ok then records, err = nil, records or "it raised" end
    if type(records) == "string" then records = { records } end
    if records == nil and err == nil or records == false then records = {} end
    answer = type(records) == "table" and { records = records } or
      { err = tostring(err or "no answer") }
    found[name] = answer
  end
  if answer.err then return nil, "the look-up failed: " .. answer.err, "temperror" end
  local key, why = choose(answer.records, sig)
  return key, why, "permerror"
end

local function judge(sig, named, lookup, found)
  if sig.limit and sig.count < sig.limit then
    return settle(sig, "fail", "the body is shorter than l=")
  elseif sig.hash ~= sig.expected then
    return settle(sig, "fail", "the body was changed")
  end
  local key, why, result = find_key(sig, lookup, found)
  if not key then return settle(sig, result, why) end
  sig.testing = key.testing or nil
  local input = message.input(sig.header, named, sig.headers, sig.own)
  local ok, refused = core.dkim_verify(sig.algorithm, key.key, sig.signature, input)
  if refused then return settle(sig, "permerror", refused) end
  if ok then return settle(sig, "pass") end
  return settle(sig, "fail", "the header was changed, or another key has signed")
end

-- The public result of a signature.
local function report(sig)
  return {
    domain = sig.domain,
    selector = sig.selector,
    identity = sig.identity,
    algorithm = sig.algorithm,
    result = sig.result,
    reason = sig.reason,
    length_limited = sig.length_limited or false,
    testing = sig.testing or false,
    headers = sig.headers or {},
  }
end

-- The signatures of a header, from the top; those that can be judged are `open`.
local function collect(named, now)
  local all, open = {}, {}
  local senders = #(named.from or {})
  for i, field in ipairs(named["dkim-signature"] or {}) do
    if i > MOST then break end
    local sig = {}
    all[i] = sig
    local ok, why, result = tags.signature(sig, field.text, now)
    if not ok then
      settle(sig, result, why)
    elseif senders == 0 then
      settle(sig, "permerror", "the message has no From")
    elseif senders > 1 then
      settle(sig, "fail", "the message has more than one From")
    else
      open[#open + 1] = sig
    end
  end
  return all, open
end

-- Notes a CR without an LF. Readers of the message do not take it for a line end (RFC 5322
-- section 2.3), so they would see other lines than the signer.
local function watched(read)
  local state, last = {}, ""
  return function()
    local chunk = read()
    if type(chunk) ~= "string" then
      if last == "\r" then state.bare = true end
      return chunk
    elseif chunk ~= "" then
      if last == "\r" and chunk:byte() ~= 10 or chunk:find("\r[^\n]") then state.bare = true end
      last = chunk:sub(-1)
    end
    return chunk
  end, state
end

-- The reason why a reader may see another message than the signed one, and the result for
-- it. Of two equal fields readers show the first, and a signature covers the last (RFC 6376
-- sections 3.8 and 8.15).
local function malformed(fields, named, state)
  if state.bare then return "a CR is no line end", "permerror" end
  if fields.broken then return "a line of the header is no field", "permerror" end
  for name in pairs(unique_fields.set) do
    if #(named[name] or {}) > 1 then return "the message has more than one " .. name, "fail" end
  end
end

local function read(from, now)
  local input, state = watched(from.read)
  local fields, body = message.read(input)
  if not fields then
    local sig = {}
    settle(sig, "permerror", "the header is too long")
    return { sig }, {}, {}
  end
  local named = message.by_name(fields)
  local all, open = collect(named, now)
  if #open > 0 then message.hash(body, open) end
  local why, result = malformed(fields, named, state)
  if why then
    for _, sig in ipairs(open) do settle(sig, result, why) end
    open = {}
  end
  return all, open, named
end

--- Verifies each signature of a message: a list of results.
function M.verify(given, how)
  options.check("dkim_verify: options", how or {}, OPTIONS)
  if not (how and how.lookup) then
    options.misuse("dkim_verify: lookup must be a function, as in dkim_verify(message, "
      .. "{ lookup = function(name) return texts end }), which asks the DNS for TXT")
  end
  local from, err = reader.of(given)
  if err then return nil, err end
  if not from then
    options.misuse("dkim_verify: the message must be a string, a function, a file or have chunks()")
  end
  local here = io.type(given) == "file" and given:seek("cur")
  local ok, all, open, named = pcall(read, from, how.time or os.time())
  if not ok then
    return nil, errors.new {
      kind = "source",
      message = "reading the message failed: " .. tostring(all),
      temporary = false,
    }
  end
  if here then given:seek("set", here) end
  local found, results = {}, {}
  for _, sig in ipairs(open) do judge(sig, named, how.lookup, found) end
  for i, sig in ipairs(all) do results[i] = report(sig) end
  if #all == 0 then
    results[1] = report { result = "none", reason = "there is no signature" }
  end
  results.ignored = math.max(#(named["dkim-signature"] or {}) - MOST, 0)
  return results
end

return M
