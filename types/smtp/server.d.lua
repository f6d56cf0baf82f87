-- SPDX-License-Identifier: MIT
---@meta smtp.server
---
--- A server, as `smtp.server` gives it: listeners and limits. Every session is a task
--- of the loop, and each decision in it is a function of yours, which may wait
--- (`smtp.sleep`, a client call) while other sessions go on.
---
--- It offers PIPELINING, SIZE, 8BITMIME, ENHANCEDSTATUSCODES, CHUNKING, SMTPUTF8 and
--- LIMITS, STARTTLS and AUTH where it is told to, what else `extensions` says, and answers
--- grammar, order of commands, limits and deadlines by itself.
---
--- Some things end a session at once, for they are how mail is smuggled or commands are
--- put into a TLS session:
---
--- | the client | is told, and the connection closes |
--- |---|---|
--- | sends a byte before the greeting | `554 5.5.0 Please wait for the greeting` |
--- | sends more behind EHLO, HELO, DATA, STARTTLS, AUTH, NOOP, VRFY, EXPN, HELP, XCLIENT or QUIT before their reply (RFC 2920 section 3.1) | `554 5.5.0 Please wait for replies` |
--- | ends a command with a bare LF | `500 5.5.2 Lines must end with CRLF` |
--- | sends BDAT without a proper size | `501 5.5.4 BDAT needs a size, and LAST or nothing` |
--- | speaks HTTP (`GET /`, `Host: x`) | `421 4.7.0 This is an SMTP server` |
--- | goes beyond a limit on errors, junk, messages, failed AUTH or time | `421`, see `smtp.limits` |
---
--- A client that types ahead, such as `printf ... | nc`, meets the first two: it must read
--- each reply before it goes on. MAIL, RCPT, RSET and BDAT may be pipelined. A bare CR or LF
--- in content does not end the session: see `bare_newline`.
---
--- Wrong passwords are remembered over all sessions. Each failure delays the next attempt at
--- that user from that address (an IPv6 host has a /64), by 0.1 s and twice as long each
--- time, up to 10 s; after 20 failures the address waits for any user. Attempts that would
--- wait longer are answered 454 4.7.0 and not judged. One failure is forgotten in 30 s, a
--- right password ends the delay of its user, and other addresses are not delayed.

---@class smtp.server
---@field address string of the first listener
---@field port? integer of the first listener: read it after `listen = "127.0.0.1:0"`; nil for a Unix socket
---@field listening { address: string, port?: integer }[] the same of each listener, in order
---@field hostname string
local server = {}

--- The same as `smtp.server`.
---@package
function server.new(options) end

--- Serves until the server is closed or shut down.
---
--- With `workers` it forks: so many processes serve, each with the listeners that were
--- opened here and with a loop of its own, and this process only supervises. It replaces
--- a worker that dies, after a pause that grows when it dies of its start. At SIGTERM and
--- SIGINT all accept no more and let transactions finish; a second one ends all at once.
--- At SIGHUP they do `reload_tls`. When this process is killed, workers end as at
--- SIGTERM. Limits (`connections`, `per_ip`) are shared out among the workers. Tasks and
--- sessions that are here already stay here. Linux only, and one server at a time.
---
--- In a worker neither this call returns nor do finalizers or `<close>` variables of your
--- script run; handlers and `on_event` are called in the process that it is about.
---@param options? smtp.run_options
---@return boolean? clean with workers: false if sessions had to be cut off; nil and an error if there can be none
---@return smtp.error? err
function server:run(options) end

---@class smtp.run_options
---@field workers? integer|"auto" processes that serve; `"auto"`: as many as there are processors for this one
---@field grace? number seconds that transactions may take at the end; default 30. A worker that is still there two seconds later is killed
---@field on_worker? fun(n: integer) called in worker n, 1 to `workers`, before it accepts: to open a database connection of its own, say. It may wait. An error ends the worker

