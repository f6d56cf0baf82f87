-- SPDX-License-Identifier: MIT
--- `smtp.bounce`: tells the sender of a message that it could not be delivered, as
-- a delivery status notification (RFC 3461, RFC 3464), from the null path. None is
-- made for a message that came from there itself (RFC 5321 section 6.1).
-- Internal: users call it as `smtp.bounce`.
local compose = require "smtp.compose"
local date = require "smtp.date"
local errors = require "smtp.error"
local options = require "smtp.options"
local part = require "smtp.part"

local M = {}

local FAILURE = {
  address = "string", status = "string", enhanced = "string", code = "number", text = "string",
  action = { "failed", "delayed", "delivered", "relayed", "expanded" }, remote_mta = "string",
  orcpt = "string", temporary = "boolean", lines = "table", diagnostic = "string",
  will_retry_until = "number",
}

local OPTIONS = {
  hostname = "string", from = "string", ret = { "FULL", "HDRS" }, envid = "string", date = "number",
  seed = "string number", subject = "string", text = "string", max = "size",
}

local TEXT_MAX = 800 -- of what a server said

local HEADER_MAX = 256 * 1024
local FULL_MAX = 1024 * 1024 -- of the message that goes back

-- x.y.z of what is known of a failure; one that is made up agrees with the action.
local function status_of(failure, action)
  local status = failure.status or failure.enhanced
  if status and status:find("^[245]%.%d%d?%d?%.%d%d?%d?$") then return status end
  local class = failure.code and failure.code // 100
  if action == "delayed" then class = 4 elseif action ~= "failed" then class = 2 end
  return ("%d.0.0"):format((class == 2 or class == 4) and class or 5)
end

-- What somebody said, on one line and not too long.
local function one_line(text)
  text = text:sub(1, TEXT_MAX):gsub("[%s%c]+", " ")
  return utf8.len(text) and text or (text:gsub("[\x80-\xff]", "?"))
end

local function field(name, value)
  return part.field("failures", name, { "text", value })
end

local function recipient_block(failure)
  options.check("bounce: failures", failure, FAILURE)
  if not failure.address then part.fail("failures", "need an address each") end
  local action = failure.action or "failed"
  local out = {}
  if failure.orcpt then out[#out + 1] = field("Original-Recipient", failure.orcpt) end
  out[#out + 1] = field("Final-Recipient", "rfc822; " .. failure.address)
  out[#out + 1] = field("Action", action)
  out[#out + 1] = field("Status", status_of(failure, action))
  if failure.remote_mta then
    out[#out + 1] = field("Remote-MTA", "dns; " .. failure.remote_mta)
  end
  local said = failure.diagnostic
  if not said and failure.code then
    said = ("smtp; %d %s"):format(failure.code, one_line(failure.text or ""))
  end
  if said then out[#out + 1] = field("Diagnostic-Code", said) end
  if failure.will_retry_until then
    out[#out + 1] = field("Will-Retry-Until", date.format(failure.will_retry_until))
  end
  return table.concat(out)
end

local function human(failures, hostname)
  local lines = { ("This is the mail system at %s."):format(hostname), "",
    "Your message could not be delivered to:", "" }
  for _, one in ipairs(failures) do
    lines[#lines + 1] = ("    <%s>"):format(one.address)
    if one.code or one.text then
      lines[#lines + 1] = ("        %s %s"):format(one.code or "", one_line(one.text or ""))
    end
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = "The message, or its header, is attached."
  return table.concat(lines, "\n") .. "\n"
end

-- The original, as far as it goes back, and whether that is all of it.
local function content_of(message, full, max)
  local parts, n, limit = {}, 0, full and max or HEADER_MAX
  local tail = "" -- where the end of the header may be cut
  for chunk in message:chunks() do
    parts[#parts + 1] = chunk
    n = n + #chunk
    tail = tail:sub(-3) .. chunk
    if n > limit or not full and tail:find("\n\r?\n") then break end
  end
  return table.concat(parts), n <= limit
end

local function compose_bounce(message, failures, opts)
  local hostname = opts.hostname or "localhost"
  local sender = message.sender
  local ret = opts.ret or type(sender) == "table" and sender.ret or "HDRS"
  local text, whole = content_of(message, ret == "FULL", opts.max or FULL_MAX)
  local returned
  if ret == "FULL" and whole then
    returned = part.new { type = "message/rfc822", content = text }
  else
    local header = text:match("^(.-\r?\n)\r?\n") or text
    returned = part.new { type = "text/rfc822-headers", content = header }
  end
  local blocks = { field("Reporting-MTA", "dns; " .. hostname) }
  local envid = opts.envid or type(sender) == "table" and sender.envid
  if envid then table.insert(blocks, 1, field("Original-Envelope-Id", envid)) end
  for _, failure in ipairs(failures) do
    blocks[#blocks + 1] = "\r\n" .. recipient_block(failure)
  end
  return compose.message {
    from = opts.from or ("Mail Delivery System <mailer-daemon@%s>"):format(
      hostname:find("^%[") and "localhost" or hostname),
    to = message.envelope.from, subject = opts.subject or "Undelivered mail returned to sender",
    date = opts.date, seed = opts.seed,
    headers = { { "Auto-Submitted", "auto-replied" } },
    envelope = { from = "", to = { message.envelope.from } },
    part = part.new { type = "multipart/report", params = { { "report-type", "delivery-status" } },
      parts = {
        part.new { type = "text/plain", content = opts.text or human(failures, hostname) },
        part.new { type = "message/delivery-status", content = table.concat(blocks) },
        returned,
      } },
  }
end

--- See `smtp.bounce`: a message to send; or nil and an error, which for the null
-- path is `kind = "unsupported"`.
function M.bounce(message, failures, opts)
  opts = options.check("bounce", opts or {}, OPTIONS)
  if type(message) ~= "table" or not message.envelope then
    error("bounce: a message with an envelope is needed", 2)
  end
  if type(failures) ~= "table" then error("bounce: failures is a list", 2) end
  if failures.address then failures = { failures } end
  if #failures == 0 then error("bounce: there is no failure", 2) end
  local from = message.envelope.from
  if not from or from == "" then
    return nil, errors.new { kind = "unsupported", outcome = "not_sent",
      message = "a message from the null path is never bounced" }
  end
  local made, err = part.guard("bounce", compose_bounce, message, failures, opts)
  return made, err
end

return M
