-- SPDX-License-Identifier: MIT
--- Signers of DKIM (RFC 6376 section 5).
local core = require "smtp.core"
local errors = require "smtp.error"
local message = require "smtp.message.dkim.message"
local options = require "smtp.base.options"
local reader = require "smtp.base.reader"

local M = {}

local Signer = { __name = "smtp.dkim" }
Signer.__index = Signer

local LINE = 78

local OPTIONS = {
  domain = "string",
  selector = "string",
  key = "string",
  headers = "table",
  canonicalization = { "relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple",
    "relaxed", "simple" },
  expire = "seconds",
  identity = "string",
  time = "number",
}

-- RFC 6376 section 5.4.1, with Message-ID and the fields about the body. A signature names
-- each once more than the message has it, so that nobody can add another one.
local SEALED = {
  "From", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
  "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
}

-- Fields that are signed if the message has them; a list on the way may add its own.
local PLAIN = {
  "Sender", "Resent-Date", "Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc",
  "Resent-Message-ID", "List-Id", "List-Help", "List-Unsubscribe", "List-Unsubscribe-Post",
  "List-Subscribe", "List-Post", "List-Owner", "List-Archive", "Autocrypt",
}

-- Fields that change on the way, and the signature itself.
local REFUSED = { ["dkim-signature"] = true, received = true, ["return-path"] = true, bcc = true }

local IS_SEALED = {}
for _, name in ipairs(SEALED) do IS_SEALED[name:lower()] = true end

