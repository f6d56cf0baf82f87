-- SPDX-License-Identifier: MIT
--- Header fields of the user, to be sent. Most are text, with encoded words if needed. A
-- field with a grammar goes out unchanged, since encoded words are allowed only in names
-- before addresses (RFC 2047 section 5).
local recipients = require "smtp.message.recipients"

local M = {}

-- Fields with a grammar by lower-case name, and prefixes of such names.
local STRUCTURED = {}
for name in ([[accept-language archived-at authentication-results auto-submitted autocrypt
  bimi-indicator bimi-location bimi-selector delivered-to disposition-notification-options
  disposition-notification-to dkim-signature domainkey-signature errors-to expires face
  feedback-id followup-to importance jabber-id keywords language mail-followup-to
  mail-reply-to message-context mt-priority newsgroups original-message-id
  original-recipient precedence priority received received-spf reply-by
  require-recipient-valid-since return-receipt-to sensitivity solicitation supersedes
  tls-report-domain tls-report-submitter tls-required vbr-info x-auto-response-suppress
  x-confirm-reading-to x-envelope-from x-envelope-to x-face x-forwarded-for x-forwarded-to
  x-original-from x-original-to x-priority]]):gmatch("%S+") do
  STRUCTURED[name] = true
end
local BEGINNINGS = { "^list%-", "^resent%-", "^arc%-", "^content%-" }

local function is_structured(name)
  name = name:lower()
  for _, beginning in ipairs(BEGINNINGS) do
    if name:find(beginning) then return true end
  end
  return STRUCTURED[name] == true
end

-- Phrases with commas between them (RFC 5322 section 3.6.5).
local function phrases(text)
  local pieces = {}
  for phrase in text:gmatch("[^,]+") do
    if #pieces > 0 then table.move({ "glue", "," }, 1, 2, #pieces + 1, pieces) end
    table.move({ "phrase", phrase }, 1, 2, #pieces + 1, pieces)
  end
  return pieces
end

-- The pieces of a non-ASCII value of a field with a grammar: a list of phrases, a name
-- before brackets, or addresses; nil if the value is none of these.
local function with_words(name, text)
  if name:lower() == "keywords" then return phrases(text) end
  local phrase, bracket = text:match("^%s*(.-)%s*(<[^<>\x80-\xff]+>)%s*$")
  phrase = phrase and (phrase:match('^"([^"\\]*)"$') or phrase:match('^[^<>"\\(),:;@%[%]]+$'))
  if phrase then return { "phrase", phrase, "token", bracket } end
  local list = recipients.list(text)
  return list and recipients.pieces(list)
end

--- The pieces of a field for `core.field`.
function M.pieces(name, text)
  if not is_structured(name) then return { "text", text } end
  if text:find("[\x80-\xff]") and utf8.len(text) and not text:find("%c") then
    local pieces = with_words(name, text)
    if pieces then return pieces end
  end
  -- Between URLs that are long there must be a place to fold (RFC 2369 section 2).
  if #text > 78 then text = text:gsub(">,<", ">, <") end
  return { "structured", text }
end

return M
