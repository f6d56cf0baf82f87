-- SPDX-License-Identifier: MIT
--- Makes the verdict of the core (csrc/core/server.h) from the results of a handler: name, code and
-- text. One place for all stages; types/smtp/server.d.lua has the table.
local errors = require "smtp.error"
local options = require "smtp.base.options"
local refusals = require "smtp.base.refusals"
local recipient_replies = require "smtp.server.recipient_replies"

local M = {}

--- Reports a handler's own failure, which the client does not see. If the client failed to
-- send the whole content, there is only a fact.
function M.fail(self, stage, cause)
  if errors.is(cause) and cause.stage == "body" then
    self:fact("error", { stage = stage, error = cause })
  else
    self:fail(stage, cause)
  end
  return "fail"
end

local fail = M.fail

-- Whether a reply may have a code: RFC 5321 section 4.2 has x0z to x5z.
local function may_send(code, stage)
  local class = code // 100
  if class == 3 then return stage == "data" and code == 354 end
  return (class == 2 or class == 4 or class == 5) and code // 10 % 10 <= 5
end

-- ---- replies of a next hop -------------------------------------------------

-- The stages of refusals about the mail. Refusals at other stages (greeting, EHLO, AUTH)
-- are about us, and a 421 is about the session: the client gets 451 for them.
local OF_MAIL = { mail = true, rcpt = true, data = true, body = true, final = true, save = true }

-- Texts in place of those that cannot be sent.
local SAID = { [2] = "Accepted by the next server", [4] = "Deferred by the next server",
  [5] = "Refused by the next server" }

-- The text of a reply after its enhanced code; a text that cannot be sent is replaced.
local function text_of(self, code, reply)
  local class, enhanced = code // 100, reply.enhanced
  local text = type(reply.text) == "string" and reply.text or ""
  if type(enhanced) ~= "string" or not enhanced:find("^" .. class .. "%.%d+%.%d+$") then
    enhanced = not refusals.has_enhanced(code, text) and class ~= 2 and class .. ".0.0" or nil
  end
  if class ~= 2 and text == "" then text = SAID[class] end
  local said = enhanced and enhanced .. " " .. text or text
  if utf8.len(said) and self:sayable(code, said) then return said end
  return (enhanced or text:match("^[245]%.%d+%.%d+") or class .. ".0.0") .. " " .. SAID[class]
end

-- The code and the text to pass on from a reply, a receipt, an error or a rejection; nil if they
-- are not passed on.
local function passed(self, reply)
  local code = options.integer(reply.code)
  if not code or code == 421 or not may_send(code) then return nil end
  local stage = reply.stage
  if (stage or errors.is(reply)) and not OF_MAIL[stage] then return nil end
  if reply.kind == "protocol" then return nil end -- a reply of two codes, for one
  return code, text_of(self, code, reply)
end

-- ---- a message that was passed on ------------------------------------------

-- The rejections of a result. Replies without addresses (client:data by LMTP) belong to the
-- recipients in order.
local function rejected_of(message, result)
  local list = result.rejected or {}
  if result.rejected or not result.replies then return list end
  local named = #result.replies == #message.recipients
  for i, reply in ipairs(result.replies) do
    if reply.code >= 400 then
      list[#list + 1] = { address = named and message.recipients[i].address or "",
        code = reply.code, enhanced = reply.enhanced, text = reply.text,
        temporary = reply.code < 500 }
    end
  end
  return list
end

