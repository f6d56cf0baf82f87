-- SPDX-License-Identifier: MIT
--- The header fields that a message has at most once.

local M = {}

--- The fields of RFC 5322 section 3.6.
M.names = { "Date", "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Message-ID",
  "In-Reply-To", "References", "Subject" }

--- A set of names in small letters, with the fields of MIME (RFC 2045 section 3).
M.set = { ["mime-version"] = true, ["content-type"] = true,
  ["content-transfer-encoding"] = true }
for _, name in ipairs(M.names) do M.set[name:lower()] = true end

return M
