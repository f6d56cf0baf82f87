-- SPDX-License-Identifier: MIT
-- The layers of the design: what includes and requires point at exists, lies
-- at the same height or below, and no circle closes. In C, x.c, x.h and the
-- parts x_y.c, x_y.h of an x.h are one module; no file calls one that calls it,
-- be it in two files or in ten.
package.path = "scripts/?.lua;" .. package.path
local source = require("source")

-- The layers that the files of a layer of C may include.
local below = {
  core = { core = true },
  net = { core = true, net = true },
  mime = { core = true, mime = true },
  mock = { core = true, net = true, mime = true, mock = true },
  lua = { core = true, net = true, mime = true, mock = true, lua = true },
}

-- The folders that those of a folder of Lua may require: "net/" has the files in lua/smtp/net,
-- "mock" is lua/smtp/mock.lua itself.
local function above(below_it, words)
  local set = {}
  for name in pairs(below_it) do set[name] = true end
  for name in words:gmatch("%S+") do set[name] = true end
  return set
end
local BASE = above({}, "base/ error")
local LOOP = above(BASE, "loop loop/")
local NET = above(LOOP, "net/")
local MESSAGE = above(NET, "message/")
local CLIENT = above(MESSAGE, "client/")
local DELIVERY = above(CLIENT, "delivery/")
local SERVER = above(MESSAGE, "server/")
local MOCK = above(MESSAGE, "authority mock/")
local INIT = above(DELIVERY, "server/ dialogue init")
local beneath = {
  ["base/"] = BASE, error = BASE, authority = BASE,
  ["loop/"] = above(BASE, "loop/"), loop = LOOP, ["adapter/"] = LOOP,
  ["net/"] = NET, ["message/"] = MESSAGE, ["client/"] = CLIENT, ["delivery/"] = DELIVERY,
  ["server/"] = SERVER, dialogue = CLIENT, init = INIT,
  ["mock/"] = MOCK, ["gauntlet/"] = above(MOCK, "gauntlet/"), mock = above(MOCK, "gauntlet/"),
  ["cli/"] = above(INIT, "authority mock mock/ gauntlet/ cli/"),
}

-- Those that load a module by a name in a variable.
local by_name = { init = true, ["cli/"] = true, ["adapter/"] = true }

local lua_headers = { ["lua.h"] = true, ["lauxlib.h"] = true, ["lualib.h"] = true }

local complaints = {}
local function complain(...)
  complaints[#complaints + 1] = string.format(...)
end

local edges = {} -- module -> the modules it uses
local function edge(from, to)
  edges[from] = edges[from] or {}
  if from ~= to then edges[from][to] = true end
end

local function c_module(file)
  local module = file:gsub("%.[ch]$", "")
  local whole = module
  while true do
    local shorter = whole:match("^(.*/[^/]+)_[^_/]*$")
    if not shorter then return module end
    if source.exists(shorter .. ".h") then module = shorter end
    whole = shorter
  end
end

-- "csrc/net/x.c", "../core/y.h" -> "csrc/core/y.h"
local function resolve(file, include)
  local path = file:match("^(.*)/") .. "/" .. include
  local count
  repeat
    path, count = path:gsub("[^/]+/%.%./", "", 1)
  until count == 0
  return path
end

local function check_c(file)
  local layer = file:match("^csrc/([^/]+)/")
  local text = source.strip_c(source.read(file), true)
  if not below[layer] then complain("%s: no such layer", file) return end
  for kind, name in text:gmatch('#%s*include%s*([<"])([^>"]+)[>"]') do
    local path = resolve(file, name)
    local target = path:match("^csrc/([^/]+)/")
    if lua_headers[name:match("[^/]+$")] then
      if layer ~= "lua" then complain("%s: only csrc/lua includes %s", file, name) end
    elseif kind == '"' and not source.exists(path) then
      complain("%s: includes %s, which is not there", file, name)
    elseif kind == '"' then
      if not below[layer][target] then complain("%s: may not include %s", file, path) end
      edge(c_module(file), c_module(path))
    end
  end
end

-- ---- calls between files of C --------------------------------------------

-- The functions that a file defines for others: "smtp_x(...) {" behind a type that begins a
-- line.
local function definitions(text)
  local names = {}
  for line, name in text:gmatch("\n([%a_][%w_ *]-)(smtp_[%w_]+)%b()%s*{") do
    if not line:find("^static") and not line:find("^typedef") then names[#names + 1] = name end
  end
  return names
end

-- A file that names a function of another file, be it to call it or to pass it on, needs that.
local function check_calls(files)
  local texts, home = {}, {}
  for _, file in ipairs(files) do
    if file:find("%.c$") then
      texts[file] = "\n" .. source.strip_c(source.read(file))
      for _, name in ipairs(definitions(texts[file])) do home[name] = file end
    end
  end
  for file, text in pairs(texts) do
    for name in text:gmatch("%f[%w_]smtp_[%w_]+") do
      if home[name] then edge(file, home[name]) end
    end
  end
end

-- "smtp.x" -> its file; the C module has none here.
local function lua_file(module)
  local path = "lua/" .. module:gsub("%.", "/")
  for _, file in ipairs({ path .. ".lua", path .. "/init.lua" }) do
    if source.exists(file) then return file end
  end
end

-- "lua/smtp/x.lua" -> "x", "lua/smtp/x/y.lua" -> "x/"
local function folder(file)
  return file:match("^lua/smtp/([%w_]+/?)")
end

local function check_lua(file)
  local text = source.strip_lua(source.read(file))
  local home = folder(file)
  edge(file, file)
  if not beneath[home] then complain("%s: no such folder", file) return end
  if text:find("%f[%w_]require%s*%(%s*[^%s\"']") and not by_name[home] then
    complain("%s: requires a module by a variable, which hides a dependency", file)
  end
  for module in text:gmatch("require%s*%(?%s*[\"'](smtp[%w_.]*)[\"']") do
    local target = lua_file(module)
    if target then
      if not beneath[home][folder(target)] then complain("%s: may not require %s", file, module) end
      edge(file, target)
    elseif module ~= "smtp.core" then
      complain("%s: requires %s, which is not there", file, module)
    end
  end
end

local state = {} -- module -> "open" while below it, "done" after
local function walk(module, trail)
  trail[#trail + 1] = module
  if state[module] == "open" then
    local start = 1
    while trail[start] ~= module do start = start + 1 end
    complain("a circle: %s", table.concat(trail, " -> ", start))
  elseif not state[module] then
    state[module] = "open"
    for target in pairs(edges[module] or {}) do walk(target, trail) end
    state[module] = "done"
  end
  trail[#trail] = nil
end

for _, file in ipairs(source.find("csrc", "%.[ch]$")) do check_c(file) end
check_calls(source.find("csrc", "%.c$"))
for _, file in ipairs(source.find("lua", "%.lua$")) do check_lua(file) end
local modules = {}
for module in pairs(edges) do modules[#modules + 1] = module end
table.sort(modules)
for _, module in ipairs(modules) do walk(module, {}) end
source.report("layers", complaints, #modules .. " modules, all pointing down")
