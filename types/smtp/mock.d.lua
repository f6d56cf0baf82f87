-- SPDX-License-Identifier: MIT
---@meta smtp.mock
---
--- `local mock = require "smtp.mock"`: a scripted SMTP server for tests, in a C thread of
--- its own, so that a client in the same process may block. It serves what the core's
--- server serves (RFC 5321), changed by rules.
---
--- ```lua
--- local mx <close> = assert(mock.start { strict = true })
--- mx:on("RCPT", { to = "*@gone.test" }):reply("550 5.1.1 no such user")
--- -- ... the program under test sends to mx.url ...
--- local mail = assert(mx:wait({ to = "bob@example.org", subject = "Welcome" }, 5))
--- print(mail.from, mail.text, mail.attachments[1].name, mail.session.tls)
--- ```

---@class smtp.mock
---@field quirks table<string, string> the names that `quirk` takes, and what each does
local mock = {}

--- Starts one; it listens when this returns. `stop`, the end of a `<close>` variable and
--- the end of the process end it.
---@param options? smtp.mock_options
---@return smtp.mock_server? mx
---@return smtp.error? err
function mock.start(options) end

---@class smtp.mock_options
---@field host? string an address; default `"127.0.0.1"`
---@field port? integer default 0: any that is free
---@field hostname? string in the greeting; default `"localhost"`
---@field lmtp? boolean LMTP in place of SMTP (RFC 2033): the event EHLO is that of LHLO, and what is said at EOM is said to each recipient, but for `raw`, which is all that is said. `url` begins with `lmtp:`
---@field strict? boolean refuse what the grammar does not allow, and let `violations` tell of rules that never fired and of sessions that were left open
---@field tls? boolean|"starttls"|"implicit"|smtp.mock_tls a certificate of a fresh authority, whose file is `mx.ca_file`
---@field users? table<string, string>|"any" passwords (or tokens) by name: AUTH is offered; `"any"` lets everybody in
---@field auth? { mechanisms?: string[], required?: boolean } required: 530 before AUTH (RFC 4954 section 6)
---@field limits? { size?: integer|string, recipients?: integer } default `"35M"` (MiB) and 1000
---@field without? string|string[] keywords that EHLO leaves out
---@field extensions? string[] lines that EHLO has besides
---@field rules? smtp.mock_rule[]
---@field driver? "thread"|"loop" `"loop"`: it is driven by `smtp.loop`, and rules may have functions; default `"thread"`
---@field watchdog? number above 0: seconds without anything after which a session is ended; default 60
---@field timeout? number seconds that `wait` and `wait_idle` wait; default 5

--- The certificate is for localhost, 127.0.0.1 and ::1 and right, but for its fault.
---@class smtp.mock_tls
---@field mode? "starttls"|"implicit" default `"starttls"`
---@field fault? "expired"|"not_yet"|"wrong_host"|"no_name"|"wrong_purpose"|"self_signed"|"unknown_ca"|"no_intermediate"|"close"|"reset"|"hang"|"plaintext"|"none" `close` to `plaintext` are of the handshake; default `"none"`
---@field required? boolean 530 before STARTTLS (RFC 3207 section 4)
---@field cert? string a PEM file or text of your own
---@field key? string

--- A rule as a table, as JSON has it too: where it applies, how often (`from_nth` is the
--- method `from`), and what is done, in the order delay, drip, split, throttle, store,
--- reject, reply, raw, close, reset, hang.
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

--- Globs (`*`, `?`), in any case, but for `text`.
---@class smtp.mock_matcher
---@field from? string the sender
---@field to? string the recipient; behind RCPT, any that was accepted
---@field text? string is, as it is written, in the command line, or at EOM in the message; an AUTH line with a response is `AUTH PLAIN ***`
---@field user? string who authenticated
---@field session? integer its number
---@field tls? boolean
---@field auth? boolean

--- A mock that runs.
---@class smtp.mock_server
---@field host string
---@field port integer
---@field url string `"smtp://127.0.0.1:40197"`, `smtps` with implicit TLS
---@field ca_file? string PEM of the authority that its certificate is of, unless that is your own; removed at its end
---@field ca? string the same as text
---@field strict boolean
---@field seed? integer of `chaos`
local mx = {}

