-- SPDX-License-Identifier: MIT
---@meta smtp.client
---
--- One connection to a server, made by `smtp.connect`. After a 4xx or 5xx reply the client is
--- still usable, and `send` resets an open transaction. A 421, a breach of the protocol, a
--- time-out or an I/O error closes it. Methods of a closed client raise, except `close`,
--- `usable` and `transcript`.

---@class smtp.client
---@field greeting smtp.reply
---@field esmtp boolean true: EHLO was accepted; false: HELO was
---@field helo string our name, as it was sent
---@field capabilities smtp.capabilities of the last EHLO; STARTTLS is followed by a new EHLO
---@field tls? smtp.tls_info nil in clear text
local client = {}

--- See `smtp.connect`.
---@package
function client.connect(target) end

--- Sends a message: a whole transaction, in as few round trips as the server allows.
--- With PIPELINING the envelope and DATA go out in one flight (RFC 2920).
---
--- If at least one recipient is accepted, the call succeeds. Else it returns `nil, err`.
--- `err.kind` is `"rejected"` (the sender, every recipient, or the content), `"too_big"` and
--- `"unsupported"` (before MAIL, by the server's offers), `"invalid"` (an address), `"source"`
--- (`raw` failed or gave no string; the connection is closed, since nothing else keeps the server
--- from accepting an incomplete message), `"timeout"`, `"closed"` or `"protocol"`.
---@param message smtp.outgoing
---@param options? smtp.send_options
---@return smtp.receipt? receipt
---@return smtp.error? err
function client:send(message, options) end

--- Sends many messages, as many at a time as the server and the window allow: with PIPELINING
--- the next envelope follows the final dot in its flight (RFC 2920 section 3.1), with CHUNKING
--- whole messages do (RFC 3030). The results come in the order of the messages. If a message is
--- refused, by the server or by `send` itself, the next ones still go out. If the connection is
--- lost, a message without a reply has `err.outcome == "unknown"` if its last byte was sent,
--- else `"not_sent"`; all later messages are `kind = "closed"`.
---
--- If you leave the loop early, it waits for the replies to the sent messages. An error in the
--- loop closes the client. Within the loop the client can do nothing else.
---
--- ```lua
--- for i, receipt, err, message in client:send_all(messages) do
---   print(i, receipt and receipt.text or err)
--- end
--- ```
---@param messages smtp.outgoing[]|fun(): smtp.outgoing? a list, or a function that gives the next message, and nil at the end; the queued bytes are written before each call, since the function may wait
---@param options? smtp.send_all_options
---@return fun(): integer?, smtp.receipt?, smtp.error?, smtp.outgoing? next for `for`: the number of the message; its receipt, or nil and an error; the message
function client:send_all(messages, options) end

---@class smtp.send_all_options
---@field window? integer messages that may wait for their replies; default 256
---@field window_bytes? integer|string bytes of these messages; default `"1M"`. One message may always go out
---@field deadline? number seconds for all messages together
---@field progress? fun(sent: integer, size?: integer) of each message, as in `smtp.send_options`
---@field received? boolean as in `smtp.send_options`
---@field prepend? string as in `smtp.send_options`, of each message

--- Sends a command line and returns the reply, of any code. DATA, BDAT, STARTTLS and AUTH are
--- refused (`kind = "invalid"`), as are controls, 8-bit bytes and lines of more than 2048
--- bytes. For QUIT use `quit`.
---@param line string without CRLF, such as `"VRFY ada"`
---@return smtp.reply? reply
---@return smtp.error? err
function client:command(line) end

--- Parameters of MAIL. If the server does not offer the extension of a parameter, the call fails
--- with `kind = "unsupported"`. `size`, `body` (not BINARYMIME), `prdr` and `priority` are left
--- out instead; so are requests for reports in a message that came to a server. A malformed
--- value, or one beyond the server's limit in EHLO, is `kind = "invalid"`.
---@class smtp.mail_params
---@field size? integer|string bytes (RFC 1870)
---@field body? "7BIT"|"8BITMIME"|"BINARYMIME" (RFC 6152); BINARYMIME: the content goes in chunks, unchanged, and needs CHUNKING (RFC 3030)
---@field prdr? boolean a reply for each recipient (draft-hall-prdr-00); default: if the server offers it and there is more than one recipient
---@field smtputf8? boolean (RFC 6531); default: if an address needs it
---@field ret? "FULL"|"HDRS" how much of the message a delivery report contains (RFC 3461)
---@field envid? string an identifier that comes back in the report, any text without controls (RFC 3461)
---@field requiretls? boolean no hop without verified TLS, including this one (RFC 8689)
---@field by? { seconds: integer, mode: "return"|"notify", trace?: boolean } seconds until the message must be delivered; then it is returned, or the sender is notified. With `"return"` no less than EHLO offers, else `err.enhanced` is 5.4.7 (RFC 2852)
---@field priority? integer -9 to 9 (RFC 6710)
---@field hold_for? integer seconds until the server sends the message on, as many as EHLO allows (RFC 4865)
---@field hold_until? string the end of that time, a date-time of RFC 3339; in place of `hold_for`
---@field params? table<string, string|true> other parameters, unchanged; those in `extensions` of the target need their keyword

--- Parameters of RCPT.
---@class smtp.rcpt_params
---@field notify? string|string[] `"NEVER"`, or some of SUCCESS, FAILURE and DELAY (RFC 3461)
---@field orcpt? string the original recipient: `"ada@code.energy"`, or with its type, `"rfc822;ada@code.energy"` (RFC 3461). UTF-8 has the type utf-8, and is sent in ASCII (RFC 6533 section 3)
---@field rrvs? string a date-time: the owner of the mailbox must not have changed since. If the server does not offer RRVS, a value with `;C` at its end is left out; any other is `kind = "unsupported"`, 5.7.19 (RFC 7293)
---@field params? table<string, string|true> others, as they are

--- MAIL. This method and the next five return the reply if it is 2xx, else `nil, err` with
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
---@param text string a user or an address. A non-ASCII user needs SMTPUTF8, else it is `kind = "unsupported"` (RFC 6531); a non-ASCII domain goes as in `client:rcpt`
---@return smtp.reply? reply
---@return smtp.error? err
function client:vrfy(text) end

--- XCLIENT: the session becomes that of another client. EHLO is sent again; a login is void.
--- The server must trust us, and offer each of the given attributes. See Postfix's
--- XCLIENT_README.
---@param told { name?: string|false, addr?: string|false, port?: integer|false, proto?: "SMTP"|"ESMTP", helo?: string|false, login?: string|false, destaddr?: string|false, destport?: integer|false } false: not known
---@return smtp.reply? reply the new greeting
---@return smtp.error? err `kind = "unsupported"`, `"invalid"` or `"rejected"`
function client:xclient(told) end

--- XFORWARD: the origin of the next message. See Postfix's XFORWARD_README.
---@param told { name?: string|false, addr?: string|false, port?: integer|false, proto?: string|false, helo?: string|false, ident?: string|false, source?: "LOCAL"|"REMOTE" }
---@return smtp.reply? reply
---@return smtp.error? err
function client:xforward(told) end

--- QUIT: waits `timeout.quit` seconds at most for the reply, and closes in any case.
--- RFC 5321 section 4.1.1.10.
---@return smtp.reply? reply
---@return smtp.error? err
function client:quit() end

--- Closes without QUIT, never blocks, and does nothing the second time. `<close>` calls it.
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
---@field lines string[] each line as received, without the code
---@field replies? smtp.reply[] of `client:data` by LMTP

--- The offers in the reply to EHLO, by keyword in upper case: true, or the text after the
--- keyword. Keywords in `disable` are left out. RFC 5321 section 4.1.1.1.
---@class smtp.capabilities
---@field SIZE? integer the largest message that the server accepts; 0: not stated (RFC 1870)
---@field AUTH? table<string, true> the mechanisms, in upper case
---@field PIPELINING? true RFC 2920
---@field LIMITS? string such as `"RCPTMAX=100 MAILMAX=20"`. The client obeys them: recipients beyond RCPTMAX go in more transactions, and if MAILMAX or RCPTDOMAINMAX is used up the client connects again. Malformed and unknown limits are ignored (RFC 9422)

--- The outcome of a message that was accepted for one recipient at least.
---@class smtp.receipt
---@field code integer of the final reply
---@field enhanced? string
---@field text string the text of that reply; servers put the queue id here
---@field lines string[]
---@field accepted string[] the mailboxes of the accepted recipients
---@field rejected smtp.rejection[] the refused recipients, in order; by LMTP and PRDR also those with a refusal of the content. 552 to RCPT counts as 452 (RFC 5321 section 4.5.3.1.10): if the content can be read again, the surplus recipients go in another transaction
---@field replies? smtp.recipient_reply[] by LMTP and PRDR: the reply to the content for each accepted recipient, in order
---@field relayed? string[] of a message that came to a server: accepted recipients for whom the client asked to be notified of success (NOTIFY) and this server does not do so. A relay then reports them as "relayed" (RFC 3461 section 5.2.2)
---@field used { pipelining: boolean, chunking: boolean, smtputf8?: true, downgraded?: true, tls?: string, auth?: string } tls is `"TLSv1.3"`, auth the mechanism; `downgraded`: 8-bit content was encoded again, since the server has no 8BITMIME

--- The properties of a TLS connection.
---@class smtp.tls_info
---@field version string `"TLSv1.3"` or `"TLSv1.2"`
---@field cipher string
---@field verified boolean the peer's certificate is trusted and, for a client, is for the host
---@field distrust? string the reason if it is not
---@field dane boolean client: the server was verified by TLSA records (RFC 7672)
---@field resumed boolean an earlier session was resumed
---@field alpn? string `"smtp"` if both sides offered it
---@field sni? string server: the name in the client's request
---@field certificate? smtp.tls_certificate of the peer

--- A certificate. Its maker chose its contents: without `verified` they prove nothing.
---@class smtp.tls_certificate
---@field subject string in the form of RFC 2253
---@field issuer string
---@field names string[] host names in subjectAltName
---@field addresses string[] IP addresses there
---@field emails string[] mail addresses there
---@field fingerprint string SHA-256, in hex
---@field verified boolean
---@field expires_in integer seconds; negative: the certificate has expired

--- The reply to the content for one recipient (RFC 2033 section 4.2, draft-hall-prdr-00).
---@class smtp.recipient_reply
---@field address string
---@field code integer
---@field enhanced? string
---@field text string
---@field lines string[]

--- A refused recipient.
---@class smtp.rejection
---@field address string
---@field code integer
---@field enhanced? string
---@field text string
---@field lines string[]
---@field temporary boolean a 4xx: try again later
---@field stage? string of `smtp.deliver`: the stage at which the host failed, as `err.stage`

return client