--- Ends at once: sessions are cut off, and a handler is unwound where it waits, so
--- that its `<close>` variables are closed: they may wait, for 5 seconds in all, and what
--- they raise is an event of type `"error"`. Workers are killed. Does nothing the second
--- time.
function server:close() end

--- Accepts no more connections, tells idle sessions 421, lets transactions finish,
--- then closes.
---@param grace? number seconds they may take; default 30. Workers have the `grace` of `run`, and are killed two seconds after this one
---@return boolean clean false if sessions had to be cut off
function server:shutdown(grace) end

--- Reads certificates and keys anew, those of a table `sni` too, for connections from
--- now on. On an error all goes on with what there was.
---@return true? ok
---@return smtp.error? err
function server:reload_tls() end

--- Counts of this process alone: those of workers are not added up.
---@return { connections: integer, accepted: integer, messages: integer, workers?: integer[], restarts?: integer } counts connections now; connections accepted and messages taken since the start; in a supervisor, the process ids of its workers, and how often one was replaced
function server:stats() end

--- An unknown key raises; an address that is none or cannot be bound is an error with
--- `stage = "listen"`. A step without a handler is accepted.
---@class smtp.server_options
---@field listen string|smtp.place|(string|smtp.place)[] `"127.0.0.1:2525"`, `"[::1]:2525"`, `"*:25"` (every IPv4 address), `"unix:/path"`; port 0 is any that is free
---@field hostname? string our name in the greeting, in HELO's reply and in Received; default `"localhost"`
---@field greeting? string the text after the host name in the greeting, one line of ASCII; default `"Service ready"`; `""` gives the bare `220 mail-server.example.com`. A text from `on_connect` replaces it
---@field on_message fun(session: smtp.session, message: smtp.incoming): smtp.verdict, any takes the message. Returning nothing accepts it if the content was read to its end, else it is 451: mail that nobody took is never accepted
---@field on_rcpt? true|false|fun(session: smtp.session, recipient: smtp.recipient): smtp.verdict, any returning nothing **refuses**. A listener off this machine, or with `proxy` or `xclient`, needs it, and `true` says in words that every recipient is accepted
---@field on_connect? fun(session: smtp.session): smtp.verdict, any before the greeting. A 4xx is sent as 421 and closes; a 5xx as 554, and then 503 until QUIT
---@field on_helo? fun(session: smtp.session, name: string): smtp.verdict, any HELO or EHLO, which `session.esmtp` tells; in LMTP LHLO
---@field lmtp? boolean LMTP in place of SMTP (RFC 2033), for the last step to mailboxes: LHLO greets, and each recipient has a reply of its own to the message, which `message:reply` gives. Not at port 25: that raises
---@field tls? smtp.server_tls
---@field auth? smtp.server_auth
---@field on_auth? fun(session: smtp.session, credentials: smtp.credentials): smtp.verdict, any returning nothing **refuses** (535 5.7.8); `nil, err` is 454 4.7.0; three refusals are 421. Without `auth.lookup` it judges PLAIN and LOGIN
---@field on_mail? fun(session: smtp.session, sender: smtp.sender): smtp.verdict, any
---@field on_undelivered? fun(session: smtp.session, message: smtp.incoming, failures: smtp.rejection[]): true?, any asked where `on_message` returned a receipt or an error by which some recipients have the message and some do not, and the client cannot be told of each: `true` says that the rest is taken care of, by `smtp.bounce(message, failures)` for example, and the client hears 250. Else it hears 451, with an event. See `smtp.verdict`
---@field on_data? fun(session: smtp.session): smtp.verdict, any before the content; `session.recipients` is complete
---@field on_vrfy? fun(session: smtp.session, text: string): smtp.verdict, any default: 252
---@field on_command? table<string, fun(session: smtp.session, args: string): smtp.verdict, any> verbs of your own by name; each must answer, and none may be one of SMTP's
---@field on_reset? fun(session: smtp.session) a fact: RSET, or HELO within a transaction; what it raises is an event of type `"error"`
---@field on_close? fun(session: smtp.session, summary: smtp.summary) a fact: the session has ended; what it raises is an event of type `"error"`. A refused connection (`connections`, `per_ip`) has no session and does not call it
---@field on_event? fun(event: smtp.event) facts for logs and metrics, never decisions. Without it failures are written to standard error, as is what it raises itself, once
---@field limits? smtp.limits
---@field proxy? string[] networks of proxies (`"192.0.2.0/24"`, `"2001:db8::/32"`, an address, `"unix"` for Unix sockets): a peer there must send a PROXY header of version 1 or 2 before anything else, TLS too; else the connection is closed silently. See `session.proxy`; `session.peer` and `per_ip` are then of the client that it tells of. An entry that is none raises
---@field xclient? string[] networks of those who may say XCLIENT, as Postfix has it: the session is then that of another client, `session.peer` and all, and begins anew with a greeting. Behind a proxy it is the client that must be there, not the proxy, and one that the proxy does not know (UNKNOWN) is not. Others are told 550
---@field xforward? string[] the same for XFORWARD: see `session.xforward`
---@field extensions? table<string, boolean|string|smtp.own_extension> what EHLO offers besides: `CHUNKING` and `SMTPUTF8` unless they are `false`; `BINARYMIME`, `DSN`, `REQUIRETLS` (under TLS), `DELIVERBY`, `MT-PRIORITY` and `RRVS` if they are `true`, for what they promise is your handlers' to do: `on_mail` may make `sender.priority` less, which `return 250, "2.3.6 ..."` tells and a relay passes on (RFC 6710), and `on_rcpt` answers `recipient.rrvs` by `550, "5.7.17 ..."` (RFC 7293); `PRDR` (draft-hall-prdr-00, as Exim speaks it), with which a client that asks for it hears a reply for each of several recipients, as in LMTP, and then one for all; `DELIVERBY = "240"`: a BY of mode R must be so many seconds or more, else 555 (RFC 2852); `["MT-PRIORITY"] = "MIXER"` names a profile; `FUTURERELEASE = "86400 2027-01-01T00:00:00Z"`: the longest HOLDFOR and the last HOLDUNTIL, beyond which, and in the past, it is 501; to hold is your queue's to do; not at port 25: that raises (RFC 4865); and your own keywords, `XADA = "parameters"`
---@field syntax? "lenient"|"strict" lenient (the default) reads blanks and tabs where people put them (`FROM: <a@b>`, `FROM:< a@b >`, around a response of AUTH), a missing `<>`, odd dots; strict answers 501
---@field bare_newline? "reject"|"normalize"|"raw" what a bare CR, a bare LF or NUL in content means: 550 5.5.2 after the true end (the default, against SMTP smuggling); made CRLF; passed on, for tests. The end is CRLF.CRLF and nothing else in all three (RFC 5321 section 4.1.1.4)
---@field refuse_eightbit? boolean 8-bit content that was not declared BODY=8BITMIME is 550 5.6.3; default false

