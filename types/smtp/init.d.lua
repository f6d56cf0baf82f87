-- SPDX-License-Identifier: MIT
---@meta smtp
---
--- `local smtp = require "smtp"`.
---
--- A failure at run time is `nil, err` (`smtp.error`). Misuse, such as an unknown option or a
--- value of the wrong type, raises. Times are seconds, sizes are bytes; a size may also be a
--- text, such as `"25M"` for 25 MiB.
---
--- Every function that waits calls `smtp.loop.wait`: in a task it lets the other tasks run,
--- elsewhere it runs them until the wait is over. So a plain script that calls `smtp.send`
--- blocks, and a server in the same process goes on.

---@class smtp
---@field _VERSION string the version of the library
---@field address smtp.address parsing of mail addresses
---@field loop smtp.loop the tasks and the one place to wait
---@field mta_sts smtp.mta_sts the policies of MTA-STS
local smtp = {}

--- Sends one message over a connection of its own: connect, greeting, EHLO, the
--- transaction, QUIT.
---
--- If at least one recipient is accepted, the call succeeds: see `receipt.rejected`. If none is,
--- it returns `nil, err` with `err.kind == "rejected"` and `err.rejected`. A second try is always
--- safe only if `err.outcome == "not_sent"`. RFC 5321 section 3.3.
---
--- ```lua
--- local receipt, err = smtp.send("localhost", {
---   envelope = { from = "ada@code.energy", to = { "charles@example.com" } },
---   raw = "Subject: The engine\r\n\r\nIt works.\r\n",
--- })
--- ```
---@param target string|smtp.target the server: a URL, `host`, `host:port` or a table
---@param message smtp.record|smtp.outgoing|smtp.message|smtp.parsed a record; content with its envelope; or anything with `envelope` and `chunks`, such as a result of `smtp.message` or `smtp.parse`, or the unread message of a server's handler
---@param options? smtp.send_options
---@return smtp.receipt? receipt nil if the message was not accepted
---@return smtp.error? err
function smtp.send(target, message, options) end

--- Delivers a message straight to the servers of its recipients' domains, without a
--- relay: each domain is looked up, and its hosts are tried in order. The page `smtp.deliver`
--- describes which failures are tried again.
---
--- ```lua
--- local result, err = smtp.deliver({
---   from = "ada@code.energy", to = { "charles@example.com", "mary@example.org" },
---   subject = "The engine", text = "It works.",
--- }, { helo = "mail.code.energy", dane = "opportunistic", nameserver = "127.0.0.1" })
--- for _, refused in ipairs(result and result.rejected or err.rejected or {}) do
---   print(refused.address, refused.temporary, refused.text)
--- end
--- ```
---@param message smtp.record|smtp.outgoing|smtp.message|smtp.parsed as of `smtp.send`
---@param options? smtp.deliver_options
---@return smtp.delivery? result nil if no recipient was accepted
---@return smtp.error? err of the domain whose retry is the most promising; `err.rejected` has each recipient
function smtp.deliver(message, options) end

--- The hosts that accept the mail of a domain, in the order in which to try them: by
--- preference; hosts of equal preference are shuffled. A domain without any MX is its own host
--- (`implicit`), as is an address literal like `[192.0.2.1]`. RFC 5321 section 5.1.
---
--- `err.kind` is `"dns"`. If the look-up failed, the error is `temporary`; a failed look-up never
--- counts as an answer. Else `err.code` and `err.enhanced` are 556 and 5.1.10 for a domain that
--- accepts no mail (null MX, RFC 7505), 550 and 5.1.2 for a domain that does not exist, 5.4.4 if
--- no MX names a host.
---
--- ```lua
--- for _, mx in ipairs(assert(smtp.mx("example.com"))) do print(mx.preference, mx.host) end
--- ```
---@param domain string non-ASCII letters become A-labels, as in `smtp.target`
---@param options? { nameserver?: string, timeout?: number } as of `smtp.deliver`; default 15 seconds
---@return smtp.mx_host[]? hosts
---@return smtp.error? err
function smtp.mx(domain, options) end

--- Connects, and returns after the greeting and the reply to EHLO (HELO, if EHLO is answered
--- 5xx). Close the client, or use a `<close>` variable. RFC 5321 sections 3.1, 3.2 and 4.1.1.1.
---
--- ```lua
--- local client <close> = assert(smtp.connect { host = "localhost", helo = "client.code.energy" })
--- print(client.greeting.text, client.capabilities.SIZE)
--- ```
---@param target string|smtp.target
---@return smtp.client? client
---@return smtp.error? err
function smtp.connect(target) end

