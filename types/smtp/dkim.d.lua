-- SPDX-License-Identifier: MIT
---@meta smtp.dkim
---
--- DKIM (`smtp.dkim`): with a signature in the header a domain takes responsibility for a
--- message (RFC 6376, 8301, 8463). `smtp.dkim` makes a signer and `smtp.dkim_verify` verifies.
--- The algorithms are `rsa-sha256` and `ed25519-sha256`; SHA-1 and RSA keys of less than 1024
--- bits are refused in both directions.
---
--- A message is read once and never held in memory. Its lines may end in CRLF, LF or CR; they
--- are signed with CRLF, as the client sends them.

---@class smtp.dkim
local dkim = {}

--- Makes a signer of options, or of a list of options or signers. With a list it signs once for
--- each entry: RFC 8463 recommends that while some receivers do not know Ed25519.
---@param options smtp.dkim_options|table
---@return smtp.dkim_signer? signer
---@return smtp.error? err `kind = "invalid"`; the text begins with the name of the option
function dkim.new(options) end

--- Verifies each signature of a message. The list has one result for each, from the top; a
--- message without a signature has one result, `"none"`. No message makes it raise or fail.
---
--- ```lua
--- local results = assert(smtp.dkim_verify(raw, { lookup = function(name)
---   return txt[name] -- "v=DKIM1; p=..."
--- end }))
--- for _, each in ipairs(results) do print(each.domain, each.result, each.reason) end
--- ```
---@param message string|function|file*|table as for `signer:sign`; a file keeps its position
---@param options smtp.dkim_verify_options
---@return smtp.dkim_result[]? results `results.ignored` counts the signatures beyond the first 8, which are not verified
---@return smtp.error? err `kind = "source"`: the message cannot be read
function dkim.verify(message, options) end

---@class smtp.dkim_options
---@field domain string the signing domain, d=; non-ASCII letters become A-labels, as in `smtp.target`
---@field selector string together with the domain the name of the public key: `selector._domainkey.domain`; non-ASCII letters become A-labels
---@field key string the private key, in PEM or the path of a PEM file; RSA or Ed25519, PKCS#8 or traditional, not encrypted
---@field headers? string[] names of the fields to sign, including From; by default those of RFC 6376 section 5.4.1, Message-ID and the fields of MIME. All fields of a name are signed. From, Reply-To, To, Cc, Subject, Date, Message-ID, In-Reply-To, References, MIME-Version, Content-Type and Content-Transfer-Encoding are sealed: another field of the name, added later, breaks the signature
---@field canonicalization? string of header and body: `"relaxed/relaxed"` (the default), `"relaxed/simple"`, `"simple/relaxed"`, `"simple/simple"`; `"relaxed"` is `"relaxed/simple"`
---@field expire? number seconds until the signature expires (x=), by default never
---@field identity? string i=: `"user@domain"` or `"@domain"`, with the domain or a subdomain
---@field time? number the time of signing, a time of `os.time`; by default now

---@class smtp.dkim_signer
local signer = {}

--- Signs. Send the fields first and `content` after them. If the message can be read twice (a
--- string, or a file that seeks and keeps its position), `content` is the message. Anything
--- else is copied to a temporary file during reading, and `content` is that file.
---@param message string|function|file*|table header and body: a string; a function that gives the next chunk and then nil; an open file, read from its position; or anything with a method `chunks`
---@return string? fields one DKIM-Signature for each key, folded at 78, each with CRLF
---@return string|file*|smtp.error content or the error: `kind = "invalid"` if the message does not have exactly one From, `"too_big"` for a header of more than 1 MiB, `"source"` if the message cannot be read
function signer:sign(message) end

---@class smtp.dkim_verify_options
---@field lookup fun(name: string): string|string[]|nil, any the TXT record of a name or a list of records, the strings of each joined; nil: there is none; nil and an error: the look-up failed for now
---@field time? number the current time, as of `os.time`; by default now

---@class smtp.dkim_result
---@field result "pass"|"fail"|"neutral"|"temperror"|"permerror"|"none" as in RFC 8601 section 2.7.1: `"neutral"` is a signature that cannot be read, `"permerror"` one that may not be used
---@field reason? string a sentence; nil for `"pass"`
---@field domain? string d=
---@field selector? string s=
---@field identity? string i=, still encoded
---@field algorithm? string
---@field headers string[] the names of the signed fields
---@field length_limited boolean only a part of the body was signed (l=): anything may follow it
---@field testing boolean the domain only tests (t=y in the key): treat a failure as no signature

return dkim