local DEFAULT = table.move(PLAIN, 1, #PLAIN, #SEALED + 1, table.move(SEALED, 1, #SEALED, 1, {}))

local function invalid(name, why)
  return nil, errors.new {
    kind = "invalid",
    message = ("dkim: %s: %s"):format(name, why),
    temporary = false,
  }
end

-- ---- options ----

local function check_domain(given)
  local domain, why = core.idna(given)
  if not domain or domain:find("[^%w.-]") then
    return invalid("domain", "not a domain name" .. (why and ": " .. why or ""))
  end
  for label in domain:gmatch("[^.]+") do
    if label:find("^%-") or label:find("%-$") then
      return invalid("domain", "a label begins or ends with a hyphen")
    end
  end
  return domain
end

local function check_selector(selector, domain)
  local name, why = core.idna(selector)
  if not name or selector:sub(-1) == "." then
    return invalid("selector", "not a name" .. (why and ": " .. why or ""))
  end
  if core.eightbit(selector) then selector = name end -- RFC 8616 section 3
  if #selector + #domain > 241 then -- with "._domainkey."
    return invalid("selector", "too long for a name of the DNS")
  end
  return selector
end

-- Bytes as dkim-quoted-printable (RFC 6376 section 2.11).
local function quoted(text)
  return (text:gsub("[^!-:<>-~]", function(c) return ("=%02X"):format(c:byte()) end))
end

local function check_identity(given, domain)
  local user, host = given:match("^(.*)@([^@]*)$")
  if not user or given:find("%c") then return invalid("identity", "not user@domain or @domain") end
  if #user > 255 or not utf8.len(user) then return invalid("identity", "not a local part") end
  host = core.idna(host)
  if host ~= domain and (host or ""):sub(-#domain - 1) ~= "." .. domain then
    return invalid("identity", "neither of the domain nor of one below it")
  end
  if host:find("[^%w.-]") then return invalid("identity", "not a domain name") end
  return quoted(user) .. "@" .. host
end

local function check_headers(given)
  local list, seen = {}, {}
  for _, name in ipairs(given) do
    if type(name) ~= "string" or #name > 70 or not name:find("^[!-9<-~]+$") then
      return invalid("headers", "not the name of a field")
    end
    local lower = name:lower()
    if REFUSED[lower] then return invalid("headers", name .. " cannot be signed") end
    if not seen[lower] then list[#list + 1] = name end
    seen[lower] = true
  end
  if not seen.from then return invalid("headers", "From must be signed") end
  return list
end

local function load_key(given)
  local pem = given
  if not given:find("-----BEGIN", 1, true) then
    if given == "" or given:find("%z") then return invalid("key", "neither PEM nor a path") end
    local file <close>, why = io.open(given, "rb")
    pem = file and file:read("a")
    if not pem then return invalid("key", why or "cannot be read") end
  end
  local key, why = core.dkim_key(pem)
  if not key then return invalid("key", why) end
  return key
end

local function whole(name, value)
  local number = math.tointeger(value // 1)
  if not number or number < 0 or number > 999999999999 then
    return invalid(name, "not a time in seconds")
  end
  return number
end

-- A key with its options.
local function prepare(given)
  for _, name in ipairs { "domain", "selector", "key" } do
    if given[name] == nil then return invalid(name, "missing") end
  end
  local one, err = {}
  one.domain, err = check_domain(given.domain)
  if err then return nil, err end
  one.selector, err = check_selector(given.selector, one.domain)
  if err then return nil, err end
  if given.identity then
    one.identity, err = check_identity(given.identity, one.domain)
    if err then return nil, err end
  end
  one.headers, err = check_headers(given.headers or DEFAULT)
  if err then return nil, err end
  for _, name in ipairs { "time", "expire" } do
    if given[name] then
      one[name], err = whole(name, given[name])
      if err then return nil, err end
    end
  end
  one.key, err = load_key(given.key)
  if err then return nil, err end
  local canon = given.canonicalization or "relaxed/relaxed"
  one.header, one.body = canon:match("^(%a+)/?(%a*)$")
  if one.body == "" then one.body = "simple" end -- RFC 6376 section 3.5
  return one
end

--- Makes a signer of options, of a signer, or of a list of these, each of which then
-- signs.
function M.new(given)
  if getmetatable(given) == Signer then return given end
  if type(given) ~= "table" or #given == 0 then given = { given } end
  local keys = {}
  for _, each in ipairs(given) do
    if getmetatable(each) == Signer then
      table.move(each.keys, 1, #each.keys, #keys + 1, keys)
    else
      local one, err = prepare(options.check("dkim", each, OPTIONS))
      if not one then return nil, err end
      keys[#keys + 1] = one
    end
  end
  return setmetatable({ keys = keys }, Signer)
end

-- ---- the field ----

-- The names for h=: each as often as the message has it, and once more if it is sealed.
local function names_for(one, named)
  local names = {}
  for _, name in ipairs(one.headers) do
    local count = #(named[name:lower()] or {})
    if IS_SEALED[name:lower()] then count = count + 1 end
    for _ = 1, count do names[#names + 1] = name end
  end
  return names
end

-- A field that is folded as it grows: words go on the line if they fit.
local function new_folder(start)
  local lines, line = {}, start
  return {
    add = function(word, glue)
      if #line + #glue + #word > LINE then
        lines[#lines + 1] = line
        line = " " .. word
      else
        line = line .. glue .. word
      end
    end,
    text = function()
      return table.concat(lines, "\r\n") .. (#lines > 0 and "\r\n" or "") .. line
    end,
  }
end

-- Base64 behind "b=", in pieces that fit; the first stands on the line of "b=".
local function folded_signature(text)
  local pieces = { text:sub(1, LINE - 4) }
  for i = LINE - 3, #text, LINE - 2 do
    pieces[#pieces + 1] = text:sub(i, i + LINE - 3)
  end
  return table.concat(pieces, "\r\n ")
end

local function sign_one(one, named, now)
  local time = one.time or now
  local names = names_for(one, named)
  local tags = { "v=1;", ("a=%s;"):format(one.key:algorithm()),
    ("c=%s/%s;"):format(one.header, one.body), ("d=%s;"):format(one.domain),
    ("s=%s;"):format(one.selector), ("t=%d;"):format(time) }
  if one.expire then tags[#tags + 1] = ("x=%d;"):format(time + math.max(one.expire, 1)) end
  if one.identity then tags[#tags + 1] = ("i=%s;"):format(one.identity) end
  local field = new_folder("DKIM-Signature:")
  for _, tag in ipairs(tags) do field.add(tag, " ") end
  for i, name in ipairs(names) do
    field.add((i == 1 and "h=" or "") .. name .. (i < #names and ":" or ";"), i == 1 and " " or "")
  end
  field.add(("bh=%s;"):format(core.base64(one.hash)), " ")
  local text = field.text() .. "\r\n b="
  local input = message.input(one.header, named, names, text)
  return text .. folded_signature(core.base64(one.key:sign(input))) .. "\r\n"
end

-- ---- the message ----

local function broken(what)
  return nil, errors.new { kind = "source", message = what, temporary = false }
end

-- Content that can be read twice: a string, a file that seeks, a source with `again`. Other
-- content is copied to a temporary file during the first reading.
local function open(given, from)
  local err
  if not from then from, err = reader.of(given) end
  if not from then
    if err then return nil, err end
    options.misuse("sign: the message must be a string, a function, a file or have chunks()")
  end
  local here = io.type(given) == "file" and given:seek("cur")
  if from.text or here or from.again then
    return { read = from.read, content = given, here = here }
  end
  local file, why = io.tmpfile()
  if not file then return broken("no temporary file: " .. why) end
  return {
    content = file,
    here = 0,
    read = function()
      local chunk = from.read()
      if type(chunk) == "string" then
        local ok, failure = file:write(chunk)
        if not ok then error(failure, 0) end
      end
      return chunk
    end,
  }
end

--- Signs: gives the fields to send before the message, and the content to send after them.
-- `from`: the source of the message, if the caller has one already.
function Signer:sign(given, from)
  local opened, err = open(given, from)
  if not opened then return nil, err end
  local wanted = {}
  for i, one in ipairs(self.keys) do -- copies: several tasks may use a signer at once
    wanted[i] = setmetatable({}, { __index = one })
  end
  local named
  local ok, why = pcall(function()
    local fields, body = message.read(opened.read)
    if not fields then return end
    named = message.by_name(fields)
    message.hash(body, wanted)
  end)
  if not ok then return broken("reading the message failed: " .. tostring(why)) end
  if opened.here then opened.content:seek("set", opened.here) end
  if not named then
    return nil, errors.new { kind = "too_big", message = "dkim: the header is too long" }
  end
  local senders = #(named.from or {})
  if senders ~= 1 then
    return invalid("From", senders == 0 and "the message has none" or "the message has several")
  end
  local signed, now = {}, os.time()
  for i, one in ipairs(wanted) do signed[i] = sign_one(one, named, now) end
  return table.concat(signed), opened.content
end

return M