-- The recipients without the message, from an error with outcome "partial": the rejected ones, and
-- all that it does not name.
local function failures_of(message, result)
  local list = rejected_of(message, result)
  local known, all = {}, table.move(list, 1, #list, 1, {})
  for _, one in ipairs(list) do known[one.address] = true end
  for _, mailbox in ipairs(result.accepted or {}) do known[mailbox] = true end
  for _, recipient in ipairs(message.recipients) do
    if not known[recipient.address] then
      all[#all + 1] = { address = recipient.address, text = tostring(result), temporary = true }
    end
  end
  return all
end

-- Answers for each recipient; gives the failures of addresses that are no recipients here.
local function tell_each(self, message, failures, result)
  local others = {}
  for _, one in ipairs(result.replies or {}) do
    local code, text = passed(self, one)
    if code then recipient_replies.answer(message, one.address, code, text) end
  end
  for _, one in ipairs(failures) do
    local code, text = passed(self, one)
    text = code and text or "4.3.0 " .. SAID[4]
    if not recipient_replies.answer(message, one.address, code or 451, text) then
      others[#others + 1] = one
    end
  end
  return others
end

-- Some recipients have the message: whether `on_undelivered` takes care of the others.
local function undelivered(self, message, failures)
  local handler, why = self.server.handlers.on_undelivered, "there is no on_undelivered"
  if handler then
    local ok, done, cause = self:call(handler, message, failures)
    if ok and done == true then return true end
    if not ok then cause = done end
    why = "on_undelivered did not take them"
      .. (cause ~= nil and ": " .. tostring(cause) or "")
  end
  local first, said = failures[1], {}
  for _, key in ipairs { "code", "enhanced", "text" } do said[#said + 1] = first[key] end
  return false, ("the next server did not take all of %d recipients, and %s: <%s> %s"):format(
    #message.recipients, why, first.address, table.concat(said, " "))
end

-- The verdict if some recipients have the message: one for all in SMTP, one for each in LMTP and
-- with PRDR.
local function shared(self, message, result, failures)
  if self.lmtp or message.sender.prdr and #message.recipients > 1 then
    failures = tell_each(self, message, failures, result)
  end
  if failures[1] then
    local done, why = undelivered(self, message, failures)
    if not done then return fail(self, "message", why) end
  end
  local code, text = passed(self, result)
  return "accept", nil, code and code < 300 and text or nil
end

-- The verdict if none of several recipients has the message: a temporary refusal comes first.
local function worst_for_retry(self, rejected, err)
  local first = err
  for _, one in ipairs(rejected) do
    local code = passed(self, one)
    if not code then return nil end
    if code < 500 and first == err then first = one end
  end
  return first
end

-- The verdict on a message by a receipt or an error.
local function of_message(self, message, result)
  local failures, is_error = rejected_of(message, result), errors.is(result)
  local code = options.integer(result.code)
  if result.accepted and result.accepted[1] or not is_error and code and code < 300 then
    return shared(self, message, result, is_error and failures_of(message, result) or failures)
  end
  if self.lmtp or message.sender.prdr then tell_each(self, message, failures, result) end
  local said = worst_for_retry(self, failures, result)
  local passed_on, text = passed(self, said or {})
  if passed_on then return "reply", passed_on, text end
  return fail(self, "message", result)
end

-- ---- all verdicts ----------------------------------------------------------

-- The verdict of an error, a receipt, a reply or another object of the library.
local function of_object(self, stage, value, message)
  if stage == "message" and (value.rejected or value.accepted or value.replies) then
    return of_message(self, message, value)
  end
  local code, text = passed(self, value)
  if not code then
    return fail(self, stage, errors.is(value) and value or value.code
      and ("a handler returned a reply of %s, which is not passed on"):format(value.code)
      or "a handler returned a table")
  end
  if code < 300 then return "accept", nil, text ~= "" and text or nil end
  return "reply", code, text
end

--- The verdict of the results of a handler: name, code, text, and whether it was a bare nil.
-- `message` is the message of on_message.
function M.of(self, stage, message, value, text, more)
  if type(more) == "string" then
    text = type(text) == "string" and text .. " " .. more or more
  end
  local reason = type(text) == "string" and text or nil
  if value == true then return "accept", nil, reason end
  if type(value) == "string" then
    if not value:find("^[45]%d%d[ -]") then return "accept", nil, value end
    return fail(self, stage, "a handler returned a reply as text; return its code as a number")
  end
  if value == false then return "refuse", nil, reason end
  if value == nil then
    if errors.is(text) then return of_object(self, stage, text, message) end
    if text ~= nil then return fail(self, stage, text) end
    return "refuse", nil, nil, true -- a bare nil, as a failed `save` may give
  end
  if errors.is(value) or type(value) == "table" and not getmetatable(value) then
    return of_object(self, stage, value, message)
  end
  local code = options.integer(value)
  if not code then return fail(self, stage, "a handler returned a " .. type(value)) end
  if not may_send(code, stage) then
    return fail(self, stage, ("a handler returned the code %d"):format(code))
  end
  return "reply", code, refusals.complete(code, reason)
end

return M
