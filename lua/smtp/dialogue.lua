-- SPDX-License-Identifier: MIT
--- Drives or breaks the protocol by hand, line by line. A dialogue refuses nothing and keeps
-- nothing in step: the user's bytes go out unchanged.
local core = require "smtp.core"
local errors = require "smtp.error"
local loop = require "smtp.loop"
local names = require "smtp.base.names"
local options = require "smtp.base.options"
local starttls = require "smtp.client.starttls"
local target_of = require "smtp.client.target"
local tls = require "smtp.net.tls"
local tls_stream = require "smtp.net.tls_stream"
local transcript = require "smtp.client.transcript"
local transport = require "smtp.net.transport"
local xclient = require "smtp.client.xclient"

local Dialogue = { __name = "smtp.dialogue" }
Dialogue.__index = Dialogue

local SPEC = { timeout = "seconds", trace = "function", local_address = "string" }

local DEFAULT_TIMEOUT = 30

local function check(self)
  if not self._socket then error("dialogue is closed", 3) end
  return self._socket
end

local function fail(self, fields)
  fields.stage, fields.peer = fields.stage or "command", self.target.name
  fields.transcript = tostring(self._transcript)
  return nil, errors.new(fields)
end

local function timed_out(self, what)
  return fail(self, { kind = "timeout", message = what })
end

-- ---- expectations --------------------------------------------------------

-- Whether a reply is as expected: a code, "2xx", a Lua pattern for one of its lines on the wire, a
-- list of these, or a function.
local function matches(reply, expected)
  local kind = type(expected)
  if kind == "number" then return reply.code == expected end
  if kind == "function" then return expected(reply) and true or false end
  if kind == "string" then
    local class = expected:match("^([2-5])[xX][xX]$")
    if class then return reply.code // 100 == tonumber(class) end
    for _, line in ipairs(reply.lines) do
      if (reply.code .. " " .. line):find(expected) then return true end
    end
    return false
  end
  for _, one in ipairs(expected) do
    if matches(reply, one) then return true end
  end
  return false
end

-- Raises for an impossible expectation, before the wait for a reply.
local function check_expected(expected)
  local kind = type(expected)
  if kind == "table" then
    for _, one in ipairs(options.list("expect: what is expected", expected)) do
      check_expected(one)
    end
  elseif kind ~= "nil" and kind ~= "number" and kind ~= "string" and kind ~= "function" then
    options.misuse("expect: a code, a class, a pattern, a list or a function is needed")
  end
end

local function describe(expected)
  if type(expected) ~= "table" then return tostring(expected) end
  local words = {}
  for i, one in ipairs(expected) do words[i] = describe(one) end
  return table.concat(words, " or ")
end

-- ---- reading and writing -------------------------------------------------

-- Feeds received bytes to the reader. True; false at the end of the stream; or nil and an error.
local function fill(self, limit)
  local socket = self._socket
  while true do
    local bytes, why, errname = socket:recv(16384)
    if bytes == "" then return false end
    if bytes then
      local ok, message = self._replies:feed(bytes)
      if ok then return true end
      return fail(self, { kind = "protocol", message = message })
    end
    if bytes == nil then
      return fail(self, { kind = "closed", message = why, cause = errname })
    end
    local left = limit - core.now()
    if left <= 0 or not loop.wait(socket, "r", left) then
      return timed_out(self, "no reply in time")
    end
  end
end

local function read_reply(self)
  local limit = core.now() + self.timeout
  while true do
    local reply, why = self._replies:next()
    if reply then
      self._transcript:reply(reply)
      return reply
    end
    if reply == nil then return fail(self, { kind = "protocol", message = why }) end
    local ok, err = fill(self, limit)
    if ok == nil then return nil, err end
    if not ok then
      return fail(self, { kind = "closed", message = "the server closed the connection" })
    end
  end
end

--- Reads a reply; with `expected`, any other reply is an error.
function Dialogue:expect(expected)
  check(self)
  check_expected(expected)
  local reply, err = read_reply(self)
  if not reply or expected == nil or matches(reply, expected) then return reply, err end
  local result
  result, err = fail(self, { kind = "rejected", code = reply.code, enhanced = reply.enhanced,
    text = reply.text, lines = reply.lines, message = "expected " .. describe(expected) })
  return result, err
end

local function need_text(method, value)
  if type(value) ~= "string" then options.misuse(method .. ": a string is needed") end
end