--- A pool of connections to one target, for many messages. It keeps connections open, limits
--- their number and the rate, and tries again after temporary failures. It connects at the first
--- message.
---
--- ```lua
--- local pool <close> = assert(smtp.pool { url = "smtp://localhost", size = 4, rate = 10 })
--- local receipt, err = pool:send(message)
--- ```
---@param options string|smtp.pool_options
---@return smtp.pool? pool
---@return smtp.error? err `kind = "invalid"`: the URL is malformed
function smtp.pool(options) end

--- Opens the listeners. Connections are accepted as soon as the loop runs: by `server:run()`,
--- or by any function that waits. If a place cannot be bound, it returns `nil, err` with
--- `err.stage == "listen"`.
---
--- ```lua
--- local server = assert(smtp.server {
---   listen = "127.0.0.1:2525", hostname = "mail-server.example.com",
---   on_rcpt = function(session, recipient) return recipient.domain == "example.com" end,
---   on_message = function(session, message) return message:maildir("mail") end,
--- })
--- server:run()
--- ```
---@param options smtp.server_options
---@return smtp.server? server
---@return smtp.error? err
function smtp.server(options) end

--- Connects and does nothing else: it reads, writes and starts TLS only when you call a method.
---
--- ```lua
--- local d <close> = assert(smtp.dialogue("127.0.0.1:2525", { timeout = 5 }))
--- assert(d:expect(220))
--- assert(d:cmd("HELO client.code.energy", 250))
--- ```
---@param target string|smtp.target
---@param options? smtp.dialogue_options
---@return smtp.dialogue? dialogue
---@return smtp.error? err
function smtp.dialogue(target, options) end

--- Makes a message of a record: valid by construction and of a known size. Files are read only
--- during sending. The record is not changed.
---
--- ```lua
--- local message = assert(smtp.message {
---   from = "Ada <ada@code.energy>", to = "charles@example.com", subject = "The engine",
---   text = "It works.", attachments = { "drawing.pdf" },
--- })
--- ```
---@param record smtp.record|smtp.parsed a result of `smtp.parse` is composed of its fields, without malformed addresses, ids and dates
---@return smtp.message? message
---@return smtp.error? err
function smtp.message(record) end

--- A part, for a tree in the field `part` of a record. Misuse raises.
---@param options smtp.part_options
---@return table part
function smtp.part(options) end

--- Checks a message for faults that receivers dislike: missing Date, From or Message-ID,
--- duplicate fields, Bcc, long lines, bare CR or LF, undeclared 8-bit bytes, a DKIM signature of
--- another domain, List-Unsubscribe without one click.
---@param message string|function|file*|table anything that `smtp.parse` takes
---@return smtp.complaint[]? found empty if there are no complaints
---@return smtp.error? err
function smtp.lint(message) end

--- A delivery status notification, from the null path, to the sender of a message that could not
--- be delivered (RFC 3464). There is none for a message from the null path.
---@param message table anything with `envelope` and `chunks`; of a server's message that was read already, the header goes back
---@param failures smtp.failure|smtp.failure[]|smtp.receipt|smtp.error a receipt: the recipients in `rejected`; an error: all recipients except the accepted ones
---@param options? smtp.bounce_options
---@return smtp.message? bounce
---@return smtp.error? err `kind = "unsupported"` for the null path
function smtp.bounce(message, failures, options) end
--- Reads a message (RFC 5322, MIME). Any bytes give an object: if they are not mail, it has no
--- headers, or its parts are not separated. The content is read to its end here; fields are
--- parsed at their first use, in linear time. A file is left at its end. A string is the message,
--- not a path.
---
--- A server's message can be read only once. In a handler, parse it and use the result, which
--- keeps the envelope:
---
--- ```lua
--- on_message = function(session, incoming)
---   local message = assert(smtp.parse(incoming))
---   if #smtp.lint(message) > 0 then return false, "5.6.0 malformed" end
---   return smtp.send(next_hop, message) -- the client hears what the next hop says
--- end,
--- on_undelivered = function(session, incoming, failures) -- some have it, and some do not
---   local bounce = smtp.bounce(incoming, failures)
---   return not bounce or smtp.send(bounce_hop, bounce) ~= nil
--- end
--- ```
---
--- ```lua
--- local message = smtp.parse(io.open("mail.eml", "rb"))
--- print(message.subject, message.from[1].address, message.text)
--- for _, part in ipairs(message.attachments) do print(part.name, part.type, part.size) end
--- ```
---@param content string|function|file*|table the bytes; a function that gives the next chunk and then nil; an open file; or anything with `chunks`, such as the message that a server's handler got
---@return smtp.parsed? message
---@return smtp.error? err `kind = "source"` if the content could not be read
function smtp.parse(content) end
--- Makes a signer of DKIM; see `new` of `smtp.dkim`. RFC 6376.
---
--- ```lua
--- local signer = assert(smtp.dkim {
---   domain = "code.energy", selector = "mail2026", key = "/etc/mail/dkim.pem",
--- })
--- local raw = "From: ada@code.energy\r\nSubject: The engine\r\n\r\nIt works.\r\n"
--- raw = assert(signer:sign(raw)) .. raw
--- ```
---@param options smtp.dkim_options|table one key, or a list of options or signers, each of which signs
---@return smtp.dkim_signer? signer
---@return smtp.error? err `kind = "invalid"`
function smtp.dkim(options) end

