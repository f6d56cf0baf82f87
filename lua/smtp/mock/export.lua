-- SPDX-License-Identifier: MIT
--- Mails of a mock as files: one .eml each, one mbox (RFC 4155, with ">From " quoted), or a
-- Maildir.
local core = require "smtp.core"
local errors = require "smtp.error"
local options = require "smtp.base.options"

local M = {}

local function failed(path, why, errname)
  return nil, errors.new { kind = "system", stage = "save", message = why, peer = path,
    cause = errname }
end

local function write(path, text, mode)
  local file, why = io.open(path, mode or "wb")
  if not file then return failed(path, why) end
  local ok, problem = file:write(text)
  local closed, late = file:close()
  if not ok or not closed then return failed(path, problem or late) end
  return true
end

local function folder(path)
  local ok, why, errname = core.mkdir(path)
  if ok == nil then return failed(path, why, errname) end
  return true
end

local function with_trace(mail)
  return ("Return-Path: <%s>\r\n"):format(mail.from) .. mail.raw
end

local formats = {}

function formats.eml(mails, path)
  local ok, err = folder(path)
  for _, mail in ipairs(ok and mails or {}) do
    ok, err = write(("%s/%d.eml"):format(path, mail.number), with_trace(mail))
    if not ok then break end
  end
  return ok, err
end

function formats.maildir(mails, path)
  local ok, err = true, nil
  for _, name in ipairs { "", "/tmp", "/new", "/cur" } do
    if ok then ok, err = folder(path .. name) end
  end
  for _, mail in ipairs(ok and mails or {}) do
    local chance = core.random(6):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
    local name = ("%d.%d_%s.mock"):format(os.time(), mail.number, chance)
    ok, err = write(path .. "/tmp/" .. name, with_trace(mail))
    if ok and not os.rename(path .. "/tmp/" .. name, path .. "/new/" .. name) then
      return failed(path, "the mail could not be moved to new")
    end
    if not ok then break end
  end
  return ok, err
end

function formats.mbox(mails, path)
  local out = {}
  for _, mail in ipairs(mails) do
    local text = mail.raw:gsub("\r\n", "\n")
    text = ("\n" .. text):gsub("\n(>*From )", "\n>%1"):sub(2)
    out[#out + 1] = ("From %s %s\n%s%s\n"):format(mail.from ~= "" and mail.from or "MAILER-DAEMON",
      os.date("!%a %b %d %H:%M:%S %Y"), text, text:sub(-1) == "\n" and "" or "\n")
  end
  return write(path, table.concat(out))
end

--- Writes mails as "eml" (a folder), "maildir" or "mbox" (a file): true, or nil and an
-- error.
function M.write(mails, format, path)
  local writer = formats[type(format) == "string" and format:lower() or format]
  if not writer then options.misuse("mock: export writes eml, mbox or maildir") end
  if type(path) ~= "string" then options.misuse("mock: export needs a path") end
  return writer(mails, path)
end

return M
