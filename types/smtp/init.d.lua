-- SPDX-License-Identifier: MIT
---@meta smtp
---
--- `local smtp = require "smtp"`.
---
--- What can fail at run time returns `nil, err` (`smtp.error`). Misuse, such as an
--- unknown option or a value of the wrong type, raises. Times are seconds, sizes
--- are bytes; a size may also be text, `"25M"` being 25 MiB.
---
--- Everything that waits does so by `smtp.loop.wait`: in a task it lets the other
--- tasks run, elsewhere it runs them until it has what it waited for. So a script
--- that just calls `smtp.send` blocks, and a server in the same process goes on.

---@class smtp
---@field _VERSION string the version of the library
---@field address smtp.address parsing of mail addresses
---@field loop smtp.loop the tasks and the one place to wait
---@field mta_sts smtp.mta_sts the policies of MTA-STS
local smtp = {}

--- Sends one message over a connection of its own: connect, greeting, EHLO, the
--- transaction, QUIT.
---
--- Some recipients refused and one accepted is a success: see `receipt.rejected`.
--- None accepted is `nil, err` with `err.kind == "rejected"` and `err.rejected`.
--- Only `err.outcome == "not_sent"` may be tried again blindly. RFC 5321 section 3.3.
---
--- ```lua
--- local receipt, err = smtp.send("localhost", {
---   envelope = { from = "ada@code.energy", to = { "charles@example.com" } },
---   raw = "Subject: The engine\r\n\r\nIt works.\r\n",
--- })
--- ```
---@param target string|smtp.target where to: a URL, `host`, `host:port` or a table
---@param message smtp.record|smtp.outgoing|smtp.message|smtp.parsed a record that is composed; content with its envelope; or anything with `envelope` and `chunks`, such as what `smtp.message` and `smtp.parse` gave, or what a server's handler got and has not read
---@param options? smtp.send_options
---@return smtp.receipt? receipt nil if it was not accepted
---@return smtp.error? err
function smtp.send(target, message, options) end

--- Delivers a message straight to the servers of its recipients' domains, without a
--- relay: each domain is looked up, and its hosts are tried in order. See
--- `smtp.deliver`, the page, for what is tried again and what is not.
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
---@return smtp.delivery? result nil if no recipient has it
---@return smtp.error? err of the domain that is the most worth trying again; `err.rejected` has each recipient
function smtp.deliver(message, options) end

--- The hosts that take the mail of a domain, in the order in which to try them: by
--- preference, and those of one preference shuffled. Without any MX the domain is its own
--- host (`implicit`), as is an address literal like `[192.0.2.1]`. RFC 5321 section 5.1.
---
--- `err.kind` is `"dns"`. It is `temporary` where nobody could say, which never is taken for
--- an answer; else `err.code` and `err.enhanced` are 556 and 5.1.10 for a domain that takes
--- no mail (null MX, RFC 7505), 550 and 5.1.2 for one that is not there, 5.4.4 where no MX
--- names a host.
---
--- ```lua
--- for _, mx in ipairs(assert(smtp.mx("example.com"))) do print(mx.preference, mx.host) end
--- ```
---@param domain string other letters than those of ASCII become A-labels, as in `smtp.target`
---@param options? { nameserver?: string, timeout?: number } as of `smtp.deliver`; default 15 seconds
---@return smtp.mx_host[]? hosts
---@return smtp.error? err
function smtp.mx(domain, options) end

--- Connects, and returns after the greeting and the reply to EHLO (HELO, where a
--- 5xx answers EHLO). Close it, or let a `<close>` variable do so. RFC 5321
--- sections 3.1, 3.2 and 4.1.1.1.
---
--- ```lua
--- local client <close> = assert(smtp.connect { host = "localhost", helo = "client.code.energy" })
--- print(client.greeting.text, client.capabilities.SIZE)
--- ```
---@param target string|smtp.target
---@return smtp.client? client
---@return smtp.error? err
function smtp.connect(target) end

--- A pool of connections to one target, for many messages: it keeps connections, their
--- number and a rate, and tries again what may be tried again. It connects when something
--- is sent.
---
--- ```lua
--- local pool <close> = assert(smtp.pool { url = "smtp://localhost", size = 4, rate = 10 })
--- local receipt, err = pool:send(message)
--- ```
---@param options string|smtp.pool_options
---@return smtp.pool? pool
---@return smtp.error? err `kind = "invalid"`: the URL is none
function smtp.pool(options) end

--- Opens the listeners and begins to accept as soon as the loop runs: `server:run()`,
--- or anything else that waits. `nil, err` with `err.stage == "listen"` if a place
--- cannot be bound.
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

--- Connects and does nothing else: nothing is read and nothing is written until it
--- is told to. It never starts TLS by itself.
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

--- Makes a message of a record: right by construction, of a known size, files read only
--- as it is sent. The record is not changed.
---
--- ```lua
--- local message = assert(smtp.message {
---   from = "Ada <ada@code.energy>", to = "charles@example.com", subject = "The engine",
---   text = "It works.", attachments = { "drawing.pdf" },
--- })
--- ```
---@param record smtp.record|smtp.parsed a result of `smtp.parse` is composed again from its fields, without malformed addresses, ids and dates
---@return smtp.message? message
---@return smtp.error? err
function smtp.message(record) end

