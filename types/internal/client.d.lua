-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- A session: the machine, and a socket with TLS unless it is driven in memory.
---@class smtp.client_session: smtp.pollable
local client = {}

--- `word` of a command that was not queued: replies or writes must come first; it is not legal
--- now; or it has bytes that may not go out.
---@alias smtp.client_word "busy"|"state"|"invalid"

--- A new session, which takes the socket over.
---@param socket? smtp.socket
---@param disable? { [string]: boolean } keywords that count as not offered
---@param strict_body? boolean a bare CR or LF in content is invalid, not mended
---@param tls? boolean without TLS only EHLO, STARTTLS, NOOP and QUIT are legal
---@param trace? boolean for `said`
---@return smtp.client_session session
function core.client(socket, disable, strict_body, tls, trace) end

--- Moves bytes until there is a reply, or nothing to do.
---@param sending? boolean also returns once the message being sent needs content, or is queued
---@return string|false|nil event the step that the reply answers; "ended" before such a step; "message" and what became of it; "content" or "sent"; false: wait
---@return any value the reply, or what to wait for ("r", "rw"); of a failure the text
---@return string? word "system", "tls", "closed" or "protocol"
---@return string? cause errno, "alert", or the end of TLS
---@return smtp.reply? reply that broke the protocol
function client:step(sending) end

--- In memory: the next reply, with the results of `step`.
---@return string? event nil alone: bytes are needed
---@return any value
---@return string? word
function client:next() end

--- Writes the waiting bytes.
---@return boolean? done false: wait for "rw"
---@return string? text
---@return string? word
---@return string? cause
function client:flush() end

--- Queues a command.
---@param name string
---@param args? string
---@return true? ok
---@return string? text
---@return smtp.client_word? word
function client:submit(name, args) end

--- Queues MAIL or RCPT.
---@param name "MAIL"|"RCPT"
---@param mailbox string
---@param params? (string|true)[] key, value, key ...
---@return true? ok
---@return string? text
---@return smtp.client_word? word
function client:submit_path(name, mailbox, params) end

--- Queues content after DATA.
---@param bytes string
---@param first? integer default 1
---@return integer? n how many bytes were taken
---@return string? text
---@return smtp.client_word? word
function client:body(bytes, first) end

--- Content goes in chunks, in place of DATA.
---@param binary boolean no byte of it is changed
---@return true? ok
---@return string? text
---@return smtp.client_word? word
function client:chunks(binary) end

--- Ends the content.
---@param whole? boolean false abandons content in chunks
---@return true? ok
---@return string? text
---@return smtp.client_word? word
function client:finish(whole) end

--- Sends a message, or without a sender the content alone.
---@param part { to: string[], text?: string } what the results are told with
---@param text? string the content, which the part keeps; nil: `content` gives it
---@param chunks? boolean it goes by BDAT
---@param binary? boolean and unchanged
---@param sender? string
---@param params? table
---@param sent? string[] the recipients as they go out
---@param given? table their parameters, by place
---@return boolean? queued whether to its end; false: `content` gives the rest
---@return string? text
---@return smtp.client_word? word
---@return integer? place of an invalid recipient; 0: the sender
function client:message(part, text, chunks, binary, sender, params, sent, given) end

--- Content of the message being sent; nil ends it.
---@param bytes? string
---@param first? integer default 1
---@return integer|true|nil n how many bytes were taken
---@return string? text
---@return smtp.client_word? word
function client:content(bytes, first) end

--- The rest of the content does not come.
---@return boolean goes_on whether the session goes on
function client:give_up() end

---@return "not_sent"|"unknown"|"partial" outcome of the first message under way, if nothing more is heard
function client:outcome() end

--- The session is over.
---@return "not_sent"|"unknown"|"partial"|nil outcome of the next message that was under way; nil: none
---@return any result as of "message"
function client:lose() end

--- Whether no message is under way.
---@return boolean
function client:idle() end

--- Whether a message has left something at the server.
---@return boolean
function client:needs_rset() end

--- XCLIENT was accepted: the session begins again.
function client:anew() end

--- Also of a session that was closed.
---@return string[] lines "C", line, "S", line ...
function client:transcript() end

--- The next entry of the transcript that was not read, if the session has `trace`.
---@return string[]? lines
function client:said() end

---@return integer n bytes that were written in all
function client:written() end

--- In memory: bytes of the server.
---@param bytes string
---@return true? ok
---@return string? text
---@return smtp.client_word? word
function client:feed(bytes) end

--- In memory: the server has ended its stream.
function client:eof() end

---@return string bytes for the server
function client:peek() end

--- The first `n` bytes of `peek` were written.
---@param n integer
function client:sent(n) end

---@return string step that the next reply answers, or "unasked"
function client:awaits() end

---@return boolean in_step false: there were more replies than commands
function client:in_step() end

--- Whether content is begun, and not written to its end.
---@return boolean
function client:writes_content() end

---@return integer n replies that are due
function client:outstanding() end

---@return integer n bytes that wait to be written, those of TLS too
function client:pending() end

--- Whether a command may be sent; false of a closed session.
---@return boolean
function client:usable() end

--- Closes the session by a reset.
function client:abort() end

--- Closes it. A second call does nothing.
function client:close() end

--- Begins TLS on the socket.
---@param engine smtp.tls
function client:secure(engine) end

--- Goes on with the handshake.
---@return true|false|nil done
---@return string? what false: "r" or "rw", to wait for; of a failure the text
---@return smtp.tls_word? word
---@return string? cause of "closed"
function client:handshake() end

--- The handshake is done.
function client:secured() end

---@return smtp.tls_info? info nil: no TLS
function client:info() end

--- The channel bindings; see `engine:bindings`.
---@return string? exporter nil: no TLS
---@return string? endpoint
function client:bindings() end

---@return string? bytes that resume the TLS session
function client:tls_session() end

--- Begins AUTH. The session takes the exchange over and answers each 334 by it.
---@param sasl smtp.sasl
---@return true? ok
---@return string? text
---@return smtp.client_word? word
function client:auth(sasl) end

---@return string? json by which a token was refused
function client:auth_problem() end

---@return string text why the exchange failed on our side, or ""
function client:auth_reason() end

--- Whether the server sent a challenge that the mechanism does not have.
---@return boolean
function client:auth_broken() end
