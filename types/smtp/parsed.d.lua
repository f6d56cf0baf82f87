-- SPDX-License-Identifier: MIT
---@meta smtp.parsed
---
--- A message read by `smtp.parse`. Fields are made at their first use and then kept; the bytes
--- do not change.
---
--- A stranger wrote all of it. All text is well-formed UTF-8 without NUL, but a file name may
--- contain slashes, and the sender may be forged.

--- A message, and the root of the tree of its parts. `smtp.send` sends the original bytes to
--- `envelope`. `tostring(message)` is the original bytes. `smtp.message` composes a new message
--- of its fields. The fields may be used in a record, too: they have no controls that a record
--- refuses.
---@class smtp.parsed
---@field headers smtp.headers
---@field from smtp.parsed_address[] of all From fields, empty if there is none; the next five are alike
---@field sender smtp.parsed_address[]
---@field reply_to smtp.parsed_address[]
---@field to smtp.parsed_address[]
---@field cc smtp.parsed_address[]
---@field bcc smtp.parsed_address[]
---@field subject? string
---@field date? string the text of the field
---@field time? integer `date` in seconds since 1970, if it is a date (RFC 5322 sections 3.3, 4.3; other orders of its words and RFC 3339 are read, too)
---@field message_id? string without its brackets; without brackets in the field, all its words
---@field in_reply_to? string the first id of that field
---@field references string[] ids, the oldest first
---@field text? string the first text/plain part whose disposition is not `"attachment"`, in UTF-8 with `"\n"` as line end
---@field html? string the first text/html part whose disposition is not `"attachment"`, in UTF-8 with `"\n"` as line end
---@field attachments smtp.part[] every part without subparts that is neither `text` nor `html`, in order; messages in the message are included
---@field type string such as `"multipart/mixed"`; see `smtp.part`
---@field params table<string, string>
---@field parts smtp.part[]
---@field encoding string
---@field content string
---@field envelope { from: string, to: string[] } the envelope of the source, if it had one; else from Return-Path or From, and to To, Cc and Bcc, each address once
---@field report? smtp.report the contents of a report of delivery, of complaints or of a reader
---@field truncated? "parts"|"depth"|"boundary"|"fields"|"parameters" the limit that left something out: more than 1000 parts, parts nested more than 50 deep (encoded messages: 8), a boundary of more than 250 bytes, more than 10000 fields in a header, more than 128 parameters of a value (a long file name in pieces keeps its end)
---@field raw string the original bytes
---@field size integer of `raw`
local parsed = {}

--- `for chunk in message:chunks() do`: the original bytes in pieces.
---@param size? integer bytes of each piece but the last; default 65536
---@return fun(): string?
function parsed:chunks(size) end

--- An array of the fields in their order. A line that is not a field is ignored.
---@class smtp.headers
---@field [integer] { name: string, value: string, raw: string } `value` is unfolded and decoded (RFC 2047), without controls but TAB; `raw` is the text after the colon
local headers = {}

--- The first field of that name.
---@param name string in any case
---@return string? value decoded
---@return string? raw the original text
function headers:get(name) end

--- All fields of that name, in order.
---@param name string in any case
---@return string[] values decoded
function headers:all(name) end

--- A mailbox of an address list (RFC 5322 section 3.4).
---@class smtp.parsed_address
---@field name? string decoded: the display name, or in old mail the comment in place of it
---@field address string `""` if there was only a name
---@field group? string the name of the group around it

--- A part of a message (RFC 2045, RFC 2046). At most 1000 parts are separated, nested at most 50
--- deep; further parts stay in the `content` of the last.
---@class smtp.part
---@field type string in lower case; `"text/plain"` if it is missing or malformed
---@field params table<string, string> parameters of the type, names in lower case, values decoded (RFC 2231)
---@field headers smtp.headers
---@field parts smtp.part[] the parts of a multipart, else empty
---@field message? smtp.parsed the message in a message/rfc822
---@field disposition? string `"attachment"`, `"inline"` or another word (RFC 2183)
---@field name? string of the file, decoded; not safe as a path
---@field cid? string Content-ID without its brackets
---@field inline boolean shown in the text: its disposition is `"inline"`, or it has a `cid`
---@field encoding string Content-Transfer-Encoding in lower case
---@field raw string the body as received
---@field content string the body, decoded (base64, quoted-printable, uuencode)
---@field size integer of `content`
---@field text? string `content` of a text in UTF-8, whatever its charset, with `"\n"` as line end; the lines of format=flowed are joined (RFC 3676)

--- The contents of a report. A report of delivery (RFC 3464) has `recipients`, a report of a
--- complaint (RFC 5965) `feedback_type`, a report of a reader (RFC 8098) `disposition`. Fields
--- that are not in the report are nil.
---@class smtp.report
---@field type "delivery"|"feedback"|"disposition"
---@field returned? smtp.parsed the reported message, or its header
---@field headers? smtp.headers the fields about the message as a whole
---@field reporting_mta? string
---@field arrival_date? string
---@field original_envelope_id? string the ENVID of its MAIL command
---@field recipients? smtp.report_recipient[] delivery: one for each recipient
---@field received_from_mta? string delivery
---@field dsn_gateway? string delivery
---@field feedback_type? string feedback: `"abuse"`, `"fraud"`, `"not-spam"`, ...
---@field user_agent? string feedback
---@field version? string feedback
---@field source_ip? string feedback
---@field source_port? integer feedback
---@field original_mail_from? string feedback
---@field original_rcpt_to? string[] feedback
---@field reported_domain? string[] feedback
---@field reported_uri? string[] feedback
---@field authentication_results? string[] feedback
---@field auth_failure? string feedback (RFC 6591)
---@field incidents? integer feedback
---@field disposition? string disposition: `"displayed"`, `"deleted"`, `"dispatched"`, `"processed"`
---@field modifiers? string[] disposition: such as `"error"`
---@field action_mode? string disposition: `"manual-action"` or `"automatic-action"`
---@field sending_mode? string disposition: `"mdn-sent-manually"` or `"mdn-sent-automatically"`
---@field final_recipient? string disposition: the reader
---@field final_recipient_type? string disposition
---@field original_recipient? string disposition
---@field original_recipient_type? string disposition
---@field original_message_id? string disposition: of the reported message, without brackets
---@field reporting_ua? string disposition
---@field mdn_gateway? string disposition
---@field errors? string[] disposition

--- One recipient in a report of delivery. A type is the word before the `;`, such as `"rfc822"`,
--- `"utf-8"` or `"smtp"`.
---@class smtp.report_recipient
---@field final_recipient? string
---@field final_recipient_type? string
---@field original_recipient? string
---@field original_recipient_type? string
---@field action? "failed"|"delayed"|"delivered"|"relayed"|"expanded"
---@field status? string such as `"5.1.1"`
---@field diagnostic? string the reply of the refusing server
---@field diagnostic_type? string
---@field remote_mta? string
---@field last_attempt_date? string
---@field will_retry_until? string
---@field final_log_id? string
---@field headers smtp.headers all fields

return parsed
