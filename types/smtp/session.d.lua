-- SPDX-License-Identifier: MIT
---@meta smtp.session
---
--- One connection to a server, as its handlers see it, and the sender and recipients
--- that they are asked about.

--- Fields of your own may be added under names that are not taken.
---@class smtp.session
---@field peer smtp.peer
---@field helo? string the name in the HELO, EHLO or LHLO that was accepted; within `on_helo`, the one that is asked about
---@field esmtp boolean it was EHLO or LHLO
---@field lmtp boolean LMTP is spoken (RFC 2033)
---@field tls? smtp.tls_info nil in clear text; after XCLIENT without a certificate: that was the proxy's
---@field user? string whom AUTH proved; forgotten at STARTTLS
---@field mechanism? string by which it did; `"XCLIENT"` if that told so
---@field proxy? smtp.proxied the PROXY header that came first
---@field xclient? smtp.forwarded what XCLIENT told last; `peer`, `helo`, `esmtp` and `user` are of it
---@field xforward? smtp.forwarded of whom the message at hand is, as XFORWARD told; void after the message, RSET and EHLO
---@field sender? smtp.sender of the transaction
---@field recipients? smtp.recipient[] of the transaction: those accepted so far
---@field messages integer messages of this session so far
---@field server smtp.server

---@class smtp.peer
---@field address string IPv4 or IPv6; `""` on a Unix socket; `"unknown"` if XCLIENT said so. A proxy may tell of a Unix socket of its own by its path
---@field port? integer
---@field name? string that XCLIENT told

--- What a PROXY header said: `peer` is the client that it told of, or the proxy itself
--- where it told of none (LOCAL, UNKNOWN).
---@class smtp.proxied
---@field version integer 1 or 2
---@field command "PROXY"|"LOCAL" LOCAL: the proxy's own connection, such as a health check
---@field address string of the proxy
---@field port? integer of the proxy
---@field destination? { address: string, port?: integer } where the client connected to
---@field tlvs { type: integer, value: string }[] of version 2, as they came; a checksum (type 3) was right

--- Attributes of XCLIENT and XFORWARD, decoded; false: there is none ("[UNAVAILABLE]").
---@class smtp.forwarded
---@field name? string|false
---@field temporary? true the name could not be looked up now ("[TEMPUNAVAIL]")
---@field addr? string|false
---@field port? integer|false
---@field proto? string|false
---@field helo? string|false whatever the client said
---@field login? string|false XCLIENT
---@field destaddr? string|false XCLIENT: where the client connected to
---@field destport? integer|false XCLIENT
---@field ident? string|false XFORWARD: the name of the message in the queue of whoever forwards it
---@field source? string|false XFORWARD: `"LOCAL"` or `"REMOTE"`

--- What MAIL named (RFC 5321 section 4.1.1.2). A source route was dropped.
---@class smtp.sender : smtp.path
---@field size? integer what SIZE declared (RFC 1870)
---@field body? "7BIT"|"8BITMIME"|"BINARYMIME" what BODY declared (RFC 6152, RFC 3030)
---@field smtputf8? boolean addresses and header may have UTF-8 (RFC 6531)
---@field ret? "FULL"|"HDRS" what a delivery report is to have of the message (RFC 3461)
---@field envid? string the sender's name of the envelope, decoded (RFC 3461)
---@field prdr? boolean the client would hear a reply for each recipient (draft-hall-prdr-00)
---@field requiretls? boolean no hop without verified TLS (RFC 8689)
---@field by? { seconds: integer, mode: "return"|"notify", trace?: boolean } when it is of no use any more (RFC 2852); what is late has a negative number
---@field priority? integer -9 to 9 (RFC 6710)
---@field hold_for? integer seconds (RFC 4865)
---@field hold_until? string a date-time of RFC 3339 (RFC 4865)
---@field auth? string what AUTH= declared (RFC 4954 section 5); `""`, that is `<>`, unless the client is authenticated
---@field params table<string, string|true> every parameter as it was written, by key in upper case

--- What RCPT named (RFC 5321 section 4.1.1.3).
---@class smtp.recipient : smtp.path
---@field notify? string[] `{ "NEVER" }`, or some of SUCCESS, FAILURE and DELAY (RFC 3461)
---@field orcpt? string the recipient that was meant at first, decoded: `"rfc822;ada@code.energy"` (RFC 3461), in UTF-8 for the type utf-8 (RFC 6533 section 3)
---@field rrvs? string a date-time, since when the mailbox has to have had its owner, and `;C` or `;R` (RFC 7293)
---@field params table<string, string|true> every parameter as it was written, by key in upper case

---@class smtp.summary
---@field reason string `"quit"`, `"closed"` (by the client), `"timeout"`, `"shutdown"`, `"connections"`, `"proxy"` (no header), `"tls"` (no handshake), `"refused"`, `"cancelled"`, or the last reply's text
---@field messages integer messages of the session

return {}
