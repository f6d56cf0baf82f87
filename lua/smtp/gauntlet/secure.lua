-- SPDX-License-Identifier: MIT
--- Behaviours of the gauntlet under TLS and AUTH. A target with tls = "starttls" requires TLS.
-- With `auth`, the password may go out only under verified TLS. init.lua describes the fields.

local USER = { user = "ada", password = "secret" }
local USERS = { ada = "secret" }

local STARTTLS, IMPLICIT = { tls = "starttls", auth = USER }, { tls = "implicit", auth = USER }

local NOT_HERE = { on = "RCPT", reply = "550 5.1.1 no such user" }

-- The user and the password in base64.
local WIRE_USER, WIRE_PASSWORD = "YWRh", "c2VjcmV0"

local FAULTS = {
  { "expired", "an expired certificate", "RFC 5280 section 6.1.3" },
  { "not_yet", "a certificate of tomorrow", "RFC 5280 section 6.1.3" },
  { "wrong_host", "a certificate of another host", "RFC 9525 section 6.3" },
  { "no_name", "the name is in the common name alone", "RFC 9525 section 6.2" },
  { "wrong_purpose", "a certificate for clients", "RFC 5280 section 4.2.1.12" },
  { "self_signed", "a certificate that signs itself", "RFC 5280 section 6.1" },
  { "unknown_ca", "of an authority that is not known", "RFC 5280 section 6.1" },
  { "no_intermediate", "the certificate between is not sent", "RFC 8446 section 4.4.2" },
}

local HANDSHAKES = {
  { "close", "closes in place of a handshake", "RFC 3207 section 4.1" },
  { "reset", "a reset in place of a handshake", "RFC 3207 section 4.1" },
  { "hang", "a handshake that never comes", "RFC 3207 section 4.1" },
  { "plaintext", "plain text in place of a handshake", "RFC 3207 section 4.2" },
}

-- The faults for both ways into TLS; each must end the session.
local function faults()
  local list = {}
  for _, mode in ipairs { "starttls", "implicit" } do
    for _, faulty in ipairs { FAULTS, HANDSHAKES } do
      for _, fault in ipairs(faulty) do
        list[#list + 1] = {
          name = mode .. "_" .. fault[1], about = fault[2], section = fault[3],
          expected = "refused", target = mode == "implicit" and IMPLICIT or STARTTLS,
          options = { users = USERS, tls = { mode = mode, fault = fault[1] } },
        }
      end
    end
  end
  return list
end

local function starttls_with(users)
  return { tls = "starttls", users = users and USERS }
end

local function no_auth(facts)
  if facts.mx:count("AUTH") > 0 then return "sent AUTH, which is not offered" end
end

