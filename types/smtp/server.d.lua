-- SPDX-License-Identifier: MIT
---@meta smtp.server
---
--- A server, made by `smtp.server`: listeners and limits. Every session is a task of the loop.
--- Functions of yours make the decisions; they may wait (`smtp.sleep`, a client call) while other
--- sessions go on.
---
--- The server offers PIPELINING, SIZE, 8BITMIME, ENHANCEDSTATUSCODES, CHUNKING, SMTPUTF8 and
--- LIMITS; STARTTLS and AUTH with `tls` and `auth`; and the keywords in `extensions`. It enforces
--- the grammar, the order of commands, limits and deadlines itself.
---
--- Some faults end a session at once, since they serve to smuggle mail or to put commands into a
--- TLS session:
---
--- | the client | receives this reply, and the connection closes |
--- |---|---|
--- | sends a byte before the greeting | `554 5.5.0 Please wait for the greeting` |
--- | sends more behind EHLO, HELO, DATA, STARTTLS, AUTH, NOOP, VRFY, EXPN, HELP, XCLIENT or QUIT before their reply (RFC 2920 section 3.1) | `554 5.5.0 Please wait for replies` |
--- | ends a command with a bare LF | `500 5.5.2 Lines must end with CRLF` |
--- | sends BDAT without a proper size | `501 5.5.4 BDAT needs a size, and LAST or nothing` |
--- | speaks HTTP (`GET /`, `Host: x`) | `421 4.7.0 This is an SMTP server` |
--- | goes beyond a limit on errors, junk, messages, failed AUTH or time | `421`, see `smtp.limits` |
---
--- A client that does not read replies, such as `printf ... | nc`, gets one of the first two
--- replies: it must read each reply before it goes on. MAIL, RCPT, RSET and BDAT may be
--- pipelined. A bare CR or LF in content does not end the session: see `bare_newline`.
---
--- Wrong passwords are remembered over all sessions. Each failure delays the next attempt for
--- that user from that address (an IPv6 host has a /64), by 0.1 s at first, then twice as long
--- each time, up to 10 s. After 20 failures the address waits for any user. An attempt that would
--- wait longer is answered 454 4.7.0, without a check of the password. One failure is forgotten
--- in 30 s, a right password ends the delay of its user, and other addresses are not delayed.

---@class smtp.server
---@field address string of the first listener
---@field port? integer of the first listener: read it after `listen = "127.0.0.1:0"`; nil for a Unix socket
---@field listening { address: string, port?: integer }[] address and port of each listener, in order
---@field hostname string
local server = {}

--- See `smtp.server`.
---@package
function server.new(options) end

--- Serves until the server is closed or shut down.
---
--- With `workers` it forks. So many processes serve, each with the listeners of this process and
--- a loop of its own; this process only supervises. It replaces a worker that dies; if workers
--- die during their start, the pause before that grows. At SIGTERM and SIGINT all processes stop
--- accepting and let transactions finish; a second signal ends them at once. At SIGHUP they call
--- `reload_tls`. If this process is killed, the workers end as at SIGTERM. The limits
--- `connections` and `per_ip` are divided among the workers. Existing tasks and sessions stay in
--- this process. Linux only, and one server at a time.
---
--- In a worker this call does not return, and finalizers and `<close>` variables of your script
--- do not run. Handlers and `on_event` are called in the process of the session or fact.
---@param options? smtp.run_options
---@return boolean? clean with workers: false if sessions had to be cut off; nil and an error if workers are not possible
---@return smtp.error? err
function server:run(options) end

---@class smtp.run_options
---@field workers? integer|"auto" number of serving processes; `"auto"`: one for each processor available to this process
---@field grace? number seconds for transactions at the end; default 30. A worker that has not ended two seconds later is killed
---@field on_worker? fun(n: integer) called in worker n, 1 to `workers`, before it accepts, for example to open a database connection of its own. It may wait. An error ends the worker

--- Ends at once. Sessions are cut off. A waiting handler is unwound, and its `<close>` variables
--- are closed: they may wait, for 5 seconds in all, and an error in them is an event of type
--- `"error"`. Workers are killed. Does nothing the second time.
function server:close() end

