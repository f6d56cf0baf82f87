-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- One side of an authentication exchange. Messages are bytes, without base64.
---@class smtp.sasl
local sasl = {}

--- `word` of an exchange that failed: the message is not of the mechanism's grammar; it proves
--- nothing; OpenSSL failed; or the mechanism cannot carry a value of ours.
---@alias smtp.sasl_word "syntax"|"auth"|"crypto"|"invalid"

---@param mechanism string
---@param options { user?: string, password?: string, authzid?: string, host?: string, port?: integer, exporter?: string, endpoint?: string, unbound?: boolean, nonce?: string }
---@return smtp.sasl? sasl
---@return string? text the mechanism is unknown
function core.sasl_client(mechanism, options) end

---@param mechanism string
---@param options { hostname?: string, exporter?: string, endpoint?: string, plus?: boolean, secret?: string, iterations?: integer, certificate?: string, nonce?: string }
---@return smtp.sasl? sasl
---@return string? text the mechanism is unknown
function core.sasl_server(mechanism, options) end

--- The keys of a password.
---@param password string
---@param options? { mechanism?: string, iterations?: integer, salt?: string }
---@return smtp.scram_keys keys
function core.scram_keys(password, options) end

---@param bytes string
---@return string text
function core.base64(bytes) end

---@param text string
---@return string? bytes nil: it is not base64
function core.unbase64(text) end

--- Compares secrets in a time that does not tell where they differ.
---@param a string
---@param b string
---@return boolean
function core.equal(a, b) end

---@param n integer
---@return string bytes n random bytes
function core.random(n) end

--- The first message.
---@return string? bytes nil alone: the other side begins
---@return string? text
---@return "invalid"|"crypto"|nil word
function sasl:first() end

--- Takes a message of the peer. A failure stays.
---@param message string
---@return "continue"|"done"|"lookup"|nil state continue: send the bytes; done: server: judge the credentials; lookup: server: call `lookup`
---@return string? bytes to send; of a failure the text
---@return smtp.sasl_word? word
function sasl:next(message) end

--- Server: answers "lookup" by a password or by keys; nil: there is no such user, which takes
--- as long as a password does, or as stored keys do.
---@param keys string|smtp.scram_keys|nil
---@param stored? boolean
---@return "continue"|"done"|nil state
---@return string? bytes of a failure the text
---@return smtp.sasl_word? word
function sasl:lookup(keys, stored) end

--- Server, after "done". `verified`: the mechanism itself has proved the user.
---@return { user?: string, authzid?: string, password?: string, token?: string, verified?: true } credentials
function sasl:credentials() end

--- Server, after "done": the credentials are wrong.
---@return "continue"|"done"|nil state continue: a last message is sent, and answered
---@return string? bytes of a failure the text
---@return smtp.sasl_word? word
function sasl:refuse() end

--- Client: whether the server has proved what the mechanism asks of it.
---@return boolean
function sasl:complete() end

---@return string json by which OAUTHBEARER or XOAUTH2 was refused, or ""
function sasl:problem() end

---@return string mechanism
function sasl:mechanism() end

--- Client: whether `next` takes a challenge that is not base64.
---@return boolean
function sasl:takes_words() end

--- Wipes its secrets. A second call does nothing.
function sasl:close() end
