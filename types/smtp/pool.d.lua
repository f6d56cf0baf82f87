-- SPDX-License-Identifier: MIT
---@meta smtp.pool
---
--- Connections to one target, kept for the next message: `smtp.pool`. Any number of tasks
--- may send at the same time; it works without tasks, too.
---
--- ```lua
--- local pool <close> = assert(smtp.pool { url = "smtps://ada:secret@mail.example.org",
---   size = 4, rate = 10 })
--- for _, message in ipairs(messages) do
---   smtp.loop.spawn(function()
---     local receipt, err = pool:send(message)
---     if not receipt then print(err) end
---   end)
--- end
--- smtp.loop.run()
--- ```

--- A pool. Before a connection is used again it is looked at: where the server has said
--- anything (a 421) or has closed it, another one is taken. A connection that has been
--- idle for too long is ended when the pool is next used.
---@class smtp.pool
local pool = {}

--- The same as `smtp.pool`.
---@package
function pool.new(options) end

--- The keys of a target, and these. `deadline` of the target is for each `send` as a whole.
---@class smtp.pool_options: smtp.target
---@field size? integer connections at most; default 4
---@field max_messages? integer messages over one connection, each attempt counted; default 100. A server that tells a lower MAILMAX in EHLO has its way (RFC 9422)
---@field idle? number seconds that a connection is kept without a message; default 30
---@field rate? number messages a second over all connections, each attempt counted; default: none
---@field burst? integer so many may go out at once before `rate` holds; default 1
---@field retries? integer how often a message is tried again; default 2
---@field backoff? number seconds before the first retry, at most, and half as long at least; each later time twice as long; default 1

--- Sends a message as `client:send` does. If all connections are busy it waits; who came
--- first is first. `nil, err` with `kind = "timeout"` if the deadline passes so, with
--- `kind = "cancelled"` if the pool is closed.
---
--- It is tried again if `err.temporary` (a 4xx, a lost connection) and `err.outcome ==
--- "not_sent"`, and if there is time for that before the deadline; never where it may have
--- been accepted. What can be read only once (a function, a pipe, an attachment of a
--- function, a message that comes in) is not tried again once its reading has begun.
---@param message smtp.record|smtp.outgoing|smtp.message|smtp.parsed as for `smtp.send`
---@param options? smtp.send_options
---@return smtp.receipt? receipt
---@return smtp.error? err
function pool:send(message, options) end

--- Counts: `busy` slots, `idle` connections and `waiting` tasks now; connections opened
--- (`connected`), messages accepted (`sent`) or given up (`failed`), and retries
--- (`retried`) since the start.
---@return { busy: integer, idle: integer, waiting: integer, connected: integer, sent: integer, failed: integer, retried: integer }
function pool:stats() end

--- Says QUIT on the idle connections and closes them, without waiting; a message that is
--- being sent is let through, and one that waits for a connection is not sent. Does
--- nothing the second time. `<close>` does the same.
function pool:close() end

return pool
