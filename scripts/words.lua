-- SPDX-License-Identifier: MIT
-- The language, as far as a program can judge: comments that begin with no subject, comments of
-- C++, and the subjects of commits.
package.path = "scripts/?.lua;" .. package.path
local source = require("source")

local BEGINNINGS = { "The same", "What", "Whoever", "As before" }
local SINCE = "e754037" -- the subjects of older commits stay as they are
local SUBJECT_MAX = 50

local complaints = {}
local function complain(...)
  complaints[#complaints + 1] = table.concat({ ... })
end

local function check_beginning(name, number, text)
  text = text:gsub("^[%s%-*/#]+", "")
  for _, words in ipairs(BEGINNINGS) do
    if text:find("^" .. words .. "%f[^%w]") then
      complain(name, ":", number, ": a comment begins with \"", words, "\": name its subject")
    end
  end
end

-- Calls check(number, text) for the first words of each comment. A comment is a run of lines that
-- begin with the mark, or what stands behind the mark in a line of code.
local function each_comment(text, mark, check)
  local number, inside = 0, false
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local whole = line:match("^%s*" .. mark .. "(.*)")
    local words = whole or line:match("%s" .. mark .. "%s(.*)")
    if words and not (whole and inside) and words:find("%a") then check(number, words) end
    inside = whole ~= nil and words:find("%a") ~= nil and not words:find("SPDX")
  end
end

-- The words of a block may begin on the line behind its mark.
local function each_block(text, check)
  for at, words in text:gmatch("()/(%*.-)%*/") do
    local _, number = text:sub(1, at):gsub("\n", "")
    check(number + 1, words)
  end
end

local function check_file(name)
  local text = source.read(name)
  local function check(number, words) check_beginning(name, number, words) end
  if name:find("%.[ch]$") then
    each_block(text, check)
  elseif name:find("%.lua$") then
    each_comment(text, "%-%-+", check)
  else
    each_comment(text, "#", check)
  end
end

-- strip_c takes a comment of C++ for one too, so it is looked for in the rest of each line.
local function check_dialect(name)
  local text = source.read(name):gsub("/%*.-%*/", function(block)
    return (block:gsub("[^\n]", ""))
  end)
  local number = 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    if line:gsub('"[^"]*"', ""):find("//", 1, true) then
      complain(name, ":", number, ": a comment of C++")
    end
  end
end

local function check_commits()
  local pipe <close> = assert(io.popen(("git log --no-merges --format=%%h:%%s %s..HEAD 2>/dev/null")
    :format(SINCE)))
  for line in pipe:lines() do
    local hash, subject = line:match("^(%x+):(.*)$")
    if #subject > SUBJECT_MAX then
      complain(hash, ": a subject of more than ", SUBJECT_MAX, " characters: ", subject)
    elseif not subject:find("^[%w_., -]+: %S") then
      complain(hash, ": a subject without \"module: what\": ", subject)
    end
  end
end

for _, name in ipairs(source.find("csrc lua spec fuzz bench examples scripts bin types Makefile",
  "")) do
  if name:find("%.[ch]$") or name:find("%.lua$") or name:find("%.sh$") or name == "Makefile" then
    check_file(name)
    if name:find("%.[ch]$") then check_dialect(name) end
  end
end
check_commits()
source.report("words", complaints, "none")
