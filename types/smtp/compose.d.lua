-- SPDX-License-Identifier: MIT
---@meta smtp.compose
---
--- Messages that are made of records: `smtp.message`, `smtp.part` and `smtp.bounce`.
--- `smtp.send` and `client:send` take such a record as it is.

--- A message that was composed. `tostring` is its bytes; anything that takes a message
--- takes it.
---@class smtp.message
---@field envelope smtp.envelope
---@field id string its Message-ID, in angle brackets
---@field size? integer bytes; nil where a `source` does not say its size
local message = {}

--- An iterator over its bytes, in pieces; files are read meanwhile.
---@return fun(): string?
function message:chunks() end

--- What is wrong with it; see `smtp.lint`.
---@return smtp.complaint[]
function message:lint() end

--- The same as `smtp.message`.
---@package
function message.message(record) end

--- The same as `smtp.part`.
---@package
function message.part(options) end

--- Everything but `from` may be absent. An unknown key raises; a value that may not be in
--- a header, or an address that is none, is `nil, err` of kind `"invalid"`.
---@class smtp.record
---@field from string|table `"Ada <ada@code.energy>"`, `{ name =, address = }`, or a list of either (then `sender` is needed)
---@field sender? string|table
---@field to? string|table a text may hold several, with commas; a list may have groups: `{ group = "Friends", members = {...} }`
---@field cc? string|table
---@field bcc? string|table in the envelope only, never in the header
---@field reply_to? string|table
---@field subject? string
---@field date? integer as `os.time` gives it; default now
---@field message_id? string default: made of the domain of `from`
---@field in_reply_to? string|string[] message ids; one that is not ASCII is left out, unless an address makes the header UTF-8
---@field references? string|string[] message ids, as those of `in_reply_to`
---@field text? string UTF-8; with `html`, its alternative
---@field html? string UTF-8; attachments with a `cid` go with it
---@field calendar? string|{ content: string, method?: string } an invitation, as an alternative (RFC 6047); the method is that of the content, else REQUEST
---@field attachments? (string|smtp.part_options)[] paths, tables, what `smtp.part` made, or parts of a parsed message
---@field part? table a tree made by `smtp.part`, in place of all these
---@field list? smtp.list_options
---@field headers? table fields of your own, in order: `{ { "X-Name", "value" } }`, also `{ name =, value = }`; or by name, sorted. A list of values makes several fields. A field with a grammar, such as `List-Unsubscribe` or `Received`, goes out as it is given, folded at its blanks
---@field envelope? smtp.envelope default: `sender` or `from`, and `to`, `cc`, `bcc`
---@field mail? smtp.mail_params of MAIL, such as `{ ret = "HDRS" }`; those of RCPT stand in `envelope.to`
---@field seed? string|integer the same record, `date` and `seed` give the same bytes; for tests
---@field dkim? smtp.dkim_signer|smtp.dkim_options signs it when it is made, in place of the target's; files and sources are read for it

--- RFC 2369, RFC 2919; one_click: RFC 8058.
---@class smtp.list_options
---@field id? string such as `"news.example.org"`
---@field unsubscribe? string|string[] URLs
---@field one_click? boolean needs an https URL in `unsubscribe`
---@field subscribe? string|string[]
---@field help? string|string[]
---@field post? string|string[]
---@field owner? string|string[]
---@field archive? string|string[]

--- One of content, path, source and parts. What it is given is copied: a part cannot be
--- changed afterwards. The content of a `message/rfc822` goes out as it is, and so may have
--- no NUL and no line of more than 998 bytes (RFC 2046 section 5.2.1).
---@class smtp.part_options
---@field content? string text is sent as it is, as quoted-printable or as base64, whichever fits
---@field path? string a regular file, read as it is sent; text and messages are read once before
---@field source? fun(): string? the next chunk, nil at the end, as `io.lines(path, 4096)` (`io.lines(path)` drops the line ends)
---@field parts? table[] made by `smtp.part`: a multipart. They stand 50 deep in each other at most
---@field type? string may have parameters, `"text/csv; charset=iso-8859-1"`; default: by the end of the name; `"text/plain"` for content. Text without a charset is called UTF-8 if it is; a `source` always
---@field name? string in Content-Disposition (RFC 2183, RFC 2231), and for old mail readers in Content-Type
---@field cid? string Content-ID, for `<img src="cid:...">`
---@field inline? boolean default: it has a `cid`
---@field params? table of Content-Type, each once: `{ charset = "iso-8859-1" }`, or in order, `{ { "name", "value" } }`
---@field description? string
---@field size? integer bytes of a `source`, which must be true

--- What `lint` found: `rule` is one of date, from, message_id, duplicate, bcc, one_click,
--- bare_lf, bare_cr, nul, long_line, eightbit, header_8bit, alignment.
---@class smtp.complaint
---@field rule string
---@field text string a sentence

--- One recipient that a message did not reach. What `err.rejected` and
--- `receipt.rejected` hold will do.
---@class smtp.failure
---@field address string
---@field action? "failed"|"delayed"|"delivered"|"relayed"|"expanded" default failed
---@field status? string `"5.1.1"`, of a class that agrees with `action`; default `enhanced`, else what `text` begins with, else that of `code`, if theirs agrees (RFC 3463 section 2)
---@field enhanced? string
---@field code? number a whole number
---@field text? string may begin with the enhanced code
---@field stage? string of a rejection
---@field diagnostic? string Diagnostic-Code; default of code and text
---@field remote_mta? string
---@field orcpt? string Original-Recipient, decoded (no xtext), with or without its type: `"rfc822; ada@code.energy"`
---@field will_retry_until? integer

---@class smtp.bounce_options
---@field hostname? string Reporting-MTA; default `"localhost"`
---@field from? string default `mailer-daemon` at it
---@field ret? "FULL"|"HDRS" the whole message goes back, or its header; default what MAIL said, else HDRS
---@field envid? string
---@field subject? string
---@field text? string for people
---@field max? integer|string how much of a message goes back at most; default 1 MiB, beyond it the header
---@field date? integer
---@field seed? string|integer

return message
