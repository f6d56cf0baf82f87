-- SPDX-License-Identifier: MIT
---@meta smtp.error
---
--- The one error object. `tostring(err)` is a sentence with its context, `"failed: "
--- .. err` works, and the fields are for programs.

---@class smtp.error
---@field kind smtp.error_kind
---@field stage? smtp.error_stage where it happened; nil before there was a connection, such as for a bad URL
---@field outcome? "not_sent"|"unknown"|"partial" of a message: `"partial"` when some recipients have it (`accepted`) and the rest is not known; `"unknown"` when the connection died, or the server was out of step, after its last byte and before its reply; it may have been accepted, as the sentence says, so a second try may send it twice
---@field temporary boolean the same may go well later: a 4xx, a time-out, a connection that failed
---@field code? integer the reply, if there was one; so are the next three
---@field enhanced? string
---@field text? string
---@field lines? string[]
---@field rejected? smtp.rejection[] each recipient that was refused
---@field accepted? string[] of `"partial"`: the mailboxes that a server has taken it for
---@field message? string what went wrong, where no reply says it
---@field hint? string what to do about it
---@field address? string the mailbox it is about
---@field peer? string `host:port`, or the path of a socket or file
---@field cause? any the system's name for it (`"ECONNREFUSED"`), `"the connection ended without close_notify"` under TLS, what a function of yours raised, or the JSON by which a token was refused
---@field report? string lines that say more, shown below the sentence
---@field transcript? string the last 32 commands and replies
local error = {}

--- Tells whether a value is an error of this library: `require "smtp.error".is(value)`.
---@param value any
---@return boolean
function error.is(value) end

---@package
function error.new(fields) end

---@package
function error.doubt(err) end

---@package
function error.rejected(reply, stage, fields) end

---@alias smtp.error_kind
---| "dns" # the host has no address, or the look-up failed
---| "connect" # no address of the host took the connection
---| "tls" # the certificate or the server's TLS is not what it must be, or STARTTLS is missing; a connection that ends under TLS is `closed`
---| "auth" # AUTH was refused, is not offered, or the server did not prove itself
---| "timeout" # a step took longer than `timeout`, or the call longer than `deadline`
---| "closed" # the connection ended where it should not, under TLS as well, or a function of yours closed the client
---| "protocol" # the server broke the protocol, as by more replies than commands, or a command is not possible now
---| "rejected" # the server said no: `code` and `text`; in a dialogue, a reply that was not expected
---| "unsupported" # needed, and not offered or not built
---| "too_big" # larger than the server's SIZE
---| "invalid" # a value that may not be sent, such as CR in an address
---| "source" # reading the message failed
---| "cancelled" # the pool was closed
---| "system" # a bind, a file, a resource

---@alias smtp.error_stage
---| "resolve"
---| "connect"
---| "proxy" # SOCKS5, CONNECT or a PROXY header
---| "greeting"
---| "ehlo"
---| "starttls"
---| "auth"
---| "mail"
---| "rcpt"
---| "data" # the reply to DATA
---| "body" # while the content is sent or read; some of it was not written
---| "final" # the reply to the content
---| "rset"
---| "quit"
---| "command" # any other command, or between two of them
---| "listen" # opening a server's listener
---| "save" # `message:save` and `message:maildir`

return error
