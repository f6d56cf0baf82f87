-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- A reader of replies without a session.
---@class smtp.replies
local replies = {}

---@param mailbox string
---@param strict? boolean as MAIL and RCPT need it
---@return smtp.path? path with `eightbit`
function core.path(mailbox, strict) end

---@param text string
---@return boolean is whether MAIL or RCPT may carry it
---@return boolean eightbit whether it needs SMTPUTF8
---@return boolean alabel whether its domain has an A-label, possibly a broken one
function core.is_mailbox(text) end

--- The mailboxes of an envelope that needs no further look: `from` and `to` alone, in ASCII.
---@param envelope any
---@return string? from nil: look at it in Lua
---@return string[]? to a copy
function core.plain_envelope(envelope) end

--- The parts of a message that needs no further look: such an envelope and `raw` alone.
---@param message any
---@return string? from nil: look at it in Lua
---@return string[]? to a copy
---@return string? raw
function core.plain_message(message) end

--- Whether EHLO may carry it.
---@param text string
---@return boolean
function core.is_domain(text) end

---@param text string
---@return string? bytes 4 or 16; nil: it is no address
---@return string? usual its usual text
function core.ip(text) end

--- A domain as ASCII has it (IDNA).
---@param domain string
---@param own? boolean without libidn2
---@return string? ascii
---@return string? text
function core.idna(domain, own) end

--- A line of the reply to EHLO.
---@param line string
---@return string? keyword nil: it is malformed
---@return string? params
function core.ehlo_line(line) end

--- Adds content to a measure of its size as it goes over the wire; nil adds its end.
---@param bytes string|nil
---@param size integer
---@param state integer
---@return integer size
---@return integer state
function core.measure(bytes, size, state) end

--- Whether a byte is above 0x7f.
---@param bytes string
---@return boolean
function core.eightbit(bytes) end

---@return smtp.replies replies
function core.replies() end

---@param bytes string
---@return true? ok
---@return string? text too many bytes wait
function replies:feed(bytes) end

---@return smtp.reply|false|nil reply false: bytes are missing
---@return string? text
function replies:next() end

---@return integer n bytes behind the last reply
function replies:pending() end

--- As RFC 3461 section 4 writes it.
---@param text string
---@return string? xtext nil: it has a control
function core.xtext(text) end

--- As RFC 6533 section 3 writes it.
---@param text string
---@return string? uxtext nil: it has a control, or is not UTF-8
function core.uxtext(text) end

--- Reads a date-time of RFC 3339.
---@param text string
---@return integer? seconds since 1970; nil: it is none
function core.date_time(text) end
