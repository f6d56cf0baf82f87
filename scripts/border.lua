-- SPDX-License-Identifier: MIT
-- The border of C and Lua: compares types/internal/*.d.lua with the built smtp.core. It refuses
-- a function of C that has no entry, an entry that has no function, an entry without a word,
-- and an argument without its @param.
--
-- The functions of C are those of the module, and the methods of each class that it has in the
-- registry. A class inherits the entries of its parent, if the parent has no metatable.
package.path = "scripts/?.lua;" .. package.path
local source = require("source")
local annotations = require("annotations")

local MODULE = "smtp.core"

-- class -> name -> true, of what C gives.
local function given()
  local classes = { [MODULE] = {} }
  for name, value in pairs(require(MODULE)) do
    assert(type(value) == "function", name .. " is no function")
    classes[MODULE][name] = true
  end
  for class, metatable in pairs(debug.getregistry()) do
    if type(class) == "string" and class:find("^smtp%.") then
      local methods = {}
      for name in pairs(metatable.__index) do methods[name] = true end
      if next(methods) then classes[class] = methods end -- no method: an object of C alone
    end
  end
  return classes
end

local complaints = {}
local function complain(...)
  complaints[#complaints + 1] = table.concat({ ... })
end

local function check_arguments(place, item)
  local list = {}
  for _, param in ipairs(item.params) do list[#list + 1] = param.name:match("^[%w_]+") end
  if table.concat(list, ", ") ~= item.arguments then
    complain(place, ": the @param entries are (", table.concat(list, ", "), "), not (",
      item.arguments, ")")
  end
end

-- class -> { parent, entries }, of all files.
local function described()
  local classes = {}
  for _, path in ipairs(source.find("types/internal", "%.d%.lua$")) do
    assert(loadfile(path))
    local of = {} -- the class of a local variable
    for _, item in ipairs(annotations.parse(source.read(path)).items) do
      if item.kind == "class" and item.variable then
        local class = classes[item.name] or { entries = {} }
        class.parent = class.parent or item.parent
        classes[item.name], of[item.variable] = class, class
      elseif item.kind == "function" then
        local place = ("%s: %s"):format(path, item.name)
        local variable, name = item.name:match("^([%w_]+)[.:]([%w_]+)$")
        local entries = assert(of[variable], place .. " is of no class").entries
        if entries[name] then complain(place, " has two entries") end
        if item.text == "" and #item.returns == 0 then complain(place, " has no word") end
        check_arguments(place, item)
        entries[name] = place
      end
    end
  end
  return classes
end

local count = 0
local c, lua = given(), described()
for class, functions in pairs(c) do
  local entries = lua[class] and lua[class].entries or {}
  local parent = lua[class] and lua[class].parent
  local inherited = parent and not c[parent] and lua[parent].entries or {}
  for name in pairs(functions) do
    count = count + 1
    if not (entries[name] or inherited[name]) then
      complain("csrc/lua: ", class, " has no entry in types/internal for ", name)
    end
  end
  for _, list in ipairs { entries, inherited } do
    for name, place in pairs(list) do
      if not functions[name] then complain(place, ": ", class, " has no such function") end
    end
  end
end
local parents = {}
for _, class in pairs(lua) do parents[class.parent or ""] = true end
for class in pairs(lua) do
  if not c[class] and not parents[class] then complain("types/internal: C has no ", class) end
end
table.sort(complaints)
source.report("border", complaints, count .. " functions of C have their entries")
