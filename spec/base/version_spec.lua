-- SPDX-License-Identifier: MIT
-- Each module that the documents tell users to require says what it needs, under a Lua
-- that is too old: no syntax error, no undefined symbol.
-- The output of a command of sh.
local function output(command)
  local pipe <close> = assert(io.popen(command .. " 2>&1 </dev/null"))
  return pipe:read("a")
end

-- The modules in `require "smtp..."` of the documents and the examples; and the command.
local function public_modules()
  local seen, list = {}, {}
  local text = output("cat README.md docs/reference.md bin/lua-smtp examples/*.lua "
    .. "examples/*/*.lua")
  for name in text:gmatch("require%s*%(?%s*\"(smtp[%w_.]*)\"") do
    if not seen[name] then list[#list + 1] = name end
    seen[name] = true
  end
  return list
end

-- The version text of each interpreter.
local OLD = { ["lua5.1"] = "Lua 5.1", ["lua5.2"] = "Lua 5.2", ["lua5.3"] = "Lua 5.3",
  luajit = "LuaJIT %S+ %(Lua 5%.1%)" }

describe("under an old Lua", function()
  it("there is a public module to look at", function()
    assert.is_true(#public_modules() >= 8)
  end)

  for interpreter, version in pairs(OLD) do
    it(interpreter .. " each public module says what it needs", function()
      if output("command -v " .. interpreter) == "" then
        return pending(interpreter .. " is not here")
      end
      for _, module in ipairs(public_modules()) do
        local said = output(("LUA_PATH='lua/?.lua;lua/?/init.lua' LUA_CPATH='build/?.so' "
          .. "%s -e 'require \"%s\"'"):format(interpreter, module))
        assert.matches(": smtp needs Lua 5%.4 or 5%.5, and this is " .. version .. "\n", said,
          module)
      end
    end)
  end
end)

describe("the module of the version", function()
  it("gives the number of a Lua that will do", function()
    assert.equal(tonumber(_VERSION:match("%.(%d+)")) + 500, require "smtp.base.version")
  end)
end)
