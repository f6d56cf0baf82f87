-- SPDX-License-Identifier: MIT
---@meta smtp.incoming
---
--- The message that `on_message` gets. It is pulled: bytes are read from the client
--- only as the handler asks, so memory stays bounded and a slow handler slows its
--- sender. Dots are unstuffed (RFC 5321 section 4.5.2).
---
--- If the client vanishes, breaks the framing or passes a limit, reading raises: a
--- message that was cut short cannot be taken for a whole one, and it is answered
--- with what it broke whatever the handler returns.

---@class smtp.incoming
---@field id string unique; in the Received field
---@field sender smtp.sender
---@field recipients smtp.recipient[]
---@field envelope smtp.envelope so that `client:send(message)` passes it on: sender and recipients, each with its `notify`, `orcpt` and `rrvs`
---@field mail smtp.mail_params the parameters of MAIL that go on: `ret`, `envid`, `requiretls`, `priority`, BINARYMIME, and `by` with the time that is left. It is read once they are asked for, so change `sender` before. A time to hold it is for who took it in
---@field size integer bytes read so far; what was declared is `sender.size`
---@field eightbit? boolean at the end: it holds bytes above 0x7f
---@field session smtp.session
local incoming = {}

---@package
function incoming.new(session) end

---@package
function incoming.first(message, ...) end

---@package
function incoming.finish(message) end

--- Reads the next bytes, nil at the end; or, without `max`, all that is left as one
--- string, which `limits.message_size` bounds.
---@param max? integer at most so many
---@return string? bytes
function incoming:read(max) end

--- `for chunk in message:chunks() do`: the content as it comes, or in pieces.
---@param size? integer bytes of each piece but the last
---@return fun(): string?
function incoming:chunks(size) end

--- `for line in message:lines() do`: the lines without their CRLF.
---@return fun(): string?
function incoming:lines() end

--- Reads what is left and forgets it.
function incoming:skip() end

--- What one recipient is told in place of what the handler's verdict says; of several
--- answers the last counts. In LMTP and with PRDR each recipient hears its own. SMTP has
--- one reply: answers of one class (that of whoever has none is the verdict) become the
--- worst of them; of several classes, the verdict if it accepts in words (`true`, a text,
--- a 2xx: you will bounce to the others), else 451. A text that cannot be sent is
--- `451 4.3.0` and an event; what broke the framing or a limit has its own reply for all.
--- Raises for what is no recipient of the message, and when its handler has returned.
--- What was said here is said whatever the verdict: keep the message first, then answer.
---@param recipient smtp.recipient|string one of `message.recipients`, or its address
---@param code integer 2xx, 4xx or 5xx
---@param text? string as in a verdict: with or without an enhanced code
function incoming:reply(recipient, code, text) end

--- The header as text, with its empty line, before and after the content is read; the
--- content can be read whole afterwards. `limits.header` bounds it.
---@return string
function incoming:header() end

---@class smtp.keep_options
---@field trace? boolean Return-Path and Received in front, unless they are in `prepend`; a Return-Path at the top of the content is left out
---@field prepend? string whole header fields, each line with its CRLF, in front of the content

--- Stores the content, durably: temporary file, sync, rename, sync of the folder.
--- An existing file is not overwritten (`cause = "EEXIST"`). Return what this
--- returns, and the client is told 250 or 451. Raises if content was read already.
---@param path string
---@param options? smtp.keep_options `trace` is false by default
---@return true? ok
---@return smtp.error? err `kind = "system"`, `stage = "save"`; no 2xx is possible then but an explicit one. `kind = "invalid"` if `prepend` is no header
function incoming:save(path, options) end

--- Delivers to a Maildir as `save` does; the folder is made if it is not there. That is the
--- final delivery, so Return-Path and Received stand in front (RFC 5321 section 4.4).
---@param path string
---@param options? smtp.keep_options `trace` is true by default
---@return true? ok
---@return smtp.error? err
function incoming:maildir(path, options) end

--- The Received field for this message, with its CRLF: the same line each time. All calls
--- that pass the message on, or a parsed copy of it, put it in front by themselves. RFC 5321 section 4.4; the word
--- after `with` is of RFC 3848 and RFC 6531 section 4.3: ESMTPS, LMTPA, UTF8LMTP ...
---@return string
function incoming:received() end

--- The Return-Path field, for the final delivery. RFC 5321 section 4.4.
---@return string
function incoming:return_path() end

return incoming