--- A rule: at an event (`connect`, `handshake`, `EHLO`, `HELO`, `AUTH`, `MAIL`, `RCPT`,
--- `DATA`, `BDAT` (a chunk that is not the last came), `BODY`, `EOM`, `RSET`, `QUIT`, `STARTTLS`, `idle`, or any other verb), where the
--- matcher fits. Of several that apply the last one added is taken. It does nothing before
--- it has an action; each method gives the rule, and is in force at once.
---@param event string
---@param matcher? smtp.mock_matcher
---@return smtp.mock_rule_builder
function mx:on(event, matcher) end

--- A rule that is a table.
---@param rule smtp.mock_rule
---@return smtp.mock_rule_builder
function mx:rule(rule) end

--- What a function at an event gets.
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

--- The first n times that it matches.
---@param n integer
---@return smtp.mock_rule_builder
function rule:first(n) end

--- The n-th time.
---@param n integer
---@return smtp.mock_rule_builder
function rule:nth(n) end

--- The n-th time and all later ones.
---@param n integer
---@return smtp.mock_rule_builder
function rule:from(n) end

--- Each n-th time.
---@param n integer
---@return smtp.mock_rule_builder
function rule:every(n) end

--- Once for each sender and recipient.
---@return smtp.mock_rule_builder
function rule:new() end

--- BODY: when so many bytes of content have come; default: the first ones.
---@param n integer
---@return smtp.mock_rule_builder
function rule:after_bytes(n) end

--- idle: when nothing came for so many seconds.
---@param seconds number
---@return smtp.mock_rule_builder
function rule:after(seconds) end

--- What is done at the first match, the second ...; the last one stays.
---@param list (string|table)[] replies, or tables of actions
---@return smtp.mock_rule_builder
function rule:sequence(list) end

--- Answers, and moves the session as that code would; one that is neither 2xx nor 3xx, as
--- a refusal. `"\n"` parts lines. A 2xx to a command that the mock does itself (AUTH, RSET,
--- QUIT ...) changes only the text: it is done, or not, as ever. At BODY it is the answer to
--- the message before its end, where then nothing is said; at idle nobody has asked for it.
---@param code integer|string|function `"550 5.1.1 no"`, or 550 and a text; with `driver = "loop"` a function of `smtp.mock_facts` that gives a reply, or a code and a text, or nil: as ever; anything else is a violation
---@param text? string
---@return smtp.mock_rule_builder
function rule:reply(code, text) end

--- Bytes in place of the reply, or besides all replies (BODY, idle, handshake).
---@param bytes string
---@return smtp.mock_rule_builder
function rule:raw(bytes) end

--- The usual refusal.
---@return smtp.mock_rule_builder
function rule:reject() end

--- EOM: the message is kept, whatever is answered.
---@return smtp.mock_rule_builder
function rule:store() end

--- Waits before what follows.
---@param seconds number
---@return smtp.mock_rule_builder
function rule:delay(seconds) end

--- The reply goes out byte by byte.
---@param seconds? number between two; default 0.01
---@return smtp.mock_rule_builder
function rule:drip(seconds) end

--- The reply goes out in two pieces.
---@param n integer bytes of the first
---@param seconds? number default 0.02
---@return smtp.mock_rule_builder
function rule:split(n, seconds) end

--- The reply is written, or (BODY) the content read, at n bytes a second.
---@param n integer
---@return smtp.mock_rule_builder
function rule:throttle(n) end

--- Nothing more happens. Without a reply before, nothing is said.
---@return smtp.mock_rule_builder
function rule:hang() end

--- FIN.
---@return smtp.mock_rule_builder
function rule:close() end

--- RST.
---@return smtp.mock_rule_builder
function rule:reset() end

--- Removes an extension from EHLO; an extension that is not offered is no error.
---@param keyword string
---@return smtp.mock_server
function mx:without(keyword) end

