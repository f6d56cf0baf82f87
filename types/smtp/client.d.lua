-- SPDX-License-Identifier: MIT
---@meta smtp.client
---
--- One connection to a server, as `smtp.connect` gives it. A 4xx or 5xx reply leaves
--- it usable, and `send` resets what it left open. A 421, a breach of the protocol,
--- a time-out or an I/O error closes it. Methods of a closed client raise, but for
--- `close`, `usable` and `transcript`.

---@class smtp.client
---@field greeting smtp.reply
---@field esmtp boolean EHLO was accepted; false: HELO was
---@field helo string our name, as it was sent
---@field capabilities smtp.capabilities of the last EHLO: after STARTTLS that is another one
---@field tls? smtp.tls_info nil in clear text
local client = {}

--- The same as `smtp.connect`.
---@package
function client.connect(target) end

--- Sends a message: a whole transaction, as few round trips as the server allows.
--- With PIPELINING the envelope and DATA go out in one flight (RFC 2920).
---
--- Some refused, one accepted is a success. `nil, err` by `err.kind`: `"rejected"`
--- (the sender, every recipient, or the content), `"too_big"` and `"unsupported"`
--- (before MAIL, by what the server offers), `"invalid"` (an address),
--- `"source"` (`raw` failed or gave no string; the connection is closed, since
--- nothing else keeps the server from taking what it has), `"timeout"`, `"closed"`,
--- `"protocol"`.
---@param message smtp.outgoing
---@param options? smtp.send_options
---@return smtp.receipt? receipt
---@return smtp.error? err
function client:send(message, options) end

--- Sends many messages, as many of them at a time as the server and the window allow:
--- with PIPELINING the next envelope follows the final dot in its flight (RFC 2920
--- section 3.1), with CHUNKING whole messages do (RFC 3030). What came of each is given
--- in their order, and may differ: one that the server or `send` itself refuses does not
--- keep the next ones from going. When the connection is lost, those without a reply have
--- `err.outcome == "unknown"` if their last byte was sent, else `"not_sent"`, and all that
--- follow are `kind = "closed"`.
---
--- Leaving the loop early waits for the replies to what was sent; an error that leaves it
--- closes the client. Within the loop the client can do nothing else.
---
--- ```lua
--- for i, receipt, err, message in client:send_all(messages) do
---   print(i, receipt and receipt.text or err)
--- end
--- ```
---@param messages smtp.outgoing[]|fun(): smtp.outgoing? a list, or a function that gives the next one and then nil; what was sent so far goes out before it is called, since it may wait
---@param options? smtp.send_all_options
---@return fun(): integer?, smtp.receipt?, smtp.error?, smtp.outgoing? next for `for`: the number of the message, its receipt, or nil and an error, and the message
function client:send_all(messages, options) end

---@class smtp.send_all_options
---@field window? integer messages that may wait for their replies; default 256
---@field window_bytes? integer|string bytes of them; default `"1M"`. One message may always go
---@field deadline? number seconds for all of it
---@field progress? fun(sent: integer, size?: integer) of each message, as in `smtp.send_options`
---@field received? boolean as in `smtp.send_options`
---@field prepend? string as in `smtp.send_options`, of each message

--- Sends a command line and gives the reply whatever its code. DATA, BDAT, STARTTLS
--- and AUTH are refused (`kind = "invalid"`), as are controls, 8-bit bytes and more than
--- 2048 bytes. QUIT is `quit`.
---@param line string without CRLF, such as `"VRFY ada"`
---@return smtp.reply? reply
---@return smtp.error? err
function client:command(line) end