--- Verifies the signatures of a message; see `verify` of `smtp.dkim`.
---@param message string|function|file*|table
---@param options smtp.dkim_verify_options
---@return smtp.dkim_result[]? results
---@return smtp.error? err `kind = "source"`: the message cannot be read
function smtp.dkim_verify(message, options) end

--- The keys that a server stores for SCRAM, in place of the password (RFC 5802 section 3):
--- return them from `auth.lookup`. The calculation is slow on purpose.
---@param password string
---@param options? { mechanism?: "SCRAM-SHA-256"|"SCRAM-SHA-1", iterations?: integer, salt?: string } defaults: SCRAM-SHA-256, 4096, 16 random bytes; a client may refuse fewer than 4096 iterations (ours does: RFC 7677 section 4) or very many (ours: above 600000)
---@return smtp.scram_keys keys
function smtp.scram_keys(password, options) end

--- Stored keys. `salt` and the keys are bytes.
---@class smtp.scram_keys
---@field mechanism "SCRAM-SHA-256"|"SCRAM-SHA-1" also good for its -PLUS form
---@field iterations integer
---@field salt string
---@field stored_key string
---@field server_key string

--- Waits; other tasks run meanwhile. `smtp.loop.sleep` is this function.
---@param seconds number
function smtp.sleep(seconds) end

--- A message for `smtp.send` and `client:send`: an envelope and RFC 5322 content. Anything with
--- `envelope` and a method `chunks` is a message, too, such as the message of a server's handler:
--- it is passed on and never held in memory.
---
--- Content goes out with CRLF at the end of every line, also if the line ended in LF or CR, and
--- with its dots doubled (RFC 5321 section 4.5.2).
---@class smtp.outgoing
---@field envelope smtp.envelope
---@field raw? string|function|file* header, empty line and body: a string; a function that gives the next chunk and then nil; or an open file, read from its position. Only a string is examined before: 8-bit bytes in it need a server with 8BITMIME, else the call fails before MAIL (RFC 6152)
---@field mail? smtp.mail_params of MAIL
---@field dkim? smtp.dkim_signer|smtp.dkim_options signs the message, in place of the target's signer
---@field size? integer bytes of the content, if `raw` is a function: declared to the server as SIZE (RFC 1870)

--- Sender and recipients, independent of the header. Addresses are `"ada@code.energy"`,
--- `"Ada <ada@code.energy>"` or `{ address = "ada@code.energy" }`.
---@class smtp.envelope
---@field from string|table the reverse-path; `""` is the null path, of a bounce
---@field to string|table one recipient or a list of them, `{ "a@b.example", "c@d.example" }`, not a text with commas as in a record; a table may also have parameters of RCPT (`smtp.rcpt_params`, except `params`): `{ address = "ada@code.energy", notify = "NEVER" }`

---@class smtp.send_options
---@field deadline? number seconds from the call until it gives up (`kind = "timeout"`)
---@field progress? fun(sent: integer, size?: integer) called during sending with the bytes so far, and the total if it is known
---@field received? boolean for a server's message, its `chunks()`, or a parsed copy: puts our Received field in front (RFC 5321 section 4.4), which ends a mail loop. Default true; false is for a proxy that hides itself
---@field prepend? string whole header fields, each line with its CRLF, in front of the message. A Return-Path is left out. A Received of ours replaces the field that would be made

return smtp