-- Writes bytes; the transcript gets `shown`.
local function write(self, bytes, shown)
  local socket, first = check(self), 1
  self._transcript:sent(shown)
  while first <= #bytes do
    local n, why, errname = socket:send(bytes, first)
    if not n then return fail(self, { kind = "closed", message = why, cause = errname }) end
    first = first + n
    if n == 0 and not loop.wait(socket, "w", self.timeout) then
      return timed_out(self, "the server does not read")
    end
  end
  return true
end

-- The text of a line for the transcript: of AUTH only the mechanism.
local function masked(line)
  return (line:gsub("^(%s*[Aa][Uu][Tt][Hh]%s+%S+%s+).+$", "%1***"))
end

--- Writes any bytes as they are.
function Dialogue:raw(bytes)
  check(self)
  need_text("raw", bytes)
  return write(self, bytes, masked((bytes:gsub("\r\n$", ""))))
end

--- Writes a line and reads its reply; `expected` as in `expect`.
function Dialogue:cmd(line, expected)
  check(self)
  need_text("cmd", line)
  check_expected(expected)
  local ok, err = self:raw(line .. "\r\n")
  if not ok then return nil, err end
  return self:expect(expected)
end

--- Writes all lines at once, then reads a reply for each. Gives the replies; or
-- nil, the first error, and the replies so far.
function Dialogue:pipeline(list)
  check(self)
  local lines = {}
  for i, pair in ipairs(options.list("pipeline", list)) do
    if type(pair) ~= "table" or type(pair[1]) ~= "string" then
      options.misuse(("pipeline: [%d] must be { line, expected }"):format(i))
    end
    check_expected(pair[2])
    lines[i] = pair[1] .. "\r\n"
  end
  local ok, err = self:raw(table.concat(lines))
  if not ok then return nil, err, {} end
  local replies, first = {}, nil
  for i, pair in ipairs(list) do
    replies[i], err = self:expect(pair[2])
    if not replies[i] then
      first = first or err
      if err.kind ~= "rejected" then break end
    end
  end
  if first then return nil, first, replies end
  return replies
end

local function forward(self, verb, told, expected)
  check(self)
  local args, why = xclient.args(verb, told)
  if not args then return fail(self, { kind = "invalid", message = why }) end
  return self:cmd(verb .. " " .. args, expected)
end

--- XCLIENT with `{ addr = "192.0.2.1", ... }`, and the greeting that follows.
function Dialogue:xclient(told) return forward(self, "XCLIENT", told, 220) end

--- XFORWARD, of the next message.
function Dialogue:xforward(told) return forward(self, "XFORWARD", told, 250) end

--- Waits `seconds` without reading.
function Dialogue:pause(seconds)
  check(self)
  loop.sleep(seconds)
end

--- Waits until the server closes the connection: true. If it sends anything, or the time-out
-- passes: nil and an error.
function Dialogue:closed()
  check(self)
  local reply, err = read_reply(self)
  if reply then
    return fail(self, { kind = "protocol", code = reply.code, text = reply.text,
      lines = reply.lines, message = "the server did not close but said" })
  end
  if err.kind == "closed" then return true end
  return nil, err
end

--- The last lines of the dialogue.
function Dialogue:transcript()
  return tostring(self._transcript)
end

--- Ends the stream (FIN) towards the server; the dialogue can still read.
function Dialogue:finish()
  check(self):shutdown()
end

local function release(self)
  local socket = self._socket
  self._socket = nil
  if socket then loop.forget(socket) end
  return socket
end

--- Drops the connection with a TCP reset.
function Dialogue:abort()
  local socket = release(self)
  if socket then socket:abort() end
end

function Dialogue:close()
  local socket = release(self)
  if socket then socket:close() end
end

Dialogue.__close = Dialogue.close

-- ---- TLS and AUTH ----------------------------------------------------------

local TLS_SPEC = { ca = "string", cert = "string", key = "string", sni = "string",
  verify = "boolean" }

-- The options of a handshake; the target gives the defaults.
local function tls_options(self, given)
  local all = {}
  for key in pairs(TLS_SPEC) do
    all[key] = given[key]
    if all[key] == nil then all[key] = self.target[key] end
  end
  return all
end

