-- SPDX-License-Identifier: MIT
---@meta smtp.session
---
--- One connection to a server, for its handlers, with the sender and recipients of a transaction.

--- You may add fields of your own under free names.
---@class smtp.session
---@field peer smtp.peer
---@field helo? string the name in the accepted HELO, EHLO or LHLO; within `on_helo`, the name to be judged
---@field esmtp boolean true after EHLO or LHLO
---@field lmtp boolean the protocol is LMTP (RFC 2033)
---@field tls? smtp.tls_info nil in clear text; after XCLIENT without a certificate, since that was the proxy's
---@field user? string the user proved by AUTH; forgotten at STARTTLS
---@field mechanism? string the mechanism of AUTH; `"XCLIENT"` if XCLIENT named the user
---@field proxy? smtp.proxied the PROXY header at the start
---@field xclient? smtp.forwarded the last attributes of XCLIENT; `peer`, `helo`, `esmtp` and `user` come from them
---@field xforward? smtp.forwarded the origin of the current message, from XFORWARD; void after the message, RSET and EHLO
---@field sender? smtp.sender of the transaction
---@field recipients? smtp.recipient[] of the transaction: the accepted ones so far
---@field messages integer messages of this session so far
---@field server smtp.server

---@class smtp.peer
---@field address string IPv4 or IPv6; `""` on a Unix socket; `"unknown"` if XCLIENT does not know it. A proxy may give the path of a Unix socket of its own
---@field port? integer
---@field name? string from XCLIENT

--- The contents of a PROXY header. `peer` is the client in the header, or the proxy itself if the
--- header names no client (LOCAL, UNKNOWN).
---@class smtp.proxied
---@field version integer 1 or 2
---@field command "PROXY"|"LOCAL" LOCAL: the proxy's own connection, such as a health check
---@field address string of the proxy
---@field port? integer of the proxy
---@field destination? { address: string, port?: integer } the address that the client connected to
---@field tlvs { type: integer, value: string }[] of version 2, unchanged; a checksum (type 3) was right

--- Attributes of XCLIENT and XFORWARD, decoded; false: not known ("[UNAVAILABLE]").
---@class smtp.forwarded
---@field name? string|false
---@field temporary? true the look-up of the name failed for now ("[TEMPUNAVAIL]")
---@field addr? string|false
---@field port? integer|false
---@field proto? string|false
---@field helo? string|false the name in the client's HELO, not checked
---@field login? string|false XCLIENT
---@field destaddr? string|false XCLIENT: the address that the client connected to
---@field destport? integer|false XCLIENT
---@field ident? string|false XFORWARD: the name of the message in the queue of the forwarder
---@field source? string|false XFORWARD: `"LOCAL"` or `"REMOTE"`

--- The sender in MAIL (RFC 5321 section 4.1.1.2). A source route was dropped.
---@class smtp.sender : smtp.path
---@field size? integer the size declared by SIZE (RFC 1870)
---@field body? "7BIT"|"8BITMIME"|"BINARYMIME" the type declared by BODY (RFC 6152, RFC 3030)
---@field smtputf8? boolean addresses and header may have UTF-8 (RFC 6531)
---@field ret? "FULL"|"HDRS" how much of the message a delivery report contains (RFC 3461)
---@field envid? string the sender's name of the envelope, decoded (RFC 3461)
---@field prdr? boolean the client wants a reply for each recipient (draft-hall-prdr-00)
---@field requiretls? boolean no hop without verified TLS (RFC 8689)
---@field by? { seconds: integer, mode: "return"|"notify", trace?: boolean } seconds until the message has no use any more (RFC 2852); negative if it is late
---@field priority? integer -9 to 9 (RFC 6710)
---@field hold_for? integer seconds (RFC 4865)
---@field hold_until? string a date-time of RFC 3339 (RFC 4865)
---@field auth? string the identity in AUTH= (RFC 4954 section 5); `""`, that is `<>`, unless the client is authenticated
---@field params table<string, string|true> every parameter, unchanged, by key in upper case

--- A recipient in RCPT (RFC 5321 section 4.1.1.3).
---@class smtp.recipient : smtp.path
---@field notify? string[] `{ "NEVER" }`, or some of SUCCESS, FAILURE and DELAY (RFC 3461)
---@field orcpt? string the original recipient, decoded: `"rfc822;ada@code.energy"` (RFC 3461), in UTF-8 for the type utf-8 (RFC 6533 section 3)
---@field rrvs? string a date-time, and `;C` or `;R`: the owner of the mailbox must not have changed since (RFC 7293)
---@field params table<string, string|true> every parameter, unchanged, by key in upper case

---@class smtp.summary
---@field reason string `"quit"`, `"closed"` (by the client), `"timeout"`, `"shutdown"`, `"connections"`, `"proxy"` (no header), `"tls"` (no handshake), `"refused"`, `"cancelled"`, or the last reply's text
---@field messages integer messages of the session

return {}
