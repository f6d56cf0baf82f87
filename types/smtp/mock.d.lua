-- SPDX-License-Identifier: MIT
---@meta smtp.mock
---
--- `local mock = require "smtp.mock"`: a scripted SMTP server for tests, in a C thread of
--- its own, so that a client in the same process may block. It behaves as the library's server
--- (RFC 5321); rules change that.
---
--- ```lua
--- local mx <close> = assert(mock.start { strict = true })
--- mx:on("RCPT", { to = "*@gone.test" }):reply("550 5.1.1 no such user")
--- -- ... the program under test sends to mx.url ...
--- local mail = assert(mx:wait({ to = "bob@example.org", subject = "Welcome" }, 5))
--- print(mail.from, mail.text, mail.attachments[1].name, mail.session.tls)
--- ```

---@class smtp.mock
---@field quirks table<string, string> the names for `quirk`, and a description of each
local mock = {}

--- Starts a mock; it listens when the function returns. `stop`, the end of a `<close>` variable
--- and the end of the process end it.
---@param options? smtp.mock_options
---@return smtp.mock_server? mx
---@return smtp.error? err
function mock.start(options) end

---@class smtp.mock_options
---@field host? string an address; default `"127.0.0.1"`
---@field port? integer default 0: any free port
---@field hostname? string in the greeting; default `"localhost"`
---@field lmtp? boolean LMTP in place of SMTP (RFC 2033): LHLO is the event EHLO. A reply at EOM goes to each recipient, but `raw` replaces all replies. `url` begins with `lmtp:`
---@field strict? boolean refuse everything outside of the grammar, and let `violations` report rules that never fired and sessions that were left open
---@field tls? boolean|"starttls"|"implicit"|smtp.mock_tls a certificate of a fresh authority, whose file is `mx.ca_file`
---@field users? table<string, string>|"any" passwords (or tokens) by name: AUTH is offered; `"any"` accepts every login
---@field auth? { mechanisms?: string[], required?: boolean } required: 530 before AUTH (RFC 4954 section 6)
---@field limits? { size?: integer|string, recipients?: integer } default `"35M"` (MiB) and 1000
---@field without? string|string[] keywords that EHLO leaves out
---@field extensions? string[] additional lines of EHLO
---@field rules? smtp.mock_rule[]
---@field driver? "thread"|"loop" `"loop"`: `smtp.loop` drives the mock, and rules may have functions; default `"thread"`
---@field watchdog? number above 0: seconds without activity until a session is ended; default 60
---@field timeout? number seconds that `wait` and `wait_idle` wait; default 5

--- The certificate is for localhost, 127.0.0.1 and ::1, and valid, except for its `fault`.
---@class smtp.mock_tls
---@field mode? "starttls"|"implicit" default `"starttls"`
---@field fault? "expired"|"not_yet"|"wrong_host"|"no_name"|"wrong_purpose"|"self_signed"|"unknown_ca"|"no_intermediate"|"close"|"reset"|"hang"|"plaintext"|"none" `close` to `plaintext` are faults of the handshake; default `"none"`
---@field required? boolean 530 before STARTTLS (RFC 3207 section 4)
---@field cert? string a PEM file or text of your own
---@field key? string

--- A rule as a table, also in JSON: where it applies, how often (`from_nth` is the method
--- `from`), and its actions, in the order delay, drip, split, throttle, store, reject, reply,
--- raw, close, reset, hang.
---@class smtp.mock_rule: smtp.mock_matcher
---@field on string see `mx:on`
---@field first? integer
---@field nth? integer
---@field from_nth? integer
---@field every? integer
---@field new? boolean once for each sender and recipient
---@field after_bytes? integer
---@field after? number
---@field sequence? (string|table)[] replies, or tables of actions
---@field delay? number
---@field drip? number
---@field split? integer
---@field throttle? integer
---@field store? boolean
---@field reject? boolean
---@field reply? string|integer|function
---@field raw? string
---@field close? boolean
---@field reset? boolean
---@field hang? boolean

--- Conditions of a rule. Texts are globs (`*`, `?`), in any case, except `text`.
---@class smtp.mock_matcher
---@field from? string the sender
---@field to? string the recipient; after RCPT, any accepted recipient
---@field text? string a plain text within the command line, or at EOM within the message; an AUTH line with a response is `AUTH PLAIN ***`
---@field user? string the authenticated user
---@field session? integer number of the session
---@field tls? boolean
---@field auth? boolean

