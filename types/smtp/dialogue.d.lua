-- SPDX-License-Identifier: MIT
---@meta smtp.dialogue
---
--- Drives or breaks the protocol by hand, line by line, as `smtp.dialogue` gives it.
--- Nothing is refused and nothing is kept in step: what is sent is what was asked
--- for. Methods of a closed dialogue raise, but for `close`, `abort` and `transcript`.

---@class smtp.dialogue
---@field tls? smtp.tls_info what is known of TLS, once there is some
local dialogue = {}

---@package
function dialogue.connect(target, options) end

---@class smtp.dialogue_options
---@field timeout? number seconds for each reply; default 30
---@field trace? fun(side: "C"|"S", line: string) as in a target
---@field local_address? string the address to connect from

--- What a reply should be: a code; `"2xx"`; a Lua pattern, found in one of its lines
--- with the code in front (`"^250 SIZE"`); a list of these; or a function.
---@alias smtp.expected integer|string|table|fun(reply: smtp.reply): boolean

--- Reads a reply. One that was not expected is `nil, err` with `kind = "rejected"` and
--- the reply in it.
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

--- Sends any bytes as they are, rules broken on purpose, and reads nothing.
---@param bytes string
---@return true? ok
---@return smtp.error? err
function dialogue:raw(bytes) end

--- Sends all lines at once, then reads a reply for each (RFC 2920):
--- `d:pipeline { { "MAIL FROM:<a@b>", 250 }, { "RCPT TO:<c@d>", "5xx" } }`.
---@param list table each `{ line, expected }`
---@return smtp.reply[]? replies
---@return smtp.error? err the first
---@return smtp.reply[]? so_far with an error: the replies that were as expected, by place
function dialogue:pipeline(list) end

--- Waits without reading.
---@param seconds number
function dialogue:pause(seconds) end

--- True once the server has closed the connection; `nil, err` if it speaks, or is
--- silent for the time-out, instead.
---@return true? closed
---@return smtp.error? err
function dialogue:closed() end

--- The last 32 commands and replies, `C:` or `S:` in front, controls escaped.
---@return string
function dialogue:transcript() end

--- Ends our side of the stream (FIN); reading goes on.
function dialogue:finish() end

--- Drops the connection with a TCP reset.
function dialogue:abort() end

--- Closes without a word; does nothing the second time. `<close>` does the same.
function dialogue:close() end

--- Sends STARTTLS, expects 220 and makes the handshake; EHLO is up to you then. RFC 3207.
---@param options? smtp.dialogue_tls
---@return smtp.tls_info? tls
---@return smtp.error? err `kind = "tls"`, `"timeout"`, or `"rejected"` if the reply was not 220
function dialogue:starttls(options) end

--- Makes the handshake at once, as port 465 wants it. RFC 8314.
---@param options? smtp.dialogue_tls
---@return smtp.tls_info? tls
---@return smtp.error? err
function dialogue:secure(options) end

--- As in a target; the default of each is what the target of the dialogue says.
---@class smtp.dialogue_tls
---@field verify? boolean default true
---@field ca? string
---@field cert? string
---@field key? string
---@field sni? string

--- XCLIENT with these attributes, as `client:xclient` has them, whatever the server
--- offers; EHLO is up to you then.
---@param told table
---@return smtp.reply? reply if it is 220
---@return smtp.error? err
function dialogue:xclient(told) end

--- XFORWARD with these attributes, as `client:xforward` has them.
---@param told table
---@return smtp.reply? reply if it is 250
---@return smtp.error? err
function dialogue:xforward(told) end

--- AUTH by one mechanism, whatever the server offers; the transcript shows `***` for
--- what is secret. RFC 4954.
---@param mechanism string such as `"PLAIN"` or `"SCRAM-SHA-256"`; an unknown one raises
---@param user? string
---@param secret? string the password, or the token
---@param options? { authzid?: string, initial?: boolean } `initial = false` waits for a challenge where others send an initial response
---@return smtp.reply? reply if it is 2xx
---@return smtp.error? err `kind = "auth"`
function dialogue:auth(mechanism, user, secret, options) end

return dialogue
