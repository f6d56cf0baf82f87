-- A name server for specs, which answers as they tell it, wrongly too, and the wire
-- format of its answers (RFC 1035 section 4).
--
--   local names <close> = dns.start()
--   names:set("example.com", "MX", { dns.mx(10, "mx.example.com") }, { secure = true })
--   smtp.mx("example.com", { nameserver = names.place })
local core = require "smtp.core"
local net = require "spec.support.net"
local process = require "spec.support.process"

local M = {}

M.TYPES = { A = 1, CNAME = 5, MX = 15, TXT = 16, AAAA = 28, TLSA = 52 }

--- The bytes of a name; a label with a dot in it cannot be told here.
function M.name(text)
  local labels = {}
  for label in text:gmatch("[^.]+") do labels[#labels + 1] = string.pack(">s1", label) end
  return table.concat(labels) .. "\0"
end

--- Records as `{ type, data }`; an `owner` may be added to each.
function M.record(type, data) return { type = M.TYPES[type] or type, data = data } end
function M.mx(n, host) return M.record("MX", string.pack(">I2", n) .. M.name(host)) end
function M.cname(host) return M.record("CNAME", M.name(host)) end
function M.txt(...)
  local strings = {}
  for i, text in ipairs { ... } do strings[i] = string.pack(">s1", text) end
  return M.record("TXT", table.concat(strings))
end
--- Of a TLSA record: the certificate in PEM, in DER.
function M.der(pem)
  return core.unbase64((pem:match("CERT%S+\n(.-)%-%-%-%-%-END"):gsub("%s", "")))
end

function M.tlsa(usage, selector, matching, data)
  return M.record("TLSA", string.char(usage, selector, matching) .. data)
end
function M.a(address)
  return M.record("A", (address:gsub("(%d+)%.?", function(n) return string.char(tonumber(n)) end)))
end

--- An answer but for its ID: header, question, records. `flags`: `secure`, `rcode`,
-- `count` (of records, as the header says it).
function M.answer(name, type, records, flags)
  flags = flags or {}
  local out = {
    string.pack(">BBI2I2I2I2", 0x81, 0x80 | (flags.secure and 0x20 or 0) | (flags.rcode or 0), 1,
      flags.count or #records, 0, 0),
    M.name(name), string.pack(">I2I2", M.TYPES[type] or type, 1),
  }
  for _, record in ipairs(records) do
    out[#out + 1] = record.owner and M.name(record.owner) or "\xc0\x0c"
    out[#out + 1] = string.pack(">I2I2I4s2", record.type, 1, 60, record.data)
  end
  return table.concat(out)
end

local Server = {}
Server.__index = Server

local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function write(self)
  local lines = {}
  for key, text in pairs(self.answers) do lines[#lines + 1] = key .. " " .. text .. "\n" end
  net.dump(self.file .. ".new", table.concat(lines))
  assert(os.rename(self.file .. ".new", self.file))
end

--- Sets the answer to a question: records, and flags as of `answer`.
function Server:set(name, type, records, flags)
  self:raw(name, type, M.answer(name, type, records, flags))
end

--- Sets an answer as the bytes behind the ID; nil: there is no answer at all.
function Server:raw(name, type, bytes)
  self.answers[name:lower() .. "/" .. M.TYPES[type]] = bytes and hex(bytes) or "drop"
  write(self)
end

--- A server at an address: MX, or what is asked for without one.
function Server:host(name, address, flags)
  self:set(name, "A", { M.a(address) }, flags)
  self:set(name, "AAAA", {}, flags)
end

--- Forgets all answers and questions.
function Server:reset()
  self.answers = {}
  write(self)
  self.seen = #self.process:output()
end

--- The questions since the last reset, as "name/TYPE", separated by spaces.
function Server:asked()
  local text = self.process:output():sub(self.seen + 1)
  for type, number in pairs(M.TYPES) do
    text = text:gsub("/" .. number .. "\n", "/" .. type .. " ")
  end
  return (text:gsub(" $", ""))
end

function Server:close()
  self.process:close()
  net.remove(self.folder)
end

Server.__close = Server.close

--- Starts one: `place` is what `nameserver` takes.
--- Starts one, at 127.0.0.1 or another address of this machine.
function M.start(here)
  local folder = net.folder()
  local self = setmetatable({ folder = folder, file = folder .. "/answers" }, Server)
  net.dump(self.file, "")
  self.process = process.lua({ "spec/support/dns_server.lua", self.file, here }, { time = 110 })
  local port = self.process:await(function()
    return self.process:output():match("^(%d+)\n")
  end)
  self.place = (here and "[" .. here .. "]:" or "127.0.0.1:") .. port
  self:reset()
  return self
end

return M
