-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- A configuration that all sessions of a listener share.
---@class smtp.server_config
local config = {}

--- A session: the machine, and a socket with TLS unless it is driven in memory. A connection
--- that fails is an event "close", so only `proxy_header`, `handshake` and `content_to` fail.
---@class smtp.server_session: smtp.pollable
local session = {}

--- Options are the fields of smtp_server_config (csrc/core/server.h).
---@param options table
---@return smtp.server_config config
function core.server_config(options) end

--- A new session, which takes the socket over.
---@param socket? smtp.socket
---@param now? number
---@return smtp.server_session session
function config:session(socket, now) end

--- Moves bytes until there is an event, or nothing to do.
---@param now number
---@param expired? boolean what it waited for did not come in time
---@return string? event with its values (csrc/lua/server_event.c); nil: wait
---@return any value with a wait: "r", "w", or false for the time alone
---@return any value with a wait: the deadline, if there is one
function session:turn(now, expired) end

--- In memory: the next event.
---@return string? event with its values; nil: bytes or a verdict are needed
---@return any value
function session:next() end

--- Gives the verdict that is due.
---@param verdict "none"|"nothing"|"accept"|"refuse"|"fail"|"reply"
---@param code? integer
---@param text? string
---@return integer code that is sent
function session:decide(verdict, code, text) end

--- Whether it could be one of several replies to a message whose content still comes.
---@param code integer
---@param text string
---@return boolean
function session:sayable(code, text) end

--- Whether the client is sent such a text as it is, with SMTPUTF8 or in ASCII.
---@param text string
---@return boolean
function session:hears(text) end

---@return string bytes of the event "body"
function session:content() end

---@return string bytes of the message's header so far
---@return boolean whole whether that is all of it
function session:header() end

--- Appends the bytes of the event "body" to a spool.
---@param spool smtp.spool
---@return true? ok
---@return string? text
---@return smtp.errno? word
function session:content_to(spool) end

--- Writes the last bytes.
---@return boolean done false: wait for writing
function session:flush() end

--- Drops bytes that still come, so that the last reply is not lost in a reset.
---@return boolean done the peer has closed; false: wait for reading
function session:linger() end

--- Ends the stream of our bytes.
function session:shutdown() end

--- Reads a PROXY header, and no byte behind it.
---@param held string bytes that it gave before
---@return smtp.core_proxy_header|false|nil header false: wait for reading
---@return string? held of a failure the text
function session:proxy_header(held) end

--- Sets whether this client may use XCLIENT and XFORWARD.
---@param xclient boolean
---@param xforward boolean
function session:trust(xclient, xforward) end

--- Begins TLS on the socket.
---@param engine smtp.tls
function session:secure(engine) end

--- Goes on with the handshake.
---@return true|false|"name"|nil done "name": call `choose`
---@return string? what false: "r" or "rw", to wait for; "name": the name that the client wants; of a failure the text
---@return smtp.tls_word? word
---@return string? cause of "closed"
function session:handshake() end

--- Answers "name".
---@param context smtp.tls_context|false|nil false refuses the name; nil keeps our context
function session:choose(context) end

--- The handshake is done. In memory the bindings are given.
---@param name? string that the client's certificate is for
---@param exporter? string
---@param endpoint? string
function session:secured(name, exporter, endpoint) end

---@return smtp.tls_info? info nil: no TLS
function session:info() end

--- Answers the event "lookup"; see `sasl:lookup`.
---@param keys string|smtp.scram_keys|nil
---@param stored? boolean
function session:lookup(keys, stored) end

--- Answers the event "lookup": the user could not be looked up.
function session:lookup_failed() end

--- In memory: bytes of the client.
---@param bytes string
function session:feed(bytes) end

--- In memory: the client has ended its stream.
function session:eof() end

---@return string bytes for the client
function session:peek() end

--- The first `n` bytes of `peek` were written.
---@param n integer
function session:sent(n) end

--- Tells the time.
---@param now number
function session:clock(now) end

---@return number? at when `tick` is due; nil: no limit
function session:deadline() end

--- Ends the session if its time is over.
---@param now number
function session:tick(now) end

--- Ends the session by 421, between two commands or now.
---@param why "shutdown"|"connections"|"failed"
---@param now? boolean
function session:finish(why, now) end

--- Whether it waits for a command.
---@return boolean
function session:idle() end

--- Closes it. A second call does nothing.
function session:close() end