--- Parameters of MAIL. Where the server does not offer what one needs, it fails with
--- `kind = "unsupported"`; but `size`, `body` (not BINARYMIME), `prdr` and `priority` are
--- then left out, and of a message that came to a server, too, what only asks for reports.
--- A value that is not of its grammar, or beyond what EHLO tells, is `kind = "invalid"`.
---@class smtp.mail_params
---@field size? integer|string bytes (RFC 1870)
---@field body? "7BIT"|"8BITMIME"|"BINARYMIME" (RFC 6152); BINARYMIME: the content goes by chunks, with no byte of it changed, and needs CHUNKING (RFC 3030)
---@field prdr? boolean a reply for each recipient (draft-hall-prdr-00); by itself where it is offered and there is more than one; false: not so
---@field smtputf8? boolean (RFC 6531); by itself where an address needs it
---@field ret? "FULL"|"HDRS" what a delivery report has of the message (RFC 3461)
---@field envid? string comes back in the report, any text without controls (RFC 3461)
---@field requiretls? boolean no hop without verified TLS, this one among them (RFC 8689)
---@field by? { seconds: integer, mode: "return"|"notify", trace?: boolean } in how many seconds it must be delivered, else it is returned, or told of; with `"return"` no less than EHLO tells, else `err.enhanced` is 5.4.7 (RFC 2852)
---@field priority? integer -9 to 9 (RFC 6710)
---@field hold_for? integer seconds until it goes on, as many as EHLO allows (RFC 4865)
---@field hold_until? string the same as a date-time of RFC 3339; one of the two
---@field params? table<string, string|true> others, as they are; those that `extensions` of the target names need their keyword

--- Parameters of RCPT.
---@class smtp.rcpt_params
---@field notify? string|string[] `"NEVER"`, or some of SUCCESS, FAILURE and DELAY (RFC 3461)
---@field orcpt? string the recipient that was meant at first: `"ada@code.energy"`, or with its type, `"rfc822;ada@code.energy"` (RFC 3461). UTF-8 is of the type utf-8, and is sent in ASCII (RFC 6533 section 3)
---@field rrvs? string a date-time since when the mailbox must have had its owner. With `;C` behind it, it is left out where RRVS is not offered; else that is `kind = "unsupported"`, 5.7.19 (RFC 7293)
---@field params? table<string, string|true> others, as they are

--- MAIL. This and the next five give the reply if it is 2xx, else `nil, err` with
--- `kind = "rejected"`. RFC 5321 section 4.1.1.2.
---@param sender string|table an address; `""` is the null path
---@param params? smtp.mail_params
---@return smtp.reply? reply
---@return smtp.error? err
function client:mail(sender, params) end

--- RCPT. RFC 5321 section 4.1.1.3.
---@param recipient string|table an address
---@param params? smtp.rcpt_params
---@return smtp.reply? reply
---@return smtp.error? err
function client:rcpt(recipient, params) end

--- DATA, the content, and its final reply. RFC 5321 section 4.1.1.4.
--- By LMTP there is a reply for each accepted recipient: `reply.replies` has all of them.
---@param content string|function|file*|table as `raw` of a message; or a message, such as a server's
---@param options? { received?: boolean, prepend?: string } as in `smtp.send_options`
---@return smtp.reply? reply of the content; by LMTP the first that is 2xx
---@return smtp.error? err
function client:data(content, options) end

--- RSET: drops the transaction. RFC 5321 section 4.1.1.5.
---@return smtp.reply? reply
---@return smtp.error? err
function client:reset() end

--- NOOP. RFC 5321 section 4.1.1.9.
---@return smtp.reply? reply
---@return smtp.error? err
function client:noop() end

--- VRFY; most servers answer 252 to anything. RFC 5321 section 4.1.1.6.
---@param text string a user or an address; other letters than those of ASCII go with SMTPUTF8, or are `kind = "unsupported"` (RFC 6531), but in a domain, which goes as in `client:rcpt`
---@return smtp.reply? reply
---@return smtp.error? err
function client:vrfy(text) end

--- XCLIENT: the session goes on as that of another client, from EHLO, which is said
--- anew; a login is void. The server must trust us, and offer each attribute that is
--- told. See Postfix's XCLIENT_README.
---@param told { name?: string|false, addr?: string|false, port?: integer|false, proto?: "SMTP"|"ESMTP", helo?: string|false, login?: string|false, destaddr?: string|false, destport?: integer|false } false: it is not known
---@return smtp.reply? reply the new greeting
---@return smtp.error? err `kind = "unsupported"`, `"invalid"` or `"rejected"`
function client:xclient(told) end

--- XFORWARD: of whom the next message is. See Postfix's XFORWARD_README.
---@param told { name?: string|false, addr?: string|false, port?: integer|false, proto?: string|false, helo?: string|false, ident?: string|false, source?: "LOCAL"|"REMOTE" }
---@return smtp.reply? reply
---@return smtp.error? err
function client:xforward(told) end

