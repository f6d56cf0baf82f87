-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- Work of a helper thread. It becomes readable when it is done.
---@class smtp.job: smtp.pollable
local job = {}

--- Looks a host name up in the system (getaddrinfo). The result is a list of `{ host, port,
--- family }`; or `nil, text, "temporary"|"permanent"`.
---@param host string
---@param port integer
---@return smtp.job? job
---@return string? text
---@return smtp.errno? word
function core.resolve(host, port) end

--- The result, of which the function that made the job tells the kind.
---@return any result false: not yet; nil, text, word: the work failed
function job:result() end

--- Forgets the job; its work is not stopped.
function job:close() end
