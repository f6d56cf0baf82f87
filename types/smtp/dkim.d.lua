-- SPDX-License-Identifier: MIT
---@meta smtp.dkim
---
--- DKIM (`smtp.dkim`): signatures in the header of a message by which a domain says that
--- the message is its own (RFC 6376, 8301, 8463). `smtp.dkim` makes a signer and
--- `smtp.dkim_verify` verifies. The algorithms are `rsa-sha256` and `ed25519-sha256`;
--- SHA-1 and RSA keys of less than 1024 bits are refused in both directions.
---
--- A message is read once and never held in memory. Its lines may end in CRLF, LF or CR:
--- what counts is CRLF, which the client sends.

---@class smtp.dkim
local dkim = {}

--- Makes a signer of options, or of a list of options or signers: it then signs once for
--- each, as RFC 8463 wants while some do not know Ed25519.
---@param options smtp.dkim_options|table
---@return smtp.dkim_signer? signer
---@return smtp.error? err `kind = "invalid"`, and what it says begins with the name of the option
function dkim.new(options) end

--- Verifies each signature of a message. The list has one result for each, from the top;
--- that of a message without any is `"none"`. No message makes it raise or fail.
---
--- ```lua
--- local results = assert(smtp.dkim_verify(raw, { lookup = function(name)
---   return txt[name] -- "v=DKIM1; p=..."
--- end }))
--- for _, each in ipairs(results) do print(each.domain, each.result, each.reason) end
--- ```
---@param message string|function|file*|table as for `signer:sign`; a file is left where it stood
---@param options smtp.dkim_verify_options
---@return smtp.dkim_result[]? results `results.ignored` counts signatures beyond the first 8, which are not looked at
---@return smtp.error? err `kind = "source"`: the message cannot be read
function dkim.verify(message, options) end

---@class smtp.dkim_options
---@field domain string who signs, d=; other letters than ASCII become A-labels, as in `smtp.target`
---@field selector string with the domain the name of the public key: `selector._domainkey.domain`; A-labels as well
---@field key string the private key, in PEM or the path of a file of that; RSA or Ed25519, PKCS#8 or traditional, not encrypted
---@field headers? string[] names of the fields to sign, From among them; by default those of RFC 6376 section 5.4.1, Message-ID and the fields of MIME. All fields of a name are signed. From, Reply-To, To, Cc, Subject, Date, Message-ID, In-Reply-To, References, MIME-Version, Content-Type and Content-Transfer-Encoding are sealed: another field of the name, added later, breaks the signature
---@field canonicalization? string of header and body: `"relaxed/relaxed"` (the default), `"relaxed/simple"`, `"simple/relaxed"`, `"simple/simple"`; `"relaxed"` is `"relaxed/simple"`
---@field expire? number seconds until the signature expires (x=), by default never
---@field identity? string i=: `"user@domain"` or `"@domain"`, of the domain or of one below
---@field time? number the time of signing, as of `os.time`; by default now

---@class smtp.dkim_signer
local signer = {}

--- Signs. Put the fields before the message and send `content` behind them: it is
--- what was given if that can be read twice, a string or a file that seeks, which is left
--- where it stood. All else is copied to a temporary file while it is read, and that is
--- the content.
---@param message string|function|file*|table header and body: a string; a function that gives the next chunk and then nil; an open file, read from where it stands; or anything with a method `chunks`
---@return string? fields one DKIM-Signature for each key, folded at 78, each with CRLF
---@return string|file*|smtp.error content or the error: `kind = "invalid"` where the message has not exactly one From, `"too_big"` for a header of more than 1 MiB, `"source"` if it cannot be read
function signer:sign(message) end

---@class smtp.dkim_verify_options
---@field lookup fun(name: string): string|string[]|nil, any the TXT record of a name or a list of them, the strings of each joined; nil: there is none; nil and an error: it cannot be known now
---@field time? number what time it is, as of `os.time`; by default now

---@class smtp.dkim_result
---@field result "pass"|"fail"|"neutral"|"temperror"|"permerror"|"none" as RFC 8601 section 2.7.1 has them: `"neutral"` is a signature that cannot be read, `"permerror"` one that may not be used
---@field reason? string a sentence, but for `"pass"`
---@field domain? string d=
---@field selector? string s=
---@field identity? string i=, as it is encoded there
---@field algorithm? string
---@field headers string[] the names of the signed fields
---@field length_limited boolean only a part of the body was signed (l=): anything may stand behind it
---@field testing boolean the key says that its domain only tests (t=y): a failure is as if there were no signature

return dkim
