-- SPDX-License-Identifier: MIT
---@meta smtp.mock.busted
---
--- `require "smtp.mock.busted"`: assertions about a mock for busted and luassert.
---
--- ```lua
--- local mail = assert.smtp(mx).has.received { to = "bob@example.org", subject = "Welcome*" }
--- assert.smtp(mx).has.no.received { to = "eve@example.org" }
--- assert.smtp(mx).has.session { tls = { version = "TLSv1.3" } }
--- assert.smtp(mx).has.no.violations()
--- ```
---
--- What is to be there is waited for; of what is not to be there, until the mock is idle,
--- and one that does not become so is a failure. A failure shows the mail that came
--- closest and the end of the transcript.

---@class smtp.mock_assertions
local smtp = {}

--- There is such a mail, which it gives.
---@param query? string|smtp.mock_query|fun(mail: smtp.mock_mail): boolean
---@param timeout? number seconds; default: the mock's
---@return smtp.mock_mail mail
function smtp.received(query, timeout) end

--- There is such a session, which it gives.
---@param query? smtp.mock_session_query|fun(session: smtp.mock_session): boolean
---@param timeout? number seconds; default: the mock's
---@return smtp.mock_session session
function smtp.session(query, timeout) end

--- The clients violated a MUST; usually with `no`. Violations of a SHOULD (a message without
--- a Message-ID) count with the level `"should"`.
---@param timeout? number seconds; default: the mock's
---@param level? "must"|"should" default `"must"`
---@return smtp.mock_violation[] violations
function smtp.violations(timeout, level) end

return smtp
