-- SPDX-License-Identifier: MIT
--- `message:lint()`: the faults of a message that receivers may refuse it for.
local core = require "smtp.core"
local line_ends = require "smtp.message.line_ends"
local options = require "smtp.base.options"
local parse = require "smtp.message.parse"
local unique_fields = require "smtp.message.unique_fields"

local function count_fields(message, say)
  local seen = {}
  for _, field in ipairs(message.headers) do
    local name = field.name:lower()
    seen[name] = (seen[name] or 0) + 1
    if unique_fields.set[name] and seen[name] == 2 then
      say("duplicate", field.name .. " stands there more than once (RFC 5322 section 3.6)")
    end
  end
  if not seen.date then say("date", "there is no Date (RFC 5322 section 3.6)") end
  if not seen.from then say("from", "there is no From (RFC 5322 section 3.6)") end
  if not seen["message-id"] then say("message_id", "there is no Message-ID") end
  if seen.bcc then say("bcc", "Bcc shows who was sent a blind copy") end
  if seen["list-unsubscribe"] and not seen["list-unsubscribe-post"] then
    say("one_click", "List-Unsubscribe is without List-Unsubscribe-Post (RFC 8058)")
  end
end

local function look_at_lines(bytes, say)
  if bytes:find("[^\r]\n") or bytes:find("^\n") then
    say("bare_lf", "a line ends in a bare LF")
  end
  if bytes:find("\r[^\n]") or bytes:find("\r$") then say("bare_cr", "there is a bare CR") end
  if bytes:find("\0", 1, true) then say("nul", "there is a NUL") end
  if line_ends.watcher()(bytes) then
    say("long_line", "a line has more than 998 bytes (RFC 5322 section 2.1.1)")
  end
end

local EIGHTBIT = { ["8bit"] = true, binary = true }

local function look_at_part(part, say)
  if #part.parts > 0 then
    for _, inner in ipairs(part.parts) do look_at_part(inner, say) end
  elseif not EIGHTBIT[part.encoding] and core.eightbit(part.raw) then
    say("eightbit", "8-bit bytes in a part that does not declare them (RFC 2045 section 6)")
  end
end

-- The domain of From must be that of a signature, or above it (RFC 7489 section 3.1.1).
local function look_at_signatures(message, say)
  local from = message.from[1] and message.from[1].address:match("@([^@]+)$")
  local signatures = message.headers:all("DKIM-Signature")
  if #signatures == 0 or not from then return end
  for _, text in ipairs(signatures) do
    local domain = text:match("[;%s]d=%s*([^;%s]+)") or text:match("^d=%s*([^;%s]+)")
    if domain then
      local a, b = domain:lower(), from:lower()
      if a == b or b:sub(-#a - 1) == "." .. a or a:sub(-#b - 1) == "." .. b then return end
    end
  end
  say("alignment", "no DKIM signature is of the domain of From")
end

--- Gives an array of `{ rule, text }`, empty if there are no faults.
return function(given)
  local found, told = {}, {}
  local function say(rule, text)
    if told[rule .. text] then return end
    told[rule .. text] = true
    found[#found + 1] = { rule = rule, text = text }
  end
  if type(given) == "table" and not given.chunks and given.raw then given = given.raw end
  if type(given) == "table" and not given.chunks then
    options.misuse("lint: of a record make a message first, by smtp.message")
  end
  local kind = type(given)
  if kind == "nil" or kind == "number" or kind == "boolean" then
    options.misuse("lint: a message is needed, not " .. kind)
  end
  local message, err = parse.parse(given)
  if not message then return nil, err end
  count_fields(message, say)
  look_at_lines(message.raw, say)
  local header = message.raw:match("^(.-\n)\r?\n") or message.raw
  if core.eightbit(header) then
    say("header_8bit", "8-bit bytes in the header need SMTPUTF8 (RFC 6532)")
  end
  look_at_part(parse.root(message), say)
  look_at_signatures(message, say)
  return found
end
