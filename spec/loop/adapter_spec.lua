-- The adapters: our client and our server beside what is the library's own, in its loop.
local net = require "spec.support.net"
local process = require "spec.support.process"

-- Why the scenes of a library cannot be played, or nil.
local function missing(library)
  local status = process.run { "env", "LUA_PATH=" .. package.path, "LUA_CPATH=" .. package.cpath,
    net.interpreter(), "spec/support/adapter.lua", library, "none" }
  if status ~= 0 then return library .. " for Lua 5.4 is not here (`make test` installs it)" end
end

local SCENES = {
  { "beside", "sends and serves, many at once, while the library goes on" },
  { "slow", "waits for a slow server without work, and up to its time" },
  { "handler", "lets handlers wait in the library's way and in ours" },
  { "cancelled", "ends a handler where it waits" },
  { "limit", "unwinds a handler that takes too long" },
  { "gates", "has gates and time between coroutines of both kinds" },
  { "gone", "keeps no coroutine of the library that is gone" },
  { "pool", "shares a pool" },
  { "outside", "blocks a plain script while the library goes on" },
}

for _, library in ipairs { "cqueues", "luv", "copas" } do
  describe("adapter for " .. library, function()
    local why = process.missing() or missing(library)
    if why then
      pending(why)
      return
    end

    local function play(scene)
      local one <close> = process.lua({ "spec/support/adapter.lua", library, scene },
        { time = 30 })
      return one:wait()
    end

    for _, one in ipairs(SCENES) do
      it(one[2], function()
        local status, out, err = play(one[1])
        assert.equal("well\n", out, err)
        assert.equal("", err)
        assert.equal(0, status)
      end)
    end

    for scene, what in pairs { error = "boom", unwinding = "clean%-up" } do
      it("brings an error to the user as the library does: " .. scene, function()
        local status, out, err = play(scene)
        if library == "cqueues" then
          assert.matches("^false\t[^\n]*: " .. what .. "\nand on\nwell\n$", out)
          assert.equal(0, status)
        elseif library == "luv" then
          assert.matches("Uncaught Error: [^\n]*: " .. what .. "\n", err)
          assert.not_equal(0, status)
        else
          assert.matches("^[^\n]*: " .. what .. "\n.*\nand on\nwell\n$", out)
          assert.equal(0, status)
        end
      end)
    end

    if library == "cqueues" then
      it("knows several controllers, and what is in none", function()
        local status, out, err = play("controllers")
        assert.same({ 0, "well\n", "" }, { status, out, err })
      end)
    end

    if library == "luv" then
      it("leaves nothing of a coroutine that is closed where it waits", function()
        assert.equal("well\n", select(2, play("closed")))
      end)

      it("lets a handler that waits for a callback come to its end", function()
        local status, out, err = play("callback_handler")
        assert.same({ 0, "well\n", "" }, { status, out, err })
      end)

      it("refuses to wait in a callback", function()
        assert.equal("well\n", select(2, play("callback")))
      end)
    end
  end)
end
