-- SPDX-License-Identifier: MIT
--- `smtp.bounce`: a delivery status notification (RFC 3461, RFC 3464), from the null path, to the
-- sender of an undeliverable message. There is none for a message from the null path (RFC 5321
-- section 6.1).
local address = require "smtp.base.address"
local compose = require "smtp.message.compose"
local core = require "smtp.core"
local date = require "smtp.base.date"
local errors = require "smtp.error"
local line_ends = require "smtp.message.line_ends"
local names = require "smtp.base.names"
local options = require "smtp.base.options"
local part = require "smtp.message.part"
local raise = require "smtp.message.record_error"
local reader = require "smtp.base.reader"

local M = {}

local FAILURE = {
  address = "string", status = "string", enhanced = "string", code = "count", text = "string",
  action = { "failed", "delayed", "delivered", "relayed", "expanded" }, remote_mta = "string",
  orcpt = "string", temporary = "boolean", lines = "table", diagnostic = "string",
  will_retry_until = "number", stage = "string",
}

local OPTIONS = {
  hostname = "string", from = "string", ret = { "FULL", "HDRS" }, envid = "string", date = "number",
  seed = "string number", subject = "string", text = "string", max = "size",
}

local TEXT_MAX = 800 -- bytes of a server's text

local HEADER_MAX = 256 * 1024
local FULL_MAX = 1024 * 1024 -- bytes of a message that goes back whole

-- ---- fields ----------------------------------------------------------------

-- The classes that fit an action; the first is the default (RFC 3464 section 2.3.3, RFC 3463
-- section 2).
local CLASSES = { failed = "54", delayed = "4", delivered = "2", relayed = "2", expanded = "2" }

-- A failure with code, enhanced code and text each in its field, as a reply has them. The
-- enhanced code may be at the head of the text, as in a verdict (RFC 3463), after the code.
local function in_fields(given)
  local one = {}
  for key, value in pairs(given) do one[key] = value end
  local text = given.text
  if not text then return one end
  local code, rest = text:match("^([245]%d%d)[ -] *(.*)$")
  code = math.tointeger(tonumber(code))
  if code and code == (one.code or rest:find("^[245]%.%d+%.%d+%f[%s\0]") and code) then
    one.code, text = code, rest
  end
  local status, behind = text:match("^([245]%.%d%d?%d?%.%d%d?%d?)%f[%s\0]%s*(.*)$")
  if status and (not one.enhanced or one.enhanced == status) then
    one.enhanced, text = status, behind
  end
  one.text = text
  return one
end

