-- SPDX-License-Identifier: MIT
--- LIMITS of a server (RFC 9422), and how much of them a session has used.
local M = {}

local Used = {}
Used.__index = Used

local NAMES = { RCPTMAX = true, MAILMAX = true, RCPTDOMAINMAX = true }

--- The numbers of a LIMITS line that are known; what is malformed or unknown is as if it
-- were not there (section 3).
function M.parse(text)
  local limits = {}
  if type(text) ~= "string" then return limits end
  for keyword, value in text:gmatch("([%w-]+)=(%d+)%f[%s\0]") do
    local name = keyword:upper()
    local n = #value <= 6 and math.tointeger(tonumber(value)) -- 1*6DIGIT
    if NAMES[name] and n and n > 0 then limits[name] = n end
  end
  return limits
end

--- The use of its limits by a session: nothing yet.
function M.used()
  return setmetatable({ limits = {}, mails = 0, domains = 0, domain = {} }, Used)
end

--- Takes the limits of a new EHLO; those of an earlier one are dropped (section 4).
function Used:learn(text)
  self.limits = M.parse(text)
  self.has_limits = next(self.limits) ~= nil
end

local function domain_of(mailbox)
  return (mailbox:match("@([^@]*)$") or ""):lower()
end

--- A command that was sent counts, whatever its reply.
function Used:note(verb, mailbox)
  if verb == "MAIL" then
    self.mails = self.mails + 1
  elseif self.limits.RCPTDOMAINMAX then
    local domain = domain_of(mailbox)
    if not self.domain[domain] then
      self.domain[domain], self.domains = true, self.domains + 1
    end
  end
end

--- The commands of a message, which are sent from now on.
function Used:note_message(mailboxes)
  self.mails = self.mails + 1
  if not self.limits.RCPTDOMAINMAX then return end
  for _, mailbox in ipairs(mailboxes) do self:note("RCPT", mailbox) end
end

--- Whether another session is needed for one more message.
function Used:is_full()
  local most = self.limits.MAILMAX
  return most ~= nil and self.mails >= most
end

--- How many of the mailboxes, from the first on, one transaction may have now. 0: none,
-- where another session may have more.
function Used:fits(mailboxes)
  local most = math.min(#mailboxes, self.limits.RCPTMAX or #mailboxes)
  local domains = self.limits.RCPTDOMAINMAX
  if not domains then return most end
  local seen, n = {}, self.domains
  for i = 1, most do
    local domain = domain_of(mailboxes[i])
    if not self.domain[domain] and not seen[domain] then
      if n >= domains then return i - 1 end
      seen[domain], n = true, n + 1
    end
  end
  return most
end

return M
