-- A content that can be read once: a function that gives its pieces.
return function(...)
  local all, i = { ... }, 0
  return function()
    i = i + 1
    return all[i]
  end
end
