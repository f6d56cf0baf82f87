-- SPDX-License-Identifier: MIT
--- One server at one address, for `lua-smtp check`: a dialogue that looks at everything and
-- trusts everybody, so that what is wrong can be told.
local core = require "smtp.core"
local say = require "smtp.cli.say"
local smtp = require "smtp"

local M = {}

local TIMEOUT = 10 -- seconds for each reply
local SOON = 14 * 86400 -- seconds: a certificate should be renewed
local HELO = "EHLO [127.0.0.1]"

local function is_here(address)
  return address.path ~= nil or address.host == "::1" or address.host:find("^127%.") ~= nil
end

local function line_of(reply)
  return ("%d %s"):format(reply.code, reply.lines[1])
end

-- The extensions that EHLO offers, by keyword; false if it is refused; nil and an error.
local function ehlo(rows, d, label)
  local reply, err = d:cmd(HELO)
  if not reply then return nil, err end
  if reply.code // 100 ~= 2 then
    rows:row("warn", label, line_of(reply), "a server that knows no EHLO has no extensions")
    return false
  end
  local offers = {}
  for i = 2, #reply.lines do
    local keyword, words = core.ehlo_line(reply.lines[i])
    if keyword then offers[keyword:upper()] = words end
  end
  rows:row("ok", label, #reply.lines > 1 and table.concat(reply.lines, ", ", 2) or "nothing")
  return offers
end

local function show_certificate(rows, info)
  local certificate = info.certificate
  if not certificate then return end
  local names = table.concat(certificate.names, ", ")
  local days = certificate.expires_in // 86400
  local text = ("for %s, by %s, %d days left"):format(names ~= "" and names or certificate.subject,
    certificate.issuer, days)
  local soon = certificate.expires_in < SOON
  rows:row(soon and "warn" or "ok", "certificate", text, soon and "renew it" or nil)
end

local function show_tls(rows, info)
  rows:row("ok", "tls", ("%s %s"):format(info.version, info.cipher))
  show_certificate(rows, info)
  if info.verified then
    rows:row("ok", "trust", "the certificate is trusted, and for this name")
  else
    rows:row("wrong", "trust", tostring(info.distrust),
      "clients that verify will not send; --ca FILE names an authority of your own")
  end
end

local function secure(rows, d, method, where, ca)
  local info, err = d[method](d, { verify = false, ca = ca, sni = where.sni or where.host })
  if not info then
    rows:row("wrong", "tls", tostring(err))
    return false
  end
  show_tls(rows, info)
  return true
end

local function no_starttls(rows, address)
  if is_here(address) then
    rows:row("info", "tls", "not offered, which is no harm on this machine")
  else
    rows:row("wrong", "tls", "STARTTLS is not offered: mail and passwords can be read",
      "is there a port 465, or 587 with STARTTLS?")
  end
end

-- From the greeting to the last EHLO.
local function session(rows, d, address, where, ca)
  local greeting, err = d:expect()
  if not greeting then
    rows:row("wrong", "greeting", tostring(err), "is that an SMTP port? 465 is for smtps://")
    return
  end
  rows:row(greeting.code == 220 and "ok" or "wrong", "greeting", line_of(greeting))
  if greeting.code ~= 220 then return end
  local offers
  offers, err = ehlo(rows, d, d.tls and "offers" or "before TLS")
  if offers and not d.tls then
    if offers.AUTH and offers.STARTTLS then
      rows:row("warn", "before TLS", "AUTH is offered in clear text",
        "offer it under TLS only, so that no client shows its password")
    end
    if not offers.STARTTLS then return no_starttls(rows, address) end
    if not secure(rows, d, "starttls", where, ca) then return end
    offers, err = ehlo(rows, d, "under TLS")
  end
  if offers == nil then rows:row("wrong", "EHLO", tostring(err)) end
end

--- Adds the rows of one address; gives the error if it took no connection.
function M.examine(rows, address, where, ca)
  local since = core.now()
  local d <close>, err = say.guard(smtp.dialogue, { host = address.host, port = address.port,
    path = address.path }, { timeout = TIMEOUT })
  if not d then return err end
  rows:row("ok", "connect", ("%s%s in %.1f ms"):format(address.name,
    address.port and (" port %d"):format(address.port) or "", (core.now() - since) * 1000))
  if where.tls == "implicit" and not secure(rows, d, "secure", where, ca) then return end
  session(rows, d, address, where, ca)
  d:cmd("QUIT")
end

return M
