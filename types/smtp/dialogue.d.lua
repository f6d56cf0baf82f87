-- SPDX-License-Identifier: MIT
---@meta smtp.dialogue
---
--- A dialogue, made by `smtp.dialogue`, drives or breaks the protocol by hand, line by line.
--- It refuses nothing and keeps nothing in step: your bytes go out unchanged. Methods of a
--- closed dialogue raise, except `close`, `abort` and `transcript`.

---@class smtp.dialogue
---@field tls? smtp.tls_info nil before the handshake
local dialogue = {}

---@package
function dialogue.connect(target, options) end

---@class smtp.dialogue_options
---@field timeout? number seconds for each reply; default 30
---@field trace? fun(side: "C"|"S", line: string) as in a target
---@field local_address? string the address to connect from

--- An expected reply: a code; `"2xx"`; a Lua pattern, found in a line of the reply with the code
--- in front (`"^250 SIZE"`); a list of these; or a function.
---@alias smtp.expected integer|string|table|fun(reply: smtp.reply): boolean

--- Reads a reply. An unexpected reply is `nil, err` with `kind = "rejected"` and the reply in
--- the error.
---@param expected? smtp.expected default: any
---@return smtp.reply? reply
---@return smtp.error? err
function dialogue:expect(expected) end

--- Sends a line and its CRLF, and reads the reply.
---@param line string
---@param expected? smtp.expected
---@return smtp.reply? reply
---@return smtp.error? err
function dialogue:cmd(line, expected) end

--- Sends any bytes, unchanged, even if they break rules; reads nothing.
---@param bytes string
---@return true? ok
---@return smtp.error? err
function dialogue:raw(bytes) end

--- Sends all lines at once, then reads a reply for each (RFC 2920):
--- `d:pipeline { { "MAIL FROM:<a@b>", 250 }, { "RCPT TO:<c@d>", "5xx" } }`.
---@param list table each `{ line, expected }`
---@return smtp.reply[]? replies
---@return smtp.error? err the first
---@return smtp.reply[]? so_far with an error: the expected replies, by place
function dialogue:pipeline(list) end

--- Waits without reading.
---@param seconds number
function dialogue:pause(seconds) end

--- Waits until the server closes the connection: true. If the server sends anything, or the
--- time-out passes, `nil, err`.
---@return true? closed
---@return smtp.error? err
function dialogue:closed() end

--- The last 32 commands and replies, `C:` or `S:` in front, controls escaped.
---@return string
function dialogue:transcript() end

--- Ends our side of the stream (FIN); you can still read.
function dialogue:finish() end

--- Drops the connection with a TCP reset.
function dialogue:abort() end

--- Closes without QUIT; does nothing the second time. `<close>` calls it.
function dialogue:close() end

--- Sends STARTTLS, expects 220 and does the handshake. Send EHLO yourself then. RFC 3207.
---@param options? smtp.dialogue_tls
---@return smtp.tls_info? tls
---@return smtp.error? err `kind = "tls"`, `"timeout"`, or `"rejected"` if the reply was not 220
function dialogue:starttls(options) end

--- Does the handshake at once, as port 465 needs it. RFC 8314.
---@param options? smtp.dialogue_tls
---@return smtp.tls_info? tls
---@return smtp.error? err
function dialogue:secure(options) end

--- Options as in a target. The target of the dialogue gives the defaults.
---@class smtp.dialogue_tls
---@field verify? boolean default true
---@field ca? string
---@field cert? string
---@field key? string
---@field sni? string

--- XCLIENT with the attributes of `client:xclient`, whatever the server offers. Send EHLO
--- yourself then.
---@param told table
---@return smtp.reply? reply if it is 220
---@return smtp.error? err
function dialogue:xclient(told) end

--- XFORWARD with the attributes of `client:xforward`.
---@param told table
---@return smtp.reply? reply if it is 250
---@return smtp.error? err
function dialogue:xforward(told) end

--- AUTH by one mechanism, whatever the server offers. The transcript shows secrets as `***`.
--- RFC 4954.
---@param mechanism string such as `"PLAIN"` or `"SCRAM-SHA-256"`; an unknown one raises
---@param user? string
---@param secret? string the password, or the token
---@param options? { authzid?: string, initial?: boolean } `initial = false` waits for a challenge and sends no initial response
---@return smtp.reply? reply if it is 2xx
---@return smtp.error? err `kind = "auth"`
function dialogue:auth(mechanism, user, secret, options) end

return dialogue