--- Accepts no more connections, sends 421 to idle sessions, lets transactions finish, then
--- closes.
---@param grace? number seconds for the transactions; default 30. Workers have the `grace` of `run`, and are killed two seconds after this one
---@return boolean clean false if sessions had to be cut off
function server:shutdown(grace) end

--- Reads certificates and keys again, also those of a table `sni`, for new connections. After an
--- error the old ones stay in use.
---@return true? ok
---@return smtp.error? err
function server:reload_tls() end

--- Counts of this process only, without those of workers.
---@return { connections: integer, accepted: integer, messages: integer, workers?: integer[], restarts?: integer } counts connections now; connections accepted and messages taken since the start; in a supervisor, the process ids of its workers, and how often one was replaced
function server:stats() end

--- An unknown key raises. A malformed address, or one that cannot be bound, is an error with
--- `stage = "listen"`. A step without a handler is accepted.
---@class smtp.server_options
---@field listen string|smtp.place|(string|smtp.place)[] `"127.0.0.1:2525"`, `"[::1]:2525"`, `"*:25"` (every IPv4 address), `"unix:/path"`; port 0 is any free port
---@field hostname? string our name in the greeting, in HELO's reply and in Received; default `"localhost"`
---@field greeting? string the text after the host name in the greeting, one line of ASCII; default `"Service ready"`; `""` gives the bare `220 mail-server.example.com`. A text from `on_connect` replaces it
---@field on_message fun(session: smtp.session, message: smtp.incoming): smtp.verdict, any takes the message. Returning nothing accepts it if the content was read to its end, else it is 451: unread mail is never accepted
---@field on_rcpt? true|false|fun(session: smtp.session, recipient: smtp.recipient): smtp.verdict, any returning nothing **refuses**. A listener off this machine, or with `proxy` or `xclient`, needs it, and `true` says explicitly that every recipient is accepted
---@field on_connect? fun(session: smtp.session): smtp.verdict, any before the greeting. A 4xx is sent as 421 and closes; a 5xx as 554, and then 503 until QUIT
---@field on_helo? fun(session: smtp.session, name: string): smtp.verdict, any HELO or EHLO, which `session.esmtp` tells; in LMTP LHLO
---@field lmtp? boolean LMTP in place of SMTP (RFC 2033), for the last step to mailboxes: LHLO greets, and each recipient has a reply of its own to the message, which `message:reply` gives. Not at port 25: that raises
---@field tls? smtp.server_tls
---@field auth? smtp.server_auth
---@field on_auth? fun(session: smtp.session, credentials: smtp.credentials): smtp.verdict, any returning nothing **refuses** (535 5.7.8); `nil, err` is 454 4.7.0; three refusals are 421. Without `auth.lookup` it judges PLAIN and LOGIN
---@field on_mail? fun(session: smtp.session, sender: smtp.sender): smtp.verdict, any
---@field on_undelivered? fun(session: smtp.session, message: smtp.incoming, failures: smtp.rejection[]): true?, any called if, by the receipt or error of `on_message`, only some recipients have the message, and the client cannot get a reply for each. `true` says that you take care of the others, by `smtp.bounce(message, failures)` for example; the client gets 250. Else it gets 451, with an event. See `smtp.verdict`
---@field on_data? fun(session: smtp.session): smtp.verdict, any before the content; `session.recipients` is complete
---@field on_vrfy? fun(session: smtp.session, text: string): smtp.verdict, any default: 252
---@field on_command? table<string, fun(session: smtp.session, args: string): smtp.verdict, any> verbs of your own by name; each must answer, and none may be one of SMTP's
---@field on_reset? fun(session: smtp.session) a fact: RSET, or HELO within a transaction; an error in it is an event of type `"error"`
---@field on_close? fun(session: smtp.session, summary: smtp.summary) a fact: the session has ended; an error in it is an event of type `"error"`. A refused connection (`connections`, `per_ip`) has no session and does not call it
---@field on_event? fun(event: smtp.event) facts for logs and metrics, never decisions. Without it failures are written to standard error, as is an error in `on_event` itself, once
---@field limits? smtp.limits
---@field proxy? string[] networks of proxies (`"192.0.2.0/24"`, `"2001:db8::/32"`, an address, `"unix"` for Unix sockets): a peer there must send a PROXY header of version 1 or 2 before anything else, TLS too; else the connection is closed silently. See `session.proxy`; `session.peer` and `per_ip` then refer to the client in the header. A malformed entry raises
---@field xclient? string[] networks of clients that may use XCLIENT, as in Postfix: the session becomes that of another client, including `session.peer`, and begins again with a greeting. Behind a proxy the client must be in these networks, not the proxy; a client that the proxy does not know (UNKNOWN) is not. Others get 550
---@field xforward? string[] networks of clients that may use XFORWARD: see `session.xforward`
---@field extensions? table<string, boolean|string|smtp.own_extension> further keywords of EHLO: `CHUNKING` and `SMTPUTF8` unless they are `false`; `BINARYMIME`, `DSN`, `REQUIRETLS` (under TLS), `DELIVERBY`, `MT-PRIORITY` and `RRVS` if they are `true`, since your handlers must keep their promises: `on_mail` may lower `sender.priority`, which `return 250, "2.3.6 ..."` reports and a relay passes on (RFC 6710), and `on_rcpt` answers `recipient.rrvs` with `550, "5.7.17 ..."` (RFC 7293); `PRDR` (draft-hall-prdr-00, as in Exim): a client that asks for it gets a reply for each of several recipients, as in LMTP, and then one for all; `DELIVERBY = "240"`: a BY of mode R must be so many seconds or more, else 555 (RFC 2852); `["MT-PRIORITY"] = "MIXER"` names a profile; `FUTURERELEASE = "86400 2027-01-01T00:00:00Z"`: the longest HOLDFOR and the last HOLDUNTIL; beyond them, and in the past, it is 501. Your queue must hold the message. Not at port 25: that raises (RFC 4865); and your own keywords, `XADA = "parameters"`
---@field syntax? "lenient"|"strict" lenient (the default) accepts usual misplaced blanks and tabs (`FROM: <a@b>`, `FROM:< a@b >`, around a response of AUTH), a missing `<>`, odd dots; strict answers 501
---@field bare_newline? "reject"|"normalize"|"raw" what a bare CR, a bare LF or NUL in content means: 550 5.5.2 after the true end (the default, against SMTP smuggling); made CRLF; passed on, for tests. With all three only CRLF.CRLF is the end (RFC 5321 section 4.1.1.4)
---@field refuse_eightbit? boolean 8-bit content without BODY=8BITMIME is 550 5.6.3; default false