local function starttls()
  return {
    { name = "starttls_good", about = "nothing odd", section = "RFC 3207 section 4",
      expected = "delivered", orderly = true, target = STARTTLS, options = starttls_with(true) },
    { name = "implicit_good", about = "nothing odd", section = "RFC 8314 section 3.3",
      expected = "delivered", orderly = true, target = IMPLICIT,
      options = { tls = "implicit", users = USERS } },
    { name = "starttls_required", about = "530 to all before STARTTLS",
      section = "RFC 3207 section 4", expected = "delivered", target = { tls = "starttls" },
      options = { tls = { required = true } } },
    { name = "starttls_220_bare", about = "220 without a text", section = "RFC 3207 section 4",
      expected = "delivered", target = STARTTLS, options = starttls_with(true),
      rules = { { on = "STARTTLS", raw = "220\r\n" } } },
    { name = "starttls_220_lines", about = "220 in two lines", section = "RFC 3207 section 4",
      expected = "delivered", target = STARTTLS, options = starttls_with(true),
      rules = { { on = "STARTTLS", reply = "220 go\non" } } },
    { name = "starttls_stripped", about = "STARTTLS is not offered",
      section = "RFC 3207 section 6", expected = "refused", target = STARTTLS,
      options = { users = USERS }, judge = no_auth },
    { name = "starttls_stripped_auth", about = "STARTTLS is not offered, AUTH PLAIN is",
      section = "RFC 3207 section 6", expected = "refused", target = STARTTLS,
      options = { extensions = { "AUTH PLAIN LOGIN" } } },
    { name = "starttls_ehlo_502", about = "EHLO is not known, so STARTTLS is not",
      section = "RFC 3207 section 6", expected = "refused", target = STARTTLS,
      options = starttls_with(true), rules = { { on = "EHLO", reply = "502 5.5.1 what?" } } },
    { name = "starttls_454", about = "454 to STARTTLS", section = "RFC 3207 section 4",
      expected = "refused", orderly = true, target = STARTTLS, options = starttls_with(true),
      rules = { { on = "STARTTLS", reply = "454 4.7.0 not now" } } },
    { name = "starttls_421", about = "421 to STARTTLS", section = "RFC 5321 section 3.8",
      expected = "refused", target = STARTTLS, options = starttls_with(true),
      rules = { { on = "STARTTLS", reply = "421 4.3.2 closing" } } },
    { name = "starttls_502", about = "502 to STARTTLS", section = "RFC 3207 section 4",
      expected = "refused", target = STARTTLS, options = starttls_with(true),
      rules = { { on = "STARTTLS", reply = "502 5.5.1 no" } } },
    { name = "starttls_250", about = "250 in place of 220, and plain text goes on",
      section = "RFC 3207 section 4", expected = "refused", target = STARTTLS,
      options = { users = USERS, extensions = { "STARTTLS" } }, lenient = true,
      rules = { { on = "STARTTLS", reply = "250 2.0.0 well" } } },
    { name = "starttls_injected", about = "replies in clear text behind the 220; then 550",
      section = "RFC 3207 section 4.2", expected = "refused", lenient = true,
      target = { tls = "starttls" }, options = starttls_with(),
      rules = { NOT_HERE, { on = "STARTTLS",
        raw = "220 go\r\n250 mx\r\n250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n" } } },
    { name = "starttls_injected_ehlo", about = "a reply to EHLO behind the 220 offers AUTH",
      section = "RFC 3207 section 4.2", expected = "either", target = STARTTLS,
      options = starttls_with(), judge = no_auth,
      rules = { { on = "STARTTLS", raw = "220 go\r\n250-mx\r\n250 AUTH PLAIN LOGIN\r\n" } } },
    { name = "starttls_forget", about = "AUTH is offered before TLS alone",
      section = "RFC 3207 section 4.2", expected = "either", target = STARTTLS,
      options = starttls_with(), judge = no_auth,
      rules = { { on = "EHLO", tls = false,
        reply = "250 mx.example\nSTARTTLS\nAUTH PLAIN LOGIN" } } },
    { name = "starttls_ehlo_554", about = "EHLO is refused under TLS",
      section = "RFC 3207 section 4.2", expected = "refused", target = STARTTLS,
      options = starttls_with(true), rules = { { on = "EHLO", tls = true, reply = "554 5.7.0 no" },
        { on = "HELO", tls = true, reply = "554 5.7.0 no" } } },
    { name = "starttls_lost", about = "under TLS too the final reply is lost",
      section = "RFC 5321 section 4.2.5", expected = "refused", kept = true, target = STARTTLS,
      options = starttls_with(true), rules = { { on = "EOM", store = true, close = true } } },
  }
end

-- An AUTH behaviour: under TLS from the first byte.
local function auth_case(case)
  local given = { tls = "implicit", users = USERS }
  for key, value in pairs(case.options or {}) do given[key] = value end
  case.options, case.target = given, case.target or IMPLICIT
  return case
end

local function only(mechanism) return { auth = { mechanisms = { mechanism } } } end

local PLAIN, LOGIN, SCRAM = only "PLAIN", only "LOGIN", only "SCRAM-SHA-256"

-- Only SCRAM is offered, and 235 comes at once.
local function no_belief(facts)
  local dialogue = facts.mx:transcript():upper()
  if dialogue:find("C: AUTH") and not dialogue:find("C: AUTH SCRAM") then
    return "used a mechanism that is not offered"
  end
  if facts.claimed and dialogue:find("C: AUTH") then return "believed who has proved nothing" end
end

-- The text of a mock in place of the response in an AUTH line.
local RESPONSE = " ***"

-- LOGIN with these challenges; some clients send the name with the command.
local function login(first, second, last)
  return {
    { on = "AUTH", raw = first }, { on = "AUTH", text = RESPONSE, raw = second },
    { on = WIRE_USER, raw = second }, { on = WIRE_PASSWORD, raw = last },
  }
end

local DONE = "235 2.7.0 well\r\n"

