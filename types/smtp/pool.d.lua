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

--- A pool. Before it uses a connection again, it checks the connection: if the server has sent
--- anything (a 421) or has closed it, the pool takes another one. Connections that were idle for
--- too long are ended at the next use of the pool.
---@class smtp.pool
local pool = {}

--- See `smtp.pool`.
---@package
function pool.new(options) end

--- The keys of a target, and the following. `deadline` of the target bounds each `send`.
---@class smtp.pool_options: smtp.target
---@field size? integer connections at most; default 4
---@field max_messages? integer messages over one connection, each attempt counted; default 100. A lower MAILMAX in the server's EHLO is obeyed (RFC 9422)
---@field idle? number seconds that a connection is kept without a message; default 30
---@field rate? number messages a second over all connections, each attempt counted; default: none
---@field burst? integer messages that may go out at once before `rate` applies; default 1
---@field retries? integer further tries for a message; default 2
---@field backoff? number seconds before the first retry at most, and half of that at least; each further pause is twice as long; default 1

--- Sends a message, as `client:send`. If all connections are busy, it waits, first come, first
--- served. It returns `nil, err` with `kind = "timeout"` if the deadline passes meanwhile, with
--- `kind = "cancelled"` if the pool is closed.
---
--- It tries again if `err.temporary` (a 4xx, a lost connection) and `err.outcome == "not_sent"`,
--- and if there is time before the deadline; never if the message may have been accepted. A
--- message that can be read only once (a function, a pipe, an attachment of a function, a
--- server's message) is not tried again after its reading has begun.
---@param message smtp.record|smtp.outgoing|smtp.message|smtp.parsed as for `smtp.send`
---@param options? smtp.send_options
---@return smtp.receipt? receipt
---@return smtp.error? err
function pool:send(message, options) end

--- Counts. Now: `busy` slots, `idle` connections, `waiting` tasks. Since the start: connections
--- opened (`connected`), messages accepted (`sent`) or given up (`failed`), retries (`retried`).
---@return { busy: integer, idle: integer, waiting: integer, connected: integer, sent: integer, failed: integer, retried: integer }
function pool:stats() end

--- Sends QUIT on the idle connections and closes them, without waiting. A message on its way is
--- still sent; a message that waits for a connection is not. Does nothing the second time.
--- `<close>` calls it.
function pool:close() end

return pool