--- A place to listen, for more than a string can say.
---@class smtp.place
---@field host? string with `port`; `"*"` is every IPv4 address
---@field port? integer
---@field path? string of a Unix socket
---@field fd? integer a socket that listens already, such as an inherited one
---@field backlog? integer
---@field lmtp? boolean default: the server's
---@field proxy? string[] in place of `proxy` of the server
---@field tls? smtp.server_tls absent fields are those of the server's `tls`: `{ implicit = true }` is port 465

--- TLS 1.2 or later, with forward secrecy. PEM is the path of a file, or the text.
---@class smtp.server_tls
---@field cert string PEM: the certificate, then its chain
---@field key? string PEM; default: it is in `cert`
---@field sni? table<string, table|false>|fun(name: string): table|false|nil `{ cert =, key = }` by the requested name (`"*.example.com"` stands for one label); false refuses; nil is the certificate above. A function gets the name in lower case and may wait
---@field client? "optional"|"required" a certificate of the client: see `session.tls.certificate`
---@field ca? string PEM or a folder: the authorities of client certificates
---@field implicit? boolean TLS from the first byte; default false: STARTTLS is offered
---@field required? boolean before TLS all commands except EHLO, NOOP, STARTTLS and QUIT are answered 530 (RFC 3207 section 4; not for a public port 25)
---@field min_version? "1.2"|"1.3" default 1.2

