-- SPDX-License-Identifier: MIT
-- docs/reference.md from types/smtp/*.d.lua. `write` writes it; `check` fails
-- if it is not up to date, or if a public name has no entry.
--
-- The public modules of lua/smtp are those of PUBLIC. The public names of one are the
-- functions `X.name` and `X:name` that it defines and the keys of the table that it
-- returns, but for names with a _.
package.path = "scripts/?.lua;" .. package.path
local source = require("source")
local annotations = require("annotations")

local PAGE = "docs/reference.md"

local function cell(text)
  return (text:gsub("|", "\\|"):gsub("%s*\n%s*", " "))
end

-- A table of fields, arguments or results; each { name, type, text }.
local function put_rows(out, title, rows)
  if #rows == 0 then return end
  out[#out + 1] = ("| %s | type | |\n|---|---|---|"):format(title)
  for _, row in ipairs(rows) do
    local name = row.name == "" and "" or "`" .. row.name .. "`"
    out[#out + 1] = ("| %s | `%s` | %s |"):format(name, cell(row.type), cell(row.text))
  end
  out[#out + 1] = ""
end

local function put_text(out, text)
  if text ~= "" then out[#out + 1] = text .. "\n" end
end

local put = {}

-- A class of methods alone is said by its module's page.
function put.class(out, item)
  if item.text == "" and #item.fields == 0 then return end
  local parent = item.parent and (" is a `%s`"):format(item.parent) or ""
  out[#out + 1] = ("### `%s`%s\n"):format(item.name, parent)
  put_text(out, item.text)
  put_rows(out, "field", item.fields)
end

function put.alias(out, item)
  out[#out + 1] = ("### `%s`\n"):format(item.name)
  put_text(out, item.text)
  for _, choice in ipairs(item.choices) do
    local text = choice.text == "" and "" or ": " .. choice.text
    out[#out + 1] = ("- `%s`%s"):format(choice.type, text)
  end
  out[#out + 1] = ""
end

put["function"] = function(out, item)
  out[#out + 1] = ("### `%s(%s)`\n"):format(item.name, item.arguments)
  if item.deprecated then put_text(out, "**Deprecated.** " .. item.deprecated) end
  put_text(out, item.text)
  for _, overload in ipairs(item.overloads) do
    put_text(out, ("Also `%s`."):format(overload))
  end
  put_rows(out, "argument", item.params)
  put_rows(out, "result", item.returns)
end

local function page(files)
  local out = {
    "# Reference\n",
    "<!-- Made by `make docs` from types/smtp/*.d.lua; edit those. -->\n",
  }
  for _, file in ipairs(files) do
    out[#out + 1] = ("- [%s](#%s)"):format(file.module, file.module:gsub("%.", ""))
  end
  out[#out + 1] = ""
  for _, file in ipairs(files) do
    out[#out + 1] = ("## %s\n"):format(file.module)
    put_text(out, file.text)
    for _, item in ipairs(file.items) do put[item.kind](out, item) end
  end
  return (table.concat(out, "\n"):gsub("\n\n\n+", "\n\n"):gsub("\n*$", "\n"))
end

-- "lua/smtp/mock/busted.lua" -> "smtp.mock.busted"
local function module_of(path)
  return (path:gsub("^%a+/", ""):gsub("%.d%.lua$", ""):gsub("%.lua$", "")
    :gsub("/init$", ""):gsub("/", "."))
end

-- The files whose public names need an entry, and the page that has it.
local PUBLIC = {
  init = "smtp", authority = "smtp.authority", dialogue = "smtp.dialogue", loop = "smtp.loop",
  mock = "smtp.mock", ["mock/server"] = "smtp.mock", ["mock/busted"] = "smtp.mock.busted",
  ["base/address"] = "smtp.address", error = "smtp.error",
  ["client/init"] = "smtp.client", ["client/pool"] = "smtp.pool",
  ["delivery/mta_sts"] = "smtp.mta_sts", ["message/compose"] = "smtp.compose",
  ["message/dkim/init"] = "smtp.dkim", ["server/init"] = "smtp.server",
  ["server/incoming"] = "smtp.incoming",
}

-- The set of public names of a module, by its source and by what it returns.
local function public_names(module, text)
  local names = {}
  text = "\n" .. source.strip_lua(text)
  for name in text:gmatch("\nfunction [%w_.]+[.:]([%a][%w_]*)%s*%(") do names[name] = true end
  for name in text:gmatch("\n[%w_]+%.([%a][%w_]*)%s*=%s*function") do names[name] = true end
  local ok, value = pcall(require, module)
  if not ok then error(value, 0) end
  if type(value) == "table" then
    for key in pairs(value) do
      if type(key) == "string" and key:find("^%a") then names[key] = true end
    end
  end
  return names
end

local function missing_entries(files)
  local complaints, entries = {}, {}
  for _, file in ipairs(files) do entries[file.module] = file.names end
  for place, page_name in pairs(PUBLIC) do
    local path = ("lua/smtp/%s.lua"):format(place)
    local names = {}
    for name in pairs(public_names(module_of(path), source.read(path))) do
      if not (entries[page_name] or {})[name] then names[#names + 1] = name end
    end
    table.sort(names)
    if #names > 0 then
      complaints[#complaints + 1] = ("%s: the page of %s has no entry for: %s"):format(path,
        page_name, table.concat(names, " "))
    end
  end
  return complaints
end

local files = {}
for _, path in ipairs(source.find("types/smtp", "%.d%.lua$")) do
  local file = annotations.parse(source.read(path))
  file.module = module_of(path)
  files[#files + 1] = file
end
table.sort(files, function(a, b) return a.module < b.module end)

if arg[1] == "write" then
  os.execute("mkdir -p docs")
  local file <close> = assert(io.open(PAGE, "wb"))
  assert(file:write(page(files)))
else
  local complaints = missing_entries(files)
  local written = source.exists(PAGE) and source.read(PAGE) or ""
  if #files > 0 and written ~= page(files) then
    complaints[#complaints + 1] = PAGE .. " is out of date: run `make docs`"
  end
  source.report("docs", complaints, #files .. " pages of entries, all up to date")
end
