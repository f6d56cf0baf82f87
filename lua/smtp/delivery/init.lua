-- SPDX-License-Identifier: MIT
--- `smtp.deliver`: a message straight to the servers of its recipients' domains, each by
-- its MX (RFC 5321 section 5.1). If a host cannot take the message, the next one is tried. A
-- reply about the message or a recipient is final, and so is doubt whether a host has the
-- message. policy.lua decides how a host is trusted.
local address = require "smtp.base.address"
local split = require "smtp.client.split"
local core = require "smtp.core"
local dkim = require "smtp.message.dkim"
local dns = require "smtp.net.dns"
local errors = require "smtp.error"
local rewindable = require "smtp.base.rewindable"
local loop = require "smtp.loop"
local mx = require "smtp.delivery.mx"
local options = require "smtp.base.options"
local outgoing = require("smtp.client.outgoing").outgoing
local policy = require "smtp.delivery.policy"
local refusals = require "smtp.base.refusals"
local target_of = require "smtp.client.target"

local M = {}

local OPTIONS = {
  nameserver = "string", port = "port digits", deadline = "seconds",
  tls = { "required", "starttls", "opportunistic", "none" },
  dane = { "required", "opportunistic" }, mta_sts = "function", dkim = "table",
  progress = "function", concurrency = "count", received = "boolean", prepend = "string",
}
for _, key in ipairs(policy.KEYS) do OPTIONS[key] = target_of.SPEC[key] end

local HOSTS_MAX = 16 -- tries for a domain

-- ---- domains ---------------------------------------------------------------