--- EHLO has a line more. The mock then speaks CHUNKING, BINARYMIME, SMTPUTF8, DSN,
--- REQUIRETLS (under TLS), DELIVERBY, MT-PRIORITY, FUTURERELEASE, RRVS and PRDR (what is
--- said at EOM is said to each recipient, but for `raw`); of others it only says so.
---@param line string
---@return smtp.mock_server
function mx:with(line) end

---@param limits { size?: integer|string, recipients?: integer }
---@return smtp.mock_server
function mx:limit(limits) end

--- Refuses each sender and recipient once.
---@param reply? string default `"450 4.7.1 greylisted, try again"`
---@return smtp.mock_rule_builder
function mx:greylist(reply) end

--- A behaviour that is legal and nasty, by its name in `mock.quirks`.
---@param name string
---@return smtp.mock_server
function mx:quirk(name) end

--- Faults by chance: the same for the same seed, which it gives.
---@param options? { seed?: integer, rate?: number, events?: string[], faults?: string[], most?: integer } rate: of all events, default 0.1; seed: by the time; events: connect, EHLO, MAIL, RCPT, DATA, EOM; faults: delay, drip, split, later (451), no (554), bye (421), close, reset; most: 200 of each event
---@return integer seed
function mx:chaos(options) end

--- The first mail of a query, come already or to come; `err.report` has what came
--- closest, and the end of the transcript. A query is a table, a recipient, or a function of
--- a mail.
---@param query? string|smtp.mock_query|fun(mail: smtp.mock_mail): boolean
---@param timeout? number seconds
---@param n? integer the n-th such mail instead
---@return smtp.mock_mail? mail
---@return smtp.error? err `kind = "timeout"`
function mx:wait(query, timeout, n) end

--- Waits until all that clients have sent was dealt with and no session is at work.
---@param timeout? number seconds
---@return true? idle
---@return smtp.error? err
function mx:wait_idle(timeout) end

--- The mails that were accepted so far; with a query, those of it.
---@param query? string|smtp.mock_query|fun(mail: smtp.mock_mail): boolean
---@return smtp.mock_mail[]
function mx:mails(query) end

--- The mails that came whole and were refused, or whose reply was left out.
---@return smtp.mock_mail[]
function mx:refused() end

--- All sessions so far; with a query, those of it.
---@param query? smtp.mock_session_query|fun(session: smtp.mock_session): boolean
---@return smtp.mock_session[]
function mx:sessions(query) end

--- How often an event happened; a verb that is no event by itself (NOOP ...) is counted in
--- the transcript.
---@param event string
---@return integer
function mx:count(event) end

--- The dialogues, a line each: `"1 C: EHLO x"`; with a number, those of that session.
---@param session? integer
---@return string
function mx:transcript(session) end

--- What clients did wrong, with the RFC that says so (what only `strict` refuses is told
--- with it alone); `tostring` gives a sentence. With the level `"must"` without those of a
--- SHOULD.
---@param level? "must"|"should" default `"should"`: all
---@return smtp.mock_violation[]
function mx:violations(level) end

--- Writes the mails that were accepted, over files of the same name.
---@param format "eml"|"mbox"|"maildir"
---@param path string a folder, for mbox a file
---@return true? done
---@return smtp.error? err
function mx:export(format, path) end

--- Forgets what came; the rules stay, and have counted what they have. Numbers go on.
---@return smtp.mock_server
function mx:clear() end

--- Ends it; what came can still be read. Also `close`.
function mx:stop() end

--- What a mail has to be. A text is a glob of the whole (`*`; `?` is a byte; ASCII letters in
--- any case); in `text`, `html` and `raw` something that is within, as it is written, or a
--- glob of the whole. A function gets the value and says whether it is right, and so does a
--- matcher of luassert (`match.is_string()`); `true` and `false` ask whether there is one at
--- all. A table in the place of a value asks for each of its fields.
---@class smtp.mock_query
---@field from? any the reverse-path
---@field to? any a recipient that was accepted; of a list, each of them
---@field cc? any an address of the field Cc; of a list, each of them
---@field subject? any
---@field text? any
---@field html? any
---@field raw? any
---@field header? table<string, any> a field of that name has that value
---@field attachment? any the name of one; of a list, each of them
---@field session? any its number, or a table as `smtp.mock_session_query`
---@field secure? any
---@field helo? any
---@field user? any
---@field code? any
---@field number? any
---@field parameters? any such as `{ BODY = "8BITMIME" }`