-- The status x.y.z of a failure, in a class that its action allows.
local function status_of(failure, action)
  local classes = CLASSES[action]
  local status = failure.status or failure.enhanced or ""
  if status:find("^[" .. classes .. "]%.%d%d?%d?%.%d%d?%d?$") then return status end
  if failure.status then
    raise.fail("failures", ("%q is no status of what is %s"):format(status, action))
  end
  local class = failure.code and tostring(failure.code // 100) or ""
  return (classes:find(class, 1, true) and class ~= "" and class or classes:sub(1, 1)) .. ".0.0"
end

-- A foreign text on one short line. It is ASCII, unless the report is in UTF-8 (RFC
-- 6533).
local function one_line(text, in_utf8)
  text = text:sub(1, TEXT_MAX):gsub("[%s%c]+", " ")
  if in_utf8 and utf8.len(text) then return text end
  return (text:gsub("[\x80-\xff]+", "?"))
end

local function field(name, value, in_utf8)
  if not in_utf8 or not value:find("[\x80-\xff]") then
    return part.field("failures", name, { "text", value })
  end
  if value:find("%c") or not utf8.len(value) or #value > TEXT_MAX + 100 then
    raise.fail("failures", ("have no text for %s"):format(name))
  end
  return name .. ": " .. value .. "\r\n"
end

-- "type; address"
local function typed(mailbox)
  return (mailbox:find("[\x80-\xff]") and "utf-8; " or "rfc822; ") .. mailbox
end

-- "type; address" of an ORCPT, which may have a type of its own. UTF-8 has a form in ASCII
-- for a report that is ASCII (RFC 6533 section 3).
local function with_type(orcpt, in_utf8)
  local kind, value = orcpt:match("^%s*([%w-]+)%s*;%s*(.*)$")
  if not kind then kind, value = typed(orcpt):match("^([%w-]+); (.*)$") end
  if not in_utf8 and value:find("[\x80-\xff]") then value = core.uxtext(value) or value end
  return kind .. "; " .. value
end

-- The next hop's answer in one line: enhanced code and text.
local function said_of(failure, in_utf8)
  local text = one_line(failure.text or "", in_utf8)
  return failure.enhanced and failure.enhanced .. " " .. text or text
end

local function recipient_block(failure, in_utf8)
  local action = failure.action or "failed"
  local out = {}
  local function add(name, value)
    out[#out + 1] = field(name, value, in_utf8)
  end
  if failure.orcpt then add("Original-Recipient", with_type(failure.orcpt, in_utf8)) end
  add("Final-Recipient", typed(address.mailbox(failure.address)))
  add("Action", action)
  add("Status", status_of(failure, action))
  if failure.remote_mta then add("Remote-MTA", "dns; " .. failure.remote_mta) end
  local said = failure.diagnostic
  if not said and failure.code then
    said = ("smtp; %d %s"):format(failure.code, said_of(failure, in_utf8))
  elseif not said and failure.text then
    said = "x-local; " .. said_of(failure, in_utf8)
  end
  if said then add("Diagnostic-Code", said) end
  if failure.will_retry_until then
    local time = date.whole(failure.will_retry_until)
      or raise.fail("failures", "have a will_retry_until that is no time")
    add("Will-Retry-Until", date.format(time))
  end
  return table.concat(out)
end

-- ---- parts -----------------------------------------------------------------

-- The words for an action: in the subject, and in the text for people.
local WORDS = {
  failed = { "Undelivered mail returned to sender", "could not be delivered to" },
  delayed = { "Delivery of your mail is delayed", "could not be delivered yet, to" },
  delivered = { "Your mail was delivered", "was delivered to" },
  relayed = { "Your mail was passed on", "was passed on, to where nobody reports, for" },
  expanded = { "Your mail was delivered", "was delivered to a list, and by it to others" },
}

-- The words for the worst action: a failure, or else the first action.
local function words_of(failures)
  for _, one in ipairs(failures) do
    if (one.action or "failed") == "failed" then return WORDS.failed end
  end
  return WORDS[failures[1].action]
end

local function human(failures, hostname)
  local lines = { ("This is the mail system at %s."):format(hostname), "",
    ("Your message %s:"):format(words_of(failures)[2]), "" }
  for _, one in ipairs(failures) do
    lines[#lines + 1] = ("    <%s>"):format(address.mailbox(one.address))
    if one.code or one.text then
      lines[#lines + 1] = "        " .. (one.code and one.code .. " " or "") .. said_of(one, true)
    end
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = "The message, or its header, is attached."
  return table.concat(lines, "\n") .. "\n"
end

-- The returned bytes of the original, and whether they are all of its bytes. If the content
-- of a server's message was read already, only the header is returned.
local function content_of(message, full, max)
  if message.streamed and not (full and not message.touched) then return message:header(), false end
  local parts, n, limit = {}, 0, full and max or HEADER_MAX
  local tail = "" -- where the end of the header may be cut
  local from, err = reader.of(not message.streamed and message.raw or message)
  if not from then
    local cause = err and err.cause
    raise.fail("message", cause and tostring(cause) or "has neither raw nor chunks", cause)
  end
  for chunk in from.read do
    parts[#parts + 1] = chunk
    n = n + #chunk
    tail = tail:sub(-3) .. chunk
    if n > limit or not full and tail:find("\n\r?\n") then break end
  end
  return table.concat(parts), n <= limit
end

-- Whether a text may go back as it is (RFC 2046 section 5.2.1).
local function is_plain(text)
  return not text:find("\0", 1, true) and not line_ends.watcher()(text)
end

-- The fields at the front. A line that is no field ends them, since it may be in the body.
local function header_of(text)
  local from = text:match("^>?From [ \t]*[^: \t][^\n]*\n()") or 1 -- of a file of mailboxes
  local at = from
  for _, first, last in core.fields(text) do
    if first ~= at then break end
    at = last + 1
  end
  return text:sub(from, at - 1)
end

-- The part that goes back: the whole message, if that is wanted and may be sent.
local function returned(message, opts, in_utf8)
  local ret = opts.ret or type(message.sender) == "table" and message.sender.ret or "HDRS"
  local text, whole = content_of(message, ret == "FULL", options.size(opts.max or FULL_MAX))
  if ret == "FULL" and whole and (in_utf8 or is_plain(text)) then
    return part.new { type = in_utf8 and "message/global" or "message/rfc822", content = text }
  end
  return part.new { type = in_utf8 and "message/global-headers" or "text/rfc822-headers",
    content = header_of(text:sub(1, HEADER_MAX)) }
end

-- Whether the message, its sender or a recipient needs UTF-8 (RFC 6533 section 4).
local function needs_utf8(message, failures)
  if type(message.sender) == "table" and message.sender.smtputf8 then return true end
  if address.mailbox(message.envelope.from):find("[\x80-\xff]") then return true end
  for _, one in ipairs(failures) do
    if one.address:find("[\x80-\xff]") then return true end
  end
  return false
end

local function check(message, failures)
  local from = address.mailbox(message.envelope.from)
  local ok, why = names.wire(from or "\0", true)
  if not ok then raise.fail("envelope", "has a sender that is " .. why) end
  for _, one in ipairs(failures) do
    if not address.mailbox(one.address) then raise.fail("failures", "need an address each") end
    local code = one.code
    if code and (code < 200 or code > 599) then
      raise.fail("failures", ("have a code that is none, %d"):format(code))
    end
  end
  return from
end

local function compose_bounce(message, failures, opts)
  local from = check(message, failures)
  local hostname = opts.hostname or "localhost"
  local in_utf8 = needs_utf8(message, failures)
  local blocks = { field("Reporting-MTA", "dns; " .. hostname) }
  local envid = opts.envid or type(message.sender) == "table" and message.sender.envid
  if envid then table.insert(blocks, 1, field("Original-Envelope-Id", envid)) end
  for _, failure in ipairs(failures) do
    blocks[#blocks + 1] = "\r\n" .. recipient_block(failure, in_utf8)
  end
  return compose.message {
    from = opts.from or ("Mail Delivery System <mailer-daemon@%s>"):format(
      hostname:find("^%[") and "localhost" or hostname),
    to = from, subject = opts.subject or words_of(failures)[1],
    date = opts.date, seed = opts.seed,
    headers = { { "Auto-Submitted", "auto-replied" } },
    envelope = { from = "", to = { from } },
    part = part.new { type = "multipart/report", params = { { "report-type", "delivery-status" } },
      parts = {
        part.new { type = "text/plain", content = opts.text or human(failures, hostname) },
        part.new { content = table.concat(blocks),
          type = in_utf8 and "message/global-delivery-status" or "message/delivery-status" },
        returned(message, opts, in_utf8),
      } },
  }
end

-- The failures of the recipients that an error does not name: no mail has reached them.
local function unnamed(message, err)
  local known, list, to = {}, {}, message.envelope.to
  for _, one in ipairs(err.rejected or {}) do known[one.address] = true end
  for _, mailbox in ipairs(err.accepted or {}) do known[mailbox] = true end
  if type(to) ~= "table" or to.address then to = { to } end
  for _, one in ipairs(to) do
    local mailbox = address.mailbox(one)
    if not known[mailbox] then
      list[#list + 1] = { address = mailbox, code = err.code, enhanced = err.enhanced,
        text = err.text or tostring(err) }
    end
  end
  return list
end

-- The list of failures: a list unchanged, a list of one failure, or the failures in a
-- receipt or an error.
local function failures_of(message, given)
  if errors.is(given) then
    local all = unnamed(message, given)
    return table.move(given.rejected or {}, 1, #(given.rejected or {}), #all + 1, all)
  end
  return given.rejected or (given.address or next(given) and not given[1]) and { given } or given
end

--- See `smtp.bounce`: a message to send; or nil and an error, which for the null
-- path is `kind = "unsupported"`.
function M.bounce(message, failures, opts)
  opts = options.check("bounce", opts or {}, OPTIONS)
  if type(message) ~= "table" or type(message.envelope) ~= "table" then
    options.misuse("bounce: a message with an envelope is needed")
  end
  if type(failures) ~= "table" then
    options.misuse("bounce: failures must be a list, a failure, a receipt or an error, not a "
      .. type(failures))
  end
  failures = failures_of(message, failures)
  if #failures == 0 then options.misuse("bounce: there is no failure") end
  local checked = {}
  for i = 1, #failures do
    checked[i] = in_fields(options.check(("bounce: failures[%d]"):format(i), failures[i],
      FAILURE))
  end
  local from = message.envelope.from
  if from == nil or from == "<>" or address.mailbox(from) == "" then
    return nil, errors.new { kind = "unsupported", outcome = "not_sent",
      message = "a message from the null path is never bounced" }
  end
  return raise.guard("bounce", compose_bounce, message, checked, opts)
end

return M
