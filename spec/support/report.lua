-- SPDX-License-Identifier: MIT
-- How busted reports: a line a file with a mark a test, then what was skipped
-- and why, what failed and where, and last "N passed, N failed" (with
-- ", N skipped" if any were). An error counts as failed; no test at all fails.
-- `-v` names each test before it runs; `-Xoutput FILE` keeps the last line.
local MARKS = { success = ".", pending = "s", failure = "F", error = "E" }

-- A message may be any value.
local function words(message)
  if type(message) == "string" then return message end
  if message == nil then return "no message" end
  local described = getmetatable(message)
  if type(described) == "table" and described.__tostring then return tostring(message) end
  return require("pl.pretty").write(message)
end

local function place(item)
  local trace = item.element.trace or item.trace
  if not trace or not trace.short_src then return "?" end
  return trace.short_src .. ":" .. (trace.currentline or 0)
end

local function indent(text)
  return "    " .. text:gsub("%s+$", ""):gsub("\n", "\n    ")
end

return function(options)
  local busted = require("busted")
  local base = require("busted.outputHandlers.base")()
  local fresh = true -- nothing stands on this line yet

  local function put(text)
    io.write(text)
    io.flush()
  end

  local function new_line()
    if not fresh then put("\n") end
    fresh = true
  end

  function base.file_start(file)
    new_line()
    put(file.name .. " ")
    fresh = false
    return nil, true
  end

  function base.test_start(test)
    if options.verbose then
      new_line()
      put("  " .. base.getFullName(test) .. " ")
      fresh = false
    end
    return nil, true
  end

  function base.test_end(_, _, status)
    put(MARKS[status] or "?")
    fresh = false
    return nil, true
  end

  function base.other_error()
    put(MARKS.error)
    fresh = false
    return nil, true
  end

  local function put_skipped()
    for _, item in ipairs(base.pendings) do
      put(("skipped: %s: %s"):format(place(item), item.name))
      -- busted puts the place before the reason once more.
      local reason = item.message and words(item.message):gsub("^%S+:%d+: ", "")
      put(reason and "\n" .. indent(reason) .. "\n" or "\n")
    end
  end

  local function put_failed(title, items)
    for _, item in ipairs(items) do
      put(("\n%s: %s: %s\n%s\n"):format(title, place(item), item.name,
        indent(words(item.message))))
      local trace = title == "error" and item.trace and item.trace.traceback
      if trace then put(indent(trace) .. "\n") end
    end
  end

  local function put_counts()
    local failed = base.failuresCount + base.errorsCount
    local line = ("%d passed, %d failed"):format(base.successesCount, failed)
    if base.pendingsCount > 0 then
      line = line .. (", %d skipped"):format(base.pendingsCount)
    end
    put(line .. "\n")
    local name = options.arguments and options.arguments[1]
    if name then
      local file <close> = assert(io.open(name, "w"))
      assert(file:write(line, "\n"))
    end
  end

  function base.suite_end()
    new_line()
    put_skipped()
    put_failed("failure", base.failures)
    put_failed("error", base.errors)
    local none = base.successesCount + base.pendingsCount + base.failuresCount == 0
    if none and base.errorsCount == 0 then
      base.errorsCount = 1
      put("\nerror: no test was run\n")
    end
    put(("\n%.1f s\n"):format(base.getDuration()))
    put_counts()
    return nil, true
  end

  -- busted's own exit status knows nothing of "no test was run".
  function base.leave()
    if base.failuresCount + base.errorsCount > 0 then os.exit(1, true) end
    return nil, true
  end

  busted.subscribe({ "file", "start" }, base.file_start)
  busted.subscribe({ "test", "start" }, base.test_start, { predicate = base.cancelOnPending })
  busted.subscribe({ "test", "end" }, base.test_end, { predicate = base.cancelOnPending })
  busted.subscribe({ "suite", "end" }, base.suite_end)
  busted.subscribe({ "exit" }, base.leave)
  for _, kind in ipairs({ "error", "failure" }) do
    for _, at in ipairs({ "file", "describe" }) do
      busted.subscribe({ kind, at }, base.other_error)
    end
  end
  return base
end
