-- SPDX-License-Identifier: MIT
---@meta smtp.error
---
--- The error object of the library. `tostring(err)` is a sentence with its context, `"failed: "
--- .. err` works, and the fields are for programs.

---@class smtp.error
---@field kind smtp.error_kind
---@field stage? smtp.error_stage the stage of the failure; nil before there was a connection, such as for a bad URL
---@field outcome? "not_sent"|"unknown"|"partial" of a message: `"partial"` if some recipients have it (`accepted`) and the rest is not known; `"unknown"` if the connection died, or the server was out of step, after the last byte of the message and before the reply. The message may then have been accepted, and a second try may send it twice
---@field temporary boolean a later try may succeed: a 4xx, a time-out, a failed connection
---@field code? integer of the reply, if there was one; so are the next three
---@field enhanced? string
---@field text? string
---@field lines? string[]
---@field rejected? smtp.rejection[] the refused recipients
---@field accepted? string[] of `"partial"`: the mailboxes of the accepted recipients
---@field message? string the reason, if it is not in a reply
---@field hint? string how to solve the problem
---@field address? string the mailbox in question
---@field peer? string `host:port`, or the path of a socket or file
---@field cause? any the system's name of the error (`"ECONNREFUSED"`), `"the connection ended without close_notify"` under TLS, an error of a function of yours, or the JSON of a refused token
---@field report? string more lines, shown below the sentence
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
---| "tls" # the certificate is not valid, TLS failed, or STARTTLS is missing; a connection that ends under TLS is `closed`
---| "auth" # AUTH was refused, is not offered, or the server did not prove itself
---| "timeout" # a step took longer than `timeout`, or the call longer than `deadline`
---| "closed" # the connection ended too early, under TLS as well, or a function of yours closed the client
---| "protocol" # the server broke the protocol, such as by more replies than commands, or a command is not possible now
---| "rejected" # the server refused: `code` and `text`; in a dialogue, an unexpected reply
---| "unsupported" # a needed extension is not offered, or a needed library is not built in
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
---| "body" # while the content is sent or read; a part of it was not written
---| "final" # the reply to the content
---| "rset"
---| "quit"
---| "command" # any other command, or between two of them
---| "listen" # opening a server's listener
---| "save" # `message:save` and `message:maildir`

return error