--- AUTH (RFC 4954). Offered under TLS only, unless `cleartext`; before that it is 538.
---@class smtp.server_auth
---@field lookup? fun(session: smtp.session, user: string, mechanism: string): string|smtp.scram_keys|nil, any returns the password, or the stored keys for SCRAM. Keys are for the hash of their mechanism: name its `mechanisms`, since any other is 454. nil: no such user; the client sees no difference from a wrong password. `nil, err`: 454. SCRAM and CRAM-MD5 need nothing else; `on_auth`, if there is one, decides last
---@field mechanisms? string[] default: SCRAM-SHA-256 and SCRAM-SHA-1, both also with -PLUS, if there is a `lookup`; PLAIN and LOGIN if there is `on_auth`. CRAM-MD5 (`lookup` must give the password), XOAUTH2, OAUTHBEARER and EXTERNAL (`on_auth`) only when they are named
---@field cleartext? boolean also without TLS
---@field required? boolean no mail without AUTH: 530
---@field iterations? integer of SCRAM, if `lookup` returns a password, and for unknown users: set it to that of your stored keys; default 4096

--- The credentials of AUTH. `tostring` shows no secret. A `user` or `authzid` that contains a
--- control is answered 501, and no function is called (RFC 4013 section 2.3).
---@class smtp.credentials
---@field mechanism string
---@field user? string of EXTERNAL: the first mail address of the certificate, else its first host name, else its common name
---@field authzid? string the identity to act for: refuse it if the user may not (RFC 4616 section 2)
---@field password? string PLAIN and LOGIN
---@field token? string XOAUTH2 and OAUTHBEARER
---@field verified boolean the mechanism has proved the user: SCRAM, CRAM-MD5 and EXTERNAL, without a password here
---@field certificate? smtp.tls_certificate of the client
local credentials = {}

--- Checks whether the client has proved that it knows the password. PLAIN and LOGIN: the password
--- is compared, in constant time. SCRAM and CRAM-MD5: always true, since they are verified by
--- `lookup`. False if `password` is nil, for a token and for EXTERNAL.
---@param password? string|smtp.scram_keys the right password, or its stored keys
---@return boolean
function credentials:check(password) end

--- The results of a handler, at every step:
---
--- | result | the client sees |
--- |---|---|
--- | nothing | a refusal from `on_rcpt`, `on_auth` and `on_message` (but see there), else acceptance |
--- | `true`, or `"queued as 42"` | the default 2xx, or that text |
--- | `false`, `false, "text"`, or an explicit `nil` | the permanent refusal of the step (535, 550 or 554), with that text |
--- | `nil, err` | `451 4.3.0`, from `on_auth` `454 4.7.0`; the cause goes to `on_event` only, or to standard error where there is none |
--- | `452, "4.2.2 mailbox full"` | exactly that; without an enhanced code it gets one |
--- | `421, "..."` | exactly that, and the connection closes |
--- | a receipt, or a reply of a client | its class: a 2xx accepts, with its text; a 4xx or 5xx refuses, as it is |
--- | `nil, err` with a 4xx or 5xx of a next hop to MAIL, RCPT, DATA or the content | that reply: code, enhanced code and text |
--- | it raises, or exceeds `handler_timeout` | `451 4.3.0`; the text never reaches the wire |
---
--- So `return smtp.send(next_hop, message)` and `return client:rcpt(recipient)` pass a verdict
--- on. A reply about the gateway (421, the greeting, EHLO, AUTH) becomes 451. A text that
--- cannot be sent is replaced; code and enhanced code stay.
---
--- If the next hop took a message for some recipients only, LMTP and PRDR give each recipient
--- a reply. SMTP has one reply: 250 if `on_undelivered` takes care of the others, else 451. If
--- all recipients were refused, a temporary refusal comes before a permanent one.
---
--- `"\n"` in a text separates the lines of the reply. A code outside of 2xx, 4xx and 5xx, a text
--- with other controls, a reply as a single text (`"550 no"`) and any other table are sent as
--- 451.
---@alias smtp.verdict true|false|string|integer|smtp.receipt|smtp.reply|nil

--- A keyword of your own and its parameters.
---@class smtp.own_extension
---@field params? string the text after the keyword in EHLO
---@field mail? string[] its parameters of MAIL
---@field rcpt? string[] its parameters of RCPT