--- What a session has to be, in the same way.
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

--- A mail; every field of `smtp.parsed` but `from` and `to` is there as well.
---@class smtp.mock_mail
---@field number integer
---@field from string the reverse-path
---@field recipients string[] those that were accepted
---@field to string[] the same
---@field raw string the content, byte for byte, dots unstuffed
---@field verdicts { address: string, code: integer, text: string, parameters: table }[] every RCPT
---@field parameters table<string, string|true> of MAIL
---@field session smtp.mock_session
---@field message smtp.parsed
---@field code integer of the last reply; 0: there was none
---@field stored boolean
---@field secure boolean it came through TLS
---@field helo? string
---@field user? string

---@class smtp.mock_session
---@field number integer
---@field address string of the client
---@field port integer
---@field helo? string
---@field esmtp boolean
---@field tls? { version: string, cipher: string, name?: string } name: SNI
---@field tls_error? string why the handshake failed
---@field alert? string the alert that the client sent
---@field user? string
---@field mechanism? string
---@field authenticated boolean
---@field commands integer
---@field mails integer
---@field opened number
---@field closed? number
---@field reason? string `"quit"`, `"closed"`, `"reset"`, `"tls"`, `"watchdog"` ...

---@class smtp.mock_violation
---@field rule string a word, such as `"bare_lf"`; `"lost"`: the mock had no memory for all that came
---@field section string `"RFC 5321 section 2.3.8"`, `"the test"` or `"the mock"`; of a command that was refused, the section of its grammar
---@field level "must"|"should" `"should"` of what an RFC only advises: a Message-ID, commands of 512 bytes at most, waiting for the greeting
---@field text? string
---@field session? integer

--- Runs a client through some two hundred behaviours of servers, legal and nasty ones and
--- hostile ones, a mock for each. What is right is judged by facts: what the mock stored,
--- byte for byte, what the client claims, which rules it broke, whether a password went
--- out in clear text, how long it took. The client has to block until it is done; one that
--- hangs is cut off by the mock. `docs/gauntlet.md` has the results of some clients.
---
--- ```lua
--- local results = mock.gauntlet(function(target)
---   local receipt, err = smtp.send({ url = target.url, ca = target.ca_file }, {
---     envelope = { from = target.from, to = target.to }, raw = target.raw,
---   })
---   return receipt ~= nil, err
--- end, { only = { "plain", "final_lost" } })
--- ```
---@param send fun(target: smtp.gauntlet_target): boolean?, any? true if the client believes that the mail was accepted; else a text; it may raise
---@param options? smtp.gauntlet_options
---@return smtp.gauntlet_result[] results
function mock.gauntlet(send, options) end

---@class smtp.gauntlet_options
---@field only? string|string[] names of behaviours; default: all
---@field lacks? string[] what the client cannot do, `"tls"` or `"auth"`: behaviours that need it are left out
---@field timeout? number seconds that the client is told to wait; default 1
---@field limit? number seconds that it may take for a behaviour; default 4
---@field each? fun(result: smtp.gauntlet_result) is called after each

---@class smtp.gauntlet_target
---@field name string of the behaviour
---@field host string
---@field port integer
---@field url string
---@field ca_file? string PEM of whom to trust
---@field tls "none"|"starttls"|"implicit" what the client must use, or send nothing
---@field auth? { user: string, password: string } only under TLS
---@field from string
---@field to string[]
---@field raw string the message, most often with CRLF
---@field eightbit boolean there are 8-bit bytes in it
---@field timeout number seconds for each step

---@class smtp.gauntlet_result
---@field name string
---@field about string what the server does
---@field section string of an RFC
---@field expected "delivered"|"refused"|"either, but truthful"
---@field got "delivered"|"refused"|"claimed, not accepted"|"accepted, not claimed"
---@field right boolean
---@field detail string what was wrong; else what the client said
---@field said? string what the client said
---@field unused string[] rules of the mock that never applied, so that the client did not see what they do
---@field seconds number
---@field transcript string

return mock