--- A place to listen, where a string does not say enough.
---@class smtp.place
---@field host? string with `port`; `"*"` is every IPv4 address
---@field port? integer
---@field path? string of a Unix socket
---@field fd? integer a socket that listens already, such as an inherited one
---@field backlog? integer
---@field lmtp? boolean default: the server's
---@field proxy? string[] in place of that of the server
---@field tls? smtp.server_tls what it does not say is that of the server's `tls`: `{ implicit = true }` is port 465

--- TLS 1.2 or later, with forward secrecy. PEM is the path of a file, or the text.
---@class smtp.server_tls
---@field cert string PEM: the certificate, then its chain
---@field key? string PEM; default: it is in `cert`
---@field sni? table<string, table|false>|fun(name: string): table|false|nil `{ cert =, key = }` for a name that the client wants (`"*.example.com"` stands for one label); false refuses; nil is the certificate above. A function is given the name in lower case and may wait
---@field client? "optional"|"required" a certificate of the client: see `session.tls.certificate`
---@field ca? string PEM or a folder: whose client certificates are verified
---@field implicit? boolean TLS from the first byte; default false: STARTTLS is offered
---@field required? boolean before TLS all but EHLO, NOOP, STARTTLS and QUIT are answered 530 (RFC 3207 section 4; not for a public port 25)
---@field min_version? "1.2"|"1.3" default 1.2