--- Every limit is active; 0 is a limit of 0, not "no limit".
---@class smtp.limits
---@field connections? integer at once; default 1000, beyond it 421. The maximum is a third of the descriptors of this process (`ulimit -n`) less 64; if that is lower, an event or standard error reports it
---@field per_ip? integer at once from one IPv4 address or IPv6 /64, except loopback; default 50, beyond it 421
---@field message_size? integer|string content; default 35 MiB, advertised as SIZE; beyond it 552 5.3.4 (RFC 1870)
---@field recipients? integer of a message; default 1000, beyond it 452 4.5.3, after 200 more 421. LIMITS in EHLO has this limit and the next two (RFC 9422)
---@field recipient_domains? integer domains of the accepted recipients of a session; default: no limit, beyond it 452 4.5.3
---@field messages? integer of a session; default 1000, then 421
---@field errors? integer of a session; default 20, then 421. After the first quarter each one waits a second
---@field junk? integer NOOP, RSET, VRFY and HELP between two messages; default 100, then 421
---@field line? integer a command with its CRLF; default 2048, beyond it 500 5.5.6
---@field auth_line? integer a line of AUTH and its exchange; default 12288 (RFC 4954 section 4)
---@field handshake_timeout? number seconds for the TLS handshake; default 30, then it closes
---@field proxy_timeout? number seconds for a PROXY header; default 5, then it closes
---@field header? integer|string the header block of a message; default 256 KiB, beyond it 552
---@field hops? integer this many Received fields are a loop; default 100: 554 5.4.6
---@field idle_timeout? number seconds without a byte; default 300, then 421 4.4.2
---@field command_timeout? number seconds from a command's first byte to its last; default 300
---@field data_rate? number bytes of content a second at least, after 30 seconds; default 500
---@field handler_timeout? number seconds; default 300. It acts when the handler waits next; a handler that never waits is reported to `on_event`

--- A fact. Texts are unchanged from the wire: escape controls before you print them.
---@class smtp.event
---@field type "connect"|"tls"|"command"|"reply"|"message"|"error"|"close"|"refused"|"limit"|"worker"
---@field session? smtp.session nil for a failed accept, a refused connection, a limit, and a worker
---@field peer? smtp.peer connect; refused: a connection beyond `connections` or `per_ip`
---@field limit? "connections" limit: the limit that is below the `wanted` value; the event comes when the server is made
---@field wanted? integer limit
---@field value? integer limit: its value
---@field descriptors? integer limit: the maximum of descriptors of this process
---@field tls? smtp.tls_info tls
---@field text? string command: the line with its CRLF, of AUTH only the mechanism, and `***` for responses to challenges; reply: the bytes of all replies since the last event; message: the text of the verdict
---@field id? string message
---@field code? integer message: the code of the reply, in LMTP the best of `replies`; nil if the client went away
---@field replies? smtp.told[] message: the reply for each recipient in LMTP and with PRDR, in the order of their RCPTs; in SMTP after `message:reply`: the answers are folded, and the client got `code`
---@field size? integer message: bytes that the handler read
---@field refused? string message: the broken rule, whatever the verdict
---@field sender? smtp.sender message
---@field recipients? smtp.recipient[] message
---@field stage? string error: `"accept"`, `"proxy"`, `"tls"`, `"worker"` (it could not be forked, or an error ended it), `"session"` (an error outside of the handlers that ended it), `"reset"`, `"close"`, or the step, such as `"rcpt"`. A non-ASCII text for a client that did not ask for SMTPUTF8 is an error, too: `error` has the text that was sent
---@field error? any error: the raised value, or the `err` that was returned
---@field cause? string error at `"accept"`: the system's name for it
---@field reason? string close: as in `smtp.summary`; refused: `"connections"`
---@field messages? integer close: as in `smtp.summary`
---@field n? integer worker: the number of the worker that has ended; reported in the supervisor, unless the worker ended cleanly and on request
---@field pid? integer worker: its process id
---@field status? integer worker: 0, 1 (an error, or sessions were cut off), or 128 and the signal that ended it

---@class smtp.told
---@field recipient smtp.recipient
---@field code integer
---@field text? string nil for a default text

return server