--- A part of a tree that is given as `part` in a record. Misuse raises.
---@param options smtp.part_options
---@return table part
function smtp.part(options) end

--- What receivers would hold against a message: missing Date, From or Message-ID, fields
--- that stand there twice, Bcc, long lines, bare CR or LF, 8-bit bytes that are not
--- declared, a DKIM signature of another domain, List-Unsubscribe without one click.
---@param message string|function|file*|table anything that `smtp.parse` takes
---@return smtp.complaint[]? found empty if all is well
---@return smtp.error? err
function smtp.lint(message) end

--- A delivery status notification to the sender of a message that could not be
--- delivered, from the null path (RFC 3464); none for a message from there.
---@param message table anything with `envelope` and `chunks`; of a server's message that was read already the header goes back
---@param failures smtp.failure|smtp.failure[]|smtp.receipt|smtp.error a receipt: those in `rejected`; an error: all recipients but those that have it
---@param options? smtp.bounce_options
---@return smtp.message? bounce
---@return smtp.error? err `kind = "unsupported"` for the null path
function smtp.bounce(message, failures, options) end
--- Reads a message (RFC 5322, MIME). Whatever the bytes are, the result is an object:
--- what is no mail has no headers, or parts that are not told apart. Content is read
--- to its end here, and the rest when it is asked for, in time that is linear. A file is
--- left at its end; of a string, it is the message and not a path.
---
--- A message that a handler of a server got is read once, so parse it and use the result,
--- which keeps the envelope that it came with:
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
--- Makes a signer of DKIM; the same as `new` of `smtp.dkim`. RFC 6376.
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

--- Verifies the signatures of a message; the same as `verify` of `smtp.dkim`.
---@param message string|function|file*|table
---@param options smtp.dkim_verify_options
---@return smtp.dkim_result[]? results
---@return smtp.error? err `kind = "source"`: the message cannot be read
function smtp.dkim_verify(message, options) end

--- What a server keeps of a password for SCRAM, in place of the password itself (RFC
--- 5802 section 3): give it back from `auth.lookup`. It is made slowly on purpose.
---@param password string
---@param options? { mechanism?: "SCRAM-SHA-256"|"SCRAM-SHA-1", iterations?: integer, salt?: string } defaults: SCRAM-SHA-256, 4096, 16 random bytes; a client may refuse fewer than 4096 iterations (ours does: RFC 7677 section 4) or very many (ours: above 600000)
---@return smtp.scram_keys keys
function smtp.scram_keys(password, options) end

--- Salt and keys are bytes.
---@class smtp.scram_keys
---@field mechanism "SCRAM-SHA-256"|"SCRAM-SHA-1" also good for its -PLUS form
---@field iterations integer
---@field salt string
---@field stored_key string
---@field server_key string

--- Waits; other tasks run meanwhile. The same as `smtp.loop.sleep`.
---@param seconds number
function smtp.sleep(seconds) end

--- What `smtp.send` and `client:send` send: an envelope and RFC 5322 content.
--- Anything with `envelope` and a method `chunks` will do as well, such as the
--- message that a server's handler got, which so is passed on without being held
--- in memory.
---
--- Content goes out with CRLF at the end of every line, whatever it had (CRLF, LF or
--- CR), and with its dots doubled (RFC 5321 section 4.5.2).
---@class smtp.outgoing
---@field envelope smtp.envelope
---@field raw? string|function|file* header, empty line and body: a string; a function that gives the next chunk and then nil; or an open file, read from where it stands. Only a string is looked at beforehand: 8-bit bytes in it need a server with 8BITMIME, else the call fails before MAIL (RFC 6152)
---@field mail? smtp.mail_params of MAIL
---@field dkim? smtp.dkim_signer|smtp.dkim_options signs it, in place of the target's
---@field size? integer bytes of the content, where `raw` is a function: told to the server as SIZE (RFC 1870)

--- Who sends and who receives, independent of what the header says. Addresses are
--- `"ada@code.energy"`, `"Ada <ada@code.energy>"` or `{ address = "ada@code.energy" }`.
---@class smtp.envelope
---@field from string|table the reverse-path; `""` is the null path, of a bounce
---@field to string|table one recipient or a list of them, `{ "a@b.example", "c@d.example" }`, not a text with commas as in a record; a table may have parameters of RCPT besides (`smtp.rcpt_params`, but for `params`): `{ address = "ada@code.energy", notify = "NEVER" }`

---@class smtp.send_options
---@field deadline? number seconds from the call after which it is given up (`kind = "timeout"`)
---@field progress? fun(sent: integer, size?: integer) called as content is handed over: bytes so far, and of how many if that is known
---@field received? boolean of a server's message, what `chunks()` of it gives, or a parsed copy of it: our Received field stands in front (RFC 5321 section 4.4), which ends a loop of mail. Default true; false is for a proxy that hides
---@field prepend? string whole header fields, each line with its CRLF, in front of the message. A Return-Path is left out, and a Received of ours takes the place of the one that would be made

return smtp
