-- SPDX-License-Identifier: MIT
-- Bans in the source: functions of C that trust their input, all
-- but pure C99 in csrc/core, files that should have been split, and
-- specs that take any error.
package.path = "scripts/?.lua;" .. package.path
local source = require("source")

local LINES_MAX = 500

local function set(words)
  local s = {}
  for word in words:gmatch("%S+") do s[word] = true end
  return s
end

-- The length comes with the pointer, numbers are parsed by the grammar.
local everywhere = set([[
  strlen strcpy strcat strncpy strncat stpcpy sprintf vsprintf strtok strtok_r
  atoi atol atoll strtol strtoul strtoll strtoull sscanf fscanf scanf gets
  alloca]])

-- The core does no I/O, knows no time and no allocator but the one passed in.
local core = set([[
  errno printf fprintf snprintf vsnprintf puts putchar perror fopen
  malloc calloc realloc free strdup strndup
  time clock clock_gettime gettimeofday localtime gmtime nanosleep
  getenv exit abort rand srand signal setlocale assert
  static_assert setjmp longjmp]])
local allocator = set("realloc free") -- of csrc/core/mem.c

local core_headers = set([[
  float.h iso646.h limits.h stdarg.h stdbool.h stddef.h stdint.h string.h]])

local complaints = {}
local function complain(name, line, text)
  complaints[#complaints + 1] = ("%s:%d: %s"):format(name, line, text)
end

local function check_include(name, number, line)
  local header = line:match("^%s*#%s*include%s*<([^>]+)>")
  if not header or core_headers[header] then return end
  if name == "csrc/core/mem.c" and header == "stdlib.h" then return end
  complain(name, number, "csrc/core includes <" .. header .. ">")
end

local function check_c(name)
  local in_core = name:find("^csrc/core/") ~= nil
  local number = 0
  for line in (source.strip_c(source.read(name)) .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    if in_core then check_include(name, number, line) end
    -- A member or a macro's part may bear such a name: mem->free, x.time.
    for before, word in (" " .. line):gmatch("([^%w_])([%a_][%w_]*)") do
      local member = before == "." or before == ">"
      local banned = everywhere[word] or in_core and core[word]
      if name == "csrc/core/mem.c" and allocator[word] then banned = nil end
      local called = word == "errno" or line:find(word .. "%s*%(")
      if banned and called and not member and not line:find("^%s*#") then
        complain(name, number, word .. " is banned here")
      end
    end
  end
end

-- A spec that takes any error takes a wrong one too: error_matches needs the text.
local function check_spec(name)
  local number = 0
  for line in (source.strip_lua(source.read(name)) .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    if line:find("assert%.has_errors?%(") or line:find("assert%.errors?%(")
      or line:find("is_false%(%(?pcall") then
      complain(name, number, "an error without its text: assert.error_matches")
    end
  end
end

for _, name in ipairs(source.find("csrc", "%.[ch]$")) do
  check_c(name)
end
for _, name in ipairs(source.find("spec", "_spec%.lua$")) do
  check_spec(name)
end
local folders = "csrc lua spec fuzz bench examples scripts"
for _, name in ipairs(source.find(folders, "%.%a+$")) do
  if name:find("%.[ch]$") or name:find("%.lua$") or name:find("%.sh$") then
    local _, lines = source.read(name):gsub("\n", "")
    if lines > LINES_MAX then
      complain(name, lines, "more than " .. LINES_MAX .. " lines: split it")
    end
  end
end
source.report("bans", complaints, "none")
