-- SPDX-License-Identifier: MIT
---@meta smtp.incoming
---
--- The message in `on_message`. The handler pulls it: bytes are read from the client only when
--- the handler asks, so memory stays bounded and a slow handler slows the sender. Dots are
--- unstuffed (RFC 5321 section 4.5.2).
---
--- If the client vanishes, breaks the framing or passes a limit, reading raises. So a handler
--- cannot mistake an incomplete message for a whole one. The reply then names the broken rule,
--- whatever the handler returns.

---@class smtp.incoming
---@field id string unique; in the Received field
---@field sender smtp.sender
---@field recipients smtp.recipient[]
---@field envelope smtp.envelope for `client:send(message)`: sender and recipients, each with its `notify`, `orcpt` and `rrvs`
---@field mail smtp.mail_params the parameters of MAIL for the next hop: `ret`, `envid`, `requiretls`, `priority`, BINARYMIME, and `by` with the remaining time. They are made of `sender` at the first access, so change `sender` before. A hold time does not go to the next hop
---@field size integer bytes read so far; the declared size is `sender.size`
---@field eightbit? boolean at the end: the content has bytes above 0x7f
---@field session smtp.session
local incoming = {}

---@package
function incoming.new(session) end

---@package
function incoming.first(message, ...) end

---@package
function incoming.finish(message) end

--- Reads the next bytes, nil at the end. Without `max` it reads the rest as one string, which
--- `limits.message_size` bounds.
---@param max? integer at most so many bytes
---@return string? bytes
function incoming:read(max) end

--- `for chunk in message:chunks() do`: the content as it arrives, or in pieces of `size`.
---@param size? integer bytes of each piece but the last
---@return fun(): string?
function incoming:chunks(size) end

--- `for line in message:lines() do`: the lines without their CRLF.
---@return fun(): string?
function incoming:lines() end

--- Reads the rest and drops it.
function incoming:skip() end

--- Sets the reply for one recipient, in place of the handler's verdict; the last call counts.
--- In LMTP and with PRDR each recipient has its own reply. SMTP has one reply for all; the
--- verdict stands for a recipient without an answer of its own. If all answers are of one class,
--- the worst is sent. If they are not, the verdict is sent if it accepts explicitly (`true`, a
--- text, a 2xx: you will bounce to the others), else 451. A text that cannot be sent becomes
--- `451 4.3.0` and an event. A message that broke the framing or a limit has one reply for all.
--- Raises if the recipient is not one of the message, and after the handler has returned. The
--- verdict cannot change an answer: store the message first, then answer.
---@param recipient smtp.recipient|string one of `message.recipients`, or its address
---@param code integer 2xx, 4xx or 5xx
---@param text? string as in a verdict: with or without an enhanced code
function incoming:reply(recipient, code, text) end

--- The header as text, with its empty line, before and after the content is read. The whole
--- content can still be read afterwards. `limits.header` bounds the header.
---@return string
function incoming:header() end

---@class smtp.keep_options
---@field trace? boolean Return-Path and Received in front, unless they are in `prepend`; a Return-Path at the top of the content is left out
---@field prepend? string whole header fields, each line with its CRLF, in front of the content

--- Stores the content durably: temporary file, sync, rename, sync of the folder. An existing
--- file is not overwritten (`cause = "EEXIST"`). Return the results of this method from your
--- handler, and the client receives 250 or 451. Raises if content was read already.
---@param path string
---@param options? smtp.keep_options `trace` is false by default
---@return true? ok
---@return smtp.error? err `kind = "system"`, `stage = "save"`; only an explicit 2xx can accept the message then. `kind = "invalid"` if `prepend` is not a header
function incoming:save(path, options) end

--- Delivers to a Maildir, as durably as `save`; the folder is made if it is missing. This is the
--- final delivery, so Return-Path and Received are put in front (RFC 5321 section 4.4).
---@param path string
---@param options? smtp.keep_options `trace` is true by default
---@return true? ok
---@return smtp.error? err
function incoming:maildir(path, options) end

--- The Received field of this message, with its CRLF; each call returns the same line. All calls
--- that pass the message on, or a parsed copy of it, put it in front by themselves. RFC 5321
--- section 4.4; the word after `with` is of RFC 3848 and RFC 6531 section 4.3: ESMTPS, LMTPA,
--- UTF8LMTP ...
---@return string
function incoming:received() end

--- The Return-Path field, for the final delivery. RFC 5321 section 4.4.
---@return string
function incoming:return_path() end

return incoming
