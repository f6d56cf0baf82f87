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
--- An assertion waits for its mail or session. A negated one waits until the mock is idle, and
--- fails if the mock does not become idle. A failure shows the closest mail and the end of the
--- transcript.

---@class smtp.mock_assertions
local smtp = {}

--- Asserts that there is such a mail, and returns it.
---@param query? string|smtp.mock_query|fun(mail: smtp.mock_mail): boolean
---@param timeout? number seconds; default: the mock's
---@return smtp.mock_mail mail
function smtp.received(query, timeout) end

--- Asserts that there is such a session, and returns it.
---@param query? smtp.mock_session_query|fun(session: smtp.mock_session): boolean
---@param timeout? number seconds; default: the mock's
---@return smtp.mock_session session
function smtp.session(query, timeout) end

--- Asserts that the clients violated a MUST; usually with `no`. With the level `"should"`
--- violations of a SHOULD (a message without a Message-ID) count, too.
---@param timeout? number seconds; default: the mock's
---@param level? "must"|"should" default `"must"`
---@return smtp.mock_violation[] violations
function smtp.violations(timeout, level) end

return smtp
