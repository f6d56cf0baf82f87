-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- A configuration of TLS that connections share.
---@class smtp.tls_context
local context = {}

--- TLS of one connection, in memory. A session takes it over by `secure`.
---@class smtp.tls
local engine = {}

--- `word` of a handshake that failed: the peer speaks in clear text; the stream ended; or the
--- certificate is for another name, out of date, in no TLSA record, or bad otherwise.
---@alias smtp.tls_word "clear"|"closed"|"name"|"date"|"dane"|"certificate"

---@param options { server?: boolean, cert?: string, key?: string, ca?: string, verify?: boolean, client?: "none"|"optional"|"required", tls13?: boolean, name?: boolean } cert, key: PEM; ca: PEM or a path; tls13: no older version; name: `handshake` asks for a context by name
---@return smtp.tls_context? context
---@return string? text
function core.tls_context(options) end

--- A new connection.
---@param name? string client: the name of the server
---@param session? string bytes that resume an earlier session
---@return smtp.tls engine
function context:engine(name, session) end

--- Closes it. Its engines stay. A second call does nothing.
function context:close() end

--- Bytes of the wire.
---@param bytes string
function engine:feed(bytes) end

--- The wire has ended.
function engine:eof() end

---@return string bytes for the wire
function engine:peek() end

--- The first `n` bytes of `peek` were written.
---@param n integer
function engine:sent(n) end

--- Goes on with the handshake.
---@return true|false|"name"|nil done false: bytes of the wire are needed; "name": call `choose`
---@return string? text with "name": the name that the client wants
---@return smtp.tls_word? word nil: another failure
---@return string? cause of "closed"
function engine:handshake() end

--- Answers "name".
---@param context smtp.tls_context|false|nil false refuses the name; nil keeps our context
function engine:choose(context) end

--- Reads what the peer wrote.
---@return string|false|nil bytes false: bytes of the wire are needed
---@return string? text
---@return "closed"|smtp.tls_word|nil word "closed": the stream ended
---@return string? cause nil: the peer ended the stream as it should
function engine:read() end

--- Writes bytes from place `first` on.
---@param bytes string
---@param first? integer default 1
---@return integer? n how many were taken; 0: write the bytes of `peek` first
---@return string? text
---@return smtp.tls_word? word
---@return string? cause
function engine:write(bytes, first) end

--- Client, before the handshake: TLSA records decide about the certificate (RFC 7672).
---@param names string[] names besides that of the engine
---@param records { usage: integer, selector: integer, matching: integer, data: string }[]
---@return integer n records that are of use
function engine:dane(names, records) end

--- Ends the stream of our bytes (close_notify).
function engine:shutdown() end

---@return smtp.tls_info info
function engine:info() end

--- The channel bindings; `""` where there is none.
---@return string exporter tls-exporter
---@return string endpoint tls-server-end-point
function engine:bindings() end

---@return string? bytes that resume the session
function engine:session() end

--- Closes it. A second call does nothing.
function engine:close() end
