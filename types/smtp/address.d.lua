-- SPDX-License-Identifier: MIT
---@meta smtp.address
---
--- Mail addresses as people write them (`smtp.address`). The grammar of the mailbox
--- is that of RFC 5321 section 4.1.2, strictly.

---@class smtp.address
local address = {}

--- Parses one address: `"ada@code.energy"`, `"Ada <ada@code.energy>"` or
--- `"ada@code.energy (Ada)"`.
---
--- An address for sending must be plain, here, in records and in envelopes: brackets, quotes
--- and comments end, and a name stands before `<address>`. `"Ada ada@code.energy"` is refused;
--- write `"Ada <ada@code.energy>"`. `smtp.parse` makes the best of mail that others wrote.
---@param text string
---@return smtp.path? path with `name` if there was one
---@return smtp.error? err `kind = "invalid"` if it is no address
function address.parse(text) end

--- Takes the mailbox out of what is written as sender or recipient, without a look
--- at its grammar: `"Ada <ada@code.energy>"` and `{ address = "ada@code.energy" }`
--- give `"ada@code.energy"`. A text in which two readers may find two addresses
--- (`"ada@code.energy(<eve@evil.example>"`, a comment that never ends) comes back as it
--- is, and may then not be sent.
---@param value string|table
---@return string? mailbox nil if it is neither text nor a table with `address`
function address.mailbox(value) end

--- Tells whether a bare mailbox may be sent in MAIL or RCPT. The empty one may: it is
--- the null path.
---@param mailbox string
---@return true? ok
---@return string? why a sentence
---@return "invalid"|"unsupported"|nil kind of error that this is
function address.check(mailbox) end

--- An address, parsed.
---@class smtp.path
---@field address string the mailbox in its plainest form: `"a\@b"@x` and `"a@b"@x` are one. `""` is the null path
---@field user string the local part without quotes; its case is kept
---@field domain string a name, or an address literal with its brackets; `""` in the null path and in `postmaster` alone
---@field name? string the display name, from `address.parse` only
---@field eightbit? boolean it holds bytes above 0x7f, from `address.parse` only

return address