--- QUIT: waits `timeout.quit` seconds at most for the reply, and closes in any case.
--- RFC 5321 section 4.1.1.10.
---@return smtp.reply? reply
---@return smtp.error? err
function client:quit() end

--- Closes without QUIT, never blocks, and does nothing the second time. `<close>`
--- does the same.
function client:close() end

--- Tells whether commands can be sent.
---@return boolean
function client:usable() end

--- The last 32 commands and replies, `C:` or `S:` in front, controls escaped.
---@return string
function client:transcript() end

--- A reply of a server. RFC 5321 section 4.2.
---@class smtp.reply
---@field code integer three digits; the first decides
---@field enhanced? string such as `"5.1.1"`, if the server offers ENHANCEDSTATUSCODES (RFC 2034, RFC 3463)
---@field text string all lines, joined by LF, without the first enhanced code
---@field lines string[] each line as it came, without the code
---@field replies? smtp.reply[] of `client:data` by LMTP

--- What EHLO offered, by keyword in upper case: true, or the text behind it. What
--- `disable` names is left out. RFC 5321 section 4.1.1.1.
---@class smtp.capabilities
---@field SIZE? integer the largest message it takes; 0: it did not say (RFC 1870)
---@field AUTH? table<string, true> the mechanisms, in upper case
---@field PIPELINING? true RFC 2920
---@field LIMITS? string such as `"RCPTMAX=100 MAILMAX=20"`. They are kept to: recipients beyond RCPTMAX go in more transactions, and where MAILMAX or RCPTDOMAINMAX is used up the client connects anew. What is malformed or unknown is ignored (RFC 9422)

--- The outcome of a message that was accepted for one recipient at least.
---@class smtp.receipt
---@field code integer of the final reply
---@field enhanced? string
---@field text string its text: here servers put the queue id
---@field lines string[]
---@field accepted string[] the mailboxes it was accepted for
---@field rejected smtp.rejection[] those it was not, in order; by LMTP and PRDR also those whose reply to the content was no. 552 to RCPT is as 452 (RFC 5321 section 4.5.3.1.10): where the content can be read again, who was too many goes in another transaction
---@field replies? smtp.recipient_reply[] by LMTP and PRDR: what each accepted recipient's server said, in order
---@field relayed? string[] of a message that came to a server: accepted recipients of whom the client wanted to hear a success (NOTIFY), which this server does not tell; who passes mail on tells it, as "relayed" (RFC 3461 section 5.2.2)
---@field used { pipelining: boolean, chunking: boolean, smtputf8?: true, downgraded?: true, tls?: string, auth?: string } tls is `"TLSv1.3"`, auth the mechanism; `downgraded`: what was 8-bit in it was encoded anew, since the server has no 8BITMIME

--- What is known of a TLS connection.
---@class smtp.tls_info
---@field version string `"TLSv1.3"` or `"TLSv1.2"`
---@field cipher string
---@field verified boolean the peer's certificate is trusted and, for a client, is for the host
---@field distrust? string why it is not
---@field dane boolean client: it was known by TLSA records (RFC 7672)
---@field resumed boolean an earlier session was resumed
---@field alpn? string `"smtp"` if both said so
---@field sni? string server: the name that the client wants
---@field certificate? smtp.tls_certificate of the peer

--- A certificate. What it says was chosen by whoever made it.
---@class smtp.tls_certificate
---@field subject string as RFC 2253 writes it
---@field issuer string
---@field names string[] host names in subjectAltName
---@field addresses string[] IP addresses there
---@field emails string[] mail addresses there
---@field fingerprint string SHA-256, in hex
---@field verified boolean
---@field expires_in integer seconds; negative: it has expired

--- What one recipient was told of the content (RFC 2033 section 4.2, draft-hall-prdr-00).
---@class smtp.recipient_reply
---@field address string
---@field code integer
---@field enhanced? string
---@field text string
---@field lines string[]

--- A recipient that was refused.
---@class smtp.rejection
---@field address string
---@field code integer
---@field enhanced? string
---@field text string
---@field lines string[]
---@field temporary boolean a 4xx: try it later
---@field stage? string of `smtp.deliver`: what its host failed at, as `err.stage`

return client