--- A running mock.
---@class smtp.mock_server
---@field host string
---@field port integer
---@field url string `"smtp://127.0.0.1:40197"`, `smtps` with implicit TLS
---@field ca_file? string the PEM file of the authority of its certificate, unless that is your own; removed when the mock ends
---@field ca? string the text of that file
---@field strict boolean
---@field seed? integer of `chaos`
local mx = {}

--- Adds a rule for an event (`connect`, `handshake`, `EHLO`, `HELO`, `AUTH`, `MAIL`, `RCPT`,
--- `DATA`, `BDAT` (a chunk came that is not the last), `BODY`, `EOM`, `RSET`, `QUIT`,
--- `STARTTLS`, `idle`, or any other verb) and a matcher. If several rules apply, the last added
--- one is taken. A rule without an action does nothing. Each method returns the rule, and takes
--- effect at once.
---@param event string
---@param matcher? smtp.mock_matcher
---@return smtp.mock_rule_builder
function mx:on(event, matcher) end

--- Adds a rule from a table.
---@param rule smtp.mock_rule
---@return smtp.mock_rule_builder
function mx:rule(rule) end

--- The argument of a function in a rule.
---@class smtp.mock_facts
---@field event string
---@field verb? string
---@field text? string the command line; at EOM the message
---@field from? string
---@field to string[]
---@field user? string
---@field session integer
---@field tls boolean
---@field auth boolean

---@class smtp.mock_rule_builder
local rule = {}

--- Applies at the first n matches.
---@param n integer
---@return smtp.mock_rule_builder
function rule:first(n) end

--- Applies at the n-th match.
---@param n integer
---@return smtp.mock_rule_builder
function rule:nth(n) end

--- Applies at the n-th match and all later ones.
---@param n integer
---@return smtp.mock_rule_builder
function rule:from(n) end

--- Applies at each n-th match.
---@param n integer
---@return smtp.mock_rule_builder
function rule:every(n) end

--- Applies once for each sender and recipient.
---@return smtp.mock_rule_builder
function rule:new() end

--- BODY: applies after so many bytes of content; default: the first ones.
---@param n integer
---@return smtp.mock_rule_builder
function rule:after_bytes(n) end

--- idle: applies after so many seconds without input.
---@param seconds number
---@return smtp.mock_rule_builder
function rule:after(seconds) end

--- Sets the actions at the first match, the second ...; the last one stays.
---@param list (string|table)[] replies, or tables of actions
---@return smtp.mock_rule_builder
function rule:sequence(list) end

--- Answers, and moves the session as that code does; a code that is neither 2xx nor 3xx counts
--- as a refusal. `"\n"` separates lines. For a command that the mock carries out itself (AUTH,
--- RSET, QUIT ...) a 2xx changes only the text, not the effect. At BODY the reply answers the
--- message before its end, and then there is no reply at the end. At idle it is a reply without a
--- command.
---@param code integer|string|function `"550 5.1.1 no"`, or 550 and a text; with `driver = "loop"` a function of `smtp.mock_facts` that returns a reply, or a code and a text, or nil for the usual reply; any other result is a violation
---@param text? string
---@return smtp.mock_rule_builder
function rule:reply(code, text) end

--- Sends bytes in place of the reply, or in addition to all replies (BODY, idle, handshake).
---@param bytes string
---@return smtp.mock_rule_builder
function rule:raw(bytes) end

--- Sends the usual refusal.
---@return smtp.mock_rule_builder
function rule:reject() end

--- EOM: stores the message, whatever the reply is.
---@return smtp.mock_rule_builder
function rule:store() end

--- Waits before the next actions.
---@param seconds number
---@return smtp.mock_rule_builder
function rule:delay(seconds) end

--- Sends the reply byte by byte.
---@param seconds? number between two bytes; default 0.01
---@return smtp.mock_rule_builder
function rule:drip(seconds) end

--- Sends the reply in two pieces.
---@param n integer bytes of the first
---@param seconds? number default 0.02
---@return smtp.mock_rule_builder
function rule:split(n, seconds) end

--- Writes the reply, or (BODY) reads the content, at n bytes a second.
---@param n integer
---@return smtp.mock_rule_builder
function rule:throttle(n) end

--- Stops the session without closing it. Without a reply before, no reply is sent.
---@return smtp.mock_rule_builder
function rule:hang() end

--- Closes the connection (FIN).
---@return smtp.mock_rule_builder
function rule:close() end

--- Resets the connection (RST).
---@return smtp.mock_rule_builder
function rule:reset() end

--- Removes an extension from EHLO. If the extension is not offered, that is no error.
---@param keyword string
---@return smtp.mock_server
function mx:without(keyword) end

