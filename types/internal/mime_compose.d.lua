-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- Base64 in lines, of bytes that come in pieces.
---@class smtp.base64_encoder
local encoder = {}

--- Writes a header field. `pieces` is kind, value, kind, value ...; "param" and "words" (a
--- parameter of words) have a name and a value.
---@param name string
---@param pieces string[] kinds: text, structured, phrase, token, type, mailbox, glue, param, words
---@return string? field with its CRLF
---@return string? text
function core.field(name, pieces) end

---@param n integer
---@return string digits n random hexadecimal digits
function core.random_digits(n) end

--- The best encoding of a text.
---@param text string
---@return "7bit"|"quoted-printable"|"base64" encoding
function core.encoding(text) end

--- The text with CRLF at the end of each line, and behind the last one.
---@param text string
---@return string
function core.canonical(text) end

---@param seconds integer since 1970
---@return string date of a header field, in UTC
function core.date(seconds) end

---@param text string
---@return string bytes in quoted-printable
function core.qp(text) end

---@param n integer bytes
---@return integer size of n bytes in lines of base64
function core.base64_size(n) end

---@return smtp.base64_encoder encoder
function core.base64_encoder() end

---@param bytes string
---@return string lines that are complete
function encoder:feed(bytes) end

---@param bytes? string the last ones
---@return string lines the rest
function encoder:finish(bytes) end
