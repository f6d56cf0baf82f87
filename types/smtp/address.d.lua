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
--- and comments are closed, and a name stands before `<address>`. `"Ada ada@code.energy"` is
--- refused; write `"Ada <ada@code.energy>"`. `smtp.parse` is lenient: it reads mail of others.
---@param text string
---@return smtp.path? path with `name` if there was one
---@return smtp.error? err `kind = "invalid"` if the text is no address
function address.parse(text) end

--- Takes the mailbox out of a sender or recipient. The grammar of the mailbox is not checked:
--- `"Ada <ada@code.energy>"` and `{ address = "ada@code.energy" }` give `"ada@code.energy"`.
--- An ambiguous text (`"ada@code.energy(<eve@evil.example>"`: the comment never ends) comes back
--- unchanged, and `address.check` then refuses it.
---@param value string|table
---@return string? mailbox nil if the value is neither text nor a table with `address`
function address.mailbox(value) end

--- Checks whether a bare mailbox may be sent in MAIL or RCPT. The empty mailbox may: it is
--- the null path.
---@param mailbox string
---@return true? ok
---@return string? why a sentence
---@return "invalid"|"unsupported"|nil kind of the error
function address.check(mailbox) end

--- A parsed address.
---@class smtp.path
---@field address string the mailbox in its plainest form: `"a\@b"@x` and `"a@b"@x` are equal. `""` is the null path
---@field user string the local part without quotes; its case is kept
---@field domain string a name, or an address literal with its brackets; `""` in the null path and in a bare `postmaster`
---@field name? string the display name, from `address.parse` only
---@field eightbit? boolean the address has bytes above 0x7f, from `address.parse` only

return address
