-- SPDX-License-Identifier: MIT
--- The Maildirs of another program's users: methods of what has a `folder`, in which
-- they are as mail/USER, and a `process` that fills them.
local net = require "spec.support.net"

local Maildirs = {}

-- The folder may not be there yet.
local function names(self, user)
  local pipe <close> = assert(io.popen(("ls -A %s/mail/%s/new 2>/dev/null"):format(
    self.folder, user)))
  local list = {}
  for name in pipe:lines() do list[#list + 1] = name end
  return list
end

--- Waits until a user has `n` messages; gives them, as that program kept them: with \n
-- at the ends of lines and its own fields before the content.
function Maildirs:mails(user, n, seconds)
  local all
  self.process:await(function()
    all = names(self, user)
    return #all >= n
  end, seconds)
  local list = {}
  for i, name in ipairs(all) do
    list[i] = net.slurp(("%s/mail/%s/new/%s"):format(self.folder, user, name))
  end
  return list
end

--- How many messages a user has now.
function Maildirs:count(user)
  return #names(self, user)
end

return Maildirs