--- Adds a line to EHLO. The mock then implements CHUNKING, BINARYMIME, SMTPUTF8, DSN,
--- REQUIRETLS (under TLS), DELIVERBY, MT-PRIORITY, FUTURERELEASE, RRVS and PRDR (a reply at EOM
--- goes to each recipient, except `raw`); any other extension is only offered.
---@param line string
---@return smtp.mock_server
function mx:with(line) end

--- Changes the limits.

---@param limits { size?: integer|string, recipients?: integer }
---@return smtp.mock_server
function mx:limit(limits) end

--- Refuses each sender and recipient once.
---@param reply? string default `"450 4.7.1 greylisted, try again"`
---@return smtp.mock_rule_builder
function mx:greylist(reply) end

--- Adds a legal but nasty behaviour, by its name in `mock.quirks`.
---@param name string
---@return smtp.mock_server
function mx:quirk(name) end

--- Adds random faults, and returns the seed. Equal seeds give equal faults.
---@param options? { seed?: integer, rate?: number, events?: string[], faults?: string[], most?: integer } rate: of all events, default 0.1; seed: default from the time; events: connect, EHLO, MAIL, RCPT, DATA, EOM; faults: delay, drip, split, later (451), no (554), bye (421), close, reset; most: 200 of each event
---@return integer seed
function mx:chaos(options) end

--- Waits for the first mail that matches a query; a mail that has arrived already counts. On
--- failure `err.report` has the closest mail and the end of the transcript. A query is a table,
--- a recipient, or a function of a mail.
---@param query? string|smtp.mock_query|fun(mail: smtp.mock_mail): boolean
---@param timeout? number seconds
---@param n? integer waits for the n-th such mail
---@return smtp.mock_mail? mail
---@return smtp.error? err `kind = "timeout"`
function mx:wait(query, timeout, n) end

--- Waits until all input of the clients is processed and no session is at work.
---@param timeout? number seconds
---@return true? idle
---@return smtp.error? err
function mx:wait_idle(timeout) end

--- The accepted mails so far; with a query, those that match.
---@param query? string|smtp.mock_query|fun(mail: smtp.mock_mail): boolean
---@return smtp.mock_mail[]
function mx:mails(query) end

--- The complete mails that were refused, or whose reply was left out.
---@return smtp.mock_mail[]
function mx:refused() end

--- All sessions so far; with a query, those that match.
---@param query? smtp.mock_session_query|fun(session: smtp.mock_session): boolean
---@return smtp.mock_session[]
function mx:sessions(query) end

--- The number of times that an event happened. A verb without an event of its own (NOOP ...) is
--- counted in the transcript.
---@param event string
---@return integer
function mx:count(event) end

--- The dialogues, line by line: `"1 C: EHLO x"`; with a number, that session only.
---@param session? integer
---@return string
function mx:transcript(session) end

--- The violations of clients, with the RFC (violations that only `strict` refuses are reported
--- with `strict` only). `tostring` gives a sentence. The level `"must"` leaves out violations of
--- a SHOULD.
---@param level? "must"|"should" default `"should"`: all
---@return smtp.mock_violation[]
function mx:violations(level) end

--- Writes the accepted mails to files; existing files are overwritten.
---@param format "eml"|"mbox"|"maildir"
---@param path string a folder, for mbox a file
---@return true? done
---@return smtp.error? err
function mx:export(format, path) end

--- Forgets all mails, sessions and violations. Rules and their counts stay; numbers go on.
---@return smtp.mock_server
function mx:clear() end

--- Ends the mock; its mails and sessions can still be read. Also `close`.
function mx:stop() end

--- Conditions for a mail. A text is a glob of the whole value (`*`; `?` is a byte; ASCII letters
--- in any case); for `text`, `html` and `raw` it is a plain text within the value, or a glob of
--- the whole. A function gets the value and returns true if it matches; a matcher of luassert
--- (`match.is_string()`) works, too. `true` and `false` ask whether there is a value. A table
--- has a condition for each of its fields.
---@class smtp.mock_query
---@field from? any the reverse-path
---@field to? any an accepted recipient; of a list, each of them
---@field cc? any an address of the field Cc; of a list, each of them
---@field subject? any
---@field text? any
---@field html? any
---@field raw? any
---@field header? table<string, any> values by field name
---@field attachment? any the name of an attachment; of a list, each of them
---@field session? any the number of the session, or a table as `smtp.mock_session_query`
---@field secure? any
---@field helo? any
---@field user? any
---@field code? any
---@field number? any
---@field parameters? any such as `{ BODY = "8BITMIME" }`