--- AUTH (RFC 4954). Offered under TLS only, unless `cleartext`; before that it is 538.
---@class smtp.server_auth
---@field lookup? fun(session: smtp.session, user: string, mechanism: string): string|smtp.scram_keys|nil, any gives the password, or the stored keys for SCRAM, which are for the hash they were made with: name the `mechanisms` of it, since any other is 454; nil: no such user, which the client cannot tell from a wrong password; `nil, err`: 454. It is all that SCRAM and CRAM-MD5 need; with `on_auth` that has the last word
---@field mechanisms? string[] default: SCRAM-SHA-256 and SCRAM-SHA-1, both also with -PLUS, if there is a `lookup`; PLAIN and LOGIN if there is `on_auth`. CRAM-MD5 (`lookup` must give the password), XOAUTH2, OAUTHBEARER and EXTERNAL (`on_auth`) only when they are named
---@field cleartext? boolean also without TLS
---@field required? boolean no mail without it: 530
---@field iterations? integer of SCRAM, where `lookup` gives a password, and for unknown users: those of your stored keys; default 4096

--- The credentials of AUTH. `tostring` shows no secret. A `user` or `authzid` that contains a
--- control is answered 501, and no function is called (RFC 4013 section 2.3).
---@class smtp.credentials
---@field mechanism string
---@field user? string of EXTERNAL: the first mail address of the certificate, else its first host name, else its common name
---@field authzid? string on whose behalf: refuse one that the user may not act for (RFC 4616 section 2)
---@field password? string PLAIN and LOGIN
---@field token? string XOAUTH2 and OAUTHBEARER
---@field verified boolean the mechanism has proved the user: SCRAM, CRAM-MD5 and EXTERNAL, which have no password here
---@field certificate? smtp.tls_certificate of the client
local credentials = {}

--- Whether the client has shown that it knows the password: PLAIN and LOGIN by what
--- they brought, in constant time; SCRAM and CRAM-MD5, which have verified it by what
--- `lookup` gave, always. False if `password` is nil, for a token and for EXTERNAL.
---@param password? string|smtp.scram_keys yours, or what is kept of it
---@return boolean
function credentials:check(password) end

--- What a handler returns, at every step:
---
--- | | the client sees |
--- |---|---|
--- | nothing | a refusal from `on_rcpt`, `on_auth` and `on_message` (but see there), else acceptance |
--- | `true`, or `"queued as 42"` | the default 2xx, or that text |
--- | `false`, `false, "text"`, or an explicit `nil` | the permanent refusal of the step (535, 550 or 554), with that text |
--- | `nil, err` | `451 4.3.0`, from `on_auth` `454 4.7.0`; the cause goes to `on_event` only, or to standard error where there is none |
--- | `452, "4.2.2 mailbox full"` | exactly that; without an enhanced code it gets one |
--- | `421, "..."` | exactly that, and the connection closes |
--- | a receipt, or a reply of a client | its class: a 2xx accepts, with its text; a 4xx or 5xx refuses, as it is |
--- | `nil, err` of a 4xx or 5xx that a next hop said to MAIL, RCPT, DATA or the content | that reply: code, enhanced code and text |
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
--- `"\n"` in a text parts the lines of the reply. A code outside 2xx, 4xx and 5xx, a text
--- with other controls, a reply that is all text (`"550 no"`) and any other table are sent
--- as 451.
---@alias smtp.verdict true|false|string|integer|smtp.receipt|smtp.reply|nil

--- A keyword of your own and its parameters.
---@class smtp.own_extension
---@field params? string what stands behind the keyword in EHLO
---@field mail? string[] parameters of MAIL that may come then
---@field rcpt? string[] parameters of RCPT

