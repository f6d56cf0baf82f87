-- SPDX-License-Identifier: MIT
---@meta _

---@class smtp.core
local core = {}

--- A mock that serves a socket, by a thread or by an engine.
---@class smtp.mock_station
local mock = {}

--- Readable when something happened at a mock.
---@class smtp.mock_watch: smtp.pollable
local watch = {}

--- Drives mocks that have no thread.
---@class smtp.mock_engine: smtp.pollable
local engine = {}

--- Starts a mock, which takes the socket over.
---@param options { socket: smtp.socket, engine?: smtp.mock_engine, tls?: smtp.tls_context, implicit?: boolean, hostname?: string, users?: string[][], any_user?: boolean, mechanisms?: string[], hidden?: string, extra?: string, watchdog?: number, size?: integer, recipients?: integer, strict?: boolean, auth_required?: boolean, tls_required?: boolean, file?: string, lmtp?: boolean }
---@return smtp.mock_station? mock
---@return string? text
---@return smtp.errno? word
function core.mock(options) end

---@return smtp.mock_engine? engine
---@return string? text
---@return smtp.errno? word
function core.mock_engine() end

--- Whether the glob matches the text.
---@param glob string
---@param text string
---@return boolean
function core.mock_glob(glob, text) end

--- Ends all sessions. A second call does nothing.
function mock:stop() end

--- Adds a rule, or replaces one.
---@param rule { point: string, count?: string, n?: number, steps: table[][], from?: string, to?: string, text?: string, user?: string, session?: number, tls?: boolean, auth?: boolean, bytes?: number }
---@param number? integer of the rule to replace
---@return integer number
function mock:rule(rule, number) end

---@param from? integer number of the first one; default 1
---@return table[] mails
function mock:mails(from) end

---@param number? integer of one session; default: all
---@return table[] sessions
function mock:visits(number) end

---@return { [string]: integer } counts of events by name
function mock:counts() end

---@return { session?: integer, rule: string, section: string, text?: string }[] violations
function mock:violations() end

---@return { matched: integer, fired: integer }[] rules
function mock:rules() end

---@return string transcript
function mock:transcript() end

--- Forgets all records, unless there was a mail with a number above `most`.
---@param most? integer
---@return boolean clears
function mock:clear(most) end

--- Changes the reply to EHLO.
---@param hidden string keywords that it leaves out
---@param extra string lines that it has besides
---@param spoken string extensions that it has besides, with spaces between them
function mock:hide(hidden, extra, spoken) end

--- Changes limits.
---@param size integer of a message
---@param recipients integer
function mock:limit(size, recipients) end

--- Asks for the moment at which all sessions are idle. A watch hears of it.
function mock:settle() end

--- Whether the moment has come.
---@return boolean
function mock:settled() end

--- The next session that waits for an answer.
---@return integer? number nil: none
---@return table? facts
function mock:asks() end

--- Answers it.
---@param reply string "": by the usual reply
function mock:answer(reply) end

---@return smtp.mock_watch? watch
---@return string? text
---@return smtp.errno? word
function mock:watch() end

--- Makes it unreadable until something happens again.
function watch:drain() end

--- Closes it. A second call does nothing.
function watch:close() end

--- Does what is due, and waits for nothing.
function engine:step() end
