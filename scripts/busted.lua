-- SPDX-License-Identifier: MIT
-- busted under the Lua that runs this file, whichever Lua the command `busted`
-- of the system is for: lua5.4 scripts/busted.lua --ignore-lua [arguments]
require("busted.runner")({ standalone = false })