--- Does the TLS handshake at once, as on port 465. Gives its properties (also in `tls`), or nil
-- and an error.
function Dialogue:secure(opts)
  local socket = check(self)
  opts = tls_options(self, options.check("secure", opts or {}, TLS_SPEC))
  local name, problem = names.host(opts.sni or self.target.host or "")
  if not name then
    return fail(self, { kind = "invalid", stage = "starttls", message = "sni: " .. problem })
  end
  local function failed(why, word, cause)
    local hint
    why, hint = starttls.explain(why, word, name, "starttls", self._socket.info and
      self._socket:info())
    local is_end = word == "timeout" or word == "closed"
    return fail(self, { kind = is_end and word or "tls", stage = "starttls", message = why,
      cause = cause, hint = hint })
  end
  if self._replies:pending() > 0 then
    return fail(self, { kind = "protocol", stage = "starttls",
      message = "bytes in clear text where TLS should begin" })
  end
  local entry, why = tls.client { ca = opts.ca, cert = opts.cert, key = opts.key,
    verify = opts.verify ~= false }
  if not entry then return failed(why) end
  if name == "" and opts.verify ~= false then
    return failed("it is not known for which name the certificate must be: give sni")
  end
  loop.forget(socket)
  local stream = tls_stream.new(socket, entry.context:engine(name))
  self._socket = stream
  local ok, word, cause
  ok, why, word, cause = stream:start(tls.waiter(stream, self.timeout))
  if not ok then return failed(why, word, cause) end
  self._replies = core.replies()
  self.tls = stream:info()
  return self.tls
end

--- STARTTLS, its reply, and the handshake. The caller sends EHLO.
function Dialogue:starttls(opts)
  check(self)
  options.check("starttls", opts or {}, TLS_SPEC)
  local reply, err = self:cmd("STARTTLS", 220)
  if not reply then return nil, err end
  return self:secure(opts)
end

local AUTH_SPEC = { authzid = "string", initial = "boolean" }

-- Answers the server's challenges until it gives its last reply.
local function answer(self, sasl, reply)
  local err
  while reply and reply.code == 334 do
    local challenge = core.unbase64(reply.text) or sasl:takes_words() and reply.text
    local state, bytes = nil, "the challenge is not base64"
    if challenge then state, bytes = sasl:next(challenge) end
    if state ~= "continue" then
      self:cmd("*")
      return fail(self, { kind = "auth", stage = "auth", message = tostring(bytes) })
    end
    reply, err = self:_secret(core.base64(bytes), "***")
  end
  return reply, err
end

-- Writes a line, for which the transcript shows another one, and reads a reply.
function Dialogue:_secret(line, shown)
  local ok, err = write(self, line .. "\r\n", shown)
  if not ok then return nil, err end
  return read_reply(self)
end

--- AUTH by a mechanism; `secret` is the password or the token. Gives the last
-- reply if it is 2xx, else nil and an error. `opts.initial = false` sends no
-- initial response.
function Dialogue:auth(mechanism, user, secret, opts)
  local socket = check(self)
  opts = options.check("auth", opts or {}, AUTH_SPEC)
  local exporter, endpoint
  if self.tls then exporter, endpoint = socket:bindings() end
  local sasl <close> = core.sasl_client(mechanism, { user = user, password = secret,
    authzid = opts.authzid, host = self.target.host, port = self.target.port,
    exporter = exporter, endpoint = endpoint })
  if not sasl then error("auth: unknown mechanism " .. tostring(mechanism), 2) end
  local first, why = sasl:first()
  if why then
    return fail(self, { kind = "invalid", stage = "auth",
      message = mechanism .. " cannot carry this user or secret" })
  end
  local line = "AUTH " .. mechanism
  local reply, err
  if first and opts.initial ~= false then
    reply, err = self:_secret(line .. " " .. (first == "" and "=" or core.base64(first)),
      line .. " ***")
  else
    reply, err = self:cmd(line)
    if first and reply and reply.code == 334 then
      reply, err = self:_secret(core.base64(first), "***")
    end
  end
  if reply then reply, err = answer(self, sasl, reply) end
  if not reply then return nil, err end
  if reply.code // 100 == 2 and sasl:complete() then return reply end
  return fail(self, { kind = "auth", stage = "auth", code = reply.code, text = reply.text,
    lines = reply.lines, enhanced = reply.enhanced,
    message = reply.code // 100 == 2 and "the server did not prove that it knows the password"
      or nil })
end

--- Connects; nothing is read or written. See `smtp.dialogue`.
local function connect(given, opts)
  opts = options.check("dialogue", opts or {}, SPEC)
  local target, err = target_of.parse("dialogue", given)
  if not target then return nil, err end
  target.local_address = opts.local_address or target.local_address
  local self = setmetatable({
    target = target, timeout = opts.timeout or DEFAULT_TIMEOUT, _replies = core.replies(),
    _transcript = transcript.new(opts.trace or target.trace),
  }, Dialogue)
  self._socket, err = transport.open(target)
  if not self._socket then return nil, err end
  return self
end

return { connect = connect }
