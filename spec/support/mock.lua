-- Common parts of the specs of the mock: a mock, and dialogues with it up to a point.
local mock = require "smtp.mock"
local smtp = require "smtp"

local M = {}

function M.start(options) return assert(mock.start(options)) end

--- A dialogue behind the greeting and, unless it is false, EHLO.
function M.open(mx, ehlo)
  local d = assert(smtp.dialogue(mx.url, { timeout = 5 }))
  assert(d:expect(220))
  if ehlo ~= false then assert(d:cmd("EHLO client.example", 250)) end
  return d
end

--- Goes on to where the content may be sent.
function M.transaction(d)
  assert(d:cmd("MAIL FROM:<ada@code.energy>", 250))
  assert(d:cmd("RCPT TO:<bob@example.org>", 250))
  assert(d:cmd("DATA", 354))
end

return M