--- Conditions for a session, as in `smtp.mock_query`.
---@class smtp.mock_session_query
---@field number? any
---@field address? any
---@field helo? any
---@field esmtp? any
---@field user? any
---@field mechanism? any
---@field authenticated? any
---@field tls? any such as `true` or `{ version = "TLSv1.3" }`
---@field reason? any
---@field commands? any
---@field mails? any
---@field closed? any
---@field port? any
---@field tls_error? any
---@field alert? any

--- A mail. It also has every field of `smtp.parsed` except `from` and `to`.
---@class smtp.mock_mail
---@field number integer
---@field from string the reverse-path
---@field recipients string[] the accepted recipients
---@field to string[] equal to `recipients`
---@field raw string the content, byte for byte, dots unstuffed
---@field verdicts { address: string, code: integer, text: string, parameters: table }[] every RCPT
---@field parameters table<string, string|true> of MAIL
---@field session smtp.mock_session
---@field message smtp.parsed
---@field code integer of the last reply; 0: no reply
---@field stored boolean
---@field secure boolean received through TLS
---@field helo? string
---@field user? string

---@class smtp.mock_session
---@field number integer
---@field address string of the client
---@field port integer
---@field helo? string
---@field esmtp boolean
---@field tls? { version: string, cipher: string, name?: string } name: SNI
---@field tls_error? string the reason of a failed handshake
---@field alert? string the TLS alert of the client
---@field user? string
---@field mechanism? string
---@field authenticated boolean
---@field commands integer
---@field mails integer
---@field opened number
---@field closed? number
---@field reason? string `"quit"`, `"closed"`, `"reset"`, `"tls"`, `"watchdog"` ...

---@class smtp.mock_violation
---@field rule string a word, such as `"bare_lf"`; `"lost"`: the mock had no memory for all input
---@field section string `"RFC 5321 section 2.3.8"`, `"the test"` or `"the mock"`; for a refused command the section of its grammar
---@field level "must"|"should" `"should"` for advice in an RFC: a Message-ID, commands of 512 bytes at most, waiting for the greeting
---@field text? string
---@field session? integer

--- Runs a client through about two hundred behaviours of servers, legal, nasty and hostile ones,
--- with a mock for each. The result depends on facts only: the stored mail, byte for byte; the
--- claim of the client; the rules that it broke; a password in clear text; the time. The client
--- has to block until it is done; the mock cuts off a client that hangs. `docs/gauntlet.md` has
--- the results of some clients.
---
--- ```lua
--- local results = mock.gauntlet(function(target)
---   local receipt, err = smtp.send({ url = target.url, ca = target.ca_file }, {
---     envelope = { from = target.from, to = target.to }, raw = target.raw,
---   })
---   return receipt ~= nil, err
--- end, { only = { "plain", "final_lost" } })
--- ```
---@param send fun(target: smtp.gauntlet_target): boolean?, any? true if the client reports that the mail was accepted; else a text. It may raise
---@param options? smtp.gauntlet_options
---@return smtp.gauntlet_result[] results
function mock.gauntlet(send, options) end

---@class smtp.gauntlet_options
---@field only? string|string[] names of behaviours; default: all
---@field lacks? string[] missing abilities of the client, `"tls"` or `"auth"`: behaviours that need them are left out
---@field timeout? number seconds that the client should wait; default 1
---@field limit? number seconds for a behaviour at most; default 4
---@field each? fun(result: smtp.gauntlet_result) called after each behaviour

---@class smtp.gauntlet_target
---@field name string of the behaviour
---@field host string
---@field port integer
---@field url string
---@field ca_file? string the PEM file of the trusted authority
---@field tls "none"|"starttls"|"implicit" the client must use it, or send nothing
---@field auth? { user: string, password: string } only under TLS
---@field from string
---@field to string[]
---@field raw string the message, most often with CRLF
---@field eightbit boolean `raw` has 8-bit bytes
---@field timeout number seconds for each step

---@class smtp.gauntlet_result
---@field name string
---@field about string the behaviour of the server
---@field section string of an RFC
---@field expected "delivered"|"refused"|"either, but truthful"
---@field got "delivered"|"refused"|"claimed, not accepted"|"accepted, not claimed"
---@field right boolean
---@field detail string the fault; without one, the text of the client
---@field said? string the text of the client
---@field unused string[] rules of the mock that never applied: the client did not see their effect
---@field seconds number
---@field transcript string

return mock