local function auth()
  local list = {
    { name = "auth_plain", about = "PLAIN alone is offered", section = "RFC 4616 section 2",
      expected = "delivered", options = PLAIN },
    { name = "auth_login", about = "LOGIN alone is offered", section = "RFC 4954 section 3",
      expected = "delivered", options = LOGIN },
    { name = "auth_lower_case", about = "mechanisms in lower case",
      section = "RFC 4422 section 3.1", expected = "delivered",
      options = PLAIN, rules = { { on = "EHLO", reply = "250 mx.example\nauth plain" } } },
    { name = "auth_235_bare", about = "235 without a text", section = "RFC 5321 section 4.2",
      expected = "delivered", options = PLAIN,
      rules = { { on = "AUTH", text = RESPONSE, raw = "235\r\n" } } },
    { name = "auth_235_lines", about = "235 in two lines", section = "RFC 5321 section 4.2.1",
      expected = "delivered", options = PLAIN,
      rules = { { on = "AUTH", text = RESPONSE, reply = "235 2.7.0 well\ncome in" } } },
    { name = "auth_login_text", about = "LOGIN asks for \"User Name\" and for nothing",
      section = "RFC 4954 section 4", expected = "delivered", options = LOGIN,
      rules = login("334 VXNlciBOYW1lAA==\r\n", "334 \r\n", DONE) },
    { name = "auth_login_no_base64", about = "LOGIN asks in words that are no base64",
      section = "RFC 4954 section 4", expected = "either", options = LOGIN,
      rules = login("334 Username:\r\n", "334 Password:\r\n", DONE) },
    { name = "auth_login_bare", about = "334 without a challenge", section = "RFC 4954 section 4",
      expected = "either", options = LOGIN, rules = login("334\r\n", "334\r\n", DONE) },
    { name = "auth_login_endless", about = "334 to the password as well",
      section = "RFC 4954 section 4", expected = "refused", options = LOGIN,
      rules = login("334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n", "334 UGFzc3dvcmQ6\r\n") },
    { name = "auth_535", about = "the password is wrong", section = "RFC 4954 section 6",
      expected = "refused", orderly = true, options = { users = { ada = "other" } } },
    { name = "auth_454", about = "454 to AUTH", section = "RFC 4954 section 6",
      expected = "refused", options = PLAIN,
      rules = { { on = "AUTH", reply = "454 4.7.0 later" } } },
    { name = "auth_421", about = "421 to AUTH", section = "RFC 5321 section 3.8",
      expected = "refused", options = PLAIN,
      rules = { { on = "AUTH", reply = "421 4.3.2 closing" } } },
    { name = "auth_close", about = "closes behind AUTH", section = "RFC 5321 section 3.8",
      expected = "refused", options = PLAIN, rules = { { on = "AUTH", close = true } } },
    { name = "auth_250", about = "250 in place of 235", section = "RFC 4954 section 4",
      expected = "either", options = PLAIN,
      rules = { { on = "AUTH", text = RESPONSE, reply = "250 2.7.0 well" } } },
    { name = "auth_plain_asks", about = "a challenge behind all that PLAIN has to say",
      section = "RFC 4422 section 3.4", expected = "either", options = PLAIN,
      rules = { { on = "AUTH", text = RESPONSE, raw = "334 bW9yZQ==\r\n" } } },
    { name = "auth_none", about = "AUTH is not offered", section = "RFC 4954 section 4",
      expected = "either", options = { without = "AUTH" }, judge = no_auth },
    { name = "auth_no_mechanism", about = "AUTH without a mechanism",
      section = "RFC 4954 section 3", expected = "either", judge = no_auth,
      options = PLAIN, rules = { { on = "EHLO", reply = "250 mx.example\nAUTH" } } },
    { name = "auth_unknown", about = "a mechanism that nobody knows alone",
      section = "RFC 4954 section 3", expected = "either", judge = no_auth,
      options = PLAIN, rules = { { on = "EHLO", reply = "250 mx.example\nAUTH X-SECRET" } } },
    { name = "auth_scram_no_proof", about = "235 to SCRAM without a word of proof",
      section = "RFC 5802 section 5", expected = "either", options = SCRAM, judge = no_belief,
      rules = { { on = "AUTH", reply = "235 2.7.0 well" } } },
    { name = "auth_scram_nonce", about = "SCRAM with a nonce that is not the client's",
      section = "RFC 5802 section 5.1", expected = "refused", options = SCRAM,
      rules = { { on = "AUTH", reply = "334 cj1vdGhlcixzPWMyRnNkQT09LGk9NDA5Ng==" } } },
    { name = "auth_scram_garbage", about = "SCRAM with what is no base64",
      section = "RFC 4954 section 4", expected = "refused", options = SCRAM,
      rules = { { on = "AUTH", raw = "334 !!!\r\n" } } },
    { name = "auth_required", about = "530 to MAIL, and the client has no password",
      section = "RFC 4954 section 6", expected = "refused",
      options = { auth = { required = true } }, target = { tls = "implicit" } },
  }
  for i, case in ipairs(list) do list[i] = auth_case(case) end
  return list
end

return function()
  local all = {}
  for _, list in ipairs { starttls(), faults(), auth() } do
    table.move(list, 1, #list, #all + 1, all)
  end
  return all
end
