-- SPDX-License-Identifier: MIT
---@meta smtp.compose
---
--- Messages made of records: `smtp.message`, `smtp.part` and `smtp.bounce`. `smtp.send` and
--- `client:send` take records, too.

--- A composed message. `tostring(message)` returns its bytes. Every function that takes a
--- message takes it.
---@class smtp.message
---@field envelope smtp.envelope
---@field id string the Message-ID, in angle brackets
---@field size? integer bytes; nil if the size of a `source` is not known
local message = {}

--- An iterator over the bytes, in pieces; files are read meanwhile.
---@return fun(): string?
function message:chunks() end

--- The complaints of `smtp.lint` about the message.
---@return smtp.complaint[]
function message:lint() end

--- See `smtp.message`.
---@package
function message.message(record) end

--- See `smtp.part`.
---@package
function message.part(options) end

--- Only `from` is required. An unknown key raises. A value that may not stand in a header, or
--- a malformed address, is `nil, err` of kind `"invalid"`.
---@class smtp.record
---@field from string|table `"Ada <ada@code.energy>"`, `{ name =, address = }`, or a list of these (which needs `sender`)
---@field sender? string|table
---@field to? string|table a text may have several addresses, with commas; a list may have groups: `{ group = "Friends", members = {...} }`
---@field cc? string|table
---@field bcc? string|table in the envelope only, never in the header
---@field reply_to? string|table
---@field subject? string
---@field date? integer a time of `os.time`; default now
---@field message_id? string default: a new one with the domain of `from`
---@field in_reply_to? string|string[] message ids; a non-ASCII id is left out, unless an address makes the header UTF-8
---@field references? string|string[] message ids, as in `in_reply_to`
---@field text? string UTF-8; with `html`, its alternative
---@field html? string UTF-8; attachments with a `cid` belong to it
---@field calendar? string|{ content: string, method?: string } an invitation, as an alternative (RFC 6047); default: the method in the content, else REQUEST
---@field attachments? (string|smtp.part_options)[] paths, tables, parts made by `smtp.part`, or parts of a parsed message
---@field part? table a tree made by `smtp.part`, in place of all these fields
---@field list? smtp.list_options
---@field headers? table fields of your own, in order: `{ { "X-Name", "value" } }`, also `{ name =, value = }`; or a table by name, sorted. A list of values makes several fields. A field with a grammar, such as `List-Unsubscribe` or `Received`, goes out unchanged, folded at its blanks
---@field envelope? smtp.envelope default: `sender` or `from`, and `to`, `cc`, `bcc`
---@field mail? smtp.mail_params parameters of MAIL, such as `{ ret = "HDRS" }`; parameters of RCPT stand in `envelope.to`
---@field seed? string|integer for tests: equal records with equal `date` and `seed` give equal bytes
---@field dkim? smtp.dkim_signer|smtp.dkim_options signs the message when it is made, in place of the target's signer; files and sources are read for the signature

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

--- Give one of content, path, source and parts. The options are copied: a part cannot be
--- changed afterwards. The content of a `message/rfc822` goes out unchanged, and so may have
--- no NUL and no line of more than 998 bytes (RFC 2046 section 5.2.1).
---@class smtp.part_options
---@field content? string text goes out unchanged, as quoted-printable or as base64, whichever fits
---@field path? string a regular file, read during sending; text and messages are read once before
---@field source? fun(): string? the next chunk, nil at the end, as `io.lines(path, 4096)` (`io.lines(path)` drops the line ends)
---@field parts? table[] made by `smtp.part`: a multipart. Parts nest 50 deep at most
---@field type? string may have parameters, `"text/csv; charset=iso-8859-1"`; default: by the extension of the name; `"text/plain"` for content. Text without a charset is labelled UTF-8 if it is valid UTF-8; a `source` always is
---@field name? string in Content-Disposition (RFC 2183, RFC 2231), and for old mail readers in Content-Type
---@field cid? string Content-ID, for `<img src="cid:...">`
---@field inline? boolean default: true for a part with a `cid`
---@field params? table parameters of Content-Type, each once: `{ charset = "iso-8859-1" }`, or in order, `{ { "name", "value" } }`
---@field description? string
---@field size? integer bytes of a `source`; it must be right

--- A finding of `lint`: `rule` is one of date, from, message_id, duplicate, bcc, one_click,
--- bare_lf, bare_cr, nul, long_line, eightbit, header_8bit, alignment.
---@class smtp.complaint
---@field rule string
---@field text string a sentence

--- One recipient that a message did not reach. Entries of `err.rejected` and
--- `receipt.rejected` are failures, too.
---@class smtp.failure
---@field address string
---@field action? "failed"|"delayed"|"delivered"|"relayed"|"expanded" default failed
---@field status? string `"5.1.1"`, of a class that agrees with `action`; default: the first that agrees of `enhanced`, the enhanced code in `text`, and the class of `code` (RFC 3463 section 2)
---@field enhanced? string
---@field code? number a whole number
---@field text? string may begin with the enhanced code
---@field stage? string of a rejection
---@field diagnostic? string Diagnostic-Code; default: made of code and text
---@field remote_mta? string
---@field orcpt? string Original-Recipient, decoded (no xtext), with or without its type: `"rfc822; ada@code.energy"`
---@field will_retry_until? integer

---@class smtp.bounce_options
---@field hostname? string Reporting-MTA; default `"localhost"`
---@field from? string default `mailer-daemon` at `hostname`
---@field ret? "FULL"|"HDRS" the whole message goes back, or its header; default: RET of MAIL, else HDRS
---@field envid? string
---@field subject? string
---@field text? string the part for people
---@field max? integer|string the largest message that goes back whole; default 1 MiB; of a larger one the header goes back
---@field date? integer
---@field seed? string|integer

return message
