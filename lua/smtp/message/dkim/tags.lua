-- SPDX-License-Identifier: MIT
--- Tag lists of DKIM (RFC 6376 section 3.2): signatures and key records. Each reader gives a
-- table, or nil and a sentence. No input makes it raise, and its time is linear.
local core = require "smtp.core"

local M = {}

-- The text without white space around it.
local function trim(text)
  local from = text:find("[^ \t\r\n]")
  return from and text:match("^(.*[^ \t\r\n])", from) or ""
end

local function unspaced(text)
  return (text:gsub("[ \t\r\n]+", ""))
end

--- The tags by name. With `from`, the start of the list in `text`, also the places of the first
-- and the last byte of the value of b=, so that a caller can remove it.
function M.parse(text, from)
  local tags, first, at = {}, nil, from or 1
  local hole
  while at <= #text do
    local stop = text:find(";", at, true) or #text + 1
    local spec = text:sub(at, stop - 1)
    local name, behind = spec:match("^[ \t\r\n]*(%a[%w_]*)[ \t\r\n]*=()")
    if name then
      local value = trim(spec:sub(behind))
      if tags[name] then return nil, "a tag is there twice" end
      if value:find("[^\t\r\n -~\x80-\xff]") then return nil, "a tag holds a control" end
      tags[name] = value
      first = first or name
      if name == "b" then hole = { at + behind - 1, stop - 1 } end
    elseif stop <= #text or trim(spec) ~= "" then
      return nil, "not a list of tags"
    end
    at = stop + 1
  end
  if not first then return nil, "no tags" end
  return tags, first, hole
end

-- The words of a list; ":" and white space separate them.
local function words_of(text)
  local words = {}
  for word in (text .. ":"):gmatch("([^:]*):") do words[#words + 1] = trim(word) end
  return words
end

local function contains(words, ...)
  for _, word in ipairs(words) do
    for _, wanted in ipairs { ... } do
      if word == wanted then return true end
    end
  end
  return false
end

local function unbase64(text)
  text = unspaced(text)
  return text ~= "" and core.unbase64(text) or nil
end

-- Digits, 12 of them for times (section 3.5).
local function number(text, most)
  return #text <= most and text:find("^%d+$") and math.tointeger(tonumber(text)) or nil
end

-- ---- signatures ----

local REQUIRED = { "v", "a", "b", "bh", "d", "h", "s" }
local CANONS = { simple = true, relaxed = true }

-- The results of RFC 8601 section 2.7.1: an unreadable signature is "neutral", a forbidden one
-- "permerror".
local function refuse(why, result)
  return nil, why, result or "neutral"
end

-- The domain of i=, which must be d= or below it.
local function identity_of(tags, domain)
  if not tags.i then return "@" .. domain, domain end
  local host = core.idna(tags.i:match("@([^@]*)$") or "")
  if not host then return nil end
  if host ~= domain and host:sub(-#domain - 1) ~= "." .. domain then return nil end
  return tags.i, host
end

local function read_times(tags, sig, now)
  for _, name in ipairs { "t", "x" } do
    if tags[name] then
      sig[name] = number(tags[name], 12)
      if not sig[name] then return refuse(name .. "= is no time") end
    end
  end
  if sig.x and sig.t and sig.x <= sig.t then return refuse("x= is not after t=") end
  if sig.x and now > sig.x then return refuse("the signature has expired", "fail") end
  if sig.t and sig.t > now + M.SKEW then return refuse("t= is in the future") end
  return true
end

local function read_form(tags, sig)
  local text = tags.c or "simple/simple"
  local header, body = text:sub(1, 20):match("^(%a+)/?(%a*)$") -- more would take long
  if body == "" then body = "simple" end
  if #text > 20 or not (header and CANONS[header] and CANONS[body]) then
    return refuse("c= is not known")
  end
  sig.header, sig.body = header, body
  if tags.l then
    sig.length_limited = true
    sig.limit = number(tags.l, 76)
    if not sig.limit then return refuse("l= is no size") end
  end
  if tags.q and not contains(words_of(tags.q), "dns/txt") then
    return refuse("q= is not known")
  end
  return true
end

local function read_algorithm(tags, sig)
  sig.algorithm = tags.a
  if tags.a == "rsa-sha1" then return refuse("SHA-1 is refused", "permerror") end
  sig.key_type = tags.a:match("^(%w+)%-sha256$")
  if sig.key_type ~= "rsa" and sig.key_type ~= "ed25519" then
    sig.algorithm = nil
    return refuse("a= is not known")
  end
  sig.signature, sig.expected = unbase64(tags.b), unbase64(tags.bh)
  if not sig.signature then return refuse("b= is not base64") end
  if not sig.expected or #sig.expected ~= 32 then return refuse("bh= is no hash") end
  return true
end

--- Seconds that the clock of a signer may be ahead.
M.SKEW = 600

--- Reads a signature (section 6.1.1) from its field into `sig`: its tags, and `own`, the field
-- with b= empty. Gives true; or nil, a sentence and the result.
function M.signature(sig, text, now)
  local _, colon = text:find(":", 1, true)
  local tags, why, hole = M.parse(text, colon + 1)
  if not tags then return refuse("the signature is " .. why) end
  for _, name in ipairs(REQUIRED) do
    if not tags[name] then return refuse(name .. "= is missing") end
  end
  if tags.v ~= "1" then return refuse("v= is not 1") end
  local domain = core.idna(tags.d)
  if not domain then return refuse("d= is no domain") end
  sig.domain = domain
  sig.selector = core.idna(tags.s)
  if not sig.selector then return refuse("s= is no selector") end
  if not tags.s:find("[\x80-\xff]") then sig.selector = tags.s end -- in its own case
  sig.identity, sig.identity_domain = identity_of(tags, domain)
  if not sig.identity then return refuse("i= is not of d=") end
  sig.headers = words_of(tags.h)
  local from = false
  for _, name in ipairs(sig.headers) do
    if name == "" or name:find("[^!-9<-~]") then return refuse("h= holds no name") end
    from = from or name:lower() == "from"
  end
  if not from then return refuse("From is not signed", "permerror") end
  sig.own = text:sub(1, hole[1] - 1) .. text:sub(hole[2] + 1)
  for _, step in ipairs { read_algorithm, read_form, read_times } do
    local ok, reason, result = step(tags, sig, now)
    if not ok then return nil, reason, result end
  end
  return true
end

-- ---- key records ----

--- Reads a key record (section 3.6.1) for a signature: { key, testing }, or nil and a
-- sentence; nil alone if it is no key record at all.
function M.key(text, sig)
  if #text > 65535 then return nil end
  local tags, first = M.parse(text)
  if not tags or not (tags.v or tags.p) then return nil end
  if tags.v and (tags.v ~= "DKIM1" or first ~= "v") then return nil end
  if not tags.p then return nil, "the key record has no p=" end
  if tags.p == "" then return nil, "the key was revoked" end
  if (tags.k or "rsa") ~= sig.key_type then return nil, "the key is of another type" end
  if tags.h and not contains(words_of(tags.h), "sha256") then
    return nil, "the key is not for SHA-256"
  end
  if tags.s and not contains(words_of(tags.s), "*", "email") then
    return nil, "the key is not for mail"
  end
  local flags = words_of(tags.t or "")
  if contains(flags, "s") and sig.identity_domain ~= sig.domain then
    return nil, "the key is not for domains below"
  end
  local key = unbase64(tags.p)
  if not key then return nil, "the key is not base64" end
  return { key = key, testing = contains(flags, "y") }
end

return M
