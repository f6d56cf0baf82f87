-- SPDX-License-Identifier: MIT
--- Advice: the hints of errors about frequent failures.
local printable = require "smtp.base.printable"

local M = {}

local NAMES_MAX, NAME_MAX = 4, 100 -- names of a certificate that a hint shows; bytes of a name

local CLEAR = "the server speaks in clear text first: use smtp:// and STARTTLS, as on port 587"

-- Hints by the word of the TLS engine.
local TLS = {
  clear = "the server speaks in clear text",
  certificate = 'ca = "file.pem" names whom to trust, verify = false trusts anybody',
  dane = "its TLSA records name other keys",
  name = 'sni = "mx.example" asks for that name, verify = false trusts anybody',
  date = "is the clock right? verify = false trusts anybody",
}

-- Hints for a handshake that ends without a reason, by the stage.
local ENDED = {
  connect = "a port that speaks in clear text first, as 25 and 587 do, wants smtp:// and STARTTLS",
  starttls = "the server may want another version of TLS, or port 465 and smtps://",
}

-- The names in a certificate, as words that may be shown: whoever made it chose them. And the
-- first one that is no pattern.
local function names_of(certificate)
  local all, first = {}, nil
  for _, key in ipairs { "names", "addresses" } do
    for _, name in ipairs(certificate[key]) do
      if #all < NAMES_MAX then all[#all + 1] = printable(name:sub(1, NAME_MAX)) end
      if not first and key == "names" and not name:find("*", 1, true) then first = all[#all] end
    end
  end
  local more = #certificate.names + #certificate.addresses - #all
  return table.concat(all, ", ") .. (more > 0 and (" and %d more"):format(more) or ""), first
end

local function wrong_name(certificate)
  if not certificate then return TLS.name end
  local names, first = names_of(certificate)
  if names == "" then return "the certificate is for no name; verify = false trusts anybody" end
  return ("the certificate is for %s; %sverify = false trusts anybody"):format(names,
    first and ("sni = %q asks for that name, "):format(first) or "")
end

--- The hint for a failed handshake: `word` is from `tls.handshake`, `stage` is "connect"
-- for implicit TLS, `certificate` is the peer's, or nil.
function M.handshake(word, stage, certificate)
  if word == "name" then return wrong_name(certificate) end
  if word == "clear" and stage == "connect" then return CLEAR end
  return TLS[word or ""] or word == "closed" and ENDED[stage] or nil
end

--- The hint for a reply that refuses this user or this connection, not the mail.
function M.reply(connection, reply)
  local text = reply.text:lower()
  if reply.code ~= 530 and not (reply.code // 100 == 5 and text:find("authenticat")) then
    return nil
  end
  if not connection.tls and (text:find("tls", 1, true) or text:find("encrypt", 1, true)) then
    return 'tls = "required" asks for STARTTLS'
  end
  if connection.target.auth then return nil end
  return 'auth = { user = "...", password = "..." } signs in'
end

--- A size for people: "36700160 bytes (35 MB)".
function M.size(n)
  if n < 100000 then return ("%d bytes"):format(n) end
  return ("%d bytes (%s MB)"):format(n, (("%.1f"):format(n / 1048576):gsub("%.0$", "")))
end

--- The hint for a host in quotes, in brackets or with blanks, as configuration files may
-- leave it; nil for a bare name.
function M.host(text)
  local first = text:find("[^%s'\"`<]")
  local behind = text:reverse():find("[^%s'\"`>]") -- a lazy match would be slow for runs
  local name = first and behind and text:sub(first, #text + 1 - behind) or ""
  if name == text or name == "" then return nil end
  return ("write %s without quotes, brackets and blanks"):format(name)
end

return M
