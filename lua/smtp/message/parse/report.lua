-- SPDX-License-Identifier: MIT
--- Reports in messages: of delivery (RFC 3464, RFC 6533), of complaints (RFC 5965) and of
-- readers (RFC 8098).
local address = require "smtp.base.address"
local parts = require "smtp.message.parse.part"

local M = {}

local RETURNED = { ["message/rfc822"] = true, ["message/global"] = true,
  ["text/rfc822-headers"] = true, ["message/global-headers"] = true }

-- Reads the blocks of fields; empty or blank lines separate them. Each block is a headers object.
local function blocks(text)
  local list, at, from = {}, 2, 1
  text = "\n" .. text
  local function add(last)
    local headers = parts.headers(text, at, last)
    if #headers > 0 then list[#list + 1] = headers end
  end
  while true do
    local first, last = text:find("\n[ \t]*\r?\n", from)
    if not first then break end
    add(first)
    at, from = last + 1, last
  end
  add(#text)
  return list
end

-- The first block; these reports have no other.
local function block(text)
  return blocks(text)[1] or parts.headers("", 1, 0)
end

-- "rfc822; ada@code.energy" -> the value and its type.
local function typed(text)
  if not text then return nil end
  local kind, value = text:match("^%s*([%w-]+)%s*;%s*(.*)$")
  if not kind then return text end
  return value, kind:lower()
end

-- The \x{...} forms of RFC 6533 section 3, where an address is of type utf-8.
local function plain_address(text)
  local value, kind = typed(text)
  if not value then return nil end
  if kind == "utf-8" then
    value = value:gsub("\\x{(%x+)}", function(digits)
      local code = #digits <= 6 and tonumber(digits, 16)
      if code and code <= 0x10ffff and (code < 0xd800 or code > 0xdfff) then
        return utf8.char(code)
      end
    end)
  end
  return address.mailbox(value), kind
end

local function recipient(fields)
  local one = {}
  one.final_recipient, one.final_recipient_type = plain_address(fields:get("Final-Recipient"))
  one.original_recipient, one.original_recipient_type =
    plain_address(fields:get("Original-Recipient"))
  local action = fields:get("Action")
  one.action = action and (action:match("^[%w-]+") or action):lower()
  local status = fields:get("Status")
  one.status = status and (status:match("%f[%w.]%d%.%d+%.%d+") or status)
  one.diagnostic, one.diagnostic_type = typed(fields:get("Diagnostic-Code"))
  one.remote_mta = typed(fields:get("Remote-MTA"))
  one.last_attempt_date = fields:get("Last-Attempt-Date")
  one.will_retry_until = fields:get("Will-Retry-Until")
  one.final_log_id = fields:get("Final-Log-ID")
  one.headers = fields
  return one
end

local function has_any(fields, names)
  for _, name in ipairs(names) do
    if fields:get(name) then return true end
  end
  return false
end

-- Fields of a recipient, and of the message (RFC 3464 sections 2.3 and 2.2).
local NAMES = { "Final-Recipient", "Original-Recipient" }
local OF_RECIPIENT = { "Action", "Status", table.unpack(NAMES) }
local OF_MESSAGE = { "Reporting-MTA", "Received-From-MTA", "DSN-Gateway", "Arrival-Date",
  "Original-Envelope-Id" }

-- The fields that make a block one of a recipient. A block without a name counts only if no
-- block has a name.
local function fields_of_recipients(list)
  for _, fields in ipairs(list) do
    if has_any(fields, NAMES) then return NAMES end
  end
  return OF_RECIPIENT
end

local function delivery(part)
  local report = { type = "delivery", recipients = {} }
  local list = blocks(part.content)
  local of_recipient = fields_of_recipients(list)
  for i, fields in ipairs(list) do
    local is_recipient = has_any(fields, of_recipient)
    if is_recipient then table.insert(report.recipients, recipient(fields)) end
    -- Some senders leave the block of the message out, or put all into one.
    if not report.headers and (i == 1 and not is_recipient or has_any(fields, OF_MESSAGE)) then
      report.reporting_mta = typed(fields:get("Reporting-MTA"))
      report.received_from_mta = typed(fields:get("Received-From-MTA"))
      report.dsn_gateway = typed(fields:get("DSN-Gateway"))
      report.arrival_date = fields:get("Arrival-Date")
      report.original_envelope_id = fields:get("Original-Envelope-Id")
      report.headers = fields
    end
  end
  return report
end

local function addresses(list)
  for i, text in ipairs(list) do list[i] = address.mailbox(text) end
  return list
end

local function number(text)
  return text and math.tointeger(tonumber(text:match("^%d+$") or ""))
end

local function feedback(part)
  local fields = block(part.content)
  local kind = fields:get("Feedback-Type")
  local from = fields:get("Original-Mail-From")
  return {
    type = "feedback",
    feedback_type = kind and kind:lower(),
    user_agent = fields:get("User-Agent"),
    version = fields:get("Version"),
    source_ip = fields:get("Source-IP"),
    source_port = number(fields:get("Source-Port")),
    original_mail_from = from and address.mailbox(from),
    original_rcpt_to = addresses(fields:all("Original-Rcpt-To")),
    original_envelope_id = fields:get("Original-Envelope-Id"),
    arrival_date = fields:get("Arrival-Date") or fields:get("Received-Date"),
    reporting_mta = typed(fields:get("Reporting-MTA")),
    reported_domain = fields:all("Reported-Domain"),
    reported_uri = fields:all("Reported-URI"),
    authentication_results = fields:all("Authentication-Results"),
    auth_failure = fields:get("Auth-Failure"),
    incidents = number(fields:get("Incidents")),
    headers = fields,
  }
end

-- RFC 8098 section 3.2.6: "mode/mode; type/modifier,modifier"
local function disposition(part)
  local fields = block(part.content)
  local report = { type = "disposition", modifiers = {}, headers = fields }
  report.final_recipient, report.final_recipient_type =
    plain_address(fields:get("Final-Recipient"))
  report.original_recipient, report.original_recipient_type =
    plain_address(fields:get("Original-Recipient"))
  report.reporting_ua = fields:get("Reporting-UA")
  report.mdn_gateway = typed(fields:get("MDN-Gateway"))
  local id = fields:get("Original-Message-ID")
  report.original_message_id = id and (id:match("<([^<>]*)>") or id)
  local mode, what = (fields:get("Disposition") or ""):lower():match("^([^;]*);(.*)$")
  if mode then
    report.action_mode, report.sending_mode = mode:match("^%s*([%w-]+)%s*/%s*([%w-]+)")
    report.disposition = what:match("^%s*([%w-]+)")
    for word in (what:match("/(.*)$") or ""):gmatch("[%w-]+") do
      table.insert(report.modifiers, word)
    end
  end
  report.errors = fields:all("Error")
  return report
end

-- The first part with a type in `wanted`, outside of inner messages.
local function find(part, wanted)
  if wanted[part.type] then return part end
  for _, inner in ipairs(part.parts) do
    local found = find(inner, wanted)
    if found then return found end
  end
end

-- The reader of the report of each media type.
local REPORTS = {
  ["message/delivery-status"] = delivery, ["message/global-delivery-status"] = delivery,
  ["message/feedback-report"] = feedback,
  ["message/disposition-notification"] = disposition,
  ["message/global-disposition-notification"] = disposition,
}

--- The report in a message, whose part is `root`, or nil. `parse` reads the header of the
-- returned message.
function M.of(root, parse)
  local found = find(root, REPORTS)
  if not found then return nil end
  local report = REPORTS[found.type](found)
  local returned = find(root, RETURNED)
  if returned then report.returned = returned.message or parse(returned.content) end
  return report
end

return M
