-- SPDX-License-Identifier: MIT
-- Which specs look first at a fault in a file: those that bear the file's name, those of
-- its folder, those that speak of it, then all others, the quick ones first.
local M = {}

-- "csrc/core/server_auth.c" -> "core", { "server", "auth" }; "spec/client/auth_spec.lua" -> "", ...
local function parts(name)
  local path = name:gsub("^csrc/", ""):gsub("^lua/smtp/", ""):gsub("^spec/", "")
    :gsub("%.%w+$", ""):gsub("_spec$", ""):gsub("/init$", "")
  local folder, stem = path:match("^(.*)/([^/]+)$")
  local words = {}
  for word in (stem or path):gmatch("[^_]+") do words[#words + 1] = word end
  return folder or "", words
end

local function stem(word)
  return #word > 3 and word:gsub("s$", "") or word
end

-- How much of a file's name is in the spec's: the first word counts most.
local function shared(file, spec)
  local score = 0
  for i, word in ipairs(file) do
    for j, other in ipairs(spec) do
      if stem(word) == stem(other) then score = score + (i == 1 and j == 1 and 40 or 20) end
    end
  end
  return score
end

-- Words by which a spec's text names the file: a module, a binding, a verb of the probe.
local function mentions(name, text)
  local module = name:match("^lua/(.-)%.lua$")
  if module then
    return text:find(module:gsub("/init$", ""):gsub("/", "."), 1, true) and 15 or 0
  end
  local _, words = parts(name)
  local _, n = text:gsub("%f[%w]" .. table.concat(words, "_"), "")
  return n > 0 and 10 or 0
end

--- How near a spec is to a file of the source. text: of the spec.
function M.score(name, spec, text)
  local folder, words = parts(name)
  local spec_folder, spec_words = parts(spec)
  local score = shared(words, spec_words) + mentions(name, text)
  if table.concat(words, "_") == table.concat(spec_words, "_") then score = score + 100 end
  if folder ~= "" and folder == spec_folder then score = score + 30 end
  -- csrc/lua/server_event.c and lua/smtp/loop.lua: spec/server, spec/loop.
  if spec_folder == words[1] then score = score + 30 end
  return score
end

--- The files, { name, text } each, that require or include this one: their specs see it.
function M.users(name, files)
  local module = name:match("^lua/(.-)%.lua$")
  local mark = module and '"' .. module:gsub("/init$", ""):gsub("/", ".") .. '"'
    or name:match("([^/]+)%.c$") .. '.h"'
  local users = {}
  for _, file in ipairs(files) do
    if file.name ~= name and file.text:find(mark, 1, true) then users[#users + 1] = file.name end
  end
  return users
end

--- The specs, { name, text, seconds } each, in the order in which they shall run for a
--- file; users: of the file; first: a set of names that go before all others.
function M.order(name, specs, users, first)
  local order, score = {}, {}
  for i, spec in ipairs(specs) do
    order[i] = spec
    local most = M.score(name, spec.name, spec.text)
    for _, user in ipairs(users) do
      most = math.max(most, M.score(user, spec.name, spec.text) // 2)
    end
    score[spec] = most + (first[spec.name] and 1000 or 0)
  end
  table.sort(order, function(a, b)
    if score[a] ~= score[b] then return score[a] > score[b] end
    if a.seconds ~= b.seconds then return a.seconds < b.seconds end
    return a.name < b.name
  end)
  return order
end

return M
