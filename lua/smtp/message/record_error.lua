-- SPDX-License-Identifier: MIT
--- The error that ends the making of a message if a value of the record may not be sent. It
-- names the field; the call returns it as `nil, err`.
local errors = require "smtp.error"

local M = {}

--- Ends the making with an error that names the field. `cause` is the system's name of the error
-- of a file.
function M.fail(field, why, cause)
  error({ field = field, why = why, cause = cause }, 0)
end

--- Gives the results of `make`, or nil and an error if `fail` ended it. `what` is the name of
-- the call.
function M.guard(what, make, ...)
  local ok, result, err = pcall(make, ...)
  if ok then return result, err end
  if type(result) ~= "table" or not result.field then error(result, 0) end
  return nil, errors.new { kind = result.cause and "source" or "invalid", outcome = "not_sent",
    message = ("%s: %s %s"):format(what, result.field, result.why), cause = result.cause }
end

return M
