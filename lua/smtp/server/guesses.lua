-- SPDX-License-Identifier: MIT
--- Guesses of passwords (RFC 4954 section 9): failed AUTH is remembered over all sessions
-- of a server, by address and user together and by address (an IPv6 host has a /64). Each
-- failure of a user delays the next attempt for that user from that address, twice as long each
-- time. After ALONE failures the address is delayed for any user. Simultaneous attempts go one
-- after the other, so that many sessions guess no faster than one. Attempts without a verdict,
-- since `on_auth` waits, are bounded as well. Other addresses are not delayed.
local networks = require "smtp.server.networks"

local M = {}

--- The longest delay, in seconds. An attempt with a longer delay is not judged.
M.LONGEST = 10

local FIRST = 0.1 -- seconds, after one failure
local ALONE = 20
local FORGET = 30 -- seconds in which one failure is forgotten

-- Attempts of an address that may wait for their verdict at once, and the seconds until one more
-- may. So an attempt that never gets a verdict is forgotten.
local AT_ONCE, EACH = 20, 0.125

-- More failures than these change nothing: the delay is the longest.
local MOST = 8

-- Keys of a generation, of which there are two; and the bytes of a user's name in a key.
local KEPT, NAME_MAX = 5000, 64

-- ---- what is remembered -------------------------------------------------------

-- Entries by key: a young generation and an old one. A used entry becomes young. A full young
-- generation replaces the old one, which is forgotten.
local Ledger = {}
Ledger.__index = Ledger

local function ledger(free)
  return setmetatable({ young = {}, old = {}, n = 0, free = free }, Ledger)
end

function Ledger:keep(key, entry)
  if self.n >= KEPT then self.young, self.old, self.n = {}, self.young, 0 end
  if not self.young[key] then self.n = self.n + 1 end
  self.young[key] = entry
  return entry
end

function Ledger:find(key)
  local entry = self.young[key]
  if entry or not self.old[key] then return entry end
  entry, self.old[key] = self.old[key], nil
  return self:keep(key, entry)
end

function Ledger:forget(key)
  if self.young[key] then self.n = self.n - 1 end
  self.young[key], self.old[key] = nil, nil
end

-- Failures that are not forgotten yet.
local function failures(entry, now)
  return math.max(entry.failures - (now - entry.since) / FORGET, 0)
end

-- Seconds between two attempts.
local function spacing(self, entry, now)
  local n = failures(entry, now) - self.free
  return n > 0 and math.min(FIRST * 2 ^ (n - 1), M.LONGEST) or 0
end

-- Takes the place of one more attempt, at a time.
local function reserve(self, entry, at, now, share)
  local apart = entry and spacing(self, entry, now) or 0
  if apart > 0 then entry.next = math.max(entry.next, at + share * apart) end
end

-- `next`: the time of the next judgement; `free`: the time when no attempt waits for its verdict.
local function entry_of(self, key, now)
  return self:find(key) or self:keep(key, { failures = 0, since = now, next = now, free = now })
end

local function fail(self, key, now, share)
  local entry = entry_of(self, key, now)
  entry.failures = math.min(failures(entry, now) + share, self.free + MOST)
  entry.since = now
  reserve(self, entry, now, now, share)
end

-- ---- attempts -----------------------------------------------------------------

local function keys(address, user)
  local host = networks.host(address) or address
  return host, host .. "\0" .. user:lower():sub(1, NAME_MAX)
end

--- The memory of a server.
function M.new()
  return { pairs = ledger(0), hosts = ledger(ALONE), share = 1 }
end

--- Clears the memory in a worker, for a number of workers: each sees its share of attempts.
function M.share(guesses, workers)
  guesses.pairs, guesses.hosts, guesses.share = ledger(0), ledger(ALONE), workers
end

--- Seconds to wait until an attempt for a user may be judged; nil if that is too long.
function M.attempt(guesses, now, address, user)
  local host, pair = keys(address, user)
  local of_pair, of_host = guesses.pairs:find(pair), entry_of(guesses.hosts, host, now)
  local at = math.max(now, of_pair and of_pair.next or now, of_host.next,
    of_host.free - math.max(AT_ONCE - guesses.share, 0) * EACH)
  if at - now > M.LONGEST then return nil end
  of_host.free = math.max(of_host.free, now) + EACH * guesses.share
  reserve(guesses.pairs, of_pair, at, now, guesses.share)
  reserve(guesses.hosts, of_host, at, now, guesses.share)
  return at - now
end

-- Counts the verdict of an attempt.
local function judged(guesses, host)
  local entry = guesses.hosts:find(host)
  if entry then entry.free = entry.free - EACH * guesses.share end
end

--- Notes wrong credentials.
function M.failed(guesses, now, address, user)
  local host, pair = keys(address, user)
  fail(guesses.pairs, pair, now, guesses.share)
  fail(guesses.hosts, host, now, guesses.share)
  judged(guesses, host)
end

--- Notes right credentials: the delay of the user ends, the address keeps its failures.
function M.passed(guesses, address, user)
  local host, pair = keys(address, user)
  guesses.pairs:forget(pair)
  judged(guesses, host)
end

return M
