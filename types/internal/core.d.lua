-- SPDX-License-Identifier: MIT
---@meta smtp.core
---
--- `smtp.core`, the one module in C. Each file here is about one file of csrc/lua.
--- `make docs-check` compares them with the built module.
---
--- A failure is `nil, text, word`: a text for people, without a capital letter or a full
--- stop of its own, and a word for programs. The word is the name of an errno (`"ENOENT"`)
--- if the system failed, or it is listed at the function. A function with a single cause of
--- failure gives no word. Further values are listed at the function.
---
--- `false` means: not yet. Wait for the object, then call again. No value, or a single nil,
--- means: there is none, which is no failure. A wrong argument, a closed object, a call out
--- of order, and a lack of memory raise.

--- The name of an errno, such as `"ENOENT"`.
---@alias smtp.errno string

---@class smtp.core
local core = {}

--- An object that the loop can wait for.
---@class smtp.pollable
local pollable = {}

--- The descriptor to wait for.
---@return integer? descriptor nil where the system gives none
function pollable:pollfd() end

--- The events to wait for.
---@return "r"|"w"|"rw" events
function pollable:events() end

--- How long to wait at most.
---@return number? seconds nil: no limit
function pollable:timeout() end

return core