-- The recipients by domain, in the order of the first recipient of each.
local function by_domain(out)
  local groups, known = {}, {}
  for i, mailbox in ipairs(out.to) do
    local path = address.parse(mailbox)
    local domain = path and path.domain or ""
    domain = mx.ascii(domain) or domain:lower()
    local group = known[domain]
    if not group then
      group = { domain = domain, to = {}, given = {} }
      known[domain] = group
      groups[#groups + 1] = group
    end
    group.to[#group.to + 1] = mailbox
    group.given[#group.to] = out.given[i]
  end
  return groups
end

-- Calls fn(one) for each of a list, n at a time.
local function each(list, n, fn)
  if n <= 1 or #list <= 1 then
    for _, one in ipairs(list) do fn(one) end
    return
  end
  local at, running, failure, gate = 1, math.min(n, #list), nil, loop.gate()
  local tasks <close> = setmetatable({}, { __close = function(all)
    for _, task in ipairs(all) do loop.cancel(task) end
  end })
  local function work()
    while at <= #list and not failure do
      at = at + 1
      fn(list[at - 1])
    end
  end
  for i = 1, running do
    tasks[i] = loop.spawn(function()
      local ok, why = pcall(work)
      if not ok then failure = failure or { why } end
      running = running - 1
      if running == 0 then loop.wake(gate) end
    end)
  end
  loop.pass(gate)
  if failure then error(failure[1], 0) end
end

-- ---- one host --------------------------------------------------------------

local BEFORE_MAIL = {
  resolve = true, connect = true, greeting = true, ehlo = true, starttls = true,
}

-- Kinds of errors about the connection.
local BROKEN = { closed = true, timeout = true, protocol = true, tls = true }

-- Whether the next host may do better, and cannot get the message a second time.
local function is_next(err)
  if err.outcome == "unknown" or err.outcome == "partial" then return false end
  if err.kind == "source" or err.kind == "invalid" then return false end
  if BEFORE_MAIL[err.stage] or err.kind == "unsupported" or BROKEN[err.kind] then return true end
  return err.code == 421 and err.stage ~= "final" -- this host goes away
end

local function late()
  return nil, errors.new { kind = "timeout", stage = "resolve", outcome = "not_sent",
    message = "the deadline has passed" }
end

local Delivery = {}
Delivery.__index = Delivery

-- Whether a message may go in clear text after TLS has failed: without verification TLS
-- protects no more than clear text does (RFC 7435). If TLS stood with this host before, the
-- failure has another reason, perhaps an attacker, and the message waits.
local function may_go_clear(self, target, err)
  if target.tls ~= "opportunistic" or target.verify or target.tlsa then return false end
  return err.stage == "starttls" and err.outcome == "not_sent" and not self.secured[target.host]
end

-- Connects to a host, trusted as its target says, and sends.
function Delivery:attempt(group, target)
  local now = core.now()
  if now >= self.limit then return late() end
  if self.limit < math.huge then target.deadline = self.limit - now end
  local out = setmetatable({ to = group.to, given = group.given,
    source = self.content:open() }, { __index = self.out })
  target.stood = self.secured[target.host]
  local receipt, err, tls = split.once(target, out, { progress = self.options.progress }, now)
  self.secured[target.host] = self.secured[target.host] or target.stood
  if receipt then receipt.host, receipt.tls = target.host, tls end
  return receipt, err
end

function Delivery:host(group, host, sts)
  local target, err = policy.target(self, group, host, sts)
  if not target then return nil, err end
  if self.options.nameserver and not target.addresses then
    target.addresses, err = dns.addresses(target.host, target.port,
      { nameserver = self.options.nameserver, limit = policy.limit(self, target) })
    if not target.addresses then return nil, err end
  end
  local receipt
  receipt, err = self:attempt(group, target)
  if receipt then return receipt end
  if may_go_clear(self, target, err) then
    target.tls = "none"
    return self:attempt(group, target)
  end
  if err.kind == "tls" then err.temporary = true end -- the server may be repaired in time
  return nil, err
end

-- The receipt of a domain; or nil, an error, and the host of the error.
function Delivery:domain(group)
  if core.now() >= self.limit then return late() end
  local hosts, err = mx.look_up(group.domain, self.query)
  if not hosts then return nil, err end
  local sts = policy.sts(self, group)
  local worst, at
  for i = 1, math.min(#hosts, HOSTS_MAX) do
    if worst and core.now() >= self.limit then break end
    local receipt
    receipt, err = self:host(group, hosts[i], sts)
    if receipt then return receipt end
    if not is_next(err) then return nil, err, hosts[i].host end
    -- A temporary error wins: a later try may succeed.
    if not worst or err.temporary or not worst.temporary then worst, at = err, hosts[i].host end
  end
  return nil, worst, at
end

-- ---- the result ------------------------------------------------------------

-- Enhanced codes of RFC 3463, without the class.
local DETAIL = { dns = "4.3", connect = "4.1", timeout = "4.2", closed = "4.2", tls = "7.5",
  protocol = "5.0", unsupported = "5.1", system = "3.0", invalid = "1.3" }

-- The reason why a recipient has not got the message, as a rejection of a receipt.
local function rejection(mailbox, err, host)
  local enhanced = err.enhanced
  if not enhanced and not err.code then
    enhanced = (err.temporary and "4." or "5.") .. (DETAIL[err.kind] or "0.0")
  end
  local text, doubt = err.text or err.message or err.kind, errors.doubt(err)
  return { address = mailbox, code = err.code, enhanced = enhanced, lines = err.lines,
    text = doubt and text .. "; " .. doubt or text, temporary = err.temporary,
    remote_mta = host, stage = err.stage }
end

local function append(list, more)
  table.move(more, 1, #more, #list + 1, list)
end

local function add_receipt(result, group, receipt)
  for _, one in ipairs(receipt.rejected) do one.remote_mta = receipt.host end
  append(result.accepted, receipt.accepted)
  append(result.rejected, receipt.rejected)
  result.receipts[group.domain] = receipt
end

local function add_failure(result, group, err, host)
  local has = {} -- how often a mailbox was accepted: the outcome may be "partial"
  for _, mailbox in ipairs(err.accepted or {}) do has[mailbox] = (has[mailbox] or 0) + 1 end
  local told = {} -- the rejection of each recipient
  for _, one in ipairs(err.rejected or {}) do
    one.remote_mta, told[one.address] = host, one
  end
  for _, mailbox in ipairs(group.to) do
    if (has[mailbox] or 0) > 0 then
      has[mailbox] = has[mailbox] - 1
      table.insert(result.accepted, mailbox)
    else
      table.insert(result.rejected, told[mailbox] or rejection(mailbox, err, host))
    end
  end
  result.errors[group.domain] = err
end

local function collect(groups)
  local result = { accepted = {}, rejected = {}, receipts = {}, errors = {} }
  local failure
  for _, group in ipairs(groups) do
    local err = group.err
    if group.receipt then
      add_receipt(result, group, group.receipt)
    else
      add_failure(result, group, err, group.host)
      if not failure or err.temporary and not failure.temporary then failure = err end
    end
  end
  if #result.accepted > 0 then return result end
  failure.rejected = result.rejected
  refusals.note(failure.code, failure.text, failure.enhanced) -- another task may have had the reply
  return nil, failure
end

--- See `smtp.deliver`.
function M.deliver(message, given)
  given = options.check("deliver: options", given or {}, OPTIONS)
  if given.concurrency == 0 then options.misuse("deliver: concurrency must be above 0") end
  dns.check_server("deliver", given.nameserver)
  local limit = core.now() + (given.deadline or math.huge)
  local signer, out, content, ok, err
  if given.dkim then
    signer, err = dkim.new(given.dkim)
    if not signer then return nil, err end
  end
  ok, err = policy.check(given)
  if not ok then return nil, err end
  out, err = outgoing(message, signer, given)
  if not out then return nil, err end
  content, err = rewindable.new(out.source)
  if not content then return nil, err end
  local _ <close> = content
  local self = setmetatable({
    options = given, out = out, content = content, limit = limit,
    secured = {}, -- the hosts with a successful handshake in this call
    query = { nameserver = given.nameserver, limit = limit < math.huge and limit or nil },
  }, Delivery)
  self.relaxed = policy.is_relaxed(self)
  local groups = by_domain(out)
  each(groups, given.concurrency or 1, function(group)
    group.receipt, group.err, group.host = self:domain(group)
  end)
  return collect(groups)
end

return M
