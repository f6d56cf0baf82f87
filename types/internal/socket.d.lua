-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- A listener, a connection, or a connection that is not established yet.
---@class smtp.socket: smtp.pollable
local socket = {}

--- Listens at `host` and `port`, at the unix socket `path`, or takes over the descriptor `fd`,
--- which may also be a connection.
---@param options { host?: string, port?: integer, path?: string, fd?: integer, backlog?: integer, reuseport?: boolean }
---@return smtp.socket? socket
---@return string? text
---@return smtp.errno? word
function core.listen(options) end

--- Begins a connection to `host` and `port`, or to `path`.
---@param options { host?: string, port?: integer, path?: string, local_address?: string }
---@return smtp.socket? socket
---@return string? text
---@return smtp.errno? word
function core.connect(options) end

--- Whether the connection is established. The failure stays.
---@return boolean? connected false: not yet
---@return string? text
---@return smtp.errno? word
function socket:connected() end

--- Accepts a connection.
---@return smtp.socket|false|nil socket false: none waits
---@return string? text
---@return smtp.errno? word
function socket:accept() end

--- Reads up to `max` bytes.
---@param max integer
---@return string|false|nil bytes `""` at the end of the stream; false: none wait
---@return string? text
---@return smtp.errno? word
function socket:recv(max) end

--- Like `recv`, but the bytes stay in the socket.
---@param max integer
---@return string|false|nil bytes
---@return string? text
---@return smtp.errno? word
function socket:peek(max) end

--- Writes the bytes from place `first` on.
---@param bytes string
---@param first? integer default 1
---@return integer? n how many were taken; 0: wait
---@return string? text
---@return smtp.errno? word
function socket:send(bytes, first) end

--- Ends the stream of our bytes.
---@return true? ok
---@return string? text
---@return smtp.errno? word
function socket:shutdown() end

--- Closes the connection by a reset.
function socket:abort() end

--- Our own address.
---@return string? address
---@return integer|string|nil port nil of a unix socket; of a failure the text
---@return smtp.errno? word
function socket:name() end

--- The peer's address, even after it has gone.
---@return string? address
---@return integer|string|nil port nil of a unix socket; of a failure the text
---@return smtp.errno? word
function socket:peer() end

--- Whether the peer is on this host.
---@return boolean loopback
function socket:loopback() end

--- Gives the descriptor away; the socket is closed for us.
---@return integer descriptor
function socket:detach() end

--- Closes it. A second call does nothing.
function socket:close() end
