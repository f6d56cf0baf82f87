-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- Undoes a Content-Transfer-Encoding. No input is an error.
---@param text string
---@param encoding string
---@param first? integer place of the first byte; default 1
---@param last? integer of the last one; default: the end
---@return string bytes
function core.decode_body(text, encoding, first, last) end

--- Decodes the encoded words of a value (RFC 2047).
---@param value string
---@param first? integer
---@param last? integer
---@return string utf8 without CR and LF
function core.decode_words(value, first, last) end

---@param bytes string
---@param charset? string
---@return string utf8
---@return boolean known whether the charset is known
function core.to_utf8(bytes, charset) end

--- Reads a value with parameters, as that of Content-Type.
---@param text string
---@return string main
---@return string[] params name, value, name ...; values in UTF-8
---@return boolean truncated whether some were left out
function core.mime_value(text) end

--- The header fields: name, decoded value, raw value, name ...
---@param bytes string
---@param first? integer
---@param last? integer
---@return string[] fields
---@return integer body place of the body
---@return boolean more whether some were left out
function core.mime_fields(bytes, first, last) end

--- Iterates over the fields of the header in front of the bytes, without decoding them.
---@param bytes string
---@return fun(): string?, integer?, integer? next name in lower case, place of the field's first byte, and of its last one
function core.fields(bytes) end

--- The entities of a message: kind, parent, begin, body, last, limit, kind ... `kind` is "L"
--- leaf, "M" multipart, "R" message in a message, "C" cut off; `parent` is a number, 0 of the
--- first; `limit` is false, or why a leaf was not looked into: "depth" or "boundary".
---@param bytes string
---@return (string|integer|false)[] entities
function core.mime_entities(bytes) end
