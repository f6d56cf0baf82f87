-- SPDX-License-Identifier: MIT
-- testssl.sh finds no fault in the TLS of our server. It takes a minute for each way into TLS.
local net = require "spec.support.net"
local process = require "spec.support.process"
local secure = require "spec.support.secure"

-- Debian calls it testssl.
local program = process.missing("testssl") and "testssl.sh" or "testssl"
local missing = process.missing(program)

local DAY = 86400
local TIME = 240

-- Findings that come from our own authority, or from the system's ordinary OpenSSL.
local EXEMPT = {
  cert_revocation = "no list of ours is published, nor is there an OCSP responder",
  cert_ocspRevoked = "the same",
  cert_crlRevoked = "the same",
  OCSP_stapling = "the same",
  certificate_transparency = "our certificates are in no public log",
  DNS_CAArecord = "names of this machine are in no DNS",
  sessionresumption_ticket = "it does not wait for the ticket; openssl_spec.lua does",
  sessionresumption_ID = "the same",
  engine_problem = "it misses ciphers that it could try",
}

-- How bad a finding may be. WARN is a check that could not be made.
local HARMLESS = { OK = true, INFO = true, LOW = true, DEBUG = true }

-- Checks that must have run: with them testssl.sh came to its end.
local LOOKED_AT = {
  "SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3", "cipherlist_NULL", "cipherlist_aNULL",
  "cipherlist_EXPORT", "cert_trust", "cert_chain_of_trust", "heartbleed", "CCS", "ROBOT",
  "secure_renego", "secure_client_renego", "CRIME_TLS", "POODLE_SSL", "SWEET32", "FREAK", "DROWN",
  "LOGJAM", "BEAST", "LUCKY13", "RC4", "scanTime",
}

local function findings(path)
  local list, by_id = {}, {}
  for object in net.slurp(path):gmatch("{(.-)}") do
    local one = {}
    for key, value in object:gmatch('"(%w+)"%s*:%s*"(.-)"%s*[,\n]') do one[key] = value end
    if one.id then
      list[#list + 1] = one
      by_id[one.id] = one
    end
  end
  return list, by_id
end

describe("testssl.sh at the server #slow", function()
  if missing then
    pending(missing)
    return
  end

  for name, options in pairs { STARTTLS = { "--starttls", "smtp" }, ["TLS at once"] = {} } do
    it("finds nothing wrong by " .. name, function()
      local place <close> = secure.open { not_after = 200 * DAY }
      local file = place.folder .. "/found.json"
      local words = { program, "--add-ca", place.ca, "--jsonfile", file, "--warnings", "off",
        "--color", "0", "--quiet", "--nodns", "none", "--ip", "127.0.0.1" }
      table.move(options, 1, #options, #words + 1, words)
      words[#words + 1] = "localhost:" .. (options[1] and place.port or place.implicit)
      local one <close> = process.start(words, { time = TIME })
      local status, out, err = one:wait()
      assert.is_true(status < 124, out .. err) -- else it was ended
      local list, by_id = findings(file)
      for _, id in ipairs(LOOKED_AT) do
        assert.truthy(by_id[id], "it did not look at " .. id)
      end
      local wrong = {}
      for _, found in ipairs(list) do
        if not HARMLESS[found.severity] and not EXEMPT[found.id] then
          wrong[#wrong + 1] = ("%s %s: %s"):format(found.severity, found.id, found.finding)
        end
      end
      assert.same({}, wrong)
      assert.same({ "offered", "passed." },
        { by_id.TLS1_2.finding, by_id.cert_chain_of_trust.finding })
      assert.is_true(place.server:stats().accepted > 100)
      -- All of that left the server as it was.
      assert.equal(0, process.run { "openssl", "s_client", "-CAfile", place.ca,
        "-verify_return_error", "-connect", "127.0.0.1:" .. place.implicit })
    end)
  end
end)
