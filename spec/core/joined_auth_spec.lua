-- AUTH and STARTTLS between the two machines, joined in memory: every mechanism,
-- cut at each byte in both directions. What both see must be the same.
local core = require "smtp.core"
local cuts = require "spec.support.cuts"

local EXPORTER, ENDPOINT = ("e"):rep(32), ("p"):rep(32)
local PASSWORD, TOKEN = "pencil", "token"

local MECHANISMS = { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256",
  "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "XOAUTH2", "OAUTHBEARER", "EXTERNAL" }

local whole, one_byte, cut_at = cuts.whole, cuts.one_byte, cuts.at

local Pair = {}
Pair.__index = Pair

function Pair:note(...)
  self.log[#self.log + 1] = table.concat({ ... }, " ")
end

local function judge(self, credentials)
  self:note("S auth", credentials.mechanism, credentials.user or "-",
    credentials.password or credentials.token or tostring(credentials.verified))
  return (credentials.verified or credentials.password == PASSWORD or credentials.token == TOKEN)
    and "accept" or "refuse"
end

function Pair:serve()
  local server = self.server
  while true do
    local event, value = server:next()
    if not event then return end
    if event == "lookup" then
      self:note("S lookup", value.user)
      server:lookup(value.user == "ada" and PASSWORD or nil)
    elseif event == "auth" then
      server:decide(judge(self, value))
    elseif event == "starttls" then
      self:note("S starttls")
      server:secured("ada", EXPORTER, ENDPOINT)
    else
      self:note("S", event)
      if event ~= "close" and event ~= "reset" then server:decide("accept") end
    end
  end
end

function Pair:replies()
  while true do
    local step, reply, sentence = self.client:next()
    if step == nil and reply == nil then return end
    self:note("C", step or "failed", step and reply.code or sentence)
    if step == nil then return end
    if step == "starttls" and reply.code == 220 then self.client:secured() end
  end
end

function Pair:settle()
  local client, server = self.client, self.server
  repeat
    local moved = false
    self:serve()
    local bytes = self.down(server:peek())
    if #bytes > 0 then
      moved = true
      server:sent(#bytes)
      self.fell = self.fell + #bytes
      client:feed(bytes)
      self:replies()
      if #server:peek() == 0 then self:serve() end -- a pause comes once all is written
    end
    bytes = self.up(client:peek())
    if #bytes > 0 then
      moved = true
      client:sent(#bytes)
      self.rose = self.rose + #bytes
      server:feed(bytes)
    end
  until not moved and #server:peek() == 0 and #client:peek() == 0
end

local function config()
  return core.server_config { hostname = "mx.example", auth = MECHANISMS, tls = true,
    limits = { errors = 50 } }
end

-- A session of STARTTLS and AUTH with a secret. Gives what each side saw.
local function play(mechanism, secret, up, down)
  local self = setmetatable({ client = core.client(), server = config():session(nil, 0),
    up = up, down = down, log = {}, rose = 0, fell = 0 }, Pair)
  local function say(line)
    self:settle()
    assert(self.client:submit(line:match("^(%S+) ?(.*)$")))
    self:settle()
  end
  say("EHLO me.example")
  say("STARTTLS")
  say("EHLO me.example")
  local sasl = core.sasl_client(mechanism, { user = "ada", password = secret,
    exporter = EXPORTER, endpoint = ENDPOINT })
  assert(self.client:auth(sasl))
  self:settle()
  self:note("C reason", self.client:auth_reason())
  say("QUIT")
  local sides = { S = {}, C = {} }
  for _, line in ipairs(self.log) do table.insert(sides[line:sub(1, 1)], line) end
  return sides, self.rose, self.fell
end

describe("AUTH between the machines, joined", function()
  for _, mechanism in ipairs(MECHANISMS) do
    local slow = mechanism:find("SCRAM") and " #slow" or "" -- thousands of PBKDF2
    it("goes by " .. mechanism .. " the same, however it is cut" .. slow, function()
      local token = mechanism == "XOAUTH2" or mechanism == "OAUTHBEARER"
      for secret, code in pairs { [token and TOKEN or PASSWORD] = 235, wrong = 535 } do
        if mechanism == "EXTERNAL" then code = 235 end
        local first, rose, fell = play(mechanism, secret, whole, whole)
        local client = table.concat(first.C, "\n")
        assert.truthy(client:find("C auth " .. code, 1, true), client)
        assert.truthy(client:find("C quit 221", 1, true))
        local function again(up, down)
          local other = play(mechanism, secret, up, down)
          assert.same(first.C, other.C)
          assert.same(first.S, other.S)
        end
        again(one_byte, one_byte)
        for place = 1, rose do again(cut_at(place), whole) end
        for place = 1, fell do again(whole, cut_at(place)) end
      end
    end)
  end
end)
