-- SPDX-License-Identifier: MIT
--- Clients for the gauntlet (lua/smtp/gauntlet): ours and others, each used as
-- somebody who knows it would. All are functions that block until the client is done:
-- the mock has a thread of its own. Others run as children, each bounded by `timeout`.
local net = require "spec.support.net"
local smtp = require "smtp"

local M = {}

local TIME = 8 -- seconds that a child may take

local NPM = "build/gauntlet" -- where `npm install` puts nodemailer

local function quote(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

local function command_line(words)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = quote(word) end
  return table.concat(quoted, " ")
end

local function output_of(command)
  local pipe <close> = assert(io.popen(command .. " 2>&1 </dev/null"))
  local text = pipe:read("a")
  return (pipe:close()) and text
end

-- Runs a child: whether it ended well, and its last line.
local function run(words)
  local command = ("timeout -k 1 %d %s 2>&1 </dev/null"):format(TIME, command_line(words))
  local pipe <close> = assert(io.popen(command))
  local text = pipe:read("a")
  local ok, _, status = pipe:close()
  if ok then return true end
  return false, text:match("([^\n]+)%s*$") or ("status %s"):format(status)
end

-- Calls a function with the path of a file with the content.
local function with_file(bytes, use)
  local path = os.tmpname()
  net.dump(path, bytes)
  local result = table.pack(pcall(use, path))
  os.remove(path)
  if not result[1] then error(result[2], 0) end
  return table.unpack(result, 2, result.n)
end

-- ---- ours ------------------------------------------------------------------

local TLS = { none = "none", starttls = "required", implicit = "implicit" }

local function send_ours(target)
  local seconds = target.timeout
  local receipt, err = smtp.send({
    host = target.host, port = target.port, tls = TLS[target.tls], ca = target.ca_file,
    auth = target.auth, helo = "client.code.energy", timeout = { connect = seconds,
      greeting = seconds, ehlo = seconds, command = seconds, data = seconds, block = seconds,
      final = seconds, quit = 0.5 },
  }, { envelope = { from = target.from, to = target.to }, raw = target.raw })
  return receipt ~= nil, err
end

-- ---- LuaSocket -------------------------------------------------------------

local function luasocket()
  local ok, client = pcall(require, "socket.smtp")
  if not ok then return nil, "lua-socket is not here" end
  local ltn12 = require "ltn12"
  return function(target)
    client.TIMEOUT = target.timeout
    local text = target.raw:gsub("\r\n$", "") -- it adds one
    local to = {}
    for i, address in ipairs(target.to) do to[i] = "<" .. address .. ">" end
    local sent, why = client.send {
      from = "<" .. target.from .. ">", rcpt = to, server = target.host, port = target.port,
      domain = "client.code.energy", source = ltn12.source.string(text),
    }
    return sent ~= nil, why
  end, require("socket")._VERSION:match("[%d.]+")
end

-- ---- children --------------------------------------------------------------

-- The arguments of our scripts for other languages; all but the file are words.
local function arguments(target, path)
  local auth = target.auth or { user = "", password = "" }
  return target.host, target.port, target.tls, target.ca_file or "", auth.user, auth.password,
    target.timeout, target.from, table.concat(target.to, ","), path,
    target.eightbit and "8bit" or "7bit"
end

local function smtplib()
  local version = output_of("python3 --version")
  if not version then return nil, "python3 is not here" end
  return function(target)
    return with_file(target.raw, function(path)
      return run { "python3", "spec/support/gauntlet_smtplib.py", arguments(target, path) }
    end)
  end, version:match("[%d.]+")
end

local function nodemailer()
  if not output_of("node --version") then return nil, "node is not here" end
  local script = ("node -p 'require(%q).version'"):format(
    "./" .. NPM .. "/node_modules/nodemailer/package.json")
  local version = output_of(script)
  if not version then return nil, "nodemailer is not here (make gauntlet installs it)" end
  return function(target)
    return with_file(target.raw, function(path)
      return run { "node", "spec/support/gauntlet_nodemailer.js", arguments(target, path) }
    end)
  end, version:match("%S+")
end

local function curl_words(target, path)
  local words = { "curl", "--silent", "--show-error", "--sasl-ir",
    "--connect-timeout", target.timeout, "--max-time", target.timeout * 3,
    "--mail-from", target.from, "--upload-file", path,
    "--url", ("%s://%s:%d/client.code.energy"):format(
      target.tls == "implicit" and "smtps" or "smtp", target.host, target.port) }
  local function add(...)
    for _, word in ipairs { ... } do words[#words + 1] = word end
  end
  for _, address in ipairs(target.to) do add("--mail-rcpt", address) end
  if #target.to > 1 then add("--mail-rcpt-allowfails") end
  if target.tls == "starttls" then add("--ssl-reqd") end
  if target.tls ~= "none" and target.ca_file then add("--cacert", target.ca_file) end
  if target.auth then add("--user", target.auth.user .. ":" .. target.auth.password) end
  return words
end

local function curl()
  local version = output_of("curl --version")
  if not version then return nil, "curl is not here" end
  return function(target)
    return with_file(target.raw, function(path) return run(curl_words(target, path)) end)
  end, version:match("curl (%S+)")
end

--- The clients, in the order of the page: `name`; `open()` gives the function that sends
-- and its version, or nil and why it is not here; `lacks` is what it cannot do.
M.list = {
  { name = "lua-smtp", open = function() return send_ours, smtp._VERSION end },
  { name = "LuaSocket", open = luasocket, lacks = { "tls" } },
  { name = "smtplib", open = smtplib },
  { name = "curl", open = curl },
  { name = "nodemailer", open = nodemailer },
}

M.ours = send_ours

--- Installs nodemailer where it is looked for, if npm is here.
function M.install()
  if output_of("npm --version") then
    os.execute(("npm install --silent --no-audit --no-fund --prefix %s nodemailer >/dev/null 2>&1")
      :format(NPM))
  end
end

return M
