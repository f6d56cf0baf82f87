-- SPDX-License-Identifier: MIT
---@meta smtp.parsed
---
--- A message that was read by `smtp.parse`. Fields are made when they are first asked
--- for and then kept; the bytes stay as they were.
---
--- Everything in it was written by a stranger. All text is well-formed UTF-8 without NUL, but a
--- name of a file may hold slashes, and a sender may be anybody.

--- A message, and the root of the tree of its parts. Give it to `smtp.send`, and the
--- original bytes go to `envelope`. `tostring(message)` is the original bytes. Give it to
--- `smtp.message`, and a new one is composed of what it says; its fields may be given in a
--- record too, for they have no controls that a message refuses.
---@class smtp.parsed
---@field headers smtp.headers
---@field from smtp.parsed_address[] of all such fields, empty if there is none; so are the next five
---@field sender smtp.parsed_address[]
---@field reply_to smtp.parsed_address[]
---@field to smtp.parsed_address[]
---@field cc smtp.parsed_address[]
---@field bcc smtp.parsed_address[]
---@field subject? string
---@field date? string as it is written
---@field time? integer seconds since 1970 that `date` says, if it is a date (RFC 5322 sections 3.3, 4.3; other orders of its words and RFC 3339 are read too)
---@field message_id? string without its brackets; if it has none, all words of the field
---@field in_reply_to? string the first id of that field
---@field references string[] ids, the oldest first
---@field text? string the first text/plain part whose disposition is not `"attachment"`, in UTF-8 with `"\n"` as line end
---@field html? string the first text/html part whose disposition is not `"attachment"`, in UTF-8 with `"\n"` as line end
---@field attachments smtp.part[] every part without parts of its own that is neither `text` nor `html`, in order; messages in the message are among them
---@field type string as `"multipart/mixed"`; see `smtp.part`
---@field params table<string, string>
---@field parts smtp.part[]
---@field encoding string
---@field content string
---@field envelope { from: string, to: string[] } that of the message it was read from, if it had one; else from Return-Path or From, and to To, Cc and Bcc, each address once
---@field report? smtp.report what a report of delivery, of complaints or of a reader says
---@field truncated? "parts"|"depth"|"boundary"|"fields"|"parameters" the limit that left something out: more than 1000 parts, parts more than 50 deep in each other (messages that are encoded: 8), a boundary of more than 250 bytes, more than 10000 fields of a header, more than 128 parameters of a value (a long file name in pieces keeps its end)
---@field raw string the original bytes
---@field size integer of those
local parsed = {}

--- `for chunk in message:chunks() do`: the original bytes in pieces.
---@param size? integer bytes of each piece but the last; default 65536
---@return fun(): string?
function parsed:chunks(size) end

--- An array of the fields in their order. A line that is no field is passed over.
---@class smtp.headers
---@field [integer] { name: string, value: string, raw: string } `value` is unfolded and decoded (RFC 2047), without controls but TAB; `raw` is the text after the colon
local headers = {}

--- The first field of that name.
---@param name string in any case
---@return string? value decoded
---@return string? raw as it stands there
function headers:get(name) end

--- All fields of that name, in order.
---@param name string in any case
---@return string[] values decoded
function headers:all(name) end

--- A mailbox of an address list (RFC 5322 section 3.4).
---@class smtp.parsed_address
---@field name? string decoded: the display name, or the comment that old mail has for it
---@field address string `""` where there was only a name
---@field group? string the name of the group that it stands in

--- A part of a message (RFC 2045, RFC 2046). At most 1000 are told apart and 50 are in
--- each other; what is beyond stays in the `content` of the last.
---@class smtp.part
---@field type string in lower case; `"text/plain"` if it is missing or malformed
---@field params table<string, string> parameters of the type, names in lower case, values decoded (RFC 2231)
---@field headers smtp.headers
---@field parts smtp.part[] those of a multipart, else empty
---@field message? smtp.parsed the message in a message/rfc822
---@field disposition? string `"attachment"`, `"inline"` or another word (RFC 2183)
---@field name? string of the file, decoded; not safe as a path
---@field cid? string Content-ID without its brackets
---@field inline boolean it is shown in the text: its disposition says so, or it has a `cid`
---@field encoding string Content-Transfer-Encoding in lower case
---@field raw string the body as it came
---@field content string the body, decoded (base64, quoted-printable, uuencode)
---@field size integer of `content`
---@field text? string `content` of a text in UTF-8, whatever its charset, with `"\n"` as line end; the lines of format=flowed are joined (RFC 3676)

--- What a report says. Those of delivery (RFC 3464) have `recipients`, those of
--- complaints (RFC 5965) `feedback_type`, those of what a reader did with a message
--- (RFC 8098) `disposition`. Fields that are not told are nil.
---@class smtp.report
---@field type "delivery"|"feedback"|"disposition"
---@field returned? smtp.parsed the message that it is about, or the header of it
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
---@field final_recipient? string disposition: who read it
---@field final_recipient_type? string disposition
---@field original_recipient? string disposition
---@field original_recipient_type? string disposition
---@field original_message_id? string disposition: of the message, without brackets
---@field reporting_ua? string disposition
---@field mdn_gateway? string disposition
---@field errors? string[] disposition

--- One recipient of a report of delivery. Types are those before the `;`, such as
--- `"rfc822"`, `"utf-8"` or `"smtp"`.
---@class smtp.report_recipient
---@field final_recipient? string
---@field final_recipient_type? string
---@field original_recipient? string
---@field original_recipient_type? string
---@field action? "failed"|"delayed"|"delivered"|"relayed"|"expanded"
---@field status? string as `"5.1.1"`
---@field diagnostic? string the reply of the server that refused
---@field diagnostic_type? string
---@field remote_mta? string
---@field last_attempt_date? string
---@field will_retry_until? string
---@field final_log_id? string
---@field headers smtp.headers all fields

return parsed
