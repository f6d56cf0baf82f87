-- SPDX-License-Identifier: MIT
--- Message contents that are easily broken on their way: each has a `name`, what
-- is `given` to a client, and what has to be `kept` by the server.
local M = {}

local HEADER = "X-Mark: begin\r\nSubject: interop\r\n\r\n"

--- Lines of text, some of dots, of at least `size` bytes.
function M.text(size)
  local lines, n = {}, 0
  while n < size do
    local i = #lines + 1
    local dots = ("."):rep(i % 7 == 0 and i % 4 or 0)
    lines[i] = ("%sline %d of the body, %s"):format(dots, i, ("x"):rep(i % 61))
    n = n + #lines[i] + 2
  end
  return table.concat(lines, "\r\n") .. "\r\n"
end

local function add(name, body, kept)
  M[#M + 1] = { name = name, given = HEADER .. body, kept = HEADER .. (kept or body) }
end

add("dots at the start of lines", ".\r\n..\r\n...\r\n.a\r\n.. b\r\na.\r\n.\r\n")
add("an empty body", "")
add("only dots", ".\r\n")
add("empty lines at the end", "\r\n\r\n\r\n")
add("no line end at the end", "last words", "last words\r\n")
add("a dot at the end, without a line end", "a\r\n.", "a\r\n.\r\n")
add("8-bit text", "Gr\u{fc}\u{df}e, \u{65e5}\u{672c}\u{8a9e}\r\n\xff\xfe\x80\r\n")
add("lines of 998 bytes", ("y"):rep(998) .. "\r\n." .. ("z"):rep(997) .. "\r\n")
add("lines of 5000 bytes", ("y"):rep(5000) .. "\r\n." .. ("z"):rep(4999) .. "\r\n")
add("white space", " \t\r\n\t.\r\n  end  \r\n")
add("bare line ends", "a\n.\nb\r.\rc\n", "a\r\n.\r\nb\r\n.\r\nc\r\n")
add("5 MB", M.text(5 * 1000 * 1000))

M.HEADER = HEADER
return M
