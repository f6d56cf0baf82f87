-- SPDX-License-Identifier: MIT
--- An inbox with TLS and AUTH, for programs that send to it: with STARTTLS at one
-- port, TLS at once at another, and files of the certificates in a folder. ada and
-- "b,o=b" are its users.
local authority = require "smtp.authority"
local inbox = require "spec.support.inbox"
local net = require "spec.support.net"

local M = {}

M.USER, M.PASSWORD, M.TOKEN = "ada", "open sesame%+", "a0token.of-ada~+/=="
M.ODD_USER = "b,o=b" -- SCRAM writes it in another way

M.MECHANISMS = {
  "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN", "LOGIN",
  "CRAM-MD5", "XOAUTH2", "OAUTHBEARER", "EXTERNAL",
}

-- One authority for all; programs with its file trust it.
local ca = assert(authority.new())
M.authority = ca
local stranger = assert(authority.new())

local function known(user)
  return user == M.USER or user == M.ODD_USER
end

local function lookup(_, user)
  return known(user) and M.PASSWORD or nil
end

local function judge(_, credentials)
  if credentials.verified then return true end
  if not known(credentials.user) then return false end
  if credentials.token then return credentials.token == M.TOKEN end
  return credentials:check(M.PASSWORD)
end

local Secure = {}
Secure.__index = Secure

--- A certificate as `{ cert, key }`, of which both are files in the folder.
function Secure:files(name, identity)
  local files = { cert = self.folder .. "/" .. name .. ".pem",
    key = self.folder .. "/" .. name .. ".key" }
  net.dump(files.cert, identity.cert)
  net.dump(files.key, identity.key)
  return files
end

--- A certificate of the authority, as files.
function Secure:issue(name, options)
  return self:files(name, assert(ca:issue(options)))
end

--- Opens it. `options`: those of `smtp.server`; of `tls` what it is to say besides.
-- Gives `{ server, mails, port, implicit, folder, ca, stranger, tried }`: two ports,
-- two files with authorities of which the second has signed nothing, and the
-- credentials that were judged.
function M.open(options)
  options = options or {}
  local self = setmetatable({ folder = net.folder(), tried = {} }, Secure)
  self.ca, self.stranger = self.folder .. "/ca.pem", self.folder .. "/stranger.pem"
  net.dump(self.ca, ca.certificate)
  net.dump(self.stranger, stranger.certificate)
  local identity = assert(ca:issue { names = { "localhost", "mx.example.com" },
    addresses = { "127.0.0.1" }, not_after = options.not_after })
  local tls = { cert = identity.cert, key = identity.key, ca = ca.certificate }
  for key, value in pairs(options.tls or {}) do tls[key] = value end
  local all = {
    listen = {
      "127.0.0.1:0", { host = "127.0.0.1", port = 0, tls = { implicit = true } },
    },
    auth = { mechanisms = M.MECHANISMS, lookup = lookup, iterations = 4096 },
    on_auth = function(session, credentials)
      self.tried[#self.tried + 1] = credentials
      return judge(session, credentials)
    end,
  }
  for key, value in pairs(options) do all[key] = value end
  all.tls, all.not_after = tls, nil
  self.server, self.mails = inbox.open(all)
  self.port, self.implicit = self.server.port, self.server.listening[2].port
  return self
end

function Secure:close()
  self.server:close()
  net.remove(self.folder)
end

Secure.__close = Secure.close

return M