--- Every limit is on, and 0 is not "no limit" but a limit of 0.
---@class smtp.limits
---@field connections? integer at once; default 1000, beyond it 421. It is at most a third of the descriptors that this process may have (`ulimit -n`) less 64: if that bounds it, an event says so, or standard error
---@field per_ip? integer at once from one IPv4 address or IPv6 /64, loopback excepted; default 50, beyond it 421
---@field message_size? integer|string content; default 35 MiB, advertised as SIZE; beyond it 552 5.3.4 (RFC 1870)
---@field recipients? integer of a message; default 1000, beyond it 452 4.5.3, after 200 more 421. EHLO tells this and the next two by LIMITS (RFC 9422)
---@field recipient_domains? integer domains of the accepted recipients of a session; default: no limit, beyond it 452 4.5.3
---@field messages? integer of a session; default 1000, then 421
---@field errors? integer of a session; default 20, then 421. After the first quarter each one waits a second
---@field junk? integer NOOP, RSET, VRFY and HELP between two messages; default 100, then 421
---@field line? integer a command with its CRLF; default 2048, beyond it 500 5.5.6
---@field auth_line? integer the same for AUTH and its exchange; default 12288 (RFC 4954 section 4)
---@field handshake_timeout? number seconds for the TLS handshake; default 30, then it closes
---@field proxy_timeout? number seconds for a PROXY header; default 5, then it closes
---@field header? integer|string the header block of a message; default 256 KiB, beyond it 552
---@field hops? integer this many Received fields are a loop; default 100: 554 5.4.6
---@field idle_timeout? number seconds without a byte; default 300, then 421 4.4.2
---@field command_timeout? number seconds from a command's first byte to its last; default 300
---@field data_rate? number bytes a second that content must come at, after 30 seconds; default 500
---@field handler_timeout? number seconds; default 300. It acts where the handler waits next; one that never waits is reported to `on_event`

--- A fact. Text is as it was on the wire: escape controls before you print it.
---@class smtp.event
---@field type "connect"|"tls"|"command"|"reply"|"message"|"error"|"close"|"refused"|"limit"|"worker"
---@field session? smtp.session nil for a failed accept, for a refused connection, a limit, and for what is about a worker
---@field peer? smtp.peer connect; refused: a connection beyond `connections` or `per_ip`
---@field limit? "connections" limit: the limit that is below the `wanted` value; the event comes when the server is made
---@field wanted? integer limit
---@field value? integer limit: its value
---@field descriptors? integer limit: how many this process may have
---@field tls? smtp.tls_info tls
---@field text? string command: the line with its CRLF, of AUTH no more than the mechanism, and `***` for what answers its challenges; reply: the bytes of all that was said since; message: the text of the verdict
---@field id? string message
---@field code? integer message: what was answered, in LMTP the best of `replies`; nil if the client went away
---@field replies? smtp.told[] message: what each recipient was told in LMTP and with PRDR, in the order of their RCPTs; in SMTP where `message:reply` was used: there it is folded, and the client heard `code`
---@field size? integer message: bytes that the handler read
---@field refused? string message: the rule it broke, whatever the handler said
---@field sender? smtp.sender message
---@field recipients? smtp.recipient[] message
---@field stage? string error: `"accept"`, `"proxy"`, `"tls"`, `"worker"` (it could not be forked, or an error ended it), `"session"` (what ended it and was no handler's), `"reset"`, `"close"`, or the step, such as `"rcpt"`. A text that is not ASCII for a client that did not ask for SMTPUTF8 is an error, too: `error` says what was sent
---@field error? any error: what was raised or returned as `err`
---@field cause? string error at `"accept"`: the system's name for it
---@field reason? string close: as in `smtp.summary`; refused: `"connections"`
---@field messages? integer close: as in `smtp.summary`
---@field n? integer worker: which one has ended; told in the supervisor, unless it was to end and did so cleanly
---@field pid? integer worker: its process id
---@field status? integer worker: 0, 1 (an error, or sessions were cut off), or 128 and the signal that ended it

---@class smtp.told
---@field recipient smtp.recipient
---@field code integer
---@field text? string nil for a default text

return server
