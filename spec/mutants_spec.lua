-- SPDX-License-Identifier: MIT
-- `make mutants`: which faults are planted where, that a seed means the same ones, and that
-- what runs in a copy ends in time with all its children.
local net = require "spec.support.net"

local path = package.path
package.path = "scripts/?.lua;" .. path
local aside = require "mutants.aside"
local copies = require "mutants.copy"
local draw = require "mutants.draw"
local operators = require "mutants.operators"
local queues = require "mutants.queue"
local specs = require "mutants.specs"
package.path = path

-- "kind: the whole text with the fault", sorted.
local function planted(name, text)
  local list = {}
  for i, fault in ipairs(operators.list(name, text)) do
    list[i] = fault.kind .. ": " .. operators.plant(text, fault)
  end
  table.sort(list)
  return list
end

local function holds(list, text)
  for _, one in ipairs(list) do
    if one == text then return true end
  end
  return false
end

local C = "static int f(int n) {\n  g(n);\n  if (n < 3) return 0;\n  return n;\n}\n"
local LUA = "local function f(n)\n  g(n)\n  if n < 3 then return nil end\n  return n\nend\n"

describe("a fault in C", function()
  it("is a comparison, a condition, a constant, a statement or a result", function()
    local function with(from, to)
      local at, stop = C:find(from, 1, true)
      return C:sub(1, at - 1) .. to .. C:sub(stop + 1)
    end
    local expected = {
      "comparison: " .. with("n < 3", "n <= 3"), "condition: " .. with("(n < 3)", "(!(n < 3))"),
      "constant: " .. with("3", "2"), "constant: " .. with("3", "4"),
      "result: " .. with("return 0", "return 1"),
      "result: " .. with("return n", "return 0"), "statement: " .. with("g(n);", ";"),
    }
    table.sort(expected)
    assert.same(expected, planted("x.c", C))
  end)

  it("is in no comment, string, character or directive", function()
    assert.same({}, planted("x.c", [[
#define N(a) \
  ((a) < 3)
/* if (a < 3) return 0; */
// a == 4
static const char *const t[] = {"a < 3", '<', "\"if (a)\""};
]]))
  end)

  it("takes no declaration, label or brace for a statement", function()
    local list = planted("x.c", [[
struct s { int (*call)(int); };
void f(struct s *p) {
  struct s *q = p, t[] = {{g}};
  int n = g(p);
again:
  while (n) n = h(q, t);
  for (n = a(); n; n++) p->call(n);
  *p = *q;
  switch (n) { case A: break; default: ++n; }
  goto again;
}
]])
    local dropped = {}
    for _, one in ipairs(list) do
      if one:find("^statement") then dropped[#dropped + 1] = one end
    end
    assert.equal(4, #dropped, table.concat(dropped, "\n"))
  end)

  it("writes numbers as they were", function()
    local function first(text) return planted("x.c", "int n = " .. text .. ";") end
    assert.same({ "constant: int n = 0x10;", "constant: int n = 0xe;" }, first("0xf"))
    assert.same({ "constant: int n = 7u;", "constant: int n = 9u;" }, first("8u"))
    assert.same({ "constant: int n = 1;" }, first("0"))
    assert.same({}, first("1.5"))
    assert.same({}, first("010"))
  end)
end)

describe("a fault in Lua", function()
  it("is a comparison, a condition, a constant, a statement or a result", function()
    local list = planted("x.lua", LUA)
    local function with(from, to)
      local at, stop = LUA:find(from, 1, true)
      return LUA:sub(1, at - 1) .. to .. LUA:sub(stop + 1)
    end
    local expected = {
      "comparison: " .. with("n < 3", "n <= 3"), "condition: " .. with("n < 3", "not (n < 3)"),
      "constant: " .. with("3", "2"), "constant: " .. with("3", "4"),
      "result: " .. with("return nil", "return true"),
      "result: " .. with("return n\n", "return nil\n"), "statement: " .. with("  g(n)", "  ;"),
    }
    table.sort(expected)
    assert.same(expected, list)
  end)

  it("is in no comment or string, and no attribute", function()
    assert.same({}, planted("x.lua", [==[
#!/usr/bin/lua 1 < 2
--[[ if a < 3 then b() end ]]
local x <close>, y <const> = "a == 3", [=[ f() ]] return 1 ]=] -- not a
]==]))
  end)

  it("changes the first result alone, and both ways of a truth value", function()
    assert.is_true(holds(planted("x.lua", "return nil, why"), "result: return true, why"))
    assert.is_true(holds(planted("x.lua", "return true"), "result: return false"))
    assert.is_true(holds(planted("x.lua", "return f(a, b), c"), "result: return nil, c"))
    assert.same({}, planted("x.lua", "do return end"))
  end)

  it("is found in what the library is made of", function()
    for _, name in ipairs { "lua/smtp/mock/server.lua", "lua/smtp/message/parse/init.lua",
      "bench/port.c", "scripts/lua_syntax.lua" } do
      assert.is_true(#operators.list(name, net.slurp(name)) > 10, name)
    end
  end)
end)

describe("faults", function()
  local function names(seed, count)
    local next_fault = draw.draw({
      { name = "c", files = { { name = "x.c", text = C }, { name = "y.c", text = C } } },
      { name = "lua", files = { { name = "x.lua", text = LUA } } } }, seed)
    local list = {}
    for i = 1, count do
      local fault = next_fault()
      list[i] = fault and ("%s %s %d %s"):format(fault.folder, fault.file.name, fault.from,
        fault.with) or "none"
    end
    return list
  end

  it("are the same ones for the same seed, and others for another", function()
    assert.same(names(7, 6), names(7, 6))
    assert.not_same(names(7, 6), names(8, 6))
  end)

  it("are the ones of this seed under every Lua", function()
    assert.equal("f52a15e9a9b5e89b", ("%016x"):format(draw.hash("")))
    assert.equal("33367c40e385ff80", ("%016x"):format(draw.hash("a < b")))
  end)

  it("of a seed stay, when lines move and code comes elsewhere", function()
    local function drawn(before, behind, other)
      local next_fault = draw.draw({ { name = "c", files = { { name = "a.c", text = other },
        { name = "x.c", text = before .. C .. behind } } } }, 5)
      local list = {}
      for fault in next_fault do
        if fault.file.name == "x.c" and fault.scope == "f" then
          list[fault.kind] = list[fault.kind] or {}
          table.insert(list[fault.kind], select(2, operators.change(fault.file.text, fault)))
        end
      end
      return list
    end
    local kinds = drawn("", "", "")
    assert.equal(2, #kinds.constant)
    assert.same(kinds, drawn("\nint g(void) {\n  return 4;\n}\n\n", "", ""))
    assert.same(kinds, drawn("", "\nint h(int n) {\n  return n < 3;\n}\n", C))
  end)

  it("of equal lines are told apart", function()
    local text = "int f(int n) {\n  n = 1;\n\n  n = 1;\n\n  n = 1;\n\n  return n;\n}\n"
    local seen, count = {}, 0
    for fault in draw.draw({ { name = "c", files = { { name = "x.c", text = text } } } }, 1) do
      assert.is_nil(seen[fault.rank])
      seen[fault.rank], count = true, count + 1
    end
    assert.equal(#planted("x.c", text), count)
  end)

  it("come from each folder in turn, and each once", function()
    local count = 2 * #planted("x.c", C) + #planted("x.lua", LUA)
    local list, seen = names(3, count + 1), {}
    assert.matches("^c ", list[1])
    assert.matches("^lua ", list[2])
    for i = 1, count do
      assert.is_nil(seen[list[i]], list[i])
      seen[list[i]] = true
    end
    assert.equal("none", list[count + 1])
  end)

  it("are set aside by function and line, wherever these stand", function()
    local function keys(text)
      local fault
      for _, one in ipairs(operators.list("x.c", text)) do
        if one.kind == "comparison" then fault = one end
      end
      return { fault.scope, operators.change(text, fault) }
    end
    assert.same({ "f", "if (n < 3) return 0;", "if (n <= 3) return 0;" }, keys(C))
    assert.same(keys(C), keys("int x;\n\n" .. C:gsub("  if", "\tif")))
    assert.is_function(aside.index()) -- each has its reason
  end)
end)

describe("specs", function()
  it("look first that bear the name, then those of the folder, then quick ones", function()
    local list = {}
    for i, name in ipairs { "spec/dot_spec.lua", "spec/core/reply_spec.lua", "spec/z_spec.lua",
      "spec/core/dot_spec.lua", "spec/a_spec.lua" } do
      list[i] = { name = name, text = "", seconds = name:find("/a_") and 9 or 1 }
    end
    local function order(first)
      local names = {}
      for i, spec in ipairs(specs.order("csrc/core/dot.c", list, {}, first)) do
        names[i] = spec.name:match("spec/(.*)_spec")
      end
      return names
    end
    assert.same({ "core/dot", "dot", "core/reply", "z", "a" }, order {})
    assert.equal("a", order({ ["spec/a_spec.lua"] = true })[1]) -- it has noticed one already
  end)

  it("of the folder that the file is named after come before others", function()
    local list = { { name = "spec/a_spec.lua", text = "smtp.loop", seconds = 1 },
      { name = "spec/server/a_spec.lua", text = "", seconds = 9 },
      { name = "spec/loop/a_spec.lua", text = "", seconds = 9 } }
    for name, first in pairs { ["lua/smtp/loop.lua"] = "loop",
      ["csrc/lua/server_event.c"] = "server", ["lua/smtp/server/init.lua"] = "server" } do
      assert.equal("spec/" .. first .. "/a_spec.lua", specs.order(name, list, {}, {})[1].name)
    end
  end)

  it("of a user of the file come before others", function()
    local files = { { name = "lua/smtp/client/pool.lua", text = 'require "smtp.base.rewindable"' },
      { name = "lua/smtp/delivery/mx.lua", text = "" } }
    assert.same({ "lua/smtp/client/pool.lua" }, specs.users("lua/smtp/base/rewindable.lua", files))
    local list = { { name = "spec/delivery/mx_spec.lua", text = "", seconds = 1 },
      { name = "spec/client/pool_spec.lua", text = "", seconds = 9 } }
    assert.equal("spec/client/pool_spec.lua",
      specs.order("lua/smtp/base/rewindable.lua", list, { "lua/smtp/client/pool.lua" }, {})[1].name)
  end)
end)

describe("a copy", function()
  local folder

  before_each(function() folder = net.folder() end)
  after_each(function() net.remove(folder) end)

  it("ends what takes too long", function()
    copies.must("mkdir %s/copy", folder)
    assert.equal(124, copies.at(folder .. "/copy"):run(1, "sleep 1000"))
  end)

  it("ends all that a command has left behind", function()
    local file <close> = io.open("/proc/self/stat")
    if not file then return pending("there is no /proc") end
    copies.must("mkdir %s/copy", folder)
    local copy = copies.at(folder .. "/copy")
    -- Into a session of its own, where a signal to the group does not reach.
    copies.write(folder .. "/copy/run", "setsid sh -c 'echo $$ >alone; exec sleep 1000' &\n"
      .. "until [ -s alone ]; do sleep 0.05; done\n")
    assert.equal(0, copy:run(60, "sh run"))
    local alone <close> = assert(io.open(folder .. "/copy/alone"))
    local id = alone:read("n")
    local function runs()
      local stat <close> = io.open(("/proc/%d/stat"):format(id))
      return stat and not stat:read("a"):find(") Z ", 1, true)
    end
    local limit = os.time() + 60
    while runs() and os.time() < limit do copies.sh("sleep 0.05") end
    assert.is_false(runs() or false)
  end)

  it("ends nothing, once its folder is gone", function()
    copies.must("mkdir %s/copy", folder)
    local copy = copies.at(folder .. "/copy")
    assert.error_matches(function() copy:run(10, ("rmdir %s/copy"):format(folder)) end, "failed:")
  end)

  it("tells how a command ended", function()
    copies.must("mkdir %s/copy", folder)
    local copy = copies.at(folder .. "/copy")
    assert.equal(0, copy:run(10, "true"))
    assert.equal(3, copy:run(10, "sh -c 'exit 3'"))
    assert.equal(0, copy:run(10, "echo no test was run"))
    assert.is_true(copy:said("no test was run"))
  end)

  it("gives each item to one worker, and ends", function()
    local queue, one, other = queues.at(folder), queues.at(folder), queues.at(folder)
    queue:put({ id = 1, text = "a\0\n\"b" })
    queue:put({ id = 2 })
    queue:put({ id = 3 })
    queue:finish()
    assert.same({ id = 1, text = "a\0\n\"b" }, one:take())
    assert.equal(2, other:take().id)
    assert.equal(3, one:take().id)
    assert.is_nil(other:take())
    assert.is_nil(one:take())
  end)
end)
