-- SPDX-License-Identifier: MIT
--- The offers in EHLO of a server: extensions of the core, and keywords and parameters of the user.
local extensions = require "smtp.base.extensions"
local options = require "smtp.base.options"

local M = {}

local KNOWN = extensions.KNOWN

-- Keywords of other options.
local ALWAYS = "is always offered"
local TAKEN = {
  PIPELINING = ALWAYS, ["8BITMIME"] = ALWAYS, ENHANCEDSTATUSCODES = ALWAYS,
  SIZE = "is offered as limits.message_size says", LIMITS = "is offered as limits says",
  STARTTLS = "is offered with the option tls", AUTH = "is offered with the option auth",
}

local OWN = { params = "string", mail = "table", rcpt = "table" }

local function check_word(word)
  if type(word) ~= "string" or not word:find("^%w[%w-]*$") then
    options.misuse(("server: extensions: %s is no keyword"):format(tostring(word)))
  end
  local how = TAKEN[word:upper()]
  if how then
    options.misuse(("server: extensions: %s %s"):format(word, how))
  end
  return word:upper()
end

local function check_line(keyword, params)
  if params and (params == "" or params:find("[^\x20-\x7e]") or #params > 400) then
    options.misuse(("server: extensions: parameters of %s are visible ASCII"):format(keyword))
  end
  return params and keyword .. " " .. params or keyword
end

-- The parameters of an own keyword go to the lists of MAIL and RCPT.
local function add_own(made, keyword, value)
  local own = type(value) == "table" and
    options.check("server: extensions: " .. keyword, value, OWN) or {}
  table.insert(made.offers, check_line(keyword, type(value) == "string" and value or own.params))
  for _, verb in ipairs { "mail", "rcpt" } do
    for _, word in ipairs(own[verb] or {}) do table.insert(made[verb], check_word(word)) end
  end
end

local function sorted(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- The limits of a session (RFC 9422). A number has six digits at most, and is not 0.
local function limits_line(limits)
  local words = {}
  for _, one in ipairs { { "RCPTMAX", limits.recipients }, { "MAILMAX", limits.messages },
    { "RCPTDOMAINMAX", limits.recipient_domains } } do
    local n = one[2]
    if n and n > 0 and n <= 999999 then words[#words + 1] = ("%s=%d"):format(one[1], n) end
  end
  return words[1] and "LIMITS " .. table.concat(words, " ")
end

-- Checks of the words behind the keywords of the core.
local WORDS = {
  DELIVERBY = function(text)
    return text:find("^%d+$") and extensions.read { DELIVERBY = text }.by
  end,
  FUTURERELEASE = function(text)
    local told = extensions.read { FUTURERELEASE = text }
    return told.hold_for and told.hold_until
  end,
  ["MT-PRIORITY"] = function(text) return text:find("^[%w-]+$") end, -- RFC 6710 section 3
}

local function check_words(keyword, text)
  local check = WORDS[keyword]
  if not check then options.misuse(("server: extensions.%s must be a boolean"):format(keyword)) end
  if not check(text) then
    options.misuse(("server: extensions.%s: %s is not what may stand there"):format(keyword, text))
  end
end

--- Gives `{ extensions, offers, mail_own, rcpt_own }` for core.server_config, and the offered
-- `bounds`.
function M.check(given, limits)
  local wanted, made = {}, { offers = {}, mail = {}, rcpt = {}, extensions = {} }
  for keyword, on in pairs(KNOWN) do wanted[keyword] = on or nil end
  for word, value in pairs(given or {}) do
    local keyword, kind = check_word(word), type(value)
    if kind ~= "boolean" and kind ~= "string" and (kind ~= "table" or KNOWN[keyword] ~= nil) then
      options.misuse(("server: extensions.%s must not be a %s"):format(keyword, kind))
    end
    if KNOWN[keyword] ~= nil and kind == "string" then check_words(keyword, value) end
    wanted[keyword] = value or nil
  end
  if type(wanted.FUTURERELEASE) == "boolean" then
    options.misuse('server: extensions.FUTURERELEASE needs its limits: "SECONDS DATE-TIME"')
  end
  if wanted.BINARYMIME and not wanted.CHUNKING then
    options.misuse("server: extensions.BINARYMIME needs CHUNKING")
  end
  for _, keyword in ipairs(sorted(wanted)) do
    if KNOWN[keyword] ~= nil then table.insert(made.extensions, keyword) end
    if KNOWN[keyword] == nil or type(wanted[keyword]) == "string" then
      add_own(made, keyword, wanted[keyword])
    end
  end
  table.insert(made.offers, limits_line(limits))
  return { extensions = made.extensions, bounds = extensions.read(wanted),
    offers = table.concat(made.offers, "\n"),
    mail_own = table.concat(made.mail, " "), rcpt_own = table.concat(made.rcpt, " ") }
end

return M
