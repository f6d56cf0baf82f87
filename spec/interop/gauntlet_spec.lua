-- SPDX-License-Identifier: MIT
-- Other clients come to the end of the gauntlet; what they did there is docs/gauntlet.md.
-- Each tenth behaviour is run, as children take their time.
local clients = require "spec.support.gauntlet_clients"
local gauntlet = require "smtp.gauntlet"

local STEP = 10

local function some()
  local names = { "plain" }
  for i = STEP, #gauntlet.behaviours, STEP do names[#names + 1] = gauntlet.behaviours[i].name end
  return names
end

describe("in the gauntlet #slow", function()
  for _, client in ipairs(clients.list) do
    local send, why = client.open()
    if not send then
      pending(client.name .. ": " .. why)
    else
      it(client.name .. " comes to the end", function()
        local results = gauntlet.run(send, { only = some(), lacks = client.lacks })
        assert.is_true(#results > 0)
        assert.equal("delivered", results[1].got, results[1].detail)
      end)
    end
  end
end)
