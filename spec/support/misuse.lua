-- Misuse raises, at the line that made the call, however deep the value lay: tells
-- whether `call`, a function, does so within itself, with a text that has `pattern`.
return function(pattern, call)
  local ok, why = pcall(call)
  assert(not ok, "nothing was raised")
  local where = debug.getinfo(call, "S")
  local file, line = why:match("^([^:]+):(%d+): ")
  line = tonumber(line)
  assert(file == where.short_src and line >= where.linedefined and line <= where.lastlinedefined
    and why:find(pattern), why)
end
