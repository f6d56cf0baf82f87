-- SPDX-License-Identifier: MIT
---@meta smtp.mta_sts
---
--- `smtp.mta_sts`: the policies of MTA-STS (RFC 8461). `smtp.deliver` applies them if you give
--- it a function that fetches them. Use `parse` to look at a policy.

---@class smtp.mta_sts
local mta_sts = {}

--- Reads the text of a policy from `https://mta-sts.DOMAIN/.well-known/mta-sts.txt`: fields on
--- lines that end in LF or CRLF, at most 64 KiB. Unknown fields are ignored. RFC 8461 section
--- 3.2.
---
--- ```lua
--- local policy = assert(smtp.mta_sts.parse(
---   "version: STSv1\nmode: enforce\nmx: *.example.com\nmax_age: 86400\n"))
--- print(policy.mode, policy.mx[1])
--- ```
---@param text string
---@return smtp.mta_sts_policy? policy
---@return smtp.error? err `kind = "invalid"`
function mta_sts.parse(text) end

---@class smtp.mta_sts_policy
---@field version "STSv1"
---@field mode "enforce"|"testing"|"none"
---@field max_age integer seconds to keep the policy, 31557600 at most
---@field mx string[] names in lower case; `*.` in front stands for one label

return mta_sts
