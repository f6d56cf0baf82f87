-- SPDX-License-Identifier: MIT
-- Runs the clients of spec/support/gauntlet_clients.lua through the gauntlet and writes
-- docs/gauntlet.md. Names of clients as arguments: only these are run, and nothing is
-- written.
package.path = "./?.lua;lua/?.lua;lua/?/init.lua;" .. package.path
package.cpath = "build/?.so;" .. package.cpath

local clients = require "spec.support.gauntlet_clients"
local gauntlet = require "smtp.gauntlet"

local PAGE = "docs/gauntlet.md"

local HEAD = [[
# The gauntlet

Clients against %d behaviours of servers, legal and nasty ones and hostile ones. Written
by `make gauntlet`; edit nothing here.

Each row is a mock of its own (`lua/smtp/gauntlet`), and facts judge: what it
stored, byte for byte; whether the client claims success exactly where the mail was
accepted (of a lost reply it must not); which rules it broke; whether a password went out
in clear text; whether it was done within 4 s, told to wait 1 s for each step. That a
session ends with QUIT counts only where a row is about that. Each client is used as
somebody would who knows it: `spec/support/gauntlet_clients.lua`. "-" is not possible
with this client.

]]

local function cell(text)
  return (text:gsub("|", "\\|"):gsub("[%c\x80-\xff]", " "))
end

-- Runs one client: results by name, how many, and how many were right.
local function run(client)
  local send, version = client.open()
  if not send then return nil, version end
  local column = { name = client.name, version = version, results = {}, n = 0, right = 0 }
  gauntlet.run(send, { lacks = client.lacks, each = function(result)
    column.results[result.name] = result
    column.n = column.n + 1
    column.right = column.right + (result.right and 1 or 0)
    if not result.right then
      print(("  %s, %s: %s"):format(client.name, result.name, result.detail))
    end
  end })
  print(("%s %s: %d of %d right"):format(client.name, version, column.right, column.n))
  return column
end

local function summary(columns, missing)
  local out = { "| client | version | right | of |\n|---|---|---|---|" }
  for _, column in ipairs(columns) do
    out[#out + 1] = ("| %s | %s | %d | %d |"):format(column.name, cell(column.version),
      column.right, column.n)
  end
  out[#out + 1] = ""
  for _, text in ipairs(missing) do out[#out + 1] = "Left out: " .. text .. ".\n" end
  return table.concat(out, "\n")
end

local function row(behaviour, columns)
  local cells = { "`" .. behaviour.name .. "`", cell(behaviour.about), behaviour.section,
    behaviour.expected }
  for _, column in ipairs(columns) do
    local result = column.results[behaviour.name]
    cells[#cells + 1] = not result and "-" or result.right and "right" or
      "wrong: " .. cell(result.detail)
  end
  return "| " .. table.concat(cells, " | ") .. " |"
end

local function page(columns, missing)
  local names = {}
  for i, column in ipairs(columns) do names[i] = column.name end
  local out = { HEAD:format(#gauntlet.behaviours) .. summary(columns, missing),
    "| behaviour | what the server does | | expected | " .. table.concat(names, " | ") .. " |",
    "|---|---|---|---|" .. ("---|"):rep(#columns) }
  for _, behaviour in ipairs(gauntlet.behaviours) do out[#out + 1] = row(behaviour, columns) end
  return table.concat(out, "\n") .. "\n"
end

clients.install()
local wanted, columns, missing = {}, {}, {}
for _, name in ipairs(arg) do wanted[name] = true end
for _, client in ipairs(clients.list) do
  if #arg == 0 or wanted[client.name] then
    local column, why = run(client)
    if column then columns[#columns + 1] = column else
      missing[#missing + 1] = why
      print(why)
    end
  end
end
if #arg == 0 then
  local file <close> = assert(io.open(PAGE, "wb"))
  assert(file:write(page(columns, missing)))
  print("wrote " .. PAGE)
end
