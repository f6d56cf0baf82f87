-- SPDX-License-Identifier: MIT
--- What is under way on a client: transactions whose replies are due, in the order in
-- which they went out. Replies come in that order too, so a reply is for the first of
-- them. An entry has `reply(step, reply)`, `done` once nothing more is due to it, and, by
-- how many of all bytes were written, `outcome(written)` and `is_written(written)`;
-- `fail(err)` ends it.
local core = require "smtp.core"
local errors = require "smtp.error"

local Flight = {}
Flight.__index = Flight

local M = {}

function M.new(client)
  return setmetatable({ client = client, first = 1, last = 0 }, Flight)
end

function Flight:add(entry)
  self.last = self.last + 1
  self[self.last] = entry
end

--- Forgets those at the front that are done.
function Flight:tidy()
  while self[self.first] and self[self.first].done do
    self[self.first] = nil
    self.first = self.first + 1
  end
end

function Flight:is_empty()
  return self.first > self.last
end

function Flight:is_last(entry)
  return self[self.last] == entry
end

--- What is known of the first message if nothing more is heard. `written`: the bytes that
-- went out. If the flight is `astray`, no reply can be assigned to its command.
function Flight:outcome(written)
  local head = self[self.first]
  return head and head:outcome(written) or "not_sent"
end

-- What the first one's end is for those behind it. Behind a 421 they were not looked at
-- any more; another refusal was not of them.
local function behind(err, outcome)
  local is_refusal = err.kind == "rejected"
  if is_refusal and err.code ~= 421 then
    return errors.new { kind = "closed", stage = err.stage, peer = err.peer, outcome = outcome,
      message = "the session ended with another message", transcript = err.transcript }
  end
  return errors.new { kind = err.kind, stage = err.stage, message = err.message,
    code = err.code, text = err.text, lines = err.lines, enhanced = err.enhanced,
    peer = err.peer, cause = err.cause, transcript = err.transcript,
    outcome = is_refusal and "not_sent" or outcome }
end

-- The connection is lost.
local function fail(self, err)
  local written = self.client._written or 0
  for i = self.first, self.last do
    local one = self[i]
    self[i] = nil
    one:fail(i == self.first and err or behind(err, one:outcome(written)))
  end
  self.first, self.last = 1, 0
  return nil, err
end

--- Takes in a reply: true, or nil and an error that ended the session.
function Flight:give(step, reply)
  local head = self[self.first]
  if not head or step == "unasked" then
    return fail(self, select(2, self.client:_over(reply, "command")))
  end
  local is_end = reply.code == 421 and step ~= "recipient" -- others may have it still
  if is_end and step ~= "final" then
    return fail(self, select(2, self.client:_over(reply, step)))
  end
  -- Only a close tells the server that the rest of the content will not come.
  local is_early = step == "final" and not head:is_written(self.client._core:written())
  head:reply(step, reply)
  if is_early then return fail(self, select(2, self.client:_over(reply, step))) end
  if step == "rset" and reply.code >= 300 then
    -- What follows would be for the recipients of the message before.
    return fail(self, select(2, self.client:_broken { kind = "protocol", stage = step,
      message = "the server refused RSET", outcome = self.client:_outcome_now() }))
  end
  if head.done then self:tidy() end
  if not is_end or self:is_empty() then return true end
  return fail(self, select(2, self.client:_over(reply, step)))
end

--- Waits for a reply and takes it in: true, or nil and an error.
function Flight:take()
  local step, reply = self.client:_await()
  if not step then return fail(self, reply) end
  return self:give(step, reply)
end

--- Writes what waits, and takes in what is heard meanwhile (RFC 2920 section 3.1). True, or
-- nil and an error.
function Flight:write()
  local client = self.client
  local machine, patience = client._core, client.target.timeout.block
  while machine:pending() > 0 do
    local step, reply, sentence, cause, said = machine:step()
    if step then
      client._transcript:reply(reply)
      local ok, err = self:give(step, reply)
      if not ok then return nil, err end
    elseif step == nil then
      return fail(self, select(2, client:_failed(reply, sentence, cause, said)))
    elseif machine:pending() > 0 then
      local ok, err = client:_wait(reply, core.now() + patience, (client:_stage()))
      if not ok then return fail(self, err) end
    end
  end
  return true
end

--- Ends all that is under way with an error: nil and that error.
Flight.fail = fail

return M
