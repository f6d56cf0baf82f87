-- Misuse raises, at the line that made the call, however deep the value lay: tells
-- whether `call`, a function of one line, does so with a text that has `pattern`.
return function(pattern, call)
  local ok, why = pcall(call)
  assert(not ok, "nothing was raised")
  local where = debug.getinfo(call, "S")
  local place = ("%s:%d: "):format(where.short_src, where.linedefined)
  assert(why:sub(1, #place) == place and why:find(pattern), why)
end
